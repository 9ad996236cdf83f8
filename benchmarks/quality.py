"""Does focal loss help? All methods on all real tables, tuned on equal terms.

Each table is split by repeated stratified folds. In each, every method has the same search:
the same number of trials of Optuna's TPE, from the same seed, scored by the same inner
stratified folds of the same rows; the first trial is a point near the library's defaults.
What is found is fitted on the training rows and measured on the fold. Rows are capped in
training and, lower, in the search: for all methods alike. One row of results for each (table,
method, fold); what is there already is not computed again, so that the run can be stopped and
continued. All tables of a fold come before the next fold.

    python -m benchmarks.quality [--quick] [--minutes M] [--jobs N] [--methods ...] [--tables ...]

writes benchmarks/results/quality.csv; ``python -m benchmarks.quality_report`` reads it. With
``--quick`` a part of the run is done again, and compared with what is in that file.
"""

import argparse
import csv
import json
import time
import warnings
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    roc_auc_score,
)
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedKFold,
    train_test_split,
)

from benchmarks.methods import METHODS, Method, installed
from benchmarks.quality_statistics import reproduced
from benchmarks.report import RESULTS, commit, environment
from benchmarks.tables import BINARY, MULTICLASS
from skfocal.metrics import expected_calibration_error

SPLITS, REPEATS, INNER_SPLITS = 3, 2, 3
TRIALS = 12
# Rows of training, and of the search within them.
TRAINING_ROWS, SEARCH_ROWS = 30_000, 6_000
SEED = 0
QUICK_TABLES = ("churn, TV", "employee attrition", "faults, PC1", "yeast ME2")
QUICK_METHODS = ("LightGBM", "LightGBM, focal", "LightGBM, focal, posterior link", "logistic")
MEASURES = (
    "average_precision",
    "roc_auc",
    "log_loss",
    "brier",
    "reliability",
    "resolution",
    "calibration_error",
    "f1",
    "mcc",
    "balanced_accuracy",
    "f1_tuned",
    "mcc_tuned",
    "balanced_accuracy_tuned",
    "recall_at_1_percent",
)
COLUMNS = (
    *("table", "family", "method", "fold", "seed", "trials", "rows", "search_rows"),
    *MEASURES,
    *("search_seconds", "fit_seconds", "predict_seconds", "commit", "parameters", "error"),
)


