"""exp and log1p as polynomials, without branches or calls: loops over them vectorise (floor 1).

The functions are written once; ``skfocal._kernels._jit.bind`` compiles them in single and
in double precision, by exchanging ``real``, ``integer`` and ``TABLE``. Called as they
stand, in plain Python, they compute in double.

Each takes the arguments that the formulas have, and no others. Largest relative errors,
measured on dense grids against 50-digit arithmetic (``tests/test_elementary.py`` holds
them to it; the polynomials alone are off by less than 3e-9 and 1e-17):

===========  ==================  ========  ========
function     arguments           single    double
===========  ==================  ========  ========
exp          x <= 0              1.5e-7    3e-16
log1p        x >= 0              2e-7      4e-16
log1p_unit   0 <= x <= 1         2e-7      4e-16
===========  ==================  ========  ========

exp is exact to the smallest subnormal number, and 0 below it.
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

    2**k exp(r) with k = round(x / ln 2): adding ``round_up`` leaves k in the last bits of
    the sum, from where it goes into the exponent of the result.
    """
    x = fma(a, b, c)
    # there the bits of the power are those of 0; the polynomial must stay finite beside it
    x = TABLE.lowest if x < TABLE.lowest else x
    shifted = x * TABLE.log2_e + TABLE.round_up
    k = shifted - TABLE.round_up
    r = (fma(a, b, -k * TABLE.ln2_high) + c) - k * TABLE.ln2_low
    r = -1.0 if r < -1.0 else r
    power = integer((real(shifted).view(integer) + TABLE.raised_bias) << TABLE.shift)
    # in two steps, since 2**k may be below the smallest normal number
    return horner(TABLE.exp, r) * real(power.view(real)) * TABLE.lower


def exp(x):
    """exp(x) for x <= 0."""
    return exp_of_sum(x, 1.0, 0.0)


def power(m, c, gamma):
    """q**gamma = exp(-gamma (max(m, 0) + c)), c = log1p(exp(-|m|)).

    For gamma |m| = 87 the rounding of the product alone would cost single precision 5e-6.
    """
    return exp_of_sum(-gamma, max(m, 0.0), -gamma * c)


def log1p_unit(x):
    """log1p(x) for 0 <= x <= 1: 2 atanh(s) with s = f / (2 + f), f = x or (x - 1) / 2."""
    halved = x > 0.41421356
    f = (x - 1.0) * 0.5 if halved else x
    s = f / (2.0 + f)
    value = s * horner(TABLE.log, s * s)
    return value + TABLE.ln2 if halved else value


def log1p(x):
    """log1p(x) for finite x >= 0: k ln 2 + 2 atanh(s), 1 + x = 2**k (1 + f).

    f in [sqrt(1/2) - 1, sqrt(2) - 1) comes with what 1 + x was rounded by.
    """
    u = 1.0 + x
    bits = integer(real(u).view(integer) + integer(TABLE.one - TABLE.sqrt_half))
    k = integer((bits >> TABLE.shift) - TABLE.bias)
    scale = integer(integer(TABLE.bias - k) << TABLE.shift)
    mantissa = integer(integer(bits & TABLE.significand) + TABLE.sqrt_half)
    f = (real(mantissa.view(real)) - 1.0) + (x - (u - 1.0)) * real(scale.view(real))
    s = f / (2.0 + f)
    # every processor converts 32 bits
    return real(np.int32(k)) * TABLE.ln2 + s * horner(TABLE.log, s * s)
