"""ONNX graphs of the classifiers, with the posterior in the graph (floor 6).

onnxmltools converts trees. skl2onnx converts pipelines; `to_onnx` tells it how the last step is
converted. After the nodes of the margin, which is the raw score of the model, come the map from
the margin to the posterior and the label of `predict`, in double precision. Where onnxruntime
is installed, each graph is compared with its model.
"""

from typing import Any, Protocol

import numpy as np
import skl2onnx
from onnx import ModelProto, TensorProto
from scipy.sparse import issparse
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.proto import get_latest_tested_opset_version
from sklearn.utils.validation import check_is_fitted

from skfocal.onnx import _lightgbm, _linear, _sklearn_boosting, _xgboost
from skfocal.onnx._check import refuse_difference, refuse_difference_of_rows
from skfocal.onnx._graph import FLOAT, INT64, Graph
from skfocal.onnx._posterior import proba_and_decision

# A graph is compared with its model on about so many rows of X.
_N_ROWS = 300


class Conversion(Protocol):
    """What the module of each classifier has."""

    def margin(self, graph: Graph, operator: Any) -> str:
        """Add the nodes of the margin and return the name of their output."""

    def unsupported_parts(self, model: Any) -> list[str]:
        """Parts of a model that the graph would leave out without a word."""


CONVERSIONS: dict[str, Conversion] = {
    "FocalLogisticRegression": _linear,
    "FocalLGBMClassifier": _lightgbm,
    "FocalXGBClassifier": _xgboost,
    "FocalHistGradientBoostingClassifier": _sklearn_boosting,
}


