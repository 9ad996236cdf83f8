"""Docstrings of the public API, inherited and lazily loaded names included, as they are live."""

import inspect
import pkgutil
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from numpydoc.validate import validate

import skfocal

MODULES = [
    "skfocal",
    *(
        module.name
        for module in pkgutil.walk_packages(skfocal.__path__, "skfocal.")
        if "._" not in module.name
    ),
]
PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
# "all", less those that follow
CHECKS = PYPROJECT["tool"]["numpydoc_validation"]["checks"]


def is_ours(function):
    """Not scikit-learn's, LightGBM's or XGBoost's, where it is inherited or injected."""
    return getattr(inspect.unwrap(function), "__module__", "").startswith("skfocal")


def public_names():
    """Dotted names of public classes and functions, each once."""
    found = {}
    for module in map(import_module, MODULES):
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value):
                found.setdefault(value, f"{module.__name__}.{name}")
    return sorted(found.values())


def own_members(name):
    """Dotted names of the public methods and properties of a class that are ours."""
    module, _, attribute = name.rpartition(".")
    kind = getattr(import_module(module), attribute)
    if not inspect.isclass(kind):
        return
    for member, value in inspect.getmembers_static(kind):
        # of a property, of a class or static method, or the value itself
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        is_method = inspect.isfunction(function) and is_ours(function)
        if is_method and (not member.startswith("_") or member == "__call__"):
            yield f"{name}.{member}"


def missed(names):
    """Public classes, in whatever file, that are not among these dotted names.

    A public class may lie in a private file; it then carries the name of its public module.
    """
    known = {getattr(import_module(n.rpartition(".")[0]), n.rpartition(".")[2]) for n in names}
    files = [m.name for m in pkgutil.walk_packages(skfocal.__path__, "skfocal.")]
    values = [value for file in files for value in vars(import_module(file)).values()]
    classes = {value for value in values if inspect.isclass(value)}
    public = {v for v in classes if v.__module__ in MODULES and not v.__name__.startswith("_")}
    return {f"{value.__module__}.{value.__name__}" for value in public - known}


NAMES = public_names()
MEMBERS = [member for name in NAMES for member in own_members(name)]


def of_the_parent(name, code, text):
    """Whether only parameters are not documented that a class takes as ``**kwargs``."""
    module, _, attribute = name.rpartition(".")
    kind = getattr(import_module(module), attribute, None)
    if code not in ("PR01", "PR02") or not inspect.isclass(kind):
        return False
    own = inspect.signature(kind.__init__).parameters
    if code == "PR02":  # where the parent takes no others, the signature has its parameters
        return "kwargs" in own and text == "Unknown parameters {'**kwargs'}"
    return "kwargs" in own and not {*re.findall(r"'(\w+)'", text)} & {*own}


@pytest.mark.parametrize("name", [*NAMES, *MEMBERS])
def test_complete(name):
    errors = [error for error in validate(name)["errors"] if error[0] not in CHECKS]
    assert [error for error in errors if not of_the_parent(name, *error)] == []


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    assert ">>> " in validate(name)["docstring"].partition("Examples\n--------\n")[2]


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    assert import_module(name).__doc__


def test_checks_are_all_but_some_and_modules_are_all_that_are_public():
    assert CHECKS[0] == "all"
    assert "RT01" not in CHECKS
    assert {"skfocal.losses", "skfocal.onnx", "skfocal.dask", "skfocal.plotting"} < {*MODULES}
    assert len({*NAMES}) == len(NAMES) > 15


def test_no_public_class_is_missed_wherever_it_lies(monkeypatch):
    assert missed(NAMES) == set()
    planted = type("Planted", (), {"__module__": "skfocal.losses"})
    monkeypatch.setattr("skfocal.losses._binary.Planted", planted, raising=False)
    assert missed(NAMES) == {"skfocal.losses.Planted"}


def test_members_of_private_parents_are_found_and_those_of_other_packages_are_not():
    losses = {name for name in MEMBERS if name.startswith("skfocal.BinaryFocalLoss.")}
    assert {"posterior", "loss", "class_weight"} <= {name.rpartition(".")[2] for name in losses}
    boosters = {name.rpartition(".")[2] for name in MEMBERS if "FocalLGBM" in name}
    assert {"predict", "fit", "from_booster"} <= boosters
    assert not {"set_fit_request", "booster_"} & boosters


def test_a_missing_section_is_seen():
    class Lacking:
        def method(self, x):
            """Do it.

            Parameters
            ----------
            x : int
                A number.
            """
            return x

    global _lacking
    _lacking = Lacking.method
    codes = {code for code, _ in validate(f"{__name__}._lacking")["errors"]}
    assert "RT01" in codes
