"""The step of proximal Newton: the minimum of a quadratic model and the penalty (floor 4.2)."""

import numpy as np

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal._linear_problem import LinearProblem
from skfocal._scaling import sampled_matrix

# Sweeps over the coordinates of one model, and the part of the decrease at which they end.
_MAX_SWEEPS, _PART = 1000, 1e-3


def proximal_step(
    problem: LinearProblem, theta: Array, gradient: Array, n_rows: int
) -> tuple[Array, float]:
    """The step to the minimum of the model, and the decrease of the objective there.

    The model has the matrix of about ``n_rows`` rows. It moves the coefficients that are not
    0 or should not be.
    """
    p = problem.X.shape[1]
    moving = _violates(problem, theta, gradient) | (theta[:p] != 0).any(axis=1)
    columns = np.flatnonzero(moving)
    rows_of_theta = np.r_[columns, np.arange(p, len(theta))]
    part, slope = theta[rows_of_theta], gradient[rows_of_theta]
    matrix = sampled_matrix(problem.some_columns(columns), part, n_rows)
    matrix = matrix.reshape(part.size, part.size)
    l1 = np.zeros_like(part)
    l1[: len(columns)] = problem.l1
    minimum = _kernels.descend(
        matrix, slope.ravel(), l1.ravel(), part.ravel(), _PART, _MAX_SWEEPS
    ).reshape(part.shape)
    if part.shape[1] > 1 and problem.l1 == 0:
        # coordinate descent creeps along shifts of all classes, which the loss does not see
        minimum -= minimum.mean(axis=1, keepdims=True)
    move = minimum - part
    change = float((slope * move).sum()) + 0.5 * float(move.ravel() @ matrix @ move.ravel())
    change += float((l1 * (np.abs(minimum) - np.abs(part))).sum())
    step = np.zeros_like(theta)
    step[rows_of_theta] = move
    return step, max(-change, 0.0)


def _violates(problem: LinearProblem, theta: Array, gradient: Array) -> Array:
    """Columns with a coefficient of 0 whose slope the L1 penalty does not balance."""
    p = problem.X.shape[1]
    steep: Array = ((theta[:p] == 0) & (np.abs(gradient[:p]) > problem.l1)).any(axis=1)
    return steep
