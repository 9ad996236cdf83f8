"""Dask collections: rows that belong together, counted, encoded and predicted (floor 6)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import dask.array as da
import dask.dataframe as dd
import distributed
import numpy as np
import numpy.typing as npt
import pandas as pd
from dask.base import compute
from dask.delayed import delayed
from scipy import sparse
from sklearn.metrics import accuracy_score
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_non_negative

from skfocal._booster._eval_sets import check_pairs
from skfocal._estimator._features import check_features
from skfocal._estimator._target import ClassTotals, encode_labels
from skfocal.calibration import Priors

Collection = da.Array | dd.DataFrame | dd.Series
_UNKNOWN = float("nan")  # the number of rows of a block, if Dask does not know it


@dataclass(frozen=True)
class Rows:
    """The training rows as collections in the same blocks. All but X and y may be None."""

    X: Any
    y: Any
    sample_weight: Any = None
    margins: Any = None
    """LightGBM's ``init_score`` or XGBoost's ``base_margin``."""


@dataclass(frozen=True)
class BlockTotals:
    """What there is of each class in a block."""

    labels: npt.NDArray[Any]
    n_rows: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    has_zeros: bool
    """Whether some rows have weight 0."""
    squares: float = 0.0
    """The sum of the squares of the weights."""


def training_rows(X: Any, y: Any, sample_weight: Any, **margins: Any) -> Rows:
    """The arguments of fit in the same blocks; ``margins`` is one argument with its name.

    Raises
    ------
    TypeError, ValueError
        If an argument is no Dask collection, or has other rows or partitions than X.
    """
    if y is None:
        raise TypeError("y must be a Dask array or series; got None.")
    X, others = aligned(X, y=y, sample_weight=sample_weight, **margins)
    return Rows(X, *others)


def aligned(X: Any, **others: Any) -> tuple[Any, list[Any]]:
    """X, and the other collections in the blocks of X.

    Parameters
    ----------
    X : Dask array of shape (n_samples, n_features) or Dask dataframe
    **others : Dask arrays, series or dataframes of one column, or None
        By the names of the arguments.

    Raises
    ------
    TypeError, ValueError
        If an argument is no Dask collection, or has other rows or partitions than X.
    """
    X = _with_all_columns(X)
    return X, [_as_blocks_of(X, name, other) for name, other in others.items()]


def _with_all_columns(X: Any) -> Any:
    """X in blocks of rows, each of which has all columns."""
    if isinstance(X, dd.DataFrame):
        unknown = [c for c, t in X.dtypes.items() if t == "category" and not X[c].cat.known]
        if unknown:
            raise ValueError(
                f"The categories of {unknown} are not known: each partition may have its own. "
                "Call X.categorize() before."
            )
        return X
    if not isinstance(X, da.Array):
        raise TypeError(
            f"X must be a Dask array or a Dask dataframe; got {type(X).__name__}. The classes "
            "without Dask in their name fit what is in memory."
        )
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions; its shape is {X.shape}.")
    return X.rechunk({1: -1}) if X.numblocks[1] > 1 else X


def _as_blocks_of(X: Any, name: str, other: Any) -> Any:
    if other is None:
        return None
    if isinstance(other, dd.DataFrame) and len(other.columns) == 1:
        other = other[other.columns[0]]
    if not isinstance(other, (da.Array, dd.Series, dd.DataFrame)):
        raise TypeError(
            f"{name} must be a Dask array, series or dataframe; got {type(other).__name__}."
        )
    if isinstance(other, da.Array):
        if other.ndim == 2 and other.shape[1] == 1:
            other = other[:, 0]
        if isinstance(X, da.Array) and not np.isnan([*X.shape[:1], *other.shape[:1]]).any():
            if len(other) != len(X):
                raise ValueError(f"X has {len(X)} rows, but {name} has {len(other)}.")
            chunks = {0: X.chunks[0]} | ({1: -1} if other.ndim == 2 else {})
            return other.rechunk(chunks)
    if other.npartitions != X.npartitions:
        raise ValueError(
            f"X has {X.npartitions} partitions, but {name} has {other.npartitions}: both must be "
            "split at the same rows."
        )
    return other


def blocks_of(collection: Any) -> list[Any]:
    """The blocks of rows, as delayed objects."""
    if isinstance(collection, da.Array):
        return list(collection.to_delayed().ravel())
    return list(collection.to_delayed())


def one_row(X: Any) -> Any:
    """A table in memory with the columns of X."""
    return np.zeros((1, X.shape[1])) if isinstance(X, da.Array) else X._meta_nonempty


def summarise(client: Any, y: Any, sample_weight: Any) -> tuple[ClassTotals, list[BlockTotals]]:
    """The totals of the classes in all rows and in each block, computed where the blocks are.

    Raises
    ------
    ValueError
        If labels or weights are not what they must be, or there are fewer than two classes.
    """
    weights = [None] * y.npartitions if sample_weight is None else blocks_of(sample_weight)
    tasks = [delayed(_block_totals)(*pair) for pair in zip(blocks_of(y), weights, strict=True)]
    blocks: list[BlockTotals] = client.gather(client.compute(tasks))
    filled = [block for block in blocks if len(block.labels)]
    if not filled:
        raise ValueError("y has no rows.")
    labels = np.unique(np.concatenate([block.labels for block in filled]))
    n_rows, sums = np.zeros(len(labels)), np.zeros(len(labels))
    for block in filled:
        found = np.searchsorted(labels, block.labels)
        n_rows[found] += block.n_rows
        sums[found] += block.weights
    if not sums.any():
        raise ValueError("sample_weight must not be zero for all rows.")
    if len(labels) < 2:
        raise ValueError(
            f"At least two classes are needed, but y has only one class: {labels.tolist()[0]!r}."
        )
    n_effective = sums.sum() ** 2 / sum(block.squares for block in filled)
    return ClassTotals(labels, n_rows, sums, float(n_effective)), blocks


def _block_totals(y: Any, weight: Any) -> BlockTotals:
    if len(y) == 0:
        return BlockTotals(np.empty(0), np.empty(0), np.empty(0), False)
    y = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"))
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        raise ValueError(
            "Unknown label type: continuous. y must hold labels of classes, as integers or strings."
        )
    labels, codes = np.unique(y, return_inverse=True)
    n_rows = np.bincount(codes).astype(np.float64)
    if weight is None:
        return BlockTotals(labels, n_rows, n_rows, False, float(len(y)))
    weight = check_array(weight, ensure_2d=False, dtype=np.float32, input_name="sample_weight")
    check_non_negative(weight, "sample_weight")
    sums = np.bincount(codes, column_or_1d(weight)).astype(np.float64)
    squares = float(np.sum(np.square(weight, dtype=np.float64)))
    return BlockTotals(labels, n_rows, sums, not weight.all(), squares)


def rows_of_positive_weight(rows: Rows, blocks: Sequence[BlockTotals]) -> Rows:
    """The rows whose weight is not 0. If some are left out, Dask does not know their number.

    Blocks without such rows are left out, so that no worker has nothing to train on.
    """
    places = [i for i, block in enumerate(blocks) if block.weights.any()]
    if len(places) < len(blocks):
        rows = _each(rows, lambda collection: _blocks_at(collection, places))
    if not any(block.has_zeros for block in blocks):
        return rows
    weights = blocks_of(rows.sample_weight)

    def selected(collection: Any) -> Any:
        parts = [
            delayed(_with_weight)(*pair)
            for pair in zip(blocks_of(collection), weights, strict=True)
        ]
        if isinstance(collection, da.Array):
            shape = (_UNKNOWN, *collection.shape[1:])
            arrays = [da.from_delayed(part, shape, meta=collection._meta) for part in parts]
            return da.concatenate(arrays, allow_unknown_chunksizes=True)
        return dd.from_delayed(parts, meta=collection._meta, verify_meta=False)

    return _each(rows, selected)


def _each(rows: Rows, change: Callable[[Any], Any]) -> Rows:
    """Rows with a change of each collection."""
    collections = (rows.X, rows.y, rows.sample_weight, rows.margins)
    return Rows(*(None if each is None else change(each) for each in collections))


def _blocks_at(collection: Any, places: list[int]) -> Any:
    blocks = collection.blocks if isinstance(collection, da.Array) else collection.partitions
    return blocks[places]


def _with_weight(block: Any, weight: Any) -> Any:
    return block[np.asarray(weight) != 0]


def encode(y: Any, classes: npt.NDArray[Any], name: str = "y") -> Any:
    """Codes of labels, lazily."""
    if isinstance(y, da.Array):
        return da.map_blocks(_codes, y, classes, name, dtype=np.int64)
    meta = pd.Series([], dtype=np.int64, name=y.name)
    return y.map_partitions(_codes, classes, name, meta=meta)


def _codes(y: Any, classes: npt.NDArray[Any], name: str) -> Any:
    codes = encode_labels(classes, np.asarray(y), name).astype(np.int64)
    return pd.Series(codes, index=y.index, name=y.name) if isinstance(y, pd.Series) else codes


def refuse_callbacks(estimator: Any) -> None:
    """Refuse scikit-learn's callbacks, which live in the client and not in the workers."""
    if getattr(estimator, "_skl_callbacks", None):
        raise ValueError(
            "scikit-learn's callbacks cannot be called from a cluster: take them off, or give "
            "callbacks of the booster's library, which travel to the workers."
        )


