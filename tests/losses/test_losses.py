"""Losses: reference values, limits, weights, value semantics, errors."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from mpmath import mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax

from skfocal import BinaryFocalLoss, FocalObjective, MulticlassFocalLoss

GAMMAS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.5, 5.0, 10.0)


@pytest.fixture(autouse=True)
def no_warning_no_nan():
    """Nothing here may overflow, divide by zero or warn."""
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("label", [0, 1])
def test_binary_matches_reference(reference, gamma, label):
    _, m, loss, gradient, exact, upper = np.array(
        [row for row in reference["binary"] if row[0] == gamma]
    ).T
    sign = 2 * label - 1
    y = np.full(len(m), label)
    own = BinaryFocalLoss(gamma)
    assert_allclose(own.loss(y, sign * m), loss, rtol=1e-12, atol=1e-300)
    assert_allclose(own.gradient(y, sign * m), sign * gradient, rtol=1e-12, atol=1e-300)
    for policy, expected, atol in (
        ("upper", upper, 1e-300),
        ("exact", exact, 1e-14),
        ("abs", abs(exact), 1e-14),
    ):
        first, second = BinaryFocalLoss(gamma, hessian=policy).gradient_hessian(y, sign * m)
        assert_allclose(first, sign * gradient, rtol=1e-12, atol=1e-300)
        assert_allclose(second, expected, rtol=1e-12, atol=atol)


def test_binary_posterior_matches_reference(reference):
    for *setting, z, negative, positive in reference["posterior"]:
        loss = BinaryFocalLoss(setting[:2], setting[2:])
        assert_allclose(loss.posterior([z])[0], [negative, positive], rtol=1e-12, atol=1e-300)


def test_binary_intercept_matches_reference(reference):
    for *setting, share, constant in reference["constant"]:
        loss = BinaryFocalLoss(setting[:2], setting[2:])
        own = loss.intercept([0, 1], [1 - share, share])
        assert own == pytest.approx(constant, rel=1e-12, abs=1e-12)


def test_multiclass_matches_reference(reference):
    for gamma, raw, label, loss, gradient, exact, upper in reference["multiclass"]:
        own = MulticlassFocalLoss(len(raw), gamma)
        assert_allclose(own.loss([label], [raw]), [loss], rtol=1e-12, atol=1e-300)
        first, second = own.gradient_hessian([label], [raw])
        assert_allclose(own.gradient([label], [raw])[0], gradient, rtol=1e-12, atol=1e-300)
        assert_allclose(first[0], gradient, rtol=1e-12, atol=1e-300)
        assert_allclose(second[0], upper, rtol=1e-12, atol=1e-300)
        for policy, expected in (("exact", exact), ("abs", np.abs(exact))):
            own = MulticlassFocalLoss(len(raw), gamma, hessian=policy)
            _, second = own.gradient_hessian([label], [raw])
            assert_allclose(second[0], expected, rtol=1e-12, atol=1e-14)


def test_multiclass_posterior_matches_reference(reference):
    for gamma, weights, raw, posterior in reference["multiclass_posterior"]:
        own = MulticlassFocalLoss(len(raw), gamma, weights).posterior([raw])
        assert_allclose(own[0], posterior, rtol=1e-12, atol=1e-300)


def test_multiclass_intercept_matches_reference(reference):
    for gamma, weights, shares, constant in reference["multiclass_constant"]:
        own = MulticlassFocalLoss(len(shares), gamma, weights).intercept([0, 1, 2], shares)
        assert_allclose(own, constant, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_intercept_is_where_the_summed_gradient_vanishes(gamma):
    y = np.repeat([0, 1, 2], [70, 25, 5])
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    loss = MulticlassFocalLoss(3, gamma, (1.0, 2.0, 9.0))
    raw = np.tile(loss.intercept(y, weight), (len(y), 1))
    assert_allclose(loss.gradient(y, raw, weight).sum(axis=0), 0, atol=1e-12)
    binary = BinaryFocalLoss(gamma, 0.9)
    start = binary.intercept(y == 2, weight)
    assert_allclose(binary.gradient(y == 2, np.full(100, start), weight).sum(), 0, atol=1e-12)
    lowest = minimize_scalar(
        lambda z: binary.loss(y == 2, np.full(100, z), weight).sum(), bounds=(-9, 9)
    )
    assert start == pytest.approx(lowest.x, abs=1e-4)


def test_full_hessian_bound_is_the_derivative_of_the_gradient_at_gamma_zero():
    """At gamma = 0 the bound is the Hessian: finite differences of the gradient."""
    raw, label = np.array([0.3, -1.0, 0.8, 0.1]), 2
    loss = MulticlassFocalLoss(4, 0.0, (1.0, 1.0, 2.0, 1.0))
    value, _, slope, curvature, share = loss.full_hessian_bound([label], [raw])
    assert_allclose(value, loss.loss([label], [raw]), rtol=1e-14)
    d = -share[0]
    d[label] = 1.0
    bound = curvature[0] * np.outer(d, d)
    bound += slope[0] * (np.diag(share[0]) - np.outer(share[0], share[0]))
    step = 1e-6
    differences = [
        (loss.gradient([label], [raw + e]) - loss.gradient([label], [raw - e]))[0] / (2 * step)
        for e in step * np.eye(4)
    ]
    assert_allclose(bound, differences, atol=1e-9)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_full_hessian_bound_exceeds_the_hessian(gamma):
    """The bound minus finite differences of the gradient has no negative eigenvalue."""
    rng = np.random.default_rng(0)
    loss = MulticlassFocalLoss(4, gamma)
    for label, raw in enumerate(rng.normal(scale=3, size=(4, 4))):
        _, _, slope, curvature, share = loss.full_hessian_bound([label], [raw])
        d = -share[0]
        d[label] = 1.0
        bound = curvature[0] * np.outer(d, d)
        bound += slope[0] * (np.diag(share[0]) - np.outer(share[0], share[0]))
        exact = [
            (loss.gradient([label], [raw + e]) - loss.gradient([label], [raw - e]))[0] / 2e-6
            for e in 1e-6 * np.eye(4)
        ]
        assert np.linalg.eigvalsh(bound - exact).min() > -1e-8
        _, diagonal = loss.gradient_hessian([label], [raw])
        assert_allclose(np.diag(bound), diagonal[0], rtol=1e-12)


@pytest.mark.parametrize("gammas", [(2.0, 2.0), (0.0, 4.0)])
@pytest.mark.parametrize("policy", ["upper", "exact", "abs"])
def test_two_class_softmax_is_the_binary_loss(gammas, policy):
    rng = np.random.default_rng(0)
    raw, y = rng.normal(scale=5, size=(50, 2)), rng.integers(0, 2, 50)
    z = raw[:, 1] - raw[:, 0]
    binary = BinaryFocalLoss(gammas, 0.3, hessian=policy)
    softmax = MulticlassFocalLoss(2, gammas, 0.3, hessian=policy)
    assert_allclose(softmax.loss(y, raw), binary.loss(y, z), rtol=1e-12)
    assert_allclose(softmax.gradient(y, raw)[:, 1], binary.gradient(y, z), rtol=1e-12)
    for column in (0, 1):
        assert_allclose(
            softmax.gradient_hessian(y, raw)[1][:, column],
            binary.gradient_hessian(y, z)[1],
            rtol=1e-11,
            atol=1e-15,
        )
    assert_allclose(softmax.posterior(raw), binary.posterior(z), rtol=1e-12)
    assert_allclose(np.diff(softmax.intercept(y))[0], binary.intercept(y), rtol=1e-11)


@pytest.mark.parametrize("gammas", [(2.0, 2.0, 2.0), (0.0, 4.0, 0.5)])
def test_posterior_and_raw_prediction_are_inverse(gammas):
    posterior = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    loss = MulticlassFocalLoss(3, gammas, (0.2, 1.0, 30.0))
    assert_allclose(loss.posterior(loss.raw_prediction(posterior)), posterior, rtol=1e-11)
    binary = BinaryFocalLoss(gammas[:2], 0.8)
    pairs = posterior[:, :2] / posterior[:, :2].sum(axis=1, keepdims=True)
    assert_allclose(binary.posterior(binary.raw_prediction(pairs)), pairs, rtol=1e-11)


@pytest.mark.parametrize("gammas", [2.0, (0.0, 4.0), (3.0, 0.0)])
def test_decision_is_the_largest_weighted_posterior(gammas):
    loss = BinaryFocalLoss(gammas, (3.0, 1.0))
    z = np.linspace(-4, 4, 401)
    expected = (loss.posterior(z) * loss.class_weight).argmax(axis=1)
    assert_array_equal(loss.decision(z) > 0, expected == 1)
    multiclass = MulticlassFocalLoss(3, (0.0, 4.0, 1.0), (0.2, 1.0, 3.0))
    raw = np.random.default_rng(0).normal(size=(200, 3))
    expected = (multiclass.posterior(raw) * multiclass.class_weight).argmax(axis=1)
    assert_array_equal(multiclass.decision(raw).argmax(axis=1), expected)


@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_log_odds_are_those_of_the_posterior(link, dtype):
    """SciPy's sigmoid and softmax of them are `posterior`, whatever the weights are."""
    rtol = 1e-12 if dtype == np.float64 else 2e-6
    z = np.linspace(-4, 4, 401).astype(dtype)
    loss = BinaryFocalLoss((0.5, 3.0), (3.0, 1.0), link=link)
    assert loss.log_odds(z).dtype == dtype
    assert_allclose(expit(loss.log_odds(z)), loss.posterior(z)[:, 1], rtol=rtol)
    multiclass = MulticlassFocalLoss(3, (0.0, 4.0, 1.0), (0.2, 1.0, 3.0), link=link)
    raw = np.random.default_rng(0).normal(size=(200, 3)).astype(dtype)
    assert_allclose(softmax(multiclass.log_odds(raw), axis=1), multiclass.posterior(raw), rtol=rtol)
    with pytest.raises(ValueError, match="shape"):
        loss.log_odds(raw)


