"""The step of proximal Newton: the minimum of a quadratic model plus the penalty (floor 4)."""

import numpy as np

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal.linear_model._problem import LinearProblem
from skfocal.linear_model._scaling import sampled_matrix, scaled_solve

# Coordinate descent on a model ends after a sweep that adds at most this part of the decrease, or
# after so many sweeps. Then the coordinates that are not 0 are solved for together. Both are
# repeated for at most so many turns.
_PART, _MAX_SWEEPS, _MAX_TURNS = 1e-3, 30, 30


class QuadraticModel:
    """A quadratic model of the objective near a theta, with the matrix of about ``n_rows`` rows.

    Its steps move the coefficients that are not 0 there, or should not be 0.
    """

    def __init__(self, problem: LinearProblem, theta: Array, gradient: Array, n_rows: int) -> None:
        p = problem.X.shape[1]
        self.problem = problem
        self.moving = _violates(problem, theta, gradient) | (theta[:p] != 0).any(axis=1)
        columns = np.flatnonzero(self.moving)
        self.rows = np.r_[columns, np.arange(p, len(theta))]
        shape = (len(self.rows), problem.n_outputs)
        matrix = sampled_matrix(problem, theta[self.rows], n_rows, columns)
        n = shape[0] * shape[1]  # 0 where no coefficient moves and there is no intercept
        self.matrix = matrix.reshape(n, n)
        self.l1 = np.zeros(shape)
        self.l1[: len(columns)] = problem.l1

    def covers(self, theta: Array, gradient: Array) -> bool:
        """Whether its steps move all coefficients that should move at another theta."""
        return not (_violates(self.problem, theta, gradient) & ~self.moving).any()

    def step(self, theta: Array, gradient: Array, *, exact: bool = False) -> tuple[Array, float]:
        """The step to the minimum of the model, and the decrease that the model promises."""
        part, slope, l1 = theta[self.rows], gradient[self.rows], self.l1
        flat = minimum_of_model(self.matrix, slope.ravel(), l1.ravel(), part.ravel(), exact=exact)
        minimum = flat.reshape(part.shape)
        if part.shape[1] > 1 and self.problem.l1 == 0:
            # coordinate descent is slow along shifts of all classes, which the loss does not see
            minimum -= minimum.mean(axis=1, keepdims=True)
        move = minimum - part
        change = float((slope * move).sum())
        change += 0.5 * float(move.ravel() @ self.matrix @ move.ravel())
        change += float((l1 * (np.abs(minimum) - np.abs(part))).sum())
        step = np.zeros_like(theta)
        step[self.rows] = move
        return step, max(-change, 0.0)


def minimum_of_model(
    matrix: Array, gradient: Array, l1: Array, start: Array, *, exact: bool = True
) -> Array:
    """The minimum over t of g'(t - start) + (t - start)'H(t - start) / 2 + sum(l1 |t|).

    Where columns are nearly the same, coordinate descent is slow, and its last sweeps say
    little about the decrease that is left. Where that matters, ask for ``exact``.
    """
    linear = gradient - matrix @ start

    def value(theta: Array) -> float:
        return float(theta @ (linear + 0.5 * (matrix @ theta)) + l1 @ np.abs(theta))

    theta, values = start, [value(start)]
    for _ in range(_MAX_TURNS):
        slope = linear + matrix @ theta
        theta, sweeps = _kernels.descend(matrix, slope, l1, theta, _PART, _MAX_SWEEPS)
        if sweeps < _MAX_SWEEPS and not exact:
            break
        values.append(value(theta))
        theta = _solved_together(matrix, linear, l1, theta)
        values.append(value(theta))
        little = _PART * (values[0] - values[-1])
        by_sweeps, together = values[-3] - values[-2], values[-2] - values[-1]
        if together <= little and (sweeps < _MAX_SWEEPS or by_sweeps <= little):
            break
    return theta


def _solved_together(matrix: Array, linear: Array, l1: Array, theta: Array) -> Array:
    """Move theta to the minimum among points with the same signs and the same zeros.

    A coordinate that reaches 0 on the way stays there, and the others go on without it.
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
