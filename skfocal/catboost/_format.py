"""What a CatBoost model file holds beside the trees: labels, loss, scale and bias (floor 5).

CatBoost keeps pairs of names and text in its models. There it has its own parameters, among them
the objective, and its labels. A model that was trained on an objective in Python is rewritten
here into one of Logloss, which CatBoost can use without this package.
"""

import json

from catboost import CatBoost, CatBoostError, sum_models

from skfocal._booster._model_files import NAME, Settings, settings_from_text, settings_text
from skfocal.calibration import Calibration
from skfocal.catboost._private import keep_training, plain_model

_KINDS = {"b": "Boolean", "i": "Integer", "u": "Integer", "f": "Float"}
_OBJECTIVE = "PythonUserDefinedPerObject"


def write_settings(model: CatBoost, settings: Settings) -> None:
    """Write labels and loss into a model, and name Logloss as its objective."""
    metadata = model.get_metadata()
    labels = settings.classes.tolist()
    metadata["class_params"] = json.dumps(
        {
            "classes_count": 0,
            "class_names": labels,
            "class_to_label": [0, 1],
            "class_label_type": _KINDS.get(settings.classes.dtype.kind, "String"),
        }
    )
    params = json.loads(metadata["params"]) if "params" in metadata.keys() else {}  # noqa: SIM118
    params["loss_function"] = {"type": "Logloss", "params": {}}
    flat = params.setdefault("flat_params", {})
    flat["loss_function"] = "Logloss"
    if flat.get("eval_metric") == _OBJECTIVE:
        del flat["eval_metric"]
    for metric in params.get("metrics", {}).values():
        if isinstance(metric, dict) and metric.get("type") == _OBJECTIVE:
            metric["type"] = "Logloss"
    metadata["params"] = json.dumps(params)
    metadata[NAME] = settings_text(settings)
    if settings.loss.raw_is_posterior:
        negative, positive = settings.loss.class_weight
        plain_model(model).set_probability_threshold(negative / (negative + positive))


def settings_of(model: CatBoost, name: str) -> Settings | None:
    """Labels and loss of a model that `write_settings` has written to, or None.

    Raises
    ------
    ValueError
        If they are damaged; ``name`` is what the message calls the model.
    """
    metadata = model.get_metadata()
    if NAME not in metadata.keys():  # noqa: SIM118  # it is no dict
        return None
    n_features = len(model.feature_names_)
    return settings_from_text(metadata[NAME], name, 2, n_features)


def check_copy(model: CatBoost) -> None:
    """Refuse to write a copied model with text: CatBoost 1.2 crashes where it is read.

    Raises
    ------
    NotImplementedError
        If the model has columns of text and was not trained in this process.
    """
    if not model.get_text_feature_indices():
        return
    try:
        model.set_leaf_values(model.get_leaf_values())  # CatBoost refuses it of copies alone
    except CatBoostError:
        raise NotImplementedError(
            "This model has columns of text, and was copied. CatBoost 1.2 cannot write "
            "it again without damage: keep its file, or save the model where it was trained."
        ) from None


def with_margins(model: CatBoost, change: Calibration) -> CatBoost:
    """A model whose margins are ``offset + slope * margin`` of a model's.

    The slope is multiplied into the leaves, because CatBoost has no SHAP values of a model with
    a scale. It cannot multiply those of a model with text or embeddings: there the scale holds
    the slope. It cannot write copies of a model with text, which is therefore changed in place.
    """
    scale, bias = model.get_scale_and_bias()
    offset = float(change.offset + change.slope * bias)
    if model.get_text_feature_indices():
        found, scale = model, scale * change.slope
    elif model.get_embedding_feature_indices():
        found, scale = model.copy(), scale * change.slope
    else:
        found = model.copy() if change.slope == 1.0 else multiplied(model, change.slope)
    found.set_scale_and_bias(scale, offset)
    return found


def multiplied(model: CatBoost, factor: float) -> CatBoost:
    """A model with leaves and bias that are multiplied. Its leaves can be changed."""
    return merged([model], factor)


def merged(models: list[CatBoost], factor: float = 1.0) -> CatBoost:
    """The mean of models, multiplied; it has the parameters of the first one."""
    model = models[0]
    found = sum_models(models, weights=[factor / len(models)] * len(models))
    given, metadata = model.get_metadata(), found.get_metadata()
    for name in list(metadata.keys()):
        if name.startswith("model") and ":" in name:
            del metadata[name]
    for name in given.keys():  # noqa: SIM118  # it is no dict
        metadata[name] = given[name]
    keep_training(found, model)
    return found


def without_labels(model: CatBoost) -> CatBoost:
    """A copy of a model that CatBoost can add to one whose labels are codes."""
    copied = plain_model(model).copy()
    metadata = copied.get_metadata()
    if "class_params" in metadata.keys():  # noqa: SIM118  # it is no dict
        del metadata["class_params"]
    return copied


def without_bias(model: CatBoost) -> CatBoost:
    """A model whose first tree holds the bias.

    CatBoost 1.2 writes a bias into ONNX files in a way in which other programs misread it.
    """
    scale, bias = model.get_scale_and_bias()
    found = multiplied(model, scale)
    leaves = found.get_leaf_values()
    leaves[: found.get_tree_leaf_counts()[0]] += bias
    found.set_leaf_values(leaves)
    found.set_scale_and_bias(1.0, 0.0)
    return found
