"""The compiled loops: layouts, precisions, number of compilations, cache."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfocal import _kernels, _math
from skfocal._kernels import _jit, cpu
from skfocal.losses import BinaryFocalLoss, MulticlassFocalLoss

RNG = np.random.default_rng(0)
BINARY = RNG.integers(0, 2, 60), RNG.normal(scale=4, size=60), RNG.uniform(0.1, 2, 60)
MULTI = RNG.integers(0, 4, 60), RNG.normal(scale=4, size=(60, 4)), RNG.uniform(0.1, 2, 60)
LOSSES = [
    (BinaryFocalLoss((1.5, 3.0), 0.3), *BINARY),
    (MulticlassFocalLoss(4, (0.5, 2.0, 0.0, 5.0), (1.0, 2.0, 0.5, 3.0)), *MULTI),
]
each_loss = pytest.mark.parametrize("loss, y, raw, weight", LOSSES, ids=["binary", "multi"])


def results(loss, y, raw, weight):
    return [
        loss.loss(y, raw, weight),
        loss.gradient(y, raw, weight),
        *loss.gradient_hessian(y, raw, weight),
        loss.posterior(raw),
        loss.decision(raw),
    ]


def test_binary_loop_equals_scalars_row_by_row():
    loss, y, raw, weight = LOSSES[0]
    gradient, hessian = loss.gradient_hessian(y, raw, weight)
    for i in range(len(y)):
        sign = 2 * y[i] - 1
        w = loss.class_weight[y[i]] * weight[i]
        first, second = _math.gradient_hessian(sign * raw[i], loss.gamma[y[i]], False)
        assert gradient[i] == pytest.approx(sign * w * first, rel=1e-13)
        assert hessian[i] == pytest.approx(w * second, rel=1e-13)


@each_loss
@pytest.mark.parametrize(
    "form",
    [
        lambda a: np.repeat(a, 2, axis=0)[::2],  # strided
        lambda a: a[::-1][::-1].copy()[:],
        lambda a: a.astype(a.dtype.newbyteorder()),
        np.asfortranarray,
        lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
        lambda a: np.broadcast_to(a, (1, *a.shape))[0],  # read-only
    ],
    ids=["strided", "copy", "swapped", "fortran", "unaligned", "read-only"],
)
def test_results_do_not_depend_on_the_form_of_the_arrays(loss, y, raw, weight, form):
    expected = results(loss, y, raw, weight)
    for a, b in zip(results(loss, form(y), form(raw), form(weight)), expected, strict=True):
        assert_array_equal(a, b)


@each_loss
def test_float32_margins_give_float32_of_the_double_result(loss, y, raw, weight):
    raw = raw.astype(np.float32)
    doubles = results(loss, y, raw.astype(np.float64), weight)
    for single, double in zip(results(loss, y, raw, weight), doubles, strict=True):
        assert single.dtype == np.float32
        assert double.dtype == np.float64
        assert_allclose(single, double, rtol=3e-7, atol=1e-37)


@each_loss
def test_layout_of_the_margins_is_kept(loss, y, raw, weight):
    fortran = np.asfortranarray(raw)
    for result in (*loss.gradient_hessian(y, fortran), loss.gradient(y, fortran)):
        assert result.flags.f_contiguous
    for result in (*loss.gradient_hessian(y, raw), loss.gradient(y, raw)):
        assert result.flags.c_contiguous


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="counts compilations")
def test_user_input_compiles_each_loop_once_per_precision_and_layout():
    loss, y, raw, weight = LOSSES[0]
    loss.gradient_hessian(y, raw)
    before = len(cpu.binary_gradient_hessian.signatures)
    for gamma in (0, 1, np.float32(2), np.int64(3)):
        for labels in (y, y.astype(bool), y.astype(np.float32), y.tolist()):
            BinaryFocalLoss(gamma).gradient_hessian(labels, raw, weight)
    frozen = raw.copy()
    frozen.flags.writeable = False
    loss.gradient_hessian(y, frozen, weight.astype(np.float32))
    loss.gradient_hessian(y[::2], raw[::2], weight[::2])
    assert len(cpu.binary_gradient_hessian.signatures) == before


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is cached")
def test_cache_changes_with_the_formulas():
    assert cpu.binary_loss.py_func.__qualname__.endswith(_jit._FORMULAS)


def test_loops_can_be_bound_to_other_elementary_functions():
    calls = []

    def counted(x):
        calls.append(x)
        return np.log1p(x)

    bound = _jit.bind_formulas(log1p=counted)
    function = getattr(bound["loss"], "py_func", bound["loss"])
    # plain Python all the way down, to be able to count
    plain = {k: getattr(v, "py_func", v) for k, v in function.__globals__.items()}
    function.__globals__.update(plain)
    assert function(1.0, 2.0) == pytest.approx(_math.loss(1.0, 2.0))
    assert len(calls) == 1


def test_unwritable_cache_directory_is_no_error():
    """Numba refuses to cache where it may write nowhere; the loops then compile anew."""

    class Refused:
        def __call__(self, cache=False, **options):
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            return lambda function: ("compiled", options)

    original = numba.njit
    numba.njit = Refused()
    try:
        compiled, options = _jit.jit(lambda: None)
    finally:
        numba.njit = original
    assert compiled == "compiled"
    assert options == {"nogil": True, "error_model": "numpy"}


def test_importing_the_package_loads_neither_numba_nor_a_booster():
    code = (
        "import sys, skfocal; from skfocal import BinaryFocalLoss; "
        "print({'numba', 'lightgbm', 'xgboost', 'pandas'} & set(sys.modules))"
    )
    env = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.strip() == "set()"


def test_margins_invert_log_odds_for_many_classes():
    raw = np.random.default_rng(1).normal(scale=3, size=(20, 30))
    gamma = tuple(np.linspace(0, 4, 30))
    margin = _kernels.margins(_kernels.log_odds(raw, gamma), gamma)
    p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    assert_allclose(1 / (1 + np.exp(-margin)), p, rtol=1e-11)
