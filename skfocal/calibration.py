"""Slope, offset and class shares of log-odds: pure functions of margins (floor 2).

The log-odds u of a posterior are log(P+ / P-) for two classes, of shape (n,), and log P_k plus
a constant of the row for more, of shape (n, K). Two corrections are affine in them:

    calibrated on held-out rows            u' = offset + slope u                       (M16)
    another prevalence than the training's u'_k = u_k + log(pi'_k / pi_k)              (M17)

pi are the shares of the classes in the training rows, and pi' those in the population. The
classifiers' methods `calibrate` and `adjust_priors` use these functions. The order is: first
the calibration, then the priors.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from scipy.stats import chi2

from skfocal._kernels import Array
from skfocal._warnings import callers_level

__all__ = ["Calibration", "fit_calibration", "prior_shift"]

Priors = Mapping[Any, float] | npt.ArrayLike | None
"""A share for each label, shares in the order of the classes, or None."""

Codes = npt.NDArray[np.intp]

# The weak ridge: about so far the slope may be from 1, and the level of a class from its own,
# before the held-out rows have to speak for it: standard deviations of a normal prior.
SLOPE_SD, LEVEL_SD = 2.0, 2.0
# The smallest slope, of log-odds whose standard deviation is at most 1; of others the deviation
# divides it. At 0 all rows would have one probability, and nothing could be undone.
MIN_SLOPE = 1e-3
# Held-out rows of the rarest class that a slope and an offset need.
FEW_ROWS = 20
# Shares of classes differ by more than chance where a test gives a smaller p-value.
SIGNIFICANCE = 1e-4
_MAX_STEPS = 100


@dataclass(frozen=True)
class Calibration:
    """A map of log-odds, u' = offset + slope u.

    Parameters
    ----------
    slope : float, default=1.0
        The same for all classes, > 0.
    offset : float or tuple of K floats, default=0.0
        For two classes a number; for more, one a class, of sum 0.

    Examples
    --------
    >>> from skfocal.calibration import Calibration
    >>> calibration = Calibration(slope=0.5, offset=1.0)
    >>> calibration.apply([0.0, 2.0])
    array([1., 2.])
    """

    slope: float = 1.0
    offset: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        slope, offset = _numbers(self.slope, "slope"), _numbers(self.offset, "offset")
        if slope.ndim or slope <= 0:
            raise ValueError(f"slope must be a number > 0; got {self.slope!r}.")
        if offset.ndim > 1 or (offset.ndim and len(offset) < 2):
            raise ValueError(
                f"offset must be a number, or one for each class; got {self.offset!r}."
            )
        # frozen dataclasses normalise their fields this way
        object.__setattr__(self, "slope", float(slope))
        object.__setattr__(self, "offset", _as_offset(offset))

    def apply(self, log_odds: npt.ArrayLike) -> Array:
        """The log-odds after the map.

        Parameters
        ----------
        log_odds : array-like of shape (n,) or (n, K)
            Before the map.

        Returns
        -------
        ndarray of the same shape and precision
            After it.

        Raises
        ------
        TypeError, ValueError
            If they are no finite numbers, or not of as many classes as the offset.
        """
        exact = _numbers(log_odds, "log_odds")
        classes = np.shape(self.offset)
        # an offset of 0 is one for any number of classes
        fits = exact.shape[1:] == classes or (self.offset == 0.0 and exact.ndim == 2)
        if exact.ndim < 1 or not fits:
            expected = f"(n, {classes[0]})" if classes else "(n,)"
            raise ValueError(f"log_odds must have shape {expected}; got {exact.shape}.")
        dtype = np.asarray(log_odds).dtype
        mapped = self.slope * exact + np.asarray(self.offset)
        return np.asarray(mapped, dtype=dtype if dtype.kind == "f" else np.float64)

    def inverse(self) -> Self:
        """The map that undoes what this one does.

        Returns
        -------
        Calibration
            It maps ``offset + slope * u`` to u.
        """
        return type(self)(1.0 / self.slope, _as_offset(-np.asarray(self.offset) / self.slope))

    def then(self, other: "Calibration") -> Self:
        """A map that does this one first, and then another.

        Parameters
        ----------
        other : Calibration
            The map that comes second.

        Returns
        -------
        Calibration
            One map that does both.

        Raises
        ------
        TypeError, ValueError
            If the other one is no Calibration, or of another number of classes.
        """
        if not isinstance(other, Calibration):
            raise TypeError(f"other must be a Calibration; got {other!r}.")
        if np.shape(self.offset) != np.shape(other.offset) and not (
            self.is_identity or other.is_identity
        ):
            raise ValueError(f"other must be of as many classes; got {other!r}.")
        offset = other.slope * np.asarray(self.offset) + np.asarray(other.offset)
        return type(self)(other.slope * self.slope, _as_offset(offset))

    @property
    def is_identity(self) -> bool:
        """Whether the map changes nothing."""
        return self.slope == 1.0 and not np.any(self.offset)


def fit_calibration(
    log_odds: npt.ArrayLike,
    y_true: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    shift: float | tuple[float, ...] = 0.0,
    labels: Sequence[Any] | None = None,
) -> Calibration:
    """Slope and offset with the smallest log loss on held-out rows, by Platt 1999.

    This is Platt scaling [1]_. A weak ridge draws the map to the identity. It decides where the
    rows say little: it counts as much as a few rows of the rarest class. The slope is positive.

    Parameters
    ----------
    log_odds : array-like of shape (n,) or (n, K)
        Log-odds of the posterior of rows that the model was not trained on.
    y_true : array-like of shape (n,)
        Class codes 0..K-1.
    sample_weight : array-like of shape (n,), default=None
        Weights >= 0. Their scale has no influence: the ridge sees the effective number of rows,
        (sum w)**2 / sum(w**2).
    shift : float or tuple of K floats, default=0.0
        Added to the log-odds after the map, as `prior_shift` of these rows.
    labels : sequence of K names, default=None
        What a warning calls the classes; None for their codes.

    Returns
    -------
    Calibration
        The map.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or no row has a positive weight.

    Warns
    -----
    UserWarning
        If a class has fewer than 20 rows, or the slope would not be positive.

    References
    ----------
    .. [1] Platt, Probabilistic outputs for support vector machines, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from skfocal.calibration import fit_calibration
    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(-2, 1, 100_000)
    >>> y = rng.random(100_000) < 1 / (1 + np.exp(-true))
    >>> calibration = fit_calibration(2 * true + 2, y)
    >>> print(f"{calibration.slope:.1f}, {calibration.offset:.1f}")
    0.5, -1.0
    """
    columns, codes, weight = _checked(log_odds, y_true, sample_weight)
    names = range(columns.shape[1]) if labels is None else labels
    _warn_of_few_rows(codes, weight, list(names))
    fixed, added = np.zeros(columns.shape[1]), _numbers(shift, "shift")
    if added.shape not in ((), () if np.ndim(log_odds) == 1 else fixed.shape):
        raise ValueError(f"shift must be a number, or one for each class; got {shift!r}.")
    if np.ndim(log_odds) == 1:
        fixed[1] = added
    else:
        fixed += added
    found, slope = _fitted(columns, codes, weight, fixed, np.ndim(log_odds) == 1)
    if slope < found.slope:
        warnings.warn(
            f"The held-out rows contradict the model: the slope of its log-odds, {slope:.3g}, is "
            f"set to {found.slope:.3g}, with which all rows have nearly one probability.",
            UserWarning,
            stacklevel=callers_level(),
        )
    return found


def quick_calibration(log_odds: Array, codes: Codes, weight: Array) -> Calibration:
    """`fit_calibration` of checked rows to a few digits, for scores in a loop.

    Parameters
    ----------
    log_odds : ndarray of shape (n,) or (n, K)
        Of rows that the model was not trained on.
    codes : ndarray of shape (n,)
        Class codes.
    weight : ndarray of shape (n,)
        Their sum is the effective number of rows.

    Returns
    -------
    Calibration
        The map. It says nothing of few rows or of a slope that would not be positive.

    Examples
    --------
    >>> import numpy as np
    >>> from skfocal.calibration import quick_calibration
    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(-2, 1, 100_000)
    >>> y = (rng.random(100_000) < 1 / (1 + np.exp(-true))).astype(int)
    >>> print(f"{quick_calibration(2 * true, y, np.ones(100_000)).slope:.1f}")
    0.5
    """
    columns = _columns(log_odds)
    fixed = np.zeros(columns.shape[1])
    return _fitted(columns, codes, weight, fixed, log_odds.ndim == 1, tol=1e-9)[0]


def _fitted(
    columns: Array, codes: Codes, weight: Array, fixed: Array, binary: bool, tol: float = 1e-20
) -> tuple[Calibration, float]:
    """The map, and the slope as it would be without a limit."""
    problem = _Problem(columns, codes, weight, fixed)
    theta = problem.minimum(problem.start, tol, free_slope=True)
    slope = float(theta[0])
    smallest = MIN_SLOPE / max(1.0, float(columns.std(axis=0).max()))
    if slope < smallest:
        theta = problem.minimum(np.r_[smallest, theta[1:]], tol, free_slope=False)
    offsets = problem.offsets(theta)
    if binary:
        return Calibration(float(theta[0]), float(offsets[1] - offsets[0])), slope
    return Calibration(float(theta[0]), tuple((offsets - offsets.mean()).tolist())), slope


class _Problem:
    """Log loss with a ridge, in the slope b and the levels c_k of the classes.

    u'_k = m_k + c_k + b (u_k - m_k), where m_k is the mean log-odds of class k, weighted by
    P_k (1 - P_k). Around it the slope does not move the level of the class, so that the ridge
    on the one does not pull the other.
    """

    def __init__(self, columns: Array, codes: Codes, weight: Array, fixed: Array) -> None:
        self.codes, self.weight, self.fixed = codes, weight, fixed
        information = softmax(columns + fixed, axis=1)
        information = weight[:, np.newaxis] * information * (1.0 - information)
        totals = np.maximum(information.sum(axis=0), np.finfo(np.float64).tiny)
        self.means = (information * columns).sum(axis=0) / totals
        self.centred = columns - self.means
        n_classes = columns.shape[1]
        self.start = np.r_[1.0, np.zeros(n_classes)]
        self.ridge = np.r_[SLOPE_SD**-2.0, np.full(n_classes, LEVEL_SD**-2.0)]

    def offsets(self, theta: Array) -> Array:
        """The offset of each class."""
        return np.asarray(theta[1:] + (1.0 - theta[0]) * self.means)

    def value(self, theta: Array) -> float:
        """Log loss and ridge."""
        raw = self._raw(theta)
        own = raw[np.arange(len(raw)), self.codes]
        largest = raw.max(axis=1)
        log_sum = largest + np.log(np.exp(raw - largest[:, np.newaxis]).sum(axis=1))
        penalty = 0.5 * np.sum(self.ridge * (theta - self.start) ** 2)
        return float(np.sum(self.weight * (log_sum - own)) + penalty)

    def minimum(self, theta: Array, tol: float, *, free_slope: bool) -> Array:
        """The minimum by damped Newton steps. The problem is strictly convex.

        It is reached where a step would lower the value by less than ``tol`` of it.
        """
        free = slice(0 if free_slope else 1, None)
        value = self.value(theta)
        for _ in range(_MAX_STEPS):
            gradient, hessian = self._derivatives(theta)
            step = np.zeros_like(theta)
            step[free] = -np.linalg.solve(hessian[free, free], gradient[free])
            decrease, length = float(gradient @ step), 1.0
            if -decrease <= tol * value:
                break
            while (new := self.value(theta + length * step)) > value + 0.25 * length * decrease:
                length /= 2.0
                if length < 1e-10:  # rounding hides what is left
                    return theta
            theta, value = theta + length * step, new
        return theta

    def _raw(self, theta: Array) -> Array:
        return np.asarray(theta[0] * self.centred + (theta[1:] + self.means + self.fixed))

    def _derivatives(self, theta: Array) -> tuple[Array, Array]:
        p = softmax(self._raw(theta), axis=1)
        weighted = self.weight[:, np.newaxis] * p
        residual = weighted.copy()
        residual[np.arange(len(p)), self.codes] -= self.weight
        mean = (p * self.centred).sum(axis=1)
        deviation = self.centred - mean[:, np.newaxis]
        gradient = np.r_[np.sum(residual * self.centred), residual.sum(axis=0)]
        hessian = np.diag(self.ridge)
        hessian[0, 0] += np.sum(weighted * deviation * self.centred)
        cross = (weighted * deviation).sum(axis=0)
        hessian[0, 1:] += cross
        hessian[1:, 0] += cross
        hessian[1:, 1:] += np.diag(weighted.sum(axis=0)) - weighted.T @ p
        return gradient + self.ridge * (theta - self.start), hessian


def _checked(log_odds: Any, y_true: Any, sample_weight: Any) -> tuple[Array, Codes, Array]:
    """Log-odds with one column a class, codes, and weights whose sum is the effective size."""
    given = _numbers(log_odds, "log_odds")
    if given.ndim not in (1, 2) or len(given) < 1 or (given.ndim == 2 and given.shape[1] < 2):
        raise ValueError(f"log_odds must have shape (n,) or (n, K), K >= 2; got {given.shape}.")
    columns = _columns(given)
    codes, n_classes = _numbers(y_true, "y_true"), columns.shape[1]
    if codes.shape != given.shape[:1] or not np.isin(codes, np.arange(n_classes)).all():
        raise ValueError(
            f"y_true must hold a class code from 0 to {n_classes - 1} for each of {len(given)} "
            "rows."
        )
    weight: Array = np.ones(len(codes))
    if sample_weight is not None:
        weight = _numbers(sample_weight, "sample_weight")
        if weight.shape != codes.shape or (weight < 0).any() or not weight.any():
            raise ValueError(
                f"sample_weight must hold a number >= 0 for each of {len(given)} rows, and one "
                "above 0."
            )
    return columns, codes.astype(np.intp), weight * (effective_rows(weight) / weight.sum())


def _columns(log_odds: Array) -> Array:
    """Log-odds with one column a class, of sum 0, since softmax does not see a constant."""
    both = np.column_stack([np.zeros_like(log_odds), log_odds]) if log_odds.ndim == 1 else log_odds
    return np.asarray(both - both.mean(axis=1, keepdims=True))


def _numbers(value: Any, name: str) -> Array:
    """An array of finite numbers in double precision."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} must be an array of numbers; {error}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers; got {value!r:.100}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers.")
    return array.astype(np.float64)


