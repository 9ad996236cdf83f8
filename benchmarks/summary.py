"""The page that anyone reads in two minutes: REPORT.md.

    python -m benchmarks.summary

reads results/rare.csv, boosters.csv, as_run.csv, quality.csv and drift.csv. Its figures are made by
`benchmarks.rare_report` and `benchmarks.as_run_report`, and its sentences are in summary.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import as_run_report, rare_report
from benchmarks.as_run import WITH_FOLDS
from benchmarks.booster_fits import BOOSTERS, RATE
from benchmarks.boosters import FOLDS
from benchmarks.quality_report import FOCAL, bases
from benchmarks.quality_statistics import (
    by_family,
    complete_folds,
    mean_differences,
    paired,
    rank_differences,
)
from benchmarks.rare_report import LOSS, in_all, named
from benchmarks.report import RESULTS
from benchmarks.tables import BINARY

REPORT = Path(__file__).parent / "REPORT.md"
RARE_METHODS = {
    "log loss, early stopping": "",
    "class weights": "weighted",
    "ten negatives for each positive": "sampled",
    "the same, with `priors`": "sampled, priors",
    "SMOTE": "SMOTE",
    "`CalibratedClassifierCV`, 100 rounds": "CalibratedClassifierCV",
    "focal loss, gamma 2, early stopping": "focal 2",
    "class ending in CV, gamma 0": "CV, gamma 0",
    "class ending in CV": "CV",
}
RARE_BOOSTERS = ("LightGBM", "XGBoost", "scikit-learn")
AGAINST = {
    "log loss, early stopping": "",
    "class weights": "weighted",
    "sample, no `priors`": "sampled",
    "`CalibratedClassifierCV`": "CalibratedClassifierCV",
}

TEMPLATE = Path(__file__).parent / "summary.md"


def rare_means(table: pd.DataFrame) -> str:
    """Means over families of what people do, on each booster."""
    values = {m: by_family(table, m) for m in (LOSS, "mean_over_prevalence", "cost_100")}
    rows = []
    for label, method in RARE_METHODS.items():
        row: dict[str, object] = {"": label}
        for booster in RARE_BOOSTERS[:2]:
            name = named(booster, method)
            row[f"{booster}: log loss"] = values[LOSS][name].mean()
            row[f"{booster}: mean"] = values["mean_over_prevalence"][name].median()
            row[f"{booster}: cost 1:100"] = values["cost_100"][name].mean()
        rows.append(row)
    return pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3g")


def rare_ranks(table: pd.DataFrame) -> str:
    """The classes that search, against four others: differences of mean ranks by log loss."""
    wanted = [
        (named(b, "CV"), named(b, other)) for b in RARE_BOOSTERS for other in AGAINST.values()
    ]
    found = rank_differences(table, wanted, [LOSS])
    cells = found[LOSS].to_numpy().reshape(len(RARE_BOOSTERS), len(AGAINST))
    frame = pd.DataFrame(cells, columns=list(AGAINST))
    frame.insert(0, "CV class of", list(RARE_BOOSTERS))
    return frame.to_markdown(index=False)


def said(found: pd.DataFrame) -> str:
    """How many of `mean_differences` say what."""
    counts = found.seen.value_counts()
    return ", ".join(f"{n} {word}" for word, n in counts.items())


def of_gamma_5(found: pd.DataFrame) -> str:
    """How many of the worse ones of `mean_differences` have gamma 5."""
    worse = found[found.seen.str.endswith("worse")].method
    return f"{worse.str.endswith(' 5').sum()} of these {len(worse)} worse ones have gamma 5"


def focal_on_rare(table: pd.DataFrame) -> str:
    """What gamma does on rare positives, a row for each booster."""
    wanted = [(named(b, "focal 2"), b) for b in BOOSTERS]
    wanted += [(named(b, "CV"), named(b, "CV, gamma 0")) for b in RARE_BOOSTERS]
    found = mean_differences(table, wanted, [LOSS, "average_precision"])
    return shown(found).to_markdown(index=False)


def times(table: pd.DataFrame) -> dict[str, str]:
    """Smallest and largest time of a recipe on the boosters, times that of a stopped fit."""
    found = as_run_report.costs(table).set_index("method")["times the time"]
    wanted = {
        "focal_time": (WITH_FOLDS, ("focal 2", "posterior 2")),
        "catboost_time": (("CatBoost",), ("focal 2", "posterior 2")),
        "sigmoid_time": (WITH_FOLDS, ("CalibratedClassifierCV",)),
        "cv_time": (WITH_FOLDS, ("CV",)),
        "cv_0_time": (WITH_FOLDS, ("CV, gamma 0",)),
    }
    ranges = {}
    for name, (boosters, recipes) in wanted.items():
        own = found[[f"{booster}, {recipe}" for booster in boosters for recipe in recipes]]
        low, high = f"{own.min():.1f}", f"{own.max():.1f}"
        ranges[name] = low if low == high else f"{low} to {high}"
    return ranges


def ordinary(table: pd.DataFrame) -> dict[str, object]:
    """What focal loss and the search do on the 44 tables."""
    pairs = as_run_report.there(table, as_run_report.focal_pairs())
    means = [paired(table, one, other, "average_precision").mean() for one, other in pairs]
    losses = mean_differences(table, pairs, ["log_loss"])
    searched = [(f"{b}, CV", b) for b in WITH_FOLDS]
    search = mean_differences(table, searched, ["log_loss", "average_precision"])
    noisy = [
        (f"{b}, {m}, noise", f"{b}, noise") for b in BOOSTERS for m in ("focal 2", "posterior 2")
    ]
    noise = mean_differences(table, noisy, ["average_precision", "log_loss"])
    folds = table[table.method == searched[0][0]].fold.nunique()
    return {
        "pairs": len(pairs),
        "said": said(mean_differences(table, pairs, ["average_precision"])),
        "said_loss": said(losses),
        "worst_gamma": of_gamma_5(losses),
        "largest": float(np.abs(means).max()),
        "search": shown(search).to_markdown(index=False),
        "search_folds": "three folds" if folds == FOLDS else f"{folds} of {FOLDS} folds",
        "noise": "log loss or gamma 2. One training label in twenty was flipped, and gamma 2 was "
        "compared with models trained on log loss (four boosters, two links, two measures: "
        f"{len(noise)} comparisons). The verdicts: {said(noise)}",
    }


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """The columns of `mean_differences` that a short table has, in words."""
    measures = {LOSS: "log loss", "log_loss": "log loss", "average_precision": "average precision"}
    found = found.assign(measure=found.measure.replace(measures))
    return found[["method", "against", "measure", "difference", "seen"]]


def tuned(table: pd.DataFrame) -> str:
    """How many focal losses differ from the plain loss of the same library, all tuned."""
    binary = complete_folds(table[table.table.isin(BINARY)])
    wanted = [(f"{base}, {variant}", base) for base in bases() for variant in FOCAL]
    found = rank_differences(binary, wanted, ["average_precision"])
    words = found.average_precision.str.replace(r".*\), ", "", regex=True).value_counts()
    return ", ".join(f"{n} {word}" for word, n in words.items())


def drift(table: pd.DataFrame) -> dict[str, str]:
    """What the last known share of positives does to log loss, and what the true one does."""
    models = [m for m in table.method.unique() if "share" not in m]
    numbers = {}
    for share in ("last", "true"):
        values = [paired(table, f"{m}, {share} share", m, "log_loss_ratio") for m in models]
        means = pd.concat(values, axis=1).mean(axis=1)
        numbers |= {
            f"{share}_better": f"{(means < 0).sum()} of {len(means)}",
            f"{share}_most": f"{-means.min():.3f}",
            f"{share}_where": str(means.idxmin()),
            f"{share}_worst": f"{max(means.max(), 0.0):.3f}",
        }
    return numbers


def page() -> str:
    """The page."""
    rare = in_all(rare_report.read())
    run = as_run_report.read()
    run = run[run.rate == RATE]
    moved = pd.read_csv(RESULTS / "drift.csv")
    quality = pd.read_csv(RESULTS / "quality.csv")
    return TEMPLATE.read_text().format(
        rare_tables=rare.family.nunique(),
        thinned=len(rare[["table", "share"]].drop_duplicates()),
        fewest=rare.positives.min(),
        most=rare.positives.max(),
        methods=rare.method.nunique(),
        repetitions={1: "once", 2: "twice"}.get(
            rare.fold.nunique(), f"{rare.fold.nunique()} times"
        ),
        rare_means=rare_means(rare),
        rare_ranks=rare_ranks(rare),
        focal_on_rare=focal_on_rare(rare),
        tuned=tuned(quality),
        **ordinary(run),
        **times(run),
        **drift(moved),
    )


def main() -> None:
    REPORT.write_text(page())
    print(f"{REPORT.name} is written.")


if __name__ == "__main__":
    main()
