"""Imports run down the floors, and the optional libraries stay optional."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skfocal
from tests.backends import install_command

PACKAGE = Path(skfocal.__file__).parent
# A name imports only from lower floors: names on the same floor do not know each other.
FLOORS = {
    "_math": 0,
    "datasets": 0,
    "_kernels": 1,
    "calibration": 2,
    "losses": 2,
    "objectives": 3,
    "metrics": 3,
    "_estimator": 3,
    "linear_model": 4,
    "_booster": 4,
    "lightgbm": 5,
    "xgboost": 5,
    "catboost": 5,
    "sklearn_boosting": 5,
    "dask": 6,
    "decisions": 4,
    "onnx": 6,
    "plotting": 6,
}
# In a package a file imports only from those before it. Backends have the same files.
BACKEND = (
    *("_parameters", "_format", "_metrics", "_private", "_training", "_native_data", "_gpu"),
    *("_categories", "_model", "_folds", "_classifier", "_classifier_cv", "_backend"),
)
INSIDE = {
    "_kernels": (
        *("_jit", "_device", "_threads", "_precision", "_elementary", "_binary", "_multiclass"),
        *("_posterior_binary", "_simplex", "_posterior_multiclass", "_sparse", "_dense"),
        *("_descent", "_cuda_rows", "cpu", "_forms", "_few", "_choice", "_slopes", "cuda"),
        *("_pairs", "_evaluate"),
    ),
    "losses": (
        *("_parameters", "_rows", "_link", "_options", "_base", "_binary", "_multiclass", "_make"),
    ),
    "objectives": ("_conventions", "_last_answer", "_eval_metric", "_objective"),
    "metrics": ("_rows", "_focal", "_calibration", "_budget", "_costs"),
    "_estimator": (
        *("_callbacks", "_attributes", "_features", "_target", "_probabilities"),
        *("_selection", "_held_out", "_cross_validation", "_calibrate", "_mixin"),
    ),
    "linear_model": (
        *("_blocks", "_matrix", "_problem", "_scaling", "_stopping", "_lbfgs", "_newton_cholesky"),
        *("_quadratic", "_prox_newton", "_solvers", "_parameters", "_training", "_path", "_model"),
        *("_classifier", "_classifier_cv"),
    ),
    "_booster": (
        *("_arguments", "_model_files", "_metrics", "_eval_sets", "_plan", "_trials"),
        *("_cross_validation", "_backend"),
    ),
    "lightgbm": BACKEND,
    "xgboost": BACKEND,
    "catboost": (
        *("_parameters", "_private", "_format", "_metrics", "_native_data", "_training"),
        *("_files", "_inherited", "_model", "_folds", "_classifier", "_classifier_cv"),
    ),
    "sklearn_boosting": (
        *("_parameters", "_private", "_training", "_model", "_folds", "_classifier"),
        "_classifier_cv",
    ),
    "dask": (
        *("_cluster", "_collections", "_lightgbm_workers", "_xgboost_workers"),
        *("lightgbm", "xgboost"),
    ),
    "decisions": ("_around", "_budget", "_costs"),
    "onnx": (
        *("_check", "_graph", "_posterior", "_trees", "_linear", "_lightgbm", "_xgboost"),
        *("_sklearn_boosting", "_converter"),
    ),
    "plotting": (
        *("_style", "_estimators", "_loss", "_calibration", "_gamma_path", "_alerts", "_costs"),
    ),
}
# They belong to no floor: anything may use them, and they import nothing of the package.
BESIDE = {"_optional", "_versions", "_warnings", "__init__"}
MODULES = {path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py")}
MODULES = sorted(".".join(path.parts).removesuffix(".__init__") for path in MODULES)


def imported(source):
    """Names of modules of the package that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skfocal"):
            for alias in node.names:  # a module, or a name in one
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("skfocal."))


def wrong_imports(module, source):
    """Modules that a module may not import, by its floor and its place in its package."""
    own, _, file = module.removeprefix("skfocal").removeprefix(".").partition(".")
    if own in {"", *BESIDE}:  # the first one lists the public names for type checkers
        return set(imported(source)) if own else set()
    wrong = set()
    for name in imported(source):
        floor, _, other = name.removeprefix("skfocal").removeprefix(".").partition(".")
        if floor in {"", *BESIDE}:
            continue
        if floor != own:
            allowed = FLOORS[floor] < FLOORS[own]
        else:
            order = INSIDE[own]
            allowed = not file or (other != "" and order.index(other) < order.index(file))
        wrong |= set() if allowed else {name}
    return wrong


