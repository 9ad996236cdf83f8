"""
Categories and gaps, handed over as they are
============================================

Whom can a bank sell a deposit by telephone? The columns are numbers and words, and much is
unknown. The boosters take such a frame as it is: a split of a ``category`` column parts its
categories into two sets, and NaN goes to the side where it fits better. A linear model needs
numbers without gaps, hence a pipeline in front of it.

What to see: the frame as it is does as well as one-hot columns do, and saves the pipeline.
Both boosters are ahead of the linear model, for which the columns were prepared with most
care. All five train on the focal loss.

Run it from the root of a clone: the table comes from ``benchmarks.data``.
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

from benchmarks.data import bank_marketing
from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier

# %%
# The table says ``unknown`` for what it does not know, and -1 days since the last call where
# there was none. Here both become NaN, which is what they mean.

X, y = bank_marketing()
for name in X.select_dtypes("category"):
    known = X[name].cat.categories.drop("unknown", errors="ignore")
    X[name] = X[name].cat.set_categories(known)
X["pdays"] = X["pdays"].where(X["pdays"] >= 0)
print(pd.DataFrame({"dtype": X.dtypes, "missing": X.isna().mean().round(3)}).to_string())

# %%
# The boosters once on the frame and once behind one-hot columns, where an unknown word is a
# category of its own and gaps in numbers are left to the trees. XGBoost wants to be told that
# categories are meant. The linear model gets gaps filled by the median, a flag for each column
# with gaps, and quantiles in place of skewed numbers.

categories = make_column_selector(dtype_include="category")
numbers = make_column_selector(dtype_include="number")
one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
dense = make_pipeline(
    SimpleImputer(strategy="median", add_indicator=True),
    QuantileTransformer(output_distribution="normal", random_state=0),
)
trees = {"n_estimators": 100, "learning_rate": 0.1, "random_state": 0, "n_jobs": 2}
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
# Five random splits, 10,000 rows to train on and 20,000 held out.

splits = StratifiedShuffleSplit(5, train_size=10_000, test_size=20_000, random_state=0)
scores, curves = {name: [] for name in models}, {}
for train, test in splits.split(X, y):
    for name, model in models.items():
        proba = model.fit(X.iloc[train], y.iloc[train]).predict_proba(X.iloc[test])[:, 1]
        scores[name].append(average_precision_score(y.iloc[test], proba))
        curves[name] = precision_recall_curve(y.iloc[test], proba)
print(pd.DataFrame(scores).mean().round(2).to_string())

# %%
# Precision and recall on the last split, and average precision on each of the five.

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
