"""What other packages call: functions of rows, which choose a compiled loop and run it.

The functions bring their arguments into the few forms that the loops are compiled for
(contiguous, aligned, native byte order, inputs as read-only views), and allocate what they
return. numba is imported with the first call, not with the package.
"""

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skfocal._kernels._choice import Choice, Options, Outputs, Wanted, choose, in_double, rounding
from skfocal._kernels._device import dtype_of, empty_like, on_device
from skfocal._kernels._few import FEW, few_log_odds, few_margins
from skfocal._kernels._forms import (
    Array,
    PerClass,
    _n_columns,
    _per_class,
    _read_only,
    _rows,
    like,
)
from skfocal._kernels._slopes import slope_table
from skfocal._kernels._threads import over_rows


def _loops(choice: Choice) -> SimpleNamespace:
    from skfocal._kernels import cpu

    single = choice.real is np.float32
    if choice.link == "posterior":
        return cpu.single_posterior if single else cpu.posterior
    if choice.cross_entropy:
        return cpu.cross_entropy
    return cpu.single if single else cpu.double


def evaluate(
    y_true: Any,
    raw: Array,
    sample_weight: Any,
    gamma: PerClass,
    weight: PerClass,
    options: Options,
    outputs: Outputs,
    n_threads: int = 1,
) -> bool:
    """Fill the outputs that are given.

    Parameters
    ----------
    y_true, raw, sample_weight
        Codes (n,), margins (n,) or (n, K), and weights (n,) or None.
    gamma, weight
        Of each class.
    options
        What to compute.
    outputs
        Arrays to fill: the loss of shape (n,), gradient and Hessian of the shape of ``raw``.
        Multiclass Hessians are the diagonal.
    n_threads
        Threads to use, where there are rows enough.

    Returns
    -------
    bool
        False if a label is no code, or a weight is negative or not finite. The outputs then
        mean nothing. On a device neither labels nor weights are checked.
    """
    if on_device(raw):
        from skfocal._kernels import cuda

        cuda.evaluate(y_true, raw, sample_weight, gamma, weight, options, outputs)
        return True
    wanted = outputs.wanted
    call = _call(gamma, weight, options, wanted, raw.ndim)
    arguments = (
        *_rows(y_true, raw, sample_weight, wanted.dtype),
        *(outputs if call.fills_loss else outputs[1:]),
        *call.arguments,
    )
    valid = over_rows(
        lambda start, stop: call.loop(start, stop, *arguments),
        len(raw),
        n_threads,
        _n_columns(raw),
    )
    return all(valid)


class Call(NamedTuple):
    """What of a call depends on no row."""

    loop: Callable[..., bool]
    fills_loss: bool
    arguments: tuple[Any, ...]
    """The last ones of the loop."""


@lru_cache(maxsize=256)
def _call(gamma: PerClass, weight: PerClass, options: Options, wanted: Wanted, ndim: int) -> Call:
    """The loop and its last arguments; boosters ask for the same ones in each round."""
    choice = choose(gamma, weight, options, wanted, binary=ndim == 1, table_fills_both=True)
    if options.scale != 1.0:
        weight = tuple(options.scale * w for w in weight)
    finish = options.ratio, options.floor, *(rounding(options.bits, choice.real) or (None, None))
    loops = _loops(choice)
    if choice.tabulated:
        shift = float(np.log(weight[1] / weight[0]))
        return Call(loops.tabulated_rows, False, (slope_table(gamma), weight, shift, *finish))
    if ndim == 1:
        return Call(loops.binary_rows, True, (gamma, weight, options.absolute, *finish))
    classes = np.array(gamma), np.array(weight)
    diagonal = options.hessian_scale
    return Call(loops.multiclass_rows, True, (*classes, options.absolute, *finish, diagonal))


def multiclass_curvature(
    y_true: npt.ArrayLike,
    raw: Array,
    sample_weight: Any,
    gamma: PerClass,
    weight: PerClass,
    link: str,
    n_threads: int = 1,
) -> tuple[bool, tuple[Array, Array, Array, Array, Array]]:
    """Loss (n,), gradient (n, K), and slope, curvature (n,) and shares (n, K) of the Hessian.

    Before these the function returns whether labels and weights are valid, as `evaluate` does.
    """
    rows = _rows(y_true, raw, sample_weight, raw.dtype)
    loss, slope, curvature = np.empty((3, raw.shape[0]), raw.dtype)
    gradient, share = like(raw), like(raw)
    arguments = (*rows, loss, gradient, slope, curvature, share, *_per_class(raw, gamma, weight))
    loop = _loops(in_double(gamma, weight, link)).multiclass_curvature_rows
    valid = over_rows(
        lambda start, stop: loop(start, stop, *arguments), len(raw), n_threads, _n_columns(raw)
    )
    return all(valid), (loss, gradient, slope, curvature, share)


