"""LightGBM on the focal loss (floor 5)."""

from skfocal._optional import optional_dependency

with optional_dependency("lightgbm", needed_by="FocalLGBMClassifier"):
    from skfocal.lightgbm._classifier import FocalLGBMClassifier
    from skfocal.lightgbm._classifier_cv import FocalLGBMClassifierCV

__all__ = ["FocalLGBMClassifier", "FocalLGBMClassifierCV"]

for _public in (FocalLGBMClassifier, FocalLGBMClassifierCV):
    _public.__module__ = __name__  # where pickles look for it
