"""Arguments that the boosters have in common (floor 4)."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from joblib import cpu_count

from skfocal._kernels import Array
from skfocal.losses import FocalLoss

# By name, or a function in the boosters' conventions.
Metric = str | Callable[..., Any]
# Parameters that the boosters' own classes do not know.
FOCAL_PARAMETERS = ("focal_gamma", "focal_alpha", "probability", "hessian", "link")


def refuse_misspelt(params: Mapping[str, Any]) -> None:
    """The boosters take parameters of any name, and keep silent of those that they do not know.

    Raises
    ------
    TypeError
        If a name looks like one of ours and is none.
    """
    for name in params:
        if name.startswith("focal") and name not in FOCAL_PARAMETERS:
            raise TypeError(
                f"There is no parameter {name!r}; those of the focal loss are "
                f"{', '.join(FOCAL_PARAMETERS)}."
            )


def refuse_arguments(kind: str, **given: Any) -> None:
    """Labels, weights and starts are in a data set of the booster's, and only there."""
    names = [
        name
        for name, value in given.items()
        if not (value is None or (isinstance(value, str) and value == "auto"))
    ]
    if names:
        raise ValueError(
            f"X is a {kind}, which holds labels, weights, starts and names of columns: leave out "
            f"{', '.join(names)}."
        )


def check_evaluation_sets(sets: Sequence[Any], *kinds: type) -> None:
    """Evaluation sets must be of one of the ``kinds``; without, pairs of a table and labels.

    Raises
    ------
    TypeError
        If they are not.
    """
    for each in sets:
        if kinds and not isinstance(each, kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"eval_set must hold {names}, as X is one; got {type(each).__name__}.")
        if not kinds and not (isinstance(each, (tuple, list)) and len(each) == 2):
            raise TypeError(f"eval_set must hold pairs (X, y); got {type(each).__name__}.")


def booster_threads(n_jobs: int | None) -> int:
    """Threads that a booster uses for ``n_jobs``: None or 0 leave it to OpenMP."""
    if n_jobs:
        return n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)
    limit = os.environ.get("OMP_NUM_THREADS", "")  # joblib sets it in its workers
    return int(limit) if limit.isdigit() and int(limit) > 0 else cpu_count()


def repeat(start: float | Array, n_rows: int) -> Array:
    """The start in every row."""
    return np.full(n_rows, start) if np.ndim(start) == 0 else np.tile(start, (n_rows, 1))


def check_continued(before: FocalLoss | None, loss: FocalLoss, name: str) -> None:
    """Refuse to continue a model that is known to be of another loss."""
    if before is not None and before != loss:
        raise ValueError(
            f"{name} was trained on {before!r}, which is not the loss of this model, {loss!r}: "
            "a model cannot be continued with another gamma, alpha or link."
        )
