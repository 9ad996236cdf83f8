"""LightGBM on an OpenCL device: the one that PoCL makes of the processor, in its own process."""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution

import lightgbm as lgb
import numpy as np
import pytest
from numba import cuda
from numpy.testing import assert_allclose

from skfocal import FocalLGBMClassifier
from tests.conftest import table

# one process has the driver
pytestmark = [pytest.mark.xdist_group("OpenCL"), pytest.mark.slow(15)]

SCRIPT = """
import sys
import numpy as np
from tests.conftest import table
from skfocal import FocalLGBMClassifier

differences = []
for n_classes in (2, 3):
    X, y, weight = table(n_classes, 3000)
    for link in ("focal", "posterior"):
        settings = {"n_estimators": 15, "link": link, "focal_alpha": "balanced", "verbose": -1}
        expected = FocalLGBMClassifier(**settings).fit(X, y, sample_weight=weight)
        for exact in (True, False):
            model = FocalLGBMClassifier(device_type="gpu", gpu_use_dp=exact, **settings)
            model.fit(X, y, sample_weight=weight)
            assert model.booster_.params["device_type"] == "gpu"
            difference = model.predict_proba(X) - expected.predict_proba(X)
            print(n_classes, link, exact, np.abs(difference).max())
"""


def opencl_driver():
    """The library of the PoCL package, which is not where a system's driver would be."""
    try:
        files = distribution("pocl-binary-distribution").files
    except PackageNotFoundError:
        pytest.skip("PoCL is for Linux")
    return next(str(f.locate()) for f in files if "libpocl-" in f.name)


@pytest.fixture(scope="module")
def on_opencl(tmp_path_factory):
    """Largest differences of probabilities to the processor's trees, by setting."""
    environment = os.environ | {
        "OCL_ICD_FILENAMES": opencl_driver(),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, timeout=500
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines() if line[:1] in "23"]
    return {tuple(line[:3]): float(line[3]) for line in lines if len(line) == 4}


@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("n_classes", ["2", "3"])
def test_opencl_grows_the_trees_of_the_processor(on_opencl, n_classes, link):
    assert on_opencl[n_classes, link, "True"] < 1e-6  # sums in double, as on the processor
    assert on_opencl[n_classes, link, "False"] < 1e-2  # in single precision a split may move


@pytest.mark.skipif(cuda.is_available(), reason="this LightGBM may be built with CUDA")
def test_a_build_without_cuda_says_so():
    X, y, _ = table()
    model = FocalLGBMClassifier(n_estimators=1, verbose=-1, device_type="cuda")
    with pytest.raises(lgb.basic.LightGBMError, match="CUDA"):
        model.fit(X, y)
    assert not hasattr(model, "loss_")


@pytest.mark.gpu
def test_cuda_grows_the_trees_of_the_processor(any_table):
    X, y, weight = any_table
    settings = {"n_estimators": 15, "verbose": -1}
    model = FocalLGBMClassifier(device_type="cuda", **settings)
    try:
        model.fit(X, y, sample_weight=weight)
    except lgb.basic.LightGBMError as error:
        pytest.skip(str(error))
    expected = FocalLGBMClassifier(**settings).fit(X, y, sample_weight=weight)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-3)
    assert np.mean(model.predict(X) == expected.predict(X)) > 0.995
    assert cuda.is_available()
