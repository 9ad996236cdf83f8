"""Loops over rows of a sparse matrix in CSR form, with the conventions of ``_binary``.

One pass over the matrix gives loss and gradient. Margins, losses and gradients of a block of
rows are kept in buffers. The entries of the block are read a second time while they are still
in the cache.
"""

import numpy as np

from skfocal._kernels._binary import binary_rows
from skfocal._kernels._elementary import real
from skfocal._kernels._multiclass import multiclass_rows

BLOCK = 512


def csr_binary_rows(
    start,
    stop,
    data,
    indices,
    indptr,
    coef,
    intercept,
    y_true,
    sample_weight,
    gamma,
    weight,
    gradient,
):
    """Return the sum of losses; add the gradient in coefficients and (last) intercept."""
    raw = np.zeros(BLOCK, real)
    loss = np.empty(BLOCK, real)
    slope = np.empty(BLOCK, real)
    options = None, 0.0, -np.inf, None, None
    total = 0.0
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        size = last - first
        for i in range(size):
            margin = intercept[0]
            for k in range(indptr[first + i], indptr[first + i + 1]):
                margin += data[k] * coef[indices[k], 0]
            raw[i] = margin
        y = y_true[first:last]
        rows = None if sample_weight is None else sample_weight[first:last]
        binary_rows(0, size, y, raw, rows, loss, slope, None, gamma, weight, *options)
        for i in range(size):
            total += loss[i]
            gradient[-1, 0] += slope[i]
            for k in range(indptr[first + i], indptr[first + i + 1]):
                gradient[indices[k], 0] += data[k] * slope[i]
    return total


def csr_multiclass_rows(
    start,
    stop,
    data,
    indices,
    indptr,
    coef,
    intercept,
    y_true,
    sample_weight,
    gamma,
    weight,
    gradient,
):
    """Return the sum of losses; add the gradient in coefficients and (last) intercepts."""
    n_classes = coef.shape[1]
    raw = np.zeros((BLOCK, n_classes), real)
    loss = np.empty(BLOCK, real)
    slope = np.empty((BLOCK, n_classes), real)
    options = None, 0.0, -np.inf, None, None, 1.0
    total = 0.0
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        size = last - first
        for i in range(size):
            for j in range(n_classes):
                raw[i, j] = intercept[j]
            for k in range(indptr[first + i], indptr[first + i + 1]):
                row = coef[indices[k]]
                for j in range(n_classes):
                    raw[i, j] += data[k] * row[j]
        y = y_true[first:last]
        rows = None if sample_weight is None else sample_weight[first:last]
        multiclass_rows(0, size, y, raw, rows, loss, slope, None, gamma, weight, *options)
        for i in range(size):
            total += loss[i]
            for j in range(n_classes):
                gradient[-1, j] += slope[i, j]
            for k in range(indptr[first + i], indptr[first + i + 1]):
                row = gradient[indices[k]]
                for j in range(n_classes):
                    row[j] += data[k] * slope[i, j]
    return total
