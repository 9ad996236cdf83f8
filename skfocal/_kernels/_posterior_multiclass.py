"""Loops over rows of more classes, posterior link (floor 1).

Margins here are log-odds of the posterior eta, up to a constant of the row. The point p of
the simplex that has it as posterior solves log h(p_k) = target_k - level with
target_k = log(w_k eta_k) and sum(p) = 1. The margins logit(p_k) and the level are found
together, for a block of rows at once, by Newton's method; TOP is the class whose share is
what the others leave, and p_TOP >= 1 / K. With d_k = p_k (1 - p_k) / (d log h / d margin),
rho = d / sum(d) and s the slope of the loss of the true class t,

    gradient = -s (e_t - rho),    expected Hessian = exp(level) sum(d) (diag(rho) - rho rho').

Targets, margins and levels are double in either precision, so that their differences keep
their digits; all else is in that of the compilation. Shares are multiplied by exp(SHIFT),
which makes that of the likeliest class but TOP about 1: they may all be tiny, and rho is
their ratio.

Names and arguments of the loops are those of ``_multiclass``, which they replace.
"""

from math import log

import numpy as np

from skfocal._kernels._binary import _are_codes, _rounded
from skfocal._kernels._elementary import exp, integer, log1p, real
from skfocal._kernels._multiclass import BLOCK, _deliver
from skfocal._kernels._posterior_binary import LARGEST, MAX_STEPS
from skfocal._math import (
    log_odds,
    log_odds_slope,
    loss_gradient_hessian,
    multiclass_margins,
    simplex_terms,
)

# Columns of double numbers: of rows, and of classes.
LEVEL, HIGHEST, NORM, MOVING, N_WIDE = range(5)
TARGET, LOGIT, N_WIDE_CLASS = range(3)
# Columns of the solver,
TOP, TOP_GAMMA, SHIFT, BACK, STEP, OTHERS, BEND, PULL = range(8)
M, X, GAP = range(8, 11)
# of the true class, and results.
CODE, GAMMA, WEIGHT, MARGIN, OWN, ALL, REST, VALUE, SLOPE, CURVATURE = range(11, 21)
GRADIENT, HESSIAN, N_COLUMNS = range(21, 24)
# Columns of each class.
INVERSE, RESIDUAL, SHARE, NARROW_LOGIT, N_CLASS_COLUMNS = range(5)
# Constants of each class.
LOG_WEIGHT, EVEN, RATIO = range(3)
NOWHERE = -1e30  # margin of TOP while it is not known
FARTHEST = -1e6  # of a target below the highest, where shares are 0 long since
SMALLEST, HUGE = np.finfo(np.float64).tiny, 0.5 * np.finfo(np.float64).max
# A Newton step this small leaves an error of about its square.
SMALL_STEP = 1e-8


def _working_space(gamma, weight):
    """Columns of both kinds; constants: log(w), log h(1 / K) and its ratios."""
    constants = np.empty((3, gamma.size))
    for j in range(gamma.size):
        constants[LOG_WEIGHT, j] = log(weight[j])
        constants[EVEN, j] = np.float64(log_odds(real(-log(gamma.size - 1.0)), real(gamma[j])))
    for j in range(gamma.size):
        constants[RATIO, j] = np.exp(constants[EVEN, j] - constants[EVEN].max())
    wide, wide_part = np.zeros((N_WIDE, BLOCK)), np.zeros((N_WIDE_CLASS, gamma.size, BLOCK))
    work, part = (
        np.zeros((N_COLUMNS, BLOCK), real),
        np.zeros((N_CLASS_COLUMNS, gamma.size, BLOCK), real),
    )
    return wide, wide_part, work, part, constants


def _top_margin(shifted, inside, shift):
    """logit(1 - inside), where inside = shifted * exp(-shift) is the others' share."""
    logarithm = log1p(abs(shifted - 1.0) / min(shifted, 1.0))
    logarithm = -logarithm if shifted < 1.0 else logarithm
    return shift - logarithm - log1p(inside / (1.0 - inside))


