"""Metrics under training: measures of the margins, and the libraries' names for them (floor 4).

A library computes its own metrics from the margins of a custom objective, or from their
sigmoid. Here a metric means what it means of a plain model: losses and errors are those of
the posterior and of `predict`. Binary rank metrics may stay the library's, since posterior
and margin have the same order; with more classes they have not.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from skfocal._kernels import Array
from skfocal.losses import FocalLoss

Measure = Callable[[FocalLoss, Array, Array, Array | None], float]


def posterior_log_loss(
    loss: FocalLoss, y_true: Array, raw: Array, sample_weight: Array | None = None
) -> float:
    """Log loss of the posterior, clipped as in `sklearn.metrics.log_loss`."""
    proba = loss.posterior(raw)
    own = proba[np.arange(len(raw)), np.asarray(y_true, dtype=np.intp)]
    eps = np.finfo(proba.dtype).eps
    return float(np.average(-np.log(np.clip(own, eps, 1 - eps)), weights=sample_weight))


def decision_error(
    loss: FocalLoss, y_true: Array, raw: Array, sample_weight: Array | None = None
) -> float:
    """Share of rows whose class is not the one with the largest weight x posterior."""
    decision = loss.decision(raw)
    label = decision > 0 if decision.ndim == 1 else decision.argmax(axis=1)
    return float(np.average(label != np.asarray(y_true), weights=sample_weight))


def error_at(threshold: float) -> Measure:
    """Share of rows on the wrong side of a threshold of P(y = 1)."""

    def measure(loss: FocalLoss, y_true: Array, raw: Array, weight: Array | None) -> float:
        label = loss.posterior(raw)[:, 1] > threshold
        return float(np.average(label != np.asarray(y_true), weights=weight))

    return measure


def squared_error(
    loss: FocalLoss, y_true: Array, raw: Array, sample_weight: Array | None = None
) -> float:
    """Mean of (P - y)**2 for two classes, the Brier score."""
    return float(np.average((loss.posterior(raw)[:, 1] - y_true) ** 2, weights=sample_weight))


def root_squared_error(
    loss: FocalLoss, y_true: Array, raw: Array, sample_weight: Array | None = None
) -> float:
    """Root of the Brier score."""
    return float(squared_error(loss, y_true, raw, sample_weight) ** 0.5)


def absolute_error(
    loss: FocalLoss, y_true: Array, raw: Array, sample_weight: Array | None = None
) -> float:
    """Mean of |P - y| for two classes."""
    return float(np.average(np.abs(loss.posterior(raw)[:, 1] - y_true), weights=sample_weight))


def roc_auc(
    loss: FocalLoss, y_true: Array, raw: Array, sample_weight: Array | None = None
) -> float:
    """Area under the ROC curve; with more classes one against the rest, by prevalence."""
    return _ranked(roc_auc_score, loss, y_true, raw, sample_weight)


def average_precision(
    loss: FocalLoss, y_true: Array, raw: Array, sample_weight: Array | None = None
) -> float:
    """Average precision; with more classes one against the rest, by prevalence."""
    return _ranked(average_precision_score, loss, y_true, raw, sample_weight)


def _ranked(
    score: Callable[..., Any], loss: FocalLoss, y_true: Array, raw: Array, weight: Array | None
) -> float:
    if loss.n_classes == 2:
        return float(score(y_true, raw, sample_weight=weight))
    own = np.asarray(y_true, dtype=np.intp)[:, None] == np.arange(loss.n_classes)
    return float(score(own, loss.posterior(raw), average="weighted", sample_weight=weight))


def auc_mu(loss: FocalLoss, y_true: Array, raw: Array, sample_weight: Array | None = None) -> float:
    """Mean over pairs of classes of the area under the ROC curve of their odds.

    Kleiman & Page, AUC mu: a performance metric for multi-class machine learning models,
    ICML 2019, with equal costs.
    """
    # the smallest number stands in for 0, whose logarithm has no difference to another
    scores = np.log(np.maximum(loss.posterior(raw), np.finfo(raw.dtype).tiny))
    codes = np.asarray(y_true, dtype=np.intp)
    areas = []
    for i in range(loss.n_classes):
        for j in range(i):
            rows = (codes == i) | (codes == j)
            weight = None if sample_weight is None else sample_weight[rows]
            # rows of equal odds and unequal third probabilities differ by rounding alone
            odds = np.round(scores[rows, i] - scores[rows, j], 9)
            areas.append(roc_auc_score(codes[rows] == i, odds, sample_weight=weight))
    return float(np.mean(areas))
