"""Loops over rows of two classes (floor 1).

Plain Python, which ``skfocal._kernels.cpu`` compiles in two precisions; names with an
underscore are inlined. ``start`` and ``stop`` are the rows to do, of arrays in the forms
that ``skfocal._kernels`` gives them: labels are float32 codes, ``gamma`` and ``weight``
pairs (negative, positive). What is None is left out where the loop is compiled.

Margins go through a buffer that stays in the first-level cache, so that the loop proper
handles numbers of one size and vectorises at full width whatever the arrays hold.
"""

import numpy as np

from skfocal._kernels._elementary import TABLE, integer, real
from skfocal._math import binary_log_odds, binary_margin, loss_gradient_hessian

BLOCK = 512
# Half of the largest number of the precision that is compiled for.
HUGE = 0.5 * np.finfo(np.float64).max


def _rounded(x, half, mask):
    """X with only the bits in ``mask``; ``half`` is half of the last of them."""
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
        # adding and subtracting it rounds to an integer
        whole = (code + TABLE.round_up) - TABLE.round_up
        right = (code >= 0.0) & (code < limit) & (whole == code)
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
    """Loss, gradient and Hessian of each row, those that are asked for.

    False where a label is no code or a weight no weight; what is filled then means nothing.

    The Hessian is bounded from above and raised to ``ratio * |gradient|`` if ``absolute``
    is None; else it is the true one, for True in size alone. It is never below ``floor``.
    Gradient and Hessian are rounded before sample weights multiply.
    """
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
            value, slope, curvature = loss_gradient_hessian(m, g, absolute is not None)
            if absolute is None:
                curvature = max(curvature, -ratio * slope)
            elif absolute:
                curvature = abs(curvature)
            value *= w
            slope = _rounded(w * slope if positive else -w * slope, half, mask)
            curvature = _rounded(w * curvature, half, mask)
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
    for i in range(start, stop):
        out[i] = binary_log_odds(real(raw[i]), gamma[0], gamma[1])


def binary_margin_rows(start, stop, log_odds, out, gamma):
    """The inverse of `binary_log_odds_rows`."""
    for i in range(start, stop):
        out[i] = binary_margin(real(log_odds[i]), gamma[0], gamma[1])
