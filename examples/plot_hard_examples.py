"""
Hard examples: keep only them, or let easy ones count less?
===========================================================

`Online hard example mining <https://arxiv.org/abs/1604.03540>`_ (Shrivastava et al. 2016) trains
on the rows with the largest losses and drops the others. The
`focal loss <https://arxiv.org/abs/1708.02002>`_ (Lin et al. 2017) was made to replace it. All rows
stay, and easy ones count less. Here both train gradient boosting on card transactions, of which
5 % are fraud. What to see:

- Mining does not help. It does great harm where few rows are kept, and its probabilities become
  too large.
- The focal loss does no harm, and no good either. At every gamma its average precision is about
  that of the plain model.

Many rows of a table are hard because no column tells their class. To train on them alone teaches
little. The `mean of the largest losses <https://arxiv.org/abs/1705.08826>`_ (Fan et al. 2017) is
small where these rows have a probability near 0.5.
"""

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import StratifiedShuffleSplit

from skfocal import BinaryFocalLoss, FocalLGBMClassifier
from skfocal.datasets import make_transactions

# %%
# The transactions are simulated, so the true probability of each one is known. It is below 0.5 for
# most frauds. These are hard even for a model that knows it.

table = make_transactions(20_000, fraud_rate=0.05, random_state=0)
X, y = table.data.drop(columns=["time", "card"]), table.target
print(f"{y.mean():.3f} of the transactions are fraud.")
print(f"{(table.proba[y == 1] < 0.5).mean():.2f} of these have a true probability below 0.5.")
trees = {"learning_rate": 0.05, "num_leaves": 15, "verbose": -1}

# %%
# Mining
# ------
#
# Mining is an objective of LightGBM here. The loss is the log loss. In each round, the rows that
# are easiest for the trees so far get no gradient.


def mine(fraction, X, y, start):
    """A booster trained on the hardest fraction of the rows in each round."""

    def objective(margins, data):
        p = expit(margins)
        gradient, hessian = p - data.get_label(), p * (1 - p)
        easy = np.argsort(np.abs(gradient))[: int((1 - fraction) * len(p))]
        gradient[easy] = hessian[easy] = 0.0
        return gradient, hessian

    data = lightgbm.Dataset(X, y, init_score=np.full(len(y), start))
    return lightgbm.train(trees | {"objective": objective}, data, num_boost_round=100)


# %%
# The comparison
# --------------
#
# The scores are means over three splits into halves. A model that keeps all rows is the plain
# model, and so is a model of gamma 0. "Mean P" is the mean predicted probability.

rows = []
for train, test in StratifiedShuffleSplit(3, test_size=0.5, random_state=0).split(X, y):
    X_train, X_test, y_train, y_test = X.iloc[train], X.iloc[test], y[train], y[test]
    start = logit(y_train.mean())
    proba, margins = {}, {}
    for fraction in (0.1, 0.2, 0.3, 0.5, 0.7, 1.0):
        booster = mine(fraction, X_train, y_train, start)
        key = "share of rows kept", fraction
        proba[key] = expit(start + booster.predict(X_test, raw_score=True))
        margins[key] = start + booster.predict(X_train, raw_score=True)
    for gamma in (0.0, 0.5, 1.0, 2.0, 5.0):
        model = FocalLGBMClassifier(focal_gamma=gamma, **trees).fit(X_train, y_train)
        proba["gamma", gamma] = model.predict_proba(X_test)[:, 1]
        margins["gamma", gamma] = model.predict(X_train, raw_score=True)
    for key, p in proba.items():
        rows.append((*key, average_precision_score(y_test, p), log_loss(y_test, p), p.mean()))
names = ["system", "setting", "average precision", "log loss", "mean P"]
scores = pd.DataFrame(rows, columns=names).groupby(["system", "setting"])
print(scores.mean().round(3).to_string())

# %%
# The mean predicted probability should be 0.05. If mining keeps a tenth of the rows, it is 0.26:
# the rows that mining drops are nearly all negatives. Each focal model is within 0.01.
#
# The left panel shows which rows carry the gradient. Take a plain model, and compute the focal loss
# of its margins (raw scores). Nearly all rows lose their gradient (dashed line). But a model that
# is trained on the focal loss has smaller margins, and its easy rows have their gradient again
# (dash-dotted line). This must be so. Where training ends, the gradients of the two classes cancel.
# So the negatives carry half of all the gradient, whatever gamma is.
#
# The other panels show average precision on held-out rows. The bars are standard deviations over
# the splits.

plt.rcParams["font.size"] = 12
figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(9.2, 5.4), width_ratios=(1.7, 1, 1), layout="constrained"
)
plain, focal = margins["gamma", 0.0], margins["gamma", 2.0]
mined = margins["share of rows kept", 0.3]
for label, gamma, margin, fraction, style, colour in (
    ("plain", 0, plain, 1, "-", "#000000"),
    ("gamma 2 on the plain model", 2, plain, 1, "--", "#56B4E9"),
    ("gamma 2", 2, focal, 1, "-.", "#0072B2"),
    ("hardest 30 %", 0, mined, 0.3, ":", "#D55E00"),
):
    gradient = np.sort(np.abs(BinaryFocalLoss(gamma).gradient(y_train, margin)))
    gradient[: int((1 - fraction) * len(gradient))] = 0.0
    share = np.cumsum(gradient) / gradient.sum()
    left.plot(np.linspace(0, 1, len(share)), share, style, color=colour, lw=2.5, label=label)
left.set(xlabel="rows, smallest gradient first", ylabel="share of all gradient")
left.legend(frameon=False, loc="upper left")
for panel, system, limits, style, colour in (
    (middle, "share of rows kept", (0, 1.05), "o:", "#D55E00"),
    (right, "gamma", (-0.5, 5.5), "s-.", "#0072B2"),
):
    mean, deviation = (part["average precision"][system] for part in (scores.mean(), scores.std()))
    panel.errorbar(mean.index, mean, deviation, fmt=style, color=colour, markersize=7, lw=2)
    panel.set(xlabel=system, xlim=limits, ylim=(0.35, 0.55))
middle.set_ylabel("average precision")
right.tick_params(labelleft=False)
for panel in (left, middle, right):
    panel.spines[["top", "right"]].set_visible(False)
plt.show()
