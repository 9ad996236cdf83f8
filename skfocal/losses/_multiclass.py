"""The focal loss of K classes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal.losses._base import FocalLossBase
from skfocal.losses._parameters import Gamma, Hessian, Link, Weights, check_integer
from skfocal.losses._rows import checked_rows


@dataclass(frozen=True)
class MulticlassFocalLoss(FocalLossBase):
    """Focal loss of K classes, as a function of K margins through the softmax.

    loss = w_t (1 - p_t)**gamma_t (-log p_t) [1]_ with p = softmax(margins) and t the true class.
    The margins are the raw scores, before the softmax. With two classes this is
    `BinaryFocalLoss` of the difference of the margins.

    Parameters
    ----------
    n_classes : int
        K >= 2.
    gamma : float or sequence of K floats, default=2.0
        Focusing parameter, from 0 to 100; a sequence has one value per class.
    alpha : sequence of K floats, float or None, default=None
        Class weights. A float in (0, 1) is for two classes only. None: all weights are 1.
    hessian : {"upper", "exact", "abs"}, default="upper"
        What `gradient_hessian` returns on the diagonal.
    link : {"focal", "posterior"}, default="focal"
        What the margins mean. ``"focal"``: softmax(margins) is the paper's p.
        ``"posterior"``: softmax(margins) is the posterior; see `BinaryFocalLoss`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as described.

    References
    ----------
    .. [1] Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002.

    Examples
    --------
    >>> from skfocal import MulticlassFocalLoss
    >>> loss = MulticlassFocalLoss(3, gamma=2.0)
    >>> loss.loss([0], [[0.0, 0.0, 0.0]]).round(6)
    array([0.488272])
    >>> loss.posterior([[1.0, 0.0, -1.0]]).round(3)
    array([[0.884, 0.088, 0.029]])
    """

    n_classes: int
    gamma: float | tuple[float, ...] = 2.0
    alpha: float | tuple[float, ...] | None = None
    hessian: Hessian = "upper"
    link: Link = "focal"

    if TYPE_CHECKING:  # arguments may be any sequences, which become the fields' tuples

        def __init__(
            self,
            n_classes: int,
            gamma: Gamma = 2.0,
            alpha: Weights = None,
            hessian: Hessian = "upper",
            link: Link = "focal",
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_classes", check_integer(self.n_classes, "n_classes", 2))
        super().__post_init__()

    def intercept(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Array:
        """The margins of the constant that minimises the weighted loss.

        Under the posterior link they are the logarithms of the classes' shares. Under the
        focal link they are log p with log h(p_k) = log(w_k W_k) - c and sum(p) = 1, where W_k
        are the sums of the sample weights.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes; a class without rows, or without weight, counts as very rare.
        sample_weight : array-like of shape (n,), default=None
            Weights >= 0.

        Returns
        -------
        ndarray of shape (K,)
            The margins of the constant.

        Raises
        ------
        TypeError, ValueError
            If a code is none of 0..K-1, a weight is negative or not finite, or no row has a
            weight.
        """
        totals = self._totals(y_true, sample_weight)
        margins: Array = self._link.margins(np.log(totals / totals.sum())[np.newaxis])[0]
        return margins

    def full_hessian_bound(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array, Array, Array, Array]:
        """Loss and gradient, and parts of a positive semi-definite K x K Hessian of each row.

        With t the true class and d = e_t - pi, the Hessian is
        ``curvature`` d d' + ``slope`` (diag(pi) - pi pi'). Under the focal link it is an upper
        bound of the true Hessian, under the posterior link the expected Hessian.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight : array-like
            As in `loss`.

        Returns
        -------
        loss : ndarray of shape (n,)
            As `loss` returns it.
        gradient : ndarray of shape (n, K)
            As `gradient` returns it.
        slope, curvature : ndarray of shape (n,)
            Factors of the two matrices.
        pi : ndarray of shape (n, K)
            Under the focal link the softmax over the classes other than the true class.

        Raises
        ------
        TypeError, ValueError
            As in `loss`.
        """
        rows = checked_rows(y_true, self._check_raw(raw_prediction), sample_weight)
        if _kernels.on_device(rows[1]):
            raise TypeError("raw_prediction must be in the memory of the host; copy it there.")
        valid, found = _kernels.multiclass_curvature(*rows, *self._classes, self.link)
        if not valid:
            self._refuse(rows[0], rows[2], found[0].dtype)
        return found

    @property
    def _row_shape(self) -> tuple[int, ...]:
        return (self.n_classes,)
