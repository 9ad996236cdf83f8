"""Arrays on a CUDA device, of any library: recognise, allocate, convert and copy them."""

from typing import Any

import numpy as np
import numpy.typing as npt


def on_device(array: Any) -> bool:
    """Whether this is an array of CuPy, PyTorch, numba or another library on a CUDA device."""
    return hasattr(array, "__cuda_array_interface__")


def empty_like(array: Any, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
    """An array to fill, on the device of ``array``, and of its library where this is known."""
    library = type(array).__module__.partition(".")[0]
    name = np.dtype(dtype).name
    if library == "torch":
        import torch

        return torch.empty(shape, dtype=getattr(torch, name), device=array.device)
    if library == "cupy":
        import cupy

        return cupy.empty(shape, dtype=name)
    from numba import cuda

    return cuda.device_array(shape, dtype=name)


def of_library(array: Any, other: Any) -> Any:
    """A device array as an array of the library of ``other``, without a copy."""
    library = type(other).__module__.partition(".")[0]
    if library == "torch":
        import torch

        return torch.as_tensor(array, device=other.device)
    if library == "numba":
        from numba import cuda

        return cuda.as_cuda_array(array)
    return array


def dtype_of(array: Any) -> np.dtype[Any]:
    """The NumPy type of the numbers in a device array."""
    dtype: np.dtype[Any] = np.dtype(array.__cuda_array_interface__["typestr"])
    return dtype


def fetched(array: Any) -> Any:
    """The array in the memory of the host; an array that is there is returned as it is."""
    if not on_device(array):
        return array
    from numba import cuda

    return cuda.as_cuda_array(array).copy_to_host()


def sent_like(array: Any, host: npt.NDArray[Any]) -> Any:
    """A host array as one of the library and on the device of ``array``."""
    from numba import cuda

    sent = empty_like(array, host.shape, host.dtype)
    cuda.as_cuda_array(sent).copy_to_device(np.ascontiguousarray(host))
    return sent