def test_asymmetric_gamma_moves_the_decision():
    """With one gamma per class margin 0 is not P = 1/2.

    By hand at gamma (4, 0): the gradients there are 1/2 for a positive row and
    (1/2)**4 (1/2 + 4 ln(2) / 2) for a negative one, and P balances them.
    """
    negative = 0.5**4 * (0.5 + 2 * np.log(2))
    own = BinaryFocalLoss((4.0, 0.0)).posterior([0.0])[0, 1]
    assert own == pytest.approx(negative / (negative + 0.5), rel=1e-12)


def test_sample_and_class_weights_multiply():
    rng = np.random.default_rng(0)
    y, z, weight = rng.integers(0, 2, 30), rng.normal(size=30), rng.uniform(0, 3, 30)
    plain, weighted = BinaryFocalLoss(1.5), BinaryFocalLoss(1.5, (2.0, 5.0))
    w = weight * np.array([2.0, 5.0])[y]
    assert_allclose(weighted.loss(y, z, weight), w * plain.loss(y, z))
    assert_allclose(weighted.gradient(y, z, weight), w * plain.gradient(y, z))
    for a, b in zip(
        weighted.gradient_hessian(y, z, weight), plain.gradient_hessian(y, z), strict=True
    ):
        assert_allclose(a, w * b)


