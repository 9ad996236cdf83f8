"""What an objective keeps of its last call: arrays to fill again, answers on the rows (floor 2)."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from skfocal._kernels import Array, on_device

# References to an array of the last call that nobody outside holds any more: from its
# tuple, from the loop's variable, and from the call that counts.
_OWN_REFERENCES = 3
# What an objective remembers of its last call.
_NOT_PICKLED = ("_last", "_counted", "_scaled")


def _same(one: Array | None, other: Array | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


class CallMemory:
    """For an object that is called in each round, as a rule on the same rows."""

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in _NOT_PICKLED}

    def _reusable(self, raw: Array) -> tuple[Array, Array] | None:
        """The arrays of the last call, if they fit and nobody holds them.

        New ones in each round would cost as much as filling them: the system hands out
        their pages one by one. The libraries keep nothing of what an objective returns.
        """
        last: tuple[Array, Array] | None
        last = self.__dict__.pop("_last", None)  # in one step: threads may share the object
        if last is None or on_device(raw) or on_device(last[0]):
            return None
        for array in last:
            same_order = array.flags.f_contiguous == raw.flags.f_contiguous
            if not (same_order and array.shape == raw.shape):
                return None
            if sys.getrefcount(array) > _OWN_REFERENCES:
                return None
        return last

    def _remembered(
        self, name: str, question: Any, labels: Any, weight: Any, answer: Callable[[], Any]
    ) -> Any:
        """The answer to the last question, if it, labels and weights are what they were."""
        rows = np.asarray(labels), None if weight is None else np.asarray(weight)
        before, seen, value = getattr(self, name, (None, (), None))
        if question == before and all(map(_same, rows, seen)):
            return value
        value = answer()
        # copies: they may be changed where they are
        setattr(self, name, (question, tuple(a if a is None else a.copy() for a in rows), value))
        return value
