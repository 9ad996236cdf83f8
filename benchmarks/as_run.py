"""More of what people run on the tables and splits of `benchmarks.boosters`.

Parts:

- ``gammas``: gamma 0.5 and 5 under both links, as gamma 1 and 2 there.
- ``rate``: the learning rate 0.05, gamma 0 and all the others.
- ``recipes``: log loss ``again``, for its time beside the others; classes weighted alike; the
  stopped model calibrated on the rows that stopped it (``sigmoid``); scikit-learn's
  `CalibratedClassifierCV` of the plain class with its 100 rounds (five folds, averaged); the class
  that chooses gamma by cross-validation, with its defaults but for the cap of 1,000 rounds, and the
  same at gamma 0. The two that use folds train on all rows.
- ``variants``: one default of that class changed.
- ``catboost``: CatBoost's class that chooses by cross-validation.
- ``steps``: CatBoost on equal terms. Log loss, its own ``Focal`` and the losses of this package,
  with gamma 2. Each takes the leaf steps (1 or 10) and the learning rate (0.05, 0.1 or 0.2) that
  have the smallest log loss of the posterior on the rows that stop.
- ``noise``: log loss and gamma 2 where each label of the training rows, and of those that stop, was
  flipped with a probability of 0.05. Test rows keep their labels.

    python -m benchmarks.as_run PART [--quick] [--folds N]

writes benchmarks/results/as_run.csv, which keeps what other parts have measured. A part that was
stopped goes on where it was. `benchmarks.as_run_report` writes as_run.md.
"""

import argparse
import itertools
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from benchmarks.booster_fits import BOOSTERS, FITS, RATE, Rows, catboost, of_library, own_focal
from benchmarks.boosters import (
    FOLDS,
    GAMMAS,
    LINKS,
    MEASURES,
    QUICK,
    description,
    measured,
    split,
)
from benchmarks.one_fit_shared import progress
from benchmarks.quality_statistics import reproduced
from benchmarks.recipes import (
    DEFAULT,
    PLAIN,
    VARIANTS,
    Fitted,
    averaged,
    calibrated,
    chosen,
    timed,
    weighted,
)
from benchmarks.report import RESULTS, write_results
from benchmarks.tables import BINARY

MORE_GAMMAS, SLOW = (0.5, 5.0), 0.05
STEPS, RATES = (1, 10), (0.05, 0.1, 0.2)
NOISE = 0.05
WITH_FOLDS = ("LightGBM", "XGBoost", "scikit-learn")


def _focal(booster: str, gammas: tuple[float, ...], seed: int, *rows: Rows, **more: Any) -> Fitted:
    for link, gamma in itertools.product(LINKS, gammas):
        params = {"focal_gamma": gamma, "link": link, **more}
        fit = timed(lambda p=params: FITS[booster](p, seed, *rows))
        yield f"{booster}, {link} {gamma:g}", *fit


def _gammas(booster: str, seed: int, train: Rows, stop: Rows) -> Fitted:
    yield from _focal(booster, MORE_GAMMAS, seed, train, stop)


def _rate(booster: str, seed: int, train: Rows, stop: Rows) -> Fitted:
    plain = PLAIN | {"learning_rate": SLOW}
    yield booster, *timed(lambda: FITS[booster](plain, seed, train, stop))
    gammas = (*GAMMAS, *MORE_GAMMAS)
    yield from _focal(booster, gammas, seed, train, stop, learning_rate=SLOW)


def whole(train: Rows, stop: Rows) -> Rows:
    """All training rows."""
    return pd.concat([train[0], stop[0]], ignore_index=True), np.r_[train[1], stop[1]]


def _recipes(booster: str, seed: int, train: Rows, stop: Rows) -> Fitted:
    yield f"{booster}, again", *timed(lambda: FITS[booster](PLAIN, seed, train, stop))
    yield f"{booster}, weighted", *timed(lambda: weighted(booster, seed, train, stop))
    fit = timed(lambda: calibrated(booster, "sigmoid", seed, train, stop))
    yield f"{booster}, sigmoid", *fit
    if booster in WITH_FOLDS:
        fit = timed(lambda: averaged(booster, whole(train, stop)))
        yield f"{booster}, CalibratedClassifierCV", *fit
        yield from chosen(booster, whole(train, stop), DEFAULT)


