"""How many rounds does the fit on all rows need, beside those of a fold?

Slope and offset of the log-odds are found on the held-out rows of folds, which train on fewer
rows. A model of all rows with as many rounds is less sure of itself than theirs, and one with more
is surer. Rare positives with known probabilities, as in ``rare``: for five and for ten folds the
rounds of a fold are multiplied by powers of 1 / (share of the rows that a fold trains on), from 0
to 1.25.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from benchmarks.data import rare_positives, rare_positives_proba
from benchmarks.one_fit_shared import CLASSIFIERS, chosen, plain, progress

POWERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
SETTINGS = ((0.0, "balanced"), (2.0, None), (2.0, "balanced"), (5.0, 0.75))


def one_setting(
    library: str, gamma: float, alpha: Any, n_folds: int, seed: int, n_rows: int
) -> list[dict[str, Any]]:
    """Mean probability over the true one, and log loss of held-out rows, at each power."""
    X, y = rare_positives(seed, n_rows)
    X, X_test, y, y_test, true, true_test = train_test_split(
        X, y, rare_positives_proba(X), test_size=0.5, stratify=y, random_state=seed
    )
    grid = {"focal_gammas": (gamma,), "focal_alphas": (alpha,)}
    model = chosen(library, cv=n_folds, ensemble=False, **grid).fit(X, y)
    of_a_fold = int(model.n_rounds_[0, 0])
    rounds = [max(1, round(of_a_fold * (n_folds / (n_folds - 1)) ** power)) for power in POWERS]
    long = plain(library, focal_gamma=gamma, focal_alpha=alpha, n_estimators=max(rounds))
    long.fit(X, y)
    about = {"library": library, "gamma": gamma, "alpha": str(alpha), "folds": n_folds}
    rows = []
    for power, n_rounds in zip(POWERS, rounds, strict=True):
        first = {"num_iteration": n_rounds} if hasattr(long, "booster_") else {}
        first = first or {"iteration_range": (0, n_rounds)}
        log_odds = long.decision_function(X_test, **first).astype(np.float64)
        proba = expit(model.calibration_.apply(log_odds))
        ratio = proba.mean() / true_test.mean() / (y.mean() / true.mean())
        measured = {"mean_over_true": ratio, "log_loss": log_loss(y_test, proba)}
        rows.append({**about, "seed": seed, "power": power, "rounds": n_rounds, **measured})
    return rows


def run(quick: bool) -> pd.DataFrame:
    """All settings, for five and ten folds."""
    seeds, n_rows = (1, 50_000) if quick else (3, 200_000)
    jobs = [
        (library, gamma, alpha, n_folds, seed, n_rows)
        for seed in range(seeds)
        for n_folds in (5, 10)
        for gamma, alpha in (SETTINGS[1:3] if quick else SETTINGS)
        for library in CLASSIFIERS
    ]
    return progress("rounds", one_setting, jobs, quick)


def text_of(table: pd.DataFrame) -> str:
    """Means over seeds of each setting, a column a power."""
    keys = ["library", "folds", "gamma", "alpha"]
    parts = []
    for measure, digits in (("mean_over_true", 3), ("log_loss", 5)):
        means = table.pivot_table(
            index=keys, columns="power", values=measure, aggfunc="mean", sort=False
        )
        parts.append(f"`{measure}` at each power, means of {table.seed.nunique()} seeds:")
        parts.append(means.round(digits).reset_index().to_markdown(index=False))
    return "\n\n".join(parts)
