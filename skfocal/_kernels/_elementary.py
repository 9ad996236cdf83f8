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

import math
from typing import Any, NamedTuple

import numpy as np

from skfocal._kernels._jit import fma

Coefficients = tuple[Any, ...]


class Table(NamedTuple):
    """Constants of one precision; bit patterns as integers."""

    shift: Any  # bits of the significand
    bias: Any  # of the exponent
    raised_bias: Any  # by the bits of the significand
    lower: Any  # 2**-shift
    lowest: Any  # where exp is 0
    round_up: Any  # 1.5 * 2**shift: adding it rounds to an integer, in the last bits
    log2_e: Any
    ln2_high: Any  # few bits, so that its product with an exponent is exact
    ln2_low: Any
    ln2: Any
    exp: Coefficients  # of r, |r| <= ln(2) / 2, highest power first
    log: Coefficients  # of 2 atanh(s) / s in s**2, |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)
    significand: Any  # mask of its bits
    one: Any  # bits of 1
    sqrt_half: Any  # bits of sqrt(1/2)


def _table(
    real: Any, integer: Any, lowest: float, high: float, exp: Coefficients, log: Coefficients
) -> Table:
    info = np.finfo(real)

    def bits(x: float) -> Any:
        return real(x).view(integer)

    return Table(
        shift=integer(info.nmant),
        bias=integer(1 - info.minexp),
        raised_bias=integer(1 - info.minexp + info.nmant),
        lower=real(2.0**-info.nmant),
        lowest=real(lowest),
        round_up=real(1.5 * 2.0**info.nmant),
        log2_e=real(1.0 / math.log(2.0)),
        ln2_high=real(high),
        # the last is what ln(2) exceeds its double by
        ln2_low=real((math.log(2.0) - high) + 2.3190468138462996e-17),
        ln2=real(math.log(2.0)),
        exp=tuple(map(real, exp)),
        log=tuple(map(real, log)),
        significand=integer(2**info.nmant - 1),
        one=bits(1.0),
        sqrt_half=bits(math.sqrt(0.5)),
    )


# Written by tests/reference/make_polynomials.py
SINGLE = _table(
    np.float32,
    np.int32,
    -104.0,
    0.693359375,
    exp=(
        *(0.0013941108433972674, 0.008375126398153335, 0.04166635289677516),
        *(0.16666415514653277, 0.5000000047117757, 1.000000037716214, 1.0),
    ),
    log=(0.29924390479144986, 0.3997485051751905, 0.6666681533815119, 1.9999999986313182),
)
DOUBLE = _table(
    np.float64,
    np.int64,
    -745.2,
    0.6931471803691238,  # 32 bits
    exp=(
        *(2.5110037605963777e-08, 2.763263963904103e-07, 2.755724091857897e-06),
        *(2.4801485482328494e-05, 0.00019841269890047113, 0.0013888888952314775),
        *(0.008333333333319601, 0.0416666666664881, 0.1666666666666668),
        *(0.5000000000000019, 1.0, 1.0),
    ),
    log=(
        *(0.14809710360655276, 0.1531252814836419, 0.18183631680229329, 0.22222197056726048),
        *(0.2857142876064168, 0.3999999999930234, 0.6666666666666765, 2.0),
    ),
)
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
