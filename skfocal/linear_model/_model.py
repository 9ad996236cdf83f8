"""A fitted `FocalLogisticRegression`: predictions, and how it holds its coefficients (floor 4)."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils.validation import check_is_fitted, validate_data

from skfocal._estimator._features import Table
from skfocal._estimator._mixin import FocalClassifierMixin
from skfocal._kernels import Array
from skfocal.calibration import Calibration
from skfocal.linear_model._blocks import margins


def penalty_name(C: float, l1_ratio: float) -> str | None:
    """The penalty in the words of scikit-learn."""
    if np.isinf(C):
        return None
    return {0.0: "l2", 1.0: "l1"}.get(float(l1_ratio), "elasticnet")


class LinearModel(FocalClassifierMixin):
    """A fitted model: it predicts, and it makes its coefficients sparse or dense."""

    coef_: Array
    intercept_: Array
    C: float
    l1_ratio: float

    @property
    def penalty(self) -> str | None:
        """The penalty in the words of scikit-learn: "l1", "l2", "elasticnet" or None.

        Tools such as `sklearn.feature_selection.SelectFromModel` ask for it.
        """
        return penalty_name(self.C, self.l1_ratio)

    def sparsify(self) -> Self:
        """Make ``coef_`` a sparse matrix, which takes less memory where many coefficients are 0.

        Returns
        -------
        FocalLogisticRegression
            The model itself.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        """
        check_is_fitted(self)
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Make ``coef_`` an array again, the inverse of `sparsify`.

        Returns
        -------
        FocalLogisticRegression
            The model itself.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        """
        check_is_fitted(self)
        self.coef_ = self._dense_coef()
        return self

    def _dense_coef(self) -> Array:
        coef: Any = self.coef_
        dense: Array = coef.toarray() if sparse.issparse(coef) else coef
        return dense

    def decision_function(self, X: Table) -> Array:
        """The log-odds of the probabilities that `predict_proba` gives.

        Class weights (``focal_alpha`` and ``class_weight``) count in `predict`, but are undone
        here, as in `predict_proba`. With class weights the sign of the log-odds of two classes,
        or the argmax of more, is therefore another decision than `predict`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes log(P+ / P-), whose sigmoid is ``predict_proba(X)[:, 1]``. For more,
            log P_k plus a constant of the row, whose softmax is ``predict_proba(X)``. With
            ``probability="raw"`` or ``link="posterior"`` it is the margin, the raw score.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        raw = self._margins(X)
        return self._decision(raw)

    def predict_proba(self, X: Table) -> Array:
        """Probability of each class: the posterior, or what ``probability`` says.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._proba(self._margins(X))

    def predict_log_proba(self, X: Table) -> Array:
        """Logarithm of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return np.log(self.predict_proba(X))

    def predict(self, X: Table) -> npt.NDArray[Any]:
        """The label with the largest weight times posterior.

        The weights are those of ``focal_alpha`` and ``class_weight``. Without them the label is
        that of the likeliest class. With them the sign or argmax of `decision_function` may give
        another label.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If X is not as in `fit`.
        """
        return self._label(self._margins(X))

    def _raw_prediction(self, X: Any) -> Array:
        return self._margins(X)

    def _change_margins(self, change: Calibration) -> None:
        dtype = self.intercept_.dtype
        if change.slope != 1.0:
            self.coef_ = (self.coef_ * change.slope).astype(dtype)
        intercept = change.slope * self.intercept_.astype(np.float64) + change.offset
        self.intercept_ = intercept.astype(dtype)

    def _margins(self, X: Table) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        theta = np.vstack([self._dense_coef().T, self.intercept_])
        return margins(X, theta, True).astype(X.dtype, copy=False)
