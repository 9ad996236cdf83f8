"""The sum of the trees of a booster, as nodes of an ONNX graph (floor 6)."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from onnx.helper import make_attribute

from skfocal.onnx._graph import DOUBLE, INT64, Graph


def sum_of_trees(graph: Graph, X: str, plain: Any, convert: Callable[..., Any]) -> str:
    """Margins of an ordinary model of the library less the margin before its first tree.

    ``convert`` is the converter of onnxmltools for the library. Its node would turn margins into
    probabilities, and small ones would be lost to rounding. It would also add the margin before
    the first tree, and a wrong one where the first tree of an XGBoost model is one leaf of 0.
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
            unchanged = [
                a for a in node.attribute if a.name not in ("post_transform", "base_values")
            ]
            del node.attribute[:]
            node.attribute.extend([*unchanged, make_attribute("post_transform", "NONE")])
    margin = graph.node("Cast", scores, to=DOUBLE)
    if len(plain.classes_) > 2:
        return margin
    # of two classes, the second column is the margin
    return graph.node("Gather", margin, graph.constant([1], INT64), axis=1)
