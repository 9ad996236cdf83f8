"""Recall and precision of the alerts that a budget allows."""

import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import make_scorer

from skfocal._kernels import Array
from skfocal.losses._parameters import check_choice
from skfocal.losses._rows import floating
from skfocal.metrics._rows import check_labels, check_weight

Budget = float | int
METRICS = ("recall", "precision")


class AlertCurve(NamedTuple):
    """What is found among the rows with the highest scores, one point a distinct score.

    Between two points rows have equal scores, and are alerted in random order: the numbers
    between them are in proportion.
    """

    alerts: Array  # weight of the rows above, from 0 to the weight of all
    found: Array  # weight of the positives among them

    def found_at(self, alerts: npt.ArrayLike) -> Array:
        """Weight of positives among so many alerts."""
        return np.asarray(np.interp(np.asarray(alerts), self.alerts, self.found))


class Positives(NamedTuple):
    """Which rows are positive, and whether their label is the second one in sorted order."""

    mask: npt.NDArray[np.bool_]
    is_second: bool | None  # None where y_true has one label alone


def positives(y_true: npt.ArrayLike, pos_label: Any) -> Positives:
    """Whether each label is the positive one.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels, at most two different ones.
    pos_label : object
        The positive label; None for the second one in sorted order.

    Returns
    -------
    Positives
        The rows, and the place of the label.

    Raises
    ------
    TypeError, ValueError
        If there are more than two labels, they cannot be sorted, or the positive one is not known.
    """
    labels = check_labels(y_true, "y_true")
    try:
        known = np.unique(labels)
    except TypeError:
        raise TypeError("y_true must hold labels that can be sorted, all of one type.") from None
    if len(known) > 2:
        raise ValueError(f"y_true must have two labels at most; got {known.tolist()}.")
    names = known.tolist()
    if np.ndim(pos_label):
        raise ValueError(f"pos_label must be one label; got {pos_label!r}.")
    if pos_label is None:
        if len(known) == 1 and names[0] not in (0, -1):
            raise ValueError(
                f"y_true has the single label {names[0]!r}: name the positive label in pos_label."
            )
        # a single 0, -1 or False is the negative label
        return Positives(labels == known[-1] if len(known) == 2 else labels != labels, True)
    if isinstance(pos_label, str) != isinstance(names[0], str) or (
        len(known) == 2 and pos_label not in names
    ):
        raise ValueError(f"pos_label must be one of {names}; got {pos_label!r}.")
    is_second = bool(pos_label == known[1]) if len(known) == 2 else None
    return Positives(np.asarray(labels == pos_label), is_second)


def scores_of(y_score: npt.ArrayLike, positive: Positives, name: str = "y_score") -> Array:
    """Scores of the positive label: one column, or the column of that label of two.

    Parameters
    ----------
    y_score : array-like of shape (n,) or (n, 2)
        Scores; two columns are in the sorted order of the labels.
    positive : Positives
        Which rows are positive.
    name : str, default="y_score"
        The name of the argument, for messages.

    Returns
    -------
    ndarray of shape (n,)
        The scores in double precision.

    Raises
    ------
    ValueError
        If the shape is another, a score is NaN, or it is not known which column is meant.
    """
    scores = floating(y_score, name).astype(np.float64)
    if scores.ndim == 2 and scores.shape[1] == 2:
        if positive.is_second is None:
            raise ValueError(
                f"{name} has two columns, and y_true a single label: give the column of the "
                "positive label."
            )
        scores = scores[:, int(positive.is_second)]
    n_rows = len(positive.mask)
    if scores.shape != (n_rows,):
        raise ValueError(
            f"{name} must have one number for each of the {n_rows} labels in y_true, or two "
            f"columns; got shape {scores.shape}."
        )
    if np.isnan(scores).any():
        raise ValueError(f"{name} must not hold NaN.")
    return scores


def alert_curve(
    positive: npt.NDArray[np.bool_], scores: Array, weight: Array | None = None
) -> AlertCurve:
    """The curve of rows, whose weight is 1 by default.

    Parameters
    ----------
    positive : ndarray of shape (n,)
        Whether rows are positive.
    scores : ndarray of shape (n,)
        Their scores.
    weight : ndarray of shape (n,), default=None
        Their weights.

    Returns
    -------
    AlertCurve
        Two arrays of one number more than there are distinct scores.
    """
    weight = np.ones(len(scores)) if weight is None else weight
    _, place = np.unique(-scores, return_inverse=True)
    alerts = np.bincount(place, weights=weight).cumsum()
    found = np.bincount(place, weights=weight * positive).cumsum()
    return AlertCurve(np.r_[0.0, alerts], np.r_[0.0, found])


def n_alerts(budget: Budget, total: float) -> float:
    """The number of alerts that a budget is.

    Parameters
    ----------
    budget : float or int
        A float: a share of all rows, in (0, 1]. An int: a number of alerts, at least 1.
    total : float
        The weight of all rows.

    Returns
    -------
    float
        The number, or the weight, of alerts.

    Raises
    ------
    TypeError, ValueError
        If ``budget`` is not as above, or is more than all rows.
    """
    if isinstance(budget, (bool, np.bool_)) or not isinstance(
        budget, (int, float, np.integer, np.floating)
    ):
        raise TypeError(
            "budget must be a float (a share of the rows) or an int (a number of alerts); got "
            f"{budget!r}."
        )
    if isinstance(budget, (float, np.floating)):
        if not 0 < budget <= 1:
            raise ValueError(
                f"budget must be in (0, 1], as a float is a share of the rows; got {budget}. Give "
                "a number of alerts as an int."
            )
        return float(budget) * total
    if not 1 <= budget <= total:
        raise ValueError(
            f"budget must be from 1 to the {total:g} rows, as an int is a number of alerts; got "
            f"{budget}. Give a share of the rows as a float."
        )
    return float(budget)


