"""Does one fit cost less than a grid search, and as little as a careful loop by hand?

Five gammas on five stratified folds, two threads, all in turn in one process:

- ``cv``: the class that chooses by cross-validation, at its defaults. It stops by the score after
  slope and offset, which takes more rounds than the other sides train, and gives better scores.
- ``cv, no calibration``: the same with ``calibration=None``. It stops as ``loop`` does.
- ``grid, 2 processes``: `GridSearchCV` of the plain class, the same gammas and folds with eight
  numbers of rounds (25 to 200), log loss; models of one thread. On the smaller table also
  ``grid, 2 threads``: one model at a time.
- ``loop``: the library's own training with `skfocal.FocalObjective`. A fold is binned once for
  all gammas, each model stops early, and the gamma with the best mean is trained on all rows.

Neither grid nor loop calibrates. The tables are of `make_classification`, 3 %
positives, 100,000 x 28 and 5,000 x 20, and 20,000 rows are held out for scores. A ratio is the
median of the ratios within a turn, of three turns; a grid has one turn.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from benchmarks.one_fit_shared import CAP, CLASSIFIERS, chosen, measures, not_run, plain, progress
from benchmarks.report import environment
from benchmarks.timing import alternate
from skfocal import FocalObjective

GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
ROUNDS = tuple(range(25, 201, 25))
TABLES = {"100,000 x 28": (100_000, 28), "5,000 x 20": (5_000, 20)}
QUICK = {"2,000 x 20": (2_000, 20)}
LARGE, HELD_OUT, PATIENCE = 50_000, 20_000, 20


def table_of(n_rows: int, n_features: int) -> list[np.ndarray]:
    """Training rows and labels, then those held out."""
    X, y = make_classification(
        n_rows + HELD_OUT,
        n_features,
        n_informative=10,
        weights=[0.97],
        flip_y=0.01,
        random_state=0,
    )
    return [X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]]


class Side:
    """A fit that is timed; the last model is kept, to be scored afterwards."""

    def __init__(self, fit: Callable[[np.ndarray, np.ndarray], Any], X: Any, y: Any) -> None:
        self.fit, self.X, self.y = fit, X, y

    def __call__(self) -> None:
        """Fit once more."""
        self.model = self.fit(self.X, self.y)


def with_class(library: str, calibration: str | None, X: np.ndarray, y: np.ndarray) -> Any:
    return chosen(library, n_jobs=2, calibration=calibration).fit(X, y)


def with_grid(
    library: str, processes: int, rounds: tuple[int, ...], X: np.ndarray, y: np.ndarray
) -> Any:
    model = plain(library, n_jobs=2 // processes)
    grid = {"focal_gamma": GAMMAS, "n_estimators": rounds}
    search = GridSearchCV(model, grid, scoring="neg_log_loss", cv=5, n_jobs=processes)
    return search.fit(X, y)


def lightgbm_params(objective: FocalObjective) -> dict[str, Any]:
    return {"objective": objective, "metric": "none", "num_threads": 2, "verbose": -1}


def log_loss_of(margins: np.ndarray, rows: lightgbm.Dataset) -> tuple[str, float, bool]:
    """A metric in LightGBM's form."""
    margins = np.where(rows.get_label() == 1, -margins, margins)
    return "log_loss", float(np.logaddexp(0.0, margins).mean()), False