def test_max_step_bounds_gradient_over_hessian():
    z = np.linspace(-40, 40, 81)
    y = np.ones(81)
    gradient, hessian = BinaryFocalLoss(2.0).gradient_hessian(y, z, max_step=4.0)
    _, free = BinaryFocalLoss(2.0).gradient_hessian(y, z)
    assert np.abs(gradient / hessian).max() == pytest.approx(4.0)
    assert_array_equal(hessian, np.maximum(free, np.abs(gradient) / 4))
    raw = np.random.default_rng(0).normal(scale=20, size=(50, 3))
    gradient, hessian = MulticlassFocalLoss(3).gradient_hessian(np.zeros(50), raw, max_step=4.0)
    assert np.abs(gradient / hessian).max() <= 4.0 * (1 + 1e-12)


def test_floor_scale_and_precision_of_the_hessian():
    loss = MulticlassFocalLoss(3, 0.0)
    raw = np.array([[800.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    _, plain = loss.gradient_hessian([0, 1], raw)
    _, scaled = loss.gradient_hessian(
        [0, 1], raw, hessian_scale=2.0, min_hessian=1e-16, dtype=np.float32
    )
    assert plain[0, 0] == 0
    assert scaled.dtype == np.float32
    assert_allclose(scaled, np.maximum(2 * plain, 1e-16), rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_22_bits_make_small_integer_weights_exact(n_classes):
    rng = np.random.default_rng(0)
    shape = 50 if n_classes == 2 else (50, 3)
    loss = BinaryFocalLoss(2.0, 0.3) if n_classes == 2 else MulticlassFocalLoss(3, 2.0)
    y, raw = rng.integers(0, n_classes, 50), rng.normal(scale=3, size=shape)
    one = loss.gradient_hessian(y, raw, bits=22, dtype=np.float32)
    for times in (1, 2, 3, 4):
        many = loss.gradient_hessian(y, raw, np.full(50, times), bits=22, dtype=np.float32)
        for a, b in zip(many, one, strict=True):
            assert_array_equal(a.astype(np.float64), times * b.astype(np.float64))
    for a, b in zip(one, loss.gradient_hessian(y, raw), strict=True):
        assert_allclose(a, b, rtol=2e-6)


@pytest.mark.parametrize(
    "loss",
    [
        BinaryFocalLoss(0.5, 0.25, hessian="abs"),
        BinaryFocalLoss([0, 1], [1, 2]),
        MulticlassFocalLoss(3, np.array([1, 2, 3]), [1, 2, 3], "exact"),
    ],
)
def test_losses_are_values(loss):
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), eval(repr(loss))):
        assert twin == loss
        assert hash(twin) == hash(loss)
    with pytest.raises(AttributeError):
        loss.gamma = 1.0
    assert loss != BinaryFocalLoss(7.0)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"gamma": -1.0}, ValueError, "gamma must be a finite number >= 0"),
        ({"gamma": np.nan}, ValueError, "gamma"),
        ({"gamma": np.inf}, ValueError, "gamma"),
        ({"gamma": "2"}, TypeError, "gamma"),
        ({"gamma": True}, TypeError, "gamma"),
        ({"gamma": [1.0, 2.0, 3.0]}, ValueError, "gamma.*got 3 values"),
        ({"gamma": [1.0, -2.0]}, ValueError, "gamma"),
        ({"gamma": None}, TypeError, "gamma"),
        ({"alpha": 0.0}, ValueError, r"alpha must lie in \(0, 1\)"),
        ({"alpha": 1.0}, ValueError, "alpha"),
        ({"alpha": -0.5}, ValueError, "alpha"),
        ({"alpha": "balanced"}, TypeError, "alpha='balanced' needs labels"),
        ({"alpha": [1.0, 2.0, 3.0]}, ValueError, "alpha.*got 3 values"),
        ({"alpha": [1.0, 0.0]}, ValueError, "alpha"),
        ({"alpha": [1.0, -1.0]}, ValueError, "alpha"),
        ({"alpha": [1.0, np.nan]}, ValueError, "alpha"),
        ({"hessian": "none"}, ValueError, "hessian must be one of 'upper'"),
        ({"hessian": 1}, ValueError, "hessian"),
        ({"link": "logit"}, ValueError, "link must be one of 'focal'"),
    ],
)
def test_bad_parameters_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        BinaryFocalLoss(**arguments)


