"""The numbers of docs/evidence.md: order of time, four boosters, links, scale, claims of others.

`benchmarks.numbers` compares them with the page.
"""

from functools import cache

import numpy as np
import pandas as pd

from benchmarks import scale
from benchmarks.booster_fits import BOOSTERS
from benchmarks.boosters import GAMMAS, LINKS
from benchmarks.drift import BLOCKS
from benchmarks.methods import PEERS
from benchmarks.numbers.shared import (
    Sentence,
    gain,
    largest,
    percent,
    report,
    results,
    run,
    section,
    seen,
    span,
    word,
)
from benchmarks.quality_statistics import by_family, complete_folds, paired
from benchmarks.tables import BINARY
from skfocal import BinaryFocalLoss

PAGE = "docs/evidence.md"
MEASURES = ("average_precision", "log_loss", "brier")


@cache
def share_gains(share: str) -> dict[str, float]:
    """How much the log loss of each dated table falls with a known share of positives."""
    table = results("drift")
    models = [m for m in table.method.unique() if "share" not in m]
    found = [paired(table, f"{m}, {share} share", m, "log_loss_ratio") for m in models]
    return {family: -float(np.mean([one[family] for one in found])) for family in found[0].index}


def last_share() -> tuple[object, ...]:
    """What the last known share of positives does to log loss."""
    gains = share_gains("last")
    better = sorted((family for family in gains if gains[family] > 0), key=gains.get)
    table = results("drift")
    moved = table[table.family == "bank"].test_share
    return (
        word(len(better)),
        word(len(gains)),
        {"bank": "the bank"}.get(better[-1], better[-1]),
        gains["bank"],
        percent(moved.min()),
        percent(moved.max()),
        gains["flights"],
        gains["covid"],
        word(len(gains) - len(better)),
        -min(gains.values()),
        word(len(gains)).capitalize(),
    )


def true_share() -> tuple[object, ...]:
    """What the true share of positives does to log loss."""
    gains = share_gains("true")
    return gains["bank"], gains["flights"], -gains["employment"]


def later_folds() -> tuple[object, ...]:
    """Folds in the order of time, and gamma 2: what passes the test."""
    folds = section(
        "drift", "The CV class with folds in the order of time, or with scikit-learn's"
    ).seen
    table = section("drift", "The CV class and gamma 2 against log loss")
    gamma = table[table.method.str.endswith("posterior 2")].seen
    return (
        "Some differences pass"
        if folds.isin(["better", "worse"]).any()
        else "No difference passes",
        " or ".join(dict.fromkeys(gamma)),
    )


DRIFT = [
    Sentence(PAGE, template, "drift.csv", values)
    for template, values in (
        ("{} tables have dates", lambda: (word(results("drift").table.nunique()).capitalize(),)),
        ("Each table is cut into {} blocks", lambda: (word(BLOCKS),)),
        (
            "**The last known share of positives lowers log loss on {} of {} tables.** It lowers "
            "log loss most on {}, by {:.3f}: there the share moves from {} to {}. It lowers log "
            "loss by {:.3f} on the flights and by {:.3f} on the hospital. On the other {} tables "
            "log loss rises by {:.3f} at most. {} tables are too few for a test.",
            last_share,
        ),
        (
            "by {:.3f} and {:.3f}. But nobody knows the true share in time. On the adults it "
            "raises log loss by {:.3f}.",
            true_share,
        ),
        ("{} the test. - **Gamma 2 makes {} that is seen.**", later_folds),
    )
]


def default_trees() -> tuple[object, ...]:
    """Focal loss with default trees: what passes the test, and the largest difference."""
    pairs = [(f"{b}, {k} {g:g}", b) for b in BOOSTERS for k in LINKS for g in GAMMAS]
    table = section("boosters", "Focal loss against the same booster's log loss")
    cells = table[list(MEASURES)].stack()
    sure = int(cells.str.contains(r"\), (?:better|worse)").sum())
    most = largest(gain("boosters", *pair, "average_precision") for pair in pairs)
    return "no difference" if sure == 0 else f"{word(sure)} differences", most


def catboost_above() -> tuple[object, ...]:
    """CatBoost against the other boosters."""
    gains = [gain("boosters", "CatBoost", b, "average_precision") for b in BOOSTERS[:3]]
    pairs = [("CatBoost", b) for b in BOOSTERS[:3]]
    title = "Boosters against each other, at gamma 0"
    said = " or ".join({seen("boosters", title, pairs, m) for m in MEASURES})
    return said, word(len(BOOSTERS) - 1), span(gains, ".3f")


def own_focal() -> tuple[object, ...]:
    """CatBoost's own loss as it is."""
    table = run()
    table = table[table.method == "CatBoost, own Focal 2"]
    means = table.groupby(["family", "table"]).mean_over_prevalence.mean().groupby("family").mean()
    return means.median(), gain("boosters", "CatBoost, own Focal 2", "CatBoost", "log_loss")


