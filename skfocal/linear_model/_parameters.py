"""Checks of the parameters of `FocalLogisticRegression` (floor 4)."""

from numbers import Integral, Real
from typing import Any

import numpy as np

from skfocal.linear_model._solvers import SOLVERS
from skfocal.losses._parameters import check_choice, check_flag

# Parameters of scikit-learn's class that this one does not have, and what to do instead.
_INSTEAD_OF = {
    "penalty": "use l1_ratio=0 for 'l2', l1_ratio=1 for 'l1', and C=inf for no penalty",
    "dual": "the solvers here are primal",
    "intercept_scaling": "the intercept is not penalised",
    "multi_class": "more than two classes use one softmax; see sklearn.multiclass for others",
}


def refuse_unknown(names: Any) -> None:
    """Refuse parameters that the class does not have.

    Raises
    ------
    TypeError
        If there is a name.
    """
    for name in names:
        instead = _INSTEAD_OF.get(name, "see the documentation of the class")
        raise TypeError(f"FocalLogisticRegression has no parameter {name!r}: {instead}.")


def check_parameters(model: Any) -> None:
    """Check the parameters that belong to the linear model alone.

    Raises
    ------
    TypeError, ValueError
        If one of them is not as the class documents it.
    """
    check_choice(model.solver, ("auto", *SOLVERS), "solver")
    if not (_is_number(model.C, Real) and model.C > 0):
        raise ValueError(f"C must be a number > 0 (inf for no penalty); got {model.C!r}.")
    if not (_is_number(model.l1_ratio, Real) and 0 <= model.l1_ratio <= 1):
        raise ValueError(f"l1_ratio must be a number in [0, 1]; got {model.l1_ratio!r}.")
    if model.l1_ratio > 0 and model.solver not in ("auto", "prox-newton"):
        raise ValueError(
            f"solver={model.solver!r} has no L1 penalty, which l1_ratio={model.l1_ratio!r} "
            'asks for: use "prox-newton" or "auto".'
        )
    if not (_is_number(model.tol, Real) and 0 <= model.tol < np.inf):
        raise ValueError(f"tol must be a finite number >= 0; got {model.tol!r}.")
    if not (_is_number(model.max_iter, Integral) and model.max_iter >= 0):
        raise ValueError(f"max_iter must be an integer >= 0; got {model.max_iter!r}.")
    check_flag(model.fit_intercept, "fit_intercept")
    check_flag(model.warm_start, "warm_start")
    if not (isinstance(model.verbose, Integral) and int(model.verbose) >= 0):
        raise ValueError(f"verbose must be an integer >= 0; got {model.verbose!r}.")
    if not (model.n_jobs is None or (_is_number(model.n_jobs, Integral) and model.n_jobs != 0)):
        raise ValueError(f"n_jobs must be None or an integer other than 0; got {model.n_jobs!r}.")


def _is_number(value: Any, number_type: type) -> bool:
    """Whether a value is a number of that type. Booleans are none."""
    return isinstance(value, number_type) and not isinstance(value, (bool, np.bool_))
