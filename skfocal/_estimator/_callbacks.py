"""scikit-learn's callbacks, of version 1.9 and newer, around the rounds of a fit (floor 3)."""

from collections.abc import Callable
from importlib.util import find_spec
from inspect import unwrap
from typing import Any, TypeVar

__all__ = ["CallbackSupportMixin", "Rounds", "as_defined", "with_callbacks"]

_Fit = TypeVar("_Fit", bound=Callable[..., Any])
if find_spec("sklearn.callback"):
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
else:

    class CallbackSupportMixin:  # type: ignore[no-redef]  # one of the two is defined
        """Nothing: this scikit-learn has no callbacks."""

    def _with_callbacks(method: Any) -> Any:
        """The method itself."""
        return method


def with_callbacks(fit: _Fit) -> _Fit:
    """scikit-learn's decorator of this name, which has no types."""
    decorated: _Fit = _with_callbacks(fit)
    return decorated


def as_defined(method: _Fit) -> _Fit:
    """A method of a library's class as the library defines it.

    mlflow's autologging wraps ``fit`` and saves the object on which it was called. Here that
    would be a trainer, whose probabilities are not those of the focal model.
    """
    library = method.__module__.partition(".")[0]
    inner: _Fit = unwrap(
        method, stop=lambda f: f.__globals__["__name__"].partition(".")[0] == library
    )
    return inner


class Rounds:
    """Tells the callbacks of an estimator of its fit and of each round in it.

    A ``fit`` that is decorated by `with_callbacks` makes it before all else. Without callbacks
    it does nothing.
    """

    def __init__(
        self, estimator: Any, n_rounds: int | None, X: Any, y: Any, sample_weight: Any
    ) -> None:
        self._fit: Any = None
        self._round: Any = None
        self._told = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        }
        if hasattr(estimator, "_init_callback_context"):
            context = estimator._init_callback_context(max_subtasks=n_rounds)
            if getattr(estimator, "_skl_callbacks", None):
                self._fit = context.call_on_fit_task_begin(**self._told)

    def __bool__(self) -> bool:
        """Whether anyone listens."""
        return self._fit is not None

    def begin(self, learned: Callable[[], dict[str, Any]] | None = None) -> None:
        """A round begins, unless one is open that failed to begin training.

        ``learned`` gives the attributes of the model before the round, as in `end`.
        """
        if self._fit is not None and self._round is None:
            self._round = self._fit.subcontext(task_name="iteration")
            self._round.call_on_fit_task_begin(**self._told, reconstruction_attributes=learned)

    def end(self, learned: Callable[[], dict[str, Any]] | None) -> bool:
        """A round ends; whether training should stop.

        ``learned`` gives the attributes of a model that is fitted so far. It is called
        only for callbacks that ask for the model. None where there is no model yet.
        """
        if self._round is None:
            return False
        ended, self._round = self._round, None
        stop: bool = ended.call_on_fit_task_end(**self._told, reconstruction_attributes=learned)
        return stop

    def close(self, learned: dict[str, Any]) -> None:
        """The fit ends, and a round that is still open."""
        self.end(lambda: learned)
        if self._fit is not None:
            self._fit.call_on_fit_task_end(**self._told, reconstruction_attributes=learned)
