"""Fits of the linear model along paths of its parameters, on the rows of one fold (floor 4).

A path goes from a strong to a weak penalty, and on from one gamma to the next. Each fit starts
from the better one of its two neighbours that are known, and runs until it has converged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from skfocal._estimator._target import Target
from skfocal._kernels import Array
from skfocal.linear_model._blocks import margins
from skfocal.linear_model._problem import LinearProblem, Memory
from skfocal.linear_model._solvers import choose_solver, solve, starting_point
from skfocal.linear_model._training import make_problem, penalties
from skfocal.losses import FocalLoss


class Point(NamedTuple):
    """The values of one fit, as indices of the values to try."""

    gamma: int
    alpha: int
    C: int
    l1_ratio: int


@dataclass(frozen=True)
class Fitted:
    """A fit on the training rows of a fold."""

    loss: FocalLoss
    theta: Array
    """Of shape (p + 1, m), for the columns as they are, with an intercept in the last row."""
    n_iter: int
    message: str | None
    """Why it has not converged, or None."""

    def log_odds(self, X: Any) -> Array:
        """Log-odds of the posterior of rows, in double precision."""
        return self.loss.log_odds(margins(X, self.theta, True).astype(np.float64, copy=False))


def fit_path(
    plain: Mapping[Point, Any], X: Any, target: Target, n_threads: int
) -> dict[Point, Fitted]:
    """Fit all points on the training rows of a fold.

    Parameters
    ----------
    plain : mapping of Point to FocalLogisticRegression
        The parameters of each point. Of two neighbours, the one with the stronger penalty or the
        smaller gamma comes first.
    X : array or CSR matrix of shape (n, p)
        The rows.
    target : Target
        Their labels and weights.
    n_threads : int
        For the passes over X.
    """
    total = float(target.totals.weights.sum())
    problem = replace(make_problem(next(iter(plain.values())), X, target), memory=Memory())
    fitted: dict[Point, Fitted] = {}
    last: dict[Any, Array] = {}  # the newest theta along C, and along gamma
    for point, model in plain.items():
        loss = model._training_loss(target.totals, model.class_weight)
        l2, l1 = penalties(model, total)
        problem = replace(problem, loss=loss, n_threads=n_threads, l2=l2, l1=l1)
        along_C, along_gamma = point._replace(C=-1), point._replace(gamma=-1)
        starts = [last[line] for line in (along_C, along_gamma) if line in last]
        solver = choose_solver(problem) if model.solver == "auto" else model.solver
        theta, null_value = starting_point(problem, _best(problem, starts))
        found = solve(problem, solver, theta, null_value, model.tol, model.max_iter, go_on)
        last[along_C] = last[along_gamma] = found.theta
        fitted[point] = Fitted(loss, of_columns(problem, found.theta), found.n_iter, found.message)
    return fitted


def go_on(theta: Array) -> bool:
    """Tells a solver, after each iteration, not to stop."""
    return False


def of_columns(problem: LinearProblem, theta: Array) -> Array:
    """The theta of the columns as they are, with a row for the intercept."""
    theta = problem.of_columns(theta)
    return theta if problem.fit_intercept else np.vstack([theta, np.zeros(theta.shape[1])])


def of_problem(problem: LinearProblem, theta: Array) -> Array:
    """The theta of a problem, of one that `of_columns` has returned."""
    return problem.of_margins(theta) if problem.fit_intercept else theta[:-1]


def _best(problem: LinearProblem, starts: list[Array]) -> Array | None:
    """The start with the smallest objective, or None."""
    if len(starts) < 2:
        return starts[0] if starts else None
    with np.errstate(over="ignore", invalid="ignore"):
        return min(starts, key=problem.value)
