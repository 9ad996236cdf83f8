"""Loops over rows of more classes, posterior link (floor 1).

Margins here are log-odds of the posterior eta, up to a constant of the row; `_simplex` finds
the point p that belongs to it. With d_k = p_k (1 - p_k) / (d log h / d margin),
rho = d / sum(d) and s the slope of the loss of the true class t,

    gradient = -s (e_t - rho),    expected Hessian = exp(level) sum(d) (diag(rho) - rho rho').

Names and arguments of the loops are those of ``_multiclass``, which they replace.
"""

import numpy as np

from skfocal._kernels._binary import _are_codes, _are_weights, _rounded
from skfocal._kernels._elementary import exp, real
from skfocal._kernels._multiclass import BLOCK, _deliver
from skfocal._kernels._simplex import (
    ALL,
    BEND,
    LEVEL,
    NARROW_LOGIT,
    NORM,
    REST,
    SHARE,
    SHIFT,
    TOP,
    _solve_block,
    _solver_space,
)
from skfocal._math import log_odds_slope, loss_gradient_hessian

# Columns of the true class, and results.
CODE, GAMMA, WEIGHT, MARGIN, OWN, HIGH, LOW, FACTOR, INVERSE_SUM = range(9)
VALUE, SLOPE, CURVATURE, GRADIENT, HESSIAN, N_RESULTS = range(9, 15)


def _evaluate(y, gamma, weight, wide, work, part, found):
    """VALUE, SLOPE over sum(d) and OWN = (1 - rho_t) sum(d) of the true class; CURVATURE.

    CURVATURE is exp(level). With log h(p_t) = target_t - level the slope is w_t d_t / h(p_t),
    which keeps its digits where t is TOP.
    """
    for i in range(BLOCK):
        found[WEIGHT, i] = 0.0
        found[OWN, i] = 0.0
        found[MARGIN, i] = 0.0
        found[GAMMA, i] = 0.0
    for i in range(y.size):
        found[CODE, i] = y[i]
    for j in range(weight.size):
        own_gamma, own_weight = real(gamma[j]), real(weight[j])
        for i in range(BLOCK):
            own = found[CODE, i] == j
            rest = work[ALL, i] - part[SHARE, j, i]
            rest = work[REST, i] if work[TOP, i] == j else rest
            found[GAMMA, i] += own_gamma if own else 0.0
            found[WEIGHT, i] += own_weight if own else 0.0
            found[OWN, i] += rest if own else 0.0
            found[MARGIN, i] += part[NARROW_LOGIT, j, i] if own else 0.0
    for i in range(BLOCK):
        x = wide[LEVEL, i] - work[SHIFT, i]
        high = real(x)
        found[HIGH, i], found[LOW, i], found[FACTOR, i] = high, x - high, wide[NORM, i]
    for i in range(BLOCK):
        m, g, w = found[MARGIN, i], found[GAMMA, i], found[WEIGHT, i]
        value, first, _ = loss_gradient_hessian(m, g, False)
        found[VALUE, i] = w * value
        # exp(HIGH + LOW): the digits beyond working precision count
        e = exp(-abs(found[HIGH, i]))
        multiplier = (1.0 / e if found[HIGH, i] > 0.0 else e) * (1.0 + found[LOW, i])
        slope = -first / log_odds_slope(m, g)
        slope = work[BEND, i] * multiplier if found[CODE, i] == work[TOP, i] else slope
        inverse = 1.0 / work[ALL, i]
        found[INVERSE_SUM, i] = inverse
        found[SLOPE, i] = w * slope * inverse
        found[CURVATURE, i] = found[FACTOR, i] * multiplier


def _column(j, ratio, scale, half, mask, work, part, found):
    """GRADIENT and HESSIAN of class j."""
    for i in range(BLOCK):
        d = part[SHARE, j, i]
        inverse = found[INVERSE_SUM, i]
        rest = work[REST, i] * inverse if work[TOP, i] == j else 1.0 - d * inverse
        g = found[SLOPE, i] * (-found[OWN, i] if found[CODE, i] == j else d)
        h = scale * max(found[CURVATURE, i] * d * rest, ratio * abs(g))
        found[GRADIENT, i] = _rounded(g, half, mask)
        found[HESSIAN, i] = _rounded(h, half, mask)


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
    """Loss, gradient and ``scale`` times the expected Hessian's diagonal of each row."""
    if not _are_codes(y_true[start:stop], gamma.size):
        return False
    ratio, floor, scale = real(ratio), real(floor), real(scale)
    wide, wide_part, work, part, constants = _solver_space(gamma, weight)
    found = np.zeros((N_RESULTS, BLOCK), real)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        if not _are_weights(sample_weight, first, last):
            return False
        rows = None if sample_weight is None else sample_weight[first:last]
        _solve_block(raw[first:last], gamma, weight, constants, wide, wide_part, work, part)
        _evaluate(y_true[first:last], gamma, weight, wide, work, part, found)
        if loss_out is not None:
            _deliver(found, VALUE, rows, None, loss_out[first:last])
        if gradient_out is not None or hessian_out is not None:
            for j in range(gamma.size):
                _column(j, ratio, scale, half, mask, work, part, found)
                if gradient_out is not None:
                    _deliver(found, GRADIENT, rows, None, gradient_out[first:last, j])
                if hessian_out is not None:
                    _deliver(found, HESSIAN, rows, floor, hessian_out[first:last, j])
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
    """Loss, gradient, and slope (diag(rho) - rho rho'), the expected Hessian; no curvature.

    ``share_out`` receives rho.
    """
    if not _are_codes(y_true[start:stop], gamma.size):
        return False
    ratio, scale = real(0.0), real(1.0)
    wide, wide_part, work, part, constants = _solver_space(gamma, weight)
    found = np.zeros((N_RESULTS, BLOCK), real)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        if not _are_weights(sample_weight, first, last):
            return False
        rows = None if sample_weight is None else sample_weight[first:last]
        _solve_block(raw[first:last], gamma, weight, constants, wide, wide_part, work, part)
        _evaluate(y_true[first:last], gamma, weight, wide, work, part, found)
        for j in range(gamma.size):
            _column(j, ratio, scale, None, None, work, part, found)
            _deliver(found, GRADIENT, rows, None, gradient_out[first:last, j])
            for i in range(BLOCK):
                part[SHARE, j, i] *= found[INVERSE_SUM, i]
            _deliver(part[SHARE], j, None, None, share_out[first:last, j])
        for i in range(BLOCK):
            found[CURVATURE, i] *= work[ALL, i]
        _deliver(found, VALUE, rows, None, loss_out[first:last])
        _deliver(found, CURVATURE, rows, None, slope_out[first:last])
        curvature_out[first:last] = 0.0
    return True
