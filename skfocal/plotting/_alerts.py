"""`AlertBudgetDisplay`: what a number of alerts finds, and how many of them are right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from skfocal._kernels import Array
from skfocal.decisions._around import class_scores
from skfocal.losses._parameters import check_choice, check_flag
from skfocal.losses._rows import numbers
from skfocal.metrics._budget import METRICS, AlertCurve, alert_curve, positives, scores_of
from skfocal.metrics._rows import check_labels, check_weight
from skfocal.plotting._estimators import positive_label
from skfocal.plotting._style import make_axes, next_colour

N_POINTS = 200


class AlertBudgetDisplay:
    """Recall and precision against the number of alerts.

    The rows with the highest scores are alerted first. A team reads its budget on the horizontal
    axis, the share of the positives that it finds (recall), and the share of its alerts that are
    right (precision).

    Parameters
    ----------
    alerts : ndarray of shape (n,)
        Numbers of alerts, ascending. If ``periods`` was given, alerts in one period.
    recall, precision : ndarray of shape (n,)
        For each number of alerts; over folds their means.
    recall_range, precision_range : ndarray of shape (2, n), default=None
        Smallest and largest value over folds, which are drawn as a band.
    name : str, default=None
        Name of the model.
    unit : str, default="alerts"
        Name of the horizontal axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where `plot` drew.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    lines_ : list of matplotlib Line2D
        Recall and precision, or the one that is drawn.

    See Also
    --------
    skfocal.metrics.recall_at_budget : One point of the curve.
    skfocal.decisions.AlertBudgetClassifier : Alerts a share of the rows.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.plotting import AlertBudgetDisplay
    >>> X, y = make_classification(3000, weights=[0.97], random_state=0)
    >>> model = FocalLogisticRegression().fit(X, y)
    >>> display = AlertBudgetDisplay.from_estimator(model, X, y)
    >>> float(display.recall[-1])
    1.0
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]

    def __init__(
        self,
        *,
        alerts: Array,
        recall: Array,
        precision: Array,
        recall_range: Array | None = None,
        precision_range: Array | None = None,
        name: str | None = None,
        unit: str = "alerts",
    ) -> None:
        self.alerts = alerts
        self.recall = recall
        self.precision = precision
        self.recall_range = recall_range
        self.precision_range = precision_range
        self.name = name
        self.unit = unit

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: npt.ArrayLike,
        *,
        pos_label: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        periods: float | None = None,
        name: str | None = None,
        metrics: Sequence[str] = METRICS,
        log: bool = True,
        ax: Any = None,
    ) -> "AlertBudgetDisplay":
        """From a fitted classifier and rows that it has not seen.

        Parameters
        ----------
        estimator : classifier
            A fitted classifier with ``predict_proba`` or ``decision_function``.
        X : array-like of shape (n, n_features)
            Rows.
        y : array-like of shape (n,)
            Their labels, at most two different ones.
        pos_label : object, default=None
            The label of positives. None for ``classes_[1]``.
        sample_weight : array-like of shape (n,), default=None
            Weights of rows.
        periods : float, default=None
            How many days, or other periods, the rows cover. The axis then has alerts in one period.
        name : str, default=None
            Name of the model; None for that of its class.
        metrics : sequence of {"recall", "precision"}, default=("recall", "precision")
            As in `plot`.
        log : bool, default=True
            As in `plot`.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure. Give ``display.ax_`` of another Display to draw
            several models into one figure.

        Returns
        -------
        AlertBudgetDisplay

        Raises
        ------
        TypeError, ValueError
            If shapes or labels do not match, or if no row is positive.
        """
        check_is_fitted(estimator)
        pos_label = positive_label(estimator, y, pos_label)
        return cls.from_predictions(
            y,
            _scores(estimator, X, pos_label),
            pos_label=pos_label,
            sample_weight=sample_weight,
            periods=periods,
            name=type(estimator).__name__ if name is None else name,
            metrics=metrics,
            log=log,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        y_score: npt.ArrayLike,
        *,
        pos_label: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        periods: float | None = None,
        name: str | None = None,
        metrics: Sequence[str] = METRICS,
        log: bool = True,
        ax: Any = None,
    ) -> "AlertBudgetDisplay":
        """From scores of rows.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels, at most two different ones.
        y_score : array-like of shape (n,) or (n, 2)
            Scores of positives; of two columns that of the positive label.
        pos_label : object, default=None
            The label of positives. None for the second label in sorted order.
        sample_weight : array-like of shape (n,), default=None
            As in `from_estimator`.
        periods : float, default=None
            As in `from_estimator`.
        name : str, default=None
            Name of the model.
        metrics : sequence of {"recall", "precision"}, default=("recall", "precision")
            As in `plot`.
        log : bool, default=True
            As in `plot`.
        ax : matplotlib Axes, default=None
            As in `from_estimator`.

        Returns
        -------
        AlertBudgetDisplay

        Raises
        ------
        TypeError, ValueError
            If shapes or labels do not match, or if no row is positive.
        """
        per = _periods(periods)
        curve = _curve(y_true, y_score, pos_label, sample_weight)
        shares = _grid(len(np.asarray(y_true)))
        recall, precision = _points(curve, shares)
        return cls(
            alerts=shares * curve.alerts[-1] / per,
            recall=recall,
            precision=precision,
            name=name,
            unit=_unit(periods),
        ).plot(ax=ax, metrics=metrics, log=log)

    @classmethod
    def from_cv(
        cls,
        estimator: Any,
        X: Any,
        y: npt.ArrayLike,
        *,
        cv: Any = None,
        pos_label: Any = None,
        periods: float | None = None,
        name: str | None = None,
        metrics: Sequence[str] = METRICS,
        log: bool = True,
        ax: Any = None,
    ) -> "AlertBudgetDisplay":
        """From the folds of a classifier: their mean, and a band from the worst to the best.

        Parameters
        ----------
        estimator : classifier
            A classifier, which is fitted on the training rows of each fold.
        X : array-like of shape (n, n_features)
            Rows.
        y : array-like of shape (n,)
            Their labels, of two classes.
        cv : int, splitter or iterable, default=None
            Folds; None for five.
        pos_label : object, default=None
            As in `from_estimator`.
        periods : float, default=None
            How many periods all rows cover, as in `from_estimator`. The axis has the number of
            alerts among all rows. Each fold alerts the same share of its rows.
        name : str, default=None
            As in `from_estimator`.
        metrics : sequence of {"recall", "precision"}, default=("recall", "precision")
            As in `plot`.
        log : bool, default=True
            As in `plot`.
        ax : matplotlib Axes, default=None
            As in `from_estimator`.

        Returns
        -------
        AlertBudgetDisplay

        Raises
        ------
        TypeError, ValueError
            If shapes or labels do not match, or if a fold has no positive row.
        """
        _check_metrics(metrics)
        check_flag(log, "log")
        labels, per = check_labels(y, "y"), _periods(periods)
        shares = _grid(len(labels))
        found = []
        for train, test in check_cv(cv, labels, classifier=True).split(X, labels):
            model = clone(estimator).fit(_safe_indexing(X, train), labels[train])
            label = positive_label(model, labels[test], pos_label)
            scores = _scores(model, _safe_indexing(X, test), label)
            curve = _curve(labels[test], scores, label, None)
            found.append(_points(curve, shares))
        folds = np.array(found)  # (folds, 2, points)
        low, high = folds.min(axis=0), folds.max(axis=0)
        recall, precision = folds.mean(axis=0)
        return cls(
            alerts=shares * len(labels) / per,
            recall=recall,
            precision=precision,
            recall_range=np.array([low[0], high[0]]),
            precision_range=np.array([low[1], high[1]]),
            name=type(estimator).__name__ if name is None else name,
            unit=_unit(periods),
        ).plot(ax=ax, metrics=metrics, log=log)

    def plot(
        self, ax: Any = None, *, metrics: Sequence[str] = METRICS, log: bool = True
    ) -> "AlertBudgetDisplay":
        """Draw recall (a line) and precision (dashes).

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure. A model gets the next colour.
        metrics : sequence of {"recall", "precision"}, default=("recall", "precision")
            What is drawn.
        log : bool, default=True
            Whether the axis of alerts is logarithmic, so that small budgets can be told apart.

        Returns
        -------
        AlertBudgetDisplay
            The object itself.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        """
        _check_metrics(metrics)
        check_flag(log, "log")
        ax = make_axes(self, ax)
        colour = next_colour(ax)
        prefix = "" if self.name is None else f"{self.name}, "
        self.lines_ = []
        curves = {
            "recall": (self.recall, self.recall_range, "-"),
            "precision": (self.precision, self.precision_range, "--"),
        }
        for label in metrics:
            values, limits, dashes = curves[label]
            line = ax.plot(
                self.alerts, values, color=colour, linestyle=dashes, label=prefix + label
            )
            self.lines_ += line
            if limits is not None:
                ax.fill_between(self.alerts, *limits, color=colour, alpha=0.15, linewidth=0)
        scale = "log" if log else "linear"
        ax.set(xscale=scale, xlabel=self.unit, ylabel=", ".join(metrics), ylim=(0, 1.02))
        ax.legend(frameon=False)
        return self


