"""The boosters on a Dask cluster of two worker processes."""

import inspect
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import dask
import dask.array as da
import dask.dataframe as dd
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from dask.distributed import Client, LocalCluster, get_worker
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score, log_loss
from sklearn.utils import shuffle

from skfocal import FocalLGBMClassifier, FocalXGBClassifier
from skfocal.dask import DaskFocalLGBMClassifier, DaskFocalXGBClassifier, WorkerLostError, _cluster
from skfocal.dask import _tables as _collections

N_ROWS = 8000
CHUNK = 900  # nine blocks, the last of them short


def local_cluster():
    return LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")


@pytest.fixture(scope="module")
def client():
    with local_cluster() as cluster, Client(cluster) as client:
        yield client


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


@each_kind
@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_as_good_as_in_one_process(client, kind, local_kind, quiet, n_classes, link):
    X, y = rows(n_classes, 30_000)
    settings = {"n_estimators": 30, "focal_alpha": "balanced", "link": link, **quiet}
    local = local_kind(**settings).fit(X, y)
    model = kind(**settings).fit(*lazy(X, y, chunk=3500)).to_local()
    assert type(model) is local_kind
    assert model.loss_ == local.loss_
    assert_array_equal(model.classes_, local.classes_)
    assert_alike(model, local, X, y)


@each_kind
@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("first, second", [("a", "b"), ("b", "a"), ("ab", "bc"), ("ac", "bc")])
def test_workers_that_lack_classes(client, kind, local_kind, quiet, first, second, link):
    # labels, class weights, start and scale of a worker's own rows would be nonsense
    X, y = rows(len({*first, *second}), 12_000)
    y = np.array(list("abc"))[np.unique(y, return_inverse=True)[1]]
    here = np.isin(y, list(first)) & ((np.arange(len(y)) % 2 == 0) | ~np.isin(y, list(second)))
    parts = [(X[mask], y[mask]) for mask in (here, ~here)]
    assert [set(labels) for _, labels in parts] == [set(first), set(second)]
    settings = {"n_estimators": 20, "link": link, "focal_alpha": "balanced", **quiet}
    model = kind(**settings).fit(*placed(client, *parts)).to_local()
    assert_alike(model, local_kind(**settings).fit(X, y), X, y)


@each_kind
def test_weights_count_as_repetitions(client, kind, local_kind, quiet):
    X, y = rows(n_rows=10_000)
    weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    settings = {"n_estimators": 20, **quiet}
    weighted = kind(**settings).fit(*lazy(X, y), sample_weight=lazy(weight)[0])
    times = weight.astype(int)
    # repetitions of a row are put anywhere, so that workers share them
    repeated = shuffle(np.repeat(X, times, axis=0), np.repeat(y, times), random_state=0)
    repeated = kind(**settings).fit(*lazy(*repeated, chunk=2000))
    assert_allclose(weighted.loss_.class_weight, repeated.loss_.class_weight)
    assert_alike(weighted.to_local(), repeated.to_local(), X, y)
    plain = kind(**settings).fit(*lazy(X, y)).to_local()
    assert np.ptp(plain.predict_proba(X)[:, 1] - weighted.to_local().predict_proba(X)[:, 1]) > 0.01


@each_kind
def test_rows_of_weight_zero_are_as_if_absent(client, kind, local_kind, quiet):
    X, y = rows(n_rows=6000)
    weight = np.ones(len(y))
    weight[::3] = 0
    X[::3] = 1e9
    settings = {"n_estimators": 10, **quiet}
    model = kind(**settings).fit(*lazy(X, y), sample_weight=lazy(weight)[0]).to_local()
    assert_array_equal(model.classes_, ["common", "rare"])
    local = local_kind(**settings).fit(X, y, sample_weight=weight)
    assert_alike(model, local, X[weight > 0], y[weight > 0])


@each_kind
def test_a_worker_whose_rows_do_not_count(client, kind, local_kind, quiet):
    X, y = rows(n_rows=6000)
    parts = [(X[:3000], y[:3000], np.ones(3000)), (X[3000:], y[3000:], np.zeros(3000))]
    dX, dy, weight = placed(client, *parts)
    settings = {"n_estimators": 10, **quiet}
    model = kind(**settings).fit(dX, dy, sample_weight=weight).to_local()
    assert_alike(model, local_kind(**settings).fit(X[:3000], y[:3000]), X, y)
    empty = [(X, y), (X[:0], y[:0])]
    model = kind(**settings).fit(*placed(client, *empty)).to_local()
    assert_alike(model, local_kind(**settings).fit(X, y), X, y)


