"""`AlertBudgetClassifier`: alerts a share of the rows."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted

from skfocal._kernels import Array
from skfocal.decisions._around import AroundClassifier, class_scores, place_of
from skfocal.metrics._budget import alert_curve
from skfocal.metrics._rows import check_labels, check_weight


class AlertBudgetClassifier(AroundClassifier):
    """Alerts a share of the rows: those with the highest probabilities.

    A team can check 50 of 10,000 transactions a day. This classifier predicts the positive label
    for the rows with the highest scores: those at or above a threshold. The threshold is chosen
    so that a share ``budget`` of the rows reaches it.

    The threshold comes from rows that the model was not trained on, because scores of training
    rows are too high. By default these are the rows that folds hold out. If the model is fitted
    already, pass it as `sklearn.frozen.FrozenEstimator`. Then ``fit`` takes validation rows, and
    uses them for the threshold alone.

    Parameters
    ----------
    estimator : classifier
        A classifier with ``predict_proba`` or ``decision_function``. It keeps its probabilities.
    budget : float
        Share of the rows to alert, in (0, 1). For a number of alerts a day, divide it by the
        number of rows a day.
    cv : int, splitter or iterable, default=None
        Folds; None for five stratified ones. Rows that no fold holds out do not count. In the
        order of time, pass a ``FrozenEstimator`` and the newest rows instead: the models of time
        folds are trained on fewer rows than the final one, and may have other scores.
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
        Share of held-out rows that reach the threshold. It is at most the budget.

    See Also
    --------
    sklearn.model_selection.FixedThresholdClassifier : A threshold that is known.
    skfocal.metrics.recall_at_budget : Share of the positives that a budget finds.

    Notes
    -----
    The share of alerts among later rows is not exactly the budget. The number of alerts differs by
    chance, by about its square root. It differs more if the rows change. Watch the share, and fit
    again on newer rows. Fit again, too, after `adjust_priors` or `calibrate` of the model, because
    the threshold is a probability.

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
        self, X: Any, y: npt.ArrayLike | None = None, sample_weight: Any = None, **params: Any
    ) -> "AlertBudgetClassifier":
        """Train the classifier, and take the threshold from rows that it has not seen.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.
        y : array-like of shape (n,), default=None
            Labels of two classes. A threshold needs no labels: with a ``FrozenEstimator`` they
            may be None, or of one class.
        sample_weight : array-like of shape (n,), default=None
            Weights of rows, for training and for the share that is alerted.
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
        weight = None
        frozen = isinstance(self.estimator, FrozenEstimator)
        if y is None and not frozen:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        given = np.zeros(_num_samples(X)) if y is None else y
        if sample_weight is not None:
            weight = check_weight(sample_weight, check_labels(given, "y"))
            params["sample_weight"] = weight
        fitted, classes = self._fitted(X, given, self._for_estimator(params, own=("groups",)))
        labels = check_labels(given, "y")
        place = place_of(self.pos_label, classes)
        if frozen:
            rows, scores = np.arange(len(labels)), class_scores(fitted, X, place)
            if len(scores) != len(labels):
                raise ValueError(f"X has {len(scores)} rows, but y has {len(labels)} labels.")
        else:
            rows, scores = self._held_out(X, labels, params, classes, place)
        if np.isnan(scores).any():
            raise ValueError("estimator gives scores that are NaN, which cannot be ordered.")
        weight = None if weight is None else weight[rows]
        self.threshold_, self.alert_rate_ = _threshold(scores, weight, self.budget)
        self.estimator_, self.classes_, self._place = fitted, classes, place
        return self

    def _held_out(
        self,
        X: Any,
        labels: npt.NDArray[Any],
        params: dict[str, Any],
        classes: npt.NDArray[Any],
        place: int,
    ) -> tuple[npt.NDArray[np.intp], Array]:
        """Rows that folds hold out, and their scores by models that have not seen them."""
        cv = check_cv(self.cv, labels, classifier=True)
        (X,) = indexable(X)
        splits = list(cv.split(X, labels, params.get("groups")))
        own = self._for_estimator(params, own=("groups",))

        def fold(train: npt.NDArray[np.intp], test: npt.NDArray[np.intp]) -> Array:
            model = clone(self.estimator)
            model.fit(_safe_indexing(X, train), labels[train], **_rows_of(own, train, len(labels)))
            if not np.array_equal(model.classes_, classes):
                raise ValueError(
                    "cv has a fold whose training rows have one class alone: use stratified folds."
                )
            return class_scores(model, _safe_indexing(X, test), place)

        found = Parallel(n_jobs=self.n_jobs)(delayed(fold)(*split) for split in splits)
        return np.concatenate([test for _, test in splits]), np.concatenate(found)

    def get_metadata_routing(self) -> MetadataRouter:
        """What metadata the classifier within and the folds take.

        Returns
        -------
        MetadataRouter
            The routing of ``fit``.
        """
        router = super().get_metadata_routing()
        if hasattr(self.cv, "split"):
            split = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=self.cv, method_mapping=split)
        return router

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
        return self._labels(class_scores(self.estimator_, X, self._place) >= self.threshold_)


def _check_share(budget: Any) -> None:
    if isinstance(budget, (bool, np.bool_)) or not isinstance(budget, (float, np.floating)):
        raise TypeError(
            f"budget must be a float, a share of the rows; got {budget!r}. For a number of alerts "
            "a day, divide it by the number of rows a day."
        )
    if not 0 < budget < 1:
        raise ValueError(f"budget must be in (0, 1), a share of the rows; got {budget}.")


def _rows_of(params: dict[str, Any], rows: npt.NDArray[np.intp], n_rows: int) -> dict[str, Any]:
    """Parameters of ``fit``; of those that have a value for each row, these rows."""
    return {
        name: _safe_indexing(value, rows)
        if hasattr(value, "__len__") and not isinstance(value, (str, dict)) and len(value) == n_rows
        else value
        for name, value in params.items()
    }


def _threshold(scores: Array, weight: Array | None, budget: float) -> tuple[float, float]:
    """The smallest score that no more than the budget reaches, and the share that reaches it."""
    if weight is not None:
        scores, weight = scores[weight > 0], weight[weight > 0]
    values = np.unique(scores)[::-1]
    curve = alert_curve(np.zeros(len(scores), dtype=bool), scores, weight)
    shares = curve.alerts[1:] / curve.alerts[-1]
    # equal shares may differ by rounding
    n_alerted = int(np.searchsorted(shares, budget * (1 + 1e-12), side="right"))
    if n_alerted == 0:  # even the rows with the highest score are too many
        warnings.warn(
            f"No row will be alerted: the rows with the highest score are {shares[0]:.2g} of all "
            f"rows, more than budget={budget:g}. This happens with few rows, with one class alone, "
            "or with few distinct scores.",
            UserWarning,
            stacklevel=3,
        )
        return float(np.nextafter(values[0], np.inf)), 0.0
    return float(values[n_alerted - 1]), float(shares[n_alerted - 1])
