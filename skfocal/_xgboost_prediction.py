"""Labels, probabilities and decisions of `FocalXGBClassifier` (floor 4)."""

from typing import Any

import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skfocal._base import Table, refuse_arguments
from skfocal._kernels import Array, fetched, on_device
from skfocal._xgboost_device import margins_on_device
from skfocal._xgboost_files import XGBoostFiles
from skfocal._xgboost_matrix import IterationRange, check_rounds, is_matrix, margins_of_matrix
from skfocal._xgboost_training import check_table, native


class XGBoostPrediction(XGBoostFiles):
    """Prediction from the booster's margins, which the parent computes.

    A child of `XGBoostFiles`, not its neighbour: XGBoost's ``get_params`` looks for itself in the
    first two parents of a class, and no further.
    """

    missing: float

    def predict(
        self,
        X: Table,
        *,
        output_margin: bool = False,
        validate_features: bool = True,
        base_margin: npt.ArrayLike | None = None,
        iteration_range: IterationRange | None = None,
    ) -> npt.NDArray[Any]:
        """The label with the largest weight times posterior.

        The weights are those of ``focal_alpha``. Without them it is the
        likeliest class; with them it is not what the sign or argmax of `decision_function` says.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Columns as in fit; or a `xgboost.DMatrix`.
        output_margin : bool, default=False
            Return the booster's margins instead, of shape (n_samples,) or (n_samples,
            n_classes).
        validate_features : bool, default=True
            Whether the names of columns are compared with those in fit; False: only their
            number.
        base_margin : array-like, default=None
            Margins to start from in place of the model's ``base_score``.
        iteration_range : (int, int), default=None
            The rounds to use, [first, last); None: up to the best one, where training has
            stopped early, else all.

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
        raw = self._margins(X, validate_features, base_margin, iteration_range)
        return raw if output_margin else self._label(fetched(raw))

    def predict_proba(
        self,
        X: Table,
        validate_features: bool = True,
        base_margin: npt.ArrayLike | None = None,
        iteration_range: IterationRange | None = None,
    ) -> Array:
        """Probability of each class, as ``probability`` says.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            As in `predict`.
        validate_features : bool, default=True
            As in `predict`.
        base_margin : array-like, default=None
            As in `predict`.
        iteration_range : (int, int), default=None
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In float32, XGBoost's precision; on the device, and of the library, of an X there.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._proba(self._margins(X, validate_features, base_margin, iteration_range))

    def decision_function(
        self,
        X: Table,
        validate_features: bool = True,
        base_margin: npt.ArrayLike | None = None,
        iteration_range: IterationRange | None = None,
    ) -> Array:
        """The log-odds of the probabilities that `predict_proba` gives.

        Class weights (``focal_alpha``) are undone here, as in `predict_proba`,
        and count in `predict`. With them a threshold of 0 on two classes, or the argmax of
        more, is another decision than `predict`.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            As in `predict`.
        validate_features : bool, default=True
            As in `predict`.
        base_margin : array-like, default=None
            As in `predict`.
        iteration_range : (int, int), default=None
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
        raw = self._margins(X, validate_features, base_margin, iteration_range)
        return self._decision(fetched(raw))

    def apply(self, X: Table, iteration_range: IterationRange | None = None) -> npt.NDArray[Any]:
        """The leaf of each row in each tree.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Columns as in fit.
        iteration_range : (int, int), default=None
            As in `predict`, but XGBoost takes no first round other than 0.

        Returns
        -------
        ndarray of shape (n_samples, n_trees)
            Numbers of leaves, as float32.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If X is not as in fit.
        """
        check_is_fitted(self, "loss_")
        if iteration_range is not None and self._get_iteration_range(iteration_range)[0] != 0:
            raise ValueError(
                "iteration_range must begin at 0 where leaves are asked for; got "
                f"{iteration_range!r}."
            )
        X = check_table(self, X, reset=False)
        leaves: npt.NDArray[Any] = super().apply(X, iteration_range)
        return leaves

    def _get_iteration_range(self, iteration_range: Any) -> IterationRange:
        """As the parent's, which takes numbers that are no rounds and cuts fractions."""
        if iteration_range is not None:
            n_rounds = self.get_booster().num_boosted_rounds()
            check_rounds(iteration_range, n_rounds)
        rounds: IterationRange = super()._get_iteration_range(iteration_range)
        return rounds

    def _margins(
        self,
        X: Any,
        validate_features: bool,
        base_margin: Any,
        iteration_range: IterationRange | None,
    ) -> Array:
        check_is_fitted(self, "loss_")
        if is_matrix(X):
            refuse_arguments("matrix of XGBoost's", base_margin=base_margin)
            rounds = self._get_iteration_range(iteration_range)
            return margins_of_matrix(self.get_booster(), X, rounds, validate_features)
        X = check_table(self, X, reset=False, names=validate_features)
        base_margin = native(base_margin)
        if on_device(X):
            rounds = self._get_iteration_range(iteration_range)
            raw: Array = margins_on_device(
                self.get_booster(), X, rounds, self.missing, base_margin, validate_features
            )
            return raw
        raw = super().predict(
            X,
            output_margin=True,
            validate_features=validate_features,
            base_margin=base_margin,
            iteration_range=iteration_range,
        )
        return raw
