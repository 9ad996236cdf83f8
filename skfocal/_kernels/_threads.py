"""Slices of rows on a pool of threads (floor 1).

The loops hold no lock of the interpreter, so plain threads run them side by side; and
unlike the threading layers of numba, a pool neither ends a forked child nor minds being
called from several threads at once.
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
    """In a forked child, where the parent's threads are not."""
    global _lock, _pool, _size
    _lock, _pool, _size = threading.Lock(), None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _executor(n_workers: int) -> ThreadPoolExecutor:
    """The pool of this process; a larger one replaces it, once its tasks are done."""
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
    """``loop(start, stop)`` of slices that make up all rows, on up to ``n_threads`` threads.

    ``n_columns`` is how many numbers a row has, to tell whether threads are worth it.
    """
    n_slices = min(n_threads, int(n_rows * n_columns / MIN_NUMBERS), n_rows)
    if n_slices <= 1:
        return [loop(0, n_rows)]
    bounds = [n_rows * k // n_slices for k in range(n_slices + 1)]
    # the tasks wait for nothing, so that callers in many threads can share the pool
    try:
        pool = _executor(n_slices - 1)
        futures = [pool.submit(loop, *slice_) for slice_ in pairwise(bounds[1:])]
    except RuntimeError:  # another caller has just replaced the pool, or Python is ending
        return [loop(0, n_rows)]
    return [loop(0, bounds[1]), *(future.result() for future in futures)]
