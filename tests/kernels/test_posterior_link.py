"""The loops of the posterior link: the table of slopes, the solvers, threads."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfocal import (
    BinaryFocalLoss,
    _kernels,
)
from skfocal._kernels import _threads, cpu
from skfocal.losses import make_loss

BINARY = [
    (2.0, None),
    (0.3, (0.02, 1.0)),
    (5.0, (1.0, 40.0)),
    (10.0, None),
    ((0.0, 4.0), None),
    ((10.0, 0.5), (3.0, 0.4)),
    (0.0, (1.0, 7.0)),
]


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


@pytest.mark.slow(40)
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
