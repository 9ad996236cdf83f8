"""Focal losses as frozen value objects: formulas and loops, seen from NumPy (floor 2)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal._link import FocalLossBase
from skfocal._parameters import Gamma, Hessian, Link, Weights, check_integer
from skfocal._rows import floating

__all__ = ["BinaryFocalLoss", "MulticlassFocalLoss"]


@dataclass(frozen=True)
class BinaryFocalLoss(FocalLossBase):
    """Focal loss of two classes, as a function of one margin.

    loss = w (1 - p_t)**gamma (-log p_t) with p_t = sigmoid(margin) for positive rows and
    sigmoid(-margin) for negative ones [1]_. gamma = 0 is cross-entropy. The posterior of
    the classes is another function of the margin [2]_.

    Parameters
    ----------
    gamma : float or pair of floats, default=2.0
        Focusing parameter, from 0 to 100; a pair has one for negative and one for positive rows.
    alpha : float, pair of floats or None, default=None
        Class weights: a float in (0, 1) gives alpha to positive and 1 - alpha to negative
        rows (the paper's form), a pair (negative, positive) any positive weights, None 1.
    hessian : {"upper", "exact", "abs"}, default="upper"
        What `gradient_hessian` returns as second derivative.
    link : {"focal", "posterior"}, default="focal"
        What the margin is. ``"focal"``: sigmoid(margin) is the paper's p. ``"posterior"``:
        sigmoid(margin) is the posterior of class 1, from which p follows. It is the same
        loss with the same optimum in other coordinates, in which it is cross-entropy with
        rows weighted by a function of their margin alone.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of these.

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

    if TYPE_CHECKING:  # the fields are of what any sequence becomes

        def __init__(
            self,
            gamma: Gamma = 2.0,
            alpha: Weights = None,
            hessian: Hessian = "upper",
            link: Link = "focal",
        ) -> None: ...

    def intercept(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """The margin z0 that minimises the weighted loss of a constant.

        Under the posterior link it is the log-odds of the prevalence, log(W+ / W-), W the
        sums of sample weights; under the focal link the solution of T(z0) =
        log(w+ W+ / (w- W-)) (M11), T the map to the posterior's log-odds.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes; a class without rows, or without weight, counts as very rare.
        sample_weight : array-like of shape (n,), default=None
            Non-negative.

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
        return float(self._margins(np.diff(np.log(totals)))[0])

    @property
    def _log_weight(self) -> float:
        return float(np.log(self.class_weight[1]) - np.log(self.class_weight[0]))

    def _margins(self, log_odds: Array) -> Array:
        if self.link == "posterior":
            return log_odds
        return _kernels.margins(log_odds + self._log_weight, self.class_gamma)

    @staticmethod
    def _contrast(log_posterior: Array) -> Array:
        odds: Array = np.diff(log_posterior, axis=1)[:, 0]
        return odds

    def _check_raw(self, raw_prediction: npt.ArrayLike) -> Array:
        raw = floating(raw_prediction)
        if raw.ndim != 1:
            raise ValueError(f"raw_prediction must have shape (n,); got {tuple(raw.shape)}.")
        return raw


@dataclass(frozen=True)
class MulticlassFocalLoss(FocalLossBase):
    """Focal loss of K classes, as a function of K margins through the softmax.

    loss = w_t (1 - p_t)**gamma_t (-log p_t), p = softmax(margins), t the true class [1]_. With
    two classes it is `BinaryFocalLoss` of the difference of the margins.

    Parameters
    ----------
    n_classes : int
        K >= 2.
    gamma : float or sequence of K floats, default=2.0
        Focusing parameter, from 0 to 100, of all classes or of each.
    alpha : sequence of K floats, float or None, default=None
        Class weights; a float in (0, 1) only for two classes, None for 1.
    hessian : {"upper", "exact", "abs"}, default="upper"
        What `gradient_hessian` returns on the diagonal.
    link : {"focal", "posterior"}, default="focal"
        What the margins are. ``"focal"``: softmax(margins) is the paper's p.
        ``"posterior"``: softmax(margins) is the posterior; see `BinaryFocalLoss`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of these.

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

    if TYPE_CHECKING:  # the fields are of what any sequence becomes

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

        Under the posterior link they are the logarithms of the classes' shares; under the
        focal link log p with log h(p_k) = log(w_k W_k) - c and sum(p) = 1.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes; a class without rows, or without weight, counts as very rare.
        sample_weight : array-like of shape (n,), default=None
            Non-negative.

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
        margins: Array = self._margins(np.log(totals / totals.sum())[np.newaxis])[0]
        return margins

    @property
    def _log_weight(self) -> Array:
        logarithms: Array = np.log(self.class_weight)
        return logarithms

    @staticmethod
    def _contrast(log_posterior: Array) -> Array:
        return log_posterior

    def _margins(self, log_odds: Array) -> Array:
        if self.link == "posterior":
            return log_odds
        target = log_odds + self._log_weight
        log_p: Array = -np.logaddexp(0.0, -_kernels.margins(target, self.class_gamma))
        return log_p

    def full_hessian_bound(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array, Array, Array, Array]:
        """Loss and gradient, and parts of a positive semi-definite K x K Hessian of each row.

        With t the true class and d = e_t - pi, the Hessian is
        ``curvature`` d d' + ``slope`` (diag(pi) - pi pi'). Under the focal link it bounds
        the true one; under the posterior link it is the expected one.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight : array-like
            As in `loss`.

        Returns
        -------
        loss : ndarray of shape (n,)
            As of `loss`.
        gradient : ndarray of shape (n, K)
            As of `gradient`.
        slope, curvature : ndarray of shape (n,)
            Factors of the two matrices.
        pi : ndarray of shape (n, K)
            Under the focal link the softmax over the classes other than the true one.

        Raises
        ------
        TypeError, ValueError
            As in `loss`.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        if _kernels.on_device(rows[1]):
            raise TypeError("raw_prediction must be in the memory of the host; copy it there.")
        valid, found = _kernels.multiclass_curvature(*rows, *self._classes, self.link)
        if not valid:
            self._refuse(rows[0], rows[2], found[0].dtype)
        return found

    def _check_raw(self, raw_prediction: npt.ArrayLike) -> Array:
        raw = floating(raw_prediction)
        if raw.ndim != 2 or raw.shape[1] != self.n_classes:
            raise ValueError(
                f"raw_prediction must have shape (n, {self.n_classes}); got {tuple(raw.shape)}."
            )
        return raw


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
        As in the losses, and so are the others.
    alpha : float, sequence of floats or None, default=None
        Class weights.
    hessian : {"upper", "exact", "abs"}, default="upper"
        The second derivative.
    link : {"focal", "posterior"}, default="focal"
        What the margins are.

    Returns
    -------
    BinaryFocalLoss or MulticlassFocalLoss
        The loss.
    """
    if n_classes == 2:
        return BinaryFocalLoss(gamma, alpha, hessian, link)
    return MulticlassFocalLoss(n_classes, gamma, alpha, hessian, link)
