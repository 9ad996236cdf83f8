"""Shared tables and reference values."""

import json
import os
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import coverage
import numpy as np
import pytest
from sklearn.datasets import make_classification

from tests.draws import register_profiles

REFERENCE = Path(__file__).parent / "reference"

register_profiles(int(os.environ.get("SKFOCAL_EXAMPLES", 2000)))


def seconds(item):
    """About how long a test takes; 0 for one that is quick."""
    slow = item.get_closest_marker("slow")
    return slow.args[0] if slow else 0


def pytest_collection_modifyitems(items):
    """Begin with the longest tests, and skip what needs a CUDA device where there is none."""
    items.sort(key=seconds, reverse=True)
    on_device = [item for item in items if item.get_closest_marker("gpu")]
    if on_device:
        from numba import cuda

        if not cuda.is_available():
            for item in on_device:
                item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))


def pytest_collection_finish(session):
    """Refuse to run where each process would make what a group of tests shares."""
    if session.config.getoption("loadgroup", False):
        for item in session.items:
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
                raise pytest.UsageError("pytest-xdist does not see the groups of tests")


TRACED = float(os.environ.get("SKFOCAL_TRACED", "inf"))
seconds_traced = Counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Measure the coverage of a test until its runs have taken so many seconds.

    A trace makes Python half as fast, and later parameters of a long test reach hardly a new line.
    """
    trace, name = coverage.Coverage.current(), item.nodeid.partition("[")[0]
    if trace is None:
        return (yield)
    if seconds_traced[name] > TRACED:
        trace.stop()
        try:
            return (yield)
        finally:
            trace.start()
    before = time.monotonic()
    try:
        return (yield)
    finally:
        seconds_traced[name] += time.monotonic() - before


SETTINGS = "COVERAGE_PROCESS_CONFIG"  # tells a process that starts to measure its coverage
in_a_worker = "PYTEST_XDIST_WORKER" in os.environ
settings = os.environ.pop(SETTINGS, None) if in_a_worker else None


@pytest.fixture(scope="session")
def traced_processes():
    """A context: what starts in it is traced; other processes are not slowed down by that."""

    @contextmanager
    def traced():
        with pytest.MonkeyPatch.context() as patch:
            if settings:
                patch.setenv(SETTINGS, settings)
            yield

    return traced


@pytest.fixture(scope="session")
def reference():
    """Values of 50 and more digits, rounded to double; see reference/make_values.py."""
    return json.loads((REFERENCE / "values.json").read_text())


@pytest.fixture(scope="session")
def deep_learning():
    """Losses of torchvision and Keras; see reference/make_deep_learning.py."""
    return json.loads((REFERENCE / "deep_learning.json").read_text())


def table(n_classes=2, n_rows=1000, seed=0):
    """An unbalanced table and uneven sample weights."""
    weights = [0.8, 0.2] if n_classes == 2 else [0.6, 0.3, 0.1]
    X, y = make_classification(
        n_rows,
        10,
        n_informative=6,
        n_classes=n_classes,
        weights=weights,
        flip_y=0.05,
        random_state=seed,
    )
    return X, y, np.random.default_rng(seed).uniform(0.1, 3.0, n_rows)


@pytest.fixture(params=[2, 3], ids=["binary", "multiclass"])
def any_table(request):
    """`table` with two and with three classes."""
    return table(request.param)


def shift_to_all_rows(y, weight, train, n_classes=2):
    """What the class shares of all rows add to log-odds of a model of some of them."""
    of_all, own = (np.bincount(y[rows], weight[rows], n_classes) for rows in (slice(None), train))
    shift = np.log(of_all / of_all.sum()) - np.log(own / own.sum())
    return shift[1] - shift[0] if n_classes == 2 else shift
