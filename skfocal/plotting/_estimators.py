"""The focal classifier within pipelines and searches."""

from typing import Any

from sklearn.utils.validation import check_is_fitted

from skfocal._classifier._mixin import FocalClassifierMixin


def focal_classifier(estimator: Any) -> FocalClassifierMixin:
    """The fitted classifier: the estimator itself, or the last one in it.

    Raises
    ------
    TypeError
        If there is none.
    """
    check_is_fitted(estimator)
    inner = estimator
    while not isinstance(inner, FocalClassifierMixin):
        if hasattr(inner, "best_estimator_"):
            inner = inner.best_estimator_
        elif hasattr(inner, "steps"):
            inner = inner.steps[-1][1]
        elif hasattr(inner, "estimator_"):  # of a classifier with a threshold
            inner = inner.estimator_
        else:
            raise TypeError(
                "estimator must be a classifier of skfocal, a pipeline that ends in one, or a "
                f"search over them that has refitted it; got {type(inner).__name__}."
            )
    return inner
