"""Solvers of the linear model: L-BFGS, damped and proximal Newton (floor 4.25)."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize
from sklearn.exceptions import ConvergenceWarning

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal._linear_problem import LinearProblem


@dataclass(frozen=True)
class Solution:
    """Where a solver stopped."""

    theta: Array
    n_iter: int
    message: str | None
    """Why it is not the optimum, None if it is one to the tolerance."""


# Rows to a variable in the sample that a matrix is made from.
_ROWS_TO_VARIABLE = 20
# More variables than this are scaled one by one, not by a factor of the matrix.
_MAX_FACTOR = 2000
# Of coordinate descent on one quadratic model.
_MAX_SWEEPS = 1000

Watch = Callable[[Array], bool]
"""Sees theta after an iteration; whether to stop there."""


class _Diagonal:
    """Variables scaled by the curvature at the start."""

    def __init__(self, problem: LinearProblem, theta: Array) -> None:
        self.unit = 1.0 / np.sqrt(problem.curvature(theta))
        self.unit[~np.isfinite(self.unit)] = 1.0  # columns of zeros without a penalty

    def to_variables(self, theta: Array) -> Array:
        return (theta / self.unit).ravel()

    def to_theta(self, variables: Array) -> Array:
        return variables.reshape(self.unit.shape) * self.unit

    def to_gradient(self, gradient: Array) -> Array:
        return (gradient * self.unit).ravel()


class _Cholesky:
    """Variables L' theta, where L L' is Newton's matrix of some rows at the start."""

    def __init__(self, problem: LinearProblem, theta: Array) -> None:
        _, _, matrix = problem.some_rows(_ROWS_TO_VARIABLE * theta.size).newton_terms(theta)
        matrix = matrix.reshape(theta.size, theta.size)
        self.shape, self.factor = theta.shape, linalg.cholesky(matrix, lower=True)

    def to_variables(self, theta: Array) -> Array:
        variables: Array = self.factor.T @ theta.ravel()
        return variables

    def to_theta(self, variables: Array) -> Array:
        flat: Array = linalg.solve_triangular(self.factor, variables, trans="T", lower=True)
        return flat.reshape(self.shape)

    def to_gradient(self, gradient: Array) -> Array:
        own: Array = linalg.solve_triangular(self.factor, gradient.ravel(), lower=True)
        return own


def _scaling(problem: LinearProblem, theta: Array) -> _Diagonal | _Cholesky:
    if theta.size <= _MAX_FACTOR:
        with suppress(linalg.LinAlgError, ValueError):  # singular, or not finite
            return _Cholesky(problem, theta)
    return _Diagonal(problem, theta)


def solve_lbfgs(
    problem: LinearProblem, theta: Array, tol: float, max_iter: int, watch: Watch
) -> Solution:
    """SciPy's L-BFGS-B, stopped where no component of the gradient exceeds ``tol``.

    In variables in which the Hessian at the start is near to the identity, made from a
    sample of the rows: that takes a fraction of the iterations.
    """
    value, last = problem.value_gradient(theta)
    first: tuple[float, Array] | None = value, last
    if np.abs(last).max() <= tol:
        return Solution(theta, 0, None)
    scaling = _scaling(problem, theta)
    stopped = False

    def function(variables: Array) -> tuple[float, Array]:
        nonlocal first, last
        # L-BFGS-B begins where we have been
        value, last = first or problem.value_gradient(scaling.to_theta(variables))
        first = None
        return value, scaling.to_gradient(last)

    def after_iteration(variables: Array) -> None:
        nonlocal stopped
        stopped = watch(scaling.to_theta(variables)) or bool(np.abs(last).max() <= tol)
        if stopped:
            raise StopIteration

    result = optimize.minimize(
        function,
        scaling.to_variables(theta),
        method="L-BFGS-B",
        jac=True,
        callback=after_iteration,
        options={
            "maxiter": max_iter,
            "maxls": 50,
            "gtol": 0.0,
            "ftol": 8 * np.finfo(np.float64).eps,
        },
    )
    message = None if result.success or stopped else str(result.message)
    return Solution(scaling.to_theta(result.x), min(result.nit, max_iter), message)


def solve_newton_cholesky(
    problem: LinearProblem, theta: Array, tol: float, max_iter: int, watch: Watch
) -> Solution:
    """Damped Newton on the positive matrix of `newton_terms`, with an Armijo line search.

    Stops where no component of the gradient exceeds ``tol`` and the decrease that the
    quadratic model promises is at most ``tol``.
    """
    value, gradient, matrix = problem.newton_terms(theta)
    for n_iter in range(max_iter + 1):
        step = _newton_step(matrix, gradient)
        slope = float((step * gradient).sum())
        # no objective of this size can show a decrease that is smaller still
        invisible = -slope <= 4 * np.finfo(np.float64).eps * abs(value)
        if invisible or (np.abs(gradient).max() <= tol and -0.5 * slope <= tol):
            return Solution(theta, n_iter, None)
        if n_iter == max_iter:
            break
        moved = _line_search(problem, theta, value, step, slope)
        if moved is None:
            return Solution(theta, n_iter, "the line search found no decrease")
        theta, value, gradient, matrix = moved
        if watch(theta):
            return Solution(theta, n_iter + 1, None)
    return Solution(theta, max_iter, f"it reached max_iter={max_iter}")


def _newton_step(matrix: Array, gradient: Array) -> Array:
    """Solve for the step; where the matrix is singular, the shortest one."""
    size = gradient.size
    matrix, right = matrix.reshape(size, size), -gradient.ravel()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", linalg.LinAlgWarning)
            step: Array = linalg.solve(matrix, right, assume_a="pos")
    except (linalg.LinAlgError, linalg.LinAlgWarning):
        step = linalg.lstsq(matrix, right)[0]
    return step.reshape(gradient.shape)


