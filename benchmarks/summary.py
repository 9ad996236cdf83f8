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
            row["mean" + " " * len(row)] = values["mean_over_prevalence"][name].median()
            row["cost 1:100" + " " * len(row)] = values["cost_100"][name].mean()
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


def focal_on_rare(table: pd.DataFrame) -> str:
    """What gamma does on rare positives, a row for each booster."""
    wanted = [(named(b, "focal 2"), b) for b in BOOSTERS]
    wanted += [(named(b, "CV"), named(b, "CV, gamma 0")) for b in RARE_BOOSTERS]
    found = mean_differences(table, wanted, [LOSS, "average_precision"])
    found = found.assign(measure=found.measure.replace({LOSS: "log loss"}))
    shown = found[["method", "against", "measure", "difference", "seen"]]
    return shown.to_markdown(index=False)


def times(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Smallest and largest time of a recipe on the boosters, times that of a stopped fit."""
    found = as_run_report.costs(table).set_index("method")["times the time"]
    ranges = {}
    for recipe in ("focal 2", "CalibratedClassifierCV", "CV", "CV, gamma 0"):
        own = found[[f"{b}, {recipe}" for b in WITH_FOLDS if f"{b}, {recipe}" in found]]
        ranges[recipe] = (own.min(), own.max())
    return ranges


def ordinary(table: pd.DataFrame) -> dict[str, object]:
    """What focal loss does on the 44 tables, as numbers."""
    pairs = as_run_report.there(table, as_run_report.focal_pairs())
    precision = mean_differences(table, pairs, ["average_precision"])
    means = [paired(table, one, other, "average_precision").mean() for one, other in pairs]
    searched = [(f"{b}, CV", b) for b in WITH_FOLDS]
    loss = [paired(table, one, other, "log_loss").mean() for one, other in searched]
    return {
        "pairs": len(pairs),
        "said": said(precision),
        "largest": float(np.abs(means).max()),
        "search": mean_differences(table, searched, ["log_loss", "average_precision"]),
        "loss": (min(loss), max(loss)),
    }


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
    usual, seconds = ordinary(run), times(run)
    moved = pd.read_csv(RESULTS / "drift.csv")
    quality = pd.read_csv(RESULTS / "quality.csv")
    ratio = {name: f"{low:.1f} to {high:.1f}" for name, (low, high) in seconds.items()}
    return TEMPLATE.read_text().format(
        rare_tables=rare.table.nunique(),
        rare_families=rare.family.nunique(),
        repetitions="once" if rare.fold.nunique() == 1 else f"{rare.fold.nunique()} times",
        rare_means=rare_means(rare),
        rare_ranks=rare_ranks(rare),
        focal_on_rare=focal_on_rare(rare),
        pairs=usual["pairs"],
        said=usual["said"],
        largest=usual["largest"],
        search=usual["search"]
        .loc[:, ["method", "against", "measure", "difference", "seen"]]
        .to_markdown(index=False),
        tuned=tuned(quality),
        **drift(moved),
        focal_time=ratio["focal 2"],
        sigmoid_time=ratio["CalibratedClassifierCV"],
        cv_time=ratio["CV"],
        cv_0_time=ratio["CV, gamma 0"],
    )


def main() -> None:
    REPORT.write_text(page())
    print(f"{REPORT.name} is written.")


if __name__ == "__main__":
    main()
