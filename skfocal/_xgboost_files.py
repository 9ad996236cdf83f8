"""`FocalXGBClassifier` from files and boosters (floor 4)."""

import json
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from xgboost import Booster

from skfocal._base import FocalClassifierMixin, restored_on_failure
from skfocal._parameters import Gamma, Link, Weights
from skfocal._settings import given_settings, path_of, written_whole
from skfocal._xgboost_training import learned_attributes, n_classes_of, readable, settings_of


class XGBoostFiles(FocalClassifierMixin):
    """Learning what a trainer has learned, loading, and the way from a plain booster."""

    n_jobs: Any
    base_score: Any

    def _learn(self, trainer: Any, learned: Callable[[Booster], dict[str, Any]]) -> dict[str, Any]:
        """Take what a trainer has learned; returns it by the names of the attributes."""
        self.__dict__.pop("evals_result_", None)  # of an earlier fit
        self._set_evaluation_result(getattr(trainer, "evals_result_", {}))
        model = learned(trainer.get_booster())
        for name, value in model.items():
            setattr(self, name, value)
        return model

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
        kind = "json" if name.lower().endswith(".json") else "ubj"
        if not name.lower().endswith(f".{kind}"):
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
            content = booster.save_raw(kind)
        finally:
            booster.set_attr(scikit_learn=None)
        with written_whole(name) as path:
            path.write_bytes(content)

    def load_model(self, fname: Any) -> None:
        """Become the classifier whose booster was saved, labels and loss included.

        They are in the model's attributes. ``focal_gamma``, ``focal_alpha`` and ``link``
        are set to the loss's, ``base_score`` stays, as otherwise a later fit would start at
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
            self._Booster = Booster({"n_jobs": self.n_jobs})
            base = self.get_params(deep=False)["base_score"]
            with readable(fname):
                super().load_model(fname)
            settings = settings_of(self.get_booster(), model)
            if settings is None:
                raise ValueError(
                    "The model holds a booster without labels and loss: use "
                    "FocalXGBClassifier.from_booster, which takes them as arguments."
                )
            classes, loss, names = settings
            booster = self.get_booster()
            learned = learned_attributes(booster, classes, loss, names)
            self._become(learned, booster.num_features(), names)
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
        n_classes = n_classes_of(booster)
        labels, loss = given_settings(n_classes, classes, focal_gamma, focal_alpha, link)
        booster, given = booster.copy(), booster.feature_names
        names = None if given is None else np.array(given, dtype=object)
        model = cls()
        learned = learned_attributes(booster, labels, loss, names)
        model._become(learned, booster.num_features(), names)
        return model
