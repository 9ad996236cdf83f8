"""The positive matrix of a Newton step, of shape (p, m, p, m): it is made block by block (floor 4).

p is the number of rows of theta and m the number of its columns; see `LinearProblem`.
"""

from typing import Any

import numpy as np
from scipy import sparse

from skfocal._kernels import Array
from skfocal.linear_model._blocks import add_gradient, weighted_with_ones
from skfocal.losses import FocalLoss, MulticlassFocalLoss

Rows = tuple[Array, Array, Array | None]
"""Class codes, margins and sample weights of a block's rows."""


def add_block(
    loss: FocalLoss, block: Any, rows: Rows, fit_intercept: bool, gradient: Array, matrix: Array
) -> float:
    """Add a block's gradient and matrix; returns the sum of its losses."""
    if isinstance(loss, MulticlassFocalLoss):
        return _add_multiclass(loss, block, rows, fit_intercept, gradient, matrix)
    return _add_binary(loss, block, rows, fit_intercept, gradient, matrix)


def _add_binary(
    loss: FocalLoss, block: Any, rows: Rows, fit_intercept: bool, gradient: Array, matrix: Array
) -> float:
    """Rows add x x' times the Hessian of their loss."""
    losses, slopes, curvatures = loss.loss_gradient_hessian(*rows)
    add_gradient(block, slopes, fit_intercept, gradient)
    # a matrix times its own transpose: NumPy calls syrk, which does half of the work
    scaled = weighted_with_ones(block, np.sqrt(curvatures), fit_intercept)
    matrix[:, 0, :, 0] += _dense(scaled.T @ scaled)
    return float(losses.sum())


def _add_multiclass(
    loss: MulticlassFocalLoss,
    block: Any,
    rows: Rows,
    fit_intercept: bool,
    gradient: Array,
    matrix: Array,
) -> float:
    """Rows add x x' times curvature d d' + slope (diag(pi) - pi pi'), see (M6)."""
    losses, slopes, slope, curvature, share = loss.full_hessian_bound(*rows)
    add_gradient(block, slopes, fit_intercept, gradient)
    direction = -share
    direction[np.arange(len(share)), rows[0].astype(np.intp)] += 1.0
    with_ones = weighted_with_ones(block, np.ones(len(share)), fit_intercept)
    for j in range(loss.n_classes):
        for k in range(j + 1):
            pair = curvature * direction[:, j] * direction[:, k]
            pair -= slope * share[:, j] * (share[:, k] - (j == k))
            gram = _dense(with_ones.T @ weighted_with_ones(block, pair, fit_intercept))
            matrix[:, j, :, k] += gram
            if j != k:
                matrix[:, k, :, j] += gram
    return float(losses.sum())


def _dense(matrix: Any) -> Array:
    dense: Array = matrix.toarray() if sparse.issparse(matrix) else matrix
    return dense


def make_definite(matrix: Array, first: int) -> None:
    """Make the matrix definite along shifts of all classes by one vector, in place.

    The softmax does not see these shifts. An L2 penalty holds them at 0, where solvers start, but
    weakly. The gradient has no part along them, so this changes no step. An L1 penalty does see
    such shifts of coefficients. Only the rows of theta from ``first`` on are treated.
    """
    for i in range(first, len(matrix)):
        own = matrix[i, :, i, :]
        own += np.trace(own) / matrix.shape[1] ** 2


def center_matrix(matrix: Array, center: Array) -> None:
    """Turn the matrix of X and 1 into that of X - center and 1, in place."""
    for j in range(matrix.shape[1]):
        for k in range(matrix.shape[1]):
            part = matrix[:, j, :, k]
            part[:-1] -= np.outer(center, part[-1])
            part[:, :-1] -= np.outer(part[:, -1], center)
