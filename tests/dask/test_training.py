"""Training on a cluster is training on all rows, wherever they are."""

import sys

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.utils import shuffle

from skfocal.dask import DaskFocalLGBMClassifier, DaskFocalXGBClassifier, _collections
from tests.backends import of
from tests.dask.clusters import assert_alike, each_kind, lazy, placed, rows, scores

pytestmark = [pytest.mark.costly, pytest.mark.xdist_group("cluster")]  # all files share it


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


def fit_in_a_task(model, X, y):
    """Train, and predict what was trained, where only the worker knows a client."""
    model.fit(X, y, eval_set=[(X, y)])
    return model, model.score(X, y)


@each_kind
def test_training_in_a_task_of_the_cluster(client, kind, local_kind, quiet):
    X, y = rows(n_rows=4000)
    # All blocks of a fit may happen to lie on one worker. There LightGBM trains without a network,
    # and its trees are those of two workers where no split is nearly as good as another: with
    # quarters of each feature, and without small leaves.
    quarters = [np.digitize(x, np.quantile(x, [0.25, 0.5, 0.75])) for x in X.T]
    dX, dy = lazy(np.transpose(quarters).astype(float), y)
    settings = {"n_estimators": 3, "max_depth": 3, **quiet}
    # each worker has one thread: the task itself must not keep it
    model, score = client.submit(fit_in_a_task, kind(**settings), dX, dy).result(120)
    assert score == model.score(dX, dy) > 0.8
    expected = kind(**settings).fit(dX, dy)
    assert_allclose(model.predict_proba(dX), expected.predict_proba(dX), atol=1e-3)
    again = client.submit(kind(**settings).fit, dX, dy).result(120)
    assert_allclose(again.predict_proba(dX), expected.predict_proba(dX), atol=1e-3)


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
    name = of(kind).init_model
    second = kind(n_estimators=5, **quiet).fit(dX, dy, **{name: first})
    assert scores(second.to_local(), X, y)[1] < scores(first.to_local(), X, y)[1]
    with pytest.raises(ValueError, match="another gamma"):
        kind(n_estimators=5, focal_gamma=1, **quiet).fit(dX, dy, **{name: first})


@each_kind
def test_a_start_of_ones_own(client, kind, local_kind, quiet):
    X, y = rows(n_rows=20_000)
    start = np.full(len(y), -3.0)
    name = of(kind).init_score
    model = kind(n_estimators=5, **quiet).fit(*lazy(X, y), **{name: lazy(start)[0]}).to_local()
    local = local_kind(n_estimators=5, **quiet).fit(X, y, **{name: start})
    losses = [  # the start is no part of the models
        m.loss_.loss(y == "rare", start + m.set_params(probability="raw").decision_function(X))
        for m in (model, local)
    ]
    assert losses[0].mean() == pytest.approx(losses[1].mean(), rel=0.01)


def test_labels_are_counted_where_they_are(client):
    y = da.from_array(np.repeat([3, 1, 2], 100), chunks=70)
    totals, blocks = _collections.summarise(client, y, None)
    assert_array_equal(totals.classes, [1, 2, 3])
    assert_array_equal(totals.weights, [100, 100, 100])
    assert [int(block.weights.sum()) for block in blocks] == [70, 70, 70, 70, 20]
    assert not any(block.has_zeros for block in blocks)
    with dask.config.set(scheduler="synchronous"):
        assert_array_equal(_collections.encode(y, totals.classes), np.repeat([2, 0, 1], 100))


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
