"""The numbers of docs/evidence.md: the other sections, among them that of one fit.

`benchmarks.numbers.evidence` has the first sections. `benchmarks.numbers` compares both with the
page.
"""

from functools import cache

import pandas as pd

from benchmarks.numbers.shared import (
    Sentence,
    below,
    percent,
    results,
    rounded,
    rounded_span,
    span,
    word,
)
from benchmarks.one_fit import KEYS
from benchmarks.one_fit_shared import relative
from benchmarks.one_fit_tables import METHODS
from benchmarks.quality_statistics import mean_ranks, paired

PAGE = "docs/evidence.md"
BOTH = ("LightGBM", "XGBoost")
AVERAGED, ON_ALL = "sigmoid, ensemble", "sigmoid, refit"


@cache
def tables_of(library: str) -> pd.DataFrame:
    """The real tables of one library."""
    table = results("one_fit_tables")
    return table[table["library"] == library]


def real_ranks() -> tuple[object, ...]:
    """Whether merged has the best mean ranks, and refitted models the second best."""
    right = 0
    measures = ("log_loss", "brier", "average_precision")
    for library in BOTH:
        found = mean_ranks(tables_of(library), list(measures))
        for measure in measures:
            own, refitted = found.loc["merged", measure], found.loc["cv", measure]
            right += own < refitted < found.loc[list(METHODS[:3]), measure].min()
    return ("log loss, Brier score and average precision",) if right == 6 else ("some measures",)


def real_gains() -> tuple[object, ...]:
    """What merged gains in log loss over the three other methods."""
    gains = [
        -paired(tables_of(library), "merged", other, "log_loss").mean()
        for library in BOTH
        for other in METHODS[:3]
    ]
    return (span(gains, ".3f"),)


def settings_of(part: str) -> tuple[object, ...]:
    """Numbers of settings, boosters, gammas, alphas and seeds."""
    table = results(part)
    counts = [len(table[KEYS].drop_duplicates())]
    counts += [table[key].nunique() for key in (*KEYS, "seed")]
    return tuple(word(n) if n < 13 else n for n in counts)


@cache
def ratios(part: str) -> pd.DataFrame:
    """Mean probability over the true mean: a row for each setting, a column for each method."""
    table = results(part)
    return table.groupby([*KEYS, "method"]).mean_over_true.mean().unstack("method")


@cache
def changes(part: str, one: str, other: str) -> pd.DataFrame:
    """Log loss in percent of that of the other method: mean and interval, for each setting."""
    groups = results(part).groupby(KEYS, sort=False)
    found = [relative(table, one, other) for _, table in groups]
    return pd.DataFrame(found, columns=["mean", "low", "high"])


def change(part: str, one: str, other: str) -> tuple[object, ...]:
    """The mean of the settings, the smallest and the largest change."""
    found = changes(part, one, other)["mean"]
    return below(found.mean()), below(found.min()), below(found.max())


def rare_means() -> tuple[object, ...]:
    """Mean probabilities on rare positives."""
    found = ratios("one_fit_rare")
    return (
        span(found["cv"], ".2f"),
        span(found["merged"], ".2f"),
        plain_span(found["plain"]),
    )


def plain_span(values: pd.Series) -> str:
    """Ends that differ by orders of magnitude, each with its own digits."""
    return f"{rounded(values.min(), 1)} to {rounded(values.max(), 2)}"


def refitted_on_rare() -> tuple[object, ...]:
    """The refitted class against both sigmoids."""
    on_all = changes("one_fit_rare", "cv", ON_ALL)
    averaged = changes("one_fit_rare", "cv", AVERAGED)
    return (
        below(on_all["mean"].mean()),
        "all" if (on_all["mean"] < 0).all() else f"{(on_all['mean'] < 0).sum()}",
        below(averaged["mean"].mean()),
        int((averaged.low > 0).sum()),
        len(averaged),
        word(int((averaged.high < 0).sum())),
    )


def precisions() -> tuple[object, ...]:
    """Mean average precision on rare positives."""
    found = results("one_fit_rare").groupby("method").average_precision.mean()
    return found["merged"], found["cv"]


def class_means() -> tuple[object, ...]:
    """Mean probabilities of the rare class of three."""
    found = ratios("one_fit_multiclass")
    lowest = found["cv"].idxmin()
    where = f"{lowest[0]} with {lowest[2]} weights"
    spans = [span(found[m], ".2f") for m in ("merged", "cv", AVERAGED)]
    return spans[0], spans[1], where, spans[2], found["plain"].mean()


