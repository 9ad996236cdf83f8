"""The README's example runs; its map is complete."""

import contextlib
import io
import re
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) == 12
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {"__name__": "readme"})
    best, precision, loss = re.fullmatch(
        r"(\{.*\})\n([\d.]+) ([\d.]+)\n", printed.getvalue()
    ).groups()
    assert "focal_gamma" in best
    assert 0.3 < float(precision) <= 1
    assert 0 < float(loss) < 0.3


def missing_files(text):
    """Modules that a text does not name; ``_rows.py`` is not in ``_cuda_rows.py``."""
    root = Path(__file__).parents[2]
    names = {path.name for path in (root / "skfocal").rglob("*.py")}
    return (
        names
        - {"__init__.py", "_optional.py", "_versions.py", "_warnings.py"}
        - {*re.findall(r"\w+\.py", text)}
    )


MAP = README.partition("## The house")[2]


def test_every_module_is_on_the_map():
    assert missing_files(MAP) == set()


def test_a_module_that_is_missing_from_the_map_is_seen():
    named = {*re.findall(r"\w+\.py", MAP)}
    assert len(named) > 50
    for name in named:
        assert missing_files(re.sub(rf"\b{name}", "", MAP)) == {name}
