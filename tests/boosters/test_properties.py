"""What holds of both boosters, of drawn tables and parameters.

The witnesses are the parents, and the same rows in another form. Models are small: few rounds
of small trees. How many examples there are is the profile's: see `draws.share`.
"""

import pickle
import tempfile
import warnings
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from hypothesis import event, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfocal import FocalLGBMClassifier, FocalXGBClassifier
from skfocal.objectives._conventions import base_score
from tests import draws
from tests.draws import share

LGBM, XGB = FocalLGBMClassifier, FocalXGBClassifier
each = pytest.mark.parametrize("kind", [LGBM, XGB], ids=["lightgbm", "xgboost"])
FAMILY = {LGBM: {"verbose": -1}, XGB: {}}
FITS = share(0.2)


@st.composite
def trees(draw, kind):
    """Parameters of the library's own, without any that draws at random."""
    common = {
        "n_estimators": draw(st.integers(1, 6)),
        "learning_rate": draw(st.sampled_from([0.1, 0.5, 1.0])),
        "max_depth": draw(st.integers(1, 4)),
        "n_jobs": 1,
    }
    if kind is LGBM:
        smallest = draw(st.sampled_from([(1, 1e-3), (5, 1e-3), (20, 1e-3)]))
        common |= {"min_child_samples": smallest[0], "min_child_weight": smallest[1]}
        return common | {"reg_lambda": draw(st.sampled_from([0.0, 1.0])), "verbose": -1}
    method = draw(st.sampled_from(["hist", "exact", "approx"]))
    weight = draw(st.sampled_from([0.0, 1.0]))
    return common | {"tree_method": method, "min_child_weight": weight}


@st.composite
def settings_of(draw, kind, problem):
    """Focal parameters and the library's own."""
    parameters = problem.focal | draw(trees(kind))
    if kind is LGBM:
        weights = draws.class_weights(problem.classes, problem.focal["focal_alpha"])
        parameters["class_weight"] = draw(weights)
    if problem.focal["link"] == "focal":
        parameters["hessian"] = draw(st.sampled_from(["upper", "upper", "exact", "abs"]))
    return parameters


