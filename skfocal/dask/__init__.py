"""The boosters on a Dask cluster: data and training in the memory of many machines (floor 6).

`DaskFocalLGBMClassifier` needs LightGBM, `DaskFocalXGBClassifier` XGBoost, in the client and
in the workers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skfocal._optional import optional_dependency

if TYPE_CHECKING:
    from skfocal.dask._cluster import WorkerLostError
    from skfocal.dask.lightgbm import DaskFocalLGBMClassifier
    from skfocal.dask.xgboost import DaskFocalXGBClassifier

__all__ = ["DaskFocalLGBMClassifier", "DaskFocalXGBClassifier", "WorkerLostError"]

for _needed in ("dask", "distributed", "pandas", "pyarrow"):
    with optional_dependency(_needed, needed_by="skfocal.dask", extra="dask"):
        import_module(_needed)

_MODULES = {
    "DaskFocalLGBMClassifier": "lightgbm",
    "DaskFocalXGBClassifier": "xgboost",
    "WorkerLostError": "_cluster",
}


def __getattr__(name: str) -> Any:
    """Names load with their first use: both boosters are optional."""
    if name not in _MODULES:
        raise AttributeError(f"module 'skfocal.dask' has no attribute {name!r}")
    value = getattr(import_module(f"skfocal.dask.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