def evaluation_sets(
    estimator: Any,
    client: Any,
    pairs: Sequence[tuple[Any, Any]],
    classes: npt.NDArray[Any],
    **others: Sequence[Any] | None,
) -> list[tuple[Any, Any]]:
    """Tables and labels of evaluation sets, checked against the training set.

    ``others`` are checked too: arguments by name, each with one collection for each set.
    """
    check_pairs(pairs)
    sets = []
    for i, (X, y) in enumerate(pairs):
        of_set = {name: given[i] for name, given in others.items() if given is not None}
        X, (labels, *_) = aligned(X, eval_set=y, **of_set)
        check_features(estimator, one_row(X), reset=False)
        found = client.gather(client.compute([delayed(np.unique)(b) for b in blocks_of(labels)]))
        encode_labels(classes, np.unique(np.concatenate(found)), "eval_set")
        sets.append((X, labels))
    return sets


def computed(client: Any, collection: Any) -> Any:
    """The collection, computed in the memory of the workers. An error in a block is raised."""
    collection = client.persist(collection)
    futures = distributed.futures_of(collection)
    distributed.wait(futures)
    for future in futures:
        if future.status == "error":
            raise future.exception()
    return collection


def in_one_piece(client: Any, collection: Any) -> Any:
    """A future of one table or array with all rows of a collection; None for None."""
    if collection is None:
        return None
    return client.compute(delayed(_joined)(blocks_of(collection)))


