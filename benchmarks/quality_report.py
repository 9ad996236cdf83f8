"""The report of the quality benchmark: results/quality.md and its figures.

Methods are compared by Friedman's test of their ranks and Conover's after it (Holm's
correction), pairs as `quality_statistics` does it.

    python -m benchmarks.quality_report

reads results/quality.csv and recovery.csv.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import scikit_posthocs as posthocs
from scipy.stats import friedmanchisquare, spearmanr

from benchmarks.methods import BASES, PEERS
from benchmarks.quality import INNER_SPLITS, REPEATS, SEARCH_ROWS, SPLITS, TRAINING_ROWS
from benchmarks.quality_statistics import (
    DIRECTION,
    by_family,
    check_equal_terms,
    complete_folds,
    mean_ranks,
    pairs,
    rank_differences,
    rank_interval,
    ranks,
    verdicts,
)
from benchmarks.recovery import KEY
from benchmarks.report import RESULTS
from benchmarks.search_spaces import GAMMAS
from benchmarks.tables import BINARY

mpl.use("Agg")
import matplotlib.pyplot as plt

FOCAL = ("focal", "focal, posterior link", "focal, weighted", "focal, two gammas")
OTHERS = (
    "weighted",
    "tuned threshold",
    "hard examples",
    "under-sampling",
    "SMOTE",
)


@lru_cache
def bases() -> list[str]:
    """The bases of `BASES` of which there are results."""
    methods = set(pd.read_csv(RESULTS / "quality.csv", usecols=["method"]).method)
    return [base for base in BASES if base in methods]


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


@lru_cache
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
    return properties().join(effect, how="inner")


def draw_effects(table: pd.DataFrame, path: Path) -> None:
    """Differences of average precision against the share of positives and the rows."""
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.5), sharey=True, layout="constrained")
    for column, base in enumerate(bases()):
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


def counted(differences: pd.DataFrame) -> tuple[str, str]:
    """A table of differences of ranks, and how many of them say what."""
    return verdicts(differences), markdown(differences)


def terms(table: pd.DataFrame) -> str:
    """What was run."""
    run = table.groupby("table").fold.nunique()
    folds = f"{run.min()} to {run.max()}" if run.min() < run.max() else f"{run.max()}"
    seconds = table.groupby("method")[["search_seconds", "fit_seconds"]].sum().sum(axis=1) / 3600
    return (
        f"{table.method.nunique()} methods on {table.table.nunique()} binary tables of "
        f"{table.family.nunique()} families; {folds} of {SPLITS * REPEATS} folds "
        f"({SPLITS} splits, {REPEATS} times). In each fold each method had "
        f"{table.trials.iloc[0]} trials of the same sampler from the same seed, scored by average "
        f"precision on the same {INNER_SPLITS} inner folds; at most {TRAINING_ROWS:,} rows to "
        f"train on and {SEARCH_ROWS:,} of these to search in. That trials, rows, search rows and "
        "seed do not differ between methods is checked when this page is written. Time was not "
        f"capped: all methods together took {seconds.sum():.1f} hours of one core, from "
        f"{seconds.min():.2f} ({seconds.idxmin()}) to {seconds.max():.2f} "
        f"({seconds.idxmax()}). The models of other packages were all trained again later, for "
        "their posteriors, to the same log loss."
    )


WORDS = """\
A *family* is tables of one origin. Folds are averaged to tables, tables to families, and methods
are ranked within a family: where all are close, a steady difference too small to matter moves
ranks. Models are tuned for average precision; their log loss and Brier score are what comes with
it. *Weighted* is a power of (negatives / positives), searched, on positives; our losses undo it
in their probabilities, the plain ones keep it. *Two gammas* are one for each class. Both, where
focal, have the posterior link. *Hard examples*: each round of boosting trains on the hardest
part of the rows. *calibration_error* is over bins of equal numbers of rows; *f1* is at the
default decision, *f1_tuned* at the threshold that is best on inner folds; *recall_at_1_percent*
is the share of positives among the highest percent of predictions that a model finds."""


def extremes(table: pd.DataFrame, sign: int) -> pd.DataFrame:
    """Tables on which focal loss gains (1) or loses (-1) most average precision, five of each."""
    parts = []
    for base in bases():
        for variant in FOCAL[:3]:
            effect = effect_by_table(table, base, variant, "average_precision")
            effect = effect.sort_values("difference", ascending=sign < 0)
            most = effect[sign * effect.difference > DIRECTION["average_precision"][1]].head(5)
            parts.append(most.reset_index().assign(method=f"{base}, {variant}"))
    most = pd.concat(parts).assign(positives=lambda t: (t["rows"] * t.share).round().astype(int))
    return most[["method", "table", "rows", "positives", "difference"]]


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlation of the effect with the share of positives and the rows."""
    rows = []
    for base in bases():
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
    for base in bases():
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


