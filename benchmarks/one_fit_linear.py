"""Paths of the linear model beside `LogisticRegressionCV`: seconds to the same objective.

Gamma 0 (scikit-learn has no other), ten values of C from 1e-4 to 1e4 on five folds, log loss.
Dense (20,000 x 30) and sparse (20,000 x 2,000 with 20 values a row), the L2 penalty and the
elastic net with ``l1_ratio`` 0.5. Each of scikit-learn's solvers is run at its default tolerance
1e-4, 1e-6 and 1e-8, until each fit on each fold is within 1e-6 (relative) of the least objective
that is known; so is ours. The time is that of the first tolerance which does that, and without a
time a solver has reached it at none. Both get two threads: ``n_jobs`` 2, and for scikit-learn
also 1, since its processes cost time, too.
"""

import time
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

from benchmarks.data import logistic_dense, logistic_sparse
from benchmarks.one_fit_shared import not_run, progress
from benchmarks.report import environment
from benchmarks.timing import alternate
from skfocal import FocalLogisticRegression, FocalLogisticRegressionCV

OURS = "FocalLogisticRegressionCV"
FOLDS, CS, L1_RATIO = 5, np.logspace(-4, 4, 10), 0.5
TOLERANCES, WANTED, SLOW = (1e-4, 1e-6, 1e-8), 1e-6, 60.0
# So many passes over the rows are the most that sag and saga make for one fit. On the sparse table
# ten times as many take hours.
EPOCHS = 1000
SOLVERS = {"L2": ("lbfgs", "newton-cg", "newton-cholesky", "sag"), "elastic net": ("saga",)}
TABLES = {
    "dense, 20,000 x 30": lambda: logistic_dense(20_000, 30),
    "sparse, 20,000 x 2,000": lambda: logistic_sparse(20_000, 2_000, 20),
}
QUICK = {
    "dense, 1,000 x 10": lambda: logistic_dense(1_000, 10),
    "sparse, 1,000 x 50": lambda: logistic_sparse(1_000, 50, 10),
}


def ours(penalty: str, tol: float) -> FocalLogisticRegressionCV:
    return FocalLogisticRegressionCV(
        focal_gammas=(0.0,),
        Cs=CS,
        l1_ratios=(ratio_of(penalty),),
        cv=FOLDS,
        rule="best",
        calibration=None,
        tol=tol,
        n_jobs=2,
    )


def theirs(penalty: str, solver: str, n_jobs: int, tol: float) -> LogisticRegressionCV:
    return LogisticRegressionCV(
        Cs=CS,
        l1_ratios=(ratio_of(penalty),),
        cv=FOLDS,
        scoring="neg_log_loss",
        solver=solver,
        tol=tol,
        max_iter=EPOCHS if solver.startswith("sag") else 10_000,
        n_jobs=n_jobs,
        use_legacy_attributes=False,
    )


def ratio_of(penalty: str) -> float:
    return 0.0 if penalty == "L2" else L1_RATIO


class Folds:
    """The objectives of fits on the training rows of the folds."""

    def __init__(self, X: Any, y: np.ndarray, penalty: str) -> None:
        self.X, self.y, self.penalty = X, y, penalty

    @cached_property
    def rows(self) -> list[np.ndarray]:
        """Training rows of each fold."""
        return [train for train, _ in StratifiedKFold(FOLDS).split(self.X, self.y)]

    def objective(self, fold: int, k: int, theta: np.ndarray) -> float:
        """C times the sum of losses, and the penalty; the intercept comes last."""
        X, y, coef = self.X[self.rows[fold]], self.y[self.rows[fold]], theta[:-1]
        margins = np.asarray(X @ coef) + theta[-1]
        losses = np.logaddexp(0.0, np.where(y == 1, -margins, margins))
        ratio = ratio_of(self.penalty)
        size = (1 - ratio) / 2 * np.square(coef).sum() + ratio * np.abs(coef).sum()
        return float(CS[k] * losses.sum() + size)

    @cached_property
    def least(self) -> np.ndarray:
        """The objectives of our plain class at a tight tolerance."""
        found = np.zeros((FOLDS, len(CS)))
        for (fold, k), _ in np.ndenumerate(found):
            model = FocalLogisticRegression(
                0.0, C=CS[k], l1_ratio=ratio_of(self.penalty), tol=1e-7, max_iter=10_000
            )
            model.fit(self.X[self.rows[fold]], self.y[self.rows[fold]])
            found[fold, k] = self.objective(fold, k, np.append(model.coef_, model.intercept_))
        return found

    def excess(self, thetas: dict[tuple[int, int], np.ndarray]) -> float:
        """The largest relative distance from the least objective."""
        return max(
            self.objective(*place, theta) / self.least[place] - 1 for place, theta in thetas.items()
        )