def effective_rows(weight: npt.ArrayLike) -> float:
    """The number of rows of weight 1 that say as much: (sum w)**2 / sum(w**2).

    This is the effective sample size of Kish [1]_.

    Parameters
    ----------
    weight : array-like of shape (n,)
        Weights >= 0, not all 0.

    Returns
    -------
    float
        From 1 to n.

    References
    ----------
    .. [1] Kish, Survey Sampling, 1965.

    Examples
    --------
    >>> from skfocal.calibration import effective_rows
    >>> effective_rows([2.0, 2.0, 0.0])
    2.0
    """
    weight = np.asarray(weight, dtype=np.float64)
    scaled = weight / weight.max()
    return float(scaled.sum() ** 2 / np.sum(scaled**2))


def _warn_of_few_rows(codes: Codes, weight: Array, names: list[Any]) -> None:
    """Warn where a class has too few rows for the rows to decide on slope and offset."""
    sizes = [
        effective_rows(own) if (own := weight[codes == k]).any() else 0.0 for k in range(len(names))
    ]
    rarest = int(np.argmin(sizes))
    if sizes[rarest] < FEW_ROWS:
        warnings.warn(
            f"The rows for calibration hold {sizes[rarest]:.0f} of class {names[rarest]!r}, by "
            f"their weights, and slope and offset need {FEW_ROWS} of each class. Where the rows "
            "say little, the slope stays near 1 and the offset near 0.",
            UserWarning,
            stacklevel=callers_level(),
        )


