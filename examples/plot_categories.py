"""
Categories and missing values, passed as they are
=================================================

Many tables hold words as well as numbers, and have missing values. This example trains LightGBM and
XGBoost on such a table, and again on its one-hot columns: a column of 0 and 1 for each word. What
to see: the table as it is does as well as one-hot columns, and needs no pipeline. A linear model
needs numbers without missing values, so its pipeline has more steps. Here both boosters still rank
frauds better than the linear model. All five models train on the focal loss.

A tree splits a ``category`` column into two sets of categories. A missing value goes to the side
where it fits better. The transactions are simulated, so the true probabilities are known.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier
from skfocal.datasets import make_transactions

# %%
# One transaction in ten is a fraud here. Only ``minutes_since_last`` has missing values: it is
# missing for the first transaction of a card. So a fifth of the values of four other columns is
# deleted at random.

table = make_transactions(60_000, fraud_rate=0.1, random_state=0)
X = table.data.drop(columns=["time", "card"]).assign(hour=table.data["time"].dt.hour)
y = table.target
rng = np.random.default_rng(0)
for name in ("merchant", "entry", "amount", "card_age_days"):
    X[name] = X[name].mask(rng.uniform(size=len(X)) < 0.2)
print(pd.DataFrame({"dtype": X.dtypes, "missing": X.isna().mean().round(3)}).to_string())

# %%
# Each booster gets the table as it is, and one-hot columns. A missing word has a one-hot column of
# its own, and missing numbers stay missing. ``enable_categorical`` lets XGBoost use categories. For
# the linear model, the median replaces missing numbers, and an extra column marks them. Its skewed
# numbers become quantiles of a normal distribution.

categories = make_column_selector(dtype_include="category")
numbers = make_column_selector(dtype_include="number")
one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
dense = make_pipeline(
    SimpleImputer(strategy="median", add_indicator=True),
    QuantileTransformer(output_distribution="normal", random_state=0),
)
trees = {"n_estimators": 100, "learning_rate": 0.1, "random_state": 0}
lightgbm = FocalLGBMClassifier(num_leaves=15, verbose=-1, **trees)
xgboost = FocalXGBClassifier(max_depth=4, enable_categorical=True, **trees)
only_words = make_column_transformer((one_hot, categories), remainder="passthrough")
linear = make_column_transformer((one_hot, categories), (dense, numbers))
models = {
    "LightGBM: as it is": lightgbm,
    "LightGBM: one-hot": make_pipeline(only_words, lightgbm),
    "XGBoost: as it is": xgboost,
    "XGBoost: one-hot": make_pipeline(only_words, xgboost),
    "linear: one-hot, median, flags, quantiles": make_pipeline(linear, FocalLogisticRegression()),
}

# %%
# There are five random splits. Each has 20,000 rows to train on, and 20,000 rows to test. The score
# is average precision: the mean precision over all recalls. The last row ranks by the true
# probabilities, which use the deleted values, too.

splits = StratifiedShuffleSplit(5, train_size=20_000, test_size=20_000, random_state=0)
scores, curves, best = {name: [] for name in models}, {}, []
for train, test in splits.split(X, y):
    for name, model in models.items():
        proba = model.fit(X.iloc[train], y[train]).predict_proba(X.iloc[test])[:, 1]
        scores[name].append(average_precision_score(y[test], proba))
        curves[name] = precision_recall_curve(y[test], proba)
    best.append(average_precision_score(y[test], table.proba[test]))
print(pd.DataFrame({**scores, "true probabilities": best}).mean().round(3).to_string())

# %%
# The left panel shows precision and recall on the last split. The right panel shows average
# precision on each of the five. The linear model is the worst one on every split. This depends on
# the table. If no values are deleted, the linear model does about as well as the boosters, because
# the true log-odds are almost a sum with one term for each column.

plt.rcParams["font.size"] = 12
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 5), layout="constrained")
looks = {
    "LightGBM": ("#0072B2", "-", "o"),
    "XGBoost": ("#D55E00", "--", "s"),
    "linear": ("#000000", ":", "D"),
}
for name, values in scores.items():
    kind, _, needs = name.partition(": ")
    colour, style, marker = looks[kind]
    twin = kind != "linear" and needs == "one-hot"
    if not twin:
        precision, recall, _ = curves[name]
        left.plot(recall, precision, style, color=colour, linewidth=2.2, label=kind)
    label = f"{kind}\n{needs}".replace("median, ", "median,\n")
    face = "white" if twin else colour
    right.plot(values, [label] * 5, marker, color=colour, markerfacecolor=face, markersize=8)
left.set(xlabel="recall", ylabel="precision", xlim=(0.02, 1), ylim=(0, 1))
left.legend(frameon=False)
right.invert_yaxis()
right.set(xlabel="average precision")
right.grid(axis="y", color="0.9")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()
