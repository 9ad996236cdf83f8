"""Focal loss on four boosters as people run them: default trees, early stopping.

All 44 tables of `benchmarks.tables.BINARY`, split in three stratified folds. Of the training rows
(at most 12,000) a fifth ends training: the log loss of the posterior on them has not improved for
30 rounds, of at most 1,000. The learning rate is 0.1 everywhere. LightGBM, XGBoost, scikit-learn's
trees and CatBoost have gamma 0, which is their own log loss, and gamma 1 and 2 under both links.
CatBoost's own ``Focal`` (alpha 0.5, which weighs both classes alike) is trained with the same
learning rate, the same 10 Newton steps a leaf and the same stop; its probabilities are given as
CatBoost has them, and as `FocalCatBoostClassifier.from_booster` recovers them. Its gradients and
Hessians are smaller than those of log loss, so that ``l2_leaf_reg`` weighs more beside them, and
training starts at 0. Two controls of CatBoost's log loss tell what these two do.

    python -m benchmarks.boosters [--quick] [--folds N]

writes benchmarks/results/boosters.csv and boosters.md; a run that was stopped goes on where it was.
"""

import argparse
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import StratifiedKFold, train_test_split

from benchmarks.booster_fits import BOOSTERS, FITS, Rows, catboost, of_library, own_focal
from benchmarks.one_fit_shared import measures, progress
from benchmarks.quality_statistics import by_family, mean_ranks, pairs, rank_differences, verdicts
from benchmarks.report import RESULTS, write_results
from benchmarks.tables import BINARY

ROWS, FOLDS = 12_000, 3
GAMMAS, LINKS = (1.0, 2.0), ("focal", "posterior")
QUICK = ("employee attrition", "faults, PC1", "yeast ME2", "spam")
MEASURES = ["average_precision", "log_loss", "brier"]
# CatBoost's log loss with a larger ridge (3 is the default), and from 0 in place of the average.
CONTROLS: dict[str, dict[str, Any]] = {
    "CatBoost, l2_leaf_reg 10": {"focal_gamma": 0.0, "l2_leaf_reg": 10.0},
    "CatBoost, from 0": {"focal_gamma": 0.0, "boost_from_average": False},
}


def split(table: str, fold: int) -> tuple[Rows, Rows, Rows]:
    """Rows to train on, to stop on and to measure on."""
    X, y = BINARY[table].load()
    X, y = X.reset_index(drop=True), y.to_numpy()
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    train, test = list(folds.split(X, y))[fold]
    if len(train) > ROWS:
        train, _ = train_test_split(train, train_size=ROWS, stratify=y[train], random_state=fold)
    train, held = train_test_split(train, test_size=0.2, stratify=y[train], random_state=fold)
    parts = [(X.iloc[rows].reset_index(drop=True), y[rows]) for rows in (train, held, test)]
    return parts[0], parts[1], parts[2]


def settings() -> list[tuple[str, dict[str, Any]]]:
    """Names and parameters of the losses of a booster."""
    focal = [
        (f", {link} {gamma:g}", {"focal_gamma": gamma, "link": link})
        for link in LINKS
        for gamma in GAMMAS
    ]
    return [("", {"focal_gamma": 0.0}), *focal]


def measured(model: Any, X: pd.DataFrame, y: np.ndarray) -> dict[str, float]:
    """All measures of a model on the rows of a fold."""
    proba = np.asarray(model.predict_proba(X), dtype=float)
    proba = proba / proba.sum(axis=1, keepdims=True)
    found = measures(y, proba)
    ratio = found["mean_proba"] / y.mean()
    return {**found, "brier": brier_score_loss(y, proba[:, 1]), "mean_over_prevalence": ratio}


def description(table: str, fold: int, y: np.ndarray) -> dict[str, Any]:
    """The columns that tell of the training rows."""
    about = {"table": table, "family": BINARY[table].family, "fold": fold}
    return {**about, "rows": len(y), "positives": int(y.sum())}


def one_fold(table: str, fold: int) -> list[dict[str, Any]]:
    """All methods on one fold of a table."""
    warnings.simplefilter("ignore")
    parts = split(table, fold)
    about = description(table, fold, parts[0][1])
    rows = []
    for booster, fit in FITS.items():
        train, held, (X, y) = [(of_library(X, booster), y) for X, y in parts]
        for name, params in settings():
            started = time.perf_counter()
            model = fit(params, fold, train, held)
            seconds = time.perf_counter() - started
            rows.append({**about, "method": booster + name, **measured(model, X, y)})
            rows[-1]["fit_seconds"] = seconds
    train, held, (X, y) = [(of_library(X, "CatBoost"), y) for X, y in parts]
    for gamma in GAMMAS:
        started = time.perf_counter()
        own, recovered = own_focal(gamma, fold, train, held)
        seconds = time.perf_counter() - started
        for model, name in ((own, "own Focal"), (recovered, "own Focal, recovered")):
            rows.append({**about, "method": f"CatBoost, {name} {gamma:g}", **measured(model, X, y)})
            rows[-1]["fit_seconds"] = seconds
    return rows


