"""Brings arguments into the few forms that the loops are compiled for."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal._kernels._device import dtype_of, empty_like, on_device

Array = npt.NDArray[np.floating]
PerClass = tuple[float, ...]


def _read_only(array: npt.ArrayLike, dtype: npt.DTypeLike) -> Array:
    """A read-only view, in C order or (two dimensions) in Fortran order; else a copy."""
    array = np.asarray(array, dtype=dtype)
    if not (array.flags.forc and array.flags.aligned):
        array = np.require(array, requirements=["C", "A"])
    view = array.view()
    view.flags.writeable = False
    return view


def _rows(
    y_true: npt.ArrayLike, raw: Array, sample_weight: Any, dtype: npt.DTypeLike
) -> tuple[Array, Array, Array | None]:
    """Labels, margins and weights in the loops' forms."""
    raw = _read_only(raw, raw.dtype)
    with np.errstate(over="ignore"):  # the loops refuse what becomes infinite here
        weight = None if sample_weight is None else _read_only(sample_weight, dtype)
        return _read_only(y_true, np.float32), raw, weight


def _per_class(raw: Array, *values: PerClass) -> tuple[Any, ...]:
    """Values of the classes: tuples for margins (n,), arrays for margins (n, K)."""
    if raw.ndim == 1:
        return values
    return tuple(np.array(value) for value in values)


def _n_columns(raw: Array) -> int:
    return 1 if raw.ndim == 1 else raw.shape[1]


def like(raw: Array, dtype: npt.DTypeLike | None = None) -> Array:
    """An array to fill, of the shape and order of the margins; ``dtype`` None is theirs."""
    if on_device(raw):
        array: Array = empty_like(raw, raw.shape, dtype or dtype_of(raw))
        return array
    return np.empty_like(raw, dtype, "F" if raw.flags.f_contiguous else "C", subok=False)


def per_row(raw: Array) -> Array:
    """An array to fill with a number for each row of margins, of their dtype."""
    if on_device(raw):
        array: Array = empty_like(raw, (raw.shape[0],), dtype_of(raw))
        return array
    return np.empty(len(raw), raw.dtype)
