"""Rows as they are given: class codes, their sums of weights, precision of margins (floor 2)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal._kernels import Array, on_device
from skfocal._parameters import class_totals, row_blocks


def check_codes(y_true: npt.ArrayLike, n_classes: int) -> npt.NDArray[np.float32]:
    """Class codes as float32, the dtype in which the boosters hold them."""
    codes = np.asarray(y_true, dtype=np.float32)
    valid = (codes >= 0) & (codes < n_classes) & (codes == np.floor(codes))
    if not valid.all():
        raise ValueError(
            f"y_true must hold class codes 0..{n_classes - 1}; got {codes[~valid].flat[0]:g}."
        )
    return codes


def n_classes_in(y_true: npt.ArrayLike) -> int:
    """The number of classes that codes tell, at least 2."""
    try:
        codes = np.asarray(y_true, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            "y_true must hold class codes 0, 1, ...: encode labels, such as by "
            "sklearn.preprocessing.LabelEncoder."
        ) from None
    return max(2, int(np.max(codes)) + 1)


def checked_totals(
    y_true: npt.ArrayLike, n_classes: int, sample_weight: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    """`class_totals` of codes that are checked before."""
    codes = np.asarray(y_true)
    for rows in row_blocks(len(codes)):
        check_codes(codes[rows], n_classes)
    return class_totals(codes, n_classes, sample_weight)


def floating(margins: Any) -> Array:
    """Margins as float32 or float64; those on a device stay as they are."""
    if not on_device(margins):
        margins = np.asarray(margins)
        if margins.dtype not in (np.float32, np.float64):
            margins = margins.astype(np.float64)
    array: Array = margins
    return array
