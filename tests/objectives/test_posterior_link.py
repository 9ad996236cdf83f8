"""The scale of FocalObjective under both links, and the libraries' ``train``."""

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from skfocal import (
    FocalObjective,
)
from tests.conftest import table


@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("gamma", [0.0, 1e-9, 0.5, 5.0, "one per class"])
@pytest.mark.parametrize("alpha", [None, "balanced"])
@pytest.mark.parametrize("weighted", [False, True])
def test_objective_starts_with_the_hessian_of_log_loss(link, n_classes, gamma, alpha, weighted):
    """And with gradients of sum 0. Log loss has the same class weights, and its own start."""
    rng = np.random.default_rng(0)
    y = rng.choice(n_classes, 500, p=[0.9, 0.1] if n_classes == 2 else [0.7, 0.2, 0.1])
    weight = rng.uniform(0.1, 3.0, 500) if weighted else None
    gamma = np.linspace(0.5, 4, n_classes) if isinstance(gamma, str) else gamma
    objective, log_loss = FocalObjective(gamma, alpha, link=link), FocalObjective(0.0, alpha)
    start = objective.init_score(y, weight)
    gradient, hessian = objective(y, start, weight)
    _, plain = log_loss(y, log_loss.init_score(y, weight), weight)
    size = np.abs(gradient).sum(axis=0, dtype=float)
    assert np.all(np.abs(gradient.sum(axis=0, dtype=float)) < 1e-5 * size)
    # the bound of the step may add to it, never take away
    assert hessian.sum(dtype=float) >= plain.sum(dtype=float) * (1 - 1e-5)
    loss = objective.loss_
    scale = loss.log_loss_scale(y, weight)
    _, free = loss.gradient_hessian(y, start, weight, scale=scale)
    factor = 1 if n_classes == 2 else n_classes / (n_classes - 1)
    assert factor * free.sum() == pytest.approx(plain.sum(dtype=float), rel=1e-5)
    if np.isscalar(gamma) and gamma <= 1e-9:
        assert scale == pytest.approx(1.0, abs=1e-7)  # there is no jump at 0


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
