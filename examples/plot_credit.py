"""
Card fraud: plain, weighted and focal models of three libraries
===============================================================

60,000 simulated card transactions, 5 % of them fraud: LightGBM, XGBoost and logistic regression.
Each is trained plain, with balanced class weights, and on the focal loss. What to see:

- Average precision and ROC AUC hardly differ between plain and focal. The plain models are slightly
  better in average precision. No model scores as well as the true probabilities, which the
  simulation knows.
- The sigmoid of a focal model's margin (raw score) is not a probability. What ``predict_proba``
  returns is one: its log loss is that of the plain model.
- Class weights ruin the probabilities of a plain model, and do not improve its average precision.
- A saved focal booster returns the same margins where skfocal is not installed.

The files are written to the folder ``demo-output``. In a clone, ``make demo`` runs this script.
"""

import subprocess
import sys
import time
from pathlib import Path

import joblib
import lightgbm as lgb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.base import clone
from sklearn.calibration import calibration_curve
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
)
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier
from skfocal.datasets import make_transactions
from skfocal.metrics import expected_calibration_error

OUTPUT = Path("demo-output")  # in the folder where the script is run
STARTED = time.perf_counter()


def say(step: str) -> None:
    """Print a progress line."""
    print(f"[{time.perf_counter() - STARTED:6.1f} s] {step}", flush=True)


# %%
# Nine models: three libraries, each plain, weighted and focal. The trees have the same
# ``learning_rate`` and ``n_estimators`` everywhere. Nothing is tuned.

TREES = {"n_estimators": 150, "learning_rate": 0.05, "random_state": 0}
LGB = {**TREES, "num_leaves": 15, "verbose": -1}
XGB = {**TREES, "max_depth": 4, "enable_categorical": True}


def linear(model):
    """A linear model on indicators of the categories, and on numbers brought to normal shape."""
    numbers = make_pipeline(
        SimpleImputer(strategy="median"),
        QuantileTransformer(
            n_quantiles=300, output_distribution="normal", subsample=20_000, random_state=0
        ),
    )
    columns = make_column_transformer(
        (OneHotEncoder(), make_column_selector(dtype_include="category")),
        (numbers, make_column_selector(dtype_include="number")),
    )
    return make_pipeline(columns, model)


def models(ratio: float) -> dict[tuple[str, str], object]:
    """Estimators by (library, variant); ``ratio`` is negatives over positives."""
    return {
        ("LightGBM", "plain"): lgb.LGBMClassifier(**LGB),
        ("LightGBM", "weighted"): lgb.LGBMClassifier(class_weight="balanced", **LGB),
        ("LightGBM", "focal"): FocalLGBMClassifier(focal_gamma=2.0, **LGB),
        ("XGBoost", "plain"): xgb.XGBClassifier(**XGB),
        ("XGBoost", "weighted"): xgb.XGBClassifier(scale_pos_weight=ratio, **XGB),
        ("XGBoost", "focal"): FocalXGBClassifier(focal_gamma=2.0, **XGB),
        ("logistic", "plain"): linear(LogisticRegression(max_iter=1000)),
        ("logistic", "weighted"): linear(
            LogisticRegression(class_weight="balanced", max_iter=1000)
        ),
        ("logistic", "focal"): linear(FocalLogisticRegression(focal_gamma=2.0)),
    }


# %%
# The table has one row per model. "Raw" is the sigmoid of the margin (raw score). "Posterior" is
# what ``predict_proba`` returns. The two differ for focal models only.


def final(model):
    """The classifier itself, out of its pipeline."""
    return model[-1] if hasattr(model, "steps") else model


def raw_probability(model, X: pd.DataFrame) -> np.ndarray:
    """The sigmoid of a focal model's margin."""
    final(model).set_params(probability="raw")
    raw = model.predict_proba(X)[:, 1]
    final(model).set_params(probability="posterior")
    return raw


def scores(y: np.ndarray, raw: np.ndarray, proba: np.ndarray, seconds: float) -> dict[str, float]:
    """One row of the table."""
    return {
        "average precision": average_precision_score(y, proba),
        "ROC AUC": roc_auc_score(y, proba),
        "log loss raw": log_loss(y, raw),
        "log loss posterior": log_loss(y, proba),
        "Brier": brier_score_loss(y, proba),
        "ECE": expected_calibration_error(y, proba),
        "fit s": seconds,
    }


def measure(model, seconds: float, X: pd.DataFrame, y: np.ndarray) -> dict[str, float]:
    """Scores on held-out rows."""
    proba = model.predict_proba(X)[:, 1]
    focal = hasattr(final(model), "focal_gamma")
    return scores(y, raw_probability(model, X) if focal else proba, proba, seconds)


# %%
# The figure has precision against recall at the top. At the bottom, each point is a tenth of the
# rows: the mean prediction and the share of fraud. Good probabilities lie on the grey line.

STYLES = {"plain": ":", "weighted": "--", "focal": "-", "focal raw": "-."}


