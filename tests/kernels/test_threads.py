"""Threads and processes: each way to run side by side, in a process with a time limit."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from joblib import Parallel, cpu_count, delayed
from numpy.testing import assert_array_equal

from skfocal import FocalObjective
from skfocal._booster._arguments import booster_threads
from skfocal._kernels import _threads
from skfocal.losses import BinaryFocalLoss, MulticlassFocalLoss

HEAD = """
import os, sys, threading, multiprocessing
import numpy as np
from joblib import Parallel, delayed
from skfocal import FocalLogisticRegression
from skfocal.losses import BinaryFocalLoss, MulticlassFocalLoss

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 250_000)
raw = rng.normal(size=(250_000, 2)) * 3
X = rng.normal(size=(2_000, 5))
labels = X[:, 0] + rng.logistic(size=2_000) > 1

def work(n_threads=2):
    one = BinaryFocalLoss(1.5).gradient(y, raw[:, 0], n_threads=n_threads)
    two = MulticlassFocalLoss(2, 1.5).gradient(y, raw, n_threads=n_threads)
    model = FocalLogisticRegression(n_jobs=n_threads).fit(X, labels)
    return one.sum(), two.sum(), model.coef_.sum()

expected = work(1)
assert work() == expected
"""
WAYS = {
    "fork": """
child = os.fork()
if child == 0:
    os._exit(0 if work() == expected else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert work() == expected
""",
    "fork-beside-a-running-thread": """
stop = threading.Event()
def busy():
    while not stop.is_set():
        BinaryFocalLoss(2.0).gradient(y, raw[:, 0], n_threads=2)
thread = threading.Thread(target=busy)
thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        gradient = BinaryFocalLoss(1.5).gradient(y, raw[:, 0], n_threads=2)
        os._exit(0 if gradient.sum() == expected[0] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop.set()
thread.join()
""",
    "multiprocessing": """
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, [2] * 4) == [expected] * 4
""",
    "many-threads": """
results = []
threads = [
    threading.Thread(target=lambda n=n: results.append(work(n))) for n in [1, 2, 3, 4] * 3
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [expected] * 12
""",
    **{
        backend: f"""
found = Parallel(n_jobs=2, backend={backend!r})(delayed(work)() for _ in range(4))
assert found == [expected] * 4, (found, expected)
"""
        for backend in ("loky", "threading")
    },
}


def run(code, seconds):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow(8)
@pytest.mark.parametrize("way", WAYS)
def test_kernels_and_linear_model(way):
    if "fork" in WAYS[way] and not hasattr(sys.modules["os"], "fork"):
        pytest.skip("this system cannot fork")
    run(HEAD + WAYS[way], seconds=120)


@pytest.mark.slow(10)
@pytest.mark.parametrize("name", ["FocalLGBMClassifier", "FocalXGBClassifier"])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_boosters_as_their_parents(name, backend):
    """Which hang after a fork by themselves: fork and multiprocessing are not tried."""
    code = f"""
import warnings
warnings.simplefilter("ignore")
import numpy as np
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV
from skfocal import {name}

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 5))
y = X[:, 0] + rng.logistic(size=600) > 1
verbose = {{"verbose": -1}} if "LGBM" in {name!r} else {{}}

def fit():
    return {name}(n_estimators=5, n_jobs=1, **verbose).fit(X, y).predict_proba(X)

expected = fit()
for found in Parallel(n_jobs=2, backend={backend!r})(delayed(fit)() for _ in range(4)):
    assert np.array_equal(found, expected)
"""
    run(code, seconds=120)


@pytest.mark.slow(6)
def test_workers_of_a_search_share_the_processors():
    each = Parallel(n_jobs=2, backend="loky")(delayed(booster_threads)(None) for _ in range(2))
    assert max(each) <= max(1, cpu_count() // 2)


def test_threads_of_a_booster(monkeypatch):
    monkeypatch.setattr("skfocal._booster._arguments.cpu_count", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [booster_threads(n) for n in (None, 0, 1, 4, -1, -2, -9)] == [6, 6, 1, 4, 6, 5, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [booster_threads(n) for n in (None, 0, 1, -1)] == [3, 3, 1, 6]
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    assert booster_threads(None) == 6


@pytest.mark.parametrize("n_rows, n_threads", [(1, 4), (99, 4), (1000, 1), (1000, 3), (1000, 99)])
def test_slices_are_all_rows_once(n_rows, n_threads, monkeypatch):
    monkeypatch.setattr(_threads, "MIN_NUMBERS", 100)
    seen, names = np.zeros(n_rows, int), set()

    def loop(start, stop):
        seen[start:stop] += 1
        names.add(threading.current_thread().name)
        return stop - start

    sizes = _threads.over_rows(loop, n_rows, n_threads)
    assert_array_equal(seen, 1)
    assert sum(sizes) == n_rows
    assert len(sizes) == max(1, min(n_threads, n_rows // 100))
    assert (len(names) > 1) == (len(sizes) > 1)


def test_without_a_pool_one_thread_does_it_all(monkeypatch):
    """As while Python ends, when a pool takes no more tasks."""

    def refused(n_workers):
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(_threads, "_executor", refused)
    n_rows = 3 * _threads.MIN_NUMBERS
    assert _threads.over_rows(lambda start, stop: (start, stop), n_rows, 2) == [(0, n_rows)]


def test_error_in_a_slice_is_raised():
    def loop(start, stop):
        if start:
            raise FloatingPointError

    with pytest.raises(FloatingPointError):
        _threads.over_rows(loop, 2 * _threads.MIN_NUMBERS, 2)


@pytest.mark.parametrize("loss", [BinaryFocalLoss(2.0), MulticlassFocalLoss(3, 2.0)])
def test_wrong_code_in_any_slice_is_seen(loss, monkeypatch):
    monkeypatch.setattr(_threads, "MIN_NUMBERS", 100)
    y, raw = np.zeros(1000), np.zeros((1000, 3) if loss.n_classes == 3 else 1000)
    for wrong in (-1.0, 0.5, 3.0, np.nan, np.inf, 1e30):
        for row in (3, 998):
            y[row] = wrong
            with pytest.raises(ValueError, match="y_true must hold class codes"):
                loss.gradient_hessian(y, raw, n_threads=2)
            y[row] = 0.0


def test_objective_shared_by_threads_gives_each_its_own_result():
    objective = FocalObjective(2.0)
    rng = np.random.default_rng(0)
    y, margins = rng.integers(0, 2, 5000).astype(np.float32), rng.normal(size=(8, 5000))
    expected = [[a.copy() for a in objective(y, raw)] for raw in margins]
    wrong = []

    def call(k):
        for _ in range(50):
            gradient, hessian = objective(y, margins[k])
            if not (
                np.array_equal(gradient, expected[k][0]) and np.array_equal(hessian, expected[k][1])
            ):
                wrong.append(k)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
