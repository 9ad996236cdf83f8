"""The focal classifier within pipelines and searches."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skfocal._estimator._mixin import FocalClassifierMixin
from skfocal.metrics._rows import check_labels


def focal_classifier(estimator: Any) -> FocalClassifierMixin:
    """The fitted focal classifier: the estimator itself, or the one inside it.

    Raises
    ------
    TypeError
        If there is no focal classifier in it.
    """
    check_is_fitted(estimator)
    inner = estimator
    while not isinstance(inner, FocalClassifierMixin):
        if hasattr(inner, "best_estimator_"):
            inner = inner.best_estimator_
        elif hasattr(inner, "steps"):
            inner = inner.steps[-1][1]
        elif hasattr(inner, "estimator_"):  # as in TunedThresholdClassifierCV
            inner = inner.estimator_
        elif isinstance(inner, FrozenEstimator):
            inner = inner.estimator
        else:
            raise TypeError(
                "estimator must be a classifier of skfocal, a pipeline that ends in one, or a "
                f"search that has refitted one; got {type(inner).__name__}."
            )
    return inner


def positive_label(estimator: Any, y: npt.ArrayLike, pos_label: Any) -> Any:
    """The positive label of a fitted classifier of two classes.

    Raises
    ------
    TypeError
        If the estimator is no classifier.
    ValueError
        If it has not two classes, ``y`` has others, or ``pos_label`` is none of them.
    """
    if not hasattr(estimator, "classes_"):
        raise TypeError(f"estimator must be a classifier; got {type(estimator).__name__}.")
    classes = np.asarray(estimator.classes_).tolist()
    if len(classes) != 2:
        raise ValueError(f"estimator must have two classes; it has {len(classes)}.")
    unknown = set(check_labels(y, "y").tolist()) - set(classes)
    if unknown:
        raise ValueError(f"y must hold classes of the estimator, {classes}; got {unknown}.")
    if pos_label is None:
        return classes[1]
    if np.ndim(pos_label) or pos_label not in classes:
        raise ValueError(f"pos_label must be one of {classes}; got {pos_label!r}.")
    return pos_label
