"""Statistics and figures of the quality benchmark, written to REPORT.md.

The unit is the family of a table: folds are averaged to tables, tables to families. Ranks are
compared by Friedman's test and Conover's after it (Holm's correction); pairs by the Bayesian
signed-rank test of Benavoli et al. (2014) with a region in which a difference does not
matter, and by wins, ties and losses.

    python -m benchmarks.quality_report

reads results/quality.csv and writes REPORT.md and its figures.
"""

from pathlib import Path

import baycomp
import matplotlib as mpl
import numpy as np
import pandas as pd
import scikit_posthocs as posthocs
from scipy.stats import friedmanchisquare, spearmanr

from benchmarks.methods import BASES, METHODS
from benchmarks.quality import INNER_SPLITS, REPEATS, SEARCH_ROWS, SPLITS, TRAINING_ROWS
from benchmarks.report import RESULTS
from benchmarks.tables import BINARY

mpl.use("Agg")
import matplotlib.pyplot as plt

REPORT = Path(__file__).parent / "REPORT.md"
# Whether more is better, and which difference does not matter.
DIRECTION = {
    "average_precision": (1, 0.005),
    "roc_auc": (1, 0.005),
    "log_loss": (-1, 0.002),
    "brier": (-1, 0.0005),
    "calibration_error": (-1, 0.002),
    "f1": (1, 0.005),
    "f1_tuned": (1, 0.005),
    "mcc": (1, 0.005),
    "mcc_tuned": (1, 0.005),
    "balanced_accuracy": (1, 0.005),
    "balanced_accuracy_tuned": (1, 0.005),
    "recall_at_1_percent": (1, 0.005),
}
FOCAL = ("focal", "focal, posterior link", "focal, weighted", "focal, two gammas")
PEERS = {
    "CatBoost, focal": "LightGBM",
    "gbdtCBL, focal": "LightGBM",
    "imlightgbm, focal": "LightGBM",
    "bokbokbok, focal": "LightGBM",
    "imbalance-xgboost, focal": "XGBoost",
}
OTHERS = (
    "weighted",
    "tuned threshold",
    "hard examples",
    "under-sampling",
    "SMOTE",
)


def check_equal_terms(table: pd.DataFrame) -> None:
    """Trials, rows and seeds must be those of all methods on a fold.

    Raises
    ------
    ValueError
        If a method had more or less than another.
    """
    terms = table.groupby(["table", "fold"])[["trials", "rows", "search_rows", "seed"]].nunique()
    if (terms > 1).any(axis=None):
        raise ValueError(f"Terms differ: {terms[(terms > 1).any(axis=1)]}")


def complete_folds(table: pd.DataFrame) -> pd.DataFrame:
    """Folds of binary tables on which every method has been run; failures stay as they are."""
    table = table[table.table.isin(BINARY)]
    counts = table.groupby(["table", "fold"]).method.nunique()
    complete = counts[counts == table.method.nunique()].index
    return table.set_index(["table", "fold"]).loc[complete].reset_index()


