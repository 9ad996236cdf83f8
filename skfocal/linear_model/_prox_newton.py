"""The solver "prox-newton": proximal Newton for the elastic net (floor 4)."""

import numpy as np

from skfocal._kernels import Array
from skfocal.linear_model._problem import LinearProblem
from skfocal.linear_model._quadratic import QuadraticModel
from skfocal.linear_model._scaling import ROWS_TO_VARIABLE
from skfocal.linear_model._stopping import (
    NO_DECREASE,
    Solution,
    StoppingRule,
    Watch,
    out_of_iterations,
)


def solve_prox_newton(
    problem: LinearProblem, theta: Array, rule: StoppingRule, max_iter: int, watch: Watch
) -> Solution:
    """Proximal Newton for the elastic net: coordinate descent on quadratic models.

    A model takes its gradient from all rows and its matrix from a sample of the rows. The sample
    grows where progress is slow. A step moves the coefficients that are not 0 or should not be 0.
    The gap is the decrease that the model promises.
    """
    n_rows = problem.X.shape[0] if problem.matrix_is_cheap else ROWS_TO_VARIABLE * theta.size
    value, gradient = problem.value_gradient(theta)
    problem.refuse_overflow(gradient)
    before, model = np.inf, None
    for n_iter in range(max_iter + 1):
        # often the last matrix is good enough to see that nothing is left to do
        nearly = model and rule.reached(0.1 * before, value) and model.covers(theta, gradient)
        if model and nearly and rule.reached(model.step(theta, gradient, exact=True)[1], value):
            return Solution(theta, n_iter, None)
        model = QuadraticModel(problem, theta, gradient, n_rows)
        step, gap = model.step(theta, gradient)
        if rule.reached(gap, value) or gap <= rule.invisible(value):
            step, gap = model.step(theta, gradient, exact=True)
        if rule.hidden(gap, before, value) or rule.reached(gap, value):
            return Solution(theta, n_iter, None)
        if n_iter == max_iter:
            break
        if gap > 0.1 * before:
            n_rows *= 4
        before = gap
        moved = _shortened(problem, theta, value, step, -gap, rule.invisible(value))
        if moved is None and n_rows < problem.X.shape[0]:
            n_rows, moved = problem.X.shape[0], (theta, value, gradient)  # the sample was too small
        if moved is None:
            return Solution(theta, n_iter, NO_DECREASE)
        theta, value, gradient = moved
        if watch(theta):
            return Solution(theta, n_iter + 1, None)
    return Solution(theta, max_iter, out_of_iterations(max_iter))


def _shortened(
    problem: LinearProblem, theta: Array, value: float, step: Array, change: float, noise: float
) -> tuple[Array, float, Array] | None:
    """The first of the steps 1, 1/2, 1/4, ... that satisfies Armijo's condition."""
    for halvings in range(40):
        length = 0.5**halvings
        new = theta + length * step
        new_value, new_gradient = problem.value_gradient(new)
        if new_value <= value + 1e-4 * length * change + noise:
            return new, new_value, new_gradient
    return None
