"""The focal loss as an evaluation metric of LightGBM and XGBoost."""

from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from skfocal._kernels import Array
from skfocal.losses import FocalLoss, make_loss, mean_loss
from skfocal.losses._parameters import Gamma, Link, Weights
from skfocal.losses._rows import check_margins
from skfocal.objectives._conventions import from_lightgbm, unpack


class HasLoss(Protocol):
    """An objective; it has ``loss_`` once it has seen labels."""

    loss_: FocalLoss


class FocalEvalMetric:
    """Mean focal loss of margins, as an evaluation metric named ``"focal_loss"``.

    It is for training with `FocalObjective`, where both libraries pass margins to metrics:
    ``lgb.train(feval=m)``, ``xgb.train(custom_metric=m)``, ``LGBMClassifier.fit(
    eval_metric=m)``, ``XGBClassifier(eval_metric=m)``. The classifiers of this package compute
    the metric themselves; there its name is ``"focal_loss"``. The value is
    sum(sw w l) / sum(sw) with the sample weights sw and the class weights w.

    Parameters
    ----------
    gamma : float or sequence of floats, default=2.0
        As in `FocalObjective`.
    alpha : float, sequence of floats or None, default=None
        Class weights as numbers. A metric from `FocalObjective.eval_metric` uses the class
        weights that its objective has found on the training labels.
    link : {"focal", "posterior"}, default="focal"
        As in `FocalObjective`.

    See Also
    --------
    FocalObjective : The loss as an objective.
    skfocal.metrics.focal_loss : The loss of probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from skfocal import FocalEvalMetric
    >>> metric = FocalEvalMetric(gamma=2.0)
    >>> metric(np.array([0.0, 1.0]), np.zeros(2))  # doctest: +ELLIPSIS
    ('focal_loss', 0.17328679513998..., False)
    """

    def __init__(self, gamma: Gamma = 2.0, alpha: Weights = None, link: Link = "focal") -> None:
        self.gamma = gamma
        self.alpha = alpha
        self.link = link
        self.__name__ = "focal_loss"  # XGBoost's scikit-learn classes ask for it
        self._objective: HasLoss | None = None

    @classmethod
    def _of_objective(cls, objective: HasLoss, gamma: Gamma, link: Link) -> Self:
        """A metric with the class weights that an objective has found last."""
        metric = cls(gamma, link=link)
        metric._objective = objective
        return metric

    def __call__(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float | tuple[str, float] | tuple[str, float, bool]:
        """The value, in the return convention of the library that calls.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes; the margins in the form ``(preds, dataset)``.
        y_pred : array-like of shape (n,) or (n, K)
            Margins; the dataset in the form ``(preds, dataset)``.
        sample_weight : array-like of shape (n,), default=None
            Weights of rows; a dataset brings its own.

        Returns
        -------
        float or tuple
            (name, value, False) for LightGBM, (name, value) for ``xgb.train``, the value
            alone for XGBoost's scikit-learn classes.

        Raises
        ------
        AttributeError
            If the metric uses the class weights of an objective that has not seen labels.
        TypeError, ValueError
            If a parameter of the metric, a shape or a label is not as described.
        """
        labels, raw, weight = unpack(y_true, y_pred, sample_weight)
        raw = check_margins(raw, "y_pred")
        if not len(raw):
            raise ValueError("y_pred must have at least one row.")
        loss = self._loss_of(raw)
        if weight is not None and not np.any(weight):
            raise ValueError("sample_weight must not be 0 for all rows.")
        value = mean_loss(loss, labels, raw, weight)
        if from_lightgbm(raw, y_pred):
            return self.__name__, value, False
        return (self.__name__, value) if hasattr(y_pred, "get_label") else value

    def _loss_of(self, raw: Array) -> FocalLoss:
        n_classes = 2 if raw.ndim == 1 else raw.shape[1]
        alpha = self.alpha
        if self._objective is not None:
            if not hasattr(self._objective, "loss_"):
                raise AttributeError(
                    "The objective of this metric has not seen labels: call its "
                    "init_score(y_true) or base_score(y_true) before training."
                )
            alpha = self._objective.loss_.class_weight
        return make_loss(n_classes, self.gamma, alpha, link=self.link)
