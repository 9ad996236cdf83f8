"""The numbers of docs/guide/*.md. `benchmarks.numbers` compares them with the pages."""

import re
from functools import cache

import numpy as np

from benchmarks.as_run import WITH_FOLDS
from benchmarks.booster_fits import BOOSTERS
from benchmarks.boosters import LINKS
from benchmarks.numbers.one_fit import rule_rates
from benchmarks.numbers.pages import CHIPS, PLAIN, POSTERIOR, RUN_SOURCE, catboost_times, training
from benchmarks.numbers.run import NOISE
from benchmarks.numbers.shared import (
    NO_DIFFERENCE,
    Sentence,
    outputs,
    percent,
    results,
    rounded_span,
    run,
    seen,
    span,
    times,
    word,
)
from benchmarks.one_fit_rounds import POWERS
from skfocal._booster._cross_validation import _MORE_ROUNDS

GUIDE = "docs/guide/"
ONE_FIT = f"{GUIDE}one_fit.md"
PERFORMANCE, SCALING = f"{GUIDE}performance.md", f"{GUIDE}scaling.md"


def scikit_learn_times() -> tuple[object, ...]:
    """scikit-learn's trees with two and with five classes."""
    table = results("training-scikit-learn")
    table = table.set_index(["classes", "side"]).time_ratio
    return span(table[2][[PLAIN, POSTERIOR]], ".2f"), table[5][PLAIN], table[5][POSTERIOR]


def whole_fit(library: str, classes: int) -> tuple[object, ...]:
    """A row of the table of performance.md."""
    table = training(f"{classes}-classes")
    sides = [(chip, side) for chip in ("AMD", "Intel") for side in (PLAIN, POSTERIOR)]
    return library, classes, *(table[CHIPS[chip], library, side] for chip, side in sides)


def one_row(chip: str) -> tuple[object, ...]:
    """Nanoseconds of a row of two classes, by the kernel and by a NumPy formula."""
    table = results("kernels")
    table = table[(table.processor == CHIPS[chip]) & (table.case == "binary, gamma 2")]
    found = table.set_index("side").ns_per_row
    return found["FocalObjective"], found["NumPy formula"]


def small_tables() -> tuple[object, ...]:
    """Focal fits on the tables of the report."""
    found = [
        times()[[f"{b}, {link} 2" for b in boosters for link in LINKS]]
        for boosters in (WITH_FOLDS, ("CatBoost",))
    ]
    return run().table.nunique(), span(found[0]), span(found[1])


def first_fits() -> tuple[object, ...]:
    """Seconds of the first fit: with compiled loops, and with two and with five classes."""
    table = results("start")
    table = table[table.processor == CHIPS["Intel"]].set_index("case").seconds
    warm = table[table.index.str.endswith("warm cache")].median()
    cold = table[table.index.str.endswith("empty cache")]
    five = cold.index.str.contains("5 classes")
    posterior = cold.index.str.contains("posterior")
    return (
        "half a second" if round(2 * warm) == 1 else f"{warm:.1f} s",
        rounded_span(cold[~five]),
        rounded_span(cold[five & ~posterior]),
        rounded_span(cold[five & posterior]),
    )


@cache
def precision_of(booster: str, classes: int, side: str) -> float:
    """Average precision of a model of the cluster, or of one process."""
    table = results("distributed").set_index(["booster", "classes", "side"])
    return float(table.average_precision[booster, classes, side])


def cluster_row(booster: str, classes: int) -> tuple[object, ...]:
    """A row of the table of scaling.md."""
    sides = ("cluster", "one process")
    return booster, classes, *(precision_of(booster, classes, side) for side in sides)


def weights_of_two() -> tuple[object, ...]:
    """Weights of 2, and rows twice."""
    sides = ("cluster, weights of 2", "cluster, rows twice")
    return tuple(precision_of("LightGBM", 2, side) for side in sides)


def memory(side: str) -> tuple[object, ...]:
    """The peak of memory as a share of the table."""
    return (results("memory").set_index("side").share_of_table[side],)


def with_noise() -> tuple[object, ...]:
    """Gamma 2 with wrong labels, against log loss."""
    pairs = [(f"{b}, {link} 2, noise", f"{b}, noise") for b in BOOSTERS for link in LINKS]
    precision = seen("as_run", NOISE, pairs, "average_precision")
    loss = set(seen("as_run", NOISE, pairs, "log_loss").split(" or "))
    good = loss <= {NO_DIFFERENCE, "better", "perhaps better"}
    return (
        run()[run().part == "noise"].table.nunique(),
        "as well as" if precision == NO_DIFFERENCE else "not as well as",
        "the same or better" if good else "worse at times",
    )


def null_rates() -> tuple[object, ...]:
    """The rules where no gamma is better, and small p-values."""
    n_tables, one_se, best = rule_rates()
    table = results("one_fit_null")
    p = table[table.kind == "null"].filter(regex="^p_")
    return n_tables, one_se, best, percent((p < 0.05).to_numpy().mean())


def more_rounds() -> tuple[object, ...]:
    """The factor of the rounds for five folds, by the power that was found best."""
    table = results("one_fit_rounds").groupby("power").mean_over_true
    distance = table.apply(lambda ratio: np.abs(ratio - 1).mean())
    if distance.idxmin() != _MORE_ROUNDS or _MORE_ROUNDS not in POWERS:
        raise ValueError(f"The power {distance.idxmin()} is nearest to the truth.")
    (again,) = re.findall(r"\d+ trees, or (\d+)", outputs(ONE_FIT))
    return (5 / 4) ** _MORE_ROUNDS, again, merged_rounds()[1]


