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
    simplex_terms,
)

# Columns of numbers: of the solver,
TOP, TOP_GAMMA, LEVEL, STEP, OTHERS, BEND, PULL, NORM = range(8)
# of the true class, and results.
CODE, GAMMA, WEIGHT, MARGIN, OWN, ALL, REST, VALUE, SLOPE, CURVATURE = range(8, 18)
GRADIENT, HESSIAN, N_COLUMNS = range(18, 21)
# Columns of each class.
TARGET, LOGIT, PROBABILITY, INVERSE, RESIDUAL, SHARE, N_CLASS_COLUMNS = range(7)
# Constants of each class.
LOG_WEIGHT, EVEN, RATIO = range(3)


SMALLEST = np.finfo(np.float64).tiny  # share of all classes but one
# Steps in single precision leave errors of about 1e-6; one in double then is enough for
# results in single precision.
COARSE_STEP, SINGLE_STEP = 1e-3, 1e-4


def _working_space(gamma, weight, dtype):
    """Columns of numbers; of each class; constants: log(w), log h(1 / K) and its ratios."""
    constants = np.empty((3, gamma.size), dtype)
    for j in range(gamma.size):
        constants[LOG_WEIGHT, j] = log(weight[j])
        constants[EVEN, j] = log_odds(-log(gamma.size - 1.0), gamma[j])
    for j in range(gamma.size):
        constants[RATIO, j] = exp(constants[EVEN, j] - constants[EVEN].max())
    work = np.zeros((N_COLUMNS, BLOCK), dtype)
    return work, np.zeros((N_CLASS_COLUMNS, gamma.size, BLOCK), dtype), constants


def _odds_margin(q):
    """The margin with sigmoid(-margin) = q."""
    rest = 1.0 - q
    m = log1p(abs(rest - q) / min(q, rest))
    return m if q < rest else -m


def _set_targets(raw, gamma, weight, constants, work, part):
    """TOP, its gamma, targets less that of TOP; OTHERS, sums of their exponentials; and NORM.

    TOP is the class that binds where all shares are 1 / K, and NORM the factor between
    exp(level) and the multiplier. As in `_multiclass`, sums under a condition vectorise
    where assignments would not.
    """
    n_classes = gamma.size
    for i in range(BLOCK):
        work[STEP, i] = -np.inf
        work[OTHERS, i] = 0.0
        work[LEVEL, i] = 0.0
        work[TOP_GAMMA, i] = 0.0
        work[ALL, i] = 0.0
        work[BEND, i] = 0.0
    for j in range(n_classes):
        column = raw[:, j]
        shift = constants[LOG_WEIGHT, j] - constants[EVEN, j]
        for i in range(column.size):
            part[TARGET, j, i] = column[i]
        for i in range(BLOCK):
            x = max(min(part[TARGET, j, i], LARGEST), -LARGEST) + shift
            part[TARGET, j, i] = x
            work[STEP, i] = max(work[STEP, i], x)
    for j in range(n_classes):
        code = real(j)
        for i in range(BLOCK):
            top = work[TOP, i]
            work[TOP, i] = code if part[TARGET, j, i] >= work[STEP, i] else top
    for j in range(n_classes):
        even, ratio, own_weight = constants[EVEN, j], constants[RATIO, j], weight[j]
        for i in range(BLOCK):
            own = work[TOP, i] == j
            work[LEVEL, i] += even if own else 0.0
            work[TOP_GAMMA, i] += gamma[j] if own else 0.0
            work[BEND, i] += ratio if own else 0.0
            difference = part[TARGET, j, i] - work[STEP, i]
            e = exp(difference) * ratio
            work[OTHERS, i] += 0.0 if own else e
            work[ALL, i] += e / own_weight
            part[TARGET, j, i] = difference + even
    for i in range(BLOCK):
        work[OTHERS, i] /= work[BEND, i]
        work[NORM, i] = work[BEND, i] / work[ALL, i]
    for j in range(n_classes):
        for i in range(BLOCK):
            part[TARGET, j, i] -= work[LEVEL, i]


def _guess(work, part):
    """LEVEL and margins to start from, near for even rows and for near-certain ones.

    With x = log(OTHERS) the level tends to softplus(x) for even rows and to
    (gamma x + log(1 + gamma)) / (1 + gamma) for x -> -inf.
    """
    for i in range(BLOCK):
        others, g = max(work[OTHERS, i], SMALLEST), work[TOP_GAMMA, i]
        certain = g * log1p(1.0 / others) - log1p(g) / (1.0 + others)
        work[LEVEL, i] = log1p(others) - certain / (1.0 + g)
    for j in range(part.shape[1]):
        for i in range(BLOCK):
            part[LOGIT, j, i] = min(part[TARGET, j, i] - work[LEVEL, i], 0.0)


