"""Logistic regression on the focal loss (floor 4)."""

from skfocal.linear_model._classifier import FocalLogisticRegression

__all__ = ["FocalLogisticRegression"]

FocalLogisticRegression.__module__ = __name__  # where pickles look for it
