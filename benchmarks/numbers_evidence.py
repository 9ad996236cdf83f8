"""The numbers of docs/evidence.md: rare positives, recipes, order of time, four boosters.

`benchmarks.numbers_one_fit` has the other sections. `benchmarks.numbers` compares both with the
page.
"""

from functools import cache

from benchmarks.as_run import WITH_FOLDS
from benchmarks.booster_fits import BOOSTERS
from benchmarks.boosters import FOLDS, LINKS
from benchmarks.numbers_shared import (
    NO_DIFFERENCE,
    Sentence,
    all_of,
    gain,
    largest,
    percent,
    rare,
    rare_by_family,
    rare_mean,
    rare_median,
    results,
    rounded_span,
    run,
    section,
    seen,
    shares_of,
    span,
    times,
    word,
)
from benchmarks.quality_statistics import paired, rank_differences, ranks
from benchmarks.rare import COSTS, MADE, NEGATIVES
from benchmarks.rare_report import LOSS, named, read
from benchmarks.summary import AGAINST, RARE_BOOSTERS

PAGE = "docs/evidence.md"
GAMMA_2 = "Gamma 2 against log loss of the same booster"
CATBOOST = "CatBoost's search"
RANKS = "The search against the others, ranks by log loss."
FOCAL = "Focal loss against log loss of the same booster"
NOISE = "One training label in twenty flipped: gamma 2 against log loss"
WAYS = "The search against other ways to probabilities"
STEPS = "CatBoost on equal terms"
# Methods whose probabilities are those of other class shares.
ALERTING = [named(b, m) for b in BOOSTERS for m in ("weighted", "sampled")]
ALERTING += ["BalancedRandomForest", "EasyEnsemble"]
MEASURES = ("average_precision", "log_loss", "brier")


def rare_design() -> tuple[object, ...]:
    """Tables, shares and positives of the benchmark of rare positives."""
    table = read()
    ends = table.positives.min(), table.positives.max()
    n_made = len(MADE)
    return (
        table.table.nunique() - n_made,
        word(n_made),
        *shares_of(table),
        f"{NEGATIVES:,}",
        *ends,
    )


@cache
def passed() -> tuple[int, int]:
    """How many differences of ranks of the CV classes to four methods pass the test."""
    pairs = [(named(b, "CV"), named(b, other)) for b in RARE_BOOSTERS for other in AGAINST.values()]
    found = rank_differences(rare(), pairs, [LOSS])[LOSS]
    return int(found.str.endswith("), better").sum()), len(pairs)


def cv_medians() -> str:
    """Whether the medians of the mean probability are those of the prevalence."""
    medians = [rare_median(named(b, "CV")) for b in RARE_BOOSTERS]
    return "equal to" if span(medians, ".2f") == "1.00" else f"{span(medians, '.2f')} times"


