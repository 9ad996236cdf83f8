"""What `benchmarks.rare` says: results/rare.md and its figure.

    python -m benchmarks.rare_report

reads results/rare.csv.
"""

from pathlib import Path

import matplotlib as mpl
import pandas as pd

from benchmarks.quality_statistics import (
    by_family,
    interval,
    mean_differences,
    rank_differences,
    rank_interval,
    ranks,
    verdicts,
)
from benchmarks.rare import COSTS, MADE
from benchmarks.report import RESULTS

mpl.use("Agg")
import matplotlib.pyplot as plt

LOSS = "log_loss_ratio"
SEARCHED = ("LightGBM", "XGBoost")
BOOSTERS = (*SEARCHED, "scikit-learn", "CatBoost")
# What the search is compared with on each of these two boosters; "" is log loss, stopped.
OTHERS = (
    *("", "weighted", "balanced, undone", "sampled", "sampled, priors", "SMOTE"),
    *("sigmoid", "isotonic", "CalibratedClassifierCV", "focal 2", "posterior 2", "CV, gamma 0"),
)
CATBOOST = (
    *("CatBoost, weighted", "CatBoost, sampled", "CatBoost, sampled, priors"),
    *("CatBoost, sigmoid", "CatBoost, posterior 2", "CatBoost, CV, gamma 0"),
)
DRAWN = {
    "log loss, early stopping": "",
    "class weights": "weighted",
    "10 negatives per positive": "sampled",
    "the same, with priors": "sampled, priors",
    "SMOTE": "SMOTE",
    "early stopping, then sigmoid": "sigmoid",
    "CalibratedClassifierCV": "CalibratedClassifierCV",
    "focal loss, gamma 2": "focal 2",
    "one fit of a CV class": "CV",
}
VARIANTS = ("rule best", "no calibration", "refit", "refit, focal link")
SHOWN = {
    LOSS: "log loss",
    "mean_over_prevalence": "mean",
    "average_precision": "AP",
    "recall_at_0.1_percent": "recall 0.1 %",
    "recall_at_0.5_percent": "recall 0.5 %",
    "recall_at_1_percent": "recall 1 %",
    **{f"cost_{c}": f"cost 1:{c}" for c in COSTS},
    "fit_seconds": "seconds",
}


def read() -> pd.DataFrame:
    """The results. A recovered model is another's, and took its time."""
    table = pd.read_csv(RESULTS / "rare.csv")
    keys = ["table", "share", "fold", "method"]
    seconds = table.set_index(keys).fit_seconds
    given = table[keys].assign(method=table.method.str.removesuffix(", recovered"))
    return table.assign(fit_seconds=seconds.loc[pd.MultiIndex.from_frame(given)].to_numpy())


def named(booster: str, method: str) -> str:
    """The name of a method in the results."""
    return f"{booster}, {method}" if method else booster