def prior_shift(class_prior: npt.ArrayLike, priors: npt.ArrayLike) -> float | tuple[float, ...]:
    """What another prevalence adds to log-odds, by Saerens et al. 2002.

    Bayes' rule for new shares of the classes [1]_.

    Parameters
    ----------
    class_prior : array-like of shape (K,)
        Shares of the classes in the training rows, > 0.
    priors : array-like of shape (K,)
        Shares in the population, > 0.

    Returns
    -------
    float or tuple of K floats
        For two classes log(pi'_1 / pi_1) - log(pi'_0 / pi_0); for more, log(pi'_k / pi_k)
        less their mean.

    Raises
    ------
    TypeError, ValueError
        If they are no shares of sum 1.

    References
    ----------
    .. [1] Saerens et al., Adjusting the outputs of a classifier to new a priori
       probabilities, Neural Computation 14, 2002.

    Examples
    --------
    >>> from skfocal.calibration import prior_shift
    >>> round(prior_shift([0.9, 0.1], [0.99, 0.01]), 4)
    -2.3979
    """
    classes = np.arange(max(2, np.size(class_prior)))
    before = check_priors(class_prior, classes, "class_prior")
    ratio = np.log(check_priors(priors, classes)) - np.log(before)
    if len(ratio) == 2:
        return float(ratio[1] - ratio[0])
    return tuple((ratio - ratio.mean()).tolist())