def sparse_loss_gradient(
    X: Any,
    theta: Array,
    fit_intercept: bool,
    y_true: npt.ArrayLike,
    sample_weight: Any,
    gamma: PerClass,
    weight: PerClass,
    link: str,
    n_threads: int = 1,
) -> tuple[float, Array]:
    """Sum of losses, and its gradient in ``theta``, of the margins X coef + intercept.

    X is a CSR matrix. ``theta`` has one column for two classes and K columns for more. Its last
    row has the intercepts if there are any.
    """
    loops = _loops(in_double(gamma, weight, link))
    p, m = X.shape[1], theta.shape[1]
    coef, intercept = theta[:p], theta[p] if fit_intercept else np.zeros(m)
    y_true, coef, sample_weight = _rows(y_true, np.ascontiguousarray(coef), sample_weight, "f8")
    entries = [_read_only(part, part.dtype) for part in (X.data, X.indices, X.indptr)]
    arguments = (*entries, coef, intercept, y_true, sample_weight)
    loop = loops.csr_binary_rows if m == 1 else loops.csr_multiclass_rows
    classes = (gamma, weight) if m == 1 else (np.array(gamma), np.array(weight))

    def part(start: int, stop: int) -> tuple[float, Array]:
        gradient = np.zeros((p + 1, m))
        return loop(start, stop, *arguments, *classes, gradient), gradient

    parts = over_rows(part, X.shape[0], n_threads, X.nnz / X.shape[0])
    gradient = np.sum([gradient for _, gradient in parts], axis=0)
    return sum(loss for loss, _ in parts), gradient[: len(theta)]


def dense_loss_gradient(
    X: Array,
    theta: Array,
    fit_intercept: bool,
    y_true: npt.ArrayLike,
    sample_weight: Any,
    gamma: PerClass,
    weight: PerClass,
    link: str,
    n_threads: int = 1,
) -> tuple[float, Array]:
    """As `sparse_loss_gradient`, of two classes and an X (n, p) in C order."""
    loop = _loops(in_double(gamma, weight, link)).dense_binary_rows
    p = X.shape[1]
    coef = np.ascontiguousarray(theta[:p, 0])
    intercept = float(theta[p, 0]) if fit_intercept else 0.0
    y_true, coef, sample_weight = _rows(y_true, coef, sample_weight, np.float64)
    arguments = _read_only(X, X.dtype), coef, intercept, y_true, sample_weight, gamma, weight

    def part(start: int, stop: int) -> tuple[float, Array]:
        gradient = np.zeros(p + 1)
        return loop(start, stop, *arguments, gradient), gradient

    parts = over_rows(part, X.shape[0], n_threads, p)
    gradient = np.sum([gradient for _, gradient in parts], axis=0)[:, np.newaxis]
    return sum(loss for loss, _ in parts), gradient[: len(theta)]


def descend(
    matrix: Array, gradient: Array, l1: Array, theta: Array, tolerance: float, max_sweeps: int
) -> tuple[Array, int]:
    """Minimise g'(t - theta) + (t - theta)'H(t - theta) / 2 + sum(l1 |t|) over t.

    Returns the minimum, found by coordinate descent, and the number of sweeps. Coordinates
    whose diagonal entry is 0 stay as they are.
    """
    from skfocal._kernels import cpu

    theta, gradient = theta.copy(), gradient.copy()
    sweeps = cpu.double.descent_rows(max_sweeps, matrix, gradient, l1, theta, tolerance)
    return theta, int(sweeps)


def log_odds(raw: Array, gamma: PerClass, n_threads: int = 1) -> Array:
    """log(w+ P+ / (w- P-)) of margins (n,); log(w_k P_k) plus a constant of (n, K)."""
    out = like(raw)
    if raw.size <= FEW:
        few_log_odds(raw, gamma, out)
        return out
    from skfocal._kernels import cpu

    binary = raw.ndim == 1
    loop = cpu.double.binary_log_odds_rows if binary else cpu.double.multiclass_log_odds_rows
    arguments = (_read_only(raw, raw.dtype), out, *_per_class(raw, gamma))
    over_rows(
        lambda start, stop: loop(start, stop, *arguments), len(raw), n_threads, _n_columns(raw)
    )
    return out


def device_posterior(raw: Any, gamma: PerClass, weight: PerClass, link: str) -> Any:
    """P(class | row) of margins on a device, in an array (n, K) on the same device."""
    from skfocal._kernels import cuda

    out = empty_like(raw, (raw.shape[0], len(gamma)), dtype_of(raw))
    cuda.posterior(raw, gamma, weight, link, out)
    return out


def margins(log_odds: Array, gamma: PerClass) -> Array:
    """The inverse of `log_odds`; for (n, K) as logit(p_k)."""
    out = like(log_odds)
    if log_odds.size <= FEW:
        few_margins(log_odds, gamma, out)
        return out
    from skfocal._kernels import cpu

    binary = log_odds.ndim == 1
    loop = cpu.double.binary_margin_rows if binary else cpu.double.multiclass_margin_rows
    arguments = (_read_only(log_odds, log_odds.dtype), out, *_per_class(log_odds, gamma))
    loop(0, len(log_odds), *arguments)
    return out
