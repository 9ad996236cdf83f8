"""
Training on a Dask cluster
==========================

Late borrowers, from files that two workers read. The files are sorted by the label, which is the
worst case: only the last one has late borrowers, so that one worker trains on rows of a single
class. What to look at:

- the cluster's model scores held-out rows like that of one process, though not to the last digit:
  they differ by as much as two models of one process on the same rows in another order (left);
- it is as good (right). Labels, class weights and the start are those of all rows, on whichever
  worker they lie;
- two workers on one machine save no time. A cluster is for tables that are too large for one.

Run it from the root of a clone: the table comes from ``benchmarks.data``.
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

from benchmarks.data import give_me_some_credit
from skfocal import FocalXGBClassifier
from skfocal.dask import DaskFocalXGBClassifier

# %%
# Four files of training rows.

X, y = give_me_some_credit()
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
table = X_train.assign(late=y_train).sort_values("late")
temporary = TemporaryDirectory()
folder = Path(temporary.name)
for k, rows in enumerate(np.array_split(np.arange(len(table)), 4)):
    table.iloc[rows].to_parquet(folder / f"rows{k}.parquet")
    print(f"file {k}: {len(rows):,} rows, {table['late'].iloc[rows].sum():,} late")

# %%
# The workers are threads here, so that this page runs as it stands. Workers that are processes,
# ``LocalCluster(n_workers=2, threads_per_worker=1)``, import the script: its code then belongs
# under ``if __name__ == "__main__":``. On many machines, too, only the line of the cluster changes.
#
# ``to_local`` gives the same model without Dask, which is saved and loaded like any other.

settings = {
    "focal_alpha": "balanced",
    "n_estimators": 100,
    "max_depth": 4,
    "learning_rate": 0.1,
    "verbosity": 0,
}
quiet = {"silence_logs": logging.ERROR, "dashboard_address": ":0"}
with (
    LocalCluster(n_workers=2, threads_per_worker=1, processes=False, **quiet) as cluster,
    Client(cluster),
):
    rows = dd.read_parquet(folder / "rows*.parquet").persist()
    model = DaskFocalXGBClassifier(**settings).fit(rows.drop(columns="late"), rows["late"])
    model.to_local().save_model(folder / "model.json")
on_cluster = FocalXGBClassifier()
on_cluster.load_model(folder / "model.json")
temporary.cleanup()

# %%
# One process, twice: rows as they were split, and shuffled.

shuffled = X_train.sample(frac=1, random_state=0)
local = FocalXGBClassifier(**settings, n_jobs=2)
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
# The figure has the scores of 3,000 held-out rows, and curves of all 37,500.

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
left.set(xlabel="P(late), one process", ylabel="P(late), other models")
left.legend(markerscale=2)
right.set(xlabel="recall", ylabel="precision", ylim=(0, 1))
right.legend()
for side in (left, right):
    side.spines[["top", "right"]].set_visible(False)
plt.show()
