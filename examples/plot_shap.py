"""
Explaining a focal model with SHAP
==================================

SHAP values say how much each column adds to the margin (raw score) of a row. The link of a focal
model says what the margin is. With ``link="posterior"`` it is the log-odds of the probability. With
``link="focal"``, the default, it is the margin of the loss. Its sigmoid is not the probability.
What to see:

- Left: the sum of the values of each row. With the posterior link it is the log-odds. With the
  focal link at gamma 2 it is a little more than a third of them.
- Right: the mean absolute value of each column. With the focal link each column seems to matter
  less, but none does. In log-odds, the focal model uses the columns as the plain model does.

SHAP explains the saved boosters. They are ordinary LightGBM models.
"""

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from scipy.special import logit
from sklearn.model_selection import train_test_split

from skfocal import FocalLGBMClassifier
from skfocal.datasets import make_transactions

# %%
# Simulated card transactions, 10 % of them fraud.

simulated = make_transactions(20_000, fraud_rate=0.1, random_state=0)
X, y = simulated.data.drop(columns=["time", "card"]), simulated.target
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
settings = {"num_leaves": 15, "learning_rate": 0.05, "random_state": 0, "verbose": -1}
models = {
    "plain": FocalLGBMClassifier(focal_gamma=0.0, **settings),
    "focal, posterior link": FocalLGBMClassifier(focal_gamma=2.0, link="posterior", **settings),
    "focal, focal link": FocalLGBMClassifier(focal_gamma=2.0, **settings),
}

# %%
# ``TreeExplainer`` gets what ``save_model`` would write. The last lines check the sums. With the
# posterior link they are the log-odds of ``predict_proba``. With the focal link they are margins.

importance, sums, log_odds = {}, {}, {}
for name, model in models.items():
    model.fit(X_train, y_train)
    saved = lightgbm.Booster(model_str=model.booster_.model_to_string())
    explained = shap.TreeExplainer(saved)(X_test)
    importance[name] = pd.Series(abs(explained.values).mean(axis=0), X.columns)
    sums[name] = explained.values.sum(axis=1) + explained.base_values
    log_odds[name] = logit(model.predict_proba(X_test)[:, 1])
for name in ("plain", "focal, posterior link"):
    np.testing.assert_allclose(sums[name], log_odds[name], atol=1e-9)
margin = models["focal, focal link"].predict(X_test, raw_score=True)
np.testing.assert_allclose(sums["focal, focal link"], margin, atol=1e-9)

# %%
# These are the mean absolute values. In all three models, how the card was read (``entry``) and the
# merchant matter most.

table = pd.DataFrame(importance).sort_values("plain")
print(table[::-1].round(2).to_string())

# %%
# SHAP values of the focal link can be compared with each other, within one model. Do not read them
# as log-odds, and do not compare them with those of a plain model. If you need that, use the
# posterior link.

styles = {
    "plain": {"color": "black", "marker": "o", "s": 90, "facecolors": "none"},
    "focal, posterior link": {"color": "#0072B2", "marker": "s", "s": 16},
    "focal, focal link": {"color": "#D55E00", "marker": "^", "s": 36},
}
figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.8), layout="constrained")
for name, style in styles.items():
    right.scatter(table[name], range(len(table)), label=name, zorder=2, **style)
    if name != "plain":
        left.scatter(log_odds[name], sums[name], **style | {"s": 10})
left.axline((0, 0), slope=1, color="0.8", zorder=0)
left.set(xlabel="log-odds of predict_proba", ylabel="sum of SHAP values")
right.set_yticks(range(len(table)), [column.replace("_", " ") for column in table.index])
right.set(xlabel="mean |SHAP value|", xlim=(0, None))
right.grid(axis="y", color="0.9")
for side in (left, right):
    side.spines[["top", "right"]].set_visible(False)
figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()
