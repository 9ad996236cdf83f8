"""ONNX graphs of the classifiers, with the posterior in the graph (floor 6).

Trees are converted by onnxmltools, pipelines by skl2onnx, which learns the three
classifiers when this module is imported. Behind the trees, or the linear margin, come the
map to the posterior and the label of `predict`, in double precision. Where onnxruntime is
installed, each graph is compared with its model.
"""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import skl2onnx
from onnx import ModelProto, TensorProto
from onnx.helper import make_attribute
from scipy.sparse import issparse
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.proto import get_latest_tested_opset_version
from sklearn.utils.validation import check_is_fitted

from skfocal._optional import optional_dependency
from skfocal.onnx._check import refuse_difference, refuse_difference_of_rows
from skfocal.onnx._graph import DOUBLE, FLOAT, INT64, Graph, proba_and_decision

# How many rows of X a graph is compared on, about.
_N_ROWS = 300
# float32 tells integers apart up to this one.
_LAST_INTEGER = 2**24
# LightGBM takes numbers that are no larger as zero.
_ZERO = float(np.float32(1e-35))
# LightGBM's types of missing values, in the bits 2 and 3 of a decision.
_ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2


def to_onnx(model: Any, X: Any, *, target_opset: int | dict[str, int] | None = None) -> ModelProto:
    """An ONNX graph whose labels and probabilities are those of `predict_proba`, `predict`.

    Parameters
    ----------
    model : FocalLogisticRegression, FocalLGBMClassifier, FocalXGBClassifier or Pipeline
        Fitted; a pipeline's last step is one of the classifiers.
    X : ndarray or DataFrame of shape (n_samples, n_features)
        Some rows that the model takes, best a few hundred of those that it was trained on:
        for the number and type of the inputs, and to compare graph and model. A graph of
        trees takes float32.
    target_opset : int or dict, default=None
        As in `skl2onnx.to_onnx`; None for the newest that it knows.

    Returns
    -------
    onnx.ModelProto
        With the outputs ``label`` (n_samples,) and ``probabilities`` (n_samples, n_classes),
        float32.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    TypeError
        If the last step is none of the classifiers, X is sparse, or the labels are neither
        integers nor strings.
    ValueError
        If X is not as in fit.
    NotImplementedError
        If the graph would be another model. Known beforehand are linear trees, categories of
        pandas, integer categories from 2**24 on, categorical splits, ``missing`` other than
        NaN, DART, vector leaves on XGBoost, and random forests of several classes there.

    Warns
    -----
    UserWarning
        If one row of X in a hundred, or fewer, differs between graph and model by more than
        rounding; or if the installed onnxruntime is too old to run the graph, which is then
        not compared.

    Notes
    -----
    Where onnxruntime is installed, the graph runs before it is returned, and its labels and
    probabilities must be those of the model but for rounding. The classifier alone is compared
    on about 300 rows of X, as float32, and on 2000 made of them: with values at the
    thresholds of the trees and next to them, zeros, missing values, infinities where the
    model takes them. The whole model is compared on the rows of X as they are. **Where
    onnxruntime is not installed, nothing is compared**, and only what is known beforehand is
    refused.

    The margin of trees is float32, what follows double. A step before the trees that
    computes, such as a scaler, may round its last bit otherwise in ONNX than in
    scikit-learn; a number that a tree splits at may then fall to the other side.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.onnx._converter import to_onnx
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    >>> graph = to_onnx(FocalLogisticRegression().fit(X, y), X)
    >>> [output.name for output in graph.graph.output]
    ['label', 'probabilities']
    """
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    _register(type(last))
    check_is_fitted(last, "loss_")
    _refuse_what_is_lost(last)
    rows = _some_rows(X)
    model.predict_proba(rows)  # refuses what is not as in fit
    sample = rows
    if model is last or (isinstance(rows, np.ndarray) and rows.dtype.kind in "fiub"):
        sample = np.asarray(rows, dtype=np.float32)
    graph = _convert(model, last, sample, target_opset)
    table, alone = sample, graph
    if model is not last:
        table = model[:-1].transform(rows) if len(model.steps) > 1 else rows
        table = np.asarray(table.toarray() if issparse(table) else table, dtype=np.float32)
        alone = _convert(last, last, table, target_opset)
    refuse_difference(last, alone, table)
    refuse_difference_of_rows(model, last, graph, rows)
    return graph


