"""Logistic regression on the focal loss (floor 4)."""

from skfocal.linear_model._classifier import FocalLogisticRegression
from skfocal.linear_model._classifier_cv import FocalLogisticRegressionCV

__all__ = ["FocalLogisticRegression", "FocalLogisticRegressionCV"]

for _public in (FocalLogisticRegression, FocalLogisticRegressionCV):
    _public.__module__ = __name__  # where pickles look for it
