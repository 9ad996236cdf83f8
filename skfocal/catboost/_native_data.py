"""Tables and CatBoost's own data sets, as training takes them (floor 5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from catboost import Pool
from scipy.sparse import csr_matrix, issparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_n_features

from skfocal._booster._arguments import refuse_arguments
from skfocal._estimator._features import Table, check_features
from skfocal._estimator._target import Target, encode_labels, make_target
from skfocal._kernels import Array
from skfocal.catboost._parameters import check_classes, is_logloss
from skfocal.losses import FocalLoss

# Arguments of fit that name columns.
SPECIAL = ("cat_features", "text_features", "embedding_features")


@dataclass(frozen=True)
class TrainingRows:
    """The rows of a fit: a pool with codes as labels, and what is known of them."""

    pool: Pool
    target: Target
    special: Mapping[str, Any]
    """Columns that are categories, text or embeddings, by the names of CatBoost's arguments."""
    has_margins: bool
    """Whether the user gives the margins at which training starts."""
    weighted: bool
    """Whether the rows of the pool have weights, or may have: those of a pool may all be 1."""
    class_names: list[Any] | None = None
    """The labels of a pool that was not made of a table; there CatBoost encodes them."""


def check_table(estimator: Any, X: Table, special: Mapping[str, Any], *, reset: bool) -> Any:
    """Check the number and the names of columns; frames stay frames.

    Arrays of objects are left as they are if some of their columns are no numbers.
    """
    if isinstance(X, str) or hasattr(X, "__fspath__"):
        raise TypeError("X must be a table or a catboost.Pool; make a Pool of the file first.")
    frame = hasattr(type(X), "columns") or hasattr(type(X), "column_names")
    mixed = any(value is not None and len(value) for value in special.values())
    if not frame and mixed and not issparse(X):
        X = np.asarray(X) if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
        if X.dtype.kind in "OUS":
            return _check_objects(estimator, X, reset)
    X = check_features(estimator, X, reset=reset)
    return _as_sparse_matrix(X) if issparse(X) else X


def _as_sparse_matrix(X: Any) -> csr_matrix:
    """What CatBoost knows of scipy's: matrices, no arrays, with short indices."""
    matrix = csr_matrix(X)
    if matrix.indices.dtype != np.int32:
        if matrix.nnz >= 2**31:
            raise ValueError(f"X has {matrix.nnz} entries; CatBoost takes up to 2**31.")
        matrix = matrix.copy()
        matrix.indices = matrix.indices.astype(np.int32)
        matrix.indptr = matrix.indptr.astype(np.int32)
    return matrix


def _check_objects(estimator: Any, X: npt.NDArray[Any], reset: bool) -> npt.NDArray[Any]:
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(
            f"X must have two dimensions, with at least one row and one column; got {X.shape}."
        )
    if reset:
        estimator._set_columns(X.shape[1], None)
    _check_n_features(estimator, X, reset=reset)
    return X


def rows_of_table(
    estimator: Any,
    X: Table,
    y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None,
    baseline: npt.ArrayLike | None,
    special: Mapping[str, Any],
    graph: Any,
    *,
    thread_count: int = -1,
) -> TrainingRows:
    """The rows of a table; -1 threads are all processors."""
    features = check_table(estimator, X, special, reset=True)
    target = make_target(estimator, features, y, sample_weight, np.float32)
    check_classes(target)
    margins = None if baseline is None else checked_baseline(baseline, features.shape[0])
    if target.positive is not None:
        features = _safe_indexing(features, target.positive)
        margins = None if margins is None else margins[target.positive]
        if graph is not None:
            raise ValueError("graph names rows by their numbers: leave out rows of weight 0.")
    weight = target.sample_weight
    if weight is not None and np.all(weight == 1.0):
        weight = None
    own = {"weight": weight, "baseline": margins, "graph": graph, "thread_count": thread_count}
    pool = Pool(features, target.codes, **own, **special)
    return TrainingRows(pool, target, special, margins is not None, weight is not None)


def check_groups(pool: Pool, name: str) -> None:
    """Refuse a pool with groups, whose weights CatBoost trains with and does not tell.

    Raises
    ------
    ValueError
        If the pool has groups.
    """
    groups = pool.get_group_id_hash()
    if groups is not None and np.size(groups):
        raise ValueError(
            f"{name} is a pool with groups, whose weights are not known here: make it without "
            "group_id, and with the weights of its rows."
        )


