"""Loops over rows of more classes, with the conventions of ``_binary``.

The formulas of gradient and Hessian are (M6) of docs/mathematics.md.

Blocks of rows are copied to columns of working space. The inner loops run over the rows of a
column, which is contiguous whatever the order of the margins, and vectorise. The columns lie in
one array at constant distances, so that the compiler sees that they do not overlap.
"""

import numpy as np

from skfocal._kernels._binary import _are_codes, _are_weights, _rounded
from skfocal._kernels._elementary import exp, integer, log1p, real
from skfocal._kernels._jit import use_full_width
from skfocal._math import log_odds, loss_gradient_hessian, multiclass_margins

BLOCK = 64
# Columns of the working space.
MARGIN, REST, TIES, GAMMA, WEIGHT, VALUE, SLOPE, CURVATURE, INVERSE, GRADIENT, HESSIAN = range(11)
# Columns of `_logits`: the largest margin, and the next one less it; how many are equal to
# either; sums of the powers below them; NaN where a margin is not finite.
LARGEST, NEXT, N_LARGEST, N_NEXT, BELOW, BELOW_NEXT, NOTHING = range(7)
LOWEST = -1e300  # the next margin where all others are -inf


def _working_space(n_classes, dtype):
    """Columns of numbers, codes, largest other margins; margins and shares of each class."""
    work = np.zeros((11, BLOCK), real)
    code, top = np.zeros(BLOCK, integer), np.zeros(BLOCK, dtype)
    margins = np.zeros((n_classes, BLOCK), dtype)
    return work, code, top, margins, np.zeros((n_classes, BLOCK), real)


def _look_up(y, gamma, weight, work, code):
    """Codes, gammas and weights of a block's rows."""
    for i in range(y.size):
        code[i] = np.int32(y[i])
    for i in range(BLOCK):
        work[GAMMA, i] = 0.0
        work[WEIGHT, i] = 0.0
    for j in range(gamma.size):
        own_gamma, own_weight = real(gamma[j]), real(weight[j])
        for i in range(BLOCK):
            work[GAMMA, i] += own_gamma if code[i] == j else 0.0
            work[WEIGHT, i] += own_weight if code[i] == j else 0.0


def _exponentiate(raw, code, top, margins, work, part):
    """Fill ``part`` with exp(margin - top), and set MARGIN and REST.

    The top is the largest margin of the classes other than the true one. MARGIN is the true
    class's margin less the top. REST is the sum of ``part`` without the top class, whose own
    term is 1: the sum then keeps its digits where the top class dominates. Differences are
    computed in double, whatever the precision of input and output. Sums under a condition
    vectorise where assignments would not.
    """
    n_classes = raw.shape[1]
    for i in range(BLOCK):
        top[i] = -np.inf
        work[MARGIN, i] = 0.0
        work[REST, i] = 0.0
        work[TIES, i] = -1.0
    for j in range(n_classes):
        column = raw[:, j]
        for i in range(column.size):
            margins[j, i] = column[i]
        for i in range(BLOCK):
            top[i] = max(top[i], -np.inf if code[i] == j else margins[j, i])
    for j in range(n_classes):
        for i in range(BLOCK):
            part[j, i] = np.float64(margins[j, i]) - np.float64(top[i])
        for i in range(BLOCK):
            own = code[i] == j
            x = part[j, i]
            work[MARGIN, i] += x if own else 0.0
            e = exp(min(x, 0.0))
            e = 0.0 if own else e
            part[j, i] = e
            below = e < 1.0
            work[REST, i] += e if below else 0.0
            work[TIES, i] += 0.0 if below else 1.0
    for i in range(BLOCK):
        work[REST, i] += work[TIES, i]


def _evaluate(absolute, work):
    """VALUE, SLOPE and CURVATURE: loss, l' and l'' (or its bound); INVERSE: 1 / (1 + REST)."""
    for i in range(BLOCK):
        m = work[MARGIN, i] - log1p(work[REST, i])
        value, slope, curvature = loss_gradient_hessian(m, work[GAMMA, i], absolute is not None)
        work[VALUE, i] = value
        work[SLOPE, i] = slope
        work[CURVATURE, i] = curvature
        work[INVERSE, i] = 1.0 / (1.0 + work[REST, i])


