"""Figures as Displays, like those of scikit-learn (floor 6).

A Display has what it draws in arrays. Its method `plot` draws them with matplotlib,
of the extra ``plot``. Nothing else in skfocal needs matplotlib.
"""

from skfocal.plotting._alerts import AlertBudgetDisplay
from skfocal.plotting._calibration import PosteriorCalibrationDisplay, ReliabilityCurve
from skfocal.plotting._costs import CostDisplay
from skfocal.plotting._gamma_path import GammaPathDisplay
from skfocal.plotting._loss import FocalLossDisplay

__all__ = [
    "AlertBudgetDisplay",
    "CostDisplay",
    "FocalLossDisplay",
    "GammaPathDisplay",
    "PosteriorCalibrationDisplay",
    "ReliabilityCurve",
]

for _class in (
    AlertBudgetDisplay,
    CostDisplay,
    FocalLossDisplay,
    GammaPathDisplay,
    PosteriorCalibrationDisplay,
    ReliabilityCurve,
):
    _class.__module__ = __name__  # where pickles look for them
