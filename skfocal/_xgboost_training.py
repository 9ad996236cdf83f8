"""Training a plain `XGBClassifier` on the focal loss: metrics (floor 4)."""

from collections.abc import Callable
from typing import Any

from xgboost import XGBClassifier

from skfocal._base import FocalLoss
from skfocal._kernels import Array
from skfocal.objectives import (
    FocalEvalMetric,
    Measure,
    decision_error,
    mean_loss,
    posterior_log_loss,
)

MEASURES: dict[str, Measure] = {
    "focal_loss": mean_loss,
    "logloss": posterior_log_loss,
    "mlogloss": posterior_log_loss,
    "error": decision_error,
    "merror": decision_error,
}


class Metrics:
    """Measures of the margins in the form of ``xgboost.train(custom_metric=)``."""

    def __init__(self, loss: FocalLoss) -> None:
        self.loss = loss
        self.measures: dict[str, Measure] = {}

    def add(self, metric: str | Callable) -> str:
        """Add a measure by name, or a user's function of (y_true, probabilities)."""
        if isinstance(metric, FocalEvalMetric):
            self.measures[metric.__name__] = _on_margins(metric)
            return metric.__name__
        if isinstance(metric, str):
            self.measures[metric] = MEASURES[metric]
            return metric
        self.measures[metric.__name__] = _on_posterior(metric)
        return metric.__name__

    def __call__(self, margins: Array, dataset: Any) -> list[tuple[str, float]]:
        labels, weight = dataset.get_label(), dataset.get_weight()
        weight = weight if weight.size else None
        return [(k, f(self.loss, labels, margins, weight)) for k, f in self.measures.items()]


def _on_margins(metric: FocalEvalMetric) -> Measure:
    """A `FocalEvalMetric`, which takes margins."""

    def measure(loss: FocalLoss, y_true: Array, raw: Array, weight: Array | None) -> float:
        return mean_loss(metric._loss(raw), y_true, raw, weight)

    return measure


def _on_posterior(function: Callable) -> Measure:
    """A user's metric, shown probabilities as it is under a built-in objective."""

    def measure(loss: FocalLoss, y_true: Array, raw: Array, weight: Array | None) -> float:
        proba = loss.posterior(raw)
        proba = proba[:, 1] if loss.n_classes == 2 else proba
        if weight is None:
            return float(function(y_true, proba))
        return float(function(y_true, proba, sample_weight=weight))

    return measure


class Trainer(XGBClassifier):
    """XGBClassifier whose callable metrics are a `Metrics`."""

    _metrics: Metrics

    def _configure_fit(self, *args: Any, **kwargs: Any) -> Any:
        model, _, params, feature_weights = super()._configure_fit(*args, **kwargs)
        metric = self._metrics if self._metrics.measures else None
        return model, metric, params, feature_weights