def check_priors(
    priors: Mapping[Any, float] | npt.ArrayLike, classes: npt.NDArray[Any], name: str = "priors"
) -> Array:
    """Check shares of the classes, and bring them into the order of ``classes``.

    Parameters
    ----------
    priors : dict or array-like of shape (K,)
        A share for each label, or shares in the order of ``classes``.
    classes : ndarray of shape (K,)
        The labels.
    name : str, default="priors"
        What messages call the argument.

    Returns
    -------
    ndarray of shape (K,)
        Their sum is 1.

    Raises
    ------
    TypeError, ValueError
        If a label has no share, a share is not in (0, 1), or the sum differs from 1 by more
        than 1e-6.

    Examples
    --------
    >>> import numpy as np
    >>> from skfocal.calibration import check_priors
    >>> check_priors({"no": 0.9, "yes": 0.1}, np.array(["no", "yes"]))
    array([0.9, 0.1])
    """
    labels = classes.tolist()
    if hasattr(priors, "to_dict"):  # a series of pandas, whose labels are its index
        priors = priors.to_dict()
    if isinstance(priors, Mapping):
        if set(priors) != set(labels):
            raise ValueError(f"{name} must have the labels of y, {labels}; it has {list(priors)}.")
        priors = [priors[label] for label in labels]
    shares = _numbers(priors, name)
    if shares.shape != (len(labels),) or not ((shares > 0) & (shares < 1)).all():
        raise ValueError(
            f"{name} must have a share above 0 and below 1 for each of the {len(labels)} classes, "
            f"in the order {labels}; got {priors!r}."
        )
    if abs(shares.sum() - 1.0) > 1e-6:
        raise ValueError(f"{name} must sum to 1; got {priors!r}, which sums to {shares.sum():g}.")
    return np.asarray(shares / shares.sum())


