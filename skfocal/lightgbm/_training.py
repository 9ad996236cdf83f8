"""Training a plain `LGBMClassifier` on the focal loss (floor 5)."""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from lightgbm import Booster, Dataset, LGBMClassifier, LGBMModel
from lightgbm.callback import CallbackEnv, EarlyStopException
from sklearn.utils import _safe_indexing

from skfocal._booster._arguments import FOCAL_PARAMETERS, booster_threads, check_same_loss
from skfocal._booster._eval_sets import Checked, Evaluation, check_pairs
from skfocal._booster._plan import Plan
from skfocal._estimator._callbacks import Rounds
from skfocal._estimator._features import check_features
from skfocal._estimator._mixin import FocalClassifierMixin
from skfocal._estimator._target import Target, encode_labels
from skfocal.lightgbm._format import read_booster, standardised, with_margins
from skfocal.lightgbm._metrics import METRIC_PARAMETERS, split_metrics
from skfocal.lightgbm._parameters import (
    N_CLASSES_ALIASES,
    N_THREADS_ALIASES,
    NETWORK_PARAMETERS,
    check_columns,
)
from skfocal.lightgbm._private import Trainer, learned_attributes, set_booster
from skfocal.losses import FocalLoss
from skfocal.objectives import FocalObjective


def continued_booster(init_model: Any, loss: FocalLoss) -> Booster | None:
    """The booster of a model that training continues, or None.

    The loss of a focal classifier, and of a file that one has saved, is known. Of other models
    it is not: then their margins count as margins of this loss. Training goes on from the model
    as it was fitted: calibration and priors are undone.

    Raises
    ------
    ValueError
        If the model has another number of classes or is known to be of another loss.
    """
    if init_model is None:
        return None
    known = getattr(init_model, "loss_", None)
    correction = None
    if isinstance(init_model, FocalClassifierMixin):
        correction = init_model._probabilities.correction
    if isinstance(init_model, LGBMModel):
        booster = init_model.booster_
    elif isinstance(init_model, Booster):
        booster = init_model
    else:
        booster, settings = read_booster(init_model)
        if settings:
            known, correction = settings.loss, settings.probabilities.correction
    n_outputs = 1 if loss.n_classes == 2 else loss.n_classes
    if booster.num_model_per_iteration() != n_outputs:
        raise ValueError(
            f"init_model has {booster.num_model_per_iteration()} trees in an iteration; for "
            f"{loss.n_classes} classes it must have {n_outputs}."
        )
    check_same_loss(known, loss, "init_model")
    if correction is None or correction.is_identity or not loss.raw_is_posterior:
        return booster
    return with_margins(booster, correction.inverse())


def init_score_of(given: Any, target: Target, plan: Plan) -> Any:
    """LightGBM's ``init_score`` for the rows of positive weight: the user's or the plan's."""
    if given is None:
        return plan.intercepts(len(target.codes))
    if target.positive is None:
        return given
    n_rows = int(target.n_rows.sum())
    if plan.n_classes > 2 and np.shape(given) == (n_rows * plan.n_classes,):
        # LightGBM also takes the margins of all rows for class 0, then for class 1, ...
        given = np.asarray(given).reshape(n_rows, plan.n_classes, order="F")
    return _safe_indexing(given, target.positive)


def evaluation_pairs(eval_set: Any, eval_X: Any, eval_y: Any) -> list[tuple[Any, Any]] | None:
    """Tables and labels of evaluation sets, which LightGBM takes in two forms."""
    if eval_set is not None and (eval_X is not None or eval_y is not None):
        raise ValueError("Give either eval_set or eval_X and eval_y, not both.")
    if (eval_X is None) != (eval_y is None):
        raise ValueError("eval_X and eval_y belong together: give both.")
    if eval_set is not None:
        pairs = [eval_set] if isinstance(eval_set, tuple) else list(eval_set)
        check_pairs(pairs)
        return pairs
    if isinstance(eval_X, tuple):
        if not isinstance(eval_y, tuple) or len(eval_y) != len(eval_X):
            raise ValueError("eval_X is a tuple: eval_y must be one of the same length.")
        return list(zip(eval_X, eval_y, strict=True))
    return None if eval_X is None else [(eval_X, eval_y)]


def evaluation_arguments(
    estimator: Any, evaluation: Evaluation, plan: Plan, checked: Checked
) -> dict[str, Any]:
    """Arguments of `LGBMClassifier.fit` for evaluation sets, with labels as codes."""
    if not evaluation.sets:
        return {}
    codes_of = partial(encode_labels, plan.classes, name="eval_set")
    pairs = [
        (checked.of(X, _checked_table, estimator, X), checked.of(y, codes_of, y))
        for X, y in evaluation.sets
    ]
    margins = evaluation.margins
    if margins is None and plan.intercept is not None:
        margins = [plan.intercepts(len(codes)) for _, codes in pairs]
    arguments: dict[str, Any] = {
        "eval_names": evaluation.names,
        "eval_sample_weight": evaluation.sample_weight,
        "eval_class_weight": [_by_code(w, plan) for w in evaluation.class_weight or []] or None,
        "eval_init_score": margins,
    }
    # LightGBM recognises the training set among them, but only in the older form
    trains = any(checked.knows(X, y) for X, y in evaluation.sets)
    if trains or "eval_X" not in signature(LGBMClassifier.fit).parameters:
        return {"eval_set": pairs, **arguments}
    tables, codes = zip(*pairs, strict=True)
    return {"eval_X": tables, "eval_y": codes, **arguments}


