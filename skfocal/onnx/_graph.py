"""Nodes of an ONNX graph, and small formulas made of them (floor 6)."""

from typing import Any

import numpy as np
from onnx import TensorProto

FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64


class Graph:
    """Adds nodes to a graph of skl2onnx, whose scope names the tensors."""

    def __init__(self, scope: Any, container: Any) -> None:
        self.scope, self.container = scope, container

    def node(self, op_type: str, *inputs: Any, domain: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output.

        Inputs are names of tensors. Numbers and arrays among them become constants of doubles.
        """
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        out: str = self.scope.get_unique_variable_name(op_type.lower())
        name = self.scope.get_unique_operator_name(op_type)
        self.container.add_node(op_type, names, [out], op_domain=domain, name=name, **attributes)
        return out

    def constant(self, value: Any, data_type: int = DOUBLE) -> str:
        """Add a constant and return its name."""
        name: str = self.scope.get_unique_variable_name("constant")
        array = np.asarray(value)
        self.container.add_initializer(name, data_type, list(array.shape), array.ravel().tolist())
        return name

    def log_sum_exp(self, x: str) -> str:
        """The log-sum-exp of the columns of each row, (n, 1)."""
        if self.container.target_opset < 18:
            return self.node("ReduceLogSumExp", x, axes=[1], keepdims=1)
        return self.node("ReduceLogSumExp", x, self.constant([1], INT64), keepdims=1)

    def softplus(self, x: str) -> str:
        """log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|))."""
        tail = self.node("Log", self.node("Add", 1.0, self.exp_minus_abs(x)))
        return self.node("Add", self.node("Max", x, 0.0), tail)

    def exp_minus_abs(self, x: str) -> str:
        """exp(-|x|)."""
        return self.node("Exp", self.node("Neg", self.node("Abs", x)))

    def copy_to(self, source: str, target: str) -> None:
        """Copy the tensor ``source`` to the output named ``target``."""
        name = self.scope.get_unique_operator_name("Identity")
        self.container.add_node("Identity", [source], [target], name=name)
