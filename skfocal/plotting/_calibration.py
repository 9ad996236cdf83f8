"""`PosteriorCalibrationDisplay`: the raw probability of a focal model against its posterior."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from skfocal._estimator._target import encode_labels
from skfocal._kernels import Array
from skfocal.losses import FocalLoss
from skfocal.losses._link import raw_proba
from skfocal.losses._parameters import check_flag
from skfocal.losses._rows import check_posterior, floating
from skfocal.metrics._budget import positives, scores_of
from skfocal.metrics._calibration import Strategy, calibration_bins
from skfocal.metrics._rows import check_labels, check_weight
from skfocal.plotting._estimators import focal_classifier
from skfocal.plotting._style import NEUTRAL, line_style, make_axes


@dataclass(frozen=True)
class ReliabilityCurve:
    """Mean probability and observed frequency of a class in bins of rows.

    Parameters
    ----------
    predicted : ndarray of shape (n_bins,)
        Mean probability of each bin that has rows, ascending.
    observed : ndarray of shape (n_bins,)
        Share of the class among the rows of the bin.
    weight : ndarray of shape (n_bins,)
        Share of the bin in the weight of all rows.
    lower, upper : ndarray of shape (n_bins,), default=None
        The interval of 95 % of ``observed`` (Clopper and Pearson). With weights, the number of
        rows is the effective one, (sum of weights)**2 / (sum of squared weights).

    Examples
    --------
    >>> import numpy as np
    >>> from skfocal.plotting import ReliabilityCurve
    >>> curve = ReliabilityCurve(np.array([0.1, 0.6]), np.array([0.2, 0.6]), np.array([0.5, 0.5]))
    >>> curve.calibration_error
    0.05
    """

    predicted: npt.NDArray[np.float64]
    observed: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    lower: npt.NDArray[np.float64] | None = None
    upper: npt.NDArray[np.float64] | None = None

    @property
    def calibration_error(self) -> float:
        """Mean distance of ``predicted`` and ``observed``: the expected calibration error."""
        return float(self.weight @ np.abs(self.predicted - self.observed))

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        y_proba: npt.ArrayLike,
        *,
        pos_label: Any = None,
        n_bins: int = 10,
        strategy: Strategy = "quantile",
        sample_weight: npt.ArrayLike | None = None,
    ) -> "ReliabilityCurve":
        """The curve of the probabilities of any model of two classes.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels, at most two different ones.
        y_proba : array-like of shape (n,) or (n, 2)
            Probabilities of positives; of two columns that of the positive label.
        pos_label : object, default=None
            The label of positives. None for the second label in sorted order.
        n_bins : int, default=10
            Number of bins.
        strategy : {"quantile", "uniform"}, default="quantile"
            Whether bins have equal numbers of rows or equal widths.
        sample_weight : array-like of shape (n,), default=None
            Weights of rows.

        Returns
        -------
        ReliabilityCurve

        Raises
        ------
        TypeError, ValueError
            If shapes or labels do not match, or if probabilities are not in [0, 1].

        Examples
        --------
        >>> from skfocal.plotting import ReliabilityCurve
        >>> y = [0, 0, 0, 1, 0, 1, 1, 1]
        >>> p = [0.1, 0.1, 0.2, 0.2, 0.6, 0.7, 0.8, 0.9]
        >>> curve = ReliabilityCurve.from_predictions(y, p, n_bins=2)
        >>> curve.observed
        array([0.25, 0.75])
        """
        found = positives(y_true, pos_label)
        proba = scores_of(y_proba, found, "y_proba")
        if not ((proba >= 0) & (proba <= 1)).all():
            raise ValueError("y_proba must be in [0, 1].")
        weight = check_weight(sample_weight, found.mask)
        weight = np.ones(len(proba)) if weight is None else weight
        return _reliability(proba, found.mask, weight, n_bins, strategy)


class PosteriorCalibrationDisplay:
    """Observed frequency against the raw probability of a focal model and its posterior.

    The raw probability is the paper's p: the sigmoid (softmax) of the margin, which is the raw
    score of the model. Other packages return it. The posterior is the probability of the class in
    the population; ``predict_proba`` returns it. ``raw=False`` draws the posterior alone, which
    also works for any other classifier.

    Parameters
    ----------
    posterior : ReliabilityCurve
        The curve of the posterior.
    raw : ReliabilityCurve, default=None
        The curve of the raw probability, if it is drawn.
    label : object, default=None
        The class whose probability it is.
    name : str, default=None
        Name of the model.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where `plot` drew.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    lines_ : list of matplotlib Line2D
        The line of the raw probability, if it is drawn, and that of the posterior.
    intervals_ : list of matplotlib LineCollection
        The intervals of the observed frequency, in the same order.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : The curve of any probabilities, without intervals.

    References
    ----------
    Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation,
    CVPR 2021, arXiv:2011.09172.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.plotting import PosteriorCalibrationDisplay
    >>> X, y = make_classification(2000, weights=[0.9], flip_y=0.1, random_state=0)
    >>> model = FocalLogisticRegression().fit(X, y)
    >>> display = PosteriorCalibrationDisplay.from_estimator(model, X, y)
    >>> display.raw.calibration_error > 5 * display.posterior.calibration_error
    True
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]
    intervals_: list[Any]

    def __init__(
        self,
        *,
        posterior: ReliabilityCurve,
        raw: ReliabilityCurve | None = None,
        label: Any = None,
        name: str | None = None,
    ) -> None:
        for given, curve in (("raw", raw), ("posterior", posterior)):
            if not isinstance(curve, ReliabilityCurve) and not (given == "raw" and curve is None):
                raise TypeError(f"{given} must be a ReliabilityCurve; got {type(curve).__name__}.")
        self.raw = raw
        self.posterior = posterior
        self.label = label
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: npt.ArrayLike,
        *,
        pos_label: Any = None,
        n_bins: int = 10,
        strategy: Strategy = "quantile",
        sample_weight: npt.ArrayLike | None = None,
        raw: bool = True,
        name: str | None = None,
        log: bool = False,
        ax: Any = None,
    ) -> "PosteriorCalibrationDisplay":
        """From a fitted classifier and rows that it has not seen.

        Parameters
        ----------
        estimator : estimator
            A fitted focal classifier, alone, at the end of a pipeline or in a search.
        X : array-like of shape (n, n_features)
            Rows.
        y : array-like of shape (n,)
            Their labels.
        pos_label : object, default=None
            The class whose probability is shown. None for ``classes_[1]`` of two classes.
        n_bins : int, default=10
            Number of bins.
        strategy : {"quantile", "uniform"}, default="quantile"
            Whether bins have equal numbers of rows or equal widths.
        sample_weight : array-like of shape (n,), default=None
            Weights of rows.
        raw : bool, default=True
            Whether the raw probability is drawn, too. Without it ``estimator`` may be any
            fitted classifier with ``predict_proba``.
        name : str, default=None
            Name of the model, for figures of several models.
        log : bool, default=False
            As in `plot`.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure. Give ``display.ax_`` of another Display to draw
            several models into one figure.

        Returns
        -------
        PosteriorCalibrationDisplay

        Raises
        ------
        TypeError, ValueError
            If ``raw`` is True and there is no focal classifier in ``estimator``, or if
            ``pos_label`` is no class.
        """
        check_flag(raw, "raw")
        model = _focal_within(estimator)
        if raw and model is None:
            model = focal_classifier(estimator)  # which says what is wrong
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(f"estimator must have predict_proba; got {type(estimator).__name__}.")
        proba: Array = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        if model is not None and model.probability == "raw" and model.loss_.link == "focal":
            log_proba = _logarithm(proba)
            margin = log_proba[:, 1] - log_proba[:, 0] if proba.shape[1] == 2 else log_proba
            proba = model.loss_.posterior(margin)
        return cls.from_predictions(
            y,
            proba,
            loss=None if model is None else model.loss_,
            labels=estimator.classes_,
            pos_label=pos_label,
            n_bins=n_bins,
            strategy=strategy,
            sample_weight=sample_weight,
            raw=raw,
            name=name,
            log=log,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        y_proba: npt.ArrayLike,
        *,
        loss: FocalLoss | None = None,
        labels: npt.ArrayLike | None = None,
        pos_label: Any = None,
        n_bins: int = 10,
        strategy: Strategy = "quantile",
        sample_weight: npt.ArrayLike | None = None,
        raw: bool = True,
        name: str | None = None,
        log: bool = False,
        ax: Any = None,
    ) -> "PosteriorCalibrationDisplay":
        """From the posterior of rows, and the loss of the model that predicted it.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels.
        y_proba : array-like of shape (n, K)
            The posterior, as ``predict_proba`` returns it.
        loss : BinaryFocalLoss or MulticlassFocalLoss, default=None
            ``loss_`` of the model, which ``raw=True`` needs. It maps the posterior to the raw
            probability.
        labels : array-like of shape (K,), default=None
            The classes in the order of the columns. None for the sorted labels.
        pos_label : object, default=None
            As in `from_estimator`.
        n_bins : int, default=10
            As in `from_estimator`.
        strategy : {"quantile", "uniform"}, default="quantile"
            As in `from_estimator`.
        sample_weight : array-like of shape (n,), default=None
            As in `from_estimator`.
        raw : bool, default=True
            Whether the raw probability is drawn, too. Without it ``loss`` is not needed.
        name : str, default=None
            As in `from_estimator`.
        log : bool, default=False
            As in `plot`.
        ax : matplotlib Axes, default=None
            As in `from_estimator`.

        Returns
        -------
        PosteriorCalibrationDisplay

        Raises
        ------
        TypeError, ValueError
            If shapes or labels do not match, or if rows of ``y_proba`` are not probabilities.
        """
        check_flag(raw, "raw")
        if raw and not isinstance(loss, FocalLoss):
            raise TypeError(
                f"loss must be loss_ of a focal model; got {type(loss).__name__}. With raw=False "
                "the probabilities of any model are drawn."
            )
        y_true = check_labels(y_true, "y_true")
        classes = np.unique(y_true) if labels is None else check_labels(labels, "labels")
        if not np.array_equal(classes, np.unique(classes)):
            raise ValueError("labels must be sorted, as classes_ of a model is.")
        loss = loss if raw else None  # without the raw probability it is not used
        posterior = _checked(y_proba, len(y_true), len(classes), loss)
        code = _code(classes, pos_label)
        hit = encode_labels(classes, y_true, "y_true") == code
        weight = check_weight(sample_weight, y_true)
        weight = np.ones(len(hit)) if weight is None else weight
        drawn = [posterior]
        if loss is not None:
            drawn.append(_focal_probability(loss, posterior))
        curves = [_reliability(proba[:, code], hit, weight, n_bins, strategy) for proba in drawn]
        display = cls(
            posterior=curves[0], raw=curves[1] if raw else None, label=classes[code], name=name
        )
        return display.plot(ax=ax, log=log)

    def plot(self, ax: Any = None, *, log: bool = False) -> "PosteriorCalibrationDisplay":
        """Draw both curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        log : bool, default=False
            Whether axes are logarithmic, so that small probabilities can be told apart. A bin
            without rows of the class has no point there, since 0 has no logarithm. Its interval
            is drawn.

        Returns
        -------
        PosteriorCalibrationDisplay
            The object itself.
        """
        check_flag(log, "log")
        ax = make_axes(self, ax)
        curves = {"posterior": (self.posterior, "o")}
        if self.raw is not None:
            curves["raw"] = (self.raw, "s")
        points = {name: _points(curve, log) for name, (curve, _) in curves.items()}
        drawn = np.concatenate([np.ravel(each) for each in points.values()])
        ends = [0.0, drawn.max(initial=0.0)]
        if log:
            # with no bin to show, the axes still need a length
            ends = [drawn.min(initial=1.0), drawn.max(initial=1e-3)]
            ax.set(xscale="log", yscale="log")
        first = len(ax.get_legend_handles_labels()[1])  # lines of other models
        ax.plot(ends, ends, color=NEUTRAL, linewidth=0.8, zorder=0)
        # where intervals end that reach down to 0, on logarithmic axes
        tops = [
            curve.upper.min(initial=1.0) for curve, _ in curves.values() if curve.upper is not None
        ]
        floor = 0.5 * min([ends[0], *tops])
        prefix = "" if self.name is None else f"{self.name}, "
        self.lines_, self.intervals_ = [], []
        for index, (name, (curve, marker)) in enumerate(curves.items()):
            style = line_style(first + index)
            label = f"{prefix}{name}, error {curve.calibration_error:.2g}"
            line = ax.plot(*points[name], marker=marker, markersize=4, label=label, **style)
            self.lines_ = line + self.lines_
            limits = _limits(curve, floor, log)
            if limits is not None:
                interval = ax.vlines(*limits, color=style["color"], linewidth=1, alpha=0.5)
                self.intervals_.insert(0, interval)
        of_class = "" if self.label is None else f" of {self.label}"
        ax.set(
            xlabel=f"mean predicted probability{of_class}", ylabel=f"observed frequency{of_class}"
        )
        ax.legend(frameon=False)
        return self


