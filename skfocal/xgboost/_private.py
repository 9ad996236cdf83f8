"""All private names of XGBoost that skfocal uses, each with its reason (floor 5).

No other file of skfocal touches a private name of XGBoost. ``tests`` pin each of them: a new
version of XGBoost that changes one fails there, and not in a user's fit.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost
from xgboost import Booster, DMatrix, XGBClassifier, XGBModel
from xgboost.callback import EvaluationMonitor

from skfocal._booster._model_files import Settings
from skfocal._estimator._callbacks import as_defined
from skfocal.xgboost._metrics import Metrics
from skfocal.xgboost._parameters import IterationRange, check_rounds


class WithMetrics:
    """For a class of XGBoost: its computed metrics are a `Metrics`.

    XGBoost's classes take one function as a metric. ``_configure_fit`` returns what they hand
    to `xgboost.train`, and so it is the place for an object that computes several metrics.
    """

    _metrics: Metrics

    @property
    def n_classes_(self) -> int:
        """The number of classes. XGBoost would count those in y, which may lack some."""
        return self._metrics.loss.n_classes

    @n_classes_.setter
    def n_classes_(self, value: int) -> None:
        pass

    def _configure_fit(self, *args: Any, **kwargs: Any) -> Any:
        # of the class that this one is mixed into
        configured = super()._configure_fit(*args, **kwargs)  # type: ignore[misc]
        model, _, params, feature_weights = configured
        metric = self._metrics if self._metrics.measures else None
        return model, metric, params, feature_weights


class Trainer(WithMetrics, XGBClassifier):
    """A plain classifier that trains on the codes of a table in memory."""

    _codes: npt.NDArray[Any]

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The codes in y, which XGBoost wants to find there."""
        return self._codes

    def fit(self, X: Any, y: npt.NDArray[Any], **arguments: Any) -> "Trainer":
        """Fit; arguments as of `XGBClassifier.fit`."""
        self._codes = np.flatnonzero(np.bincount(y))
        as_defined(XGBClassifier.fit)(self, X, y, **arguments)
        return self


class CheckedRounds:
    """For a class of XGBoost: it refuses ranges of rounds that its model does not have.

    XGBoost's methods ask ``_get_iteration_range``, which cuts fractions and takes any number.
    """

    def _get_iteration_range(self, iteration_range: Any) -> IterationRange:
        if iteration_range is not None:
            n_rounds = self.get_booster().num_boosted_rounds()  # type: ignore[attr-defined]
            check_rounds(iteration_range, n_rounds)
        # of the class that this one is mixed into
        rounds: IterationRange = super()._get_iteration_range(  # type: ignore[misc]
            iteration_range
        )
        return rounds

    def _rounds_in_use(self, iteration_range: Any) -> IterationRange:
        """The range of rounds that predictions use."""
        return self._get_iteration_range(iteration_range)


class Monitor(EvaluationMonitor):
    """XGBoost's printing of metrics, with five digits for numbers below 0.1.

    XGBoost prints five decimals, which hide small differences. Only ``_fmt_metric`` can change
    that.
    """

    def _fmt_metric(self, data: str, metric: str, score: float, std: float | None) -> str:
        if std is None and 0.0 < abs(score) < 0.1:
            return f"\t{data}-{metric}:{score:.5g}"
        return super()._fmt_metric(data, metric, score, std)


def train_as_fit_does(*args: Any, **kwargs: Any) -> Booster:
    """`xgboost.train` by the name that `XGBModel.fit` calls.

    mlflow's autologging replaces `xgboost.train` by a function that saves the booster. It would
    save it before the labels and the loss are in it.
    """
    return xgboost.sklearn.train(*args, **kwargs)  # type: ignore[attr-defined]


def configured(
    trainer: Any, continued: Booster | None, params: dict[str, Any]
) -> tuple[Booster | None, Any, dict[str, Any]]:
    """Continued model, metric and parameters, as `XGBModel.fit` hands them to `xgboost.train`."""
    model, metric, params, _ = trainer._configure_fit(continued, params, None)
    return model, metric, params


def make_matrix(trainer: Any, ref: DMatrix | None, **data: Any) -> DMatrix:
    """The matrix that `XGBModel.fit` makes of a table."""
    matrix: DMatrix = trainer._create_dmatrix(
        ref=ref,
        missing=trainer.missing,
        enable_categorical=trainer.enable_categorical,
        feature_types=trainer.feature_types,
        **data,
    )
    return matrix


def set_booster(model: XGBModel, booster: Booster) -> None:
    """Replace the booster of a model; ``get_booster`` reads it."""
    model._Booster = booster


def set_history(model: Any, history: Any) -> None:
    """Set ``evals_result_`` as `XGBModel.fit` does: best iteration and score follow from it."""
    model._set_evaluation_result(history)


def learned_attributes(booster: Booster, settings: Settings) -> dict[str, Any]:
    """What fit learns, by the names of XGBClassifier's attributes."""
    return {
        "_Booster": booster,
        "n_classes_": settings.loss.n_classes,
        "classes_": settings.classes,
        "loss_": settings.loss,
        "_probabilities": settings.probabilities,
    }
