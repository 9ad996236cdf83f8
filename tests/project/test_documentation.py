"""Every snippet of the documentation runs, and prints what the page says that it prints.

A page is one program: its Python blocks in order, run in an empty folder. A ``text`` block
behind one is its output; numbers may differ by a fifth or by two units of their last digit, as
libraries' versions do.
"""

import ast
import contextlib
import io
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
import sklearn

matplotlib.use("Agg")

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))  # the README has a test of its own
PAGES = [page for page in PAGES if "_build" not in page.parts and "```python" in page.read_text()]
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\s*^```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
# a comment of the page's source, for what has to be in the environment
ENVIRONMENT = re.compile(r"^% environment: (\w+)=(\S+)$", re.MULTILINE)
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e-?\d+)?")
MARK = "-- end of block --"


def blocks(page):
    return [(match["code"], match["output"]) for match in BLOCK.finditer(page.read_text())]


def run(page, folder):
    """What each block of a page prints, and what it warns of."""
    environment = dict(ENVIRONMENT.findall(page.read_text()))
    if environment:
        return run_in_a_process(page, folder, environment)
    variables, printed = {"__name__": "__main__"}, []
    with (
        contextlib.chdir(folder),
        sklearn.config_context(),
        warnings.catch_warnings(record=True) as warned,
    ):
        # what Python shows by itself
        warnings.simplefilter("default")
        for category in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.filterwarnings("ignore", category=category)
        for code, _ in blocks(page):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, variables)
            printed.append(out.getvalue())
    plt.close("all")
    return printed, "\n".join(f"{w.category.__name__}: {w.message}" for w in warned)


def run_in_a_process(page, folder, environment):
    # guarded, as workers of a cluster that a page starts import the program again
    program = folder / "page.py"
    program.write_text(
        'if __name__ == "__main__":\n'
        f"    for code in {[code for code, _ in blocks(page)]!r}:\n"
        "        exec(code, globals())\n"
        f"        print({MARK!r}, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, program.name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(f"{MARK}\n")[:-1], done.stderr


def assert_same_output(printed, expected):
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", expected).split(), printed
    for number, shown in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
        unit = 10.0 ** -len(shown.partition(".")[2])
        assert float(number) == pytest.approx(float(shown), rel=0.2, abs=2.01 * unit), printed


@pytest.mark.slow(4)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_snippets_run(page, tmp_path):
    outputs = [output for _, output in blocks(page)]
    printed, warned = run(page, tmp_path)
    # LightGBM 4.6 names the columns of arrays, and then misses the names at prediction
    warned = warned.replace("UserWarning: X does not have valid feature names, but LGBM", "")
    assert "Warning" not in warned, warned
    assert len(printed) == len(outputs)
    for each, expected in zip(printed, outputs, strict=True):
        if expected is not None:
            assert_same_output(each, expected)


def test_no_other_way_to_write_python():
    """Each block that is not run would be of another language, or hidden from the pattern above."""
    known = {"python", "text", "bash", "{toctree}", "{figure}", "{include}", ""}
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if "_build" in page.parts or "auto_examples" in page.parts:
            continue
        text = page.read_text()
        assert set(re.findall(r"^\s*`{3,}(\S*)", text, flags=re.MULTILINE)) <= known, page
        assert not re.search(r"^\s*~~~", text, flags=re.MULTILINE), page
        outputs = [output for _, output in blocks(page) if output is not None]
        assert text.count("```python") == len(blocks(page)), page
        assert text.count("```text") == len(outputs), page


def test_no_sentence_is_lost_as_a_comment():
    """A line that begins with a per cent sign is a comment, and is not shown."""
    for folder in ("docs", "docs/guide", "benchmarks", "benchmarks/results"):
        for page in sorted((ROOT / folder).glob("*.md")):
            lines = re.findall(r"^[ \t]*%.*", page.read_text(), flags=re.MULTILINE)
            lost = [line for line in lines if not line.startswith("% environment: ")]
            assert lost == [], page


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_of_the_repository_lead_somewhere(name):
    links = re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text())
    assert all((ROOT / link).exists() for link in links if "://" not in link)


EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_without_the_repository(example):
    """A downloaded script has no folder beside it."""
    tree = ast.parse(example.read_text())
    names = [a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    own = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"skfocal"}
    assert own == {"benchmarks", "examples", "tests"}
    assert not own & {name.partition(".")[0] for name in names}


def test_citations_of_formulas_exist():
    """Code cites formulas by their numbers in docs/mathematics.md, and uses each one of them."""
    page = (ROOT / "docs" / "mathematics.md").read_text()
    numbered = set(re.findall(r"\\tag\{(M\d+)\}", page))
    sources = [path.read_text() for path in (ROOT / "skfocal").rglob("*.py")]
    cited = {number for text in sources for number in re.findall(r"\((M\d+)\b", text)}
    assert cited == numbered
    assert len(numbered) >= 12
