"""The margin of a `FocalLogisticRegression`, as nodes of an ONNX graph (floor 6)."""

from typing import Any

import numpy as np

from skfocal.onnx._graph import DOUBLE, Graph


def unsupported_parts(model: Any) -> list[str]:
    """Nothing: a graph holds all of a linear model."""
    return []


def margin(graph: Graph, operator: Any) -> str:
    """X coef + intercept, in double precision."""
    model = operator.raw_operator
    X = graph.node("Cast", operator.inputs[0].full_name, to=DOUBLE)
    product = graph.node("MatMul", X, model._dense_coef().T.astype(np.float64))
    return graph.node("Add", product, model.intercept_[np.newaxis].astype(np.float64))
