"""Metrics of `FocalLGBMClassifier`: which are LightGBM's, and which are computed here (floor 5)."""

from collections.abc import Callable
from inspect import signature
from typing import Any

from skfocal._booster._metrics import (
    Measure,
    absolute_error,
    auc_mu,
    average_precision,
    decision_error,
    posterior_log_loss,
    roc_auc,
    root_squared_error,
    squared_error,
)
from skfocal._kernels import Array
from skfocal.losses import FocalLoss, mean_loss
from skfocal.objectives import FocalEvalMetric

# {LightGBM's name: (aliases, measure, whether greater is better)}. If two names differ in
# "binary" and "multi", LightGBM takes the one that fits the number of classes.
BY_NAME: dict[str, tuple[tuple[str, ...], Measure, bool]] = {
    "focal_loss": ((), mean_loss, False),
    "logloss": (
        (
            *("binary_logloss", "binary", "multi_logloss", "multiclass", "softmax"),
            *("multiclassova", "multiclass_ova", "ova", "ovr"),
        ),
        posterior_log_loss,
        False,
    ),
    "cross_entropy": (("xentropy",), posterior_log_loss, False),
    "error": (("binary_error", "multi_error"), decision_error, False),
    "l1": (("mae", "mean_absolute_error", "regression_l1"), absolute_error, False),
    "l2": (("mse", "mean_squared_error", "regression_l2", "regression"), squared_error, False),
    "rmse": (("l2_root", "root_mean_squared_error"), root_squared_error, False),
    "auc": ((), roc_auc, True),
    "average_precision": ((), average_precision, True),
    "auc_mu": ((), auc_mu, True),
}
ONLY_BINARY = ("l1", "l2", "rmse")
ONLY_MULTICLASS = ("auc_mu",)
# Binary margins and probabilities have the same order: LightGBM may compute these from margins.
RANK_METRICS = ("auc", "average_precision")
METRIC_PARAMETERS = ("metric", "metrics", "metric_types")
DEFAULT_METRIC = "focal_loss"
_NO_METRIC = ("", "None", "none", "na", "null", "custom")


class _Metric:
    """A measure of the loss's margins in the form of LightGBM's callable metrics."""

    def __init__(self, name: str, measure: Measure, greater: bool, loss: FocalLoss) -> None:
        self.name, self.measure, self.greater, self.loss = name, measure, greater, loss

    def __call__(
        self, y_true: Array, y_pred: Array, weight: Array | None
    ) -> tuple[str, float, bool]:
        return self.name, self.measure(self.loss, y_true, y_pred, weight), self.greater


class _OnPosterior:
    """A user's metric, shown probabilities as it is under a built-in objective."""

    def __init__(self, function: Callable[..., Any], loss: FocalLoss) -> None:
        self.function, self.loss = function, loss
        self.n_arguments = len(signature(function).parameters)
        if not 2 <= self.n_arguments <= 4:
            raise TypeError(
                f"eval_metric {function!r} must take 2, 3 or 4 arguments, (y_true, y_pred, "
                f"weight, group); it takes {self.n_arguments}."
            )

    def __call__(self, y_true: Array, y_pred: Array, weight: Array | None) -> Any:
        proba = self.loss.posterior(y_pred)
        proba = proba[:, 1] if self.loss.n_classes == 2 else proba
        return self.function(*(y_true, proba, weight, None)[: self.n_arguments])


def split_metrics(
    eval_metric: Any, params: dict[str, Any], loss: FocalLoss
) -> tuple[list[str], list[Callable[..., Any]]]:
    """Built-in metrics to leave to LightGBM, and those computed here; each name once.

    The order is LightGBM's, by which early stopping goes: the names in ``eval_metric``,
    then the ones among the parameters or the default, then the callables.
    """
    asked = _flat(eval_metric)
    given = [m for k in METRIC_PARAMETERS for m in _flat(params.get(k))]
    default = given or [DEFAULT_METRIC]
    names = [m for m in asked if isinstance(m, str)]
    functions = [m for m in asked if not isinstance(m, str)]
    passed: list[str] = []
    computed: dict[Any, Callable[..., Any]] = {}
    for name in [*names, *default]:
        if isinstance(name, str) and name in _NO_METRIC:
            continue
        metric = _named_metric(name, loss)
        # LightGBM evaluates its own first: one that comes after ours has to be ours too
        if metric.name in RANK_METRICS and loss.n_classes == 2 and not computed:
            passed += [] if metric.name in passed else [metric.name]
        elif metric.name not in passed:
            computed[metric.name] = metric
    for function in functions:
        if isinstance(function, FocalEvalMetric):
            computed[function.__name__] = function  # takes margins
        else:
            computed[id(function)] = _OnPosterior(function, loss)
    return passed, list(computed.values())


def _flat(given: Any) -> list[Any]:
    """Metrics in a list, in text with commas, or one alone."""
    given = [given] if isinstance(given, str) or callable(given) else given or []
    return [part for m in given for part in (m.split(",") if isinstance(m, str) else [m])]


def _named_metric(name: Any, loss: FocalLoss) -> _Metric:
    binary = loss.n_classes == 2
    for own, (aliases, measure, greater) in BY_NAME.items():
        if name == own or name in aliases:
            if own in (ONLY_MULTICLASS if binary else ONLY_BINARY):
                number = "more than two" if binary else "two"
                raise ValueError(
                    f"Metric {name!r} is for {number} classes; y has {loss.n_classes}."
                )
            if own in ("logloss", "error"):
                own = f"{'binary' if binary else 'multi'}_{own}"
            return _Metric(own, measure, greater, loss)
    known = sorted({*BY_NAME, *(alias for aliases, *_ in BY_NAME.values() for alias in aliases)})
    raise ValueError(
        f"Metric {name!r} would be computed from margins. By name there are {known}; give any "
        "other as a function of (y_true, probabilities)."
    )
