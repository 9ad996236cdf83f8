"""The numbers of docs/evidence.md: recipes as people run them, on 44 tables.

`benchmarks.numbers` compares them with the page.
"""

from benchmarks.as_run import SLOW, WITH_FOLDS
from benchmarks.booster_fits import BOOSTERS, RATE
from benchmarks.boosters import LINKS
from benchmarks.numbers.shared import (
    NO_DIFFERENCE,
    Sentence,
    gain,
    largest,
    listed,
    percent,
    results,
    run,
    section,
    seen,
    span,
    times,
    word,
)

PAGE = "docs/evidence.md"
FOCAL = "Focal loss against log loss of the same booster"
NOISE = "One training label in twenty flipped: gamma 2 against log loss"
CATBOOST = "CatBoost's CV class"
CHANGED = "The CV class with one of its defaults changed"
WAYS = "The CV class against other ways to probabilities"
STEPS = "CatBoost on equal terms"
MEASURES = ("average_precision", "log_loss", "brier")
RECIPES = "What people do, against log loss, stopped"


def prevalences() -> tuple[str, str]:
    """The smallest and the largest share of positives of the 44 tables."""
    shares = results("boosters").positives / results("boosters").rows
    return percent(shares.min(), 1), percent(shares.max())


def fold_counts() -> tuple[object, ...]:
    """On how many folds gammas and recipes were run, and all other comparisons."""
    counts = run().groupby("part").fold.nunique()
    most = ["boosters", "gammas", "recipes"]
    return tuple(" to ".join(map(word, sorted(set(c)))) for c in (counts[most], counts.drop(most)))


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


def where(title: str, template: tuple[str, str], verdict: str, measure: str = "log_loss") -> str:
    """The boosters on which a pair of methods has a verdict."""
    pairs = {b: tuple(part.format(b) for part in template) for b in BOOSTERS}
    said = {b: seen("as_run", title, [pair], measure) for b, pair in pairs.items()}
    return listed(b for b in BOOSTERS if said[b] == verdict)


def gamma_5() -> tuple[object, ...]:
    """The boosters on which gamma 5 makes log loss worse."""
    return tuple(where(FOCAL, (f"{{}}, {link} 5", "{}"), "worse") for link in LINKS)


def gamma_2_with_noise() -> tuple[object, ...]:
    """The boosters on which gamma 2 has the better log loss with wrong labels."""
    return tuple(where(NOISE, (f"{{}}, {link} 2, noise", "{}, noise"), "better") for link in LINKS)


def better_in(title: str, other: str) -> str:
    """The measures in which the CV classes of all three boosters are better."""
    pairs = [(f"{b}, CV", other.format(b)) for b in WITH_FOLDS]
    names = {"log_loss": "log loss", "average_precision": "average precision"}
    names |= {"brier": "Brier score"}
    return listed(n for m, n in names.items() if seen("as_run", title, pairs, m) == "better")


def catboost_searched() -> tuple[object, ...]:
    """CatBoost's CV class beside the stopped fit."""
    pairs = [("CatBoost, CV", "CatBoost")]
    found = " or ".join(sorted({seen("as_run", CATBOOST, pairs, m) for m in MEASURES}))
    return (found.replace(NO_DIFFERENCE, "No difference", 1),)


def against_calibrated() -> tuple[object, ...]:
    """The CV classes against scikit-learn's calibration."""
    pairs = [(f"{b}, CV", f"{b}, CalibratedClassifierCV") for b in WITH_FOLDS]
    precision = set(seen("as_run", WAYS, pairs, "average_precision").split(" or "))
    passes = "they are" if precision == {"better", "perhaps better"} else " or ".join(precision)
    return better_in(WAYS, "{}, CalibratedClassifierCV"), passes


def weights_and_precision() -> tuple[object, ...]:
    """Whether class weights improve average precision."""
    pairs = [(f"{b}, weighted", b) for b in BOOSTERS]
    improved = "better" in seen("as_run", RECIPES, pairs, "average_precision").split(" or ")
    losses = [gain("as_run", *pair, "log_loss") for pair in pairs]
    return span(losses, ".2f"), "improve" if improved else "do not improve"