def _checked_table(estimator: Any, X: Any) -> Any:
    return check_columns(check_features(estimator, X, reset=False))


def _by_code(weights: Any, plan: Plan) -> Any:
    """Class weights of an evaluation set by the codes of the labels."""
    if not isinstance(weights, Mapping):
        return weights
    labels = list(weights)
    codes = encode_labels(plan.classes, np.asarray(labels), "eval_class_weight")
    return {int(k): weights[label] for k, label in zip(codes, labels, strict=True)}


def make_trainer(params: dict[str, Any], plan: Plan, eval_metric: Any) -> Trainer:
    """A plain LightGBM classifier with the focal objective and metrics.

    Raises
    ------
    ValueError
        If a parameter gives another number of classes, or a metric cannot be computed.
    """
    for name in N_CLASSES_ALIASES:
        if params.get(name) not in (None, plan.n_classes):
            raise ValueError(
                f"{name}={params[name]!r}, but y has {plan.n_classes} classes: leave it out."
            )
    names, metrics = split_metrics(eval_metric, params, plan.loss)
    ours = (*FOCAL_PARAMETERS, *METRIC_PARAMETERS, *N_CLASSES_ALIASES)
    trainer = Trainer(**{k: v for k, v in params.items() if k not in ours})
    trainer.n_codes, trainer.computed_metrics = plan.n_classes, metrics
    n_jobs = next((params[k] for k in N_THREADS_ALIASES if params.get(k) is not None), None)
    trainer.set_params(
        objective=FocalObjective._from_loss(
            plan.loss,
            library="lightgbm",
            scale=plan.scale,
            n_threads=booster_threads(n_jobs),
        ),
        class_weight=None,
        metric=names or "None",
    )
    return trainer


def train(
    trainer: Trainer,
    features: Any,
    target: Target,
    plan: Plan,
    callbacks: list[Callable[..., Any]],
    **arguments: Any,
) -> None:
    """Fit the trainer, and turn its booster into a standard model that holds the intercept.

    ``arguments`` are those of `LGBMClassifier.fit`.
    """
    trainer.fit(
        features,
        target.codes,
        target.sample_weight,
        eval_metric=trainer.computed_metrics,
        callbacks=[*callbacks, grow_nothing_where_none_can_be()],
        **arguments,
    )
    hand_over(trainer, trainer.booster_, plan)


def grow_nothing_where_none_can_be() -> Callable[[CallbackEnv], None]:
    """A callback that ends training without a tree if LightGBM can use no column.

    It can use none if all columns are constant, or if no cut leaves ``min_child_samples`` rows
    on both sides. LightGBM's own objectives then give a constant model. With a custom objective
    LightGBM fails an internal check and prints a fatal error.
    """

    def before(env: CallbackEnv) -> None:
        booster: Any = env.model
        if env.iteration == env.begin_iteration and no_column_is_usable(booster.train_set):
            booster.update = lambda **_: True  # True tells LightGBM that training is finished

    before.before_iteration = True  # type: ignore[attr-defined]  # as in `round_callbacks`
    return before


def no_column_is_usable(dataset: Dataset) -> bool:
    """Whether LightGBM has made no bins of any column."""
    return not any(dataset.feature_num_bin(k) for k in range(dataset.num_feature()))


def hand_over(trainer: Trainer, booster: Booster, plan: Plan) -> None:
    """Give the trainer the standard model of a booster, with its parameters and best round."""
    patched = standard_model(booster, plan)
    # the parameters as the user gave them, not as the text has them; tools read them there
    objective = "binary" if plan.n_classes == 2 else "multiclass"
    own = {k: v for k, v in booster.params.items() if k not in NETWORK_PARAMETERS}
    patched.params = {**own, "objective": objective}
    patched.best_iteration, patched.best_score = booster.best_iteration, booster.best_score
    set_booster(trainer, patched)


def standard_model(booster: Booster, plan: Plan) -> Booster:
    """The standard model of all trees of a booster that was trained from the intercept.

    Its margins are for the priors of the plan.
    """
    text = booster.model_to_string(num_iteration=-1)
    shifts = [shift for shift in (plan.intercept, plan.prior_shift) if shift is not None]
    return Booster(model_str=standardised(text, plan.n_classes, sum(shifts) if shifts else None))


def round_callbacks(rounds: Rounds, plan: Plan) -> list[Callable[..., Any]]:
    """scikit-learn's callbacks as two of LightGBM's. An empty list if there are none."""
    if not rounds:
        return []

    def learned(booster: Booster) -> dict[str, Any]:
        return learned_attributes(standard_model(booster, plan), plan.settings)

    def before(env: CallbackEnv) -> None:
        model: Any = env.model  # a CVBooster only in lightgbm.cv
        rounds.begin(lambda: learned(model))

    def after(env: CallbackEnv) -> None:
        model: Any = env.model
        if rounds.end(lambda: learned(model)):
            raise EarlyStopException(env.iteration, env.evaluation_result_list or [])

    # LightGBM reads these attributes of a function
    before.before_iteration = True  # type: ignore[attr-defined]
    before.order = after.order = 25  # type: ignore[attr-defined]  # record, ours, early stopping
    return [before, after]
