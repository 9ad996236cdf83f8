"""Evaluation sets, as they are given to fit (floor 4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Evaluation:
    """Evaluation sets, and what is given for each of them. All lists have one entry per set."""

    sets: Sequence[Any] | None
    """Pairs (X, y), or data sets of the library."""
    names: list[str] | None = None
    sample_weight: Sequence[Any] | None = None
    class_weight: Sequence[Any] | None = None
    margins: Sequence[Any] | None = None
    """LightGBM's ``eval_init_score`` or XGBoost's ``base_margin_eval_set``."""

    def __post_init__(self) -> None:
        given = (self.names, self.sample_weight, self.class_weight, self.margins)
        empty = [each is None or (hasattr(each, "__len__") and not len(each)) for each in given]
        if not self.sets and not all(empty):
            raise ValueError(
                "There are no evaluation sets, but their names, weights or margins are given: give "
                "eval_set, or leave them out."
            )


def check_pairs(sets: Sequence[Any]) -> None:
    """Evaluation sets of tables must be pairs of a table and its labels.

    Raises
    ------
    TypeError
        If one of them is not.
    """
    for each in sets:
        if not isinstance(each, (tuple, list)) or len(each) != 2:
            raise TypeError(f"eval_set must hold pairs (X, y); got {type(each).__name__}.")


def check_native_sets(sets: Sequence[Any], *types: type) -> None:
    """Beside a data set of the library, evaluation sets must be data sets of the library too.

    Raises
    ------
    TypeError
        If one of them is of none of the ``types``.
    """
    for each in sets:
        if not isinstance(each, types):
            names = " or ".join(each_type.__name__ for each_type in types)
            raise TypeError(f"eval_set must hold {names}, as X is one; got {type(each).__name__}.")


class Checked:
    """Arguments of fit, and what the checks made of each of them.

    LightGBM and XGBoost find out by identity whether an evaluation set is the training set, and
    then make no second copy of it. So the same argument must lead to the same object.
    """

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self._pairs = pairs

    def knows(self, *given: Any) -> bool:
        """Whether all of these are arguments of the training set."""
        return all(any(one is original for original, _ in self._pairs) for one in given)

    def of(self, given: Any, check: Callable[..., Any], *arguments: Any) -> Any:
        """What the checks of the training set made of ``given``, else what ``check`` returns."""
        for original, checked in self._pairs:
            if given is original and given is not None:
                return checked
        return check(*arguments)
