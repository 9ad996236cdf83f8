"""One fit of CatBoost on a focal loss (floor 5)."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from catboost import CatBoost, CatBoostClassifier, Pool

from skfocal._booster._arguments import check_same_loss
from skfocal._booster._plan import Plan
from skfocal._estimator._callbacks import Rounds, as_defined
from skfocal._kernels import Options
from skfocal._kernels._pairs import pair_function
from skfocal.calibration import Calibration
from skfocal.catboost._format import settings_of, with_margins, without_labels, write_settings
from skfocal.catboost._metrics import metrics_of
from skfocal.catboost._parameters import (
    CLASS_WEIGHTS,
    canonical,
    is_logloss,
    with_defaults_of_logloss,
)
from skfocal.catboost._private import plain_model
from skfocal.losses import FocalLoss
from skfocal.objectives._objective import MAX_STEP, MIN_HESSIAN

# Parameters that are no part of CatBoost's training, because a pool or this package has them.
_NOT_OF_TRAINING = (
    *("loss_function", "eval_metric", "custom_metric", "boost_from_average", *CLASS_WEIGHTS),
    *("class_names", "classes_count", "cat_features", "text_features", "embedding_features"),
)


class Objective:
    """The focal loss in the form that CatBoost asks for.

    ``calc_ders_range`` gets margins, codes and weights of rows, and returns first and second
    derivatives of minus the loss.
    """

    no_jit = True  # it is compiled already

    def __init__(self, plan: Plan, *, weighted: bool) -> None:
        loss = plan.loss
        ratio = 0.0 if loss.is_cross_entropy else 1.0 / MAX_STEP
        options = Options(loss.link, loss.hessian, ratio, MIN_HESSIAN, scale=plan.scale)
        self.calc_ders_range = pair_function(
            loss.class_gamma, loss.class_weight, options, weighted=weighted
        )

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # CatBoost copies its parameters


class RoundsCallback:
    """Tells scikit-learn's callbacks of each round of CatBoost."""

    def __init__(self, rounds: Rounds, n_rounds: int) -> None:
        self.rounds, self.n_rounds = rounds, n_rounds
        rounds.begin()

    def after_iteration(self, info: Any) -> bool:
        """Whether training goes on."""
        stop = self.rounds.end(None)  # CatBoost hands out no model before the end
        if not stop and info.iteration < self.n_rounds:
            self.rounds.begin()
        return not stop


def start_of(plan: Plan) -> float | None:
    """The margin at which training starts, in the precision in which CatBoost stores it."""
    return None if plan.intercept is None else float(np.float32(plan.intercept))


def make_trainer(params: Mapping[str, Any], plan: Plan, pool: Pool, **known: Any) -> Any:
    """A plain classifier with CatBoost's parameters of a training.

    Parameters
    ----------
    params : mapping
        Of the focal classifier.
    plan : Plan
    pool : Pool
        The training rows.
    **known
        ``weighted``, ``best_model`` and ``class_names``.
    """
    given = canonical(params)
    found = {name: value for name, value in given.items() if name not in _NOT_OF_TRAINING}
    found |= metrics_of(given, plan.loss)
    if known["class_names"] is not None:
        found["class_names"] = known["class_names"]
    if is_logloss(plan.loss):
        own = {"loss_function": "Logloss", "boost_from_average": plan.intercept is not None}
        return CatBoostClassifier(**found, **own)
    found = with_defaults_of_logloss(
        found, pool.num_row(), pool.num_col(), best_model=known["best_model"]
    )
    objective = Objective(plan, weighted=known["weighted"])
    return CatBoostClassifier(**found, loss_function=objective)


