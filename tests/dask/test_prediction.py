"""What a fitted model gives on a cluster: lazy arrays, equal to the local model's."""

import inspect

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal

from skfocal.dask import DaskFocalLGBMClassifier, DaskFocalXGBClassifier
from tests.dask.clusters import KINDS, each_kind, lazy, rows

pytestmark = [pytest.mark.costly, pytest.mark.xdist_group("cluster")]  # all files share it


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
@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibration_and_priors_are_those_of_the_local_model(
    client, kind, local_kind, quiet, link, n_classes
):
    X, y = rows(n_classes, 3000)
    weight = np.linspace(0.5, 1.5, len(y))
    dX, dy, d_weight = *lazy(X, y, chunk=700), lazy(weight, chunk=700)[0]
    shares = np.linspace(1.0, 2.0, n_classes)
    priors = shares / shares.sum()
    model = kind(n_estimators=5, link=link, priors=priors, **quiet)
    model.fit(dX, dy, sample_weight=d_weight)
    assert_allclose(model.priors_, priors)
    totals = [weight[y == label].sum() for label in model.classes_]
    assert_allclose(model.class_prior_, totals / np.sum(totals), rtol=1e-6)
    local = model.to_local()
    assert_array_equal(local.priors_, model.priors_)
    local.calibrate(X, y, weight)
    assert model.calibrate(dX, dy, d_weight) is model
    assert model.calibration_ == local.calibration_
    assert_array_equal(model.predict_proba(dX), local.predict_proba(X))
    assert_array_equal(model.predict(dX), local.predict(X))
    model.adjust_priors(None)
    local.adjust_priors(None)
    assert_array_equal(model.predict_proba(dX), local.predict_proba(X))
    with pytest.raises(TypeError, match="must be a Dask"):
        model.calibrate(X, y)