@cache
def merged_costs(column: str) -> pd.Series:
    """Medians of merged over refitted, for each library."""
    table = results("one_fit_rare").set_index([*KEYS, "seed", "method"])[column].unstack("method")
    return (table["merged"] / table["cv"]).groupby("library").median()


def costs_of_merging() -> tuple[object, ...]:
    """Size, time of predictions and time of a fit."""
    size, predict, fit = map(merged_costs, ("file_bytes", "predict_seconds", "fit_seconds"))
    equal = abs(fit - 1).max() < 0.1
    return (
        " to ".join(dict.fromkeys(word(round(each)) for each in sorted(size))),
        predict["XGBoost"],
        predict["LightGBM"],
        "about equally long" if equal else f"{span(fit)} times as long",
    )


ONE_FIT = [
    Sentence(
        PAGE,
        "There are {} tables with {} splits and at most {:,} training rows.",
        "one_fit_tables.csv",
        lambda: (
            results("one_fit_tables").table.nunique(),
            word(results("one_fit_tables").fold.nunique()),
            results("one_fit_tables").rows.max(),
        ),
    ),
    Sentence(
        PAGE, "The order is the same for {} on both boosters.", "one_fit_tables.csv", real_ranks
    ),
    Sentence(
        PAGE,
        "The mean differences are {}, and they pass the test.",
        "one_fit_tables.csv",
        real_gains,
    ),
    Sentence(
        PAGE,
        "There are {} settings: {} boosters, {} gammas and {} alphas. Each has {} seeds. By",
        "one_fit_rare.csv",
        lambda: settings_of("one_fit_rare"),
    ),
    Sentence(
        PAGE,
        "The mean probability of `cv` is {} times the mean of the true probabilities. For `merged` "
        "it is {} times, and for the plain classes {} times.",
        "one_fit_rare.csv",
        rare_means,
    ),
    Sentence(
        PAGE,
        "The log loss of `cv` is {} the log loss of the sigmoid after a fit on all rows. It is "
        "lower in {} settings. It is {} the log loss of averaged sigmoids: by the 95 % interval "
        "it is worse in {} of {} settings, and better in {}.",
        "one_fit_rare.csv",
        refitted_on_rare,
    ),
    Sentence(
        PAGE,
        "The log loss of `merged` is {} the log loss of averaged sigmoids (from {} to {}, by "
        "setting). - The mean average precision is {:.3f} for `merged` and {:.3f} for `cv`.",
        "one_fit_rare.csv",
        lambda: (*change("one_fit_rare", "merged", AVERAGED), *precisions()),
    ),
    Sentence(
        PAGE,
        "There are {} settings: {} boosters, {} gammas and {} alphas. Each has {} seeds. - The",
        "one_fit_multiclass.csv",
        lambda: settings_of("one_fit_multiclass"),
    ),
    Sentence(
        PAGE,
        "The mean probability of the rare class is {} times the mean of the true probabilities "
        "with `merged`. With `cv` it is {} times, lowest on {}. With averaged sigmoids it is {} "
        "times. The plain classes have {:.2f} times on average.",
        "one_fit_multiclass.csv",
        class_means,
    ),
    Sentence(
        PAGE,
        "The log loss of `merged` is {} the log loss of averaged sigmoids (from {} to {}, by "
        "setting). - The log loss of `cv`",
        "one_fit_multiclass.csv",
        lambda: change("one_fit_multiclass", "merged", AVERAGED),
    ),
    Sentence(
        PAGE,
        "The log loss of `cv` is {} the log loss of the sigmoid after a fit on all rows (from {} "
        "to {}, by setting).",
        "one_fit_multiclass.csv",
        lambda: change("one_fit_multiclass", "cv", ON_ALL),
    ),
    Sentence(
        PAGE,
        "Its file is {} times as large as the file of `cv`. Predictions of 100,000 rows take "
        "{:.1f} times (XGBoost) to {:.1f} times (LightGBM) as long as with `cv`. The fits take {}.",
        "one_fit_rare.csv",
        costs_of_merging,
    ),
]


@cache
def timed(column: str) -> pd.DataFrame:
    """A column of one_fit_time.csv, a row for each table and library, a column for each side."""
    table = results("one_fit_time").set_index(["table", "library", "side"])[column]
    return table.unstack("side").rename(index=lambda name: name.partition(" x ")[0] or name)


def loop_row(rows: str) -> tuple[object, ...]:
    """Times of the loop, divided by those of the CV class."""
    found = timed("times_cv")["loop"][rows]
    return found["LightGBM"], found["XGBoost"]