def train(
    trainer: CatBoostClassifier,
    pool: Pool,
    plan: Plan,
    snapshot: tuple[Path, str] | None = None,
    **arguments: Any,
) -> CatBoost:
    """Train, and make an ordinary model of it: Logloss, with labels, loss and start inside.

    ``snapshot`` is a file and its text, which tell the training of CatBoost's snapshot.
    """
    if snapshot is not None:
        snapshot[0].parent.mkdir(parents=True, exist_ok=True)
        snapshot[0].write_text(snapshot[1], encoding="utf-8")
    own_start = not is_logloss(plan.loss)
    if own_start and plan.intercept is not None:
        pool.set_baseline(np.full((pool.num_row(), 1), start_of(plan)))
    as_defined(CatBoostClassifier.fit)(trainer, pool, **arguments)
    if own_start and plan.intercept is not None:
        trainer.set_scale_and_bias(1.0, start_of(plan))
    continued = arguments.get("init_model")
    if continued is not None:  # its bias is part of the margins at which training starts
        trainer.set_scale_and_bias(1.0, continued.get_scale_and_bias()[1])
    return finished(trainer, plan)


def finished(booster: CatBoost, plan: Plan) -> CatBoost:
    """A booster with labels and loss, and with priors where its margins are log-odds."""
    if plan.prior_shift is not None:
        booster = with_margins(booster, plan.probabilities.correction)
    write_settings(booster, plan.settings)
    return booster


def continued_booster(model: Any, loss: FocalLoss) -> CatBoost | None:
    """The booster of a model that training continues, or None.

    Training goes on from the model as it was fitted: calibration and priors are undone.

    Raises
    ------
    TypeError, ValueError
        If it is no model of CatBoost, or one of another loss.
    """
    if model is None:
        return None
    if isinstance(model, (str, Path)):
        model = CatBoostClassifier().load_model(str(model))
    if not isinstance(model, CatBoost) or not model.is_fitted():
        raise TypeError(
            f"init_model must be a fitted model of CatBoost or the path of one; got {model!r}."
        )
    settings = settings_of(model, "init_model")
    check_same_loss(None if settings is None else settings.loss, loss, "init_model")
    correction = Calibration()
    if settings is not None and loss.raw_is_posterior:
        correction = settings.probabilities.correction
    if model.get_text_feature_indices():  # CatBoost cannot add trees to a copy
        if not correction.is_identity:
            raise ValueError(
                "init_model has columns of text, and priors or a calibration inside. CatBoost "
                "cannot continue a copy without them: give a model without both."
            )
        booster: CatBoost = plain_model(model)
    else:
        booster = without_labels(model)
        if not correction.is_identity:
            booster = with_margins(booster, correction.inverse())
    if booster.get_scale_and_bias()[0] != 1.0:
        raise ValueError("init_model has a scale, which CatBoost cannot continue.")
    return booster


def check_snapshot(
    params: Mapping[str, Any], plan: Plan, pool: Pool, continued: CatBoost | None
) -> tuple[Path, str] | None:
    """Refuse to continue a snapshot of another training, which CatBoost would do.

    Returns the file beside the snapshot and the text that tells its training, or None.

    Raises
    ------
    ValueError
        If there is a snapshot whose training is not known, or another one.
    """
    if not params.get("save_snapshot") or params.get("allow_writing_files") is False:
        return None  # CatBoost refuses the second
    folder = Path(params.get("train_dir") or "catboost_info")
    snapshot = folder / str(params.get("snapshot_file") or "experiment.cbsnapshot")
    beside = snapshot.with_name(f"{snapshot.name}.skfocal.json")
    start: list[Any] = [
        repr(plan.scale),
        repr(plan.intercept),
        np.asarray(pool.get_baseline()).tobytes(),
    ]
    start.append(None if continued is None else continued.get_leaf_values().tobytes())
    digest = hashlib.sha256(repr(start).encode()).hexdigest()
    text = json.dumps({"loss": repr(plan.loss), "start": digest})
    if snapshot.exists():
        known = beside.read_text(encoding="utf-8") if beside.exists() else None
        if known != text:
            raise ValueError(
                f"snapshot_file: {str(snapshot)!r} is of another training, with another loss, "
                "start or rows: remove it, or give another name."
            )
    return beside, text
