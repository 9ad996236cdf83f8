"""Focal losses as frozen value objects: formulas and loops, seen from NumPy (floor 2)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from skfocal import _kernels
from skfocal._kernels import Array, PerClass
from skfocal._parameters import check_alpha, check_choice, check_gamma, class_totals

HESSIANS = ("upper", "exact", "abs")
LINKS = ("focal",)


class _FocalLoss(ABC):
    """What the two losses share.

    Conventions
    -----------
    Classes are codes 0..K-1 of any dtype; in binary problems code 1 is "positive".
    Whatever there is one of per class (weights, gamma, columns) is in that order.
    ``raw_prediction`` are margins, of shape (n,) for `BinaryFocalLoss` and (n, K) for
    `MulticlassFocalLoss`; gradients and Hessians have its shape, losses one value per
    row. Nothing is summed or averaged. All are multiplied by the class weight and by
    ``sample_weight``. The precision of what is returned is that of ``raw_prediction``:
    float32 stays float32, everything else is float64. Computation is in double.
    """

    gamma: float | tuple[float, ...]
    alpha: float | tuple[float, ...] | None
    hessian: str
    link: str
    n_classes: int

    def __post_init__(self) -> None:
        # frozen dataclasses normalise their fields this way
        normal = object.__setattr__
        normal(self, "gamma", check_gamma(self.gamma, self.n_classes))
        weights = check_alpha(self.alpha, self.n_classes)
        if not (weights is None or np.isscalar(self.alpha)):
            normal(self, "alpha", weights)
        check_choice(self.hessian, HESSIANS, "hessian")
        check_choice(self.link, LINKS, "link")

    @property
    def class_weight(self) -> PerClass:
        """Weight of each class: alpha as a tuple of K floats, all 1 for alpha None."""
        return check_alpha(self.alpha, self.n_classes) or (1.0,) * self.n_classes

    @property
    def class_gamma(self) -> PerClass:
        """gamma of each class, a tuple of K floats."""
        return self.gamma if isinstance(self.gamma, tuple) else (self.gamma,) * self.n_classes

    @property
    def is_cross_entropy(self) -> bool:
        """Whether gamma is 0 for every class."""
        return not any(self.class_gamma)

    def loss(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Loss of each row, w (1 - p_t)**gamma (-log p_t).

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes.
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins.
        sample_weight : array-like of shape (n,), default=None
            Multiplied in; None for none.

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        ValueError
            If shapes do not fit or a code is none of 0..K-1.
        """
        return _kernels.loss(*self._rows(y_true, raw_prediction, sample_weight), *self._classes)

    def gradient(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Gradient of each row's loss in its margins; parameters as in `loss`.

        Returns
        -------
        ndarray of the shape of ``raw_prediction``
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        return _kernels.gradient(*rows, *self._classes)

    def gradient_hessian(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        max_step: float = np.inf,
        min_hessian: float = -np.inf,
        hessian_scale: float = 1.0,
        bits: int = 53,
        dtype: npt.DTypeLike = None,
    ) -> tuple[Array, Array]:
        """Gradient and Hessian (multiclass: its diagonal) of each row.

        The Hessian is the one that ``hessian`` names: ``"upper"``, a positive bound of
        the true one; ``"exact"``, negative on badly missed rows; ``"abs"``, its size.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight
            As in `loss`.
        max_step : float, default=inf
            The ``"upper"`` Hessian is raised to |gradient| / max_step where it is
            smaller, so that no sum of gradients over a sum of Hessians exceeds it.
        min_hessian : float, default=-inf
            Floor of the Hessian, after all else.
        hessian_scale : float, default=1.0
            Multiplies the diagonal of the multiclass Hessian. XGBoost's own softmax
            objective has 2 here, LightGBM's K / (K - 1).
        bits : int, default=53
            Significant bits that results are rounded to before sample weights multiply.
            With 22, float32 results for the weights 1 to 4 are exactly multiples of the
            unweighted ones, as if rows were repeated.
        dtype : {float32, float64}, default=None
            Precision of the result, that of ``raw_prediction`` if None.

        Returns
        -------
        gradient, hessian : ndarray of the shape of ``raw_prediction``
            In Fortran order where ``raw_prediction`` is.
        """
        y_true, raw, sample_weight = self._rows(y_true, raw_prediction, sample_weight)
        order = "F" if raw.flags.f_contiguous else "C"
        gradient = np.empty(raw.shape, dtype or raw.dtype, order=order)
        hessian = np.empty_like(gradient)
        _kernels.gradient_hessian(
            y_true,
            raw,
            sample_weight,
            *self._classes,
            policy=self.hessian,
            ratio=1.0 / max_step,
            floor=min_hessian,
            bits=bits,
            scale=hessian_scale,
            gradient_out=gradient,
            hessian_out=hessian,
        )
        return gradient, hessian

    @abstractmethod
    def intercept(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float | Array:
        """The constant margin with the smallest weighted loss."""

    @abstractmethod
    def posterior(self, raw_prediction: npt.ArrayLike) -> Array:
        """P(class | row) of the population behind the margins, shape (n, K)."""

    @abstractmethod
    def decision(self, raw_prediction: npt.ArrayLike) -> Array:
        """Scores whose sign or argmax is the class with the largest weight x posterior."""

    @property
    def _classes(self) -> tuple[PerClass, PerClass]:
        return self.class_gamma, self.class_weight

    @property
    def _equal_gammas(self) -> bool:
        return len(set(self.class_gamma)) == 1

    def _totals(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> Array:
        totals = class_totals(check_codes(y_true, self.n_classes), self.n_classes, sample_weight)
        if not (totals > 0).all():
            raise ValueError(
                "The optimal constant is infinite where a class has no rows or no weight; "
                f"sums of weights by class: {totals.tolist()}."
            )
        return totals

    @abstractmethod
    def _check_raw(self, raw_prediction: npt.ArrayLike) -> Array:
        """Margins as an array of the right shape and a known precision."""

    def _rows(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
    ) -> tuple[Array, Array, Array | None]:
        raw = self._check_raw(raw_prediction)
        codes = check_codes(y_true, self.n_classes)
        weight = None if sample_weight is None else np.asarray(sample_weight)
        for name, array in (("y_true", codes), ("sample_weight", weight)):
            if array is not None and array.shape != raw.shape[:1]:
                raise ValueError(
                    f"{name} must have shape {raw.shape[:1]}, one value for each row of "
                    f"raw_prediction; got {array.shape}."
                )
        return codes, raw, weight


def check_codes(y_true: npt.ArrayLike, n_classes: int) -> npt.NDArray[np.float32]:
    """Class codes as float32, the dtype in which the boosters hold them."""
    codes = np.asarray(y_true, dtype=np.float32)
    valid = (codes >= 0) & (codes < n_classes) & (codes == np.floor(codes))
    if not valid.all():
        raise ValueError(
            f"y_true must hold class codes 0..{n_classes - 1}; got {codes[~valid].flat[0]:g}."
        )
    return codes


def _floating(array: npt.ArrayLike) -> Array:
    array = np.asarray(array)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


@dataclass(frozen=True)
class BinaryFocalLoss(_FocalLoss):
    """Focal loss of two classes, as a function of one margin.

    loss = w (1 - p_t)**gamma (-log p_t) with p_t = sigmoid(margin) for positive rows and
    sigmoid(-margin) for negative ones [1]_. gamma = 0 is cross-entropy.

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
    array([[0.085, 0.915]])
    """

    gamma: float | tuple[float, ...] = 2.0
    alpha: float | tuple[float, ...] | None = None
    hessian: str = "upper"
    link: str = "focal"

    n_classes = 2

    def intercept(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
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
        """P(class | row), shape (n, 2), from margins in closed form [2]_ (class docstring).

        Class weights and gamma are undone; sample weights, which describe the
        population, are not.
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
        raw = _floating(raw_prediction)
        if raw.ndim != 1:
            raise ValueError(f"raw_prediction must have shape (n,); got {raw.shape}.")
        return raw


@dataclass(frozen=True)
class MulticlassFocalLoss(_FocalLoss):
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
    array([[0.858, 0.116, 0.026]])
    """

    n_classes: int
    gamma: float | tuple[float, ...] = 2.0
    alpha: float | Sequence[float] | None = None
    hessian: str = "upper"
    link: str = "focal"

    def __post_init__(self) -> None:
        if isinstance(self.n_classes, bool) or not isinstance(self.n_classes, (int, np.integer)):
            raise TypeError(f"n_classes must be an integer >= 2; got {self.n_classes!r}.")
        if self.n_classes < 2:
            raise ValueError(f"n_classes must be an integer >= 2; got {self.n_classes!r}.")
        super().__post_init__()

    def intercept(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Array:
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
    ) -> tuple[Array, Array, Array]:
        """Parts of the positive semi-definite bound of each row's K x K Hessian.

        With t the true class and d = e_t - pi, the bound is
        ``curvature`` d d' + ``slope`` (diag(pi) - pi pi').

        Returns
        -------
        slope, curvature : ndarray of shape (n,)
        pi : ndarray of shape (n, K)
            Softmax over the classes other than the true one, whose entry is 0.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        return _kernels.multiclass_curvature(*rows, *self._classes)

    def _check_raw(self, raw_prediction: npt.ArrayLike) -> Array:
        raw = _floating(raw_prediction)
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
    gamma: float | tuple[float, ...] = 2.0,
    alpha: float | tuple[float, ...] | None = None,
    hessian: str = "upper",
    link: str = "focal",
) -> BinaryFocalLoss | MulticlassFocalLoss:
    """`BinaryFocalLoss` for two classes, `MulticlassFocalLoss` for more."""
    if n_classes == 2:
        return BinaryFocalLoss(gamma, alpha, hessian, link)
    return MulticlassFocalLoss(n_classes, gamma, alpha, hessian, link)
