"""XGBoost on the focal loss (floor 5)."""

from skfocal._optional import optional_dependency

with optional_dependency("xgboost", needed_by="FocalXGBClassifier"):
    from skfocal.xgboost._classifier import FocalXGBClassifier
    from skfocal.xgboost._classifier_cv import FocalXGBClassifierCV

__all__ = ["FocalXGBClassifier", "FocalXGBClassifierCV"]

for _public in (FocalXGBClassifier, FocalXGBClassifierCV):
    _public.__module__ = __name__  # where pickles look for it