@pytest.mark.parametrize(
    "n_classes, arguments, error, message",
    [
        (1, {}, ValueError, "n_classes"),
        (2.5, {}, TypeError, "n_classes"),
        (True, {}, TypeError, "n_classes"),
        (3, {"alpha": 0.25}, ValueError, "alpha=0.25 weighs two classes, but there are 3"),
        (3, {"gamma": [1.0, 2.0]}, ValueError, "gamma"),
    ],
)
def test_bad_multiclass_parameters_are_named(n_classes, arguments, error, message):
    with pytest.raises(error, match=message):
        MulticlassFocalLoss(n_classes, **arguments)


@pytest.mark.parametrize(
    "y, raw, weight, message",
    [
        ([0, 2], [0.0, 0.0], None, "y_true must hold class codes 0..1; got 2"),
        ([0, -1], [0.0, 0.0], None, "y_true"),
        ([0, 0.5], [0.0, 0.0], None, "y_true"),
        ([0, np.nan], [0.0, 0.0], None, "y_true"),
        ([0], [0.0, 0.0], None, r"y_true must have shape \(2,\)"),
        ([0, 1], [[0.0], [0.0]], None, "raw_prediction must have shape"),
        ([0, 1], [0.0, 0.0], [1.0], "sample_weight must have shape"),
    ],
)
def test_bad_rows_are_named(y, raw, weight, message):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=message):
        BinaryFocalLoss().loss(y, raw, weight)