def _variants(booster: str, seed: int, train: Rows, stop: Rows) -> Fitted:
    if booster in WITH_FOLDS:
        yield from chosen(booster, whole(train, stop), VARIANTS)


def _catboost(booster: str, seed: int, train: Rows, stop: Rows) -> Fitted:
    if booster == "CatBoost":
        yield from chosen(booster, whole(train, stop), DEFAULT)


def _steps(booster: str, seed: int, train: Rows, stop: Rows) -> Fitted:
    if booster != "CatBoost":
        return

    def best(fit: Callable[..., tuple[Any, ...]]) -> list[Any]:
        """Of all settings, the models of the one whose last model has the smallest log loss."""
        found = []
        for steps, rate in itertools.product(STEPS, RATES):
            models = fit(leaf_estimation_iterations=steps, learning_rate=rate)
            loss = log_loss(stop[1], np.asarray(models[-1].predict_proba(stop[0]))[:, 1])
            found.append((loss, len(found), models))
        return list(min(found)[2])

    losses = {"": PLAIN}
    losses |= {f", {link} 2": {"focal_gamma": 2.0, "link": link} for link in LINKS}
    for name, params in losses.items():
        fit = timed(lambda p=params: best(lambda **at: (catboost(p | at, seed, train, stop),))[0])
        yield f"CatBoost{name}, steps", *fit
    started = time.perf_counter()
    own = best(lambda **at: own_focal(2.0, seed, train, stop, **at))
    seconds = time.perf_counter() - started
    for model, name in zip(own, ("own Focal 2", "own Focal 2, recovered"), strict=True):
        yield f"CatBoost, {name}, steps", timed(lambda m=model: m)[0], seconds


def _noise(booster: str, seed: int, train: Rows, stop: Rows) -> Fitted:
    rng = np.random.default_rng(seed)
    flipped = [(X, np.where(rng.uniform(size=len(y)) < NOISE, 1 - y, y)) for X, y in (train, stop)]
    losses = {"": PLAIN}
    losses |= {f", {link} 2": {"focal_gamma": 2.0, "link": link} for link in LINKS}
    for name, params in losses.items():
        fit = timed(lambda p=params: FITS[booster](p, seed, *flipped))
        yield f"{booster}{name}, noise", *fit


PARTS: dict[str, Callable[[str, int, Rows, Rows], Fitted]] = {
    "gammas": _gammas,
    "rate": _rate,
    "recipes": _recipes,
    "variants": _variants,
    "catboost": _catboost,
    "steps": _steps,
    "noise": _noise,
}


class Predicts:
    """Probabilities of positives, as a model that `measured` knows."""

    def __init__(self, predict: Callable[[pd.DataFrame], np.ndarray]) -> None:
        self.predict = predict

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Of both classes."""
        p = self.predict(X).astype(float)
        return np.column_stack([1 - p, p])


def one_fold(part: str, table: str, fold: int) -> list[dict[str, Any]]:
    """All methods of a part on one fold of a table."""
    warnings.simplefilter("ignore")
    parts = split(table, fold)
    about = description(table, fold, parts[0][1])
    about |= {"part": part, "rate": SLOW if part == "rate" else RATE}
    rows = []
    for booster in BOOSTERS:
        train, stop, (X, y) = [(of_library(X, booster), y) for X, y in parts]
        for method, predict, seconds in PARTS[part](booster, fold, train, stop):
            rows.append({**about, "method": method, **measured(Predicts(predict), X, y)})
            rows[-1]["fit_seconds"] = seconds
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="four tables again, and what changed")
    parser.add_argument("--folds", type=int, default=FOLDS, help="the first folds alone")
    options = parser.parse_args()
    tables, folds = (QUICK, 1) if options.quick else (tuple(BINARY), options.folds)
    jobs = [(options.part, table, fold) for fold in range(folds) for table in tables]
    found = progress(f"as_run-{options.part}", one_fold, jobs, options.quick, prefix="")
    name = "as_run-quick" if options.quick else "as_run"
    path = RESULTS / "as_run.csv"
    before = pd.read_csv(path) if path.exists() else found.iloc[:0]
    if options.quick:
        print(reproduced(found, before, MEASURES).to_string())
    else:
        found = pd.concat([before[before.part != options.part], found])
    order = ["part", "fold", "table"]
    write_results(found.sort_values(order, kind="stable"), name)


if __name__ == "__main__":
    from benchmarks import as_run  # workers find functions by the name of their module

    as_run.main()
