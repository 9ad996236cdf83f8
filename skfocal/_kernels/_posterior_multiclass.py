"""Loops over rows of more classes, posterior link (floor 1).

Margins here are log-odds of the posterior eta, up to a constant of the row. The point p of
the simplex that has it as posterior solves log h(p_k) = target_k - level with
target_k = log(w_k eta_k) and sum(p) = 1. The margins logit(p_k) and the level are found
together, for a block of rows at once, by Newton's method; TOP is the class whose share is
what the others leave, and p_TOP >= 1 / K. With d_k = p_k (1 - p_k) / (d log h / d margin),
rho = d / sum(d) and s the slope of the loss of the true class t,

    gradient = -s (e_t - rho),    expected Hessian = exp(level) sum(d) (diag(rho) - rho rho').

Names and arguments of the loops are those of ``_multiclass``, which they replace.
"""

from math import log

import numpy as np

from skfocal._kernels._binary import _are_codes, _rounded
from skfocal._kernels._elementary import exp, integer, log1p, real
from skfocal._kernels._multiclass import BLOCK, _deliver
from skfocal._kernels._posterior_binary import LARGEST, MAX_STEPS, SMALL_STEP
from skfocal._math import (
    log_odds,
    log_odds_slope,
    loss_gradient_hessian,
    multiclass_margins,
    sigmoids,
)

# Columns of numbers: of the solver,
TOP, TOP_GAMMA, LEVEL, STEP, OTHERS, BEND, PULL, NORM = range(8)
# of the true class, and results.
GAMMA, WEIGHT, MARGIN, OWN, ALL, REST, VALUE, SLOPE, CURVATURE, GRADIENT, HESSIAN = range(8, 19)
# Columns of each class.
TARGET, LOGIT, DENOMINATOR, RESIDUAL = range(4)
SMALLEST = 1e-300  # share of all classes but one


def _working_space(n_classes):
    """Columns of numbers; of each class; targets' parts that are the same in all rows."""
    constants = np.empty((2, n_classes), real)
    return np.zeros((19, BLOCK), real), np.zeros((4, n_classes, BLOCK), real), constants


def _odds_margin(q):
    """The margin with sigmoid(-margin) = q."""
    rest = 1.0 - q
    m = log1p(abs(rest - q) / min(q, rest))
    return m if q < rest else -m


def _set_targets(raw, gamma, constants, work, part):
    """TOP, its gamma, targets less that of TOP, and NORM, which is to be added to levels.

    TOP is the class that binds where all shares are 1 / K. As in `_multiclass`, sums under
    a condition vectorise where assignments would not.
    """
    log_weight, even = constants[0], constants[1]
    target = part[TARGET]
    for i in range(BLOCK):
        work[NORM, i] = -LARGEST
        work[STEP, i] = -LARGEST
        work[LEVEL, i] = 0.0
        work[ALL, i] = 0.0
        work[TOP_GAMMA, i] = 0.0
    for j in range(gamma.size):
        column = raw[:, j]
        for i in range(column.size):
            target[j, i] = max(min(np.float64(column[i]), LARGEST), -LARGEST)
        for i in range(BLOCK):
            work[NORM, i] = max(work[NORM, i], target[j, i])
            work[STEP, i] = max(work[STEP, i], target[j, i] + (log_weight[j] - even[j]))
    for j in range(gamma.size):
        for i in range(BLOCK):
            work[ALL, i] += exp(target[j, i] - work[NORM, i])
            binds = target[j, i] + (log_weight[j] - even[j]) >= work[STEP, i]
            work[TOP, i] = j if binds else work[TOP, i]
    for j in range(gamma.size):
        for i in range(BLOCK):
            target[j, i] += log_weight[j]
            own = work[TOP, i] == j
            work[LEVEL, i] += target[j, i] if own else 0.0
            work[TOP_GAMMA, i] += gamma[j] if own else 0.0
    for i in range(BLOCK):
        work[NORM, i] = work[LEVEL, i] - work[NORM, i] - log1p(max(work[ALL, i] - 1.0, 0.0))
    for j in range(gamma.size):
        for i in range(BLOCK):
            target[j, i] -= work[LEVEL, i]