@lru_cache(maxsize=4)
def load(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """A table, once in a process."""
    X, y = (BINARY | MULTICLASS)[name].load()
    return X.reset_index(drop=True), y.to_numpy()


def capped(rows: np.ndarray, y: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """At most ``limit`` of the rows, as many of each class as before."""
    if len(rows) <= limit:
        return rows
    return np.sort(train_test_split(rows, train_size=limit, stratify=y[rows], random_state=seed)[0])


def split(name: str, fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to search in, to train on and to measure on."""
    X, y = load(name)
    folds = RepeatedStratifiedKFold(n_splits=SPLITS, n_repeats=REPEATS, random_state=SEED)
    train, test = list(folds.split(X, y))[fold]
    train = capped(train, y, TRAINING_ROWS, fold)
    return capped(train, y, SEARCH_ROWS, fold), train, test


def probabilities(estimator: Any, X: pd.DataFrame) -> np.ndarray:
    """Those of all classes, each row of sum 1."""
    proba = np.asarray(estimator.predict_proba(X), dtype=float)
    return proba / proba.sum(axis=1, keepdims=True)


def class_ratio(y: np.ndarray) -> float:
    """Negatives for a positive; -1 for more than two classes, which have no such number."""
    return float((y == 0).sum() / (y == 1).sum()) if y.max() == 1 else -1.0


def precision_of(y: np.ndarray, proba: np.ndarray) -> float:
    """Average precision of the positives, or the mean over more than two classes."""
    first = 1 if proba.shape[1] == 2 else 0
    own = y[:, np.newaxis] == np.arange(first, proba.shape[1])
    return float(average_precision_score(own, proba[:, first:]))


def search(
    method: Method, X: pd.DataFrame, y: np.ndarray, ratio: float, seed: int, trials: int
) -> tuple[dict[str, Any], np.ndarray]:
    """Parameters of the best trial, and probabilities of the rows that were not trained on."""
    folds = list(StratifiedKFold(INNER_SPLITS, shuffle=True, random_state=seed).split(X, y))
    found: dict[int, np.ndarray] = {}

    def objective(trial: optuna.Trial) -> float:
        params = method.space(trial)
        proba = np.empty((len(y), y.max() + 1))
        scores = []
        for train, test in folds:
            estimator = method.make(dict(params), ratio, seed).fit(X.iloc[train], y[train])
            proba[test] = probabilities(estimator, X.iloc[test])
            scores.append(precision_of(y[test], proba[test]))
        found[trial.number] = proba
        return float(np.mean(scores))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(method.start)
    study.optimize(objective, n_trials=trials)
    return study.best_params, found[study.best_trial.number]


def best_threshold(y: np.ndarray, positive: np.ndarray) -> float:
    """Where F1 of the rows that were not trained on is largest."""
    order = np.argsort(-positive, kind="stable")
    hits = np.cumsum(y[order])
    f1 = 2 * hits / (np.arange(1, len(y) + 1) + y.sum())
    last_of_ties = np.append(np.diff(positive[order]) != 0, True)
    return float(positive[order][np.argmax(np.where(last_of_ties, f1, -1.0))])


def brier_parts(y: np.ndarray, positive: np.ndarray, bins: int = 10) -> tuple[float, float]:
    """Reliability and resolution over bins of as many rows (Murphy 1973)."""
    parts = np.array_split(np.argsort(positive, kind="stable"), bins)
    share = np.array([len(part) for part in parts]) / len(y)
    said = np.array([positive[part].mean() for part in parts])
    true = np.array([y[part].mean() for part in parts])
    reliability = np.sum(share * (said - true) ** 2)
    return float(reliability), float(np.sum(share * (true - y.mean()) ** 2))


def decisions(y: np.ndarray, labels: np.ndarray, suffix: str = "") -> dict[str, float]:
    """Measures of labels."""
    average = "binary" if y.max() == 1 else "macro"
    return {
        f"f1{suffix}": f1_score(y, labels, average=average, zero_division=0),
        f"mcc{suffix}": matthews_corrcoef(y, labels),
        f"balanced_accuracy{suffix}": balanced_accuracy_score(y, labels),
    }


def measures(
    y: np.ndarray, proba: np.ndarray, labels: np.ndarray, threshold: float | None
) -> dict[str, float]:
    """All measures of a fold."""
    own = np.eye(proba.shape[1])[y]
    result = {
        "average_precision": precision_of(y, proba),
        "log_loss": log_loss(y, proba, labels=range(proba.shape[1])),
        "brier": float(((own - proba) ** 2).sum(axis=1).mean() / 2),
        **decisions(y, labels),
    }
    if threshold is None:
        return result | {"roc_auc": roc_auc_score(y, proba, multi_class="ovr")}
    positive = proba[:, 1]
    reliability, resolution = brier_parts(y, positive)
    alerts = np.argsort(-positive, kind="stable")[: max(1, round(0.01 * len(y)))]
    return result | {
        "roc_auc": roc_auc_score(y, positive),
        "reliability": reliability,
        "resolution": resolution,
        "calibration_error": expected_calibration_error(y, positive),
        "recall_at_1_percent": float(y[alerts].sum() / y.sum()),
        **decisions(y, (positive >= threshold).astype(int), "_tuned"),
    }


def run(table: str, name: str, fold: int, trials: int = TRIALS) -> dict[str, Any]:
    """One row of the results."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    X, y = load(table)
    in_search, train, test = split(table, fold)
    binary = y.max() == 1
    ratio = class_ratio(y[train])
    method, started = METHODS[name], time.perf_counter()
    row: dict[str, Any] = {
        "table": table,
        "family": (BINARY | MULTICLASS)[table].family,
        "method": name,
        "fold": fold,
        "seed": SEED + fold,
        "trials": trials,
        "rows": len(train),
        "search_rows": len(in_search),
        "commit": commit(),
    }
    try:
        best, unseen = search(method, X.iloc[in_search], y[in_search], ratio, SEED + fold, trials)
        row["search_seconds"] = time.perf_counter() - started
        params = method.space(optuna.trial.FixedTrial(best))
        started = time.perf_counter()
        estimator = method.finish(method.make(params, ratio, SEED + fold))
        estimator.fit(X.iloc[train], y[train])
        row["fit_seconds"] = time.perf_counter() - started
        started = time.perf_counter()
        proba = probabilities(estimator, X.iloc[test])
        row["predict_seconds"] = time.perf_counter() - started
        labels = np.asarray(estimator.predict(X.iloc[test])).ravel()
        threshold = best_threshold(y[in_search], unseen[:, 1]) if binary else None
        row |= measures(y[test], proba, labels, threshold)
        row["parameters"] = json.dumps(best)
    except Exception as error:  # a method that cannot be run is a result, too
        row["error"] = f"{type(error).__name__}: {error}"[:200]
    return row


def done_before(path: Path) -> set[tuple[str, str, int]]:
    """What a file of results holds already."""
    if not path.exists():
        return set()
    table = pd.read_csv(path, usecols=["table", "method", "fold"])
    return set(table.itertuples(index=False, name=None))


def tasks(
    tables: list[str], methods: list[str], folds: int, done: set
) -> list[tuple[str, str, int]]:
    """What is to be computed, in its order."""
    return [
        (table, method, fold)
        for fold, table, method in product(range(folds), tables, methods)
        if (table in BINARY or METHODS[method].multiclass) and (table, method, fold) not in done
    ]


def _formatted(row: dict[str, Any]) -> dict[str, Any]:
    return {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a part, in ten minutes")
    parser.add_argument("--minutes", type=float, default=np.inf, help="start nothing after that")
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--tables", nargs="*", choices=BINARY | MULTICLASS)
    parser.add_argument("--folds", type=int, default=SPLITS * REPEATS)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    tables = options.tables or list(BINARY | MULTICLASS)
    folds, name = options.folds, "quality"
    if options.quick:
        tables, options.methods = list(QUICK_TABLES), list(QUICK_METHODS)
        folds, name = SPLITS, "quality-quick"
        (RESULTS / f"{name}.csv").unlink(missing_ok=True)
    for left_out in [m for m in options.methods if not installed(METHODS[m])]:
        print(f"{left_out} is left out: {METHODS[left_out].needs} is not installed")
        options.methods.remove(left_out)
    path = RESULTS / f"{name}.csv"
    todo = tasks(tables, options.methods, folds, done_before(path))
    end = time.monotonic() + 60 * options.minutes

    def within_time():
        for task in todo:
            if time.monotonic() > end:
                return
            yield delayed(run)(*task)

    new = not path.exists()
    with path.open("a", newline="") as file, parallel_config("loky", inner_max_num_threads=1):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        workers = Parallel(
            n_jobs=options.jobs, return_as="generator_unordered", pre_dispatch=2 * options.jobs
        )
        for row in workers(within_time()):
            writer.writerow(_formatted(row))
            file.flush()
            print(row["fold"], row["table"], row["method"], row.get("error", ""), flush=True)
    path.with_suffix(".json").write_text(json.dumps(environment(), indent=1) + "\n")
    if options.quick:
        before = pd.read_csv(RESULTS / "quality.csv")
        shown = ["average_precision", "log_loss", "brier"]
        print(reproduced(pd.read_csv(path), before, shown).to_string())


if __name__ == "__main__":
    from benchmarks import quality  # workers find functions by the name of their module

    quality.main()
