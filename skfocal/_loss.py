"""What the two losses share: checks, weights, loops over rows (floor 2)."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal import _kernels
from skfocal._kernels import Array, PerClass
from skfocal._parameters import check_alpha, check_choice, check_gamma, class_totals, row_blocks

HESSIANS = ("upper", "exact", "abs")
LINKS = ("focal", "posterior")


class FocalLossBase(ABC):
    """What the two losses share.

    Conventions
    -----------
    Classes are codes 0..K-1 of any dtype; in binary problems code 1 is "positive".
    Whatever there is one of per class (weights, gamma, columns) is in that order.
    ``raw_prediction`` are margins, of shape (n,) for `BinaryFocalLoss` and (n, K) for
    `MulticlassFocalLoss`; gradients and Hessians have its shape, losses one value per
    row. Nothing is summed or averaged. All are multiplied by the class weight and by
    ``sample_weight``. The precision of what is returned is that of ``raw_prediction``:
    float32 stays float32, everything else is float64. float64 is computed in double, to
    1e-12 (posterior link: 1e-10); float32 in single precision, to 1e-5, but in double for
    cross-entropy, for the Hessians "exact" and "abs" and for losses under the posterior link.

    Margins on a CUDA device (CuPy, PyTorch, numba) stay there, and so does what `loss`,
    `gradient_hessian` and their kin, and `posterior`, return; labels, as float32, and weights
    must be there too, and labels are not checked.
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
        if self.link == "posterior" and self.hessian != "upper":
            raise ValueError(
                f"hessian={self.hessian!r} is for link='focal': under link='posterior' the "
                "Hessian is the expected one, which is positive. Leave hessian='upper'."
            )

    @property
    def class_weight(self) -> PerClass:
        """Weight of each class: alpha as a tuple of K floats, all 1 for alpha None."""
        return check_alpha(self.alpha, self.n_classes) or (1.0,) * self.n_classes

    @property
    def class_gamma(self) -> PerClass:
        """Gamma of each class, a tuple of K floats."""
        return self.gamma if isinstance(self.gamma, tuple) else (self.gamma,) * self.n_classes

    @property
    def is_cross_entropy(self) -> bool:
        """Whether this is cross-entropy of the sigmoid or softmax, by class weighted or not.

        So it is where gamma is 0 for every class, under the posterior link with equal
        weights only.
        """
        return _kernels.is_cross_entropy(*self._classes, self.link)

    @property
    def raw_is_posterior(self) -> bool:
        """Whether the sigmoid or softmax of the margins is the posterior."""
        unweighted = len(set(self.class_weight)) == 1
        return self.link == "posterior" or (unweighted and not any(self.class_gamma))

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
            Multiplied in; None for none.
        n_threads : int, default=1
            Threads to use at most; few rows are done by one.

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        ValueError
            If shapes do not fit or a code is none of 0..K-1.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        loss = _kernels.per_row(rows[1])
        self._evaluate(*rows, loss=loss, n_threads=n_threads)
        return loss

    def gradient(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        n_threads: int = 1,
    ) -> Array:
        """Gradient of each row's loss in its margins; parameters as in `loss`.

        Returns
        -------
        ndarray of the shape of ``raw_prediction``
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        gradient = _kernels.like(rows[1])
        self._evaluate(*rows, gradient=gradient, n_threads=n_threads)
        return gradient

    def loss_gradient(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        n_threads: int = 1,
    ) -> tuple[Array, Array]:
        """Loss and gradient of each row in one pass; parameters as in `loss`.

        Returns
        -------
        loss : ndarray of shape (n,)
        gradient : ndarray of the shape of ``raw_prediction``
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        loss, gradient = _kernels.per_row(rows[1]), _kernels.like(rows[1])
        self._evaluate(*rows, loss=loss, gradient=gradient, n_threads=n_threads)
        return loss, gradient

    def loss_gradient_hessian(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        n_threads: int = 1,
    ) -> tuple[Array, Array, Array]:
        """Loss, gradient and Hessian of each row in one pass; parameters as in `loss`.

        Returns
        -------
        loss : ndarray of shape (n,)
        gradient, hessian : ndarray of the shape of ``raw_prediction``
            As of `gradient_hessian` without options.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        loss = _kernels.per_row(rows[1])
        gradient, hessian = _kernels.like(rows[1]), _kernels.like(rows[1])
        self._evaluate(*rows, loss=loss, gradient=gradient, hessian=hessian, n_threads=n_threads)
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

        Under the focal link the Hessian is the one that ``hessian`` names: ``"upper"``, a
        positive bound of the true one; ``"exact"``, negative on badly missed rows;
        ``"abs"``, its size. Under the posterior link it is the expected one, over labels
        drawn from the posterior of the margins, which is positive too.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight
            As in `loss`.
        max_step : float, default=inf
            The ``"upper"`` Hessian, under the posterior link the expected one, is raised to
            abs(gradient) / max_step where it is smaller, so that no sum of gradients over a
            sum of Hessians exceeds it.
        min_hessian : float, default=-inf
            Floor of the Hessian, after all else.
        scale : float, default=1.0
            Multiplies gradient and Hessian.
        hessian_scale : float, default=1.0
            Multiplies the diagonal of the multiclass Hessian. XGBoost's own softmax
            objective has 2 here, LightGBM's K / (K - 1).
        bits : int, default=53
            Significant bits that results are rounded to before sample weights multiply.
            With 22, float32 results for the weights 1 to 4 are exactly multiples of the
            unweighted ones, as if rows were repeated.
        dtype : {float32, float64}, default=None
            Precision of the result, that of ``raw_prediction`` if None.
        out : pair of ndarray, default=None
            Arrays of the shape of ``raw_prediction`` to fill and return; their precision
            is then that of the result.
        n_threads : int, default=1
            As in `loss`.

        Returns
        -------
        gradient, hessian : ndarray of the shape of ``raw_prediction``
            In Fortran order where ``raw_prediction`` is.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        if out is None:
            out = _kernels.like(rows[1], dtype), _kernels.like(rows[1], dtype)
        elif any(a.shape != rows[1].shape or a.dtype != out[0].dtype for a in out):
            raise ValueError(
                f"out must be two arrays of shape {rows[1].shape} and of one dtype; got "
                f"{[(a.shape, str(a.dtype)) for a in out]}."
            )
        self._evaluate(
            *rows,
            gradient=out[0],
            hessian=out[1],
            ratio=1.0 / max_step,
            floor=min_hessian,
            bits=bits,
            scale=scale,
            hessian_scale=hessian_scale,
            n_threads=n_threads,
        )
        return out

    @abstractmethod
    def intercept(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float | Array:
        """The constant margin with the smallest weighted loss."""

    @abstractmethod
    def posterior(self, raw_prediction: npt.ArrayLike) -> Array:
        """P(class | row) of the population behind the margins, shape (n, K)."""

    @abstractmethod
    def raw_prediction(self, posterior: npt.ArrayLike) -> Array:
        """The margins that have the given posterior, shape (n, K)."""

    @abstractmethod
    def convert(self, raw_prediction: npt.ArrayLike, link: str) -> Array:
        """The margins that say the same under another link, {"focal", "posterior"}."""

    @abstractmethod
    def decision(self, raw_prediction: npt.ArrayLike) -> Array:
        """Scores whose sign or argmax is the class with the largest weight x posterior."""

    @property
    def is_scaled(self) -> bool:
        """Whether `log_loss_scale` may differ from 1."""
        plain = not any(self.class_gamma) and set(self.class_weight) == {1.0}
        return self.link == "posterior" and not plain

    def log_loss_scale(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """The factor that brings the loss to the scale of log loss.

        Under the posterior link it makes the Hessian at the log-odds of the classes' shares,
        where training starts, as large as that of log loss: with it, what boosters compare
        with sums of Hessians (``min_child_weight``, ``min_sum_hessian_in_leaf``,
        ``reg_lambda``) keeps its meaning. It is 1 under the focal link.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes; a class without rows counts as very rare.
        sample_weight : array-like of shape (n,), default=None
            Non-negative.

        Returns
        -------
        float
        """
        if not self.is_scaled:
            return 1.0
        totals = checked_totals(y_true, self.n_classes, sample_weight)
        shares = np.maximum(totals / totals.sum(), 1e-9)
        start = self.raw_prediction(shares[np.newaxis])
        _, hessian = self.gradient_hessian(np.zeros(1), start)
        eta = self.posterior(start)
        variances = eta[:, 1] * eta[:, 0] if start.ndim == 1 else eta * (1.0 - eta)
        return float(variances.sum() / hessian.sum())

    @property
    def _classes(self) -> tuple[PerClass, PerClass]:
        return self.class_gamma, self.class_weight

    @property
    def _equal_gammas(self) -> bool:
        return len(set(self.class_gamma)) == 1

    def _totals(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> Array:
        totals = checked_totals(y_true, self.n_classes, sample_weight)
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
        if _kernels.on_device(raw):
            return y_true, raw, sample_weight  # type: ignore[return-value]
        codes = np.asarray(y_true, dtype=np.float32)
        weight = None if sample_weight is None else np.asarray(sample_weight)
        for name, array in (("y_true", codes), ("sample_weight", weight)):
            if array is not None and array.shape != raw.shape[:1]:
                raise ValueError(
                    f"{name} must have shape {raw.shape[:1]}, one value for each row of "
                    f"raw_prediction; got {array.shape}."
                )
        return codes, raw, weight

    def _evaluate(self, codes: Array, raw: Array, weight: Array | None, **options: Any) -> None:
        if not _kernels.evaluate(
            codes, raw, weight, *self._classes, link=self.link, policy=self.hessian, **options
        ):
            check_codes(codes, self.n_classes)


def check_codes(y_true: npt.ArrayLike, n_classes: int) -> npt.NDArray[np.float32]:
    """Class codes as float32, the dtype in which the boosters hold them."""
    codes = np.asarray(y_true, dtype=np.float32)
    valid = (codes >= 0) & (codes < n_classes) & (codes == np.floor(codes))
    if not valid.all():
        raise ValueError(
            f"y_true must hold class codes 0..{n_classes - 1}; got {codes[~valid].flat[0]:g}."
        )
    return codes


def checked_totals(
    y_true: npt.ArrayLike, n_classes: int, sample_weight: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    """`class_totals` of codes that are checked before."""
    codes = np.asarray(y_true)
    for rows in row_blocks(len(codes)):
        check_codes(codes[rows], n_classes)
    return class_totals(codes, n_classes, sample_weight)


def floating(array: npt.ArrayLike) -> Array:
    if _kernels.on_device(array):
        return array  # type: ignore[return-value]
    array = np.asarray(array)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
