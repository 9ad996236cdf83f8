"""Errors that name the argument and the remedy, and nothing half-fitted after them."""

from functools import partial

import lightgbm as lgb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.fixes import parse_version

from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier
from tests import backends
from tests.backends import CAT, HIST, of, quiet
from tests.conftest import table

X, Y, _ = table(n_rows=200)
X3, Y3, _ = table(3, n_rows=200)


make = partial(backends.make, n_estimators=3)
KINDS = [FocalLogisticRegression, FocalLGBMClassifier, FocalXGBClassifier]
each = pytest.mark.parametrize("kind", [*KINDS, HIST, CAT], ids=lambda kind: kind.__name__)
of_three_classes = pytest.mark.parametrize("kind", [*KINDS, HIST], ids=lambda kind: kind.__name__)


def refused(model, message, *arguments, error=(TypeError, ValueError), **keywords):
    """The fit fails by name, on a fresh estimator and on a fitted one; neither changes."""
    before = dict(vars(model))
    with pytest.raises(error, match=message):
        model.fit(*arguments, **keywords)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)


@each
@pytest.mark.parametrize(
    "gamma", [-1.0, np.nan, np.inf, "2", [1.0, 2.0, 3.0], [1.0, -1.0], None, True, [[1.0, 2.0]]]
)
def test_gamma(kind, gamma):
    refused(make(kind, focal_gamma=gamma), "focal_gamma must be a finite number >= 0", X, Y)


@each
@pytest.mark.parametrize(
    "alpha, message",
    [
        (0.0, r"focal_alpha must lie in \(0, 1\)"),
        (1.0, "focal_alpha"),
        (1.5, "focal_alpha"),
        ("inverse", "focal_alpha must be None"),
        ({0: 1.0}, r"focal_alpha must have one weight for each label in y.*missing \[1\]"),
        ({0: 1.0, 2: 1.0}, r"focal_alpha.*missing \[1\], unknown \[2\]"),
        ([1.0, 2.0, 3.0], "focal_alpha.*got 3 values"),
        ([1.0, 0.0], "focal_alpha.*could not be recovered.*sample_weight=0"),
        ([1.0, -1.0], "focal_alpha"),
    ],
)
def test_alpha(kind, alpha, message):
    refused(make(kind, focal_alpha=alpha), message, X, Y)


@of_three_classes
def test_float_alpha_for_three_classes(kind):
    refused(make(kind, focal_alpha=0.25), "weighs two classes, but there are 3", X3, Y3)


@each
def test_probability(kind):
    refused(make(kind, probability="calibrated"), "probability must be one of", X, Y)
    model = make(kind).fit(X, Y).set_params(probability="none")
    with pytest.raises(ValueError, match="probability"):
        model.predict_proba(X)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_hessian(kind):
    refused(make(kind, hessian="diagonal"), "hessian must be one of 'upper'", X, Y)


@each
@pytest.mark.parametrize(
    "y, message",
    [
        (np.zeros(200), "only one class: 0.0"),
        (np.where(Y == 0, np.nan, 1.0), "NaN"),
        (np.column_stack([Y, 1 - Y]), "1d array"),
        (X[:, 0], "Unknown label type|continuous"),
        (Y[:-1], "200.* 199|199.*200"),
        (None, "requires y to be passed"),
    ],
)
def test_labels(kind, y, message):
    refused(make(kind), message, X, y)


@each
@pytest.mark.parametrize(
    "weight, message",
    [
        (-np.ones(200), "sample_weight|Negative"),
        (np.full(200, np.nan), "sample_weight"),
        (np.zeros(200), "zero"),
        (np.ones(199), "sample_weight.shape"),
    ],
)
def test_sample_weight(kind, weight, message):
    refused(make(kind), message, X, Y, sample_weight=weight)