def losses_of_time() -> tuple[object, ...]:
    """Log losses of the CV class and of the loop."""
    table = timed("log_loss")
    keys = [(rows, library) for rows in ("5,000", "100,000") for library in BOTH]
    return tuple(value for key in keys for value in table.loc[key, ["cv", "loop"]])


def against_no_calibration(side: str) -> str:
    """Times of a side, divided by those of the CV class without calibration."""
    table = timed("times_cv")
    return rounded_span(table[side] / table["cv, no calibration"])


def linear_times() -> tuple[object, ...]:
    """The fastest solvers of scikit-learn, and saga."""
    table = results("one_fit_linear")
    other = table[table.side != "FocalLogisticRegressionCV"]
    fastest = other.groupby("table").times_ours.min()
    own = table[(table.penalty == "elastic net") & (table.times_ours == 1)].seconds.iloc[0]
    saga = other[other.side.str.startswith("saga")].seconds_without.min()
    dense, sparse = sorted(fastest.index)
    sizes = [name.partition(", ")[2] for name in (dense, sparse)]
    return sizes[0], fastest[dense], sizes[1], fastest[sparse], saga / own


def where_lightgbm_fails() -> tuple[object, ...]:
    """Log losses at 0.2 % positives, of the plain class and of the CV class."""
    table = results("one_fit_rare")
    table = table[table.alpha == "None"]
    loss = table.groupby(["library", "gamma", "method"]).log_loss.mean()
    cv = table[(table["library"] == "LightGBM") & (table.gamma == 0) & (table.method == "cv")]
    return (
        loss["LightGBM", 0, "plain"],
        table.log_loss_prevalence.mean(),
        word(round(cv.rounds.median())),
        loss["LightGBM", 0, "merged"],
        loss["LightGBM", 2, "merged"],
        loss["XGBoost", 0, "plain"],
        loss["XGBoost", 0, "merged"],
    )


def rule_rates() -> tuple[object, ...]:
    """How often the rules take the first of five equal settings."""
    table = results("one_fit_null")
    table = table[table.kind == "null"]
    return len(table), percent((table.one_se == 0).mean()), percent((table.best == 0).mean())


TIME = [
    Sentence(PAGE, template, source, values)
    for template, source, values in (
        ("| 5,000 | {:.1f} | {:.1f} |", "one_fit_time.csv", lambda: loop_row("5,000")),
        ("| 100,000 | {:.1f} | {:.1f} |", "one_fit_time.csv", lambda: loop_row("100,000")),
        (
            "With 100,000 rows the CV class chooses {:.0f} rounds, and the loop chooses {:.0f}.",
            "one_fit_time.csv",
            lambda: tuple(timed("rounds").loc[("100,000", "XGBoost"), ["cv", "loop"]]),
        ),
        (
            "With 5,000 rows, LightGBM has {:.3f} with the CV class and {:.3f} with the loop, and "
            "XGBoost has {:.3f} and {:.3f}. With 100,000 rows, LightGBM has {:.3f} and {:.3f}, and "
            "XGBoost has {:.3f} and {:.3f}.",
            "one_fit_time.csv",
            losses_of_time,
        ),
        (
            "The loop then takes {} times as long as the CV class.",
            "one_fit_time.csv",
            lambda: (against_no_calibration("loop"),),
        ),
        (
            "takes {} times as long as the CV class. It takes {} times as long as the CV class "
            "without calibration.",
            "one_fit_time.csv",
            lambda: (
                span(timed("times_cv")["grid, 2 processes"]),
                against_no_calibration("grid, 2 processes"),
            ),
        ),
        (
            "On a dense table of {}, the fastest solver takes {:.1f} times as long. On a sparse "
            "table of {}, it takes {:.1f} times as long. Each solver is timed at the largest "
            "tolerance at which all fits on folds are within 1e-6 of the smallest objective. For "
            "the elastic net on the dense table, `saga` took {:.0f} times as long",
            "one_fit_linear.csv",
            linear_times,
        ),
        (
            "the plain class has a log loss of {:.3f} on held-out rows after 100 rounds. The "
            "prevalence's log loss is {:.4f}. The CV class stops after {} round, and `merged` has "
            "{:.4f}. With gamma 2, `merged` has {:.4f}. On XGBoost at gamma 0 without class "
            "weights, the plain class has {:.4f}, and `merged` has {:.4f}.",
            "one_fit_rare.csv",
            where_lightgbm_fails,
        ),
        (
            "were compared on {} simulated tables. The first setting stands for gamma 0. "
            '`"one_se"` takes it on {} of the tables, and `"best"` on {}.',
            "one_fit_null.csv",
            rule_rates,
        ),
    )
]

SENTENCES = [*ONE_FIT, *TIME]
