"""`evaluate` and posteriors for margins on a CUDA device.

The kernels use the formulas and elementary functions of the CPU's loops, in the precision that
`_choice` decides for both. ``_cuda_rows`` combines them, with one row in each thread. Kernels
are compiled on first use and kept in the process. They run on the default stream of the
current device, and no function here waits for them. Only constants of the classes are copied
to the device, once.

An array is any object with ``__cuda_array_interface__``; its strides do not matter.
"""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from math import log
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda

from skfocal import _math
from skfocal._kernels import (
    _binary,
    _cuda_rows,
    _elementary,
    _multiclass,
    _posterior_binary,
    _posterior_multiclass,
    _simplex,
)
from skfocal._kernels._choice import Choice, Options, Outputs, choose, rounding
from skfocal._kernels._forms import Array, PerClass
from skfocal._kernels._jit import bind
from skfocal._kernels._precision import constants
from skfocal._kernels._slopes import slope_table

FOCAL = [_math, _elementary, _binary, _multiclass]
POSTERIOR = [*FOCAL, _posterior_binary, _simplex, _posterior_multiclass]

THREADS_PER_BLOCK = 128
# numba warns about smaller grids. Blocks without rows end at once.
MIN_BLOCKS = 128
# Kernels on the default stream wait for these streams by themselves: none given, the default
# stream, and the default stream of a thread.
_DEFAULT_STREAMS = (None, 1, 2)


class Variant(NamedTuple):
    """All that a kernel is compiled for, beside the types of its arguments."""

    kernel: str
    real: Any
    link: str
    raw_type: Any
    n_classes: int
    cross_entropy: bool = False
    absolute: bool | None = None
    has_weight: bool = False
    fill: tuple[bool, ...] = (False, False, False)


def _device_function(function: FunctionType) -> Any:
    """Compile a function for its callers; a kernel, which has none, stays as it is."""
    is_kernel = function.__name__.endswith("_kernel")
    return function if is_kernel else cuda.jit(device=True)(function)


def _bound(modules: Iterable[ModuleType], real: Any, **options: Any) -> dict[str, Any]:
    return bind(
        [*modules, _cuda_rows],
        [],
        real,
        inlined=_device_function,
        BLOCK=1,
        **constants(real),
        **options,
    )


def python_kernel(variant: Variant) -> FunctionType:
    """The kernel as a Python function with its constants and compiled callees as globals."""
    instead = {}
    if variant.cross_entropy:
        instead["loss_gradient_hessian"] = "cross_entropy"
    if variant.link == "posterior":
        instead["_binary_terms"] = "_posterior_binary_terms"
    functions = _bound(
        FOCAL if variant.link == "focal" else POSTERIOR,
        variant.real,
        instead=instead,
        double_multiclass_margins=_bound(FOCAL, np.float64)["multiclass_margins"],
        raw_type=variant.raw_type,
        N_CLASSES=variant.n_classes,
        ABSOLUTE=variant.absolute,
        HAS_WEIGHT=variant.has_weight,
        FILL_LOSS=variant.fill[0],
        FILL_GRADIENT=variant.fill[1],
        FILL_HESSIAN=variant.fill[2],
        FOCAL_LINK=variant.link == "focal",
    )
    kernel: FunctionType = functions[variant.kernel]
    return kernel