def fit(kind, parameters, X, y, weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Converting data to scipy sparse")
        return kind(**parameters).fit(X, y, sample_weight=weight)


def predicted(model, X):
    """Everything that a model says of rows."""
    return [model.predict_proba(X), model.decision_function(X), model.predict(X)]


def frame(rows):
    """A table of pandas with a column of categories and missing values."""
    table = pd.DataFrame(rows.X, columns=[f"x{i}" for i in range(rows.X.shape[1])])
    table[rows.rng.uniform(size=table.shape) < 0.2] = np.nan
    table["c"] = pd.Categorical(rows.rng.choice(["a", "b", "c", None], len(table)))
    return table


@each
@FITS
@given(draws.problems(), st.sampled_from([*draws.LAYOUTS, "frame"]), st.data())
def test_probabilities_labels_and_saved_models(kind, problem, layout, data):
    rows, parameters = problem.rows, data.draw(settings_of(kind, problem))
    X = frame(rows) if layout == "frame" else draws.laid_out(rows.X, layout)
    if layout == "frame" and kind is XGB:
        parameters |= {"enable_categorical": True, "tree_method": "hist"}
    model = fit(kind, parameters, X, problem.y, rows.weight)
    draws.check_model(model, X, model.loss_, rtol=1e-4)
    assert_array_equal(model.classes_, problem.classes)
    found = predicted(model, X)
    for same in (pickle.loads(pickle.dumps(model)), reloaded(kind, model)):
        assert same.loss_ == model.loss_
        assert_array_equal(same.classes_, model.classes_)
        for ours, theirs in zip(found, predicted(same, X), strict=True):
            assert_array_equal(theirs, ours)
    if layout in ("C", "F", "strided", "reversed", "list"):
        plain = fit(kind, parameters, rows.X, problem.y, rows.weight)
        assert_array_equal(plain.predict_proba(rows.X), found[0])


def reloaded(kind, model):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("model.txt" if kind is LGBM else "model.ubj")
        model.save_model(path)
        loaded = kind(**FAMILY[kind])
        loaded.load_model(path)
        return loaded


@each
@FITS
@given(draws.problems(weights=["with zeros", "counts"]), st.data())
def test_rows_of_weight_zero_are_absent(kind, problem, data):
    rows, parameters = problem.rows, data.draw(settings_of(kind, problem))
    if parameters.get("class_weight") == "balanced":
        parameters["class_weight"] = None  # LightGBM's counts these rows, too
    model = fit(kind, parameters, rows.X, problem.y, rows.weight)
    kept = rows.at(rows.weight > 0)
    present = fit(kind, parameters, kept.X, problem.classes[kept.y], kept.weight)
    for ours, theirs in zip(predicted(model, rows.X), predicted(present, rows.X), strict=True):
        assert_array_equal(ours, theirs)


@FITS
@given(draws.problems(weights=["counts"]), st.data())
def test_integer_weights_are_repeated_rows_to_xgboost(problem, data):
    """LightGBM counts rows in bins and leaves, where a weight of 2 is one row."""
    rows, parameters = problem.rows, data.draw(settings_of(XGB, problem))
    parameters["tree_method"] = "exact"
    weighted = fit(XGB, parameters, rows.X, problem.y, rows.weight)
    many = rows.at(np.arange(len(rows.y)).repeat(rows.weight.astype(int)))
    repeated = fit(XGB, parameters, many.X, problem.classes[many.y])
    assert_allclose(repeated.loss_.class_weight, weighted.loss_.class_weight)
    assert_allclose(repeated.predict_proba(rows.X), weighted.predict_proba(rows.X), atol=1e-5)


@each
@FITS
@given(draws.problems(weights=["near 1"], wild=False), st.booleans(), st.data())
def test_order_of_rows_and_columns_does_not_matter(kind, problem, columns_too, data):
    """Weights are uneven, so that two splits of another gain are no tie."""
    rows, parameters = problem.rows, data.draw(settings_of(kind, problem))
    model = fit(kind, parameters, rows.X, problem.y, rows.weight)
    columns = rows.rng.permutation(rows.X.shape[1]) if columns_too else slice(None)
    other = rows.at(rows.rng.permutation(len(rows.y)))
    permuted = fit(kind, parameters, other.X[:, columns], problem.classes[other.y], other.weight)
    P = permuted.predict_proba(rows.X[:, columns])
    assert_allclose(P, model.predict_proba(rows.X), atol=1e-4)


@each
@FITS
@given(draws.problems(weights=["near 1"], wild=False), st.booleans(), st.data())
def test_names_of_labels_do_not_matter(kind, problem, reverse, data):
    rows, parameters = problem.rows, data.draw(settings_of(kind, problem))
    reverse = reverse and rows.n_classes == 2
    model = fit(kind, parameters, rows.X, problem.y, rows.weight)
    step = -1 if reverse else 1
    names = np.array(["k", "l", "m", "n"])[: rows.n_classes][::step]
    loss = model.loss_
    parameters |= {
        "focal_alpha": list(loss.class_weight)[::step],
        "focal_gamma": list(loss.class_gamma)[::step],
    }
    parameters.pop("class_weight", None)
    other = fit(kind, parameters, rows.X, names[rows.y], rows.weight)
    P, expected = other.predict_proba(rows.X)[:, ::step], model.predict_proba(rows.X)
    if reverse:
        assert_allclose(P, expected, atol=1e-4)
    else:
        assert_array_equal(P, expected)


@each
@FITS
@given(draws.problems(weights=["none", "near 1"], wild=False), st.data())
def test_gamma_zero_is_the_parent(kind, problem, data):
    rows, parameters = problem.rows, data.draw(trees(kind))
    ours = fit(kind, parameters | {"focal_gamma": 0.0}, rows.X, rows.y, rows.weight)
    if kind is LGBM:
        theirs = lgb.LGBMClassifier(**parameters)
    else:
        start = base_score(ours.loss_.intercept(rows.y, rows.weight))
        theirs = xgb.XGBClassifier(base_score=start, **parameters)
    theirs.fit(rows.X, rows.y, sample_weight=rows.weight)
    assert_allclose(ours.predict_proba(rows.X), theirs.predict_proba(rows.X), atol=1e-5)


@each
@FITS
@given(draws.problems(weights=["near 1"]), st.data())
def test_class_without_weight_stays_a_class(kind, problem, data):
    rows, parameters = problem.rows, problem.focal | data.draw(trees(kind))
    weight = np.where(rows.y == rows.n_classes - 1, 0.0, rows.weight)
    if kind is LGBM and np.count_nonzero(weight) < 2:
        with pytest.raises(ValueError, match="two rows of a weight above 0"):
            fit(kind, parameters, rows.X, problem.y, weight)
        return
    model = fit(kind, parameters, rows.X, problem.y, weight)
    assert_array_equal(model.classes_, problem.classes)
    draws.check_model(model, rows.X, model.loss_, rtol=1e-4)
    improbable = model.predict_proba(rows.X)[:, -1]
    event(f"largest probability 1e{int(np.log10(improbable.max() + 1e-30))}")
    assert improbable.max() < 1e-3
