"""The numbers of docs/evidence.md: really rare positives.

`numbers_run.py`, `numbers_others.py` and `numbers_one_fit.py` have the other sections.
`benchmarks.numbers` compares them with the page.
"""

from functools import cache

import pandas as pd

from benchmarks.as_run import WITH_FOLDS
from benchmarks.booster_fits import BOOSTERS
from benchmarks.boosters import LINKS
from benchmarks.numbers.shared import (
    Sentence,
    all_of,
    rare,
    rare_by_family,
    rare_mean,
    rare_median,
    rounded_span,
    seen,
    shares_of,
    span,
    word,
)
from benchmarks.quality_statistics import paired, rank_differences, ranks
from benchmarks.rare import COSTS, MADE, NEGATIVES
from benchmarks.rare_report import LOSS, named, read

PAGE = "docs/evidence.md"
GAMMA_2 = "Gamma 2 against log loss of the same booster"
CATBOOST = "CatBoost's search"
PACKAGES = "Other packages' focal losses, and linear models."
RANKS = "The CV class against the others, ranks by log loss."
# What the CV classes are compared with; "" is the stopped fit.
AGAINST = ("", "weighted", "sampled", "CalibratedClassifierCV")
# Methods whose probabilities are those of other class shares.
ALERTING = [named(b, m) for b in BOOSTERS for m in ("weighted", "sampled")]
ALERTING += ["BalancedRandomForest", "EasyEnsemble"]


def rare_design() -> tuple[object, ...]:
    """Tables, shares and positives of the benchmark of rare positives."""
    table = read()
    ends = table.positives.min(), table.positives.max()
    n_made = len(MADE)
    return (
        table.table.nunique() - n_made,
        word(n_made),
        *shares_of(table),
        often(table),
        f"{NEGATIVES:,}",
        *ends,
    )


def often(table: pd.DataFrame) -> str:
    """How often positives were drawn."""
    times_drawn = table.fold.nunique()
    return {1: "once", 2: "twice"}.get(times_drawn, f"{word(times_drawn)} times")


@cache
def passed() -> tuple[int, int]:
    """How many differences of ranks of the CV classes to four methods pass the test."""
    pairs = [(named(b, "CV"), named(b, other)) for b in WITH_FOLDS for other in AGAINST]
    found = rank_differences(rare(), pairs, [LOSS])[LOSS]
    return int(found.str.endswith("), better").sum()), len(pairs)


def cv_medians() -> str:
    """Whether the medians of the mean probability are those of the prevalence."""
    medians = [rare_median(named(b, "CV")) for b in WITH_FOLDS]
    return "equal to" if span(medians, ".2f") == "1.00" else f"{span(medians, '.2f')} times"


def catboost_search() -> tuple[object, ...]:
    """What CatBoost's CV class is compared with."""
    groups = (("weighted", "sampled"), ("", "sigmoid"), ("CV, gamma 0",))
    table = read()
    own = table[table.method == "CatBoost, CV"]
    return (
        *(
            seen("rare", CATBOOST, [("CatBoost, CV", named("CatBoost", m)) for m in group], LOSS)
            for group in groups
        ),
        *shares_of(own),
        often(own),
    )


def sample_with_priors() -> tuple[object, ...]:
    """A sample of LightGBM beside its CV class."""
    own, sample = "LightGBM, CV", "LightGBM, sampled, priors"
    seconds = rare_by_family("fit_seconds").median()
    ratio = round(seconds[own] / seconds[sample], -2)
    return (
        seen("rare", RANKS, [(own, sample)], LOSS),
        {100: "a hundredth"}.get(int(ratio), f"1 / {ratio:.0f}"),
        rare_mean(sample, "average_precision"),
        rare_mean(own, "average_precision"),
    )


def gamma_on_rare() -> tuple[object, ...]:
    """Log loss where default trees overfit."""
    two = ("LightGBM", "scikit-learn")
    lower = [-gain_on_rare(named(b, "CV"), named(b, "CV, gamma 0")) for b in two]
    stopped = [rare_mean(named(b, m)) for m in ("", "focal 2") for b in two]
    return (*stopped, span(lower, ".2f"))


