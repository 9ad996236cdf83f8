"""Parameters of the two losses, and their loss, gradient and Hessian of each row (floor 2)."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal import _kernels
from skfocal._kernels import Array, PerClass
from skfocal._parameters import Hessian, Link, check_alpha, check_choice, check_gamma
from skfocal._rows import check_codes

HESSIANS = ("upper", "exact", "abs")
LINKS = ("focal", "posterior")


class RowLoss(ABC):
    """Parameters, and loss, gradient and Hessian of each row.

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
            Weighted, not summed.

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
        ValueError
            As in `loss`.
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
        ValueError
            As in `loss`.
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
        ValueError
            As in `loss`.
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
        y_true, raw_prediction, sample_weight : array-like
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
        out : (ndarray, ndarray), default=None
            Arrays of the shape of ``raw_prediction`` to fill and return; their precision
            is then that of the result.
        n_threads : int, default=1
            As in `loss`.

        Returns
        -------
        gradient : ndarray of shape (n,) or (n, K)
            The shape of ``raw_prediction``; in Fortran order where it is.
        hessian : ndarray of shape (n,) or (n, K)
            As the gradient.

        Raises
        ------
        ValueError
            As in `loss`, or if ``out`` does not fit.
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

    @property
    def _classes(self) -> tuple[PerClass, PerClass]:
        return self.class_gamma, self.class_weight

    @abstractmethod
    def _check_raw(self, raw_prediction: npt.ArrayLike) -> Array:
        """Margins as an array of the right shape and a known precision."""

    def _rows(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
    ) -> tuple[Any, Array, Any]:
        """Checked codes, margins and weights; on a device codes and weights as they are."""
        raw = self._check_raw(raw_prediction)
        if _kernels.on_device(raw):
            return y_true, raw, sample_weight
        codes = np.asarray(y_true, dtype=np.float32)
        weight = None if sample_weight is None else np.asarray(sample_weight)
        for name, array in (("y_true", codes), ("sample_weight", weight)):
            if array is not None and array.shape != raw.shape[:1]:
                raise ValueError(
                    f"{name} must have shape {raw.shape[:1]}, one value for each row of "
                    f"raw_prediction; got {array.shape}."
                )
        return codes, raw, weight

    def _evaluate(self, codes: Any, raw: Array, weight: Any, **options: Any) -> None:
        if not _kernels.evaluate(
            codes, raw, weight, *self._classes, link=self.link, policy=self.hessian, **options
        ):
            check_codes(codes, self.n_classes)