def _set_targets(raw, gamma, weight, constants, wide, wide_part, work):
    """TOP, its gamma, targets less that of TOP; OTHERS, sums of their exponentials; and NORM.

    TOP is the class that binds where all shares are 1 / K, and NORM the factor between
    exp(level) and the multiplier. As in `_multiclass`, sums under a condition vectorise
    where assignments would not.
    """
    n_classes = gamma.size
    for i in range(BLOCK):
        wide[HIGHEST, i] = -np.inf
        wide[LEVEL, i] = 0.0
        work[OTHERS, i] = 0.0
        work[TOP_GAMMA, i] = 0.0
        work[ALL, i] = 0.0
        work[BEND, i] = 0.0
    for j in range(n_classes):
        column = raw[:, j]
        shift = constants[LOG_WEIGHT, j] - constants[EVEN, j]
        for i in range(column.size):
            wide_part[TARGET, j, i] = column[i]
        for i in range(BLOCK):
            x = max(min(wide_part[TARGET, j, i], LARGEST), -LARGEST) + shift
            wide_part[TARGET, j, i] = x
            wide[HIGHEST, i] = max(wide[HIGHEST, i], x)
    for j in range(n_classes):
        code = real(j)
        for i in range(BLOCK):
            top = work[TOP, i]
            work[TOP, i] = code if wide_part[TARGET, j, i] >= wide[HIGHEST, i] else top
    for j in range(n_classes):
        even, ratio, own_weight = constants[EVEN, j], real(constants[RATIO, j]), real(weight[j])
        own_gamma = real(gamma[j])
        for i in range(BLOCK):
            difference = max(wide_part[TARGET, j, i] - wide[HIGHEST, i], FARTHEST)
            wide_part[TARGET, j, i] = difference + even
            own = work[TOP, i] == j
            wide[LEVEL, i] += even if own else 0.0
            work[TOP_GAMMA, i] += own_gamma if own else 0.0
            work[BEND, i] += ratio if own else 0.0
            work[X, i] = difference
        for i in range(BLOCK):
            e = exp(work[X, i]) * ratio
            work[OTHERS, i] += 0.0 if work[TOP, i] == j else e
            work[ALL, i] += e / own_weight
    for i in range(BLOCK):
        work[OTHERS, i] /= work[BEND, i]
        wide[NORM, i] = work[BEND, i] / work[ALL, i]
    for j in range(n_classes):
        for i in range(BLOCK):
            wide_part[TARGET, j, i] -= wide[LEVEL, i]


def _guess(wide, wide_part, work):
    """LEVEL and margins to start from, near for even rows and for near-certain ones.

    With x = log(OTHERS) the level tends to softplus(x) for even rows and to
    (gamma x + log(1 + gamma)) / (1 + gamma) for x -> -inf.
    """
    for i in range(BLOCK):
        others, g = max(work[OTHERS, i], SMALLEST), work[TOP_GAMMA, i]
        certain = g * log1p(1.0 / others) - log1p(g) / (1.0 + others)
        work[STEP, i] = log1p(others) - certain / (1.0 + g)
    for i in range(BLOCK):
        wide[LEVEL, i] = work[STEP, i]
        wide[HIGHEST, i] = NOWHERE
    for j in range(wide_part.shape[1]):
        for i in range(BLOCK):
            m = min(wide_part[TARGET, j, i] - wide[LEVEL, i], 0.0)
            m = NOWHERE if work[TOP, i] == j else m
            wide_part[LOGIT, j, i] = m
            wide[HIGHEST, i] = max(wide[HIGHEST, i], m)


def _set_shift(wide, work):
    """SHIFT, which lifts the largest of the others' margins to 0, and BACK = exp(-SHIFT)."""
    for i in range(BLOCK):
        work[SHIFT, i] = max(-wide[HIGHEST, i], 0.0)
        wide[HIGHEST, i] = NOWHERE
    for i in range(BLOCK):
        work[BACK, i] = exp(-work[SHIFT, i])


def _narrow(j, wide, wide_part, work):
    """M, X = M + SHIFT and GAP = M - target + level of class j, in working precision.

    Loops that mix both precisions run at half the width: this is as little as can be.
    """
    for i in range(BLOCK):
        m = wide_part[LOGIT, j, i]
        work[M, i] = m
        work[X, i] = m + work[SHIFT, i]
        work[GAP, i] = (m - wide_part[TARGET, j, i]) + wide[LEVEL, i]


