"""Attributes that fit sets (floor 3)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError


class LearnedAttribute:
    """An attribute that fit sets, in a class whose parent has a read-only property."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        try:
            return vars(instance)[self._name]
        except KeyError:
            if not instance.__sklearn_is_fitted__():  # this error is an AttributeError, too
                raise NotFittedError(
                    f"This {type(instance).__name__} is not fitted: it has no {self._name!r} "
                    "yet. Call fit first."
                ) from None
            raise AttributeError(
                f"{type(instance).__name__!r} object has no attribute {self._name!r}"
            ) from None

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self._name] = value

    def __delete__(self, instance: Any) -> None:
        if vars(instance).pop(self._name, self) is self:
            raise AttributeError(self._name)


@contextmanager
def restored_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Leave an estimator as it was where the block raises: never half-fitted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
