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
from numba.core.registry import cpu_target

COMPARED = (
    *("catboost", "glum", "skglm", "gbdtcbl", "imlightgbm", "bokbokbok", "imbalanced-learn"),
    "imbalance-xgboost",
)
RESULTS = Path(__file__).parent / "results"


def processor() -> str:
    """The name of the processor and, where the system tells it, the number of its model."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        found = [line.split(":") for line in lines if line.startswith("model")]
        known = {key.strip(): value.strip() for key, value in reversed(found)}
        return f"{known['model name']}, model {known['model']}"
    except (OSError, KeyError):
        return platform.processor()


def vector_bits() -> int:
    """The widest vector registers that numba may use here, in bits."""
    *_, features = cpu_target.target_context.codegen().magic_tuple()
    for name, bits in (("avx512f", 512), ("avx", 256)):
        if f"+{name}" in features.split(","):
            return bits
    return 128


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
        "processor": processor(),
        "vector_bits": vector_bits(),
        "cores": os.cpu_count(),
    }


def add_results(table: pd.DataFrame, name: str) -> None:
    """As `write_results`, and keep what other processors have measured.

    The table gets a column ``processor``. The JSON has one environment for each.
    """
    path = RESULTS / f"{name}.json"
    table = table.assign(processor=processor())
    environments = json.loads(path.read_text()) if path.exists() else {}
    if environments:
        old = pd.read_csv(RESULTS / f"{name}.csv")
        table = pd.concat([old[old.processor != processor()], table])
    environments[processor()] = environment()
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / f"{name}.csv", index=False, float_format="%.6g")
    path.write_text(json.dumps(environments, indent=1) + "\n")


def write_results(table: pd.DataFrame, name: str) -> None:
    """Write NAME.csv and NAME.json (the environment) to the results folder."""
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / f"{name}.csv", index=False, float_format="%.6g")
    (RESULTS / f"{name}.json").write_text(json.dumps(environment(), indent=1) + "\n")