def signature(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Types of a kernel's arguments: of an array, dtype and number of dimensions."""
    return tuple(
        numba.types.Array(numba.from_dtype(a.dtype), a.ndim, "A")
        if getattr(a, "ndim", 0)
        else numba.typeof(a)
        for a in arguments
    )


@cache
def _compiled(variant: Variant, types: tuple[Any, ...]) -> Any:
    return cuda.jit(types)(python_kernel(variant))


def _launch(variant: Variant, n_rows: int, arguments: tuple[Any, ...]) -> None:
    if n_rows:
        n_blocks = max(-(-n_rows // THREADS_PER_BLOCK), MIN_BLOCKS)
        kernel = _compiled(variant, signature(arguments))
        kernel[n_blocks, THREADS_PER_BLOCK](*arguments)


def _device_array(array: Any) -> Any:
    """The array as an array of numba; waits for another stream that may still fill it."""
    if array is None or getattr(array, "__cuda_ndarray__", False):
        return array
    stream = array.__cuda_array_interface__.get("stream")
    return cuda.as_cuda_array(array, sync=stream not in _DEFAULT_STREAMS)


@lru_cache(maxsize=256)
def _copied(make: Callable[..., Array], arguments: tuple[Any, ...], context: Any) -> Any:
    return cuda.to_device(make(*arguments))


def _constants(make: Callable[..., Array], *arguments: Any) -> Any:
    """The result of ``make``, copied to the current device once."""
    return _copied(make, arguments, cuda.current_context())


def _solver_constants(gamma: PerClass, weight: PerClass) -> Array:
    space = _simplex._solver_space(np.array(gamma), np.array(weight))
    constants: Array = space[-1]
    return constants


def _kernel_name(choice: Choice, binary: bool) -> str:
    if not binary:
        return "multiclass_kernel" if choice.link == "focal" else "multiclass_posterior_kernel"
    return "tabulated_kernel" if choice.tabulated else "binary_kernel"


def _class_arguments(kernel: str, real: Any, gamma: PerClass, weight: PerClass) -> tuple[Any, ...]:
    """The arguments of a kernel that describe the classes."""
    if kernel == "multiclass_kernel":
        return _constants(np.array, gamma, real), _constants(np.array, weight, real)
    if kernel == "multiclass_posterior_kernel":
        double = (_constants(np.array, values, np.float64) for values in (gamma, weight))
        return *double, _constants(_solver_constants, gamma, weight)
    shift, weights = log(weight[1]) - log(weight[0]), tuple(map(real, weight))
    if kernel == "binary_kernel":
        return tuple(map(real, gamma)), weights, real(shift)
    table = _constants(slope_table, gamma)
    n_octaves = len(table) // (2 * _posterior_binary.PIECES)
    return table, weights, shift, real(2.0**n_octaves * 0.9999)


def _rounding(bits: int, real: Any) -> tuple[Any, ...]:
    """`rounding` as arguments of a kernel; 0 and -1 leave everything as it is."""
    integer = np.int32 if real is np.float32 else np.int64
    half, mask = rounding(bits, real) or (0, -1)
    return integer(half), integer(mask)


def _check(raw: Any, n_classes: int, *others: tuple[Any, tuple[int, ...]]) -> None:
    """Check shapes and dtypes: kernels do not, and would read or write past an array's end."""
    if raw.shape[1:] != (() if raw.ndim == 1 and n_classes == 2 else (n_classes,)):
        raise ValueError(f"raw_prediction of shape {raw.shape} is not that of {n_classes} classes.")
    for array, shape in ((raw, raw.shape), *others):
        if array is not None and array.shape != shape:
            raise ValueError(
                f"y_true, sample_weight and raw_prediction must be of the same rows: an array has "
                f"shape {array.shape}, and not {shape}."
            )
        if array is not None and array.dtype not in (np.float32, np.float64):
            raise TypeError(
                "y_true, sample_weight and raw_prediction on a device must be float32 or float64; "
                f"got {array.dtype}."
            )


def evaluate(
    y_true: Any,
    raw: Any,
    sample_weight: Any,
    gamma: PerClass,
    weight: PerClass,
    options: Options,
    outputs: Outputs,
) -> None:
    """As `skfocal._kernels.evaluate`, with all arrays on the device.

    Labels are not checked: if one is no code, the outputs mean nothing.
    """
    y_true, raw, sample_weight = map(_device_array, (y_true, raw, sample_weight))
    outputs = Outputs(*map(_device_array, outputs))
    of_rows = [(array, raw.shape[:1]) for array in (y_true, sample_weight, outputs.loss)]
    _check(raw, len(gamma), *of_rows, *((array, raw.shape) for array in outputs[1:]))
    binary = raw.ndim == 1
    choice = choose(gamma, weight, options, outputs.wanted, binary=binary, table_fills_both=False)
    real = choice.real
    variant = Variant(
        _kernel_name(choice, binary),
        real,
        choice.link,
        raw.dtype.type,
        len(gamma),
        cross_entropy=choice.cross_entropy,
        absolute=options.absolute,
        has_weight=sample_weight is not None,
        fill=tuple(array is not None for array in outputs),
    )
    # None cannot be an argument of a kernel: another array, which is not used, takes its place
    substitutes = y_true, raw, y_true, y_true, raw, raw
    given = (y_true, raw, sample_weight, *outputs)
    arrays = (b if a is None else a for a, b in zip(given, substitutes, strict=True))
    weight = tuple(options.scale * w for w in weight)
    of_classes = _class_arguments(variant.kernel, real, gamma, weight)
    finish = real(options.ratio), real(options.floor), *_rounding(options.bits, real)
    diagonal = () if binary else (real(options.hessian_scale),)
    _launch(variant, len(raw), (*arrays, *of_classes, *finish, *diagonal))


def posterior(raw: Any, gamma: PerClass, weight: PerClass, link: str, out: Any) -> None:
    """Fill ``out`` (n, K) with P(class | row) of margins (n,) or (n, K), computed in double."""
    raw, out = _device_array(raw), _device_array(out)
    _check(raw, len(gamma), (out, (len(raw), len(gamma))))
    if raw.ndim == 1:
        kernel, of_classes = "binary_probability_kernel", (gamma, log(weight[1] / weight[0]))
    else:
        kernel = "multiclass_probability_kernel"
        of_classes = _constants(np.array, gamma, np.float64), _constants(np.log, weight)
    variant = Variant(kernel, np.float64, link, raw.dtype.type, len(gamma))
    _launch(variant, len(raw), (raw, out, *of_classes))