def _line_search(
    problem: LinearProblem, theta: Array, value: float, step: Array, slope: float
) -> tuple[Array, float, Array, Array] | None:
    """The first of the steps 1, 1/2, 1/4, ... that satisfies Armijo's condition.

    Returns the new theta and its `LinearProblem.newton_terms`. The whole step nearly always
    does: it is tried with all of them at once, in one pass over X.
    """
    # the decrease is the difference of two sums that are only known to this
    noise = 16 * np.finfo(np.float64).eps * abs(value)

    def enough(new_value: float, length: float) -> bool:
        return bool(new_value <= value + 1e-4 * length * slope + noise)

    terms = problem.newton_terms(theta + step)
    if enough(terms[0], 1.0):
        return theta + step, *terms
    for halvings in range(1, 40):
        length = 0.5**halvings
        if enough(problem.value(theta + length * step), length):
            return theta + length * step, *problem.newton_terms(theta + length * step)
    return None


def solve_prox_newton(
    problem: LinearProblem, theta: Array, tol: float, max_iter: int, watch: Watch
) -> Solution:
    """Proximal Newton for the elastic net: coordinate descent on quadratic models.

    A model takes the gradient from all rows and the matrix from a sample of them, which
    grows where progress is slow; it moves the coefficients that are not 0 or should not
    be. Stops where no component of the gradient is further than ``tol`` from what the
    penalty balances.
    """
    n_rows = _ROWS_TO_VARIABLE * theta.size
    value, gradient = problem.value_gradient(theta)
    before = np.inf
    for n_iter in range(max_iter + 1):
        violation = _violation(problem, theta, gradient)
        worst = float(np.max(violation))
        if worst <= tol:
            return Solution(theta, n_iter, None)
        if n_iter == max_iter:
            break
        if worst > 0.3 * before:
            n_rows *= 4
        before = worst
        moved = _proximal_step(problem, theta, value, gradient, violation, n_rows)
        if moved is None and n_rows < problem.X.shape[0]:
            n_rows, moved = problem.X.shape[0], (theta, value, gradient)  # the sample was too small
        if moved is None:
            return Solution(theta, n_iter, "the line search found no decrease")
        theta, value, gradient = moved
        if watch(theta):
            return Solution(theta, n_iter + 1, None)
    return Solution(theta, max_iter, f"it reached max_iter={max_iter}")


def _violation(problem: LinearProblem, theta: Array, gradient: Array) -> Array:
    """Distance of the gradient from what the l1 penalty balances."""
    out = np.abs(gradient)
    p, l1 = problem.X.shape[1], problem.l1
    coef, slope = theta[:p], gradient[:p]
    out[:p] = np.where(coef == 0, np.maximum(out[:p] - l1, 0.0), abs(slope + l1 * np.sign(coef)))
    return out


def _proximal_step(
    problem: LinearProblem,
    theta: Array,
    value: float,
    gradient: Array,
    violation: Array,
    n_rows: int,
) -> tuple[Array, float, Array] | None:
    """The minimum of the quadratic model, shortened until the objective falls."""
    p = problem.X.shape[1]
    columns = np.flatnonzero((violation[:p] > 0).any(axis=1) | theta[:p].any(axis=1))
    rows_of_theta = np.r_[columns, np.arange(p, len(theta))]
    part, slope = theta[rows_of_theta], gradient[rows_of_theta]
    _, _, matrix = problem.some_rows(n_rows).some_columns(columns).newton_terms(part)
    l1 = np.zeros_like(part)
    l1[: len(columns)] = problem.l1
    minimum = _kernels.descend(
        matrix.reshape(part.size, part.size),
        slope.ravel(),
        l1.ravel(),
        part.ravel(),
        0.1 * float(np.max(violation)),
        _MAX_SWEEPS,
    ).reshape(part.shape)
    step = np.zeros_like(theta)
    step[rows_of_theta] = minimum - part
    change = float((gradient * step).sum()) + problem.l1 * float(
        np.abs(theta[:p] + step[:p]).sum() - np.abs(theta[:p]).sum()
    )
    noise = 16 * np.finfo(np.float64).eps * abs(value)
    for halvings in range(40):
        length = 0.5**halvings
        new = theta + length * step
        new_value, new_gradient = problem.value_gradient(new)
        if new_value <= value + 1e-4 * length * change + noise:
            return new, new_value, new_gradient
    return None


SOLVERS = {
    "lbfgs": solve_lbfgs,
    "newton-cholesky": solve_newton_cholesky,
    "prox-newton": solve_prox_newton,
}


def choose_solver(problem: LinearProblem) -> str:
    """The faster of the solvers that can: Newton where its matrix costs next to nothing.

    Milliseconds of Newton and of L-BFGS to tol=1e-6, gamma 2, dense: 1,000 x 20 2.0, 2.4;
    1,000 x 80 9, 8; 20,000 x 5 7, 10; 20,000 x 20 13, 7; 200,000 x 5 55, 36;
    200,000 x 80 609, 224.
    """
    if problem.l1 > 0:
        return "prox-newton"
    size = problem.n_coefficients * problem.n_outputs
    return "newton-cholesky" if problem.X.shape[0] * size**2 <= 3e6 else "lbfgs"


def warn_if_stopped(solver: str, solution: Solution) -> None:
    """Say that the optimum was not reached, and what to do."""
    if solution.message is not None:
        warnings.warn(
            f"{solver} stopped before it converged: {solution.message}. Scale the columns of "
            "X, increase max_iter or tol, or lower C.",
            ConvergenceWarning,
            stacklevel=3,
        )
