"""Loops over rows of more classes under the posterior link.

Margins here are log(eta_k) of the posterior eta, up to a constant of the row. `_simplex` finds
the point p that has this posterior. With d_k = p_k (1 - p_k) / (d log h / d margin),
rho = d / sum(d) and s the slope of the loss of the true class t,

    gradient = -s (e_t - rho),    expected Hessian = exp(level) sum(d) (diag(rho) - rho rho').

The loops have the names and the arguments of those in ``_multiclass``, and replace them.
"""

import numpy as np

from skfocal._kernels._binary import _are_codes, _are_weights, _rounded
from skfocal._kernels._elementary import exp, real
from skfocal._kernels._multiclass import BLOCK, _deliver
from skfocal._kernels._simplex import (
    ALL,
    LEVEL,
    NARROW_LOGIT,
    NORM,
    REST,
    SHARE,
    SHIFT,
    TOP,
    TOP_DENSITY,
    _solve_block,
    _solver_space,
)
from skfocal._math import log_odds_slope, loss_gradient_hessian

# The loops of these names in `_multiclass` are for the focal link.
REPLACES = ("multiclass_rows", "multiclass_curvature_rows")
# Columns of the true class, and results.
CODE, GAMMA, WEIGHT, MARGIN, OWN, HIGH, LOW, FACTOR, INVERSE_SUM = range(9)
VALUE, SLOPE, CURVATURE, GRADIENT, HESSIAN, N_RESULTS = range(9, 15)


def _posterior_evaluate(y, gamma, weight, wide, work, part, found):
    """Set VALUE, SLOPE, OWN and CURVATURE of each row.

    VALUE is the loss, SLOPE the slope of the true class over sum(d), OWN (1 - rho_t) sum(d),
    and CURVATURE exp(level). Where the true class is TOP the slope is w_t d_t / h(p_t), with
    log h(p_t) = target_t - level, which keeps its digits.
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
        # exp(HIGH + LOW): LOW has the digits beyond the working precision
        e = exp(-abs(found[HIGH, i]))
        multiplier = (1.0 / e if found[HIGH, i] > 0.0 else e) * (1.0 + found[LOW, i])
        slope = -first / log_odds_slope(m, g)
        slope = work[TOP_DENSITY, i] * multiplier if found[CODE, i] == work[TOP, i] else slope
        inverse = 1.0 / work[ALL, i]
        found[INVERSE_SUM, i] = inverse
        found[SLOPE, i] = w * slope * inverse
        found[CURVATURE, i] = found[FACTOR, i] * multiplier


def _posterior_column(j, ratio, scale, half, mask, work, part, found):
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
    """Fill loss, gradient and the expected Hessian's diagonal times ``scale``."""
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
        _posterior_evaluate(y_true[first:last], gamma, weight, wide, work, part, found)
        if loss_out is not None:
            _deliver(found, VALUE, rows, None, loss_out[first:last])
        if gradient_out is not None or hessian_out is not None:
            for j in range(gamma.size):
                _posterior_column(j, ratio, scale, half, mask, work, part, found)
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
    """Fill loss, gradient, and parts of the expected Hessian slope (diag(rho) - rho rho').

    ``curvature_out`` receives 0, ``share_out`` receives rho.
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
        _posterior_evaluate(y_true[first:last], gamma, weight, wide, work, part, found)
        for j in range(gamma.size):
            _posterior_column(j, ratio, scale, None, None, work, part, found)
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
