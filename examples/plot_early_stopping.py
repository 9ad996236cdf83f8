"""
When to stop, by which measure
==============================

A booster with too many rounds learns its training rows by heart. The focal loss does not prevent
this. Rows that are held out from the training tell when to stop. This example stops LightGBM and
XGBoost by log loss. What to see: held-out log loss is lowest after about 35 rounds, and held-out
average precision falls later, too. On rows that it has never seen, the stopped model is better by
both measures than the model with 200 rounds.

A metric that is given by name uses the probabilities of ``predict_proba``, as with a plain model.
It does not use the sigmoid of the model's score, which is too close to 0.5 in a focal model.
"""

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split

from skfocal import FocalLGBMClassifier, FocalXGBClassifier
from skfocal.datasets import make_transactions

# %%
# The table holds simulated card transactions. 7 % of them are fraud. A model is trained on 10,000
# rows. Another 10,000 rows are held out to stop it, and 60,000 rows test it.

table = make_transactions(80_000, fraud_rate=0.07, random_state=0)
X = table.data.drop(columns=["time", "card"]).assign(hour=table.data["time"].dt.hour)
y = table.target
X_train, X, y_train, y = train_test_split(X, y, train_size=10_000, stratify=y, random_state=0)
X_valid, X_test, y_valid, y_test = train_test_split(
    X, y, train_size=10_000, stratify=y, random_state=0
)

# %%
# LightGBM stops by a callback, here after 20 rounds without a better one. ``metric`` replaces the
# default metric, the focal loss. With ``first_metric_only`` the first name decides. ``eval_X`` and
# ``eval_y`` replace ``eval_set`` in new versions of LightGBM.

trees = {"n_estimators": 200, "learning_rate": 0.1, "random_state": 0}
trees["focal_gamma"] = 2.0
sets = {
    "eval_X": (X_train, X_valid),
    "eval_y": (y_train, y_valid),
    "eval_names": ["train", "valid"],
}
names = ["binary_logloss", "average_precision"]
lgbm = FocalLGBMClassifier(metric=names, verbose=-1, **trees)
stop = lightgbm.early_stopping(20, first_metric_only=True, verbose=False)
lgbm.fit(X_train, y_train, callbacks=[stop], **sets)
lgbm_all = FocalLGBMClassifier(metric=names, verbose=-1, **trees).fit(X_train, y_train, **sets)

# %%
# XGBoost stops by a parameter. The last metric and the last set decide.

sets = {"eval_set": [(X_train, y_train), (X_valid, y_valid)], "verbose": False}
names = ["aucpr", "logloss"]
xgb = FocalXGBClassifier(
    eval_metric=names, enable_categorical=True, early_stopping_rounds=20, **trees
)
xgb.fit(X_train, y_train, **sets)
xgb_all = FocalXGBClassifier(eval_metric=names, enable_categorical=True, **trees).fit(
    X_train, y_train, **sets
)

# %%
# A stopped model predicts with the rounds up to the best one. LightGBM's ``best_iteration_`` counts
# from 1. XGBoost's ``best_iteration`` counts from 0.

models = {
    "LightGBM, stopped": (lgbm, lgbm.best_iteration_),
    "LightGBM, all rounds": (lgbm_all, 200),
    "XGBoost, stopped": (xgb, xgb.best_iteration + 1),
    "XGBoost, all rounds": (xgb_all, 200),
}
rows = {}
for name, (model, rounds) in models.items():
    proba = model.predict_proba(X_test)[:, 1]
    rows[name] = {
        "rounds": rounds,
        "log loss": log_loss(y_test, proba),
        "average precision": average_precision_score(y_test, proba),
    }
print(pd.DataFrame(rows).T.round(3).astype({"rounds": int}).to_string())

# %%
# LightGBM records its metrics in ``evals_result_``, and XGBoost in ``evals_result()``. On the
# training rows both measures improve up to the last round. Only the held-out rows show when to
# stop. Their average precision changes little around the stop, and falls later.

history = {
    "LightGBM": (lgbm_all.evals_result_, lgbm.best_iteration_),
    "XGBoost": (xgb_all.evals_result(), xgb.best_iteration + 1),
}
plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(
    2, 2, figsize=(8.2, 5.8), sharex=True, sharey="row", layout="constrained"
)
measures = {
    "log loss": ("binary_logloss", "logloss"),
    "average precision": ("average_precision", "aucpr"),
}
for column, (library, (result, best)) in enumerate(history.items()):
    train, valid = result.values()
    for row, (label, of_library) in enumerate(measures.items()):
        panel, name = axes[row, column], of_library[column]
        rounds = np.arange(1, 201)
        panel.plot(rounds, train[name], "--", color="#E69F00", linewidth=2.2, label="train")
        panel.plot(rounds, valid[name], "-", color="#0072B2", linewidth=2.2, label="valid")
        panel.axvline(best, color="#000000", linestyle=":")
        panel.plot(best, valid[name][best - 1], "o", color="#000000", markersize=8, label="stop")
        panel.set_ylabel(label if column == 0 else "")
        panel.spines[["top", "right"]].set_visible(False)
    axes[0, column].set_title(library)
    axes[1, column].set_xlabel("rounds")
axes[0, 0].legend(frameon=False)
plt.show()
