"""Where a warning points to."""

from inspect import currentframe


def callers_level() -> int:
    """The ``stacklevel`` at which a warning points to the code that called this package.

    Between the warning and the user's code are methods of this package and decorators of
    scikit-learn. Their number depends on scikit-learn's version.
    """
    frame = currentframe()
    level = 0
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] not in ("skfocal", "sklearn"):
            break
        frame, level = frame.f_back, level + 1
    return level
