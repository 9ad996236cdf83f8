"""One fit that chooses, calibrates and merges: is it as good as the long way?

Seven questions about the classes that choose by cross-validation, six of them about
`FocalLGBMClassifierCV` and `FocalXGBClassifierCV`:

- ``rare``: 0.2 % positives with known probabilities, 100,000 rows to train on and as many held
  out. For each gamma and alpha: the plain class, the new class refitted ("cv") and merged
  ("merged"), and scikit-learn's `CalibratedClassifierCV` (sigmoid, five folds) of the plain
  class, refitted ("sigmoid, refit") and averaged ("sigmoid, ensemble"). The plain class has 100
  rounds, also inside of scikit-learn's; the new one stops early.
- ``multiclass``: the same on three classes, one of them with 0.2 % of 50,000 training rows.
- ``rounds``: how many rounds the last fit needs; see `benchmarks.one_fit_rounds`.
- ``tables``: real tables, see `benchmarks.one_fit_tables`.
- ``null``: how often is a gamma above 0 taken where none is better? See
  `benchmarks.one_fit_null`.
- ``time``: beside a grid search, and a loop by hand; see `benchmarks.one_fit_time`.
- ``linear``: `FocalLogisticRegressionCV` beside scikit-learn's class; see
  `benchmarks.one_fit_linear`.

    python -m benchmarks.one_fit rare|multiclass|rounds|tables|null|time|linear [--quick]

writes benchmarks/results/one_fit_*.csv, and one_fit.md from all parts that have been run. A part
that was stopped goes on where it was. Two models are trained at once, of one thread each: their
seconds are for a comparison of methods within a part, except in ``time`` and ``linear``.
"""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from benchmarks import (
    one_fit_linear,
    one_fit_null,
    one_fit_rounds,
    one_fit_tables,
    one_fit_time,
)
from benchmarks.data import rare_class, rare_positives, rare_positives_proba
from benchmarks.one_fit_shared import (
    CLASSIFIERS,
    against,
    chosen,
    measures,
    plain,
    predicted,
    progress,
    sigmoid,
    size_of,
    timed,
)
from benchmarks.report import RESULTS, write_results

METHODS = ("plain", "cv", "merged", "sigmoid, refit", "sigmoid, ensemble")
PAIRS = [(one, other) for one in METHODS[1:3] for other in METHODS[3:]]
KEYS = ["library", "gamma", "alpha"]


def rows_of(part: str, seed: int, n_rows: int) -> list[np.ndarray]:
    """Features, labels and true probabilities of training rows and of held-out ones."""
    if part == "multiclass":
        X, y, proba = rare_class(seed, n_rows)
    else:
        X, y = rare_positives(seed, n_rows)
        last = rare_positives_proba(X)
        proba = np.column_stack([1 - last, last])
    return train_test_split(X, y, proba, test_size=0.5, stratify=y, random_state=seed)


def make(method: str, library: str, gamma: float, alpha: Any) -> Any:
    """An unfitted model of one method."""
    if method in ("cv", "merged"):
        grid = {"focal_gammas": (gamma,), "focal_alphas": (alpha,)}
        return chosen(library, ensemble=method == "merged", **grid)
    model = plain(library, focal_gamma=gamma, focal_alpha=alpha)
    return model if method == "plain" else sigmoid(model, method == "sigmoid, ensemble")


def one_setting(
    part: str, library: str, gamma: float, alpha: Any, seed: int, n_rows: int
) -> list[dict[str, Any]]:
    """All methods with one gamma and alpha, on one table.

    ``mean_over_true`` is the mean probability of the rare class over its true mean, both of
    held-out rows, over the same of a model that knows the training labels' share: 1 is right.
    """
    X, X_test, y, y_test, true, true_test = rows_of(part, seed, n_rows)
    share = np.bincount(y) / len(y)
    train_over_true = share[-1] / true[:, -1].mean()
    about = {"library": library, "gamma": gamma, "alpha": str(alpha), "seed": seed}
    base = log_loss(y_test, np.tile(share, (len(y_test), 1)))
    plain(library, focal_gamma=gamma, focal_alpha=alpha, n_estimators=1).fit(X, y)  # compiles
    rows = []
    for method in METHODS:
        model = make(method, library, gamma, alpha)
        folds = FoldModels(model) if method == "merged" else None
        cost = timed(model.fit, X, y)
        proba, seconds = predicted(model, X_test)
        row = {**about, "method": method, **measures(y_test, proba), "log_loss_prevalence": base}
        row["log_loss_true"] = log_loss(y_test, true_test)
        row["mean_over_true"] = row["mean_proba"] / true_test[:, -1].mean() / train_over_true
        row["train_over_true"] = train_over_true
        if folds is not None:
            row["merged_over_average"] = proba[:, -1].mean() / folds.proba(X_test)[:, -1].mean()
        rows.append({**row, **cost, "predict_seconds": seconds, **size_of(model)})
    return rows


