"""
Training on a Dask cluster
==========================

Two workers of a Dask cluster read card transactions from four files and train one XGBoost model.
The files are sorted by the label, which is the worst case. Only the last file has fraud, so one
worker trains on rows of a single class. What to see:

- The cluster's model scores held-out rows like a model of one process, but not to the last digit.
  Two models of one process differ as much if the rows are in another order (left).
- The cluster's model is as good (right). Its labels, class weights and start come from the rows of
  all workers.

Two workers on one machine save no time. A cluster is for tables that are too large for one machine.
"""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import dask.dataframe as dd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from dask.distributed import Client, LocalCluster
from sklearn.base import clone
from sklearn.metrics import average_precision_score, log_loss, precision_recall_curve
from sklearn.model_selection import train_test_split

from skfocal import FocalXGBClassifier
from skfocal.dask import DaskFocalXGBClassifier
from skfocal.datasets import make_transactions

# %%
# Simulated transactions, 5 % of them fraud, and four files of training rows.

simulated = make_transactions(100_000, fraud_rate=0.05, random_state=0)
X = simulated.data.drop(columns=["time", "card"])
y = pd.Series(simulated.target, name="fraud")
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
categories = X.dtypes[["merchant", "country", "entry"]].to_dict()
table = X_train.assign(fraud=y_train).sort_values("fraud")
temporary = TemporaryDirectory()
folder = Path(temporary.name)
for k, rows in enumerate(np.array_split(np.arange(len(table)), 4)):
    table.iloc[rows].to_parquet(folder / f"rows{k}.parquet")
    print(f"file {k}: {len(rows):,} rows, {table['fraud'].iloc[rows].sum():,} fraud")

# %%
# The workers are threads here, so that the script runs as it stands. Workers that are processes
# come from ``LocalCluster(n_workers=2, threads_per_worker=1)``. They import the script. Put its
# code under ``if __name__ == "__main__":`` then. On many machines, only the line of the cluster
# changes.
#
# Dask must know the categories, and each file may have its own. ``astype`` gives all files the same
# ones. ``to_local`` returns the same model without Dask. It is saved and loaded like any other.

settings = {
    "focal_alpha": "balanced",
    "n_estimators": 100,
    "max_depth": 4,
    "learning_rate": 0.1,
    "enable_categorical": True,
    "verbosity": 0,
}
quiet = {"silence_logs": logging.ERROR, "dashboard_address": ":0"}
with (
    LocalCluster(n_workers=2, threads_per_worker=1, processes=False, **quiet) as cluster,
    Client(cluster),
):
    rows = dd.read_parquet(folder / "rows*.parquet").astype(categories).persist()
    model = DaskFocalXGBClassifier(**settings).fit(rows.drop(columns="fraud"), rows["fraud"])
    model.to_local().save_model(folder / "model.json")
on_cluster = FocalXGBClassifier()
on_cluster.load_model(folder / "model.json")
temporary.cleanup()

# %%
# One process trains twice: on the rows in the order of the split, and on shuffled rows.

shuffled = X_train.sample(frac=1, random_state=0)
local = FocalXGBClassifier(**settings)
models = {
    "one process": clone(local).fit(X_train, y_train),
    "one process, other order": clone(local).fit(shuffled, y_train[shuffled.index]),
    "cluster": on_cluster,
}
proba = {name: fitted.predict_proba(X_test)[:, 1] for name, fitted in models.items()}
scores = {
    name: {
        "average precision": average_precision_score(y_test, p),
        "log loss": log_loss(y_test, p),
        "mean difference": abs(p - proba["one process"]).mean(),
    }
    for name, p in proba.items()
}
print(pd.DataFrame(scores).T.round(3))

# %%
# The left panel shows the scores of 3,000 held-out rows. The right panel uses all 25,000.

styles = {
    "one process": ("black", "-", None),
    "one process, other order": ("#E69F00", "--", "^"),
    "cluster": ("#0072B2", ":", "o"),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.8), layout="constrained")
for name, (colour, line, marker) in styles.items():
    precision, recall, _ = precision_recall_curve(y_test, proba[name])
    right.plot(recall, precision, line, color=colour, linewidth=2, label=name)
    if marker:
        shown = proba["one process"][:3000], proba[name][:3000]
        left.plot(*shown, marker, color=colour, markersize=3, alpha=0.6, label=name)
left.set(xlabel="P(fraud), one process", ylabel="P(fraud), other models")
left.legend(markerscale=2)
right.set(xlabel="recall", ylabel="precision", ylim=(0, 1))
right.legend()
for side in (left, right):
    side.spines[["top", "right"]].set_visible(False)
plt.show()