def _checked(y_proba: npt.ArrayLike, n_rows: int, n_classes: int, loss: FocalLoss | None) -> Array:
    """Probabilities in double precision, a column for each class."""
    posterior = floating(y_proba, "y_proba").astype(np.float64)
    of_loss = n_classes if loss is None else loss.n_classes
    if posterior.shape[1:] != (of_loss,) or n_classes != of_loss:
        raise ValueError(
            f"y_proba must have a column, and labels a class, for each of the {of_loss} "
            f"classes{'' if loss is None else ' of the loss'}; got shape {posterior.shape} and "
            f"{n_classes} labels."
        )
    if len(posterior) != n_rows:
        raise ValueError(
            f"y_proba must have one row for each of the {n_rows} labels in y_true; got "
            f"{len(posterior)}."
        )
    check_posterior(posterior, of_loss, "y_proba")
    return posterior


def _focal_within(estimator: Any) -> Any:
    """The focal classifier that an estimator is or contains, or None."""
    try:
        return focal_classifier(estimator)
    except TypeError:
        return None


def _points(curve: ReliabilityCurve, log: bool) -> tuple[Array, Array]:
    """The points of a curve. Logarithmic axes show only bins whose two numbers are positive."""
    shown = (curve.predicted > 0) & (curve.observed > 0) if log else slice(None)
    return curve.predicted[shown], curve.observed[shown]


