"""Checks of tables of features (floor 3)."""

from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _check_n_features, validate_data

from skfocal._kernels import on_device

# Tables of many libraries are accepted. Their types have nothing in common.
Table = Any


def check_features(estimator: Any, X: Any, *, reset: bool, names: bool = True) -> Any:
    """Check the number and the names of columns. Frames stay frames; all else becomes an array.

    Without ``names`` only the number of columns is checked.
    """
    if not reset and _fits(estimator, X):
        return X
    validate = validate_data if names else _validate_without_names
    if on_device(X):
        return _check_device_table(estimator, X, reset)
    # asked of the type, since the columns of a pandas frame are its attributes
    table_type = type(X)
    if hasattr(table_type, "collect"):  # a lazy frame
        X = X.collect()
        table_type = type(X)
    if hasattr(table_type, "columns") or hasattr(table_type, "column_names"):
        # pandas allows names of mixed types. The boosters accept them, scikit-learn does not:
        # then only the number of columns is checked
        pandas_like = hasattr(table_type, "iloc")
        mixed = pandas_like and len({isinstance(name, str) for name in X.columns}) > 1
        named = X.to_numpy() if mixed else X
        validate(estimator, named, reset=reset, skip_check_array=True)
        if X.shape[0] < 1 or X.shape[1] < 1:
            raise ValueError(f"X must have at least one row and one column; got {X.shape}.")
        return X
    return validate(
        estimator, X, reset=reset, accept_sparse=("csr", "csc"), ensure_all_finite=False
    )


def _fits(estimator: Any, X: Any) -> bool:
    """Whether an array for prediction is one with which scikit-learn's checks find no fault.

    They take as long as the prediction of a row.
    """
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in (np.float64, np.float32)
        and X.shape[0] > 0
        # rows for evaluation are checked before the estimator is fitted
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
    )


def _validate_without_names(
    estimator: Any, X: Any, *, reset: bool, skip_check_array: bool = False, **checks: Any
) -> Any:
    """scikit-learn's `validate_data` without the check of the names of columns."""
    if not skip_check_array:
        X = check_array(X, input_name="X", estimator=estimator, **checks)
    _check_n_features(estimator, X, reset=reset)
    return X


def _check_device_table(estimator: Any, X: Any, reset: bool) -> Any:
    """The checks of the shape that scikit-learn does for arrays on the host."""
    if len(X.shape) != 2 or 0 in X.shape:
        raise ValueError(
            f"X must have two dimensions, with at least one row and one column; got {X.shape}."
        )
    if reset:
        estimator._set_columns(X.shape[1], None)
    elif X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    return X