def source_of(module):
    path = PACKAGE.parent.joinpath(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_down(module):
    assert wrong_imports(module, source_of(module)) == set()


@pytest.mark.parametrize(
    "module, planted",
    [
        ("skfocal.losses._binary", "from skfocal.objectives import FocalObjective"),
        ("skfocal.losses._rows", "from skfocal.losses._link import raw_proba"),
        ("skfocal.losses._rows", "from skfocal.losses import BinaryFocalLoss"),
        ("skfocal._kernels._forms", "def f():\n    from skfocal._kernels import cuda"),
        ("skfocal.lightgbm._model", "from skfocal.xgboost import FocalXGBClassifier"),
        ("skfocal.lightgbm._metrics", "import skfocal.lightgbm._training"),
        ("skfocal.metrics", "from skfocal.objectives import FocalEvalMetric"),
        ("skfocal.dask.lightgbm", "import skfocal.onnx"),
        ("skfocal._optional", "from skfocal import metrics"),
    ],
)
def test_an_import_that_runs_up_is_seen(module, planted):
    assert len(wrong_imports(module, f"{source_of(module)}\n{planted}\n")) == 1


def test_all_files_have_their_place():
    names = {tuple(module.split(".")[1:]) for module in MODULES[1:]}
    assert {name[0] for name in names} - BESIDE == {*FLOORS}
    for package, order in INSIDE.items():
        found = {name[1] for name in names if name[0] == package and len(name) > 1}
        # LightGBM trains on the host, and takes a new category for a missing value
        missing = {"_gpu", "_categories"} if package == "lightgbm" else set()
        assert found == {*order} - missing


@pytest.mark.parametrize("module", MODULES)
def test_a_docstring_tells_the_right_floor(module):
    own = module.removeprefix("skfocal").removeprefix(".").partition(".")[0]
    told = re.findall(r"\(floor (.*?)\)", ast.get_docstring(ast.parse(source_of(module))) or "")
    assert told in ([], [str(FLOORS.get(own))])


def test_formulas_import_only_math():
    tree = ast.parse((PACKAGE / "_math.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [node.module for node in imports] == ["math"]


def test_public_names_exist_and_are_listed():
    for name in skfocal.__all__:
        assert getattr(skfocal, name).__doc__
        assert name in dir(skfocal)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = skfocal.nothing


def test_modules_load_with_their_first_use():
    code = (
        "import sys, skfocal\n"
        "optional = {'lightgbm', 'xgboost', 'catboost', 'dask', 'matplotlib', 'skl2onnx'}\n"
        "names = set(dir(skfocal))\n"
        "assert not optional & set(sys.modules)\n"
        "print(skfocal.metrics.focal_loss.__name__, skfocal.plotting.__name__)\n"
        "print(sorted(names - set(skfocal.__all__) - {'__version__'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {path.stem for path in PACKAGE.glob("[!_]*.py")}
    modules |= {path.parent.name for path in PACKAGE.glob("[!_]*/__init__.py")}
    assert done.stdout.splitlines() == ["focal_loss skfocal.plotting", str(sorted(modules))]
    for name in modules:
        assert getattr(skfocal, name).__name__ == f"skfocal.{name}"


@pytest.mark.parametrize(
    "name, module",
    [
        ("FocalLGBMClassifier", "lightgbm"),
        ("FocalXGBClassifier", "xgboost"),
        ("FocalCatBoostClassifier", "catboost"),
    ],
)
def test_missing_extra_names_the_command(name, module):
    code = (
        "import sys\n"
        f"sys.modules['{module}'] = None\n"
        "import skfocal\n"
        "skfocal.FocalLogisticRegression, skfocal.FocalObjective\n"
        "try:\n"
        f"    skfocal.{name}\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    command = install_command(module)
    assert done.stdout.strip() == f"{name} needs {module}, which is not installed: {command}"


def test_missing_converters_name_the_command():
    code = (
        "import sys\n"
        "sys.modules['skl2onnx'] = None\n"
        "try:\n"
        "    import skfocal.onnx\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    command = install_command("onnx")
    assert len(command.split()) == 4
    assert done.stdout.strip() == f"to_onnx needs skl2onnx, which is not installed: {command}"


def test_a_source_tree_that_is_not_installed_names_the_module(monkeypatch):
    from skfocal import _optional

    def nothing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(_optional, "requires", nothing)
    needed = _optional.optional_dependency("no_such_module", needed_by="this test", extra="onnx")
    with pytest.raises(ImportError, match=r": pip install no_such_module$"), needed:
        import no_such_module  # noqa: F401


def test_another_missing_module_is_not_mistaken_for_the_extra():
    from skfocal._optional import optional_dependency

    with (
        pytest.raises(ModuleNotFoundError, match="no_such_module"),
        optional_dependency("lightgbm", needed_by="this test"),
    ):
        import no_such_module  # noqa: F401
