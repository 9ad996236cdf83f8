"""ONNX graphs give the labels and probabilities of the classifiers, in onnxruntime."""

import re
import sys
from functools import partial

import lightgbm as lgb
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier
from skfocal.onnx import _converter, _lightgbm, _linear, to_onnx
from skfocal.xgboost import _format
from tests import backends
from tests.backends import HIST, margins, quiet_fit
from tests.conftest import table

LOGISTIC, LGBM, XGB = FocalLogisticRegression, FocalLGBMClassifier, FocalXGBClassifier
each = pytest.mark.parametrize("kind", [LOGISTIC, LGBM, XGB, HIST])
LABELS = {"integers": [-3, 5, 9], "strings": ["low", "mid", "top"]}


make = partial(backends.make, n_estimators=40)


def run(graph, inputs):
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    if isinstance(inputs, np.ndarray):
        inputs = {session.get_inputs()[0].name: inputs}
    return session.run(["label", "probabilities"], inputs)


def check(model, graph, X, inputs=None):
    """At most 1e-5 apart, and equal labels unless two classes tie."""
    labels, proba = run(graph, X if inputs is None else inputs)
    P = model.predict_proba(X)
    assert proba.dtype == np.float32
    assert np.abs(proba - P).max() <= 1e-5
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    ranked = np.sort(P * last.loss_.class_weight, axis=1)
    tied = ranked[:, -1] - ranked[:, -2] < 1e-5
    assert tied.mean() < 0.01
    assert_array_equal(labels[~tied], model.predict(X)[~tied])


@each
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("gamma", [0.0, 2.0, 10.0, "one per class"])
def test_labels_and_probabilities(kind, n_classes, labels, gamma):
    X, y, _ = table(n_classes, n_rows=10_000)
    X = X.astype(np.float32)
    gamma = tuple(np.linspace(0.5, 3, n_classes)) if isinstance(gamma, str) else gamma
    model = make(kind, focal_gamma=gamma, focal_alpha="balanced")
    model.fit(X, np.array(LABELS[labels])[y])
    check(model, to_onnx(model, X), X)


@each
@pytest.mark.parametrize("n_classes", [2, 3])
def test_raw_probabilities(kind, n_classes):
    X, y, _ = table(n_classes)
    X = X.astype(np.float32)
    model = make(kind, probability="raw").fit(X, y)
    _, proba = run(to_onnx(model, X), X)
    assert np.abs(proba - model.predict_proba(X)).max() <= 1e-5


@each
@pytest.mark.parametrize("n_classes", [2, 3])
def test_in_a_pipeline(kind, n_classes):
    X, y, _ = table(n_classes)
    X = X.astype(np.float32)
    # scaled numbers differ in the last bit, which trees may split at: XGBoost's thresholds
    # are numbers of the table
    first = StandardScaler() if kind is LOGISTIC else SimpleImputer()
    model = make_pipeline(first, make(kind, focal_alpha="balanced")).fit(X, y)
    check(model, to_onnx(model, X), X)


@each
def test_in_a_pipeline_of_a_frame_with_text(kind):
    X, y, _ = table()
    frame = pd.DataFrame(X[:, :3].astype(np.float32), columns=["a", "b", "c"])
    frame["kind"] = np.array(["x", "y", "z"])[np.digitize(X[:, 3], [-1, 1])]
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), ["a", "b", "c"]),
            ("text", OneHotEncoder(sparse_output=False), ["kind"]),
        ]
    )
    model = make_pipeline(columns, make(kind)).fit(frame, y)
    inputs = {name: frame[[name]].to_numpy() for name in frame}
    check(model, to_onnx(model, frame), frame, inputs)


