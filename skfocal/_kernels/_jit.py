"""Compiles functions with numba: in two precisions, without the GIL, cached on disk."""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.caching import FunctionCache
from numba.extending import intrinsic, overload

# What calls a compiled function from C, and from Python, takes time to compile. numba's stubs do
# not know these options.
_NO_C_WRAPPER: dict[str, Any] = {"no_cfunc_wrapper": True}
_FEW_WRAPPERS: dict[str, Any] = {**_NO_C_WRAPPER, "no_cpython_wrapper": True}


# no annotations: numba inlines these functions and would look up the types' names there
def fma(a, b, c):  # type: ignore[no-untyped-def]
    """Compute a b + c; compiled code rounds it only once."""
    return a * b + c


@intrinsic
def _llvm_fma(typing_context, a, b, c):  # type: ignore[no-untyped-def]
    return a(a, a, a), lambda context, builder, signature, arguments: builder.fma(*arguments)


@overload(fma, inline="always")
def _overload_fma(a, b, c):  # type: ignore[no-untyped-def]
    # numba passes the context
    return lambda a, b, c: _llvm_fma(a, b, c)  # type: ignore[call-arg]


def use_full_width():  # type: ignore[no-untyped-def]
    """Let the compiled function use the widest vector registers of the processor."""


@intrinsic
def _llvm_full_width(typing_context):  # type: ignore[no-untyped-def]
    return types.none(), _allow_full_width


@overload(use_full_width, inline="always")
def _overload_full_width():  # type: ignore[no-untyped-def]
    # numba passes the context
    return lambda: _llvm_full_width()  # type: ignore[call-arg]


