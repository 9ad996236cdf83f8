"""What the losses of two and of more classes share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal import _kernels
from skfocal._kernels import Array, PerClass
from skfocal.losses._link import HESSIANS, LINKS, FocalLink, PosteriorLink, log_weight, raw_proba
from skfocal.losses._options import check_out, checked_options, floating_dtype
from skfocal.losses._parameters import (
    Hessian,
    Link,
    check_alpha,
    check_choice,
    check_gamma,
    check_integer,
    class_weights,
)
from skfocal.losses._rows import (
    check_codes,
    check_posterior,
    check_row_weights,
    checked_rows,
    checked_totals,
    floating,
)

# Share of a class that has no rows, or none of a weight above 0. The true optimum would be an
# infinite margin. With this share it is finite, and the probability of the other classes is 1 in
# single precision.
RAREST = 1e-9


class FocalLossBase(ABC):
    """All of a loss but its fields, the shape of its margins and the optimal constant.

    The conventions are those of `skfocal.losses`.
    """

    gamma: float | tuple[float, ...]
    alpha: float | tuple[float, ...] | None
    hessian: Hessian
    link: Link
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
        if self.hessian not in LINKS[self.link].hessians:
            raise ValueError(
                f"hessian={self.hessian!r} is for link='focal': under link='posterior' the "
                "Hessian is the expected one, which is positive. Leave hessian='upper'."
            )

    @property
    @abstractmethod
    def _row_shape(self) -> tuple[int, ...]:
        """Shape of the margins of a row: () for one margin, (K,) for K of them."""

    @abstractmethod
    def intercept(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Any:
        """The margins of the constant that minimises the weighted loss."""

    @property
    def class_weight(self) -> PerClass:
        """Weight of each class: alpha as a tuple of K floats, all 1 for alpha None."""
        return class_weights(self.alpha, self.n_classes)

    @property
    def class_gamma(self) -> PerClass:
        """Gamma of each class, a tuple of K floats."""
        return self.gamma if isinstance(self.gamma, tuple) else (self.gamma,) * self.n_classes

    @property
    def is_cross_entropy(self) -> bool:
        """Whether this is cross-entropy of the sigmoid or softmax, with or without class weights.

        This is the case where gamma is 0 for every class; under the posterior link the class
        weights must be equal too.
        """
        return _kernels.is_cross_entropy(*self._classes, self.link)

    @property
    def raw_is_posterior(self) -> bool:
        """Whether the sigmoid or softmax of the margins is the posterior."""
        return self._link.is_posterior

    def loss(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        n_threads: int = 1,
    ) -> Array:
        """Loss of each row, w (1 - p_t)**gamma (-log p_t).

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes.
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins.
        sample_weight : array-like of shape (n,), default=None
            Factors of the rows; None for 1.
        n_threads : int, default=1
            Threads to use at most; one thread computes small numbers of rows.

        Returns
        -------
        ndarray of shape (n,)
            Weighted, not summed.

        Raises
        ------
        TypeError, ValueError
            If an array does not hold numbers, shapes do not fit, a code is none of 0..K-1, a
            weight is negative or not finite, or ``n_threads`` is no integer >= 1.
        """
        rows = checked_rows(y_true, self._check_raw(raw_prediction), sample_weight)
        loss = _kernels.per_row(rows[1])
        self._evaluate(rows, n_threads, loss=loss)
        return loss

    def gradient(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        n_threads: int = 1,
    ) -> Array:
        """Gradient of each row's loss in its margins.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight : array-like
            As in `loss`.
        n_threads : int, default=1
            As in `loss`.

        Returns
        -------
        ndarray of shape (n,) or (n, K)
            The shape of ``raw_prediction``.

        Raises
        ------
        TypeError, ValueError
            As in `loss`.
        """
        rows = checked_rows(y_true, self._check_raw(raw_prediction), sample_weight)
        gradient = _kernels.like(rows[1])
        self._evaluate(rows, n_threads, gradient=gradient)
        return gradient

    def loss_gradient(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        n_threads: int = 1,
    ) -> tuple[Array, Array]:
        """Loss and gradient of each row in one pass.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight : array-like
            As in `loss`.
        n_threads : int, default=1
            As in `loss`.

        Returns
        -------
        loss : ndarray of shape (n,)
            As of `loss`.
        gradient : ndarray of shape (n,) or (n, K)
            As of `gradient`.

        Raises
        ------
        TypeError, ValueError
            As in `loss`.
        """
        rows = checked_rows(y_true, self._check_raw(raw_prediction), sample_weight)
        loss, gradient = _kernels.per_row(rows[1]), _kernels.like(rows[1])
        self._evaluate(rows, n_threads, loss=loss, gradient=gradient)
        return loss, gradient

    def loss_gradient_hessian(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        n_threads: int = 1,
    ) -> tuple[Array, Array, Array]:
        """Loss, gradient and Hessian of each row in one pass.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight : array-like
            As in `loss`.
        n_threads : int, default=1
            As in `loss`.

        Returns
        -------
        loss : ndarray of shape (n,)
            As of `loss`.
        gradient, hessian : ndarray of shape (n,) or (n, K)
            As of `gradient_hessian` without options.

        Raises
        ------
        TypeError, ValueError
            As in `loss`.
        """
        rows = checked_rows(y_true, self._check_raw(raw_prediction), sample_weight)
        loss = _kernels.per_row(rows[1])
        gradient, hessian = _kernels.like(rows[1]), _kernels.like(rows[1])
        self._evaluate(rows, n_threads, loss=loss, gradient=gradient, hessian=hessian)
        return loss, gradient, hessian

    def gradient_hessian(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        max_step: float = np.inf,
        min_hessian: float = -np.inf,
        scale: float = 1.0,
        hessian_scale: float = 1.0,
        bits: int = 53,
        dtype: npt.DTypeLike | None = None,
        out: tuple[Array, Array] | None = None,
        n_threads: int = 1,
    ) -> tuple[Array, Array]:
        """Gradient and Hessian (multiclass: its diagonal) of each row.

        Under the focal link the parameter ``hessian`` of the loss says which one it is:
        ``"upper"`` is a positive upper bound of the true Hessian, ``"exact"`` the true one,
        which is negative on badly missed rows, and ``"abs"`` its absolute value. Under the
        posterior link it is the expectation over labels that are drawn from the posterior,
        which is positive too.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight : array-like
            As in `loss`.
        max_step : float >= 1e-30, default=inf
            Largest ratio of a sum of gradients to a sum of Hessians. To this end the
            ``"upper"`` Hessian, and the one of the posterior link, is raised to
            abs(gradient) / max_step where it is smaller.
        min_hessian : float, default=-inf
            Smallest Hessian. This floor is applied last.
        scale : float > 0, default=1.0
            Multiplies gradient and Hessian.
        hessian_scale : float > 0, default=1.0
            Multiplies the diagonal of the multiclass Hessian. The factor of XGBoost's own
            softmax objective is 2, that of LightGBM's is K / (K - 1).
        bits : int from 1 to 53, default=53
            Significant bits that results are rounded to before sample weights multiply.
            With 22, float32 results for the weights 1 to 4 are exact multiples of the
            results without weights, as if the rows were repeated.
        dtype : {float32, float64}, default=None
            Precision of the results; None for the precision of ``raw_prediction``.
        out : (ndarray, ndarray), default=None
            Arrays to fill and return. They have the shape of ``raw_prediction``, are both
            float32 or both float64, and share no memory with each other or with the input.
        n_threads : int, default=1
            As in `loss`.

        Returns
        -------
        gradient : ndarray of shape (n,) or (n, K)
            The shape of ``raw_prediction``, and Fortran order if ``raw_prediction`` has it.
        hessian : ndarray of shape (n,) or (n, K)
            As the gradient.

        Raises
        ------
        TypeError, ValueError
            As in `loss`; or if ``out`` does not fit, or another argument is not as described.
        """
        rows = checked_rows(y_true, self._check_raw(raw_prediction), sample_weight)
        options = checked_options(max_step, min_hessian, scale, hessian_scale, bits)
        if out is None:
            dtype = floating_dtype(dtype)
            out = _kernels.like(rows[1], dtype), _kernels.like(rows[1], dtype)
        else:
            check_out(out, dtype, rows)
        gradient, hessian = (a if _kernels.on_device(a) else np.asarray(a) for a in out)
        self._evaluate(rows, n_threads, options, gradient=gradient, hessian=hessian)
        return out[0], out[1]

    def posterior(self, raw_prediction: npt.ArrayLike) -> Array:
        """P(class | row) from margins in closed form.

        This is the map of Charoenphakdee et al. 2021 [1]_, extended by class weights and one
        gamma per class. It undoes the effects of class weights and gamma. It does not undo
        sample weights, because they describe the population. Under the focal link, with more
        than two classes, the posterior of a class may order rows differently than
        softmax(margins) does.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins of this loss.

        Returns
        -------
        ndarray of shape (n, K)
            Columns in the order of the codes, two for `BinaryFocalLoss`; rows sum to 1.

        Raises
        ------
        ValueError
            If the margins have another shape.

        References
        ----------
        .. [1] Charoenphakdee et al., On Focal Loss for Class-Posterior Probability
           Estimation, CVPR 2021, arXiv:2011.09172.
        """
        raw = self._check_raw(raw_prediction)
        if _kernels.on_device(raw):
            on_device: Array = _kernels.device_posterior(raw, *self._classes, self.link)
            return on_device
        return raw_proba(self._link.log_odds(raw.astype(np.float64))).astype(raw.dtype)

    def log_odds(self, raw_prediction: npt.ArrayLike, *, n_threads: int = 1) -> Array:
        """The log-odds of the posterior: their sigmoid or softmax is the posterior.

        Class weights are undone, as in `posterior`, and unlike in `decision`.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins of this loss.
        n_threads : int, default=1
            As in `loss`.

        Returns
        -------
        ndarray of shape (n,) or (n, K)
            For `BinaryFocalLoss` log(P+ / P-), for `MulticlassFocalLoss` log P_k plus a constant
            of the row. In two cases these are the margins: under the posterior link, and at
            gamma 0 without class weights.

        Raises
        ------
        TypeError, ValueError
            If the margins have another shape, or ``n_threads`` is no integer >= 1.

        Examples
        --------
        >>> from skfocal import BinaryFocalLoss
        >>> BinaryFocalLoss(gamma=2.0).log_odds([0.0, 1.0]).round(4)
        array([0.    , 2.6817])
        """
        raw = self._check_raw(raw_prediction)
        check_integer(n_threads, "n_threads", 1)
        double = raw.astype(np.float64, copy=self.link == "posterior")  # others give a new array
        return self._link.log_odds(double, n_threads).astype(raw.dtype, copy=False)

    def decision(self, raw_prediction: npt.ArrayLike) -> Array:
        """Score whose sign or argmax is the class with the largest weight x posterior.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins of this loss.

        Returns
        -------
        ndarray of shape (n,) or (n, K)
            Under the focal link with equal gammas, the margins. In all other cases
            log(w+ P+ / (w- P-)) for `BinaryFocalLoss`, which is positive where class 1 is
            chosen, and log(w_k P_k) plus a constant of the row for `MulticlassFocalLoss`.

        Raises
        ------
        ValueError
            If the margins have another shape.
        """
        raw = self._check_raw(raw_prediction)
        if self._link.keeps_decision:
            return raw
        log_odds = self._link.log_odds(raw.astype(np.float64))
        return (log_odds + log_weight(self.class_weight, raw)).astype(raw.dtype)

    def raw_prediction(self, posterior: npt.ArrayLike) -> Array:
        """The margins that have a given posterior; the inverse of `posterior`.

        Parameters
        ----------
        posterior : array-like of shape (n, K)
            P(class | row), all > 0; two columns for `BinaryFocalLoss`.

        Returns
        -------
        ndarray of shape (n,) or (n, K), float64
            For `MulticlassFocalLoss` log p under the focal link, log P under the posterior
            link.

        Raises
        ------
        TypeError, ValueError
            If a row does not hold one probability > 0 for each class, of sum 1.
        """
        proba = check_posterior(posterior, self.n_classes, "posterior").astype(np.float64)
        if not (proba > 0).all():
            raise ValueError("posterior must be > 0: a probability of 0 has an infinite margin.")
        log_proba = np.log(proba)
        return self._link.margins(log_proba if self._row_shape else np.diff(log_proba)[:, 0])

    def convert(self, raw_prediction: npt.ArrayLike, link: Link) -> Array:
        """The margins under another link that have the same posterior.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins of this loss.
        link : {"focal", "posterior"}
            The link of the result.

        Returns
        -------
        ndarray of shape (n,) or (n, K), float64
            For `MulticlassFocalLoss` a constant of each row has no meaning.

        Raises
        ------
        ValueError
            If the margins have another shape, or ``link`` is neither of the two.

        Examples
        --------
        >>> from skfocal import BinaryFocalLoss
        >>> loss = BinaryFocalLoss(gamma=2.0)
        >>> loss.convert([1.0], "posterior").round(4)
        array([2.6817])
        """
        check_choice(link, LINKS, "link")
        log_odds = self._link.log_odds(self._check_raw(raw_prediction).astype(np.float64))
        return LINKS[link](*self._classes).margins(log_odds)

    @property
    def is_scaled(self) -> bool:
        """Whether `log_loss_scale` may differ from 1: whether a gamma is not 0."""
        return any(self.class_gamma)

    def log_loss_scale(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """The factor that brings the loss to the scale of log loss.

        Boosters compare sums of Hessians with ``min_child_weight`` or
        ``min_sum_hessian_in_leaf``, and add ``reg_lambda`` to them. The three keep the meaning
        that they have for log loss if the focal loss is multiplied by this factor (M18). It is
        the mean Hessian of cross-entropy with the same class weights, divided by the mean Hessian
        of this loss, each at its own `intercept`, where training starts. The means are over the
        labels.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes; a class without rows counts as very rare.
        sample_weight : array-like of shape (n,), default=None
            Weights >= 0.

        Returns
        -------
        float
            The factor, > 0; 1 where all gammas are 0.

        Raises
        ------
        TypeError, ValueError
            If a code is none of 0..K-1, a weight is negative or not finite, or all weights
            are 0.
        """
        if not self.is_scaled:
            return 1.0
        totals = checked_totals(y_true, self.n_classes, sample_weight)
        if not totals.any():
            raise ValueError("y_true must have at least one row with a sample_weight above 0.")
        shares = np.maximum(totals / totals.sum(), RAREST)
        own: Any = self  # its children are dataclasses
        plain: FocalLossBase = replace(own, gamma=0.0, hessian="upper", link="focal")
        return plain._mean_hessian(shares) / self._mean_hessian(shares)

    def _mean_hessian(self, shares: Array) -> float:
        """The Hessian at the optimal constant, in the mean over labels with these shares."""
        codes = np.arange(self.n_classes)
        start = np.broadcast_to(self.intercept(codes, shares), (self.n_classes, *self._row_shape))
        if start.size <= _kernels.FEW_HESSIANS:
            how = *self._classes, self.link, self.hessian
            return float((_kernels.few_hessians(codes, start, *how).T * shares).sum())
        _, hessian = self.gradient_hessian(codes, np.ascontiguousarray(start), shares)
        return float(hessian.sum())

    @property
    def _classes(self) -> tuple[PerClass, PerClass]:
        return self.class_gamma, self.class_weight

    @property
    def _link(self) -> FocalLink | PosteriorLink:
        return LINKS[self.link](*self._classes)

    def _check_raw(self, raw_prediction: npt.ArrayLike) -> Array:
        """Margins as an array of the right shape and a known precision."""
        raw = floating(raw_prediction)
        if raw.ndim != 1 + len(self._row_shape) or raw.shape[1:] != self._row_shape:
            expected = f"(n, {self.n_classes})" if self._row_shape else "(n,)"
            raise ValueError(f"raw_prediction must have shape {expected}; got {tuple(raw.shape)}.")
        return raw

    def _evaluate(
        self,
        rows: tuple[Any, Array, Any],
        n_threads: int,
        finish: Mapping[str, Any] = MappingProxyType({}),
        *,
        loss: Array | None = None,
        gradient: Array | None = None,
        hessian: Array | None = None,
    ) -> None:
        """Fill the arrays that are given; ``finish`` is what `checked_options` returns."""
        check_integer(n_threads, "n_threads", 1)
        options = _kernels.Options(self.link, self.hessian, **finish)
        outputs = _kernels.Outputs(loss, gradient, hessian)
        if not _kernels.evaluate(*rows, *self._classes, options, outputs, n_threads=n_threads):
            self._refuse(rows[0], rows[2], outputs.wanted.dtype)

    def _refuse(self, codes: Any, weight: Any, dtype: npt.DTypeLike) -> None:
        """Raise the error that names the wrong code or weight, in the precision ``dtype``."""
        check_codes(codes, self.n_classes)
        check_row_weights(weight, dtype)

    def _totals(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> Array:
        """Sums of the weights of each class; a class without weight counts as very rare."""
        totals = checked_totals(y_true, self.n_classes, sample_weight)
        if not totals.any():
            raise ValueError(
                "y_true must have at least one row with a sample_weight above 0: otherwise there "
                "is no optimal constant."
            )
        floored: Array = np.maximum(totals, RAREST * totals.sum())
        return floored
