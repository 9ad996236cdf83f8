"""Metrics and early stopping are of the rows of all workers."""

import lightgbm as lgb
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss

from skfocal.dask import DaskFocalLGBMClassifier, DaskFocalXGBClassifier
from tests.dask.clusters import lazy, placed, rows

pytestmark = [pytest.mark.costly, pytest.mark.xdist_group("cluster")]  # all files share it


def test_a_rank_metric_where_a_worker_has_one_class(client):
    X, y = rows(3, 6000)
    common = np.flatnonzero(y == "common")[:1500]
    others = np.setdiff1d(np.arange(6000), common)
    evaluation = placed(client, (X[common], y[common]), (X[others], y[others]))
    model = DaskFocalXGBClassifier(n_estimators=4, eval_metric="auc")
    model.fit(*lazy(X, y), eval_set=[tuple(evaluation)], verbose=False)
    recorded = model.evals_result()["validation_0"]["auc"]
    assert np.isfinite(recorded).all()
    assert recorded[-1] > 0.8


def test_metrics_are_of_all_rows_on_lightgbm(client):
    X, y = rows(n_rows=9100)
    (X, X_eval), (y, y_eval) = np.split(X, [6000]), np.split(y, [6000])
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y_eval)).astype(np.float32)
    model = DaskFocalLGBMClassifier(
        n_estimators=200, verbose=-1, learning_rate=0.3, metric=["binary_logloss", "auc"]
    )
    model.fit(
        *lazy(X, y),
        eval_set=[tuple(lazy(X_eval, y_eval))],
        eval_sample_weight=lazy(weight),
        eval_names=["new"],
        callbacks=[lgb.early_stopping(5, verbose=False)],
    )
    recorded = model.evals_result_["new"]["binary_logloss"]
    assert 1 < model.best_iteration_ < 200
    assert model.best_iteration_ == np.argmin(recorded) + 1
    local = model.to_local()
    assert local.best_iteration_ == model.best_iteration_
    expected = log_loss(y_eval, local.predict_proba(X_eval), sample_weight=weight)
    assert recorded[model.best_iteration_ - 1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_metrics_are_of_all_rows_on_xgboost(client, n_classes):
    X, y = rows(n_classes, 9100)
    (X, X_eval), (y, y_eval) = np.split(X, [6000]), np.split(y, [6000])
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y_eval))
    weight[:1000] *= 50  # most of the weight lies with one worker
    names = ["error", "rmse", "logloss"] if n_classes == 2 else ["merror", "mlogloss"]
    model = DaskFocalXGBClassifier(n_estimators=100, early_stopping_rounds=5, eval_metric=names)
    model.fit(
        *lazy(X, y),
        eval_set=[tuple(lazy(X_eval, y_eval))],
        sample_weight_eval_set=lazy(weight),
        verbose=False,
    )
    recorded = model.evals_result()["validation_0"]
    assert 1 < model.best_iteration < 99
    assert model.best_iteration == np.argmin(recorded[names[-1]])
    local = model.to_local()
    proba = local.predict_proba(X_eval)
    own = y_eval == "rare"
    expected = {
        names[-1]: log_loss(y_eval, proba, sample_weight=weight),
        names[0]: np.average(local.predict(X_eval) != y_eval, weights=weight),
    }
    if n_classes == 2:
        expected["rmse"] = np.average((proba[:, 1] - own) ** 2, weights=weight) ** 0.5
    for name, value in expected.items():
        assert recorded[name][model.best_iteration] == pytest.approx(value, rel=1e-6), name


def test_early_stopping_on_xgboost_sees_every_digit(client):
    X, y = rows(n_rows=3000)
    (X, X_eval), (y, y_eval) = np.split(X, [2000]), np.split(y, [2000])
    small = {"focal_alpha": {"common": 1e-5, "rare": 1e-4}, "link": "posterior"}
    model = DaskFocalXGBClassifier(n_estimators=200, early_stopping_rounds=5, **small)
    model.fit(*lazy(X, y), eval_set=[tuple(lazy(X_eval, y_eval, chunk=400))], verbose=False)
    recorded = model.evals_result()["validation_0"]["focal_loss"]
    local = model.to_local()
    codes = np.searchsorted(local.classes_, y_eval)
    margins = [
        local.predict(X_eval, output_margin=True, iteration_range=(0, i + 1)).astype(float)
        for i in range(len(recorded))
    ]
    expected = [local.loss_.loss(codes, raw).mean() for raw in margins]
    assert_allclose(recorded, expected, rtol=1e-6)
    assert model.best_iteration == np.argmin(expected) < 199
    assert len(recorded) == model.best_iteration + 6
    assert model.get_booster().attr("best_score") == repr(min(recorded))


def test_an_evaluation_set_of_one_block_leaves_a_worker_without_rows(client):
    X, y = rows(n_rows=4000)
    model = DaskFocalXGBClassifier(n_estimators=5)
    model.fit(*lazy(X, y), eval_set=[tuple(lazy(X[:200], y[:200]))], verbose=False)
    recorded = model.evals_result()["validation_0"]["focal_loss"]
    local = model.to_local()
    codes = np.searchsorted(local.classes_, y[:200])
    expected = local.loss_.loss(codes, local.predict(X[:200], output_margin=True)).mean()
    assert recorded[-1] == pytest.approx(expected, rel=1e-6)


def test_a_training_set_that_is_evaluated_is_one_matrix(client, monkeypatch):
    from xgboost import dask as xgboost_dask

    made = []
    original = xgboost_dask.DaskDMatrix.__init__

    def make(self, *args, **kwargs):
        made.append(self)
        original(self, *args, **kwargs)

    monkeypatch.setattr(xgboost_dask.DaskDMatrix, "__init__", make)
    X, y = rows(n_rows=2000)
    dX, dy, weight = lazy(X, y, np.linspace(1, 2, 2000))
    shown = []
    for eval_weight, n_made in ((weight, 1), (weight + 0, 2)):
        made.clear()
        model = DaskFocalXGBClassifier(n_estimators=3)
        model.fit(
            dX,
            dy,
            sample_weight=weight,
            eval_set=[(dX, dy)],
            sample_weight_eval_set=[eval_weight],
            verbose=False,
        )
        assert len(made) == n_made
        shown.append(model.evals_result()["validation_0"]["focal_loss"])
    assert_allclose(*shown, rtol=1e-6)
