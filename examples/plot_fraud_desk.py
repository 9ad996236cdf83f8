"""
A fraud desk: from raw transactions to a served model
=====================================================

A bank has 90 days of card transactions, of which 0.4 % are fraud. A team can check 20 of them
a day. A missed fraud costs its amount. A check costs 5, whether it finds fraud or not. This example
has all steps: columns, a model, probabilities, alerts, costs, reasons, a saved file and monitoring.

The table is simulated, so that the true probability of each transaction is known.
"""

import tempfile
from pathlib import Path

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import average_precision_score, log_loss, precision_score, recall_score
from sklearn.model_selection import TimeSeriesSplit

from skfocal import FocalLGBMClassifierCV
from skfocal.datasets import make_transactions
from skfocal.decisions import AlertBudgetClassifier, cost_decision
from skfocal.metrics import mean_cost
from skfocal.plotting import AlertBudgetDisplay, CostDisplay, PosteriorCalibrationDisplay

# %%
# From raw columns to features
# ----------------------------
#
# The columns have only what is known at the time of a payment. The date is left out: the dates of
# later rows are never in the training data.

table = make_transactions(120_000, fraud_rate=0.004, drift=2.0, random_state=0)
raw, fraud = table.data, table.target
X = raw.drop(columns=["time", "card"]).assign(
    hour=raw["time"].dt.hour, amount_over_usual=raw["amount"] / raw["usual_amount"]
)
day = (raw["time"] - raw["time"].min()).dt.days
train, recent, test = (
    np.flatnonzero(part) for part in (day < 60, (day >= 60) & (day < 70), day >= 70)
)
print(f"{len(train)} rows to train on, {fraud[train].sum()} of them fraud")

# %%
# One fit
# -------
#
# The fit chooses gamma and the number of rounds, and calibrates. ``TimeSeriesSplit`` holds out
# later rows. Two other models are for comparison: LightGBM with early stopping on the days before
# the test, and LightGBM with balanced class weights, which many people use.

trees = {"num_leaves": 7, "learning_rate": 0.1, "random_state": 0, "verbose": -1}
model = FocalLGBMClassifierCV(n_estimators=500, cv=TimeSeriesSplit(5), **trees)
model.fit(X.iloc[train], fraud[train])
rows = lightgbm.Dataset(X.iloc[train], fraud[train])
stopped = lightgbm.train(
    {"objective": "binary", **trees},
    rows,
    num_boost_round=500,
    valid_sets=[lightgbm.Dataset(X.iloc[recent], fraud[recent], reference=rows)],
    callbacks=[lightgbm.early_stopping(20, verbose=False)],
)
weighted = lightgbm.LGBMClassifier(class_weight="balanced", **trees)
weighted.fit(X.iloc[train], fraud[train])

proba = model.predict_proba(X)[:, 1]
compared = {
    "this model": proba[test],
    "early stopping": stopped.predict(X.iloc[test]),
    "class weights": weighted.predict_proba(X.iloc[test])[:, 1],
    "the truth": table.proba[test],
}
scores = {
    name: {
        "average precision": average_precision_score(fraud[test], p),
        "log loss": log_loss(fraud[test], p),
        "mean probability": p.mean(),
    }
    for name, p in compared.items()
}
print(f"gamma {model.focal_gamma_}, {model.n_estimators_} rounds")
print(pd.DataFrame(scores).T.round(4).to_string())
print(f"share of fraud: {fraud[test].mean():.4f}")

# %%
# The odds of fraud grow with time here, so the mean probability is too low. ``adjust_priors`` moves
# the probabilities to the share of the last days before the test. If labels come late, take the
# newest days whose labels are complete.

share = fraud[recent].mean()
model.adjust_priors([1 - share, share])
proba = model.predict_proba(X)[:, 1]
print(f"mean probability after adjust_priors: {proba[test].mean():.4f}")

# %%
# Twenty alerts a day
# -------------------
#
# The threshold comes from the ten days before the test, which the model was not trained on. It is a
# probability, so it comes after ``adjust_priors``.