def in_all(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the methods that were run wherever the first one was, but for the variants."""
    table = table[~table.group.isin(["variants", "CatBoost, CV"])]
    counts = table.groupby("method").size()
    return table[table.method.isin(counts[counts == counts.max()].index)]


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """Mean ranks by log loss with intervals, and means over families; medians of two columns."""
    places = ranks(by_family(table, LOSS), LOSS).mean()
    bounds = rank_interval(by_family(table, LOSS), LOSS)
    columns = {
        "rank": [
            f"{r:.1f} ({low:.1f} to {high:.1f})"
            for r, (low, high) in zip(places, bounds.to_numpy(), strict=True)
        ]
    }
    found = pd.DataFrame(columns, index=places.index)
    for measure, name in SHOWN.items():
        values = by_family(table, measure)
        middle = measure in ("fit_seconds", "mean_over_prevalence")
        found[name] = values.median() if middle else values.mean()
    return found.loc[places.sort_values(kind="stable").index]


def by_share(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Means over tables, a column for each share of positives."""
    means = table.groupby(["method", "share", "table"])[measure].mean()
    found = means.groupby(["method", "share"]).mean().unstack("share")
    return found.sort_values(found.columns[-1]).rename(columns="{:.1%}".format)


def truth(table: pd.DataFrame) -> pd.DataFrame:
    """Mean distance of probabilities to the true ones, over the prevalence, on made tables."""
    made = table[table.table.isin(MADE)]
    means = made.pivot_table(index="method", columns=["table", "share"], values="distance_to_truth")
    means.columns = [f"{name}, {share:.1%}" for name, share in means.columns]
    return means.sort_values(means.columns[0])


def draw(table: pd.DataFrame, path: Path) -> None:
    """Log loss, costs and average precision of the usual remedies, on two boosters."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), sharey=True, layout="constrained")
    panels: dict[str, tuple[str, tuple[float, float]]] = {
        LOSS: ("log loss\n(1: the prevalence alone)", (0.6, 1.3)),
        "cost_100": ("cost, a miss costs 100 false alarms\n(1: no model)", (0.45, 1.3)),
        "average_precision": ("average precision", (0.07, 0.14)),
    }
    for ax, (measure, (title, limits)) in zip(axes, panels.items(), strict=True):
        values = by_family(table, measure)
        for k, booster in enumerate(SEARCHED):
            names = [named(booster, method) for method in DRAWN.values()]
            means, (low, high) = values[names].mean(), interval(values[names].to_numpy())
            for place, mean in enumerate(means):
                y = place + 0.4 * (k - 0.5)
                if mean > limits[1]:  # off the scale: its number
                    ax.text(limits[1], y, f"{mean:.2g} >", color=f"C{k}", ha="right", va="center")
                    continue
                if measure != "average_precision":  # there tables differ more than methods
                    ax.hlines(y, low[place], min(high[place], limits[1]), color=f"C{k}", lw=1.2)
                ax.plot(mean, y, "o^"[k], color=f"C{k}", ms=6)
            ax.plot([], [], "o^"[k], color=f"C{k}", label=booster)
        if measure != "average_precision":
            ax.axvline(1.0, color="0.5", lw=0.8, ls=":")
        ax.set(xlim=limits, xlabel=title, yticks=range(len(DRAWN)), yticklabels=list(DRAWN))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    axes[2].legend(fontsize=9, loc="lower left", frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def text_of(table: pd.DataFrame) -> str:
    """The page of tables."""
    whole, runs = in_all(table), table[["table", "share", "fold"]].drop_duplicates()
    families = table.family.nunique()
    searched = [(named(b, "CV"), named(b, other)) for b in SEARCHED for other in OTHERS]
    focal = [(named(b, m), b) for b in BOOSTERS for m in ("focal 2", "posterior 2")]
    calibrated = [(f"{p}, focal 2, recovered", f"{p}, focal 2") for p in ("gbdtCBL", "bokbokbok")]
    calibrated += [
        ("CatBoost, own Focal 2, recovered", "CatBoost, own Focal 2"),
        ("CatBoost, own Focal 2, recovered", "CatBoost"),
        *((f"LightGBM, {m}", "gbdtCBL, focal 2, recovered") for m in ("focal 2", "posterior 2")),
        ("logistic, CV", "logistic"),
    ]
    changed = [
        (named(b, f"CV, {variant}"), named(b, "CV"))
        for b in (*SEARCHED, "scikit-learn")
        for variant in VARIANTS
    ]
    changed += [
        (named(b, "CV, refit, focal link"), named(b, "CV, refit"))
        for b in (*SEARCHED, "scikit-learn")
    ]
    differences = rank_differences(whole, searched, [LOSS])
    costs = [LOSS, "cost_20", "cost_100", "cost_500"]
    precision = ["average_precision", "recall_at_0.5_percent", LOSS]
    parts = [
        f"{table.table.nunique()} tables of {families} families; {len(runs)} thinned tables in "
        f"all, {table.fold.nunique()} repetitions; {table.positives.min()} to "
        f"{table.positives.max()} positives in training. Log loss and costs are divided by those "
        "of the prevalence alone: above 1 is worse than no model. A cost is that of the Bayes "
        "decision; 1:100 means that a missed positive costs as much as 100 false alarms. *mean* is "
        "the mean probability over the prevalence. Shares and repetitions are averaged to tables, "
        "tables to families.",
        "**All methods**, mean ranks by log loss with intervals of 95 % over families; medians of "
        "*mean* and *seconds*, means of the rest.",
        overview(whole).to_markdown(floatfmt=".3g"),
        "**The CV class against the others, ranks by log loss.** Differences of mean ranks among "
        'all methods; below 0 is better. "Perhaps" is what the interval says, but not a test by '
        f"signs of families after Holm's correction. {verdicts(differences)}",
        differences.to_markdown(index=False),
        "**The CV class against the others, means.** Differences with intervals of 95 % by t over "
        "families, and the interval after correction for all rows of the table (Bonferroni).",
        mean_differences(whole, searched, costs).to_markdown(index=False),
        "**Gamma 2 against log loss of the same booster**, both stopped early.",
        mean_differences(whole, focal, precision).to_markdown(index=False),
        "**Other packages' focal losses, and linear models.**",
        mean_differences(whole, calibrated, precision).to_markdown(index=False),
        "**Log loss by the share of positives**",
        by_share(whole, LOSS).to_markdown(floatfmt=".3g"),
        "**Mean probability over the prevalence**",
        by_share(whole, "mean_over_prevalence").to_markdown(floatfmt=".3g"),
        "**Made tables: mean distance to the true probability, over the prevalence**",
        truth(whole).to_markdown(floatfmt=".3g"),
    ]
    catboost = [("CatBoost, CV", other) for other in ("CatBoost", *CATBOOST)]
    for title, wanted in (
        ("**The CV class with one of its defaults changed**", changed),
        ("**CatBoost's search**", catboost),
    ):
        known = [pair for pair in wanted if set(pair) <= set(table.method)]
        if known:
            said = mean_differences(table, known, [LOSS, "average_precision"])
            shares = table[table.method.isin([one for one, _ in known])].share.unique()
            parts += [title + f" ({', '.join(f'{s:.1%}' for s in sorted(shares))} positives)"]
            parts += [said.to_markdown(index=False)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    table = read()
    draw(in_all(table), RESULTS / "rare.png")
    (RESULTS / "rare.md").write_text(text_of(table))
    print("rare.md and rare.png are written.")


if __name__ == "__main__":
    main()
