"""A fitted `FocalXGBClassifier`: files, boosters and predictions (floor 5)."""

import json
import os
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted
from xgboost import Booster

from skfocal._booster._arguments import refuse_arguments
from skfocal._booster._model_files import (
    Settings,
    given_settings,
    path_of,
    replaced_at_once,
    with_recorded,
)
from skfocal._booster._plan import Plan
from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._features import Table
from skfocal._estimator._mixin import FocalClassifierMixin
from skfocal._kernels import Array, fetched, on_device
from skfocal.calibration import Calibration
from skfocal.losses._parameters import Gamma, Link, Weights
from skfocal.xgboost._categories import check_categories
from skfocal.xgboost._format import (
    n_classes_of,
    readable,
    settings_of,
    with_margins,
    write_settings,
)
from skfocal.xgboost._gpu import margins_on_device
from skfocal.xgboost._native_data import is_matrix, margins_of_matrix
from skfocal.xgboost._parameters import IterationRange, check_table, native
from skfocal.xgboost._private import (
    CheckedRounds,
    learned_attributes,
    set_booster,
    set_history,
)


class XGBoostModel(CheckedRounds, FocalClassifierMixin):
    """A fitted model: it is saved and loaded, made from a plain booster, and predicts."""

    n_jobs: Any
    base_score: Any
    missing: float

    def _learn(self, trainer: Any, plan: Plan) -> dict[str, Any]:
        """Take over what a trainer has learned, and return it by the names of the attributes."""
        self.__dict__.pop("evals_result_", None)  # of an earlier fit
        set_history(self, getattr(trainer, "evals_result_", {}))
        booster = trainer.get_booster()
        if plan.prior_shift is not None:
            booster = with_margins(booster, plan.probabilities.correction)
        write_settings(booster, plan.settings)
        learned = learned_attributes(booster, plan.settings)
        for name, value in learned.items():
            setattr(self, name, value)
        return learned

    def _take(self, booster: Booster, settings: Settings) -> None:
        """Become the classifier of a booster, whose margins need no change."""
        self.__dict__.pop("evals_result_", None)
        write_settings(booster, settings)
        for name, value in learned_attributes(booster, settings).items():
            setattr(self, name, value)

    def save_model(self, fname: Any) -> None:
        """Write the booster, with labels and loss in its attributes.

        An older file is replaced when the new one is complete, and not before. XGBoost loads
        the file as an ordinary model, `load_model` as this classifier.

        Parameters
        ----------
        fname : str or Path
            The format is JSON for names that end in ``.json``, else UBJSON (``.ubj``).

        Raises
        ------
        TypeError
            If ``fname`` is no path.
        OSError
            If the file cannot be written; an older one is then as it was.

        Warns
        -----
        UserWarning
            If the name ends in neither of the two.
        """
        name = os.path.expanduser(path_of(fname, "fname"))
        if "://" in name:  # an address, for XGBoost to write to
            super().save_model(fname)
            return
        file_format = "json" if name.lower().endswith(".json") else "ubj"
        if not name.lower().endswith(f".{file_format}"):
            warnings.warn(
                f"{name!r} is written in the UBJSON format; a name that ends in .ubj or .json says "
                "the format, also to XGBoost when it loads the file.",
                UserWarning,
                stacklevel=2,
            )
        # Not the parent's method: at a full disk XGBoost may cut the end of a file silently.
        booster = self.get_booster()
        booster.set_attr(scikit_learn=json.dumps({"_estimator_type": "classifier"}))
        try:
            content = booster.save_raw(file_format)
        finally:
            booster.set_attr(scikit_learn=None)
        with replaced_at_once(name) as path:
            path.write_bytes(content)

    def load_model(self, fname: Any) -> None:
        """Become the classifier whose booster was saved, labels and loss included.

        They are in the model's attributes. ``focal_gamma``, ``focal_alpha`` and ``link``
        are set to the loss's, ``base_score`` stays; otherwise a later fit would start at
        the loaded one; all else is as in `xgboost.XGBClassifier.load_model`.

        Parameters
        ----------
        fname : str, Path or bytearray
            A model of this class, written by its or its booster's ``save_model``.

        Raises
        ------
        TypeError
            If ``fname`` is neither a path nor a bytearray.
        ValueError
            If the file is damaged, or the model has no labels and loss; `from_booster` takes
            them as arguments.
        """
        of_bytes = isinstance(fname, bytearray)
        model = "the bytes" if of_bytes else repr(path_of(fname, "fname"))
        with restored_on_failure(self):
            set_booster(self, Booster({"n_jobs": self.n_jobs}))
            base = self.get_params(deep=False)["base_score"]
            with readable(fname):
                super().load_model(fname)
            settings = settings_of(self.get_booster(), model)
            if settings is None:
                raise ValueError(
                    "The model holds a booster without labels and loss: use "
                    "FocalXGBClassifier.from_booster, which takes them as arguments."
                )
            booster = self.get_booster()
            learned = learned_attributes(booster, settings)
            self._become(learned, booster.num_features(), settings.names)
            self.base_score = base

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
        booster : xgboost.Booster
            Of ``binary:logistic`` or ``multi:softprob``. It is copied.
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
            booster's probabilities must be for these shares. None: those in the booster's
            attributes, if it has some.
        calibration : Calibration, default=None
            The ``calibration_`` of the classifier, where its booster does not hold it: under
            the focal link. None: that in the booster's attributes, if it has some.

        Returns
        -------
        FocalXGBClassifier
            The fitted classifier; its other parameters are the defaults.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit the booster.
        """
        if not isinstance(booster, Booster):
            raise TypeError(
                "booster must be an xgboost.Booster, as get_booster() of a fitted model is; got "
                f"{type(booster).__name__}."
            )
        settings = settings_of(booster, "the booster")
        if settings is not None and settings[1].link != link:
            raise ValueError(
                f"link={link!r}, but the booster says that its margins are of the other link: "
                "give that one, or use load_model."
            )
        given = booster.feature_names
        names = None if given is None else np.array(given, dtype=object)
        parameters, known = (focal_gamma, focal_alpha, link), (class_prior, calibration)
        new = given_settings(n_classes_of(booster), classes, parameters, names, known)
        if settings is not None:
            new = with_recorded(new, settings)
        booster, model = booster.copy(), cls()
        write_settings(booster, new)
        model._become(learned_attributes(booster, new), booster.num_features(), names)
        return model

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
        if iteration_range is not None and self._rounds_in_use(iteration_range)[0] != 0:
            raise ValueError(
                "iteration_range must begin at 0 where leaves are asked for; got "
                f"{iteration_range!r}."
            )
        X = check_table(self, X, reset=False)
        check_categories(self.get_booster(), X)
        leaves: npt.NDArray[Any] = super().apply(X, iteration_range)
        return leaves

    def _raw_prediction(self, X: Any) -> Array:
        raw: Array = fetched(self._margins(X, True, None, None))
        return raw

    def _check_base_margin(self, given: Any) -> None:
        """Refuse margins to start from where the booster holds a correction of its own start."""
        held = self.loss_.raw_is_posterior and not self._probabilities.correction.is_identity
        if held and np.size(given):
            raise ValueError(
                "base_margin replaces the start of the booster, which holds a part of calibration "
                "and priors: predict without base_margin, or before calibrate and adjust_priors."
            )

    def _change_margins(self, change: Calibration) -> None:
        booster = self.get_booster()
        booster = booster.copy() if change.is_identity else with_margins(booster, change)
        names = getattr(self, "feature_names_in_", None)
        write_settings(booster, Settings(self.classes_, self.loss_, names, self._probabilities))
        set_booster(self, booster)

    def _margins(
        self,
        X: Any,
        validate_features: bool,
        base_margin: Any,
        iteration_range: IterationRange | None,
    ) -> Array:
        if not hasattr(self, "loss_"):  # or scikit-learn would ask for the tags of each fitted one
            check_is_fitted(self, "loss_")
        if is_matrix(X):
            refuse_arguments("matrix of XGBoost's", base_margin=base_margin)
            self._check_base_margin(X.get_base_margin() if hasattr(X, "get_base_margin") else [])
            rounds = self._rounds_in_use(iteration_range)
            return margins_of_matrix(self.get_booster(), X, rounds, validate_features)
        X = check_table(self, X, reset=False, names=validate_features)
        check_categories(self.get_booster(), X)
        base_margin = native(base_margin)
        self._check_base_margin([] if base_margin is None else base_margin)
        if on_device(X):
            rounds = self._rounds_in_use(iteration_range)
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
