"""Training a plain `LGBMClassifier` on the focal loss (floor 4).

Parameters that it must not have, evaluation sets, metrics, and the booster it leaves.
"""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import numpy as np
from lightgbm import Booster, LGBMClassifier
from lightgbm.basic import LightGBMError

from skfocal._base import FocalLoss, Target, check_features, encode_labels
from skfocal._kernels import Array
from skfocal._lightgbm_text import standardised
from skfocal.objectives import (
    FocalEvalMetric,
    Measure,
    average_precision,
    decision_error,
    mean_loss,
    posterior_log_loss,
    roc_auc,
)

# Parameters that LightGBM would ignore, or misread, beside a custom objective:
# {aliases: (the value that changes nothing, what to do instead)}.
_REFUSED = {
    ("objective", "objective_type", "app", "application", "loss"): (
        None,
        "the objective is the focal loss; focal_gamma=0 is LightGBM's own",
    ),
    ("num_class", "num_classes"): (None, "the number of classes is that of y"),
    ("scale_pos_weight",): (1.0, "weigh classes by focal_alpha"),
    ("is_unbalance", "unbalance", "unbalanced_sets"): (False, 'use focal_alpha="balanced"'),
    ("sigmoid",): (1.0, "the margin is the paper's z, without a factor"),
    ("pos_bagging_fraction", "pos_sub_row", "pos_subsample", "pos_bagging"): (
        1.0,
        "weigh classes by focal_alpha, or sample rows by subsample",
    ),
    ("neg_bagging_fraction", "neg_sub_row", "neg_subsample", "neg_bagging"): (
        1.0,
        "weigh classes by focal_alpha, or sample rows by subsample",
    ),
}

# Metrics computed here, by all their names: (name without prefix, measure, greater is better).
_MEASURES: dict[str, tuple[str, Measure, bool]] = {
    "focal_loss": ("focal_loss", mean_loss, False),
    **dict.fromkeys(
        (
            *("logloss", "binary_logloss", "binary", "cross_entropy", "xentropy"),
            *("multi_logloss", "multiclass", "softmax"),
            *("multiclassova", "multiclass_ova", "ova", "ovr"),
        ),
        ("logloss", posterior_log_loss, False),
    ),
    **dict.fromkeys(("error", "binary_error", "multi_error"), ("error", decision_error, False)),
}
# The same of rank metrics, which LightGBM itself computes rightly from margins, but after
# which it would place all others: these keep the order that early stopping goes by.
_RANKS: dict[str, tuple[str, Measure, bool]] = {
    "auc": ("auc", roc_auc, True),
    "average_precision": ("average_precision", average_precision, True),
}
_PASSED = ("auc", "average_precision", "auc_mu")
_NO_METRIC = ("", "None", "none", "na", "null", "custom")


def check_parameters(params: dict[str, Any]) -> None:
    """Refuse what has no meaning, or no effect, beside a custom objective."""
    for aliases, (neutral, instead) in _REFUSED.items():
        for name in aliases:
            value = params.get(name)
            if value is not None and value != neutral:
                raise ValueError(
                    f"{name}={value!r} has no meaning beside the focal loss: {instead}."
                )
    for name in ("boosting_type", "boosting", "boost"):
        if params.get(name) in ("rf", "random_forest"):
            raise ValueError(
                f"{name}={params[name]!r}: LightGBM's random forest takes no custom "
                'objective. Use "gbdt", "dart" or data_sample_strategy="goss".'
            )


def evaluation_pairs(eval_set: Any, eval_X: Any, eval_y: Any) -> list[tuple[Any, Any]]:
    """Tables and labels of both ways to give evaluation sets."""
    if eval_set is not None and (eval_X is not None or eval_y is not None):
        raise ValueError("Give either eval_set or eval_X and eval_y, not both.")
    if (eval_X is None) != (eval_y is None):
        raise ValueError("eval_X and eval_y belong together: give both.")
    if eval_set is not None:
        return [eval_set] if isinstance(eval_set, tuple) else list(eval_set)
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
    eval_init_score: Any,
    start: float | Array | None,
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
            tables.append(check_features(estimator, table, reset=False))
            codes.append(encode_labels(target.classes, labels, "eval_set"))
    if not pairs:
        return {}
    if eval_init_score is None and start is not None:
        eval_init_score = [repeat(start, len(k)) for k in codes]
    if "eval_X" in signature(LGBMClassifier.fit).parameters and not trains:
        sets: dict[str, Any] = {"eval_X": tuple(tables), "eval_y": tuple(codes)}
    else:
        sets = {"eval_set": list(zip(tables, codes, strict=True))}
    return {**sets, "eval_init_score": eval_init_score}


def weights_of_codes(weights: Any, target: Target) -> Any:
    """Class weights of an evaluation set, labels as codes."""
    if not isinstance(weights, Mapping):
        return weights
    labels = list(weights)
    codes = encode_labels(target.classes, np.asarray(labels), "eval_class_weight")
    return {int(k): weights[label] for k, label in zip(codes, labels, strict=True)}