@each_kind
def test_the_error_of_a_block_is_told(client, kind, local_kind, quiet):
    X, y = rows(n_rows=2000)

    def fail(block):
        raise OSError("disk gone")

    broken = da.from_array(X, chunks=(500, -1)).map_blocks(fail, meta=np.empty((0, 10)))
    model = kind(n_estimators=2, **quiet)
    with pytest.raises(OSError, match="disk gone"):
        model.fit(broken, lazy(y, chunk=500)[0])
    with pytest.raises(OSError, match="disk gone"):
        model.fit(*lazy(X, y), eval_set=[(broken, lazy(y, chunk=500)[0])])
    assert not hasattr(model, "loss_")


def test_columns_that_cannot_be_split(client):
    X, y = rows(n_rows=2000)
    dX, dy = lazy(np.zeros_like(X), y)
    model = DaskFocalLGBMClassifier(verbose=-1).fit(dX, dy)
    shares = np.unique(y, return_counts=True)[1] / len(y)
    assert_allclose(model.predict_proba(dX).compute()[0], shares, rtol=1e-6)
    # the connections are free again
    DaskFocalLGBMClassifier(n_estimators=2, verbose=-1).fit(*lazy(X, y))


@each_kind
def test_results_know_nothing_of_the_cluster(client, kind, local_kind, quiet):
    X, y = rows(n_rows=3000)
    model = kind(n_estimators=3, **quiet).fit(*lazy(X, y)).to_local()
    if kind is DaskFocalLGBMClassifier:
        assert not {"machines", "num_machines", "local_listen_port"} & set(model.booster_.params)
        text = model.booster_.model_to_string()
        assert "[machines: ]" in text
        assert "[num_machines: 1]" in text
        again = model.booster_.refit(X, y == "rare")  # it would wait for other machines
        assert again.predict(X).shape == (3000,)
    else:
        assert "tcp://" not in model.get_booster().save_config()


def test_a_rank_metric_where_a_worker_has_one_class(client):
    X, y = rows(3, 6000)
    common = np.flatnonzero(y == "common")[:1500]
    others = np.setdiff1d(np.arange(6000), common)
    evaluation = placed(client, (X[common], y[common]), (X[others], y[others]))
    model = DaskFocalXGBClassifier(n_estimators=4, eval_metric="auc")
    model.fit(*lazy(X, y), eval_set=[tuple(evaluation)], verbose=False)
    recorded = model.evals_result()["validation_0"]["auc"]
    assert np.isfinite(recorded).all()
    assert recorded[-1] > 0.8


def test_threads_are_those_of_the_worker(monkeypatch):
    from types import SimpleNamespace

    import distributed

    from skfocal.dask._xgboost_workers import WorkerObjective

    worker = SimpleNamespace(state=SimpleNamespace(nthreads=3))
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    labels, margins = np.array([0.0, 1.0]), np.zeros(2, dtype=np.float32)
    for given, used in ((sys.maxsize, 3), (2, 2)):
        objective = WorkerObjective(n_threads=given)
        objective(labels, margins)
        assert objective.n_threads == used


@each_kind
@pytest.mark.parametrize("n_classes", [2, 3])
def test_results_are_lazy_arrays_equal_to_the_local_models(
    client, kind, local_kind, quiet, n_classes
):
    X, y = rows(n_classes, 3000)
    dX, dy = lazy(X, y, chunk=700)
    model = kind(n_estimators=5, **quiet).fit(dX, dy)
    local = model.to_local()
    for name in ("predict", "predict_proba", "decision_function"):
        expected = getattr(local, name)(X)
        result = getattr(model, name)(dX)
        assert isinstance(result, da.Array)
        assert result.chunks[0] == dX.chunks[0]
        assert result.shape == expected.shape
        assert result.dtype == expected.dtype
        assert_array_equal(result.compute(), expected)
    assert model.score(dX, dy) == local.score(X, y)
    weight = np.linspace(0, 1, len(y))
    assert model.score(dX, dy, lazy(weight)[0]) == pytest.approx(local.score(X, y, weight))