def _step(gamma, small, wide, wide_part, work, part):
    """One Newton step for margins and levels together; returns the margins still moving."""
    n_classes = gamma.size
    most, highest = real(1.0 - 1.0 / n_classes), log(n_classes - 1.0) + 2.0
    _set_shift(wide, work)
    for i in range(BLOCK):
        work[OTHERS, i] = 0.0
        work[BEND, i] = 0.0
        work[PULL, i] = 0.0
    for j in range(n_classes):
        g = real(gamma[j])
        _narrow(j, wide, wide_part, work)
        for i in range(BLOCK):
            m, x = work[M, i], work[X, i]
            p, q, difference, inverse = simplex_terms(m, x, work[BACK, i], g)
            residual = work[GAP, i] - difference
            own = work[TOP, i] == j
            p = 0.0 if own else p
            inverse = 0.0 if own else inverse
            work[OTHERS, i] += p
            work[BEND, i] += p * q * inverse
            work[PULL, i] += p * q * inverse * residual
            part[INVERSE, j, i] = inverse
            part[RESIDUAL, j, i] = residual
    for i in range(BLOCK):
        work[GAP, i] = wide[LEVEL, i]
    for i in range(BLOCK):
        others, g = max(work[OTHERS, i], SMALLEST), work[TOP_GAMMA, i]
        share = others * work[BACK, i]
        inside = min(share, most)
        # where TOP would have less than 1 / K its equation goes on as a tangent
        beyond = max(share / most, 1.0)
        m = _top_margin(others / beyond, inside, work[SHIFT, i])
        slope = log_odds_slope(m, g) / (1.0 - inside)
        residual = log_odds(m, g) + work[GAP, i] - slope * log1p(beyond - 1.0)
        step = residual * others + slope * work[PULL, i]
        step /= others + slope * work[BEND, i]
        work[STEP, i] = step
    for i in range(BLOCK):
        wide[LEVEL, i] -= work[STEP, i]
        wide[MOVING, i] = 0.0
    for j in range(n_classes):
        for i in range(BLOCK):
            step = (part[RESIDUAL, j, i] - work[STEP, i]) * part[INVERSE, j, i]
            part[RESIDUAL, j, i] = step
        for i in range(BLOCK):
            step = part[RESIDUAL, j, i]
            m = min(wide_part[LOGIT, j, i] - step, highest)
            wide[MOVING, i] = max(wide[MOVING, i], abs(step) - small * abs(m))
            wide_part[LOGIT, j, i] = m
            wide[HIGHEST, i] = max(wide[HIGHEST, i], m)
    moving = integer(0)
    for i in range(BLOCK):
        moving += integer(1 if wide[MOVING, i] > small else 0)
    return moving


def _solve(gamma, small, wide, wide_part, work, part):
    """Margins of all classes but TOP, and levels."""
    _guess(wide, wide_part, work)
    for _ in range(MAX_STEPS):
        if _step(gamma, small, wide, wide_part, work, part) == 0:
            return
    target, margin = np.empty(gamma.size), np.empty(gamma.size)
    for i in range(BLOCK):
        target[:] = wide_part[TARGET, :, i]
        multiclass_margins(target, gamma, margin)
        top = int(work[TOP, i])
        wide[LEVEL, i] = -log_odds(min(margin[top], -FARTHEST), gamma[top])
        margin[top] = NOWHERE
        wide_part[LOGIT, :, i] = margin
        wide[HIGHEST, i] = margin.max()


def _share(gamma, wide, wide_part, work, part):
    """D as SHARE, its sums ALL and REST, with and without TOP, and TOP's margin."""
    _set_shift(wide, work)
    for i in range(BLOCK):
        work[OTHERS, i] = 0.0
        work[REST, i] = 0.0
    for j in range(gamma.size):
        g = real(gamma[j])
        _narrow(j, wide, wide_part, work)
        for i in range(BLOCK):
            p, q, _, inverse = simplex_terms(work[M, i], work[X, i], work[BACK, i], g)
            p = 0.0 if work[TOP, i] == j else p
            work[OTHERS, i] += p
            part[NARROW_LOGIT, j, i] = work[M, i]
            part[SHARE, j, i] = p * q * inverse
            work[REST, i] += p * q * inverse
    most = real(1.0 - 1.0 / gamma.size)
    for i in range(BLOCK):
        others = max(work[OTHERS, i], SMALLEST)
        inside = min(others * work[BACK, i], most)
        m = _top_margin(others, inside, work[SHIFT, i])
        work[MARGIN, i] = m
        # at gamma = 0 TOP's d is its share, beyond all numbers where it is multiplied
        d = others * (1.0 - inside) / log_odds_slope(m, work[TOP_GAMMA, i])
        work[BEND, i] = min(d, HUGE)
        work[ALL, i] = work[REST, i] + work[BEND, i]
    for j in range(gamma.size):
        for i in range(BLOCK):
            own = work[TOP, i] == j
            part[SHARE, j, i] = work[BEND, i] if own else part[SHARE, j, i]
            m = part[NARROW_LOGIT, j, i]
            part[NARROW_LOGIT, j, i] = work[MARGIN, i] if own else m


