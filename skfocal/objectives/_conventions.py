"""What LightGBM and XGBoost pass to objectives and metrics, and what they expect back."""

from typing import Any

import numpy as np
from scipy.special import expit

from skfocal._kernels import Array


def unpack(first: Any, second: Any, weight: Any) -> tuple[Array, Array, Array | None]:
    """Labels, margins and weights (or None) from the arguments of either calling convention."""
    if not hasattr(second, "get_label"):
        return first, second, weight
    if weight is not None:
        raise ValueError("sample_weight must be None beside a dataset, which brings its own.")
    weight = second.get_weight()
    # an XGBoost matrix without weights returns an empty array
    return second.get_label(), first, weight if np.size(weight) else None


def from_lightgbm(margins: Array, dataset: Any) -> bool:
    """Whether LightGBM is the caller, as far as the arguments tell.

    A dataset names its library. Of bare arrays this is a guess: LightGBM passes float64
    margins and XGBoost float32, but a user may pass either.
    """
    if hasattr(dataset, "get_label"):
        return type(dataset).__module__.partition(".")[0] == "lightgbm"
    return bool(margins.dtype == np.float64)


def base_score(intercept: float | Array) -> float | list[float]:
    """XGBoost's ``base_score`` for a constant margin: a probability; for K margins, of sum 0."""
    margins = np.asarray(intercept)
    if margins.ndim == 0:
        # XGBoost stores it as float32, and refuses 0 and 1. XGBoost 3.2 raises values below
        # 1e-6 to 1e-6. The trees then have to correct it, in XGBClassifier as well; where
        # min_child_weight allows no tree, the error stays. Only weights make shares that small.
        return float(np.clip(expit(margins), 1e-30, np.nextafter(np.float32(1), np.float32(0))))
    centred: list[float] = (margins - margins.mean()).tolist()
    return centred
