"""Training on LightGBM's own data sets: larger than memory, or made by the user (floor 4).

Private parts of LightGBM in use: ``Dataset._update_params``, as `lightgbm.train` uses it,
``Dataset._handle``, and ``_process_params``, ``_objective`` and the attributes that
``LGBMModel.fit`` learns.
"""

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from lightgbm import Booster, Dataset, LGBMClassifier
from sklearn.utils.validation import _get_feature_names

from skfocal._booster._arguments import FOCAL_PARAMETERS, check_evaluation_sets
from skfocal._classifier._callbacks import Rounds
from skfocal._classifier._target import Target, codes_target
from skfocal._kernels import Array
from skfocal.lightgbm._metrics import METRIC_PARAMETERS
from skfocal.lightgbm._parameters import N_CLASSES_ALIASES
from skfocal.lightgbm._training import (
    check_init_model,
    grow_nothing_where_none_can_be,
    hand_over,
    make_trainer,
    round_callbacks,
)

# Types of parameters that LightGBM takes.
_IN_TEXT = (str, int, float, bool, list, tuple)


def dataset_parameters(params: dict[str, Any]) -> dict[str, Any]:
    """Those of the classifier that a data set may be made with."""
    ours = {*FOCAL_PARAMETERS, *METRIC_PARAMETERS, *N_CLASSES_ALIASES}
    ours |= {"objective", "importance_type", "class_weight"}
    return {k: v for k, v in params.items() if isinstance(v, _IN_TEXT) and k not in ours}


def dataset_target(dataset: Dataset, params: dict[str, Any]) -> Target:
    """The classes and their weights in a data set; labels must be the codes 0..K-1.

    It is made only where it has no labels before, as of a file: a model to go on from would
    have to be told to LightGBM first.
    """
    if dataset.label is not None:
        # of any kind that LightGBM takes, and as it will have them
        labels, weight = np.asarray(dataset.label, dtype=np.float32).ravel(), dataset.weight
        if weight is not None:
            weight = np.asarray(weight, dtype=np.float32).ravel()
        return codes_target(labels, weight)
    # as lightgbm.train does: afterwards it could not be made with them any more
    dataset._update_params(dataset_parameters(params)).construct()
    weight = dataset.get_weight()
    weight = None if weight is None else np.asarray(weight)
    return codes_target(np.asarray(dataset.get_label()), weight)


def column_names(dataset: Dataset) -> npt.NDArray[Any] | None:
    """Names of the columns as the user gave them, None where they cannot be told.

    Once a data set is made, underscores stand for spaces, and numbered names for none.
    """
    if dataset._handle is None:
        names = dataset.feature_name
        return _get_feature_names(dataset.data) if names == "auto" else np.array(names, object)
    names = dataset.get_feature_name()
    return None if any("_" in name for name in names) else np.array(names, object)


def has_start(dataset: Dataset) -> bool:
    """Whether a data set brings margins to start from; a part of another shows them late."""
    if dataset.init_score is not None:
        return True
    return dataset._handle is not None and dataset.get_init_score() is not None


def training_parameters(trainer: LGBMClassifier, n_classes: int) -> dict[str, Any]:
    """What `LGBMClassifier.fit` would hand to `lightgbm.train`."""
    trainer._n_classes = n_classes
    trainer._objective = trainer.objective
    # the objective takes margins and data set, too; LightGBM's wrapper of it only arrays
    return {**trainer._process_params(stage="fit"), "objective": trainer.objective}


class FromStart:
    """An objective or a metric of margins to which the start is to be added.

    LightGBM's ``init_score`` would do that too, at the cost of 8 bytes a row and class, and
    would have to be put into the user's data sets.
    """

    def __init__(
        self, function: Callable[..., Any], start: float | Array, *, in_place: bool
    ) -> None:
        self.function, self.start, self.in_place = function, start, in_place

    def __repr__(self) -> str:  # for loggers of parameters
        return repr(self.function)

    def __call__(self, margins: Array, dataset: Dataset) -> Any:
        if self.in_place:  # LightGBM fills the objective's margins anew in each round
            margins += self.start
        elif not has_start(dataset):  # a new array, since other metrics get this one
            margins = margins + self.start
        return self.function(margins, dataset)


