"""Loops over rows of two classes.

This is plain Python, which ``skfocal._kernels.cpu`` compiles in two precisions. Functions with
an underscore are inlined. A loop computes the rows from ``start`` to ``stop``. Its arrays have
the forms of `_forms`: labels are float32 codes; ``gamma`` and ``weight`` are pairs (negative,
positive).

An argument may be None. numba then leaves out the code that uses it, but only if it is an
argument of its own. Loops therefore have many arguments, one a line, and may be longer than
other functions.

Margins are copied through a buffer that stays in the first-level cache. The inner loop then
handles numbers of one size, and vectorises at full width whatever the arrays hold.
"""

import numpy as np

from skfocal._kernels._elementary import TABLE, integer, real
from skfocal._kernels._jit import use_full_width
from skfocal._math import binary_log_odds, binary_margin, loss_gradient_hessian

BLOCK = 512
# Half of the largest number of the precision that is compiled for.
HUGE = 0.5 * np.finfo(np.float64).max


def _rounded(x, half, mask):
    """X rounded to the bits in ``mask``; ``half`` is half of the last of these bits."""
    if mask is None:
        return x
    bits = integer(integer(real(x).view(integer) + integer(half)) & integer(mask))
    return real(bits.view(real))


def _copy(values, block):
    for i in range(values.size):
        block[i] = values[i]


def _are_codes(y, n_classes):
    """Whether all labels are integers from 0 to n_classes - 1."""
    limit = real(n_classes)
    wrong = integer(0)
    for i in range(y.size):
        code = real(y[i])
        # to add and subtract this number rounds to an integer
        rounded = (code + TABLE.round_up) - TABLE.round_up
        right = (code >= 0.0) & (code < limit) & (rounded == code)
        wrong = integer(wrong | (0 if right else 1))
    return wrong == 0


def _are_weights(sample_weight, start, stop):
    """Whether the weights of some rows, if there are any, are finite and not negative."""
    if sample_weight is None:
        return True
    wrong = integer(0)
    for w in sample_weight[start:stop]:
        wrong = integer(wrong | (0 if (w >= 0.0) & (w < HUGE) else 1))
    return wrong == 0


def _finished(terms, positive, w, absolute, ratio, half, mask):
    """Loss, gradient and Hessian in the margin, from those in the margin of the row's class."""
    value, slope, curvature = terms
    if absolute is None:
        curvature = max(curvature, -ratio * slope)
    elif absolute:
        curvature = abs(curvature)
    slope = _rounded(w * slope if positive else -w * slope, half, mask)
    return w * value, slope, _rounded(w * curvature, half, mask)


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
    """Fill loss, gradient and Hessian of each row; an output that is None is left out.

    Returns False if a label is no code, or a weight is negative or not finite. The outputs then
    mean nothing.

    If ``absolute`` is None the Hessian is the upper bound (M4), raised to ``ratio * |gradient|``.
    If it is False the Hessian is the true one, if it is True its absolute value. The Hessian is
    never below ``floor``. Gradient and Hessian are rounded before sample weights multiply.
    """
    use_full_width()
    if not _are_codes(y_true[start:stop], 2):
        return False
    gamma_neg, gamma_pos = real(gamma[0]), real(gamma[1])
    weight_neg, weight_pos = real(weight[0]), real(weight[1])
    ratio, floor = real(ratio), real(floor)
    margin = np.empty(BLOCK, real)
    row_weight = np.empty(BLOCK, real)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        if not _are_weights(sample_weight, first, last):
            return False
        _copy(raw[first:last], margin)
        if sample_weight is not None:
            _copy(sample_weight[first:last], row_weight)
        y = y_true[first:last]
        if loss_out is not None:
            loss = loss_out[first:last]
        if gradient_out is not None:
            gradient = gradient_out[first:last]
        if hessian_out is not None:
            hessian = hessian_out[first:last]
        for i in range(last - first):
            positive = y[i] > 0.5
            m = margin[i] if positive else -margin[i]
            g = gamma_pos if positive else gamma_neg
            w = weight_pos if positive else weight_neg
            terms = loss_gradient_hessian(m, g, absolute is not None)
            value, slope, curvature = _finished(terms, positive, w, absolute, ratio, half, mask)
            if sample_weight is not None:
                value *= row_weight[i]
                slope *= row_weight[i]
                curvature *= row_weight[i]
            if loss_out is not None:
                loss[i] = value
            if gradient_out is not None:
                gradient[i] = slope
            if hessian_out is not None:
                hessian[i] = max(curvature, floor)
    return True


def binary_log_odds_rows(start, stop, raw, out, gamma):
    """log(w+ P+ / (w- P-)) of margins."""
    use_full_width()
    for i in range(start, stop):
        out[i] = binary_log_odds(real(raw[i]), gamma[0], gamma[1])


def binary_margin_rows(start, stop, log_odds, out, gamma):
    """The inverse of `binary_log_odds_rows`."""
    for i in range(start, stop):
        out[i] = binary_margin(real(log_odds[i]), gamma[0], gamma[1])
