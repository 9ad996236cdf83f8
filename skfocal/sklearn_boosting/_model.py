"""A fitted `FocalHistGradientBoostingClassifier`: predictions and calibration (floor 5)."""

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from skfocal._estimator._features import Table
from skfocal._estimator._mixin import FocalClassifierMixin
from skfocal._kernels import Array
from skfocal.calibration import Calibration
from skfocal.sklearn_boosting._private import WithLoss, change_margins, margins, staged_margins


class HistGradientBoostingModel(WithLoss, FocalClassifierMixin):
    """A fitted model: it predicts, also after each round, and can be calibrated."""

    def predict(self, X: Table) -> npt.NDArray[Any]:
        """The label with the largest weight times posterior.

        The weights are those of ``focal_alpha`` and ``class_weight``. Without them it is the
        likeliest class; with them it is not what the sign or argmax of `decision_function` says.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Columns as in fit.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If X is not as in fit.
        """
        return self._label(margins(self, X))

    def predict_proba(self, X: Table) -> Array:
        """Probability of each class, as ``probability`` says.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._proba(margins(self, X))

    def decision_function(self, X: Table) -> Array:
        """The log-odds of the probabilities that `predict_proba` gives.

        Class weights are undone here, as in `predict_proba`, and count in `predict`. With them a
        threshold of 0 on two classes, or the argmax of more, is another decision than `predict`.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Two classes: log(P+ / P-), whose sigmoid is ``predict_proba(X)[:, 1]``. More:
            log P_k plus a constant of the row, whose softmax is ``predict_proba(X)``. With
            ``probability="raw"`` or ``link="posterior"`` it is the margin.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._decision(margins(self, X))

    def staged_predict(self, X: Table) -> Iterator[npt.NDArray[Any]]:
        """The labels of `predict` after each round.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            As in `predict`.

        Returns
        -------
        iterator of ndarray of shape (n_samples,)
            Labels by the trees of the first rounds. Calibration and priors apply as to all
            rounds.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return map(self._label, staged_margins(self, X))

    def staged_predict_proba(self, X: Table) -> Iterator[Array]:
        """The probabilities of `predict_proba` after each round.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            As in `predict`.

        Returns
        -------
        iterator of ndarray of shape (n_samples, n_classes)
            Probabilities by the trees of the first rounds; see `staged_predict`.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return map(self._proba, staged_margins(self, X))

    def staged_decision_function(self, X: Table) -> Iterator[Array]:
        """The log-odds of `decision_function` after each round.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            As in `predict`.

        Returns
        -------
        iterator of ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds by the trees of the first rounds; see `staged_predict`.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return map(self._decision, staged_margins(self, X))

    def _raw_prediction(self, X: Any) -> Array:
        return margins(self, X)

    def _change_margins(self, change: Calibration) -> None:
        change_margins(self, change)