def _step(gamma, small, work, part):
    """One Newton step for margins and levels together; returns the margins still moving.

    PROBABILITY and INVERSE, that of the slope, are from before it; RESIDUAL becomes the step.
    """
    n_classes = gamma.size
    most, highest = real(1.0 - 1.0 / n_classes), real(log(n_classes - 1.0) + 2.0)
    small = real(small)
    for i in range(BLOCK):
        work[OTHERS, i] = 0.0
        work[BEND, i] = 0.0
        work[PULL, i] = 0.0
    for j in range(n_classes):
        g = real(gamma[j])
        for i in range(BLOCK):
            p, q, h, inverse = simplex_terms(part[LOGIT, j, i], g)
            residual = h - part[TARGET, j, i] + work[LEVEL, i]
            own = work[TOP, i] == j
            p = 0.0 if own else p
            inverse = 0.0 if own else inverse
            work[OTHERS, i] += p
            work[BEND, i] += p * q * inverse
            work[PULL, i] += p * q * inverse * residual
            part[PROBABILITY, j, i] = p
            part[INVERSE, j, i] = inverse
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
            step = (part[RESIDUAL, j, i] - work[STEP, i]) * part[INVERSE, j, i]
            part[RESIDUAL, j, i] = step
            m = min(part[LOGIT, j, i] - step, highest)
            part[LOGIT, j, i] = m
            moving += integer(1 if abs(step) > small * (1.0 + abs(m)) else 0)
    return moving


def approach_rows(gamma, work, part):
    """Guess, and Newton steps until they are small, in the precision of the compilation."""
    _guess(work, part)
    for _ in range(MAX_STEPS):
        if _step(gamma, COARSE_STEP, work, part) == 0:
            return


def _solve(gamma, small, work, part, coarse_work, coarse_part):
    """Margins of all classes but TOP, and levels; first in single precision."""
    for k in (TOP, TOP_GAMMA, OTHERS):
        for i in range(BLOCK):
            coarse_work[k, i] = work[k, i]
    for j in range(gamma.size):
        for i in range(BLOCK):
            coarse_part[TARGET, j, i] = part[TARGET, j, i]
    approach_rows(gamma, coarse_work, coarse_part)
    for i in range(BLOCK):
        work[LEVEL, i] = coarse_work[LEVEL, i]
    for j in range(gamma.size):
        for i in range(BLOCK):
            part[LOGIT, j, i] = coarse_part[LOGIT, j, i]
    for _ in range(MAX_STEPS):
        if _step(gamma, small, work, part) == 0:
            return
    target, margin = np.empty(gamma.size), np.empty(gamma.size)
    for i in range(BLOCK):
        target[:] = part[TARGET, :, i]
        multiclass_margins(target, gamma, margin)
        part[LOGIT, :, i] = margin
        work[LEVEL, i] = -log_odds(margin[int(work[TOP, i])], work[TOP_GAMMA, i])


def _share(gamma, small, work, part):
    """D as SHARE, its sums ALL and REST, with and without TOP, and TOP's LOGIT."""
    for i in range(BLOCK):
        work[OTHERS, i] = 0.0
        work[REST, i] = 0.0
    for j in range(gamma.size):
        if small == SINGLE_STEP:
            for i in range(BLOCK):
                # the last step was so small that first order is enough
                p, step = part[PROBABILITY, j, i], part[RESIDUAL, j, i]
                q = 1.0 - p
                work[OTHERS, i] += p * (1.0 - q * step)
                d = p * q * part[INVERSE, j, i] * (1.0 - (q - p) * step)
                part[SHARE, j, i] = d
                work[REST, i] += d
        else:
            for i in range(BLOCK):
                p, q, _, inverse = simplex_terms(part[LOGIT, j, i], gamma[j])
                p = 0.0 if work[TOP, i] == j else p
                work[OTHERS, i] += p
                part[SHARE, j, i] = p * q * inverse
                work[REST, i] += p * q * inverse
    most = 1.0 - 1.0 / gamma.size
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
            part[SHARE, j, i] = work[BEND, i] if own else part[SHARE, j, i]


def _exp(x):
    """exp(x) for x of either sign."""
    e = exp(-abs(x))
    return 1.0 / e if x > 0.0 else e


