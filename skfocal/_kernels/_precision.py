"""The constants of single and of double precision that loops are compiled with."""

import math
from typing import Any, NamedTuple

import numpy as np

Coefficients = tuple[Any, ...]


class Table(NamedTuple):
    """Constants of `_elementary` for one precision; bit patterns as integers."""

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
        # the last number is what ln(2) exceeds its double by
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


def constants(real: Any) -> dict[str, Any]:
    """The globals of the loops that depend on the precision, for `_jit.bind`."""
    single = real is np.float32
    return {
        "integer": np.int32 if single else np.int64,
        "TABLE": SINGLE if single else DOUBLE,
        "SMALLEST": np.finfo(real).tiny,
        "HUGE": 0.5 * np.finfo(real).max,
        "SMALL_STEP": 1e-3 if single else 1e-8,
    }
