"""Whether an ONNX graph predicts what its model predicts (floor 6).

Graph and model run on rows of the user and on rows that are made to find errors of a converter:
at the thresholds of the trees and next to them, at zeros, missing values and infinities. The
graph runs in onnxruntime.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from skfocal._kernels import Array

# The input of a graph and its sums of trees are float32, with steps of 2**-23. Sums of trees
# add errors: two more bits.
_ROUNDING = 2.0**-21
# Rounding in the steps before the classifier may move a margin by at most this.
_LARGEST_SLACK = 1e-3
# The share of the user's rows that may lie so near to a threshold that rounding matters.
_SHARE_AT_THRESHOLDS = 0.01
_N_EDGE_ROWS = 2000
# LightGBM takes numbers of at most this size as zero. Edge rows have it with both signs.
_TINY = np.float32(1e-35)


class Trees(NamedTuple):
    """What the checks need to know of the trees of a graph."""

    features: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.float32]
    largest_margin: float
    """The sum of the largest leaves of all trees of a class, for the class where it is largest."""


def trees_of(graph: Any) -> Trees:
    """The splits and leaves of a graph. A graph without trees has none."""
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
        If a row differs by more than rounding.
    """
    session = _session(graph)
    if session is None:
        return
    trees = trees_of(graph)
    table = np.concatenate([rows, _edge_rows(model, rows, trees)])
    with warnings.catch_warnings():
        # these rows have no column names, even if fit has seen names
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
            "before the classifier returns a sparse table, whose zeros XGBoost takes as missing "
            "(make it dense); a step is a scaler, whose last bit ONNX rounds differently (trees "
            "need no scaler; in a ColumnTransformer, with X as a DataFrame of float64 columns, it "
            "computes in double)."
        )
    warnings.warn(
        f"The ONNX graph rounds differently than the model: {found} A value is equal, up to "
        "rounding, to a number that a tree splits at.",
        UserWarning,
        stacklevel=3,
    )


def _session(graph: Any) -> Any:
    """A session of onnxruntime; None where it is not installed or too old for the graph."""
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
        # onnxruntime has no exception class for an unknown opset
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
    """Which rows differ by more than rounding, and a sentence on how the first one differs."""
    label, proba = session.run(["label", "probabilities"], _inputs(session, rows))
    expected, expected_label = model.predict_proba(rows), model.predict(rows)
    allowed = _reach(last._proba, margins, slack) + 1e-5 * expected + 1e-30
    differing = ~(np.abs(proba - expected) <= allowed).all(axis=1)
    codes = np.searchsorted(last.classes_, label.astype(last.classes_.dtype))
    score = last._scores(margins)
    reach = _reach(last._scores, margins, slack)
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
    """The inputs of a session: one table, or one column for each input."""
    dtypes = {
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
        each.name: table.astype(dtypes.get(each.type, table.dtype))
        for each, table in zip(inputs, tables, strict=True)
    }


def _margins(last: Any, X: Any) -> Array:
    """Margins of a classifier, its raw scores, as float64."""
    if not hasattr(last, "coef_"):
        raw = last._raw_prediction(X)
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
    elif hasattr(last, "coef_"):
        products = abs(_numbers(X)) @ np.abs(last.coef_.T)
        size = size + products.max(axis=1) + np.abs(last.intercept_).max()
    slack: Array = _ROUNDING * (size + 1e-3)
    return slack


def _reach(function: Any, margins: Array, slack: Array) -> Array:
    """How far a function of the margins moves if each of them moves by ``slack``."""
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
    """Rows of the table with edge values in about one column, or in half of the columns."""
    random = np.random.default_rng(0)
    table = rows[random.integers(len(rows), size=_N_EDGE_ROWS)].copy()
    n_columns = table.shape[1]
    share = random.choice([1.0 / n_columns, 0.5], size=(len(table), 1))
    chosen = random.random(table.shape) < share
    for column in range(n_columns):
        values = _edge_values(model, trees.thresholds[trees.features == column])
        # all values come once before one comes twice
        order = np.concatenate([random.permutation(values)] * (len(table) // len(values) + 1))
        here = chosen[:, column]
        table[here, column] = order[: here.sum()]
    return table


def _edge_values(model: Any, thresholds: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Values of one column at which a wrong graph may differ from its model."""
    values = [0.0, -0.0, _TINY, -_TINY, 1e-36, -1e-36, 0.5, -0.5, 1.0, -1.0, 1e6, -1e6]
    largest = np.float32(np.inf)
    if hasattr(model, "get_booster"):  # XGBoost refuses infinities
        values += [np.nan, np.nan, np.nan]
    elif not hasattr(model, "coef_"):
        values += [np.nan, np.inf, -np.inf]
    parts = [thresholds, np.nextafter(thresholds, -largest), np.nextafter(thresholds, largest)]
    edges = np.unique(np.concatenate(parts)) if len(thresholds) else thresholds
    edges = edges[np.isfinite(edges)]
    edge_values: npt.NDArray[np.float32] = np.r_[np.array(values, dtype=np.float32), edges]
    return edge_values
