"""Focal losses as frozen value objects: formulas and loops, seen from NumPy (floor 2)."""

from dataclasses import dataclass
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
    link : {"focal"}, default="focal"
        The meaning of the margin; under ``"focal"`` sigmoid(margin) is the paper's p.

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

        Solves T(z0) = log(w+ W+ / (w- W-)), W the sums of sample weights and T the map to
        the posterior's log-odds; it is not the log-odds of the prevalence.

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
        target = np.diff(np.log(totals) + np.log(self.class_weight))
        return float(_kernels.margins(target, self.class_gamma)[0])

    def posterior(self, raw_prediction: npt.ArrayLike) -> Array:
        """P(class | row), shape (n, 2), from margins in closed form.

        The map of Charoenphakdee et al. 2021, with weights and one gamma per class. Class
        weights and gamma are undone; sample weights, which describe the population, are not.
        """
        raw = self._check_raw(raw_prediction)
        ratio = self.class_weight[1] / self.class_weight[0]
        log_odds = _kernels.log_odds(raw.astype(np.float64), self.class_gamma) - np.log(ratio)
        return raw_proba(log_odds).astype(raw.dtype)

    def decision(self, raw_prediction: npt.ArrayLike) -> Array:
        """Scores (n,), positive where weight x posterior favours class 1.

        The margin itself for equal gammas, log(w+ P+ / (w- P-)) otherwise.
        """
        raw = self._check_raw(raw_prediction)
        return raw if self._equal_gammas else _kernels.log_odds(raw, self.class_gamma)

    def raw_prediction(self, posterior: npt.ArrayLike) -> Array:
        """The margins (n,) that have P(class | row) = ``posterior`` (n, 2)."""
        log_posterior = np.log(np.asarray(posterior, dtype=np.float64))
        log_odds = np.diff(log_posterior + np.log(self.class_weight), axis=1)[:, 0]
        return _kernels.margins(log_odds, self.class_gamma)

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
    link : {"focal"}, default="focal"
        The meaning of the margins; under ``"focal"`` softmax(margins) is the paper's p.

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
        """The margins log p (K,) of the constant p that minimises the weighted loss.

        Solves log h(p_k) = log(w_k W_k) - c with sum(p) = 1. Parameters and errors as in
        `BinaryFocalLoss.intercept`.
        """
        totals = self._totals(y_true, sample_weight)
        shares = totals / totals.sum()
        margin = _kernels.margins(
            (np.log(shares) + np.log(self.class_weight))[np.newaxis], self.class_gamma
        )[0]
        return -np.logaddexp(0.0, -margin)

    def posterior(self, raw_prediction: npt.ArrayLike) -> Array:
        """P(class | row), shape (n, K); see `BinaryFocalLoss.posterior`.

        The order of rows within a class may differ from that of softmax(margins).
        """
        raw = self._check_raw(raw_prediction)
        log_odds = _kernels.log_odds(raw.astype(np.float64), self.class_gamma)
        return raw_proba(log_odds - np.log(self.class_weight)).astype(raw.dtype)

    def decision(self, raw_prediction: npt.ArrayLike) -> Array:
        """Scores (n, K) whose argmax is that of weight x posterior.

        The margins themselves for equal gammas, log(w_k P_k) plus a constant of the row
        otherwise.
        """
        raw = self._check_raw(raw_prediction)
        return raw if self._equal_gammas else _kernels.log_odds(raw, self.class_gamma)

    def raw_prediction(self, posterior: npt.ArrayLike) -> Array:
        """Margins log p (n, K) that have P(class | row) = ``posterior`` (n, K)."""
        log_posterior = np.log(np.asarray(posterior, dtype=np.float64))
        margin = _kernels.margins(log_posterior + np.log(self.class_weight), self.class_gamma)
        return -np.logaddexp(0.0, -margin)

    def full_hessian_bound(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array, Array, Array]:
        """Loss, and parts of the positive semi-definite bound of each row's K x K Hessian.

        With t the true class and d = e_t - pi, the bound is
        ``curvature`` d d' + ``slope`` (diag(pi) - pi pi').

        Returns
        -------
        loss, slope, curvature : ndarray of shape (n,)
        pi : ndarray of shape (n, K)
            Softmax over the classes other than the true one, whose entry is 0.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        check_codes(rows[0], self.n_classes)
        return _kernels.multiclass_curvature(*rows, *self._classes)

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
