"""First and second derivatives as pairs, as CatBoost asks for them.

CatBoost calls its objective for 500 rows at a time, from several threads, and holds Python's lock
while it does. So each call must be short. Here NumPy calls compiled code without a Python frame:
a thread that CatBoost has made would ask the system for the memory of each frame, which takes
longer than the rows themselves.

The signs are those of CatBoost, which maximises.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache, partial
from types import FunctionType
from typing import Any

import numba
import numpy as np

from skfocal._kernels import cpu
from skfocal._kernels._choice import Choice, Options, Wanted, choose
from skfocal._kernels._forms import Array, PerClass
from skfocal._kernels._jit import digest, jit
from skfocal._kernels._slopes import slope_table

# In compiled code these names have other values.
real: Any = np.float64
absolute: Any = None
binary_rows: Any = None
tabulated_rows: Any = None
_fill: Any = None
# numba renews its cache when this file changes, but not when a loop does.
_SOURCE = digest([*cpu.FORMULAS, *cpu.POSTERIOR_LOOPS])


def fill(  # type: ignore[no-untyped-def]
    gamma, weight, bounds, folded, raw, y_true, sample_weight, out
):
    """Fill minus gradient and minus Hessian; ``bounds`` has their ratio and the least Hessian."""
    n = raw.size
    margin, codes = np.empty(n), np.empty(n, np.float32)
    gradient, hessian = np.empty(n, real), np.empty(n, real)
    for i in range(n):
        margin[i] = raw[i]
        codes[i] = y_true[i]
    ratio, floor = bounds[0], bounds[1]
    weights = (weight[0], weight[1])
    if binary_rows is None:  # of gamma there is the table then
        shift = np.log(weight[1] / weight[0])
        arguments = (codes, margin, None, gradient, hessian, gamma, weights, shift, ratio, floor)
        tabulated_rows(0, n, *arguments, None, None)
    else:
        gammas = (gamma[0], gamma[1])
        arrays = (codes, margin, None, None, gradient, hessian)
        binary_rows(0, n, *arrays, gammas, weights, absolute, ratio, floor, None, None)
    for i in range(n):
        w = 1.0 if sample_weight is None else sample_weight[i] / folded[int(codes[i])]
        out[i, 0] = -w * gradient[i]
        out[i, 1] = -w * hessian[i]


def pairs(gamma, weight, bounds, folded, raw, y_true, out):  # type: ignore[no-untyped-def]
    """`fill` of rows without weights."""
    _fill(gamma, weight, bounds, folded, raw, y_true, None, out)


def weighted_pairs(  # type: ignore[no-untyped-def]
    gamma, weight, bounds, folded, raw, y_true, sample_weight, out
):
    """`fill` of rows with weights."""
    _fill(gamma, weight, bounds, folded, raw, y_true, sample_weight, out)


def pair_function(
    gamma: PerClass, weight: PerClass, options: Options, *, weighted: bool
) -> Callable[[Array, Array, Array | None], Array]:
    """A function of margins, class codes and weights of rows, which returns pairs (n, 2).

    Parameters
    ----------
    gamma, weight
        Of each class.
    options
        What to compute.
    weighted
        Whether rows have weights; otherwise the function must get None in their place. The
        weights of rows have the weight of their class as a factor, which is divided out.
    """
    wanted = Wanted(np.dtype(np.float32), gradient=True, hessian=True)
    choice = choose(gamma, weight, options, wanted, binary=True, table_fills_both=True)
    first = slope_table(gamma) if choice.tabulated else np.array(gamma)
    weights = options.scale * np.array(weight)
    bounds = np.array([options.ratio, options.floor])
    # NumPy takes a None after the inputs for an array to fill that is not given
    function = _compiled(choice, options.absolute, weighted)
    return partial(function, first, weights, bounds, np.array(weight))


@lru_cache
def _compiled(choice: Choice, policy: bool | None, weighted: bool) -> np.ufunc:
    """A function of NumPy for one loop.

    `fill` is kept on disk. The function of NumPy around it is compiled in each process: numba 0.68
    crashes in calls of such functions that it has kept.
    """
    names = {**globals(), "real": choice.real, "absolute": policy, **_loop(choice)}
    tag = hashlib.sha256(f"{choice} {policy} {_SOURCE}".encode()).hexdigest()[:12]
    names["_fill"] = jit(FunctionType(fill.__code__, names, fill.__name__), tag)
    function = weighted_pairs if weighted else pairs
    table, of_table = ("(t,c)", "f4[:,:]") if choice.tabulated else ("(q)", "f8[:]")
    of_rows, of_weights = ("(n),(n),(n)", ",f4[:]") if weighted else ("(n),(n)", "")
    layout = f"{table},(q),(q),(q),{of_rows}->(n,q)"
    out = "f4[:,:]" if choice.real is np.float32 else "f8[:,:]"
    types = f"void({of_table},f8[:],f8[:],f8[:],f8[:],f4[:]{of_weights},{out})"
    bound = FunctionType(function.__code__, names, function.__name__)
    found: np.ufunc = numba.guvectorize([types], layout, nopython=True)(bound).ufunc
    return found


def _loop(choice: Choice) -> dict[str, Any]:
    """The loop that computes gradients and Hessians, by the name that `fill` calls."""
    if choice.tabulated:
        return {"binary_rows": None, "tabulated_rows": cpu.single_posterior.tabulated_rows}
    if choice.cross_entropy:
        return {"binary_rows": cpu.cross_entropy.binary_rows}
    loops = cpu.single if choice.real is np.float32 else cpu.double
    return {"binary_rows": loops.binary_rows}