def by_family(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Means of a measure, a row for each family and a column for each method."""
    tables = table.groupby(["family", "table", "method"])[measure].mean()
    return tables.groupby(["family", "method"]).mean().unstack("method")


def ranks(values: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Ranks within each family, 1 is best; what failed comes last."""
    return (DIRECTION[measure][0] * values).rank(axis=1, ascending=False, na_option="bottom")


def mean_ranks(table: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Mean ranks of all methods, by several measures, and medians of the time of a fit."""
    columns = {m: ranks(by_family(table, m), m).mean() for m in measures}
    seconds = by_family(table, "fit_seconds")
    columns["fit, seconds"] = seconds.median()
    return pd.DataFrame(columns).sort_values(measures[0])


def interval(values: np.ndarray, draws: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Interval of 95 % of means over families, by drawing families (rows) again."""
    chosen = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    low, high = np.quantile(values[chosen].mean(axis=1), [0.025, 0.975], axis=0)
    return low, high


def rank_interval(values: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Intervals of mean ranks."""
    low, high = interval(ranks(values, measure).to_numpy())
    return pd.DataFrame({"low": low, "high": high}, index=values.columns)


def rank_differences(
    table: pd.DataFrame, wanted: list[tuple[str, str]], measures: list[str]
) -> pd.DataFrame:
    """Mean rank of one method less that of another, with an interval and what it says."""
    rows = []
    for one, other in wanted:
        row: dict[str, object] = {"method": one, "against": other}
        for measure in measures:
            places = ranks(by_family(table, measure), measure)
            difference = (places[one] - places[other]).to_numpy()
            low, high = interval(difference)
            seen = "better" if high < 0 else "worse" if low > 0 else "no difference seen"
            row[measure] = f"{difference.mean():+.1f} ({low:+.1f} to {high:+.1f}), {seen}"
        rows.append(row)
    return pd.DataFrame(rows)


def compare(values: pd.DataFrame, one: str, other: str, measure: str) -> dict[str, object]:
    """``one`` against ``other``: wins, ties, losses, mean difference, probabilities."""
    sign, rope = DIRECTION[measure]
    both = values[[one, other]].dropna()
    gain = sign * (both[one] - both[other])
    test = baycomp.SignedRankTest
    worse, same, better = test.probs(
        sign * both[other].to_numpy(), sign * both[one].to_numpy(), rope, random_state=0
    )
    return {
        "method": one,
        "against": other,
        "measure": measure,
        "difference": (both[one] - both[other]).mean(),
        "wins, ties, losses": f"{(gain > rope).sum()}, {(abs(gain) <= rope).sum()}, "
        f"{(gain < -rope).sum()}",
        "P(better)": better,
        "P(no matter)": same,
        "P(worse)": worse,
    }


def critical_difference(values: pd.DataFrame, measure: str, title: str, path: Path) -> float:
    """A diagram of mean ranks, joined where they do not differ; p of Friedman's test."""
    places = ranks(values, measure)
    p = float(friedmanchisquare(*places.to_numpy().T).pvalue)
    significant = posthocs.posthoc_conover_friedman(places, p_adjust="holm")
    height = 1.2 + 0.22 * places.shape[1]
    figure, ax = plt.subplots(figsize=(9, height / 1.4), layout="constrained")
    posthocs.critical_difference_diagram(places.mean(), significant, ax=ax)
    ax.set_title(f"{title} (mean rank over {len(values)} families)", fontsize=10)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return p


def properties() -> pd.DataFrame:
    """Rows and positives of the tables, by family."""
    rows = []
    for name, table in BINARY.items():
        _, y = table.load()
        rows.append({"table": name, "family": table.family, "rows": len(y), "share": y.mean()})
    return pd.DataFrame(rows).set_index("table")


def effect_by_table(table: pd.DataFrame, base: str, variant: str, measure: str) -> pd.DataFrame:
    """Difference to the plain loss on each table, with the table's rows and positives."""
    means = table.groupby(["table", "method"])[measure].mean().unstack("method")
    effect = (means[f"{base}, {variant}"] - means[base]).rename("difference")
    return properties().join(effect, how="inner").sort_values("difference")


def draw_effects(table: pd.DataFrame, path: Path) -> None:
    """Differences of average precision against the share of positives and the rows."""
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.5), sharey=True, layout="constrained")
    for column, base in enumerate(BASES):
        for row, (name, label) in enumerate((("share", "share of positives"), ("rows", "rows"))):
            ax = axes[row, column]
            for variant, marker in zip(FOCAL[:3], "o^s", strict=True):
                effect = effect_by_table(table, base, variant, "average_precision")
                ax.plot(effect[name], effect.difference, marker, ms=4, alpha=0.7, label=variant)
            ax.axhline(0, color="0.4", lw=0.8)
            ax.set(xscale="log", xlabel=label, title=base if row == 0 else "")
    axes[0, 0].legend(fontsize=8)
    for ax in axes[:, 0]:
        ax.set_ylabel("average precision, less plain")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def markdown(table: pd.DataFrame, digits: str = ".4g", index: bool = False) -> str:
    """A table of text."""
    return table.to_markdown(index=index, floatfmt=digits)


def pairs(table: pd.DataFrame, wanted: list[tuple[str, str]], measures: list[str]) -> pd.DataFrame:
    """`compare` for several pairs and measures."""
    rows = []
    for measure in measures:
        values = by_family(table, measure)
        rows += [
            compare(values, one, other, measure)
            for one, other in wanted
            if {one, other} <= set(values.columns) and len(values[[one, other]].dropna()) > 1
        ]
    return pd.DataFrame(rows)


def terms(table: pd.DataFrame) -> str:
    """What was run, and that it was the same for all."""
    check_equal_terms(table)
    folds = table.groupby("table").fold.nunique()
    seconds = table.groupby("method")[["search_seconds", "fit_seconds"]].sum().sum(axis=1) / 3600
    commits = ", ".join(sorted(table.commit.unique()))
    return (
        f"{table.method.nunique()} methods on {table.table.nunique()} binary tables of "
        f"{table.family.nunique()} families; {folds.min()} to {folds.max()} of {SPLITS * REPEATS} "
        f"folds ({SPLITS} splits, {REPEATS} times). In each fold each method had "
        f"{table.trials.iloc[0]} trials of the same sampler from the same seed, scored by average "
        f"precision on the same {INNER_SPLITS} inner folds; at most {TRAINING_ROWS:,} rows to "
        f"train on and {SEARCH_ROWS:,} of these to search in. That trials, rows, search rows and "
        "seed do not differ between methods is checked when this page is written. Time was not "
        f"capped: all methods together took {seconds.sum():.1f} hours of one core, from "
        f"{seconds.min():.2f} ({seconds.idxmin()}) to {seconds.max():.2f} "
        f"({seconds.idxmax()}). Commits: {commits}."
    )


def losers(table: pd.DataFrame) -> pd.DataFrame:
    """Tables on which focal loss loses most average precision, by base and variant."""
    parts = []
    for base in BASES:
        for variant in FOCAL[:3]:
            effect = effect_by_table(table, base, variant, "average_precision")
            lost = effect[effect.difference < -DIRECTION["average_precision"][1]].head(5)
            parts.append(lost.reset_index().assign(method=f"{base}, {variant}"))
    columns = ["method", "table", "rows", "share", "difference"]
    return pd.concat(parts)[columns]


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlation of the effect with the share of positives and the rows."""
    rows = []
    for base in BASES:
        for variant in FOCAL:
            effect = effect_by_table(table, base, variant, "average_precision")
            effect = effect.groupby("family")[["share", "rows", "difference"]].mean()
            row: dict[str, object] = {"method": f"{base}, {variant}"}
            for name in ("share", "rows"):
                test = spearmanr(effect[name], effect.difference)
                row |= {f"with {name}": test.statistic, f"p, {name}": test.pvalue}
            rows.append(row)
    return pd.DataFrame(rows)


def threshold_artefact(table: pd.DataFrame) -> pd.DataFrame:
    """Gain in F1 over the plain loss: at the default decision, and at a tuned threshold."""
    rows = []
    for base in BASES:
        for variant in ("weighted", *FOCAL):
            row: dict[str, object] = {"method": f"{base}, {variant}"}
            for measure in ("f1", "f1_tuned"):
                values = by_family(table, measure)
                row[measure] = (values[f"{base}, {variant}"] - values[base]).mean()
            rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.rename(
        columns={"f1": "gain in F1, default decision", "f1_tuned": "gain in F1, tuned threshold"}
    )


def report(table: pd.DataFrame) -> str:
    """The page."""
    binary = complete_folds(table)
    focal = [(f"{base}, {variant}", base) for base in BASES for variant in FOCAL]
    others = [(f"{base}, {variant}", base) for base in BASES for variant in OTHERS]
    peers = [(f"{base}, {variant}", peer) for peer, base in PEERS.items() for variant in FOCAL[:2]]
    links = [(f"{base}, focal, posterior link", f"{base}, focal") for base in BASES]
    shown = ["average_precision", "log_loss", "brier", "calibration_error", "f1", "f1_tuned"]
    ranking = mean_ranks(binary, [*shown, "recall_at_1_percent"])
    p = {
        measure: critical_difference(
            by_family(binary, measure),
            measure,
            measure.replace("_", " "),
            RESULTS / f"quality_{measure}.png",
        )
        for measure in ("average_precision", "log_loss")
    }
    draw_effects(binary, RESULTS / "quality_effects.png")
    intervals = pd.concat(
        {m: rank_interval(by_family(binary, m), m) for m in ("average_precision", "log_loss")},
        axis=1,
    )
    intervals.columns = [f"{m}, {end}" for m, end in intervals.columns]
    failed = table[table.error.notna()].groupby("method").size().rename("folds that failed")
    return "\n\n".join(
        [
            "# Does focal loss help?",
            "Written by `python -m benchmarks.quality_report` from `results/quality.csv`, whose "
            "rows `python -m benchmarks.quality` makes; `python -m benchmarks.tables` prints the "
            "tables with their sources.",
            "## What was run",
            terms(binary),
            markdown(failed.reset_index()) if len(failed) else "No method failed on any fold.",
            "## In short",
            "Differences of mean ranks among all methods, with intervals of 95 %; below 0 is "
            "better. Each focal loss against the plain loss of the same library:",
            markdown(rank_differences(binary, focal, shown[:3])),
            "Against the focal losses of other packages:",
            markdown(rank_differences(binary, peers, shown[:3])),
            "One link against the other:",
            markdown(rank_differences(binary, links, shown[:3])),
            "## Ranks",
            "Mean ranks over families, 1 is best; medians of the time of a fit.",
            markdown(ranking, ".3g", index=True),
            "Friedman's test that all methods are the same: p = "
            f"{p['average_precision']:.1e} (average precision), {p['log_loss']:.1e} (log loss). "
            "Intervals of 95 % of the mean ranks:",
            markdown(intervals, ".3g", index=True),
            "![average precision](results/quality_average_precision.png)",
            "![log loss](results/quality_log_loss.png)",
            "## Focal loss against the plain loss of the same booster",
            "Differences within "
            + ", ".join(f"{DIRECTION[m][1]} ({m})" for m in shown[:3])
            + " count as ties; P is the probability that on another family the method is better, "
            "that it does not matter, that it is worse.",
            markdown(pairs(binary, focal, shown[:3]), ".3g"),
            "## The usual remedies against the plain loss",
            markdown(pairs(binary, others, shown[:2]), ".3g"),
            "## Focal losses of other packages",
            "Ours against theirs; their probabilities are taken as they give them.",
            markdown(pairs(binary, peers, shown[:3]), ".3g"),
            "## How much of a gain in F1 is a moved threshold",
            markdown(threshold_artefact(binary), ".3g"),
            "## Imbalance and size",
            markdown(correlations(binary), ".2g"),
            "![effects](results/quality_effects.png)",
            "## Where focal loss loses",
            "Tables on which it loses more than .005 of average precision, the worst five of each:",
            markdown(losers(binary), ".3g"),
            "## More than two classes",
            multiclass(table),
        ]
    )


def multiclass(table: pd.DataFrame) -> str:
    """Means on tables with more than two classes."""
    part = table[~table.table.isin(BINARY)]
    if part.empty:
        return "Not run yet."
    measures = ["average_precision", "log_loss", "brier", "f1", "balanced_accuracy"]
    means = part.groupby(["table", "method"])[measures].mean()
    return markdown(means.reset_index(), ".3g")


def main() -> None:
    REPORT.write_text(report(pd.read_csv(RESULTS / "quality.csv")) + "\n")
    print(f"{REPORT.name} is written, of {len(METHODS)} methods.")


if __name__ == "__main__":
    main()
