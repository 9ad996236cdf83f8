"""One way to compile: numba, in two precisions, without the GIL, cached on disk (floor 1)."""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.extending import intrinsic, overload


# numba inlines these, and would look for the names of types where it does
def fma(a, b, c):  # type: ignore[no-untyped-def]
    """Compute a b + c, rounded once where it is compiled."""
    return a * b + c


@intrinsic
def _llvm_fma(typing_context, a, b, c):  # type: ignore[no-untyped-def]
    return a(a, a, a), lambda context, builder, signature, arguments: builder.fma(*arguments)


@overload(fma, inline="always")
def _overload_fma(a, b, c):  # type: ignore[no-untyped-def]
    # the context is numba's to give
    return lambda a, b, c: _llvm_fma(a, b, c)  # type: ignore[call-arg]


def digest(modules: Iterable[ModuleType]) -> str:
    """Of the source of modules whose functions are inlined into loops."""
    texts = [Path(str(module.__file__)).read_bytes() for module in modules]
    return hashlib.sha256(b"".join(texts)).hexdigest()[:12]


class OptionalCache(FunctionCache):
    """numba's cache on disk, without which a loop compiles and runs as well.

    numba raises whatever a full disk or a damaged file leads to: OSError, EOFError,
    UnpicklingError, TypeError and more.
    """

    _warned = False

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled loop, or None where there is none that can be read."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception as error:
            if not isinstance(error, OSError):
                with suppress(Exception):
                    self.flush()  # an empty index takes the place of a damaged one
            self._warn("read from", error)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled loop if that is possible."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except Exception as error:
            self._warn("written to", error)

    def _warn(self, done: str, error: Exception) -> None:
        """Warn once in a process: what happens to one loop happens to the others."""
        if OptionalCache._warned:
            return
        OptionalCache._warned = True
        warnings.warn(
            f"Compiled code cannot be {done} numba's cache, the files *.nbi and *.nbc in "
            f"{self.cache_path} ({type(error).__name__}: {error}). It is compiled again, which "
            "can take a minute; results are the same. If this comes back: delete these files, "
            "free space on the disk, or set the environment variable NUMBA_CACHE_DIR to a folder "
            "that can be written to.",
            RuntimeWarning,
            stacklevel=3,
        )


def jit(function: FunctionType, tag: str, cache: bool = True) -> Callable[..., Any]:
    """Compile a loop on first use; keep the code on disk where a directory is writable.

    numba renews its cache when the file of the cached function changes, not when a
    function that was inlined from another file does: ``tag`` in the cache's file name
    does that. ``error_model="numpy"``: a division by zero is an infinity, not a Python
    exception, whose check would keep the loop from vectorising.
    """
    function.__qualname__ += f"_{tag}"
    compiled: Callable[..., Any] = numba.njit(nogil=True, error_model="numpy")(function)
    if cache and hasattr(compiled, "_cache"):  # not where numba is told to leave Python as it is
        with suppress(RuntimeError):  # numba found no place that it may write to
            # what `numba.njit(cache=True)` does, with numba's own class
            compiled._cache = OptionalCache(function)
    return compiled


def _inlined(function: FunctionType) -> Callable[..., Any]:
    """Compile into whatever calls it; a b + c may be one operation, nothing else may move."""
    return numba.njit(error_model="numpy", fastmath={"contract"}, forceinline=True)(function)


def bind(
    formulas: Iterable[ModuleType],
    loops: Iterable[ModuleType],
    real: Any,
    *,
    cache: bool = True,
    instead: Mapping[str, str] = MappingProxyType({}),
    inlined: Callable[[FunctionType], Callable[..., Any]] = _inlined,
    **names: Any,
) -> dict[str, Any]:
    """The functions of modules, compiled in one precision, calling each other.

    They keep their source. What is exchanged are the functions they look up, where those
    of later modules replace those of earlier ones that have the same name, and then
    ``names``; and literals, which become ``real``: beside a Python float, numba would
    compute in double.

    Parameters
    ----------
    formulas, loops : iterables of modules
        Functions of ``loops`` are cached on disk; those of ``formulas``, and those with an
        underscore, are inlined.
    real : {numpy.float32, numpy.float64}
        The precision.
    cache : bool, default=True
        Whether loops are kept on disk.
    instead : mapping, default={}
        {name: name of the function to use in its place}.
    inlined : callable, default=for the CPU
        Compiles the functions that are no loops.
    **names
        Other globals, among them functions to use instead of the modules'.

    Returns
    -------
    dict
        The compiled functions by name.
    """
    formulas, loops = list(formulas), list(loops)
    namespaces = {module: dict(vars(module)) for module in (*formulas, *loops)}
    compiled: dict[str, Any] = {}
    exchanged = [v for v in names.values() if isinstance(v, (float, int, np.generic, tuple))]
    constants_digest = hashlib.sha256(repr(exchanged).encode()).hexdigest()[:6]
    parts = np.dtype(real).name, *instead.values(), constants_digest, digest([*formulas, *loops])
    tag = "_".join(parts)
    for module, namespace in namespaces.items():
        for name, function in vars(module).items():
            own = isinstance(function, FunctionType) and function.__module__ == module.__name__
            if not own or name in names:
                continue
            code = getattr(module, instead.get(name, name)).__code__
            constants = tuple(real(c) if isinstance(c, float) else c for c in code.co_consts)
            bound = FunctionType(code.replace(co_consts=constants), namespace, name)
            bound.__module__ = module.__name__
            is_loop = module in loops and not name.startswith("_")
            compiled[name] = jit(bound, tag, cache) if is_loop else inlined(bound)
    for namespace in namespaces.values():
        namespace |= {**compiled, "real": real, **names}
    return compiled
