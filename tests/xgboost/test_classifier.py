"""FocalXGBClassifier: equal to XGBoost at gamma 0; its start; XGBoost's own."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skfocal import FocalXGBClassifier
from skfocal.calibration import Calibration
from skfocal.xgboost._format import with_margins
from skfocal.xgboost._training import Trainer
from tests.conftest import table

# XGBoost's float32 gradient p - y of a sure row has few digits left, ours has all: at
# learning rate .3 and 100 rounds the margins differ by up to 1.3e-5.
SLOW = {"learning_rate": 0.1, "n_estimators": 50, "n_jobs": 1}
# Nor do the libraries agree where the two best splits of a node gain the same in float32,
# as happens in about one of twenty such tables: the margins then differ by tenths. In this
# one it does not, under any method of XGBoost 3.2 and 3.4.
SEED = 2
VARIANTS = [
    {},
    {"tree_method": "approx"},
    {"tree_method": "exact"},
    {"subsample": 0.7, "random_state": 0},
    {"colsample_bytree": 0.5, "random_state": 0},
    {"grow_policy": "lossguide", "max_leaves": 15},
    {"num_parallel_tree": 2, "subsample": 0.5, "random_state": 0},
    {"reg_alpha": 0.1, "max_depth": 3, "min_child_weight": 5},
]


def structure(booster):
    """Features and thresholds of every split."""
    frame = booster.trees_to_dataframe()
    return frame[["Tree", "Node", "Feature", "Split", "Yes", "No"]]


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_gamma_zero_is_xgboost(variant, n_classes, weighted):
    X, y, weight = table(n_classes, seed=SEED)
    weight = weight if weighted else None
    ours = FocalXGBClassifier(focal_gamma=0.0, **SLOW, **variant).fit(X, y, sample_weight=weight)
    share = np.bincount(y, weights=weight) / (len(y) if weight is None else weight.sum())
    log_share = np.log(share)
    start = share[1] if len(share) == 2 else (log_share - log_share.mean()).tolist()
    theirs = xgb.XGBClassifier(base_score=start, **SLOW, **variant)
    theirs.fit(X, y, sample_weight=weight)
    assert_allclose(
        ours.predict(X, output_margin=True), theirs.predict(X, output_margin=True), atol=1e-5
    )
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    trees = structure(ours.get_booster()), structure(theirs.get_booster())
    if variant.get("tree_method") == "approx":
        # its candidate cuts are quantiles of the Hessians, whose last bits move some
        trees = tuple(tree.drop(columns="Split") for tree in trees)
    pd.testing.assert_frame_equal(*trees, atol=0)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_gamma_zero_starts_where_xgboost_does(n_classes, weighted):
    if n_classes > 2 and xgb.__version__.startswith("3.1."):
        pytest.skip("XGBoost 3.1 takes the classes' shares themselves for margins")
    X, y, weight = table(n_classes, seed=SEED)
    weight = weight if weighted else None
    ours = FocalXGBClassifier(focal_gamma=0.0, **SLOW).fit(X, y, sample_weight=weight)
    theirs = xgb.XGBClassifier(**SLOW).fit(X, y, sample_weight=weight)
    assert_allclose(
        ours.predict(X, output_margin=True), theirs.predict(X, output_margin=True), atol=1e-5
    )


def test_model_is_standard_and_holds_the_start(any_table):
    X, y, weight = any_table
    model = FocalXGBClassifier(n_estimators=5).fit(X, y, sample_weight=weight)
    learner = json.loads(model.get_booster().save_config())["learner"]
    start = model.loss_.intercept(y, weight)
    stored = json.loads(learner["learner_model_param"]["base_score"])
    if np.ndim(start):
        assert learner["objective"]["name"] == "multi:softprob"
        assert_allclose(stored, start - start.mean(), atol=1e-5)
    else:
        assert learner["objective"]["name"] == "binary:logistic"
        assert_allclose(np.ravel(stored), [1 / (1 + np.exp(-start))], rtol=1e-5)


def test_base_score_of_the_user_is_kept():
    X, y, _ = table()
    model = FocalXGBClassifier(base_score=0.5, n_estimators=1, learning_rate=1e-9).fit(X, y)
    assert_allclose(model.predict(X, output_margin=True), 0.0, atol=1e-6)


def test_integer_weights_are_repeated_rows_to_the_bit():
    X, y, _ = table(3, n_rows=150)
    times = np.random.default_rng(0).integers(0, 5, len(y))
    weighted = FocalXGBClassifier(n_jobs=1).fit(X, y, sample_weight=times)
    repeated = FocalXGBClassifier(n_jobs=1).fit(X.repeat(times, axis=0), y.repeat(times))
    assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


@pytest.mark.parametrize("names", [["logloss", "auc"], ["auc", "logloss"], ["aucpr"], "auc"])
def test_early_stopping_watches_the_last_metric(names):
    X, y, _ = table()
    model = FocalXGBClassifier(
        n_estimators=400, eval_metric=names, early_stopping_rounds=4, learning_rate=0.3
    ).fit(X[::2], y[::2], eval_set=[(X[1::2], y[1::2])], verbose=False)
    values = model.evals_result()["validation_0"]
    last = names if isinstance(names, str) else names[-1]
    assert sorted(values) == sorted([names] if isinstance(names, str) else names)
    best = np.argmin if last == "logloss" else np.argmax
    assert model.best_iteration == int(best(values[last])) < 399
    assert model.get_params()["early_stopping_rounds"] == 4


def test_no_evaluation_leaves_no_result_of_an_earlier_fit():
    X, y, _ = table()
    model = FocalXGBClassifier(n_estimators=2)
    model.fit(X, y, eval_set=[(X, y)], verbose=False)
    assert list(model.evals_result()["validation_0"]) == ["focal_loss"]
    assert not hasattr(model.fit(X, y), "evals_result_")


def test_iterations_and_set_params_after_fit():
    X, y, _ = table()
    model = FocalXGBClassifier(n_estimators=10, probability="raw").fit(X, y)
    part = model.decision_function(X, iteration_range=(0, 4))
    whole = model.get_booster().predict(xgb.DMatrix(X), output_margin=True, iteration_range=(0, 4))
    assert_allclose(part, whole, atol=1e-6)
    model.set_params(focal_gamma=1.0, n_jobs=1)  # reaches the booster without a complaint
    assert "focal_gamma" not in model.get_xgb_params()


def test_objective_that_names_the_other_kind_of_model_does_no_harm():
    X, y, _ = table(n_rows=300)
    model = FocalXGBClassifier(objective="multi:softprob", n_estimators=3).fit(X, y)
    before = model.predict_proba(X)
    assert_array_equal(model.set_params(n_jobs=1).predict_proba(X), before)


def test_loading_a_plain_model_says_what_to_do(tmp_path):
    X, y, _ = table(n_rows=200)
    xgb.XGBClassifier(n_estimators=2).fit(X, y).save_model(tmp_path / "model.json")
    model = FocalXGBClassifier()
    with pytest.raises(ValueError, match=r"use FocalXGBClassifier\.from_booster"):
        model.load_model(tmp_path / "model.json")
    assert not hasattr(model, "_Booster")


def test_private_parts_of_xgboost_in_use_exist():
    """If this fails, XGBoost has changed what skfocal.xgboost relies on."""
    X, y, _ = table(n_rows=200)
    fitted = xgb.XGBClassifier(n_estimators=2).fit(X, y)
    assert {"_Booster", "n_classes_"} <= vars(fitted).keys()
    trainer = Trainer(n_estimators=2)
    model, metric, params, _ = xgb.XGBClassifier._configure_fit(trainer, None, {}, None)
    assert (model, metric, params) == (None, None, {})


@pytest.fixture
def matrices(monkeypatch):
    """Counts the matrices that XGBoost's classes make."""
    made = []
    original = xgb.XGBClassifier._create_dmatrix

    def make(self, ref, **kwargs):
        made.append(kwargs)
        return original(self, ref, **kwargs)

    monkeypatch.setattr(xgb.XGBClassifier, "_create_dmatrix", make)
    return made


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, sparse.csr_matrix, np.ndarray.tolist])
def test_a_training_set_that_is_evaluated_is_one_matrix_as_on_xgboost(matrices, kind):
    X, y, weight = table(n_rows=300)
    X, margin = kind(X), np.linspace(-1, 1, 300)
    given = {"sample_weight": weight, "base_margin": margin}
    same = {"sample_weight_eval_set": [weight], "base_margin_eval_set": [margin]}
    other = {"sample_weight_eval_set": [weight.copy()], "base_margin_eval_set": [margin]}
    shown = []
    for arguments, n_made in [
        ({}, 1),
        (given | same, 1),
        (given | other, 2),
        ({"sample_weight": weight}, 2),
    ]:
        arguments = {"eval_set": [(X, y)], "verbose": False} | arguments
        for model in (FocalXGBClassifier(n_estimators=2), xgb.XGBClassifier(n_estimators=2)):
            matrices.clear()
            model.fit(X, y, **arguments)
            assert len(matrices) == n_made
            if isinstance(model, FocalXGBClassifier):
                shown.append(model.evals_result())
    assert shown[1] == shown[2]