def gain_on_rare(one: str, other: str) -> float:
    """The mean over families of a difference of log loss."""
    return float(paired(rare(), one, other, LOSS).mean())


def gamma_elsewhere() -> tuple[object, ...]:
    """What gamma does on XGBoost and CatBoost."""
    pairs = {b: [(named(b, f"{k} 2"), b) for k in LINKS] for b in ("XGBoost", "CatBoost")}
    both = [*pairs["XGBoost"], *pairs["CatBoost"]]
    searched = {seen("rare", RANKS, [("XGBoost, CV", "XGBoost, CV, gamma 0")], LOSS)}
    searched.add(seen("rare", CATBOOST, [("CatBoost, CV", "CatBoost, CV, gamma 0")], LOSS))
    return (
        seen("rare", GAMMA_2, pairs["CatBoost"], LOSS),
        *(seen("rare", GAMMA_2, [pair], LOSS) for pair in pairs["XGBoost"]),
        seen("rare", GAMMA_2, both, "average_precision"),
        " or ".join(sorted(searched)),
    )


def other_packages() -> tuple[object, ...]:
    """Recovered probabilities of other packages, against unchanged ones, and CatBoost's Focal."""
    names = [f"{name}, focal 2" for name in ("gbdtCBL", "bokbokbok")] + ["CatBoost, own Focal 2"]
    pairs = [(f"{name}, recovered", name) for name in names]
    return (
        seen("rare", PACKAGES, [pairs[0], pairs[2]], LOSS),
        seen("rare", PACKAGES, [pairs[1]], LOSS),
        seen("rare", PACKAGES, [("CatBoost, own Focal 2, recovered", "CatBoost")], LOSS),
    )


def rankings_of_packages() -> tuple[object, ...]:
    """LightGBM with gamma 2 against gbdtCBL; imlightgbm has the same formulas."""
    pairs = [(f"LightGBM, {k} 2", "gbdtCBL, focal 2, recovered") for k in LINKS]
    return (
        seen("rare", PACKAGES, pairs, "average_precision"),
        *(seen("rare", PACKAGES, [pair], "recall_at_0.5_percent") for pair in pairs),
    )


