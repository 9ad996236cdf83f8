"""Kernels for CUDA devices: each thread computes one row of margins.

This is plain Python, which ``skfocal._kernels.cuda`` compiles. It launches the functions whose
names end in ``_kernel``. They call the formulas and, for more than two classes, the functions
of the CPU's loops, with blocks of one row. The conventions are those of ``_binary``, with one
difference: None cannot be an argument of a kernel. The constants below say what is left out,
and another array stands in its place. They are set where a kernel is compiled.
"""

import numpy as np
from numba import cuda

from skfocal._kernels._binary import _rounded
from skfocal._kernels._elementary import exp, integer, real
from skfocal._kernels._multiclass import (
    GRADIENT,
    HESSIAN,
    VALUE,
    WEIGHT,
    _column,
    _evaluate,
    _exponentiate,
    _look_up,
)
from skfocal._kernels._posterior_binary import (
    ONE,
    PIECE_BITS,
    PIECE_MASK,
    PIECE_SHIFT,
    PIECES,
    _binary_margins,
)
from skfocal._kernels._posterior_multiclass import GRADIENT as POSTERIOR_GRADIENT
from skfocal._kernels._posterior_multiclass import HESSIAN as POSTERIOR_HESSIAN
from skfocal._kernels._posterior_multiclass import N_RESULTS, _posterior_column, _posterior_evaluate
from skfocal._kernels._posterior_multiclass import VALUE as POSTERIOR_VALUE
from skfocal._kernels._simplex import (
    FARTHEST,
    HIGHEST,
    LEVEL,
    LOGIT,
    N_CLASS_COLUMNS,
    N_COLUMNS,
    N_WIDE,
    N_WIDE_CLASS,
    NOWHERE,
    TARGET,
    TOP,
    TOP_GAMMA,
    _solve_block,
)
from skfocal._math import (
    binary_log_odds,
    log_odds,
    loss_gradient_hessian,
    multiclass_margins,
    posterior_terms,
    sigmoids,
    softmax_margins,
)

# The type of the margins, and the number of classes.
raw_type, N_CLASSES = np.float64, 2
# As `absolute` in the loops of the CPU.
ABSOLUTE = None
# Whether there are sample weights, and which outputs to fill.
HAS_WEIGHT, FILL_LOSS, FILL_GRADIENT, FILL_HESSIAN = True, True, True, True
# Whether margins have the focal link, for kernels that serve both links.
FOCAL_LINK = True
# `_math.multiclass_margins` in double precision, also where all else is in single.
double_multiclass_margins = multiclass_margins

N_FOCAL_COLUMNS = HESSIAN + 1
# The functions of these names of `_elementary` and `_simplex` are for the CPU.
REPLACES = ("fma", "_solve_one_by_one")


def fma(a, b, c):
    """Compute a b + c, rounded once."""
    return cuda.fma(a, b, c)


def _row_weight(sample_weight, i):
    return real(sample_weight[i]) if HAS_WEIGHT else real(1.0)


def _binary_terms(z, positive, gamma, shift):
    """Loss, slope and curvature of a row, in the margin of its own class."""
    own = gamma[1] if positive else gamma[0]
    return loss_gradient_hessian(z if positive else -z, own, ABSOLUTE is not None)


def _posterior_binary_terms(u, positive, gamma, shift):
    """`_binary_terms` under the posterior link; ``shift`` is log(w+ / w-)."""
    block, margin = cuda.local.array(1, real), cuda.local.array(1, real)
    block[0] = u
    _binary_margins(shift, gamma[0], gamma[1], block, margin)
    z = margin[0]
    own = gamma[1] if positive else gamma[0]
    other = gamma[0] if positive else gamma[1]
    return posterior_terms(z if positive else -z, u if positive else -u, own, other)


