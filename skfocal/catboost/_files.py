"""Files, boosters and the state of a `FocalCatBoostClassifier` (floor 5)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from catboost import CatBoost, CatBoostClassifier
from sklearn.utils.validation import check_is_fitted

from skfocal._booster._model_files import (
    Settings,
    given_settings,
    path_of,
    replaced_at_once,
    with_recorded,
)
from skfocal._estimator._attributes import LearnedAttribute, restored_on_failure
from skfocal._estimator._mixin import FocalClassifierMixin
from skfocal.calibration import Calibration
from skfocal.catboost._format import (
    check_copy,
    settings_of,
    with_margins,
    without_bias,
    write_settings,
)
from skfocal.catboost._native_data import given_names
from skfocal.catboost._private import (
    OwnParameters,
    forget_trees,
    learned_attributes,
    plain_model,
    set_booster,
)
from skfocal.losses._parameters import Gamma, Link, Weights, check_choice

# Formats whose models give probabilities and labels to other programs; and the others.
_OF_PROBABILITIES = ("onnx", "coreml", "pmml")
_FORMATS = ("cbm", "json", *_OF_PROBABILITIES, "cpp", "python")


class SavedModel(OwnParameters, FocalClassifierMixin):
    """A fitted model: it is saved and loaded, and made from a plain booster."""

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
        forget_trees(self)
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
        forget_trees(self)
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
            If the model has columns of text, and was copied.
        """
        check_is_fitted(self, "loss_")
        check_choice(format, _FORMATS, "format")
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
            A fitted model of two classes, without columns of text. It is copied.
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
        if booster.get_text_feature_indices():
            raise ValueError(
                "booster has columns of text, of which CatBoost makes no working copies: load the "
                "file of the classifier, or fit."
            )
        copied = plain_model(booster).copy()
        n_outputs = np.size(copied.get_scale_and_bias()[1])
        if n_outputs != 1:
            raise ValueError(f"The booster must be of two classes; it has {n_outputs} margins.")
        recorded = settings_of(copied, "the booster")
        if recorded is not None and recorded.loss.link != link:
            raise ValueError(
                f"link={link!r}, but the booster says that its margins are of the other link: "
                "give that one, or use load_model."
            )
        if classes is None and np.size(copied.classes_) == 2:
            classes = copied.classes_
        names = given_names(list(copied.feature_names_))
        parameters, known = (focal_gamma, focal_alpha, link), (class_prior, calibration)
        settings = given_settings(2, classes, parameters, names, known)
        if recorded is not None:
            settings = with_recorded(settings, recorded)
        write_settings(copied, settings)
        model = cls()
        learned = learned_attributes(copied, settings)
        model._become(learned, len(copied.feature_names_), settings.names)
        return model

    def _change_margins(self, change: Calibration) -> None:
        booster = plain_model(self)
        if not change.is_identity:
            booster = with_margins(booster, change)
        elif not booster.get_text_feature_indices():
            booster = booster.copy()  # a copy of this classifier may share the trees
        write_settings(booster, self._own_settings())
        set_booster(self, booster)