class FoldModels:
    """Watches a fit that merges: keeps the folds' boosters and the map of their log-odds."""

    def __init__(self, model: Any) -> None:
        self.boosters: list[Any] = []
        self.model, merge, calibrate = model, model._merged, model._calibration_of

        def merged(found: list[Any]) -> Any:
            self.boosters = found
            return merge(found)

        def calibration(*arguments: Any) -> Any:
            self.calibration = calibrate(*arguments)
            return self.calibration

        model._merged, model._calibration_of = merged, calibration

    def proba(self, X: np.ndarray) -> np.ndarray:
        """The mean of the folds' probabilities, each calibrated."""
        found = []
        for booster in self.boosters:
            if hasattr(booster, "inplace_predict"):
                margins = booster.inplace_predict(X, predict_type="margin")
            else:
                margins = booster.predict(X, raw_score=True)
            found.append(probabilities(self.calibration.apply(margins.astype(np.float64))))
        return np.mean(found, axis=0)


def probabilities(log_odds: np.ndarray) -> np.ndarray:
    """Of all classes."""
    if log_odds.ndim == 1:
        log_odds = np.column_stack([np.zeros(len(log_odds)), log_odds])
    powers = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def generated(part: str, quick: bool) -> pd.DataFrame:
    """All settings of ``rare`` or ``multiclass``."""
    gammas, alphas, seeds, n_rows = (0.0, 2.0), (None, "balanced"), 3, 100_000
    if part == "rare":
        n_rows = 200_000
        if not quick:
            gammas, alphas, seeds = (0.0, 2.0, 5.0), (None, 0.75, "balanced"), 5
    if quick:
        alphas, seeds, n_rows = ("balanced",), 1, n_rows // 4
    jobs = [
        (part, library, gamma, alpha, seed, n_rows)
        for seed in range(seeds)
        for gamma in gammas
        for alpha in alphas
        for library in CLASSIFIERS
    ]
    return progress(part, one_setting, jobs, quick)


def text_of_generated(table: pd.DataFrame) -> str:
    """Means over seeds, and the log loss beside scikit-learn's."""
    means = table.assign(file_kB=table.file_bytes / 1000)
    means = means.drop(columns=["seed", "file_bytes", "warned", "commit"])
    means = means.groupby([*KEYS, "method"], sort=False).mean().reset_index()
    differences, said = against(table, KEYS, PAIRS)
    slow = table.pivot_table(index="library", columns="method", values="fit_seconds", sort=False)
    warned = table[table.warned.notna()].groupby(["method", "warned"]).size()
    parts = [
        "Log loss in percent of scikit-learn's, mean over seeds (95 % interval by t of paired "
        "differences); below 0 is better.",
        said,
        differences.to_markdown(index=False),
        f"Seconds of a fit, means:\n\n{slow[list(METHODS)].round(2).to_markdown()}",
        f"Means over {table.seed.nunique()} seeds:",
        means.to_markdown(index=False, floatfmt=".4g"),
    ]
    if len(warned):
        parts.append(f"Warnings:\n\n{warned.rename('fits').reset_index().to_markdown(index=False)}")
    return "\n\n".join(parts)


class Part(NamedTuple):
    """How a part is run, and what is said of its rows."""

    title: str
    run: Callable[[bool], pd.DataFrame]
    text: Callable[[pd.DataFrame], str]


def run_rare(quick: bool) -> pd.DataFrame:
    return generated("rare", quick)


def run_multiclass(quick: bool) -> pd.DataFrame:
    return generated("multiclass", quick)


PARTS = {
    "rare": Part("Rare positives", run_rare, text_of_generated),
    "multiclass": Part("A rare class of three", run_multiclass, text_of_generated),
    "rounds": Part("Rounds of the last fit", one_fit_rounds.run, one_fit_rounds.text_of),
    "tables": Part("Real tables", one_fit_tables.run, one_fit_tables.text_of),
    "null": Part("Where no gamma is better", one_fit_null.run, one_fit_null.text_of),
    "time": Part("Time", one_fit_time.run, one_fit_time.text_of),
    "linear": Part("Time of the linear model", one_fit_linear.run, one_fit_linear.text_of),
}


def read(name: str) -> pd.DataFrame:
    """Results of a part; ``None`` is an alpha, not a missing value."""
    return pd.read_csv(RESULTS / f"one_fit_{name}.csv", keep_default_na=False, na_values=[""])


def page() -> str:
    """The summary of all parts that have been run."""
    found = []
    for name, part in PARTS.items():
        if (RESULTS / f"one_fit_{name}.csv").exists():
            found += [f"**{part.title}** (`one_fit {name}`)", part.text(read(name))]
    return "\n\n".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="less of everything")
    options = parser.parse_args()
    name = f"{options.part}-quick" if options.quick else options.part
    write_results(PARTS[options.part].run(options.quick), f"one_fit_{name}")
    if not options.quick:
        (RESULTS / "one_fit.md").write_text(page() + "\n")
    print(PARTS[options.part].text(read(name)))


if __name__ == "__main__":
    from benchmarks import one_fit  # workers find functions by the name of their module

    one_fit.main()