@each_kind
def test_nothing_is_computed_before_it_is_asked_for(client, kind, local_kind, quiet):
    X, y = rows(n_rows=2000)
    model = kind(n_estimators=2, **quiet).fit(*lazy(X, y))

    def fail(block):
        raise AssertionError("computed")

    never = da.from_array(X, chunks=(500, -1)).map_blocks(fail, meta=np.empty((0, 10)))
    result = model.predict_proba(never)
    with pytest.raises(AssertionError, match="computed"):
        result.compute()


def test_other_things_to_predict(client):
    X, y = rows(n_rows=2000)
    dX, dy = lazy(X, y)
    model = DaskFocalLGBMClassifier(n_estimators=3, verbose=-1).fit(dX, dy)
    local = model.to_local()
    for asked in ({"pred_leaf": True}, {"pred_contrib": True}, {"raw_score": True}):
        assert_array_equal(model.predict(dX, **asked), local.predict(X, **asked))
    model = DaskFocalXGBClassifier(n_estimators=3).fit(dX, dy)
    margin = np.linspace(-1, 1, len(y))
    given = {"output_margin": True, "base_margin": margin}
    lazily = given | {"base_margin": lazy(margin, chunk=300)[0]}
    assert_array_equal(model.predict(dX, **lazily), model.to_local().predict(X, **given))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("frames", [False, True], ids=["arrays", "frames"])
def test_leaves_are_lazy_and_those_of_xgboosts_own(client, n_classes, frames):
    X, y = rows(n_classes, 2000)
    dX, dy = lazy(X, y)
    if frames:
        X = pd.DataFrame(X).add_prefix("x")
        dX, dy = dd.from_pandas(X, npartitions=3), dd.from_pandas(pd.Series(y), npartitions=3)
    model = DaskFocalXGBClassifier(n_estimators=4).fit(dX, dy)
    theirs = xgb.DMatrix(X)
    for rounds in (None, (0, 2)):
        leaves = model.apply(dX, iteration_range=rounds)
        assert isinstance(leaves, da.Array)
        options = {} if rounds is None else {"iteration_range": rounds}
        expected = model.get_booster().predict(theirs, pred_leaf=True, **options)
        assert leaves.shape[1:] == expected.shape[1:]
        assert leaves.dtype == expected.dtype
        assert_array_equal(leaves.compute(), expected)
    with pytest.raises(TypeError, match="X must be a Dask"):
        model.apply(X)


def test_public_methods_of_the_classes_in_memory_are_known_to_be_right_on_a_cluster():
    # a method of a table that Dask's class inherits would get the collection itself
    for kind, local_kind, _ in KINDS:
        tables = {
            name
            for name in dir(local_kind)
            if not name.startswith("_")
            and callable(getattr(local_kind, name, None))
            and "X" in inspect.signature(getattr(local_kind, name)).parameters
        }
        assert {"predict", "predict_proba", "decision_function", "score", "fit"} <= tables
        for name in tables:
            assert getattr(kind, name) is not getattr(local_kind, name), name


@each_kind
def test_dataframes_keep_names_and_categories(client, kind, local_kind, quiet):
    X, y = rows(n_rows=4000)
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(10)])
    frame["kind"] = pd.Categorical(np.where(y == "rare", "b", "a"), categories=["a", "b", "c"])
    labels = pd.Series(y, name="label").astype("category")
    settings = {"n_estimators": 5, **quiet}
    if kind is DaskFocalXGBClassifier:
        settings["enable_categorical"] = True
    dX, dy = dd.from_pandas(frame, npartitions=4), dd.from_pandas(labels, npartitions=4)
    model = kind(**settings).fit(dX, dy)
    assert_array_equal(model.feature_names_in_, frame.columns)
    result = model.predict_proba(dX)
    assert isinstance(result, da.Array)
    assert_array_equal(result.compute(), model.to_local().predict_proba(frame))
    assert scores(model.to_local(), frame, y)[0] > 0.99  # the category tells the class
    renamed = dX.rename(columns={"x0": "y0"})
    with pytest.raises(ValueError, match="feature names"):
        model.predict(renamed).compute()
    if kind is DaskFocalXGBClassifier:
        unseen = model.predict_proba(renamed, validate_features=False)
        assert_array_equal(unseen.compute(), result.compute())
    unknown = dX.astype({"kind": object}).astype({"kind": "category"})
    with pytest.raises(ValueError, match=r"categories of \['kind'\] are not known"):
        model.fit(unknown, dy)


