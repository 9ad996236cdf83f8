"""What `benchmarks.boosters` and `benchmarks.as_run` say together: results/as_run.md and figures.

    python -m benchmarks.as_run_report

reads results/boosters.csv and results/as_run.csv.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from scipy.stats import t as student

from benchmarks.as_run import MORE_GAMMAS, SLOW, WITH_FOLDS
from benchmarks.booster_fits import BOOSTERS, RATE
from benchmarks.boosters import GAMMAS, LINKS
from benchmarks.quality_statistics import mean_differences, paired
from benchmarks.recipes import VARIANTS
from benchmarks.report import RESULTS

mpl.use("Agg")
import matplotlib.pyplot as plt

MEASURES = ["average_precision", "log_loss", "brier"]
FOCAL = [f"{link} {gamma:g}" for link in LINKS for gamma in sorted((*GAMMAS, *MORE_GAMMAS))]
SAME_RUN = [f"{link} {gamma:g}" for link in LINKS for gamma in GAMMAS]
RECIPES = ("weighted", "sigmoid", "CalibratedClassifierCV", "CV", "CV, gamma 0")


def read() -> pd.DataFrame:
    """The rows of both."""
    first, more = (pd.read_csv(RESULTS / f"{name}.csv") for name in ("boosters", "as_run"))
    return pd.concat([first.assign(rate=RATE, part="boosters"), more], ignore_index=True)


def focal_pairs() -> list[tuple[str, str]]:
    """Each focal loss against log loss of the same booster."""
    return [(f"{booster}, {name}", booster) for booster in BOOSTERS for name in FOCAL]


def there(table: pd.DataFrame, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs of which both methods were run."""
    return [pair for pair in pairs if set(pair) <= set(table.method)]


def costs(table: pd.DataFrame) -> pd.DataFrame:
    """Time of a whole recipe over that of log loss, stopped, on the same rows; and log loss.

    The time is a geometric mean over families of the ratios of folds; of recipes the first fold
    alone, because other work ran beside the others. Only times of one run are compared: gamma 1
    and 2 with log loss of `benchmarks.boosters`, recipes with log loss ``again``.
    """
    rows = []
    keys = ["table", "fold"]
    alone = table[(table.fold == 0) | (table.part == "boosters")]
    for booster in BOOSTERS:
        for name in ("", *SAME_RUN, *RECIPES):
            method = f"{booster}, {name}" if name else booster
            if method not in set(table.method):
                continue
            beside = f"{booster}, again" if name in RECIPES else booster  # in the same run
            own, base = (
                alone[alone.method == m].set_index(["family", *keys]).fit_seconds
                for m in (method, beside)
            )
            ratio = np.log((own / base).dropna()).groupby("family").mean()
            row = {"method": method, "times the time": np.exp(ratio.mean())}
            if name:
                difference = paired(table, method, booster, "log_loss")
                row |= {"log loss, difference": difference.mean()}
                half = difference.sem() * student.ppf(0.975, len(difference) - 1)
                row |= {"low": difference.mean() - half, "high": difference.mean() + half}
            rows.append(row)
    return pd.DataFrame(rows)


