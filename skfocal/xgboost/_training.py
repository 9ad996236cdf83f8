"""Training a plain `XGBClassifier` on the focal loss (floor 5)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from xgboost import Booster, XGBModel
from xgboost.callback import TrainingCallback

from skfocal._booster._arguments import FOCAL_PARAMETERS, booster_threads, check_same_loss
from skfocal._booster._eval_sets import Checked, Evaluation, check_pairs
from skfocal._booster._plan import Plan
from skfocal._estimator._callbacks import Rounds
from skfocal._estimator._mixin import FocalClassifierMixin
from skfocal._estimator._target import Target, encode_labels
from skfocal._kernels import fetched
from skfocal.losses import FocalLoss
from skfocal.losses._parameters import check_integer
from skfocal.objectives import FocalObjective
from skfocal.objectives._conventions import base_score
from skfocal.xgboost._format import (
    n_classes_of,
    readable,
    settings_of,
    with_margins,
    write_settings,
)
from skfocal.xgboost._metrics import FullPrecision, Metrics, metrics_of
from skfocal.xgboost._parameters import check_table, native
from skfocal.xgboost._private import Monitor, Trainer, learned_attributes


def continued_booster(xgb_model: Any, loss: FocalLoss) -> Booster | None:
    """The booster of a model that training continues, or None.

    The loss of a focal classifier, and of its booster, is known. Of other models it is not:
    then their margins count as margins of this loss. Training goes on without calibration and
    priors: they are undone.

    Raises
    ------
    ValueError
        If the model has another number of classes or is known to be of another loss.
    """
    if xgb_model is None:
        return None
    known: Any = None
    if isinstance(xgb_model, FocalClassifierMixin):
        known = xgb_model.loss_, xgb_model._probabilities
    if isinstance(xgb_model, XGBModel):
        booster = xgb_model.get_booster()
    elif isinstance(xgb_model, Booster):
        booster = xgb_model
    else:
        with readable(xgb_model):
            booster = Booster(model_file=xgb_model)
    if n_classes_of(booster) != loss.n_classes:
        raise ValueError(f"xgb_model has {n_classes_of(booster)} classes; y has {loss.n_classes}.")
    settings = settings_of(booster, "xgb_model")
    if known is None and settings is not None:
        known = settings.loss, settings.probabilities
    if known is None:
        return booster
    check_same_loss(known[0], loss, "xgb_model")
    correction = known[1].correction
    if correction.is_identity or not loss.raw_is_posterior:
        return booster
    return with_margins(booster, correction.inverse())


def evaluation_arguments(
    estimator: Any, evaluation: Evaluation, plan: Plan, checked: Checked
) -> dict[str, Any]:
    """Arguments of `XGBClassifier.fit` for evaluation sets, with labels as codes."""
    check_pairs(evaluation.sets or [])
    table = partial(check_table, estimator, reset=False)
    codes = partial(encode_labels, plan.classes, name="eval_set")
    pairs = [
        (checked.of(X, table, X), checked.of(y, codes, fetched(y)))
        for X, y in evaluation.sets or []
    ]
    return {"eval_set": pairs or None, **native_arguments(evaluation, checked)}


def native_arguments(evaluation: Evaluation, checked: Checked) -> dict[str, Any]:
    """Weights and margins of evaluation sets, with bytes in this machine's order."""

    def all_of(given: Sequence[Any] | None) -> list[Any] | None:
        return None if given is None else [checked.of(each, native, each) for each in given]

    return {
        "sample_weight_eval_set": all_of(evaluation.sample_weight),
        "base_margin_eval_set": all_of(evaluation.margins),
    }


def base_margin_of(given: Any, target: Target, plan: Plan) -> Any:
    """XGBoost's ``base_margin`` for all rows; it also takes them row by row in one array."""
    n_rows = int(target.n_rows.sum())
    if plan.n_classes > 2 and np.shape(given) == (n_rows * plan.n_classes,):
        return fetched(given).reshape(n_rows, plan.n_classes)
    return given


def fitted_booster(booster: Booster, plan: Plan) -> Booster:
    """The booster of a fitted model: a copy with the settings and for the priors of the plan."""
    if plan.prior_shift is None:
        booster = booster.copy()
    else:
        booster = with_margins(booster, plan.probabilities.correction)
    write_settings(booster, plan.settings)
    return booster


class _RoundsCallback(TrainingCallback):
    """scikit-learn's callbacks as one of XGBoost's."""

    def __init__(self, rounds: Rounds, plan: Plan) -> None:
        self.rounds, self.plan = rounds, plan

    def _learned(self, model: Booster) -> dict[str, Any]:
        return learned_attributes(fitted_booster(model, self.plan), self.plan.settings)

    def before_iteration(self, model: Booster, epoch: int, evals_log: Any) -> bool:
        self.rounds.begin(lambda: self._learned(model))
        return False

    def after_iteration(self, model: Booster, epoch: int, evals_log: Any) -> bool:
        return self.rounds.end(lambda: self._learned(model))


def make_trainer(
    params: dict[str, Any],
    plan: Plan,
    verbose: bool | int | None,
    rounds: Rounds | None = None,
    trainer_class: Any = Trainer,
    metrics: Metrics | None = None,
) -> Any:
    """A plain XGBoost classifier with the focal objective and metrics.

    Parameters
    ----------
    params : dict
        Parameters of the focal classifier.
    plan : Plan
    verbose : bool, int or None
        As the user gives it to fit. A callback of ours prints; the trainer itself must not.
    rounds : Rounds or None
        scikit-learn's callbacks.
    trainer_class : type
        A child of `WithMetrics` and of a class of XGBoost.
    metrics : Metrics or None
        Empty; None for those of a process alone.
    """
    params = {k: v for k, v in params.items() if k not in FOCAL_PARAMETERS}
    metrics = Metrics(plan.loss) if metrics is None else metrics
    names, params = metrics_of(params, metrics)
    params["callbacks"] = _callbacks(params["callbacks"], metrics, rounds, plan, verbose) or None
    params["feature_weights"] = native(params["feature_weights"])
    trainer = trainer_class(**params)
    n_threads = booster_threads(params.get("nthread") or params["n_jobs"])
    trainer.objective = FocalObjective._from_loss(
        plan.loss, library="xgboost", scale=plan.scale, n_threads=n_threads
    )
    trainer.eval_metric = names or None
    trainer._metrics = metrics
    if plan.intercept is not None:
        trainer.base_score = base_score(plan.intercept)
    return trainer


def _callbacks(
    given: Any, metrics: Metrics, rounds: Rounds | None, plan: Plan, verbose: bool | int | None
) -> list[TrainingCallback]:
    """The user's callbacks, and ours in the places where they must stand."""
    callbacks: list[TrainingCallback] = []
    if metrics.measures:
        callbacks.append(FullPrecision(metrics))
    if rounds:
        # before the user's: XGBoost asks no further callback once one says stop
        callbacks.append(_RoundsCallback(rounds, plan))
    callbacks += given or []
    period = int(verbose) if isinstance(verbose, (bool, np.bool_)) else verbose or 0
    if check_integer(period, "verbose", 0):
        callbacks.append(Monitor(period=period))
    return callbacks
