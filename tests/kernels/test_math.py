"""The scalar formulas, run as plain Python, against 50-digit values."""

import math
from itertools import product

import pytest

from skfocal import _math

GAMMAS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.5, 5.0, 10.0)


def test_binary_formulas_match_reference(reference):
    for gamma, m, loss, gradient, exact, upper in reference["binary"]:
        # the exact Hessian passes through zero: no relative bound holds there
        for is_exact, expected, atol in ((True, exact, 1e-14), (False, upper, 1e-300)):
            value, first, second = _math.loss_gradient_hessian(m, gamma, is_exact)
            assert value == pytest.approx(loss, rel=1e-12, abs=1e-300)
            assert first == pytest.approx(gradient, rel=1e-12, abs=1e-300)
            assert second == pytest.approx(expected, rel=1e-12, abs=atol)


def test_upper_hessian_bounds_the_exact_one(reference):
    for gamma, m, *_ in reference["binary"]:
        _, _, exact = _math.loss_gradient_hessian(m, gamma, True)
        _, _, upper = _math.loss_gradient_hessian(m, gamma, False)
        assert upper >= exact - 1e-15
        if gamma == 0:
            assert upper == pytest.approx(exact, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_log_odds_slope_is_the_derivative(gamma):
    for m in (-30.0, -5.0, -1.0, -0.1, 0.0, 0.3, 2.0, 7.0, 25.0):
        step = 1e-5 * max(1.0, abs(m))
        difference = _math.log_odds(m + step, gamma) - _math.log_odds(m - step, gamma)
        slope = _math.log_odds_slope(m, gamma)
        assert slope > 0
        assert slope == pytest.approx(difference / (2 * step), rel=1e-6, abs=1e-7)


def test_log_odds_is_the_paper_map():
    """Log h(p) in its form in p (Charoenphakdee et al. 2021), where p is moderate."""
    for gamma, p in product(GAMMAS, (0.01, 0.2, 0.5, 0.9, 0.99)):
        in_p = math.log(p) - (gamma - 1) * math.log(1 - p)
        in_p -= math.log((1 - p) - gamma * p * math.log(p))
        m = math.log(p) - math.log(1 - p)
        assert _math.log_odds(m, gamma) == pytest.approx(in_p, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("gammas", [*((g, g) for g in GAMMAS), (0.0, 4.0), (5.0, 0.5)])
def test_binary_margin_inverts_log_odds(gammas):
    for z in (-700.0, -60.0, -9.0, -1.5, -1e-3, 0.0, 1e-9, 0.7, 4.0, 35.0, 700.0):
        u = _math.binary_log_odds(z, *gammas)
        assert _math.binary_margin(u, *gammas) == pytest.approx(z, rel=1e-14, abs=1e-14)


@pytest.mark.parametrize("gamma", [*GAMMAS, 0.01])
def test_margin_of_log_odds_inverts(gamma):
    for m in (-600.0, -20.0, -1.0, 0.0, 0.5, 6.0, 30.0):
        v = _math.log_odds(m, gamma)
        # near p = 1 the value has only log(1 - p) digits left of it at gamma = 0
        rel = 1e-12 if gamma or m < 20 else 0.2
        assert _math.margin_of_log_odds(v, gamma) == pytest.approx(m, rel=rel, abs=1e-13)


def test_margin_of_log_odds_is_infinite_where_there_is_none():
    assert _math.margin_of_log_odds(0.1, 0.0) == math.inf
    assert _math.margin_of_log_odds(50.0, 0.01) == math.inf


def test_softmax_margins_equal_the_direct_sums():
    for z in ([0.0, 0.0], [3.0, -1.0, 2.0], [700.0, 700.0, -700.0, 1.0], [5.0] * 7):
        margins = [0.0] * len(z)
        _math.softmax_margins(z, margins)
        for k in range(len(z)):
            direct, _, _ = _math.against_rest(z, k)
            assert margins[k] == pytest.approx(direct, rel=1e-14, abs=1e-14)
