"""Metrics of a focal model by CatBoost's names (floor 5)."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from skfocal._booster._metrics import Measure, decision_error, posterior_log_loss, squared_error
from skfocal._kernels import Array
from skfocal.catboost._parameters import is_logloss
from skfocal.losses import FocalLoss, mean_loss


def accuracy(
    loss: FocalLoss, y_true: Array, raw: Array, sample_weight: Array | None = None
) -> float:
    """Share of rows whose class is the one with the largest weight x posterior."""
    return 1.0 - decision_error(loss, y_true, raw, sample_weight)


# Metrics that skfocal computes, by CatBoost's names.
BY_NAME: Mapping[str, Measure] = {
    "focal_loss": mean_loss,
    "Logloss": posterior_log_loss,
    "CrossEntropy": posterior_log_loss,
    "BrierScore": squared_error,
    "ZeroOneLoss": decision_error,
    "Accuracy": accuracy,
}
# Margins and probabilities have the same order: CatBoost computes these from margins.
RANK_METRICS = ("AUC", "PRAUC", "NormalizedGini")


class ComputedMetric:
    """A metric in the form that CatBoost asks for. It shows the name of the class."""

    no_jit = True  # CatBoost would try to compile the method

    def __init__(self, loss: FocalLoss) -> None:
        self.loss = loss

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # CatBoost copies its parameters

    def evaluate(
        self, approxes: Sequence[Array], target: Array, weight: Array | None
    ) -> tuple[float, float]:
        """The sum of the metric over rows, and the sum of their weights."""
        raise NotImplementedError

    def get_final_error(self, error: float, weight: float) -> float:
        """The value that CatBoost shows."""
        return error / (weight + 1e-38)

    def is_max_optimal(self) -> bool:
        """Whether greater is better."""
        return False


def without_class_weights(loss: FocalLoss, target: Array, weight: Array | None) -> Array | None:
    """The weights of rows, which have the weights of their classes as factors in a pool."""
    if weight is None or is_logloss(loss):
        return weight
    return np.asarray(weight / np.take(loss.class_weight, target.astype(np.intp)))


def computed(name: str, loss: FocalLoss) -> ComputedMetric:
    """A metric that skfocal computes."""
    measure = BY_NAME[name]

    def evaluate(
        self: ComputedMetric, approxes: Sequence[Array], target: Array, weight: Array | None
    ) -> tuple[float, float]:
        weight = without_class_weights(self.loss, target, weight)
        total = float(len(target) if weight is None else weight.sum())
        return measure(self.loss, target, approxes[0], weight) * total, total

    greater = name == "Accuracy"
    members = {"evaluate": evaluate, "is_max_optimal": lambda self: greater}
    kind: type[ComputedMetric] = type(name, (ComputedMetric,), members)
    return kind(loss)


def of_log_odds(metric: Any, loss: FocalLoss) -> ComputedMetric:
    """A user's metric, which gets the log-odds of the posterior in place of margins."""

    def evaluate(
        self: ComputedMetric, approxes: Sequence[Array], target: Array, weight: Array | None
    ) -> Any:
        weight = without_class_weights(self.loss, target, weight)
        return metric.evaluate((self.loss.log_odds(approxes[0]),), target, weight)

    members = {
        "evaluate": evaluate,
        "is_max_optimal": lambda self: metric.is_max_optimal(),
        "get_final_error": lambda self, error, weight: metric.get_final_error(error, weight),
    }
    kind: type[ComputedMetric] = type(type(metric).__name__, (ComputedMetric,), members)
    return kind(loss)


def metrics_of(params: Mapping[str, Any], loss: FocalLoss) -> dict[str, Any]:
    """CatBoost's parameters ``eval_metric`` and ``custom_metric`` for this loss.

    Raises
    ------
    TypeError, ValueError
        If a metric would be computed from margins that are no log-odds.
    """
    found: dict[str, Any] = {}
    given = params.get("eval_metric")
    if given is not None and not isinstance(given, str):
        if not hasattr(given, "evaluate"):
            raise TypeError(
                "eval_metric must be the name of a metric, or an object with the methods "
                f"evaluate, is_max_optimal and get_final_error; got {given!r}."
            )
        found["eval_metric"] = given if is_logloss(loss) else of_log_odds(given, loss)
    elif not is_logloss(loss) or given in BY_NAME:
        found["eval_metric"] = _eval_metric(given or "focal_loss", loss)
    elif given is not None:
        found["eval_metric"] = given
    others = params.get("custom_metric")
    if others is not None:
        found["custom_metric"] = [others] if isinstance(others, str) else list(others)
        for name in found["custom_metric"]:
            check_metric(name, loss, "custom_metric")
    return found


def _eval_metric(name: str, loss: FocalLoss) -> Any:
    if is_logloss(loss) and name != "focal_loss":
        return name
    if name in BY_NAME:
        return computed(name, loss)
    check_metric(name, loss, "eval_metric")
    return name


def check_metric(name: Any, loss: FocalLoss, parameter: str) -> None:
    """Refuse a metric that CatBoost would compute from margins that are no log-odds.

    Raises
    ------
    TypeError, ValueError
        If it would, or if it is no name.
    """
    if not isinstance(name, str):
        raise TypeError(f"{parameter} must hold names of metrics; got {name!r}.")
    kind = name.partition(":")[0]
    if kind in RANK_METRICS or is_logloss(loss):
        return
    weighted = len(set(loss.class_weight)) > 1
    if loss.raw_is_posterior and not weighted and kind != "focal_loss":
        return
    raise ValueError(
        f"{parameter}={name!r} would be computed from margins that are no log-odds, or with class "
        f"weights. By name there are {sorted(BY_NAME)} as eval_metric, without "
        f'parameters, and {sorted(RANK_METRICS)}. With link="posterior" and without class weights '
        "there are all of CatBoost's."
    )
