"""
A missed default costs ten false alarms
=======================================

Where errors have different prices, the decision has to know them and the probability has
not. Three ways to decide on loans: a threshold on the probabilities of a plain model,
``class_weight`` in the training of a plain model, and ``focal_alpha``. All three reach the
same cost, which a plain ``predict`` does not come near. ``class_weight`` pays with its
probabilities; the others keep them.

The focal loss itself saves nothing here. What ``focal_alpha`` adds is convenience:
``predict`` knows the costs while ``predict_proba`` stays P(default).

Run it from the root of a clone: the table comes from ``benchmarks.data``.
"""

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

from benchmarks.data import give_me_some_credit
from skfocal import FocalHistGradientBoostingClassifier

# %%
# A borrower who does not pay costs 10, a good one who is refused costs 1. To lend costs 10 P
# on average, to refuse 1 - P. So the cheapest decision is to refuse where P is above 1 / 11,
# whatever the model.

MISSED, FALSE_ALARM = 10, 1
THRESHOLD = FALSE_ALARM / (FALSE_ALARM + MISSED)


def cost(y_true, refused):
    """Mean cost of 1,000 rows."""
    missed, false_alarm = (y_true == 1) & (refused == 0), (y_true == 0) & (refused == 1)
    return 1000 * np.mean(MISSED * missed + FALSE_ALARM * false_alarm)


# %%
# The same trees everywhere. ``FixedThresholdClassifier`` is told the threshold,
# ``TunedThresholdClassifierCV`` finds one by cross-validation, at the price of three more fits.

X, y = give_me_some_credit()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
trees = {"max_iter": 150, "learning_rate": 0.05, "max_leaf_nodes": 15, "early_stopping": False}
weights = {0: FALSE_ALARM, 1: MISSED}
plain, scorer = HistGradientBoostingClassifier(**trees), make_scorer(cost, greater_is_better=False)
models = {
    "plain": plain,
    "threshold 1/11": FixedThresholdClassifier(plain, threshold=THRESHOLD),
    "tuned threshold": TunedThresholdClassifierCV(plain, scoring=scorer, cv=3),
    "class_weight": HistGradientBoostingClassifier(class_weight=weights, **trees),
    "focal_alpha": FocalHistGradientBoostingClassifier(focal_alpha=weights, **trees),
}
rows = {}
for name, model in models.items():
    proba = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
    rows[name] = {
        "cost per 1,000": cost(y_test, model.predict(X_test)),
        "log loss": log_loss(y_test, proba),
        "mean P": proba.mean(),
    }
table = pd.DataFrame(rows).T
print(table.to_string(float_format="{:.3f}".format))
print(f"\n{y_test.mean():.3f} of the borrowers default.")

# %%
# The last four costs are alike: another sample of borrowers moves each by more than they differ.
#
# Cost at every threshold on ``predict_proba``, and where ``predict`` decides. The curves of the
# plain model and of ``focal_alpha`` have their minimum at 1/11 and hardly differ. That of
# ``class_weight`` has been moved until its minimum is at 1/2: its numbers rank about as
# well, but are no probabilities of default any more, which log loss and mean say, too.

plt.rcParams["font.size"] = 13
figure, axes = plt.subplots(figsize=(7.4, 5.2), layout="constrained")
thresholds = np.geomspace(0.01, 0.9, 150)
styles = {"plain": "-", "focal_alpha": ":", "class_weight": "--"}
colours = dict(zip(styles, ("#000000", "#56B4E9", "#D55E00"), strict=True))
for name, style in styles.items():
    proba = models[name].predict_proba(X_test)[:, 1]
    costs = [cost(y_test, proba > threshold) for threshold in thresholds]
    axes.plot(thresholds, costs, style, color=colours[name], linewidth=3, label=name)
tuned = models["tuned threshold"].best_threshold_
decisions = {  # the threshold, and a marker with its size and colour
    "plain": (0.5, "X", 11, "#000000"),
    "threshold 1/11": (THRESHOLD, "o", 17, "#E69F00"),
    "tuned threshold": (tuned, "D", 11, "#009E73"),
    "focal_alpha": (THRESHOLD, "v", 9, "#0072B2"),  # where both w P are equal
    "class_weight": (0.5, "s", 11, "#D55E00"),
}
for name, (threshold, marker, size, colour) in decisions.items():
    at = threshold, table.loc[name, "cost per 1,000"]
    axes.plot(*at, marker, color=colour, markersize=size, markeredgecolor="white")
axes.text(0.55, table.loc["plain", "cost per 1,000"], "plain", va="top")
axes.text(THRESHOLD, 300, "threshold 1/11\ntuned threshold\nfocal_alpha", va="top", ha="center")
axes.text(0.5, 300, "class_weight", va="top", ha="center")
axes.set(xscale="log", xlabel="threshold on predict_proba", ylabel="cost per 1,000 borrowers")
axes.set(xticks=[0.01, THRESHOLD, 0.5], xticklabels=["0.01", "1/11", "1/2"], ylim=(150, 950))
axes.minorticks_off()
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, title="predict_proba of", loc="upper right")
plt.show()
