"""Slope, offset and shares of log-odds against other libraries and repetition of rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from skfocal import calibration as module
from skfocal.calibration import (
    Calibration,
    check_priors,
    effective_rows,
    fit_calibration,
    prior_shift,
    shares_differ,
)


def rows(n_classes, n=20_000, seed=0):
    """Log-odds that are too extreme, and labels that say so."""
    rng = np.random.default_rng(seed)
    if n_classes == 2:
        true = rng.normal(-2.0, 1.5, n)
        return 2.0 * true + 1.0, (rng.random(n) < expit(true)).astype(int)
    true = rng.normal(0.0, 1.5, (n, n_classes)) + np.linspace(0.0, -2.0, n_classes)
    cumulative = softmax(true, axis=1).cumsum(axis=1)
    codes = (rng.random((n, 1)) > cumulative).sum(axis=1)
    noise = rng.normal(size=(n, 1))  # a constant of the row has no meaning
    return 2.0 * true + noise + np.arange(n_classes), codes.clip(max=n_classes - 1)


def log_loss_of(calibration, log_odds, codes):
    mapped = calibration.apply(log_odds)
    if mapped.ndim == 1:
        mapped = np.column_stack([np.zeros_like(mapped), mapped])
    return -log_softmax(mapped, axis=1)[np.arange(len(codes)), codes].mean()


@pytest.fixture
def no_ridge(monkeypatch):
    monkeypatch.setattr(module, "SLOPE_SD", 1e6)
    monkeypatch.setattr(module, "LEVEL_SD", 1e6)


@pytest.mark.parametrize("weighted", [False, True])
def test_binary_is_logistic_regression_on_the_log_odds(no_ridge, weighted):
    u, y = rows(2)
    weight = np.random.default_rng(1).uniform(0.1, 3.0, len(y)) if weighted else None
    found = fit_calibration(u, y, weight)
    other = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000)
    other.fit(u[:, np.newaxis], y, sample_weight=weight)
    assert_allclose([found.slope, found.offset], [other.coef_[0, 0], other.intercept_[0]], 1e-5)


def test_multiclass_is_the_minimum_that_scipy_finds(no_ridge):
    u, y = rows(4, n=2000)
    found = fit_calibration(u, y)
    assert sum(found.offset) == pytest.approx(0.0, abs=1e-12)

    def value(theta):
        mapped = theta[0] * u + np.r_[0.0, theta[1:]]
        return -log_softmax(mapped, axis=1)[np.arange(len(y)), y].mean()

    other = minimize(value, np.r_[1.0, np.zeros(3)], tol=1e-12)
    offset = np.r_[0.0, other.x[1:]]
    assert_allclose(found.slope, other.x[0], rtol=1e-4)
    assert_allclose(found.offset, offset - offset.mean(), atol=1e-4)
    assert log_loss_of(found, u, y) <= other.fun + 1e-12


def test_two_columns_are_one_difference():
    u, y = rows(2)
    one = fit_calibration(u, y)
    two = fit_calibration(np.column_stack([np.zeros_like(u), u]), y)
    assert two.slope == pytest.approx(one.slope, rel=1e-9)
    assert two.offset[1] - two.offset[0] == pytest.approx(one.offset, rel=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_count_as_repetitions_and_their_scale_does_not(no_ridge, n_classes):
    u, y = rows(n_classes, n=3000)
    weight = np.random.default_rng(2).integers(0, 4, len(y))
    by_weight = fit_calibration(u, y, weight)
    repeated = fit_calibration(np.repeat(u, weight, axis=0), np.repeat(y, weight))
    scaled = fit_calibration(u, y, 1e-20 * weight)
    for other in (repeated, scaled):
        assert other.slope == pytest.approx(by_weight.slope, rel=1e-6)
        assert_allclose(other.offset, by_weight.offset, rtol=1e-6, atol=1e-9)


def test_ridge_draws_to_the_identity_where_rows_say_little():
    u, y = rows(2, n=200_000)
    far = fit_calibration(u, y)
    few = slice(0, 300)
    with_ridge = fit_calibration(u[few], y[few])
    # the loss of the ridge itself, minimised by another library
    weight = module.SLOPE_SD**-2, module.LEVEL_SD**-2 / 2
    p = expit(u[few])
    center = np.average(u[few], weights=p * (1 - p))

    def value(theta):
        level = theta[1] - (1 - theta[0]) * center
        penalty = (weight[0] * (theta[0] - 1) ** 2 + weight[1] * level**2) / 2
        mapped = theta[1] + theta[0] * u[few]
        return np.sum(np.logaddexp(0.0, mapped) - y[few] * mapped) + penalty

    other = minimize(value, [1.0, 0.0], tol=1e-12).x
    assert_allclose([with_ridge.slope, with_ridge.offset], other, rtol=1e-4)
    assert far.slope == pytest.approx(0.5, abs=0.01)
    # rows that say nothing of the slope leave it as it is
    with pytest.warns(
        UserWarning, match="hold 5 of class 1, by their weights, and slope and offset need 20"
    ):
        nothing = fit_calibration(np.zeros(20), np.arange(20) < 5)
    assert nothing.slope == 1.0
    assert np.log(5 / 15) < nothing.offset < -0.5


def test_shift_is_added_after_the_map(no_ridge):
    u, y = rows(2)
    plain, shifted = fit_calibration(u, y), fit_calibration(u, y, shift=0.7)
    assert shifted.slope == pytest.approx(plain.slope, rel=1e-6)
    assert shifted.offset + 0.7 == pytest.approx(plain.offset, rel=1e-6)
    u, y = rows(3)
    plain, shifted = fit_calibration(u, y), fit_calibration(u, y, shift=(0.5, 0.0, -0.5))
    assert_allclose(np.add(shifted.offset, (0.5, 0.0, -0.5)), plain.offset, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_model_that_is_contradicted_keeps_a_positive_slope(n_classes):
    u, y = rows(n_classes)
    with pytest.warns(UserWarning, match="contradict the model"):
        found = fit_calibration(-u, y)
    assert 0 < found.slope <= module.MIN_SLOPE
    mapped = found.apply(-u)
    proba = softmax(np.column_stack([0 * mapped, mapped]) if n_classes == 2 else mapped, axis=1)
    assert_allclose(proba.mean(axis=0), np.bincount(y) / len(y), rtol=1e-3)


def test_extreme_log_odds_do_not_overflow():
    u, y = rows(2, n=5000)
    found = fit_calibration(1e4 * u, y)
    assert found.slope == pytest.approx(1e-4 * fit_calibration(u, y).slope, rel=0.01)
    assert found.offset == pytest.approx(fit_calibration(u, y).offset, abs=0.01)


@pytest.mark.parametrize("offset", [0.25, (0.5, -0.75, 0.25)])
def test_maps_compose_and_invert(offset):
    first = Calibration(0.5, offset)
    second = Calibration(3.0, -1.0 if np.isscalar(offset) else (1.0, 0.0, -1.0))
    u = np.random.default_rng(0).normal(size=(50,) if np.isscalar(offset) else (50, 3))
    assert_allclose(first.then(second).apply(u), second.apply(first.apply(u)), atol=1e-12)
    assert_allclose(first.inverse().apply(first.apply(u)), u, atol=1e-12)
    assert Calibration().is_identity
    assert not first.is_identity
    assert first.apply(u.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("n_classes", [2, 3])
def test_prior_shift_is_bayes_rule(n_classes):
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(n_classes), 100)
    before, after = rng.dirichlet(np.ones(n_classes), 2)
    expected = P * (after / before)
    expected /= expected.sum(axis=1, keepdims=True)
    log_odds = np.log(P[:, 1] / P[:, 0]) if n_classes == 2 else np.log(P)
    shifted = Calibration(1.0, prior_shift(before, after)).apply(log_odds)
    if n_classes == 2:
        assert_allclose(expit(shifted), expected[:, 1], rtol=1e-12)
    else:
        assert_allclose(softmax(shifted, axis=1), expected, rtol=1e-12)


def test_priors_as_given():
    classes = np.array(["a", "b", "c"])
    by_label = check_priors({"c": 0.5, "a": 0.25, "b": 0.25}, classes)
    assert_allclose(by_label, [0.25, 0.25, 0.5])
    assert_allclose(check_priors([0.25, 0.25, 0.5], classes), by_label)
    hostile = [
        ({"a": 0.5, "b": 0.5}, ValueError, "must have the labels"),
        ({"a": 0.2, "b": 0.2, "c": 0.2, "d": 0.4}, ValueError, "must have the labels"),
        ([0.5, 0.5], ValueError, "each of the 3 classes"),
        ([0.5, 0.5, 0.0], ValueError, "above 0 and below 1"),
        ([0.5, 0.7, -0.2], ValueError, "above 0 and below 1"),
        ([0.5, 0.3, np.nan], ValueError, "finite"),
        ([0.5, 0.3, 0.1], ValueError, "sum to 1"),
        (0.2, ValueError, "each of the 3 classes"),
        ("balanced", TypeError, "priors must hold numbers"),
    ]
    for priors, error, message in hostile:
        with pytest.raises(error, match=message):
            check_priors(priors, classes)


@pytest.mark.parametrize("known", [True, False])
def test_shares_differ_about_as_rarely_as_it_says(known, monkeypatch):
    monkeypatch.setattr(module, "SIGNIFICANCE", 0.05)
    rng = np.random.default_rng(0)
    true = np.array([0.9, 0.08, 0.02])
    found = 0
    for _ in range(2000):
        held_out = rng.multinomial(1000, true) / 1000
        training = true if known else rng.multinomial(500, true) / 500
        found += shares_differ(held_out, 1000, training, None if known else 500)
    assert 0.03 < found / 2000 < 0.08
    assert shares_differ([0.8, 0.2], 1000, [0.98, 0.02], None if known else 500)
    assert not shares_differ([1.0, 0.0], 20, [0.98, 0.02], None if known else 500)
    assert shares_differ([0.5, 0.5], 10, [1.0, 0.0], None)  # a class without a share


def test_effective_rows():
    assert effective_rows(np.full(7, 1e-300)) == pytest.approx(7.0)
    assert effective_rows(np.array([1.0, 0.0, 0.0])) == 1.0


def test_bad_input():
    for arguments, message in [
        (([0.0, 1.0], [0]), "y_true"),
        (([[0.0], [1.0]], [0, 1]), "K >= 2"),
        (([0.0, np.inf], [0, 1]), "finite"),
        (([0.0, 1.0], [0, 2]), "code from 0 to 1"),
        (([0.0, 1.0], [0, 1], [1.0, -1.0]), "sample_weight"),
        (([0.0, 1.0], [0, 1], [0.0, 0.0]), "one above 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit_calibration(*arguments)
