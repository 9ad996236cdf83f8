"""How often is a gamma above 0 taken, or called better, where none is? And where one is?

The null, as it was written down before it was run: five settings have the same parameters
(LightGBM, gamma 0, 30 rounds, 80 % of the rows and columns of each tree drawn at random) and
differ only in the seed of what is drawn. They stand in for gamma 0, .5, 1, 2 and 5. Whatever
the table, the expected score of all five is the same, and so is the distribution of each: a
gamma "above 0" is never better, and each difference of scores is chance. 200 tables of
`make_classification`: 500 to 5,000 rows, 5 to 40 columns, 3 % to 50 % positives, each drawn
anew; log loss on five stratified folds, the same for all settings. What then should be seen:

- the rule "best" takes the first in a fifth of the tables; "one_se" in more, as it is to
  prefer the smallest gamma where differences are small;
- a single p-value is below .05 in at most 5 % of comparisons, and one that is corrected after
  Holm in at most 5 % of tables. At most: the correction of Nadeau and Bengio allows for
  differences of the training rows that all folds share, which settings differ in only by
  chance here.

Where a gamma is better:

- ``drawn``: scores on folds are normal, and gamma 2 is better by 0, 2, 4 or 6 standard errors.
  The folds' differences have the correlation that the correction assumes, so 0 is a second
  null, in which p-values should be below .05 in just 5 % of comparisons.
- ``rare``: 50 tables of 20,000 rows with 0.3 % positives, on which gamma 0 has the worse log
  loss (LightGBM, 30 rounds; on five tables tried before, gamma 2 was better on each): real
  gammas, scored by cross-validation, and by 20,000 rows that were held out.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split

from benchmarks.data import rare_positives
from benchmarks.one_fit_shared import plain, progress
from benchmarks.quality_statistics import interval
from skfocal._estimator._selection import RULES, Resampling, Setting, choose, compare

GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
SETTINGS = [Setting(gamma, None) for gamma in GAMMAS]
FOLDS = 5
RESAMPLING = Resampling(FOLDS, 1 / (FOLDS - 1))
EFFECTS = (0, 2, 4, 6)
SAMPLED = {"n_estimators": 30, "subsample": 0.8, "subsample_freq": 1, "colsample_bytree": 0.8}
RARE_ROWS, HELD_OUT, RARE_SHARE = 20_000, 20_000, 0.003


def table_of(seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """A table of random size and prevalence."""
    rng = np.random.default_rng(seed)
    n_rows = round(np.exp(rng.uniform(np.log(500), np.log(5000))))
    n_features, share = int(rng.integers(5, 41)), np.exp(rng.uniform(np.log(0.03), np.log(0.5)))
    X, y = make_classification(
        n_rows,
        n_features,
        n_informative=max(3, n_features // 3),
        n_redundant=n_features // 5,
        weights=[1 - share],
        flip_y=0.02,
        class_sep=0.7,
        random_state=seed,
    )
    return X, y, {"table": seed, "rows": n_rows, "features": n_features, "share": y.mean()}


def scores_of(models: list[Any], X: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Negative log loss, a row for each model and a column for each fold."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    folds = list(splitter.split(X, y))
    return np.array(
        [
            [
                -log_loss(y[test], model.fit(X[train], y[train]).predict_proba(X[test]))
                for train, test in folds
            ]
            for model in models
        ]
    )


def judged(scores: np.ndarray) -> dict[str, Any]:
    """What both rules take, and the p-values of the four comparisons."""
    taken = {rule: GAMMAS[choose(scores, SETTINGS, RESAMPLING, rule)] for rule in RULES}
    found = compare(scores, SETTINGS, RESAMPLING)
    for column, name in (("p_value", "p"), ("p_value_holm", "holm"), ("difference", "difference")):
        values = zip(GAMMAS[1:], found[column][1:], strict=True)
        taken |= {f"{name}_{gamma:g}": value for gamma, value in values}
    return taken


def one_null(kind: str, seed: int) -> list[dict[str, Any]]:
    """One table of the null."""
    X, y, about = table_of(seed)
    seeds = np.random.default_rng(seed).choice(10_000, len(GAMMAS), replace=False)
    models = [plain("LightGBM", focal_gamma=0.0, random_state=int(own), **SAMPLED) for own in seeds]
    return [{"kind": kind, **about, **judged(scores_of(models, X, y, seed))}]


def one_rare(kind: str, seed: int) -> list[dict[str, Any]]:
    """One table of rare positives; the gain of gamma 2 and of what is taken, held out."""
    X, y = rare_positives(seed, RARE_ROWS + HELD_OUT, RARE_SHARE)
    X, X_test, y, y_test = train_test_split(X, y, test_size=HELD_OUT, stratify=y, random_state=seed)
    about = {"table": seed, "rows": len(y), "features": X.shape[1], "share": y.mean()}
    models = [plain("LightGBM", focal_gamma=gamma, n_estimators=30) for gamma in GAMMAS]
    row = judged(scores_of(models, X, y, seed))
    losses = {}
    for gamma, model in zip(GAMMAS, models, strict=True):
        losses[gamma] = log_loss(y_test, model.fit(X, y).predict_proba(X_test))
    row |= {f"true_gain_{gamma:g}": losses[0.0] - losses[gamma] for gamma in GAMMAS[1:]}
    row |= {f"true_gain_{rule}": losses[0.0] - losses[row[rule]] for rule in RULES}
    return [{"kind": kind, **about, **row}]


def drawn(effect: float, seed: int) -> dict[str, Any]:
    """Normal scores: gamma 2 is better by ``effect`` corrected standard errors."""
    rng = np.random.default_rng([seed, round(10 * effect)])
    shared = rng.normal(size=(len(GAMMAS), 1)) * np.sqrt(RESAMPLING.test_to_train)
    scores = shared + rng.normal(size=(len(GAMMAS), FOLDS))
    # a difference of two settings has twice the variance of one of them
    error = np.sqrt(2 * (1 / FOLDS + RESAMPLING.test_to_train))
    scores[GAMMAS.index(2.0)] += effect * error
    return {"kind": f"drawn, {effect} errors", "table": seed, **judged(scores)}


def run(quick: bool) -> pd.DataFrame:
    """The null, and both cases in which a gamma is better, or may be."""
    null = [("null", seed) for seed in range(10 if quick else 200)]
    rare = [("rare", seed) for seed in range(100, 103 if quick else 150)]
    tables = [
        progress("null", one_null, null, quick),
        progress("null_rare", one_rare, rare, quick),
        pd.DataFrame([drawn(effect, seed) for effect in EFFECTS for seed in range(1000)]),
    ]
    return pd.concat(tables, ignore_index=True)


def percent(count: int, of: int) -> str:
    """A share with its binomial interval of 95 %."""
    low, high = binomtest(count, of).proportion_ci()
    return f"{count / of:.1%} ({low:.1%} to {high:.1%})"


def rates(part: pd.DataFrame) -> dict[str, str]:
    """How often each rule takes gamma 0, and how often p-values are below .05."""
    n_tables = len(part)
    below = part.filter(regex="^p_").to_numpy() < 0.05
    low, high = interval(below.mean(axis=1))  # draws tables: their four p-values go together
    holm = (part.filter(regex="^holm_").to_numpy() < 0.05).any(axis=1)
    found = {"tables": f"{n_tables}"}
    for rule in RULES:
        taken = part[rule]
        found[f'"{rule}" takes 0'] = percent(int((taken == 0).sum()), n_tables)
        found[f'"{rule}" takes 2'] = percent(int((taken == 2).sum()), n_tables)
    found["p < .05, of all comparisons"] = f"{below.mean():.1%} ({low:.1%} to {high:.1%})"
    found["p < .05, gamma 2"] = percent(int((part["p_2"] < 0.05).sum()), n_tables)
    found["a Holm p < .05"] = percent(int(holm.sum()), n_tables)
    return found


def text_of(table: pd.DataFrame) -> str:
    """Rates of all kinds, and the gains where positives are rare."""
    groups = table.groupby("kind", sort=False)
    found = pd.DataFrame({kind: rates(part) for kind, part in groups}).T
    own = table[table.kind == "rare"]
    taken = (own.one_se > 0).sum()
    gains = own.filter(regex="^true_gain_").agg(["mean", lambda gain: (gain > 0).mean()])
    gains.columns = [
        f'what "{name}" takes' if name in RULES else f"gamma {name}"
        for name in gains.columns.str.removeprefix("true_gain_")
    ]
    gains.index = ["mean gain", "share of tables with a gain"]
    return "\n\n".join(
        [
            "Shares of tables with binomial intervals of 95 %; of comparisons, with intervals by "
            "drawing tables again.",
            found.rename_axis("kind").reset_index().to_markdown(index=False),
            f'On {taken} of the {len(own)} tables of rare positives "one_se" takes a gamma above '
            "0. The gain in held-out log loss over gamma 0:",
            gains.to_markdown(floatfmt=".4f"),
        ]
    )
