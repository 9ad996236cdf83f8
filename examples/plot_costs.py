"""
A missed fraud costs ten false alarms
=====================================

Errors often have different prices. The decision must know the prices, but the probability must not
depend on them. This example decides about card transactions in three ways: a threshold on the
probabilities of a plain model, ``class_weight`` in the training of a plain model, and
``focal_alpha``. What to see: all three cost about the same. They cost much less than ``predict`` of
the plain model. ``class_weight`` spoils the probabilities, and the two other ways do not.

The focal loss itself saves nothing here. ``focal_alpha`` is only convenient: ``predict`` knows the
prices, and ``predict_proba`` is still the probability of fraud. The transactions are simulated, so
the true probabilities are known.
"""

from operator import itemgetter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    TunedThresholdClassifierCV,
    train_test_split,
)

from skfocal import FocalHistGradientBoostingClassifier
from skfocal.datasets import make_transactions
from skfocal.decisions import CostClassifier, cost_decision
from skfocal.metrics import mean_cost
from skfocal.plotting import CostDisplay

# %%
# One price for all transactions
# ------------------------------
#
# A missed fraud costs 10, and a false alarm costs 1. Take a transaction whose probability of fraud
# is P. To accept it costs 10 P on average. To stop it costs 1 - P. So it is cheaper to stop the
# transaction if P is above 1/11. This holds for every model.

MISSED, FALSE_ALARM = 10, 1
THRESHOLD = FALSE_ALARM / (FALSE_ALARM + MISSED)
costs = {"false_positive_cost": FALSE_ALARM, "false_negative_cost": MISSED}

# %%
# All models have the same trees. ``FixedThresholdClassifier`` is given the threshold.
# ``TunedThresholdClassifierCV`` finds one by cross-validation, which takes three more fits. The
# row "true P" decides by the true probabilities. No model can expect a lower cost than this.

table = make_transactions(100_000, fraud_rate=0.05, random_state=0)
X = table.data.drop(columns=["time", "card"]).assign(hour=table.data["time"].dt.hour)
X_train, X_test, y_train, y_test, _, truth = train_test_split(
    X, table.target, table.proba, test_size=0.5, stratify=table.target, random_state=0
)
trees = {"max_iter": 100, "learning_rate": 0.05, "max_leaf_nodes": 15, "early_stopping": False}
weights = {0: FALSE_ALARM, 1: MISSED}
plain = HistGradientBoostingClassifier(**trees)
scorer = make_scorer(mean_cost, greater_is_better=False, **costs)
models = {
    "plain": plain,
    "threshold 1/11": FixedThresholdClassifier(plain, threshold=THRESHOLD),
    "tuned threshold": TunedThresholdClassifierCV(plain, scoring=scorer, cv=3),
    "class_weight": HistGradientBoostingClassifier(class_weight=weights, **trees),
    "focal_alpha": FocalHistGradientBoostingClassifier(focal_alpha=weights, **trees),
}
proba, stopped = {}, {}
for name, model in models.items():
    proba[name] = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
    stopped[name] = model.predict(X_test)
proba["true P"] = truth
stopped["true P"] = cost_decision(truth, **costs).astype(int)
rows = {
    name: {
        "cost per 1,000": 1000 * mean_cost(y_test, stopped[name], **costs),
        "log loss": log_loss(y_test, p),
        "mean P": p.mean(),
    }
    for name, p in proba.items()
}
summary = pd.DataFrame(rows).T
print(summary.to_string(float_format="{:.3f}".format))
print(f"\nshare of fraud: {y_test.mean():.3f}")

# %%
# The two thresholds, ``class_weight`` and ``focal_alpha`` cost about the same. Another sample of
# transactions would move each cost by about 5, which is more than they differ. The mean P of
# ``focal_alpha`` is a little smaller than the share of fraud. Its log loss is almost that of the
# plain model. The mean P of ``class_weight`` is more than three times the share of fraud.
#
# The figure shows the cost for every threshold on ``predict_proba``. Markers show where ``predict``
# decides. The curves of the plain model and of ``focal_alpha`` are close to each other where they
# are lowest, near 1/11. The curve of ``class_weight`` is lowest near 1/2, at about the same cost.
# So this model ranks the transactions about as well. But its numbers are not probabilities.

plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(figsize=(7.4, 5.2), layout="constrained")
thresholds = np.geomspace(0.005, 0.95, 150)
styles = {"plain": "-", "focal_alpha": ":", "class_weight": "--"}
colours = dict(zip(styles, ("#000000", "#56B4E9", "#D55E00"), strict=True))
for name, style in styles.items():
    decisions = [(proba[name] > threshold).astype(int) for threshold in thresholds]
    curve = [1000 * mean_cost(y_test, decision, **costs) for decision in decisions]
    axes.plot(thresholds, curve, style, color=colours[name], linewidth=3, label=name)
tuned = models["tuned threshold"].best_threshold_
markers = {  # the threshold, and a marker with its size and colour
    "plain": (0.5, "X", 11, "#000000"),
    "threshold 1/11": (THRESHOLD, "o", 17, "#E69F00"),
    "tuned threshold": (tuned, "D", 11, "#009E73"),
    "focal_alpha": (THRESHOLD, "v", 9, "#0072B2"),
    "class_weight": (0.5, "s", 11, "#D55E00"),
}
for name, (threshold, marker, size, colour) in markers.items():
    at = threshold, summary.loc[name, "cost per 1,000"]
    axes.plot(*at, marker, color=colour, markersize=size, markeredgecolor="white")
axes.text(0.55, summary.loc["plain", "cost per 1,000"], "plain", va="top")
axes.text(THRESHOLD, 180, "threshold 1/11\ntuned threshold\nfocal_alpha", va="top", ha="center")
axes.text(0.5, 180, "class_weight", va="top", ha="center")
axes.set(xscale="log", xlabel="threshold on predict_proba", ylabel="cost per 1,000 transactions")
axes.set(xticks=[0.01, THRESHOLD, 0.5], xticklabels=["0.01", "1/11", "1/2"], ylim=(0, 980))
axes.minorticks_off()
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, title="predict_proba of", loc="upper right")
plt.show()

# %%
# A price for each transaction
# ----------------------------
#
# Now a missed fraud costs its amount, and a false alarm costs 20. ``CostClassifier`` trains a
# classifier without prices. Its ``predict`` compares the expected costs of each transaction: it
# stops those with ``amount * P > 20 * (1 - P)``. ``cost_decision`` does the same for given
# probabilities.

by_amount = CostClassifier(
    FocalHistGradientBoostingClassifier(**trees),
    false_positive_cost=20.0,
    false_negative_cost=itemgetter("amount"),  # this column of X
).fit(X_train, y_train)
prices = {"false_positive_cost": 20.0, "false_negative_cost": X_test["amount"]}
by_row = {
    "CostClassifier": by_amount.predict(X_test),
    "cost_decision, class_weight": cost_decision(proba["class_weight"], **prices).astype(int),
    "cost_decision, true P": cost_decision(truth, **prices).astype(int),
}
for name, decision in by_row.items():
    print(f"{name}: {1000 * mean_cost(y_test, decision, **prices):.0f} for 1,000 transactions")

# %%
# The curves show the cost of a single threshold for all transactions. The dotted lines show the
# decision by the amount of each transaction. With the focal model this decision costs less than any
# single threshold. With the weighted model it costs more than the best single threshold, because
# the numbers of this model are not probabilities.

proba["focal"] = by_amount.estimator_.predict_proba(X_test)[:, 1]
figure, axes = plt.subplots(figsize=(7.4, 5.2), layout="constrained")
for name in ("focal", "class_weight"):
    display = CostDisplay.from_predictions(y_test, proba[name], name=name, ax=axes, **prices)
    lowest = 1000 * display.costs.min()
    print(f"{name}, best single threshold: {lowest:.0f} for 1,000 transactions")
axes.set(ylim=(0, 30))
axes.spines[["top", "right"]].set_visible(False)
plt.show()
