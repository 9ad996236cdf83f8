"""The margin of a `FocalXGBClassifier`, as nodes of an ONNX graph (floor 6)."""

import json
from typing import Any, NamedTuple

import numpy as np

from skfocal._optional import optional_dependency
from skfocal.onnx._graph import FLOAT, INT64, Graph
from skfocal.onnx._trees import sum_of_trees


class TreeSettings(NamedTuple):
    """How the trees of an XGBoost model add up to a margin."""

    booster: str
    """"gbtree", or "dart" where trees have weights."""
    n_parallel: int
    """Trees in a round and class."""
    multi_strategy: str
    """One tree for each class, or one for all of them."""


def unsupported_parts(model: Any) -> list[str]:
    """Parts of the model that onnxmltools would leave out without a word."""
    booster = model.get_booster()
    settings = tree_settings(booster)
    parts = {
        f"booster={settings.booster!r}": settings.booster != "gbtree",
        "multi_output_tree": settings.multi_strategy == "multi_output_tree",
        "categorical splits": "c" in (booster.feature_types or ()),
        f"missing={model.missing!r}": not np.isnan(model.missing),
        "num_parallel_tree > 1": settings.n_parallel > 1 and model.loss_.n_classes > 2,
    }
    return [part for part, found in parts.items() if found]


def tree_settings(booster: Any) -> TreeSettings:
    """The settings that a booster was trained with."""
    learner = json.loads(booster.save_config())["learner"]
    gradient_booster = learner["gradient_booster"]
    trees = gradient_booster.get("gbtree_model_param", {})
    # XGBoost 3.4 names DART "gbtree"; its trees have weights
    saved = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    weighted = any(weight != 1 for weight in saved.get("model", {}).get("weight_drop", ()))
    return TreeSettings(
        "dart" if weighted else gradient_booster["name"],
        int(trees.get("num_parallel_tree", 1)),
        learner["learner_train_param"].get("multi_strategy", ""),
    )


def margin(graph: Graph, operator: Any) -> str:
    """The sum of the trees up to the best iteration, and the margin before the first one."""
    from xgboost import XGBClassifier

    from skfocal.xgboost._format import margin_before_trees
    from skfocal.xgboost._private import set_booster

    with optional_dependency("onnxmltools", needed_by="to_onnx", extra="onnx"):
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

    model = operator.raw_operator
    booster = model.get_booster()
    best = booster.attr("best_iteration")
    booster = booster.copy() if best is None else booster[: int(best) + 1]
    booster.feature_names = None  # onnxmltools expects numbers of columns, not names
    base_margin = margin_before_trees(booster)
    X = graph.node("Cast", operator.inputs[0].full_name, to=FLOAT)  # as XGBoost does
    if not booster.num_boosted_rounds():
        rows = graph.node("Gather", graph.node("Shape", X), graph.constant([0], INT64))
        shape = graph.node("Concat", rows, graph.constant([base_margin.shape[1]], INT64), axis=0)
        return graph.node("Expand", base_margin, shape)
    plain = XGBClassifier(
        n_estimators=booster.num_boosted_rounds() * tree_settings(booster).n_parallel
    )
    set_booster(plain, booster)
    plain.n_classes_ = model.loss_.n_classes
    return graph.node("Add", sum_of_trees(graph, X, plain, convert_xgboost), base_margin)
