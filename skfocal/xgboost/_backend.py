"""What this package has of a `skfocal._booster._backend.Backend` (floor 5)."""

from skfocal.xgboost._format import with_margins
from skfocal.xgboost._metrics import BY_NAME
from skfocal.xgboost._native_data import column_names
from skfocal.xgboost._parameters import check_parameters
from skfocal.xgboost._private import learned_attributes, set_booster
from skfocal.xgboost._training import continued_booster, evaluation_arguments

__all__ = [
    "BY_NAME",
    "check_parameters",
    "column_names",
    "continued_booster",
    "evaluation_arguments",
    "learned_attributes",
    "set_booster",
    "with_margins",
]
