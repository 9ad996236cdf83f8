"""The compiled loops: layouts, precisions, number of compilations, cache."""

import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest
from mpmath import exp, fsum, log, log1p, mp, mpf
from numba.core import caching
from numba.core.registry import cpu_target
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skfocal import _kernels, _math
from skfocal._kernels import _jit, cpu
from skfocal.losses import BinaryFocalLoss, MulticlassFocalLoss

RNG = np.random.default_rng(0)
BINARY = RNG.integers(0, 2, 60), RNG.normal(scale=4, size=60), RNG.uniform(0.1, 2, 60)
MULTI = RNG.integers(0, 4, 60), RNG.normal(scale=4, size=(60, 4)), RNG.uniform(0.1, 2, 60)
LOSSES = [
    (BinaryFocalLoss((1.5, 3.0), 0.3), *BINARY),
    (MulticlassFocalLoss(4, (0.5, 2.0, 0.0, 5.0), (1.0, 2.0, 0.5, 3.0)), *MULTI),
    (BinaryFocalLoss((1.5, 3.0), 0.3, link="posterior"), *BINARY),
    (MulticlassFocalLoss(4, (0.5, 2.0, 0.0, 5.0), (1.0, 2.0, 0.5, 3.0), link="posterior"), *MULTI),
]
NAMES = ["binary", "multi", "binary, posterior link", "multi, posterior link"]
each_loss = pytest.mark.parametrize("loss, y, raw, weight", LOSSES, ids=NAMES)


def results(loss, y, raw, weight):
    return [
        loss.loss(y, raw, weight),
        loss.gradient(y, raw, weight),
        *loss.gradient_hessian(y, raw, weight),
        loss.posterior(raw),
        loss.decision(raw),
    ]


def test_binary_loop_equals_scalars_row_by_row():
    loss, y, raw, weight = LOSSES[0]
    gradient, hessian = loss.gradient_hessian(y, raw, weight)
    for i in range(len(y)):
        sign = 2 * y[i] - 1
        w = loss.class_weight[y[i]] * weight[i]
        _, first, second = _math.loss_gradient_hessian(sign * raw[i], loss.gamma[y[i]], False)
        assert gradient[i] == pytest.approx(sign * w * first, rel=1e-13)
        assert hessian[i] == pytest.approx(w * second, rel=1e-13)


@each_loss
@pytest.mark.parametrize(
    "form",
    [
        lambda a: np.repeat(a, 2, axis=0)[::2],  # strided
        lambda a: a[::-1][::-1].copy()[:],
        lambda a: a.astype(a.dtype.newbyteorder()),
        np.asfortranarray,
        lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
        lambda a: np.broadcast_to(a, (1, *a.shape))[0],  # read-only
    ],
    ids=["strided", "copy", "swapped", "fortran", "unaligned", "read-only"],
)
def test_results_do_not_depend_on_the_form_of_the_arrays(loss, y, raw, weight, form):
    expected = results(loss, y, raw, weight)
    for a, b in zip(results(loss, form(y), form(raw), form(weight)), expected, strict=True):
        assert_array_equal(a, b)


@each_loss
def test_float32_margins_give_float32_near_the_double_result(loss, y, raw, weight):
    raw = raw.astype(np.float32)
    doubles = results(loss, y, raw.astype(np.float64), weight)
    for single, double in zip(results(loss, y, raw, weight), doubles, strict=True):
        assert single.dtype == np.float32
        assert double.dtype == np.float64
        assert_allclose(single, double, rtol=2e-6, atol=1e-37)


