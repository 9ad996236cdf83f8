"""ONNX graphs give the labels and probabilities of the classifiers, in onnxruntime."""

import lightgbm as lgb
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from conftest import table
from numpy.testing import assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier
from skfocal.onnx import to_onnx

LOGISTIC, LGBM, XGB = FocalLogisticRegression, FocalLGBMClassifier, FocalXGBClassifier
each = pytest.mark.parametrize("kind", [LOGISTIC, LGBM, XGB])
LABELS = {"integers": [-3, 5, 9], "strings": ["low", "mid", "top"]}


def make(kind, **params):
    if kind is LOGISTIC:
        return kind(**params)
    extra = {"verbose": -1} if kind is LGBM else {}
    return kind(**{"n_estimators": 40, "n_jobs": 1, **extra, **params})


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
    fit = {"verbose": False} if kind is XGB else {}
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
    margin = model.predict(X, **{"raw_score" if kind is LGBM else "output_margin": True})
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


def test_integer_categories_of_lightgbm():
    X, y, _ = table()
    X = X.astype(np.float32)
    X[:, 0] = np.digitize(X[:, 0], [-1, 0, 1])
    model = make(LGBM, max_cat_to_onehot=1).fit(X, y, categorical_feature=[0])
    check(model, to_onnx(model, X), X)


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
    with pytest.raises(TypeError, match="integers and strings"):
        to_onnx(LOGISTIC().fit(X, days[y]), X)
    frame = pd.DataFrame({"a": X[:, 0], "c": pd.Categorical(np.array(list("xy"))[y])})
    with pytest.raises(NotImplementedError, match="categories of pandas"):
        to_onnx(make(LGBM).fit(frame, y), frame)