def _joined(blocks: Sequence[Any]) -> Any:
    if isinstance(blocks[0], (pd.DataFrame, pd.Series)):
        return pd.concat(blocks)
    if sparse.issparse(blocks[0]):
        return sparse.vstack(blocks, format="csr")
    return np.concatenate(blocks)


def predict_blocks(
    model: Any,
    method: str,
    X: Any,
    dtype: npt.DTypeLike,
    n_columns: int | None = None,
    others: dict[str, Any] | None = None,
    **arguments: Any,
) -> da.Array:
    """A method of a model in memory on each block of X, as a lazy array.

    Parameters
    ----------
    model, method
        A fitted estimator and the name of its method.
    X : Dask array or dataframe
    dtype, n_columns
        Of the result; None for a vector.
    others : dict, default=None
        Arguments that are collections of the same rows.
    **arguments
        Other arguments of the method.
    """
    X, found = aligned(X, **(others or {}))
    named = [k for k, other in zip(others or {}, found, strict=True) if other is not None]
    given = [blocks_of(other) for other in found if other is not None]
    shared = delayed(model, traverse=False)
    width = () if n_columns is None else (n_columns,)
    sizes = X.chunks[0] if isinstance(X, da.Array) else [_UNKNOWN] * X.npartitions
    meta = np.empty((0,) * (1 + len(width)), dtype)
    parts = []
    for size, block, *more in zip(sizes, blocks_of(X), *given, strict=True):
        extra = dict(zip(named, more, strict=True))
        part = delayed(_predict_block)(shared, method, block, meta, width, extra, arguments)
        parts.append(da.from_delayed(part, (size, *width), meta=meta))
    rows_of_all: da.Array = da.concatenate(parts, allow_unknown_chunksizes=True)
    return rows_of_all


class ScoredOnCluster:
    """What computes at once, of a classifier that predicts lazily: `score` and `calibrate`."""

    predict: Callable[..., da.Array]

    def score(self, X: Collection, y: Collection, sample_weight: Collection | None = None) -> float:
        """Accuracy of `predict`, computed at once.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            Columns as in fit.
        y : Dask array or series of shape (n_samples,)
            The true labels.
        sample_weight : Dask array or series of shape (n_samples,), default=None
            Weights of rows.

        Returns
        -------
        float
            Share of rows, or of their weight, whose label is right.

        Raises
        ------
        TypeError, ValueError
            If they are no collections of the same rows.
        """
        X, others = aligned(X, y=y, sample_weight=sample_weight)
        predicted, labels, weights = compute(self.predict(X), *others)
        return float(accuracy_score(labels, predicted, sample_weight=weights))

    def calibrate(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        priors: Priors = None,
    ) -> Self:
        """Calibrate the probabilities on rows that were held out of training, at once.

        The cluster computes margins. Margins, labels and weights then come to this process,
        where slope and offset are fitted as `FocalLGBMClassifier.calibrate` does it.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            Rows that fit has not seen, with columns as in fit.
        y : Dask array or series of shape (n_samples,)
            Their labels.
        sample_weight : Dask array or series of shape (n_samples,), default=None
            Their weights.
        priors : dict or array-like of shape (n_classes,), default=None
            The shares of the classes in the population of these rows, where it is another one
            than that of the training rows.

        Returns
        -------
        DaskFocalLGBMClassifier or DaskFocalXGBClassifier
            The model itself. It has the map as ``calibration_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As of `FocalLGBMClassifier.calibrate`; or if the rows are no Dask collections.
        """
        # of the class that this one is mixed into
        super().calibrate(X, y, sample_weight, priors=priors)  # type: ignore[misc]
        return self

    def _rows_to_calibrate(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Margins, codes and weights of Dask collections, in the memory of the client."""
        X, others = aligned(X, y=y, sample_weight=sample_weight)
        # of the class that this one is mixed into
        return super()._rows_to_calibrate(X, *compute(*others))  # type: ignore[misc]


def _predict_block(
    model: Any,
    method: str,
    X: Any,
    meta: npt.NDArray[Any],
    width: tuple[int, ...],
    others: dict[str, Any],
    arguments: dict[str, Any],
) -> npt.NDArray[Any]:
    if X.shape[0] == 0:
        return np.empty((0, *width), meta.dtype)
    predicted: npt.NDArray[Any] = getattr(model, method)(X, **others, **arguments)
    return predicted
