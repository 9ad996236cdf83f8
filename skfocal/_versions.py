"""The versions that a bug report should contain."""

import platform
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

_DISTRIBUTIONS = (
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
    "catboost",
    "pandas",
    "matplotlib",
)


def show_versions() -> None:
    """Print the versions of Python, the platform and the packages that skfocal uses.

    Examples
    --------
    >>> from skfocal import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    skfocal: 0...
    """
    print(f"skfocal: {import_module('skfocal').__version__}")
    print(f"python: {sys.version.split()[0]} ({platform.platform()})")
    for name in _DISTRIBUTIONS:
        try:
            print(f"{name}: {version(name)}")
        except PackageNotFoundError:
            print(f"{name}: not installed")