def fit_dataset(
    estimator: Any,
    dataset: Dataset,
    evals: list[Dataset],
    eval_names: list[str] | None,
    eval_metric: Any,
    callbacks: list[Callable[..., Any]] | None,
    init_model: Any,
    rounds: Rounds,
) -> None:
    """`FocalLGBMClassifier.fit` where X is a data set."""
    check_evaluation_sets(evals, Dataset)
    names = column_names(dataset)
    params = estimator.get_params(deep=False)
    target = dataset_target(dataset, params)
    loss = estimator._training_loss(target, estimator.class_weight, balanced_by_rows=True)
    scale = loss.log_loss_scale(target.codes, target.sample_weight)
    init_model = check_init_model(init_model, loss)
    start = None
    given = init_model is not None or has_start(dataset)
    if not given and params.get("boost_from_average", True):
        start = loss.intercept(target.codes, target.sample_weight)
    trainer = make_trainer(params, loss, scale, eval_metric)
    train_on_dataset(
        trainer,
        dataset,
        evals,
        eval_names,
        loss.n_classes,
        start,
        round_callbacks(rounds, target.classes, loss, start),
        callbacks=callbacks,
        init_model=init_model,
    )
    booster = trainer.booster_
    estimator._set_columns(booster.num_feature(), names)
    rounds.close(estimator._learn(trainer, target.classes, loss))


def train_on_dataset(
    trainer: LGBMClassifier,
    dataset: Dataset,
    evals: list[Dataset],
    eval_names: list[str] | None,
    n_classes: int,
    start: float | Array | None,
    rounds: list[Callable[..., Any]],
    *,
    callbacks: list[Callable[..., Any]] | None,
    init_model: Booster | None,
) -> None:
    """Fit a trainer, as `skfocal.lightgbm._training.train` does, on a data set.

    Parameters
    ----------
    trainer : LGBMClassifier
        As `make_trainer` makes it.
    dataset, evals
        For training and, with ``eval_names``, for evaluation.
    n_classes : int
    start : float, ndarray of shape (n_classes,) or None
        Margins to start from; None where data sets or ``init_model`` bring their own.
    rounds, callbacks, init_model
        As in `train`.
    """
    history: dict[str, Any] = {}
    recorded = [lightgbm.record_evaluation(history)] if evals else []
    params = training_parameters(trainer, n_classes)
    of_sets = dataset_parameters(trainer.get_params())
    for each in [dataset, *evals]:  # as lightgbm.train does, before they are made
        each._update_params(of_sets)
        if each is not dataset:
            each.set_reference(dataset)
    metrics = [_of_dataset(metric) for metric in trainer._focal_metrics]
    if start is not None:
        params["objective"] = FromStart(params["objective"], start, in_place=True)
        metrics = [FromStart(metric, start, in_place=False) for metric in metrics]
    # Not lightgbm.train, where mlflow's autologging would save the booster, without its start
    booster = lightgbm.sklearn.train(  # type: ignore[attr-defined]  # a name that it imports
        params,
        dataset,
        num_boost_round=trainer.n_estimators,
        valid_sets=evals,
        valid_names=eval_names,
        feval=metrics,
        init_model=init_model,
        callbacks=[*(callbacks or []), *recorded, *rounds, grow_nothing_where_none_can_be()],
    )
    hand_over(trainer, booster, n_classes, start)
    trainer.fitted_ = True
    trainer._best_iteration, trainer._best_score = booster.best_iteration, booster.best_score
    trainer._evals_result = history


def _of_dataset(metric: Callable[..., Any]) -> Callable[..., Any]:
    """A metric of arrays in the form of ``lightgbm.train(feval=)``."""

    def measure(margins: Array, dataset: Dataset) -> Any:
        return metric(dataset.get_label(), margins, dataset.get_weight())

    return measure
