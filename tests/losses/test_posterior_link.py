"""The posterior link: cross-entropy whose rows are weighted by their log-odds.

The witness is the composite loss in 110-digit arithmetic. The point p that belongs to a
posterior is found there from its definition, the minimum of the expected weighted loss
(equal w_k eta_k phi_k'(p_k) for all classes), and differentiated by finite differences.
"""

import numpy as np
import pytest
from mpmath import exp, findroot, fsum, log, mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax

from skfocal import (
    BinaryFocalLoss,
    MulticlassFocalLoss,
    _math,
)
from skfocal.losses import make_loss
from tests.kernels.test_kernels import assert_near

BINARY = [
    (2.0, None),
    (0.3, (0.02, 1.0)),
    (5.0, (1.0, 40.0)),
    (10.0, None),
    ((0.0, 4.0), None),
    ((10.0, 0.5), (3.0, 0.4)),
    (0.0, (1.0, 7.0)),
]
MULTICLASS = [
    (3, 2.0, None),
    (3, 10.0, (0.02, 1.0, 150.0)),
    (3, (0.0, 5.0, 1.0), (1.0, 0.3, 2.0)),
    (4, (0.5, 0.0, 10.0, 2.0), None),
    (2, (3.0, 0.7), (1.0, 9.0)),
    (4, 0.0, (1.0, 2.0, 30.0, 0.1)),
]
TOLERANCES = {"f4": (1e-5, 1e-38), "f8": (1e-10, 1e-300)}
WIDE = np.r_[-80.0, -33.0, -7.5, -1.0, 0.0, 0.4, 3.0, 12.0, 50.0, 80.0]


def phi_slope(p, q, gamma):
    """-phi'(p), phi(p) = -q**gamma log p, q = 1 - p."""
    return q**gamma / p - (gamma * q ** (gamma - 1) * log(p) if gamma else 0)


def sigmoid(x):
    return 1 / (1 + exp(-x))


class Composite:
    """Losses of all classes as functions of the posterior's log-odds, in mpmath."""

    def __init__(self, loss):
        self.loss = loss
        self.gamma = [mpf(g) for g in loss.class_gamma]
        self.weight = [mpf(w) for w in loss.class_weight]

    def margins(self, u):
        """logit(p_k) of all classes: Newton from the double solution of the scalar solver."""
        k = len(u)
        target = [log(w) + x for w, x in zip(self.weight, u, strict=True)]
        start = [0.0] * k
        _math.multiclass_margins([float(t) for t in target], self.loss.class_gamma, start)
        top = max(range(k), key=lambda j: start[j])
        others = [j for j in range(k) if j != top]

        def equations(*unknown):
            m = dict(zip(others, unknown[:-1], strict=True))
            rest = fsum(sigmoid(x) for x in m.values())
            m[top] = log((1 - rest) / rest)
            return [
                log(phi_slope(sigmoid(m[j]), sigmoid(-m[j]), self.gamma[j]))
                + target[j]
                - unknown[-1]
                for j in range(k)
            ]

        m = mpf(start[others[0]])
        level = log(phi_slope(sigmoid(m), sigmoid(-m), self.gamma[others[0]])) + target[others[0]]
        root = findroot(equations, [*(mpf(start[j]) for j in others), level], tol=mpf(10) ** -80)
        result = dict(zip(others, list(root)[:-1], strict=True))
        rest = fsum(sigmoid(x) for x in result.values())
        result[top] = log((1 - rest) / rest)
        return [result[j] for j in range(k)]

    def losses(self, u):
        rows = zip(self.margins(u), self.gamma, self.weight, strict=True)
        return [w * sigmoid(-m) ** g * log(1 + exp(-m)) for m, g, w in rows]

    def derivatives(self, u):
        """Losses, gradients [label][class] and the expected diagonal Hessian."""
        k, step = len(u), mpf(10) ** -14
        top = max(u)
        eta = [exp(x - top) for x in u]
        eta = [e / fsum(eta) for e in eta]
        centre = self.losses(u)
        gradient, hessian = [[None] * k for _ in range(k)], []
        for j in range(k):
            up = self.losses([x + (step if i == j else 0) for i, x in enumerate(u)])
            down = self.losses([x - (step if i == j else 0) for i, x in enumerate(u)])
            for t in range(k):
                gradient[t][j] = (up[t] - down[t]) / (2 * step)
            second = [(a - 2 * b + c) / step**2 for a, b, c in zip(up, centre, down, strict=True)]
            hessian.append(fsum(e * s for e, s in zip(eta, second, strict=True)))
        return centre, gradient, hessian


