"""Really rare positives: 0.5 %, 0.2 % and 0.1 % of the rows, and what people do about them.

Tables of `benchmarks.large_tables.LARGE`, and two made ones whose probabilities are known. A third
of a table is for testing, at most 60,000 rows, and the rest for training, at most 40,000 negatives.
The positives of the training rows are thinned until they are the wanted share; a share at which
fewer than 40 were left is not run. A test has all its positives, with weights that make them the
same share, so that fewer of them does not mean more noise. Of the made tables, each test row
counts as positive by its true probability, and as negative by the rest.

Trees have default parameters and the learning rate 0.1. *Stopped* is early stopping, for 30 rounds
by the log loss of a fifth of the training rows, of at most 1,000 rounds.

- ``LightGBM``, ``XGBoost``, ``scikit-learn``, ``CatBoost``: log loss, stopped.
- ``weighted``: positives weigh as much as negatives, in training and in the log loss that stops;
  probabilities as the library gives them. ``balanced, undone``: `focal_alpha="balanced"`, gamma 0.
- ``focal 2``, ``posterior 2``: gamma 2 under both links, stopped.
- ``CV``: the class that chooses gamma by cross-validation, defaults but for the cap of 1,000
  rounds. ``CV, gamma 0``: without a choice of gamma. Its other settings, one changed at a time:
  ``rule best``, ``no calibration``, ``refit`` (``ensemble=False``), and this with the focal link.
- ``CalibratedClassifierCV``: the plain class with the library's 100 rounds, sigmoid on five folds,
  averaged. ``sigmoid``, ``isotonic``: the stopped model, calibrated on the rows that stopped it.
- ``sampled``: ten negatives for each positive, stopped. ``sampled, priors``: with ``priors``.
- ``SMOTE``: imbalanced-learn makes positives until they are a tenth of the negatives, stopped.
- ``logistic``, ``logistic, CV``: scikit-learn's model, and `FocalLogisticRegressionCV`.
- ``BalancedRandomForest``, ``EasyEnsemble``: imbalanced-learn's, 100 trees and 10 bags.
- ``gbdtCBL``, ``imlightgbm``, ``bokbokbok`` and CatBoost's ``own Focal``: gamma 2, as they give
  probabilities, and ``recovered``, the posterior of their loss. The first three have 100 rounds.

    python -m benchmarks.rare [--quick] [--repetitions N] [--first N] [--groups ...] [--shares ...]

writes benchmarks/results/rare.csv, which keeps what other groups have measured.
`benchmarks.rare_report` writes rare.md and the figure. A run that was stopped goes on where it was.
"""

import argparse
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from benchmarks.booster_fits import Rows
from benchmarks.data import linear_positives_proba, rare_positives_proba
from benchmarks.large_tables import LARGE, thinned
from benchmarks.one_fit_shared import progress
from benchmarks.quality_statistics import reproduced
from benchmarks.rare_methods import GROUPS
from benchmarks.report import RESULTS, write_results
from skfocal.metrics import recall_at_budget

SHARES = (0.005, 0.002, 0.001)
NEGATIVES, TEST_ROWS, FEWEST, REPETITIONS = 40_000, 60_000, 40, 1
COSTS = (20, 100, 500)
BUDGETS = (0.001, 0.005, 0.01)
QUICK = [("made, products", 0.005, 0), ("liver disease, death", 0.005, 0), ("sylva", 0.005, 0)]
QUICK_GROUPS = ("LightGBM", "XGBoost", "others")
SHOWN = ["average_precision", "log_loss", "log_loss_ratio", "cost_100"]
MADE: dict[str, Callable[..., np.ndarray]] = {
    "made, products": rare_positives_proba,
    "made, linear": linear_positives_proba,
}


def rows_of(table: str, share: float, repetition: int) -> tuple[Rows, Rows, np.ndarray, np.ndarray]:
    """Training rows, columns and labels of tests, weights of tests, and true probabilities.

    The last array is empty where they are not known.
    """
    rng = np.random.default_rng([repetition, round(1e6 * share)])
    if table in MADE:
        return _made_rows(table, share, rng)
    X, y = LARGE[table].load()
    X, y = X.reset_index(drop=True), np.asarray(y)
    train, test = train_test_split(
        np.arange(len(y)), test_size=1 / 3, stratify=y, random_state=repetition
    )
    negatives = rng.permutation(train[y[train] == 0])[:NEGATIVES]
    train = np.r_[negatives, train[y[train] == 1]]
    test = rng.permutation(test)[:TEST_ROWS]
    X_train, y_train = thinned(X.iloc[train], y[train], share, rng)
    y_test = y[test]
    weight = np.where(y_test == 1, share / y_test.sum(), (1 - share) / (y_test == 0).sum())
    return (X_train, y_train), (X.iloc[test], y_test), weight, np.empty(0)


