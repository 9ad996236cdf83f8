"""What the modules of `benchmarks.numbers` share: sentences, result files, and how numbers look.

A sentence is a template with fields. Its function computes the fields from the result files.
`benchmarks.numbers` says how to run it.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks import as_run_report, rare_report
from benchmarks.booster_fits import RATE
from benchmarks.quality_statistics import by_family, paired
from benchmarks.report import RESULTS

ROOT = Path(__file__).parents[2]
WORDS = (
    *("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve"),
)
# What the verdicts of the reports are called in a sentence.
NO_DIFFERENCE = "no difference"


class Sentence(NamedTuple):
    """A sentence of a page, or a part of it, with fields for the numbers that were measured."""

    page: str
    template: str
    source: str
    values: Callable[[], tuple[object, ...]]

    def filled(self) -> str:
        """The sentence with the values that the result files have now."""
        return one_line(self.template.format(*self.values()))

    def on(self, text: str) -> str:
        """What a page says in place of the filled sentence, as far as it can be found."""
        parts = re.split(r"\{[^}]*\}", one_line(self.template))
        # a value is short: a longer text between two parts is another sentence
        found = re.search("(.{1,60}?)".join(map(re.escape, parts)), one_line(text))
        return found[0] if found else "(no such sentence)"


def one_line(text: str) -> str:
    """The text with each run of blanks and line ends as one blank."""
    return " ".join(text.split())


def read_page(page: str) -> str:
    """The text of a page, without the lines of its head."""
    return (ROOT / page).read_text()


@cache
def results(name: str) -> pd.DataFrame:
    """A result file; ``None`` is a value (of alpha), not a missing one."""
    return pd.read_csv(RESULTS / f"{name}.csv", keep_default_na=False, na_values=[""])


@cache
def report(name: str) -> str:
    """The committed text of a report. A test checks that it is that of the results."""
    return (RESULTS / f"{name}.md").read_text()


@cache
def section(name: str, title: str) -> pd.DataFrame:
    """The first table below a title of a report; its cells are text."""
    text = report(name).partition(f"**{title}")[2]
    lines = iter(text.splitlines())
    rows = []
    for line in lines:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return pd.DataFrame(rows[2:], columns=rows[0])


def seen(name: str, title: str, pairs: Iterable[tuple[str, str]], measure: str) -> str:
    """The verdict of a report on pairs of methods; all verdicts, if they differ."""
    table = section(name, title)
    wide = measure in table
    if not wide:
        table = table[table.measure == measure]
    cells = table.set_index(["method", "against"])[measure if wide else "seen"]
    verdicts = [cells.loc[pair].rpartition("), ")[2].removesuffix(" seen") for pair in pairs]
    return " or ".join(dict.fromkeys(verdicts))


@cache
def rare() -> pd.DataFrame:
    """The rows of the methods that were run on all thinned tables."""
    return rare_report.in_all(rare_report.read())


@cache
def rare_by_family(measure: str) -> pd.DataFrame:
    """A row for each family, a column for each method."""
    return by_family(rare(), measure)


def rare_mean(method: str, measure: str = rare_report.LOSS) -> float:
    """The mean over families."""
    return float(rare_by_family(measure)[method].mean())


def rare_median(method: str, measure: str = "mean_over_prevalence") -> float:
    """The median over families."""
    return float(rare_by_family(measure)[method].median())


@cache
def run() -> pd.DataFrame:
    """The rows of boosters.csv and as_run.csv with the usual learning rate."""
    table = as_run_report.read()
    return table[table.rate == RATE]


@cache
def times() -> pd.Series:
    """The time of each recipe, divided by the time of a stopped fit of the same booster."""
    return as_run_report.costs(run()).set_index("method")["times the time"]


@cache
def gain(name: str, one: str, other: str, measure: str) -> float:
    """The mean over families of ``one`` less ``other``."""
    table = run() if name == "as_run" else results(name)
    return float(paired(table, one, other, measure).mean())


def word(number: int) -> str:
    """A small number as a word."""
    return WORDS[number] if number < len(WORDS) else f"{number:,}"


def listed(names: Iterable[str]) -> str:
    """Names with commas and an "and"; of scikit-learn those of its trees."""
    found = ["scikit-learn's trees" if name == "scikit-learn" else name for name in names]
    return " and ".join(filter(None, [", ".join(found[:-1]), *found[-1:]])) or "none"


def all_of(number: int, of: int) -> str:
    """How many of all: "all twelve", or "11 of 12"."""
    return f"all {word(of)}" if number == of else f"{number} of {of}"


def span(values: Iterable[float], form: str = ".1f") -> str:
    """The smallest and the largest value; one number, if both look the same."""
    ends = [min(found := list(values)), max(found)]
    return " to ".join(dict.fromkeys(format(end, form) for end in ends))


def rounded(value: float, digits: int = 2) -> str:
    """A number with so many significant digits, and without an exponent."""
    return f"{float(f'{value:.{digits}g}'):g}"


def rounded_span(values: Iterable[float], digits: int = 2) -> str:
    """The smallest and the largest value with so many significant digits."""
    found = list(values)
    return " to ".join(dict.fromkeys(rounded(end, digits) for end in (min(found), max(found))))


def percent(share: float, digits: int = 0) -> str:
    """A share as the pages write it, such as "0.5 %"; a half is rounded up."""
    # Python rounds a half to the even digit, and readers do not
    return f"{100 * share + 1e-9:.{digits}f} %"


def shares_of(table: pd.DataFrame, digits: int = 1) -> tuple[str, ...]:
    """All shares of positives of an experiment, the largest first."""
    return tuple(percent(share, digits) for share in sorted(table.share.unique(), reverse=True))


def below(change: float) -> str:
    """A change in percent in words: "2.4 % below" or "1.4 % above"."""
    return f"{abs(change):.1f} % {'below' if change < 0 else 'above'}"


def verdict_counts(found: pd.Series) -> dict[str, int]:
    """How many verdicts say what."""
    return {str(key): int(count) for key, count in found.value_counts().items()}


def largest(values: Iterable[float]) -> float:
    """The largest absolute value."""
    return float(np.abs(list(values)).max())


def outputs(page: str) -> str:
    """The printed outputs on a page. `test_documentation` checks them."""
    return "\n".join(re.findall(r"```text\n(.*?)```", read_page(page), flags=re.DOTALL))
