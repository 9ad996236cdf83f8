"""What holds of each loss, of drawn labels, margins and parameters.

The witnesses are the formulas of the paper in plain NumPy, and finite differences. How many
examples there are is the profile's: see `draws.share`.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skfocal.losses import make_loss
from tests import draws
from tests.draws import share

LOSSES = share(1.0)


def scale_of(*arrays):
    return max(float(np.abs(a).max()) for a in arrays) or 1.0


@LOSSES
@given(draws.losses_and_margins(st.just("focal")))
def test_focal_link_is_the_formula_of_the_paper(drawn):
    parameters, y, raw, weight = drawn
    loss = make_loss(*parameters)
    expected = draws.focal_loss(y, raw, loss.class_gamma, loss.class_weight)
    expected = expected if weight is None else expected * weight
    assert_allclose(loss.loss(y, raw, weight), expected, rtol=1e-9, atol=1e-300)


@LOSSES
@given(draws.losses_and_margins(hessians=("upper", "exact", "abs")), st.integers(0, 3))
def test_gradient_is_the_finite_difference_of_the_loss(drawn, column):
    parameters, y, raw, weight = drawn
    loss = make_loss(*parameters)
    value, gradient, hessian = loss.loss_gradient_hessian(y, raw, weight)
    assert all(np.isfinite(a).all() for a in (value, gradient, hessian))
    step = np.full(raw.shape, 1e-4) if raw.ndim == 1 else np.zeros(raw.shape)
    if raw.ndim > 1:
        column %= raw.shape[1]
        gradient, hessian, step[:, column] = gradient[:, column], hessian[:, column], 1e-4
    ahead, behind = (loss.loss(y, raw + s * step, weight) for s in (1, -1))
    size = np.maximum(np.abs(ahead), np.abs(behind))
    difference = (ahead - behind) / 2e-4
    bound = 1e-6 * np.abs(gradient) + 1e-6 * size + 1e-9 * scale_of(hessian)
    assert (np.abs(gradient - difference) <= bound + 1e-300).all()
    if parameters[3] == "exact":
        ahead, behind = (loss.gradient(y, raw + s * step, weight) for s in (1, -1))
        if raw.ndim > 1:
            ahead, behind = ahead[:, column], behind[:, column]
        difference = (ahead - behind) / 2e-4
        size = np.maximum(np.abs(ahead), np.abs(behind))
        # the error of the difference is about step**2 gamma**3 / 6
        assert (np.abs(hessian - difference) <= 1e-4 * size + 1e-300).all()


@LOSSES
@given(draws.losses_and_margins(st.just("focal")))
def test_upper_hessian_bounds_the_exact_one(drawn):
    (n_classes, gamma, alpha, _, link), y, raw, weight = drawn
    upper, exact, size = (
        make_loss(n_classes, gamma, alpha, kind, link).gradient_hessian(y, raw, weight)[1]
        for kind in ("upper", "exact", "abs")
    )
    assert (upper >= 0).all()
    if n_classes == 2:  # for more it is no bound of the diagonal alone
        assert (upper >= exact - 1e-12 * np.abs(exact)).all()
    assert_allclose(size, np.abs(exact), rtol=1e-12)


@LOSSES
@given(draws.losses_and_margins(largest=12.0), st.sampled_from([1.0, 1e-6]))
def test_posterior_and_margins_are_inverse(drawn, rarest):
    (n_classes, gamma, alpha, _, link), y, _, _ = drawn
    loss = make_loss(n_classes, gamma, alpha, link=link)
    rng = np.random.default_rng(len(y))
    P = rng.dirichlet(np.ones(n_classes), len(y))
    P[:, 0] *= rarest
    P = np.maximum(P / P.sum(axis=1, keepdims=True), 1e-12)
    P /= P.sum(axis=1, keepdims=True)
    raw = loss.raw_prediction(P)
    assert_allclose(loss.posterior(raw), P, rtol=1e-7)
    assert_allclose(draws.sigmoid_or_softmax(loss.log_odds(raw)), P, rtol=1e-7)
    other = make_loss(n_classes, gamma, alpha, link="posterior" if link == "focal" else "focal")
    there = loss.convert(raw, other.link)
    assert_allclose(other.posterior(there), P, rtol=1e-7)
    assert_allclose(loss.posterior(other.convert(there, link)), P, rtol=1e-7)
    assert_allclose(loss.loss(y, raw), other.loss(y, there), rtol=1e-6, atol=1e-300)


@LOSSES
@given(draws.losses_and_margins())
def test_expected_gradient_is_zero_at_the_posterior(drawn):
    """The posterior of margins is the share of labels for which these margins are optimal."""
    parameters, _, raw, _ = drawn
    loss = make_loss(*parameters)
    P = loss.posterior(raw)
    expected, size = 0.0, 0.0
    for code in range(loss.n_classes):
        gradient = loss.gradient(np.full(len(P), code), raw)
        part = (gradient.T * P[:, code]).T
        expected, size = expected + part, size + np.abs(part)
    assert (np.abs(expected) <= 1e-7 * size + 1e-13 * scale_of(*loss.class_weight)).all()


@LOSSES
@given(draws.losses_and_margins())
def test_start_has_the_shares_as_posterior(drawn):
    parameters, y, _, weight = drawn
    y = np.append(y, np.arange(parameters[0]))
    weight = None if weight is None else np.append(weight, np.ones(parameters[0]))
    loss = make_loss(*parameters)
    shares = np.bincount(y, weights=weight) / (len(y) if weight is None else weight.sum())
    P = loss.posterior(np.asarray(loss.intercept(y, weight))[np.newaxis])[0]
    assert_allclose(P, shares, rtol=1e-7, atol=2e-9)


@LOSSES
@given(draws.losses_and_margins(largest=8.0))
def test_single_precision_is_near_to_double(drawn):
    parameters, y, raw, weight = drawn
    loss, raw = make_loss(*parameters), raw.astype(np.float32)
    double = loss.loss_gradient_hessian(y, raw.astype(np.float64), weight)
    for ours, expected in zip(loss.loss_gradient_hessian(y, raw, weight), double, strict=True):
        assert ours.dtype == np.float32
        assert np.isfinite(ours).all()
        smallest = np.finfo(np.float32).smallest_subnormal
        assert_allclose(ours, expected, rtol=2e-4, atol=1e-5 * scale_of(expected) + smallest)