def _made_rows(
    table: str, share: float, rng: np.random.Generator
) -> tuple[Rows, Rows, np.ndarray, np.ndarray]:
    values = rng.normal(size=(NEGATIVES + TEST_ROWS, 20))
    proba = MADE[table](values, share)
    X = pd.DataFrame(values).rename(columns="x{}".format)
    y = (rng.uniform(size=NEGATIVES) < proba[:NEGATIVES]).astype(int)
    X_test, true = X.iloc[NEGATIVES:].reset_index(drop=True), proba[NEGATIVES:]
    n = len(true)
    y_test = np.repeat([1, 0], n)
    weight = np.r_[true, 1 - true] / n
    return (X.iloc[:NEGATIVES], y), (X_test, y_test), weight, true


@lru_cache
def can_be_run(table: str, share: float) -> bool:
    """Whether enough positives are left in training."""
    if table in MADE:
        return True
    _, y = LARGE[table].load()
    negatives = min(NEGATIVES, (y == 0).sum() * 2 / 3)
    return bool(share / (1 - share) * negatives >= FEWEST and y.mean() >= share)


def measured(
    y: np.ndarray, p: np.ndarray, weight: np.ndarray, true: np.ndarray
) -> dict[str, float]:
    """All measures of probabilities of positives; ``weight`` sums to 1.

    ``log_loss_ratio`` is over the log loss of the prevalence, ``cost_C`` over the cost of the best
    decision that is the same for all rows.
    """
    p = p.astype(float)
    share = float(weight[y == 1].sum())
    entropy = -share * np.log(share) - (1 - share) * np.log1p(-share)
    inside = np.clip(p, 1e-15, 1 - 1e-15)
    loss = -(weight * np.where(y == 1, np.log(inside), np.log1p(-inside))).sum()
    found = {
        "average_precision": average_precision_score(y, p, sample_weight=weight),
        **{
            f"recall_at_{100 * b:g}_percent": recall_at_budget(y, p, budget=b, sample_weight=weight)
            for b in BUDGETS
        },
        "log_loss": loss,
        "log_loss_ratio": loss / entropy,
        "mean_over_prevalence": (weight * p).sum() / share,
        "brier": (weight * (p - y) ** 2).sum(),
    }
    for cost in COSTS:
        alerted = p * cost > 1 - p
        paid = (weight * np.where(y == 1, cost * ~alerted, alerted)).sum()
        found[f"cost_{cost}"] = paid / min(cost * share, 1 - share)
    if len(true):
        found["distance_to_truth"] = float(np.abs(p[: len(true)] - true).mean() / share)
    return found


def one_job(table: str, share: float, repetition: int, group: str) -> list[dict[str, Any]]:
    """All methods of a group on one thinned table."""
    warnings.simplefilter("ignore")
    train, (X, y), weight, true = rows_of(table, share, repetition)
    about = {
        "table": table,
        "family": table if table in MADE else LARGE[table].family,
        "share": share,
        "fold": repetition,
        "rows": len(train[1]),
        "positives": int(train[1].sum()),
        "group": group,
    }
    rows = []
    for method, predict, seconds in GROUPS[group](train, repetition):
        p = predict(X)
        p = np.r_[p, p] if len(true) else p
        rows.append({**about, "method": method, **measured(y, p, weight, true)})
        rows[-1]["fit_seconds"] = seconds
    return rows


def jobs_of(
    groups: list[str], repetitions: int, shares: tuple[float, ...] = SHARES, first: int = 0
) -> list[tuple[str, float, int, str]]:
    """All of a repetition come before the next one."""
    return [
        (table, share, repetition, group)
        for repetition in range(first, repetitions)
        for group in groups
        for share in shares
        for table in (*MADE, *LARGE)
        if can_be_run(table, share)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three tables again, and what changed")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--first", type=int, default=0, help="the repetition to begin with")
    parser.add_argument("--groups", nargs="*", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--shares", nargs="*", type=float, choices=SHARES, default=list(SHARES))
    options = parser.parse_args()
    jobs = jobs_of(options.groups, options.repetitions, tuple(options.shares), options.first)
    if options.quick:
        jobs = [job for job in jobs if job[:3] in QUICK and job[3] in QUICK_GROUPS]
    found = progress("rare", one_job, jobs, options.quick, prefix="")
    path = RESULTS / "rare.csv"
    before = pd.read_csv(path) if path.exists() else found.iloc[:0]
    if options.quick:
        print(reproduced(found, before, SHOWN).to_string())
    else:
        keys = ["table", "share", "fold", "method"]
        found = pd.concat([before, found]).drop_duplicates(keys, keep="last")
        found = found.sort_values(["fold", "group", "share", "table"], kind="stable")
    write_results(found, "rare-quick" if options.quick else "rare")


if __name__ == "__main__":
    from benchmarks import rare  # workers find functions by the name of their module

    rare.main()
