"""Focal losses as frozen value objects: formulas and loops, seen from NumPy (floor 2)."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal._loss import FocalLossBase, check_codes, floating


@dataclass(frozen=True)
class BinaryFocalLoss(FocalLossBase):
    """Focal loss of two classes, as a function of one margin.

    loss = w (1 - p_t)**gamma (-log p_t) with p_t = sigmoid(margin) for positive rows and
    sigmoid(-margin) for negative ones [1]_. gamma = 0 is cross-entropy. The posterior of
    the classes is another function of the margin [2]_.

    Parameters
    ----------
    gamma : float or pair of floats, default=2.0
        Focusing parameter, >= 0; a pair has one for negative and one for positive rows.
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
    hessian: str = "upper"
    link: str = "focal"

    n_classes = 2

    def intercept(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """The margin z0 that minimises the weighted loss of a constant.

        Under the posterior link it is the log-odds of the prevalence, log(W+ / W-), W the
        sums of sample weights; under the focal link the solution of T(z0) =
        log(w+ W+ / (w- W-)) (M11), T the map to the posterior's log-odds.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes, both present.
        sample_weight : array-like of shape (n,), default=None
            Non-negative.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If a class has no weight.

        Examples
        --------
        >>> import numpy as np
        >>> from skfocal import BinaryFocalLoss
        >>> round(BinaryFocalLoss(gamma=2.0).intercept(np.arange(100) == 0), 4)
        -1.7065
        """
        totals = self._totals(y_true, sample_weight)
        return float(self._margins(np.diff(np.log(totals)))[0])

    def posterior(self, raw_prediction: npt.ArrayLike) -> Array:
        """P(class | row), shape (n, 2), from margins in closed form.

        The map of Charoenphakdee et al. 2021, with weights and one gamma per class. Class
        weights and gamma are undone; sample weights, which describe the population, are not.
        """
        raw = self._check_raw(raw_prediction)
        if _kernels.on_device(raw):
            return _kernels.device_posterior(raw, *self._classes, self.link)
        return raw_proba(self._log_odds(raw.astype(np.float64))).astype(raw.dtype)

    def decision(self, raw_prediction: npt.ArrayLike) -> Array:
        """Scores (n,), positive where weight x posterior favours class 1.

        The margin itself under the focal link with equal gammas, log(w+ P+ / (w- P-))
        otherwise.
        """
        raw = self._check_raw(raw_prediction)
        if self.link == "focal" and self._equal_gammas:
            return raw
        return (self._log_odds(raw.astype(np.float64)) + self._shift).astype(raw.dtype)

    def raw_prediction(self, posterior: npt.ArrayLike) -> Array:
        """The margins (n,) that have P(class | row) = ``posterior`` (n, 2)."""
        log_posterior = np.log(np.asarray(posterior, dtype=np.float64))
        return self._margins(np.diff(log_posterior, axis=1)[:, 0])

    def convert(self, raw_prediction: npt.ArrayLike, link: str) -> Array:
        """The margins (n,) that say the same under another link.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,)
            Margins of this loss.
        link : {"focal", "posterior"}
            The link of the result.

        Returns
        -------
        ndarray of shape (n,), float64

        Examples
        --------
        >>> from skfocal import BinaryFocalLoss
        >>> loss = BinaryFocalLoss(gamma=2.0)
        >>> loss.convert([1.0], "posterior").round(4)
        array([2.6817])
        """
        log_odds = self._log_odds(self._check_raw(raw_prediction).astype(np.float64))
        return replace(self, hessian="upper", link=link)._margins(log_odds)

    @property
    def _shift(self) -> float:
        """Logarithm of the weights' ratio."""
        return float(np.log(self.class_weight[1]) - np.log(self.class_weight[0]))

    def _log_odds(self, raw: Array) -> Array:
        """Log-odds of the posterior."""
        if self.link == "posterior":
            return raw
        return _kernels.log_odds(raw, self.class_gamma) - self._shift

    def _margins(self, log_odds: Array) -> Array:
        """The inverse of `_log_odds`."""
        if self.link == "posterior":
            return log_odds
        return _kernels.margins(log_odds + self._shift, self.class_gamma)

    def _check_raw(self, raw_prediction: npt.ArrayLike) -> Array:
        raw = floating(raw_prediction)
        if raw.ndim != 1:
            raise ValueError(f"raw_prediction must have shape (n,); got {raw.shape}.")
        return raw


@dataclass(frozen=True)
class MulticlassFocalLoss(FocalLossBase):
    """Focal loss of K classes, as a function of K margins through the softmax.

    loss = w_t (1 - p_t)**gamma_t (-log p_t), p = softmax(margins), t the true class. With
    two classes it is `BinaryFocalLoss` of the difference of the margins.

    Parameters
    ----------
    n_classes : int
        K >= 2.
    gamma : float or sequence of K floats, default=2.0
        Focusing parameter, >= 0, of all classes or of each.
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
    hessian: str = "upper"
    link: str = "focal"

    def __post_init__(self) -> None:
        if isinstance(self.n_classes, bool) or not isinstance(self.n_classes, (int, np.integer)):
            raise TypeError(f"n_classes must be an integer >= 2; got {self.n_classes!r}.")
        if self.n_classes < 2:
            raise ValueError(f"n_classes must be an integer >= 2; got {self.n_classes!r}.")
        super().__post_init__()

    def intercept(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Array:
        """The margins (K,) of the constant that minimises the weighted loss.

        Under the posterior link they are the logarithms of the classes' shares; under the
        focal link log p with log h(p_k) = log(w_k W_k) - c and sum(p) = 1. Parameters and
        errors as in `BinaryFocalLoss.intercept`.
        """
        totals = self._totals(y_true, sample_weight)
        return self._margins(np.log(totals / totals.sum())[np.newaxis])[0]

    def posterior(self, raw_prediction: npt.ArrayLike) -> Array:
        """P(class | row), shape (n, K); see `BinaryFocalLoss.posterior`.

        Under the focal link the order of rows within a class may differ from that of
        softmax(margins).
        """
        raw = self._check_raw(raw_prediction)
        if _kernels.on_device(raw):
            return _kernels.device_posterior(raw, *self._classes, self.link)
        return raw_proba(self._log_odds(raw.astype(np.float64))).astype(raw.dtype)

    def decision(self, raw_prediction: npt.ArrayLike) -> Array:
        """Scores (n, K) whose argmax is that of weight x posterior.

        The margins themselves under the focal link with equal gammas, log(w_k P_k) plus a
        constant of the row otherwise.
        """
        raw = self._check_raw(raw_prediction)
        if self.link == "focal" and self._equal_gammas:
            return raw
        log_odds = self._log_odds(raw.astype(np.float64))
        return (log_odds + np.log(self.class_weight)).astype(raw.dtype)

    def raw_prediction(self, posterior: npt.ArrayLike) -> Array:
        """Margins (n, K) that have P(class | row) = ``posterior`` (n, K).

        They are log p under the focal, log P under the posterior link.
        """
        return self._margins(np.log(np.asarray(posterior, dtype=np.float64)))

    def convert(self, raw_prediction: npt.ArrayLike, link: str) -> Array:
        """The margins (n, K) that say the same under another link.

        As `BinaryFocalLoss.convert`; a constant of each row is without meaning.
        """
        log_odds = self._log_odds(self._check_raw(raw_prediction).astype(np.float64))
        return replace(self, hessian="upper", link=link)._margins(log_odds)

    def _log_odds(self, raw: Array) -> Array:
        """Log of the posterior plus a constant of each row."""
        if self.link == "posterior":
            return raw
        return _kernels.log_odds(raw, self.class_gamma) - np.log(self.class_weight)

    def _margins(self, log_posterior: Array) -> Array:
        """The inverse of `_log_odds`."""
        if self.link == "posterior":
            return log_posterior
        target = log_posterior + np.log(self.class_weight)
        return -np.logaddexp(0.0, -_kernels.margins(target, self.class_gamma))

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

        Returns
        -------
        loss : ndarray of shape (n,)
        gradient : ndarray of shape (n, K)
        slope, curvature : ndarray of shape (n,)
        pi : ndarray of shape (n, K)
            Under the focal link the softmax over the classes other than the true one.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        check_codes(rows[0], self.n_classes)
        return _kernels.multiclass_curvature(*rows, *self._classes, self.link)

    def _check_raw(self, raw_prediction: npt.ArrayLike) -> Array:
        raw = floating(raw_prediction)
        if raw.ndim != 2 or raw.shape[1] != self.n_classes:
            raise ValueError(
                f"raw_prediction must have shape (n, {self.n_classes}); got {raw.shape}."
            )
        return raw


def raw_proba(raw_prediction: Array) -> Array:
    """Sigmoid (n, 2) of margins (n,), softmax of margins (n, K)."""
    if raw_prediction.ndim == 1:
        return np.column_stack([expit(-raw_prediction), expit(raw_prediction)])
    return softmax(raw_prediction, axis=1)


def make_loss(
    n_classes: int,
    gamma: Any = 2.0,
    alpha: Any = None,
    hessian: str = "upper",
    link: str = "focal",
) -> BinaryFocalLoss | MulticlassFocalLoss:
    """`BinaryFocalLoss` for two classes, `MulticlassFocalLoss` for more."""
    if n_classes == 2:
        return BinaryFocalLoss(gamma, alpha, hessian, link)
    return MulticlassFocalLoss(n_classes, gamma, alpha, hessian, link)
