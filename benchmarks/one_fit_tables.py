"""Real tables: the class that chooses by cross-validation beside early stopping and the sigmoid.

All 44 tables of `benchmarks.tables.BINARY`, of each at most 20,000 rows (stratified), two
splits in 80 % to train on and 20 % to measure on, both boosters at their default parameters:

- ``stopped``: gamma 0, early stopping by log loss on a fifth of the training rows.
- ``sigmoid, refit`` and ``sigmoid, ensemble``: gamma 0 and 100 rounds in scikit-learn's
  `CalibratedClassifierCV`, five folds.
- ``cv`` and ``merged``: the new class with its default gammas, refitted and merged.
- ``cv, gamma 0`` and ``merged, gamma 0``: the same without a choice of gamma.

Ranks, intervals and pairs are those of `benchmarks.quality_statistics`: tables of one family
count as one.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import train_test_split

from benchmarks.one_fit_shared import (
    CAP,
    CLASSIFIERS,
    chosen,
    measures,
    plain,
    predicted,
    progress,
    sigmoid,
    size_of,
    timed,
)
from benchmarks.quality_statistics import by_family, mean_ranks, pairs, rank_differences, verdicts
from benchmarks.tables import BINARY

ROWS, SPLITS, PATIENCE = 20_000, 2, 20
METHODS = (
    "stopped",
    "sigmoid, refit",
    "sigmoid, ensemble",
    "cv",
    "merged",
    "cv, gamma 0",
    "merged, gamma 0",
)
OTHERS, OWN = METHODS[:3], METHODS[3:]
MEASURES = ["log_loss", "brier", "average_precision"]
QUICK = ("employee attrition", "faults, PC1", "yeast ME2", "spam")


def rows_of(table: str, fold: int) -> list[Any]:
    """Training and held-out columns and labels."""
    X, y = BINARY[table].load()
    X, y = X.reset_index(drop=True), y.to_numpy()
    if len(y) > ROWS:
        kept, _ = train_test_split(
            np.arange(len(y)), train_size=ROWS, stratify=y, random_state=fold
        )
        X, y = X.iloc[kept].reset_index(drop=True), y[kept]
    return train_test_split(X, y, test_size=0.2, stratify=y, random_state=fold)


def fitted(method: str, library: str, X: Any, y: np.ndarray) -> tuple[Any, dict[str, Any]]:
    """The model of one method, and what its fit has cost."""
    if method == "stopped":
        name = {"LightGBM": "metric", "XGBoost": "eval_metric"}[library]
        value = {"LightGBM": "binary_logloss", "XGBoost": "logloss"}[library]
        params = {name: value, "n_estimators": CAP, "early_stopping_rounds": PATIENCE}
        model = plain(library, focal_gamma=0.0, **params)
        X, X_held, y, y_held = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
        quiet = {} if library == "LightGBM" else {"verbose": False}
        return model, timed(model.fit, X, y, eval_set=[(X_held, y_held)], **quiet)
    if method in OTHERS:
        model = sigmoid(plain(library, focal_gamma=0.0), method == "sigmoid, ensemble")
    else:
        gammas = {"focal_gammas": (0.0,)} if method.endswith("gamma 0") else {}
        model = chosen(library, ensemble=method.startswith("merged"), **gammas)
    return model, timed(model.fit, X, y)


def one_table(table: str, library: str, fold: int) -> list[dict[str, Any]]:
    """All methods on one split of a table."""
    X, X_test, y, y_test = rows_of(table, fold)
    about = {"table": table, "family": BINARY[table].family, "library": library, "fold": fold}
    about |= {"rows": len(y), "positives": int(y.sum())}
    plain(library, focal_gamma=0.0, n_estimators=1).fit(X, y)  # compiles
    rows = []
    for method in METHODS:
        model, cost = fitted(method, library, X, y)
        proba, seconds = predicted(model, X_test)
        row = {**about, "method": method, **measures(y_test, proba)}
        row["brier"] = brier_score_loss(y_test, proba[:, 1])
        row["mean_over_prevalence"] = row["mean_proba"] / y_test.mean()
        row |= {**cost, "predict_seconds": seconds, **size_of(model)}
        rows.append({**row, "gamma": getattr(model, "focal_gamma_", 0.0)})
    return rows


def run(quick: bool) -> pd.DataFrame:
    """All tables; all of a split come before the next one."""
    jobs = [
        (table, library, fold)
        for fold in range(1 if quick else SPLITS)
        for table in (QUICK if quick else BINARY)
        for library in CLASSIFIERS
    ]
    return progress("tables", one_table, jobs, quick)


def text_of(table: pd.DataFrame) -> str:
    """Ranks and pairs, of each library."""
    families, tables = table.family.nunique(), table.table.nunique()
    parts = [
        f"{tables} tables of {families} families, {table.fold.nunique()} splits, at most "
        f"{ROWS:,} rows of each, of which four fifths are for training. Differences of mean ranks "
        "among the seven methods, with intervals of 95 % over families; below 0 is better. "
        '"Perhaps" is what the interval says, but not a test by signs of families with Holm\'s '
        "correction for all that is in its table. Then wins, ties and losses, and the "
        "probabilities that on a family it is most likely that the method is better, that it "
        "makes no matter, and that it is worse."
    ]
    wanted = [(own, other) for own in OWN for other in OTHERS]
    wanted += [("cv", "cv, gamma 0"), ("merged", "merged, gamma 0"), ("merged", "cv")]
    for library, part in table.groupby("library", sort=False):
        differences = rank_differences(part, wanted, MEASURES)
        ratios = by_family(part, "mean_over_prevalence").agg(["mean", "std"]).T
        ratios.columns = [f"mean_over_prevalence, {name}" for name in ratios.columns]
        shown = ["fit_seconds", "predict_seconds", "file_bytes", "rounds"]
        medians = pd.DataFrame({f"{m}, median": by_family(part, m).median() for m in shown})
        means = pd.DataFrame({f"{m}, mean": by_family(part, m).mean() for m in MEASURES})
        ranking = mean_ranks(part, MEASURES).drop(columns="fit, seconds")
        overview = ranking.join([means, ratios, medians])
        gammas = part[part.method.isin(("cv", "merged"))].groupby(["method", "gamma"]).size()
        parts += [
            f"**{library}**",
            verdicts(differences),
            differences.to_markdown(index=False),
            pairs(part, wanted, MEASURES).to_markdown(index=False, floatfmt=".3g"),
            "Mean ranks, means and medians over families:",
            overview.to_markdown(floatfmt=".4g"),
            f"Chosen gammas:\n\n{gammas.unstack(fill_value=0).to_markdown()}",
        ]
        warned = part[part.warned.notna()].groupby(["method", "warned"]).size()
        if len(warned):
            text = warned.rename("fits").reset_index().to_markdown(index=False)
            parts.append(f"Warnings:\n\n{text}")
    return "\n\n".join(parts)
