"""`FocalLossDisplay`: the figure of the paper, and how the loss weights rows."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from scipy.special import logit

from skfocal._kernels import Array
from skfocal.losses import BinaryFocalLoss, FocalLoss
from skfocal.losses._parameters import check_choice, check_flag, check_integer
from skfocal.losses._rows import numbers
from skfocal.plotting._estimators import focal_classifier
from skfocal.plotting._style import NEUTRAL, line_style, make_axes

KINDS = {
    "loss": ("probability $p_t$ of the true class", "loss"),
    "gradient": ("margin of the true class", "size of the gradient"),
    "weight": ("log-odds $u$ of the posterior", r"weight of a row, $\omega(u) / \omega(\infty)$"),
}
Kind = Literal["loss", "gradient", "weight"]


class FocalLossDisplay:
    """Focal loss against the probability of the true class, or how the loss weights rows.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        The points of all curves on the horizontal axis.
    curves : ndarray of shape (n_curves, n_points)
        The values of the curves.
    labels : sequence of n_curves str
        The names of the curves.
    kind : {"loss", "gradient", "weight"}, default="loss"
        What the curves show; see `from_losses`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where `plot` drew.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    lines_ : list of matplotlib Line2D
        A line for each curve.

    See Also
    --------
    BinaryFocalLoss : The loss.

    References
    ----------
    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002, figure 1.

    Examples
    --------
    >>> from skfocal.plotting import FocalLossDisplay
    >>> display = FocalLossDisplay.from_losses(plot=False)
    >>> display.labels
    ['gamma 0', 'gamma 0.5', 'gamma 1', 'gamma 2', 'gamma 5']
    >>> display.curves[:, display.x.searchsorted(0.5)].round(2)
    array([0.69, 0.49, 0.35, 0.17, 0.02])
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]

    def __init__(
        self,
        *,
        x: Array,
        curves: Array,
        labels: Sequence[str],
        kind: Kind = "loss",
    ) -> None:
        check_choice(kind, tuple(KINDS), "kind")
        if np.ndim(numbers(x, "x")) != 1:
            raise ValueError(f"x must have shape (n_points,); got {np.shape(x)}.")
        expected = (np.size(labels), np.size(x))
        if isinstance(labels, str) or np.shape(numbers(curves, "curves")) != expected:
            raise ValueError(
                f"curves must have shape {expected}, a row for each of the labels and a column for "
                f"each x, and labels must be a sequence; got shape {np.shape(curves)}."
            )
        self.x = np.asarray(x)
        self.curves = np.asarray(curves)
        self.labels = labels
        self.kind = kind

    @classmethod
    def from_losses(
        cls,
        losses: Iterable[FocalLoss] | None = None,
        *,
        kind: Kind = "loss",
        labels: Sequence[str] | None = None,
        n_points: int = 501,
        plot: bool = True,
        ax: Any = None,
    ) -> "FocalLossDisplay":
        """The curves of losses.

        Parameters
        ----------
        losses : iterable of BinaryFocalLoss or MulticlassFocalLoss, default=None
            None is the paper's figure: gamma 0, 0.5, 1, 2 and 5. A loss whose classes have
            different weights or gammas has a curve for each of them.
        kind : {"loss", "gradient", "weight"}, default="loss"
            ``"loss"``: the loss against the probability p_t of the true class.
            ``"gradient"``: the size of the gradient against the margin of the true class, the
            raw score before the sigmoid; for two classes, under the link of the loss.
            ``"weight"``: omega(u), for two classes. u is the log-odds of the posterior. The
            gradient of the loss in u is that of log loss times omega(u). The curve is omega(u)
            divided by its limit for large u.
        labels : sequence of str, default=None
            Names of the losses. None for their gammas, and their weights where these are not 1.
        n_points : int, default=501
            Points of each curve, at least 2.
        plot : bool, default=True
            Whether to draw at once.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        FocalLossDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument is not as above, if there is not one label for each loss, or if there
            is no such curve for a loss of more than two classes.
        """
        check_choice(kind, tuple(KINDS), "kind")
        check_integer(n_points, "n_points", 2)
        check_flag(plot, "plot")
        losses = _checked(losses)
        if isinstance(labels, str) or not (labels is None or isinstance(labels, Iterable)):
            raise TypeError(f"labels must be a sequence of names; got {labels!r}.")
        names = [_name(loss) for loss in losses] if labels is None else list(labels)
        if len(names) != len(losses):
            raise ValueError(f"labels must name {len(losses)} losses; got {len(names)}.")
        x = np.linspace(-10, 10, n_points)
        if kind == "loss":  # infinite at 0
            x = np.linspace(0, 1, n_points + 2)[1:-1]
        curves = [
            (name + suffix, values)
            for loss, name in zip(losses, names, strict=True)
            for suffix, values in _CURVES[kind](loss, x).items()
        ]
        display = cls(
            x=x,
            curves=np.array([values for _, values in curves]),
            labels=[label for label, _ in curves],
            kind=kind,
        )
        return display.plot(ax=ax) if plot else display

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, kind: Kind = "loss", ax: Any = None
    ) -> "FocalLossDisplay":
        """The loss of a fitted classifier, beside cross-entropy with the same class weights.

        Parameters
        ----------
        estimator : estimator
            A fitted focal classifier, alone, at the end of a pipeline or in a search.
        kind : {"loss", "gradient", "weight"}, default="loss"
            As in `from_losses`.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        FocalLossDisplay
        """
        loss = focal_classifier(estimator).loss_
        plain = replace(loss, gamma=0.0, hessian="upper")
        losses = [loss] if loss.class_gamma == plain.class_gamma else [loss, plain]
        return cls.from_losses(losses, kind=kind, ax=ax)

    def plot(self, ax: Any = None) -> "FocalLossDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        FocalLossDisplay
            The object itself.
        """
        ax = make_axes(self, ax)
        self.lines_ = [
            ax.plot(self.x, curve, label=label, **line_style(index))[0]
            for index, (curve, label) in enumerate(zip(self.curves, self.labels, strict=True))
        ]
        if self.kind == "loss":
            ax.set(xlim=(0, 1), ylim=(0, 5))
        else:
            ax.set(xlim=(self.x[0], self.x[-1]), ylim=(0, None))
        if self.kind == "weight":
            ax.axhline(1.0, color=NEUTRAL, linewidth=0.8, zorder=0)
        xlabel, ylabel = KINDS[self.kind]
        ax.set(xlabel=xlabel, ylabel=ylabel)
        ax.legend(frameon=False)
        return self


def _checked(losses: Iterable[FocalLoss] | None) -> list[FocalLoss]:
    """The losses as a list; None stands for those of the paper's figure."""
    if losses is None:
        return [BinaryFocalLoss(gamma) for gamma in (0.0, 0.5, 1.0, 2.0, 5.0)]
    expected = "losses must be a sequence of at least one BinaryFocalLoss or MulticlassFocalLoss"
    if not isinstance(losses, Iterable):
        raise TypeError(f"{expected}; got {type(losses).__name__}.")
    found = list(losses)
    if not found:
        raise ValueError(f"{expected}; got none.")
    for each in found:
        if not isinstance(each, FocalLoss):
            raise TypeError(f"{expected}; got {each!r}.")
    return found


