"""Axes, colours and lines that all Displays share."""

from typing import Any

from skfocal._optional import optional_dependency

# Okabe and Ito's colours without black and yellow: black cannot be seen on a dark background, and
# yellow not on a light one. Lines also differ in their dashes, so colours are not needed.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
NEUTRAL = "0.5"  # for reference lines: visible on both backgrounds


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of the index-th line."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index % len(DASHES)]}


def next_colour(ax: Any) -> str:
    """The first colour that no line of the axes has."""
    from matplotlib.colors import to_hex

    drawn = {to_hex(line.get_color()).upper() for line in ax.lines}
    free = [colour for colour in COLOURS if colour not in drawn]
    return free[0] if free else COLOURS[len(drawn) % len(COLOURS)]


def make_axes(display: Any, ax: Any) -> Any:
    """The axes to draw on: ``ax``, or new ones. The display gets them as ``ax_``, ``figure_``."""
    with optional_dependency("matplotlib", needed_by=type(display).__name__, extra="plot"):
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    if not (ax is None or isinstance(ax, Axes)):
        raise TypeError(f"ax must be a matplotlib Axes or None; got {type(ax).__name__}.")
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    ax.spines[["top", "right"]].set_visible(False)
    return ax