def draw(fitted: dict, X: pd.DataFrame, y: np.ndarray) -> Path:
    """Save the figure; return its path."""
    libraries = list(dict.fromkeys(library for library, _ in fitted))
    figure, axes = plt.subplots(2, len(libraries), figsize=(12, 7.5), layout="constrained")
    for column, library in zip(axes.T, libraries, strict=True):
        top, bottom = column
        for variant in ("plain", "weighted", "focal"):
            model = fitted[library, variant]
            proba = model.predict_proba(X)[:, 1]
            precision, recall, _ = precision_recall_curve(y, proba)
            top.plot(recall, precision, STYLES[variant], label=variant)
            curves = {variant: proba}
            if variant == "focal":
                curves["focal raw"] = raw_probability(model, X)
            for label, values in curves.items():
                true, predicted = calibration_curve(y, values, n_bins=10, strategy="quantile")
                bottom.plot(predicted, true, STYLES[label], marker=".", label=label)
        bottom.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=0)
        top.set(title=library, xlabel="recall", ylabel="precision", ylim=(0, 1.02))
        bottom.set(xlabel="predicted probability", ylabel="observed frequency")
        bottom.set(xlim=(0, 1), ylim=(0, 1))
    axes[0, 0].legend()
    axes[1, 0].legend()
    figure.suptitle("Card fraud: precision and recall (top), calibration in deciles (bottom)")
    path = OUTPUT / "credit.png"
    figure.savefig(path, dpi=110)
    return path


# %%
# The saved boosters are standard models. A second process loads them. It cannot import skfocal, and
# it must find the same margins.

WITHOUT_SKFOCAL = """
import sys
sys.modules["skfocal"] = None  # importing it is now an error
import lightgbm, numpy, pandas, xgboost
folder = sys.argv[1]
X = pandas.read_pickle(f"{folder}/held_out.pkl")
expected = numpy.load(f"{folder}/margins.npz")
booster = lightgbm.Booster(model_file=f"{folder}/lightgbm.txt")
own = {"LightGBM": booster.predict(X, raw_score=True)}
booster = xgboost.Booster(model_file=f"{folder}/xgboost.json")
own["XGBoost"] = booster.predict(xgboost.DMatrix(X, enable_categorical=True), output_margin=True)
for name, bound in (("LightGBM", 1e-12), ("XGBoost", 1e-6)):
    difference = abs(own[name] - expected[name]).max()
    assert difference <= bound, (name, difference)
    print(f"  {name}: largest difference of {len(X)} margins: {difference:.1e}")
"""


def save_and_reload(fitted: dict, X: pd.DataFrame) -> None:
    """Save every focal model, load the boosters elsewhere, compare."""
    fitted["LightGBM", "focal"].booster_.save_model(OUTPUT / "lightgbm.txt")
    fitted["XGBoost", "focal"].get_booster().save_model(OUTPUT / "xgboost.json")
    joblib.dump(fitted["logistic", "focal"], OUTPUT / "logistic.joblib")
    again = joblib.load(OUTPUT / "logistic.joblib")
    assert (again.predict_proba(X) == fitted["logistic", "focal"].predict_proba(X)).all()
    X.to_pickle(OUTPUT / "held_out.pkl")
    margins = {
        "LightGBM": fitted["LightGBM", "focal"].predict(X, raw_score=True),
        "XGBoost": fitted["XGBoost", "focal"].predict(X, output_margin=True),
    }
    np.savez(OUTPUT / "margins.npz", **margins)
    command = [sys.executable, "-c", WITHOUT_SKFOCAL, str(OUTPUT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The saved boosters do not predict the same:\n{done.stderr}")
    print(done.stdout, end="", flush=True)


def main() -> None:
    """Run all steps."""
    OUTPUT.mkdir(exist_ok=True)
    say("simulating the transactions")
    table = make_transactions(60_000, fraud_rate=0.05, random_state=0)
    X, y = table.data.drop(columns=["time", "card"]), table.target
    say(f"{len(y):,} rows, {X.shape[1]} columns, {y.mean():.2%} fraud")
    X_train, X_test, y_train, y_test, _, truth = train_test_split(
        X, y, table.proba, test_size=0.3, stratify=y, random_state=0
    )
    say("compiling the kernels (once per installation)")
    small = slice(0, 1000)
    candidates = models((1 - y_train.mean()) / y_train.mean())
    for key in (("LightGBM", "focal"), ("XGBoost", "focal"), ("logistic", "focal")):
        warm = clone(candidates[key]).fit(X_train[small], y_train[small])
        warm.predict_proba(X_train[small])
    fitted, rows = {}, {}
    for key, model in candidates.items():
        start = time.perf_counter()
        fitted[key] = model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        rows[key] = measure(model, seconds, X_test, y_test)
        say(f"{' '.join(key)}: fitted in {seconds:.1f} s")
    rows["the truth", ""] = scores(y_test, truth, truth, 0.0)
    found = pd.DataFrame(rows).T
    formats = dict.fromkeys(found, "{:.4f}".format) | {"fit s": "{:.2f}".format}
    print(f"\n{found.to_string(formatters=formats)}\n")
    say(f"figure: {draw(fitted, X_test, y_test)}")
    say("saving the focal models; loading the boosters where skfocal cannot be imported")
    save_and_reload(fitted, X_test)
    say("done")


if __name__ == "__main__":
    main()
