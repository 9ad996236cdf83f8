"""The kernels for CUDA devices.

Tests marked ``gpu`` run where there is a device, and in any case on numba's simulator, in a
process of its own: there each kernel is plain Python. What the simulator does not see, the
compiled code, is looked at in PTX, for which no device is needed.
"""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from types import SimpleNamespace

import numba
import numba.cuda
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfocal import BinaryFocalLoss, MulticlassFocalLoss, _kernels
from skfocal._kernels import _binary, _simplex, cuda

SIMULATED = bool(numba.config.ENABLE_CUDASIM)
if SIMULATED and hasattr(os, "sched_setaffinity"):
    # its threads are Python's, which run one at a time, and ten times as fast on one processor
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})
NAMES = ("loss", "gradient", "hessian")
# Relative and absolute, by link and precision of the result.
TOLERANCES = {
    ("focal", "f4"): (1e-5, 1e-38),
    ("focal", "f8"): (1e-12, 1e-300),
    ("posterior", "f4"): (1e-5, 1e-38),
    ("posterior", "f8"): (1e-10, 1e-300),
}
BOTH_LINKS = pytest.mark.parametrize("link", ["focal", "posterior"])
BOTH_PRECISIONS = pytest.mark.parametrize("out_type", ["f4", "f8"])


gpu = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _few_threads(monkeypatch):
    """In the simulator each is one of Python's."""
    if SIMULATED:
        monkeypatch.setattr(cuda, "THREADS_PER_BLOCK", 8)
        monkeypatch.setattr(cuda, "MIN_BLOCKS", 1)


def on_device(array):
    return None if array is None else numba.cuda.to_device(np.asarray(array))


