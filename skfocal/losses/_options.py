"""The arguments of `gradient_hessian`: checked, and as the loops have them."""

from typing import Any

import numpy as np

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal.losses._parameters import check_integer, check_number

# Smallest bound of a step: its inverse multiplies gradients, in single precision too.
MIN_STEP = 1e-30


def checked_options(
    max_step: Any, min_hessian: Any, scale: Any, hessian_scale: Any, bits: Any
) -> dict[str, Any]:
    """What bounds, scales and rounds gradients and Hessians, as the loops have it."""

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


def floating_dtype(dtype: Any) -> np.dtype[Any] | None:
    """Single or double precision in native byte order; None stays None."""
    if dtype is None:
        return None
    try:
        known: np.dtype[Any] | None = np.dtype(dtype)
    except (TypeError, ValueError):
        known = None
    if known not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32, float64 or None; got {dtype!r}.")
    return known


def check_out(out: Any, dtype: Any, rows: tuple[Any, Array, Any]) -> None:
    """Check the two arrays that a caller wants filled.

    They have the result's precision, so ``dtype`` must be None or the same.
    """
    raw = rows[1]
    expected_type = "arrays on the device" if _kernels.on_device(raw) else "NumPy arrays"
    expected = f"out must be two arrays of shape {tuple(raw.shape)}, both float32 or both float64"
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        raise TypeError(f"{expected}; got {type(out).__name__}, not a pair of {expected_type}.")
    if _kernels.on_device(raw):
        if not all(map(_kernels.on_device, out)):
            raise TypeError(f"{expected}, {expected_type}; got {[type(a).__name__ for a in out]}.")
        return
    if not all(isinstance(a, np.ndarray) for a in out):
        raise TypeError(f"{expected}, {expected_type}; got {[type(a).__name__ for a in out]}.")
    got = [(a.shape, str(a.dtype)) for a in out]
    if any(a.dtype not in (np.float32, np.float64) or a.shape != raw.shape for a in out):
        raise ValueError(f"{expected}; got {got}.")
    if out[0].dtype != out[1].dtype or floating_dtype(dtype) not in (None, out[0].dtype):
        raise ValueError(f"{expected}, and dtype None or the same; got {got}, dtype {dtype!r}.")
    if not all(a.flags.writeable for a in out):
        raise ValueError("out must be two arrays that can be written to; got a read-only one.")
    inputs = [a for a in rows if a is not None]
    if np.shares_memory(*out) or any(np.may_share_memory(a, b) for a in out for b in inputs):
        raise ValueError(
            "out must be two arrays that share no memory, with each other or with y_true, "
            "raw_prediction and sample_weight; give others, such as np.empty_like(raw_prediction)."
        )