def _column(j, absolute, ratio, scale, half, mask, work, code, part):
    """GRADIENT and HESSIAN of class j."""
    for i in range(BLOCK):
        own = code[i] == j
        slope, curvature, rest = work[SLOPE, i], work[CURVATURE, i], work[REST, i]
        share = part[j, i] * work[INVERSE, i]
        # 1 - pi_j is computed from the sums, because it is tiny where another class dominates
        remainder = 1.0 + (rest - part[j, i]) if part[j, i] < 1.0 else rest
        g = slope if own else -slope * share
        h = share * (curvature * share - slope * (remainder * work[INVERSE, i]))
        h = curvature if own else h
        if absolute is None:
            h = max(h, ratio * abs(g))
        elif absolute:
            h = abs(h)
        work[GRADIENT, i] = _rounded(work[WEIGHT, i] * g, half, mask)
        work[HESSIAN, i] = _rounded(scale * work[WEIGHT, i] * h, half, mask)


def _deliver(work, k, sample_weight, floor, out):
    """Write a column out, multiplied by the rows' weights."""
    if sample_weight is not None:
        for i in range(out.size):
            work[k, i] *= sample_weight[i]
    if floor is None:
        for i in range(out.size):
            out[i] = work[k, i]
    else:
        for i in range(out.size):
            out[i] = max(work[k, i], floor)


def _logits(z, margin, work):
    """Fill ``margin`` with `softmax_margins` of each row of a block.

    The largest margin of a row is computed from the second largest, so that it keeps its digits
    where all others are tiny.
    """
    for i in range(BLOCK):
        work[LARGEST, i] = -np.inf
        work[NEXT, i] = LOWEST
        work[N_LARGEST, i] = 0.0
        work[N_NEXT, i] = -1.0
        work[BELOW, i] = 0.0
        work[BELOW_NEXT, i] = 0.0
        work[NOTHING, i] = 0.0
    for j in range(len(z)):
        for i in range(BLOCK):
            work[LARGEST, i] = max(work[LARGEST, i], z[j, i])
            work[NOTHING, i] += 0.0 if abs(z[j, i]) < np.inf else np.nan
    for j in range(len(z)):
        for i in range(BLOCK):
            x = z[j, i] - work[LARGEST, i]
            e = exp(min(x, 0.0))
            margin[j, i] = e
            work[BELOW, i] += e if x < 0.0 else 0.0
            work[N_LARGEST, i] += 0.0 if x < 0.0 else 1.0
            work[NEXT, i] = max(work[NEXT, i], x if x < 0.0 else LOWEST)
    for j in range(len(z)):
        for i in range(BLOCK):
            x = z[j, i] - work[LARGEST, i]
            e = exp(min(x - work[NEXT, i], 0.0))
            e = e if x < 0.0 else 0.0
            same = x == work[NEXT, i]
            work[BELOW_NEXT, i] += 0.0 if same else e
            work[N_NEXT, i] += 1.0 if same else 0.0
    for i in range(BLOCK):
        work[BELOW, i] += work[N_LARGEST, i] - 1.0
        work[BELOW_NEXT, i] += max(work[N_NEXT, i], 0.0)
    for j in range(len(z)):
        for i in range(BLOCK):
            x = z[j, i] - work[LARGEST, i]
            alone = (x >= 0.0) & (work[N_LARGEST, i] == 1.0)
            rest = max(work[BELOW, i] - margin[j, i], 0.0)
            x = -work[NEXT, i] if alone else x
            m = x - log1p(work[BELOW_NEXT, i] if alone else rest)
            margin[j, i] = m + work[NOTHING, i]