def at_two_rates() -> tuple[object, ...]:
    """How many comparisons of average precision pass the test at two averaged learning rates."""
    title = f"The same with the learning rates {RATE:g} and {SLOW:g} averaged, one fold"
    table = section("as_run", title)
    table = table[table.measure == "average_precision"]
    sure = table.seen.isin(["better", "worse"]).sum()
    return RATE, SLOW, word(sure).capitalize(), len(table)


def changed(variant: str, measure: str, boosters: tuple[str, ...] = WITH_FOLDS) -> list[float]:
    """What a measure loses where one default of the CV classes is changed."""
    return [gain("as_run", f"{b}, CV, {variant}", f"{b}, CV", measure) for b in boosters]


def defaults() -> tuple[object, ...]:
    """The CV classes with one default changed; the verdict is on ranking after a fit again."""
    ranked = ("LightGBM", "scikit-learn")
    pairs = [(f"{b}, CV, refit", f"{b}, CV") for b in ranked]
    agrees = seen("as_run", CHANGED, pairs, "average_precision") == "worse"
    focal = changed("refit, focal link", "log_loss")
    rules = [(f"{b}, CV, rule best", f"{b}, CV") for b in WITH_FOLDS]
    rule = " or ".join(sorted({seen("as_run", CHANGED, rules, m) for m in MEASURES}))
    return (
        span(changed("refit", "log_loss"), ".4f"),
        span((-v for v in changed("refit", "average_precision", ranked)), ".4f"),
        "agrees" if agrees else "does not agree",
        "no better" if min(focal) > 0 else "better",
        span(changed("no calibration", "log_loss"), ".4f"),
        rule.replace(NO_DIFFERENCE, "No difference", 1),
    )


SENTENCES = [
    Sentence(PAGE, template, "boosters.csv, as_run.csv", values)
    for template, values in (
        ("With {} to {} positives, models trained on focal loss", prevalences),
        ("The benchmark uses the {} tables", lambda: (run().table.nunique(),)),
        (
            "Gammas and recipes are compared on {} folds. The other comparisons use {} of them.",
            fold_counts,
        ),
        (
            "Of {} comparisons {} {}. The largest difference of mean average precision is {:.3f}.",
            focal_against_log_loss,
        ),
        ("Average precision is {} higher. The choice of gamma", searched_gain),
        (
            "with the learning rates {:g} and {:g}, and their measures were averaged. {} of {} "
            "comparisons of average precision passes the test.",
            at_two_rates,
        ),
        (
            "(`ensemble=False`) has a log loss that is {} higher. On LightGBM and scikit-learn's "
            "trees its average precision is {} lower, and the test {}. A fit on all rows with the "
            "focal link is {}. Without calibration, log loss is {} higher. {} is seen "
            'between `rule="best"` and `rule="one_se"`.',
            defaults,
        ),
        (
            "**Class weights make log loss worse** by {}. They {} average precision.",
            weights_and_precision,
        ),
        (
            "With the focal link it is worse on {}. With the posterior link it is worse on {}.",
            gamma_5,
        ),
        (
            "**The CV classes are better than the stopped fits** on LightGBM, XGBoost and "
            "scikit-learn's trees, in {}.",
            lambda: (better_in(RECIPES, "{}"),),
        ),
        (
            "{} is seen between it and the stopped fit in average precision, log loss or Brier "
            "score.",
            catboost_searched,
        ),
        (
            "**The CV classes are better than `CalibratedClassifierCV`** on these three boosters, "
            "in {}. In average precision {} better or perhaps better.",
            against_calibrated,
        ),
        (
            "With the focal link, gamma 2 has the better log loss on {}. With the posterior link, "
            "it has the better log loss on {}.",
            gamma_2_with_noise,
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