budget = 20 / (len(recent) / 10)
desk = AlertBudgetClassifier(FrozenEstimator(model), budget=budget)
desk.fit(X.iloc[recent], fraud[recent])
alerted = desk.predict(X.iloc[test])
print(f"alerts a day: {alerted.sum() / 20:.0f}")
print(f"share of fraud that is found: {recall_score(fraud[test], alerted):.2f}")
print(f"share of alerts that are right: {precision_score(fraud[test], alerted):.2f}")

# %%
# Costs of each transaction
# -------------------------
#
# Alert a transaction if ``amount * P > 5``. A check costs 5 in both cases, so this is the cost of a
# false alarm and of an alert that is right.

amount = X["amount"].to_numpy()[test]
costs = {"false_positive_cost": 5.0, "true_positive_cost": 5.0, "false_negative_cost": amount}
decisions = {
    "no alerts": np.zeros(len(test), dtype=int),
    "twenty alerts a day": alerted,
    "by the costs of each row": cost_decision(proba[test], **costs).astype(int),
    "the same with class weights": cost_decision(compared["class weights"], **costs).astype(int),
    "the same with the truth": cost_decision(compared["the truth"], **costs).astype(int),
}
for name, decision in decisions.items():
    paid = 1000 * mean_cost(fraud[test], decision, pos_label=1, **costs)
    print(f"{name}: {paid:.0f} for 1,000 transactions, {decision.mean():.3f} of them alerted")

# %%
# Reasons
# -------
#
# The classes ending in CV have ``link="posterior"`` by default. The contributions of the columns
# then add up to the log-odds of the probability. These are the four largest reasons for the
# strongest alert.

strongest = test[[proba[test].argmax()]]
contributions = model.booster_.predict(X.iloc[strongest], pred_contrib=True)[0, :-1]
order = np.argsort(-contributions)[:4]
for column in order:
    print(f"{X.columns[column]} = {X.iloc[strongest[0], column]}: {contributions[column]:+.1f}")

# %%
# The saved model
# ---------------
#
# The saved booster contains the calibration and the adjusted prevalence.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "fraud.txt"
    model.booster_.save_model(path)
    alone = lightgbm.Booster(model_file=path).predict(X.iloc[test])
print(f"largest difference without skfocal: {np.abs(alone - proba[test]).max():.0e}")

# %%
# Four figures for the desk
# -------------------------
#
# The first figure has the calibration with intervals. The second has the recall against the number
# of alerts. The third has the cost of each threshold, and that of the decision by row. The fourth
# compares the mean probability of later days with the share of fraud. Bars of three standard errors
# show which differences can be chance.

plt.rcParams["font.size"] = 11
figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
PosteriorCalibrationDisplay.from_estimator(
    model, X.iloc[test], fraud[test], log=True, ax=axes[0, 0]
)
axes[0, 0].set_title("calibration", loc="left")

for name in ("this model", "early stopping", "class weights"):
    AlertBudgetDisplay.from_predictions(
        fraud[test],
        compared[name],
        periods=20,
        name=name,
        metrics=["recall"],
        log=False,
        ax=axes[0, 1],
    )
axes[0, 1].axvline(20, color="0.5", linewidth=0.8)
axes[0, 1].set_title("alerts", loc="left")
axes[0, 1].set(xlabel="alerts a day", xlim=(0, 100))
axes[0, 1].legend(frameon=False, loc="lower right")

CostDisplay.from_predictions(fraud[test], proba[test], name="this model", ax=axes[1, 0], **costs)
axes[1, 0].set_title("costs", loc="left")

period = (day.to_numpy()[test] - 70) // 4
found = pd.DataFrame({"period": period, "p": proba[test], "fraud": fraud[test]})
grouped = found.groupby("period")
mean, seen, n_rows = grouped["p"].mean(), grouped["fraud"].mean(), grouped.size()
error = 3 * np.sqrt(mean * (1 - mean) / n_rows)
axes[1, 1].errorbar(70 + 4 * mean.index, mean, error, fmt="-o", capsize=3, label="predicted")
axes[1, 1].plot(70 + 4 * mean.index, seen, "s", label="observed")
axes[1, 1].set_title("monitoring", loc="left")
axes[1, 1].set(xlabel="day", ylabel="share of fraud", ylim=(0, None))
axes[1, 1].legend(frameon=False)
plt.show()
