"""A cluster of two worker processes, and tables on it."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask.distributed import LocalCluster
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score, log_loss

from skfocal import FocalLGBMClassifier, FocalXGBClassifier
from skfocal.dask import DaskFocalLGBMClassifier, DaskFocalXGBClassifier

N_ROWS = 8000
CHUNK = 900  # nine blocks, the last of them short


def local_cluster():
    return LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")


KINDS = [
    (DaskFocalLGBMClassifier, FocalLGBMClassifier, {"verbose": -1}),
    (DaskFocalXGBClassifier, FocalXGBClassifier, {}),
]
each_kind = pytest.mark.parametrize("kind, local_kind, quiet", KINDS, ids=["lightgbm", "xgboost"])


def rows(n_classes=2, n_rows=N_ROWS, seed=0):
    weights = [0.85, 0.15] if n_classes == 2 else [0.6, 0.3, 0.1]
    X, y = make_classification(
        n_rows,
        10,
        n_informative=6,
        n_classes=n_classes,
        weights=weights,
        flip_y=0.05,
        random_state=seed,
    )
    # few values: bins are the same wherever rows are
    return np.round(2 * X) / 2, np.array(["common", "rare", "seldom"])[y]


def lazy(*arrays, chunk=CHUNK):
    return [da.from_array(a, chunks=(chunk, *a.shape[1:])) for a in arrays]


def placed(client, *workers_rows):
    """Arrays whose blocks lie on workers of one's choice: a tuple of blocks for each worker."""
    addresses = sorted(client.ncores())
    arrays = []
    for blocks in zip(*workers_rows, strict=True):
        parts = []
        for block, address in zip(blocks, addresses, strict=True):
            future = client.scatter(block, workers=[address], direct=True)
            parts.append(da.from_delayed(dask.delayed(future), block.shape, block.dtype))
        arrays.append(client.persist(da.concatenate(parts)))
    return arrays


def scores(model, X, y):
    """Average precision of the classes, and log loss."""
    proba = np.asarray(model.predict_proba(X))
    own = np.asarray(y)[:, np.newaxis] == model.classes_
    return average_precision_score(own, proba), log_loss(y, proba)


def assert_alike(one, other, X, y):
    (precision, loss), (expected_precision, expected_loss) = scores(one, X, y), scores(other, X, y)
    assert precision == pytest.approx(expected_precision, abs=0.005)
    assert loss == pytest.approx(expected_loss, rel=0.01)
