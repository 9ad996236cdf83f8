"""
FocalObjective in lgb.train and xgb.train
=========================================

LightGBM and XGBoost accept an objective as a function. The function gets the margins (raw scores)
and the data. It returns the first and second derivative of the loss of each row. This example
trains on a function that is pasted from the formulas, and on ``FocalObjective``. What to see:

- From the log-odds of the share of positives, the pasted formulas fail. People often advise this
  start, and no library reports an error.
- From margin 0 the same formulas train well. LightGBM starts there by default. XGBoost does so
  with ``binary:logistic``.
- ``FocalObjective`` trains well and knows where to start. It is about as good as the pasted
  formulas from margin 0.

The formulas are right. At gamma 2 the second derivative of a row is negative where the probability
of its class is below 6 %. Boosting divides by a sum of second derivatives. From the log-odds of a
small share, all positives start where it is negative.
"""

import lightgbm as lgb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xgboost as xgb
from scipy.special import expit, log_expit, logit
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skfocal import FocalEvalMetric, FocalObjective
from skfocal.datasets import make_transactions

# %%
# Simulated card transactions. About 4.5 % are fraud, so that few rows are enough.

table = make_transactions(20_000, fraud_rate=0.045, random_state=0)
X, y = table.data.drop(columns=["time", "card"]), table.target
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
gamma, rounds, prevalence = 2.0, 60, y_train.mean()
print(f"share of fraud: {y_train.mean():.3f} to train on, {y_test.mean():.3f} to test")

# %%
# LightGBM
# --------
#
# LightGBM takes the start as a margin: it is the ``init_score`` of each data set. The model does
# not keep it, so it is added to the predictions. ``FocalEvalMetric`` is passed as ``feval``. Of
# LightGBM's own metrics, use those that only need the order of the rows, as average precision does.
# The others need probabilities, and LightGBM only has margins here.


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
# XGBoost
# -------
#
# XGBoost takes the start as a probability, ``base_score``, and keeps it in the model. Give it
# ``binary:logistic`` beside ``obj``. Its metrics then work, and the saved model is a standard one.


def train_xgboost(objective, metric, start):
    """The same with XGBoost."""
    train = xgb.DMatrix(X_train, y_train, enable_categorical=True)
    test = xgb.DMatrix(X_test, y_test, enable_categorical=True)
    params = {"objective": "binary:logistic", "base_score": start, "eval_metric": "aucpr"}
    history = {}
    watched = {"evals": [(test, "test")], "evals_result": history, "verbose_eval": False}
    params["eta"] = 0.1  # as LightGBM's default
    booster = xgb.train(params, train, rounds, obj=objective, custom_metric=metric, **watched)
    return booster.predict(test, output_margin=True), history["test"]


# %%
# The pasted formulas
# -------------------
#
# This is the focal loss of the paper and its two derivatives. Nothing is wrong with them.


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
# The comparison
# --------------
#
# Alpha is the weight of the positives, and 1 - alpha the weight of the negatives. The paper has
# 0.25; with 0.5 the weights are equal. ``predict_proba`` of a ``FocalObjective`` turns the margins
# of all these models into probabilities.

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
                "mean probability": focal.predict_proba(margin)[:, 1].mean(),
                "largest margin": abs(margin).max(),
            }
print(pd.DataFrame(rows).T.sort_index().round(3).to_string())

# %%
# "Prevalence" is the share of positives. From there, with alpha 0.25, the margins of LightGBM
# explode. XGBoost gives a mean probability of 0.62, where 4.5 % are fraud. With alpha 0.5, the
# second derivatives of all rows together are negative, and no tree grows.
#
# The figure shows average precision on the test rows. A constant has 0.045. ``FocalObjective`` and
# the pasted formulas from margin 0 end close together.

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