def checked_baseline(given: npt.ArrayLike, n_rows: int) -> Array:
    """Margins to start from, of shape (n_rows, 1).

    Raises
    ------
    ValueError
        If they have another shape, or are not finite.
    """
    margins = np.asarray(given, dtype=np.float64)
    if margins.shape not in ((n_rows,), (n_rows, 1)) or not np.isfinite(margins).all():
        raise ValueError(f"baseline must have a finite margin for each of the {n_rows} rows.")
    return margins.reshape(-1, 1)


def rows_of_pool(estimator: Any, pool: Pool, **refused: Any) -> TrainingRows:
    """The rows of CatBoost's own data set, which is not changed.

    Raises
    ------
    ValueError
        If it has no labels of two classes, or an argument is given that it holds.
    """
    refuse_arguments("catboost.Pool", **refused)
    check_groups(pool, "X")
    n_rows, weight = pool.num_row(), np.asarray(pool.get_weight(), dtype=np.float32)
    if not n_rows or not pool.has_label():
        raise ValueError("The pool has no labels.")
    weighted = bool(np.any(weight != 1.0))
    columns = np.empty((n_rows, 0))
    labels = np.asarray(pool.get_label())
    target = make_target(estimator, columns, labels, weight if weighted else None, np.float32)
    check_classes(target)
    names = pool.get_feature_names()
    estimator._set_columns(pool.num_col(), given_names(names))
    of_text = pool.get_text_feature_indices() or pool.get_embedding_feature_indices()
    if target.positive is not None and of_text and pool.is_quantized():
        raise ValueError(
            "The pool is quantized, and has text or embeddings and rows of weight 0, which "
            "CatBoost cannot leave out: make the pool without them."
        )
    rows = np.arange(n_rows) if target.positive is None else target.positive
    own = pool.slice(rows.tolist())
    special = {name: getattr(pool, f"get_{name[:-1]}_indices")() for name in SPECIAL}
    has_margins = np.size(pool.get_baseline()) > 0
    return TrainingRows(own, target, special, has_margins, True, target.classes.tolist())


def fold_class_weights(
    pool: Pool, codes: npt.NDArray[Any], loss: FocalLoss, *, weighted: bool
) -> bool:
    """Multiply the weights of rows by those of their classes; whether rows have weights then.

    CatBoost scales its ``l2_leaf_reg`` by the mean of the weights. So it does the same with class
    weights of the focal loss as with its own.
    """
    if not weighted and set(loss.class_weight) == {1.0}:
        return False
    weight = np.asarray(pool.get_weight(), dtype=np.float64)
    pool.set_weight(weight * np.take(loss.class_weight, codes))
    return True


def given_names(names: list[str]) -> npt.NDArray[Any] | None:
    """The names of the columns, or None if CatBoost has made them."""
    plain = all(name in ("", str(i)) for i, name in enumerate(names))
    return None if plain or not all(names) else np.array(names, dtype=object)


def evaluation_pool(
    estimator: Any,
    data: Any,
    special: Mapping[str, Any],
    loss: FocalLoss,
    start: float | None,
    *,
    in_codes: bool,
) -> Pool:
    """An evaluation set with the margins at which training starts, and with class weights.

    Parameters
    ----------
    data : Pool or pair of a table and labels
    start : float or None
        None: none, or those of a pool.
    in_codes : bool
        Whether labels are codes; otherwise CatBoost encodes them.
    """
    if isinstance(data, Pool):
        check_groups(data, "eval_set")
        if not data.has_label():
            raise ValueError("eval_set must hold labels.")
        labels = np.asarray(data.get_label())
        codes = encode_labels(estimator.classes_, labels, "eval_set")
        if in_codes and not np.array_equal(codes, labels):
            raise ValueError(
                "eval_set is a catboost.Pool whose labels are not 0 and 1, and X is a table: give "
                "a pair (X, y), or make a Pool of both."
            )
        pool = data.slice(list(range(data.num_row())))
    else:
        X, y = data
        X = check_table(estimator, X, special, reset=False)
        codes = encode_labels(estimator.classes_, y, "eval_set")
        if len(codes) != X.shape[0]:
            raise ValueError(f"eval_set has {X.shape[0]} rows, but {len(codes)} labels.")
        pool = Pool(X, codes if in_codes else np.asarray(y), **special)
    if not is_logloss(loss):
        fold_class_weights(pool, codes, loss, weighted=isinstance(data, Pool))
    if start is not None:
        pool.set_baseline(np.full((pool.num_row(), 1), start))
    return pool
