"""Figures in scikit-learn's manner: arrays first, axes when asked (floor 6).

Each Display keeps what it draws in arrays; `plot` draws them with matplotlib
(``pip install "skfocal[plot]"``), which nothing else here needs.
"""

from skfocal.plotting._calibration import PosteriorCalibrationDisplay
from skfocal.plotting._gamma_path import GammaPathDisplay
from skfocal.plotting._loss import FocalLossDisplay

__all__ = ["FocalLossDisplay", "GammaPathDisplay", "PosteriorCalibrationDisplay"]