@pytest.mark.parametrize("kind", [LGBM, XGB])
def test_early_stopped_missing_and_weighted(kind):
    X, y, w = table(3)
    X = X.astype(np.float32)
    X[::5, 2] = np.nan
    model = make(kind, n_estimators=300, learning_rate=1.0, early_stopping_rounds=15)
    fit = quiet_fit(kind)
    model.fit(X[::2], y[::2], sample_weight=w[::2], eval_set=[(X[1::2], y[1::2])], **fit)
    check(model, to_onnx(model, X), X)


@each
def test_a_frame_of_numbers_is_one_input(kind):
    X, y, _ = table()
    frame = pd.DataFrame(X.astype(np.float32), columns=[f"my column {i}" for i in range(10)])
    model = make(kind).fit(frame, y)
    check(model, to_onnx(model, frame), frame, {"X": frame.to_numpy()})
    if kind is XGB:  # untouched
        assert model.get_booster().feature_names == list(frame.columns)


@pytest.mark.parametrize("kind", [LGBM, XGB])
def test_tails_are_not_lost(kind):
    """Margins of 15 and more, of which a float32 probability keeps nothing."""
    X, y, _ = table()
    X = X.astype(np.float32)
    model = make(kind, focal_gamma=0.5, focal_alpha={0: 1.0, 1: 1e9}, reg_lambda=0.0)
    model.fit(X, y)
    margin = margins(model, X)
    assert np.abs(margin).max() > 15
    _, proba = run(to_onnx(model, X), X)
    P = model.predict_proba(X)
    assert np.abs(proba - P).max() <= 1e-5
    seen = P > 1e-30  # below, the graph's float32 ends
    assert np.abs(np.log(proba[seen]) - np.log(P[seen])).max() < 1e-3


@pytest.mark.parametrize("k", [2, 3])
def test_a_loaded_forest_is_known_as_one(k, tmp_path):
    X, y, _ = table(k)
    X = X.astype(np.float32)
    make(XGB, num_parallel_tree=3, subsample=0.5).fit(X, y).save_model(tmp_path / "m.json")
    model = XGB()
    model.load_model(tmp_path / "m.json")
    if k == 2:
        check(model, to_onnx(model, X), X)
    else:
        with pytest.raises(NotImplementedError, match="num_parallel_tree"):
            to_onnx(model, X)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_integer_categories_of_lightgbm(one_by_one):
    X, y, _ = table()
    X = X.astype(np.float32)
    X[:, 0] = 7 * np.digitize(X[:, 0], np.linspace(-2, 2, 12)) % 13  # in no order
    params = {"cat_l2": 0.0, "cat_smooth": 1.0, "min_data_per_group": 1}
    model = make(LGBM, max_cat_to_onehot=20 if one_by_one else 1, **params)
    model.fit(X, y, categorical_feature=[0])
    assert re.search(r"\nnum_cat=[1-9]", model.booster_.model_to_string())
    check(model, to_onnx(model, X), X)
    X[::2, 0] += np.float32(0.75)  # LightGBM cuts it off
    X[::7, 0] = -0.5  # category 0
    check(model, to_onnx(model, X), X)


@pytest.mark.parametrize("largest", [2**24 - 1, 2**24, 2**24 + 1])
def test_categories_that_float32_does_not_hold_are_refused(largest):
    X = np.arange(largest - 7, largest + 1, dtype=np.float64).repeat(50)[:, np.newaxis]
    y = X[:, 0].astype(int) % 2
    few = {"n_estimators": 1, "learning_rate": 1.0}
    model = make(LGBM, **few, min_child_samples=1, cat_smooth=1.0, min_data_per_group=1)
    model.fit(X, y, categorical_feature=[0])
    assert model.score(X, y) == 1
    if largest < 2**24:
        check(model, to_onnx(model, X), X.astype(np.float32))
    else:
        with pytest.raises(NotImplementedError, match=f"category {largest} of column 0"):
            to_onnx(model, X)