@each_kind
def test_sparse_blocks(client, kind, local_kind, quiet):
    X, y = rows(n_rows=12_000)
    X[np.abs(X) < 1] = 0
    dX, dy = lazy(X, y)
    csr = dX.map_blocks(sparse.csr_matrix, meta=sparse.csr_matrix((0, 10)))
    model = kind(n_estimators=5, **quiet).fit(csr, dy).to_local()
    dense = local_kind(n_estimators=5, **quiet).fit(sparse.csr_matrix(X), y)
    assert_alike(model, dense, sparse.csr_matrix(X), y)


def test_metrics_are_of_all_rows_on_lightgbm(client):
    X, y = rows(n_rows=9100)
    (X, X_eval), (y, y_eval) = np.split(X, [6000]), np.split(y, [6000])
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y_eval)).astype(np.float32)
    model = DaskFocalLGBMClassifier(
        n_estimators=200, verbose=-1, learning_rate=0.3, metric=["binary_logloss", "auc"]
    )
    model.fit(
        *lazy(X, y),
        eval_set=[tuple(lazy(X_eval, y_eval))],
        eval_sample_weight=lazy(weight),
        eval_names=["new"],
        callbacks=[lgb.early_stopping(5, verbose=False)],
    )
    recorded = model.evals_result_["new"]["binary_logloss"]
    assert 1 < model.best_iteration_ < 200
    assert model.best_iteration_ == np.argmin(recorded) + 1
    local = model.to_local()
    assert local.best_iteration_ == model.best_iteration_
    expected = log_loss(y_eval, local.predict_proba(X_eval), sample_weight=weight)
    assert recorded[model.best_iteration_ - 1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_metrics_are_of_all_rows_on_xgboost(client, n_classes):
    X, y = rows(n_classes, 9100)
    (X, X_eval), (y, y_eval) = np.split(X, [6000]), np.split(y, [6000])
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y_eval))
    weight[:1000] *= 50  # most of the weight lies with one worker
    names = ["error", "rmse", "logloss"] if n_classes == 2 else ["merror", "mlogloss"]
    model = DaskFocalXGBClassifier(n_estimators=100, early_stopping_rounds=5, eval_metric=names)
    model.fit(
        *lazy(X, y),
        eval_set=[tuple(lazy(X_eval, y_eval))],
        sample_weight_eval_set=lazy(weight),
        verbose=False,
    )
    recorded = model.evals_result()["validation_0"]
    assert 1 < model.best_iteration < 99
    assert model.best_iteration == np.argmin(recorded[names[-1]])
    local = model.to_local()
    proba = local.predict_proba(X_eval)
    own = y_eval == "rare"
    expected = {
        names[-1]: log_loss(y_eval, proba, sample_weight=weight),
        names[0]: np.average(local.predict(X_eval) != y_eval, weights=weight),
    }
    if n_classes == 2:
        expected["rmse"] = np.average((proba[:, 1] - own) ** 2, weights=weight) ** 0.5
    for name, value in expected.items():
        assert recorded[name][model.best_iteration] == pytest.approx(value, rel=1e-6), name


def test_early_stopping_on_xgboost_sees_every_digit(client):
    X, y = rows(n_rows=3000)
    (X, X_eval), (y, y_eval) = np.split(X, [2000]), np.split(y, [2000])
    small = {"focal_alpha": {"common": 1e-5, "rare": 1e-4}, "link": "posterior"}
    model = DaskFocalXGBClassifier(n_estimators=200, early_stopping_rounds=5, **small)
    model.fit(*lazy(X, y), eval_set=[tuple(lazy(X_eval, y_eval, chunk=400))], verbose=False)
    recorded = model.evals_result()["validation_0"]["focal_loss"]
    local = model.to_local()
    codes = np.searchsorted(local.classes_, y_eval)
    margins = [
        local.predict(X_eval, output_margin=True, iteration_range=(0, i + 1)).astype(float)
        for i in range(len(recorded))
    ]
    expected = [local.loss_.loss(codes, raw).mean() for raw in margins]
    assert_allclose(recorded, expected, rtol=1e-6)
    assert model.best_iteration == np.argmin(expected) < 199
    assert len(recorded) == model.best_iteration + 6
    assert model.get_booster().attr("best_score") == repr(min(recorded))