def to_onnx(model: Any, X: Any, *, target_opset: int | dict[str, int] | None = None) -> ModelProto:
    """An ONNX graph whose labels and probabilities are those of `predict` and `predict_proba`.

    Parameters
    ----------
    model : classifier of this package, or Pipeline
        A fitted `FocalLogisticRegression`, `FocalLGBMClassifier`, `FocalXGBClassifier` or
        `FocalHistGradientBoostingClassifier`. The last step of a pipeline must be one of them.
    X : ndarray or DataFrame of shape (n_samples, n_features)
        Some rows that the model accepts, best a few hundred of those that it was trained on.
        They tell the number and the types of the inputs, and graph and model are compared on
        them. The input of a graph of trees is float32.
    target_opset : int or dict, default=None
        As in `skl2onnx.to_onnx`; None for the newest version that it knows.

    Returns
    -------
    onnx.ModelProto
        The graph. Its outputs are ``label`` of shape (n_samples,) and ``probabilities`` of shape
        (n_samples, n_classes), float32.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    TypeError
        If the last step is not one of the classifiers, if X is sparse, or if the labels are
        neither integers nor strings.
    ValueError
        If X is not as in fit.
    NotImplementedError
        If the graph would be another model. These are refused before the conversion. LightGBM:
        linear trees, categories of pandas, integer categories from 2**24 on. scikit-learn's
        trees: categorical features. XGBoost: categorical splits, ``missing`` other than NaN,
        DART, vector leaves, and random forests of more than two classes.

    Warns
    -----
    UserWarning
        If at most one row of X in a hundred differs between graph and model by more than
        rounding. Also if the installed onnxruntime is too old to run the graph, which is then
        not compared.

    Notes
    -----
    Where onnxruntime is installed, the graph runs before it is returned. Its labels and
    probabilities must be those of the model, up to rounding. The classifier alone is compared
    on about 300 rows of X, as float32, and on 2000 rows made of them. These have values at the
    thresholds of the trees and next to them, zeros, missing values, and infinities where the
    model accepts them. A pipeline is also compared on the rows of X as they are. **Where
    onnxruntime is not installed, nothing is compared**, and only the models listed above are
    refused.

    The margin of trees is computed in float32, and what follows in double. A step before the
    trees that computes, such as a scaler, may round the last bit in ONNX differently than in
    scikit-learn. A number that a tree splits at may then fall to the other side. The trees of
    `FocalHistGradientBoostingClassifier` split at numbers of the table itself: train them on
    float32, or the graph is refused.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.onnx import to_onnx
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    >>> graph = to_onnx(FocalLogisticRegression().fit(X, y), X)
    >>> [output.name for output in graph.graph.output]
    ['label', 'probabilities']
    """
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    _register(type(last))
    check_is_fitted(last, "loss_")
    _refuse_unsupported(last)
    rows = _some_rows(X)
    model.predict_proba(rows)  # refuses rows that are not as in fit
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
    """About 300 rows, evenly spread over X."""
    if issparse(X):
        raise TypeError(
            "X is sparse, and the input of an ONNX graph is dense: give some rows as an array. "
            "XGBoost takes what a sparse matrix does not store as missing: that is NaN in an array."
        )
    X = X if hasattr(X, "shape") else np.asarray(X)
    return X[:: max(1, len(X) // _N_ROWS)]


def _convert(
    model: Any, last: Any, sample: Any, target_opset: int | dict[str, int] | None
) -> ModelProto:
    if target_opset is None or isinstance(target_opset, int):
        target_opset = {"": target_opset or get_latest_tested_opset_version()}
    # skl2onnx knows the trees of version 3. Without this it would take the newest that onnx has.
    target_opset = {"ai.onnx.ml": 3, **target_opset}
    graph: ModelProto = skl2onnx.to_onnx(
        model, sample[:1], options={id(last): {"zipmap": False}}, target_opset=target_opset
    )
    return graph


def _converted_name(model_class: type) -> str:
    """The name in ``CONVERSIONS`` of a class or of its parent."""
    for parent in model_class.__mro__:
        if parent.__module__.partition(".")[0] == "skfocal" and parent.__name__ in CONVERSIONS:
            return parent.__name__
    raise TypeError(
        f"to_onnx takes {sorted(CONVERSIONS)}, or a Pipeline that ends in one; got "
        f"{model_class.__name__}."
    )


def _register(model_class: type) -> None:
    """Make skl2onnx know a classifier."""
    skl2onnx.update_registered_converter(
        model_class,
        f"Skfocal{_converted_name(model_class)}",
        _set_output_types,
        _add_classifier,
        options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
    )


def _set_output_types(operator: Any) -> None:
    """Types of label and probabilities, for skl2onnx."""
    model = operator.raw_operator
    label_type = Int64TensorType if _has_integers(model.classes_) else StringTensorType
    operator.outputs[0].type = label_type([None])
    operator.outputs[1].type = FloatTensorType([None, len(model.classes_)])


def _has_integers(classes: Any) -> bool:
    """Whether the labels are integers to ONNX; otherwise they are strings."""
    if classes.dtype.kind in "biu" or (
        classes.dtype.kind == "f" and np.array_equal(classes, np.rint(classes))
    ):
        return True
    if all(isinstance(label, str) for label in classes.tolist()):
        return False
    raise TypeError(f"Labels in ONNX are integers or strings; the model has {classes!r}.")


def _add_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a classifier, for skl2onnx."""
    graph, model = Graph(scope, container), operator.raw_operator
    _refuse_unsupported(model)
    margin = CONVERSIONS[_converted_name(type(model))].margin(graph, operator)
    proba, decision = proba_and_decision(graph, margin, model)
    if model.loss_.n_classes == 2:
        # the sigmoid as exp(-softplus): onnxruntime's Sigmoid is 0 for margins below -37
        both = graph.node("Concat", proba, graph.node("Neg", proba), axis=1)
        proba = graph.node("Exp", graph.node("Neg", graph.softplus(both)))
        code = graph.node("Cast", graph.node("Greater", decision, 0.0), to=INT64)
        code = graph.node("Reshape", code, graph.constant([-1], INT64))
    else:
        proba = graph.node("Softmax", proba, axis=1)
        code = graph.node("ArgMax", decision, axis=1, keepdims=0)
    if _has_integers(model.classes_):
        labels = graph.constant(model.classes_.astype(np.int64), INT64)
    else:
        encoded = [label.encode() for label in model.classes_.tolist()]
        labels = graph.constant(encoded, TensorProto.STRING)
    graph.copy_to(graph.node("Gather", labels, code), operator.outputs[0].full_name)
    graph.copy_to(graph.node("Cast", proba, to=FLOAT), operator.outputs[1].full_name)


def _refuse_unsupported(model: Any) -> None:
    """Refuse a model of which the graph would leave out a part without a word."""
    parts = CONVERSIONS[_converted_name(type(model))].unsupported_parts(model)
    if parts:
        raise NotImplementedError(f"ONNX graphs are not made of {', '.join(parts)}.")