def binary_kernel(
    y_true,
    raw,
    sample_weight,
    loss_out,
    gradient_out,
    hessian_out,
    gamma,
    weight,
    shift,
    ratio,
    floor,
    half,
    mask,
):
    """Loss, gradient and Hessian of two classes; see `_binary.binary_rows`."""
    i = cuda.grid(1)
    if i >= raw.size:
        return
    positive = y_true[i] > 0.5
    w, row_weight = weight[1] if positive else weight[0], _row_weight(sample_weight, i)
    value, slope, curvature = _binary_terms(real(raw[i]), positive, gamma, shift)
    if ABSOLUTE is None:
        curvature = max(curvature, -ratio * slope)
    elif ABSOLUTE:
        curvature = abs(curvature)
    if FILL_LOSS:
        loss_out[i] = w * value * row_weight
    if FILL_GRADIENT:
        gradient = _rounded(w * slope if positive else -w * slope, half, mask)
        gradient_out[i] = gradient * row_weight
    if FILL_HESSIAN:
        hessian_out[i] = max(_rounded(w * curvature, half, mask) * row_weight, floor)


def _slope_against(v, table, largest):
    """The slope of the loss of the class that the log-odds v make less likely.

    See `_posterior_binary.tabulated_rows`.
    """
    x = abs(v) + 1.0
    x = x if x < largest else largest  # NaN becomes this too
    bits = integer(real(x).view(integer))
    first = 0 if v < 0.0 else len(table) // 2
    piece = (bits >> PIECE_SHIFT) - 127 * PIECES + first
    local = integer((bits & PIECE_MASK) << PIECE_BITS) | ONE
    x = real(integer(local).view(real)) - 1.5
    return ((table[piece, 0] * x + table[piece, 1]) * x + table[piece, 2]) * x + table[piece, 3]


def tabulated_kernel(
    y_true,
    raw,
    sample_weight,
    loss_out,
    gradient_out,
    hessian_out,
    table,
    weight,
    shift,
    largest,
    ratio,
    floor,
    half,
    mask,
):
    """Gradient and expected Hessian from a table; see `_posterior_binary.tabulated_rows`.

    1 + |v| is limited to ``largest``, a number in the last piece of the table.
    """
    i = cuda.grid(1)
    if i >= raw.size:
        return
    positive, row_weight = y_true[i] > 0.5, _row_weight(sample_weight, i)
    v = real(raw[i] + shift)
    against, e, below = _slope_against(v, table, largest), exp(-abs(v)), v < 0.0
    wrong = (below == positive) and e <= 1.0
    slope = against if wrong else against * e
    w = weight[1] if positive else weight[0]
    near = weight[1] if below else weight[0]
    far = weight[0] if below else weight[1]
    if FILL_GRADIENT:
        gradient = _rounded(-w * slope if positive else w * slope, half, mask)
        gradient_out[i] = gradient * row_weight
    if FILL_HESSIAN:
        h = max(against * near * (far * e / (near + far * e)), ratio * w * slope)
        hessian_out[i] = max(_rounded(h, half, mask) * row_weight, floor)


def multiclass_kernel(
    y_true,
    raw,
    sample_weight,
    loss_out,
    gradient_out,
    hessian_out,
    gamma,
    weight,
    ratio,
    floor,
    half,
    mask,
    scale,
):
    """Loss, gradient and the Hessian's diagonal; see `_multiclass.multiclass_rows`."""
    i = cuda.grid(1)
    if i >= raw.shape[0]:
        return
    work, part = (
        cuda.local.array((N_FOCAL_COLUMNS, 1), real),
        cuda.local.array((N_CLASSES, 1), real),
    )
    code, top = cuda.local.array(1, integer), cuda.local.array(1, raw_type)
    margins = cuda.local.array((N_CLASSES, 1), raw_type)
    _look_up(y_true[i : i + 1], gamma, weight, work, code)
    _exponentiate(raw[i : i + 1], code, top, margins, work, part)
    _evaluate(ABSOLUTE, work)
    row_weight = _row_weight(sample_weight, i)
    if FILL_LOSS:
        loss_out[i] = work[VALUE, 0] * work[WEIGHT, 0] * row_weight
    if FILL_GRADIENT or FILL_HESSIAN:
        for j in range(N_CLASSES):
            _column(j, ABSOLUTE, ratio, scale, half, mask, work, code, part)
            if FILL_GRADIENT:
                gradient_out[i, j] = work[GRADIENT, 0] * row_weight
            if FILL_HESSIAN:
                hessian_out[i, j] = max(work[HESSIAN, 0] * row_weight, floor)


