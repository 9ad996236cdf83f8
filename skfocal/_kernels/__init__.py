"""Compiled loops over rows, for NumPy arrays and for arrays on CUDA devices."""

from skfocal._kernels._choice import Options, Outputs, is_cross_entropy
from skfocal._kernels._device import fetched, of_library, on_device, sent_like
from skfocal._kernels._evaluate import (
    dense_loss_gradient,
    descend,
    device_posterior,
    evaluate,
    log_odds,
    margins,
    multiclass_curvature,
    sparse_loss_gradient,
)
from skfocal._kernels._few import FEW_HESSIANS, few_hessians
from skfocal._kernels._forms import Array, PerClass, like, per_row
from skfocal._kernels._slopes import slope_cubics, slope_table

__all__ = [
    "FEW_HESSIANS",
    "Array",
    "Options",
    "Outputs",
    "PerClass",
    "dense_loss_gradient",
    "descend",
    "device_posterior",
    "evaluate",
    "fetched",
    "few_hessians",
    "is_cross_entropy",
    "like",
    "log_odds",
    "margins",
    "multiclass_curvature",
    "of_library",
    "on_device",
    "per_row",
    "sent_like",
    "slope_cubics",
    "slope_table",
    "sparse_loss_gradient",
]