def catboost_search() -> tuple[object, ...]:
    """What CatBoost's CV class is compared with."""
    groups = (("weighted", "sampled"), ("", "sigmoid"), ("CV, gamma 0",))
    table = read()
    return (
        *(
            seen("rare", CATBOOST, [("CatBoost, CV", named("CatBoost", m)) for m in group], LOSS)
            for group in groups
        ),
        *shares_of(table[table.method == "CatBoost, CV"]),
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
    pairs = [(named(b, f"{k} 2"), b) for b in ("XGBoost", "CatBoost") for k in LINKS]
    found = {seen("rare", GAMMA_2, pairs, m) for m in (LOSS, "average_precision")}
    found.add(seen("rare", RANKS, [("XGBoost, CV", "XGBoost, CV, gamma 0")], LOSS))
    found.add(seen("rare", CATBOOST, [("CatBoost, CV", "CatBoost, CV, gamma 0")], LOSS))
    return (" or ".join(sorted(found)),)


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


RARE = [
    Sentence(PAGE, template, "rare.csv", values)
    for template, values in (
        ("With {} to {} positives, the CV classes", lambda: shares_of(rare())[::-2]),
        (
            "The benchmark has {} real tables and {} simulated ones. Positives are removed at "
            "random until {}, {} or {} of the training rows are positive. Training rows have at "
            "most {} negatives, so {} to {} positives remain.",
            rare_design,
        ),
        (
            "{} differences of ranks pass the test. The mean probability of the CV classes is {} "
            "the prevalence (median over families).",
            lambda: (all_of(*passed()).capitalize(), cv_medians()),
        ),
        (
            "**CatBoost's CV class is {} in log loss than class weights and than a sample without "
            "`priors`.** It is {} than the stopped fit, with or without sigmoid calibration. A "
            "choice of gamma makes {} that is seen. This class was run at {} positives only.",
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
        ("**On XGBoost and CatBoost, gamma makes {} that is seen.**", gamma_elsewhere),
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
            "Early stopping depends on a fifth of the positives, which can be as few as {}.",
            lambda: (word(rare().positives.min() // 5),),
        ),
    )
]


def prevalences() -> tuple[str, str]:
    """The smallest and the largest share of positives of the 44 tables."""
    shares = results("boosters").positives / results("boosters").rows
    return percent(shares.min(), 1), percent(shares.max())


def fold_counts() -> tuple[object, ...]:
    """On how many folds gammas and all other recipes were run."""
    counts = run().groupby("part").fold.nunique()
    gammas = counts[["boosters", "gammas"]]
    others = sorted(set(counts.drop(["boosters", "gammas"])))
    if others == [FOLDS]:
        said = f"the same {word(FOLDS)} folds"
    else:
        said = f"{' to '.join(map(word, others))} of the {word(FOLDS)} folds"
    return " to ".join(map(word, sorted(set(gammas)))), said


def focal_against_log_loss() -> tuple[object, ...]:
    """How many comparisons of average precision pass the test, and the largest difference."""
    table = section("as_run", FOCAL)
    table = table[table.measure == "average_precision"]
    sure = table.seen.isin(["better", "worse"]).sum()
    pairs = table[["method", "against"]].itertuples(index=False, name=None)
    most = largest(gain("as_run", *pair, "average_precision") for pair in pairs)
    verb = "passes the test" if sure < 2 else "pass the test"
    return len(table), word(sure), verb, most


def searched_gain() -> tuple[object, ...]:
    """What the CV classes gain in average precision."""
    return (span((gain("as_run", f"{b}, CV", b, MEASURES[0]) for b in WITH_FOLDS), ".3f"),)


def recipe_times() -> tuple[object, ...]:
    """Times of recipes, divided by the time of a stopped fit."""
    found = [
        [times()[f"{b}, {m}"] for b in WITH_FOLDS]
        for m in ("CV", "CV, gamma 0", "CalibratedClassifierCV")
    ]
    return span(found[0], ".0f"), span(found[1], ".0f"), span(found[2])


def noisy() -> tuple[object, ...]:
    """Gamma 2 with wrong labels."""
    pairs = [(f"{b}, {k} 2, noise", f"{b}, noise") for b in BOOSTERS for k in LINKS]
    return (seen("as_run", NOISE, pairs, "average_precision"),)


def equal_steps() -> tuple[object, ...]:
    """CatBoost's own loss, unchanged, with its best leaf steps."""
    recovered = [f"CatBoost, {m}, steps" for m in ("focal 2", "posterior 2")]
    recovered.append("CatBoost, own Focal 2, recovered, steps")
    pairs = [(m, "CatBoost, steps") for m in recovered]
    found = " or ".join(sorted({seen("as_run", STEPS, pairs, m) for m in MEASURES}))
    own = gain("as_run", "CatBoost, own Focal 2, steps", "CatBoost, steps", "log_loss")
    return found.replace(NO_DIFFERENCE, "No difference", 1), own


AS_RUN = [
    Sentence(PAGE, template, "boosters.csv, as_run.csv", values)
    for template, values in (
        ("With {} to {} positives, models trained on focal loss", prevalences),
        ("The benchmark uses the {} tables", lambda: (run().table.nunique(),)),
        ("Gammas are compared on {} folds. All other comparisons use {}.", fold_counts),
        (
            "Of {} comparisons {} {}. The largest difference of mean average precision is {:.3f}.",
            focal_against_log_loss,
        ),
        ("Average precision is {} higher. The choice of gamma", searched_gain),
        (
            "**Class weights make log loss worse** by {}.",
            lambda: (
                span((gain("as_run", f"{b}, weighted", b, "log_loss") for b in BOOSTERS), ".2f"),
            ),
        ),
        (
            "takes {} times as long as one stopped fit.** With gamma 0 alone it takes {} times as "
            "long. `CalibratedClassifierCV` takes {} times as long.",
            recipe_times,
        ),
        (
            "{} in average precision, log loss or Brier score is seen, if the probabilities of "
            "`Focal` are recovered. Its unchanged probabilities have a log loss that is {:.2f} "
            "worse.",
            equal_steps,
        ),
        ("In average precision {} is seen between gamma 2", noisy),
    )
]


SENTENCES = [*RARE, *AS_RUN]