def _limits(curve: ReliabilityCurve, floor: float, log: bool) -> tuple[Array, Array, Array] | None:
    """Where intervals are drawn, and their ends."""
    if curve.lower is None or curve.upper is None:
        return None
    shown = curve.predicted > 0 if log else slice(None)
    lower = np.maximum(curve.lower, floor) if log else curve.lower
    return curve.predicted[shown], lower[shown], np.maximum(curve.upper, lower)[shown]


def _code(classes: npt.NDArray[Any], pos_label: Any) -> int:
    if pos_label is None and len(classes) == 2:
        return 1
    found = np.flatnonzero(classes == pos_label) if np.ndim(pos_label) == 0 else np.empty(0)
    if len(found) != 1:
        raise ValueError(
            f"pos_label must be one of {classes.tolist()}; got {pos_label!r}. It must be given "
            "where there are more than two classes."
        )
    return int(found[0])


def _focal_probability(loss: FocalLoss, posterior: Array) -> Array:
    """The paper's p that belongs to a posterior."""
    focal = replace(loss, link="focal", hessian="upper")
    return raw_proba(focal.raw_prediction(np.exp(_logarithm(posterior))))


def _logarithm(proba: Array) -> Array:
    """Logarithms of probabilities. A probability of 0, which a large margin gives, is raised."""
    logarithms: Array = np.log(np.maximum(proba, np.finfo(np.float64).tiny))
    return logarithms


def _reliability(
    proba: Array, hit: npt.NDArray[np.bool_], weight: Array, n_bins: int, strategy: Strategy
) -> ReliabilityCurve:
    bins = calibration_bins(proba, n_bins, strategy)
    parts = [np.bincount(bins, weights=weight * values) for values in (1.0, proba, hit, weight)]
    total, predicted, observed, squares = (each[parts[0] > 0] for each in parts)
    n_rows, share = total**2 / squares, observed / total
    hits = share * n_rows
    with np.errstate(invalid="ignore"):  # no hits, or nothing else: the limit is 0 or 1
        lower = np.nan_to_num(beta.ppf(0.025, hits, n_rows - hits + 1), nan=0.0)
        upper = np.nan_to_num(beta.ppf(0.975, hits + 1, n_rows - hits), nan=1.0)
    return ReliabilityCurve(predicted / total, share, total / weight.sum(), lower, upper)
