"""Is a model that a cluster trained as good as one of a single process?

Two worker processes on this machine and 1,000,000 rows x 20, for both boosters, two and five
classes. The average precision (mean over classes) and log loss on 200,000 other rows of

- one process: `FocalLGBMClassifier` and `FocalXGBClassifier` with all rows in memory;
- cluster: the Dask classifiers with the same parameters;
- cluster, weights of 2: the same, where every other row counts twice;
- cluster, rows twice: the same, where every other row is there twice.

    python -m benchmarks.distributed [--quick]

writes benchmarks/results/distributed.csv.
"""

import argparse
import time

import dask.array as da
import numpy as np
import pandas as pd
from dask.distributed import Client, LocalCluster
from sklearn.metrics import log_loss

from benchmarks.data import mixed_signal
from benchmarks.quality import precision_of
from benchmarks.report import write_results
from skfocal import FocalLGBMClassifier, FocalXGBClassifier
from skfocal.dask import DaskFocalLGBMClassifier, DaskFocalXGBClassifier

ROWS, TEST_ROWS, BLOCKS = 1_000_000, 200_000, 10
# After 50 rounds of two classes the average precision of LightGBM, the plain one too, still
# depends by .01 on the order of the rows: products of columns are found late, and by chance.
ROUNDS = {2: 200, 5: 50}
BOOSTERS = {
    "LightGBM": (FocalLGBMClassifier, DaskFocalLGBMClassifier, {"verbose": -1}),
    "XGBoost": (FocalXGBClassifier, DaskFocalXGBClassifier, {}),
}


def in_workers(client: Client, array: np.ndarray) -> da.Array:
    """Blocks of rows in the memory of the workers."""
    rows = -(-len(array) // BLOCKS)
    return client.persist(da.from_array(array, chunks=(rows, *array.shape[1:])))


def compare(client: Client, booster: str, n_classes: int, n_rows: int) -> pd.DataFrame:
    """Quality of all sides."""
    X, y = mixed_signal(n_rows + TEST_ROWS, n_features=20, n_classes=n_classes)
    X, X_test, y, y_test = X[:n_rows], X[n_rows:], y[:n_rows], y[n_rows:]
    local_kind, kind, quiet = BOOSTERS[booster]
    settings = {"n_estimators": ROUNDS[n_classes], **quiet}
    times = np.tile([1, 2], n_rows // 2)
    # the second copy of a row goes anywhere: to the other worker, or not
    repeated = np.random.default_rng(0).permutation(np.repeat(np.arange(n_rows), times))

    def on_cluster(X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None):
        rows = [in_workers(client, array) for array in (X, y)]
        given = {} if weight is None else {"sample_weight": in_workers(client, weight)}
        return kind(**settings).fit(*rows, **given).to_local()

    sides = {
        "one process": lambda: local_kind(**settings).fit(X, y),
        "cluster": lambda: on_cluster(X, y),
        "cluster, weights of 2": lambda: on_cluster(X, y, times.astype(np.float32)),
        "cluster, rows twice": lambda: on_cluster(X[repeated], y[repeated]),
    }
    results = []
    for side, fitted in sides.items():
        start = time.perf_counter()
        model = fitted()
        seconds = time.perf_counter() - start
        proba = model.predict_proba(X_test)
        results.append(
            {
                "booster": booster,
                "classes": n_classes,
                "rows": n_rows,
                "rounds": ROUNDS[n_classes],
                "side": side,
                "average_precision": precision_of(y_test, proba),
                "log_loss": log_loss(y_test, proba),
                "seconds": round(seconds, 1),
            }
        )
        print(results[-1], flush=True)
    return pd.DataFrame(results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    options = parser.parse_args()
    n_rows = ROWS // 10 if options.quick else ROWS
    workers = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**workers) as cluster, Client(cluster) as client:
        table = pd.concat(
            compare(client, booster, n_classes, n_rows)
            for booster in BOOSTERS
            for n_classes in (2, 5)
        )
    print(table.to_string(index=False))
    if not options.quick:
        write_results(table, "distributed")


if __name__ == "__main__":
    main()
