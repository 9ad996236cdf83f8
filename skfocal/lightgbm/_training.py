"""Training a plain `LGBMClassifier` on the focal loss (floor 4).

Parameters that it must not have, evaluation sets, metrics, and the booster it leaves.
"""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt
from lightgbm import Booster, LGBMClassifier, LGBMModel
from lightgbm.callback import CallbackEnv, EarlyStopException
from lightgbm.compat import _LGBMLabelEncoder
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import _safe_indexing

from skfocal._booster._arguments import (
    FOCAL_PARAMETERS,
    booster_threads,
    check_continued,
    check_evaluation_sets,
    repeat,
)
from skfocal._classifier._callbacks import Rounds, as_defined
from skfocal._classifier._tables import check_features
from skfocal._classifier._target import Target, encode_labels
from skfocal._kernels import Array
from skfocal.lightgbm._format import read_booster, standardised
from skfocal.lightgbm._metrics import METRIC_PARAMETERS, split_metrics
from skfocal.lightgbm._parameters import (
    N_CLASSES_ALIASES,
    N_THREADS_ALIASES,
    NETWORK_PARAMETERS,
    check_columns,
)
from skfocal.losses import FocalLoss
from skfocal.objectives import FocalObjective


def check_init_model(init_model: Any, loss: FocalLoss) -> Booster | None:
    """The booster to go on from, if it can be: of as many classes and no other loss.

    A focal classifier, and a file that one has saved, tell their loss. Of other models
    nothing is known, and their margins are a start like any other.
    """
    if init_model is None:
        return None
    before = getattr(init_model, "loss_", None)
    if isinstance(init_model, LGBMModel):
        booster = init_model.booster_
    elif isinstance(init_model, Booster):
        booster = init_model
    else:
        booster, settings = read_booster(init_model)
        before = settings[1] if settings else None
    n_outputs = 1 if loss.n_classes == 2 else loss.n_classes
    if booster.num_model_per_iteration() != n_outputs:
        raise ValueError(
            f"init_model has {booster.num_model_per_iteration()} trees in an iteration; for "
            f"{loss.n_classes} classes it must have {n_outputs}."
        )
    check_continued(before, loss, "init_model")
    return booster


def rows_of_start(init_score: Any, kept: npt.NDArray[Any], n_rows: int, n_classes: int) -> Any:
    """``init_score`` of the rows that are kept; LightGBM takes it class by class, too."""
    if n_classes > 2 and np.shape(init_score) == (n_rows * n_classes,):
        init_score = np.asarray(init_score).reshape(n_rows, n_classes, order="F")
    return _safe_indexing(init_score, kept)


def evaluation_pairs(eval_set: Any, eval_X: Any, eval_y: Any) -> list[tuple[Any, Any]]:
    """Tables and labels of both ways to give evaluation sets."""
    if eval_set is not None and (eval_X is not None or eval_y is not None):
        raise ValueError("Give either eval_set or eval_X and eval_y, not both.")
    if (eval_X is None) != (eval_y is None):
        raise ValueError("eval_X and eval_y belong together: give both.")
    if eval_set is not None:
        pairs = [eval_set] if isinstance(eval_set, tuple) else list(eval_set)
        check_evaluation_sets(pairs)
        return pairs
    if eval_X is not None:
        many = isinstance(eval_X, tuple)
        return list(zip(eval_X, eval_y, strict=True)) if many else [(eval_X, eval_y)]
    return []


def evaluation_arguments(
    estimator: Any,
    pairs: list[tuple[Any, Any]],
    training: tuple[Any, Any] | None,
    target: Target,
    features: Any,
    start: float | Array | None,
    **given: Any,
) -> dict[str, Any]:
    """Arguments of LGBMClassifier.fit for the evaluation sets, labels as codes."""
    tables, codes, trains = [], [], False
    for table, labels in pairs:
        if training and table is training[0] and labels is training[1]:
            # LightGBM knows the training set by identity, and does not stop by it
            tables.append(features)
            codes.append(target.codes)
            trains = True
        else:
            tables.append(check_columns(check_features(estimator, table, reset=False)))
            codes.append(encode_labels(target.classes, labels, "eval_set"))
    if not pairs:
        return {}
    if given["eval_init_score"] is None and start is not None:
        given["eval_init_score"] = [repeat(start, len(k)) for k in codes]
    class_weights = given["eval_class_weight"] or []
    given["eval_class_weight"] = [weights_of_codes(w, target) for w in class_weights] or None
    if "eval_X" in signature(LGBMClassifier.fit).parameters and not trains:
        sets: dict[str, Any] = {"eval_X": tuple(tables), "eval_y": tuple(codes)}
    else:
        sets = {"eval_set": list(zip(tables, codes, strict=True))}
    return {**sets, **given}


def weights_of_codes(weights: Any, target: Target) -> Any:
    """Class weights of an evaluation set, labels as codes."""
    if not isinstance(weights, Mapping):
        return weights
    labels = list(weights)
    codes = encode_labels(target.classes, np.asarray(labels), "eval_class_weight")
    return {int(k): weights[label] for k, label in zip(codes, labels, strict=True)}