def shares_differ(
    shares: npt.ArrayLike, n_rows: float, others: npt.ArrayLike, n_others: float | None
) -> bool:
    """Whether shares of classes differ by more than chance, by a likelihood-ratio test.

    Parameters
    ----------
    shares : array-like of shape (K,)
        Shares of the classes in a set of rows.
    n_rows : float
        The number of these rows.
    others : array-like of shape (K,)
        Shares of the classes in other rows.
    n_others : float or None
        The number of the other rows. None if ``others`` are no sample.

    Returns
    -------
    bool
        Whether the p-value of the G test is below 1e-4.

    Examples
    --------
    >>> from skfocal.calibration import shares_differ
    >>> shares_differ([0.9, 0.1], 100, [0.95, 0.05], 1000)
    False
    >>> shares_differ([0.5, 0.5], 100, [0.95, 0.05], 1000)
    True
    """
    counts, others = n_rows * np.asarray(shares), np.asarray(others)
    expected = n_rows * others
    if n_others is not None:
        counts = np.array([counts, n_others * others])
        expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    some = counts > 0
    with np.errstate(divide="ignore"):  # rows of a class that had no share
        statistic = 2.0 * np.sum(counts[some] * np.log(counts[some] / expected[some]))
    return bool(chi2.sf(statistic, len(others) - 1) < SIGNIFICANCE)


def _as_offset(offset: Array) -> float | tuple[float, ...]:
    return float(offset) if offset.ndim == 0 else tuple(offset.tolist())
