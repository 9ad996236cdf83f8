"""A category that the training rows did not have is refused, and never taken for another one.

XGBoost 3.1 and 3.2 take "mail", which stands before "phone" in the alphabet, for "phone".
"""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose

from skfocal import FocalXGBClassifier, FocalXGBClassifierCV
from skfocal.xgboost._categories import REFUSED_BY_XGBOOST

NAMES = ["app", "phone", "web"]
REFUSED = (ValueError, xgb.core.XGBoostError)
pytestmark = [
    pytest.mark.filterwarnings("ignore:The mean score was the best after the last"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),  # of Arrow tables
    pytest.mark.filterwarnings("ignore:.*booster=dart. is deprecated"),
]
TABLES = {
    "pandas": lambda frame: frame,
    "polars": lambda frame: polars_table(frame),
    "arrow": lambda frame: polars_table(frame).to_arrow(),
}
each = pytest.mark.parametrize("table", TABLES)


def polars_table(frame):
    """XGBoost 3.4 takes an ``Enum``, and no ``Categorical``."""
    kind = pl.Enum(frame["name"].cat.categories.tolist())
    return pl.DataFrame(
        {"x": frame["x"].to_numpy(), "name": frame["name"].astype(str).tolist()}
    ).cast({"name": kind})


def rows(n_rows=600, names=NAMES):
    """A column of names and one of numbers; the name decides the label."""
    rng = np.random.default_rng(0)
    place = rng.integers(0, len(names), n_rows)
    frame = pd.DataFrame(
        {"x": rng.normal(size=n_rows), "name": np.array(names, dtype=object)[place]}
    )
    return frame.astype({"name": "category"}), (place == 1).astype(int)


@pytest.fixture(scope="module", params=["gbtree", "dart"])
def model(request):
    X, y = rows()
    kind = FocalXGBClassifier(n_estimators=20, enable_categorical=True, booster=request.param)
    return kind.fit(X, y)


def one(name):
    return pd.DataFrame({"x": [0.0], "name": pd.Categorical([name])})


@each
@pytest.mark.parametrize("name", NAMES)
def test_known_categories_are_known_in_any_table(model, table, name):
    many, _ = rows()
    expected = model.predict_proba(many[many.name == name].assign(x=0.0)[:1])
    assert_allclose(model.predict_proba(TABLES[table](one(name))), expected, rtol=1e-6)


@each
@pytest.mark.parametrize("name", ["aaa", "mail", "zebra"])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function", "apply"])
def test_new_categories_are_refused(model, table, name, method):
    with pytest.raises(REFUSED, match=name):
        getattr(model, method)(TABLES[table](one(name)))


LETTERS = ["äb", "phone", "wéb 日本", "zoo"]


@pytest.mark.parametrize("name", LETTERS)
def test_names_with_other_letters_are_right_or_refused(name):
    """XGBoost 3.1 and 3.2 take a single "äb" for "phone"."""
    X, y = rows(names=LETTERS)
    model = FocalXGBClassifier(n_estimators=20, enable_categorical=True).fit(X, y)
    expected = model.predict_proba(X[X.name == name].assign(x=0.0)[:1])
    listed = one(name).assign(name=pd.Categorical([name], categories=sorted(LETTERS)))
    assert_allclose(model.predict_proba(listed), expected, rtol=1e-6)
    if REFUSED_BY_XGBOOST:
        assert_allclose(model.predict_proba(one(name)), expected, rtol=1e-6)
    else:
        with pytest.raises(ValueError, match="letters outside ASCII"):
            model.predict_proba(one(name))
        plain, _ = rows()
        model.fit(plain, y)
        with pytest.raises(ValueError, match=r"letters outside ASCII|did not have"):
            model.predict(one("zé"))


def test_categories_where_training_had_numbers_are_refused():
    X, y = rows()
    codes = X.assign(name=X["name"].cat.codes.astype(float))
    model = FocalXGBClassifier(n_estimators=5).fit(codes, y)
    with pytest.raises(ValueError, match="Column 'name' of X has categories, but had numbers"):
        model.predict(X.assign(name=X["name"]))


@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_codes_in_another_order_are_the_same_categories(ensemble, link):
    """A part of a booster has no categories in XGBoost 3.1 and 3.2."""
    X, y = rows()
    held_out = {"eval_set": [rows(n_rows=300)], "verbose": False}
    params = {"n_estimators": 20, "enable_categorical": True}
    plain = FocalXGBClassifier(**params, link=link, early_stopping_rounds=3).fit(X, y, **held_out)
    plain.calibrate(*held_out["eval_set"][0])
    merged = ensemble and link == "posterior"
    chosen = FocalXGBClassifierCV(**params, link=link, ensemble=merged, cv=3, focal_gammas=(1.0,))
    for model in (plain, chosen.fit(X, y)):
        for name in NAMES:
            expected = model.predict_proba(X[X.name == name].assign(x=0.0)[:1])
            for order in (NAMES[::-1], [name]):
                other = one(name).assign(name=pd.Categorical([name], categories=order))
                assert_allclose(model.predict_proba(other), expected, rtol=1e-5)


@pytest.mark.skipif(REFUSED_BY_XGBOOST, reason="XGBoost refuses new categories that no row has")
def test_unused_and_missing_categories_are_no_new_ones(model):
    X = one("phone")
    X["name"] = X["name"].cat.add_categories(["mail"])
    assert_allclose(model.predict_proba(X), model.predict_proba(one("phone")))
    X["name"] = pd.Categorical([None], categories=["mail"])
    assert np.isfinite(model.predict_proba(X)).all()


def test_numbers_as_categories():
    """XGBoost takes integers, and refuses other numbers."""
    X, y = rows(names=[3, 5, 7])
    model = FocalXGBClassifier(n_estimators=5, enable_categorical=True).fit(X, y)
    with pytest.raises(REFUSED, match=r"\b4\b"):
        model.predict(one(4))
    assert model.predict(X).shape == (600,)


def test_saved_and_merged_models_know_their_categories(tmp_path):
    X, y = rows()
    model = FocalXGBClassifierCV(
        n_estimators=10,
        enable_categorical=True,
        cv=3,
        focal_gammas=(1.0,),
        early_stopping_rounds=None,
    ).fit(X, y)
    model.save_model(tmp_path / "model.json")
    loaded = FocalXGBClassifierCV()
    loaded.load_model(tmp_path / "model.json")
    for kind in (model, loaded, loaded.adjust_priors([0.5, 0.5])):
        with pytest.raises(REFUSED, match="mail"):
            kind.predict(one("mail"))