class _Metric:
    """A measure of the loss's margins in the form of LightGBM's callable metrics."""

    def __init__(self, name: str, measure: Measure, greater: bool, loss: FocalLoss) -> None:
        self.name, self.measure, self.greater, self.loss = name, measure, greater, loss

    def __call__(
        self, y_true: Array, y_pred: Array, weight: Array | None
    ) -> tuple[str, float, bool]:
        return self.name, self.measure(self.loss, y_true, y_pred, weight), self.greater


class _OnPosterior:
    """A user's metric, shown probabilities as it is under a built-in objective."""

    def __init__(self, function: Callable, loss: FocalLoss) -> None:
        self.function, self.loss = function, loss
        self.n_arguments = len(signature(function).parameters)
        if not 2 <= self.n_arguments <= 4:
            raise TypeError(
                f"eval_metric {function!r} must take 2, 3 or 4 arguments, (y_true, y_pred, "
                f"weight, group); it takes {self.n_arguments}."
            )

    def __call__(self, y_true: Array, y_pred: Array, weight: Array | None) -> Any:
        proba = self.loss.posterior(y_pred)
        proba = proba[:, 1] if self.loss.n_classes == 2 else proba
        return self.function(*(y_true, proba, weight, None)[: self.n_arguments])


class _AtConstant:
    """A metric of the margins, at a model that has the same margins for all rows."""

    def __init__(self, metric: Callable, constant: Array) -> None:
        self.metric, self.constant = metric, constant

    def __call__(self, y_true: Array, y_pred: Array, weight: Array | None) -> Any:
        return self.metric(y_true, repeat(self.constant, len(y_true)), weight)


def split_metrics(given: Sequence[Any], loss: FocalLoss) -> tuple[list[str], list[Callable]]:
    """Built-in metrics to pass through, and those computed here, each once and in order."""
    flat: list[Any] = []
    for item in given:
        parts = [item] if isinstance(item, str) or callable(item) else item or []
        for part in parts:
            flat += part.split(",") if isinstance(part, str) else [part]
    flat = flat or ["focal_loss"]
    known = dict(_MEASURES)
    if loss.n_classes == 2 and any(callable(m) or m in _MEASURES for m in flat):
        known |= _RANKS
    prefix = "binary_" if loss.n_classes == 2 else "multi_"
    names: list[str] = []
    callables: dict[Any, Callable] = {}
    for metric in flat:
        if isinstance(metric, FocalEvalMetric):
            callables[id(metric)] = metric  # takes margins
        elif callable(metric):
            callables[id(metric)] = _OnPosterior(metric, loss)
        elif metric in known:
            short, measure, greater = known[metric]
            name = prefix + short if short in ("logloss", "error") else short
            callables[name] = _Metric(name, measure, greater, loss)
        elif metric in _PASSED:
            names += [] if metric in names else [metric]
        elif metric not in _NO_METRIC:
            raise ValueError(
                f"Metric {metric!r} would be computed from margins. By name there are "
                f"{sorted({*_MEASURES, *_PASSED})}; give any other as a function of "
                "(y_true, probabilities)."
            )
    return names, list(callables.values())


def train(
    trainer: LGBMClassifier,
    features: Any,
    target: Target,
    start: float | Array | None,
    **arguments: Any,
) -> None:
    """Fit the trainer and make its booster a standard model that contains the start."""
    try:
        trainer.fit(features, target.codes, target.sample_weight, **arguments)
        shift = start
    except LightGBMError as error:
        if "num_features" not in str(error):
            raise
        shift = _train_constant(trainer, features, target, start, **arguments)
    booster = trainer.booster_
    text = standardised(booster.model_to_string(num_iteration=-1), len(target.classes), shift)
    patched = Booster(model_str=text)
    patched.best_iteration, patched.best_score = booster.best_iteration, booster.best_score
    trainer._Booster = patched


def _train_constant(
    trainer: LGBMClassifier,
    features: Any,
    target: Target,
    start: float | Array | None,
    **arguments: Any,
) -> Array | None:
    """Train where no feature can be split: constant, or too few rows in a leaf.

    A built-in objective then gives a constant model, a custom one an error. Fit the
    built-in one and return what has to be added to its constant for ours.
    """
    n_classes = len(target.classes)
    nothing = 0.0 if n_classes == 2 else np.zeros(n_classes)
    constant = np.asarray(nothing if start is None else start)
    trainer.set_params(objective=None)
    arguments["init_score"] = arguments["eval_init_score"] = None
    arguments["eval_metric"] = [_AtConstant(f, constant) for f in arguments["eval_metric"]]
    trainer.fit(features, target.codes, target.sample_weight, **arguments)
    if arguments.get("init_model") is not None:
        return None  # the model so far holds its start, and nothing was added to it
    row = np.zeros((1, features.shape[1]))
    return constant - trainer.booster_.predict(row, raw_score=True)[0]


def repeat(start: float | Array, n_rows: int) -> Array:
    """The start in every row, as ``init_score``."""
    return np.full(n_rows, start) if np.ndim(start) == 0 else np.tile(start, (n_rows, 1))
