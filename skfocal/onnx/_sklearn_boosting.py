"""The margin of a `FocalHistGradientBoostingClassifier`, as nodes of an ONNX graph (floor 6).

The trees are written here. skl2onnx 1.20 gives boolean attributes to the node, which protobuf
refuses from version 7 on, and it rounds thresholds to the nearest float32.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal.onnx._graph import DOUBLE, FLOAT, INT64, Graph
from skfocal.sklearn_boosting._private import Nodes, margin_before_trees, nodes_of


def unsupported_parts(model: Any) -> list[str]:
    """Parts of the model that a graph does not hold."""
    return [] if model.is_categorical_ is None else ["categorical features"]


def margin(graph: Graph, operator: Any) -> str:
    """The sum of the trees, and the margin before the first one."""
    model = operator.raw_operator
    X = graph.node("Cast", operator.inputs[0].full_name, to=FLOAT)
    start = margin_before_trees(model)
    label, scores = (graph.scope.get_unique_variable_name(n) for n in ("label", "scores"))
    graph.container.add_node(
        "TreeEnsembleClassifier",
        [X],
        [label, scores],
        op_domain="ai.onnx.ml",
        op_version=1,
        name=graph.scope.get_unique_operator_name("Trees"),
        **_attributes(nodes_of(model), len(model.classes_)),
    )
    trees = graph.node("Cast", scores, to=DOUBLE)
    if len(model.classes_) == 2:  # the second column is the margin
        trees = graph.node("Gather", trees, graph.constant([1], INT64), axis=1)
    return graph.node("Add", trees, start)


def _attributes(nodes: Nodes, n_classes: int) -> dict[str, Any]:
    """Those of ONNX's node ``TreeEnsembleClassifier``."""
    leaf = nodes.is_leaf

    def of_splits(column: npt.NDArray[Any]) -> list[Any]:
        values: list[Any] = np.where(leaf, 0, column).tolist()
        return values

    return {
        "nodes_treeids": nodes.tree.tolist(),
        "nodes_nodeids": nodes.node.tolist(),
        "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_featureids": of_splits(nodes.feature),
        "nodes_values": of_splits(_rounded_down(nodes.threshold)),
        "nodes_truenodeids": of_splits(nodes.left),
        "nodes_falsenodeids": of_splits(nodes.right),
        "nodes_missing_value_tracks_true": of_splits(nodes.missing_left.astype(np.int64)),
        "class_treeids": nodes.tree[leaf].tolist(),
        "class_nodeids": nodes.node[leaf].tolist(),
        "class_ids": nodes.margin[leaf].tolist(),
        "class_weights": nodes.value[leaf].tolist(),
        "classlabels_int64s": list(range(n_classes)),
        "post_transform": "NONE",
    }


def _rounded_down(thresholds: Any) -> Any:
    """Float32 numbers that part float32 numbers just as the thresholds do."""
    with np.errstate(over="ignore"):
        rounded = thresholds.astype(np.float32)
    above = rounded > thresholds
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded.astype(np.float64)