def thetas_of(model: Any) -> dict[tuple[int, int], np.ndarray]:
    """Of each fold and C of a fitted model; ours were kept by `Kept`."""
    if isinstance(model, LogisticRegressionCV):
        paths = np.asarray(model.coefs_paths_).reshape(FOLDS, len(CS), -1)
        return {place: paths[place] for place in np.ndindex(FOLDS, len(CS))}
    return {
        (fold, point.C): fitted.theta.ravel()
        for fold, fits in enumerate(model.kept)
        for point, fitted in fits.items()
    }


class Kept:
    """A fit that keeps the fits on the folds."""

    def __init__(self, model: FocalLogisticRegressionCV) -> None:
        fit_folds = model._fit_folds

        def keep(*arguments: Any) -> Any:
            model.kept = fit_folds(*arguments)
            return model.kept

        model._fit_folds = keep


def first_tolerance(
    make: Callable[[float], Any], folds: Folds
) -> tuple[float | None, float, float]:
    """The first tolerance that is tight enough (or None), the excess there, and seconds."""
    for tol in TOLERANCES:
        model = make(tol)
        if isinstance(model, FocalLogisticRegressionCV):
            Kept(model)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what has not converged shows in the excess
            model.fit(folds.X, folds.y)
        seconds = time.perf_counter() - started
        excess = folds.excess(thetas_of(model))
        if excess <= WANTED:
            return tol, excess, seconds
        if seconds > SLOW:
            break
    return None, excess, seconds


def one_table(name: str, penalty: str, quick: bool) -> list[dict[str, Any]]:
    """All sides on one table with one penalty."""
    X, y = (QUICK if quick else TABLES)[name]()
    folds = Folds(X, y, penalty)
    make: dict[str, Callable[[float], Any]] = {OURS: lambda tol: ours(penalty, tol)}
    for solver in SOLVERS[penalty]:
        if solver == "newton-cholesky" and sparse.issparse(X) and X.shape[1] > 1000:
            continue  # a matrix of all columns for each step
        for n_jobs in (1, 2):
            make[f"{solver}, n_jobs={n_jobs}"] = lambda tol, of=(solver, n_jobs): theirs(
                penalty, *of, tol
            )
    found = {side: first_tolerance(each, folds) for side, each in make.items()}
    reached = {side: tol for side, (tol, _, _) in found.items() if tol is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = alternate(
            {side: lambda side=side: make[side](reached[side]).fit(X, y) for side in reached},
            1 if quick else 5,
        )
    rows = []
    for side, (tol, excess, once) in found.items():
        row = {"table": name, "penalty": penalty, "side": side, "tol": tol, "excess": excess}
        if side in reached:
            ratios = seconds[side] / seconds[OURS]
            row |= {"seconds": seconds[side].median(), "times_ours": ratios.median()}
            row |= {"least": ratios.min(), "most": ratios.max()}
        else:
            row["seconds_without"] = once
        rows.append({**row, "processor": environment()["processor"]})
    return rows


def run(quick: bool) -> pd.DataFrame:
    """All tables and penalties, one after another."""
    jobs = [(name, penalty, quick) for name in (QUICK if quick else TABLES) for penalty in SOLVERS]
    return progress("linear", one_table, jobs, quick, n_jobs=1)


def text_of(table: pd.DataFrame) -> str:
    """All sides; times beside ours."""
    processors = ", ".join(table.processor.unique())
    pairs = [(name, penalty) for name in TABLES for penalty in SOLVERS]
    missing = not_run(table, ("table", "penalty"), pairs)
    shown = table.drop(columns=["processor", "commit"])
    return "\n\n".join(
        [
            f"Two threads of {processors}. *excess*: the largest relative distance of a fold's "
            "fit from the least objective that is known, at the tolerance *tol*; without a *tol* "
            "it was above 1e-6 at all. *times_ours*: how many times as long as ours, the median "
            f"of the ratios within a turn, with the least and the most.{missing}",
            shown.to_markdown(index=False, floatfmt=".4g"),
        ]
    )
