"""Do probabilities hold? Calibrated on held-out rows, after sampling, for another prevalence.

Three questions, with default parameters of the trees:

- ``held_out``: rare positives (0.2 % of 100,000 rows, known log-odds) and real tables whose
  positives are thinned to 0.5 %. A fifth of the training rows is held out. The mean probability
  over the prevalence and the log loss of test rows, of the model as fitted, after `calibrate` on
  the held-out rows, and of scikit-learn's `CalibratedClassifierCV` (sigmoid) on the same rows.
- ``sampled``: one negative in ten is kept, and ``priors`` are the shares before. Against the
  model of all rows, and against the sampled one without ``priors``.
- ``moved``: the prevalence of the test rows triples. `adjust_priors` against the shift of
  log-odds by hand.

    python -m benchmarks.probabilities [--quick]

writes benchmarks/results/probabilities_*.csv and probabilities.md.
"""

import argparse
import warnings
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split

from benchmarks.data import rare_positives
from benchmarks.report import RESULTS, write_results
from benchmarks.tables import BINARY
from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier

CLASSIFIERS = {
    "LightGBM": (FocalLGBMClassifier, {"verbose": -1, "n_jobs": 1}),
    "XGBoost": (FocalXGBClassifier, {"n_jobs": 1, "enable_categorical": True}),
    "logistic": (FocalLogisticRegression, {"max_iter": 1000}),
}
BOOSTERS = ("LightGBM", "XGBoost")
GENERATED = "rare positives"
REAL = ("credit, late", "credit, PAKDD", "bank marketing", "card default", "police searches")
SETTINGS = [
    (gamma, alpha, link)
    for gamma in (0.0, 2.0)
    for alpha in (None, "balanced")
    for link in ("focal", "posterior")
    if gamma or alpha or link == "focal"
]
KEPT = 0.1
MOVED = 3.0


def rows(table: str, seed: int, n_rows: int) -> tuple[Any, np.ndarray]:
    """Columns and labels. Of a real table so many positives are drawn that they are 0.5 %."""
    if table == GENERATED:
        return rare_positives(seed, n_rows)
    X, y = BINARY[table].load()
    y = y.to_numpy()
    negatives, positives = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    some = np.random.default_rng(seed).permutation(positives)[: round(len(negatives) * 0.005)]
    chosen = np.sort(np.r_[negatives, some])
    return X.iloc[chosen].reset_index(drop=True), y[chosen]


def split(X: Any, y: np.ndarray, share: float, seed: int) -> list[Any]:
    """Rows, and a share of them, with the same prevalence in both."""
    return train_test_split(X, y, test_size=share, stratify=y, random_state=seed)


def measures(y: np.ndarray, proba: np.ndarray, name: str) -> dict[str, float]:
    """Mean probability over the prevalence, and log loss."""
    return {f"mean_{name}": proba.mean() / y.mean(), f"log_loss_{name}": log_loss(y, proba)}


