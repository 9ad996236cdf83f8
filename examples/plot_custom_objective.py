"""
FocalObjective in lgb.train and xgb.train
=========================================

LightGBM's and XGBoost's ``train`` take the focal loss as a function of margins and data. Formulas
pasted into such a function may be exact and still not train, and no error tells. What to look at:

- from the log-odds of the prevalence, a start often advised, they explode, crawl or grow no tree:
  at gamma 2 the second derivative of a row is negative where its class has a probability below
  6 %, and there all positives start;
- from margin 0, where both libraries start unless told otherwise, the same formulas train well;
- ``FocalObjective`` knows the start with the smallest loss, and a bound of the second derivative
  that is positive everywhere. It is no better than the lucky case: it needs no luck.

Run it from the root of a clone: the table comes from ``benchmarks.tables``.
"""

import lightgbm as lgb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xgboost as xgb
from scipy.special import expit, log_expit, logit
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from benchmarks.tables import BINARY
from skfocal import FocalEvalMetric, FocalObjective

# %%
# Occupants of crashed cars, 4.5 % of whom died.

X, y = BINARY["car crashes"].load()
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
gamma, rounds, prevalence = 2.0, 60, y_train.mean()

# %%
# LightGBM takes the start as a margin, ``init_score`` of each data set, and does not keep it in the
# model: it is added to what the model predicts. ``FocalEvalMetric`` goes in as ``feval``; of
# LightGBM's own metrics those of the ranking are right, as they need no probabilities.


def train_lightgbm(objective, metric, start):
    """Margins of the test rows, and what the metrics were after each round."""
    train = lgb.Dataset(X_train, y_train, init_score=np.full(len(y_train), start))
    test = train.create_valid(X_test, y_test, init_score=np.full(len(y_test), start))
    params = {"objective": objective, "metric": "average_precision", "verbose": -1}
    history = {}
    record = lgb.record_evaluation(history)
    booster = lgb.train(params, train, rounds, [test], feval=metric, callbacks=[record])
    return booster.predict(X_test, raw_score=True) + start, history["valid_0"]


# %%
# XGBoost takes the start as a probability, ``base_score``, and keeps it. With ``binary:logistic``
# beside ``obj`` its own metrics work, and the saved model is a standard one.


def train_xgboost(objective, metric, start):
    """The same of XGBoost."""
    train = xgb.DMatrix(X_train, y_train, enable_categorical=True)
    test = xgb.DMatrix(X_test, y_test, enable_categorical=True)
    params = {"objective": "binary:logistic", "base_score": start, "eval_metric": "aucpr"}
    history = {}
    watched = {"evals": [(test, "test")], "evals_result": history, "verbose_eval": False}
    params["eta"] = 0.1  # as LightGBM's default
    booster = xgb.train(params, train, rounds, obj=objective, custom_metric=metric, **watched)
    return booster.predict(test, output_margin=True), history["test"]


# %%
# What gets pasted: the paper's loss, differentiated twice. Nothing is wrong with it.


def pasted(alpha):
    """A custom objective for both libraries."""

    def objective(margin, data):
        y = data.get_label()
        sign, weight = np.where(y == 1, 1, -1), np.where(y == 1, alpha, 1 - alpha)
        p, log_p = expit(sign * margin), log_expit(sign * margin)
        scale, inner = weight * (1 - p) ** gamma, gamma * p * log_p - (1 - p)
        slope = (1 - p) * (gamma * log_p + gamma + 1) - gamma * inner
        return scale * sign * inner, scale * p * slope

    return objective


# %%
# Both, with the paper's alpha of 0.25 and with equal weights. ``predict_proba`` of the objective
# makes probabilities of margins, whoever trained them.

curves, rows = {}, {}
for alpha in (0.25, 0.5):
    focal = FocalObjective(gamma, alpha)
    ways = {
        "FocalObjective": (focal, focal.init_score(y_train)[0], focal.base_score(y_train)),
        "pasted, from 0": (pasted(alpha), 0.0, 0.5),
        "pasted, from prevalence": (pasted(alpha), logit(prevalence), prevalence),
    }
    metric = FocalEvalMetric(gamma, alpha)
    for way, (objective, init_score, base_score) in ways.items():
        fits = {
            "LightGBM": train_lightgbm(objective, metric, init_score),
            "XGBoost": train_xgboost(objective, metric, base_score),
        }
        for library, (margin, history) in fits.items():
            precision = history.get("average_precision", history.get("aucpr"))
            curves[library, alpha, way] = precision
            rows[library, alpha, way] = {
                "average precision": precision[-1],
                "focal loss": history["focal_loss"][-1],
                "log loss": log_loss(y_test, focal.predict_proba(margin)),
                "largest margin": abs(margin).max(),
            }
print(pd.DataFrame(rows).T.sort_index().round(3).to_string())

# %%
# Average precision on the test rows: 0.045 is that of a constant.

styles = {
    "FocalObjective": ("#0072B2", "-"),
    "pasted, from 0": ("#E69F00", "--"),
    "pasted, from prevalence": ("#D55E00", ":"),
}
figure, axes = plt.subplots(2, 2, figsize=(7, 4.6), layout="constrained", sharex=True, sharey=True)
for (library, alpha, way), precision in curves.items():
    side = axes[int(alpha == 0.5), int(library == "XGBoost")]
    colour, line = styles[way]
    side.plot(range(1, rounds + 1), precision, line, color=colour, linewidth=2.2, label=way)
    side.set_title(f"{library}, alpha {alpha:g}", fontsize="medium")
    side.spines[["top", "right"]].set_visible(False)
axes[1, 0].set_xlabel("rounds")
axes[1, 1].set_xlabel("rounds")
figure.supylabel("average precision")
axes[0, 0].set_ylim(0, None)
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()
