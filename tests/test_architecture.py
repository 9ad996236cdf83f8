"""Imports run down the floors, and the optional libraries stay optional."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skfocal

PACKAGE = Path(skfocal.__file__).parent
FLOORS = {
    "_math": 0,
    "_kernels": 1,
    "_parameters": 2,
    "_rows": 2.1,
    "_loss": 2.25,
    "_link": 2.4,
    "losses": 2.5,
    "_conventions": 2.75,
    "_memory": 2.75,
    "objectives": 3,
    "metrics": 3.5,
    "_training_metrics": 4,
    "_callbacks": 3.9,
    "_settings": 3.9,
    "_base": 4,
    "_linear_problem": 4,
    "_scaling": 4.1,
    "_proximal": 4.2,
    "_solvers": 4.25,
    "_lightgbm_text": 4.1,
    "_lightgbm_metrics": 4.2,
    "_lightgbm_files": 4.25,
    "_lightgbm_training": 4.3,
    "_lightgbm_dataset": 4.35,
    "_lightgbm_prediction": 4.35,
    "_xgboost_training": 4.25,
    "_xgboost_device": 4.35,
    "_xgboost_matrix": 4.3,
    "_xgboost_files": 4.4,
    "_xgboost_prediction": 4.45,
    "linear_model": 4.5,
    "lightgbm": 4.5,
    "dask": 5,
    "_onnx_check": 4.9,
    "_onnx_graph": 4.9,
    "onnx": 5,
    "plotting": 5,
    "xgboost": 4.5,
}
# They belong to no floor: anything may use them, and they import nothing of the package.
BESIDE = {"_optional", "_versions", "__init__"}


def floor_name(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """Modules of the package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.module == "skfocal":
                yield from (alias.name for alias in node.names)
            elif (node.module or "").startswith("skfocal."):
                yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("skfocal."))


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_down(path):
    own = floor_name(path)
    if own in BESIDE:
        if own != "__init__":  # which lists the public names for type checkers
            assert not set(imported(path))
        return
    for name in set(imported(path)) - BESIDE - {own}:
        assert FLOORS[name] < FLOORS[own], f"{own} imports {name} from above"


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
        "optional = {'lightgbm', 'xgboost', 'dask', 'matplotlib', 'skl2onnx'}\n"
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
    "name, module, command",
    [
        ("FocalLGBMClassifier", "lightgbm", 'pip install "skfocal[lightgbm]"'),
        ("FocalXGBClassifier", "xgboost", 'pip install "skfocal[xgboost]"'),
    ],
)
def test_missing_extra_names_the_command(name, module, command):
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
    command = 'pip install "skfocal[onnx]"'
    assert done.stdout.strip() == f"to_onnx needs skl2onnx, which is not installed: {command}"


def test_another_missing_module_is_not_mistaken_for_the_extra():
    from skfocal._optional import optional_dependency

    with (
        pytest.raises(ModuleNotFoundError, match="no_such_module"),
        optional_dependency("lightgbm", needed_by="this test"),
    ):
        import no_such_module  # noqa: F401