@pytest.fixture(scope="module", autouse=True)
def many_digits():
    before, mp.dps = mp.dps, 110
    yield
    mp.dps = before


@pytest.mark.parametrize("gamma, alpha", BINARY)
def test_binary_is_the_derivative_of_the_composite_loss(gamma, alpha):
    loss = BinaryFocalLoss(gamma, alpha, link="posterior")
    exact = [Composite(loss).derivatives([mpf(0), mpf(float(u))]) for u in WIDE]
    for kind, (rtol, atol) in TOLERANCES.items():
        for label in (0, 1):
            y = np.full(len(WIDE), label)
            gradient, hessian = loss.gradient_hessian(y, WIDE, dtype=kind)
            assert gradient.dtype == hessian.dtype == kind
            assert_near(gradient, [g[label][1] for _, g, _ in exact], rtol, atol)
            assert_near(hessian, [h[1] for *_, h in exact], rtol, atol)
            raw = WIDE.astype(kind)
            assert_near(loss.loss(y, raw), [v[label] for v, *_ in exact], rtol, atol)


@pytest.mark.parametrize("n_classes, gamma, alpha", MULTICLASS)
def test_multiclass_is_the_derivative_of_the_composite_loss(n_classes, gamma, alpha):
    loss = MulticlassFocalLoss(n_classes, gamma, alpha, link="posterior")
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(7, n_classes)) * np.array([0.0, 1e-3, 1, 3, 8, 20, 30])[:, np.newaxis]
    raw = np.vstack([raw, np.eye(n_classes)[:1] * 60, -40 * np.arange(n_classes)])
    exact = [Composite(loss).derivatives([mpf(float(x)) for x in row]) for row in raw]
    for kind, (rtol, atol) in TOLERANCES.items():
        for label in range(n_classes):
            y = np.full(len(raw), label)
            gradient, hessian = loss.gradient_hessian(y, raw, dtype=kind)
            values = loss.loss(y, raw)
            for i, (value, slopes, diagonal) in enumerate(exact):
                assert_near(gradient[i], slopes[label], rtol, atol)
                assert_near(hessian[i], diagonal, rtol, atol)
                assert_near(values[i : i + 1], value[label : label + 1], 1e-10, 1e-300)


@pytest.mark.parametrize("n_classes", [2, 3, 5, 30, 100])
@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0, "mixed"])
def test_solver_has_no_hard_rows(n_classes, gamma):
    """Near-uniform, one-hot-like and wild rows; weights over four orders of magnitude."""
    rng = np.random.default_rng(n_classes)
    mixed = tuple(rng.choice([0.0, 0.3, 1.0, 2.0, 5.0, 10.0], n_classes).tolist())
    gamma = mixed if gamma == "mixed" else gamma
    scale = rng.choice([0.0, 1e-9, 0.1, 1.0, 5.0, 25.0], size=(400, 1))
    raw = rng.normal(size=(400, n_classes)) * scale
    raw[:50] = 0
    raw[np.arange(50), rng.integers(0, n_classes, 50)] = rng.uniform(0, 80, 50)
    for alpha in (None, tuple((10 ** rng.uniform(-2, 2, n_classes)).tolist())):
        loss = MulticlassFocalLoss(n_classes, gamma, alpha, link="posterior")
        focal = MulticlassFocalLoss(n_classes, gamma, alpha)
        eta = softmax(raw, axis=1)
        balance, size = np.zeros_like(raw), np.zeros_like(raw)
        for label in range(n_classes):
            y = np.full(400, label)
            gradient, hessian = loss.gradient_hessian(y, raw)
            assert np.isfinite(gradient).all()
            assert (hessian >= 0).all()
            balance += eta[:, [label]] * gradient
            size += eta[:, [label]] * np.abs(gradient)
        assert (np.abs(balance) <= 1e-12 * size + 1e-300).all()
        # the scalar solver, which converges by bisection, as the witness of the loss
        y = rng.integers(0, n_classes, 400)
        expected = focal.loss(y, loss.convert(raw, "focal"))
        assert_allclose(loss.loss(y, raw), expected, rtol=1e-9, atol=1e-300)


