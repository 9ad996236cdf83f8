"""The step of proximal Newton: the minimum of a quadratic model and the penalty (floor 4.2)."""

import numpy as np

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal._linear_problem import LinearProblem
from skfocal._scaling import sampled_matrix, scaled_solve

# Coordinate descent on a model ends at this part of the decrease. After so many sweeps it
# creeps: then the coordinates that are not 0 are solved for together, and it goes on.
_PART, _MAX_SWEEPS, _MAX_TURNS = 1e-3, 30, 30


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
    minimum = minimum_of_model(matrix, slope.ravel(), l1.ravel(), part.ravel()).reshape(part.shape)
    if part.shape[1] > 1 and problem.l1 == 0:
        # coordinate descent creeps along shifts of all classes, which the loss does not see
        minimum -= minimum.mean(axis=1, keepdims=True)
    move = minimum - part
    change = float((slope * move).sum()) + 0.5 * float(move.ravel() @ matrix @ move.ravel())
    change += float((l1 * (np.abs(minimum) - np.abs(part))).sum())
    step = np.zeros_like(theta)
    step[rows_of_theta] = move
    return step, max(-change, 0.0)


def minimum_of_model(matrix: Array, gradient: Array, l1: Array, start: Array) -> Array:
    """The minimum over t of g'(t - start) + (t - start)'H(t - start) / 2 + sum(l1 |t|)."""
    theta = start
    for _ in range(_MAX_TURNS):
        slope = gradient + matrix @ (theta - start)
        theta, sweeps = _kernels.descend(matrix, slope, l1, theta, _PART, _MAX_SWEEPS)
        if sweeps < _MAX_SWEEPS:
            break
        theta = _solved_together(matrix, gradient - matrix @ start, l1, theta)
    return theta


def _solved_together(matrix: Array, linear: Array, l1: Array, theta: Array) -> Array:
    """From theta towards the minimum among those of the same signs and zeros.

    A coordinate on whose way 0 lies stops there, and the others go on without it.
    """
    theta = theta.copy()
    for _ in range(len(theta)):
        free = np.flatnonzero((theta != 0) | (l1 == 0))
        own = matrix[np.ix_(free, free)]
        slope = (linear + matrix @ theta + l1 * np.sign(theta))[free]
        move = scaled_solve(own, slope, bounded=True)[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            to_zero = np.where(l1[free] > 0, -theta[free] / move, np.inf)
        length = float(np.min(to_zero, where=to_zero > 0, initial=1.0))
        theta[free] += length * move
        theta[free[(to_zero > 0) & (to_zero <= length)]] = 0.0
        if length == 1.0:
            break
    return theta


def _violates(problem: LinearProblem, theta: Array, gradient: Array) -> Array:
    """Columns with a coefficient of 0 whose slope the L1 penalty does not balance."""
    p = problem.X.shape[1]
    steep: Array = ((theta[:p] == 0) & (np.abs(gradient[:p]) > problem.l1)).any(axis=1)
    return steep
