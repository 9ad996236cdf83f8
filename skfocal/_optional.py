"""The error for an optional library that is missing."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def optional_dependency(module: str, *, needed_by: str, extra: str | None = None) -> Iterator[None]:
    """If ``import module`` fails in the block, the error names the command to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module:
            raise
        command = f'pip install "skfocal[{extra or module}]"'
        raise ImportError(
            f"{needed_by} needs {module}, which is not installed: {command}", name=module
        ) from error