def _look_up(y, weight, work, part):
    """SLOPE of the true class and CURVATURE, both over sum(d), and OWN = (1 - rho_t) sum(d).

    With log h(p_t) = target_t - level the slope is w_t d_t / h(p_t).
    """
    for i in range(BLOCK):
        work[WEIGHT, i] = 0.0
        work[OWN, i] = 0.0
        work[MARGIN, i] = 0.0
    for i in range(y.size):
        work[CODE, i] = y[i]
    for j in range(weight.size):
        for i in range(BLOCK):
            own = work[CODE, i] == j
            rest = work[ALL, i] - part[SHARE, j, i]
            rest = work[REST, i] if work[TOP, i] == j else rest
            work[WEIGHT, i] += weight[j] * part[SHARE, j, i] if own else 0.0
            work[OWN, i] += rest if own else 0.0
            work[MARGIN, i] += part[TARGET, j, i] if own else 0.0
    for i in range(BLOCK):
        h = _exp(work[LEVEL, i] - work[MARGIN, i])
        work[SLOPE, i] = work[WEIGHT, i] * h / work[ALL, i]
        work[CURVATURE, i] = work[NORM, i] * _exp(work[LEVEL, i]) / work[ALL, i]


def _losses(gamma, weight, work, part):
    """VALUE, the loss of the true class."""
    for i in range(BLOCK):
        work[GAMMA, i] = 0.0
        work[WEIGHT, i] = 0.0
        work[MARGIN, i] = 0.0
    for j in range(gamma.size):
        for i in range(BLOCK):
            own = work[CODE, i] == j
            work[GAMMA, i] += gamma[j] if own else 0.0
            work[WEIGHT, i] += weight[j] if own else 0.0
            work[MARGIN, i] += part[LOGIT, j, i] if own else 0.0
    for i in range(BLOCK):
        value, _, _ = loss_gradient_hessian(work[MARGIN, i], work[GAMMA, i], False)
        work[VALUE, i] = work[WEIGHT, i] * value


def _column(j, ratio, scale, half, mask, work, part):
    """GRADIENT and HESSIAN of class j."""
    for i in range(BLOCK):
        d = part[SHARE, j, i]
        remainder = work[REST, i] if work[TOP, i] == j else work[ALL, i] - d
        own = work[CODE, i] == j
        g = work[SLOPE, i] * (-work[OWN, i] if own else d)
        h = scale * max(work[CURVATURE, i] * d * remainder, ratio * abs(g))
        work[GRADIENT, i] = _rounded(g, half, mask)
        work[HESSIAN, i] = _rounded(h, half, mask)


def _small_step(loss_out, gradient_out, hessian_out):
    """Size of the last Newton step, by the precision of the results."""
    size = 8
    if loss_out is not None:
        size = loss_out.itemsize
    if gradient_out is not None:
        size = gradient_out.itemsize
    if hessian_out is not None:
        size = hessian_out.itemsize
    return SINGLE_STEP if size == 4 else SMALL_STEP


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
    small = _small_step(loss_out, gradient_out, hessian_out)
    work, part, constants = _working_space(gamma, weight, np.float64)
    coarse_work, coarse_part, _ = _working_space(gamma, weight, np.float32)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        rows = None if sample_weight is None else sample_weight[first:last]
        _set_targets(raw[first:last], gamma, weight, constants, work, part)
        _solve(gamma, small, work, part, coarse_work, coarse_part)
        _share(gamma, small, work, part)
        _look_up(y_true[first:last], weight, work, part)
        if loss_out is not None:
            _losses(gamma, weight, work, part)
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
    small = SMALL_STEP
    work, part, constants = _working_space(gamma, weight, np.float64)
    coarse_work, coarse_part, _ = _working_space(gamma, weight, np.float32)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        rows = None if sample_weight is None else sample_weight[first:last]
        _set_targets(raw[first:last], gamma, weight, constants, work, part)
        _solve(gamma, small, work, part, coarse_work, coarse_part)
        _share(gamma, small, work, part)
        _look_up(y_true[first:last], weight, work, part)
        _losses(gamma, weight, work, part)
        for i in range(BLOCK):
            work[CURVATURE, i] *= work[ALL, i] * work[ALL, i]
        _deliver(work, VALUE, rows, None, loss_out[first:last])
        _deliver(work, CURVATURE, rows, None, slope_out[first:last])
        curvature_out[first:last] = 0.0
        for j in range(gamma.size):
            for i in range(BLOCK):
                work[GRADIENT, i] = part[SHARE, j, i] / work[ALL, i]
            _deliver(work, GRADIENT, None, None, share_out[first:last, j])
    return True