def _check_metrics(metrics: Any) -> None:
    if (
        isinstance(metrics, str)
        or not isinstance(metrics, (Sequence, np.ndarray))
        or not len(metrics)
    ):
        raise TypeError(
            f"metrics must be a sequence of {' and '.join(map(repr, METRICS))}; got {metrics!r}."
        )
    for name in metrics:
        check_choice(name, METRICS, "metrics")


def _scores(estimator: Any, X: Any, pos_label: Any) -> Array:
    """Scores of the positive label."""
    return class_scores(estimator, X, np.asarray(estimator.classes_).tolist().index(pos_label))


def _curve(
    y_true: npt.ArrayLike,
    y_score: npt.ArrayLike,
    pos_label: Any,
    sample_weight: npt.ArrayLike | None,
) -> AlertCurve:
    positive = positives(y_true, pos_label)
    weight = check_weight(sample_weight, positive.mask)
    curve = alert_curve(positive.mask, scores_of(y_score, positive), weight)
    if curve.found[-1] == 0:
        raise ValueError(
            "No row is positive, so recall has no value. Give more rows, or stratified folds."
        )
    return curve


def _grid(n_rows: int) -> Array:
    """Shares of the rows, from one row to all, evenly spaced on a logarithmic axis."""
    return np.geomspace(1.0 / n_rows, 1.0, N_POINTS)


def _points(curve: AlertCurve, shares: Array) -> tuple[Array, Array]:
    """Recall and precision of shares of all rows."""
    alerts = shares * curve.alerts[-1]
    found = curve.found_at(alerts)
    return found / curve.found[-1], found / alerts


def _periods(periods: float | None) -> float:
    if periods is None:
        return 1.0
    number = numbers(periods, "periods")
    if number.ndim or not (np.isfinite(number) and number > 0):
        raise ValueError(f"periods must be one number > 0; got {periods!r}.")
    return float(number)


def _unit(periods: float | None) -> str:
    return "alerts" if periods is None else "alerts in a period"
