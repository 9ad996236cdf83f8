"""The quality benchmark measures what it says, on equal terms."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from optuna.trial import FixedTrial
from scipy.special import expit, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, f1_score, log_loss

from benchmarks import quality, recovery, tables
from benchmarks.adapters import WithObjective, hardest
from benchmarks.methods import METHODS, PEERS, Method, _rows_after, installed
from benchmarks.search_spaces import gamma
from skfocal import BinaryFocalLoss
from tests.conftest import table


@pytest.fixture(scope="module")
def scored():
    """Labels, and probabilities of which some are the same."""
    rng = np.random.default_rng(0)
    proba = np.round(rng.beta(1, 8, 4000), 2)
    return (rng.uniform(size=4000) < proba).astype(int), proba


def test_threshold_has_the_largest_f1(scored):
    y, proba = scored
    best = max(f1_score(y, proba >= t) for t in np.unique(proba))
    assert f1_score(y, proba >= quality.best_threshold(y, proba)) == pytest.approx(best, abs=1e-12)


def test_parts_of_the_brier_score(scored):
    y, proba = scored
    reliability, resolution = quality.brier_parts(y, proba)
    # within bins probabilities differ a little: the parts add up to that
    uncertainty = y.mean() * (1 - y.mean())
    expected = brier_score_loss(y, proba)
    assert reliability - resolution + uncertainty == pytest.approx(expected, abs=1e-3)
    true, said = calibration_curve(y, proba, n_bins=10, strategy="quantile")
    assert reliability == pytest.approx(np.mean((true - said) ** 2), abs=1e-4)


def test_recall_of_the_alerts(scored):
    y, proba = scored
    found = quality.measures(y, np.column_stack([1 - proba, proba]), proba > 0.5, 0.2)
    alerts = pd.Series(proba).rank(ascending=False, method="first") <= 40
    assert found["recall_at_1_percent"] == pytest.approx(y[alerts].sum() / y.sum())
    assert found["f1_tuned"] == pytest.approx(f1_score(y, proba >= 0.2))
    assert found["brier"] == pytest.approx(brier_score_loss(y, proba))


def test_hard_examples_are_the_worst_of_the_round():
    y, margins = np.array([0, 0, 1, 1]), np.array([-3.0, 2.0, 3.0, -1.0])
    gradient, hessian = hardest(0.5)(y, margins)
    assert_array_equal(gradient != 0, [False, True, False, True])
    assert_array_equal(hessian != 0, [False, True, False, True])


def test_objectives_of_more_classes_train_like_the_library_from_margin_0():
    X, y, _ = table(n_rows=600, n_classes=3)
    factor = 3 / 2  # of LightGBM's Hessian

    def cross_entropy(labels, margins):
        p = softmax(margins, axis=1)
        return p - np.eye(3)[labels.astype(int)], factor * p * (1 - p)

    trees = {"n_estimators": 5, "verbose": -1, "num_threads": 1, "seed": 0}
    found = WithObjective(cross_entropy, **trees).fit(X, y)
    params = {"objective": "multiclass", "num_class": 3, "boost_from_average": False}
    rounds, common = trees["n_estimators"], {k: v for k, v in trees.items() if k != "n_estimators"}
    expected = lightgbm.train(params | common, lightgbm.Dataset(X, y), rounds).predict(X)
    assert_allclose(found.predict_proba(X), expected, atol=1e-6)
    assert_array_equal(found.predict(X), expected.argmax(axis=1))


@pytest.fixture
def small_table(monkeypatch):
    X, y, _ = table(n_rows=400)
    small = tables.Table("small", "", "", "", lambda: (pd.DataFrame(X), pd.Series(y)))
    monkeypatch.setitem(tables.BINARY, "small", small)
    quality.load.cache_clear()
    yield "small"
    quality.load.cache_clear()


@pytest.mark.parametrize("name", [m for m in METHODS if not METHODS[m].needs])
def test_every_method_runs(small_table, name):
    row = quality.run(small_table, name, fold=1, trials=2)
    assert "error" not in row, row["error"]
    assert set(row) <= set(quality.COLUMNS)
    assert row["average_precision"] > 0.4  # a fifth is positive
    assert 0 < row["log_loss"] < 1.5


def test_a_run_is_repeatable(small_table):
    one, other = (quality.run(small_table, "LightGBM, focal", 0, trials=3) for _ in range(2))
    assert one["parameters"] == other["parameters"]
    assert one["average_precision"] == other["average_precision"]


def test_a_method_that_fails_is_a_row(small_table, monkeypatch):
    def make(params, ratio, seed):
        raise RuntimeError("does not work")

    broken = Method(METHODS["logistic"].space, make, {"C": 1.0})
    monkeypatch.setitem(METHODS, "logistic", broken)
    assert quality.run(small_table, "logistic", 0, 1)["error"] == "RuntimeError: does not work"


def test_rows_are_the_same_for_all_methods_and_apart(monkeypatch, small_table):
    monkeypatch.setattr(quality, "TRAINING_ROWS", 200)
    monkeypatch.setattr(quality, "SEARCH_ROWS", 90)
    in_search, train, test = quality.split(small_table, 0)
    assert (len(in_search), len(train), len(test)) == (90, 200, 134)
    assert set(in_search) <= set(train)
    assert not set(train) & set(test)
    _, y = quality.load(small_table)
    assert y[in_search].mean() == pytest.approx(y[train].mean(), abs=0.01)


def test_what_is_done_is_not_done_again(tmp_path):
    path = tmp_path / "quality.csv"
    pd.DataFrame({"table": ["spam"], "method": ["LightGBM"], "fold": [0]}).to_csv(path, index=False)
    todo = quality.tasks(["spam"], ["LightGBM", "XGBoost"], 2, quality.done_before(path))
    assert todo == [("spam", "XGBoost", 0), ("spam", "LightGBM", 1), ("spam", "XGBoost", 1)]


def test_methods_for_two_classes_are_not_run_on_more():
    todo = quality.tasks(["car, 4"], ["LightGBM", "LightGBM, hard examples"], 1, set())
    assert todo == [("car, 4", "LightGBM", 0)]


@pytest.fixture
def sigmoid_of_focal_loss(monkeypatch):
    """A package whose probabilities are the sigmoid of the margin."""

    def make(params, ratio, seed):
        loss = BinaryFocalLoss(params["focal_gamma"])
        trees = {"n_estimators": 15, "verbose": -1, "num_threads": 1, "seed": seed}
        return WithObjective(lambda y, margins: loss.gradient_hessian(y, margins), **trees)

    monkeypatch.setitem(
        METHODS, "sigmoid", Method(gamma, make, {"focal_gamma": 2.0}, needs="lightgbm")
    )
    loss = recovery.LOSSES["gbdtCBL, focal"]
    monkeypatch.setitem(recovery.LOSSES, "sigmoid", loss)
    return "sigmoid"


def test_recovery_measures_the_same_model_with_its_posterior(small_table, sigmoid_of_focal_loss):
    row = quality.run(small_table, sigmoid_of_focal_loss, fold=1, trials=1)
    found = recovery.recovered(row)
    for measure in ("log_loss", "brier", "calibration_error"):
        assert found[f"{measure}, given"] == pytest.approx(row[measure], abs=1e-12)
    X, y = quality.load(small_table)
    _, train, test = quality.split(small_table, 1)
    assert found["package"] == f"lightgbm {lightgbm.__version__}"
    model = METHODS[sigmoid_of_focal_loss].make({"focal_gamma": 2.0}, 1.0, row["seed"])
    raw = model.fit(X.iloc[train], y[train]).booster_.predict(X.iloc[test], raw_score=True)
    expected = log_loss(y[test], BinaryFocalLoss(2.0).posterior(raw))
    assert found["log_loss"] == pytest.approx(expected, abs=1e-9)
    assert found["log_loss"] < row["log_loss"]


def test_recovery_is_of_the_model_that_was_measured(small_table, sigmoid_of_focal_loss):
    row = quality.run(small_table, sigmoid_of_focal_loss, fold=1, trials=1)
    with pytest.raises(RuntimeError, match="Not the model"):
        recovery.recovered(row | {"log_loss": row["log_loss"] + 0.001})


def test_every_other_package_is_recovered():
    assert set(recovery.LOSSES) == set(PEERS)


@pytest.mark.parametrize("name", PEERS)
def test_recovery_has_the_loss_of_the_package(name):
    # a column without information: the posterior is the share of the positives
    pytest.importorskip(METHODS[name].needs, reason="a package of the group peers")
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"coin": rng.integers(0, 2, 4000).astype(float)})
    y = np.tile([1, 0, 0, 0], 1000)
    best = METHODS[name].start | {"focal_gamma": 3.0}
    best |= {k: v for k, v in {"focal_alpha": 0.3, "weight_power": 0.5}.items() if k in best}
    best |= {k: 300 for k in ("n_estimators", "iterations", "num_round") if k in best}
    params = METHODS[name].space(FixedTrial(best))
    model = METHODS[name].make(params, 3.0, 0).fit(X, y)
    posterior = recovery.LOSSES[name](best, 3.0).posterior(model.decision_function(X))[:, 1]
    # imbalance-xgboost sets a quarter of the rows aside
    assert posterior.mean() == pytest.approx(0.25, abs=0.02 if "xgboost" in name else 1e-3)
    assert_allclose(model.predict_proba(X)[:, 1], expit(model.decision_function(X)), atol=1e-6)
    assert abs(model.predict_proba(X)[:, 1].mean() - 0.25) > 0.05


@pytest.mark.parametrize("name", ["gbdtCBL, focal", "imlightgbm, focal"])
def test_packages_learn_three_classes(name):
    pytest.importorskip(METHODS[name].needs, reason="a package of the group peers")
    X, y, _ = table(n_rows=900, n_classes=3)
    params = METHODS[name].space(FixedTrial(METHODS[name].start))
    model = METHODS[name].make(params, -1.0, 0).fit(X[:600], y[:600])
    proba = model.predict_proba(X[600:])
    assert proba.shape == (300, 3)
    assert_array_equal(model.predict(X[600:]), proba.argmax(axis=1))
    assert np.mean(model.predict(X[600:]) == y[600:]) > 0.75  # the largest class is .6


@pytest.mark.parametrize(("sampler", "more"), [("under", 0), ("SMOTE", 1)])
def test_resampling_never_goes_the_wrong_way(sampler, more):
    y = np.repeat([0, 1], [960, 40])
    assert _rows_after(sampler, 24.0, 1.0)(y) == {more: [40, 960][more]}  # balance
    assert _rows_after(sampler, 24.0, 0.5)(y) == {more: [int(40 / 1.01 * 24**0.5), 197][more]}
    # of a fold with more positives than the whole: as it is
    assert _rows_after(sampler, 30.0, 0.0)(y) == {more: [960, 40][more]}


def test_packages_that_are_missing_are_told():
    assert installed(METHODS["LightGBM"])
    missing = Method(None, None, {}, needs="no_such_package")
    assert not installed(missing)
