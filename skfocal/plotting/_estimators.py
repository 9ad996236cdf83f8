"""The focal classifier within pipelines and searches."""

from typing import Any

from sklearn.utils.validation import check_is_fitted

from skfocal._estimator._mixin import FocalClassifierMixin


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
        else:
            raise TypeError(
                "estimator must be a classifier of skfocal, a pipeline that ends in one, or a "
                f"search that has refitted one; got {type(inner).__name__}."
            )
    return inner
