"""A release whose parts disagree is refused, and each reason is told."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import skfocal

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("release_check", ROOT / "release" / "check.py")
check = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check)

GOOD = {
    "skfocal/__init__.py": '__version__ = "0.2.0"\n',
    "release/recipe.yaml": 'context:\n  version: "0.2.0"\n',
    "CITATION.cff": "version: 0.2.0\ndate-released: 2026-12-01\n",
    "CHANGELOG.md": "## 0.2.0 (2026-12-01)\n\n- New.\n\n## 0.1.0 (2026-11-01)\n\n- Old.\n",
    "pyproject.toml": 'Source = "https://host.example"\n',
    "README.md": "pip install skfocal\n",
    "docs/install.md": "pip install skfocal\n",
    "docs/index.md": "# skfocal\n",
}


def checkout(folder, **changes):
    """A checkout that can be released, but for some replacements in its files."""
    for name, text in GOOD.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        for old, new in changes.get(name, ()):
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return folder


def test_parts_that_agree_can_be_released(tmp_path):
    assert check.problems(checkout(tmp_path), "v0.2.0") == []
    assert check.notes(GOOD["CHANGELOG.md"], "0.2.0") == "- New."
    assert check.notes(GOOD["CHANGELOG.md"], "0.1.0") == "- Old."


@pytest.mark.parametrize(
    "name, old, new, said",
    [
        ("skfocal/__init__.py", "0.2.0", "0.1.0", "has version '0.1.0', and not '0.2.0'"),
        ("CITATION.cff", "0.2.0", "0.1.0", "CITATION.cff has version '0.1.0'"),
        ("release/recipe.yaml", "0.2.0", "0.1.0", "recipe.yaml has version '0.1.0'"),
        ("CITATION.cff", "2026-12-01", "2026-12-02", "date-released '2026-12-02'"),
        ("CITATION.cff", "date-released: 2026-12-01", "", "date-released ''"),
        ("CHANGELOG.md", "## 0.2.0 (2026-12-01)", "## 0.2.0 (unreleased)", "'unreleased' where"),
        ("CHANGELOG.md", "## 0.2.0 (2026-12-01)\n\n- New.\n\n", "", "is '0.1.0', and not '0.2.0'"),
        ("CHANGELOG.md", "- New.\n", "", "says nothing of '0.2.0'"),
        ("pyproject.toml", ".example", ".invalid", "an address that ends in .invalid"),
        ("README.md", "pip", "It is not released yet. pip", "README.md says"),
        ("docs/install.md", "pip", "It is not released yet. pip", "docs/install.md says"),
    ],
)
def test_a_part_that_disagrees_is_told(tmp_path, name, old, new, said):
    found = check.problems(checkout(tmp_path, **{name: [(old, new)]}), "v0.2.0")
    assert any(said in sentence for sentence in found), found


@pytest.mark.parametrize("tag", ["0.2.0", "v0.2", "v0.2.0.dev1", "release"])
def test_a_tag_that_is_no_version_is_told(tmp_path, tag):
    assert any("the tag" in sentence for sentence in check.problems(checkout(tmp_path), tag))


def test_this_checkout_agrees_with_itself_but_for_what_a_release_adds():
    """Today no address is known, and no date: these alone stand against a release."""
    found = check.problems(ROOT, f"v{skfocal.__version__}")
    to_come = "unreleased|date-released|not released yet|.invalid|says nothing"
    assert [sentence for sentence in found if re.search(to_come, sentence) is None] == []


def plain(requirement):
    """``lightgbm>=4.6`` of ``lightgbm >=4.6`` and of ``lightgbm[extra]>=4.6``."""
    name = re.sub(r"\[.*?\]|\s", "", requirement)
    return name.replace("matplotlib-base", "matplotlib").replace("dask-core", "dask")


def test_the_conda_recipe_needs_what_the_package_needs():
    recipe = yaml.safe_load((ROOT / "release" / "recipe.yaml").read_text(encoding="utf-8"))
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, extras = package["project"], package["project"]["optional-dependencies"]
    needs = {kind: [plain(r) for r in rs] for kind, rs in recipe["requirements"].items()}
    assert recipe["context"]["version"] == skfocal.__version__
    assert f">={recipe['context']['python_min']}" == project["requires-python"]
    assert needs["run"][1:] == project["dependencies"]
    assert needs["host"][2:] == package["build-system"]["requires"]
    wanted = {
        plain(r)
        for name in extras
        if name not in ("gpu", "xgboost-cpu", "all")
        for r in extras[name]
    }
    assert set(needs["run_constraints"]) == wanted


def test_the_command_prints_the_notes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check, "ROOT", checkout(tmp_path))
    monkeypatch.setattr(sys, "argv", ["check.py", "v0.2.0"])
    check.main()
    assert capsys.readouterr().out == "- New.\n"


def test_the_command_fails_with_the_reasons():
    command = [sys.executable, str(ROOT / "release" / "check.py"), "v99.0.0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "- CITATION.cff has version" in done.stderr
