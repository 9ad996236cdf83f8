"""Solvers of the linear model: L-BFGS, damped and proximal Newton (floor 4).

All solvers measure how far the objective is from its minimum in the same way: by the decrease
that a quadratic model of it promises, which does not depend on the scale of the columns. For
a gradient g and a Hessian H this is g' H^-1 g / 2. It is called the gap.
"""

import warnings
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning

from skfocal._classifier._callbacks import callers_level
from skfocal._kernels import Array
from skfocal.linear_model._problem import LinearProblem
from skfocal.linear_model._proximal import QuadraticModel
from skfocal.linear_model._scaling import ROWS_TO_VARIABLE, make_scaling, scaled_solve


@dataclass(frozen=True)
class Solution:
    """Where a solver stopped."""

    theta: Array
    n_iter: int
    message: str | None
    """Why it is not the optimum, None if it is one to the tolerance."""


# Steps that L-BFGS remembers. On a sparse table of 20,000 columns, whose variables are scaled
# one by one, 10 steps took 69 to 93 iterations, 20 took 59 to 64, 40 took 57 to 60.
_MEMORY = 20
_BEYOND_ROUNDING = "rounding hides the rest of the decrease"
Watch = Callable[[Array], bool]
"""Sees theta after an iteration; whether to stop there."""


class StoppingRule:
    """Whether the gap is small beside what the fit has gained over the null model.

    Coefficients are known to about ``tol`` of their size where the gap is ``tol**2`` of the
    gain. Nothing in this rule depends on the scale of the loss, of weights or of columns.

    Parameters
    ----------
    tol : float
        The relative accuracy.
    null_value : float
        The objective of the null model, the best constant margin.
    rounding : float
        Relative error of the objective that rounding alone can make.
    """

    def __init__(self, tol: float, null_value: float, rounding: float) -> None:
        self.tol, self.null_value, self.rounding = tol, null_value, rounding
        self._largest = 0.0

    def reached(self, gap: float, value: float) -> bool:
        """Whether to stop at an objective ``value`` whose distance to the minimum is ``gap``."""
        self._largest = max(self._largest, gap)
        gain = self.null_value - value
        if gain <= self.invisible(value):
            gain = self._largest  # as near to the null model as rounding can tell
        return gap <= self.tol**2 * gain

    def invisible(self, value: float) -> float:
        """The largest gap that rounding may hide in an objective of this size."""
        return self.rounding * abs(value)


def starting_point(problem: LinearProblem, last: Array | None) -> tuple[Array, float]:
    """Where to start, and the objective of the null model.

    That is ``last``, or the null model where there is no ``last`` or it is worse.
    """
    theta, null_value = problem.null_model()
    with np.errstate(over="ignore", invalid="ignore"):
        if last is not None and problem.value(last) <= null_value:
            theta = last
    if problem.n_outputs > 1 and problem.l1 == 0:
        # the softmax does not see a common shift, and the penalty is smallest without
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
    """Minimise from theta; see `starting_point`.

    Raises
    ------
    ValueError
        If columns of X are so large that their squares overflow.
    """
    if len(np.unique(problem.codes)) == 1:
        return Solution(theta, 0, None)  # all rows with a weight are of one class: a constant
    rule = StoppingRule(tol, null_value, problem.rounding)
    with np.errstate(over="ignore", invalid="ignore"):  # it is looked for, with its reason
        return SOLVERS[solver](problem, theta, rule, max_iter, watch)


def solve_lbfgs(
    problem: LinearProblem, theta: Array, rule: StoppingRule, max_iter: int, watch: Watch
) -> Solution:
    """SciPy's L-BFGS-B in variables in which the Hessian at the start is near to the identity.

    That takes a fraction of the iterations. Where the Hessian has changed on the way, so that
    the gap is larger than it seemed, a new round begins in new variables.
    """
    n_iter = 0
    while n_iter < max_iter:
        search = _Round(problem, theta, rule, watch)
        theta, n_more = search.run(max_iter - n_iter)
        n_iter += n_more
        if search.converged or search.stopped:
            return Solution(theta, n_iter, None)
        if search.decrease <= rule.invisible(search.value):  # its line search sees no change
            theta, done = _polished(problem, theta, rule)
            return Solution(theta, n_iter, None if done else _BEYOND_ROUNDING)
    return Solution(theta, n_iter, f"it reached max_iter={max_iter}")


