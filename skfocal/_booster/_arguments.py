"""Arguments that the boosters have in common (floor 4)."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from joblib import cpu_count

from skfocal.losses import FocalLoss

# By name, or a function in the boosters' conventions.
Metric = str | Callable[..., Any]
# Parameters that the boosters' own classes do not know.
FOCAL_PARAMETERS = ("focal_gamma", "focal_alpha", "probability", "hessian", "link", "priors")
# Parameters of the classifiers that choose by cross-validation.
SEARCH_PARAMETERS = (
    *("focal_gammas", "focal_alphas", "cv", "scoring", "rule", "early_stopping_rounds"),
    *("calibration", "ensemble"),
)
OWN_PARAMETERS = (*FOCAL_PARAMETERS, *SEARCH_PARAMETERS)


def refuse_misspelt(params: Mapping[str, Any]) -> None:
    """Refuse parameters that look like ours; the boosters accept unknown ones silently.

    Raises
    ------
    TypeError
        If a name begins with "focal" and is no parameter.
    """
    for name in params:
        if name.startswith("focal") and name not in FOCAL_PARAMETERS:
            raise TypeError(
                f"There is no parameter {name!r}; those of the focal loss are "
                f"{', '.join(FOCAL_PARAMETERS)}. In place of the first two, classes whose names "
                "end in CV have focal_gammas and focal_alphas."
            )


def refuse_arguments(data_set: str, **given: Any) -> None:
    """Refuse labels, weights and margins beside a data set of the library, which holds them.

    Raises
    ------
    ValueError
        If one of them is given.
    """
    names = [
        name
        for name, value in given.items()
        if not (value is None or (isinstance(value, str) and value == "auto"))
    ]
    if names:
        raise ValueError(
            f"X is a {data_set}, which holds labels, weights, margins and names of columns: leave "
            f"out {', '.join(names)}."
        )


def booster_threads(n_jobs: int | None) -> int:
    """The number of threads of a booster for ``n_jobs``. OpenMP decides on None and 0."""
    if n_jobs:
        return n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)
    limit = os.environ.get("OMP_NUM_THREADS", "")  # joblib sets it in its workers
    return int(limit) if limit.isdigit() and int(limit) > 0 else cpu_count()


def check_same_loss(continued: FocalLoss | None, loss: FocalLoss, name: str) -> None:
    """Refuse to continue a model that is known to be of another loss.

    Raises
    ------
    ValueError
        If the loss of the continued model is known and another one.
    """
    if continued is not None and continued != loss:
        raise ValueError(
            f"{name} was trained on {continued!r}, which is not the loss of this model, {loss!r}: "
            "a model cannot be continued with another gamma, alpha, link or hessian."
        )
