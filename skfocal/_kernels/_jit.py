"""One way to compile: numba without the GIL, cached on disk (floor 1)."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numba

from skfocal import _math

# numba renews its cache when the file of the cached function changes, not when a function
# that was inlined from another file does. The digest in the cache's file name does that.
_FORMULAS = hashlib.sha256(Path(_math.__file__).read_bytes()).hexdigest()[:12]


def jit(function: Callable) -> Callable:
    """Compile a loop on first use; keep the code on disk where a directory is writable.

    ``error_model="numpy"``: a division by zero is an infinity, not a Python exception,
    whose check would keep the loop from vectorising.
    """
    function.__qualname__ += f"_{_FORMULAS}"
    try:
        return numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # numba found no place that it may write to
        return numba.njit(nogil=True, error_model="numpy")(function)


def bind_formulas(**replacements: Callable) -> dict[str, Any]:
    """The functions of ``_math``, compiled, calling each other and ``replacements``.

    The functions keep their source; only the globals they look up are exchanged, so that
    ``bind_formulas(exp=fast_exp, log1p=fast_log1p)`` gives the same formulas on other
    elementary functions.
    """
    namespace = {**vars(_math), **replacements}
    own = [name for name, value in vars(_math).items() if isinstance(value, FunctionType)]
    for name in own:
        bound = FunctionType(vars(_math)[name].__code__, namespace, name)
        namespace[name] = numba.njit(error_model="numpy")(bound)
    return namespace
