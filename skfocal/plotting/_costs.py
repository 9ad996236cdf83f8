"""`CostDisplay`: what decisions cost, against the threshold of the probability."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skfocal._kernels import Array
from skfocal.decisions import cost_decision
from skfocal.metrics._budget import positives, scores_of
from skfocal.metrics._costs import Costs
from skfocal.metrics._rows import check_weight
from skfocal.plotting._estimators import positive_label
from skfocal.plotting._style import NEUTRAL, line_style, make_axes

LINES = 3  # of each Display


class CostDisplay:
    """Mean cost of a row against the threshold of the probability.

    A threshold is one decision for all rows: alert those whose probability is above it. Where costs
    differ from row to row, the decision by the costs of each row costs less, if probabilities are
    true (`skfocal.decisions.cost_decision`). A dotted line shows its cost. A grey line shows the
    cost without a model: that of alerting all rows or none, whichever is smaller.

    Parameters
    ----------
    thresholds : ndarray of shape (n,)
        Thresholds, ascending.
    costs : ndarray of shape (n,)
        Mean cost of a row for each.
    by_row : float
        Mean cost of the decision by the costs of each row.
    without_model : float
        Mean cost of alerting all rows or none, whichever is smaller.
    name : str, default=None
        Name of the model.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where `plot` drew.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    line_ : matplotlib Line2D
        Cost against the threshold.
    by_row_ : matplotlib Line2D
        The cost of the decision by row.
    without_model_ : matplotlib Line2D
        The cost without a model.

    See Also
    --------
    skfocal.decisions.CostClassifier : A classifier that decides row by row.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.plotting import CostDisplay
    >>> X, y = make_classification(3000, weights=[0.97], random_state=0)
    >>> model = FocalLogisticRegression().fit(X, y)
    >>> display = CostDisplay.from_estimator(model, X, y, false_negative_cost=50.0)
    >>> display.by_row < display.without_model
    True
    """

    ax_: Any
    figure_: Any
    line_: Any
    by_row_: Any
    without_model_: Any

    def __init__(
        self,
        *,
        thresholds: Array,
        costs: Array,
        by_row: float,
        without_model: float,
        name: str | None = None,
    ) -> None:
        self.thresholds = thresholds
        self.costs = costs
        self.by_row = by_row
        self.without_model = without_model
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: npt.ArrayLike,
        *,
        false_positive_cost: npt.ArrayLike = 1.0,
        false_negative_cost: npt.ArrayLike = 1.0,
        true_positive_cost: npt.ArrayLike = 0.0,
        pos_label: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        name: str | None = None,
        ax: Any = None,
    ) -> "CostDisplay":
        """From a fitted classifier and rows that it has not seen.

        Parameters
        ----------
        estimator : classifier
            A fitted classifier with ``predict_proba``.
        X : array-like of shape (n, n_features)
            Rows.
        y : array-like of shape (n,)
            Their labels, at most two different ones.
        false_positive_cost : float or array-like of shape (n,), default=1.0
            Cost of a false alarm.
        false_negative_cost : float or array-like of shape (n,), default=1.0
            Cost of a miss.
        true_positive_cost : float or array-like of shape (n,), default=0.0
            Cost of an alert that is right.
        pos_label : object, default=None
            The label of positives. None for ``classes_[1]``.
        sample_weight : array-like of shape (n,), default=None
            Weights of rows.
        name : str, default=None
            Name of the model; None for that of its class.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        CostDisplay

        Raises
        ------
        TypeError, ValueError
            If shapes, labels or costs do not match.
        """
        check_is_fitted(estimator)
        pos_label = positive_label(estimator, y, pos_label)
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                "estimator must have predict_proba: costs need probabilities; got "
                f"{type(estimator).__name__}."
            )
        place = np.asarray(estimator.classes_).tolist().index(pos_label)
        return cls.from_predictions(
            y,
            np.asarray(estimator.predict_proba(X))[:, place],
            false_positive_cost=false_positive_cost,
            false_negative_cost=false_negative_cost,
            true_positive_cost=true_positive_cost,
            pos_label=pos_label,
            sample_weight=sample_weight,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        y_proba: npt.ArrayLike,
        *,
        false_positive_cost: npt.ArrayLike = 1.0,
        false_negative_cost: npt.ArrayLike = 1.0,
        true_positive_cost: npt.ArrayLike = 0.0,
        pos_label: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        name: str | None = None,
        ax: Any = None,
    ) -> "CostDisplay":
        """From probabilities of rows.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels, at most two different ones.
        y_proba : array-like of shape (n,) or (n, 2)
            Probabilities of positives; of two columns that of the positive label.
        false_positive_cost : float or array-like of shape (n,), default=1.0
            As in `from_estimator`.
        false_negative_cost : float or array-like of shape (n,), default=1.0
            As in `from_estimator`.
        true_positive_cost : float or array-like of shape (n,), default=0.0
            As in `from_estimator`.
        pos_label : object, default=None
            The label of positives. None for the second label in sorted order.
        sample_weight : array-like of shape (n,), default=None
            As in `from_estimator`.
        name : str, default=None
            As in `from_estimator`.
        ax : matplotlib Axes, default=None
            As in `from_estimator`.

        Returns
        -------
        CostDisplay

        Raises
        ------
        TypeError, ValueError
            If shapes, labels or costs do not match, or if probabilities are not in [0, 1].
        """
        found = positives(y_true, pos_label)
        positive, proba = found.mask, scores_of(y_proba, found, "y_proba")
        weight = check_weight(sample_weight, positive)
        costs_of = Costs.of(
            len(positive), false_positive_cost, false_negative_cost, true_positive_cost
        )
        alerted = cost_decision(
            proba,
            false_positive_cost=costs_of.alarm,
            false_negative_cost=costs_of.miss,
            true_positive_cost=costs_of.hit,
        )
        by_row = float(np.average(costs_of.paid(positive, alerted), weights=weight))
        thresholds, costs = _cost_curve(positive, proba, weight, costs_of)
        return cls(
            thresholds=thresholds,
            costs=costs,
            by_row=by_row,
            without_model=float(min(costs[0], costs[-1])),
            name=name,
        ).plot(ax=ax)

    def plot(self, ax: Any = None) -> "CostDisplay":
        """Draw the costs.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure. A model gets the next colour.

        Returns
        -------
        CostDisplay
            The object itself.
        """
        ax = make_axes(self, ax)
        drawn = len(ax.lines) // LINES
        prefix = "" if self.name is None else f"{self.name}, "
        style = line_style(drawn)
        self.without_model_ = ax.axhline(
            self.without_model,
            color=NEUTRAL,
            linewidth=0.8,
            label="_" if drawn else "alert all rows or none",
        )
        (self.line_,) = ax.plot(
            self.thresholds,
            self.costs,
            drawstyle="steps-post",
            label=f"{prefix}one threshold",
            **style,
        )
        self.by_row_ = ax.axhline(
            self.by_row, color=style["color"], linestyle=":", label=f"{prefix}by the costs of a row"
        )
        ax.set(xscale="log", xlabel="threshold of the probability", ylabel="mean cost of a row")
        ax.legend(frameon=False, loc="upper right")
        return self


def _cost_curve(
    positive: npt.NDArray[np.bool_], proba: Array, weight: Array | None, costs_of: Costs
) -> tuple[Array, Array]:
    """Thresholds, and the mean cost of alerting the rows above each.

    The first threshold is below all probabilities, and alerts all rows; the last is the largest
    probability, and alerts none.
    """
    weight = np.ones(len(proba)) if weight is None else weight
    values, place = np.unique(proba, return_inverse=True)
    total = weight.sum()
    alerted, left = (
        np.bincount(place, weights=weight * costs_of.paid(positive, np.full(len(proba), choice)))
        for choice in (True, False)
    )
    # rows at or below a threshold are not alerted
    costs = np.r_[0.0, left.cumsum()] + np.r_[alerted.sum(), alerted.sum() - alerted.cumsum()]
    # parts of the smallest probability stand for 0, and for less: a logarithmic axis has no 0
    smallest = values[values > 0][:1].sum() or 1.0
    thresholds = np.r_[smallest / 4, np.maximum(values, smallest / 2)]
    return thresholds, np.maximum(costs, 0.0) / total