FOUR = [
    Sentence(PAGE, template, "boosters.csv", values)
    for template, values in (
        (
            "The {} tables have at most 12,000 training rows and are split in {} folds.",
            lambda: (
                results("boosters").table.nunique(),
                word(results("boosters").fold.nunique()),
            ),
        ),
        (
            "At gamma 1 and 2, {} in average precision, log loss or Brier score passes the test. "
            "The means of average precision differ by {:.3f} at most.",
            default_trees,
        ),
        (
            "**CatBoost is {} than the other {} boosters** in all three measures. Its average "
            "precision is {} higher.",
            catboost_above,
        ),
        (
            "At gamma 2 their mean is {:.1f} times the prevalence (median over families). Their "
            "log loss is {:.2f} worse than with CatBoost trained on log loss.",
            own_focal,
        ),
        (
            "Their log loss is then {:.3f} better than with CatBoost trained on log loss.",
            lambda: (
                -gain("boosters", "CatBoost, own Focal, recovered 2", "CatBoost", "log_loss"),
            ),
        ),
    )
]


@cache
def binary() -> pd.DataFrame:
    """The rows of quality.csv with two classes."""
    table = results("quality")
    return complete_folds(table[table.table.isin(BINARY)])


@cache
def recovered() -> pd.Series:
    """How much of the difference to other packages the recovered probabilities remove."""
    rows = results("recovery")
    rows = rows.assign(method=rows.method + ", recovered")
    means = by_family(complete_folds(pd.concat([binary(), rows])), "log_loss").mean()
    shares = {
        peer: (means[peer] - means[f"{peer}, recovered"]) / (means[peer] - means[f"{own}, focal"])
        for peer, own in PEERS.items()
    }
    return pd.Series(shares)


def removed() -> tuple[object, ...]:
    """The smallest share that is removed, and the one of CatBoost."""
    catboost = recovered()["CatBoost, focal"]
    return percent(recovered().min()), "all" if catboost >= 1 else percent(catboost)


def scale_terms() -> tuple[object, ...]:
    """How much the parameters of XGBoost weigh without the scale, at gamma 1 and 2."""
    table = results("boosters").drop_duplicates(["table", "fold"])
    found = [
        BinaryFocalLoss(gamma).log_loss_scale(np.arange(rows) < positives)
        for rows, positives in zip(table.rows, table.positives, strict=True)
        for gamma in scale.GAMMAS
    ]
    return (span(found),)


def links_worse() -> tuple[object, ...]:
    """On how many tables the posterior link is worse than the focal link."""
    rows = [line.strip("|").split("|") for line in report("links").splitlines()[2:]]
    worse = {"trees": set(), "linear": set()}
    for row in rows:
        kind = "linear" if row[0].strip() == "logistic" else "trees"
        worse[kind] |= {int(row[k].split(",")[1]) for k in (6, 10)}
    some = sorted(worse["linear"] - {0})
    return (
        "never" if worse["trees"] == {0} else "sometimes",
        " or ".join(map(word, some)),
        word(results("links").table.nunique()),
        word(results("links").split.nunique()),
    )


def few_held_out() -> tuple[object, ...]:
    """`calibrate` against the sigmoid, in percent, by the number of positives held out."""
    table = results("probabilities_held_out")
    change = 100 * (table.log_loss_calibrate / table.log_loss_sigmoid - 1)
    few = table.positives_held_out < 40
    mean = change[few].mean()
    said = f"{abs(mean):.2f} % {'below' if mean < 0 else 'above'}"
    return "better" if mean < 0 else "worse", said, f"{abs(change[~few].mean()):.2f} %"


OTHERS = [
    Sentence(
        PAGE,
        "has a slightly {} log loss than the sigmoid calibration** if fewer than 40 positives are "
        "held out: it is {} in the mean. The reason is that `calibrate` has a ridge penalty. With "
        "40 positives or more the means differ by {}.",
        "probabilities_held_out.csv",
        few_held_out,
    ),
    Sentence(
        PAGE,
        "The benchmark tunes {} methods on real tables",
        "quality.csv",
        lambda: (binary().method.nunique(),),
    ),
    Sentence(
        PAGE,
        "Recovered probabilities remove at least {} of the difference in log loss "
        "(`benchmarks/recovery.py`). For CatBoost they remove {} of it.",
        "quality.csv, recovery.csv",
        removed,
    ),
    Sentence(
        PAGE,
        "the posterior link was {} worse than the focal link with a 95 % interval that excludes "
        "0. It "
        "gains most with large gammas and with class weights "
        "([table](posterior_link.md#which-link)). In the linear model it was worse on {} of the {} "
        "tables in some settings. The benchmark has {} splits of each table",
        "links.csv, links.md",
        links_worse,
    ),
    Sentence(
        PAGE,
        "on the {} tables with at most 12,000 training rows and {} folds.",
        "scale.csv",
        lambda: (results("scale").table.nunique(), word(results("scale").fold.nunique())),
    ),
    Sentence(
        PAGE,
        "`min_child_weight=1` then weigh only {} times as much.",
        "boosters.csv, skfocal",
        scale_terms,
    ),
    Sentence(
        PAGE,
        "Over {} splits, models trained on focal loss and on log loss are alike.",
        "claims_breast_cancer.csv",
        lambda: (results("claims_breast_cancer").seed.nunique(),),
    ),
    Sentence(
        PAGE,
        "a tuned gamma raises ROC AUC by {:.4f}.**",
        "claims_credit.csv",
        lambda: (tuned_gamma(),),
    ),
]


def tuned_gamma() -> float:
    """The gain of the gamma with the best ROC AUC of validation rows, on test rows."""
    table = results("claims_credit").set_index(["part", "seed", "gamma"]).roc_auc
    best = table["valid"].groupby("seed").idxmax()
    return float(np.mean([table["test"][key] - table["test"][key[0], 0.0] for key in best]))


SENTENCES = [*DRIFT, *FOUR, *OTHERS]