@each_loss
def test_layout_of_the_margins_is_kept(loss, y, raw, weight):
    fortran = np.asfortranarray(raw)
    for result in (*loss.gradient_hessian(y, fortran), loss.gradient(y, fortran)):
        assert result.flags.f_contiguous
    for result in (*loss.gradient_hessian(y, raw), loss.gradient(y, raw)):
        assert result.flags.c_contiguous


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="counts compilations")
def test_user_input_compiles_each_loop_once_per_precision_and_layout():
    loss, y, raw, weight = LOSSES[0]
    loss.gradient_hessian(y, raw)
    loss.gradient_hessian(y, raw, weight)
    before = len(cpu.double.binary_rows.signatures)
    for gamma in (0, 1, np.float32(2), np.int64(3)):
        for labels in (y, y.astype(bool), y.astype(np.float32), y.tolist()):
            BinaryFocalLoss(gamma).gradient_hessian(labels, raw, weight)
    frozen = raw.copy()
    frozen.flags.writeable = False
    loss.gradient_hessian(y, frozen, weight.astype(np.float32))
    loss.gradient_hessian(y[::2], raw[::2], weight[::2])
    assert len(cpu.double.binary_rows.signatures) == before


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is cached")
@pytest.mark.parametrize("module", [*cpu.FORMULAS, *cpu.LOOPS])
def test_cache_changes_with_every_source(module, tmp_path):
    modules = [*cpu.FORMULAS, *cpu.LOOPS]
    assert cpu.double.binary_rows.py_func.__qualname__.endswith(_jit.digest(modules))
    changed = ModuleType("changed")
    changed.__file__ = str(tmp_path / "changed.py")
    Path(changed.__file__).write_text(Path(module.__file__).read_text() + "\n")
    others = [changed if m is module else m for m in modules]
    assert _jit.digest(others) != _jit.digest(modules)


def test_formulas_can_be_bound_to_other_elementary_functions():
    calls = []

    def counted(x):
        calls.append(x)
        return np.log1p(x)

    bound = _jit.bind([_math], [], np.float64, log1p_unit=counted)
    function = getattr(bound["loss_gradient_hessian"], "py_func", bound["loss_gradient_hessian"])
    # plain Python all the way down, to be able to count
    plain = {k: getattr(v, "py_func", v) for k, v in function.__globals__.items()}
    function.__globals__.update(plain)
    assert function(1.0, 2.0, True) == pytest.approx(_math.loss_gradient_hessian(1.0, 2.0, True))
    assert len(calls) == 1


def module_of(name, source):
    module = ModuleType(name)
    module.__file__ = _jit.__file__  # for the digest
    exec(source, vars(module))
    return module


def test_a_replacement_that_is_not_announced_is_refused():
    first = module_of("first", "def twice(x):\n    return 2.0 * x")
    source = "def twice(x):\n    return x + x"
    with pytest.raises(ValueError, match=r"second\.twice would replace twice of first"):
        _jit.bind([first, module_of("second", source)], [], np.float64)
    second = module_of("second", f"REPLACES = ('twice',)\n{source}")
    twice = _jit.bind([first, second], [], np.float64)["twice"]
    assert numba.njit(lambda x: twice(x))(1.5) == 3.0


# a generator: from Python 3.12 on a list is made without a function of its own
@pytest.mark.parametrize("inside", ["sum(0.5 * i for i in x)", "(lambda v: 0.5 * v)(x)"])
def test_functions_inside_functions_are_refused(inside):
    module = module_of("outer", f"def half(x):\n    return {inside}")
    with pytest.raises(ValueError, match=r"outer\.half has a function or a comprehension inside"):
        _jit.bind([module], [], np.float32)


def test_literals_in_tuples_have_the_precision_too():
    module = module_of("pair", "def both():\n    a, b = 0.5, 1.5\n    return a, b, (0.5, 'x')")
    code = _jit._in_precision(module.both, np.float32)
    (pair,) = (c for c in code.co_consts if isinstance(c, tuple) and len(c) == 2 and c[1] == 1.5)
    assert {type(c) for c in pair} == {np.float32}


CACHED = """
import signal, sys, warnings
import numpy as np
from skfocal import BinaryFocalLoss
from skfocal._kernels import cpu

folder, limit = sys.argv[1], int(sys.argv[2])
if limit:  # of the size of a file: what is written beyond it fails, as on a full disk
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    y, raw = np.array([0.0, 1.0]), np.array([1.0, 1.0])
    loss = BinaryFocalLoss(2.0).loss(y, raw)
    cpu.double.descent_rows(1, np.eye(1), -np.ones(1), np.zeros(1), np.zeros(1), 0.0)  # another
p = 1 / (1 + np.exp(np.array([1.0, -1.0])))
assert np.allclose(loss, -((1 - p) ** 2) * np.log(p), rtol=1e-12)
loops = cpu.double.binary_rows, cpu.double.descent_rows
print(sum(sum(loop.stats.cache_hits.values()) for loop in loops))
for each in caught:
    assert each.category is RuntimeWarning and folder in str(each.message), each.message
    print(each.message)
"""


