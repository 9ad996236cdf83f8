"""XGBoost on the focal loss (floor 5)."""

from skfocal._optional import optional_dependency

with optional_dependency("xgboost", needed_by="FocalXGBClassifier"):
    from skfocal.xgboost._classifier import FocalXGBClassifier

__all__ = ["FocalXGBClassifier"]

FocalXGBClassifier.__module__ = __name__  # where pickles look for it
