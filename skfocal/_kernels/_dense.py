"""A loop over rows of a dense matrix in C order, with the conventions of ``_binary``.

As in ``_sparse``, one pass gives loss and gradient. A block of rows is read a second time while
it is still in the cache. BLAS would need two calls for each block: threads that fit other rows
would wait for Python's lock between them, and some versions of BLAS let them wait within.
"""

import numpy as np

from skfocal._kernels._binary import binary_rows
from skfocal._kernels._elementary import real
from skfocal._kernels._jit import use_full_width

# Rows of a block: as many as BLOCK, but not more numbers than NUMBERS, unless FEWEST have more.
BLOCK, NUMBERS, FEWEST = 512, 2**16, 64
# The order of the terms of these sums is free, which lets them vectorise.
REASSOCIATED = ("_dot",)


def _dot(row, coef):
    total = 0.0
    for j in range(coef.size):
        total += row[j] * coef[j]
    return total


def _add_rows(X, first, size, weight, gradient):
    """Add rows times their weights, four at a time: ``gradient`` is then read less often."""
    p = X.shape[1]
    last = size - size % 4
    for i in range(0, last, 4):
        a, b, c, d = weight[i], weight[i + 1], weight[i + 2], weight[i + 3]
        k = first + i
        for j in range(p):
            gradient[j] += (a * X[k, j] + b * X[k + 1, j]) + (c * X[k + 2, j] + d * X[k + 3, j])
    for i in range(last, size):
        for j in range(p):
            gradient[j] += weight[i] * X[first + i, j]


def dense_binary_rows(
    start, stop, X, coef, intercept, y_true, sample_weight, gamma, weight, gradient
):
    """Return the sum of losses; add the gradient in coefficients and (last) intercept."""
    use_full_width()
    block = min(BLOCK, max(FEWEST, NUMBERS // max(X.shape[1], 1)))
    raw = np.zeros(block, real)
    loss = np.empty(block, real)
    slope = np.empty(block, real)
    part = np.empty(X.shape[1] + 1, real)
    options = None, 0.0, -np.inf, None, None
    total = 0.0
    for first in range(start, stop, block):
        last = min(first + block, stop)
        size = last - first
        for i in range(size):
            raw[i] = intercept + _dot(X[first + i], coef)
        y = y_true[first:last]
        rows = None if sample_weight is None else sample_weight[first:last]
        binary_rows(0, size, y, raw, rows, loss, slope, None, gamma, weight, *options)
        # sums of sums of blocks: few roundings on the way of each number
        losses = 0.0
        for j in range(part.size):
            part[j] = 0.0
        for i in range(size):
            losses += loss[i]
            part[-1] += slope[i]
        _add_rows(X, first, size, slope, part)
        total += losses
        for j in range(part.size):
            gradient[j] += part[j]
    return total
