"""What LightGBM and XGBoost hand to objectives and metrics, and take back (floor 2)."""

from typing import Any

import numpy as np
from scipy.special import expit

from skfocal._kernels import Array


def unpack(first: Any, second: Any, weight: Any) -> tuple[Array, Array, Array | None]:
    """Labels, margins and weights (or None) of both calling conventions."""
    if not hasattr(second, "get_label"):
        return first, second, weight
    if weight is not None:
        raise ValueError("sample_weight must be None beside a dataset, which brings its own.")
    weight = second.get_weight()
    # XGBoost's matrices say by an empty array that they have none
    return second.get_label(), first, weight if np.size(weight) else None


def from_lightgbm(margins: Array, dataset: Any) -> bool:
    """Whether it was LightGBM that handed over margins and data set (or margins again)."""
    if hasattr(dataset, "get_label"):
        return type(dataset).__module__.partition(".")[0] == "lightgbm"
    return bool(margins.dtype == np.float64)


def base_score(start: float | Array) -> float | list[float]:
    """XGBoost's ``base_score`` of a start: a probability, or K margins of sum 0."""
    margins = np.asarray(start)
    if margins.ndim == 0:
        # XGBoost keeps it as float32, and refuses 0 and 1. XGBoost 3.2 starts at 1e-6 where it
        # is smaller. Then the trees have to correct the start, for the parent as for us; where
        # min_child_weight allows no tree, it stays. Only weights make shares that small.
        return float(np.clip(expit(margins), 1e-30, np.nextafter(np.float32(1), np.float32(0))))
    centred: list[float] = (margins - margins.mean()).tolist()
    return centred
