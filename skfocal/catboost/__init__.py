"""CatBoost on the focal loss (floor 5)."""

from skfocal._optional import optional_dependency

with optional_dependency("catboost", needed_by="FocalCatBoostClassifier"):
    from skfocal.catboost._classifier import FocalCatBoostClassifier
    from skfocal.catboost._classifier_cv import FocalCatBoostClassifierCV

__all__ = ["FocalCatBoostClassifier", "FocalCatBoostClassifierCV"]

for _public in (FocalCatBoostClassifier, FocalCatBoostClassifierCV):
    _public.__module__ = __name__  # where pickles look for it
