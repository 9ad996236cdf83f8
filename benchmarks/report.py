"""Where results go, and what is written beside them."""

import json
import os
import platform
import subprocess
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pandas as pd

COMPARED = (
    *("catboost", "glum", "skglm", "gbdtcbl", "imlightgbm", "bokbokbok", "imbalanced-learn"),
    "imbalance-xgboost",
)
RESULTS = Path(__file__).parent / "results"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _version(*names: str) -> str:
    for name in names:
        try:
            return version(name)
        except ModuleNotFoundError:
            continue
    return "not installed"


def optional_import(name: str) -> ModuleType | None:
    """A package to compare with, None where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        print(f"{name} is not installed: left out")
        return None


@lru_cache
def commit() -> str:
    """The commit that was measured, with a + where files differ from it."""
    folder = Path(__file__).parent
    try:
        run = [["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "../skfocal", "*.py"]]
        commit, changes = (
            subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
            ).stdout
            for arguments in run
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.strip() + ("+" if changes.strip() else "")


def environment() -> dict[str, str | int | None]:
    """Versions and hardware behind a result."""
    names = ("numpy", "scipy", "scikit-learn", "numba", "lightgbm", "optuna", *COMPARED)
    return {
        "commit": commit(),
        "python": platform.python_version(),
        **{name: _version(name) for name in names},
        "xgboost": _version("xgboost", "xgboost-cpu"),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def write_results(table: pd.DataFrame, name: str) -> None:
    """Write NAME.csv and NAME.json (the environment) to the results folder."""
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / f"{name}.csv", index=False, float_format="%.6g")
    (RESULTS / f"{name}.json").write_text(json.dumps(environment(), indent=1) + "\n")
