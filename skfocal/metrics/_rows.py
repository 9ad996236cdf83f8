"""Labels, probabilities and weights of rows to be scored."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import LabelEncoder

from skfocal._kernels import Array
from skfocal.losses._rows import check_posterior, floating, numbers


def check_labels(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Labels as an array.

    Parameters
    ----------
    values : array-like of shape (n,)
        Labels of any type, n >= 1.
    name : str
        The name of the argument, for messages.

    Returns
    -------
    ndarray of shape (n,)
        The labels.

    Raises
    ------
    ValueError
        If there is no label, the shape is another, or a label is missing.
    """
    try:
        labels = np.asarray(values)
    except ValueError:  # rows of unequal length
        labels = np.empty((0, 0))
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not len(labels):
        raise ValueError(
            f"{name} must be a sequence of at least one label; got shape {labels.shape}."
        )
    if labels.dtype.kind == "O":  # pandas' NA cannot be compared
        missing = any(_is_missing(each) for each in labels)
    else:
        missing = bool((labels != labels).any())
    if missing:
        raise ValueError(f"{name} must not hold NaN or None: leave those rows out.")
    return labels


def _is_missing(label: Any) -> bool:
    if label is None or type(label).__name__ == "NAType":
        return True
    return isinstance(label, (float, np.floating)) and bool(np.isnan(label))


def encode(
    y_true: npt.ArrayLike, labels: npt.ArrayLike | None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The sorted labels, and the codes of the rows."""
    own = check_labels(y_true, "y_true")
    known = own if labels is None else check_labels(labels, "labels")
    try:
        encoder = LabelEncoder().fit(known)
    except TypeError:
        name = "y_true" if labels is None else "labels"
        raise TypeError(f"{name} must hold labels that can be sorted, all of one type.") from None
    classes = encoder.classes_
    if len(classes) < 2:
        name = "y_true has" if labels is None else "labels have"
        raise ValueError(
            f"{name} the single label {classes.tolist()[0]!r}: name all of them in labels."
        )
    try:
        return classes, encoder.transform(own)
    except (TypeError, ValueError):
        unknown = sorted(set(own.tolist()) - set(classes.tolist()), key=str)
        raise ValueError(f"y_true has labels that are not in labels: {unknown!r}.") from None


def columns(y_proba: npt.ArrayLike, n_rows: int, n_classes: int) -> Array:
    """Probabilities (n, K) in double, clipped by the precision they had, as in scikit-learn."""
    proba = floating(y_proba, "y_proba")
    if proba.ndim == 1 and n_classes == 2:
        proba = np.column_stack([1 - proba, proba])
    if proba.ndim != 2 or proba.shape[1] != n_classes:
        raise ValueError(
            f"y_proba must have one column for each of the {n_classes} labels (two labels: or "
            f"shape (n,)); got shape {proba.shape}."
        )
    if len(proba) != n_rows:
        raise ValueError(
            f"y_proba must have one row for each of the {n_rows} labels in y_true; got "
            f"{len(proba)}."
        )
    proba = check_posterior(proba, n_classes, "y_proba")
    eps = np.finfo(proba.dtype).eps
    return np.clip(proba.astype(np.float64), eps, 1 - eps)


def check_weight(sample_weight: npt.ArrayLike | None, y_true: npt.ArrayLike) -> Array | None:
    """Check weights of rows; None stays None.

    Parameters
    ----------
    sample_weight : array-like of shape (n,) or None
        Weights.
    y_true : array-like of shape (n,)
        Labels of the rows.

    Returns
    -------
    ndarray of shape (n,) or None
        The weights in double precision.

    Raises
    ------
    TypeError, ValueError
        If they are not one number >= 0 for each row, or all 0.
    """
    if sample_weight is None:
        return None
    weight = numbers(sample_weight, "sample_weight").astype(np.float64)
    if weight.shape != np.shape(y_true)[:1]:
        raise ValueError(
            f"sample_weight must have shape {np.shape(y_true)[:1]}, one value for each row; got "
            f"{weight.shape}."
        )
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise ValueError("sample_weight must be finite, >= 0 and not all zero.")
    return weight
