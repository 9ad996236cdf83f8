"""
Raw and recovered probabilities
===============================

This example compares the raw probability of a focal model with its posterior. The raw probability
is the sigmoid of the model's score. It is too close to 0.5, and a larger gamma draws it closer.
The posterior is the probability of the class. A formula computes it from the raw probability, and
``predict_proba`` returns it. What to see: the mean raw probability is above the share of fraud. For
gamma 5 it is almost five times that share. The mean posterior is close to the share for each gamma.

The table holds simulated card transactions, whose true probabilities are known.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from skfocal import FocalLGBMClassifier
from skfocal.datasets import make_transactions
from skfocal.plotting import PosteriorCalibrationDisplay

table = make_transactions(90_000, fraud_rate=0.07, random_state=0)
X = table.data.drop(columns=["time", "card"]).assign(hour=table.data["time"].dt.hour)
X_train, X_test, y_train, y_test, _, truth = train_test_split(
    X, table.target, table.proba, train_size=30_000, stratify=table.target, random_state=0
)

GAMMAS = (0.5, 2.0, 5.0)
trees = {"n_estimators": 100, "learning_rate": 0.05, "num_leaves": 15, "verbose": -1}
models = {
    gamma: FocalLGBMClassifier(focal_gamma=gamma, **trees).fit(X_train, y_train) for gamma in GAMMAS
}

# %%
# Both probabilities put the rows in the same order, so they have the same ROC AUC. Their log losses
# differ. The last column is the mean distance to the true probability.

proba, rows = {}, []
for gamma, model in models.items():
    for kind in ("raw", "posterior"):
        p = model.set_params(probability=kind).predict_proba(X_test)[:, 1]
        proba[gamma, kind] = p
        rows.append(
            {
                "gamma": gamma,
                "probability": kind,
                "mean": p.mean(),
                "log loss": log_loss(y_test, p),
                "ROC AUC": roc_auc_score(y_test, p),
                "distance": np.abs(p - truth).mean(),
            }
        )
print(pd.DataFrame(rows).round(3).to_string(index=False))
print(f"\nshare of fraud: {y_test.mean():.3f}")
print(f"log loss of the true probabilities: {log_loss(y_test, truth):.3f}")

# %%
# Each dot is a tenth of the test rows. The vertical lines are intervals of 95 %. The legends give
# the expected calibration error: the mean distance of the dots from the diagonal.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained", sharey=True)
for (gamma, model), ax in zip(models.items(), axes, strict=True):
    PosteriorCalibrationDisplay.from_estimator(model, X_test, y_test, ax=ax)
    ax.set_title(f"gamma {gamma:g}", loc="left")
    ax.label_outer()
plt.show()

# %%
# The next figure shows 3,000 single transactions. The raw probability is too large where the true
# one is small, and too small where the true one is large. The posterior follows the diagonal up to
# about 0.4. Above that it is too small on average, for every gamma. So this is an error of the
# model, and not of the formula.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained", sharey=True)
shown = slice(3000)
for gamma, ax in zip(GAMMAS, axes, strict=True):
    for kind, colour, marker in (("posterior", "#0072B2", "o"), ("raw", "#D55E00", "s")):
        p = proba[gamma, kind]
        ax.plot(truth[shown], p[shown], marker, color=colour, markersize=2, label=kind)
    ax.plot([0, 1], [0, 1], color="0.4", linewidth=0.8)
    ax.set_title(f"gamma {gamma:g}", loc="left")
    ax.set(xlabel="true probability", ylabel="predicted probability")
    ax.label_outer()
    ax.spines[["top", "right"]].set_visible(False)
axes[0].legend(frameon=False, markerscale=3)
plt.show()
