"""Labels and their weights, checked and encoded (floor 3)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from skfocal.losses._rows import checked_totals, class_totals, row_blocks


@dataclass(frozen=True)
class Target:
    """Training labels as codes in the order of ``classes``, without rows of weight 0."""

    classes: npt.NDArray[Any]
    codes: npt.NDArray[np.integer]
    sample_weight: npt.NDArray[np.floating] | None
    kept: npt.NDArray[np.intp] | None
    """Indices of the rows that are left, None where that is all of them."""
    n_rows: npt.NDArray[np.float64] | None = None
    """Number of rows of each class, those of weight 0 too."""

    @property
    def totals(self) -> npt.NDArray[np.float64]:
        """Sum of the sample weights of each class."""
        return class_totals(self.codes, len(self.classes), self.sample_weight)


def make_target(
    estimator: Any, X: Any, y: Any, sample_weight: Any, weight_dtype: npt.DTypeLike = np.float64
) -> Target:
    """Check y and sample_weight against X (already checked) and encode the labels.

    The boosters keep weights as float32: with that ``weight_dtype`` the start and the
    class weights are of the weights that they train on.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=estimator)
    y = column_or_1d(y, warn=True)
    if y.dtype.kind not in "iub":  # which are labels, and need no sorted copy to see it
        check_classification_targets(y)
    if len(y) != X.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows, but y has {len(y)} labels.")
    kept = None
    if sample_weight is not None:
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=weight_dtype, ensure_non_negative=True
        )
        if not sample_weight.any():
            raise ValueError("sample_weight must not be zero for all rows.")
        if not sample_weight.all():
            kept = np.flatnonzero(sample_weight)
    classes = np.unique(np.concatenate([np.unique(y[rows]) for rows in row_blocks(len(y))]))
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least two classes, but y has only one class: "
            f"{classes.tolist()[0]!r}."
        )
    # a search among few labels; the inverse of unique would sort all rows
    codes = np.empty(len(y), dtype=np.int32)
    for rows in row_blocks(len(y)):
        codes[rows] = np.searchsorted(classes, y[rows])
    n_rows = class_totals(codes, len(classes))
    if kept is not None:  # of which a class may have no row: the parents' bags are such
        codes, sample_weight = codes[kept], sample_weight[kept]
    return Target(classes, codes, sample_weight, kept, n_rows)


def codes_target(labels: npt.NDArray[Any], sample_weight: npt.NDArray[Any] | None) -> Target:
    """One row for each class, of the sum of its weights, for labels that are codes already.

    So are those of the boosters' own data sets, which may be too large to be copied; all
    that a loss, its start and its scale depend on is in the sums.

    Raises
    ------
    ValueError
        If they are not 0..K-1 with K >= 2, each with rows, or no row has a weight.
    """
    if labels is None or len(labels) == 0:
        raise ValueError("The data set has no labels.")
    if sample_weight is not None and np.min(sample_weight) < 0:
        raise ValueError("The weights of the data set must not be negative.")
    n_classes = int(np.max(labels)) + 1
    n_rows = checked_totals(labels, max(n_classes, 2), None)
    if n_classes < 2 or not n_rows.all():
        raise ValueError(
            "The labels of the data set must be the codes 0..K-1 of at least two classes, each "
            f"with rows; numbers of rows by code: {n_rows.astype(int).tolist()}."
        )
    totals = n_rows if sample_weight is None else class_totals(labels, n_classes, sample_weight)
    if not totals.any():
        raise ValueError("The weights of the data set must not be zero for all rows.")
    return Target(np.arange(n_classes), np.arange(n_classes), totals, None, n_rows)


def encode_labels(classes: npt.NDArray[Any], y: Any, name: str) -> npt.NDArray[np.intp]:
    """Codes of labels that were all seen in training."""
    y = column_or_1d(y)
    try:
        codes: npt.NDArray[np.intp] = np.searchsorted(classes, y).clip(max=len(classes) - 1)
        unknown = classes[codes] != y
    except TypeError:  # of a kind that does not compare with the classes
        unknown = np.ones(len(y), dtype=bool)
    if np.any(unknown):
        labels = sorted(set(np.asarray(y)[unknown].tolist()), key=str)
        raise ValueError(f"{name} has labels that are not in y: {labels}.")
    return codes
