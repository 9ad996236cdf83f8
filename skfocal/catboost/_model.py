"""Predictions of a fitted `FocalCatBoostClassifier` (floor 5)."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from catboost import CatBoostClassifier, Pool
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from skfocal._estimator._features import Table
from skfocal._kernels import Array
from skfocal.catboost._inherited import InheritedMethods
from skfocal.catboost._native_data import check_table
from skfocal.catboost._private import special_columns

PredictionType = Literal["Class", "Probability", "LogProbability", "RawFormulaVal", "Exponent"]


class CatBoostModel(InheritedMethods):
    """A fitted model: it predicts, also after each tree."""

    def predict(
        self,
        data: Table,
        prediction_type: PredictionType = "Class",
        ntree_start: int = 0,
        ntree_end: int = 0,
        thread_count: int = -1,
        verbose: bool | None = None,
        task_type: str = "CPU",
    ) -> npt.NDArray[Any]:
        """The label with the largest weight times posterior.

        The weights are those of ``focal_alpha`` and of CatBoost's parameters of class weights.
        Without them it is the likeliest class; with them it is not what the sign of
        `decision_function` says.

        Parameters
        ----------
        data : array-like, sparse matrix, DataFrame or Pool of shape (n_samples, n_features)
            Columns as in fit.
        prediction_type : str, default="Class"
            ``"Class"``: labels. ``"Probability"`` and ``"LogProbability"``: `predict_proba` and
            `predict_log_proba`. ``"RawFormulaVal"``: the margins. ``"Exponent"``: their exp.
        ntree_start, ntree_end : int, default=0
            The trees to use, [first, last); 0 as the last stands for all.
        thread_count : int, default=-1
            The number of threads; -1: all processors.
        verbose : bool, default=None
            As in `catboost.CatBoostClassifier.predict`.
        task_type : {"CPU", "GPU"}, default="CPU"
            As in `catboost.CatBoostClassifier.predict`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``, unless something else was asked for.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If data is not as in fit.
        """
        how = (ntree_start, ntree_end, thread_count, verbose, task_type)
        raw = self._margins(data, *how)
        found: npt.NDArray[Any] = self._answer(raw, prediction_type)
        return found

    def _answer(self, raw: Array, prediction_type: str) -> Any:
        answers: dict[str, Callable[[Array], Any]] = {
            "Class": self._label,
            "Probability": self._proba,
            "LogProbability": self._log_proba,
            "RawFormulaVal": lambda margins: margins,
            "Exponent": np.exp,
        }
        if prediction_type not in answers:
            raise ValueError(
                f"prediction_type must be one of {list(answers)}; got {prediction_type!r}."
            )
        return answers[prediction_type](raw)

    def _log_proba(self, raw: Array) -> Array:
        with np.errstate(divide="ignore"):  # of a probability of 0 it is -inf
            return np.log(self._proba(raw))

    def predict_proba(
        self,
        X: Table,
        ntree_start: int = 0,
        ntree_end: int = 0,
        thread_count: int = -1,
        verbose: bool | None = None,
        task_type: str = "CPU",
    ) -> Array:
        """Probability of each class, as ``probability`` says.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Pool of shape (n_samples, n_features)
            Columns as in fit.
        ntree_start, ntree_end : int, default=0
            As in `predict`.
        thread_count : int, default=-1
            As in `predict`.
        verbose : bool, default=None
            As in `predict`.
        task_type : {"CPU", "GPU"}, default="CPU"
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        how = (ntree_start, ntree_end, thread_count, verbose, task_type)
        return self._proba(self._margins(X, *how))

    def predict_log_proba(self, data: Table, *args: Any, **kwargs: Any) -> Array:
        """The logarithm of `predict_proba`.

        Parameters
        ----------
        data : array-like, sparse matrix, DataFrame or Pool of shape (n_samples, n_features)
            Columns as in fit.
        *args, **kwargs
            As in `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self.predict(data, "LogProbability", *args, **kwargs)

    def decision_function(
        self, X: Table, ntree_start: int = 0, ntree_end: int = 0, thread_count: int = -1
    ) -> Array:
        """The log-odds of the probabilities that `predict_proba` gives.

        Class weights are undone here, as in `predict_proba`, and count in `predict`. With them a
        threshold of 0 is another decision than `predict`.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Pool of shape (n_samples, n_features)
            Columns as in fit.
        ntree_start, ntree_end : int, default=0
            As in `predict`.
        thread_count : int, default=-1
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples,)
            The numbers log(P+ / P-), whose sigmoid is ``predict_proba(X)[:, 1]``. With
            ``probability="raw"`` or ``link="posterior"`` it is the margin.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._decision(self._margins(X, ntree_start, ntree_end, thread_count))

    def staged_predict(
        self,
        data: Table,
        prediction_type: PredictionType = "Class",
        ntree_start: int = 0,
        ntree_end: int = 0,
        eval_period: int = 1,
        thread_count: int = -1,
        verbose: bool | None = None,
    ) -> Iterator[npt.NDArray[Any]]:
        """What `predict` gives after each tree.

        Parameters
        ----------
        data : array-like, sparse matrix, DataFrame or Pool of shape (n_samples, n_features)
            Columns as in fit.
        prediction_type : str, default="Class"
            As in `predict`.
        ntree_start, ntree_end : int, default=0
            As in `predict`.
        eval_period : int, default=1
            The number of trees from one prediction to the next.
        thread_count : int, default=-1
            As in `predict`.
        verbose : bool, default=None
            As in `predict`.

        Returns
        -------
        iterator of ndarray of shape (n_samples,)
            Labels, unless something else was asked for. Calibration and priors apply as to all
            trees.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        data = self._checked_data(data)
        how = (ntree_start, ntree_end, eval_period, thread_count, verbose)
        stages = CatBoostClassifier.staged_predict(self, data, "RawFormulaVal", *how)
        return (self._answer(np.asarray(raw), prediction_type) for raw in stages)

    def staged_predict_proba(self, data: Table, *args: Any, **kwargs: Any) -> Iterator[Array]:
        """What `predict_proba` gives after each tree.

        Parameters
        ----------
        data : array-like, sparse matrix, DataFrame or Pool of shape (n_samples, n_features)
            Columns as in fit.
        *args, **kwargs
            As in `staged_predict`, from ``ntree_start`` on.

        Returns
        -------
        iterator of ndarray of shape (n_samples, 2)
            Probabilities.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self.staged_predict(data, "Probability", *args, **kwargs)

    def staged_predict_log_proba(self, data: Table, *args: Any, **kwargs: Any) -> Iterator[Array]:
        """The logarithms of `staged_predict_proba`.

        Parameters
        ----------
        data : array-like, sparse matrix, DataFrame or Pool of shape (n_samples, n_features)
            Columns as in fit.
        *args, **kwargs
            As in `staged_predict`, from ``ntree_start`` on.

        Returns
        -------
        iterator of ndarray of shape (n_samples, 2)
            Logarithms of probabilities.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self.staged_predict(data, "LogProbability", *args, **kwargs)

    def score(
        self, X: Table, y: npt.ArrayLike | None = None, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """The share of rows whose label is that of `predict`.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Pool of shape (n_samples, n_features)
            Columns as in fit.
        y : array-like of shape (n_samples,), default=None
            Labels; None for a Pool, which holds them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of rows.

        Returns
        -------
        float
            The accuracy.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        if isinstance(X, Pool):
            if y is not None:
                raise ValueError("X is a catboost.Pool, which holds the labels: leave y out.")
            y = np.asarray(X.get_label())
        return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))

    def _raw_prediction(self, X: Any) -> Array:
        return self._margins(X)

    def _checked_data(self, X: Any) -> Any:
        if "loss_" not in self.__dict__:
            check_is_fitted(self)
        if not isinstance(X, Pool):
            return check_table(self, X, special_columns(self), reset=False)
        if X.num_col() != self.n_features_in_:
            raise ValueError(
                f"X has {X.num_col()} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return X

    def _margins(self, X: Table, *how: Any) -> Array:
        """The booster's margins, of the trees and with the threads in ``how``."""
        found = CatBoostClassifier.predict(self, self._checked_data(X), "RawFormulaVal", *how)
        return np.asarray(found, dtype=np.float64)