def log_uniform(share: float) -> float:
    """Quantile of the gammas that the search draws."""
    low, high = GAMMAS
    return low * (high / low) ** share


def chosen(table: pd.DataFrame, parameter: str, quantile: Callable) -> pd.DataFrame:
    """Quartiles of what the search chose, under those of what it drew from."""
    shares = [0.25, 0.5, 0.75]
    parameters = table.parameters.dropna().map(json.loads)
    values = parameters.map(lambda found: found.get(parameter)).dropna().astype(float)
    quartiles = values.groupby(table.method[values.index]).quantile(shares).unstack()
    quartiles.loc["drawn from"] = [quantile(share) for share in shares]
    return quartiles.loc[["drawn from", *quartiles.index[:-1]]].rename(columns="{:.0%}".format)


def with_posterior(table: pd.DataFrame, recovery: pd.DataFrame) -> pd.DataFrame:
    """Rows of recovered models, with the average precision that the posterior leaves as it was."""
    precision = table[[*KEY, "average_precision"]]
    rows = recovery.merge(precision, on=KEY, validate="one_to_one")
    return rows.assign(method=rows.method + ", recovered")


def recovered_means(both: pd.DataFrame) -> pd.DataFrame:
    """Mean log loss of other packages' models, as given and recovered, and of ours."""
    means = by_family(both, "log_loss").mean()
    rows = []
    for peer, base in PEERS.items():
        given, recovered = means[peer], means[f"{peer}, recovered"]
        ours = means[f"{base}, focal"]
        rows.append(
            {
                "method": peer,
                "as given": given,
                "recovered": recovered,
                "our method": f"{base}, focal",
                "our log loss": ours,
                "the sigmoid's share": f"{(given - recovered) / (given - ours):.0%}",
            }
        )
    return pd.DataFrame(rows)