class _Round:
    """One run of L-BFGS-B, in the variables that are right at its start."""

    def __init__(
        self, problem: LinearProblem, theta: Array, rule: StoppingRule, watch: Watch
    ) -> None:
        self.problem, self.theta, self.rule, self.watch = problem, theta, rule, watch
        self.value, gradient = problem.value_gradient(theta)
        problem.refuse_overflow(gradient)
        self.scaling = make_scaling(problem, theta)
        self.slope = self.scaling.to_gradient(gradient)
        # L-BFGS-B's first step has length 1: in these units it is Newton's
        self.unit = 2.0 * _half_square(self.slope) or 1.0
        self.first, self.decrease = True, 0.0
        self.stopped, self.converged = False, rule.reached(_half_square(self.slope), self.value)
        # where the last iteration ended, and (move, change of the slope) of the last ones
        self.at = self.scaling.to_variables(theta), self.slope
        self.moves: deque[tuple[Array, Array]] = deque(maxlen=_MEMORY)

    def run(self, max_iter: int) -> tuple[Array, int]:
        """Theta at the end, and the number of iterations."""
        if self.converged:
            return self.theta, 0
        before, root = self.value, float(np.sqrt(self.unit))
        result = optimize.minimize(
            lambda variables: self._function(variables, root),
            self.at[0] / root,
            method="L-BFGS-B",
            jac=True,
            callback=lambda variables: self._after_iteration(variables * root),
            options={
                "maxiter": max_iter,
                "maxcor": _MEMORY,
                "maxls": 50,
                "gtol": 0.0,
                "ftol": np.finfo(np.float64).eps,
            },
        )
        self.value, self.slope = float(result.fun) * self.unit, np.asarray(result.jac) * root
        self.decrease = before - self.value
        self.converged = self.rule.reached(self._gap(), self.value)
        return self.scaling.to_theta(result.x * root), int(result.nit)

    def _function(self, variables: Array, root: float) -> tuple[float, Array]:
        if not self.first:  # L-BFGS-B begins where we have been
            theta = self.scaling.to_theta(variables * root)
            self.value, gradient = self.problem.value_gradient(theta)
            self.slope = self.scaling.to_gradient(gradient)
        self.first = False
        return self.value / self.unit, self.slope / root

    def _after_iteration(self, variables: Array) -> None:
        self.moves.append((variables - self.at[0], self.slope - self.at[1]))
        self.at = variables, self.slope
        self.stopped = self.watch(self.scaling.to_theta(variables))
        if self.stopped:
            raise StopIteration
        if not self.rule.reached(_half_square(self.slope), self.value):
            return
        # new variables help where they are of a matrix; else the search goes on as it is
        if self.scaling.factor is not None or self.rule.reached(self._gap(), self.value):
            raise StopIteration

    def _gap(self) -> float:
        """The gap by the curvature that the search has met on its way, or by that of its start.

        The larger of the two: the first tells whether the variables are still right.
        """
        met = (self.slope * inverse_hessian_times(self.slope, self.moves)).sum()
        return max(_half_square(self.slope), 0.5 * float(met))


def inverse_hessian_times(slope: Array, moves: Iterable[tuple[Array, Array]]) -> Array:
    """The inverse Hessian of L-BFGS times a slope: Nocedal & Wright 2006, algorithm 7.4.

    Its moves are pairs of a step and the change of the slope on it. None of the sums is a
    product of BLAS, see `_half_square`.
    """
    pairs = [(move, change, (move * change).sum()) for move, change in moves]
    pairs = [pair for pair in pairs if pair[2] > 0]
    direction, shares = slope.copy(), []
    for move, change, product in reversed(pairs):
        shares.append((move * direction).sum() / product)
        direction -= shares[-1] * change
    if pairs:
        _, change, product = pairs[-1]
        direction *= product / np.square(change).sum()
    for (move, change, product), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - (change * direction).sum() / product) * move
    return direction


def _polished(problem: LinearProblem, theta: Array, rule: StoppingRule) -> tuple[Array, bool]:
    """Whole steps by the Hessian of a sample while they halve the gap; whether that sufficed.

    They need no objective, of which rounding hides the last digits.
    """
    scaling, before = make_scaling(problem, theta), np.inf
    while True:
        value, gradient = problem.value_gradient(theta)
        slope = scaling.to_gradient(gradient)
        gap = _half_square(slope)
        if rule.reached(gap, value):
            return theta, True
        if not gap <= 0.5 * before:
            return theta, gap <= rule.invisible(value)
        before = gap
        theta = scaling.to_theta(scaling.to_variables(theta) - slope)