LOOPS = [
    loss
    for gamma in (0.0, 2.0)
    for link in ("focal", "posterior")
    for loss in (
        BinaryFocalLoss(gamma, (1.0, 3.0), link=link),
        MulticlassFocalLoss(3, gamma, (1.0, 2.0, 3.0), link=link),
    )
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
@pytest.mark.parametrize("loss", LOOPS, ids=repr)
def test_each_loop_sees_a_weight_that_is_none(loss, bad, dtype):
    """In the last row, beyond the first block; 0 is a weight."""
    n_classes = loss.n_classes
    n_rows = 600 if n_classes == 2 else 70  # more than a block
    raw = np.zeros(n_rows if n_classes == 2 else (n_rows, n_classes), dtype)
    y, weight = np.arange(n_rows) % n_classes, np.ones(n_rows)
    weight[0], wrong = 0.0, weight.copy()
    wrong[-1] = bad
    calls = [loss.loss, loss.gradient, loss.gradient_hessian, loss.loss_gradient_hessian]
    calls += [loss.full_hessian_bound] if n_classes > 2 else []
    for call in calls:
        call(y, raw, weight)
        with pytest.raises(ValueError, match=f"sample_weight must hold finite .* got {bad:g}"):
            call(y, raw, wrong)


def test_the_largest_gamma_has_right_losses_and_trains():
    """Losses by mpmath; under the posterior link training starts as log loss does."""
    z = np.array([-5.0, -1.0, 0.0, 0.5])
    p = [1 / (1 + mp.exp(-mpf(x))) for x in z]
    expected = [float((1 - each) ** 100 * -mp.log(each)) for each in p]
    assert_allclose(BinaryFocalLoss(100.0).loss(np.ones(4), z), expected, rtol=1e-12)
    y = np.array([0, 0, 1, 1])
    for dtype in (np.float64, np.float32):
        objective = FocalObjective(100.0, link="posterior")
        gradient, hessian = objective(y, objective.init_score(y).astype(dtype))
        assert_allclose(gradient, [0.5, 0.5, -0.5, -0.5], rtol=1e-5)
        assert_allclose(hessian, 0.25, rtol=1e-5)
        gradient, hessian = FocalObjective(100.0)(y, np.zeros(4, dtype))
        slope = 2.0**-101 * (1 + 100 * np.log(2))
        scale = BinaryFocalLoss(100.0).log_loss_scale(y)
        assert_allclose(gradient, scale * slope * np.array([1, 1, -1, -1]), rtol=1e-5)


def test_wrong_number_of_columns_is_named():
    with pytest.raises(ValueError, match=r"raw_prediction must have shape \(n, 3\)"):
        MulticlassFocalLoss(3).loss([0], [[0.0, 1.0]])


@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_intercept_of_a_class_without_weight_is_finite(link):
    """Its posterior is as good as 0, and the others are as if it were absent."""
    binary = BinaryFocalLoss(2.0, 0.25, link=link)
    for label in (0, 1):
        own = binary.posterior([binary.intercept([label, label])])[0]
        assert own[1 - label] == pytest.approx(1e-9, rel=1e-6)
    loss = MulticlassFocalLoss(3, 2.0, (1.0, 2.0, 3.0), link=link)
    start = loss.intercept([0, 1, 1, 2], [1.0, 1.0, 2.0, 0.0])
    assert_allclose(loss.posterior(start[np.newaxis])[0], [0.25, 0.75, 1e-9], rtol=1e-6)
    with pytest.raises(ValueError, match="must have at least one row with a sample_weight"):
        binary.intercept([0, 1], [0.0, 0.0])


@pytest.mark.parametrize("loss", [BinaryFocalLoss(1.5, 0.3), MulticlassFocalLoss(3, 1.5)])
def test_one_pass_gives_what_separate_ones_give(loss):
    rng = np.random.default_rng(0)
    y, weight = rng.integers(0, loss.n_classes, 50), rng.uniform(1, 2, 50)
    raw = rng.normal(size=(50, 3) if loss.n_classes == 3 else 50)
    rows = y, raw, weight
    for ours, theirs in zip(
        loss.loss_gradient_hessian(*rows),
        (loss.loss(*rows), *loss.gradient_hessian(*rows)),
        strict=True,
    ):
        assert_allclose(ours, theirs, rtol=1e-14)
    for ours, theirs in zip(
        loss.loss_gradient(*rows), (loss.loss(*rows), loss.gradient(*rows)), strict=True
    ):
        assert_allclose(ours, theirs, rtol=1e-14)


def test_results_go_where_they_are_told_and_fit():
    loss, y, raw = BinaryFocalLoss(2.0), [0, 1, 1], np.array([0.5, -1.0, 2.0])
    out = np.empty(3, np.float32), np.empty(3, np.float32)
    given = loss.gradient_hessian(y, raw, out=out)
    assert given[0] is out[0]
    assert given[1] is out[1]
    for ours, theirs in zip(out, loss.gradient_hessian(y, raw), strict=True):
        assert_allclose(ours, theirs, rtol=1e-6)
    for wrong in ((out[0], np.empty(2, np.float32)), (out[0], np.empty(3))):
        with pytest.raises(ValueError, match="out must be two arrays of shape"):
            loss.gradient_hessian(y, raw, out=wrong)
