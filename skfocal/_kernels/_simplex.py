"""The point of the simplex that has a given posterior, for blocks of rows (floor 1).

The point p solves log h(p_k) = target_k - level with target_k = log(w_k eta_k) and
sum(p) = 1. The margins logit(p_k) and the level are found together by Newton's method, for
all rows of a block at once; TOP is the class whose share is what the others leave, and
p_TOP >= 1 / K. The scalar solver, which always converges, takes over after ``MAX_STEPS``.

Targets, margins and levels are double in either precision, so that their differences keep
their digits; all else is in that of the compilation. Shares are multiplied by exp(SHIFT),
which makes that of the likeliest class but TOP about 1: they may all be tiny, and what is
asked of them are ratios.
"""

from math import log

import numpy as np

from skfocal._kernels._elementary import exp, integer, log1p, real
from skfocal._kernels._multiclass import BLOCK, multiclass_margin_rows
from skfocal._kernels._posterior_binary import LARGEST, MAX_STEPS, SMALL_STEP
from skfocal._math import log_odds, log_odds_slope, simplex_terms

# Columns of double numbers: of rows, and of classes.
LEVEL, HIGHEST, NORM, MOVING, N_WIDE = range(5)
TARGET, LOGIT, N_WIDE_CLASS = range(3)
# Columns in working precision: of rows,
TOP, TOP_GAMMA, TOP_MARGIN, SHIFT, BACK, STEP, OTHERS, BEND, PULL = range(9)
M, X, GAP, ALL, REST, N_COLUMNS = range(9, 15)
# and of classes.
INVERSE, RESIDUAL, SHARE, NARROW_LOGIT, N_CLASS_COLUMNS = range(5)
# Constants of each class.
LOG_WEIGHT, EVEN, RATIO = range(3)
NOWHERE = -1e30  # margin of TOP while it is not known
FARTHEST = -1e6  # of a target below the highest, where shares are 0 long since
SMALLEST, HUGE = np.finfo(np.float64).tiny, 0.5 * np.finfo(np.float64).max


def _solver_space(gamma, weight):
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


def _step(gamma, wide, wide_part, work, part):
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
            wide[MOVING, i] = max(wide[MOVING, i], abs(step) - SMALL_STEP * abs(m))
            wide_part[LOGIT, j, i] = m
            wide[HIGHEST, i] = max(wide[HIGHEST, i], m)
    moving = integer(0)
    for i in range(BLOCK):
        moving += integer(1 if wide[MOVING, i] > SMALL_STEP else 0)
    return moving


def _solve(gamma, wide, wide_part, work, part):
    """Margins of all classes but TOP, and levels.

    `multiclass_margin_rows` is compiled in double wherever this is called from.
    """
    _guess(wide, wide_part, work)
    for _ in range(MAX_STEPS):
        if _step(gamma, wide, wide_part, work, part) == 0:
            return
    margin = np.empty((BLOCK, gamma.size))
    multiclass_margin_rows(0, BLOCK, wide_part[TARGET].T.copy(), margin, gamma)
    for i in range(BLOCK):
        top = int(work[TOP, i])
        m = real(min(margin[i, top], -FARTHEST))
        wide[LEVEL, i] = -log_odds(m, work[TOP_GAMMA, i])
        margin[i, top] = NOWHERE
        wide_part[LOGIT, :, i] = margin[i]
        wide[HIGHEST, i] = margin[i].max()
    _step(gamma, wide, wide_part, work, part)  # for the digits of LEVEL


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
        work[TOP_MARGIN, i] = m
        # at gamma = 0 TOP's d is its share, beyond all numbers where it is multiplied
        d = others * (1.0 - inside) / log_odds_slope(m, work[TOP_GAMMA, i])
        work[BEND, i] = min(d, HUGE)
        work[ALL, i] = work[REST, i] + work[BEND, i]
    for j in range(gamma.size):
        for i in range(BLOCK):
            own = work[TOP, i] == j
            part[SHARE, j, i] = work[BEND, i] if own else part[SHARE, j, i]
            m = part[NARROW_LOGIT, j, i]
            part[NARROW_LOGIT, j, i] = work[TOP_MARGIN, i] if own else m


def _solve_block(raw, gamma, weight, constants, wide, wide_part, work, part):
    """All of the above for a block: LEVEL, NORM, SHIFT, SHARE, ALL, REST and NARROW_LOGIT."""
    _set_targets(raw, gamma, weight, constants, wide, wide_part, work)
    _solve(gamma, wide, wide_part, work, part)
    _share(gamma, wide, wide_part, work, part)
