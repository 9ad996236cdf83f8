"""The solver "newton-cholesky": damped Newton with a line search (floor 4)."""

import numpy as np

from skfocal._kernels import Array
from skfocal.linear_model._problem import LinearProblem
from skfocal.linear_model._scaling import scaled_solve
from skfocal.linear_model._stopping import (
    NO_DECREASE,
    Solution,
    StoppingRule,
    Watch,
    out_of_iterations,
)


def solve_newton_cholesky(
    problem: LinearProblem, theta: Array, rule: StoppingRule, max_iter: int, watch: Watch
) -> Solution:
    """Damped Newton on the matrix of `LinearProblem.newton_terms`, with an Armijo line search."""
    value, gradient, matrix = problem.newton_terms(theta)
    problem.refuse_overflow(gradient, matrix)
    before = np.inf
    for n_iter in range(max_iter + 1):
        step, gap = scaled_solve(matrix, gradient)
        if rule.hidden(gap, before, value) or rule.reached(gap, value):
            return Solution(theta, n_iter, None)
        if n_iter == max_iter:
            break
        before = gap
        slope = float((step * gradient).sum())
        moved = _line_search(problem, theta, value, step, slope, rule.invisible(value))
        if moved is None:
            return Solution(theta, n_iter, NO_DECREASE)
        theta, value, gradient, matrix = moved
        if watch(theta):
            return Solution(theta, n_iter + 1, None)
    return Solution(theta, max_iter, out_of_iterations(max_iter))


def _line_search(
    problem: LinearProblem, theta: Array, value: float, step: Array, slope: float, noise: float
) -> tuple[Array, float, Array, Array] | None:
    """The first of the steps 1, 1/2, 1/4, ... that satisfies Armijo's condition.

    Returns the new theta and its `LinearProblem.newton_terms`. The full step nearly always
    satisfies the condition. Its objective, gradient and matrix are therefore computed together,
    in one pass over X. ``noise`` is what rounding may add to the difference of two objectives.
    """

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