def _allow_full_width(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Make LLVM forget that it prefers registers of 256 bits on Intel's processors.

    It prefers them because the first processors with 512 bits run at a lower clock while they use
    all of them. Later ones do not. They are told apart by their instructions for permuting bytes.
    """
    *_, features = context.codegen().magic_tuple()
    if "+avx512vbmi2" in features.split(","):
        # llvmlite's own method refuses names that it does not know
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
    return context.get_dummy_value()


def digest(modules: Iterable[ModuleType]) -> str:
    """A digest of the source of modules."""
    texts = [Path(str(module.__file__)).read_bytes() for module in modules]
    return hashlib.sha256(b"".join(texts)).hexdigest()[:12]


class OptionalCache(FunctionCache):
    """numba's cache on disk; where it fails, loops are compiled and run all the same.

    On a full disk or with a damaged file, numba raises many types of errors: OSError, EOFError,
    UnpicklingError, TypeError and more.
    """

    _warned = False

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled loop, or None if none can be read."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception as error:
            if not isinstance(error, OSError):
                with suppress(Exception):
                    self.flush()  # an empty index takes the place of a damaged one
            self._warn("read from", error)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store a compiled loop if that is possible."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except Exception as error:
            self._warn("written to", error)

    def _warn(self, done: str, error: Exception) -> None:
        """Warn once in a process, because the cause is the same for all loops."""
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
    """Compile a loop on first use; store the code on disk where a directory is writable.

    numba renews its cache when the file of the cached function changes, but not when a function
    changes that was inlined from another file. ``tag`` is therefore part of the cache's file
    name. With ``error_model="numpy"`` a division by zero gives an infinity. Python's exception
    would need a check, which would keep the loop from vectorising.
    """
    function.__qualname__ += f"_{tag}"
    compiled: Callable[..., Any] = numba.njit(nogil=True, error_model="numpy", **_NO_C_WRAPPER)(
        function
    )
    if cache and hasattr(compiled, "_cache"):  # it has none where NUMBA_DISABLE_JIT is set
        with suppress(RuntimeError):  # numba found no directory that it may write to
            # as `numba.njit(cache=True)`, but with another class of cache
            compiled._cache = OptionalCache(function)
    return compiled


def _inlined(function: FunctionType, *flags: str) -> Callable[..., Any]:
    """Compile a function into its callers, which are compiled: Python cannot call it.

    Here a b + c may be rounded once; in loops it may not. To move such a formula from a loop to
    an inlined function therefore changes the last bits of results.
    """
    compiled: Callable[..., Any] = numba.njit(
        error_model="numpy", fastmath={"contract", *flags}, forceinline=True, **_FEW_WRAPPERS
    )(function)
    return compiled


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

    The functions keep their source. Two things are exchanged. Globals: each function sees the
    compiled functions of all modules, then ``names``. Literals: each float becomes a ``real``,
    because numba would compute in double beside a Python float.

    A module may have a function of a name that another module uses for something else, such as
    ``exp``. It then replaces the other in all modules, and must list the name in its constant
    ``REPLACES``. Functions that a module lists in ``REASSOCIATED`` may add the terms of a sum in
    any order, so that they vectorise.

    Parameters
    ----------
    formulas, loops : iterables of modules
        Functions of ``loops`` are cached on disk. Functions of ``formulas``, and those whose
        names start with an underscore, are inlined.
    real : {numpy.float32, numpy.float64}
        The precision.
    cache : bool, default=True
        Whether loops are kept on disk.
    instead : mapping, default={}
        {name: name of the function of the same module to use in its place}.
    inlined : callable, default=for the CPU
        Compiles the functions that are no loops.
    **names
        Other globals, among them functions to use instead of the modules'.

    Returns
    -------
    dict
        The compiled functions by name.

    Raises
    ------
    ValueError
        If a function replaces another and its module does not say so, or if a function has
        another one inside.
    """
    modules, loops = [*formulas, *loops], list(loops)
    namespaces = {module: dict(vars(module)) for module in modules}
    _check_replacements(modules)
    compiled: dict[str, Any] = {}
    exchanged = [v for v in names.values() if isinstance(v, (float, int, np.generic, tuple))]
    constants_digest = hashlib.sha256(repr(exchanged).encode()).hexdigest()[:6]
    tag = "_".join((np.dtype(real).name, *instead.values(), constants_digest, digest(modules)))
    for module, namespace in namespaces.items():
        for name in own_functions(module):
            if name in names:
                continue
            code = _in_precision(getattr(module, instead.get(name, name)), real)
            bound = FunctionType(code, namespace, name)
            bound.__module__ = module.__name__
            is_loop = module in loops and not name.startswith("_")
            if is_loop:
                compiled[name] = jit(bound, tag, cache)
            else:
                flags = ("reassoc",) if name in getattr(module, "REASSOCIATED", ()) else ()
                compiled[name] = inlined(bound, *flags)
    for namespace in namespaces.values():
        namespace |= {**compiled, "real": real, **names}
    return compiled


def own_functions(module: ModuleType) -> dict[str, FunctionType]:
    """The functions that a module defines, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }


def _check_replacements(modules: list[ModuleType]) -> None:
    """Each function that replaces what other modules have under its name is announced."""
    last = {name: module for module in modules for name in own_functions(module)}
    for name, module in last.items():
        function = getattr(module, name)
        replaced = [m.__name__ for m in modules if getattr(m, name, function) is not function]
        if replaced and name not in getattr(module, "REPLACES", ()):
            raise ValueError(
                f"{module.__name__}.{name} would replace {name} of {', '.join(replaced)}: name it "
                "in REPLACES, or give it another name."
            )


def _in_precision(function: FunctionType, real: Any) -> CodeType:
    """The code of a function, with its float literals in a precision."""

    def converted(constant: Any) -> Any:
        if isinstance(constant, CodeType):
            raise ValueError(
                f"{function.__module__}.{function.__qualname__} has a function or a comprehension "
                "inside, whose literals would stay double: make it a function of its own."
            )
        if isinstance(constant, tuple):
            return tuple(map(converted, constant))
        return real(constant) if isinstance(constant, float) else constant

    code = function.__code__
    return code.replace(co_consts=converted(code.co_consts))