def _alerted(
    y_true: npt.ArrayLike,
    y_score: npt.ArrayLike,
    budget: Budget,
    pos_label: Any,
    sample_weight: npt.ArrayLike | None,
) -> tuple[float, float, float]:
    """Alerts, positives among them, and all positives."""
    positive = positives(y_true, pos_label)
    weight = check_weight(sample_weight, positive.mask)
    curve = alert_curve(positive.mask, scores_of(y_score, positive), weight)
    alerts = n_alerts(budget, float(curve.alerts[-1]))
    return alerts, float(curve.found_at(alerts)), float(curve.found[-1])


def recall_at_budget(
    y_true: npt.ArrayLike,
    y_score: npt.ArrayLike,
    *,
    budget: Budget,
    pos_label: Any = None,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Share of the positives that are among the rows with the highest scores.

    A team can check a limited number of rows, the budget. It checks the rows with the highest
    scores. This is the share of all positives that it finds.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels, at most two different ones.
    y_score : array-like of shape (n,) or (n, 2)
        Scores, of which greater ones are alerted first: probabilities or log-odds. Two columns
        are in the sorted order of the labels, and that of the positive label is taken.
    budget : float or int
        A float in (0, 1]: the share of the rows that are alerted. An int: the number of alerts.
        With ``sample_weight`` both are counted in weights.
    pos_label : object, default=None
        The positive label. None for the second label in sorted order.
    sample_weight : array-like of shape (n,), default=None
        Weights of rows. A row of weight 2 counts as two rows.

    Returns
    -------
    float
        In [0, 1]; NaN, with a warning, if no row is positive. Rows with equal scores are alerted
        in random order: the value is the mean over all orders. If the budget ends within a row,
        that part of the row counts.

    Raises
    ------
    TypeError, ValueError
        If shapes, labels or the budget are not as above.

    See Also
    --------
    precision_at_budget : Share of the alerts that are positive.
    make_budget_scorer : A scorer for model selection.

    Examples
    --------
    >>> from skfocal.metrics import recall_at_budget
    >>> y_true = [0, 0, 1, 0, 1, 0, 0, 0, 0, 0]
    >>> y_score = [0.1, 0.3, 0.9, 0.8, 0.4, 0.2, 0.1, 0.1, 0.1, 0.1]
    >>> recall_at_budget(y_true, y_score, budget=2)
    0.5
    >>> recall_at_budget(y_true, y_score, budget=0.3)
    1.0
    """
    _, found, all_positives = _alerted(y_true, y_score, budget, pos_label, sample_weight)
    if all_positives == 0:
        warnings.warn(
            "Recall is NaN: no row of y_true is positive.", UndefinedMetricWarning, stacklevel=2
        )
        return float("nan")
    return found / all_positives


def precision_at_budget(
    y_true: npt.ArrayLike,
    y_score: npt.ArrayLike,
    *,
    budget: Budget,
    pos_label: Any = None,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Share of positives among the rows with the highest scores.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        As in `recall_at_budget`.
    y_score : array-like of shape (n,) or (n, 2)
        As in `recall_at_budget`.
    budget : float or int
        As in `recall_at_budget`.
    pos_label : object, default=None
        As in `recall_at_budget`.
    sample_weight : array-like of shape (n,), default=None
        As in `recall_at_budget`.

    Returns
    -------
    float
        In [0, 1]. Rows with equal scores are alerted in random order: the value is the mean over
        all orders.

    Raises
    ------
    TypeError, ValueError
        If shapes, labels or the budget are not as in `recall_at_budget`.

    See Also
    --------
    recall_at_budget : Share of the positives that are found.

    Examples
    --------
    >>> from skfocal.metrics import precision_at_budget
    >>> y_true = [0, 0, 1, 0, 1, 0, 0, 0, 0, 0]
    >>> y_score = [0.1, 0.3, 0.9, 0.8, 0.4, 0.2, 0.1, 0.1, 0.1, 0.1]
    >>> precision_at_budget(y_true, y_score, budget=2)
    0.5
    """
    alerts, found, _ = _alerted(y_true, y_score, budget, pos_label, sample_weight)
    return found / alerts


def make_budget_scorer(
    budget: Budget,
    *,
    metric: Literal["recall", "precision"] = "recall",
    pos_label: Any = None,
) -> Callable[..., float]:
    """A scorer for model selection: recall or precision of the alerts that a budget allows.

    Parameters
    ----------
    budget : float or int
        A float in (0, 1]: the share of the rows that are alerted. An int: the number of alerts
        among the rows of a test fold.
    metric : {"recall", "precision"}, default="recall"
        What is scored.
    pos_label : object, default=None
        The positive label. None for ``classes_[1]``. Name it if a test fold may hold one label
        alone.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, sample_weight=None)``; greater is better.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as above.

    See Also
    --------
    recall_at_budget : The metric.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.metrics import make_budget_scorer
    >>> X, y = make_classification(2000, weights=[0.95], class_sep=2.0, random_state=0)
    >>> model = FocalLogisticRegression().fit(X, y)
    >>> make_budget_scorer(0.02)(model, X, y) < make_budget_scorer(0.1)(model, X, y)
    True
    """
    check_choice(metric, METRICS, "metric")
    n_alerts(budget, np.inf)
    scorer: Callable[..., float] = make_scorer(
        recall_at_budget if metric == "recall" else precision_at_budget,
        response_method=("predict_proba", "decision_function"),
        budget=budget,
        pos_label=pos_label,
    )
    return scorer
