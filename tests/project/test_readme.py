"""The README's example runs; the map of all files is complete."""

import contextlib
import io
import re
from pathlib import Path

import lightgbm as lgb
import matplotlib.pyplot as plt
import numpy as np

README = (Path(__file__).parents[2] / "README.md").read_text()
CONTRIBUTING = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def test_example_runs(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) == 9
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    names = {"__name__": "readme"}
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    assert re.match(r"Chosen: gamma [\d.]+", printed.getvalue())
    alone = lgb.Booster(model_file=tmp_path / "model.txt").predict(names["X_test"])
    np.testing.assert_allclose(alone, names["model"].predict_proba(names["X_test"])[:, 1])
    assert 0.5 < alone.mean() / names["y_test"].mean() < 1.5
    plt.close("all")


def missing_files(text):
    """Modules that a text does not name; ``_rows.py`` is not in ``_cuda_rows.py``."""
    root = Path(__file__).parents[2]
    names = {path.name for path in (root / "skfocal").rglob("*.py")}
    return (
        names
        - {"__init__.py", "_optional.py", "_versions.py", "_warnings.py"}
        - {*re.findall(r"\w+\.py", text)}
    )


MAP = CONTRIBUTING.partition("## The map")[2].partition("## Tests")[0]


def test_every_module_is_on_the_map():
    assert missing_files(MAP) == set()


def test_a_module_that_is_missing_from_the_map_is_seen():
    named = {*re.findall(r"\w+\.py", MAP)}
    assert len(named) > 50
    for name in named:
        assert missing_files(re.sub(rf"\b{name}", "", MAP)) == {name}
