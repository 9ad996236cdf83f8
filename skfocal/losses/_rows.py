"""Rows as users give them: class codes, weights and their sums, margins, posteriors."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal._kernels import Array, on_device


def row_blocks(n_rows: int) -> Iterator[slice]:
    """Slices of rows, for computations that would otherwise copy a whole column."""
    size = 2**17
    return (slice(start, start + size) for start in range(0, n_rows, size))


def class_totals(
    codes: npt.NDArray[Any], n_classes: int, sample_weight: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """Sum of sample weights (or number of rows) of each class code."""
    codes, totals = np.asarray(codes), np.zeros(n_classes)
    weight = None if sample_weight is None else np.asarray(sample_weight)
    for rows in row_blocks(len(codes)):
        block = codes[rows].astype(np.intp, copy=False)
        part = None if weight is None else weight[rows]
        totals += np.bincount(block, weights=part, minlength=n_classes)
    return totals


# How far the sum of a row's probabilities may be from 1: they are often rounded.
SUM_TOLERANCE = 1e-3


def numbers(values: Any, name: str) -> npt.NDArray[Any]:
    """An array of real numbers; an array that is one is returned as it is.

    Raises
    ------
    TypeError
        If the values are not real numbers: text, dates, complex numbers, rows of unequal
        length.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0, dtype="U1")
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold numbers, in an array or a sequence that NumPy makes one of; "
            f"got {_short(values)}."
        )
    return array


def _short(values: Any) -> str:
    text = repr(values)
    return f"{type(values).__name__} {text if len(text) < 60 else text[:57] + '...'}"


def check_codes(y_true: npt.ArrayLike, n_classes: int) -> npt.NDArray[np.float32]:
    """Class codes as float32, the dtype in which the boosters hold them."""
    with np.errstate(over="ignore"):  # infinity is refused below
        codes = numbers(y_true, "y_true").astype(np.float32, copy=False)
    valid = (codes >= 0) & (codes < n_classes) & (codes == np.floor(codes))
    if not valid.all():
        raise ValueError(
            f"y_true must hold class codes 0..{n_classes - 1}; got {codes[~valid].flat[0]:g}."
        )
    return codes


def check_row_weights(sample_weight: npt.ArrayLike | None, dtype: npt.DTypeLike) -> None:
    """Check that weights are >= 0, and finite in the precision of the numbers they multiply."""
    if sample_weight is None:
        return
    weight = np.asarray(sample_weight)
    valid = (weight >= 0) & (weight < 0.5 * np.finfo(dtype).max)
    if not valid.all():
        raise ValueError(
            f"sample_weight must hold finite numbers >= 0; got {weight[~valid].flat[0]:g}."
        )


def check_margins(margins: Any, name: str) -> Array:
    """Margins (n,) of two classes, or (n, K) of K >= 2 classes."""
    raw = floating(margins, name)
    if raw.ndim not in (1, 2) or (raw.ndim == 2 and raw.shape[1] < 2):
        raise ValueError(
            f"{name} must have shape (n,), or (n, K) with a column for each of K >= 2 classes; "
            f"got {tuple(raw.shape)}."
        )
    return raw


def check_posterior(posterior: npt.ArrayLike, n_classes: int, name: str) -> Array:
    """Rows of ``n_classes`` probabilities of sum 1, in float32 or float64."""
    proba = floating(numbers(posterior, name), name)
    if proba.ndim != 2 or proba.shape[1] != n_classes:
        raise ValueError(
            f"{name} must have a column for each of the {n_classes} classes; got shape "
            f"{proba.shape}."
        )
    if not ((proba >= 0) & (proba <= 1)).all():
        raise ValueError(f"{name} must lie in [0, 1]; margins are not probabilities.")
    total = proba.sum(axis=1, dtype=np.float64)
    wrong = np.abs(total - 1) > SUM_TOLERANCE
    if wrong.any():
        raise ValueError(
            f"Each row of {name} must sum to 1; got a sum of {total[wrong][0]:g}. Divide rows by "
            "their sums if they are shares of a total."
        )
    return proba


def n_classes_in(y_true: npt.ArrayLike) -> int:
    """The number of classes: the largest code plus 1, at least 2."""
    try:
        codes = numbers(y_true, "y_true")
    except TypeError:
        raise TypeError(
            "y_true must hold class codes 0, 1, ...: encode labels, such as by "
            "sklearn.preprocessing.LabelEncoder."
        ) from None
    if codes.ndim != 1 or not len(codes):
        raise ValueError(f"y_true must have shape (n,) with n >= 1; got {codes.shape}.")
    largest = np.max(codes)
    if not 0 <= largest < max(2, len(codes)):  # also if it is NaN
        raise ValueError(
            f"y_true must hold the class codes 0..K-1, each of them at least once; got {largest:g} "
            f"in {len(codes)} rows. Encode labels, such as by sklearn.preprocessing.LabelEncoder."
        )
    return max(2, int(largest) + 1)


def checked_totals(
    y_true: npt.ArrayLike, n_classes: int, sample_weight: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    """Check codes and weights; return their `class_totals`."""
    codes = numbers(y_true, "y_true")
    weight = None if sample_weight is None else numbers(sample_weight, "sample_weight")
    if codes.ndim != 1:
        raise ValueError(f"y_true must have shape (n,); got {codes.shape}.")
    if weight is not None and weight.shape != codes.shape:
        raise ValueError(
            f"sample_weight must have shape {codes.shape}, one value for each row of y_true; got "
            f"{weight.shape}."
        )
    for rows in row_blocks(len(codes)):
        check_codes(codes[rows], n_classes)
        check_row_weights(None if weight is None else weight[rows], np.float64)
    return class_totals(codes, n_classes, weight)


def floating(margins: Any, name: str = "raw_prediction") -> Array:
    """Margins as float32 or float64; margins on a device are returned as they are."""
    if not on_device(margins):
        margins = numbers(margins, name)
        if margins.dtype not in (np.float32, np.float64):
            # float32 in another byte order
            single = margins.dtype.kind == "f" and margins.dtype.itemsize == 4
            margins = margins.astype(np.float32 if single else np.float64)
    array: Array = margins
    return array


def checked_rows(
    y_true: npt.ArrayLike, raw: Array, sample_weight: npt.ArrayLike | None
) -> tuple[Any, Array, Any]:
    """Codes, margins and weights of the same rows; on a device codes and weights as they are."""
    given = {"y_true": y_true, "sample_weight": sample_weight}
    raw_on_device = on_device(raw)
    for name, value in given.items():
        if value is not None and on_device(value) != raw_on_device:
            raise TypeError(
                f"{name} and raw_prediction must both be on a device or both in the memory of "
                f"the host; got {type(value).__name__} and {type(raw).__name__}."
            )
    if raw_on_device:
        return y_true, raw, sample_weight
    arrays = {k: None if v is None else numbers(v, k) for k, v in given.items()}
    arrays["y_true"] = numbers(y_true, "y_true")
    for name, array in arrays.items():
        if array is not None and array.shape != raw.shape[:1]:
            raise ValueError(
                f"{name} must have shape {raw.shape[:1]}, one value for each row of "
                f"raw_prediction; got {array.shape}."
            )
    return arrays["y_true"], raw, arrays["sample_weight"]
