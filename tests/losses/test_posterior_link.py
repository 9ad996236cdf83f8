"""The posterior link: cross-entropy whose rows are weighted by their log-odds.

The witness is the composite loss in 110-digit arithmetic. The point p that belongs to a
posterior is found there from its definition, the minimum of the expected weighted loss
(equal w_k eta_k phi_k'(p_k) for all classes), and differentiated by finite differences.
"""

import subprocess
import sys
from inspect import signature

import lightgbm as lgb
import numpy as np
import onnxruntime
import pytest
import xgboost as xgb
from mpmath import exp, findroot, fsum, log, mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from skfocal import (
    BinaryFocalLoss,
    FocalLGBMClassifier,
    FocalLogisticRegression,
    FocalObjective,
    FocalXGBClassifier,
    MulticlassFocalLoss,
    _kernels,
    _math,
)
from skfocal._kernels import _threads, cpu
from skfocal.losses import make_loss
from skfocal.metrics import focal_loss
from skfocal.onnx import to_onnx
from tests.conftest import table
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


@pytest.mark.parametrize("gamma, alpha", [*BINARY, (0.05, None), ((0.0, 10.0), None)])
def test_table_of_the_slope(gamma, alpha):
    """To 1e-7 and the rounding of single precision, tails included."""
    loss = BinaryFocalLoss(gamma, alpha, link="posterior")
    raw = np.r_[
        np.linspace(-80, 80, 20_011), np.geomspace(80, 1e4, 500), -np.geomspace(80, 1e4, 500)
    ]
    for label in (0, 1):
        y = np.full(len(raw), label)
        exact = loss.gradient_hessian(y, raw)
        quick = loss.gradient_hessian(y, raw, dtype=np.float32)
        for a, b in zip(quick, exact, strict=True):
            # exp(-|v|) costs half a unit in the last place of v
            assert_allclose(a, b, rtol=1e-6 + 80 * 2.0**-24, atol=1e-37)
            near = np.abs(raw) < 4
            assert_allclose(a[near], b[near], rtol=1e-6, atol=0)
    cubics = _kernels.slope_cubics(loss.class_gamma)
    table = _kernels.slope_table(loss.class_gamma)
    assert_array_equal(table, cubics.astype(np.float32))
    x = np.linspace(-0.5, 0.5, 11)
    n_octaves = len(cubics) // 128
    start = np.exp2(np.arange(n_octaves))[:, np.newaxis] * (1 + np.arange(64) / 64)
    width = np.exp2(np.arange(n_octaves))[:, np.newaxis] / 64 * np.ones(64)
    v = (start.ravel()[:, np.newaxis] + width.ravel()[:, np.newaxis] * (x + 0.5)) - 1
    plain = BinaryFocalLoss(gamma, link="posterior")
    for sign, half in ((-1, cubics[: len(cubics) // 2]), (1, cubics[len(cubics) // 2 :])):
        cubic = np.array([np.polyval(c, x) for c in half])
        y = np.full(v.size, sign < 0)
        slope = np.abs(plain.gradient(y, sign * v.ravel())).reshape(v.shape)
        assert_allclose(cubic, slope, rtol=1e-7)


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


@pytest.mark.parametrize("real, rtol", [(np.float32, 1e-5), (np.float64, 1e-10)])
def test_the_scalar_solvers_can_take_over(real, rtol):
    """Compiled with no steps of Newton's method for the block, the results are the same."""
    rng = np.random.default_rng(0)
    options = (0.25, 1e-16, None, None)
    names = {"multiclass_margin_rows": cpu.double.multiclass_margin_rows, "MAX_STEPS": 0}
    without = cpu.compiled(real, cpu.POSTERIOR_LOOPS, cache=False, **names)
    for gamma, weight in (((2.0, 2.0, 2.0), (1.0, 9.0, 1.0)), ((0.0, 1.0, 5.0), (1.0, 1.0, 0.1))):
        y, raw = rng.integers(0, 3, 100).astype("f4"), rng.normal(scale=6, size=(100, 3))
        found = []
        for loops in (without, cpu.single_posterior if real is np.float32 else cpu.posterior):
            out = [np.zeros((100, 3), real) for _ in range(2)]
            each = np.array(gamma), np.array(weight)
            assert loops.multiclass_rows(
                0, 100, y, raw, None, None, *out, *each, None, *options, 1.0
            )
            found.append(out)
        for a, b in zip(*found, strict=True):
            assert_allclose(a, b, rtol=rtol, atol=1e-12 if real is np.float64 else 1e-7)
        if real is np.float64:
            y, raw, found = (y > 0).astype("f4"), raw[:, 0].copy(), []
            for loops in (without, cpu.posterior):
                out = [np.zeros(100) for _ in range(3)]
                pairs = gamma[1:], weight[1:]
                assert loops.binary_rows(0, 100, y, raw, None, *out, *pairs, None, *options)
                found.append(out)
            for a, b in zip(*found, strict=True):
                assert_allclose(a, b, rtol=rtol)


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


@pytest.mark.parametrize("n_classes", [2, 3])
def test_threads_and_bits_change_nothing_else(n_classes, monkeypatch):
    monkeypatch.setattr(_threads, "MIN_NUMBERS", 100)
    rng = np.random.default_rng(0)
    raw = rng.normal(scale=3, size=(3001,) if n_classes == 2 else (3001, 3))
    y, weight = rng.integers(0, n_classes, 3001), rng.integers(1, 5, 3001)
    loss = make_loss(n_classes, 2.0, link="posterior")
    for dtype in ("f4", "f8"):
        one = loss.gradient_hessian(y, raw, weight, dtype=dtype)
        two = loss.gradient_hessian(y, raw, weight, dtype=dtype, n_threads=3)
        for a, b in zip(one, two, strict=True):
            assert_array_equal(a, b)
    plain = loss.gradient_hessian(y, raw, dtype=np.float32, bits=22)
    weighted = loss.gradient_hessian(y, raw, weight, dtype=np.float32, bits=22)
    for a, b in zip(plain, weighted, strict=True):
        assert_array_equal(a * (weight if n_classes == 2 else weight[:, np.newaxis]), b)


@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
def test_other_links_do_not_mix(kind):
    """Neither in continued training, nor in a booster that says what it is."""
    X, y, _ = table()
    extra = {"verbose": -1} if kind is FocalLGBMClassifier else {}
    before = kind(n_estimators=3, **extra).fit(X, y)
    name = "init_model" if kind is FocalLGBMClassifier else "xgb_model"
    with pytest.raises(ValueError, match="another gamma, alpha or link"):
        kind(n_estimators=3, link="posterior", **extra).fit(X, y, **{name: before})
    if kind is FocalXGBClassifier:
        with pytest.raises(ValueError, match="margins are of the other link"):
            kind.from_booster(before.get_booster(), focal_gamma=2.0, link="posterior")
    with pytest.raises(ValueError, match="link must be one of"):
        kind(link="logit", **extra).fit(X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_metrics_by_name_are_those_of_the_predictions(n_classes):
    """The libraries' own log loss of these margins is the posterior's."""
    X, y, _ = table(n_classes)
    name = "logloss" if n_classes == 2 else "mlogloss"
    model = FocalXGBClassifier(
        focal_alpha="balanced",
        link="posterior",
        n_estimators=200,
        learning_rate=0.5,
        early_stopping_rounds=5,
        eval_metric=["focal_loss", name],
    )
    model.fit(X[1::2], y[1::2], eval_set=[(X[::2], y[::2])], verbose=False)
    assert model.best_iteration < 190
    (seen,) = model.evals_result_.values()
    P = model.predict_proba(X[::2])
    best = model.best_iteration
    assert seen[name][best] == pytest.approx(log_loss(y[::2], P), rel=1e-5)
    alpha = model.loss_.class_weight
    expected = focal_loss(y[::2], P, gamma=2.0, alpha=alpha, link="posterior")
    assert seen["focal_loss"][best] == pytest.approx(expected, rel=1e-4)
    light = FocalLGBMClassifier(
        link="posterior",
        class_weight="balanced",
        n_estimators=20,
        verbose=-1,
        metric="binary_logloss" if n_classes == 2 else "multi_logloss",
    )
    light.fit(X[1::2], y[1::2], eval_X=X[::2], eval_y=y[::2]) if "eval_X" in signature(
        lgb.LGBMClassifier.fit
    ).parameters else light.fit(X[1::2], y[1::2], eval_set=[(X[::2], y[::2])])
    ((values,),) = (d.values() for d in light.evals_result_.values())
    assert values[-1] == pytest.approx(log_loss(y[::2], light.predict_proba(X[::2])), rel=1e-9)


def test_warm_start_does_not_take_coefficients_of_the_other_link():
    X, y, _ = table()
    model = FocalLogisticRegression(warm_start=True, max_iter=200).fit(X, y)
    model.set_params(link="posterior").fit(X, y)
    fresh = FocalLogisticRegression(link="posterior", max_iter=200).fit(X, y)
    assert_array_equal(model.coef_, fresh.coef_)


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


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sample_weight", [False, True])
@pytest.mark.parametrize("alpha", [None, "balanced"])
def test_the_saved_booster_predicts_the_probabilities_alone(
    n_classes, sample_weight, alpha, tmp_path
):
    """In a process that cannot import skfocal, by the libraries' own ``predict``."""
    X, y, weight = table(n_classes)
    weight = weight if sample_weight else None
    np.save(tmp_path / "X.npy", X)
    models = {}
    for kind, name in ((FocalLGBMClassifier, "lgb"), (FocalXGBClassifier, "xgb")):
        extra = {"verbose": -1} if name == "lgb" else {}
        model = kind(focal_alpha=alpha, link="posterior", n_estimators=30, n_jobs=1, **extra).fit(
            X, y, sample_weight=weight
        )
        booster = model.booster_ if name == "lgb" else model.get_booster()
        booster.save_model(str(tmp_path / f"{name}.json"))
        models[name] = model
    code = """
import sys
sys.modules["skfocal"] = None
import numpy as np, lightgbm, xgboost
X = np.load("X.npy")
np.save("lgb.npy", lightgbm.Booster(model_file="lgb.json").predict(X))
np.save("xgb.npy", xgboost.Booster(model_file="xgb.json").predict(xgboost.DMatrix(X)))
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
    for name, rtol in (("lgb", 1e-12), ("xgb", 1e-6)):
        proba = models[name].predict_proba(X)
        assert_allclose(
            np.load(tmp_path / f"{name}.npy"), proba[:, 1] if n_classes == 2 else proba, rtol=rtol
        )
        raw = models[name].set_params(probability="raw").predict_proba(X)
        assert_allclose(raw, proba, rtol=rtol)


@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_gamma_zero_gives_the_trees_of_the_focal_link(kind, n_classes):
    X, y, _ = table(n_classes)
    extra = {"verbose": -1} if kind is FocalLGBMClassifier else {}
    focal, posterior = (
        kind(focal_gamma=0, link=link, n_estimators=10, n_jobs=1, **extra).fit(X, y)
        for link in ("focal", "posterior")
    )
    options = {"raw_score" if kind is FocalLGBMClassifier else "output_margin": True}
    assert_array_equal(focal.predict(X, **options), posterior.predict(X, **options))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
def test_link_survives_files_and_onnx(kind, n_classes, tmp_path):
    X, y, _ = table(n_classes)
    X = X.astype(np.float32)
    extra = {"verbose": -1} if kind is FocalLGBMClassifier else {}
    model = kind(focal_alpha="balanced", link="posterior", n_estimators=20, **extra).fit(X, y)
    path = tmp_path / "model.json"
    model.save_model(path)
    loaded = kind()
    loaded.load_model(path)
    booster = model.booster_ if kind is FocalLGBMClassifier else model.get_booster()
    given = kind.from_booster(
        booster, focal_gamma=2.0, focal_alpha=model.loss_.class_weight, link="posterior"
    )
    for other in (loaded, given):
        assert other.link == "posterior"
        assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        assert_array_equal(other.predict(X), model.predict(X))
    session = onnxruntime.InferenceSession(to_onnx(model, X).SerializeToString())
    label, proba = session.run(None, {session.get_inputs()[0].name: X})
    assert_allclose(proba, model.predict_proba(X), atol=1e-6)
    assert np.mean(label == model.predict(X)) > 0.999


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
