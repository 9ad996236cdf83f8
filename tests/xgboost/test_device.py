"""Training whose margins stay on a device: on host arrays here, marked ``gpu`` on a real one."""

import sys
import warnings

import numpy as np
import pytest
import xgboost as xgb
from numba import cuda
from numpy.testing import assert_allclose, assert_array_equal
from xgboost.callback import LearningRateScheduler

from skfocal import FocalObjective, FocalXGBClassifier
from skfocal.xgboost import _gpu as _xgboost_device
from skfocal.xgboost._gpu import ResidentTraining, may_stay_on_device
from tests.conftest import table

pytestmark = pytest.mark.costly  # a simulated device
LINKS = pytest.mark.parametrize("link", ["focal", "posterior"])
SETTINGS = [
    {},
    {"subsample": 0.5, "seed": 3},
    {"colsample_bytree": 0.5, "colsample_bynode": 0.7},
    {"num_parallel_tree": 3},
    {"tree_method": "approx"},
    {"grow_policy": "lossguide", "max_leaves": 7},
    {"max_delta_step": 0.3},
    {"reg_alpha": 1.0, "gamma": 0.5, "min_child_weight": 3.0},
    {"monotone_constraints": "(1,0,-1,0,0,0,0,0,0,0)"},
]


def matrix_and_params(n_classes, link, **settings):
    X, y, weight = table(n_classes)
    X = X.astype(np.float32)
    X[X < -2] = np.nan
    weight = weight.astype(np.float32)
    objective = FocalObjective(link=link)
    params = {"objective": "binary:logistic" if n_classes == 2 else "multi:softprob"}
    params |= {"base_score": objective.base_score(y, weight), **settings}
    if n_classes > 2:
        params["num_class"] = n_classes
    kind = xgb.DMatrix if settings.get("tree_method") == "approx" else xgb.QuantileDMatrix
    return kind(X, y, weight=weight), params, objective, (X, y.astype(np.float32), weight)


@LINKS
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_loop_is_that_of_xgboost_bit_for_bit(n_classes, link, settings):
    matrix, params, objective, rows = matrix_and_params(n_classes, link, **settings)
    expected = xgb.train(params, matrix, 12, obj=objective)
    booster = ResidentTraining(*rows)(params, matrix, 12, obj=objective)
    assert booster.save_raw() == expected.save_raw()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_callbacks_evaluation_and_stopping_are_those_of_xgboost(n_classes):
    matrix, params, objective, rows = matrix_and_params(n_classes, "focal")
    params["eval_metric"] = "auc"
    wrong = np.where(np.arange(300) % 3, rows[1][:300], 0)  # no model improves on it for long
    new = xgb.QuantileDMatrix(rows[0][:300], wrong, ref=matrix)
    results = {"xgboost": {}, "here": {}}
    arguments = {
        "obj": objective,
        "evals": [(matrix, "train"), (new, "new")],
        "custom_metric": objective.eval_metric(),
        "early_stopping_rounds": 2,
        "verbose_eval": False,
    }
    boosters = [
        train(
            params,
            matrix,
            60,
            callbacks=[LearningRateScheduler(lambda i: 1.0 / (1 + i))],
            evals_result=results[name],
            **arguments,
        )
        for name, train in [("xgboost", xgb.train), ("here", ResidentTraining(*rows))]
    ]
    assert results["here"] == results["xgboost"]
    assert boosters[0].best_iteration == boosters[1].best_iteration < 59
    assert boosters[0].save_raw() == boosters[1].save_raw()


def test_training_goes_on_and_starts_where_it_is_told():
    matrix, params, objective, rows = matrix_and_params(2, "focal")
    before = xgb.train(params, matrix, 5, obj=objective)
    expected = xgb.train(params, matrix, 5, obj=objective, xgb_model=before)
    booster = ResidentTraining(*rows)(params, matrix, 5, obj=objective, xgb_model=before)
    assert booster.num_boosted_rounds() == 10
    assert booster.save_raw() == expected.save_raw()
    matrix.set_base_margin(np.linspace(-3, 1, matrix.num_row()))
    expected = xgb.train(params, matrix, 5, obj=objective)
    booster = ResidentTraining(*rows)(params, matrix, 5, obj=objective)
    assert booster.save_raw() == expected.save_raw()


def test_another_value_for_missing():
    X, y, _ = table()
    X = np.where(X < -2, -999, X).astype(np.float32)
    matrix = xgb.QuantileDMatrix(X, y, missing=-999)
    objective = FocalObjective()
    params = {"objective": "binary:logistic", "base_score": objective.base_score(y)}
    expected = xgb.train(params, matrix, 8, obj=objective)
    train = ResidentTraining(X, y.astype(np.float32), None, missing=-999)
    assert train(params, matrix, 8, obj=objective).save_raw() == expected.save_raw()
    wrong = ResidentTraining(X, y.astype(np.float32), None)(params, matrix, 8, obj=objective)
    assert wrong.save_raw() != expected.save_raw()


