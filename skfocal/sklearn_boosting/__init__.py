"""scikit-learn's own boosted trees on the focal loss (floor 5)."""

from skfocal.sklearn_boosting._classifier import FocalHistGradientBoostingClassifier
from skfocal.sklearn_boosting._classifier_cv import FocalHistGradientBoostingClassifierCV

__all__ = ["FocalHistGradientBoostingClassifier", "FocalHistGradientBoostingClassifierCV"]

for _public in (FocalHistGradientBoostingClassifier, FocalHistGradientBoostingClassifierCV):
    _public.__module__ = __name__  # where pickles look for it