def test_an_evaluation_set_of_one_block_leaves_a_worker_without_rows(client):
    X, y = rows(n_rows=4000)
    model = DaskFocalXGBClassifier(n_estimators=5)
    model.fit(*lazy(X, y), eval_set=[tuple(lazy(X[:200], y[:200]))], verbose=False)
    recorded = model.evals_result()["validation_0"]["focal_loss"]
    local = model.to_local()
    codes = np.searchsorted(local.classes_, y[:200])
    expected = local.loss_.loss(codes, local.predict(X[:200], output_margin=True)).mean()
    assert recorded[-1] == pytest.approx(expected, rel=1e-6)


@each_kind
def test_pickle_leaves_the_client_behind_and_clone_keeps_it(client, kind, local_kind, quiet):
    X, y = rows(n_rows=2000)
    dX, dy = lazy(X, y)
    model = kind(n_estimators=3, focal_gamma=1.5, **quiet)
    assert model.client is None
    assert model.client_ is client
    model.set_params(client=client)
    fresh = clone(model)
    assert fresh.client is fresh.client_ is client
    assert fresh.focal_gamma == 1.5
    fresh.set_params(focal_gamma=1.0)
    assert model.focal_gamma == 1.5
    model.fit(dX, dy)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(dX), model.predict(dX))
    left_out = {"client": None, "missing": None}  # the latter is NaN
    assert again.get_params() | left_out == model.get_params() | left_out
    assert clone(again).get_params() | left_out == again.get_params() | left_out
    assert "client" not in model.to_local().get_params()
    model.set_params(client=client)  # a fitted booster has no use for it


@each_kind
def test_what_is_no_client_is_refused(client, kind, local_kind, quiet):
    dX, dy = lazy(*rows(n_rows=1000))
    model = kind(n_estimators=2, client=3, **quiet)
    with pytest.raises(TypeError, match=r"client must be a distributed\.Client or None; got 3"):
        model.fit(dX, dy)
    assert not hasattr(model, "loss_")
    fitted = model.set_params(client=client).fit(dX, dy)
    assert fitted.client is client
    assert fitted.predict(dX).compute().shape == (1000,)


def fit_in_a_task(model, X, y):
    """Train, and predict what was trained, where only the worker knows a client."""
    model.fit(X, y, eval_set=[(X, y)])
    return model, model.score(X, y)


@each_kind
def test_training_in_a_task_of_the_cluster(client, kind, local_kind, quiet):
    dX, dy = lazy(*rows(n_rows=4000))
    # each worker has one thread: the task itself must not keep it
    model, score = client.submit(fit_in_a_task, kind(n_estimators=3, **quiet), dX, dy).result(120)
    assert score == model.score(dX, dy) > 0.8
    expected = kind(n_estimators=3, **quiet).fit(dX, dy)
    assert_allclose(model.predict_proba(dX), expected.predict_proba(dX), atol=1e-3)
    again = client.submit(kind(n_estimators=3, **quiet).fit, dX, dy).result(120)
    assert_allclose(again.predict_proba(dX), expected.predict_proba(dX), atol=1e-3)


