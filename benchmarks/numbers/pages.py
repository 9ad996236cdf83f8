"""The numbers of README.md, of the guide and of the other pages, but for docs/evidence.md.

`benchmarks.numbers` compares them with the pages.
"""

import re
from functools import cache

import numpy as np
import pandas as pd

from benchmarks.as_run import WITH_FOLDS
from benchmarks.numbers.evidence import GAMMA_2, RANKS
from benchmarks.numbers.others import binary, links_worse
from benchmarks.numbers.run import FOCAL, prevalences
from benchmarks.numbers.shared import (
    Sentence,
    outputs,
    rare,
    results,
    run,
    section,
    seen,
    shares_of,
    span,
    times,
)
from benchmarks.rare_report import LOSS, named
from skfocal import BinaryFocalLoss

CHIPS = {"AMD": "AMD EPYC", "Intel": "Intel(R) Xeon(R) Processor, model 207"}
PLAIN, POSTERIOR = "focal_gamma=2.0", "focal_gamma=2.0, posterior link"
GUIDE = "docs/guide/"
ONE_FIT = f"{GUIDE}one_fit.md"
PERFORMANCE, SCALING = f"{GUIDE}performance.md", f"{GUIDE}scaling.md"


def thinned() -> tuple[object, ...]:
    """Families and shares of the benchmark of rare positives."""
    shares = shares_of(rare())
    return rare().family.nunique(), shares[-1], shares[0]


def ranking(booster: str = "", link: str = "") -> str:
    """Whether a focal loss ranks rows better than log loss by more than chance."""
    table = section("as_run", FOCAL)
    table = table[(table.measure == "average_precision") & table.method.str.startswith(booster)]
    return "better" if (table.seen == "better").any() else "no better"


def about(values: pd.Series, step: int) -> int:
    """The mean, rounded to a multiple of the step."""
    return int(step * round(values.mean() / step))


def cv_times() -> tuple[object, ...]:
    """About how long a CV class takes, with its gammas and with gamma 0 alone."""
    found = [times()[[f"{b}, {m}" for b in WITH_FOLDS]] for m in ("CV", "CV, gamma 0")]
    return about(found[0], 5), about(found[1], 1)


@cache
def training(name: str) -> pd.Series:
    """Time of a fit over that of the library's own objective."""
    table = results(f"training-{name}")
    return table.set_index(["processor", "library", "side"]).time_ratio


def own_objective() -> tuple[object, ...]:
    """The range on LightGBM and XGBoost with two classes."""
    table = training("2-classes")
    return (span(table[table.index.get_level_values("side").isin([PLAIN, POSTERIOR])], ".2f"),)


def catboost_times() -> tuple[object, ...]:
    """CatBoost: focal loss over Logloss, and over its own Focal."""
    table = training("catboost")[CHIPS["Intel"], "CatBoost"]
    own = table["built-in Focal, gamma 2"]
    return table[PLAIN], table[POSTERIOR], span((table[PLAIN] / own, table[POSTERIOR] / own))


def weighted_means() -> tuple[object, ...]:
    """The mean probability of the weighted model, and the share of fraud, in the output."""
    text = outputs("docs/getting_started.md")
    return re.findall(r"mean probability ([\d.]+), share of fraud ([\d.]+)", text)[1]


def best_gamma() -> tuple[object, ...]:
    """The gamma that the output of the page calls chosen."""
    chosen = re.findall(r"Chosen: gamma ([\d.]+)\.\s", outputs("docs/getting_started.md"))
    return (f"{float(chosen[0]):g}",)


def omega() -> tuple[object, ...]:
    """The weight of the posterior link at 0, for gamma 2 and 5."""
    found = []
    for gamma in (2.0, 5.0):
        loss = BinaryFocalLoss(gamma, link="posterior")
        found.append(2 * abs(loss.gradient(np.ones(1), np.zeros(1))[0]))
    return tuple(found)


def bias(gamma: float) -> float:
    """The error of the log-odds of the linear model with the most rows, under the focal link."""
    table = results("links_consistency")
    table = table[(table.link == "focal") & (table.gamma == gamma)]
    return float(table.loc[table.rows.idxmax(), "error"])


def link_effect() -> tuple[object, ...]:
    """Tables and splits of the comparison of the links."""
    return links_worse()[2:]


def precision_by_gamma() -> tuple[object, ...]:
    """The largest change of mean average precision from gamma 0."""
    keys = ["learner", "alpha", "gamma", "link"]
    means = results("links").groupby(keys).average_precision.mean()
    base = means.xs(0.0, level="gamma").droplevel("link")
    return (max(abs(means[key] - base[key[:2]]) for key in means.index if key[2] > 0),)


def own_focal_time() -> tuple[object, ...]:
    """Whether a fit takes about half as long as with CatBoost's Focal."""
    table = training("catboost")[CHIPS["Intel"], "CatBoost"]
    ratio = table[PLAIN] / table["built-in Focal, gamma 2"]
    return ("half" if round(2 * ratio) == 1 else f"{ratio:.1f} times",)


