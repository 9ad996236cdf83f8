"""A fitted `FocalCatBoostClassifier`: files, boosters and predictions (floor 5)."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Never, Self

import numpy as np
import numpy.typing as npt
from catboost import CatBoost, CatBoostClassifier, Pool
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from skfocal._booster._model_files import Settings, given_settings, path_of, replaced_at_once
from skfocal._estimator._attributes import LearnedAttribute, restored_on_failure
from skfocal._estimator._features import Table
from skfocal._estimator._mixin import FocalClassifierMixin
from skfocal._kernels import Array
from skfocal.calibration import Calibration
from skfocal.catboost._format import (
    check_copy,
    has_text,
    settings_of,
    with_margins,
    without_bias,
    write_settings,
)
from skfocal.catboost._metrics import check_metric
from skfocal.catboost._native_data import check_table, given_names
from skfocal.catboost._private import (
    OwnParameters,
    learned_attributes,
    plain_model,
    set_booster,
    special_columns,
)
from skfocal.losses._parameters import Gamma, Link, Weights

PredictionType = Literal["Class", "Probability", "LogProbability", "RawFormulaVal", "Exponent"]
# Formats whose models give probabilities and labels to other programs.
_OF_PROBABILITIES = ("onnx", "coreml", "pmml")


class CatBoostModel(OwnParameters, FocalClassifierMixin):
    """A fitted model: it is saved and loaded, made from a plain booster, and predicts."""

    classes_ = LearnedAttribute()
    n_features_in_ = LearnedAttribute()
    feature_names_in_ = LearnedAttribute()

    _history: dict[str, Any]
    """What CatBoost knows of a training, which changed trees do not have."""

    def __sklearn_is_fitted__(self) -> bool:
        return "loss_" in self.__dict__

    def _note_history(self) -> None:
        self._history = {
            "evals": CatBoostClassifier.get_evals_result(self),
            "score": CatBoostClassifier.get_best_score(self),
            "iteration": CatBoostClassifier.get_best_iteration(self),
        }

    def _become(self, learned: dict[str, Any], n_features: int, names: Any) -> None:
        self.__dict__.pop("_history", None)
        super()._become(learned, n_features, names)

    def get_evals_result(self) -> dict[str, dict[str, list[float]]]:
        """The values of the metrics after each round; of a loaded model there are none.

        Returns
        -------
        dict
            By evaluation set and metric; also the attribute ``evals_result_``.
        """
        found: dict[str, dict[str, list[float]]] = self.__dict__.get("_history", {}).get(
            "evals", {}
        )
        return found

    def get_best_score(self) -> dict[str, dict[str, float]]:
        """The best values of the metrics; of a loaded model there are none.

        Returns
        -------
        dict
            By evaluation set and metric; also the attribute ``best_score_``.
        """
        found: dict[str, dict[str, float]] = self.__dict__.get("_history", {}).get("score", {})
        return found

    def get_best_iteration(self) -> int | None:
        """The round with the best value of the metric, counted from 0.

        Returns
        -------
        int or None
            None without an evaluation set, or for a loaded model; also the attribute
            ``best_iteration_``.
        """
        found: int | None = self.__dict__.get("_history", {}).get("iteration")
        return found

    def __getstate__(self) -> dict[str, Any]:
        if "loss_" in self.__dict__:
            check_copy(self)
        return super().__getstate__()

    def _take(self, booster: CatBoost, settings: Settings) -> dict[str, Any]:
        """Become the classifier of a booster, and return what it has learned."""
        learned = learned_attributes(booster, settings)
        self.__dict__.update(learned)
        return learned

    def save_model(
        self,
        fname: str | Path,
        format: str = "cbm",
        export_parameters: dict[str, Any] | None = None,
        pool: Any = None,
    ) -> None:
        """Write the model, with labels and loss inside.

        An older file is replaced when the new one is complete, and not before. CatBoost loads the
        file as an ordinary model of Logloss, `load_model` as this classifier.

        Parameters
        ----------
        fname : str or Path
            The file.
        format : {"cbm", "json", "onnx", "coreml", "pmml", "cpp", "python"}, default="cbm"
            As in `catboost.CatBoostClassifier.save_model`. ``"onnx"``, ``"coreml"`` and
            ``"pmml"`` give probabilities, and so need ``link="posterior"``, or ``focal_gamma=0``
            without class weights; their labels are the likelier class. ``"cpp"`` and
            ``"python"`` give margins.
        export_parameters : dict, default=None
            As in `catboost.CatBoostClassifier.save_model`.
        pool : Pool, default=None
            As in `catboost.CatBoostClassifier.save_model`.

        Raises
        ------
        TypeError
            If ``fname`` is no path.
        ValueError
            If the format would give the sigmoid of margins that are no log-odds.
        OSError
            If the file cannot be written; an older one is then as it was.
        NotImplementedError
            If the model has columns of text, and was loaded or copied.
        """
        check_is_fitted(self, "loss_")
        booster: CatBoost = plain_model(self)
        check_copy(booster)
        if format in _OF_PROBABILITIES:
            if not self.loss_.raw_is_posterior:
                raise ValueError(
                    f"format={format!r} would give the sigmoid of the margin, which under "
                    f'link="focal" is not the probability: fit with link="posterior".'
                )
            if format != "pmml":
                booster = without_bias(booster)
        else:
            write_settings(booster, self._own_settings())
        with replaced_at_once(path_of(fname, "fname")) as path:
            booster.save_model(str(path), format, export_parameters, pool)

    def _own_settings(self) -> Settings:
        names = getattr(self, "feature_names_in_", None)
        return Settings(self.classes_, self.loss_, names, self._probabilities)

    def load_model(self, fname: str | Path, format: Literal["cbm", "json"] = "cbm") -> Self:
        """Become the classifier that `save_model` has written.

        ``focal_gamma``, ``focal_alpha`` and ``link`` are set to its; other parameters stay.

        Parameters
        ----------
        fname : str or Path
            Written by `save_model`.
        format : {"cbm", "json"}, default="cbm"
            The format of the file.

        Returns
        -------
        FocalCatBoostClassifier
            The model itself, as it was saved.

        Raises
        ------
        TypeError
            If ``fname`` is no path.
        ValueError
            If the file is damaged, or holds only a booster, which `from_booster` can use.
        """
        name = path_of(fname, "fname")
        booster = CatBoostClassifier()
        try:
            booster.load_model(name, format=format)
        except Exception as error:
            if not Path(name).exists():
                raise FileNotFoundError(f"There is no file {name!r}.") from None
            raise ValueError(f"{name!r} is no model of CatBoost, or damaged: {error}") from error
        settings = settings_of(booster, repr(name))
        if settings is None:
            raise ValueError(
                f"{name!r} holds a booster without labels and loss: use "
                "FocalCatBoostClassifier.from_booster, which takes them as arguments."
            )
        with restored_on_failure(self):
            learned = learned_attributes(booster, settings)
            self._become(learned, len(booster.feature_names_), settings.names)
        return self

    @classmethod
    def from_booster(
        cls,
        booster: CatBoost,
        *,
        focal_gamma: Gamma,
        focal_alpha: Weights | Mapping[Any, float] = None,
        link: Link = "focal",
        classes: npt.ArrayLike | None = None,
        class_prior: npt.ArrayLike | None = None,
        calibration: Calibration | None = None,
    ) -> Self:
        """A fitted classifier of a model of CatBoost whose margins are those of a focal model.

        A model of CatBoost's own ``Focal`` is one: ``focal_gamma`` is its ``focal_gamma``, and
        ``focal_alpha`` its ``focal_alpha``.

        Parameters
        ----------
        booster : catboost.CatBoost or catboost.CatBoostClassifier
            A fitted model of two classes. It is copied, unless it has columns of text.
        focal_gamma : float or sequence of floats
            The focusing parameter that it was trained with.
        focal_alpha : float, sequence of floats, dict or None, default=None
            The class weights that it was trained with, as numbers.
        link : {"focal", "posterior"}, default="focal"
            What its margins are.
        classes : array-like of shape (n_classes,), default=None
            Labels in the order of the columns; those of the booster if None.
        class_prior : array-like of shape (n_classes,), default=None
            Shares of the classes in the training rows, which `adjust_priors` needs. The
            booster's probabilities must be for these shares.
        calibration : Calibration, default=None
            The ``calibration_`` of the classifier, where its booster does not hold it: under
            the focal link.

        Returns
        -------
        FocalCatBoostClassifier
            The fitted classifier; its other parameters are the defaults.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit the booster.
        """
        if not isinstance(booster, CatBoost) or not booster.is_fitted():
            raise TypeError(
                f"booster must be a fitted model of CatBoost; got {type(booster).__name__}."
            )
        copied = plain_model(booster)
        if not has_text(copied):  # CatBoost cannot write copies of such a model
            copied = copied.copy()
        n_outputs = np.size(copied.get_scale_and_bias()[1])
        if n_outputs != 1:
            raise ValueError(f"The booster must be of two classes; it has {n_outputs} margins.")
        if classes is None and np.size(copied.classes_) == 2:
            classes = copied.classes_
        names = list(copied.feature_names_)
        settings = given_settings(
            2,
            classes,
            (focal_gamma, focal_alpha, link),
            given_names(names),
            (class_prior, calibration),
        )
        write_settings(copied, settings)
        model = cls()
        model._become(learned_attributes(copied, settings), len(names), settings.names)
        return model

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
            "LogProbability": lambda margins: np.log(self._proba(margins)),
            "RawFormulaVal": lambda margins: margins,
            "Exponent": np.exp,
        }
        if prediction_type not in answers:
            raise ValueError(
                f"prediction_type must be one of {list(answers)}; got {prediction_type!r}."
            )
        return answers[prediction_type](raw)

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
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(data, *args, **kwargs))

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

    def eval_metrics(self, data: Pool, metrics: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute metrics after each tree, as CatBoost does it from the margins.

        Parameters
        ----------
        data : Pool
            Rows with labels, which must be those of ``classes_``.
        metrics : list of str
            CatBoost's names. Refused are those that would be computed from margins that are no
            log-odds.
        *args, **kwargs
            As in `catboost.CatBoostClassifier.eval_metrics`.

        Returns
        -------
        dict
            Lists of values by the name of the metric.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If a metric is refused.
        """
        check_is_fitted(self, "loss_")
        for metric in [metrics] if isinstance(metrics, str) else metrics:
            check_metric(metric, self.loss_, "metrics")
        return CatBoostClassifier.eval_metrics(self, data, metrics, *args, **kwargs)

    def grid_search(self, *args: Any, **kwargs: Any) -> Never:
        """Refused: CatBoost's own search would train Logloss.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier`.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            "CatBoost's grid_search, randomized_search and select_features would train Logloss. "
            "Use GridSearchCV, RandomizedSearchCV or RFE of scikit-learn."
        )

    def randomized_search(self, *args: Any, **kwargs: Any) -> Never:
        """Refused, as `grid_search`.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier`.

        Raises
        ------
        NotImplementedError
            Always.
        """
        self.grid_search()

    def select_features(self, *args: Any, **kwargs: Any) -> Never:
        """Refused, as `grid_search`.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier`.

        Raises
        ------
        NotImplementedError
            Always.
        """
        self.grid_search()

    def _raw_prediction(self, X: Any) -> Array:
        return self._margins(X)

    def _change_margins(self, change: Calibration) -> None:
        booster = plain_model(self)
        if not change.is_identity:
            booster = with_margins(booster, change)
        elif not has_text(booster):
            booster = booster.copy()  # a copy of this classifier may share the trees
        write_settings(booster, self._own_settings())
        set_booster(self, booster)

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
