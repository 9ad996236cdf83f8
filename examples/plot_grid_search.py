"""
Searching gamma and alpha in a pipeline
=======================================

Which customer takes the bank's offer? ``GridSearchCV`` goes over ``focal_gamma`` and
``focal_alpha`` of the classifier at the end of a pipeline. Three scores are recorded: log loss,
which is proper, average precision, which sees the ranking alone, and recall, which sees the
labels of ``predict``. What to look at:

- gamma acts like a regulariser: log loss has a shallow minimum at a small one;
- the ranking hardly moves, and not beyond what the folds leave uncertain;
- alpha moves recall a long way, as it moves the decision of ``predict``. It is undone in the
  probabilities, whose log loss only a large one makes a little worse.

Run it from the root of a clone: the table comes from ``benchmarks.data``.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, log_loss, recall_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks.data import bank_marketing
from skfocal import FocalHistGradientBoostingClassifier

# %%
# 8,000 of 45,211 calls, one in nine successful. -1 days since the last contact means that there
# was none: a missing value.

X, y = bank_marketing()
X["pdays"] = X["pdays"].where(X["pdays"] >= 0)
split = train_test_split(X, y, train_size=8000, stratify=y, random_state=0)
X_train, X_test, y_train, y_test = split

# %%
# Numbers are imputed, categories encoded. The trees are scikit-learn's default ones without early
# stopping, which fit these rows too closely: there is something to regularise.

numbers, categories = (make_column_selector(dtype_include=t) for t in ("number", "category"))
columns = make_column_transformer(
    (SimpleImputer(strategy="median", add_indicator=True), numbers),
    (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
)
model = FocalHistGradientBoostingClassifier(link="posterior", early_stopping=False, random_state=0)
pipeline = Pipeline([("columns", columns), ("model", model)])

# %%
# Alpha is the weight of the successful calls; 0.5 weighs both classes alike, and with gamma 0
# that is log loss. The search refits on log loss: recall would always ask for more alpha.

gammas, alphas = [0.0, 0.5, 2.0, 5.0], [0.25, 0.5, 0.75, 0.9]
search = GridSearchCV(
    pipeline,
    {"model__focal_gamma": gammas, "model__focal_alpha": alphas},
    scoring=["neg_log_loss", "average_precision", "recall"],
    refit="neg_log_loss",
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
    n_jobs=2,
).fit(X_train, y_train)
print(search.best_params_)

# %%
# On the calls that the search has not seen, the gain in log loss is a small one. Smaller trees,
# without any focal loss, gain more: gamma is one regulariser of several.

plain = {"model__focal_gamma": 0.0, "model__focal_alpha": 0.5}
models = {
    "log loss": clone(pipeline).set_params(**plain),
    "best of the grid": search.best_estimator_,
    "log loss, smaller trees": clone(pipeline).set_params(**plain, model__max_leaf_nodes=7),
}
rows = {}
for name, fitted in models.items():
    proba = fitted.fit(X_train, y_train).predict_proba(X_test)[:, 1]
    rows[name] = {
        "log loss": log_loss(y_test, proba),
        "average precision": average_precision_score(y_test, proba),
        "recall": recall_score(y_test, fitted.predict(X_test)),
    }
print(pd.DataFrame(rows).T.round(3))

# %%
# The folds differ by as much as the settings do. So each setting is compared with log loss
# in the same fold: points are means of the five differences, bars their standard errors.


def over_folds(score: str) -> np.ndarray:
    """Scores by alpha, gamma and fold."""
    folds = [search.cv_results_[f"split{k}_test_{score}"] for k in range(5)]
    return np.transpose(folds).reshape(len(alphas), len(gammas), 5)


def against_log_loss(score: str) -> np.ndarray:
    """Differences from gamma 0 and alpha 0.5 in the same fold."""
    values = over_folds(score)
    return values - values[alphas.index(0.5), 0]


panels = {
    "change in log loss": -against_log_loss("neg_log_loss"),
    "change in average precision": against_log_loss("average_precision"),
    "recall": over_folds("recall"),
}
figure, axes = plt.subplots(1, 3, figsize=(7.4, 3.8), layout="constrained")
styles = [("#0072B2", "o-"), ("black", "s--"), ("#E69F00", "^-."), ("#D55E00", "D:")]
for side, (title, values) in zip(axes, panels.items(), strict=True):
    for k, (colour, style) in enumerate(styles):
        side.errorbar(
            np.arange(len(gammas)) + 0.1 * (k - 1.5),  # beside each other
            values[k].mean(axis=1),
            values[k].std(axis=1, ddof=1) / 5**0.5,
            fmt=style,
            color=colour,
            label=f"alpha {alphas[k]:g}",
        )
    side.set_title(title, fontsize="medium")
    side.set(xlabel="gamma", ylim=(-0.02, 0.02), yticks=[-0.02, -0.01, 0, 0.01, 0.02])
    side.set_xticks(range(len(gammas)), [f"{gamma:g}" for gamma in gammas])
    side.axhline(0, color="0.8", zorder=0)
    side.spines[["top", "right"]].set_visible(False)
axes[2].set(ylim=(0, 1), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()
