"""What a bug report needs to say."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

_DISTRIBUTIONS = (
    "skfocal",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
    "pandas",
    "matplotlib",
)


def show_versions() -> None:
    """Print the versions of Python, the platform and the packages that skfocal uses.

    Examples
    --------
    >>> from skfocal import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    python: 3...
    """
    print(f"python: {sys.version.split()[0]} ({platform.platform()})")
    for name in _DISTRIBUTIONS:
        try:
            print(f"{name}: {version(name)}")
        except PackageNotFoundError:
            print(f"{name}: not installed")