def make_rows(n_classes, n=36, seed=0):
    """Labels and margins, float32: ordinary ones, ones up to 80, ties; n_classes 0 for (n,)."""
    rng = np.random.default_rng(seed)
    shape = (n, n_classes) if n_classes else (n,)
    raw = rng.normal(scale=3, size=shape)
    raw[n // 2 :] = rng.uniform(-80, 80, size=raw[n // 2 :].shape)
    raw[:3] = 0.0
    raw[3:5] = np.array([-80.0, 80.0]).reshape((2, 1) if n_classes else 2)
    if n_classes:
        raw[5, 0], raw[6, -1] = 80.0, -80.0
    return rng.integers(0, n_classes or 2, n).astype("f4"), raw.astype("f4")


def evaluate(function, *arguments, loss=None, gradient=None, hessian=None, **options):
    outputs = _kernels.Outputs(loss, gradient, hessian)
    return function(*arguments, _kernels.Options(**options), outputs)


def evaluate_on_device(*arguments, **named):
    evaluate(cuda.evaluate, *arguments, **named)


def on_the_device(y, raw, sample_weight, *classes, out_type, names=NAMES, **options):
    """What `cuda.evaluate` gives, fetched."""
    shapes = {"loss": raw.shape[:1]}
    out = {
        name: on_device(np.full(shapes.get(name, raw.shape), np.nan, out_type)) for name in names
    }
    rows = map(on_device, (y, raw, sample_weight))
    evaluate_on_device(*rows, *classes, **out, **options)
    return {name: array.copy_to_host() for name, array in out.items()}


def on_the_cpu(y, raw, *classes, **options):
    """What the CPU gives in double."""
    out = {name: np.empty(raw.shape if name != "loss" else len(raw)) for name in NAMES}
    assert evaluate(_kernels.evaluate, y, raw.astype("f8"), None, *classes, **out, **options)
    return out


def assert_equal(results, expected, link):
    for name, values in results.items():
        rtol, atol = TOLERANCES[link, values.dtype.str[1:]]
        assert_allclose(values, expected[name], rtol, atol, err_msg=name)


def class_parameters(n_classes):
    """Pairs of gammas and weights: equal ones of each size, and one of each class."""
    k = n_classes or 2
    for gamma in (0.0, 0.5, 2.0, 10.0):
        yield (gamma,) * k, (1.0,) * k
    rng = np.random.default_rng(k)
    yield (0.0, *rng.uniform(0, 6, k - 1)), tuple(rng.uniform(0.05, 1, k))
    yield (0.0,) * k, tuple(rng.uniform(0.05, 1, k))


@gpu
@BOTH_LINKS
@BOTH_PRECISIONS
@pytest.mark.parametrize("n_classes", [0, 2, 3, 5])
def test_results_are_those_of_the_cpu(link, out_type, n_classes):
    y, raw = make_rows(n_classes)
    for i, (gamma, weight) in enumerate(class_parameters(n_classes)):
        rows = y, raw.astype(("f4", "f8")[i % 2])
        expected = on_the_cpu(*rows, gamma, weight, link=link)
        for names in (NAMES, NAMES[1:]):  # single precision only without losses in some
            options = {"link": link, "out_type": out_type, "names": names}
            assert_equal(on_the_device(*rows, None, gamma, weight, **options), expected, link)


@gpu
@BOTH_PRECISIONS
@pytest.mark.parametrize("policy", ["exact", "abs"])
@pytest.mark.parametrize("n_classes", [0, 3])
def test_hessians_that_may_be_negative(out_type, policy, n_classes):
    y, raw = make_rows(n_classes)
    gamma, weight = (2.0, 5.0, 0.5)[: n_classes or 2], (0.3, 1.0, 2.0)[: n_classes or 2]
    expected = on_the_cpu(y, raw, gamma, weight, policy=policy)
    options = {"policy": policy, "out_type": out_type}
    results = on_the_device(y, raw, None, gamma, weight, **options)
    assert (results["hessian"] < 0).any() == (policy == "exact")
    assert_equal(results, expected, "focal")


@gpu
@BOTH_LINKS
@BOTH_PRECISIONS
@pytest.mark.parametrize("n_classes", [0, 3])
def test_weights_bounds_and_scales(link, out_type, n_classes):
    """Against the definitions, from unweighted results of the CPU."""
    y, raw = make_rows(n_classes)
    gamma, weight = (2.0, 5.0, 0.5)[: n_classes or 2], (0.3, 1.0, 2.0)[: n_classes or 2]
    sample_weight = np.random.default_rng(1).uniform(0.1, 3, len(y)).astype("f4")
    sample_weight[0] = 0.0
    plain = on_the_cpu(y, raw, gamma, weight, link=link)
    for weight_type in ("f4", "f8"):
        rows = y, raw, sample_weight.astype(weight_type)
        options = {"ratio": 0.25, "floor": 1e-3, "scale": 3.0, "hessian_scale": 1.5}
        for names in (NAMES, NAMES[1:]):
            results = on_the_device(
                *rows, gamma, weight, link=link, out_type=out_type, names=names, **options
            )
            by_row = sample_weight.astype("f8").reshape(-1, *(1,) * (raw.ndim - 1))
            diagonal = 1.5 if n_classes else 1.0
            gradient = 3.0 * by_row * plain["gradient"]
            curvature = np.maximum(3.0 * by_row * plain["hessian"], 0.25 * abs(gradient))
            expected = {
                "loss": 3.0 * by_row.ravel() * plain["loss"],
                "gradient": gradient,
                "hessian": np.maximum(diagonal * curvature, 1e-3),
            }
            assert (curvature > 3.0 * by_row * plain["hessian"]).any()
            assert (results["hessian"] == np.array(1e-3, out_type)).any()
            assert_equal(results, expected, link)


@gpu
@BOTH_LINKS
@BOTH_PRECISIONS
@pytest.mark.parametrize("n_classes", [0, 3])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_rounding_is_that_of_the_cpu(link, out_type, n_classes, gamma):
    """Of the results to 22 bits, and before sample weights: three times a row is its triple."""
    y, raw = make_rows(n_classes)
    classes = (gamma,) * (n_classes or 2), (0.3, 1.0, 2.0)[: n_classes or 2]
    options = {"link": link, "out_type": out_type, "names": NAMES[1:]}
    exact = on_the_device(y, raw, None, *classes, **options)
    rounded = on_the_device(y, raw, None, *classes, bits=22, **options)
    triple = on_the_device(y, raw, np.full(len(y), 3.0, "f4"), *classes, bits=22, **options)
    cross_entropy = _kernels.is_cross_entropy(*classes, link)
    for name, values in rounded.items():
        if out_type == "f4" and not cross_entropy:  # else rounding precedes the conversion
            of_cpu = [_rounded(x, np.float32, np.int32, 2) for x in exact[name].ravel()]
            assert_array_equal(values.ravel(), of_cpu)
        normal = values[abs(values) >= np.finfo(out_type).tiny]
        bits = normal.view("i4" if out_type == "f4" else "i8")
        assert not (bits & ((1 << (2 if out_type == "f4" else 31)) - 1)).any()
        assert (values != exact[name]).any()
        assert_allclose(values, exact[name], rtol=2.0**-22, atol=1e-44)
        # subnormal numbers are rounded once more, where they are converted
        assert_allclose(triple[name], 3 * values, rtol=0, atol=1e-44)


def _rounded(x, real, integer, dropped):
    """The function of the CPU's loops, as Python."""
    namespace = {"real": real, "integer": integer}
    function = type(_rounded)(_binary._rounded.__code__, namespace)
    return function(x, 1 << (dropped - 1), -1 << dropped)


@gpu
@BOTH_LINKS
@pytest.mark.parametrize("n_classes", [0, 3])
def test_any_outputs_alone(link, n_classes):
    y, raw = make_rows(n_classes)
    classes = (2.0, 5.0, 0.5)[: n_classes or 2], (0.3, 1.0, 2.0)[: n_classes or 2]
    every = on_the_device(y, raw, None, *classes, link=link, out_type="f4")
    for name in NAMES:
        options = {"link": link, "out_type": "f4", "names": [name]}
        assert_equal(on_the_device(y, raw, None, *classes, **options), every, link)


@gpu
@BOTH_LINKS
@pytest.mark.parametrize("n_classes", [0, 3])
def test_views_of_any_strides(link, n_classes):
    """Every other row, columns side by side and backwards; what lies between stays."""
    y, raw = make_rows(n_classes)
    sample_weight = np.random.default_rng(1).uniform(0.1, 3, len(y)).astype("f4")
    classes = (2.0, 5.0, 0.5)[: n_classes or 2], (0.3, 1.0, 2.0)[: n_classes or 2]
    options = {"link": link, "out_type": "f4", "names": NAMES[1:]}
    expected = on_the_device(y, raw, sample_weight, *classes, **options)

    def spread(array):
        return on_device(np.repeat(array, 2, axis=0))[::2]

    between = on_device(np.full((2 * len(raw), *raw.shape[1:]), 7.0, "f4"))
    hessian = on_device(np.asfortranarray(np.zeros_like(raw)))
    rows = spread(y), spread(raw), spread(sample_weight)
    evaluate_on_device(*rows, *classes, gradient=between[::2], hessian=hessian, link=link)
    assert_array_equal(between.copy_to_host()[::2], expected["gradient"])
    assert (between.copy_to_host()[1::2] == 7.0).all()
    assert_array_equal(hessian.copy_to_host(), expected["hessian"])

    fortran = on_device(np.asfortranarray(raw))
    hessian = on_device(np.zeros_like(raw))
    rows = on_device(y), fortran, on_device(sample_weight)
    evaluate_on_device(*rows, *classes, hessian=hessian, gradient=between[::2], link=link)
    assert_array_equal(hessian.copy_to_host(), expected["hessian"])


@gpu
@BOTH_LINKS
@BOTH_PRECISIONS
@pytest.mark.parametrize("n_classes", [0, 2, 3, 5])
def test_posterior_is_that_of_the_loss(link, out_type, n_classes):
    _, raw = make_rows(n_classes)
    raw = raw.astype(out_type)
    for gamma, weight in class_parameters(n_classes):
        loss = (
            MulticlassFocalLoss(n_classes, gamma, weight, link=link)
            if n_classes
            else BinaryFocalLoss(gamma, weight, link=link)
        )
        out = on_device(np.full((len(raw), len(gamma)), np.nan, out_type))
        cuda.posterior(on_device(raw), gamma, weight, link, out)
        rtol, atol = (1e-6, 1e-38) if out_type == "f4" else (1e-12, 1e-300)
        assert_allclose(out.copy_to_host(), loss.posterior(raw), rtol, atol)


@gpu
@BOTH_PRECISIONS
def test_solver_falls_back_on_the_one_that_always_converges(out_type, monkeypatch):
    y, raw = make_rows(3)
    # a tie, one of margins at 80, an ordinary one and a far one: seconds each in the simulator
    y, raw = y[[0, 4, 10, 30]], raw[[0, 4, 10, 30]]
    classes = (2.0, 5.0, 0.0), (0.3, 1.0, 2.0)
    expected = on_the_cpu(y, raw, *classes, link="posterior")
    cuda._compiled.cache_clear()
    monkeypatch.setattr(_simplex, "MAX_STEPS", 1)
    options = {"link": "posterior", "out_type": out_type, "names": NAMES[1:]}
    results = on_the_device(y, raw, None, *classes, **options)
    cuda._compiled.cache_clear()
    assert_equal(results, expected, "posterior")


@gpu
@pytest.mark.parametrize("n_classes", [0, 3])
def test_user_input_compiles_nothing_anew(n_classes):
    y, raw = make_rows(n_classes)
    k = n_classes or 2
    options = {"out_type": "f4", "names": NAMES[1:]}
    on_the_device(y, raw, None, (1.0,) * k, (1.0,) * k, **options)
    before = cuda._compiled.cache_info().misses
    for gamma in (1, 0.5, np.float32(2.0), np.float64(3.0)):
        for bits, scale, ratio, floor in ((22, 1, 0, 0), (53, 2.0, np.float64(0.25), 1e-16)):
            bounds = {"bits": bits, "scale": scale, "ratio": ratio, "floor": floor}
            on_the_device(y, raw, None, (gamma,) * k, (2,) * k, **bounds, **options)
    spread = on_device(np.repeat(raw, 2, axis=0))[::2]
    out = on_device(np.zeros_like(raw)), on_device(np.asfortranarray(np.zeros_like(raw)))
    classes = (1.0,) * k, (1.0,) * k
    evaluate_on_device(on_device(y), spread, None, *classes, gradient=out[0], hessian=out[1])
    assert cuda._compiled.cache_info().misses == before


@gpu
def test_arrays_that_do_not_fit_are_refused():
    y, raw = make_rows(3)
    classes, good = ((2.0,) * 3, (1.0,) * 3), on_device(np.zeros_like(raw))
    y, raw = on_device(y), on_device(raw)
    for rows, out in (
        ((y[:5], raw, None), {"gradient": good}),
        ((y, raw, y[:5]), {"gradient": good}),
        ((y, raw, None), {"gradient": good[:5]}),
        ((y, raw, None), {"hessian": y}),
        ((y, raw, None), {"loss": y[:5]}),
        ((y, raw[:, :2], None), {"gradient": good[:, :2]}),
        ((y, y, None), {"gradient": y}),
    ):
        with pytest.raises(ValueError, match=r"shape"):
            evaluate_on_device(*rows, *classes, **out)
    with pytest.raises(ValueError, match="shape"):
        cuda.posterior(raw, *classes, "focal", good[:5])
    integers = on_device(np.zeros(raw.shape, "i4"))
    with pytest.raises(TypeError, match="int32"):
        evaluate_on_device(y, integers, None, *classes, gradient=good)
    with pytest.raises(TypeError, match="int32"):
        evaluate_on_device(y, raw, None, *classes, gradient=integers)


@gpu
@pytest.mark.skipif(SIMULATED, reason="the simulator's arrays have no address on a device")
def test_host_arrays_go_to_the_device_of_another():
    host = np.arange(6.0, dtype="f4").reshape(3, 2)
    device = on_device(np.zeros(3, "f4"))
    for given in (host, np.asfortranarray(host), host[::-1]):
        sent = _kernels.sent_like(device, given)
        assert _kernels.on_device(sent)
        assert_array_equal(_kernels.fetched(sent), given)


@gpu
def test_no_rows_are_no_launch():
    empty = on_device(np.zeros(0, "f4"))
    evaluate_on_device(empty, empty, None, (2.0, 2.0), (1.0, 1.0), gradient=empty)
    out = on_device(np.zeros((0, 2), "f4"))
    cuda.posterior(empty, (2.0, 2.0), (1.0, 1.0), "focal", out)


@gpu
@pytest.mark.skipif(SIMULATED, reason="the simulator's arrays have no address on a device")
def test_arrays_of_other_libraries():
    y, raw = make_rows(3)
    classes = (2.0,) * 3, (1.0,) * 3
    out = on_device(np.zeros_like(raw))

    def foreign(array):
        array = on_device(array) if isinstance(array, np.ndarray) else array
        interface = array.__cuda_array_interface__
        return SimpleNamespace(__cuda_array_interface__=interface, owner=array)

    evaluate_on_device(foreign(y), foreign(raw), None, *classes, gradient=foreign(out))
    assert_equal({"gradient": out.copy_to_host()}, on_the_cpu(y, raw, *classes), "focal")


@gpu
@pytest.mark.skipif(SIMULATED, reason="many threads")
@BOTH_LINKS
@pytest.mark.parametrize("n_classes", [0, 3])
def test_more_rows_than_a_small_grid_has_threads(link, n_classes):
    y, raw = make_rows(n_classes, n=100_003)
    classes = (2.0, 5.0, 0.5)[: n_classes or 2], (0.3, 1.0, 2.0)[: n_classes or 2]
    expected = on_the_cpu(y, raw, *classes, link=link)
    for out_type in ("f4", "f8"):
        options = {"link": link, "out_type": out_type, "names": NAMES[1:]}
        assert_equal(on_the_device(y, raw, None, *classes, **options), expected, link)


# Tests in the simulator by name, and how many of them there are. The last part is
# traced for coverage.
SLOW_PARTS = [("results or hessians", 24), ("posterior_is or rounding or weights", 40)]
REST = "not results and not hessians and not posterior_is and not rounding and not weights"
PARTS = [pytest.param(*part, 0, marks=pytest.mark.slow(60)) for part in SLOW_PARTS]
PARTS += [pytest.param(REST, 14, 6, marks=pytest.mark.costly)]


@pytest.mark.skipif(SIMULATED, reason="is the simulator")
@pytest.mark.parametrize("names, n_passed, n_skipped", PARTS)
def test_all_of_these_on_the_simulator(names, n_passed, n_skipped, traced_processes):
    """Those that are skipped say above why."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-k", names, "-rs", "--tb=short"]
    # infinities and subnormal numbers are meant
    command += [__file__, "-W", "ignore::RuntimeWarning", "-p", "no:cacheprovider"]
    with traced_processes():
        env = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|skipped)", done.stdout)}
    assert counts.get("passed") == n_passed
    assert counts.get("skipped", 0) == n_skipped


@pytest.mark.parametrize(
    "stream, waits", [("none", False), (None, False), (1, False), (2, False), (94_000, True)]
)
def test_waits_for_other_streams_only(stream, waits, monkeypatch):
    interface = {} if stream == "none" else {"stream": stream}
    array = SimpleNamespace(__cuda_array_interface__=interface)
    monkeypatch.setattr(numba.cuda, "as_cuda_array", lambda array, sync: sync, raising=False)
    assert cuda._device_array(array) == waits


# What is compiled: class count (0 for margins (n,)), link, types of margins and results,
# gamma, outputs; and f64 instructions that there may be.
CASES = {
    "binary": (0, "focal", "f4", "f4", 2.0, NAMES[1:], 0),
    "binary, loss": (0, "focal", "f4", "f4", 2.0, NAMES, 0),
    "binary, of double margins": (0, "focal", "f8", "f4", 2.0, NAMES[1:], 2),
    "binary, double": (0, "focal", "f8", "f8", 2.0, NAMES, None),
    "cross-entropy": (0, "focal", "f4", "f4", 0.0, NAMES[1:], None),
    # a shift in double
    "binary, posterior link": (0, "posterior", "f4", "f4", 2.0, NAMES[1:], 4),
    "binary, posterior link, double": (0, "posterior", "f8", "f8", 2.0, NAMES, None),
    # a maximum over margins and -inf
    "multi": (3, "focal", "f4", "f4", 2.0, NAMES[1:], 8),
    "multi, double": (3, "focal", "f8", "f8", 2.0, NAMES, None),
    "multi, cross-entropy": (3, "focal", "f4", "f4", 0.0, NAMES[1:], None),
    "multi, posterior link": (3, "posterior", "f4", "f4", 2.0, NAMES[1:], None),
    "multi, posterior link, double": (3, "posterior", "f8", "f8", 2.0, NAMES, None),
}


def why_no_compiler():
    """Why there is no compiler to PTX, or None."""
    if SIMULATED:
        return "the simulator compiles nothing"
    if find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    if not hasattr(np, "row_stack") and version("numba-cuda") == "0.30.4":
        return "numba-cuda 0.30.4 does not run with NumPy 2.5"
    from numba.cuda.cudadrv.error import CudaSupportError, NvvmSupportError

    try:
        numba.cuda.compile_ptx(lambda: None, (), cc=(8, 0))
    except (CudaSupportError, NvvmSupportError) as error:
        return f"no CUDA toolkit: {error}"
    return None


CAPABILITIES = (7, 5), (8, 0), (9, 0)  # of a T4, an A100 and an H100


@pytest.fixture
def compiled(monkeypatch):
    """Code for compute capabilities, compiled instead of launched."""
    if reason := why_no_compiler():
        pytest.skip(reason)
    from numba.cuda import dispatcher

    code = {}

    def compile_all(variant, n_rows, arguments):
        kernel = cuda.python_kernel(variant)
        for cc in CAPABILITIES:
            code[cc], _ = numba.cuda.compile_ptx(kernel, cuda.signature(arguments), cc=cc)

    # functions called by kernels are compiled for the current device, of which there is none
    any_device = SimpleNamespace(compute_capability=(8, 0))
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: any_device)
    monkeypatch.setattr(cuda, "_launch", compile_all)
    monkeypatch.setattr(cuda, "_device_array", lambda array: array)
    monkeypatch.setattr(cuda, "_constants", lambda make, *arguments: make(*arguments))
    return code


def instructions(code):
    return re.findall(r"^\s+(?:@!?%p\d+ )?([a-z]\w*(?:\.\w+)+)\s", code, re.MULTILINE)


def check_code(code, most_double):
    """Rounding as IEEE 754 has it, everything inlined, and double where it is meant."""
    assert set(code) == set(CAPABILITIES)
    for cc, ptx in code.items():
        operations = instructions(ptx)
        assert f".target sm_{cc[0]}{cc[1]}" in ptx
        assert len(operations) > 30
        # log in double starts from an approximation
        single = [name for name in operations if ".f64" not in name]
        assert not [name for name in single if "approx" in name or ".ftz" in name]
        assert not [name for name in operations if name.startswith("call")]
        double = [name for name in operations if ".f64" in name]
        assert len(double) > 30 if most_double is None else len(double) <= most_double


@pytest.mark.slow(10)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_kernels_compile(case, weighted, compiled):
    n_classes, link, raw_type, out_type, gamma, names, most_double = CASES[case]
    y, raw = make_rows(n_classes)
    k = n_classes or 2
    out = {x: np.empty(raw.shape if x != "loss" else len(raw), out_type) for x in names}
    rows = y, raw.astype(raw_type), np.ones(len(y), "f4") if weighted else None
    evaluate_on_device(*rows, (gamma,) * k, tuple(np.arange(1.0, k + 1)), link=link, **out)
    check_code(compiled, most_double)


@pytest.mark.slow(5)
@BOTH_LINKS
@pytest.mark.parametrize("n_classes", [0, 3])
def test_kernels_of_the_posterior_compile(link, n_classes, compiled):
    _, raw = make_rows(n_classes)
    k = n_classes or 2
    cuda.posterior(raw, (2.0,) * k, (1.0,) * k, link, np.empty((len(raw), k), "f4"))
    check_code(compiled, None)
