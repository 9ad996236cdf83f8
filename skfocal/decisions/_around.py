"""What classifiers around a classifier share: its classes, its probabilities, its metadata."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    clone,
    is_classifier,
)
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skfocal._kernels import Array


def place_of(pos_label: Any, classes: npt.NDArray[Any]) -> int:
    """The place of the positive label; None is the second one."""
    if pos_label is None:
        return 1
    found = np.flatnonzero(classes == pos_label)
    if len(found) != 1:
        raise ValueError(f"pos_label must be one of {classes.tolist()}; got {pos_label!r}.")
    return int(found[0])


def class_scores(model: Any, X: Any, place: int) -> Array:
    """Scores of one class: probabilities, or else values of ``decision_function``."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(X), dtype=np.float64)[:, place]
    margins = np.asarray(model.decision_function(X), dtype=np.float64)
    return margins if place == 1 else -margins


def routing() -> bool:
    """Whether scikit-learn's metadata routing is on."""
    return bool(get_config()["enable_metadata_routing"])


def _has(name: str) -> Callable[[Any], bool]:
    """Whether the classifier within has a method."""
    return lambda self: hasattr(getattr(self, "estimator_", self.estimator), name)


def _of_fitted(self: Any, name: str) -> Any:
    """An attribute of the fitted classifier within; it is missing where that has none."""
    try:
        return getattr(self.estimator_, name)
    except AttributeError:
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}.") from None


class AroundClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of two classes around another one, which keeps its probabilities."""

    estimator: Any
    pos_label: Any
    estimator_: Any
    classes_: npt.NDArray[Any]
    _place: int  # of the positive label in classes_, as fit has found it

    def _fitted(
        self, X: Any, y: npt.ArrayLike, params: dict[str, Any]
    ) -> tuple[Any, npt.NDArray[Any]]:
        """The classifier within, fitted, and its classes, which must be two."""
        if not (hasattr(self.estimator, "fit") and is_classifier(self.estimator)):
            raise TypeError(f"estimator must be a classifier; got {type(self.estimator).__name__}.")
        fitted = clone(self.estimator).fit(X, y, **params)
        classes = np.asarray(fitted.classes_)
        if classes.ndim != 1 or len(classes) != 2:
            raise ValueError(
                f"Only binary classification is supported. {type(self).__name__} decides between "
                f"two classes; y has {len(classes)}."
            )
        return fitted, classes

    def _for_estimator(self, params: dict[str, Any], own: tuple[str, ...] = ()) -> dict[str, Any]:
        """The parameters of ``fit`` for the classifier within; ``own`` are used here as well.

        What nobody uses is refused, unless the classifier has been told not to take it.
        """
        if not routing():
            kept = set(own) - {n for n in own if has_fit_parameter(self.estimator, n)}
            return {name: value for name, value in params.items() if name not in kept}
        request = get_routing_for_object(self.estimator)
        taken = request.consumes("fit", params)
        requests = getattr(getattr(request, "fit", None), "requests", {})
        declined = {name for name, asked in requests.items() if asked is False}
        unknown = set(params) - set(taken) - declined - set(own)
        if unknown:
            raise TypeError(
                f"{sorted(unknown)} are not requested by {self.estimator}: say so with its "
                "set_fit_request."
            )
        return {name: params[name] for name in taken}

    def _labels(self, alerted: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        return self.classes_[np.where(alerted, self._place, 1 - self._place)]

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> npt.NDArray[Any]:
        """Probabilities of the classifier within.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n, 2)
            Probabilities in the order of ``classes_``.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    @available_if(_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> npt.NDArray[Any]:
        """Scores of the classifier within. `predict` does not go by their sign.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n,)
            Scores of ``classes_[1]``.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.decision_function(X))

    @property
    def n_features_in_(self) -> int:
        """Number of columns that ``fit`` has seen."""
        return int(_of_fitted(self, "n_features_in_"))

    @property
    def feature_names_in_(self) -> npt.NDArray[Any]:
        """Names of the columns that ``fit`` has seen, where they had names."""
        return np.asarray(_of_fitted(self, "feature_names_in_"))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        inner = getattr(self.estimator, "__sklearn_tags__", None)
        if inner is not None:
            tags.input_tags = inner().input_tags
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """What metadata the classifier within takes.

        Returns
        -------
        MetadataRouter
            The routing of ``fit``.
        """
        fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=fit)