def table_with_zeros(n_classes):
    """Zeros that mean something, and numbers that LightGBM takes as zeros."""
    X, y, _ = table(n_classes)
    X = X.astype(np.float32)
    X[y == 1, 0] = 0
    X[::3, 1] = 0
    X[::5, 1] = -0.0
    X[::7, 1] = 1e-36
    X[::11, 1] = np.nan
    return X, y


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("way", ["fitted", "loaded", "from_booster"])
def test_zeros_that_are_missing_values(n_classes, way, tmp_path):
    X, y = table_with_zeros(n_classes)
    model = make(LGBM, zero_as_missing=True).fit(X, y)
    P = model.predict_proba(X)
    if way == "loaded":
        model.save_model(tmp_path / "m.txt")
        model = LGBM().load_model(tmp_path / "m.txt")
    elif way == "from_booster":
        model = LGBM.from_booster(model.booster_, focal_gamma=2.0)
    check(model, to_onnx(model, X), X)
    # a zero is not the number 0 here: the test could not fail otherwise
    moved = np.where(X == 0, np.float32(1e-30), X)
    assert np.abs(model.predict_proba(moved) - P).max() > 0.1


def test_zeros_that_are_missing_in_some_trees_only():
    X, y = table_with_zeros(2)
    first = make(LGBM).fit(X, y)
    model = make(LGBM, zero_as_missing=True).fit(X, y, init_model=first)
    with pytest.raises(NotImplementedError, match="zeros of column 1 that are missing values in"):
        to_onnx(model, X)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "params, fit",
    [
        ({}, {"sample_weight": 1e-3}),
        ({"reg_alpha": 1e4}, {}),
        ({"min_child_weight": 1e4}, {}),
        ({"base_score": 1e-7, "min_child_weight": 1e4}, {}),  # XGBoost makes it 1e-6
        ({"n_estimators": 0}, {}),
    ],
)
def test_xgboost_whose_first_tree_is_nothing(params, fit, n_classes):
    X, y, _ = table(n_classes)
    X, y = X.astype(np.float32), np.where(y > 0, y, 0)
    rare = np.r_[np.flatnonzero(y), np.flatnonzero(y == 0)[:100]]
    X, y = X[rare], y[rare]  # from log-odds of 0, a start of 0.5 would be right as well
    model = make(XGB, **{"n_estimators": 3, **params})
    weight = {name: np.full(len(y), 1.0) * value for name, value in fit.items()}
    model.fit(X, y, **weight)
    assert np.ptp(model.predict_proba(X), axis=0).max() < 1e-6
    labels, proba = run(to_onnx(model, X), X[:1])
    np.testing.assert_allclose(proba, model.predict_proba(X[:1]), rtol=1e-4)
    assert_array_equal(labels, model.predict(X[:1]))


def test_thresholds_between_neighbouring_float32_numbers():
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2.0))
    higher = np.nextafter(high, np.float32(2.0))
    X = np.array([[high]] * 100 + [[higher]] * 100, dtype=np.float32)
    y = np.repeat([0, 1], 100)
    model = make(LGBM, min_child_samples=1).fit(X, y)
    assert model.score(X, y) == 1
    check(model, to_onnx(model, X), X)


