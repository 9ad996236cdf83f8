"""Is a commit slower than another? Processes of both in turn, so that both see the same machine.

    python -m benchmarks.compare OLD [NEW] [--turns N] [--cases NAME ...]

Each commit is checked out into a folder of its own, with compiled code of its own. NEW is the
working tree if it is left out. In each turn a new process of either commit measures all cases.
Printed are medians of seconds, and the ratio new / old: its median over the turns, the least and
the greatest. Nothing is written to results/.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.report import environment

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 5  # of a case in a process, of which the least counts


def rows_of(n_rows: int, n_columns: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """A table and its labels."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_columns))
    score = X[:, 0] + 0.5 * X[:, 1] + rng.logistic(size=n_rows)
    return X, np.searchsorted(np.quantile(score, np.arange(1, n_classes) / n_classes), score)


def kernel(n_classes: int, link: str) -> Callable[[], object]:
    """Gradient and Hessian of as many numbers as a million rows of two classes have."""
    from skfocal import FocalObjective

    rng = np.random.default_rng(0)
    n_rows = 1_000_000 if n_classes == 2 else 1_000_000 // n_classes
    shape = (n_rows,) if n_classes == 2 else (n_rows, n_classes)
    y = rng.integers(n_classes, size=n_rows).astype(np.float32)
    raw = rng.normal(size=shape).astype(np.float32)
    return partial(FocalObjective(1.7, link=link), y, raw)


def model(library: str) -> object:
    """An unfitted classifier with two threads."""
    import skfocal

    if library == "LightGBM":
        return skfocal.FocalLGBMClassifier(n_jobs=2, verbose=-1)
    if library == "XGBoost":
        return skfocal.FocalXGBClassifier(n_jobs=2)
    return skfocal.FocalLogisticRegression(n_jobs=2)


def fit(library: str, n_rows: int, n_classes: int = 2) -> Callable[[], object]:
    """A whole fit."""
    return partial(model(library).fit, *rows_of(n_rows, 20, n_classes))


def row(library: str) -> Callable[[], object]:
    """A thousand times the probabilities of a row."""
    X, y = rows_of(2_000, 20, 2)
    fitted = model(library).fit(X, y)

    def predict() -> None:
        for _ in range(1_000):
            fitted.predict_proba(X[:1])

    return predict


CASES: dict[str, Callable[[], Callable[[], object]]] = {
    "kernel": partial(kernel, 2, "focal"),
    "kernel, posterior": partial(kernel, 2, "posterior"),
    "kernel, 5 classes": partial(kernel, 5, "focal"),
    "kernel, 5 classes, posterior": partial(kernel, 5, "posterior"),
    **{
        f"{library}, {n_rows:,} rows": partial(fit, library, n_rows)
        for library in ("LightGBM", "XGBoost", "logistic")
        for n_rows in (500, 5_000, 50_000)
    },
    **{
        f"{library}, 5 classes": partial(fit, library, 5_000, 5)
        for library in ("LightGBM", "XGBoost", "logistic")
    },
    **{
        f"{library}, 1,000 single rows": partial(row, library)
        for library in ("LightGBM", "XGBoost")
    },
}


def measured(cases: list[str]) -> dict[str, float]:
    """Seconds of each case; the first call, which may compile, does not count."""
    seconds = {}
    for name in cases:
        call, least = CASES[name](), np.inf
        call()
        for _ in range(REPEATS):
            start = time.perf_counter()
            call()
            least = min(least, time.perf_counter() - start)
        seconds[name] = least
    return seconds


def checked_out(commit: str, folder: Path) -> Path:
    """The folder, with the package of a commit in it."""
    folder.mkdir()
    command = ["git", "-C", str(ROOT), "archive", commit, "skfocal"]
    files = subprocess.run(command, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=files, check=True)
    return folder


def in_process(package: Path, cache: Path, cases: list[str]) -> dict[str, float]:
    """What a new process measures with the package of a folder."""
    code = """
import json, sys
import skfocal
from benchmarks.compare import measured
assert skfocal.__path__ == [sys.argv[1]], skfocal.__path__
print(json.dumps(measured(sys.argv[2:])))
"""
    paths = {"PYTHONPATH": f"{package}{os.pathsep}{ROOT}", "NUMBA_CACHE_DIR": str(cache)}
    run = subprocess.run(
        [sys.executable, "-c", code, str(package / "skfocal"), *cases],
        cwd=package,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **paths},
    )
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def compared(packages: dict[str, Path], folder: Path, turns: int, cases: list[str]) -> pd.DataFrame:
    """A row for each case."""
    seconds: dict[str, list[dict[str, float]]] = {side: [] for side in packages}
    for turn in range(turns + 1):
        for side, package in packages.items():
            found = in_process(package, folder / f"cache of {side}", cases)
            if turn:  # the first fills the caches
                seconds[side].append(found)
        print(f"turn {turn} of {turns}", file=sys.stderr)
    old, new = (pd.DataFrame(seconds[side]) for side in packages)
    ratio = new / old
    table = {"old": old.median(), "new": new.median(), "new / old": ratio.median()}
    return pd.DataFrame({**table, "least": ratio.min(), "greatest": ratio.max()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", help="a commit")
    parser.add_argument("new", nargs="?", help="another; the working tree if it is left out")
    parser.add_argument("--turns", type=int, default=5, help="default: 5")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="NAME")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        new = checked_out(options.new, Path(folder) / "new") if options.new else ROOT
        packages = {"old": checked_out(options.old, Path(folder) / "old"), "new": new}
        table = compared(packages, Path(folder), options.turns, options.cases)
    print(f"{environment()['processor']}, {options.turns} turns, seconds")
    print(table.round(4).to_markdown())


if __name__ == "__main__":
    main()
