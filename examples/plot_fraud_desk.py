"""
A fraud desk: from raw transactions to a served model
=====================================================

A bank has 90 days of card transactions, of which 0.4 % are fraud. A team can check 20 of them
a day. A missed fraud costs its amount, and a check costs 5. This example does the whole job:
columns, a model, probabilities, alerts, costs, reasons, monitoring and a saved file.

The table is simulated, so that the true probability of each transaction is known.
"""

import tempfile
from pathlib import Path

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import TimeSeriesSplit

from skfocal import FocalLGBMClassifierCV
from skfocal.datasets import make_transactions
from skfocal.decisions import AlertBudgetClassifier, cost_decision
from skfocal.metrics import mean_cost, precision_at_budget, recall_at_budget
from skfocal.plotting import AlertBudgetDisplay, CostDisplay, PosteriorCalibrationDisplay

# %%
# From raw columns to features
# ----------------------------
#
# The model must know at the time of a payment what it uses. The date is left out: a model has never
# seen the dates that it will predict.

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
# The fit chooses gamma and the number of rounds, and calibrates. ``TimeSeriesSplit`` judges by
# later rows. Beside it stands what many people do: LightGBM with balanced class weights.

trees = {"num_leaves": 7, "learning_rate": 0.1, "random_state": 0, "verbose": -1}
model = FocalLGBMClassifierCV(n_estimators=500, cv=TimeSeriesSplit(5), **trees)
model.fit(X.iloc[train], fraud[train])
weighted = lightgbm.LGBMClassifier(class_weight="balanced", **trees)
weighted.fit(X.iloc[train], fraud[train])

proba = model.predict_proba(X)[:, 1]
judged = {
    "this model": proba[test],
    "class weights": weighted.predict_proba(X.iloc[test])[:, 1],
    "the truth": table.proba[test],
}
rows = {
    name: {
        "average precision": average_precision_score(fraud[test], p),
        "log loss": log_loss(fraud[test], p),
        "mean probability": p.mean(),
    }
    for name, p in judged.items()
}
print(f"gamma {model.focal_gamma_}, {model.n_estimators_} rounds")
print(pd.DataFrame(rows).T.round(4).to_string())
print(f"share of fraud: {fraud[test].mean():.4f}")

# %%
# The odds of fraud grow with time here. So the mean probability falls behind. The share of the last
# days before the test is known, and moves the probabilities to it.

share = fraud[recent].mean()
model.adjust_priors([1 - share, share])
proba = model.predict_proba(X)[:, 1]
print(f"mean probability after adjust_priors: {proba[test].mean():.4f}")

# %%
# Twenty alerts a day
# -------------------
#
# The threshold comes from the ten days before the test, which the model was not trained on.

budget = 20 / (len(recent) / 10)
desk = AlertBudgetClassifier(FrozenEstimator(model), budget=budget)
desk.fit(X.iloc[recent], fraud[recent])
alerted = desk.predict(X.iloc[test])
print(f"alerts a day: {alerted.sum() / 20:.0f}")
recall = recall_at_budget(fraud[test], proba[test], budget=budget)
precision = precision_at_budget(fraud[test], proba[test], budget=budget)
print(f"share of fraud that is found: {recall:.2f}")
print(f"share of alerts that are right: {precision:.2f}")

# %%
# Costs of each transaction
# -------------------------
#
# Alert a transaction if ``amount * P > 5 * (1 - P)``.

amount = X["amount"].to_numpy()[test]
costs = {"false_positive_cost": 5.0, "false_negative_cost": amount}
decisions = {
    "no alerts": np.zeros(len(test), dtype=int),
    "twenty alerts a day": alerted,
    "by the costs of each row": cost_decision(proba[test], **costs).astype(int),
    "the same with class weights": cost_decision(judged["class weights"], **costs).astype(int),
    "the same with the truth": cost_decision(judged["the truth"], **costs).astype(int),
}
for name, decision in decisions.items():
    paid = 1000 * mean_cost(fraud[test], decision, pos_label=1, **costs)
    print(f"{name}: {paid:.0f} for 1,000 transactions, {decision.mean():.3f} of them alerted")

# %%
# Reasons
# -------
#
# The classes ending in CV have ``link="posterior"`` by default. The contributions of the columns
# are then log-odds of the probability. These are the reasons for the strongest alert.

strongest = test[[proba[test].argmax()]]
contributions = model.booster_.predict(X.iloc[strongest], pred_contrib=True)[0, :-1]
order = np.argsort(-np.abs(contributions))[:4]
for column in order:
    print(f"{X.columns[column]} = {X.iloc[strongest[0], column]}: {contributions[column]:+.1f}")

# %%
# The saved model
# ---------------
#
# The booster is an ordinary one. It has the calibration and the adjusted prevalence inside.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "fraud.txt"
    model.booster_.save_model(path)
    alone = lightgbm.Booster(model_file=path).predict(X.iloc[test])
print(f"largest difference without skfocal: {np.abs(alone - proba[test]).max():.0e}")

# %%
# Four figures for the desk
# -------------------------
#
# Probabilities against what happened, with intervals; what a number of alerts finds; what a
# threshold costs, and the decision by row; and the monitoring of later days.

plt.rcParams["font.size"] = 11
figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
PosteriorCalibrationDisplay.from_estimator(
    model, X.iloc[test], fraud[test], log=True, ax=axes[0, 0]
)
axes[0, 0].set_title("probabilities", loc="left")

for name in ("this model", "class weights"):
    AlertBudgetDisplay.from_predictions(
        fraud[test], judged[name], periods=20, name=name, ax=axes[0, 1]
    )
axes[0, 1].axvline(20, color="0.5", linewidth=0.8)
axes[0, 1].set_title("alerts", loc="left")
axes[0, 1].set_xlabel("alerts a day")

CostDisplay.from_predictions(fraud[test], proba[test], name="this model", ax=axes[1, 0], **costs)
axes[1, 0].set_title("costs", loc="left")

period = (day.to_numpy()[test] - 70) // 4
found = pd.DataFrame({"period": period, "p": proba[test], "fraud": fraud[test]})
grouped = found.groupby("period")
mean, seen, n_rows = grouped["p"].mean(), grouped["fraud"].mean(), grouped.size()
error = 2 * np.sqrt(mean * (1 - mean) / n_rows)
axes[1, 1].errorbar(70 + 4 * mean.index, mean, error, fmt="-o", capsize=3, label="said")
axes[1, 1].plot(70 + 4 * mean.index, seen, "s", label="seen")
axes[1, 1].set_title("monitoring", loc="left")
axes[1, 1].set(xlabel="day", ylabel="share of fraud", ylim=(0, None))
axes[1, 1].legend(frameon=False)
plt.show()