def cached(folder, limit=0):
    """Loops that came from the cache in a folder, and the warnings of a new process."""
    done = subprocess.run(
        [sys.executable, "-c", CACHED, str(folder), str(limit)],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    hits, *warned = done.stdout.splitlines()
    return int(hits), warned


DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-5],
    "zeros": lambda data: bytes(len(data)),
    "nonsense": lambda data: pickle.dumps(numba.__version__) + pickle.dumps(3),
}


@pytest.mark.slow(10)
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is cached")
def test_damaged_cache_is_said_once_and_renewed(tmp_path):
    """In a new process, of two loops."""
    assert cached(tmp_path) == (0, [])
    for path in tmp_path.rglob("*.nbi"):
        path.write_bytes(DAMAGES["cut"](path.read_bytes()))
    hits, warned = cached(tmp_path)
    assert hits == 0
    assert len(warned) == 1
    assert "NUMBA_CACHE_DIR" in warned[0]
    assert cached(tmp_path) == (2, [])


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is cached")
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_kind_of_damage_is_survived(damage, tmp_path, monkeypatch):
    """Within this process, of a loop that takes no time to compile."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def loop():
        def twice(x):
            return 2 * x

        return _jit.jit(twice, "tag")

    assert loop()(2) == 4
    for suffix in ("nbi", "nbc"):
        (path,) = tmp_path.rglob(f"*.{suffix}")
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        monkeypatch.setattr(_jit.OptionalCache, "_warned", False)
        damaged = loop()
        with pytest.warns(RuntimeWarning, match=re.escape(str(path.parent))):
            assert damaged(2) == 4
        sound = loop()
        assert sound(2) == 4
        assert sound.stats.cache_hits


@pytest.mark.slow(5)
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is cached")
def test_full_disk_is_said_once(tmp_path):
    pytest.importorskip("resource")  # Windows has none
    hits, warned = cached(tmp_path, limit=3000)
    assert hits == 0
    assert len(warned) == 1
    assert "OSError" in warned[0]


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is cached")
@pytest.mark.parametrize("when", ["before the import", "after the import"])
def test_cache_directory_that_cannot_be_written_to(when, tmp_path, monkeypatch):
    folder = tmp_path / "numba"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder))
    monkeypatch.setattr(_jit.OptionalCache, "_warned", False)
    locators = [caching.UserProvidedCacheLocator]
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", locators)
    if when == "before the import":
        folder.write_text("no folder")
    compiled = _jit.jit(lambda x: x + 1, "tag")
    if when == "before the import":
        assert compiled(1) == 2  # numba found no place at all
        return
    shutil.rmtree(folder)
    folder.write_text("no folder any more")
    with pytest.warns(RuntimeWarning, match=re.escape(str(folder))):
        assert compiled(1) == 2


def test_importing_the_package_loads_neither_numba_nor_a_booster():
    code = (
        "import sys, skfocal; from skfocal import BinaryFocalLoss; "
        "print({'numba', 'lightgbm', 'xgboost', 'pandas'} & set(sys.modules))"
    )
    env = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.strip() == "set()"


def test_margins_invert_log_odds_for_many_classes():
    raw = np.random.default_rng(1).normal(scale=3, size=(20, 30))
    gamma = tuple(np.linspace(0, 4, 30))
    margin = _kernels.margins(_kernels.log_odds(raw, gamma), gamma)
    p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    assert_allclose(1 / (1 + np.exp(-margin)), p, rtol=1e-11)


def exact_rows(gamma, m):
    """Loss, l' and the upper Hessian at the margin m, from the definitions in p."""
    p = 1 / (1 + exp(-m))
    q = 1 / (1 + exp(m))
    s = log1p(exp(-m))
    slope = -(q**gamma) * (q + gamma * p * s)
    return q**gamma * s, slope, -(1 + gamma) * p * slope


@pytest.fixture(scope="module")
def dense():
    """Margins from -80 to 80, gammas to 10, and exact values; a quarter is negative rows."""
    mp.dps = 50
    rng = np.random.default_rng(1)
    margins = np.r_[np.linspace(-80, 80, 81), rng.normal(scale=3, size=40)].astype(np.float32)
    gammas = (0.0, 0.3, 1.0, 1.7, 2.0, 5.0, 10.0)
    exact = {g: [exact_rows(mpf(g), mpf(float(m))) for m in margins] for g in gammas}
    return margins, exact