@pytest.fixture
def pretended_device(monkeypatch):
    """NumPy in the place of CuPy, and every fit on it."""
    monkeypatch.setitem(sys.modules, "cupy", np)
    used = []

    def may(params, X):
        used.append(params)
        return True

    monkeypatch.setattr("skfocal.xgboost._classifier.may_stay_on_device", may)
    return used


@LINKS
@pytest.mark.parametrize("weighted", [False, True])
def test_the_classifier_gives_the_same_model(pretended_device, any_table, link, weighted):
    X, y, weight = any_table
    X = X.astype(np.float32)
    weight[::5] = 0
    labels = np.array(["a", "b", "c"])[y]
    settings = {"n_estimators": 100, "learning_rate": 0.5, "early_stopping_rounds": 3, "link": link}
    arguments = {
        "sample_weight": weight if weighted else None,
        "base_margin": np.zeros(len(y) if y.max() == 1 else (len(y), 3)) if weighted else None,
        "eval_set": [(X[:200], labels[:200])],
        "sample_weight_eval_set": [weight[:200] + 1],
        "verbose": False,
    }
    model = FocalXGBClassifier(**settings).fit(X, labels, **arguments)
    assert pretended_device
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skfocal.xgboost._classifier.may_stay_on_device", lambda params, X: False)
        expected = FocalXGBClassifier(**settings).fit(X, labels, **arguments)
    assert model.best_iteration == expected.best_iteration
    assert model.evals_result() == expected.evals_result()
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.get_params()["n_estimators"] == 100


def test_when_margins_may_stay_on_the_device(monkeypatch):
    X = np.zeros((5, 2))
    monkeypatch.setattr(_xgboost_device, "find_spec", lambda name: object())
    monkeypatch.setattr(_xgboost_device, "_has_room", lambda X: True)

    def may(X=X, **params):
        return may_stay_on_device(
            FocalXGBClassifier(**{"device": "cuda", **params}).get_params(), X
        )

    assert may()
    assert may(booster="gbtree", tree_method="hist", X=X.astype(int))
    for params in (
        {"device": "cpu"},
        {"device": None},
        {"device": "cuda:1"},
        {"booster": "dart"},
        {"booster": "gblinear"},
        {"rate_drop": 0.1},
        {"tree_method": "exact"},
        {"multi_strategy": "multi_output_tree"},
        {"process_type": "update"},
        {"feature_types": ["q", "c"]},
        {"X": X.astype(object)},
        {"X": [[1, 2]]},
    ):
        assert not may(**params), params
    monkeypatch.setattr(_xgboost_device, "find_spec", lambda name: None)
    assert not may()


@pytest.mark.skipif(cuda.is_available(), reason="there is a device")
def test_without_a_device_one_warning_and_the_result_of_the_cpu():
    X, y, _ = table()
    model = FocalXGBClassifier(n_estimators=5, device="cuda")
    before = model.get_params()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, eval_set=[(X, y)], verbose=False)
        proba = model.predict_proba(X)
    assert len([w for w in caught if "GPU" in str(w.message)]) == len(caught) == 1
    assert {**model.get_params(), "missing": 0} == {**before, "missing": 0}
    expected = FocalXGBClassifier(n_estimators=5).fit(X, y)
    assert_array_equal(proba, expected.predict_proba(X))


@pytest.mark.gpu
@LINKS
@pytest.mark.parametrize("library", ["numpy", "cupy", "torch", "numba"])
def test_tables_on_a_device(any_table, library, link):
    cupy = pytest.importorskip("cupy")
    X, y, weight = any_table
    X = np.round(X, 1).astype(np.float32)
    weight[::5] = 0

    def bring(array):
        if library == "torch":
            return pytest.importorskip("torch").as_tensor(array, device="cuda")
        return {"numpy": np.asarray, "cupy": cupy.asarray, "numba": cuda.to_device}[library](array)

    settings = {"n_estimators": 20, "link": link, "focal_alpha": "balanced"}
    expected = FocalXGBClassifier(**settings).fit(X, y, sample_weight=weight)
    model = FocalXGBClassifier(device="cuda", **settings)
    model.fit(bring(X), bring(y), sample_weight=bring(weight.astype(np.float32)))
    for probability in ("posterior", "raw"):
        model.set_params(probability=probability)
        expected.set_params(probability=probability)
        proba = model.predict_proba(bring(X))
        if library != "numpy":
            assert type(proba).__module__.partition(".")[0] == library
            proba = cuda.as_cuda_array(proba).copy_to_host()
        assert_allclose(proba, expected.predict_proba(X), rtol=1e-3, atol=1e-4)
    assert np.mean(model.predict(bring(X)) == expected.predict(X)) > 0.995


@pytest.mark.gpu
def test_margins_stay_on_the_device(monkeypatch, any_table):
    pytest.importorskip("cupy")
    X, y, _ = any_table
    seen = []
    original = FocalObjective.__call__

    def record(self, y_true, y_pred, sample_weight=None):
        seen.append(type(y_pred).__module__)
        return original(self, y_true, y_pred, sample_weight)

    monkeypatch.setattr(FocalObjective, "__call__", record)
    FocalXGBClassifier(n_estimators=3, device="cuda").fit(X, y)
    assert [name.partition(".")[0] for name in seen] == ["cupy"] * 3
