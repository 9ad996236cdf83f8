"""`FocalLGBMClassifier` to and from files and boosters (floor 4)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from lightgbm import Booster, LGBMClassifier
from lightgbm.basic import LightGBMError
from lightgbm.compat import _LGBMLabelEncoder
from sklearn.utils.validation import check_is_fitted

from skfocal._base import FocalClassifierMixin
from skfocal._lightgbm_text import (
    check_margins,
    check_whole,
    objective_of,
    settings_of,
    with_settings,
)
from skfocal._parameters import Gamma, Link, Weights
from skfocal._settings import (
    Settings,
    given_settings,
    path_of,
    settings_from_text,
    settings_text,
    written_whole,
)
from skfocal.losses import FocalLoss

# What LGBMClassifier.fit leaves on the trainer besides the booster.
_RESULTS = ("_best_iteration", "_best_score", "_evals_result")


class LightGBMFiles(FocalClassifierMixin):
    """Learning what a trainer has learned, saving, loading, and the way from a plain booster."""

    booster_: Booster

    def _learn(
        self, trainer: LGBMClassifier, classes: npt.NDArray[Any], loss: FocalLoss
    ) -> dict[str, Any]:
        """Take what a trainer has learned; returns it by the names of the attributes."""
        results = {name: getattr(trainer, name) for name in _RESULTS}
        model = {**learned_attributes(trainer.booster_, classes, loss), **results}
        for name, value in model.items():
            setattr(self, name, value)
        return model

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
            If ``filename`` is no path, or the labels are of a kind that JSON does not have.
        OSError
            If the file cannot be written; an older one is then as it was.
        """
        check_is_fitted(self)
        text = self.booster_.model_to_string()
        names = getattr(self, "feature_names_in_", None)
        settings = settings_text(self.classes_, self.loss_, names)
        with written_whole(path_of(filename, "filename")) as path:
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
        classes, loss, names = settings
        learned = learned_attributes(booster, classes, loss)
        self._become(learned, booster.num_feature(), names)
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
        labels, loss = given_settings(n_classes, classes, focal_gamma, focal_alpha, link)
        names = booster.feature_name()
        named = names != [f"Column_{i}" for i in range(len(names))]
        model = cls()
        model._become(
            learned_attributes(booster, labels, loss),
            booster.num_feature(),
            np.array(names, dtype=object) if named else None,
        )
        return model


def read_booster(filename: str | Path) -> tuple[Booster, Settings | None]:
    """The booster of a file, with labels, loss and names of columns where the file has them.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    name = str(filename)
    try:
        text = Path(filename).read_text(encoding="utf-8")
        check_whole(text, name)
        booster = Booster(model_str=text)
    except (UnicodeDecodeError, LightGBMError, json.JSONDecodeError) as error:
        raise ValueError(f"{name!r} is damaged, or no model of LightGBM: {error}.") from error
    settings = settings_of(text)
    if settings is None:
        return booster, None
    n_outputs = booster.num_model_per_iteration()
    if objective_of(text) != ("binary" if n_outputs == 1 else "multiclass"):
        raise ValueError(f"{name!r} is damaged: its objective is not that of a classifier.")
    check_margins(text, repr(name))
    n_classes, n_features = max(2, n_outputs), booster.num_feature()
    return booster, settings_from_text(settings, repr(name), n_classes, n_features)


def learned_attributes(
    booster: Booster, classes: npt.NDArray[Any], loss: FocalLoss
) -> dict[str, Any]:
    """What fit learns, under the names of LGBMClassifier's attributes."""
    encoder = _LGBMLabelEncoder()
    encoder.classes_ = classes
    return {
        "_Booster": booster,
        "_best_iteration": booster.best_iteration,
        "_best_score": booster.best_score,
        "_evals_result": {},
        "_n_classes": loss.n_classes,
        "_n_features": booster.num_feature(),
        "_classes": classes,
        "_le": encoder,
        "_class_map": {label: k for k, label in enumerate(classes)},
        "_objective": "binary" if loss.n_classes == 2 else "multiclass",
        "fitted_": True,
        "loss_": loss,
    }