def _evaluate(y, gamma, weight, wide, wide_part, work, part):
    """VALUE, SLOPE over sum(d) and OWN = (1 - rho_t) sum(d) of the true class; CURVATURE.

    CURVATURE is exp(level), ALL becomes 1 / sum(d). With log h(p_t) = target_t - level the
    slope is w_t d_t / h(p_t), which keeps its digits where t is TOP.
    """
    for i in range(BLOCK):
        work[WEIGHT, i] = 0.0
        work[OWN, i] = 0.0
        work[MARGIN, i] = 0.0
        work[GAMMA, i] = 0.0
    for i in range(y.size):
        work[CODE, i] = y[i]
    for j in range(weight.size):
        own_gamma, own_weight = real(gamma[j]), real(weight[j])
        for i in range(BLOCK):
            own = work[CODE, i] == j
            rest = work[ALL, i] - part[SHARE, j, i]
            rest = work[REST, i] if work[TOP, i] == j else rest
            work[GAMMA, i] += own_gamma if own else 0.0
            work[WEIGHT, i] += own_weight if own else 0.0
            work[OWN, i] += rest if own else 0.0
            work[MARGIN, i] += part[NARROW_LOGIT, j, i] if own else 0.0
    for i in range(BLOCK):
        x = wide[LEVEL, i] - work[SHIFT, i]
        high = real(x)
        work[X, i], work[GAP, i], work[PULL, i] = high, x - high, wide[NORM, i]
    for i in range(BLOCK):
        m, g, w = work[MARGIN, i], work[GAMMA, i], work[WEIGHT, i]
        value, first, _ = loss_gradient_hessian(m, g, False)
        work[VALUE, i] = w * value
        # exp(X + GAP): the digits of X beyond working precision count
        e = exp(-abs(work[X, i]))
        multiplier = (1.0 / e if work[X, i] > 0.0 else e) * (1.0 + work[GAP, i])
        slope = -first / log_odds_slope(m, g)
        slope = work[BEND, i] * multiplier if work[CODE, i] == work[TOP, i] else slope
        work[ALL, i] = 1.0 / work[ALL, i]
        work[SLOPE, i] = w * slope * work[ALL, i]
        work[CURVATURE, i] = work[PULL, i] * multiplier


def _column(j, ratio, scale, half, mask, work, part):
    """GRADIENT and HESSIAN of class j."""
    for i in range(BLOCK):
        d = part[SHARE, j, i]
        rho = d * work[ALL, i]
        rest = work[REST, i] * work[ALL, i] if work[TOP, i] == j else 1.0 - rho
        g = work[SLOPE, i] * (-work[OWN, i] if work[CODE, i] == j else d)
        h = scale * max(work[CURVATURE, i] * d * rest, ratio * abs(g))
        work[GRADIENT, i] = _rounded(g, half, mask)
        work[HESSIAN, i] = _rounded(h, half, mask)


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
    wide, wide_part, work, part, constants = _working_space(gamma, weight)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        rows = None if sample_weight is None else sample_weight[first:last]
        _set_targets(raw[first:last], gamma, weight, constants, wide, wide_part, work)
        _solve(gamma, SMALL_STEP, wide, wide_part, work, part)
        _share(gamma, wide, wide_part, work, part)
        _evaluate(y_true[first:last], gamma, weight, wide, wide_part, work, part)
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
    wide, wide_part, work, part, constants = _working_space(gamma, weight)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        rows = None if sample_weight is None else sample_weight[first:last]
        _set_targets(raw[first:last], gamma, weight, constants, wide, wide_part, work)
        _solve(gamma, SMALL_STEP, wide, wide_part, work, part)
        _share(gamma, wide, wide_part, work, part)
        _evaluate(y_true[first:last], gamma, weight, wide, wide_part, work, part)
        for i in range(BLOCK):
            work[CURVATURE, i] /= work[ALL, i]
        _deliver(work, VALUE, rows, None, loss_out[first:last])
        _deliver(work, CURVATURE, rows, None, slope_out[first:last])
        curvature_out[first:last] = 0.0
        for j in range(gamma.size):
            for i in range(BLOCK):
                work[GRADIENT, i] = part[SHARE, j, i] * work[ALL, i]
            _deliver(work, GRADIENT, None, None, share_out[first:last, j])
    return True