def test_a_training_set_that_is_evaluated_is_one_matrix(client, monkeypatch):
    from xgboost import dask as xgboost_dask

    made = []
    original = xgboost_dask.DaskDMatrix.__init__

    def make(self, *args, **kwargs):
        made.append(self)
        original(self, *args, **kwargs)

    monkeypatch.setattr(xgboost_dask.DaskDMatrix, "__init__", make)
    X, y = rows(n_rows=2000)
    dX, dy, weight = lazy(X, y, np.linspace(1, 2, 2000))
    shown = []
    for eval_weight, n_made in ((weight, 1), (weight + 0, 2)):
        made.clear()
        model = DaskFocalXGBClassifier(n_estimators=3)
        model.fit(
            dX,
            dy,
            sample_weight=weight,
            eval_set=[(dX, dy)],
            sample_weight_eval_set=[eval_weight],
            verbose=False,
        )
        assert len(made) == n_made
        shown.append(model.evals_result()["validation_0"]["focal_loss"])
    assert_allclose(*shown, rtol=1e-6)


@pytest.mark.parametrize("frames", [False, True], ids=["arrays", "frames"])
def test_the_other_order_of_bytes_on_xgboost(client, frames):
    X, y = rows(n_rows=2000)
    weight = np.arange(2000) % 3 + 1.0
    fitted = []
    for dtype in (np.dtype("f4"), np.dtype("f4").newbyteorder("S")):
        dX, dy, sample_weight = lazy(X.astype(dtype), y, weight.astype(dtype))
        if frames:
            dX = dd.from_pandas(pd.DataFrame(X.astype(dtype)).add_prefix("x"), npartitions=3)
            dy, sample_weight = (dd.from_pandas(pd.Series(a), npartitions=3) for a in (y, weight))
        model = DaskFocalXGBClassifier(n_estimators=3)
        model.fit(dX, dy, sample_weight=sample_weight, eval_set=[(dX, dy)], verbose=False)
        shown = model.evals_result()["validation_0"]["focal_loss"]
        fitted.append((shown, model.predict_proba(dX).compute()))
    assert_allclose(fitted[0][0], fitted[1][0], rtol=1e-4)
    assert_allclose(fitted[0][1], fitted[1][1], atol=1e-3)


@each_kind
def test_training_goes_on(client, kind, local_kind, quiet):
    X, y = rows(n_rows=3000)
    dX, dy = lazy(X, y)
    first = kind(n_estimators=5, **quiet).fit(dX, dy)
    name = "xgb_model" if kind is DaskFocalXGBClassifier else "init_model"
    second = kind(n_estimators=5, **quiet).fit(dX, dy, **{name: first})
    assert scores(second.to_local(), X, y)[1] < scores(first.to_local(), X, y)[1]
    with pytest.raises(ValueError, match="another gamma"):
        kind(n_estimators=5, focal_gamma=1, **quiet).fit(dX, dy, **{name: first})


@each_kind
def test_a_start_of_ones_own(client, kind, local_kind, quiet):
    X, y = rows(n_rows=20_000)
    start = np.full(len(y), -3.0)
    name = "base_margin" if kind is DaskFocalXGBClassifier else "init_score"
    model = kind(n_estimators=5, **quiet).fit(*lazy(X, y), **{name: lazy(start)[0]}).to_local()
    local = local_kind(n_estimators=5, **quiet).fit(X, y, **{name: start})
    losses = [  # the start is no part of the models
        m.loss_.loss(y == "rare", start + m.set_params(probability="raw").decision_function(X))
        for m in (model, local)
    ]
    assert losses[0].mean() == pytest.approx(losses[1].mean(), rel=0.01)


@each_kind
def test_bad_input_is_told_and_leaves_the_model_as_it_was(client, kind, local_kind, quiet):
    X, y = rows(n_rows=2000)
    dX, dy = lazy(X, y)
    model = kind(n_estimators=2, **quiet).fit(dX, dy)
    before = model.predict_proba(dX).compute()
    on_xgboost = kind is DaskFocalXGBClassifier
    weights = "sample_weight_eval_set" if on_xgboost else "eval_sample_weight"
    of_set = {"eval_set": [(dX, dy)]}
    bad = [
        (TypeError, "X must be a Dask", (X, dy), {}),
        (TypeError, "y must be a Dask", (dX, y), {}),
        (ValueError, "2000 rows, but y has 1999", (dX, dy[:-1]), {}),
        (ValueError, "3 partitions, but y has 2", (dX, dd.from_pandas(pd.Series(y), 2)), {}),
        (ValueError, "two dimensions", (dX[:, 0], dy), {}),
        (ValueError, "only one class", (dX, da.full(2000, 1, chunks=CHUNK)), {}),
        (ValueError, "continuous", (dX, dX[:, 0]), {}),
        (ValueError, "Negative values", (dX, dy), {"sample_weight": -da.ones(2000)}),
        (ValueError, "zero for all", (dX, dy), {"sample_weight": da.zeros(2000)}),
        (ValueError, "labels that are not in y", (dX, dy), {"eval_set": [(dX, dy + "?")]}),
        (ValueError, "features", (dX, dy), {"eval_set": [(dX[:, :4], dy)]}),
        (TypeError, "y must be a Dask", (dX, None), {}),
        (TypeError, f"{weights} must be a Dask", (dX, dy), of_set | {weights: [np.ones(2000)]}),
    ]
    for error, text, arguments, named in bad:
        with pytest.raises(error, match=text):
            model.fit(*arguments, **named)
        assert_array_equal(model.predict_proba(dX), before)
    with pytest.raises(ValueError, match="features"):
        model.predict(dX[:, :3]).compute()
    with pytest.raises(TypeError, match="X must be a Dask"):
        model.predict(X)