@pytest.mark.parametrize("callbacks", [[3], 3, [None]])
def test_callbacks_of_lightgbm(callbacks):
    model = make(FocalLGBMClassifier)
    with pytest.raises(TypeError, match="callbacks must be a list of functions; got"):
        model.fit(X, Y, callbacks=callbacks)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_linear_model_needs_finite_features(bad):
    spoilt = X.copy()
    spoilt[0, 0] = bad
    refused(FocalLogisticRegression(), "NaN|infinity", spoilt, Y)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_boosters_take_nan(kind):
    spoilt = X.copy()
    spoilt[::3, 0] = np.nan
    assert np.isfinite(make(kind).fit(spoilt, Y).predict_proba(spoilt)).all()


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"solver": "saga"}, "solver must be one of 'auto', 'lbfgs', 'newton-cholesky'"),
        ({"C": 0.0}, "C must be a number > 0"),
        ({"C": "1"}, "C must be"),
        ({"l1_ratio": 1.5}, "l1_ratio must be a number in"),
        ({"l1_ratio": "1"}, "l1_ratio must be"),
        ({"l1_ratio": 0.5, "solver": "lbfgs"}, "has no L1 penalty"),
        ({"tol": -1.0}, "tol"),
        ({"tol": np.inf}, "tol"),
        ({"max_iter": 1.5}, "max_iter"),
        ({"max_iter": -1}, "max_iter"),
        ({"class_weight": "auto"}, "class_weight"),
        ({"class_weight": {7: 1.0}}, r"class_weight.*unknown \[7\]"),
        ({"class_weight": {0: 1.0, 7: 1.0}}, r"class_weight.*missing \[1\], unknown \[7\]"),
        ({"class_weight": {0: 0.0}}, "class_weight.*could not be recovered.*small weight"),
        ({"class_weight": {1: -1.0}}, "class_weight"),
        ({"class_weight": "balanced", "focal_alpha": "balanced"}, "balance twice"),
        ({"class_weight": "balanced", "focal_alpha": ("effective", 0.99)}, "balance twice"),
    ],
)
def test_linear_model_parameters(parameters, message):
    refused(FocalLogisticRegression(**parameters), message, X, Y)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"scale_pos_weight": 10}, "scale_pos_weight=10.*focal_alpha"),
        ({"gamma": 1.0}, "gamma=1.0.*the focusing parameter is focal_gamma"),
        ({"alpha": 0.25}, "alpha=0.25.*class weights are focal_alpha"),
        ({"focal_gama": 1.0}, "no parameter 'focal_gama'.*focal_gamma, focal_alpha"),
        ({"is_unbalance": True}, 'is_unbalance=True.*focal_alpha="balanced"'),
        ({"unbalance": True}, "unbalance=True"),
        ({"boosting_type": "rf"}, "boosting_type='rf'.*gbdt"),
        ({"boosting": "rf"}, "boosting='rf'"),
        ({"objective": "cross_entropy"}, "objective='cross_entropy'"),
        ({"num_class": 3}, "num_class=3"),
        ({"sigmoid": 2.0}, "sigmoid"),
        ({"auc_mu_weights": [0, 1, 1, 0]}, "auc_mu_weights.*as a function"),
        ({"pos_bagging_fraction": 0.5}, "pos_bagging_fraction"),
        ({"class_weight": "balanced", "focal_alpha": "balanced"}, "balance twice"),
        ({"class_weight": "balanced", "focal_alpha": ("effective", 0.99)}, "balance twice"),
        ({"class_weight": {5: 1.0}}, r"unknown \[5\]"),
        ({"class_weight": {1: 0.0}}, "class_weight.*could not be recovered"),
    ],
)
def test_lightgbm_parameters(parameters, message):
    refused(make(FocalLGBMClassifier, **parameters), message, X, Y)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"scale_pos_weight": 10}, "scale_pos_weight=10.*focal_alpha"),
        ({"objective": "reg:squarederror"}, "objective='reg:squarederror'"),
        ({"num_class": 3}, "num_class"),
        ({"focal_loss_gamma": 1.0}, "no parameter 'focal_loss_gamma'.*focal_gamma"),
    ],
)
def test_xgboost_parameters(parameters, message):
    refused(make(FocalXGBClassifier, **parameters), message, X, Y)


def test_neutral_values_are_no_error():
    make(FocalLGBMClassifier, scale_pos_weight=1.0, is_unbalance=False, sigmoid=1.0).fit(X, Y)
    make(FocalXGBClassifier, scale_pos_weight=1, objective="binary:logistic").fit(X, Y)


def test_xgboosts_gamma_is_not_ours():
    with pytest.warns(UserWarning, match="the focusing parameter is focal_gamma"):
        make(FocalXGBClassifier, gamma=1.0).fit(X, Y)
    make(FocalXGBClassifier, min_split_loss=1.0).fit(X, Y)


@each
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_predicting_before_fitting(kind, method):
    with pytest.raises(NotFittedError):
        getattr(make(kind), method)(X)


@each
def test_other_columns_at_prediction(kind):
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(10)])
    model = make(kind).fit(frame, Y)
    assert model.feature_names_in_.tolist() == frame.columns.tolist()
    assert model.n_features_in_ == 10
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"c0": "other"}))
    with pytest.raises(ValueError, match="feature"):
        model.predict(frame.drop(columns="c9"))
    with (
        pytest.warns(UserWarning, match="does not have valid feature names"),
        pytest.raises(ValueError, match="X has 9 features"),
    ):
        model.predict(X[:, :9])


@of_three_classes
def test_failed_refit_keeps_the_model(kind):
    model = make(kind).fit(X, Y)
    before = model.predict_proba(X)
    model.set_params(focal_gamma=-1.0)
    refused(model, "focal_gamma", X3[:, :5], Y3)
    model.set_params(focal_gamma=2.0)
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_unknown_label_in_eval_set(kind):
    message = r"eval_set has labels that are not in y: \[8\]"
    refused(make(kind), message, X, Y, eval_set=[(X, 8 * Y)])


