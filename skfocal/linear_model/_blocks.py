"""Rows of X in blocks, and the columns that are centred (floor 4).

A dense X is read in blocks of rows that fit into a cache. Each evaluation of the objective reads
X once: margins, losses, gradient and, for Newton's method, the matrix are made of a block while
it is in the cache.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skfocal._kernels import Array

# A block of a dense X has about so many numbers, 2 MB of doubles. These are the limits of its rows.
_BLOCK, _MIN_ROWS, _MAX_ROWS = 2**18, 512, 8192
# For two classes an X with so many numbers or fewer, 4 MB of doubles, is one block: calls for each
# block would cost more than the cache saves. For more classes Newton's matrix reads a block often.
_WHOLE = 2**19
# A column is centred where its mean is more than this many standard deviations away from 0.
_FAR = 10.0
# Means and standard deviations are estimated from about so many rows. The center of a column
# need not be its exact mean.
_ROWS_FOR_CENTER = 1000


class Columns:
    """Some columns of a dense X. They are copied one block of rows at a time."""

    def __init__(self, X: Array, columns: npt.NDArray[Any]) -> None:
        self.X, self.columns = X, columns
        self.shape, self.dtype = (X.shape[0], len(columns)), X.dtype

    def __getitem__(self, rows: slice) -> Array:
        return self.X[rows][:, self.columns]


def row_slices(X: Any, n_outputs: int) -> Iterator[slice]:
    """The rows of each block of X, for a theta of so many columns."""
    size = min(max(_BLOCK // max(X.shape[1], 1), _MIN_ROWS), _MAX_ROWS)
    if sparse.issparse(X):
        size = 100 * _MAX_ROWS
    elif n_outputs == 1 and X.shape[0] * X.shape[1] <= _WHOLE:
        size = max(X.shape[0], 1)
    for first in range(0, X.shape[0], size):
        yield slice(first, first + size)


def centred(block: Array, center: Array) -> Array:
    """A dense block less the center of each column, in the precision of the block."""
    # The difference is taken in double: a float32 number far from 0 has few digits left.
    return (block - center).astype(block.dtype, copy=False)


def center_of(X: Any) -> Array | None:
    """What is subtracted from the columns that are far from 0; None where there are none."""
    rows = X[:: max(1, X.shape[0] // _ROWS_FOR_CENTER)].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # `refuse_overflow` names such columns
        mean = np.asarray(rows.mean(axis=0)).ravel()
        if sparse.issparse(rows):
            squares = np.asarray(rows.multiply(rows).mean(axis=0)).ravel()
            deviation = np.sqrt(np.maximum(squares - mean**2, 0.0))
        else:
            deviation = rows.std(axis=0)
        far = np.abs(mean) > _FAR * deviation
    return np.where(far, mean, 0.0) if far.any() else None


def margins(X: Any, theta: Array, fit_intercept: bool) -> Array:
    """X coef + intercept in double precision, of shape (n,) where theta has one column."""
    p = X.shape[1]
    raw = np.asarray(X @ theta[:p].astype(X.dtype, copy=False), dtype=np.float64)
    if fit_intercept:
        raw = raw + theta[p]
    return raw[:, 0] if theta.shape[1] == 1 else raw


def add_gradient(block: Any, slopes: Array, fit_intercept: bool, gradient: Array) -> None:
    """Add the gradient of a block in theta; ``slopes`` is its gradient in the margins."""
    slopes = slopes.reshape(len(slopes), -1)
    p = block.shape[1]
    gradient[:p] += block.T @ slopes.astype(block.dtype, copy=False)
    if fit_intercept:
        gradient[p] += slopes.sum(axis=0)


def weighted_with_ones(block: Any, weight: Array, fit_intercept: bool) -> Any:
    """Diag(weight) [X 1] of a block; the column of ones is there for an intercept."""
    if sparse.issparse(block):
        parts = [sparse.diags_array(weight) @ block]
        if fit_intercept:
            parts.append(sparse.csr_array(weight[:, np.newaxis]))
        return sparse.hstack(parts, format="csr")
    out = np.empty((len(block), block.shape[1] + fit_intercept), block.dtype)
    weight = weight.astype(block.dtype, copy=False)
    np.multiply(block, weight[:, np.newaxis], out=out[:, : block.shape[1]])
    if fit_intercept:
        out[:, -1] = weight
    return out
