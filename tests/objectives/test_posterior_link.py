"""FocalObjective under the posterior link: its scale, and the libraries' ``train``."""

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose

from skfocal import (
    FocalObjective,
)
from tests.conftest import table


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 5.0, "one per class"])
@pytest.mark.parametrize("alpha", [None, "balanced"])
def test_objective_starts_with_the_hessian_of_log_loss(n_classes, gamma, alpha):
    """And with gradients of sum 0, in LightGBM's scaling."""
    rng = np.random.default_rng(0)
    y = rng.choice(n_classes, 500, p=[0.9, 0.1] if n_classes == 2 else [0.7, 0.2, 0.1])
    gamma = np.linspace(0.5, 4, n_classes) if isinstance(gamma, str) else gamma
    objective = FocalObjective(gamma, alpha, link="posterior")
    log_loss = FocalObjective(0.0)
    start = objective.init_score(y)
    assert_allclose(start, log_loss.init_score(y), rtol=1e-12)
    gradient, hessian = objective(y, start)
    _, plain = log_loss(y, start)
    assert_allclose(gradient.sum(axis=0, dtype=float), 0, atol=1e-4)
    # the bound of the step may add to it, never take away
    assert hessian.sum(dtype=float) >= plain.sum(dtype=float) * (1 - 1e-5)
    loss = objective.loss_
    _, free = loss.gradient_hessian(y, start, scale=loss.log_loss_scale(y))
    factor = 1 if n_classes == 2 else n_classes / (n_classes - 1)
    assert factor * free.sum() == pytest.approx(plain.sum(dtype=float), rel=1e-5)


def test_objective_in_the_native_interfaces():
    """``train`` of both libraries, whose own sigmoid is then the posterior."""
    X, y, _ = table()
    objective = FocalObjective(2.0, "balanced", link="posterior")
    data = lgb.Dataset(X, y, init_score=objective.init_score(y))
    booster = lgb.train({"objective": objective, "verbose": -1}, data, 20)
    proba = objective.predict_proba(booster.predict(X) + objective.init_score(y)[0])
    assert proba[:, 1].mean() == pytest.approx(y.mean(), rel=0.1)
    data = xgb.DMatrix(X, y)
    params = {"objective": "binary:logistic", "base_score": objective.base_score(y)}
    booster = xgb.train(params, data, 20, obj=objective)
    assert objective.base_score(y) == pytest.approx(y.mean())
    assert booster.predict(data).mean() == pytest.approx(y.mean(), rel=0.1)
