"""When a solver stops (floor 4).

All solvers measure in the same way how far the objective is from its minimum: by the decrease
that a quadratic model of the objective promises. This decrease is called the gap. It does not
depend on the scale of the columns. For a gradient g and a Hessian H it is g' H^-1 g / 2.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

from sklearn.exceptions import ConvergenceWarning

from skfocal._kernels import Array
from skfocal._warnings import callers_level

Watch = Callable[[Array], bool]
"""Is called with theta after each iteration; returns whether the solver is to stop there."""
NO_DECREASE = "the line search found no decrease"
BEYOND_ROUNDING = "rounding hides the rest of the decrease"


@dataclass(frozen=True)
class Solution:
    """Where a solver stopped."""

    theta: Array
    n_iter: int
    message: str | None
    """Why theta is not the optimum; None if it is, to the tolerance."""


def out_of_iterations(max_iter: int) -> str:
    """The message of a solver that has used all of its iterations."""
    return f"it reached max_iter={max_iter}"


class StoppingRule:
    """Whether the gap is small compared with what the fit has gained over the null model.

    Coefficients are accurate to about ``tol`` of their size where the gap is ``tol**2`` of the
    gain. This rule does not depend on the scale of the loss, of weights or of columns.

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
        """Whether to stop where the objective is ``value`` and the gap is ``gap``."""
        self._largest = max(self._largest, gap)
        gain = self.null_value - value
        if gain <= self.invisible(value):
            gain = self._largest  # rounding cannot tell the fit from the null model
        return gap <= self.tol**2 * gain

    def invisible(self, value: float) -> float:
        """The largest gap that rounding may hide in an objective of this size."""
        return self.rounding * abs(value)

    def hidden(self, gap: float, before: float, value: float) -> bool:
        """Whether rounding hides the gap; ``before`` is the gap of the iteration before.

        While a small gap still shrinks, the steps are good. Just above `invisible` a line search
        cuts good steps to nothing, so that the gap stays as it is.
        """
        small = self.invisible(value)
        return (gap <= small and gap > 0.25 * before) or (gap <= 8.0 * small and gap > 0.9 * before)


def warn_if_stopped(solver: str, solution: Solution) -> None:
    """Say that the optimum was not reached, and what to do."""
    if solution.message is not None:
        warnings.warn(
            f"{solver} stopped before it converged: {solution.message}. Scale the columns of "
            "X, increase max_iter or tol, or lower C.",
            ConvergenceWarning,
            stacklevel=callers_level(),
        )