@pytest.mark.parametrize(
    "model, message",
    [
        (make(LGBM, linear_tree=True), "linear leaves"),
        (make(XGB, booster="dart", rate_drop=0.5), "booster='dart'"),
        (make(XGB, multi_strategy="multi_output_tree"), "multi_output_tree"),
        (make(XGB, num_parallel_tree=2), "num_parallel_tree"),
        (make(XGB, missing=-1.0), "missing=-1.0"),
        (make(XGB, enable_categorical=True, feature_types=["c"] + ["q"] * 9), "categorical"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*booster=dart")
def test_what_would_be_converted_wrongly_is_refused(model, message):
    X, y, _ = table(3)
    X[:, 0] = np.digitize(X[:, 0], [-1, 0, 1])
    model.fit(X, y)
    with pytest.raises(NotImplementedError, match=message):
        to_onnx(model, X)


def test_other_models_and_labels_are_refused():
    X, y, _ = table(n_rows=300)
    days = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")
    with pytest.raises(TypeError, match="to_onnx takes"):
        to_onnx(lgb.LGBMClassifier(verbose=-1).fit(X, y), X)
    with pytest.raises(TypeError, match="integers or strings"):
        to_onnx(LOGISTIC().fit(X, days[y]), X)
    frame = pd.DataFrame({"a": X[:, 0], "c": pd.Categorical(np.array(list("xy"))[y])})
    with pytest.raises(NotImplementedError, match="categories of pandas"):
        to_onnx(make(LGBM).fit(frame, y), frame)


@each
@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_a_model_that_is_not_fitted_is_refused(kind, in_a_pipeline):
    model = make_pipeline(SimpleImputer(), kind()) if in_a_pipeline else kind()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        to_onnx(model, np.zeros((3, 2)))


@each
@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_a_table_of_another_shape_is_refused(kind, in_a_pipeline):
    X, y, _ = table(n_rows=300)
    X = X.astype(np.float32).astype(np.float64)
    model = make_pipeline(SimpleImputer(), make(kind)) if in_a_pipeline else make(kind)
    model.fit(X, y)
    with pytest.raises(ValueError, match=r"X has 9 features, but .* is expecting 10"):
        to_onnx(model, X[:, :9])
    with pytest.raises(ValueError, match=r"(?i)2D array|two dimensions"):
        to_onnx(model, X[:, 0])
    with pytest.raises(TypeError, match="X is sparse"):
        to_onnx(model, sparse.csr_array(X))
    assert len(run(to_onnx(model, X.tolist()), X.astype(np.float32))[0]) == 300


def test_thresholds_that_float32_does_not_hold_are_refused():
    """scikit-learn's thresholds are numbers of the table, where it has many."""
    X, y, _ = table(n_rows=600)
    with pytest.raises(NotImplementedError, match="numbers that float32"):
        to_onnx(make(HIST).fit(X, y), X)


def test_categories_of_scikit_learns_trees_are_refused():
    X, y, _ = table(n_rows=300)
    X[:, 0] = X[:, 0].round().clip(0)
    model = make(HIST, categorical_features=[0]).fit(X, y)
    with pytest.raises(NotImplementedError, match="categorical features"):
        to_onnx(model, X)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "kind, module, part, wrong",
    [
        (
            LOGISTIC,
            _linear,
            "margin",
            lambda margin: lambda *of: of[0].node("Mul", margin(*of), 1.1),
        ),
        (LGBM, _lightgbm, "as_lightgbm_reads", lambda _: lambda graph, X, columns: X),
        (
            XGB,
            _format,
            "margin_before_trees",
            lambda margin: lambda booster: margin(booster) * np.float32(1.01),
        ),
    ],
)
def test_a_graph_of_another_model_is_refused(kind, module, part, wrong, n_classes, monkeypatch):
    X, y = table_with_zeros(n_classes)
    if kind is LOGISTIC:
        X = np.nan_to_num(X)
    extra = {"zero_as_missing": True} if kind is LGBM else {}
    model = make(kind, **extra).fit(X, y)
    monkeypatch.setattr(module, part, wrong(getattr(module, part)))
    with pytest.raises(NotImplementedError, match=r"another model .* rows tried differ.*has \["):
        to_onnx(model, X)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # not installed
    assert len(run(to_onnx(model, X), X)[0]) == len(X)


@pytest.mark.parametrize("kind", [LGBM, XGB])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_splits_that_are_one_step_off_are_refused(kind, n_classes, monkeypatch):
    """One threshold in a graph moved to the next float32 number, which no row of X meets."""
    X, y, _ = table(n_classes)
    X = X.astype(np.float32)
    model = make(kind, n_estimators=2).fit(X, y)
    convert = _converter._convert

    def off(*arguments):
        graph = convert(*arguments)
        (trees,) = (n for n in graph.graph.node if n.op_type == "TreeEnsembleClassifier")
        (values,) = (a for a in trees.attribute if a.name == "nodes_values")
        values.floats[0] = np.nextafter(np.float32(values.floats[0]), np.float32(9))
        return graph

    monkeypatch.setattr(_converter, "_convert", off)
    with pytest.raises(NotImplementedError, match="another model"):
        to_onnx(model, X)


def test_numbers_that_float32_does_not_hold():
    rng = np.random.default_rng(0)
    X = 1.7e9 + rng.integers(0, 60, size=(600, 1)).astype(np.float64)  # seconds; float32 has 128
    y = (X[:, 0] % 2).astype(int)
    model = make(LGBM, min_child_samples=1).fit(X, y)
    with pytest.raises(NotImplementedError, match=r"rows of X differ .* float32"):
        to_onnx(model, X)
    # one row of 300 within a rounding of a threshold
    X = np.repeat([0.0, 1.0], 150)[:, np.newaxis]
    model = make(LGBM, min_child_samples=1).fit(X, X[:, 0].astype(int))
    threshold = model.booster_.trees_to_dataframe().threshold[0]
    above = np.nextafter(threshold, 1.0)
    assert np.float32(above) <= threshold
    X[0] = above
    with pytest.warns(UserWarning, match="1 of 300 rows of X differ .* On row 0"):
        to_onnx(model, X)


def test_a_pipeline_that_computes_otherwise_in_onnx_is_refused():
    """XGBoost takes what a sparse matrix does not store as missing; a graph's tables are dense."""
    X, y, _ = table()
    codes = np.digitize(X[:, :4], [-1, 0, 1]).astype(np.float32)
    model = make_pipeline(OneHotEncoder(sparse_output=False), make(XGB)).fit(codes, y)
    check(model, to_onnx(model, codes), codes)
    model = make_pipeline(OneHotEncoder(), make(XGB)).fit(codes, y)
    with pytest.raises(NotImplementedError, match=r"rows of X differ .* returns a sparse table"):
        to_onnx(model, codes)


def test_a_scaler_before_xgboost_rounds_otherwise():
    """XGBoost splits at scaled numbers of the table, of which ONNX has another last bit."""
    X, y, _ = table()
    X = X.astype(np.float32)
    with pytest.raises(NotImplementedError, match="a step is a scaler"):
        to_onnx(make_pipeline(StandardScaler(), make(XGB)).fit(X, y), X)
    frame = pd.DataFrame(X.astype(np.float64), columns=[f"x{j}" for j in range(10)])
    each = [(name, StandardScaler(), [name]) for name in frame]
    model = make_pipeline(ColumnTransformer(each), make(XGB)).fit(frame, y)
    check(model, to_onnx(model, frame), frame, {name: frame[[name]].to_numpy() for name in frame})


def test_an_onnxruntime_that_is_too_old_is_said(monkeypatch):
    X, y, _ = table(n_rows=300)

    class TooOld:
        def __init__(self, *arguments, **options):
            raise RuntimeError("Current official support for domain ai.onnx is till opset 9.")

    model = LOGISTIC().fit(X, y)
    monkeypatch.setattr(onnxruntime, "InferenceSession", TooOld)
    with pytest.warns(UserWarning, match="cannot run the graph.*not compared.*till opset 9"):
        to_onnx(model, X)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_model_of_xgboost_that_continues_a_plain_one(n_classes):
    """XGBoost has found its ``base_score`` itself, and reads it otherwise where no trees are."""
    X, y, _ = table(n_classes)
    X = X.astype(np.float32)
    plain = backends.of(XGB).parent(n_estimators=5, n_jobs=1).fit(X, y)
    model = XGB(n_estimators=5, n_jobs=1).fit(X, y, xgb_model=plain)
    check(model, to_onnx(model, X), X)