@each_kind
def test_scikit_learns_callbacks_are_refused(client, kind, local_kind, quiet):
    callback = pytest.importorskip("sklearn.callback")
    X, y = rows(n_rows=1000)
    model = kind(n_estimators=2, **quiet).set_callbacks(callback.ProgressBar())
    with pytest.raises(ValueError, match="cannot be called from a cluster"):
        model.fit(*lazy(X, y))


@each_kind
def test_a_lost_worker_is_an_error_within_a_minute(kind, local_kind, quiet):
    X, y = rows(n_rows=20_000)
    with local_cluster() as cluster, Client(cluster) as client:
        dX, dy = client.persist(lazy(X, y, chunk=2000))
        model = kind(n_estimators=2, **quiet).fit(dX, dy)
        before = model.get_params()
        model.set_params(n_estimators=100_000)
        pid = next(iter(client.run(os.getpid).values()))
        ended = []

        def end():
            time.sleep(3)
            ended.append(time.monotonic())
            os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=end)
        killer.start()
        with pytest.raises(WorkerLostError, match="Lost during fit"):
            model.fit(dX, dy)
        killer.join()
        assert time.monotonic() - ended[0] < 60
        # the model is the one before, and the cluster is of use
        model.set_params(n_estimators=before["n_estimators"])
        assert len(model.to_local().predict(X[:10])) == 10
        assert kind(n_estimators=2, **quiet).fit(*lazy(X, y)).score(*lazy(X, y)) > 0.8


def wait_forever():
    while True:
        time.sleep(0.1)


def end_soon():
    time.sleep(1)
    os._exit(1)


@pytest.mark.parametrize("nanny", [True, False])
def test_workers_that_wait_for_a_lost_one_are_restarted(monkeypatch, nanny):
    monkeypatch.setattr(_cluster, "GRACE", 1.0)
    if not nanny:
        with LocalCluster(n_workers=2, processes=False, dashboard_address=":0") as cluster:
            check_error_of_a_task(cluster)
        return
    with local_cluster() as cluster, Client(cluster) as client:
        first, second = client.ncores()
        watched = _cluster.WatchedClient(client)
        tasks = [
            watched.submit(end_soon, workers=[first], pure=False),
            watched.submit(wait_forever, workers=[second], pure=False),
        ]
        with pytest.raises(WorkerLostError, match=first) as caught:
            watched.gather(tasks)
        assert "were restarted" in caught.value.__notes__[0]
        assert client.submit(lambda: get_worker().address).result(timeout=30) not in (first, second)


def check_error_of_a_task(cluster):
    """Without nannies, in one process: the error of a task is what is raised."""
    with Client(cluster) as client:
        first, second = client.ncores()
        watched = _cluster.WatchedClient(client)
        tasks = [
            watched.submit(divide, 1, 0, workers=[first], pure=False),
            watched.submit(time.sleep, 3, workers=[second], pure=False),
        ]
        with pytest.raises(ZeroDivisionError) as caught:
            watched.gather(tasks)
        assert "end them" in caught.value.__notes__[0]


def divide(one, other):
    return one / other


