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
            return Solution(theta, n_iter, None if done else BEYOND_ROUNDING)
    return Solution(theta, n_iter, out_of_iterations(max_iter))


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
