"""Parameters of CatBoost: other names, class weights, and what is refused (floor 5)."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from skfocal._booster._arguments import refuse_misspelt
from skfocal._estimator._target import ClassTotals, Target
from skfocal.losses import FocalLoss
from skfocal.losses._parameters import check_integer, is_word, weights_by_label

# CatBoost's names of one parameter; the first is the one that training takes.
SYNONYMS = (
    ("loss_function", "objective"),
    ("learning_rate", "eta"),
    ("iterations", "n_estimators", "num_boost_round", "num_trees"),
    ("l2_leaf_reg", "reg_lambda"),
    ("od_wait", "early_stopping_rounds"),
    ("custom_metric", "custom_loss"),
)
# Parameters that would make another model than the one that is described:
# {name: (the values that change nothing, what to do instead)}.
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "loss_function": (("Logloss",), "the loss is the focal loss; focal_gamma=0 is Logloss"),
    "classes_count": ((2,), "there are two classes"),
    "class_names": ((), "the labels of y are found, and sorted"),
    "target_border": ((), "give y as labels of two classes"),
    "allow_const_label": ((False,), "y must have two classes"),
}
# The same where CatBoost trains on an objective that it does not know, as for gamma above 0.
_REFUSED_WITH_GAMMA: dict[str, tuple[tuple[Any, ...], str]] = {
    "task_type": (("CPU",), "its GPU takes Logloss, which is focal_gamma=0 without class weights"),
    "leaf_estimation_backtracking": (("No",), "CatBoost compares values of Logloss alone"),
    "model_shrink_rate": ((0,), "CatBoost ignores it where training starts at a constant"),
    "posterior_sampling": ((False,), "CatBoost's formula is that of Logloss"),
    "langevin": ((False,), "CatBoost shrinks the model then, which it cannot from a constant"),
    "diffusion_temperature": ((), "it switches langevin on"),
}
# CatBoost's parameters that weigh classes. Only one of them may be given.
CLASS_WEIGHTS = ("class_weights", "auto_class_weights", "scale_pos_weight")
# With one of these CatBoost chooses no learning rate.
_NOT_CHOSEN = (
    *("learning_rate", "leaf_estimation_method", "leaf_estimation_iterations"),
    "l2_leaf_reg",
)


def canonical(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are given, by CatBoost's first name of each.

    Raises
    ------
    ValueError
        If a parameter is given under two of its names.
    """
    found = {name: value for name, value in params.items() if value is not None}
    for first, *others in SYNONYMS:
        names = [name for name in (first, *others) if name in found]
        if len(names) > 1:
            raise ValueError(f"{' and '.join(names)} are the same parameter: give one of them.")
        for name in names:
            found[first] = found.pop(name)
    if found.get("thread_count") in (-1, None):  # which CatBoost's constructor leaves out
        found.pop("thread_count", None)
    return found


def check_parameters(params: dict[str, Any]) -> None:
    """Refuse what has no meaning, or no effect, beside the focal loss.

    Raises
    ------
    TypeError, ValueError
        If a parameter is misspelt, given twice, or refused.
    """
    refuse_misspelt(params)
    found = canonical(params)
    _refuse(found, _REFUSED, "beside the focal loss")
    given = [name for name in CLASS_WEIGHTS if found.get(name) is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} both weigh the classes: give one of them.")
    check_integer(found.get("iterations", 1000), "iterations", 1)


def check_of_loss(params: dict[str, Any], loss: FocalLoss) -> None:
    """Refuse what CatBoost does for its own Logloss alone.

    Raises
    ------
    ValueError
        If such a parameter is given.
    """
    if not is_logloss(loss):
        _refuse(canonical(params), _REFUSED_WITH_GAMMA, f"with {loss!r}")


def _refuse(
    params: dict[str, Any], refused: dict[str, tuple[tuple[Any, ...], str]], where: str
) -> None:
    for name, (neutral, instead) in refused.items():
        value = params.get(name)
        if value is not None and not any(value is each or value == each for each in neutral):
            raise ValueError(f"{name}={value!r} has no meaning {where}: {instead}.")


def is_logloss(loss: FocalLoss) -> bool:
    """Whether the loss is CatBoost's Logloss. With class weights its metrics differ."""
    return loss.is_cross_entropy and set(loss.class_weight) == {1.0}


