"""The error for an optional library that is missing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires


def _install(extra: str, module: str) -> str:
    """The command that installs what an extra needs, without a released skfocal."""
    try:
        lines = requires("skfocal") or []
    except PackageNotFoundError:  # a source tree that is not installed
        lines = []
    needs = sorted(
        f'"{need}"'
        for need, _, marker in (line.partition("; ") for line in lines)
        if re.search(rf"""extra == ['"]{extra}['"]""", marker)
    )
    return " ".join(["pip install", *(needs or [module])])


@contextmanager
def optional_dependency(module: str, *, needed_by: str, extra: str | None = None) -> Iterator[None]:
    """If ``import module`` fails in the block, the error names the command to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module:
            raise
        command = _install(extra or module, module)
        raise ImportError(
            f"{needed_by} needs {module}, which is not installed: {command}", name=module
        ) from error