def _name(loss: FocalLoss) -> str:
    def text(values: Any) -> str:
        return ", ".join(f"{value:.3g}" for value in np.atleast_1d(values))

    name = f"gamma {text(loss.gamma)}" + (", posterior link" if loss.link == "posterior" else "")
    equal = set(loss.class_weight) == {1.0}
    return name if equal else f"{name}, weights {text(loss.class_weight)}"


def _by_class(loss: FocalLoss, curve: Any) -> dict[str, Array]:
    """One curve for each class, or one for all classes if it is the same."""
    if len(set(zip(loss.class_gamma, loss.class_weight, strict=True))) == 1:
        return {"": curve(0)}
    return {f", class {code}": curve(code) for code in range(loss.n_classes)}


def _loss_curves(loss: FocalLoss, x: Array) -> dict[str, Array]:
    # (1 - p_t)**gamma (-log p_t) is the same function for any number of classes
    def curve(code: int) -> Array:
        weight = loss.class_weight[code]
        scalar = BinaryFocalLoss(loss.class_gamma[code], (weight, weight))
        return scalar.loss(np.ones(len(x)), logit(x))

    return _by_class(loss, curve)


def _two_classes(loss: FocalLoss, kind: Kind) -> BinaryFocalLoss:
    if not isinstance(loss, BinaryFocalLoss):
        raise ValueError(
            f"kind={kind!r} is for losses of two classes, which have one margin; got a loss of "
            f'{loss.n_classes} classes. kind="loss" is for any number of classes.'
        )
    return loss


def _gradient_curves(loss: FocalLoss, x: Array) -> dict[str, Array]:
    binary = _two_classes(loss, "gradient")

    def curve(code: int) -> Array:
        margins = x if code == 1 else -x
        return np.abs(binary.gradient(np.full(len(x), code), margins))

    return _by_class(loss, curve)


def _weight_curves(loss: FocalLoss, x: Array) -> dict[str, Array]:
    binary = replace(_two_classes(loss, "weight"), link="posterior", hessian="upper")
    # with the posterior eta, gradients are omega eta (negative rows), -omega (1 - eta) (positive)
    omega = binary.gradient(np.zeros(len(x)), x) - binary.gradient(np.ones(len(x)), x)
    limit = binary.class_weight[0] / (1.0 + binary.class_gamma[1])
    return {"": omega / limit}


_CURVES = {"loss": _loss_curves, "gradient": _gradient_curves, "weight": _weight_curves}
