"""exp and log1p of the kernels against 50-digit arithmetic, on dense grids."""

import numba
import numpy as np
import pytest
from mpmath import exp, log1p, mp, mpf
from numpy.testing import assert_array_equal

from skfocal import _math
from skfocal._kernels import _elementary
from skfocal._kernels._jit import bind
from skfocal._kernels._precision import DOUBLE, SINGLE, constants

TABLES = {np.float32: SINGLE, np.float64: DOUBLE}


def callable_functions(real):
    """Python cannot call functions that are compiled into others, but it can call such others."""
    bound = bind([_math, _elementary], [], real, **constants(real))
    names = ("exp", "log1p", "log1p_unit", "power", "loss_gradient_hessian")

    def calling(function):
        return numba.njit(lambda *arguments: function(*arguments))

    return {name: calling(bound[name]) for name in names}


NAMES = {real: callable_functions(real) for real in TABLES}
# The bounds in the head of the module.
BOUNDS = {
    ("exp", np.float32): 1.5e-7,
    ("exp", np.float64): 3e-16,
    ("log1p", np.float32): 2e-7,
    ("log1p", np.float64): 4e-16,
    ("log1p_unit", np.float32): 2e-7,
    ("log1p_unit", np.float64): 4e-16,
}
RNG = np.random.default_rng(0)
GRIDS = {
    "exp": lambda real: np.r_[
        -np.geomspace(1e-30, 80, 400), RNG.uniform(np.log(np.finfo(real).tiny), 0, 1500), 0.0
    ],
    "log1p": lambda real: np.r_[
        0.0, np.geomspace(1e-30, 1e30, 900), RNG.uniform(0, 4, 1000), 1.0, 3.0
    ],
    "log1p_unit": lambda real: np.r_[0.0, np.geomspace(1e-30, 1, 700), RNG.uniform(0, 1, 1000)],
}
EXACT = {"exp": exp, "log1p": log1p, "log1p_unit": log1p}


@pytest.mark.parametrize("name, real", BOUNDS, ids=lambda x: getattr(x, "__name__", x))
def test_relative_error(name, real):
    mp.dps = 50
    worst = 0.0
    for x in GRIDS[name](real).astype(real):
        value = NAMES[real][name](real(x))
        exact = EXACT[name](mpf(float(x)))
        error = abs(mpf(float(value)) - exact)
        worst = max(worst, float(error / exact) if exact else float(error))
    assert worst <= BOUNDS[name, real]
    assert worst >= BOUNDS[name, real] / 8, "the bound is not what was measured"


@pytest.mark.parametrize("real", TABLES)
def test_exp_underflows_to_zero_and_nan_is_kept(real):
    names = NAMES[real]
    mp.dps = 50
    for x in np.linspace(np.log(np.finfo(real).tiny), TABLES[real].lowest, 50).astype(real):
        error = mpf(float(names["exp"](x))) - exp(mpf(float(x)))
        assert abs(error) <= mpf(float(np.finfo(real).smallest_subnormal))
    for x in (1.001 * TABLES[real].lowest, -1e4, -1e30, -np.inf):
        assert names["exp"](real(x)) == 0
    assert np.isnan(names["exp"](real(np.nan)))
    assert np.isnan(names["log1p"](real(np.nan)))
    assert names["exp"](real(0)) == 1
    assert names["log1p"](real(0)) == 0


@pytest.mark.parametrize("real", TABLES)
def test_power_does_not_round_its_product(real):
    """q**gamma where gamma t is large: the product's rounding alone would exceed the bound."""
    mp.dps = 50
    for gamma, m in ((10.0, 8.6), (9.7, 8.9), (1.7, 50.3), (1.1, 78.9), (5.3, 16.2)):
        gamma, m = real(gamma), real(m)
        c = real(log1p(exp(-mpf(float(m)))))
        value = NAMES[real]["power"](m, c, gamma)
        exact = exp(-mpf(float(gamma)) * (mpf(float(m)) + mpf(float(c))))
        assert abs(mpf(float(value)) / exact - 1) <= 4 * np.finfo(real).eps


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="compares with compiled functions")
def test_plain_python_computes_the_same_in_double():
    for name in EXACT:
        function = getattr(_elementary, name)
        x = GRIDS[name](np.float64)[::50]
        plain = [function(v) for v in x]
        compiled = [NAMES[np.float64][name](v) for v in x]
        np.testing.assert_allclose(plain, compiled, rtol=4e-16)


def test_bound_literals_are_of_the_precision():
    """A Python float beside float32 would make numba compute in double."""
    bound = bind([_math, _elementary], [], np.float32, **constants(np.float32))
    formula = bound["loss_gradient_hessian"]
    types = [type(v) for v in getattr(formula, "py_func", formula).__code__.co_consts]
    assert np.float32 in types
    assert float not in types
    if not numba.config.DISABLE_JIT:
        value = NAMES[np.float32]["loss_gradient_hessian"]
        value(np.float32(1), np.float32(2), False)
        (signature,) = value.nopython_signatures
        assert_array_equal([str(t) for t in signature.return_type], ["float32"] * 3)