def merged_rounds() -> tuple[object, ...]:
    """The rounds that the page prints, and those of one fold."""
    rounds = int(re.findall(r"gamma [\d.]+, (\d+) rounds", outputs(ONE_FIT))[0])
    return rounds, rounds // 5


def gammas_of_path() -> tuple[object, ...]:
    """The gamma with the best mean, and the chosen one, in the output of the page."""
    text = outputs(ONE_FIT)
    rows = re.findall(r"(?m)^ +([\d.]+) +(-0\.\d+)", text)
    scores = {float(mean): float(gamma) for gamma, mean in rows}
    chosen = float(re.findall(r"Chosen: gamma ([\d.]+)\.\s", text)[0])
    return f"{scores[max(scores)]:g}", f"{chosen:g}"


SENTENCES = [
    Sentence(page, template, source, values)
    for page, template, source, values in (
        (
            f"{GUIDE}catboost.md",
            "a fit of 250,000 rows took {:.1f} times as long as with Logloss, and {:.1f} times as "
            'long with `link="posterior"`. It took {} times as long as with',
            "training-catboost.csv",
            catboost_times,
        ),
        (
            f"{GUIDE}choosing.md",
            "On {} tables with one training label in twenty flipped, gamma 2 ranked rows {} "
            "training on log loss. Its test log loss was {}",
            RUN_SOURCE,
            with_noise,
        ),
        (
            f"{GUIDE}drift.md",
            "`TimeSeriesSplit` was better on some of the [{} tables]",
            "drift.csv",
            lambda: (word(results("drift").table.nunique()),),
        ),
        (
            ONE_FIT,
            "The {} rounds are those of all five folds together, {} on each.",
            "output of the page",
            merged_rounds,
        ),
        (
            ONE_FIT,
            "Both rules were tested on {} tables with five settings that differ by chance alone. "
            'The first setting stands for gamma 0. `"one_se"` takes it on {} of the tables, and '
            '`"best"` on {}. Of the p-values of the tests in the next section, {} are below 0.05',
            "one_fit_null.csv",
            null_rates,
        ),
        (
            ONE_FIT,
            'Gamma {} has the best mean score. Gamma {} is chosen by `"one_se"`: it is',
            "output of the page",
            gammas_of_path,
        ),
        (
            ONE_FIT,
            "with five folds, {:.2f} times as many (here {} instead of {}).",
            "one_fit_rounds.csv",
            more_rounds,
        ),
        (
            PERFORMANCE,
            "| AMD EPYC | {:.1f} ns | {:.0f} ns |",
            "kernels.csv",
            lambda: one_row("AMD"),
        ),
        (
            PERFORMANCE,
            "| Intel Xeon with AVX-512 | {:.1f} ns | {:.0f} ns |",
            "kernels.csv",
            lambda: one_row("Intel"),
        ),
        *(
            (
                PERFORMANCE,
                "| {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |",
                f"training-{classes}-classes.csv",
                lambda library=library, classes=classes: whole_fit(library, classes),
            )
            for classes in (2, 5)
            for library in ("LightGBM", "XGBoost")
        ),
        (
            PERFORMANCE,
            "a fit with two classes takes {} times as long as with scikit-learn's own loss. With "
            'five classes it takes {:.2f} times as long, and with `link="posterior"` {:.2f} '
            "times as long",
            "training-scikit-learn.csv",
            scikit_learn_times,
        ),
        (
            PERFORMANCE,
            "On the {} tables of the [report](../report.md) a focal fit takes {} times as long as "
            "one with log loss on LightGBM, XGBoost and scikit-learn's trees, and {} times as long "
            "on CatBoost.",
            RUN_SOURCE,
            small_tables,
        ),
        (
            PERFORMANCE,
            "loads numba, which takes {}. The first fit on a machine also compiles the loops. On "
            "an Intel Xeon that fit takes (`benchmarks/results/start.csv`): - {} s with two "
            "classes; - {} s with five classes; - {} s with five classes and "
            '`link="posterior"`.',
            "start.csv",
            first_fits,
        ),
        *(
            (
                SCALING,
                "| {} | {} | {:.4f} | {:.4f} |",
                "distributed.csv",
                lambda booster=booster, classes=classes: cluster_row(booster, classes),
            )
            for booster in ("LightGBM", "XGBoost")
            for classes in (2, 5)
        ),
        (
            SCALING,
            "With weights of 2 the average precision is {:.4f}. With each of these rows twice it "
            "is {:.4f}.",
            "distributed.csv",
            weights_of_two,
        ),
        *(
            (SCALING, template, "memory.csv", lambda side=side: memory(side))
            for side, template in (
                ("XGBoost, bins on disk", "with a `cache_prefix`: bins on disk | {:.2f} |"),
                ("XGBoost, bins in memory", "or a matrix: bins in memory | {:.2f} |"),
                ("LightGBM, Sequence", "of a `lightgbm.Sequence` | {:.2f} |"),
                ("LightGBM, binary file", "of a binary file | {:.2f} |"),
                ("logistic", "a mapped NumPy array | {:.2f} |"),
            )
        ),
        (
            SCALING,
            "The table has {:,} x 20 numbers of float64, which is {:.1f} GiB.",
            "memory.csv",
            lambda: (results("memory").rows.max(), results("memory").table_mib.max() / 1024),
        ),
    )
]
