"""exp and log1p as polynomials without branches or calls, so that loops over them vectorise.

The functions are written once. ``skfocal._kernels._jit.bind`` compiles them in single and in
double precision: it exchanges ``real``, ``integer`` and ``TABLE``. In plain Python they compute
in double.

The functions are right only for the arguments that the formulas need. These are the largest
relative errors, measured on dense grids against 50-digit arithmetic and tested in
``tests/test_elementary.py``. The error of the polynomials alone is below 3e-9 in single and
below 1e-17 in double.

===========  ==================  ========  ========
function     arguments           single    double
===========  ==================  ========  ========
exp          x <= 0              1.5e-7    3e-16
log1p        x >= 0              2e-7      4e-16
log1p_unit   0 <= x <= 1         2e-7      4e-16
===========  ==================  ========  ========

exp has this accuracy down to the smallest subnormal number, and is 0 below it.
"""

import numpy as np

from skfocal._kernels._jit import fma
from skfocal._kernels._precision import DOUBLE

# Names of functions of ``math`` and of `_math` that the functions here replace where they are
# compiled together.
REPLACES = ("exp", "log1p", "log1p_unit", "power")
real, integer, TABLE = np.float64, np.int64, DOUBLE


def horner(coefficients, x):
    """The polynomial with the given coefficients, highest power first."""
    value = coefficients[0]
    for i in range(1, len(coefficients)):
        value = value * x + coefficients[i]
    return value


def exp_of_sum(a, b, c):
    """exp(a b + c) for a b + c <= 0, as if a b were not rounded.

    The result is 2**k exp(r) with k = round(x / ln 2). The sum with ``round_up`` has k in its
    last bits. From there k is shifted into the exponent of the result.
    """
    x = fma(a, b, c)
    # below it the power has the bits of 0, and the polynomial must stay finite
    x = TABLE.lowest if x < TABLE.lowest else x
    shifted = x * TABLE.log2_e + TABLE.round_up
    k = shifted - TABLE.round_up
    r = (fma(a, b, -k * TABLE.ln2_high) + c) - k * TABLE.ln2_low
    r = -1.0 if r < -1.0 else r
    power = integer((real(shifted).view(integer) + TABLE.raised_bias) << TABLE.shift)
    # two factors, because 2**k may be below the smallest normal number
    return horner(TABLE.exp, r) * real(power.view(real)) * TABLE.lower


def exp(x):
    """exp(x) for x <= 0."""
    return exp_of_sum(x, 1.0, 0.0)


def power(m, c, gamma):
    """q**gamma = exp(-gamma (max(m, 0) + c)), c = log1p(exp(-|m|)).

    In single precision the rounding of the product gamma |m| = 87 alone would be an error of
    5e-6; `exp_of_sum` does not round it.
    """
    return exp_of_sum(-gamma, max(m, 0.0), -gamma * c)


def log1p_unit(x):
    """log1p(x) for 0 <= x <= 1: 2 atanh(s) with s = f / (2 + f); f is x or (x - 1) / 2."""
    halved = x > 0.41421356
    f = (x - 1.0) * 0.5 if halved else x
    s = f / (2.0 + f)
    value = s * horner(TABLE.log, s * s)
    return value + TABLE.ln2 if halved else value


def log1p(x):
    """log1p(x) for finite x >= 0: k ln 2 + 2 atanh(s) with s = f / (2 + f).

    1 + x = 2**k (1 + f), f in [sqrt(1/2) - 1, sqrt(2) - 1). The rounding error of 1 + x is
    added to f.
    """
    u = 1.0 + x
    bits = integer(real(u).view(integer) + integer(TABLE.one - TABLE.sqrt_half))
    k = integer((bits >> TABLE.shift) - TABLE.bias)
    scale = integer(integer(TABLE.bias - k) << TABLE.shift)
    mantissa = integer(integer(bits & TABLE.significand) + TABLE.sqrt_half)
    f = (real(mantissa.view(real)) - 1.0) + (x - (u - 1.0)) * real(scale.view(real))
    s = f / (2.0 + f)
    # every processor has an instruction that converts 32 bits
    return real(np.int32(k)) * TABLE.ln2 + s * horner(TABLE.log, s * s)
