"""Labels, probabilities and decisions of `FocalLGBMClassifier` (floor 4)."""

from typing import Any

import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skfocal._base import Table, check_features
from skfocal._kernels import Array
from skfocal._lightgbm_files import LightGBMFiles
from skfocal._lightgbm_training import check_columns
from skfocal._parameters import check_integer


class LightGBMPrediction(LightGBMFiles):
    """Prediction from the booster's margins, which the parent computes.

    A child of `LightGBMFiles`, not its neighbour: LightGBM's ``get_params`` looks for itself in the
    first two parents of a class, and no further.
    """

    def predict(
        self,
        X: Table,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> npt.NDArray[Any]:
        """The label with the largest weight times posterior.

        The weights are those of ``focal_alpha`` and ``class_weight``. Without them it is the
        likeliest class; with them it is not what the sign or argmax of `decision_function` says.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Columns as in fit.
        raw_score : bool, default=False
            Return the booster's margins instead, of shape (n_samples,) or (n_samples,
            n_classes).
        start_iteration : int, default=0
            The first iteration to use.
        num_iteration : int, default=None
            How many to use; None: up to the best one, where training has stopped early, else
            all.
        pred_leaf : bool, default=False
            Return the indices of leaves instead.
        pred_contrib : bool, default=False
            Return SHAP values of the margins instead.
        validate_features : bool, default=False
            Whether LightGBM compares the names of columns.
        **kwargs
            See `lightgbm.LGBMClassifier.predict`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``, unless something else was asked for.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If X is not as in fit.
        """
        result, is_margin = self._predict(
            X,
            raw_score,
            pred_leaf,
            pred_contrib,
            start_iteration=start_iteration,
            num_iteration=num_iteration,
            validate_features=validate_features,
            **kwargs,
        )
        return self._label(result) if is_margin else result

    def predict_proba(
        self,
        X: Table,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> Array:
        """Probability of each class, as ``probability`` says.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Columns as in fit.
        raw_score : bool, default=False
            As in `predict`.
        start_iteration : int, default=0
            As in `predict`.
        num_iteration : int, default=None
            As in `predict`.
        pred_leaf, pred_contrib, validate_features : bool, default=False
            As in `predict`.
        **kwargs
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
        result, is_margin = self._predict(
            X,
            raw_score,
            pred_leaf,
            pred_contrib,
            start_iteration=start_iteration,
            num_iteration=num_iteration,
            validate_features=validate_features,
            **kwargs,
        )
        return self._proba(result) if is_margin else result

    def decision_function(
        self,
        X: Table,
        *,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> Array:
        """The log-odds of the probabilities that `predict_proba` gives.

        Class weights (``focal_alpha`` and ``class_weight``) are undone here, as in `predict_proba`,
        and count in `predict`. With them a threshold of 0 on two classes, or the argmax of
        more, is another decision than `predict`.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Columns as in fit.
        start_iteration : int, default=0
            As in `predict`.
        num_iteration : int, default=None
            As in `predict`.
        validate_features : bool, default=False
            As in `predict`.
        **kwargs
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
        raw, _ = self._predict(
            X,
            start_iteration=start_iteration,
            num_iteration=num_iteration,
            validate_features=validate_features,
            **kwargs,
        )
        return self._decision(raw)

    def _predict(
        self,
        X: Table,
        raw_score: bool = False,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, bool]:
        """The parent's prediction, margins unless asked for something else."""
        check_is_fitted(self)
        check_integer(kwargs.get("start_iteration", 0), "start_iteration", 0)
        if kwargs.get("num_iteration") is not None:  # 0 and less stand for all
            check_integer(kwargs["num_iteration"], "num_iteration", -(2**31))
        X = check_columns(check_features(self, X, reset=False))
        asked = raw_score or pred_leaf or pred_contrib
        result = super().predict_proba(
            X,
            raw_score=raw_score or not asked,
            pred_leaf=pred_leaf,
            pred_contrib=pred_contrib,
            **kwargs,
        )
        return result, not asked