def assert_near(values, exact, rtol, atol):
    """|value - exact| <= rtol |exact| + atol, in arithmetic that sees both."""
    for value, true in zip(values, exact, strict=True):
        assert abs(mpf(float(value)) - true) <= rtol * abs(true) + mpf(atol)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "raw_type, out_type, rtol, atol",
    [
        ("f4", "f4", 1e-5, 1e-38),
        ("f8", "f4", 1e-5, 1e-38),
        ("f4", "f8", 1e-12, 1e-300),
        ("f8", "f8", 1e-12, 1e-300),
    ],
)
def test_binary_accuracy_on_a_dense_grid(dense, sign, raw_type, out_type, rtol, atol):
    margins, exact = dense
    y = np.full(len(margins), (sign + 1) / 2)
    raw = (sign * margins).astype(raw_type)
    for gamma, rows in exact.items():
        out = {k: np.empty(len(y), out_type) for k in ("loss", "gradient", "hessian")}
        classes, outputs = ((gamma, gamma), (1.0, 1.0)), _kernels.Outputs(**out)
        assert _kernels.evaluate(y, raw, None, *classes, _kernels.Options(), outputs)
        out["gradient"] *= sign
        for values, true in zip(out.values(), zip(*rows, strict=True), strict=True):
            assert_near(values, true, rtol, atol)


@pytest.mark.parametrize("raw_type", ["f4", "f8"])
@pytest.mark.parametrize("out_type, rtol, atol", [("f4", 1e-5, 1e-38), ("f8", 1e-12, 1e-300)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_multiclass_accuracy_far_out(raw_type, out_type, rtol, atol, order):
    """Rows with margins to 80: true class far ahead, far behind, ties, one dominating."""
    mp.dps = 50
    rng = np.random.default_rng(2)
    raw = np.r_[rng.normal(scale=3, size=(30, 5)), rng.uniform(-80, 80, size=(30, 5))]
    raw[:5] = raw[0, 0]
    raw[5:10, 1] = 80.0
    raw[10:15, :2] = [80.0, 80.0 - 1e-9]
    raw = np.array(raw, raw_type, order=order)
    y = rng.integers(0, 5, len(raw))
    for gamma in (0.3, 2.0, 10.0):
        out = {k: np.empty(raw.shape, out_type, order) for k in ("gradient", "hessian")}
        out["loss"] = np.empty(len(y), out_type)
        arguments = (gamma,) * 5, (1.0,) * 5
        outputs = _kernels.Outputs(**out)
        assert _kernels.evaluate(y, raw, None, *arguments, _kernels.Options(), outputs)
        for i, k in enumerate(y):
            others = {j: exp(mpf(float(raw[i, j]))) for j in range(5) if j != k}
            total = fsum(others.values())
            m = mpf(float(raw[i, k])) - log(total)
            loss, slope, curvature = exact_rows(mpf(gamma), m)
            share = {j: part / total for j, part in others.items()}
            rest = {j: fsum(v for i, v in others.items() if i != j) / total for j in others}
            gradient = [slope if j == k else -slope * share[j] for j in range(5)]
            hessian = [
                curvature if j == k else share[j] * (curvature * share[j] - slope * rest[j])
                for j in range(5)
            ]
            assert_near([out["loss"][i]], [loss], rtol, atol)
            assert_near(out["gradient"][i], gradient, rtol, atol)
            assert_near(out["hessian"][i], hessian, rtol, atol)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [loss for loss, *_ in LOSSES], ids=NAMES)
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_pass_is_a_product_and_the_loss(loss, weighted, index):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 7)) * (rng.uniform(size=(80, 7)) < 0.4)
    y, weight = rng.integers(0, loss.n_classes, 80), rng.uniform(1, 2, 80) if weighted else None
    theta = rng.normal(size=(8, 1 if loss.n_classes == 2 else loss.n_classes))
    matrix = sparse.csr_array(X)
    matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
    for intercept in (True, False):
        coef = theta if intercept else theta[:-1]
        arguments = intercept, y, weight, loss.class_gamma, loss.class_weight, loss.link
        total, gradient = _kernels.sparse_loss_gradient(matrix, coef, *arguments)
        design = np.column_stack([X, np.ones(80)]) if intercept else X
        raw = (design @ coef).squeeze()
        assert total == pytest.approx(loss.loss(y, raw, weight).sum(), rel=1e-13)
        slopes = loss.gradient(y, raw, weight).reshape(80, -1)
        assert_allclose(gradient, design.T @ slopes, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [loss for loss, *_ in LOSSES if loss.n_classes == 2])