def draw_precision(table: pd.DataFrame, path: Path) -> None:
    """Average precision of focal losses minus that of log loss, with intervals after correction."""
    figure, axes = plt.subplots(1, 4, figsize=(10, 3.2), sharex=True, sharey=True)
    n_pairs = len(there(table, focal_pairs()))
    for ax, booster in zip(axes, BOOSTERS, strict=True):
        for place, name in enumerate(FOCAL):
            difference = paired(table, f"{booster}, {name}", booster, "average_precision")
            error = difference.sem()
            for share, width in ((0.025 / n_pairs, 1.0), (0.025, 3.0)):
                half = error * student.ppf(1 - share, len(difference) - 1)
                mean = difference.mean()
                ax.hlines(place, mean - half, mean + half, color="C0", lw=width)
            ax.plot(difference.mean(), place, "o", color="C0", ms=5)
        ax.axvline(0, color="0.4", lw=0.8)
        ax.set(title=booster, yticks=range(len(FOCAL)), yticklabels=FOCAL)
    axes[0].invert_yaxis()
    figure.supxlabel("average precision minus that of log loss", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_time(found: pd.DataFrame, path: Path) -> None:
    """Log loss against the time of a whole recipe, both against log loss, stopped."""
    figure, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
    shown = ("focal 2", "posterior 2", "sigmoid", "CalibratedClassifierCV", "CV", "CV, gamma 0")
    for booster, colour in zip(BOOSTERS, ("C0", "C1", "C2", "C3"), strict=True):
        for name, marker in zip(shown, "s^vDoP", strict=True):
            row = found[found.method == f"{booster}, {name}"]
            if len(row):
                x, y = row["times the time"], row["log loss, difference"]
                ax.vlines(x, row.low, row.high, color=colour, lw=1, alpha=0.6)
                ax.plot(x, y, marker, color=colour, ms=7)
    for name, marker in zip(shown, "s^vDoP", strict=True):
        ax.plot([], [], marker, color="0.3", label=name)
    for booster, colour in zip(BOOSTERS, ("C0", "C1", "C2", "C3"), strict=True):
        ax.plot([], [], lw=5, color=colour, label=booster)
    ax.plot(1, 0, "k*", ms=12, label="log loss, early stopping")
    ax.axhline(0, color="0.5", lw=0.8, ls=":")
    ax.set(xscale="log", xlabel="time of the whole recipe, times that of one stopped fit")
    ax.set_ylabel("log loss minus that of the stopped fit")
    ax.legend(fontsize=8, ncols=2)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def text_of(table: pd.DataFrame) -> str:
    """The page of tables."""
    default, first = table[table.rate == RATE], table[table.fold == 0]
    slow = bool((table.rate == SLOW).any())
    recipes = [(f"{b}, {r}", b) for b in BOOSTERS for r in RECIPES]
    others = ("sigmoid", "CalibratedClassifierCV", "CV, gamma 0")
    searched = [(f"{b}, CV", f"{b}, {o}") for b in WITH_FOLDS for o in others]
    changed = [(f"{b}, CV{v}", f"{b}, CV") for b in WITH_FOLDS for v in VARIANTS]
    catboost = [("CatBoost, CV", "CatBoost"), ("CatBoost, CV", "CatBoost, CV, gamma 0")]
    steps = [
        (f"CatBoost, {one}, steps", f"CatBoost{other}, steps")
        for one in ("focal 2", "posterior 2", "own Focal 2", "own Focal 2, recovered")
        for other in ("", ", own Focal 2, recovered")
        if f", {one}" != other
    ]
    noise = [
        (f"{b}, {m}, noise", f"{b}, noise") for b in BOOSTERS for m in ("focal 2", "posterior 2")
    ]
    rows = table.drop_duplicates(["table", "fold", "rows"])
    sections: list[tuple[str, pd.DataFrame, list[tuple[str, str]]]] = [
        ("Focal loss against log loss of the same booster", default, focal_pairs()),
        (
            f"The same with the learning rates {RATE:g} and {SLOW:g} averaged, one fold",
            first[first.part.isin(["boosters", "gammas", "rate"])] if slow else first.iloc[:0],
            focal_pairs(),
        ),
        ("What people do, against log loss, stopped", default, recipes),
        ("The CV class against other ways to probabilities", default, searched),
        ("The CV class with one of its defaults changed", default, changed),
        ("CatBoost's CV class", default, catboost),
        ("One training label in twenty flipped: gamma 2 against log loss", default, noise),
        ("CatBoost on equal terms: leaf steps and learning rate chosen by each", default, steps),
    ]
    parts = [
        f"{table.table.nunique()} tables of {table.family.nunique()} families, "
        f"{rows.rows.min()} to {rows.rows.max()} training rows (and a quarter as many that stop). "
        "Differences are means over families, with intervals of 95 % by t over families, and the "
        "interval after correction for all rows of a table (Bonferroni). *p* is of the test by "
        'signs of families, after Holm\'s correction. "Perhaps" is what the first interval says, '
        "but not the test. Average precision is better where it is larger, the others where they "
        "are smaller."
    ]
    for title, part, wanted in sections:
        wanted = there(part, wanted)
        if wanted:
            folds = part[part.method.isin([one for one, _ in wanted])].fold.nunique()
            found = mean_differences(part, wanted, MEASURES)
            counts = ", ".join(f"{n} {said}" for said, n in found.seen.value_counts().items())
            parts += [f"**{title}** ({folds} folds). Of {len(found)}: {counts}."]
            parts += [found.to_markdown(index=False)]
    parts += [
        "**Time of the whole recipe** (search, calibration and fit; one thread), times that of log "
        "loss, stopped: geometric means over families",
        costs(default).to_markdown(index=False, floatfmt=".3g"),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    table = read()
    default = table[table.rate == RATE]
    draw_precision(default, RESULTS / "as_run.png")
    draw_time(costs(default), RESULTS / "as_run_time.png")
    (RESULTS / "as_run.md").write_text(text_of(table))
    print("as_run.md and its figures are written.")


if __name__ == "__main__":
    main()