def _some_rows(X: Any) -> Any:
    """About 300 rows from all over X."""
    if issparse(X):
        raise TypeError(
            "X is sparse, and the input of an ONNX graph is dense: give some rows as an array. "
            "To XGBoost what a sparse matrix does not store is missing, NaN in an array."
        )
    X = X if hasattr(X, "shape") else np.asarray(X)
    return X[:: max(1, len(X) // _N_ROWS)]


def _convert(
    model: Any, last: Any, sample: Any, target_opset: int | dict[str, int] | None
) -> ModelProto:
    if target_opset is None or isinstance(target_opset, int):
        target_opset = {"": target_opset or get_latest_tested_opset_version()}
    # skl2onnx knows the trees of version 3, and would else take the newest that onnx has
    target_opset = {"ai.onnx.ml": 3, **target_opset}
    graph: ModelProto = skl2onnx.to_onnx(
        model, sample[:1], options={id(last): {"zipmap": False}}, target_opset=target_opset
    )
    return graph


def _register(kind: type) -> None:
    """Make skl2onnx know a classifier."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] == "skfocal" and base.__name__ in _MARGINS:
            name = f"Skfocal{base.__name__}"
            skl2onnx.update_registered_converter(
                kind,
                name,
                _shapes,
                _converter(_MARGINS[base.__name__]),
                options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
            )
            return
    raise TypeError(
        f"to_onnx takes {sorted(_MARGINS)}, or a Pipeline that ends in one; got {kind.__name__}."
    )


def _shapes(operator: Any) -> None:
    """Types of label and probabilities, for skl2onnx."""
    model = operator.raw_operator
    kind = Int64TensorType if _integers(model.classes_) else StringTensorType
    operator.outputs[0].type = kind([None])
    operator.outputs[1].type = FloatTensorType([None, len(model.classes_)])


def _integers(classes: Any) -> bool:
    """Whether the labels are numbers, which ONNX has as integers; else they are strings."""
    if classes.dtype.kind in "biu" or (
        classes.dtype.kind == "f" and np.array_equal(classes, np.rint(classes))
    ):
        return True
    if all(isinstance(label, str) for label in classes.tolist()):
        return False
    raise TypeError(f"ONNX has integers and strings as labels; the model has {classes!r}.")


def _converter(margins: Callable[[Graph, Any], str]) -> Callable[..., Any]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        graph, model = Graph(scope, container), operator.raw_operator
        _refuse_what_is_lost(model)
        margin = margins(graph, operator)
        binary = model.loss_.n_classes == 2
        proba, decided = proba_and_decision(graph, margin, model)
        if binary:
            # as exp(-softplus): onnxruntime's Sigmoid is 0 from -37 on
            both = graph.node("Concat", proba, graph.node("Neg", proba), axis=1)
            proba = graph.node("Exp", graph.node("Neg", graph.softplus(both)))
            code = graph.node("Cast", graph.node("Greater", decided, 0.0), to=INT64)
            code = graph.node("Reshape", code, graph.constant([-1], INT64))
        else:
            proba = graph.node("Softmax", proba, axis=1)
            code = graph.node("ArgMax", decided, axis=1, keepdims=0)
        if _integers(model.classes_):
            labels = graph.constant(model.classes_.astype(np.int64), INT64)
        else:
            encoded = [label.encode() for label in model.classes_.tolist()]
            labels = graph.constant(encoded, TensorProto.STRING)
        graph.copy_to(graph.node("Gather", labels, code), operator.outputs[0].full_name)
        graph.copy_to(graph.node("Cast", proba, to=FLOAT), operator.outputs[1].full_name)

    return convert


def _linear_margin(graph: Graph, operator: Any) -> str:
    model = operator.raw_operator
    X = graph.node("Cast", operator.inputs[0].full_name, to=DOUBLE)
    product = graph.node("MatMul", X, model._dense_coef().T.astype(np.float64))
    return graph.node("Add", product, model.intercept_[np.newaxis].astype(np.float64))


def _refuse_what_is_lost(model: Any) -> None:
    """Refuse models of which the converters would leave out a part without a word."""
    if hasattr(model, "booster_"):
        what = {
            "trees with linear leaves": "\nis_linear=1\n" in model.booster_.model_to_string(),
            "categories of pandas, to be encoded as integers": model.booster_.pandas_categorical,
            **_lost_columns(model.booster_.model_to_string()),
        }
    elif hasattr(model, "get_booster"):
        name, n_parallel, strategy = _kind_of_trees(model.get_booster())
        what = {
            f"booster={name!r}": name != "gbtree",
            "multi_output_tree": strategy == "multi_output_tree",
            "categorical splits": "c" in (model.get_booster().feature_types or ()),
            f"missing={model.missing!r}": not np.isnan(model.missing),
            "num_parallel_tree > 1": n_parallel > 1 and model.loss_.n_classes > 2,
        }
    else:
        return
    lost = [part for part, found in what.items() if found]
    if lost:
        raise NotImplementedError(f"onnxmltools does not convert {', '.join(lost)}.")


def _lost_columns(text: str) -> dict[str, bool]:
    """Of a LightGBM model: columns whose values one float32 input cannot stand for."""
    columns = _Columns(text)
    mixed = columns.zero_is_missing & (columns.nan_is_missing | columns.categorical)
    return {
        f"zeros of column {j} that are missing values in some trees and not in others": True
        for j in np.flatnonzero(mixed)
    } | {
        f"category {largest} of column {j}: a graph's input is float32, which tells "
        f"integers below 2**24 apart (number the categories from 0)": True
        for j, largest in columns.largest_category.items()
        if largest >= _LAST_INTEGER
    }


class _Columns:
    """How the trees of a LightGBM model read each column, from their text."""

    def __init__(self, text: str) -> None:
        def of_nodes(name: str) -> npt.NDArray[np.int64]:
            lines: list[str] = re.findall(rf"(?m)^{name}=(.+)$", text)
            return np.array(" ".join(lines).split(), dtype=np.int64)

        features, decisions = of_nodes("split_feature"), of_nodes("decision_type")
        infos = re.findall(r"(?m)^feature_infos=(.*)$", text)[0].split(" ")
        self.n_columns = len(infos)
        categorical, missing = (decisions & 1).astype(bool), (decisions >> 2) & 3

        def columns(nodes: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
            return np.isin(np.arange(self.n_columns), features[nodes])

        self.categorical = columns(categorical)
        self.zero_is_missing = columns(~categorical & (missing == _ZERO_IS_MISSING))
        self.nan_is_missing = columns(~categorical & (missing == _NAN_IS_MISSING))
        self.largest_category = {
            int(j): max(int(category) for category in infos[j].split(":"))
            for j in np.flatnonzero(self.categorical)
            if re.fullmatch(r"-?\d+(:-?\d+)*", infos[j])
        }


def _as_lightgbm_reads(graph: Graph, X: str, columns: _Columns) -> str:
    """Columns as LightGBM's trees take them: categories cut to integers, zeros as zeros.

    Where zeros are missing values, they become NaN, which takes the same branches.
    """
    if columns.categorical.any():
        cut = graph.node("Mul", graph.node("Sign", X), graph.node("Floor", graph.node("Abs", X)))
        where = graph.constant(columns.categorical[np.newaxis], TensorProto.BOOL)
        X = graph.node("Where", where, cut, X)
    zero = np.where(columns.zero_is_missing, np.nan, 0.0)[np.newaxis]
    is_zero = graph.node("LessOrEqual", graph.node("Abs", X), graph.constant(_ZERO, FLOAT))
    return graph.node("Where", is_zero, graph.constant(zero, FLOAT), X)


def _lightgbm_margin(graph: Graph, operator: Any) -> str:
    from lightgbm import Booster

    with optional_dependency("onnxmltools", needed_by="to_onnx", extra="onnx"):
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

    from skfocal.lightgbm._format import with_float32_thresholds

    model = operator.raw_operator
    text = model.booster_.model_to_string()  # up to the best iteration
    plain = SimpleNamespace(
        booster_=Booster(model_str=with_float32_thresholds(text)),
        classes_=np.arange(model.loss_.n_classes),
        boosting_type="gbdt",
    )
    X = graph.node("Cast", operator.inputs[0].full_name, to=FLOAT)
    X = _as_lightgbm_reads(graph, X, _Columns(text))
    return _tree_margin(graph, X, plain, convert_lightgbm)


def _xgboost_margin(graph: Graph, operator: Any) -> str:
    from xgboost import XGBClassifier

    from skfocal.xgboost._private import set_booster

    with optional_dependency("onnxmltools", needed_by="to_onnx", extra="onnx"):
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

    model = operator.raw_operator
    booster = model.get_booster()
    best = booster.attr("best_iteration")
    booster = booster.copy() if best is None else booster[: int(best) + 1]
    booster.feature_names = None  # onnxmltools knows only the columns' numbers
    start = _xgboost_start(booster)
    X = graph.node("Cast", operator.inputs[0].full_name, to=FLOAT)  # as XGBoost does
    if not booster.num_boosted_rounds():
        rows = graph.node("Gather", graph.node("Shape", X), graph.constant([0], INT64))
        shape = graph.node("Concat", rows, graph.constant([start.shape[1]], INT64), axis=0)
        return graph.node("Expand", start, shape)
    plain = XGBClassifier(n_estimators=booster.num_boosted_rounds() * _kind_of_trees(booster)[1])
    set_booster(plain, booster)
    plain.n_classes_ = model.loss_.n_classes
    return graph.node("Add", _tree_margin(graph, X, plain, convert_xgboost), start)


def _xgboost_start(booster: Any) -> npt.NDArray[np.float32]:
    """The margin before the first tree, (1, 1) or (1, K): of the model without its trees.

    How XGBoost makes it of ``base_score``, with which bounds, is not the same in all versions.
    """
    if booster.num_boosted_rounds():
        saved = json.loads(bytes(booster[:1].save_raw("json")))
        model = saved["learner"]["gradient_booster"]["model"]
        model["gbtree_model_param"]["num_trees"] = "0"
        model.update(trees=[], tree_info=[], iteration_indptr=[0])
        booster = type(booster)(model_file=bytearray(json.dumps(saved).encode()))
    from xgboost import DMatrix

    row = DMatrix(np.zeros((1, booster.num_features()), dtype=np.float32))
    start: npt.NDArray[np.float32] = booster.predict(row, output_margin=True).reshape(1, -1)
    return start


def _kind_of_trees(booster: Any) -> tuple[str, int, str]:
    """XGBoost's booster, trees in a round and class, and strategy for several classes."""
    learner = json.loads(booster.save_config())["learner"]
    gradient_booster = learner["gradient_booster"]
    trees = gradient_booster.get("gbtree_model_param", {})
    # XGBoost 3.4 calls DART a gbtree, whose trees have weights
    saved = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    weighted = any(weight != 1 for weight in saved.get("model", {}).get("weight_drop", ()))
    return (
        "dart" if weighted else gradient_booster["name"],
        int(trees.get("num_parallel_tree", 1)),
        learner["learner_train_param"].get("multi_strategy", ""),
    )


def _tree_margin(graph: Graph, X: str, plain: Any, convert: Callable[..., Any]) -> str:
    """The sum of the trees of a standard model that onnxmltools converts, without its start.

    Its node would turn it into probabilities, whose tails are lost to rounding. Its start is
    wrong where the first tree of an XGBoost model is one leaf of 0.
    """
    label, scores = (graph.scope.get_unique_variable_name(n) for n in ("label", "scores"))
    n_before = len(graph.container.nodes)
    convert(
        graph.scope,
        SimpleNamespace(
            raw_operator=plain,
            full_name=graph.scope.get_unique_operator_name("Trees"),
            inputs=[SimpleNamespace(full_name=X)],
            input_full_names=[X],
            outputs=[SimpleNamespace(full_name=label), SimpleNamespace(full_name=scores)],
            output_full_names=[label, scores],
        ),
        graph.container,
    )
    for node in graph.container.nodes[n_before:]:
        if node.op_type == "TreeEnsembleClassifier":
            kept = [a for a in node.attribute if a.name not in ("post_transform", "base_values")]
            del node.attribute[:]
            node.attribute.extend([*kept, make_attribute("post_transform", "NONE")])
    margin = graph.node("Cast", scores, to=DOUBLE)
    if len(plain.classes_) > 2:
        return margin
    # of two classes, the second column is the margin
    return graph.node("Gather", margin, graph.constant([1], INT64), axis=1)


_MARGINS: dict[str, Callable[[Graph, Any], str]] = {
    "FocalLogisticRegression": _linear_margin,
    "FocalLGBMClassifier": _lightgbm_margin,
    "FocalXGBClassifier": _xgboost_margin,
}