@pytest.mark.parametrize("shape", [(700, 7), (1, 1), (300, 2000), (70, 0)])
def test_dense_pass_is_a_product_and_the_loss(loss, weighted, shape):
    """More rows than a block; a block of the fewest rows; two threads; float32 columns."""
    rng = np.random.default_rng(0)
    n, p = shape
    X = rng.normal(size=shape) / max(p, 1) ** 0.5
    y, weight = rng.integers(0, 2, n), rng.uniform(1, 2, n) if weighted else None
    theta = rng.normal(size=(p + 1, 1))
    for columns in (X, X.astype(np.float32)):
        for coef in (theta, theta[:-1]):
            arguments = y, weight, loss.class_gamma, loss.class_weight, loss.link
            total, gradient = _kernels.dense_loss_gradient(
                columns, coef, len(coef) > p, *arguments, n_threads=2
            )
            design = np.column_stack([columns, np.ones(n)])[:, : len(coef)].astype(np.float64)
            raw = (design @ coef)[:, 0]
            assert total == pytest.approx(loss.loss(y, raw, weight).sum(), rel=1e-13)
            assert_allclose(
                gradient[:, 0], design.T @ loss.gradient(y, raw, weight), rtol=1e-11, atol=1e-12
            )


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="compares with compiled loops")
@pytest.mark.parametrize("shape", [(300,), (300, 4)])
def test_few_margins_have_the_log_odds_of_many(shape):
    """Few are computed in plain Python; so are large ones and NaN."""
    rng = np.random.default_rng(0)
    raw = rng.normal(0, 10, shape)
    raw.flat[:3] = 700.0, -700.0, np.nan
    if raw.ndim == 2:  # no log-odds of the row then
        raw[10, 1], raw[11, 2], raw[12] = np.inf, -np.inf, 3.0
        raw[13, :2] = 800.0
    gamma = (0.0, 1.5) if raw.ndim == 1 else (0.0, 0.5, 2.0, 5.0)
    many = _kernels.log_odds(raw, gamma)
    few = np.concatenate([_kernels.log_odds(raw[i : i + 10], gamma) for i in range(0, 300, 10)])
    assert_allclose(few, many, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(
    "link, policy",
    [("focal", "upper"), ("focal", "exact"), ("focal", "abs"), ("posterior", "upper")],
)
def test_hessians_of_few_rows_are_those_of_the_loops(n_classes, link, policy):
    rng = np.random.default_rng(0)
    shape = (40,) if n_classes == 2 else (40, n_classes)
    codes, raw = rng.integers(0, n_classes, 40), rng.normal(0, 3, shape)
    for gamma in ((0.0, 0.5, 2.0, 5.0), (0.0,) * 4, (2.0,) * 4):
        gamma, weight = gamma[:n_classes], (0.5, 3.0, 1.0, 2.0)[:n_classes]
        few = _kernels.few_hessians(codes, raw, gamma, weight, link, policy)
        options = _kernels.Options(link, policy)
        out = {"gradient": np.empty(shape), "hessian": np.empty(shape)}
        outputs = _kernels.Outputs(**out)
        assert _kernels.evaluate(codes, raw, None, gamma, weight, options, outputs)
        assert_allclose(few, out["hessian"], rtol=1e-10, atol=1e-14)


def test_few_rows_are_predicted_without_numba():
    code = (
        "import sys; from skfocal import BinaryFocalLoss, MulticlassFocalLoss; "
        "BinaryFocalLoss(2.0, 0.3).posterior([0.5]); "
        "MulticlassFocalLoss(3, 2.0).posterior([[0.0, 1.0, 2.0]]); "
        "MulticlassFocalLoss(3, 2.0, link='posterior').log_loss_scale([0, 1, 2]); "
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_coordinate_descent_finds_the_minimum():
    """Without the penalty a linear system; with it the conditions of the optimum."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(12, 6))
    matrix, gradient, start = root.T @ root, rng.normal(size=6) * 5, rng.normal(size=6)
    free, _ = _kernels.descend(matrix, gradient, np.zeros(6), start, 1e-30, 10_000)
    assert_allclose(free, start - np.linalg.solve(matrix, gradient), rtol=1e-9)
    l1 = np.array([4.0, 4.0, 4.0, 4.0, 4.0, 0.0])
    theta, _ = _kernels.descend(matrix, gradient, l1, start, 1e-30, 10_000)
    slope = gradient + matrix @ (theta - start)
    assert 0 < (theta == 0).sum() < 5
    assert_allclose(slope[theta != 0], -(l1 * np.sign(theta))[theta != 0], atol=1e-10)
    assert (abs(slope[theta == 0]) <= 4).all()
    # a coordinate without curvature stays, and so does everything at no sweeps
    matrix[2] = matrix[:, 2] = 0.0
    assert _kernels.descend(matrix, gradient, l1, start, 1e-14, 100)[0][2] == start[2]
    assert_array_equal(_kernels.descend(matrix, gradient, l1, start, 1e-14, 0)[0], start)


def vector_operations(loop, operation):
    """Widths at which a compiled loop does an operation on several rows at once."""
    (code,) = loop.inspect_llvm().values()
    pattern = rf"= {operation} (?:\w+ )*<(\d+) x (?:float|double|i32|i64)>"
    return [int(n) for n in re.findall(pattern, code)]


def full_width():
    """Bits of the registers that loops over rows of two classes are to use here."""
    *_, features = cpu_target.target_context.codegen().magic_tuple()
    return 512 if "+avx512vbmi2" in features else 128


@pytest.mark.slow(10)
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="reads compiled code")
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_loops_vectorise(real):
    """As seen in the code: divisions, and shifts into exponents, are in the formulas only."""
    loops = cpu.compiled(real, cache=False)
    n, bits = 100, 8 * np.dtype(real).itemsize
    y = np.zeros(n, np.float32)
    raw, outputs = np.zeros(n), [np.zeros(n, real) for _ in range(3)]
    options = None, 0.25, 1e-16, None, None
    loops.binary_rows(0, n, y, raw, None, *outputs, (2.0, 2.0), (1.0, 1.0), *options)
    # log1p and the sigmoid divide, exp and the power shift
    for operation, at_least in (("fdiv", 2), ("shl", 2)):
        widths = vector_operations(loops.binary_rows, operation)
        assert len(widths) >= at_least
        assert min(widths) * bits >= 128
        assert max(widths) * bits >= full_width()

    raw, outputs = np.zeros((n, 5)), [np.zeros(n, real), *np.zeros((2, n, 5), real)]
    each = np.ones(5)
    loops.multiclass_rows(0, n, y, raw, None, *outputs, each, each, *options, 1.0)
    # and log1p of any number and the shares divide, exp of every class shifts
    for operation, at_least in (("fdiv", 4), ("shl", 3)):
        widths = vector_operations(loops.multiclass_rows, operation)
        assert len(widths) >= at_least
        assert min(widths) * bits >= 128


@pytest.mark.slow(40)
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="reads compiled code")
def test_loops_of_the_posterior_link_vectorise():
    """Of the table only the look-up does not; the solver's steps divide four times a class."""
    n, y, raw = 100, np.zeros(100, np.float32), np.zeros((100, 5))
    scalar = {"multiclass_margin_rows": cpu.double.multiclass_margin_rows}
    single = cpu.compiled(np.float32, cpu.POSTERIOR_LOOPS, cache=False, **scalar)
    outputs = np.zeros((2, n), np.float32)
    table, options = np.zeros((128, 4), np.float32), (0.25, 1e-16, None, None)
    single.tabulated_rows(
        0, n, y, raw[:, 0].copy(), None, *outputs, table, (1.0, 1.0), 0.0, *options
    )
    each = np.ones(5)
    outputs = None, *np.zeros((2, n, 5), np.float32)
    single.multiclass_rows(0, n, y, raw, None, *outputs, each, each, None, *options, 1.0)
    double = cpu.compiled(np.float64, cpu.POSTERIOR_LOOPS, cache=False)
    outputs = np.zeros((3, n))
    arrays = y, raw[:, 0].copy(), None, *outputs
    double.binary_rows(0, n, *arrays, (2.0, 2.0), (1.0, 1.0), None, *options)
    for loop, bits, divisions, shifts, width in (
        (single.tabulated_rows, 32, 1, 2, full_width()),
        (single.multiclass_rows, 32, 12, 4, 128),
        (double.binary_rows, 64, 8, 3, full_width()),
    ):
        for operation, at_least in (("fdiv", divisions), ("shl", shifts)):
            widths = vector_operations(loop, operation)
            assert len(widths) >= at_least
            assert min(widths) * bits >= 128
            assert max(widths) * bits >= width
