"""Parameters of XGBoost that a focal classifier refuses (floor 5)."""

import warnings
from typing import Any

import numpy as np
from xgboost.callback import TrainingCallback

from skfocal._booster._arguments import refuse_misspelt
from skfocal._estimator._features import check_features
from skfocal._warnings import callers_level

IterationRange = tuple[int | np.integer, int | np.integer]  # as XGBoost has it


def check_rounds(iteration_range: Any, n_rounds: int) -> None:
    """Refuse what is no range of rounds of a model.

    Raises
    ------
    TypeError, ValueError
        If it is no pair of integers, or they are not in order from 0 to ``n_rounds``.
    """
    expected = f"iteration_range must be a pair of integers from 0 to {n_rounds}, in order"
    pair = isinstance(iteration_range, (tuple, list)) and len(iteration_range) == 2
    if not pair or not all(isinstance(each, (int, np.integer)) for each in iteration_range):
        raise TypeError(f"{expected}; got {iteration_range!r}.")
    first, last = iteration_range
    if not 0 <= first <= last <= n_rounds:
        raise ValueError(f"{expected}; got {iteration_range!r}.")


def check_parameters(params: dict[str, Any]) -> None:
    """Refuse what has no meaning, or no effect, beside a custom objective."""
    refuse_misspelt(params)
    callbacks = params["callbacks"]
    if callbacks is not None and not isinstance(callbacks, (list, tuple)):
        raise TypeError(f"callbacks must be a list; got {callbacks!r}.")
    for callback in callbacks or []:
        if not isinstance(callback, TrainingCallback):
            raise TypeError(
                "callbacks must hold objects of xgboost.callback.TrainingCallback; "
                f"got {callback!r}."
            )
    if params["objective"] == "multi:softmax":
        raise ValueError(
            "objective='multi:softmax' makes a booster whose predictions are classes, and "
            "skfocal's boosters predict probabilities: leave the objective out. The method "
            "predict returns classes; a metric that needs them takes the argmax."
        )
    if params["objective"] not in (None, "binary:logistic", "multi:softprob"):
        raise ValueError(
            f"objective={params['objective']!r} has no meaning beside the focal loss; "
            "focal_gamma=0 is XGBoost's own."
        )
    if params.get("num_class") is not None:
        raise ValueError("num_class is the number of classes in y: leave it out.")
    if params["scale_pos_weight"] not in (None, 1):
        raise ValueError(
            f"scale_pos_weight={params['scale_pos_weight']!r} has no effect beside a "
            "custom objective: weigh classes by focal_alpha={first label: 1, second label: "
            "that weight}."
        )
    if params["gamma"]:
        warnings.warn(
            f"gamma={params['gamma']!r} is XGBoost's minimal loss reduction of a split; "
            "the focusing parameter is focal_gamma. Write min_split_loss for the former "
            "to be rid of this warning.",
            UserWarning,
            stacklevel=callers_level(),
        )


def native(data: Any) -> Any:
    """Data in this machine's order of bytes, which is what XGBoost takes all data for."""
    dtype = getattr(data, "dtype", None)
    if isinstance(dtype, np.dtype):  # otherwise it might be a column of this name
        return data if dtype.isnative else data.astype(dtype.newbyteorder("="))
    dtypes: Any = getattr(data, "dtypes", None)
    if not hasattr(dtypes, "items"):  # as those of pandas and of Dask's dataframes have
        return data
    foreign = {
        name: dtype.newbyteorder("=")
        for name, dtype in dtypes.items()
        if isinstance(dtype, np.dtype) and not dtype.isnative
    }
    return data.astype(foreign) if foreign else data


def check_table(estimator: Any, X: Any, *, reset: bool, names: bool = True) -> Any:
    """`check_features`, and bytes in the order in which XGBoost reads them."""
    return native(check_features(estimator, X, reset=reset, names=names))
