"""The losses as objectives and evaluation metrics of LightGBM and XGBoost."""

from skfocal.objectives._eval_metric import FocalEvalMetric
from skfocal.objectives._objective import FocalObjective

__all__ = ["FocalEvalMetric", "FocalObjective"]

for _class in (FocalEvalMetric, FocalObjective):
    _class.__module__ = __name__  # where pickles look for them
