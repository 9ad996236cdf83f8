"""Labels and their weights, checked and encoded (floor 3)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from skfocal.calibration import effective_rows
from skfocal.losses._rows import checked_totals, class_totals, row_blocks


@dataclass(frozen=True)
class ClassTotals:
    """The classes, and what there is of each: all that a loss and its constant depend on."""

    classes: npt.NDArray[Any]
    """The labels, sorted."""
    n_rows: npt.NDArray[np.float64]
    """The number of rows of each class. Rows of weight 0 count."""
    weights: npt.NDArray[np.float64]
    """The sum of the sample weights of each class."""
    n_effective: float
    """The number of rows of weight 1 that say as much as all rows."""

    @property
    def codes(self) -> npt.NDArray[np.intp]:
        """The code of each class."""
        return np.arange(len(self.classes))


@dataclass(frozen=True)
class Target:
    """Training labels as codes in the order of ``classes``, without the rows of weight 0."""

    classes: npt.NDArray[Any]
    codes: npt.NDArray[np.integer]
    sample_weight: npt.NDArray[np.floating] | None
    positive: npt.NDArray[np.intp] | None
    """Indices of the rows whose weight is positive. None if all of them are."""
    n_rows: npt.NDArray[np.float64]
    """The number of rows of each class. Rows of weight 0 count."""

    @property
    def totals(self) -> ClassTotals:
        """Number and weight of the rows of each class."""
        weights = class_totals(self.codes, len(self.classes), self.sample_weight)
        return ClassTotals(
            self.classes, self.n_rows, weights, n_effective(self.sample_weight, weights)
        )


def make_target(
    estimator: Any, X: Any, y: Any, sample_weight: Any, weight_dtype: npt.DTypeLike = np.float64
) -> Target:
    """Check y and sample_weight against X (already checked) and encode the labels.

    The boosters store weights as float32. With that ``weight_dtype``, class weights and the
    optimal constant are computed from the weights that the boosters train on.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=estimator)
    y = column_or_1d(y, warn=True)
    if y.dtype.kind not in "iub":  # integers are labels; the check would sort a copy of them
        check_classification_targets(y)
    if len(y) != X.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows, but y has {len(y)} labels.")
    positive = None
    if sample_weight is not None:
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=weight_dtype, ensure_non_negative=True
        )
        if not sample_weight.any():
            raise ValueError("sample_weight must not be zero for all rows.")
        if not sample_weight.all():
            positive = np.flatnonzero(sample_weight)
    classes = np.unique(np.concatenate([np.unique(y[rows]) for rows in row_blocks(len(y))]))
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least two classes, but y has only one class: "
            f"{classes.tolist()[0]!r}."
        )
    # a search in the few classes; np.unique(return_inverse=True) would sort all rows
    codes = np.empty(len(y), dtype=np.int32)
    for rows in row_blocks(len(y)):
        codes[rows] = np.searchsorted(classes, y[rows])
    n_rows = class_totals(codes, len(classes))
    if positive is not None:  # they may have no row of a class, as in a bag of BaggingClassifier
        codes, sample_weight = codes[positive], sample_weight[positive]
    return Target(classes, codes, sample_weight, positive, n_rows)


def totals_of_codes(
    labels: npt.NDArray[Any] | None, sample_weight: npt.NDArray[Any] | None
) -> ClassTotals:
    """The totals of a data set of LightGBM or XGBoost, whose labels must be class codes.

    Raises
    ------
    ValueError
        If the labels are not the codes 0..K-1 with K >= 2, a class has no rows, or no row has
        a positive weight.
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
    return ClassTotals(np.arange(n_classes), n_rows, totals, n_effective(sample_weight, totals))


def n_effective(sample_weight: npt.NDArray[Any] | None, totals: npt.NDArray[np.float64]) -> float:
    """The effective number of rows whose weights have these sums by class."""
    return float(totals.sum()) if sample_weight is None else effective_rows(sample_weight)


def encode_labels(classes: npt.NDArray[Any], y: Any, name: str) -> npt.NDArray[np.intp]:
    """Codes of labels, each of which must be one of ``classes``."""
    y = column_or_1d(y)
    try:
        codes: npt.NDArray[np.intp] = np.searchsorted(classes, y).clip(max=len(classes) - 1)
        unknown = classes[codes] != y
    except TypeError:  # these labels cannot be compared with the classes
        unknown = np.ones(len(y), dtype=bool)
    if np.any(unknown):
        labels = sorted(set(np.asarray(y)[unknown].tolist()), key=str)
        raise ValueError(f"{name} has labels that are not in y: {labels}.")
    return codes
