"""LightGBM on the focal loss (floor 5)."""

from skfocal._optional import optional_dependency

with optional_dependency("lightgbm", needed_by="FocalLGBMClassifier"):
    from skfocal.lightgbm._classifier import FocalLGBMClassifier

__all__ = ["FocalLGBMClassifier"]

FocalLGBMClassifier.__module__ = __name__  # where pickles look for it
