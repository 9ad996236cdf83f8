"""`AlertBudgetClassifier`: alerts a share of the rows."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import check_cv, cross_val_predict
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from skfocal._kernels import Array
from skfocal.decisions._around import AroundClassifier, place_of, routing
from skfocal.metrics._budget import alert_curve
from skfocal.metrics._rows import check_labels, check_weight


class AlertBudgetClassifier(AroundClassifier):
    """Alerts a share of the rows: those with the highest probabilities.

    A team can look at 50 of 10,000 transactions a day. This classifier predicts the positive label
    for rows whose score is at or above a threshold, which a share ``budget`` of the rows reaches.
    The threshold is taken from rows that the model has not seen, those that are held out of each
    fold: scores of rows that were trained on are too high. Give a model that is fitted already as
    `sklearn.frozen.FrozenEstimator`; ``fit`` then takes validation rows, for the threshold alone.

    Parameters
    ----------
    estimator : classifier
        A classifier with ``predict_proba`` or ``decision_function``. It keeps its probabilities.
    budget : float
        Share of the rows to alert, in (0, 1). For a number of alerts a day, divide it by the
        number of rows a day.
    cv : int, splitter or iterable, default=None
        Folds of `sklearn.model_selection.cross_val_predict`; None for five.
    pos_label : object, default=None
        The label to alert. None for ``classes_[1]``.
    n_jobs : int, default=None
        Processes that train folds.

    Attributes
    ----------
    estimator_ : classifier
        The classifier, fitted on all rows.
    classes_ : ndarray of shape (2,)
        Labels.
    threshold_ : float
        The smallest score that is alerted: a probability, or a value of ``decision_function``
        where the classifier has no probabilities.
    alert_rate_ : float
        Share of the rows that reach it, among those that it was taken from. It is below the
        budget where rows have equal scores.

    See Also
    --------
    sklearn.model_selection.FixedThresholdClassifier : A threshold that is known.
    skfocal.metrics.recall_at_budget : Share of the positives that a budget finds.

    Notes
    -----
    The share of alerts among later rows differs: by chance, by about the square root of their
    number, and if the rows change. Watch it, and take the threshold again on newer rows.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.decisions import AlertBudgetClassifier
    >>> X, y = make_classification(4000, weights=[0.97], random_state=0)
    >>> model = AlertBudgetClassifier(FocalLogisticRegression(), budget=0.01).fit(X, y)
    >>> model.alert_rate_
    0.01
    >>> bool(0.005 < model.predict(X).mean() < 0.02)
    True
    """

    def __init__(
        self,
        estimator: Any,
        *,
        budget: float,
        cv: Any = None,
        pos_label: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.budget = budget
        self.cv = cv
        self.pos_label = pos_label
        self.n_jobs = n_jobs

    def fit(
        self, X: Any, y: npt.ArrayLike, sample_weight: Any = None, **params: Any
    ) -> "AlertBudgetClassifier":
        """Train the classifier, and take the threshold from rows that it has not seen.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.
        y : array-like of shape (n,)
            Labels of two classes.
        sample_weight : array-like of shape (n,), default=None
            Weights of rows: in training, and for the share of the rows.
        **params : dict
            Passed to ``fit`` of the classifier; ``groups`` to the folds.

        Returns
        -------
        AlertBudgetClassifier
            The classifier itself.

        Raises
        ------
        TypeError, ValueError
            If ``budget`` or ``pos_label`` is not as in the class, or there are not two classes.
        """
        _check_share(self.budget)
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        fitted, classes = self._fitted(X, y, params)
        labels = check_labels(y, "y")
        weight = check_weight(sample_weight, labels)
        groups = None if routing() else params.pop("groups", None)
        values = cross_val_predict(
            self.estimator,
            X,
            labels,
            groups=groups,
            cv=check_cv(self.cv, labels, classifier=True),
            method=_method_of(fitted),
            params=params,
            n_jobs=self.n_jobs,
        )
        scores = _scores(np.asarray(values), place_of(self.pos_label, classes))
        self.threshold_, self.alert_rate_ = _threshold(scores, weight, self.budget)
        self.estimator_, self.classes_ = fitted, classes
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """What metadata the classifier within and the folds take.

        Returns
        -------
        MetadataRouter
            The routing of ``fit``.
        """
        split = MethodMapping().add(caller="fit", callee="split")
        router = super().get_metadata_routing()
        return router.add(splitter=check_cv(self.cv, classifier=True), method_mapping=split)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The positive label for rows whose score reaches the threshold.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        check_is_fitted(self)
        place = self._place()
        scores = _scores(
            np.asarray(getattr(self.estimator_, _method_of(self.estimator_))(X)), place
        )
        return self._labels(scores >= self.threshold_, place)


def _check_share(budget: Any) -> None:
    if isinstance(budget, (bool, np.bool_)) or not isinstance(budget, (float, np.floating)):
        raise TypeError(
            f"budget must be a float, a share of the rows; got {budget!r}. For a number of alerts "
            "a day, divide it by the number of rows a day."
        )
    if not 0 < budget < 1:
        raise ValueError(f"budget must be in (0, 1), a share of the rows; got {budget}.")


def _method_of(fitted: Any) -> str:
    """What gives the scores of a classifier."""
    return "predict_proba" if hasattr(fitted, "predict_proba") else "decision_function"


def _threshold(scores: Array, weight: Array | None, budget: float) -> tuple[float, float]:
    """The smallest score that no more than the budget reaches, and the share that reaches it."""
    if weight is not None:
        scores, weight = scores[weight > 0], weight[weight > 0]
    values = np.unique(scores)[::-1]
    curve = alert_curve(np.zeros(len(scores), dtype=bool), scores, weight)
    shares = curve.alerts[1:] / curve.alerts[-1]
    # equal shares may differ by rounding
    n_alerted = int(np.searchsorted(shares, budget * (1 + 1e-12), side="right"))
    if n_alerted == 0:  # even the rows of the highest score are too many
        return float(np.nextafter(values[0], np.inf)), 0.0
    return float(values[n_alerted - 1]), float(shares[n_alerted - 1])


def _scores(values: npt.NDArray[Any], place: int) -> Array:
    """Scores of one class, of probabilities or of ``decision_function``."""
    if values.ndim == 2:
        return np.asarray(values[:, place], dtype=np.float64)
    return np.asarray(values if place == 1 else -values, dtype=np.float64)
