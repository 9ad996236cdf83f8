"""Loops over rows, compiled by numba for the CPU (floor 1).

Arrays come normalised by ``skfocal._kernels``: contiguous, aligned, inputs read-only, so
that each loop is compiled once per precision. ``sample_weight`` of size 0 stands for no
weights. Everything per class is indexed by the class code. Computation is in double
whatever the arrays hold.
"""

import numba
import numpy as np

from skfocal._kernels._jit import bind_formulas, jit

_formulas = bind_formulas()
_exp = _formulas["exp"]
_loss = _formulas["loss"]
_gradient = _formulas["gradient"]
_gradient_hessian = _formulas["gradient_hessian"]
_log_odds = _formulas["log_odds"]
_binary_log_odds = _formulas["binary_log_odds"]
_binary_margin = _formulas["binary_margin"]
_multiclass_margins = _formulas["multiclass_margins"]
_against_rest = _formulas["against_rest"]
_softmax_margins = _formulas["softmax_margins"]


@numba.njit
def _rounded(x, split):
    t = split * x
    return t - (t - x)


@jit
def binary_loss(y_true, raw, sample_weight, gamma, weight, out):
    weighted = sample_weight.size > 0
    for i in range(y_true.size):
        k = int(y_true[i])
        m = (2 * k - 1) * np.float64(raw[i])
        w = weight[k] * sample_weight[i] if weighted else weight[k]
        out[i] = w * _loss(m, gamma[k])


@jit
def binary_gradient(y_true, raw, sample_weight, gamma, weight, out):
    weighted = sample_weight.size > 0
    for i in range(y_true.size):
        k = int(y_true[i])
        sign = 2 * k - 1
        w = weight[k] * sample_weight[i] if weighted else weight[k]
        out[i] = w * sign * _gradient(sign * np.float64(raw[i]), gamma[k])


@jit
def binary_gradient_hessian(
    y_true, raw, sample_weight, gamma, weight, exact, absolute, ratio, floor, split, out, hessian
):
    """``hessian >= floor``; the upper bound's also ``>= ratio * |gradient|``.

    ``split`` = 2**s + 1 rounds results to 53 - s significant bits before the sample weight
    multiplies (Veltkamp's splitting), 1 leaves them as they are.
    """
    weighted = sample_weight.size > 0
    for i in range(y_true.size):
        k = int(y_true[i])
        sign = 2 * k - 1
        w = np.float64(sample_weight[i]) if weighted else 1.0
        first, second = _gradient_hessian(sign * np.float64(raw[i]), gamma[k], exact)
        if not exact:
            second = max(second, -ratio * first)
        elif absolute:
            second = abs(second)
        out[i] = w * _rounded(weight[k] * sign * first, split)
        hessian[i] = max(w * _rounded(weight[k] * second, split), floor)


@jit
def binary_log_odds(raw, gamma, out):
    for i in range(raw.size):
        out[i] = _binary_log_odds(np.float64(raw[i]), gamma[0], gamma[1])


@jit
def binary_margins(log_odds, gamma, out):
    for i in range(log_odds.size):
        out[i] = _binary_margin(np.float64(log_odds[i]), gamma[0], gamma[1])


@jit
def multiclass_loss(y_true, raw, sample_weight, gamma, weight, out):
    weighted = sample_weight.size > 0
    row = np.empty(raw.shape[1])
    for i in range(y_true.size):
        k = int(y_true[i])
        row[:] = raw[i]
        m, _, _ = _against_rest(row, k)
        w = weight[k] * sample_weight[i] if weighted else weight[k]
        out[i] = w * _loss(m, gamma[k])


@jit
def multiclass_gradient(y_true, raw, sample_weight, gamma, weight, out):
    weighted = sample_weight.size > 0
    row = np.empty(raw.shape[1])
    for i in range(y_true.size):
        k = int(y_true[i])
        row[:] = raw[i]
        m, a, rest = _against_rest(row, k)
        w = weight[k] * sample_weight[i] if weighted else weight[k]
        first = w * _gradient(m, gamma[k])
        for j in range(row.size):
            out[i, j] = first if j == k else -first * _exp(row[j] - row[a]) / (1.0 + rest)


@jit
def multiclass_gradient_hessian(
    y_true,
    raw,
    sample_weight,
    gamma,
    weight,
    exact,
    absolute,
    ratio,
    floor,
    split,
    scale,
    out,
    hessian,
):
    """Gradient and ``scale`` times the Hessian's diagonal; the rest as in binary.

    With pi the softmax over the other classes and d = e_t - pi, the Hessian is
    l''(M) d d' + |l'(M)| (diag(pi) - pi pi').
    """
    weighted = sample_weight.size > 0
    row = np.empty(raw.shape[1])
    for i in range(y_true.size):
        k = int(y_true[i])
        row[:] = raw[i]
        m, a, rest = _against_rest(row, k)
        w = np.float64(sample_weight[i]) if weighted else 1.0
        first, second = _gradient_hessian(m, gamma[k], exact)
        for j in range(row.size):
            if j == k:
                share, diagonal = 1.0, second
            else:
                # 1 - pi_j from the sums: it is tiny where one other class dominates
                part = _exp(row[j] - row[a])
                share = part / (1.0 + rest)
                remainder = (rest if j == a else 1.0 + (rest - part)) / (1.0 + rest)
                diagonal = share * (second * share - first * remainder)
            if not exact:
                diagonal = max(diagonal, -ratio * first * share)
            elif absolute:
                diagonal = abs(diagonal)
            slope = first if j == k else -first * share
            out[i, j] = w * _rounded(weight[k] * slope, split)
            hessian[i, j] = max(w * _rounded(scale * weight[k] * diagonal, split), floor)


@jit
def multiclass_curvature(y_true, raw, sample_weight, gamma, weight, slope, curvature, share):
    """Parts of the positive semi-definite bound of the full Hessian.

    curvature d d' + slope (diag(pi) - pi pi'), with pi_t = 0; ``share`` receives pi.
    """
    weighted = sample_weight.size > 0
    row = np.empty(raw.shape[1])
    for i in range(y_true.size):
        k = int(y_true[i])
        row[:] = raw[i]
        m, a, rest = _against_rest(row, k)
        w = weight[k] * sample_weight[i] if weighted else weight[k]
        first, second = _gradient_hessian(m, gamma[k], False)
        slope[i] = -w * first
        curvature[i] = w * second
        for j in range(row.size):
            share[i, j] = 0.0 if j == k else _exp(row[j] - row[a]) / (1.0 + rest)


@jit
def multiclass_log_odds(raw, gamma, out):
    """log(w_k P_k) up to a constant per row."""
    row = np.empty(raw.shape[1])
    margin = np.empty(raw.shape[1])
    for i in range(raw.shape[0]):
        row[:] = raw[i]
        _softmax_margins(row, margin)
        for j in range(row.size):
            out[i, j] = _log_odds(margin[j], gamma[j])


@jit
def multiclass_margins(log_odds, gamma, out):
    """logit(p_k) of the point of the simplex with the given log(w_k P_k)."""
    row = np.empty(log_odds.shape[1])
    margin = np.empty(log_odds.shape[1])
    for i in range(log_odds.shape[0]):
        row[:] = log_odds[i]
        _multiclass_margins(row, gamma, margin)
        out[i] = margin
