"""Makes the loss for a number of classes, and averages it over rows."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal._kernels import Array
from skfocal.losses._binary import BinaryFocalLoss
from skfocal.losses._multiclass import MulticlassFocalLoss
from skfocal.losses._parameters import Gamma, Hessian, Link

FocalLoss = BinaryFocalLoss | MulticlassFocalLoss


def make_loss(
    n_classes: int,
    gamma: Gamma = 2.0,
    alpha: Any = None,
    hessian: Hessian = "upper",
    link: Link = "focal",
) -> BinaryFocalLoss | MulticlassFocalLoss:
    """`BinaryFocalLoss` for two classes, `MulticlassFocalLoss` for more.

    Parameters
    ----------
    n_classes : int
        K >= 2.
    gamma : float or sequence of floats, default=2.0
        Focusing parameter. This and the other parameters are those of the losses.
    alpha : float, sequence of floats or None, default=None
        Class weights.
    hessian : {"upper", "exact", "abs"}, default="upper"
        The second derivative.
    link : {"focal", "posterior"}, default="focal"
        What the margins mean.

    Returns
    -------
    BinaryFocalLoss or MulticlassFocalLoss
        The loss.
    """
    if n_classes == 2:
        return BinaryFocalLoss(gamma, alpha, hessian, link)
    return MulticlassFocalLoss(n_classes, gamma, alpha, hessian, link)


def mean_loss(
    loss: FocalLoss,
    y_true: npt.ArrayLike,
    raw: Array,
    sample_weight: Array | None = None,
) -> float:
    """sum(sw w l) / sum(sw) in double precision; w l is the loss of a row, sw its weight."""
    rows = loss.loss(y_true, raw, sample_weight)
    total = len(rows) if sample_weight is None else np.sum(sample_weight, dtype=np.float64)
    return float(np.sum(rows, dtype=np.float64) / total)