def _solve_one_by_one(gamma, wide, wide_part, work):
    """`_simplex._solve_one_by_one` of one row."""
    margin = cuda.local.array(N_CLASSES, np.float64)
    double_multiclass_margins(wide_part[TARGET, :, 0], gamma, margin)
    top = int(work[TOP, 0])
    m = real(min(margin[top], -FARTHEST))
    wide[LEVEL, 0] = -log_odds(m, work[TOP_GAMMA, 0])
    margin[top] = NOWHERE
    wide[HIGHEST, 0] = NOWHERE
    for j in range(N_CLASSES):
        wide_part[LOGIT, j, 0] = margin[j]
        wide[HIGHEST, 0] = max(wide[HIGHEST, 0], margin[j])


def multiclass_posterior_kernel(
    y_true,
    raw,
    sample_weight,
    loss_out,
    gradient_out,
    hessian_out,
    gamma,
    weight,
    constants,
    ratio,
    floor,
    half,
    mask,
    scale,
):
    """As `multiclass_kernel`, posterior link; see `_posterior_multiclass.multiclass_rows`."""
    i = cuda.grid(1)
    if i >= raw.shape[0]:
        return
    wide = cuda.local.array((N_WIDE, 1), np.float64)
    wide_part = cuda.local.array((N_WIDE_CLASS, N_CLASSES, 1), np.float64)
    work = cuda.local.array((N_COLUMNS, 1), real)
    part = cuda.local.array((N_CLASS_COLUMNS, N_CLASSES, 1), real)
    found = cuda.local.array((N_RESULTS, 1), real)
    work[TOP, 0] = 0.0  # it stays 0 where a margin is NaN
    _solve_block(raw[i : i + 1], gamma, weight, constants, wide, wide_part, work, part)
    _posterior_evaluate(y_true[i : i + 1], gamma, weight, wide, work, part, found)
    row_weight = _row_weight(sample_weight, i)
    if FILL_LOSS:
        loss_out[i] = found[POSTERIOR_VALUE, 0] * row_weight
    if FILL_GRADIENT or FILL_HESSIAN:
        for j in range(N_CLASSES):
            _posterior_column(j, ratio, scale, half, mask, work, part, found)
            if FILL_GRADIENT:
                gradient_out[i, j] = found[POSTERIOR_GRADIENT, 0] * row_weight
            if FILL_HESSIAN:
                hessian_out[i, j] = max(found[POSTERIOR_HESSIAN, 0] * row_weight, floor)


def binary_probability_kernel(raw, out, gamma, shift):
    """P(class | row) of both classes; ``shift`` is log(w+ / w-)."""
    i = cuda.grid(1)
    if i >= raw.size:
        return
    u = real(raw[i])
    if FOCAL_LINK:
        u = binary_log_odds(u, gamma[0], gamma[1]) - shift
    p, q, _, _ = sigmoids(u)
    out[i, 0] = q
    out[i, 1] = p


def multiclass_probability_kernel(raw, out, gamma, log_weight):
    """P(class | row) of all classes."""
    i = cuda.grid(1)
    if i >= raw.shape[0]:
        return
    row, margin = cuda.local.array(N_CLASSES, real), cuda.local.array(N_CLASSES, real)
    for j in range(N_CLASSES):
        row[j] = raw[i, j]
    if FOCAL_LINK:
        softmax_margins(row, margin)
        for j in range(N_CLASSES):
            row[j] = log_odds(margin[j], gamma[j]) - log_weight[j]
    softmax_margins(row, margin)
    for j in range(N_CLASSES):
        p, _, _, _ = sigmoids(margin[j])
        out[i, j] = p
