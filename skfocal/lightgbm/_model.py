"""A fitted `FocalLGBMClassifier`: files, boosters and predictions (floor 5)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from lightgbm import Booster
from sklearn.utils.validation import check_is_fitted

from skfocal._booster._model_files import (
    Settings,
    given_settings,
    path_of,
    replaced_at_once,
    settings_text,
)
from skfocal._booster._plan import Plan
from skfocal._estimator._features import Table, check_features
from skfocal._estimator._mixin import FocalClassifierMixin
from skfocal._kernels import Array
from skfocal.calibration import Calibration
from skfocal.lightgbm._format import (
    check_margins,
    objective_of,
    read_booster,
    with_margins,
    with_settings,
)
from skfocal.lightgbm._parameters import check_columns
from skfocal.lightgbm._private import (
    OwnParameters,
    Trainer,
    learned_attributes,
    results_of,
    set_booster,
)
from skfocal.losses._parameters import Gamma, Link, Weights, check_integer


class LightGBMModel(OwnParameters, FocalClassifierMixin):
    """A fitted model: it is saved and loaded, made from a plain booster, and predicts."""

    booster_: Booster

    def _learn(self, trainer: Trainer, plan: Plan) -> dict[str, Any]:
        """Take over what a trainer has learned, and return it by the names of the attributes."""
        learned = learned_attributes(trainer.booster_, plan.settings)
        learned |= results_of(trainer)
        for name, value in learned.items():
            setattr(self, name, value)
        return learned

    def _take(self, booster: Booster, settings: Settings) -> None:
        """Become the classifier of a standard booster, whose margins need no change."""
        for name, value in learned_attributes(booster, settings).items():
            setattr(self, name, value)

    def save_model(self, filename: str | Path) -> None:
        """Write the booster, up to its best iteration, with labels and loss beside it.

        An older file is replaced when the new one is complete, and not before. LightGBM loads
        the file as an ordinary model, `load_model` as this classifier.
        ``booster_.save_model`` writes the booster alone.

        Parameters
        ----------
        filename : str or Path
            A text file, in LightGBM's format.

        Raises
        ------
        TypeError
            If ``filename`` is no path, or JSON has no such labels.
        OSError
            If the file cannot be written; an older one is then as it was.
        """
        check_is_fitted(self)
        text = self.booster_.model_to_string()
        names = getattr(self, "feature_names_in_", None)
        settings = settings_text(Settings(self.classes_, self.loss_, names, self._probabilities))
        with replaced_at_once(path_of(filename, "filename")) as path:
            path.write_text(with_settings(text, settings), encoding="utf-8")

    def load_model(self, filename: str | Path) -> Self:
        """Become the classifier that `save_model` has written.

        ``focal_gamma``, ``focal_alpha`` and ``link`` are set to its; other parameters stay.

        Parameters
        ----------
        filename : str or Path
            Written by `save_model`.

        Returns
        -------
        FocalLGBMClassifier
            The model itself, as it was saved.

        Raises
        ------
        TypeError
            If ``filename`` is no path.
        ValueError
            If the file is damaged, or holds a random forest, or only a booster, which
            `from_booster` can use.
        """
        booster, settings = read_booster(path_of(filename, "filename"))
        if settings is None:
            raise ValueError(
                f"{str(filename)!r} holds a booster without labels and loss: use "
                "FocalLGBMClassifier.from_booster, which takes them as arguments."
            )
        learned = learned_attributes(booster, settings)
        self._become(learned, booster.num_feature(), settings.names)
        return self

    @classmethod
    def from_booster(
        cls,
        booster: Booster,
        *,
        focal_gamma: Gamma,
        focal_alpha: Weights | Mapping[Any, float] = None,
        link: Link = "focal",
        classes: npt.ArrayLike | None = None,
        class_prior: npt.ArrayLike | None = None,
        calibration: Calibration | None = None,
    ) -> Self:
        """A fitted classifier of a booster whose margins are those of a focal model.

        Parameters
        ----------
        booster : lightgbm.Booster
            Of the binary or multiclass objective, as ``booster_`` of a fitted classifier; no
            random forest.
        focal_gamma : float or sequence of floats
            The focusing parameter that it was trained with.
        focal_alpha : float, sequence of floats, dict or None, default=None
            The class weights that it was trained with, as numbers.
        link : {"focal", "posterior"}, default="focal"
            What its margins are.
        classes : array-like of shape (n_classes,), default=None
            Labels in the order of the columns; 0, 1, ... if None.
        class_prior : array-like of shape (n_classes,), default=None
            Shares of the classes in the training rows, which `adjust_priors` needs. The
            booster's probabilities must be for these shares.
        calibration : Calibration, default=None
            The ``calibration_`` of the classifier, where its booster does not hold it: under
            the focal link.

        Returns
        -------
        FocalLGBMClassifier
            The fitted classifier; its other parameters are the defaults.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit the booster.
        """
        if not isinstance(booster, Booster):
            raise TypeError(
                "booster must be a lightgbm.Booster, as booster_ of a fitted model is; got "
                f"{type(booster).__name__}."
            )
        text = booster.model_to_string()
        booster, objective = Booster(model_str=text), objective_of(text)
        if objective not in ("binary", "multiclass"):
            raise ValueError(
                f"The booster must be of the binary or multiclass objective; it is of {objective}."
            )
        check_margins(text, "The booster")
        n_classes = max(2, booster.num_model_per_iteration())
        names = booster.feature_name()
        named = names != [f"Column_{i}" for i in range(len(names))]
        settings = given_settings(
            n_classes,
            classes,
            (focal_gamma, focal_alpha, link),
            np.array(names, dtype=object) if named else None,
            (class_prior, calibration),
        )
        model = cls()
        learned = learned_attributes(booster, settings)
        model._become(learned, booster.num_feature(), settings.names)
        return model

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

    def _raw_prediction(self, X: Any) -> Array:
        raw: Array = self._predict(X)[0]
        return raw

    def _change_margins(self, change: Calibration) -> None:
        if not change.is_identity:
            set_booster(self, with_margins(self.booster_, change))

    def _predict(
        self,
        X: Table,
        raw_score: bool = False,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, bool]:
        """The parent's prediction, margins unless asked for something else."""
        if not hasattr(self, "loss_"):  # or scikit-learn would ask for the tags of each fitted one
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
