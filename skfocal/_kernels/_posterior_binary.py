"""Loops over rows of two classes under the posterior link, with the conventions of ``_binary``.

Margins here are log-odds u of the posterior. `binary_rows` has the name and the arguments of
the loop for the focal link, and replaces it. It first solves for the focal margins by Newton's
method, for all rows of a block at once, until the last row has converged. After ``MAX_STEPS``
the scalar solver takes over, which always converges.

`tabulated_rows` is for two classes in single precision. As functions of v, the log-odds of the
weighted posterior, slopes are only multiplied by the class weights. Without them the slope is
one function of v for each pair of gammas. A table of cubics holds this function.
"""

from math import log

import numpy as np

from skfocal._kernels._binary import _are_codes, _are_weights, _copy, _finished, _rounded
from skfocal._kernels._elementary import exp, integer, real
from skfocal._kernels._jit import use_full_width
from skfocal._kernels._multiclass import _deliver
from skfocal._math import binary_log_odds, binary_margin, log_odds_slope, posterior_terms

# The loop of this name in `_binary` is for the focal link.
REPLACES = ("binary_rows",)
BLOCK = 256
MAX_STEPS = 15
# After a Newton step of this size the error is about its square.
SMALL_STEP = 1e-8
LARGEST = 1e300  # stands for an infinite margin

# Pieces of the table in an octave of 1 + |v|, and the bits of a significand after them.
PIECE_BITS = 6
PIECES = 2**PIECE_BITS
PIECE_SHIFT, PIECE_MASK = 23 - PIECE_BITS, 2 ** (23 - PIECE_BITS) - 1
ONE = 127 << 23  # the bits of 1


def _binary_margins(shift, gamma_neg, gamma_pos, u, z):
    """Fill z with the focal margins of log-odds u of the posterior."""
    for i in range(u.size):
        v = max(min(u[i] + shift, LARGEST), -LARGEST)
        z[i] = v / (1.0 + (gamma_pos if v > 0.0 else gamma_neg))
    for _ in range(MAX_STEPS):
        waiting = integer(0)
        for i in range(u.size):
            v = max(min(u[i] + shift, LARGEST), -LARGEST)
            residual = binary_log_odds(z[i], gamma_neg, gamma_pos) - v
            slope = log_odds_slope(z[i], gamma_pos) + log_odds_slope(-z[i], gamma_neg)
            step = residual / slope
            z[i] -= step
            waiting += integer(1 if abs(step) > SMALL_STEP * (1.0 + abs(z[i])) else 0)
        if waiting == 0:
            return
    for i in range(u.size):
        v = max(min(u[i] + shift, LARGEST), -LARGEST)
        z[i] = binary_margin(v, gamma_neg, gamma_pos)


def binary_rows(
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
):
    """Fill loss, gradient and expected Hessian of each row; see `_binary.binary_rows`."""
    use_full_width()
    if not _are_codes(y_true[start:stop], 2):
        return False
    gamma_neg, gamma_pos = real(gamma[0]), real(gamma[1])
    weight_neg, weight_pos = real(weight[0]), real(weight[1])
    ratio, floor = real(ratio), real(floor)
    shift = log(weight_pos) - log(weight_neg)
    u, z = np.zeros(BLOCK, real), np.zeros(BLOCK, real)
    work = np.empty((3, BLOCK), real)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        if not _are_weights(sample_weight, first, last):
            return False
        y = y_true[first:last]
        rows = None if sample_weight is None else sample_weight[first:last]
        _copy(raw[first:last], u)
        _binary_margins(shift, gamma_neg, gamma_pos, u, z)
        for i in range(y.size):
            positive = y[i] > 0.5
            m = z[i] if positive else -z[i]
            own = gamma_pos if positive else gamma_neg
            other = gamma_neg if positive else gamma_pos
            w = weight_pos if positive else weight_neg
            terms = posterior_terms(m, u[i] if positive else -u[i], own, other)
            value, slope, curvature = _finished(terms, positive, w, None, ratio, half, mask)
            work[0, i] = value
            work[1, i] = slope
            work[2, i] = curvature
        if loss_out is not None:
            _deliver(work, 0, rows, None, loss_out[first:last])
        if gradient_out is not None:
            _deliver(work, 1, rows, None, gradient_out[first:last])
        if hessian_out is not None:
            _deliver(work, 2, rows, floor, hessian_out[first:last])
    return True


def _find_pieces(log_odds, largest, before, after, piece, position):
    """Fill ``piece`` with rows of the table, and ``position`` with positions in the pieces.

    ``before`` and ``after`` are the numbers to subtract for log-odds below and above 0.
    """
    for i in range(BLOCK):
        v = log_odds[i]
        x = abs(v) + 1.0
        x = x if x < largest else largest  # NaN becomes this too
        bits = integer(real(x).view(integer))
        piece[i] = integer(bits >> PIECE_SHIFT) - (before if v < 0.0 else after)
        local = integer((bits & PIECE_MASK) << PIECE_BITS) | ONE
        position[i] = real(integer(local).view(real)) - 1.5


def _shifted(raw, shift, log_odds):
    for i in range(raw.size):
        log_odds[i] = raw[i] + shift


def tabulated_rows(
    start,
    stop,
    y_true,
    raw,
    sample_weight,
    gradient_out,
    hessian_out,
    table,
    weight,
    shift,
    ratio,
    floor,
    half,
    mask,
):
    """Fill gradient and expected Hessian of each row, from a table of the slope.

    ``table`` has the coefficients (n, 4) of cubics in the position within a piece. The first
    half of the n pieces is for v < 0, the second half for v > 0. The cubics give the slope of
    the class that v makes less likely. The slope of the other class is exp(-|v|) times as
    large. ``shift`` is the logarithm of the class weights' ratio.
    """
    use_full_width()
    if not _are_codes(y_true[start:stop], 2):
        return False
    weight_neg, weight_pos = real(weight[0]), real(weight[1])
    ratio, floor = real(ratio), real(floor)
    half_size = len(table) // 2
    largest = real(2.0 ** (half_size // PIECES) * 0.9999)
    before, after = integer(127 * PIECES), integer(127 * PIECES - half_size)
    log_odds, position = np.zeros(BLOCK, real), np.empty(BLOCK, real)
    piece, row_weight = np.empty(BLOCK, np.uint32), np.empty(BLOCK, real)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        if not _are_weights(sample_weight, first, last):
            return False
        _shifted(raw[first:last], shift, log_odds)
        if sample_weight is not None:
            _copy(sample_weight[first:last], row_weight)
        y = y_true[first:last]
        gradient, hessian = gradient_out[first:last], hessian_out[first:last]
        _find_pieces(log_odds, largest, before, after, piece, position)
        for i in range(BLOCK):
            k, x = piece[i], position[i]
            position[i] = ((table[k, 0] * x + table[k, 1]) * x + table[k, 2]) * x + table[k, 3]
        for i in range(last - first):
            v, against = log_odds[i], position[i]
            positive, below = y[i] > 0.5, v < 0.0
            e = exp(-abs(v))
            wrong = (below == positive) & (e <= 1.0)
            slope = against if wrong else against * e
            w = weight_pos if positive else weight_neg
            near = weight_pos if below else weight_neg
            far = weight_neg if below else weight_pos
            h = max(against * near * (far * e / (near + far * e)), ratio * w * slope)
            g = _rounded(-w * slope if positive else w * slope, half, mask)
            h = _rounded(h, half, mask)
            if sample_weight is not None:
                g *= row_weight[i]
                h *= row_weight[i]
            gradient[i] = g
            hessian[i] = max(h, floor)
    return True
