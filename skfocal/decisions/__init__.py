"""Alert budgets and costs of rows: a decision, and classifiers around a classifier (floor 4)."""

from skfocal.decisions._budget import AlertBudgetClassifier
from skfocal.decisions._costs import CostClassifier, cost_decision

__all__ = ["AlertBudgetClassifier", "CostClassifier", "cost_decision"]

for _class in (AlertBudgetClassifier, CostClassifier):
    _class.__module__ = __name__  # where pickles look for them
