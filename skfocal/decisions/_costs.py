"""`cost_decision` and `CostClassifier`: decisions where errors have prices."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skfocal._kernels import Array
from skfocal.decisions._around import AroundClassifier, place_of
from skfocal.losses._rows import floating
from skfocal.metrics._costs import Costs, check_costs

GivenCost = npt.ArrayLike | Callable[[Any], npt.ArrayLike]
COST_NAMES = ("false_positive_cost", "false_negative_cost", "true_positive_cost")


def cost_decision(
    y_proba: npt.ArrayLike,
    *,
    false_positive_cost: npt.ArrayLike = 1.0,
    false_negative_cost: npt.ArrayLike = 1.0,
    true_positive_cost: npt.ArrayLike = 0.0,
) -> npt.NDArray[np.bool_]:
    """The decision with the smallest expected cost: the Bayes decision.

    A row is taken for positive, or *alerted*, if [1]_
    ``(false_negative_cost - true_positive_cost) * p > false_positive_cost * (1 - p)``. Then an
    alert is expected to save more than it costs. The costs may differ from row to row, such as
    the amount of a transaction, or the price of a phone call.

    Parameters
    ----------
    y_proba : array-like of shape (n,) or (n, 2)
        Probabilities of the positive label; of two columns the second is taken. They must be
        true probabilities. A model that was trained with class weights or on a sample gives
        others.
    false_positive_cost : float or array-like of shape (n,), default=1.0
        Cost of a false alarm, a number for all rows or one for each.
    false_negative_cost : float or array-like of shape (n,), default=1.0
        Cost of a miss.
    true_positive_cost : float or array-like of shape (n,), default=0.0
        Cost of an alert that is right. If each check costs 5, whatever it finds, set this and
        ``false_positive_cost`` to 5. The row is then alerted if ``false_negative_cost * p > 5``.

    Returns
    -------
    ndarray of shape (n,)
        True where a row is alerted. Where both sides cost the same it is not.

    Raises
    ------
    TypeError, ValueError
        If probabilities or costs are not as above.

    See Also
    --------
    CostClassifier : A classifier that decides so.
    skfocal.metrics.mean_cost : What decisions have cost.

    References
    ----------
    .. [1] Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001.

    Examples
    --------
    >>> from skfocal.decisions import cost_decision
    >>> amount = [10.0, 5000.0, 5000.0]
    >>> cost_decision([0.02, 0.02, 0.0001], false_positive_cost=5, false_negative_cost=amount)
    array([False,  True, False])
    """
    proba = _positive(y_proba)
    costs = Costs.of(len(proba), false_positive_cost, false_negative_cost, true_positive_cost)
    return np.asarray((costs.miss - costs.hit) * proba > costs.alarm * (1 - proba))


def _positive(y_proba: npt.ArrayLike) -> Array:
    """Probabilities of the positive label, in double precision."""
    proba = floating(y_proba, "y_proba").astype(np.float64)
    if proba.ndim == 2 and proba.shape[1] == 2:
        proba = proba[:, 1]
    if proba.ndim != 1:
        raise ValueError(f"y_proba must have shape (n,) or (n, 2); got {proba.shape}.")
    if not ((proba >= 0) & (proba <= 1)).all():
        raise ValueError("y_proba must be in [0, 1].")
    return proba


class CostClassifier(AroundClassifier):
    """Decides by what errors cost, row by row.

    It predicts the positive label where an alert is expected to save more than it costs
    (`cost_decision`). The classifier within is trained without costs: costs belong to the
    decision. ``sample_weight=amount`` is not the same: it trains a model of the share of *money*
    that is positive, not of the share of rows.

    Parameters
    ----------
    estimator : classifier
        A classifier with ``predict_proba``. Its probabilities must be true, as those of this
        package are. A model that was trained with class weights or on a sample gives others.
    false_positive_cost : float or callable, default=1.0
        Cost of a false alarm. A callable takes ``X`` of ``predict`` and gives one cost for each
        row; ``operator.itemgetter("fee")`` takes a column, and can be saved.
    false_negative_cost : float or callable, default=1.0
        Cost of a miss, as above.
    true_positive_cost : float or callable, default=0.0
        Cost of an alert that is right, as above. If each check costs the same, whatever it finds,
        set it to ``false_positive_cost``.
    pos_label : object, default=None
        The positive label. None for ``classes_[1]``.

    Attributes
    ----------
    estimator_ : classifier
        The classifier, fitted.
    classes_ : ndarray of shape (2,)
        Labels.

    See Also
    --------
    cost_decision : The same for probabilities.
    skfocal.metrics.mean_cost : What decisions have cost.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.decisions import CostClassifier
    >>> from skfocal.metrics import mean_cost
    >>> X, y = make_classification(4000, weights=[0.95], flip_y=0.02, random_state=0)
    >>> amount = np.random.default_rng(0).exponential(100, size=4000)
    >>> model = CostClassifier(FocalLogisticRegression(), false_positive_cost=5.0).fit(X, y)
    >>> costs = {"false_positive_cost": 5.0, "false_negative_cost": amount}
    >>> by_cost = mean_cost(y, model.predict(X, false_negative_cost=amount), **costs)
    >>> by_half = mean_cost(y, model.estimator_.predict(X), **costs)
    >>> by_cost < by_half
    True
    """

    def __init__(
        self,
        estimator: Any,
        *,
        false_positive_cost: GivenCost = 1.0,
        false_negative_cost: GivenCost = 1.0,
        true_positive_cost: GivenCost = 0.0,
        pos_label: Any = None,
    ) -> None:
        self.estimator = estimator
        self.false_positive_cost = false_positive_cost
        self.false_negative_cost = false_negative_cost
        self.true_positive_cost = true_positive_cost
        self.pos_label = pos_label

    def fit(self, X: Any, y: npt.ArrayLike, **params: Any) -> "CostClassifier":
        """Train the classifier, without costs.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.
        y : array-like of shape (n,)
            Labels of two classes.
        **params : dict
            Passed to ``fit`` of the classifier.

        Returns
        -------
        CostClassifier
            The classifier itself.

        Raises
        ------
        TypeError, ValueError
            If a cost or ``pos_label`` is not as in the class, or there are not two classes.
        """
        for name in COST_NAMES:
            own = getattr(self, name)
            if not callable(own) and np.ndim(own):
                raise ValueError(
                    f"{name} must be a number or a callable; got shape {np.shape(own)}. Give costs "
                    "of rows to predict."
                )
            if not callable(own):
                check_costs(own, 1, name)
        if not hasattr(self.estimator, "predict_proba"):
            raise TypeError(
                "estimator must have predict_proba: costs need probabilities. Wrap it in "
                f"CalibratedClassifierCV; got {type(self.estimator).__name__}."
            )
        fitted, classes = self._fitted(X, y, self._for_estimator(params))
        self._place = place_of(self.pos_label, classes)
        self.estimator_, self.classes_ = fitted, classes
        return self

    def predict(
        self,
        X: Any,
        *,
        false_positive_cost: npt.ArrayLike | None = None,
        false_negative_cost: npt.ArrayLike | None = None,
        true_positive_cost: npt.ArrayLike | None = None,
    ) -> npt.NDArray[Any]:
        """The label whose expected cost is smaller.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.
        false_positive_cost : float or array-like of shape (n,), default=None
            Costs of false alarms; None for those of the class. With scikit-learn's metadata
            routing, ``set_predict_request(false_positive_cost=True)`` lets a pipeline pass them.
        false_negative_cost : float or array-like of shape (n,), default=None
            Costs of misses; None for those of the class.
        true_positive_cost : float or array-like of shape (n,), default=None
            Costs of alerts that are right; None for those of the class.

        Returns
        -------
        ndarray of shape (n,)
            Labels.

        Raises
        ------
        TypeError, ValueError
            If costs are not numbers >= 0, one or one for each row.
        """
        check_is_fitted(self)
        proba = np.asarray(self.estimator_.predict_proba(X), dtype=np.float64)[:, self._place]
        given = (false_positive_cost, false_negative_cost, true_positive_cost)
        costs = {
            name: _cost_of(X, cost, getattr(self, name))
            for name, cost in zip(COST_NAMES, given, strict=True)
        }
        return self._labels(cost_decision(proba, **costs))


def _cost_of(X: Any, given: npt.ArrayLike | None, own: GivenCost) -> npt.ArrayLike:
    """The cost that was given, or else that of the class."""
    if given is not None:
        return given
    return own(X) if callable(own) else own
