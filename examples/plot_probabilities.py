"""
Raw and recovered probabilities
===============================

The sigmoid of a focal model is drawn towards one half: the more so, the larger gamma. The
posterior follows from it in closed form. On Give Me Some Credit, for LightGBM and three
values of gamma, on rows that the models have not seen.

Run it from the root of a clone: the table comes from ``benchmarks.data``.
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from benchmarks.data import give_me_some_credit
from skfocal import FocalLGBMClassifier
from skfocal.plotting import PosteriorCalibrationDisplay

X, y = give_me_some_credit()
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=30_000, stratify=y, random_state=0
)

GAMMAS = (0.5, 2.0, 5.0)
models = {
    gamma: FocalLGBMClassifier(
        focal_gamma=gamma, n_estimators=100, learning_rate=0.05, num_leaves=15, verbose=-1
    ).fit(X_train, y_train)
    for gamma in GAMMAS
}

# %%
# Both have the same order of rows, so ROC AUC and average precision do not move. Log loss
# does.

rows = []
for gamma, model in models.items():
    for probability in ("raw", "posterior"):
        proba = model.set_params(probability=probability).predict_proba(X_test)[:, 1]
        rows.append(
            {
                "gamma": gamma,
                "probability": probability,
                "mean": proba.mean(),
                "log loss": log_loss(y_test, proba),
                "ROC AUC": roc_auc_score(y_test, proba),
            }
        )
print(f"share of positives: {y_test.mean():.3f}")
print(pd.DataFrame(rows).round(3).to_string(index=False))

# %%
# Each dot is a tenth of the test rows. The numbers in the legends are the expected
# calibration errors.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained", sharey=True)
for (gamma, model), ax in zip(models.items(), axes, strict=True):
    PosteriorCalibrationDisplay.from_estimator(model, X_test, y_test, ax=ax)
    ax.set_title(f"gamma {gamma:g}", loc="left")
    ax.label_outer()
plt.show()
