"""The solver "lbfgs": SciPy's L-BFGS-B in scaled variables (floor 4)."""

from collections import deque
from collections.abc import Iterable

import numpy as np
from scipy import optimize

from skfocal._kernels import Array
from skfocal.linear_model._problem import LinearProblem
from skfocal.linear_model._scaling import make_scaling
from skfocal.linear_model._stopping import (
    BEYOND_ROUNDING,
    Solution,
    StoppingRule,
    Watch,
    out_of_iterations,
)

# Steps that L-BFGS remembers. On a sparse table of 20,000 columns, whose variables are scaled
# one by one, 10 steps took 69 to 93 iterations, 20 took 59 to 64, 40 took 57 to 60.
_MEMORY = 20


def solve_lbfgs(
    problem: LinearProblem, theta: Array, rule: StoppingRule, max_iter: int, watch: Watch
) -> Solution:
    """SciPy's L-BFGS-B in variables in which the first Hessian is close to the identity.

    It needs a fraction of the iterations there. On the way the Hessian changes, and the gap may
    turn out larger than it seemed. Then a new run begins in new variables.
    """
    n_iter = 0
    while n_iter < max_iter:
        search = _Run(problem, theta, rule, watch)
        theta, n_more = search.run(max_iter - n_iter)
        n_iter += n_more
        if search.converged or search.stopped:
            return Solution(theta, n_iter, None)
        if search.decrease <= rule.invisible(search.value):  # the line search sees no change
            theta, done = _polished(problem, theta, rule)
            return Solution(theta, n_iter, None if done else BEYOND_ROUNDING)
    return Solution(theta, n_iter, out_of_iterations(max_iter))


class _Run:
    """One run of L-BFGS-B, in variables scaled by the Hessian where it begins."""

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
        # the point and slope after the last iteration; (move, change of the slope) of the last ones
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
        if not self.first:  # the first call is at a point whose value is known
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
        # new variables help only where they come from a matrix; without one the search goes on
        if self.scaling.factor is not None or self.rule.reached(self._gap(), self.value):
            raise StopIteration

    def _gap(self) -> float:
        """The larger of two gaps: by the curvature met on the way, and by that at the beginning.

        The first one tells whether the variables are still right.
        """
        met = (self.slope * inverse_hessian_times(self.slope, self.moves)).sum()
        return max(_half_square(self.slope), 0.5 * float(met))


def inverse_hessian_times(slope: Array, moves: Iterable[tuple[Array, Array]]) -> Array:
    """The inverse Hessian of L-BFGS times a slope: Nocedal & Wright 2006, algorithm 7.4.

    Each move is a step and the change of the slope along it. No sum calls BLAS, see
    `_half_square`.
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
    """Full Newton steps while each halves the gap. Returns theta and whether the gap is reached.

    The Hessian is that of a sample of rows. The steps need no objective, whose last digits are
    hidden by rounding.
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
    """Half of g' g, the gap in variables in which the Hessian is the identity.

    It does not call NumPy's BLAS. L-BFGS-B uses SciPy's BLAS between two calls, and the waiting
    threads of the two libraries would take the processors from each other.
    """
    return 0.5 * float(np.square(slope).sum())