def multiclass_rows(
    start,
    stop,
    y_true,
    raw,
    sample_weight,
    loss_out,
    gradient_out,
    hessian_out,
    gamma,
    weight,
    absolute,
    ratio,
    floor,
    half,
    mask,
    scale,
):
    """Fill loss, gradient and the Hessian's diagonal times ``scale``; else as `binary_rows`.

    pi is the softmax over the classes other than the true class t, and d = e_t - pi. The
    Hessian is l''(M) d d' + |l'(M)| (diag(pi) - pi pi').
    """
    if not _are_codes(y_true[start:stop], raw.shape[1]):
        return False
    ratio, floor, scale = real(ratio), real(floor), real(scale)
    work, code, top, margins, part = _working_space(raw.shape[1], raw.dtype)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        if not _are_weights(sample_weight, first, last):
            return False
        rows = None if sample_weight is None else sample_weight[first:last]
        _look_up(y_true[first:last], gamma, weight, work, code)
        _exponentiate(raw[first:last], code, top, margins, work, part)
        _evaluate(absolute, work)
        if loss_out is not None:
            for i in range(BLOCK):
                work[VALUE, i] *= work[WEIGHT, i]
            _deliver(work, VALUE, rows, None, loss_out[first:last])
        if gradient_out is not None or hessian_out is not None:
            for j in range(raw.shape[1]):
                _column(j, absolute, ratio, scale, half, mask, work, code, part)
                if gradient_out is not None:
                    _deliver(work, GRADIENT, rows, None, gradient_out[first:last, j])
                if hessian_out is not None:
                    _deliver(work, HESSIAN, rows, floor, hessian_out[first:last, j])
    return True


def multiclass_curvature_rows(
    start,
    stop,
    y_true,
    raw,
    sample_weight,
    loss_out,
    gradient_out,
    slope_out,
    curvature_out,
    share_out,
    gamma,
    weight,
):
    """Fill loss, gradient, and parts of the positive semi-definite bound of the full Hessian.

    The bound is curvature d d' + slope (diag(pi) - pi pi'), with pi_t = 0. ``share_out``
    receives pi.
    """
    if not _are_codes(y_true[start:stop], raw.shape[1]):
        return False
    ratio, scale = real(0.0), real(1.0)
    work, code, top, margins, part = _working_space(raw.shape[1], raw.dtype)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        if not _are_weights(sample_weight, first, last):
            return False
        rows = None if sample_weight is None else sample_weight[first:last]
        _look_up(y_true[first:last], gamma, weight, work, code)
        _exponentiate(raw[first:last], code, top, margins, work, part)
        _evaluate(None, work)
        for j in range(raw.shape[1]):
            _column(j, None, ratio, scale, None, None, work, code, part)
            _deliver(work, GRADIENT, rows, None, gradient_out[first:last, j])
        for i in range(BLOCK):
            work[VALUE, i] *= work[WEIGHT, i]
            work[SLOPE, i] *= -work[WEIGHT, i]
            work[CURVATURE, i] *= work[WEIGHT, i]
        _deliver(work, VALUE, rows, None, loss_out[first:last])
        _deliver(work, SLOPE, rows, None, slope_out[first:last])
        _deliver(work, CURVATURE, rows, None, curvature_out[first:last])
        for j in range(raw.shape[1]):
            for i in range(BLOCK):
                part[j, i] *= work[INVERSE, i]
            _deliver(part, j, None, None, share_out[first:last, j])
    return True


def multiclass_log_odds_rows(start, stop, raw, out, gamma):
    """log(w_k P_k) of margins, up to a constant of each row."""
    use_full_width()
    z, margin = np.zeros((gamma.size, BLOCK), real), np.empty((gamma.size, BLOCK), real)
    work = np.empty((7, BLOCK), real)
    for first in range(start, stop, BLOCK):
        rows = raw[first : min(first + BLOCK, stop)]
        for j in range(gamma.size):
            for i in range(len(rows)):
                z[j, i] = rows[i, j]
        _logits(z, margin, work)
        for j in range(gamma.size):
            g = gamma[j]
            for i in range(BLOCK):
                margin[j, i] = log_odds(margin[j, i], g)
            for i in range(len(rows)):
                out[first + i, j] = margin[j, i]


def multiclass_margin_rows(start, stop, target, out, gamma):
    """logit(p_k) of the point of the simplex with the given log(w_k P_k)."""
    row = np.empty(target.shape[1], real)
    margin = np.empty(target.shape[1], real)
    for i in range(start, stop):
        for j in range(row.size):
            row[j] = target[i, j]
        multiclass_margins(row, gamma, margin)
        for j in range(row.size):
            out[i, j] = margin[j]