def test_stationarity_binary():
    raw = np.linspace(-40, 40, 2001)
    for gamma, alpha in BINARY:
        loss = BinaryFocalLoss(gamma, alpha, link="posterior")
        low, high = (loss.gradient(np.full(len(raw), k), raw) for k in (0, 1))
        assert_allclose(expit(-raw) * low, -expit(raw) * high, rtol=1e-12)


@pytest.mark.parametrize("loss", [BinaryFocalLoss((1.0, 3.0), 0.3), MulticlassFocalLoss(3, 2.0)])
def test_both_links_are_one_loss(loss):
    """Values, probabilities and decisions do not depend on the coordinates."""
    rng = np.random.default_rng(0)
    shape = (200,) if loss.n_classes == 2 else (200, 3)
    raw, y = rng.normal(scale=3, size=shape), rng.integers(0, loss.n_classes, 200)
    other = make_loss(loss.n_classes, loss.gamma, loss.alpha, link="posterior")
    u = loss.convert(raw, "posterior")
    assert_allclose(other.loss(y, u), loss.loss(y, raw), rtol=1e-12)
    assert_allclose(other.posterior(u), loss.posterior(raw), rtol=1e-12)
    back = other.convert(u, "focal")
    if loss.n_classes > 2:
        back, raw = (a - a.mean(axis=1, keepdims=True) for a in (back, raw))
    assert_allclose(back, raw, rtol=1e-10, atol=1e-11)
    if loss.n_classes == 2:
        assert_array_equal(other.decision(u) > 0, loss.decision(raw) > 0)
    else:
        assert_array_equal(other.decision(u).argmax(axis=1), loss.decision(raw).argmax(axis=1))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_gamma_zero(n_classes):
    """Equal weights: the focal link, to the last bit. Others: p = softmax(u + log w)."""
    rng = np.random.default_rng(0)
    shape = (300,) if n_classes == 2 else (300, n_classes)
    raw, y = rng.normal(scale=3, size=shape), rng.integers(0, n_classes, 300)
    plain = make_loss(n_classes, 0.0, link="posterior")
    assert plain.is_cross_entropy
    for dtype in ("f4", "f8"):
        ours = plain.gradient_hessian(y, raw, dtype=dtype)
        theirs = make_loss(n_classes, 0.0).gradient_hessian(y, raw, dtype=dtype)
        for a, b in zip(ours, theirs, strict=True):
            assert_array_equal(a, b)
    weight = np.linspace(1, 9, n_classes)
    loss = make_loss(n_classes, 0.0, weight, link="posterior")
    assert not loss.is_cross_entropy
    columns = np.column_stack([np.zeros(300), raw]) if n_classes == 2 else raw
    p = softmax(columns + np.log(weight), axis=1)
    expected = weight[y, np.newaxis] * (p - np.eye(n_classes)[y])
    expected = expected[:, 1] if n_classes == 2 else expected
    assert_allclose(loss.gradient(y, raw), expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_start_is_the_log_odds_of_the_shares_and_optimal(n_classes):
    rng = np.random.default_rng(0)
    y, weight = rng.integers(0, n_classes, 60), rng.uniform(0.5, 2, 60)
    shares = np.bincount(y, weight) / weight.sum()
    alpha = tuple(np.linspace(1, 5, n_classes).tolist())
    loss = make_loss(n_classes, 3.0, alpha, link="posterior")
    start = loss.intercept(y, weight)
    if n_classes == 2:
        assert start == pytest.approx(np.log(shares[1] / shares[0]))
        best = minimize_scalar(lambda u: loss.loss(y, np.full(60, u), weight).sum(), bounds=(-5, 5))
        assert start == pytest.approx(best.x, abs=1e-4)
    else:
        assert_allclose(start, np.log(shares))
    raw = np.tile(start, (60, 1)) if n_classes > 2 else np.full(60, start)
    assert_allclose(loss.gradient(y, raw, weight).sum(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_the_step_is_bounded(n_classes, link):
    rng = np.random.default_rng(0)
    raw = np.linspace(-60, 60, 501)
    raw = raw if n_classes == 2 else raw[:, np.newaxis] * rng.uniform(-1, 1, n_classes)
    loss = make_loss(n_classes, 2.0, tuple(np.geomspace(1, 50, n_classes)), link=link)
    for dtype in ("f4", "f8"):
        for label in range(n_classes):
            y = np.full(501, label)
            gradient, hessian = loss.gradient_hessian(y, raw, max_step=4.0, dtype=dtype)
            assert (np.abs(gradient) <= 4 * hessian * (1 + 1e-6) + 1e-44).all()


def test_rows_led_by_a_class_without_gamma():
    """There d of the leading class is its share, however far it leads."""
    rows = np.array([[0.0, 0, 0], [95, 0, 0], [200, 0, 1], [800, 3, 0], [0, 300, 1], [5, 0, -400]])
    for gamma, alpha in (((0.0, 2.0, 2.0), None), (0.0, (1.0, 2.0, 3.0)), (0.0, (9.0, 1.0, 1.0))):
        loss = MulticlassFocalLoss(3, gamma, alpha, link="posterior")
        for label in range(3):
            y = np.full(len(rows), label)
            exact, bound = loss.gradient_hessian(y, rows)
            if np.ndim(gamma) == 0:
                p = softmax(rows + np.log(alpha), axis=1)
                expected = alpha[label] * (p - np.eye(3)[label])
                assert_allclose(exact, expected, rtol=1e-10, atol=1e-13)
            single, single_bound = loss.gradient_hessian(y, rows, dtype=np.float32)
            assert_allclose(single, exact, rtol=1e-5, atol=1e-37)
            assert_allclose(single_bound, bound, rtol=1e-5, atol=1e-37)
            losses = loss.loss(y, rows)
            focal = MulticlassFocalLoss(3, gamma, alpha)
            assert_allclose(
                losses, focal.loss(y, loss.convert(rows, "focal")), rtol=1e-9, atol=1e-12
            )


def test_scale_multiplies_gradient_and_hessian():
    rng = np.random.default_rng(0)
    for loss in (BinaryFocalLoss(2.0, 0.2, link="posterior"), MulticlassFocalLoss(3, 1.0)):
        raw = rng.normal(size=(50,) if loss.n_classes == 2 else (50, 3))
        y = rng.integers(0, loss.n_classes, 50)
        for dtype in ("f4", "f8"):
            one = loss.gradient_hessian(y, raw, dtype=dtype)
            three = loss.gradient_hessian(y, raw, dtype=dtype, scale=3.0)
            for a, b in zip(one, three, strict=True):
                assert_allclose(3 * a, b, rtol=1e-6)


def test_other_hessians_are_refused():
    for make in (BinaryFocalLoss, lambda **k: MulticlassFocalLoss(3, **k)):
        with pytest.raises(ValueError, match="hessian='exact' is for link='focal'"):
            make(hessian="exact", link="posterior")


def test_infinite_and_missing_margins():
    raw = np.array([-np.inf, np.inf, np.nan])
    loss = BinaryFocalLoss(2.0, link="posterior")
    for dtype in ("f4", "f8"):
        gradient, hessian = loss.gradient_hessian([1, 1, 1], raw, dtype=dtype)
        assert_allclose(gradient[:2], [-1 / 3, 0], rtol=1e-6)
        assert_allclose(hessian[:2], 0)
        assert np.isnan(gradient[2])
    rows = np.array([[np.inf, 0, 0], [1e300, -1e300, 0], [1e5, -1e5, 0], [0, 0, -np.inf]])
    loss = MulticlassFocalLoss(3, 2.0, link="posterior")
    for dtype in ("f4", "f8"):
        for label in (0, 1):
            gradient, hessian = loss.gradient_hessian(np.full(4, label), rows, dtype=dtype)
            assert_allclose(gradient.sum(axis=1), 0, atol=1e-6)
            assert (np.abs(gradient[:3, label] + 0.75 * label) <= 0.25 * label + 1e-6).all()
            assert_allclose(hessian[:3], 0, atol=1e-30)
            two = MulticlassFocalLoss(2, 2.0, link="posterior").gradient([label], [[0.0, 0.0]])
            assert_allclose(gradient[3, :2], two[0], rtol=1e-6)
