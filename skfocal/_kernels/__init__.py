"""Loops over rows, chosen by the type of the arrays (floor 1).

The functions here bring their arguments into the few forms that the loops are compiled
for (contiguous, aligned, native byte order, inputs as read-only views) and allocate what
they return. numba is imported with the first call, not with the package.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
PerClass = tuple[float, ...]

_NONE = {dtype: np.empty(0, dtype) for dtype in (np.dtype("f4"), np.dtype("f8"))}


def _read_only(array: npt.ArrayLike, dtype: npt.DTypeLike) -> Array:
    """A read-only view, in C order or (two dimensions) in Fortran order; else a copy."""
    array = np.asarray(array, dtype=dtype)
    fortran = array.ndim == 2 and array.flags.f_contiguous
    view = np.require(array, requirements=["F", "A"] if fortran else ["C", "A"]).view()
    view.flags.writeable = False
    return view


def _rows(y_true, raw, sample_weight, dtype):
    """Labels, margins and weights in the loops' forms; no weights are an empty array."""
    raw = _read_only(raw, raw.dtype)
    weight = _NONE[np.dtype(dtype)] if sample_weight is None else sample_weight
    return _read_only(y_true, np.float32), raw, _read_only(weight, dtype)


def _per_class(raw: Array, *values: PerClass):
    """A tuple of two floats each for margins (n,), an array each for (n, K)."""
    if raw.ndim == 1:
        return values
    return tuple(np.array(value) for value in values)


def _like(raw: Array) -> Array:
    return np.empty_like(raw, order="F" if raw.flags.f_contiguous else "C", subok=False)


def loss(y_true, raw, sample_weight, gamma: PerClass, weight: PerClass) -> Array:
    """Weighted loss of each row, in the precision of ``raw``."""
    from skfocal._kernels import cpu

    loop = cpu.binary_loss if raw.ndim == 1 else cpu.multiclass_loss
    out = np.empty(raw.shape[0], raw.dtype)
    loop(*_rows(y_true, raw, sample_weight, raw.dtype), *_per_class(raw, gamma, weight), out)
    return out


def gradient(y_true, raw, sample_weight, gamma: PerClass, weight: PerClass) -> Array:
    """Weighted gradient in the margins, of the shape and precision of ``raw``."""
    from skfocal._kernels import cpu

    loop = cpu.binary_gradient if raw.ndim == 1 else cpu.multiclass_gradient
    out = _like(raw)
    loop(*_rows(y_true, raw, sample_weight, raw.dtype), *_per_class(raw, gamma, weight), out)
    return out


def gradient_hessian(
    y_true,
    raw,
    sample_weight,
    gamma: PerClass,
    weight: PerClass,
    *,
    policy: str,
    ratio: float,
    floor: float,
    bits: int,
    scale: float,
    gradient_out: Array,
    hessian_out: Array,
) -> None:
    """Fill ``gradient_out`` and ``hessian_out`` (the diagonal, times ``scale``).

    Results are rounded to ``bits`` significant bits before sample weights multiply.
    """
    from skfocal._kernels import cpu

    rows = _rows(y_true, raw, sample_weight, gradient_out.dtype)
    classes = _per_class(raw, gamma, weight)
    split = 2.0 ** (53 - bits) + 1.0 if bits < 53 else 1.0
    options = policy != "upper", policy == "abs", ratio, floor, split
    if raw.ndim == 1:
        cpu.binary_gradient_hessian(*rows, *classes, *options, gradient_out, hessian_out)
    else:
        cpu.multiclass_gradient_hessian(*rows, *classes, *options, scale, gradient_out, hessian_out)


def multiclass_curvature(y_true, raw, sample_weight, gamma: PerClass, weight: PerClass):
    """Slope (n,), curvature (n,) and shares (n, K) that make the full Hessian's bound."""
    from skfocal._kernels import cpu

    rows = _rows(y_true, raw, sample_weight, raw.dtype)
    slope, curvature = np.empty((2, raw.shape[0]), raw.dtype)
    share = _like(raw)
    cpu.multiclass_curvature(*rows, *_per_class(raw, gamma, weight), slope, curvature, share)
    return slope, curvature, share


def log_odds(raw: Array, gamma: PerClass) -> Array:
    """log(w+ P+ / (w- P-)) of margins (n,); log(w_k P_k) plus a constant of (n, K)."""
    from skfocal._kernels import cpu

    loop = cpu.binary_log_odds if raw.ndim == 1 else cpu.multiclass_log_odds
    out = _like(raw)
    loop(_read_only(raw, raw.dtype), *_per_class(raw, gamma), out)
    return out


def margins(log_odds: Array, gamma: PerClass) -> Array:
    """The inverse of `log_odds`; for (n, K) as logit(p_k)."""
    from skfocal._kernels import cpu

    loop = cpu.binary_margins if log_odds.ndim == 1 else cpu.multiclass_margins
    out = _like(log_odds)
    loop(_read_only(log_odds, log_odds.dtype), *_per_class(log_odds, gamma), out)
    return out
