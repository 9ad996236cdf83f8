"""Solvers of the linear model: damped Newton and L-BFGS (floor 4.25)."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, sparse
from sklearn.exceptions import ConvergenceWarning

from skfocal._kernels import Array
from skfocal._linear_problem import LinearProblem

@dataclass(frozen=True)
class Solution:
    """Where a solver stopped."""

    theta: Array
    n_iter: int
    message: str | None
    """Why it is not the optimum, None if it is one to the tolerance."""


Watch = Callable[[Array], bool]
"""Sees theta after an iteration; whether to stop there."""


def solve_lbfgs(
    problem: LinearProblem, theta: Array, tol: float, max_iter: int, watch: Watch
) -> Solution:
    """SciPy's L-BFGS-B, stopped where no component of the gradient exceeds ``tol``.

    In variables scaled by the curvature at the start, which takes a fraction of the
    iterations where columns differ in size or frequency.
    """
    unit = 1.0 / np.sqrt(problem.curvature(theta))
    unit[~np.isfinite(unit)] = 1.0  # columns of zeros without a penalty
    last = np.full(theta.shape, np.inf)
    stopped = False

    def function(flat: Array) -> tuple[float, Array]:
        nonlocal last
        value, last = problem.value_gradient(flat.reshape(theta.shape) * unit)
        return value, (last * unit).ravel()

    def after_iteration(flat: Array) -> None:
        nonlocal stopped
        stopped = watch(flat.reshape(theta.shape) * unit) or np.abs(last).max() <= tol
        if stopped:
            raise StopIteration

    start = (theta / unit).ravel()
    if np.abs(problem.value_gradient(theta)[1]).max() <= tol:
        return Solution(theta, 0, None)
    result = optimize.minimize(
        function,
        start,
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
    return Solution(result.x.reshape(theta.shape) * unit, min(result.nit, max_iter), message)


def solve_newton_cholesky(
    problem: LinearProblem, theta: Array, tol: float, max_iter: int, watch: Watch
) -> Solution:
    """Damped Newton on the upper bound of the Hessian, with an Armijo line search.

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
            step = linalg.solve(matrix, right, assume_a="pos")
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
        return new_value <= value + 1e-4 * length * slope + noise

    terms = problem.newton_terms(theta + step)
    if enough(terms[0], 1.0):
        return theta + step, *terms
    for halvings in range(1, 40):
        length = 0.5**halvings
        if enough(problem.value(theta + length * step), length):
            return theta + length * step, *problem.newton_terms(theta + length * step)
    return None


SOLVERS = {"lbfgs": solve_lbfgs, "newton-cholesky": solve_newton_cholesky}


def choose_solver(problem: LinearProblem) -> str:
    """Newton where its matrix is small beside a pass over X, else L-BFGS."""
    size = problem.n_coefficients * problem.n_outputs
    limit = 100 if sparse.issparse(problem.X) or problem.n_outputs > 1 else 200
    return "newton-cholesky" if size <= limit else "lbfgs"


def warn_if_stopped(solver: str, solution: Solution) -> None:
    """Say that the optimum was not reached, and what to do."""
    if solution.message is not None:
        warnings.warn(
            f"{solver} stopped before it converged: {solution.message}. Scale the columns of "
            "X, increase max_iter or tol, or lower C.",
            ConvergenceWarning,
            stacklevel=3,
        )
