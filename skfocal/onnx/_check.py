"""Whether an ONNX graph predicts what its model predicts (floor 6).

The graph runs in onnxruntime, beside the model, on rows of the user's and on rows made to
find what a converter gets wrong: at the thresholds of the trees and next to them, at zeros,
missing values and infinities.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from skfocal._kernels import Array

# A graph sums trees, and takes its input, in float32: steps of 2**-23. Two bits are for sums.
_ROUNDING = 2.0**-21
# No rounding of what comes before the classifier may move a margin further.
_LARGEST_SLACK = 1e-3
# Of rows of the user's, the share that may lie within a rounding of a threshold.
_SHARE_AT_THRESHOLDS = 0.01
_N_EDGE_ROWS = 2000
# LightGBM takes what is no larger as zero; the signs have float32 neighbours on both sides.
_TINY = np.float32(1e-35)


class Trees(NamedTuple):
    """What a check has to know of the trees of a graph."""

    features: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.float32]
    largest_margin: float
    """Sum of the largest leaf of each tree, of the class where it is largest."""


def trees_of(graph: Any) -> Trees:
    """The splits and leaves of a graph; none of a graph without trees."""
    for node in graph.graph.node:
        if node.op_type == "TreeEnsembleClassifier":
            found = {a.name: a.ints or a.floats or a.strings for a in node.attribute}
            inner = np.array([mode != b"LEAF" for mode in found["nodes_modes"]], dtype=bool)
            largest: dict[tuple[int, int], float] = {}
            for tree, k, leaf in zip(
                found["class_treeids"], found["class_ids"], found["class_weights"], strict=True
            ):
                largest[k, tree] = max(largest.get((k, tree), 0.0), abs(leaf))
            sums: dict[int, float] = {}
            for (k, _), leaf in largest.items():
                sums[k] = sums.get(k, 0.0) + leaf
            return Trees(
                np.array(found["nodes_featureids"], dtype=np.int64)[inner],
                np.array(found["nodes_values"], dtype=np.float32)[inner],
                max(sums.values()),
            )
    return Trees(np.empty(0, np.int64), np.empty(0, np.float32), 0.0)


def refuse_difference(model: Any, graph: Any, rows: npt.NDArray[np.float32]) -> None:
    """Compare a classifier with its own graph, on rows and on edge rows made of them.

    Raises
    ------
    NotImplementedError
        If one row differs by more than rounding.
    """
    session = _session(graph)
    if session is None:
        return
    trees = trees_of(graph)
    table = np.concatenate([rows, _edge_rows(model, rows, trees)])
    with warnings.catch_warnings():
        # the rows have no names, also where fit has seen some
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        margins = _margins(model, table)
        slack = _slack(model, table, margins, trees)
        differing, words = _differing(model, model, session, table, margins, slack)
    if differing.any():
        row = int(np.flatnonzero(differing)[0])
        raise NotImplementedError(
            f"The ONNX graph is another model than the {type(model).__name__}, and is not "
            f"returned: {differing.sum()} of {len(table)} rows tried differ. On the row "
            f"{table[row].tolist()} {words}"
        )


def refuse_difference_of_rows(model: Any, last: Any, graph: Any, rows: Any) -> None:
    """Compare a model, which may be a pipeline, with its graph on rows as they were given.

    Raises
    ------
    NotImplementedError
        If more than one row in 100 differs by more than rounding.

    Warns
    -----
    UserWarning
        If fewer do.
    """
    session = _session(graph)
    if session is None:
        return
    before_last = rows
    if model is not last and len(model.steps) > 1:
        before_last = model[:-1].transform(rows)
    margins = _margins(last, before_last)
    slack = np.minimum(_slack(last, before_last, margins, trees_of(graph)), _LARGEST_SLACK)
    differing, words = _differing(model, last, session, rows, margins, slack)
    if not differing.any():
        return
    found = (
        f"{differing.sum()} of {len(differing)} rows of X differ by more than rounding. On row "
        f"{np.flatnonzero(differing)[0]} of those compared {words}"
    )
    if differing.mean() > _SHARE_AT_THRESHOLDS:
        raise NotImplementedError(
            f"The ONNX graph is another model, and is not returned: {found} Usual reasons: X has "
            "numbers that float32, the precision of the graph's input, does not hold; a step "
            "before the classifier leaves a sparse table, whose zeros XGBoost takes as missing "
            "(make it dense); it is a scaler, whose last bit ONNX rounds otherwise (trees need "
            "none; behind a ColumnTransformer and with X as a DataFrame of float64 columns, it "
            "computes in double)."
        )
    warnings.warn(
        f"The ONNX graph rounds otherwise than the model: {found} A value lies within a "
        "rounding of a number that a tree splits at.",
        UserWarning,
        stacklevel=3,
    )


def _session(graph: Any) -> Any:
    """The graph in onnxruntime; None where that is not installed or too old for it."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    try:
        return onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # onnxruntime has no class for it
        if "opset" not in str(error):
            raise
        warnings.warn(
            f"The installed onnxruntime {onnxruntime.__version__} cannot run the graph, which is "
            f"therefore not compared with the model: {error}",
            UserWarning,
            stacklevel=4,
        )
        return None