def test_rows_of_weight_zero_are_in_an_evaluation_set_and_not_in_the_training_set(matrices):
    X, y, weight = table(n_rows=300)
    weight[::3] = 0
    model = FocalXGBClassifier(n_estimators=3)
    model.fit(X, y, sample_weight=weight, eval_set=[(X, y)], verbose=False)
    assert [len(made["label"]) for made in matrices] == [200, 300]
    rows = model.loss_.loss(y, model.predict(X, output_margin=True).astype(float))
    recorded = model.evals_result()["validation_0"]["focal_loss"][-1]
    assert recorded == pytest.approx(rows.mean(), rel=1e-6)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_names_of_columns_are_compared_if_asked_for(method):
    X, y, _ = table(n_rows=300)
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(10)])
    renamed = frame.rename(columns={"x3": "other"})
    model = FocalXGBClassifier(n_estimators=3).fit(frame, y)
    call = getattr(model, method)
    with pytest.raises(ValueError, match="feature names"):
        call(renamed)
    for unnamed in (renamed, X, X.tolist(), sparse.csr_matrix(X)):
        assert_array_equal(call(unnamed, validate_features=False), call(frame))
    with pytest.raises(ValueError, match="9 features"):
        call(renamed.iloc[:, :9], validate_features=False)
    with pytest.raises(ValueError, match="9 features"):
        call(X[:, :9], validate_features=False)


