"""Where results go, and what is written beside them."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import pandas as pd

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


def environment() -> dict[str, str | int | None]:
    """Versions and hardware behind a result."""
    names = ("numpy", "scipy", "scikit-learn", "numba", "lightgbm")
    return {
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
