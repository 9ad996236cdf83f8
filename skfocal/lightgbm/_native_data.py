"""Training on LightGBM's own data sets: larger than memory, or made by the user (floor 5)."""

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from lightgbm import Booster, Dataset
from sklearn.utils.validation import _get_feature_names

from skfocal._booster._arguments import FOCAL_PARAMETERS
from skfocal._booster._eval_sets import Evaluation, check_native_sets
from skfocal._booster._plan import Plan
from skfocal._estimator._callbacks import Rounds
from skfocal._estimator._target import ClassTotals, totals_of_codes
from skfocal._kernels import Array
from skfocal.lightgbm._metrics import METRIC_PARAMETERS
from skfocal.lightgbm._parameters import N_CLASSES_ALIASES
from skfocal.lightgbm._private import (
    Trainer,
    is_constructed,
    set_results,
    train_as_fit_does,
    training_parameters,
    with_parameters,
)
from skfocal.lightgbm._training import (
    continued_booster,
    grow_nothing_where_none_can_be,
    hand_over,
    make_trainer,
    round_callbacks,
)

# Types of the values of parameters that LightGBM can read.
_IN_TEXT = (str, int, float, bool, list, tuple)


def dataset_parameters(params: dict[str, Any]) -> dict[str, Any]:
    """Those of the classifier's parameters that a data set can be made with."""
    ours = {*FOCAL_PARAMETERS, *METRIC_PARAMETERS, *N_CLASSES_ALIASES}
    ours |= {"objective", "importance_type", "class_weight"}
    return {k: v for k, v in params.items() if isinstance(v, _IN_TEXT) and k not in ours}


def dataset_totals(dataset: Dataset, params: dict[str, Any]) -> ClassTotals:
    """The totals of the classes in a data set. Its labels must be the codes 0..K-1.

    The data set is constructed here only if its labels are in a file. Otherwise LightGBM
    constructs it later, since it must know of a continued model before.
    """
    if dataset.label is not None:
        # in the precision in which LightGBM stores them
        labels, weight = np.asarray(dataset.label, dtype=np.float32).ravel(), dataset.weight
        if weight is not None:
            weight = np.asarray(weight, dtype=np.float32).ravel()
        return totals_of_codes(labels, weight)
    # with the parameters, as in lightgbm.train: a constructed data set takes no more of them
    with_parameters(dataset, dataset_parameters(params)).construct()
    weight = dataset.get_weight()
    weight = None if weight is None else np.asarray(weight)
    return totals_of_codes(np.asarray(dataset.get_label()), weight)


def column_names(dataset: Dataset) -> npt.NDArray[Any] | None:
    """The names of the columns as the user gave them, or None if that is unknown.

    A constructed data set has underscores for spaces, and invents names for columns without.
    """
    if not is_constructed(dataset):
        names = dataset.feature_name
        return _get_feature_names(dataset.data) if names == "auto" else np.array(names, object)
    names = dataset.get_feature_name()
    return None if any("_" in name for name in names) else np.array(names, object)


def has_init_score(dataset: Dataset) -> bool:
    """Whether a data set brings its own margins. A subset of another shows them late."""
    if dataset.init_score is not None:
        return True
    return is_constructed(dataset) and dataset.get_init_score() is not None


class FromIntercept:
    """An objective or a metric of margins to which the intercept is still to be added.

    LightGBM's ``init_score`` would do the same. It needs 8 bytes for each row and class, and
    would have to be written into the user's data sets.
    """

    def __init__(
        self, function: Callable[..., Any], intercept: float | Array, *, in_place: bool
    ) -> None:
        self.function, self.intercept, self.in_place = function, intercept, in_place

    def __repr__(self) -> str:  # for loggers of parameters
        return repr(self.function)

    def __call__(self, margins: Array, dataset: Dataset) -> Any:
        if self.in_place:  # LightGBM fills the objective's margins anew in each round
            margins += self.intercept
        elif not has_init_score(dataset):  # a new array, since other metrics get this one
            margins = margins + self.intercept
        return self.function(margins, dataset)


def fit_dataset(
    estimator: Any,
    dataset: Dataset,
    evaluation: Evaluation,
    *,
    eval_metric: Any,
    init_model: Any,
    callbacks: list[Callable[..., Any]],
    rounds: Rounds,
) -> None:
    """`FocalLGBMClassifier.fit` if X is a data set."""
    check_native_sets(evaluation.sets or [], Dataset)
    names = column_names(dataset)
    params = estimator.get_params(deep=False)
    plan = estimator._plan(dataset_totals(dataset, params), names)
    continued = continued_booster(init_model, plan.loss)
    own_margins = continued is not None or has_init_score(dataset)
    if own_margins or not params.get("boost_from_average", True):
        plan = plan.without_intercept()
    trainer = make_trainer(params, plan, eval_metric)
    callbacks = [*callbacks, *round_callbacks(rounds, plan)]
    train_on_dataset(trainer, dataset, evaluation, plan, callbacks, continued)
    estimator._set_columns(trainer.booster_.num_feature(), names)
    rounds.close(estimator._learn(trainer, plan))


def train_on_dataset(
    trainer: Trainer,
    dataset: Dataset,
    evaluation: Evaluation,
    plan: Plan,
    callbacks: list[Callable[..., Any]],
    continued: Booster | None,
) -> None:
    """Fit a trainer on a data set, as `skfocal.lightgbm._training.train` does on a table."""
    evals = list(evaluation.sets or [])
    history: dict[str, Any] = {}
    recorded = [lightgbm.record_evaluation(history)] if evals else []
    params = training_parameters(trainer)
    of_sets = dataset_parameters(trainer.get_params())
    for each in [dataset, *evals]:  # as in lightgbm.train, before they are constructed
        with_parameters(each, of_sets)
        if each is not dataset:
            each.set_reference(dataset)
    metrics = [_of_dataset(metric) for metric in trainer.computed_metrics]
    if plan.intercept is not None:
        params["objective"] = FromIntercept(params["objective"], plan.intercept, in_place=True)
        metrics = [FromIntercept(metric, plan.intercept, in_place=False) for metric in metrics]
    booster = train_as_fit_does(
        params,
        dataset,
        num_boost_round=trainer.n_estimators,
        valid_sets=evals,
        valid_names=evaluation.names,
        feval=metrics,
        init_model=continued,
        callbacks=[*callbacks, *recorded, grow_nothing_where_none_can_be()],
    )
    hand_over(trainer, booster, plan)
    set_results(trainer, booster, history)


def _of_dataset(metric: Callable[..., Any]) -> Callable[..., Any]:
    """A metric of arrays, in the form of ``lightgbm.train(feval=)``."""

    def measure(margins: Array, dataset: Dataset) -> Any:
        return metric(dataset.get_label(), margins, dataset.get_weight())

    return measure