FOREIGN = [np.dtype(name).newbyteorder("S") for name in ("f4", "f8", "i2", "i4", "i8")]


@pytest.mark.parametrize("dtype", FOREIGN, ids=str)
@pytest.mark.parametrize("frame", [False, True], ids=["array", "frame"])
def test_the_other_order_of_bytes_is_read_rightly(dtype, frame):
    X, y, _ = table(n_rows=300)
    X, weight = np.round(4 * X), np.arange(300) % 3 + 1.0
    margin, importance = np.arange(300) % 5 - 2.0, np.arange(1.0, 11.0)
    names = [f"x{i}" for i in range(9)] + ["dtype"]  # a column is no attribute

    def fitted(bring):
        rows = pd.DataFrame(bring(X), columns=names) if frame else bring(X)
        if frame and bring is not np.asarray:  # some columns of each kind
            rows[names[:5]] = X[:, :5]
        new = rows[:200] if frame else rows[:200].copy()
        model = FocalXGBClassifier(
            n_estimators=5,
            colsample_bynode=0.3,
            feature_weights=bring(importance),
            random_state=0,
        )
        model.fit(
            rows,
            bring(y),
            sample_weight=bring(weight),
            base_margin=bring(margin),
            eval_set=[(new, bring(y[:200]))],
            sample_weight_eval_set=[bring(weight[:200])],
            base_margin_eval_set=[bring(margin[:200])],
            verbose=False,
        )
        proba = model.predict_proba(rows, base_margin=bring(margin))
        return proba, model.apply(rows), model.evals_result()["validation_0"]["focal_loss"]

    for ours, expected in zip(
        fitted(partial(np.asarray, dtype=dtype)), fitted(np.asarray), strict=True
    ):
        assert_array_equal(ours, expected)


