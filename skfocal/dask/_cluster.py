"""The client of a cluster; a worker lost during fit is an error, no waiting (floor 6)."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import distributed

# Seconds that the other workers have to end by themselves once one has failed.
GRACE = 10.0
# Seconds between two looks at the workers.
_INTERVAL = 0.5


def client_of(given: Any) -> distributed.Client:
    """The client that was given; if None, the one of the process or of the worker.

    Raises
    ------
    TypeError
        If it is not a client.
    ValueError
        If there is none.
    """
    if given is None:
        return distributed.get_client()
    if not isinstance(given, distributed.Client):
        raise TypeError(f"client must be a distributed.Client or None; got {given!r}.")
    return given


@contextmanager
def client_in_use(given: Any) -> Iterator[distributed.Client]:
    """`client_of`, for work that waits for tasks.

    In a task of the cluster itself the thread of that task is set free meanwhile: the worker
    may need it for the tasks that are waited for.
    """
    if given is None and _in_task():
        with distributed.worker_client() as client:
            yield client
    else:
        yield client_of(given)


def _in_task() -> bool:
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


class WorkerLostError(RuntimeError):
    """A worker of the cluster was lost during fit.

    The model is as it was before. Fit again once the data are back on the cluster.

    Examples
    --------
    >>> from skfocal.dask import WorkerLostError
    >>> def fit(model, X, y):
    ...     try:
    ...         return model.fit(X, y)
    ...     except WorkerLostError:
    ...         return model.fit(X.persist(), y.persist())
    """


class WatchedClient:
    """A client for ``lightgbm.dask._train`` whose `gather` does not wait for lost workers."""

    def __init__(self, client: distributed.Client) -> None:
        self._client = client
        self._places: dict[Any, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def submit(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """As the client's; remembers the worker of the task."""
        future = self._client.submit(function, *args, **kwargs)
        if len(kwargs.get("workers") or ()) == 1:
            self._places[future] = kwargs["workers"][0]
        return future

    def gather(self, futures: list[Any]) -> list[Any]:
        """The results of tasks that need each other.

        Raises
        ------
        WorkerLostError
            If a worker is lost. The others wait for it in LightGBM's C++ code, forever:
            they are restarted by their nannies.
        """
        pending = {f: self._places[f] for f in futures if f in self._places}
        places = set(pending.values())
        error: BaseException | None = None
        deadline = float("inf")
        while pending and monotonic() < deadline:
            with suppress(TimeoutError):
                distributed.wait(list(pending), _INTERVAL, "FIRST_COMPLETED")
            lost = places.difference(self._client.ncores())
            for future, worker in list(pending.items()):
                if future.done():
                    error = error or future.exception()
                    del pending[future]
                elif worker in lost:
                    del pending[future]
            if lost and not isinstance(error, WorkerLostError):
                # what the others tell of it is a broken connection
                error = _lost(lost, cause=error)
            if error is not None:
                deadline = min(deadline, monotonic() + GRACE)
        if error is not None:
            self._client.cancel(futures, force=True)
            raise self._released(error, sorted(set(pending.values())))
        results: list[Any] = self._client.gather(futures)
        return results

    def _released(self, error: BaseException, waiting: list[str]) -> BaseException:
        """The error, once workers that wait for others forever are restarted."""
        if not waiting:
            return error
        try:
            self._client.restart_workers(waiting, timeout=30, raise_for_error=False)
        except ValueError:  # no nanny looks after them
            error.add_note(f"These workers still wait in LightGBM, end them: {waiting}.")
        else:
            error.add_note(f"These workers waited in LightGBM and were restarted: {waiting}.")
        return error


def _lost(workers: set[str], cause: BaseException | None) -> WorkerLostError:
    error = WorkerLostError(
        f"Lost during fit: {sorted(workers)}. Training cannot go on without the rows that were "
        "there. The model is as it was; fit again, with the data back on the cluster."
    )
    error.__cause__ = cause
    return error


@contextmanager
def told_of_lost_workers(client: distributed.Client) -> Iterator[None]:
    """Turn an error in the block, during which a worker was lost, into one that says so."""
    before = set(client.ncores())
    try:
        yield
    except Exception as error:
        lost = before.difference(client.ncores())
        if lost:
            raise _lost(lost, cause=error) from error
        raise
