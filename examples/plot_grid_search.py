"""
Searching gamma and alpha in a pipeline
=======================================

``GridSearchCV`` searches ``focal_gamma`` and ``focal_alpha`` of the classifier at the end of a
pipeline. It records three scores. Log loss measures probabilities. Average precision measures only
the order of the rows. Recall is the share of frauds that ``predict`` finds. What to see:

- gamma is a weak regulariser: log loss has a shallow minimum at gamma 0.5;
- the order of the rows does not change by more than the folds leave uncertain;
- alpha changes recall a lot, because it moves the decision of ``predict``. The probabilities are
  corrected for alpha. Still, a larger alpha makes their log loss a little worse.
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

from skfocal import FocalHistGradientBoostingClassifier
from skfocal.datasets import make_transactions

# %%
# The table holds simulated card transactions, and 10 % of them are fraud. The search gets 6,000
# rows. The other 34,000 rows test its result.

table = make_transactions(40_000, fraud_rate=0.1, random_state=0)
X = table.data.drop(columns=["time", "card"]).assign(hour=table.data["time"].dt.hour)
y = table.target
split = train_test_split(X, y, train_size=6000, stratify=y, random_state=0)
X_train, X_test, y_train, y_test = split

# %%
# The median replaces missing numbers, and categories become columns of 0 and 1. The trees learn
# fast and have up to 31 leaves, so they fit 6,000 rows too closely. A regulariser can help here.

numbers, categories = (make_column_selector(dtype_include=t) for t in ("number", "category"))
columns = make_column_transformer(
    (SimpleImputer(strategy="median", add_indicator=True), numbers),
    (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
)
model = FocalHistGradientBoostingClassifier(
    link="posterior", max_iter=40, learning_rate=0.25, early_stopping=False, random_state=0
)
pipeline = Pipeline([("columns", columns), ("model", model)])

# %%
# Alpha is the weight of the frauds. Alpha 0.5 gives both classes the same weight. With gamma 0,
# that is log loss. The search refits the setting with the best log loss. Recall would always ask
# for a larger alpha.

gammas, alphas = [0.0, 0.5, 2.0, 5.0], [0.5, 0.75, 0.9]
search = GridSearchCV(
    pipeline,
    {"model__focal_gamma": gammas, "model__focal_alpha": alphas},
    scoring=["neg_log_loss", "average_precision", "recall"],
    refit="neg_log_loss",
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
).fit(X_train, y_train)
print(search.best_params_)

# %%
# On the test rows, the best setting of the grid has a slightly better log loss. Smaller trees are
# much better, without any focal loss. So tune the trees first: gamma is one regulariser of several.

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
print(pd.DataFrame(rows).T.round(3).to_string())

# %%
# Some folds are harder than others. So the first two panels compare each setting with gamma 0 and
# alpha 0.5 in the same fold. Points are means of five differences, and bars are their standard
# errors. The gain at gamma 0.5 is smaller than its standard error. The third panel shows recall
# itself: means and standard errors.


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
styles = [("black", "s--"), ("#0072B2", "o-"), ("#D55E00", "D:")]
for side, (title, values) in zip(axes, panels.items(), strict=True):
    for k, (colour, style) in enumerate(styles):
        side.errorbar(
            np.arange(len(gammas)) + 0.1 * (k - 1),  # beside each other
            values[k].mean(axis=1),
            values[k].std(axis=1, ddof=1) / 5**0.5,
            fmt=style,
            color=colour,
            label=f"alpha {alphas[k]:g}",
        )
    side.set_title(title, fontsize="medium")
    side.set(xlabel="gamma", ylim=(-0.03, 0.03), yticks=[-0.03, -0.02, -0.01, 0, 0.01, 0.02, 0.03])
    side.set_xticks(range(len(gammas)), [f"{gamma:g}" for gamma in gammas])
    side.axhline(0, color="0.8", zorder=0)
    side.spines[["top", "right"]].set_visible(False)
axes[2].set(ylim=(0, 1), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()
