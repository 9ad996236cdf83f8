"""Finds the point of the simplex that has a given posterior, for blocks of rows.

The point p solves log h(p_k) = target_k - level with target_k = log(w_k eta_k) and sum(p) = 1.
Newton's method finds the margins logit(p_k) and the level together, for all rows of a block at
once. TOP is a class with p_TOP >= 1 / K; its share is 1 less the sum of the others. After
``MAX_STEPS`` the scalar solver takes over, which always converges.

Targets, margins and levels are double in either precision, so that their differences keep
their digits. All other numbers have the precision of the compilation. Only ratios of the
others' shares matter, and all of them may be tiny. They are therefore multiplied by exp(SHIFT),
which makes the largest of them about 1.
"""

from math import log

import numpy as np

from skfocal._kernels._elementary import exp, integer, log1p, real
from skfocal._kernels._multiclass import BLOCK, multiclass_margin_rows
from skfocal._kernels._posterior_binary import LARGEST, MAX_STEPS, SMALL_STEP
from skfocal._math import log_odds, log_odds_slope, simplex_terms

# Columns of double numbers: one a row, and one a row and class.
LEVEL, HIGHEST, NORM, MOVING, N_WIDE = range(5)
TARGET, LOGIT, N_WIDE_CLASS = range(3)
# Columns in working precision: one a row,
TOP, TOP_GAMMA, TOP_MARGIN, SHIFT, BACK, STEP, OTHERS, BEND, PULL = range(9)
M, X, GAP, ALL, REST, N_COLUMNS = range(9, 15)
# and one a row and class.
INVERSE, RESIDUAL, SHARE, NARROW_LOGIT, N_CLASS_COLUMNS = range(5)
# Columns that hold something else in one stage. In `_find_top` and `_set_targets`:
TOP_EVEN = LEVEL
DIFFERENCE, TOP_RATIO, WEIGHTED_SUM = X, BEND, ALL
# in `_guess`:
FIRST_LEVEL = STEP
# in `_set_level_step`, after the gaps of all classes are used:
NARROW_LEVEL = GAP
# in `_move`, and from `_share` on:
CLASS_STEP = RESIDUAL
TOP_DENSITY = BEND
# Constants of each class.
LOG_WEIGHT, EVEN, RATIO = range(3)
NOWHERE = -1e30  # the margin of TOP while it is not known
FARTHEST = -1e6  # limit of a target less the highest; shares are 0 long before it
SMALLEST, HUGE = np.finfo(np.float64).tiny, 0.5 * np.finfo(np.float64).max


def _solver_space(gamma, weight):
    """All columns; and constants of the classes: log(w), log h(1 / K) and ratios of h(1 / K)."""
    constants, largest = np.empty((3, gamma.size)), -np.inf
    for j in range(gamma.size):
        constants[LOG_WEIGHT, j] = log(weight[j])
        constants[EVEN, j] = np.float64(log_odds(real(-log(gamma.size - 1.0)), real(gamma[j])))
        largest = max(largest, constants[EVEN, j])
    for j in range(gamma.size):
        constants[RATIO, j] = np.exp(constants[EVEN, j] - largest)
    wide, wide_part = np.zeros((N_WIDE, BLOCK)), np.zeros((N_WIDE_CLASS, gamma.size, BLOCK))
    work, part = (
        np.zeros((N_COLUMNS, BLOCK), real),
        np.zeros((N_CLASS_COLUMNS, gamma.size, BLOCK), real),
    )
    return wide, wide_part, work, part, constants


def _top_margin(shifted, inside, shift):
    """logit(1 - inside); inside = shifted * exp(-shift) is the share of the other classes."""
    logarithm = log1p(abs(shifted - 1.0) / min(shifted, 1.0))
    logarithm = -logarithm if shifted < 1.0 else logarithm
    return shift - logarithm - log1p(inside / (1.0 - inside))


def _find_top(raw, constants, wide, wide_part, work):
    """TOP, the class that binds where all shares are 1 / K; TARGET and their HIGHEST.

    As in `_multiclass`, sums under a condition vectorise where assignments would not.
    """
    for i in range(BLOCK):
        wide[HIGHEST, i] = -np.inf
    for j in range(constants.shape[1]):
        column = raw[:, j]
        shift = constants[LOG_WEIGHT, j] - constants[EVEN, j]
        for i in range(column.size):
            wide_part[TARGET, j, i] = column[i]
        for i in range(BLOCK):
            x = max(min(wide_part[TARGET, j, i], LARGEST), -LARGEST) + shift
            wide_part[TARGET, j, i] = x
            wide[HIGHEST, i] = max(wide[HIGHEST, i], x)
    for j in range(constants.shape[1]):
        code = real(j)
        for i in range(BLOCK):
            top = work[TOP, i]
            work[TOP, i] = code if wide_part[TARGET, j, i] >= wide[HIGHEST, i] else top