def _half_square(slope: Array) -> float:
    """Half of g'g, the gap in variables in which the Hessian is the identity.

    It is no product of BLAS: the waiting threads of NumPy's BLAS and those of SciPy's, which
    L-BFGS-B uses between two calls, would take the processors from each other.
    """
    return 0.5 * float(np.square(slope).sum())


def solve_newton_cholesky(
    problem: LinearProblem, theta: Array, rule: StoppingRule, max_iter: int, watch: Watch
) -> Solution:
    """Damped Newton on the positive matrix of `newton_terms`, with an Armijo line search."""
    value, gradient, matrix = problem.newton_terms(theta)
    problem.refuse_overflow(gradient, matrix)
    before = np.inf
    for n_iter in range(max_iter + 1):
        step, gap = scaled_solve(matrix, gradient)
        # where rounding hides the gap, it may still shrink, and then the steps are good ones
        hidden = gap <= rule.invisible(value) and gap > 0.25 * before
        if hidden or rule.reached(gap, value):
            return Solution(theta, n_iter, None)
        if n_iter == max_iter:
            break
        before = gap
        slope = float((step * gradient).sum())
        moved = _line_search(problem, theta, value, step, slope, rule.invisible(value))
        if moved is None:
            return Solution(theta, n_iter, "the line search found no decrease")
        theta, value, gradient, matrix = moved
        if watch(theta):
            return Solution(theta, n_iter + 1, None)
    return Solution(theta, max_iter, f"it reached max_iter={max_iter}")


def _line_search(
    problem: LinearProblem, theta: Array, value: float, step: Array, slope: float, noise: float
) -> tuple[Array, float, Array, Array] | None:
    """The first of the steps 1, 1/2, 1/4, ... that satisfies Armijo's condition.

    Returns the new theta and its `LinearProblem.newton_terms`. The whole step nearly always
    does: it is tried with all of them at once, in one pass over X. ``noise`` is what rounding
    may add to the difference of two objectives.
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


def solve_prox_newton(
    problem: LinearProblem, theta: Array, rule: StoppingRule, max_iter: int, watch: Watch
) -> Solution:
    """Proximal Newton for the elastic net: coordinate descent on quadratic models.

    A model takes the gradient from all rows and the matrix from a sample of them, which
    grows where progress is slow. It moves the coefficients that are not 0 or should not be.
    The gap is the decrease that the model promises.
    """
    n_rows = problem.X.shape[0] if _is_cheap(problem) else ROWS_TO_VARIABLE * theta.size
    value, gradient = problem.value_gradient(theta)
    problem.refuse_overflow(gradient)
    before, model = np.inf, None
    for n_iter in range(max_iter + 1):
        # the last matrix is near enough to see that there is nothing left to do
        nearly = model and rule.reached(0.1 * before, value) and model.covers(theta, gradient)
        if model and nearly and rule.reached(model.step(theta, gradient, exact=True)[1], value):
            return Solution(theta, n_iter, None)
        model = QuadraticModel(problem, theta, gradient, n_rows)
        step, gap = model.step(theta, gradient)
        if rule.reached(gap, value) or gap <= rule.invisible(value):
            step, gap = model.step(theta, gradient, exact=True)
        hidden = gap <= rule.invisible(value) and gap > 0.25 * before
        if hidden or rule.reached(gap, value):
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
            return Solution(theta, n_iter, "the line search found no decrease")
        theta, value, gradient = moved
        if watch(theta):
            return Solution(theta, n_iter + 1, None)
    return Solution(theta, max_iter, f"it reached max_iter={max_iter}")


def _shortened(
    problem: LinearProblem, theta: Array, value: float, step: Array, change: float, noise: float
) -> tuple[Array, float, Array] | None:
    """The first of the steps 1, 1/2, 1/4, ... after which the objective is smaller."""
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
    return "newton-cholesky" if _is_cheap(problem) else "lbfgs"


def _is_cheap(problem: LinearProblem) -> bool:
    """Whether the matrix of all rows costs next to nothing."""
    size = problem.n_coefficients * problem.n_outputs
    return bool(problem.X.shape[0] * size**2 <= 3e6)


def warn_if_stopped(solver: str, solution: Solution) -> None:
    """Say that the optimum was not reached, and what to do."""
    if solution.message is not None:
        warnings.warn(
            f"{solver} stopped before it converged: {solution.message}. Scale the columns of "
            "X, increase max_iter or tol, or lower C.",
            ConvergenceWarning,
            stacklevel=callers_level(),
        )
