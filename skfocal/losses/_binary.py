"""The focal loss of two classes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from skfocal.losses._base import FocalLossBase
from skfocal.losses._parameters import Gamma, Hessian, Link, Weights


@dataclass(frozen=True)
class BinaryFocalLoss(FocalLossBase):
    """Focal loss of two classes, as a function of one margin.

    loss = w (1 - p_t)**gamma (-log p_t) [1]_ with p_t = sigmoid(margin) for positive rows and
    sigmoid(-margin) for negative rows. The margin is the raw score, before the sigmoid.
    gamma = 0 is cross-entropy. p_t is not the posterior of the classes, which is another
    function of the margin [2]_.

    Parameters
    ----------
    gamma : float or pair of floats, default=2.0
        Focusing parameter, from 0 to 100; a pair has the values of negative and positive rows.
    alpha : float, pair of floats or None, default=None
        Class weights. A float in (0, 1) is the paper's form: positive rows have weight alpha,
        negative rows 1 - alpha. A pair (negative, positive) has any positive weights. None: all
        weights are 1.
    hessian : {"upper", "exact", "abs"}, default="upper"
        What `gradient_hessian` returns as second derivative.
    link : {"focal", "posterior"}, default="focal"
        What the margin means. ``"focal"``: sigmoid(margin) is the paper's p. ``"posterior"``:
        sigmoid(margin) is the posterior of class 1, from which p is computed. This is the same
        loss with the same optimum, as a function of another margin. Its gradient is that of
        cross-entropy, where the weight of a row depends on its margin alone.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as described.

    References
    ----------
    .. [1] Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002.
    .. [2] Charoenphakdee et al., On Focal Loss for Class-Posterior Probability
       Estimation, CVPR 2021, arXiv:2011.09172.

    Examples
    --------
    >>> from skfocal import BinaryFocalLoss
    >>> loss = BinaryFocalLoss(gamma=2.0)
    >>> loss.loss([0, 1], [0.0, 0.0]).round(6)
    array([0.173287, 0.173287])
    >>> loss.posterior([1.0]).round(3)
    array([[0.064, 0.936]])
    """

    gamma: float | tuple[float, ...] = 2.0
    alpha: float | tuple[float, ...] | None = None
    hessian: Hessian = "upper"
    link: Link = "focal"

    n_classes = 2

    if TYPE_CHECKING:  # arguments may be any sequences, which become the fields' tuples

        def __init__(
            self,
            gamma: Gamma = 2.0,
            alpha: Weights = None,
            hessian: Hessian = "upper",
            link: Link = "focal",
        ) -> None: ...

    def intercept(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """The margin z0 that minimises the weighted loss of a constant.

        W+ and W- are the sums of the sample weights. Under the posterior link z0 is the
        log-odds of the prevalence, log(W+ / W-). Under the focal link it is the solution of
        T(z0) = log(w+ W+ / (w- W-)) (M11), where T maps margins to the posterior's log-odds.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes; a class without rows, or without weight, counts as very rare.
        sample_weight : array-like of shape (n,), default=None
            Weights >= 0.

        Returns
        -------
        float
            The margin z0.

        Raises
        ------
        TypeError, ValueError
            If a code is not 0 or 1, a weight is negative or not finite, or no row has a weight.

        Examples
        --------
        >>> import numpy as np
        >>> from skfocal import BinaryFocalLoss
        >>> round(BinaryFocalLoss(gamma=2.0).intercept(np.arange(100) == 0), 4)
        -1.7065
        """
        totals = self._totals(y_true, sample_weight)
        return float(self._link.margins(np.diff(np.log(totals)))[0])

    @property
    def _row_shape(self) -> tuple[int, ...]:
        return ()