def _set_targets(gamma, weight, constants, wide, wide_part, work):
    """TARGET less that of TOP, TOP_GAMMA, OTHERS and NORM.

    OTHERS is the sum of exp(target) over the other classes. NORM is the factor between
    exp(level) and the multiplier.
    """
    n_classes = gamma.size
    for i in range(BLOCK):
        wide[TOP_EVEN, i] = 0.0
        work[OTHERS, i] = 0.0
        work[TOP_GAMMA, i] = 0.0
        work[WEIGHTED_SUM, i] = 0.0
        work[TOP_RATIO, i] = 0.0
    for j in range(n_classes):
        even, ratio, own_weight = constants[EVEN, j], real(constants[RATIO, j]), real(weight[j])
        own_gamma = real(gamma[j])
        for i in range(BLOCK):
            difference = max(wide_part[TARGET, j, i] - wide[HIGHEST, i], FARTHEST)
            wide_part[TARGET, j, i] = difference + even
            own = work[TOP, i] == j
            wide[TOP_EVEN, i] += even if own else 0.0
            work[TOP_GAMMA, i] += own_gamma if own else 0.0
            work[TOP_RATIO, i] += ratio if own else 0.0
            work[DIFFERENCE, i] = difference
        for i in range(BLOCK):
            e = exp(work[DIFFERENCE, i]) * ratio
            work[OTHERS, i] += 0.0 if work[TOP, i] == j else e
            work[WEIGHTED_SUM, i] += e / own_weight
    for i in range(BLOCK):
        work[OTHERS, i] /= work[TOP_RATIO, i]
        wide[NORM, i] = work[TOP_RATIO, i] / work[WEIGHTED_SUM, i]
    for j in range(n_classes):
        for i in range(BLOCK):
            wide_part[TARGET, j, i] -= wide[TOP_EVEN, i]


