"""The map from margins to the posterior, as nodes of an ONNX graph (floor 6)."""

from typing import Any

import numpy as np
from onnx import TensorProto

FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64


class Graph:
    """A few nodes behind each other; tensors are named by the scope."""

    def __init__(self, scope: Any, container: Any) -> None:
        self.scope, self.container = scope, container

    def node(self, kind: str, *inputs: Any, domain: str = "", **attributes: Any) -> str:
        """Add a node, numbers among its inputs as doubles; the name of its output."""
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        out: str = self.scope.get_unique_variable_name(kind.lower())
        name = self.scope.get_unique_operator_name(kind)
        self.container.add_node(kind, names, [out], op_domain=domain, name=name, **attributes)
        return out

    def constant(self, value: Any, kind: int = DOUBLE) -> str:
        """Add a constant; its name."""
        name: str = self.scope.get_unique_variable_name("constant")
        array = np.asarray(value)
        self.container.add_initializer(name, kind, list(array.shape), array.ravel().tolist())
        return name

    def log_sum_exp(self, x: str) -> str:
        """Over the columns of each row, (n, 1)."""
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
        """Name a tensor as the operator wants its output."""
        name = self.scope.get_unique_operator_name("Identity")
        self.container.add_node("Identity", [source], [target], name=name)


def proba_and_decision(graph: Graph, margin: str, model: Any) -> tuple[str, str]:
    """Margins whose sigmoid or softmax are the probabilities, and scores of the decision."""
    loss = model.loss_
    if loss.raw_is_posterior:
        return margin, graph.node("Add", margin, _log_weights(loss))
    scores = (_binary_log_odds if loss.n_classes == 2 else _multiclass_scores)(graph, margin, loss)
    raw = model.probability == "raw"
    proba = margin if raw else graph.node("Sub", scores, _log_weights(loss))
    return proba, margin if len(set(loss.class_gamma)) == 1 else scores


def _log_weights(loss: Any) -> Any:
    weights = np.log(loss.class_weight)
    return weights[1] - weights[0] if loss.n_classes == 2 else weights[np.newaxis]


def _binary_log_odds(graph: Graph, margin: str, loss: Any) -> str:
    """Log-odds of the weighted posterior, (n, 1), by `skfocal._math.log_odds`."""
    sides = []
    for sign, gamma in zip((-1.0, 1.0), loss.class_gamma, strict=True):
        own = graph.node("Mul", margin, sign)
        sides.append(_log_h(graph, graph.softplus(graph.node("Neg", own)), own, gamma))
    return graph.node("Sub", sides[1], sides[0])


def _multiclass_scores(graph: Graph, margin: str, loss: Any) -> str:
    """Logarithm of weight x posterior up to a constant of the row, (n, K)."""
    log_p = graph.node("Sub", margin, graph.log_sum_exp(margin))
    # 1 - p of a class is the sum of the others, which a near 1 p would lose
    others = []
    for k in range(loss.n_classes):
        rest = [j for j in range(loss.n_classes) if j != k]
        picked = graph.node("Gather", log_p, graph.constant(rest, INT64), axis=1)
        others.append(graph.log_sum_exp(picked))
    log_q = graph.node("Concat", *others, axis=1)
    return _log_h(
        graph, graph.node("Neg", log_p), graph.node("Sub", log_p, log_q), [loss.class_gamma]
    )


def _log_h(graph: Graph, surprise: str, own: str, gamma: Any) -> str:
    """Log h of a margin ``own`` with -log p = ``surprise``; MATH in `skfocal._math`.

    gamma softplus(m) - softplus(-m) - log(1 + gamma exp(m) softplus(-m)), where the product
    is 1 for large m.
    """
    bounded = graph.node("Min", own, 25.0)
    k = graph.node("Mul", graph.node("Exp", bounded), graph.softplus(graph.node("Neg", bounded)))
    last = graph.node("Log", graph.node("Add", 1.0, graph.node("Mul", gamma, k)))
    first = graph.node("Mul", gamma, graph.softplus(own))
    return graph.node("Sub", graph.node("Sub", first, surprise), last)