def report(table: pd.DataFrame, recovery: pd.DataFrame) -> str:
    """The page."""
    check_equal_terms(table)
    binary = complete_folds(table[table.table.isin(BINARY)])
    focal = [(f"{base}, {variant}", base) for base in bases() for variant in FOCAL]
    others = [(f"{base}, {variant}", base) for base in bases() for variant in OTHERS]
    peers = [(f"{base}, {variant}", peer) for peer, base in PEERS.items() for variant in FOCAL[:2]]
    posterior = "focal, posterior link"
    settings = [
        (f"{base}, {one}", f"{base}, {other}")
        for one, other in ((posterior, "focal"), *((variant, posterior) for variant in FOCAL[2:]))
        for base in bases()
    ]
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
    both = complete_folds(pd.concat([binary, with_posterior(binary, recovery)]))
    recovered = [(f"{base}, focal", f"{peer}, recovered") for peer, base in PEERS.items()]
    recovered.append(("CatBoost, focal, recovered", "CatBoost"))
    failed = table[table.error.notna()].groupby("method").size().rename("folds that failed")
    return "\n\n".join(
        [
            "# Tuned on equal terms",
            "Written by `python -m benchmarks.quality_report` from `results/quality.csv`, whose "
            "rows `python -m benchmarks.quality` makes; `python -m benchmarks.tables` prints the "
            "tables with their sources.",
            "## What was run",
            terms(binary),
            "Left out: TabPFN, TabICL and TabDPT, whose weights are not in the package index but "
            "downloaded at the first fit.",
            markdown(failed.reset_index()) if len(failed) else "No method failed on any fold.",
            WORDS,
            "## In short",
            "Differences of mean ranks among all methods, with intervals of 95 %; below 0 is "
            'better. "Perhaps" is what the interval says, but not a test by signs of families '
            "with Holm's correction for all that is in its table.",
            "Each focal loss against the plain loss of the same library.",
            *counted(rank_differences(binary, focal, shown[:3])),
            "Against the focal losses of other packages, whose probabilities are taken as they are "
            "given.",
            *counted(rank_differences(binary, peers, shown[:3])),
            "The same models with the posterior of their loss, which they do not offer "
            "(`python -m benchmarks.recovery`), ranked among all methods and these; and CatBoost's "
            "against its own plain loss. In this pair CatBoost takes 1 step a leaf for its focal "
            "loss and up to 10 for the plain one; `boosters.md` has "
            "the pair on equal terms.",
            *counted(rank_differences(both, recovered, shown[:3])),
            "One link against the other, and weights and two gammas against none and one.",
            *counted(rank_differences(binary, settings, shown[:3])),
            "## Ranks",
            "Mean ranks over families, 1 is best; medians of the time of a fit. What fails on a "
            "fold comes last in its family. Some methods coincide on two classes: gbdtCBL and "
            "imlightgbm are the same formulas on the same LightGBM, and a tuned threshold changes "
            "no probability. In the figures a bar joins methods that Conover's test (Holm) does "
            "not tell apart.",
            markdown(ranking, ".3g", index=True),
            "Friedman's test that all methods are the same: p = "
            f"{p['average_precision']:.1e} (average precision), {p['log_loss']:.1e} (log loss). "
            "Intervals of 95 % of the mean ranks:",
            markdown(intervals, ".3g", index=True),
            "![average precision](quality_average_precision.png)",
            "![log loss](quality_log_loss.png)",
            "## Focal loss against the plain loss of the same booster",
            "Differences within "
            + ", ".join(f"{DIRECTION[m][1]} ({m})" for m in shown[:3])
            + " count as ties. P are the posterior probabilities that on a family it is most "
            "likely that the method is better, that it makes no matter, and that it is worse: "
            '"better" in ranks with P(no matter) near 1 is steady, but tiny.',
            markdown(pairs(binary, focal, shown[:3]), ".3g"),
            "## Links, weights and two gammas",
            markdown(pairs(binary, settings, shown[:3]), ".3g"),
            "## The usual remedies against the plain loss",
            markdown(pairs(binary, others, shown[:2]), ".3g"),
            "## Focal losses of other packages",
            "Ours against theirs; their probabilities are taken as they give them.",
            markdown(pairs(binary, peers, shown[:3]), ".3g"),
            "How much of that is the sigmoid? Their models once more with the posterior of their "
            f"loss, mean log loss over families ({len(both.groupby(['table', 'fold']))} folds of "
            f"{both.table.nunique()} tables). Average precision is the same. What else differs: "
            "gbdtCBL and imlightgbm start from margin 0 and use the exact second derivative; that "
            "of bokbokbok is 0 for every positive; CatBoost has other trees; bokbokbok and "
            "CatBoost also search a weight; imbalance-xgboost trains on three quarters of the "
            "rows, has three parameters of trees and an older XGBoost. More than 100 % is a "
            "recovered model that is better than ours.",
            markdown(recovered_means(both), ".3g"),
            "Ours against theirs with this posterior, and CatBoost's against its own plain loss:",
            markdown(pairs(both, recovered, shown[1:3]), ".3g"),
            "## How much of a gain in F1 is a moved threshold",
            markdown(threshold_artefact(binary), ".3g"),
            "## What the search chose",
            "Quartiles over tables and folds. Of 12 trials the first is fixed (gamma 2; power 1, "
            "of bokbokbok 0) and the next nine are drawn, so this says more of what was drawn "
            "than of what is best. Gamma:",
            markdown(chosen(binary, "focal_gamma", log_uniform), ".2f", index=True),
            "The power of (negatives / positives) by which positives are weighted, or to which "
            "classes are resampled:",
            markdown(chosen(binary, "weight_power", lambda share: share), ".2f", index=True),
            "## Imbalance and size",
            "Spearman's correlation, over families, of the gain in average precision with the "
            "share of positives and the rows; p is not corrected for their number.",
            markdown(correlations(binary), ".2g"),
            "![effects](quality_effects.png)",
            "## Where focal loss loses",
            "Tables on which it loses more than 0.005 of average precision, the worst five of "
            "each. Small tables scatter most, both ways.",
            markdown(extremes(binary, -1), ".3g"),
            "And where it gains as much:",
            markdown(extremes(binary, 1), ".3g"),
            "## More than two classes",
            multiclass(table),
        ]
    )


def multiclass(table: pd.DataFrame) -> str:
    """Means on tables with more than two classes."""
    part = complete_folds(table[~table.table.isin(BINARY)])
    if part.empty:
        return "Not run yet."
    measures = ["average_precision", "log_loss", "brier", "f1", "balanced_accuracy"]
    means = part.groupby(["table", "method"])[measures].mean()
    folds = part.groupby("table").fold.nunique()
    said = "; ".join(f'{number} of "{name}"' for name, number in folds.items())
    return (
        f"{part.method.nunique()} methods; means over folds: {said}. Too few tables for a test. "
        "imlightgbm applies the derivative of the binary loss to each "
        "class's softmax, which is the gradient of no loss.\n\n"
        + markdown(means.reset_index(), ".3g")
    )


def main() -> None:
    quality, recovery = (pd.read_csv(RESULTS / f"{n}.csv") for n in ("quality", "recovery"))
    (RESULTS / "quality.md").write_text(report(quality, recovery) + "\n")
    print("quality.md is written.")


if __name__ == "__main__":
    main()
