"""Scores of probabilities: focal loss, calibration error, alerts of a budget, costs (floor 3)."""

from skfocal.metrics._budget import make_budget_scorer, precision_at_budget, recall_at_budget
from skfocal.metrics._calibration import expected_calibration_error
from skfocal.metrics._costs import mean_cost
from skfocal.metrics._focal import focal_loss, make_focal_scorer

__all__ = [
    "expected_calibration_error",
    "focal_loss",
    "make_budget_scorer",
    "make_focal_scorer",
    "mean_cost",
    "precision_at_budget",
    "recall_at_budget",
]
