"""
Explaining a focal model with SHAP
==================================

SHAP values of a boosted model add up to its margin. What that is depends on the link: with
``link="posterior"`` it is the log-odds of the probability, with the focal link it is the margin of
the loss, whose sigmoid is not the probability. What to look at:

- sums (left): with the posterior link they are log-odds, with the focal one somewhat more than a
  third of them at gamma 2, along a line that is slightly bent;
- mean absolute values (right): under the focal link every column seems to matter less, and none
  does. Seen in log-odds, the focal model uses the columns as the plain one does;
- explained are the saved boosters, ordinary LightGBM models in which SHAP sees nothing unusual.

Run it from the root of a clone: the table comes from ``benchmarks.tables``.
"""

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from scipy.special import logit
from sklearn.model_selection import train_test_split

from benchmarks.tables import BINARY
from skfocal import FocalLGBMClassifier

# %%
# Customers of a telephone company: who leaves?

X, y = BINARY["churn, telephone"].load()
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
settings = {"num_leaves": 15, "learning_rate": 0.05, "n_jobs": 2, "random_state": 0, "verbose": -1}
models = {
    "plain": FocalLGBMClassifier(focal_gamma=0.0, **settings),
    "focal, posterior link": FocalLGBMClassifier(focal_gamma=2.0, link="posterior", **settings),
    "focal, focal link": FocalLGBMClassifier(focal_gamma=2.0, **settings),
}

# %%
# ``TreeExplainer`` gets what ``save_model`` would write. The sums are checked: they are log-odds of
# ``predict_proba`` with the posterior link, and margins with the focal one.

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
# Means of absolute values, of the columns with the largest ones.

table = pd.DataFrame(importance).sort_values("plain").tail(8)
print(table[::-1].round(2))

# %%
# SHAP values of the focal link can be compared with each other, in one model and one row. They
# cannot be read as log-odds, nor compared with those of a plain model.

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