class Trainer(LGBMClassifier):
    """A plain classifier whose labels are the codes of ``n_codes`` classes.

    LightGBM would encode them once more: in a process of a cluster, of whose rows none may
    be of a class, to other codes.
    """

    n_codes: int

    def fit(self, X: Any, y: Any, *args: Any, **kwargs: Any) -> "Trainer":
        """Fit; arguments as of `LGBMClassifier.fit`."""
        self._classes = np.arange(self.n_codes)
        self._le = LabelEncoder().fit(self._classes)
        self._class_map = {k: k for k in range(self.n_codes)}
        self._n_classes = self.n_codes
        if self.objective is None:
            self._objective = None
        as_defined(LGBMModel.fit)(self, X, y, *args, **kwargs)
        return self

    def _process_params(self, stage: str) -> dict[str, Any]:
        """LightGBM's parameters, with an objective that loggers can print."""
        params = super()._process_params(stage)
        if stage == "fit" and callable(self.objective):
            params["objective"] = self.objective  # it takes a data set, and needs no wrapper
        return params


def make_trainer(
    params: dict[str, Any], loss: FocalLoss, scale: float, eval_metric: Any
) -> Trainer:
    """A plain classifier on the focal objective, with metrics that see it rightly.

    ``scale`` is the loss's `log_loss_scale` on all training rows.
    """
    for name in N_CLASSES_ALIASES:
        if params.get(name) not in (None, loss.n_classes):
            raise ValueError(
                f"{name}={params[name]!r}, but y has {loss.n_classes} classes: leave it out."
            )
    names, callables = split_metrics(eval_metric, params, loss)
    ours = (*FOCAL_PARAMETERS, *METRIC_PARAMETERS, *N_CLASSES_ALIASES)
    trainer = Trainer(**{k: v for k, v in params.items() if k not in ours})
    trainer.n_codes = loss.n_classes
    n_jobs = next((params[k] for k in N_THREADS_ALIASES if params.get(k) is not None), None)
    trainer.set_params(
        objective=FocalObjective._from_loss(
            loss, library="lightgbm", scale=scale, n_threads=booster_threads(n_jobs)
        ),
        class_weight=None,
        metric=names or "None",
    )
    trainer._focal_metrics = callables
    return trainer


def train(
    trainer: Trainer,
    features: Any,
    target: Target,
    start: float | Array | None,
    rounds: list[Callable[..., Any]],
    **arguments: Any,
) -> None:
    """Fit the trainer and make its booster a standard model that contains the start."""
    arguments["callbacks"] = [*arguments["callbacks"], *rounds, grow_nothing_where_none_can_be()]
    trainer.fit(features, target.codes, target.sample_weight, **arguments)
    hand_over(trainer, trainer.booster_, len(target.classes), start)


def grow_nothing_where_none_can_be() -> Callable[[CallbackEnv], None]:
    """A callback that lets rounds pass without a tree where LightGBM uses no column.

    It uses none where all are constant, or too short to be cut into two leaves of
    ``min_child_samples`` rows. Its own objectives then give a constant model. With a custom
    objective it fails a check and prints a fatal error.
    """

    def before(env: CallbackEnv) -> None:
        booster: Any = env.model
        data = booster.train_set
        if env.iteration == env.begin_iteration and not any(
            data.feature_num_bin(k) for k in range(data.num_feature())
        ):
            booster.update = lambda **_: True  # LightGBM's word for "finished"

    before.before_iteration = True  # type: ignore[attr-defined]  # as in `round_callbacks`
    return before


def hand_over(
    trainer: Trainer, booster: Booster, n_classes: int, shift: float | Array | None
) -> None:
    """Give the trainer a booster's standard model, with what training knows of it."""
    patched = standard(booster, n_classes, shift)
    # as the user gave them, not as the text has them; tools read the objective there
    objective = "binary" if n_classes == 2 else "multiclass"
    kept = {k: v for k, v in booster.params.items() if k not in NETWORK_PARAMETERS}
    patched.params = {**kept, "objective": objective}
    patched.best_iteration, patched.best_score = booster.best_iteration, booster.best_score
    trainer._Booster = patched


def standard(booster: Booster, n_classes: int, shift: float | Array | None) -> Booster:
    """A standard model of all trees of a booster that was trained from ``shift``."""
    text = booster.model_to_string(num_iteration=-1)
    return Booster(model_str=standardised(text, n_classes, shift))


def round_callbacks(
    rounds: Rounds, classes: npt.NDArray[Any], loss: FocalLoss, start: float | Array | None
) -> list[Callable[..., Any]]:
    """scikit-learn's callbacks as two of LightGBM's, none where nobody listens."""
    if not rounds:
        return []

    def learned(booster: Booster) -> dict[str, Any]:
        return learned_attributes(standard(booster, loss.n_classes, start), classes, loss)

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


def learned_attributes(
    booster: Booster, classes: npt.NDArray[Any], loss: FocalLoss
) -> dict[str, Any]:
    """What fit learns, under the names of LGBMClassifier's attributes."""
    encoder = _LGBMLabelEncoder()
    encoder.classes_ = classes
    return {
        "_Booster": booster,
        "_best_iteration": booster.best_iteration,
        "_best_score": booster.best_score,
        "_evals_result": {},
        "_n_classes": loss.n_classes,
        "_n_features": booster.num_feature(),
        "_classes": classes,
        "_le": encoder,
        "_class_map": {label: k for k, label in enumerate(classes)},
        "_objective": "binary" if loss.n_classes == 2 else "multiclass",
        "fitted_": True,
        "loss_": loss,
    }