def test_sparse_data_in_the_other_order_of_bytes():
    X, y, _ = table(n_rows=300)
    rows = sparse.csr_matrix(np.round(X))
    foreign = rows.copy()
    foreign.data = foreign.data.astype(FOREIGN[1])
    expected = FocalXGBClassifier(n_estimators=3).fit(rows, y).predict_proba(rows)
    model = FocalXGBClassifier(n_estimators=3).fit(foreign, y)
    assert_array_equal(model.predict_proba(foreign), expected)


def brier(y, p, sample_weight=None):
    return np.average((p - y) ** 2, weights=sample_weight)


@pytest.mark.parametrize(
    "params, error, text",
    [
        ({"callbacks": [3]}, TypeError, "callbacks must hold .*TrainingCallback; got 3"),
        ({"callbacks": 3}, TypeError, "callbacks must be a list; got 3"),
        ({"eval_metric": 3}, TypeError, "eval_metric must be a name, a function or a list"),
        ({"eval_metric": [3]}, TypeError, "eval_metric must hold names .*got 3"),
        ({"eval_metric": partial(brier)}, TypeError, "eval_metric .*__name__"),
        ({"eval_metric": [brier, brier]}, ValueError, "eval_metric has two metrics .*'brier'"),
        ({"eval_metric": "log loss"}, ValueError, "no colon or blank .*'log loss'"),
        ({"objective": "multi:softmax"}, ValueError, "multi:softmax.*leave the objective out"),
    ],
)
def test_arguments_without_a_meaning_are_refused(params, error, text):
    X, y, _ = table(n_rows=200)
    model = FocalXGBClassifier(n_estimators=2, **params)
    with pytest.raises(error, match=text):
        model.fit(X, y, eval_set=[(X, y)])
    assert not hasattr(model, "loss_")


def test_a_metric_that_is_named_twice_is_one_as_on_xgboost():
    X, y, _ = table(n_rows=200)
    names = ["logloss", "auc", "logloss"]
    for kind in (FocalXGBClassifier, xgb.XGBClassifier):
        model = kind(n_estimators=2, eval_metric=names)
        model.fit(X, y, eval_set=[(X, y)], verbose=False)
        assert list(model.evals_result()["validation_0"]) == names[:2]


@pytest.mark.filterwarnings("ignore:.*booster=", "ignore:.*not used")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"booster": "dart", "rate_drop": 0.5},
        {"multi_strategy": "multi_output_tree"},
        {"num_parallel_tree": 2},
        {"booster": "gblinear"},
    ],
)
@pytest.mark.parametrize("offset", [10.0, 16.0, -10.0, -30.0])
def test_margins_that_base_score_cannot_hold(n_classes, params, offset):
    """It is a probability in single precision: at a margin of 16 the next ones are far apart."""
    X, y, _ = table(n_classes, n_rows=500)
    params = {"n_estimators": 5, "n_jobs": 1, "link": "posterior", **params}
    booster = FocalXGBClassifier(**params).fit(X, y).get_booster()
    rows = xgb.DMatrix(X)
    before = booster.predict(rows, output_margin=True).astype(np.float64)
    change = Calibration(0.5, offset if n_classes == 2 else (offset, -offset, 0.0))
    after = with_margins(booster, change).predict(rows, output_margin=True)
    difference = after - change.apply(before)
    if n_classes > 2:
        difference -= difference.mean(axis=1, keepdims=True)
    # a few roundings of numbers of this size in single precision
    assert np.abs(difference).max() < 8 * np.finfo(np.float32).eps * np.abs(after).max()


def test_margins_without_trees():
    X, y, _ = table(n_rows=500)
    model = FocalXGBClassifier(n_estimators=0, link="posterior").fit(X, y)
    model.adjust_priors([0.999, 0.001])
    assert model.predict_proba(X[:1])[0, 1] == pytest.approx(0.001, rel=1e-5)
    with pytest.raises(ValueError, match="no trees that could"):
        with_margins(model.get_booster(), Calibration(1.0, 16.0))