def _guess(gamma, work, part):
    """LEVEL and margins to start from, near for even rows and for near-certain ones.

    With x = log(sum of exp(target) over the classes but TOP) the level tends to
    softplus(x) for even rows and to (gamma x + log(1 + gamma)) / (1 + gamma) for x -> -inf.
    """
    for i in range(BLOCK):
        work[OTHERS, i] = 0.0
    for j in range(gamma.size):
        for i in range(BLOCK):
            e = exp(min(part[TARGET, j, i], 0.0))
            work[OTHERS, i] += 0.0 if work[TOP, i] == j else e
    for i in range(BLOCK):
        others, g = max(work[OTHERS, i], SMALLEST), work[TOP_GAMMA, i]
        certain = g * log1p(1.0 / others) - log1p(g) / (1.0 + others)
        work[LEVEL, i] = log1p(others) - certain / (1.0 + g)
    for j in range(gamma.size):
        for i in range(BLOCK):
            part[LOGIT, j, i] = min(part[TARGET, j, i] - work[LEVEL, i], 0.0)


def _step(gamma, work, part):
    """One Newton step for margins and levels together; returns the margins still moving."""
    n_classes = gamma.size
    most = 1.0 - 1.0 / n_classes
    highest = log(n_classes - 1.0) + 2.0
    for i in range(BLOCK):
        work[OTHERS, i] = 0.0
        work[BEND, i] = 0.0
        work[PULL, i] = 0.0
    for j in range(n_classes):
        g = gamma[j]
        for i in range(BLOCK):
            m = part[LOGIT, j, i]
            p, q, _, _ = sigmoids(m)
            slope = log_odds_slope(m, g)
            residual = log_odds(m, g) - part[TARGET, j, i] + work[LEVEL, i]
            p = 0.0 if work[TOP, i] == j else p
            bend = p * q / slope
            work[OTHERS, i] += p
            work[BEND, i] += bend
            work[PULL, i] += bend * residual
            part[DENOMINATOR, j, i] = slope
            part[RESIDUAL, j, i] = residual
    for i in range(BLOCK):
        others, g = max(work[OTHERS, i], SMALLEST), work[TOP_GAMMA, i]
        inside = min(others, most)
        m = _odds_margin(inside)
        slope = log_odds_slope(m, g) / (1.0 - inside)
        # where TOP would have less than 1 / K its equation goes on as a tangent
        residual = log_odds(m, g) + work[LEVEL, i] - slope * log1p(others / inside - 1.0)
        step = residual * others + slope * work[PULL, i]
        step /= others + slope * work[BEND, i]
        work[STEP, i] = step
        work[LEVEL, i] -= step
    moving = integer(0)
    for j in range(n_classes):
        for i in range(BLOCK):
            step = (part[RESIDUAL, j, i] - work[STEP, i]) / part[DENOMINATOR, j, i]
            step = 0.0 if work[TOP, i] == j else step
            m = min(part[LOGIT, j, i] - step, highest)
            part[LOGIT, j, i] = m
            moving += integer(1 if abs(step) > SMALL_STEP * (1.0 + abs(m)) else 0)
    return moving


def _solve(gamma, work, part):
    """Margins of all classes but TOP, and levels."""
    _guess(gamma, work, part)
    for _ in range(MAX_STEPS):
        if _step(gamma, work, part) == 0:
            return
    target, margin = np.empty(gamma.size), np.empty(gamma.size)
    for i in range(BLOCK):
        target[:] = part[TARGET, :, i]
        multiclass_margins(target, gamma, margin)
        part[LOGIT, :, i] = margin
        work[LEVEL, i] = -log_odds(margin[int(work[TOP, i])], work[TOP_GAMMA, i])


def _share(gamma, work, part):
    """Margins of all classes, d as DENOMINATOR, ALL and REST, its sums with and without TOP."""
    most = 1.0 - 1.0 / gamma.size
    for i in range(BLOCK):
        work[OTHERS, i] = 0.0
        work[REST, i] = 0.0
    for j in range(gamma.size):
        for i in range(BLOCK):
            m = part[LOGIT, j, i]
            p, q, _, _ = sigmoids(m)
            p = 0.0 if work[TOP, i] == j else p
            d = p * q / log_odds_slope(m, gamma[j])
            part[DENOMINATOR, j, i] = d
            work[OTHERS, i] += p
            work[REST, i] += d
    for i in range(BLOCK):
        others = min(max(work[OTHERS, i], SMALLEST), most)
        m = _odds_margin(others)
        work[MARGIN, i] = m
        work[BEND, i] = others * (1.0 - others) / log_odds_slope(m, work[TOP_GAMMA, i])
        work[ALL, i] = work[REST, i] + work[BEND, i]
    for j in range(gamma.size):
        for i in range(BLOCK):
            own = work[TOP, i] == j
            part[LOGIT, j, i] = work[MARGIN, i] if own else part[LOGIT, j, i]
            part[DENOMINATOR, j, i] = work[BEND, i] if own else part[DENOMINATOR, j, i]