def package_losses() -> tuple[object, ...]:
    """The fewest positives that stop training, and the log loss of gbdtCBL beside LightGBM."""
    pairs = [(f"LightGBM, {k} 2", "gbdtCBL, focal 2, recovered") for k in LINKS]
    ours = seen("rare", PACKAGES, pairs, LOSS)
    return word(rare().positives.min() // 5), "worse" if ours == "better" else f"not worse ({ours})"


def too_high() -> tuple[object, ...]:
    """Mean probabilities and costs of weights, and of samples without priors."""
    costs: list[object] = []
    for cost, form in zip(COSTS, (".0f", ".0f", ".1f"), strict=True):
        costs += [cost, span((rare_mean(m, f"cost_{cost}") for m in ALERTING), form)]
    return rounded_span(map(rare_median, ALERTING)), *costs


def with_priors() -> tuple[object, ...]:
    """Whether decisions from a sample with priors cost less than no model."""
    samples = [named(b, "sampled, priors") for b in BOOSTERS]
    most = max(rare_mean(m, f"cost_{cost}") for m in samples for cost in COSTS)
    return "less" if most < 1 else "more", f"all {word(len(COSTS))}"


def isotonic() -> tuple[object, ...]:
    """Isotonic calibration against sigmoid calibration, and against none."""
    losses = {b: [rare_mean(named(b, m)) for m in ("isotonic", "sigmoid", "")] for b in BOOSTERS}
    worse = sum(own > sigmoid for own, sigmoid, _ in losses.values())
    than_none = {own > none for b, (own, _, none) in losses.items() if b != "scikit-learn"}
    own, _, none = losses["scikit-learn"]
    return (
        all_of(worse, len(BOOSTERS)),
        "worse" if than_none == {True} else "not always worse",
        "better" if own < none else "worse",
        own,
        none,
    )


def linear_ranks() -> tuple[object, ...]:
    """Mean ranks of the linear models."""
    found = ranks(rare_by_family(LOSS), LOSS).mean()
    return found["logistic, CV"], len(found), found["logistic"]


def unchanged_means() -> tuple[object, ...]:
    """Mean probabilities of other packages, over the prevalence."""
    packages = ("gbdtCBL", "imlightgbm", "bokbokbok")
    names = [f"{name}, focal 2" for name in packages] + ["CatBoost, own Focal 2"]
    return (span(map(rare_median, names), ".0f"),)


SENTENCES = [
    Sentence(PAGE, template, "rare.csv", values)
    for template, values in (
        ("With {} to {} positives, the CV classes", lambda: shares_of(rare())[::-2]),
        (
            "The benchmark has {} real tables and {} simulated ones. Positives are removed at "
            "random until {}, {} or {} of the training rows are positive, {} for each share. "
            "Training rows have at most {} negatives, and tables with fewer than 40 training "
            "positives are left out. So {} to {} positives remain.",
            rare_design,
        ),
        (
            "{} differences of ranks pass the test. The mean probability of the CV classes is {} "
            "the prevalence (median over families).",
            lambda: (all_of(*passed()).capitalize(), cv_medians()),
        ),
        (
            "**CatBoost's CV class is {0} in log loss than class weights and than a sample without "
            "`priors`.** In log loss it is {1} than the stopped fit, and {1} than the stopped fit "
            "with sigmoid calibration. A choice of gamma makes {2} that is seen. This class was "
            "run at {3} positives only, {4} for each table.",
            catboost_search,
        ),
        (
            "In log loss {} to the CV class is seen, and the fit takes {} of the time. The sample "
            "ranks rows less well: its mean average precision is {:.3f}, and {:.3f} for the CV "
            "class.",
            sample_with_priors,
        ),
        (
            "is {:.2f} on LightGBM and {:.2f} on scikit-learn's trees. Gamma 2 with early stopping "
            "lowers it to {:.2f} and {:.2f}. In the CV classes, which calibrate, a choice of gamma "
            "lowers it by {}, compared with gamma 0.",
            gamma_on_rare,
        ),
        (
            "For gamma 2 with early stopping, {} in log loss is seen on CatBoost. On XGBoost {} is "
            "seen with the focal link, and gamma 2 is {} with the posterior link. In average "
            "precision {} is seen. A choice of gamma in the CV classes makes {} that is seen.",
            gamma_elsewhere,
        ),
        (
            "make probabilities {} times too high.** Decisions by costs then often cost more than "
            "no model. If a miss costs as much as {} false alarms, they cost {} times as much as "
            "no model. If a miss costs as much as {} false alarms, they cost {} times as much. If "
            "a miss costs as much as {} false alarms, they cost {} times as much.",
            too_high,
        ),
        ("decisions from a sample cost {} than no model in {} cases.", with_priors),
        (
            "Its mean log loss is worse on {} boosters. On LightGBM, XGBoost and CatBoost it is "
            "also {} than no calibration. On scikit-learn's trees it is {} than no calibration: "
            "{:.2f} against {:.2f} times the prevalence's log loss.",
            isotonic,
        ),
        (
            "has the mean rank {:.0f} among {} methods, and scikit-learn's `LogisticRegression` "
            "has the mean rank {:.0f}.",
            linear_ranks,
        ),
        ("give mean probabilities that are {} times the prevalence.**", unchanged_means),
        (
            "Recovered probabilities have a {} log loss with gbdtCBL, imlightgbm and CatBoost. "
            "With bokbokbok their log loss is {}. - **CatBoost's own `Focal`, recovered, is {} "
            "than CatBoost trained on log loss**, in log loss.",
            other_packages,
        ),
        (
            "**gbdtCBL and imlightgbm were compared with LightGBM with gamma 2 and early "
            "stopping.** In average precision, {} is seen. In recall at 0.5 % alerts, LightGBM is "
            "{} with the focal link, and {} is seen with the posterior link.",
            rankings_of_packages,
        ),
        (
            "Early stopping depends on a fifth of the positives, which can be as few as {}. The "
            "log loss of their recovered probabilities is {} than that of LightGBM.",
            package_losses,
        ),
    )
]