def smote() -> tuple[object, ...]:
    """The CV classes against SMOTE."""
    pairs = [(f"{b}, CV", f"{b}, SMOTE") for b in ("LightGBM", "XGBoost")]
    return (seen("rare", RANKS, pairs, LOSS),)


def chosen_gamma_on_trees() -> tuple[object, ...]:
    """Whether a choice of gamma lowered log loss on scikit-learn's trees."""
    pair = (named("scikit-learn", "focal 2"), "scikit-learn")
    return ("lowered" if seen("rare", GAMMA_2, [pair], LOSS) == "better" else "did not lower",)


RARE_SOURCE, RUN_SOURCE = "rare.csv", "boosters.csv, as_run.csv"
SENTENCES = [
    Sentence(page, template, source, values)
    for page, template, source, values in (
        (
            "README.md",
            "*{} families of tables. A family is all tables of one origin. Positives were removed "
            "at random until {} to {} of the training rows were positive.",
            RARE_SOURCE,
            thinned,
        ),
        (
            "README.md",
            "With more than 1 % positives, focal loss ranks rows {} than log loss",
            RUN_SOURCE,
            lambda: (ranking(),),
        ),
        (
            "README.md",
            "A CV class takes about {} times as long as one fit with early stopping. With gamma 0 "
            "alone it takes about {} times as long.",
            RUN_SOURCE,
            cv_times,
        ),
        (
            "README.md",
            "with gamma 2 a fit of 1,000,000 rows takes {} times as long",
            "training-2-classes.csv",
            own_objective,
        ),
        (
            "README.md",
            "On CatBoost, with equal rounds, a fit of 250,000 rows takes {:.1f} times as long",
            "training-catboost.csv",
            lambda: catboost_times()[:1],
        ),
        (
            "docs/index.md",
            "{} families of tables. A family is all tables of one origin. Positives were removed "
            "at random until {} to {} of the training rows were positive.",
            RARE_SOURCE,
            thinned,
        ),
        (
            "docs/index.md",
            "With more than 1 % positives, focal loss ranks rows {} than log loss.",
            RUN_SOURCE,
            lambda: (ranking(),),
        ),
        (
            "docs/getting_started.md",
            "their mean is {}, but only {} of the rows are fraud.",
            "output of the page",
            weighted_means,
        ),
        (
            "docs/getting_started.md",
            "Gamma {} has the best mean score.",
            "output of the page",
            best_gamma,
        ),
        (
            "docs/migrating.md",
            "On {} tables, neither `Focal` nor this focal loss ranked rows {} than CatBoost's log "
            "loss by more than chance",
            RUN_SOURCE,
            lambda: (run().table.nunique(), ranking("CatBoost").removeprefix("no ")),
        ),
        (
            "docs/migrating.md",
            "A fit takes about {} as long as with `Focal` at equal leaf steps.",
            "training-catboost.csv",
            own_focal_time,
        ),
        (
            "docs/migrating.md",
            "there a choice of gamma {} log loss",
            RARE_SOURCE,
            chosen_gamma_on_trees,
        ),
        (
            "docs/migrating.md",
            "On {} tables with {} to {} positives, with default trees and early stopping, no gamma "
            "ranked rows {} than gamma 0 by more than chance",
            RUN_SOURCE,
            lambda: (
                run().table.nunique(),
                *prevalences(),
                ranking("scikit-learn").removeprefix("no "),
            ),
        ),
        (
            "docs/migrating.md",
            "on LightGBM and XGBoost its log loss was {} than with SMOTE",
            RARE_SOURCE,
            smote,
        ),
        (
            "docs/posterior_link.md",
            "The next table has means over {} data sets. Each data set has {} splits",
            "links.csv",
            link_effect,
        ),
        (
            "docs/posterior_link.md",
            "In some settings it is worse on {} data sets",
            "links.csv, links.md",
            lambda: links_worse()[1:2],
        ),
        (
            "docs/posterior_link.md",
            "On {} data sets with all parameters tuned",
            "quality.csv",
            lambda: (binary().table.nunique(),),
        ),
        (
            "docs/posterior_link.md",
            "Compared with gamma 0, mean average precision changes by {:.3f} at most",
            "links.csv",
            precision_by_gamma,
        ),
        (
            "docs/posterior_link.md",
            "the weight $\\omega$ is only {:.2f} for $\\gamma = 2$ and {:.3f} for $\\gamma = 5$.",
            "skfocal",
            omega,
        ),
        (
            "docs/posterior_link.md",
            "therefore stops at about {:.2f} for gamma 0.5, {:.2f} for gamma 1 and {:.2f} for "
            "gamma 2.",
            "links_consistency.csv",
            lambda: tuple(map(bias, (0.5, 1.0, 2.0))),
        ),
    )
]