def class_weight_of(
    params: Mapping[str, Any], totals: ClassTotals, alpha: Any
) -> tuple[float, ...] | None:
    """The weights of the classes that CatBoost's own parameters name, as numbers.

    ``alpha`` is the parameter ``focal_alpha``, beside which a second word is refused.

    Raises
    ------
    TypeError, ValueError
        If they are no positive numbers, or a word that CatBoost does not know.
    """
    if params.get("scale_pos_weight") is not None:
        weight: Any = params["scale_pos_weight"]
        if not isinstance(weight, Real) or not 0.0 < float(weight) < np.inf:
            raise ValueError(f"scale_pos_weight must be positive and finite; got {weight!r}.")
        return 1.0, float(weight)
    given = params.get("class_weights")
    if given is not None:
        if isinstance(given, Mapping):
            try:
                given = weights_by_label(given, totals.classes)
            except ValueError as error:
                message = str(error).replace("class_weight ", "class_weights ")
                raise ValueError(message) from None
        return _positive(given, "class_weights")
    word = params.get("auto_class_weights")
    if word in (None, "None"):
        return None
    if word not in ("Balanced", "SqrtBalanced"):
        raise ValueError(
            f'auto_class_weights must be "Balanced", "SqrtBalanced" or "None"; got {word!r}.'
        )
    if is_word(alpha):
        raise ValueError(
            f"focal_alpha={alpha!r} and auto_class_weights={word!r} multiply, which would balance "
            "twice: give one of them."
        )
    if not totals.weights.all():
        raise ValueError(f"auto_class_weights={word!r} needs rows of each class with a weight.")
    ratio = totals.weights.max() / totals.weights
    return tuple((ratio if word == "Balanced" else np.sqrt(ratio)).tolist())


def _positive(given: Any, name: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(weight) for weight in given)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must hold numbers; got {given!r}.") from None
    if len(numbers) != 2 or not all(0.0 < number < np.inf for number in numbers):
        raise ValueError(
            f"{name} must be positive and finite, one for each of two classes; got {given!r}."
        )
    return numbers


def with_defaults_of_logloss(
    params: dict[str, Any], n_rows: int, n_columns: int, *, best_model: bool
) -> dict[str, Any]:
    """The parameters with those values that CatBoost would choose for its own Logloss.

    For other objectives it takes one step a leaf along the gradient, and the learning rate 0.03.
    """
    found = dict(params)
    iterations = int(found.get("iterations", 1000))
    if found.get("eval_fraction"):
        n_rows, best_model = round(n_rows * (1.0 - found["eval_fraction"])), True
    # CatBoost has another default with monotone_constraints, which it cannot apply from a constant
    found.setdefault("model_shrink_rate", 0)
    if all(found.get(name) is None for name in _NOT_CHOSEN):
        best_model = bool(found.get("use_best_model", best_model))
        found["learning_rate"] = chosen_learning_rate(n_rows, iterations, best_model=best_model)
    if found.get("leaf_estimation_method") is None:
        found["leaf_estimation_method"] = "Newton"
    if found.get("leaf_estimation_iterations") is None:
        short = iterations < 200 and n_columns < 20
        newton = found["leaf_estimation_method"] == "Newton"
        found["leaf_estimation_iterations"] = 1 if short else 10 if newton else 40
    return found


def chosen_learning_rate(n_rows: int, iterations: int, *, best_model: bool) -> float:
    """The learning rate that CatBoost chooses for Logloss that starts at the average.

    Source: CatBoost 1.2, ``catboost/libs/train_lib/options_helper.cpp``, ``GetLearningRate``.
    """
    a, b, c = (0.246, -5.127, -0.451) if best_model else (0.408, -7.299, -0.928)
    rate: float = math.exp(a * math.log(n_rows) + b) * (iterations / 1000) ** c
    return round(min(rate, 0.5), 6)


def check_classes(target: Target) -> None:
    """Refuse more than two classes, or less than two with rows of a weight.

    Raises
    ------
    ValueError
        If there are such.
    """
    classes = target.classes
    if len(classes) > 2:
        raise ValueError(
            f"Only binary classification is supported. y has {len(classes)} classes: CatBoost "
            "calls an objective of more than two classes once for each row, which is far slower "
            "than its own MultiClass. Use FocalLGBMClassifier, FocalXGBClassifier or "
            "FocalHistGradientBoostingClassifier."
        )
    if not target.totals.weights.all():
        raise ValueError(
            "CatBoost needs rows of two classes: sample_weight leaves rows of one class only."
        )
