"""All private names of CatBoost that skfocal uses, each with its reason (floor 5).

No other file of skfocal touches a private name of CatBoost. ``tests`` pin each of them: a new
version of CatBoost that changes one fails there, and not in a user's fit.
"""

from inspect import Parameter, signature
from typing import Any, Self

from catboost import CatBoost, CatBoostClassifier

from skfocal._booster._model_files import Settings

# Attributes of trained trees; and all that CatBoost's pickles hold.
_OF_MODEL = (
    *("_object", "_random_seed", "_learning_rate", "_tree_count", "_n_features_in"),
    *("_is_fitted_", "_prediction_values_change", "_loss_value_change"),
)
_OF_CATBOOST = (*_OF_MODEL, "_init_params", "_canonized_params")
_PARAMETERS = tuple(signature(CatBoostClassifier.__init__).parameters)[1:]


class OwnParameters:
    """For the focal classifier: parameters of two kinds, copies and pickles.

    ``CatBoostClassifier`` keeps the parameters that were given in ``_init_params``. Its
    ``get_params`` copies their values, so that scikit-learn cannot clone it; its pickles and
    copies hold nothing else than parameters and the model.
    """

    _init_params: dict[str, Any]
    _canonized_params: Any

    def __init__(self, **params: Any) -> None:
        super().__init__()
        for name in params:
            if name not in _PARAMETERS:
                raise TypeError(f"{type(self).__name__}() got an unexpected argument {name!r}.")
        self._init_params = params  # CatBoost's own constructor changes some of them

    def _given_parameters(self) -> dict[str, Any]:
        """CatBoost's parameters, as they were given."""
        return dict(self._init_params)

    @classmethod
    def _own_names(cls) -> list[str]:
        """Names of the parameters that are attributes."""
        names: dict[str, None] = {}
        for each in cls.__mro__:
            if each is OwnParameters:
                break
            given = signature(vars(each)["__init__"]).parameters if "__init__" in vars(each) else {}
            kinds = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
            names |= {name: None for name, p in given.items() if p.kind in kinds}
        return [name for name in names if name not in ("self", *getattr(cls, "_chosen", ()))]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters of the focal loss, and those of CatBoost that were given.

        Parameters
        ----------
        deep : bool, default=True
            As in `sklearn.base.BaseEstimator`; no parameter is an estimator.

        Returns
        -------
        dict
            Parameters by name.
        """
        return {**{name: getattr(self, name) for name in self._own_names()}, **self._init_params}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; those of a fitted model count in the next fit.

        Parameters
        ----------
        **params
            Parameters of the constructor. None for one of CatBoost's: its default.

        Returns
        -------
        FocalCatBoostClassifier
            The model itself.

        Raises
        ------
        ValueError
            If there is no parameter of the name.
        """
        own = self._own_names()
        for name in params:
            if name not in own and name not in _PARAMETERS:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}. Valid "
                    f"parameters are those of CatBoostClassifier, and {own}."
                )
        for name, value in params.items():
            if name in own:
                setattr(self, name, value)
            else:
                self._init_params[name] = value
        self._canonized_params = None  # made of the parameters
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What CatBoost keeps, and the attributes of the focal classifier."""
        own = {name: value for name, value in vars(self).items() if name not in _OF_CATBOOST}
        return {"catboost": super().__getstate__(), "skfocal": own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore what `__getstate__` has returned."""
        super().__setstate__(dict(state["catboost"]))  # type: ignore[misc]  # CatBoost has one
        vars(self).update(state["skfocal"])

    def __deepcopy__(self, memo: Any) -> Self:
        """A copy with a model of its own."""
        copied: Self = type(self)()
        copied.__setstate__(self.__getstate__())
        return copied


def learned_attributes(booster: CatBoost, settings: Settings) -> dict[str, Any]:
    """What fit learns, by the names of the attributes."""
    trees = {name: vars(booster)[name] for name in _OF_MODEL if name in vars(booster)}
    return {
        **trees,
        "classes_": settings.classes,
        "loss_": settings.loss,
        "_probabilities": settings.probabilities,
    }


def forget_trees(model: Any) -> None:
    """Remove what a model has of trained trees."""
    for name in _OF_MODEL:
        vars(model).pop(name, None)


def set_booster(model: Any, booster: CatBoost) -> None:
    """Replace the trees of a model."""
    forget_trees(model)
    vars(model).update({name: vars(booster)[name] for name in _OF_MODEL if name in vars(booster)})


def keep_training(changed: CatBoost, model: CatBoost) -> None:
    """Give a changed copy of a model what CatBoost knows of its training."""
    for name in ("_random_seed", "_learning_rate"):
        vars(changed)[name] = vars(model)[name]


def plain_model(model: Any) -> CatBoostClassifier:
    """A plain classifier that shares the trees of a fitted one."""
    plain = CatBoostClassifier()
    set_booster(plain, model)
    return plain


def kept_importances(model: CatBoost) -> Any:
    """The importances of columns that CatBoost's training has kept, or None."""
    return getattr(model, "_prediction_values_change", None)


def special_columns(model: CatBoost) -> dict[str, list[int]]:
    """Columns of a fitted model that are categories, text or embeddings, by CatBoost's names."""
    return {
        "cat_features": model.get_cat_feature_indices(),
        "text_features": model.get_text_feature_indices(),
        "embedding_features": model.get_embedding_feature_indices(),
    }