def held_out(
    table: str, library: str, gamma: float, alpha: Any, link: str, seed: int, n_rows: int
) -> dict[str, Any]:
    """One model, before and after two calibrations on the same rows."""
    X, y = rows(table, seed, n_rows)
    X, X_test, y, y_test = split(X, y, 0.5 if table == GENERATED else 0.25, seed)
    X, X_held, y, y_held = split(X, y, 0.2, seed)
    kind, params = CLASSIFIERS[library]
    model = kind(focal_gamma=gamma, focal_alpha=alpha, link=link, **params).fit(X, y)
    sigmoid = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid", ensemble=False)
    other = sigmoid.fit(X_held, y_held).predict_proba(X_test)[:, 1]
    before = model.predict_proba(X_test)[:, 1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The rows for calibration hold")
        model.calibrate(X_held, y_held)
    after = model.predict_proba(X_test)[:, 1]
    base = np.full(len(y_test), y_held.mean())
    return {
        "table": table,
        "library": library,
        "gamma": gamma,
        "alpha": str(alpha),
        "link": link,
        "seed": seed,
        "positives_held_out": int(y_held.sum()),
        "slope": model.calibration_.slope,
        "average_precision": average_precision_score(y_test, before),
        "log_loss_prevalence": log_loss(y_test, base),
        **measures(y_test, before, "before"),
        **measures(y_test, after, "calibrate"),
        **measures(y_test, other, "sigmoid"),
    }


def sampled(library: str, gamma: float, link: str, seed: int, n_rows: int) -> list[dict[str, Any]]:
    """The model of all rows, and those of a tenth of the negatives; then a moved prevalence."""
    X, X_test, y, y_test = split(*rows(GENERATED, seed, n_rows), 0.5, seed)
    rng = np.random.default_rng(seed)
    kept = (y == 1) | (rng.random(len(y)) < KEPT)
    kind, params = CLASSIFIERS[library]
    population = {0: 1.0 - y.mean(), 1: y.mean()}

    def fit(rows_of: Any, **priors: Any) -> Any:
        model = kind(focal_gamma=gamma, link=link, **priors, **params)
        return model.fit(X[rows_of], y[rows_of])

    whole, with_priors = fit(slice(None)), fit(kept, priors=population)
    without = fit(kept)
    about = {"library": library, "gamma": gamma, "link": link, "seed": seed}
    of_rows = about | {"log_loss_prevalence": log_loss(y_test, np.full(len(y_test), y.mean()))}
    for name, model in [("all", whole), ("priors", with_priors), ("no_priors", without)]:
        of_rows |= measures(y_test, model.predict_proba(X_test)[:, 1], name)
    return [of_rows, about | moved(whole, X_test, y_test, rng)]


def moved(model: Any, X: Any, y: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Test rows whose prevalence has tripled: a third of their negatives."""
    some = (y == 1) | (rng.random(len(y)) < 1 / MOVED)
    X, y = X[some], y[some]
    before = model.predict_proba(X)[:, 1]
    share, new = model.class_prior_[1], y.mean()
    shift = np.log(new / (1 - new)) - np.log(share / (1 - share))
    with np.errstate(divide="ignore"):  # of probabilities of exactly 1, in single precision
        by_hand = 1 / (1 + np.exp(np.log1p(-before) - np.log(before) - shift))
    after = model.adjust_priors([1 - new, new]).predict_proba(X)[:, 1]
    return {
        **measures(y, before, "before"),
        **measures(y, after, "adjust_priors"),
        "largest_difference_to_by_hand": float(np.abs(after - by_hand).max()),
    }


def run(seeds: int, n_rows: int, tables: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """All models of the three questions."""
    jobs = [
        (table, library, *setting, seed, n_rows)
        for table in tables
        for seed in range(seeds)
        for library in BOOSTERS
        for setting in SETTINGS
    ]
    of_sampling = [
        (library, gamma, link, seed, n_rows)
        for seed in range(seeds)
        for library in CLASSIFIERS
        for gamma, link in ((0.0, "focal"), (2.0, "focal"), (2.0, "posterior"))
    ]
    parallel = Parallel(n_jobs=2, verbose=5)
    pairs = parallel(delayed(sampled)(*job) for job in of_sampling)
    found = {
        "sampled": pd.DataFrame([pair[0] for pair in pairs]),
        "moved": pd.DataFrame([pair[1] for pair in pairs]),
    }
    found["held_out"] = pd.DataFrame(parallel(delayed(held_out)(*job) for job in jobs))
    return found


def means(table: pd.DataFrame, keys: list[str]) -> str:
    """Means over seeds as text."""
    numbers = table.drop(columns="seed").groupby(keys, sort=False).mean(numeric_only=True)
    return numbers.round(5).reset_index().to_markdown(index=False)


def text_of(found: dict[str, pd.DataFrame]) -> str:
    """The three tables of means, and how `calibrate` compares with the sigmoid."""
    own = found["held_out"]
    ratio = own.log_loss_calibrate / own.log_loss_sigmoid - 1
    enough = own.positives_held_out >= 40
    lines = ["# Held-out rows", "", means(own, ["table", "library", "gamma", "alpha", "link"]), ""]
    for name, chosen in [("at least 40", enough), ("fewer than 40", ~enough)]:
        if chosen.any():
            part = ratio[chosen]
            lines.append(
                f"Log loss against the sigmoid where {name} positives are held out: "
                f"{100 * part.mean():+.2f} % in the mean of {len(part)} models, "
                f"{100 * part.min():+.2f} to {100 * part.max():+.2f} %.\n"
            )
    keys = ["library", "gamma", "link"]
    lines += ["# One negative in ten", "", means(found["sampled"], keys), ""]
    lines += ["# A prevalence that triples", "", means(found["moved"], keys)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, a quarter of the rows")
    quick = parser.parse_args().quick
    warnings.simplefilter("error")
    tables = (GENERATED,) if quick else (GENERATED, *REAL)
    found = run(1 if quick else 3, 50_000 if quick else 200_000, tables)
    suffix = "-quick" if quick else ""
    for name, table in found.items():
        write_results(table, f"probabilities_{name}{suffix}")
    text = text_of(found)
    if not quick:
        (RESULTS / "probabilities.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
