"""Statistics of the quality benchmark: ranks, intervals, pairs.

The unit is the family of a table: folds are averaged to tables, tables to families. Pairs are
compared by the Bayesian signed-rank test of Benavoli et al. (2014) with a region in which a
difference does not matter, and by wins, ties and losses. The test's three numbers are the
posterior probabilities that better, no matter and worse is the likeliest outcome on a family.
"""

from functools import lru_cache
from itertools import product

import baycomp
import numpy as np
import pandas as pd
from pandas.api.typing import SeriesGroupBy
from scipy.stats import t as student

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
    # of `benchmarks.rare`; log loss and costs there are shares of what the prevalence alone has
    "recall_at_0.1_percent": (1, 0.005),
    "recall_at_0.5_percent": (1, 0.005),
    "log_loss_ratio": (-1, 0.01),
    "cost_20": (-1, 0.01),
    "cost_100": (-1, 0.01),
    "cost_500": (-1, 0.01),
}
# What rows of two methods must share to be compared.
SAME = ("table", "fold", "share", "rate")


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
    """Folds on which every method has been run; failures stay as they are."""
    counts = table.groupby(["table", "fold"]).method.nunique()
    complete = counts[counts == table.method.nunique()].index
    return table.set_index(["table", "fold"]).loc[complete].reset_index()


def by_family(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Means of a measure, a row for each family and a column for each method.

    NaN where a method failed on a fold: it is not judged by the folds that are left.
    """
    tables = _strict_mean(table.groupby(["family", "table", "method"])[measure])
    return _strict_mean(tables.groupby(["family", "method"])).unstack("method")


def _strict_mean(groups: SeriesGroupBy) -> pd.Series:
    return groups.mean().where(groups.count() == groups.size())


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


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's correction of p values for their number."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(stepped, 1.0)[np.argsort(order)]


def sign_flip_p(differences: np.ndarray, resamples: int = 200_000) -> float:
    """Of a mean of 0: how often it is as large with the signs of families drawn.

    Up to 16 families all signs are tried. Else so many are drawn that what is left to chance
    decides no verdict after Holm's correction.
    """
    n = len(differences)
    signs = _signs(n, resamples)
    sums = np.abs(signs @ differences)
    # sums of the same numbers in another order may differ in their last digits
    as_large = int((sums >= np.abs(differences.sum()) * (1 - 1e-12)).sum())
    drawn = n > EXACT  # then the observed signs count as one more draw
    return (as_large + drawn) / (len(signs) + drawn)


EXACT = 16


@lru_cache(maxsize=4)
def _signs(n: int, resamples: int) -> np.ndarray:
    """Rows of signs: all of them, or some that are drawn."""
    if n <= EXACT:
        return np.array(list(product((-1.0, 1.0), repeat=n)))
    return np.random.default_rng(0).choice([-1.0, 1.0], (resamples, n))


def rank_differences(
    table: pd.DataFrame, wanted: list[tuple[str, str]], measures: list[str]
) -> pd.DataFrame:
    """Mean rank of one method less that of another, with an interval and what it says.

    "Perhaps" is what the interval says and the test, corrected for all that is in the table, not.
    """
    places = {measure: ranks(by_family(table, measure), measure) for measure in measures}
    differences = [places[m][one] - places[m][other] for one, other in wanted for m in measures]
    sure = holm(np.array([sign_flip_p(d.to_numpy()) for d in differences])) < 0.05
    said = []
    for difference, corrected in zip(differences, sure, strict=True):
        low, high = interval(difference.to_numpy())
        seen = "better" if high < 0 else "worse" if low > 0 else "no difference seen"
        perhaps = "perhaps " if (high < 0 or low > 0) and not corrected else ""
        said.append(f"{difference.mean():+.1f} ({low:+.1f} to {high:+.1f}), {perhaps}{seen}")
    cells = np.reshape(said, (len(wanted), len(measures)))
    names = pd.DataFrame(wanted, columns=["method", "against"])
    return names.join(pd.DataFrame(cells, columns=measures))


def verdicts(differences: pd.DataFrame) -> str:
    """How many of `rank_differences` say what, as a sentence."""
    cells = differences.drop(columns=["method", "against"]).stack()
    counts = cells.str.replace(r".*\), ", "", regex=True).value_counts()
    words = ["better", "perhaps better", "no difference seen", "perhaps worse", "worse"]
    parts = [f"{counts[word]} {word}" for word in words if word in counts]
    return f"Of {len(cells)}: {', '.join(parts)}."


def paired(table: pd.DataFrame, one: str, other: str, measure: str) -> pd.Series:
    """Differences of a measure, by family, where both methods were run on the same rows."""
    keys = ["family", *(key for key in SAME if key in table)]
    both = table[table.method.isin([one, other])]
    values = both.pivot(index=keys, columns="method", values=measure).dropna()
    differences = values[one] - values[other]
    return differences.groupby(["family", "table"]).mean().groupby("family").mean()


def mean_differences(
    table: pd.DataFrame, wanted: list[tuple[str, str]], measures: list[str]
) -> pd.DataFrame:
    """Means over families of the differences of pairs of methods, with intervals by t.

    ``corrected`` is the interval that holds for all rows of the result at once (Bonferroni), and
    ``p`` the test by signs of families, after Holm. What is said is better or worse if p < 0.05,
    and "perhaps" so if the interval without correction says it.
    """
    found = [(o, a, m, paired(table, o, a, m)) for o, a in wanted for m in measures]
    p = holm(np.array([sign_flip_p(d.to_numpy()) for *_, d in found]))
    rows = []
    for (one, other, measure, difference), corrected in zip(found, p, strict=True):
        mean, error, n = difference.mean(), difference.sem(), len(difference)
        half = error * student.ppf(0.975, n - 1)
        wide = error * student.ppf(1 - 0.025 / len(found), n - 1)
        gain = DIRECTION[measure][0] * mean
        seen = "better" if gain > 0 else "worse"
        sure = seen if corrected < 0.05 else f"perhaps {seen}"
        rows.append(
            {
                "method": one,
                "against": other,
                "measure": measure,
                "families": n,
                "difference": f"{mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f})",
                "corrected": f"{mean - wide:+.4f} to {mean + wide:+.4f}",
                "p": f"{corrected:.2g}",
                "seen": sure if corrected < 0.05 or abs(mean) > half else "no difference",
            }
        )
    return pd.DataFrame(rows)


def reproduced(part: pd.DataFrame, whole: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Differences of a run done again, beside the noise: the standard deviation over folds.

    The noise is the mean over all methods that have several folds of the same tables.
    """
    keys = ["method", *(key for key in SAME if key in part and key in whole)]
    again, before = part.set_index(keys)[measures], whole.set_index(keys)[measures]
    differences = (again - before.reindex(again.index)).abs()
    same = whole[whole.table.isin(part.table)]
    folds = same.groupby([key for key in keys if key != "fold"])[measures].std()
    return pd.DataFrame(
        {
            "largest difference": differences.max(),
            "mean difference": differences.mean(),
            "noise": folds.mean(),
            "rows compared": differences.notna().sum(),
        }
    )


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
