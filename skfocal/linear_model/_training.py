"""From a table and the parameters to a problem, and from its solution to attributes (floor 4)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import effective_n_jobs

from skfocal._estimator._callbacks import Rounds
from skfocal._estimator._probabilities import Probabilities
from skfocal._estimator._target import Target
from skfocal._kernels import Array
from skfocal.linear_model._blocks import center_of
from skfocal.linear_model._problem import LinearProblem

# A sum of sample weights outside of these limits would overflow where it multiplies or divides.
_MIN_TOTAL, _MAX_TOTAL = 1e-100, 1e100


def make_problem(model: Any, X: Any, target: Target) -> LinearProblem:
    """What a fit of the model on these rows minimises.

    Raises
    ------
    ValueError
        If sample weights are so small or so large that they would overflow.
    """
    with np.errstate(over="ignore"):
        total = float(target.totals.weights.sum())
    if not _MIN_TOTAL <= total <= _MAX_TOTAL:
        raise ValueError(
            f"sample_weight sums to {total:g}: scale it so that the sum lies between "
            f"{_MIN_TOTAL:g} and {_MAX_TOTAL:g}, and divide C by the same factor."
        )
    l2, l1 = penalties(model, total)
    return LinearProblem(
        X,
        target.codes,
        target.sample_weight,
        model._training_loss(target.totals, model.class_weight),
        l2=l2,
        l1=l1,
        fit_intercept=bool(model.fit_intercept),
        n_threads=effective_n_jobs(model.n_jobs),
        center=center_of(X) if model.fit_intercept else None,
    )


def penalties(model: Any, total: float) -> tuple[float, float]:
    """The strengths of L2 and L1, beside the mean loss of rows of this total weight."""
    # beyond the largest strength all coefficients are 0
    strength = min(1.0 / model.C / total, _MAX_TOTAL)
    return (1.0 - model.l1_ratio) * strength, model.l1_ratio * strength


def last_theta(model: Any, problem: LinearProblem, classes: npt.NDArray[Any]) -> Array | None:
    """Theta of the model's last fit, if ``warm_start`` asks for it and it fits the problem."""
    if not (model.warm_start and hasattr(model, "coef_")):
        return None
    coef = model._dense_coef().T
    shape = (problem.X.shape[1], problem.n_outputs)
    if coef.shape != shape or model.loss_.link != problem.loss.link:
        return None
    if not np.array_equal(model.classes_, classes):
        return None
    theta = np.vstack([coef, model.intercept_]).astype(np.float64)
    if model.loss_.raw_is_posterior:
        correction = model._probabilities.correction.inverse()
        theta *= correction.slope
        theta[-1] += correction.offset
    return problem.of_margins(theta) if problem.fit_intercept else theta[:-1]


def learned_attributes(
    problem: LinearProblem, classes: npt.NDArray[Any], probabilities: Probabilities, theta: Array
) -> dict[str, Any]:
    """What fit learns, by the names of the attributes; with it, the margins for the priors."""
    theta = problem.of_columns(theta)
    dtype = problem.X.dtype
    intercept = np.zeros(problem.n_outputs)
    if problem.fit_intercept:
        theta, intercept = theta[:-1], theta[-1]
        if problem.n_outputs > 1:
            # the softmax does not see a common shift: report the intercepts whose sum is 0
            intercept = intercept - intercept.mean()
    if problem.loss.raw_is_posterior:
        intercept = intercept + probabilities.correction.offset
    return {
        "coef_": np.ascontiguousarray(theta.T, dtype=dtype),
        "intercept_": intercept.astype(dtype),
        "loss_": problem.loss,
        "_probabilities": probabilities,
        "classes_": classes,
    }


class Progress:
    """Is called after each iteration: it tells the callbacks, and prints a line if ``verbose``."""

    def __init__(
        self,
        rounds: Rounds,
        problem: LinearProblem,
        learned_of: Callable[[Array], dict[str, Any]],
        theta: Array,
        solver: str,
        verbose: int,
    ) -> None:
        self.rounds, self.problem, self.learned_of = rounds, problem, learned_of
        self.theta, self.solver, self.verbose = theta, solver, verbose

    def __call__(self, theta: Array) -> bool:
        """Whether a callback asks the solver to stop at ``theta``."""
        if self.verbose:
            value = self.problem.value(theta)
            print(f"{self.solver}: objective {value:.9g} of the mean loss")
        before, self.theta = self.theta, theta
        self.rounds.begin(lambda: self.learned_of(before))
        return self.rounds.end(lambda: self.learned_of(theta))
