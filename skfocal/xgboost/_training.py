"""Training a plain `XGBClassifier` on the focal loss: metrics (floor 4)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from xgboost import Booster, XGBClassifier, XGBModel
from xgboost.callback import TrainingCallback

from skfocal._booster._arguments import (
    FOCAL_PARAMETERS,
    booster_threads,
    check_continued,
    check_evaluation_sets,
)
from skfocal._booster._settings import NAME, settings_text
from skfocal._classifier._callbacks import Rounds, as_defined
from skfocal._classifier._target import Target, encode_labels
from skfocal._kernels import fetched
from skfocal.losses import FocalLoss
from skfocal.losses._parameters import check_integer
from skfocal.objectives import FocalObjective
from skfocal.xgboost._format import n_classes_of, readable, settings_of
from skfocal.xgboost._metrics import Metrics, WithMetrics, _FullPrecision, _metric_list, _Monitor
from skfocal.xgboost._parameters import check_table, native


class Trainer(WithMetrics, XGBClassifier):
    """Trains on what is in memory."""

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


class _RoundsCallback(TrainingCallback):
    """scikit-learn's callbacks as one of XGBoost's."""

    def __init__(self, rounds: Rounds, learned: Callable[[Booster], dict[str, Any]]) -> None:
        self.rounds, self.learned = rounds, learned

    def before_iteration(self, model: Booster, epoch: int, evals_log: Any) -> bool:
        self.rounds.begin(lambda: self.learned(model.copy()))
        return False

    def after_iteration(self, model: Booster, epoch: int, evals_log: Any) -> bool:
        return self.rounds.end(lambda: self.learned(model.copy()))


def make_trainer(
    params: dict[str, Any],
    loss: FocalLoss,
    scale: float,
    rounds: Rounds | None,
    learned: Callable[[Booster], dict[str, Any]],
    kind: Any = Trainer,
    metrics_of: Callable[[FocalLoss], Metrics] = Metrics,
    *,
    verbose: bool | int | None,
) -> Any:
    """A plain classifier on the focal objective, with metrics that see it rightly.

    ``scale`` is the loss's `log_loss_scale` on all training rows; ``kind`` the class of
    the trainer, `WithMetrics`. ``verbose`` is that of the user's fit; the trainer's is not
    verbose, since it would print every metric a second time.
    """
    params = {k: v for k, v in params.items() if k not in FOCAL_PARAMETERS}
    metrics = metrics_of(loss)
    for metric in _metric_list(params.pop("eval_metric")):
        metrics.add(metric)
    names = [name for name in metrics.names if name not in metrics.measures]
    if not names:
        params["disable_default_eval_metric"] = True
    callbacks: list[TrainingCallback] = []
    if metrics.measures:
        callbacks.append(_FullPrecision(metrics))
    if rounds:
        # before the user's, since XGBoost asks no other once one has said to stop
        callbacks.append(_RoundsCallback(rounds, learned))
    callbacks += params["callbacks"] or []
    period = int(verbose) if isinstance(verbose, (bool, np.bool_)) else verbose or 0
    if check_integer(period, "verbose", 0):
        callbacks.append(_Monitor(period=period))
    params["callbacks"] = callbacks or None
    params["feature_weights"] = native(params["feature_weights"])
    trainer = kind(**params)
    n_threads = booster_threads(params.get("nthread") or params["n_jobs"])
    trainer.objective = FocalObjective._from_loss(
        loss, library="xgboost", scale=scale, n_threads=n_threads
    )
    trainer.eval_metric = names or None
    trainer._metrics = metrics
    return trainer


def check_xgb_model(model: Any, loss: FocalLoss) -> Booster | None:
    """The booster to go on from, if it can be: of as many classes and no other loss.

    A booster of a focal classifier tells its loss. Of other models nothing is known, and
    their margins are a start like any other.
    """
    if model is None:
        return None
    if isinstance(model, XGBModel):
        booster = model.get_booster()
    elif isinstance(model, Booster):
        booster = model
    else:
        with readable(model):
            booster = Booster(model_file=model)
    if n_classes_of(booster) != loss.n_classes:
        raise ValueError(f"xgb_model has {n_classes_of(booster)} classes; y has {loss.n_classes}.")
    settings = settings_of(booster, "xgb_model")
    check_continued(settings[1] if settings else None, loss, "xgb_model")
    return booster


class Checked:
    """What fit was given, and what became of it when it was checked, by identity.

    An evaluation set that is the training set stays it: XGBoost knows it by the identity of its
    parts, and then makes no second matrix of it.
    """

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self._pairs = pairs

    def of(self, given: Any, check: Callable[..., Any], *arguments: Any) -> Any:
        """The same as in training where it is the same, else what the check returns."""
        for original, checked in self._pairs:
            if given is original and given is not None:
                return checked
        return check(*arguments)

    def all_of(self, given: Sequence[Any] | None) -> list[Any] | None:
        """`of` each, where the check is of the byte order alone; None for none."""
        return None if given is None else [self.of(each, native, each) for each in given]


def evaluation_sets(
    estimator: Any, eval_set: Any, target: Target, checked: Checked
) -> list[tuple[Any, Any]] | None:
    """Evaluation sets with labels as codes."""
    if not eval_set:
        return None
    check_evaluation_sets(eval_set)
    table = partial(check_table, estimator, reset=False)
    codes = partial(encode_labels, target.classes, name="eval_set")
    return [(checked.of(X, table, X), checked.of(y, codes, fetched(y))) for X, y in eval_set]


def learned_attributes(
    booster: Booster, classes: npt.NDArray[Any], loss: FocalLoss, names: npt.NDArray[Any] | None
) -> dict[str, Any]:
    """What fit learns; the booster is given labels, loss and names for `load_model`."""
    booster.set_attr(**{NAME: None})  # of the model that was continued
    with suppress(TypeError):  # labels that are no JSON: pickle keeps them
        booster.set_attr(**{NAME: settings_text(classes, loss, names)})
    return {
        "_Booster": booster,
        "n_classes_": loss.n_classes,
        "classes_": classes,
        "loss_": loss,
    }
