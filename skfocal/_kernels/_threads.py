"""Runs loops on slices of rows, in a pool of threads.

The loops release the GIL, so that plain threads run them in parallel. numba's own threading
layers are not used: one of them kills forked child processes, and another aborts when several
threads call it at once. A pool of plain threads does neither.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")

# Two threads are faster than one from 200,000 margins on (benchmarks/kernels.py).
MIN_NUMBERS = 100_000
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_size = 0


def _forget() -> None:
    """Start anew in a forked child, which does not have the threads of its parent."""
    global _lock, _pool, _size
    _lock, _pool, _size = threading.Lock(), None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _executor(n_workers: int) -> ThreadPoolExecutor:
    """The pool of this process; a larger one replaces it where more threads are asked for."""
    global _pool, _size
    with _lock:
        if _pool is None or _size < n_workers:
            if _pool is not None:
                _pool.shutdown(wait=False)
            _pool, _size = ThreadPoolExecutor(n_workers, thread_name_prefix="skfocal"), n_workers
        return _pool


def over_rows(
    loop: Callable[[int, int], T], n_rows: int, n_threads: int, n_columns: float = 1
) -> list[T]:
    """Call ``loop(start, stop)`` for slices of all rows, on up to ``n_threads`` threads.

    ``n_columns`` is the number of numbers in a row: few numbers are not worth a second thread.
    Returns the results in the order of the slices.
    """
    n_slices = min(n_threads, int(n_rows * n_columns / MIN_NUMBERS), n_rows)
    if n_slices <= 1:
        return [loop(0, n_rows)]
    bounds = [n_rows * k // n_slices for k in range(n_slices + 1)]
    # no task waits for another, so that callers in many threads can share the pool
    try:
        pool = _executor(n_slices - 1)
        futures = [pool.submit(loop, *slice_) for slice_ in pairwise(bounds[1:])]
    except RuntimeError:  # another caller has just replaced the pool, or Python is ending
        return [loop(0, n_rows)]
    return [loop(0, bounds[1]), *(future.result() for future in futures)]
