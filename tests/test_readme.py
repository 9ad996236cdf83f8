"""The README's example runs; its map is complete."""

import contextlib
import io
import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


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


def test_every_module_is_on_the_map():
    root = Path(__file__).parents[1]
    for path in (root / "skfocal").rglob("*.py"):
        if path.stem not in ("__init__", "_optional", "_versions"):
            assert path.name in README, path
