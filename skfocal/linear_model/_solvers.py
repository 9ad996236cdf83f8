"""The choice among the solvers of the linear model, and where they start (floor 4)."""

import numpy as np

from skfocal._kernels import Array
from skfocal.linear_model._lbfgs import solve_lbfgs
from skfocal.linear_model._newton_cholesky import solve_newton_cholesky
from skfocal.linear_model._problem import LinearProblem
from skfocal.linear_model._prox_newton import solve_prox_newton
from skfocal.linear_model._stopping import Solution, StoppingRule, Watch

SOLVERS = {
    "lbfgs": solve_lbfgs,
    "newton-cholesky": solve_newton_cholesky,
    "prox-newton": solve_prox_newton,
}


def choose_solver(problem: LinearProblem) -> str:
    """The fastest solver for the problem: Newton where its matrix costs next to nothing.

    Milliseconds of Newton and of L-BFGS to tol=1e-6, gamma 2, dense: 1,000 x 20 2.0, 2.4;
    1,000 x 80 9, 8; 20,000 x 5 7, 10; 20,000 x 20 13, 7; 200,000 x 5 55, 36;
    200,000 x 80 609, 224.
    """
    if problem.l1 > 0:
        return "prox-newton"
    return "newton-cholesky" if problem.matrix_is_cheap else "lbfgs"


def starting_point(problem: LinearProblem, last: Array | None) -> tuple[Array, float]:
    """The theta to start from, and the objective of the null model.

    A solver starts from ``last``, or from the null model if there is no ``last`` or if its
    objective is larger.
    """
    known = problem.memory
    theta, null_value = known.null_model(problem) if known else problem.null_model()
    with np.errstate(over="ignore", invalid="ignore"):
        if last is not None and problem.value(last) <= null_value:
            theta = last
    if problem.n_outputs > 1 and problem.l1 == 0:
        # the softmax does not see a common shift, and without it the penalty is smallest
        theta = theta - theta.mean(axis=1, keepdims=True)
    return theta, null_value


def solve(
    problem: LinearProblem,
    solver: str,
    theta: Array,
    null_value: float,
    tol: float,
    max_iter: int,
    watch: Watch,
) -> Solution:
    """Minimise the objective from the theta of `starting_point`.

    Raises
    ------
    ValueError
        If columns of X are so large that their squares overflow.
    """
    if (problem.codes == problem.codes[0]).all():
        return Solution(theta, 0, None)  # all rows have one class: a constant
    rule = StoppingRule(tol, null_value, problem.rounding)
    with np.errstate(over="ignore", invalid="ignore"):  # `refuse_overflow` names the reason
        return SOLVERS[solver](problem, theta, rule, max_iter, watch)