def _differing(
    model: Any, last: Any, session: Any, rows: Any, margins: Array, slack: Array
) -> tuple[npt.NDArray[np.bool_], str]:
    """Which rows differ by more than rounding, and in words how the first one does."""
    label, proba = session.run(["label", "probabilities"], _inputs(session, rows))
    expected, expected_label = model.predict_proba(rows), model.predict(rows)
    allowed = _reach(last._proba, margins, slack) + 1e-5 * expected + 1e-30
    differing = ~(np.abs(proba - expected) <= allowed).all(axis=1)
    codes = np.searchsorted(last.classes_, label.astype(last.classes_.dtype))
    score = last.loss_.decision(margins)
    reach = _reach(last.loss_.decision, margins, slack)
    if score.ndim == 1:
        behind = np.abs(score)
    else:
        behind = score.max(axis=1) - score[np.arange(len(score)), codes]
        reach = reach.max(axis=1)
    differing |= (label != expected_label) & ~(behind <= 2.0 * reach)
    if not differing.any():
        return differing, ""
    row = int(np.flatnonzero(differing)[0])
    return differing, (
        f"predict_proba is {expected[row].tolist()} and the graph has {proba[row].tolist()}; "
        f"predict is {expected_label[row]!r} and the graph has {label[row]!r}."
    )


def _inputs(session: Any, rows: Any) -> dict[str, npt.NDArray[Any]]:
    """What a session is fed with: one table, or one column for each input."""
    kinds = {
        "tensor(float)": np.float32,
        "tensor(double)": np.float64,
        "tensor(int64)": np.int64,
        "tensor(int32)": np.int32,
        "tensor(bool)": np.bool_,
        "tensor(string)": np.object_,
    }
    inputs = session.get_inputs()
    tables = [np.asarray(rows)]
    if len(inputs) > 1:
        tables = [np.asarray(rows[column]).reshape(-1, 1) for column in rows.columns]
    return {
        each.name: table.astype(kinds.get(each.type, table.dtype))
        for each, table in zip(inputs, tables, strict=True)
    }


def _margins(last: Any, X: Any) -> Array:
    """Margins of a classifier, float64."""
    if hasattr(last, "booster_"):
        raw = last.predict(X, raw_score=True)
    elif hasattr(last, "get_booster"):
        raw = last.predict(X, output_margin=True)
    else:
        raw = _numbers(X) @ last.coef_.T + last.intercept_
        raw = raw[:, 0] if raw.shape[1] == 1 else raw
    margins: Array = np.asarray(raw, dtype=np.float64)
    return margins


def _numbers(X: Any) -> Any:
    """A dense or sparse table without names."""
    return X if issparse(X) else np.asarray(X, dtype=np.float64)


def _slack(last: Any, X: Any, margins: Array, trees: Trees) -> Array:
    """How far rounding may move the margins of each row, (n,)."""
    size = np.abs(margins).reshape(len(margins), -1).max(axis=1)
    if trees.largest_margin:
        size = size + trees.largest_margin
    elif not hasattr(last, "booster_") and not hasattr(last, "get_booster"):
        products = abs(_numbers(X)) @ np.abs(last.coef_.T)
        size = size + products.max(axis=1) + np.abs(last.intercept_).max()
    slack: Array = _ROUNDING * (size + 1e-3)
    return slack


def _reach(function: Any, margins: Array, slack: Array) -> Array:
    """How far a function of the margins moves where each of them moves by ``slack``."""
    at: Array = function(margins)
    total: Array = np.zeros_like(at)
    if margins.ndim == 1:
        down, up = (np.abs(function(margins + sign * slack) - at) for sign in (-1.0, 1.0))
        total += np.maximum(down, up)
        return total
    for k in range(margins.shape[1]):
        step = np.zeros_like(margins)
        step[:, k] = slack
        total += np.maximum(
            np.abs(function(margins + step) - at), np.abs(function(margins - step) - at)
        )
    return total


def _edge_rows(model: Any, rows: npt.NDArray[np.float32], trees: Trees) -> npt.NDArray[np.float32]:
    """Rows of the table with edge values in some columns: in one of them, or in half."""
    random = np.random.default_rng(0)
    table = rows[random.integers(len(rows), size=_N_EDGE_ROWS)].copy()
    n_columns = table.shape[1]
    share = random.choice([1.0 / n_columns, 0.5], size=(len(table), 1))
    chosen = random.random(table.shape) < share
    for column in range(n_columns):
        values = _edge_values(model, trees.thresholds[trees.features == column])
        # each value once before one comes again
        order = np.concatenate([random.permutation(values)] * (len(table) // len(values) + 1))
        here = chosen[:, column]
        table[here, column] = order[: here.sum()]
    return table


def _edge_values(model: Any, thresholds: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Values of one column at which a graph may be another model."""
    values = [0.0, -0.0, _TINY, -_TINY, 1e-36, -1e-36, 0.5, -0.5, 1.0, -1.0, 1e6, -1e6]
    largest = np.float32(np.inf)
    if hasattr(model, "booster_"):
        values += [np.nan, np.inf, -np.inf]
    elif hasattr(model, "get_booster"):  # XGBoost takes no infinities
        values += [np.nan, np.nan, np.nan]
    parts = [thresholds, np.nextafter(thresholds, -largest), np.nextafter(thresholds, largest)]
    edges = np.unique(np.concatenate(parts)) if len(thresholds) else thresholds
    edges = edges[np.isfinite(edges)]
    every: npt.NDArray[np.float32] = np.concatenate([np.array(values, dtype=np.float32), edges])
    return every