def one_control(table: str, fold: int) -> list[dict[str, Any]]:
    """The controls on one fold of a table."""
    warnings.simplefilter("ignore")
    parts = split(table, fold)
    about = description(table, fold, parts[0][1])
    train, held, (X, y) = [(of_library(X, "CatBoost"), y) for X, y in parts]
    rows = []
    for name, params in CONTROLS.items():
        started = time.perf_counter()
        model = catboost(params, fold, train, held)
        seconds = time.perf_counter() - started
        rows.append({**about, "method": name, **measured(model, X, y), "fit_seconds": seconds})
    return rows


def text_of(table: pd.DataFrame) -> str:
    """Differences to each booster's own log loss, and of CatBoost's two focal losses."""
    focal = [name for name, _ in settings() if name]
    parts = [
        f"{table.table.nunique()} tables of {table.family.nunique()} families, "
        f"{table.fold.nunique()} folds. Differences of mean ranks among all methods, with "
        "intervals of 95 % over families; below 0 is better. "
        '"Perhaps" is what the interval says, but not a test by signs of families with Holm\'s '
        "correction for all that is in its table. Then wins, ties and losses, and the "
        "probabilities that on a family it is most likely that the method is better, that it "
        "makes no matter, and that it is worse."
    ]
    wanted = {
        "Focal loss against the same booster's log loss": [
            (booster + name, booster) for booster in BOOSTERS for name in focal
        ],
        "Boosters against each other, at gamma 0": [
            (one, other) for k, one in enumerate(BOOSTERS) for other in BOOSTERS[:k]
        ],
        "CatBoost's own focal loss, with equal leaf steps and learning rate": [
            pair
            for gamma in ("1", "2")
            for pair in (
                (f"CatBoost, own Focal {gamma}", "CatBoost"),
                (f"CatBoost, own Focal, recovered {gamma}", "CatBoost"),
                (f"CatBoost, focal {gamma}", f"CatBoost, own Focal {gamma}"),
                (f"CatBoost, focal {gamma}", f"CatBoost, own Focal, recovered {gamma}"),
                (f"CatBoost, posterior {gamma}", f"CatBoost, own Focal, recovered {gamma}"),
            )
        ],
        "What a larger ridge and the start do to CatBoost's log loss": [
            *((control, "CatBoost") for control in CONTROLS),
            *((f"CatBoost, own Focal, recovered {g}", next(iter(CONTROLS))) for g in ("1", "2")),
        ],
    }
    for title, these in wanted.items():
        differences = rank_differences(table, these, MEASURES)
        parts += [
            f"**{title}**",
            verdicts(differences),
            differences.to_markdown(index=False),
            pairs(table, these, MEASURES).to_markdown(index=False, floatfmt=".3g"),
        ]
    means = pd.DataFrame({f"{m}, mean": by_family(table, m).mean() for m in MEASURES})
    ratio = by_family(table, "mean_over_prevalence").median().rename("mean over prevalence, median")
    overview = mean_ranks(table, MEASURES).join([means, ratio])
    parts += ["**Mean ranks, means over families, seconds**", overview.to_markdown(floatfmt=".4g")]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="four tables, one fold")
    parser.add_argument("--folds", type=int, default=FOLDS, help="the first folds alone")
    options = parser.parse_args()
    tables, folds = (QUICK, 1) if options.quick else (tuple(BINARY), options.folds)
    jobs = [(table, fold) for fold in range(folds) for table in tables]
    found = progress("boosters", one_fold, jobs, options.quick, prefix="")
    controls = progress("boosters-controls", one_control, jobs, options.quick, prefix="")
    found = pd.concat([found, controls]).sort_values(["fold", "table"], kind="stable")
    name = "boosters-quick" if options.quick else "boosters"
    write_results(found, name)
    (RESULTS / f"{name}.md").write_text(text_of(found))
    print(text_of(found))


if __name__ == "__main__":
    from benchmarks import boosters  # workers find functions by the name of their module

    boosters.main()