class LightGBMLoop:
    """Folds, a model of one gamma on a fold, and a model of all rows."""

    def fold(self, X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> Any:
        """Training and held-out rows, binned once."""
        common = {"free_raw_data": False, "params": {"num_threads": 2, "verbose": -1}}
        own = lightgbm.Dataset(X[train], y[train], **common).construct()
        return own, own.create_valid(X[test], y[test], params=common["params"]).construct()

    def train(self, fold: Any, objective: FocalObjective) -> tuple[float, int]:
        """The best log loss of held-out rows, and the number of rounds."""
        own, held_out = fold
        start = objective.init_score(own.get_label())
        own.set_init_score(start)
        held_out.set_init_score(np.full(held_out.num_data(), start[0]))
        booster = lightgbm.train(
            lightgbm_params(objective),
            own,
            CAP,
            valid_sets=[held_out],
            feval=log_loss_of,
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
        return booster.best_score["valid_0"]["log_loss"], booster.best_iteration

    def finish(
        self, X: np.ndarray, y: np.ndarray, objective: FocalObjective, rounds: int
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Margins of new rows by the model of all rows."""
        start = objective.init_score(y)
        rows = lightgbm.Dataset(X, y, init_score=start)
        booster = lightgbm.train(lightgbm_params(objective), rows, rounds)
        return lambda new: booster.predict(new, raw_score=True) + start[0]


class XGBoostLoop:
    """Folds, a model of one gamma on a fold, and a model of all rows."""

    def fold(self, X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> Any:
        """Training and held-out rows, binned once."""
        own = xgboost.QuantileDMatrix(X[train], y[train], nthread=2)
        return own, xgboost.QuantileDMatrix(X[test], y[test], ref=own, nthread=2)

    def params(self, objective: FocalObjective, y: np.ndarray) -> dict[str, Any]:
        """With the start, which the model keeps."""
        start = objective.base_score(y)
        common = {"objective": "binary:logistic", "eval_metric": "logloss", "nthread": 2}
        return {**common, "base_score": start}

    def train(self, fold: Any, objective: FocalObjective) -> tuple[float, int]:
        """The best log loss of held-out rows, and the number of rounds."""
        own, held_out = fold
        booster = xgboost.train(
            self.params(objective, own.get_label()),
            own,
            CAP,
            evals=[(held_out, "test")],
            obj=objective,
            early_stopping_rounds=PATIENCE,
            verbose_eval=False,
        )
        return booster.best_score, booster.best_iteration + 1

    def finish(
        self, X: np.ndarray, y: np.ndarray, objective: FocalObjective, rounds: int
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Margins of new rows by the model of all rows."""
        rows = xgboost.QuantileDMatrix(X, y, nthread=2)
        booster = xgboost.train(self.params(objective, y), rows, rounds, obj=objective)
        return lambda new: booster.inplace_predict(new, predict_type="margin")


LOOPS = {"LightGBM": LightGBMLoop, "XGBoost": XGBoostLoop}


class Looped:
    """What the loop has found."""

    def __init__(self, library: str, X: np.ndarray, y: np.ndarray) -> None:
        loop, found = LOOPS[library](), []
        objectives = [FocalObjective(gamma, link="posterior", n_threads=2) for gamma in GAMMAS]
        for train, test in StratifiedKFold(5).split(X, y):
            fold = loop.fold(X, y, train, test)
            found.append([loop.train(fold, objective) for objective in objectives])
        losses, rounds = np.mean(found, axis=0).T
        best = int(losses.argmin())
        self.focal_gamma_, self.rounds = GAMMAS[best], round(rounds[best] * 5 / 4)
        self.margins = loop.finish(X, y, objectives[best], self.rounds)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """The posterior, by the link."""
        positive = 1.0 / (1.0 + np.exp(-self.margins(X).astype(np.float64)))
        return np.column_stack([1.0 - positive, positive])


def found_by(model: Any) -> dict[str, Any]:
    """Gamma and rounds; those of ``cv`` are of the folds' models."""
    if isinstance(model, GridSearchCV):
        best = model.best_params_
        return {"gamma": best["focal_gamma"], "rounds": best["n_estimators"]}
    rounds = model.rounds if isinstance(model, Looped) else int(model.n_rounds_[model.best_index_])
    return {"gamma": model.focal_gamma_, "rounds": rounds}


def one_table(name: str, library: str, quick: bool) -> list[dict[str, Any]]:
    """All sides on one table."""
    X, y, X_test, y_test = table_of(*(QUICK if quick else TABLES)[name])
    rounds = ROUNDS[:2] if quick else ROUNDS
    make = {
        "cv": partial(with_class, library, "sigmoid"),
        "cv, no calibration": partial(with_class, library, None),
        "loop": partial(Looped, library),
        "grid, 2 processes": partial(with_grid, library, 2, rounds),
        "grid, 2 threads": partial(with_grid, library, 1, rounds),
    }
    large = len(y) > LARGE
    sides = {side: Side(fit, X, y) for side, fit in make.items()}
    if large:
        del sides["grid, 2 threads"]
    often = {k: side for k, side in sides.items() if not k.startswith("grid")}
    seconds = alternate(often, 1 if quick else 3)
    with_grid(library, 2, rounds[:1], X[:5000], y[:5000])  # starts the processes
    seconds = pd.concat([seconds, one_turn({k: sides[k] for k in sides if k != "loop"})])
    rows = []
    for side, timed in sides.items():
        ratios = (seconds[side] / seconds["cv"]).dropna()
        row = {"table": name, "library": library, "side": side, "turns": len(ratios)}
        row |= {"seconds": seconds[side].median(), "times_cv": ratios.median()}
        row |= {"least": ratios.min(), "most": ratios.max(), **found_by(timed.model)}
        proba = timed.model.predict_proba(X_test)
        rows.append({**row, **measures(y_test, proba), "processor": environment()["processor"]})
    return rows


def one_turn(sides: dict[str, Side]) -> pd.DataFrame:
    """Seconds of one call of each, without one before."""
    row = {}
    for name, side in sides.items():
        started = time.perf_counter()
        side()
        row[name] = time.perf_counter() - started
    return pd.DataFrame([row])


def run(quick: bool) -> pd.DataFrame:
    """All tables and libraries, one after another."""
    jobs = [
        (name, library, quick)
        for name in reversed(QUICK if quick else TABLES)
        for library in CLASSIFIERS
    ]
    return progress("time", one_table, jobs, quick, n_jobs=1)


def text_of(table: pd.DataFrame) -> str:
    """All sides; times beside ``cv``."""
    shown = table.drop(columns=["processor", "commit", "mean_proba"])
    processors = ", ".join(table.processor.unique())
    pairs = [(name, library) for name in TABLES for library in CLASSIFIERS]
    missing = not_run(table, ("table", "library"), pairs)
    return "\n\n".join(
        [
            f"Two threads of {processors}. *times_cv*: how many times as long as the new class, "
            "the median of the ratios within a turn, with the least and the most. Log loss and "
            f"average precision are of 20,000 held-out rows.{missing}",
            shown.to_markdown(index=False, floatfmt=".4g"),
        ]
    )
