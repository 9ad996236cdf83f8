"""FocalLogisticRegression under the posterior link: consistent coefficients, solvers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from skfocal import (
    FocalLogisticRegression,
)
from tests.conftest import table


def test_warm_start_does_not_take_coefficients_of_the_other_link():
    X, y, _ = table()
    model = FocalLogisticRegression(warm_start=True, max_iter=200).fit(X, y)
    model.set_params(link="posterior").fit(X, y)
    fresh = FocalLogisticRegression(link="posterior", max_iter=200).fit(X, y)
    assert_array_equal(model.coef_, fresh.coef_)


def logistic_table(seed, n_rows):
    """Rows of a true logistic model."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3))
    truth = np.array([1.5, -1.0, 0.5, -2.0])
    return X, (rng.uniform(size=n_rows) < expit(X @ truth[:-1] + truth[-1])).astype(int), truth


@pytest.mark.parametrize("gamma, alpha", [(0.5, None), (2.0, None), (5.0, None), (2.0, "balanced")])
def test_logistic_coefficients_are_consistent(gamma, alpha):
    """The error falls with the rows under the posterior link, and stays under the other."""
    coefficients, log_odds = [], {"posterior": 0.0, "focal": 0.0}
    for n_rows in (4_000, 400_000):
        X, y, truth = logistic_table(1, n_rows)
        true = X @ truth[:-1] + truth[-1]
        for link in log_odds:
            model = FocalLogisticRegression(gamma, alpha, link=link, C=np.inf, tol=1e-8).fit(X, y)
            if link == "posterior":
                coefficients.append(np.abs(model.coef_[0] - truth[:-1]).max())
            found = model.loss_.convert(X @ model.coef_[0] + model.intercept_[0], "posterior")
            log_odds[link] = np.sqrt(np.square(found - true).mean())
    assert coefficients[1] < 0.025
    assert coefficients[1] < 0.5 * coefficients[0]
    if gamma < 2:  # from there on T is so nearly straight that it takes more rows to show
        assert log_odds["focal"] > 1.5 * log_odds["posterior"]
    proba = FocalLogisticRegression(gamma, alpha, C=np.inf).fit(X, y).predict_proba(X)[:, 1]
    ours = FocalLogisticRegression(gamma, alpha, link="posterior", C=np.inf).fit(X, y)
    assert (
        np.abs(ours.predict_proba(X)[:, 1] - expit(true)).mean()
        < np.abs(proba - expit(true)).mean()
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("alpha", [None, "balanced"])
def test_linear_solvers_agree(n_classes, alpha):
    X, y, weight = table(n_classes)
    options = {"link": "posterior", "tol": 1e-9, "max_iter": 5000, "C": 0.5}
    models = [
        FocalLogisticRegression(2.0, alpha, solver=solver, **options).fit(X, y, weight)
        for solver in ("newton-cholesky", "lbfgs", "prox-newton")
    ]
    for model in models[1:]:
        assert_allclose(model.coef_, models[0].coef_, atol=2e-6)
        assert_allclose(model.intercept_, models[0].intercept_, atol=2e-6)


def test_linear_gamma_zero_is_logistic_regression():
    X, y, _ = table(3)
    theirs = LogisticRegression(tol=1e-9, max_iter=5000).fit(X, y)
    ours = FocalLogisticRegression(0.0, link="posterior", tol=1e-9, max_iter=5000).fit(X, y)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