def _evaluate(y, gamma, weight, work, part):
    """Loss and slope of the true class, OWN = 1 - rho_t, and CURVATURE = exp(level)."""
    for i in range(BLOCK):
        for k in (GAMMA, WEIGHT, MARGIN, OWN):
            work[k, i] = 0.0
    for i in range(y.size):
        work[PULL, i] = y[i]
    for j in range(gamma.size):
        for i in range(BLOCK):
            own = work[PULL, i] == j
            remainder = work[REST, i]
            if work[TOP, i] != j:
                remainder = work[ALL, i] - part[DENOMINATOR, j, i]
            work[GAMMA, i] += gamma[j] if own else 0.0
            work[WEIGHT, i] += weight[j] if own else 0.0
            work[MARGIN, i] += part[LOGIT, j, i] if own else 0.0
            work[OWN, i] += remainder if own else 0.0
    for i in range(BLOCK):
        m, g, w = work[MARGIN, i], work[GAMMA, i], work[WEIGHT, i]
        value, first, _ = loss_gradient_hessian(m, g, False)
        work[VALUE, i] = w * value
        work[SLOPE, i] = -w * first / log_odds_slope(m, g) / work[ALL, i]
        level = work[NORM, i] + work[LEVEL, i]
        e = exp(-abs(level))
        work[CURVATURE, i] = (1.0 / e if level > 0.0 else e) / work[ALL, i]


def _column(j, ratio, scale, half, mask, work, part):
    """GRADIENT and HESSIAN of class j."""
    for i in range(BLOCK):
        d = part[DENOMINATOR, j, i]
        remainder = work[REST, i] if work[TOP, i] == j else work[ALL, i] - d
        own = work[PULL, i] == j
        g = work[SLOPE, i] * (-work[OWN, i] if own else d)
        h = scale * max(work[CURVATURE, i] * d * remainder, ratio * abs(g))
        work[GRADIENT, i] = _rounded(g, half, mask)
        work[HESSIAN, i] = _rounded(h, half, mask)


def _set_constants(gamma, weight, constants):
    """Logarithms of weights, and log h at p = 1 / K, of each class."""
    for j in range(gamma.size):
        constants[0, j] = log(weight[j])
        constants[1, j] = log_odds(-log(gamma.size - 1.0), gamma[j])


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
    work, part, constants = _working_space(gamma.size)
    _set_constants(gamma, weight, constants)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        rows = None if sample_weight is None else sample_weight[first:last]
        _set_targets(raw[first:last], gamma, constants, work, part)
        _solve(gamma, work, part)
        _share(gamma, work, part)
        _evaluate(y_true[first:last], gamma, weight, work, part)
        if loss_out is not None:
            _deliver(work, VALUE, rows, None, loss_out[first:last])
        if gradient_out is not None or hessian_out is not None:
            for j in range(gamma.size):
                _column(j, ratio, scale, half, mask, work, part)
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
    slope_out,
    curvature_out,
    share_out,
    gamma,
    weight,
):
    """Loss, and parts slope (diag(rho) - rho rho') of the expected Hessian; no curvature.

    ``share_out`` receives rho.
    """
    if not _are_codes(y_true[start:stop], gamma.size):
        return False
    work, part, constants = _working_space(gamma.size)
    _set_constants(gamma, weight, constants)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        rows = None if sample_weight is None else sample_weight[first:last]
        _set_targets(raw[first:last], gamma, constants, work, part)
        _solve(gamma, work, part)
        _share(gamma, work, part)
        _evaluate(y_true[first:last], gamma, weight, work, part)
        for i in range(BLOCK):
            work[CURVATURE, i] *= work[ALL, i] * work[ALL, i]
        _deliver(work, VALUE, rows, None, loss_out[first:last])
        _deliver(work, CURVATURE, rows, None, slope_out[first:last])
        curvature_out[first:last] = 0.0
        for j in range(gamma.size):
            for i in range(BLOCK):
                work[GRADIENT, i] = part[DENOMINATOR, j, i] / work[ALL, i]
            _deliver(work, GRADIENT, None, None, share_out[first:last, j])
    return True