def _guess(wide, wide_part, work):
    """Set LEVEL and LOGIT to a first guess, which is good for even and near-certain rows.

    With x = log(OTHERS) the level tends to softplus(x) for even rows and to
    (gamma x + log(1 + gamma)) / (1 + gamma) for x -> -inf.
    """
    for i in range(BLOCK):
        others, g = max(work[OTHERS, i], SMALLEST), work[TOP_GAMMA, i]
        certain = g * log1p(1.0 / others) - log1p(g) / (1.0 + others)
        work[FIRST_LEVEL, i] = log1p(others) - certain / (1.0 + g)
    for i in range(BLOCK):
        wide[LEVEL, i] = work[FIRST_LEVEL, i]
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

    Loops that mix both precisions run at half the width, so they do no more than this.
    """
    for i in range(BLOCK):
        m = wide_part[LOGIT, j, i]
        work[M, i] = m
        work[X, i] = m + work[SHIFT, i]
        work[GAP, i] = (m - wide_part[TARGET, j, i]) + wide[LEVEL, i]


def _set_residuals(gamma, wide, wide_part, work, part):
    """INVERSE and RESIDUAL of each class but TOP, and the sums OTHERS, BEND and PULL.

    INVERSE is 1 / slope of log h. The sums run over shares, over shares times (1 - p) INVERSE,
    and over the latter times RESIDUAL.
    """
    for i in range(BLOCK):
        work[OTHERS, i] = 0.0
        work[BEND, i] = 0.0
        work[PULL, i] = 0.0
    for j in range(gamma.size):
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


def _set_level_step(n_classes, wide, work):
    """STEP, by which the level changes: from the equation of TOP, whose share is the rest."""
    most = real(1.0 - 1.0 / n_classes)
    for i in range(BLOCK):
        work[NARROW_LEVEL, i] = wide[LEVEL, i]
    for i in range(BLOCK):
        others, g = max(work[OTHERS, i], SMALLEST), work[TOP_GAMMA, i]
        share = others * work[BACK, i]
        inside = min(share, most)
        # where TOP would have less than 1 / K its equation goes on as a tangent
        beyond = max(share / most, 1.0)
        m = _top_margin(others / beyond, inside, work[SHIFT, i])
        slope = log_odds_slope(m, g) / (1.0 - inside)
        residual = log_odds(m, g) + work[NARROW_LEVEL, i] - slope * log1p(beyond - 1.0)
        step = residual * others + slope * work[PULL, i]
        step /= others + slope * work[BEND, i]
        work[STEP, i] = step


def _move(wide, wide_part, work, part):
    """Apply the steps of level and margins; returns the number of rows that still move."""
    n_classes = part.shape[1]
    highest = log(n_classes - 1.0) + 2.0
    for i in range(BLOCK):
        wide[LEVEL, i] -= work[STEP, i]
        wide[MOVING, i] = 0.0
    for j in range(n_classes):
        for i in range(BLOCK):
            step = (part[RESIDUAL, j, i] - work[STEP, i]) * part[INVERSE, j, i]
            part[CLASS_STEP, j, i] = step
        for i in range(BLOCK):
            step = part[CLASS_STEP, j, i]
            m = min(wide_part[LOGIT, j, i] - step, highest)
            wide[MOVING, i] = max(wide[MOVING, i], abs(step) - SMALL_STEP * abs(m))
            wide_part[LOGIT, j, i] = m
            wide[HIGHEST, i] = max(wide[HIGHEST, i], m)
    moving = integer(0)
    for i in range(BLOCK):
        moving += integer(1 if wide[MOVING, i] > SMALL_STEP else 0)
    return moving


def _solve_one_by_one(gamma, wide, wide_part, work):
    """Set LOGIT, HIGHEST and LEVEL by the scalar solver, which always converges."""
    n_classes = gamma.size
    target, margin = np.empty((BLOCK, n_classes)), np.empty((BLOCK, n_classes))
    for j in range(n_classes):
        for i in range(BLOCK):
            target[i, j] = wide_part[TARGET, j, i]
    multiclass_margin_rows(0, BLOCK, target, margin, gamma)
    for i in range(BLOCK):
        top = int(work[TOP, i])
        m = real(min(margin[i, top], -FARTHEST))
        wide[LEVEL, i] = -log_odds(m, work[TOP_GAMMA, i])
        margin[i, top] = NOWHERE
        wide[HIGHEST, i] = NOWHERE
        for j in range(n_classes):
            wide_part[LOGIT, j, i] = margin[i, j]
            wide[HIGHEST, i] = max(wide[HIGHEST, i], margin[i, j])


def _share(gamma, wide, wide_part, work, part):
    """SHARE: d of each class; its sums ALL and, without TOP, REST; NARROW_LOGIT: the margins."""
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
        # at gamma = 0 the d of TOP is its share, which overflows where it is multiplied
        d = others * (1.0 - inside) / log_odds_slope(m, work[TOP_GAMMA, i])
        work[TOP_DENSITY, i] = min(d, HUGE)
        work[ALL, i] = work[REST, i] + work[TOP_DENSITY, i]
    for j in range(gamma.size):
        for i in range(BLOCK):
            own = work[TOP, i] == j
            part[SHARE, j, i] = work[TOP_DENSITY, i] if own else part[SHARE, j, i]
            m = part[NARROW_LOGIT, j, i]
            part[NARROW_LOGIT, j, i] = work[TOP_MARGIN, i] if own else m


def _solve_block(raw, gamma, weight, constants, wide, wide_part, work, part):
    """Solve a block of rows: set LEVEL, NORM, SHIFT, SHARE, ALL, REST and NARROW_LOGIT.

    `multiclass_margin_rows` is compiled in double in either precision. The steps of Newton's method
    are no function of their own: LLVM optimises a function again in each that it is inlined into.
    """
    _find_top(raw, constants, wide, wide_part, work)
    _set_targets(gamma, weight, constants, wide, wide_part, work)
    _guess(wide, wide_part, work)
    for k in range(MAX_STEPS + 1):
        if k == MAX_STEPS:
            _solve_one_by_one(gamma, wide, wide_part, work)
            # one step more, for the digits of LEVEL
        _set_shift(wide, work)
        _set_residuals(gamma, wide, wide_part, work, part)
        _set_level_step(gamma.size, wide, work)
        if _move(wide, wide_part, work, part) == 0:
            break
    _share(gamma, wide, wide_part, work, part)
