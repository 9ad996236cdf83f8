"""Metrics of a focal model by XGBoost's names (floor 5)."""

from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any

import numpy as np
from xgboost import Booster
from xgboost.callback import TrainingCallback

from skfocal._booster._metrics import (
    Measure,
    absolute_error,
    average_precision,
    decision_error,
    error_at,
    posterior_log_loss,
    roc_auc,
    root_squared_error,
)
from skfocal._kernels import Array
from skfocal.losses import FocalLoss, mean_loss
from skfocal.objectives import FocalEvalMetric

# Metrics by XGBoost's names.
BY_NAME: dict[str, Measure] = {
    "focal_loss": mean_loss,
    "logloss": posterior_log_loss,
    "mlogloss": posterior_log_loss,
    "error": decision_error,
    "merror": decision_error,
    "rmse": root_squared_error,
    "mae": absolute_error,
    "auc": roc_auc,
    "aucpr": average_precision,
}
ONLY_BINARY = ("rmse", "mae")
# Binary margins and probabilities have the same order: XGBoost computes these from margins.
RANK_METRICS = ("auc", "aucpr")
# The same for these, which may have a suffix such as "@5-".
_RANK_PREFIXES = ("ndcg", "map", "pre")


class Metrics:
    """Measures of the margins in the form of ``xgboost.train(custom_metric=)``.

    XGBoost computes the metrics in ``names`` that are not in ``measures``.
    """

    def __init__(self, loss: FocalLoss) -> None:
        self.loss = loss
        self.names: list[str] = []
        self.measures: dict[str, Measure] = {}
        # The workers of a cluster may be threads of one process that share this object.
        self._of_thread: dict[int, list[list[tuple[str, float]]]] = {}

    def __repr__(self) -> str:  # what loggers print
        return f"{', '.join(self.measures)} of {self.loss!r}"

    def add(self, metric: str | Callable[..., Any]) -> None:
        """Add a measure by name, or a user's function of (y_true, probabilities)."""
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
        if name is None:
            raise TypeError(
                "eval_metric must hold names of metrics, and functions that have a __name__; "
                f"got {metric!r}."
            )
        if set(name) & set(": \t\n"):
            raise ValueError(f"XGBoost takes no colon or blank in the name of a metric: {name!r}.")
        if name in self.names:
            raise ValueError(f"eval_metric has two metrics of the name {name!r}: rename one.")
        self.names.append(name)
        measure = self._named(metric) if isinstance(metric, str) else _of_function(metric)
        if measure is not None:
            self.measures[name] = measure

    def _named(self, name: str) -> Measure | None:
        binary = self.loss.n_classes == 2
        is_error_at = name.startswith("error@")
        if not binary and (is_error_at or name in ONLY_BINARY):
            raise ValueError(
                f"Metric {name!r} is for two classes; y has {self.loss.n_classes}. Give a "
                "function of (y_true, probabilities)."
            )
        if binary and (name in RANK_METRICS or name.partition("@")[0] in _RANK_PREFIXES):
            return None
        if name in BY_NAME:
            return BY_NAME[name]
        if is_error_at:
            return error_at(float(name.partition("@")[2]))
        if self.loss.raw_is_posterior:
            return None
        raise ValueError(
            f"Metric {name!r} would be computed from the sigmoid or softmax of the margins. "
            f"By name there are {sorted(BY_NAME)} and 'error@t'; give any other as a function "
            "of (y_true, probabilities)."
        )

    def __call__(self, margins: Array, dataset: Any) -> list[tuple[str, float]]:
        values = self.values(margins, dataset)
        self._of_thread.setdefault(get_ident(), []).append(values)
        return values

    def values(self, margins: Array, dataset: Any) -> list[tuple[str, float]]:
        """Names and values of the measures; of margins in double, so that no digit is lost."""
        labels, weight = dataset.get_label(), dataset.get_weight()
        weight = weight if weight.size else None
        margins = margins.astype(np.float64)
        return [(k, f(self.loss, labels, margins, weight)) for k, f in self.measures.items()]

    def taken(self) -> list[list[tuple[str, float]]]:
        """The values of each evaluation set since the last call, in this thread."""
        return self._of_thread.pop(get_ident(), [])


def _of_function(metric: Callable[..., Any]) -> Measure:
    return _on_margins(metric) if isinstance(metric, FocalEvalMetric) else _on_posterior(metric)


def _on_margins(metric: FocalEvalMetric) -> Measure:
    """A `FocalEvalMetric`, which takes margins."""

    def measure(loss: FocalLoss, y_true: Array, raw: Array, weight: Array | None) -> float:
        return mean_loss(metric._loss_of(raw), y_true, raw, weight)

    return measure


def _on_posterior(function: Callable[..., Any]) -> Measure:
    """A user's metric. It gets probabilities, as with a built-in objective of XGBoost."""

    def measure(loss: FocalLoss, y_true: Array, raw: Array, weight: Array | None) -> float:
        proba = loss.posterior(raw)
        proba = proba[:, 1] if loss.n_classes == 2 else proba
        if weight is None:
            return float(function(y_true, proba))
        return float(function(y_true, proba, sample_weight=weight))

    return measure


class FullPrecision(TrainingCallback):
    """Writes the computed metrics into XGBoost's history, in the order in which they were given.

    XGBoost itself prints them with six decimals, after its own metrics, and reads its history
    from that text. This callback is the first one. So all others, such as early stopping, see
    the exact numbers, and the last metric is the one that was given last.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def before_training(self, model: Booster) -> Booster:
        self.metrics.taken()  # values that a failed training left
        return model

    def after_iteration(self, model: Booster, epoch: int, evals_log: Any) -> bool:
        for history, values in zip(evals_log.values(), self.metrics.taken(), strict=True):
            for name, value in values:
                history[name][-1] = value
            # XGBoost may change the names of its own metrics, but not their order
            theirs = iter([name for name in history if name not in self.metrics.measures])
            for name in self.metrics.names:
                history.move_to_end(name if name in self.metrics.measures else next(theirs))
        return False


def metrics_of(params: dict[str, Any], metrics: Metrics) -> tuple[list[str], dict[str, Any]]:
    """Fill ``metrics`` from the parameters; XGBoost's own metrics, and the other parameters."""
    params = dict(params)
    for metric in _metric_list(params.pop("eval_metric")):
        metrics.add(metric)
    names = [name for name in metrics.names if name not in metrics.measures]
    if not names:
        params["disable_default_eval_metric"] = True
    return names, params


def _metric_list(given: Any) -> list[Any]:
    """Metrics as a list, with each name once."""
    if given is None:
        return ["focal_loss"]
    if isinstance(given, str) or callable(given):
        return [given]
    if not isinstance(given, Sequence):
        raise TypeError(f"eval_metric must be a name, a function or a list of them; got {given!r}.")
    metrics: list[Any] = []
    for metric in given:
        if not (isinstance(metric, str) and metric in metrics):
            metrics.append(metric)
    return metrics or ["focal_loss"]