def test_a_missing_part_of_the_extra_names_the_command():
    code = (
        "import sys\n"
        "sys.modules['pyarrow'] = None\n"
        "try:\n"
        "    import skfocal.dask\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        'skfocal.dask needs pyarrow, which is not installed: pip install "skfocal[dask]"'
    )


def test_labels_are_counted_where_they_are(client):
    y = da.from_array(np.repeat([3, 1, 2], 100), chunks=70)
    target, counts = _collections.summarise(client, y, None)
    assert_array_equal(target.classes, [1, 2, 3])
    assert_array_equal(target.sample_weight, [100, 100, 100])
    assert [int(block.totals.sum()) for block in counts] == [70, 70, 70, 70, 20]
    assert not any(block.has_zeros for block in counts)
    with dask.config.set(scheduler="synchronous"):
        assert_array_equal(_collections.encode(y, target.classes), np.repeat([2, 0, 1], 100))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_where_nothing_can_be_split_lightgbm_gives_the_constant_model(client, n_classes):
    X, y = rows(n_classes, 2000)
    X = np.ones_like(X)
    dX, dy = lazy(X, y)
    model = DaskFocalLGBMClassifier(n_estimators=3, verbose=-1).fit(dX, dy, eval_set=[(dX, dy)])
    shares = np.unique(y, return_counts=True)[1] / len(y)
    assert_allclose(model.predict_proba(dX).compute()[0], shares, rtol=1e-9)
    (values,) = model.evals_result_.values()
    loss = model.loss_.loss(
        np.searchsorted(model.classes_, y), model.predict(dX, raw_score=True).compute()
    )
    assert_allclose(values["focal_loss"], loss.mean(), rtol=1e-6)
    X, y = rows(n_classes, 2000)  # the workers' network is as it was
    assert np.ptp(model.fit(*lazy(X, y)).predict_proba(lazy(X)[0]).compute()) > 0.1


@each_kind
@pytest.mark.parametrize("absent", ["common", "seldom"])
def test_a_class_without_weight(client, kind, local_kind, quiet, absent):
    X, y = rows(3, 4000)
    weight = (y != absent) * 1.0
    model = kind(n_estimators=5, focal_alpha="balanced", **quiet)
    model = model.fit(*lazy(X, y), sample_weight=lazy(weight)[0]).to_local()
    local = local_kind(n_estimators=5, focal_alpha="balanced", **quiet)
    local.fit(X, y, sample_weight=weight)
    assert model.classes_.tolist() == ["common", "rare", "seldom"]
    assert model.loss_ == local.loss_
    P = model.predict_proba(X)
    assert P[:, model.classes_ == absent].max() < 1e-6
    assert_allclose(P.mean(axis=0), local.predict_proba(X).mean(axis=0), atol=0.01)


def test_balanced_class_weight_counts_the_rows_of_all_blocks(client):
    X, y = rows(3, 3000)
    weight = np.where(y == "rare", 0.5, np.arange(len(y)) % 3)
    model = DaskFocalLGBMClassifier(n_estimators=1, class_weight="balanced", verbose=-1)
    model.fit(*lazy(X, y), sample_weight=lazy(weight)[0])
    counts = np.unique(y, return_counts=True)[1]
    assert_allclose(model.loss_.class_weight, len(y) / (3 * counts))


@each_kind
@pytest.mark.parametrize("name", ["collect", "schema", "iloc", "tocsr"])
def test_columns_may_have_names_of_attributes(client, kind, local_kind, quiet, name):
    X, y = rows(n_rows=2000)
    frame = pd.DataFrame(X[:, :3], columns=["a", name, "b"])
    dX, dy = dd.from_pandas(frame, npartitions=2), dd.from_pandas(pd.Series(y), npartitions=2)
    model = kind(n_estimators=3, **quiet).fit(dX, dy, eval_set=[(dX, dy)])
    assert_allclose(
        model.predict_proba(dX).compute(), model.to_local().predict_proba(frame), rtol=1e-6
    )


def test_callbacks_of_lightgbm_must_be_functions(client):
    X, y = rows(n_rows=200)
    with pytest.raises(TypeError, match="callbacks must be a list of functions"):
        DaskFocalLGBMClassifier(verbose=-1).fit(*lazy(X, y), callbacks=[3])
