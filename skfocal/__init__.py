"""Focal loss for tabular learning."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skfocal._booster._backend import Backend
    from skfocal._versions import show_versions
    from skfocal.catboost import FocalCatBoostClassifier, FocalCatBoostClassifierCV
    from skfocal.lightgbm import FocalLGBMClassifier, FocalLGBMClassifierCV
    from skfocal.lightgbm import _backend as _lightgbm
    from skfocal.linear_model import FocalLogisticRegression, FocalLogisticRegressionCV
    from skfocal.losses import BinaryFocalLoss, MulticlassFocalLoss
    from skfocal.objectives import FocalEvalMetric, FocalObjective
    from skfocal.sklearn_boosting import (
        FocalHistGradientBoostingClassifier,
        FocalHistGradientBoostingClassifierCV,
    )
    from skfocal.xgboost import FocalXGBClassifier, FocalXGBClassifierCV
    from skfocal.xgboost import _backend as _xgboost

    # a type checker compares them with the protocol
    _LIGHTGBM: Backend = _lightgbm
    _XGBOOST: Backend = _xgboost

__version__ = "0.1.0"

__all__ = [
    "SKOPS_TYPES",
    "BinaryFocalLoss",
    "FocalCatBoostClassifier",
    "FocalCatBoostClassifierCV",
    "FocalEvalMetric",
    "FocalHistGradientBoostingClassifier",
    "FocalHistGradientBoostingClassifierCV",
    "FocalLGBMClassifier",
    "FocalLGBMClassifierCV",
    "FocalLogisticRegression",
    "FocalLogisticRegressionCV",
    "FocalObjective",
    "FocalXGBClassifier",
    "FocalXGBClassifierCV",
    "MulticlassFocalLoss",
    "show_versions",
]

SKOPS_TYPES = (
    "skfocal.linear_model.FocalLogisticRegression",
    "skfocal.linear_model.FocalLogisticRegressionCV",
    "skfocal.lightgbm.FocalLGBMClassifier",
    "skfocal.lightgbm.FocalLGBMClassifierCV",
    "skfocal.xgboost.FocalXGBClassifier",
    "skfocal.xgboost.FocalXGBClassifierCV",
    "skfocal.sklearn_boosting.FocalHistGradientBoostingClassifier",
    "skfocal.sklearn_boosting.FocalHistGradientBoostingClassifierCV",
    "skfocal.losses.BinaryFocalLoss",
    "skfocal.losses.MulticlassFocalLoss",
    "skfocal._estimator._probabilities.Probabilities",
    "skfocal.calibration.Calibration",
    "lightgbm.basic.Booster",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "xgboost.core.Booster",
    "collections.OrderedDict",
)
"""The types to trust when a classifier is loaded: ``skops.io.load(file, trusted=SKOPS_TYPES)``."""

_MODULES = {
    "BinaryFocalLoss": "losses",
    "FocalCatBoostClassifier": "catboost",
    "FocalCatBoostClassifierCV": "catboost",
    "FocalEvalMetric": "objectives",
    "FocalHistGradientBoostingClassifier": "sklearn_boosting",
    "FocalHistGradientBoostingClassifierCV": "sklearn_boosting",
    "FocalLGBMClassifier": "lightgbm",
    "FocalLGBMClassifierCV": "lightgbm",
    "FocalLogisticRegression": "linear_model",
    "FocalLogisticRegressionCV": "linear_model",
    "FocalObjective": "objectives",
    "FocalXGBClassifier": "xgboost",
    "FocalXGBClassifierCV": "xgboost",
    "MulticlassFocalLoss": "losses",
    "show_versions": "_versions",
}


_SUBMODULES = (
    *("calibration", "catboost", "dask", "datasets", "decisions", "lightgbm", "linear_model"),
    *("losses", "metrics", "objectives", "onnx", "plotting", "sklearn_boosting", "xgboost"),
)


def __getattr__(name: str) -> Any:
    """Load public names and modules at their first use, because the boosters are optional."""
    if name in _SUBMODULES:
        return import_module(f"skfocal.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'skfocal' has no attribute {name!r}")
    value = getattr(import_module(f"skfocal.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({"__version__", *__all__, *_SUBMODULES})
