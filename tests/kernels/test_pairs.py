"""Pairs of derivatives for CatBoost: those of the loss, with CatBoost's sign and weights."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfocal._kernels import Options
from skfocal._kernels._pairs import pair_function
from skfocal.losses import make_loss

RNG = np.random.default_rng(0)
RAW = np.concatenate([RNG.normal(size=500) * 3.0, [-700.0, -40.0, 0.0, 40.0, 700.0]])
CODES = (RNG.random(len(RAW)) < 0.3).astype(np.float32)
WEIGHT = RNG.uniform(0.1, 3.0, len(RAW)).astype(np.float32)


def options(loss, ratio=0.25):
    return Options(loss.link, loss.hessian, ratio, 1e-16, scale=1.5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "gamma, alpha, link, hessian, rtol",
    [
        (2.0, None, "focal", "upper", 2e-6),
        ((0.5, 3.0), (1.0, 4.0), "focal", "upper", 2e-6),
        (2.0, (1.0, 4.0), "posterior", "upper", 2e-6),
        ((0.0, 3.0), None, "posterior", "upper", 2e-6),
        (2.0, None, "focal", "exact", 2e-7),
        (2.0, (3.0, 1.0), "focal", "abs", 2e-7),
        (0.0, (3.0, 1.0), "focal", "upper", 2e-7),
    ],
)
def test_pairs_are_the_derivatives_of_the_loss(gamma, alpha, link, hessian, rtol, weighted):
    loss = make_loss(2, gamma, alpha, hessian, link)
    function = pair_function(loss.class_gamma, loss.class_weight, options(loss), weighted=weighted)
    factor = np.array(loss.class_weight)[CODES.astype(int)]
    found = function(RAW, CODES, (WEIGHT * factor).astype(np.float32) if weighted else None)
    limits = {"max_step": 4.0, "min_hessian": 1e-16, "scale": 1.5}
    expected = -np.column_stack(loss.gradient_hessian(CODES, RAW, **limits))
    if weighted:
        expected *= WEIGHT[:, np.newaxis].astype(float)
    assert type(found) is np.ndarray  # CatBoost reads others pair by pair
    assert found.shape == (len(RAW), 2)
    # weights times class weights are float32, as CatBoost has them
    single = found.dtype == np.float32
    assert_allclose(found, expected, rtol=rtol, atol=1e-7 * np.abs(expected).max() if single else 0)


def test_the_derivative_is_that_of_differences():
    loss = make_loss(2, 2.0, (1.0, 4.0), "exact", "focal")
    raw, codes = RAW[:100], CODES[:100]
    pairs = pair_function(loss.class_gamma, loss.class_weight, options(loss), weighted=False)
    step = 1e-5
    up, down = loss.loss(codes, raw + step), loss.loss(codes, raw - step)
    assert_allclose(pairs(raw, codes, None)[:, 0], -1.5 * (up - down) / (2 * step), atol=1e-8)


def test_no_frame_of_python_is_entered():
    """Otherwise each call in a thread of CatBoost asks the system for memory."""
    loss = make_loss(2, 2.0)
    pairs = pair_function(loss.class_gamma, loss.class_weight, options(loss), weighted=False)
    pairs(RAW, CODES, None)
    entered = []
    sys.setprofile(lambda frame, event, argument: entered.append(event))
    pairs(RAW, CODES, None)
    sys.setprofile(None)
    assert "call" not in entered


def test_threads_get_arrays_of_their_own():
    loss = make_loss(2, 2.0, None, "exact")
    pairs = pair_function(loss.class_gamma, loss.class_weight, options(loss), weighted=False)
    expected = pairs(RAW, CODES, None)
    found = []

    def many():
        found.extend(pairs(RAW, CODES, None) for _ in range(50))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in found}) == 200
    for each in found:
        assert_array_equal(each, expected)


ONCE = """
import numpy as np
from skfocal._kernels import Options
from skfocal._kernels._pairs import pair_function
pairs = pair_function((2.0, 2.0), (1.0, 1.0), Options(ratio=0.25, floor=1e-16), weighted=False)
print(pairs(np.linspace(-2.0, 2.0, 600), np.zeros(600, np.float32), None).sum())
"""


def test_what_is_kept_on_disk_can_be_used_again(tmp_path):
    """Numba's own cache of functions of NumPy ends the process, where it is filled or read."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", ONCE]
    runs = [
        subprocess.run(command, env=environment, capture_output=True, text=True) for _ in range(2)
    ]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    assert list(tmp_path.rglob("*fill*.nbc"))