def test_lightgbm_eval_arguments_belong_together():
    model = make(FocalLGBMClassifier)
    refused(model, "either eval_set or eval_X", X, Y, eval_set=[(X, Y)], eval_X=X, eval_y=Y)
    refused(model, "eval_X and eval_y belong together", X, Y, eval_X=X)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_continued_training_needs_the_same_loss(kind):
    first = make(kind, focal_gamma=1.0).fit(X, Y)
    name = of(kind).init_model
    refused(make(kind), f"{name} was trained on", X, Y, **{name: first})


@each
def test_empty_frame(kind):
    refused(make(kind), "0 sample|at least one row|minimum of 1", pd.DataFrame({"a": []}), [])


def table_with(library, kind):
    """A table of two columns, of which LightGBM 4.7 cannot read the second."""
    words = ["x", "y"] * (len(Y) // 2)
    days = np.arange(len(Y)).astype("datetime64[D]")
    if library == "polars":
        types = {"category": pl.Categorical, "enum": pl.Enum(["x", "y"]), "text": pl.String}
        column = pl.Series(days if kind == "date" else words)
        column = column if kind == "date" else column.cast(types[kind])
        return pl.DataFrame({"a": X[:, 0], "b": column})
    column = pa.array(days if kind == "date" else words)
    column = column.dictionary_encode() if kind in ("category", "enum") else column
    return pa.table({"a": X[:, 0], "b": column})


@pytest.mark.parametrize("library", ["polars", "arrow"])
@pytest.mark.parametrize("kind", ["category", "enum", "text", "date"])
def test_columns_at_which_lightgbm_ends_the_process(library, kind):
    """Refused before LightGBM sees them, in fit, in evaluation sets and in predict."""
    bad = table_with(library, kind)
    message = "numbers and booleans from polars and Arrow tables; other columns: {'b'"
    refused(make(FocalLGBMClassifier), message, bad, Y)
    if library == "polars":
        refused(make(FocalLGBMClassifier), message, bad.lazy(), Y)
    good = {"a": X[:, 0], "b": X[:, 1] > 0}
    good = pl.DataFrame(good) if library == "polars" else pa.table(good)
    if library == "arrow" and parse_version(lgb.__version__) < parse_version("4.7"):
        return  # its scikit-learn classes do not take Arrow tables at all
    model = make(FocalLGBMClassifier)
    with pytest.raises(ValueError, match=message):
        model.fit(good, Y, eval_set=[(bad, Y)])
    with pytest.raises(ValueError, match=message):
        model.fit(good, Y).predict(bad)


def test_number_of_classes_that_y_has_not():
    refused(make(FocalLGBMClassifier, num_class=3), "num_class=3, but y has 2 classes", X, Y)
    assert make(FocalLGBMClassifier, num_class=2).fit(X, Y).predict_proba(X).shape == (len(Y), 2)
    with_objective = make(FocalLGBMClassifier, objective="binary").fit(X, Y)
    assert with_objective.loss_.n_classes == 2


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function", "apply"])
@pytest.mark.parametrize("rounds", ["x", (1,), (0.5, 2), (-1, 2), (3, 1), (0, 99), 2])
def test_rounds_that_xgboost_does_not_have_are_refused(method, rounds):
    X, y, _ = table()
    model = FocalXGBClassifier(n_estimators=4).fit(X, y)
    with pytest.raises((TypeError, ValueError), match="iteration_range must be a pair"):
        getattr(model, method)(X, iteration_range=rounds)


def test_leaves_of_later_rounds_alone_are_refused():
    X, y, _ = table()
    model = FocalXGBClassifier(n_estimators=4).fit(X, y)
    with pytest.raises(ValueError, match="iteration_range must begin at 0"):
        model.apply(X, iteration_range=(1, 3))
    assert model.apply(X, iteration_range=(0, 3)).shape == (len(y), 3)


@pytest.mark.parametrize(
    "name, value", [("start_iteration", "x"), ("start_iteration", -1), ("num_iteration", 1.5)]
)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_iterations_that_lightgbm_cannot_have_are_refused(method, name, value):
    X, y, _ = table()
    model = FocalLGBMClassifier(n_estimators=4, verbose=-1).fit(X, y)
    with pytest.raises((TypeError, ValueError), match=name):
        getattr(model, method)(X, **{name: value})


@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
@pytest.mark.parametrize("value", [3, None, b"model.json"])
def test_names_of_files_that_are_none_are_refused(kind, value):
    X, y, _ = table()
    options = quiet(kind)
    model = kind(n_estimators=2, **options).fit(X, y)
    for method in (model.save_model, model.load_model):
        with pytest.raises(TypeError, match=r"f(ile)?name must be a str or a path"):
            method(value)


@pytest.mark.parametrize("verbose", ["yes", -1, 1.5])
def test_verbosity_of_xgboost_is_checked(verbose):
    X, y, _ = table()
    with pytest.raises((TypeError, ValueError), match="verbose must be an integer >= 0"):
        FocalXGBClassifier(n_estimators=2).fit(X, y, verbose=verbose)
