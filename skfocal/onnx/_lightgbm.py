"""The margin of a `FocalLGBMClassifier`, as nodes of an ONNX graph (floor 6)."""

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from skfocal._optional import optional_dependency
from skfocal.onnx._graph import FLOAT, Graph
from skfocal.onnx._trees import sum_of_trees

# float32 holds all integers up to this one.
_LAST_INTEGER = 2**24
# LightGBM takes numbers of at most this size as zero.
_ZERO = float(np.float32(1e-35))
# LightGBM's codes for what a split takes as missing, in bits 2 and 3 of its decision type.
_ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2


def unsupported_parts(model: Any) -> list[str]:
    """Parts of the model that onnxmltools would leave out without a word."""
    text = model.booster_.model_to_string()
    found = []
    if "\nis_linear=1\n" in text:
        found.append("trees with linear leaves")
    if model.booster_.pandas_categorical:
        found.append("categories of pandas, to be encoded as integers")
    return found + _unsupported_columns(text)


def _unsupported_columns(text: str) -> list[str]:
    """Columns whose values one float32 input cannot represent."""
    columns = Columns(text)
    mixed = columns.zero_is_missing & (columns.nan_is_missing | columns.categorical)
    return [
        f"zeros of column {j} that are missing values in some trees and not in others"
        for j in np.flatnonzero(mixed)
    ] + [
        f"category {largest} of column {j}: a graph's input is float32, which tells "
        f"integers below 2**24 apart (number the categories from 0)"
        for j, largest in columns.largest_category.items()
        if largest >= _LAST_INTEGER
    ]


class Columns:
    """How the trees of a LightGBM model read each column, from the text of the model."""

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


def as_lightgbm_reads(graph: Graph, X: str, columns: Columns) -> str:
    """X as LightGBM's trees read it: categories are cut to integers, and tiny numbers are 0.

    Where zeros are missing values, they become NaN, which takes the same branches.
    """
    if columns.categorical.any():
        cut = graph.node("Mul", graph.node("Sign", X), graph.node("Floor", graph.node("Abs", X)))
        where = graph.constant(columns.categorical[np.newaxis], TensorProto.BOOL)
        X = graph.node("Where", where, cut, X)
    zero = np.where(columns.zero_is_missing, np.nan, 0.0)[np.newaxis]
    is_zero = graph.node("LessOrEqual", graph.node("Abs", X), graph.constant(_ZERO, FLOAT))
    return graph.node("Where", is_zero, graph.constant(zero, FLOAT), X)


def margin(graph: Graph, operator: Any) -> str:
    """The sum of the trees up to the best iteration. The leaves of the first contain the start."""
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
    X = as_lightgbm_reads(graph, X, Columns(text))
    return sum_of_trees(graph, X, plain, convert_lightgbm)
