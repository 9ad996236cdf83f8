"""Parameters of the two losses, and their loss, gradient and Hessian of each row (floor 2)."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal import _kernels
from skfocal._kernels import Array, PerClass
from skfocal.losses._parameters import (
    Hessian,
    Link,
    check_alpha,
    check_choice,
    check_gamma,
    check_integer,
    check_number,
)
from skfocal.losses._rows import check_codes, check_row_weights, numbers

HESSIANS = ("upper", "exact", "abs")
LINKS = ("focal", "posterior")
# Smallest bound of a step: its inverse multiplies gradients, in single precision too.
MIN_STEP = 1e-30


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
    must be there too, and neither is checked.

    Margins are not looked at, so that a pass over them is saved: what belongs to a row with a
    NaN or an infinite margin means nothing, and is NaN as a rule. Other rows are right.
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
        TypeError, ValueError
            If an array does not hold numbers, shapes do not fit, a code is none of 0..K-1, a
            weight is negative or not finite, or ``n_threads`` is no integer >= 1.
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
        TypeError, ValueError
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
        TypeError, ValueError
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
        TypeError, ValueError
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
        max_step : float >= 1e-30, default=inf
            The ``"upper"`` Hessian, under the posterior link the expected one, is raised to
            abs(gradient) / max_step where it is smaller, so that no sum of gradients over a
            sum of Hessians exceeds it.
        min_hessian : float, default=-inf
            Floor of the Hessian, after all else.
        scale : float > 0, default=1.0
            Multiplies gradient and Hessian.
        hessian_scale : float > 0, default=1.0
            Multiplies the diagonal of the multiclass Hessian. XGBoost's own softmax
            objective has 2 here, LightGBM's K / (K - 1).
        bits : int from 1 to 53, default=53
            Significant bits that results are rounded to before sample weights multiply.
            With 22, float32 results for the weights 1 to 4 are exactly multiples of the
            unweighted ones, as if rows were repeated.
        dtype : {float32, float64}, default=None
            Precision of the result, that of ``raw_prediction`` if None.
        out : (ndarray, ndarray), default=None
            Arrays to fill and return: of the shape of ``raw_prediction``, both float32 or both
            float64, sharing no memory with each other or with the input. Their precision is
            that of the result.
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
        TypeError, ValueError
            As in `loss`, or if ``out`` does not fit or another argument is not as described.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        options = _options(max_step, min_hessian, scale, hessian_scale, bits)
        if out is None:
            dtype = _floating_dtype(dtype)
            out = _kernels.like(rows[1], dtype), _kernels.like(rows[1], dtype)
        else:
            _check_out(out, dtype, rows)
        gradient, hessian = (a if _kernels.on_device(a) else np.asarray(a) for a in out)
        self._evaluate(*rows, gradient=gradient, hessian=hessian, n_threads=n_threads, **options)
        return out[0], out[1]

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
        given = {"y_true": y_true, "sample_weight": sample_weight}
        on_device = _kernels.on_device(raw)
        for name, value in given.items():
            if value is not None and _kernels.on_device(value) != on_device:
                raise TypeError(
                    f"{name} and raw_prediction must both be on a device or both in the memory of "
                    f"the host; got {type(value).__name__} and {type(raw).__name__}."
                )
        if on_device:
            return y_true, raw, sample_weight
        arrays = {k: None if v is None else numbers(v, k) for k, v in given.items()}
        arrays["y_true"] = numbers(y_true, "y_true")
        for name, array in arrays.items():
            if array is not None and array.shape != raw.shape[:1]:
                raise ValueError(
                    f"{name} must have shape {raw.shape[:1]}, one value for each row of "
                    f"raw_prediction; got {array.shape}."
                )
        return arrays["y_true"], raw, arrays["sample_weight"]

    def _evaluate(self, codes: Any, raw: Array, weight: Any, **options: Any) -> None:
        check_integer(options.get("n_threads", 1), "n_threads", 1)
        if not _kernels.evaluate(
            codes, raw, weight, *self._classes, link=self.link, policy=self.hessian, **options
        ):
            outputs = (options.get(name) for name in ("loss", "gradient", "hessian"))
            self._refuse(codes, weight, next(out.dtype for out in outputs if out is not None))

    def _refuse(self, codes: Any, weight: Any, dtype: npt.DTypeLike) -> None:
        """Say which code or weight the loops have found wrong, in the precision ``dtype``."""
        check_codes(codes, self.n_classes)
        check_row_weights(weight, dtype)


def _options(
    max_step: Any, min_hessian: Any, scale: Any, hessian_scale: Any, bits: Any
) -> dict[str, Any]:
    """Arguments of `gradient_hessian` as the loops have them."""

    def positive(value: float) -> bool:
        return 0 < value < np.inf

    step = check_number(
        max_step, "max_step", f"a number >= {MIN_STEP:g}, inf for no bound", lambda x: x >= MIN_STEP
    )
    floor = "a number, -inf for no floor"
    return {
        "ratio": 1.0 / step,
        "floor": check_number(min_hessian, "min_hessian", floor, lambda x: x < np.inf),
        "scale": check_number(scale, "scale", "a finite number > 0", positive),
        "hessian_scale": check_number(
            hessian_scale, "hessian_scale", "a finite number > 0", positive
        ),
        "bits": check_integer(bits, "bits", 1, 53),
    }


def _floating_dtype(dtype: Any) -> np.dtype[Any] | None:
    """Single or double precision in native byte order, or None."""
    if dtype is None:
        return None
    try:
        known: np.dtype[Any] | None = np.dtype(dtype)
    except (TypeError, ValueError):
        known = None
    if known not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32, float64 or None; got {dtype!r}.")
    return known


def _check_out(out: Any, dtype: Any, rows: tuple[Any, Array, Any]) -> None:
    """The two arrays that a caller wants filled, whose precision is not to be told twice."""
    raw = rows[1]
    kind = "arrays on the device" if _kernels.on_device(raw) else "NumPy arrays"
    expected = f"out must be two arrays of shape {tuple(raw.shape)}, both float32 or both float64"
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        raise TypeError(f"{expected}; got {type(out).__name__}, not a pair of {kind}.")
    if _kernels.on_device(raw):
        if not all(map(_kernels.on_device, out)):
            raise TypeError(f"{expected}, {kind}; got {[type(a).__name__ for a in out]}.")
        return
    if not all(isinstance(a, np.ndarray) for a in out):
        raise TypeError(f"{expected}, {kind}; got {[type(a).__name__ for a in out]}.")
    got = [(a.shape, str(a.dtype)) for a in out]
    if any(a.dtype not in (np.float32, np.float64) or a.shape != raw.shape for a in out):
        raise ValueError(f"{expected}; got {got}.")
    if out[0].dtype != out[1].dtype or _floating_dtype(dtype) not in (None, out[0].dtype):
        raise ValueError(f"{expected}, and dtype None or the same; got {got}, dtype {dtype!r}.")
    if not all(a.flags.writeable for a in out):
        raise ValueError("out must be two arrays that can be written to; got a read-only one.")
    inputs = [a for a in rows if a is not None]
    if np.shares_memory(*out) or any(np.may_share_memory(a, b) for a in out for b in inputs):
        raise ValueError(
            "out must be two arrays that share no memory, with each other or with y_true, "
            "raw_prediction and sample_weight; give others, such as np.empty_like(raw_prediction)."
        )
