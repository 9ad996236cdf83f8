"""Scores of probabilities: focal loss, the proper focal loss, calibration error."""

from collections.abc import Callable, Mapping, Sized
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.metrics import make_scorer
from sklearn.preprocessing import LabelEncoder

from skfocal._kernels import Array
from skfocal.losses import make_loss, mean_loss
from skfocal.losses._link import LINKS
from skfocal.losses._parameters import (
    Alpha,
    Gamma,
    Link,
    check_choice,
    check_gamma,
    check_integer,
    is_word,
    resolve_alpha,
)
from skfocal.losses._rows import check_posterior, class_totals, floating, numbers

Strategy = Literal["quantile", "uniform"]

__all__ = ["expected_calibration_error", "focal_loss", "make_focal_scorer"]


def check_labels(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Labels as an array.

    Parameters
    ----------
    values : array-like of shape (n,)
        Labels of any type, n >= 1.
    name : str
        The name of the argument, for messages.

    Returns
    -------
    ndarray of shape (n,)
        The labels.

    Raises
    ------
    ValueError
        If there is no label, the shape is another, or a label is missing.
    """
    try:
        labels = np.asarray(values)
    except ValueError:  # rows of unequal length
        labels = np.empty((0, 0))
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not len(labels):
        raise ValueError(
            f"{name} must be a sequence of at least one label; got shape {labels.shape}."
        )
    if labels.dtype.kind == "O":  # pandas' NA cannot be compared
        missing = any(_is_missing(each) for each in labels)
    else:
        missing = bool((labels != labels).any())
    if missing:
        raise ValueError(f"{name} must not hold NaN or None: leave those rows out.")
    return labels


def _is_missing(label: Any) -> bool:
    if label is None or type(label).__name__ == "NAType":
        return True
    return isinstance(label, (float, np.floating)) and bool(np.isnan(label))


def _encode(
    y_true: npt.ArrayLike, labels: npt.ArrayLike | None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The sorted labels, and the codes of the rows."""
    own = check_labels(y_true, "y_true")
    known = own if labels is None else check_labels(labels, "labels")
    try:
        encoder = LabelEncoder().fit(known)
    except TypeError:
        name = "y_true" if labels is None else "labels"
        raise TypeError(f"{name} must hold labels that can be sorted, all of one type.") from None
    classes = encoder.classes_
    if len(classes) < 2:
        name = "y_true has" if labels is None else "labels have"
        raise ValueError(
            f"{name} the single label {classes.tolist()[0]!r}: name all of them in labels."
        )
    try:
        return classes, encoder.transform(own)
    except (TypeError, ValueError):
        unknown = sorted(set(own.tolist()) - set(classes.tolist()), key=str)
        raise ValueError(f"y_true has labels that are not in labels: {unknown!r}.") from None


def _columns(y_proba: npt.ArrayLike, n_rows: int, n_classes: int) -> Array:
    """Probabilities (n, K) in double, clipped by the precision they had, as in scikit-learn."""
    proba = floating(y_proba, "y_proba")
    if proba.ndim == 1 and n_classes == 2:
        proba = np.column_stack([1 - proba, proba])
    if proba.ndim != 2 or proba.shape[1] != n_classes:
        raise ValueError(
            f"y_proba must have one column for each of the {n_classes} labels (two labels: or "
            f"shape (n,)); got shape {proba.shape}."
        )
    if len(proba) != n_rows:
        raise ValueError(
            f"y_proba must have one row for each of the {n_rows} labels in y_true; got "
            f"{len(proba)}."
        )
    proba = check_posterior(proba, n_classes, "y_proba")
    eps = np.finfo(proba.dtype).eps
    return np.clip(proba.astype(np.float64), eps, 1 - eps)


def check_weight(sample_weight: npt.ArrayLike | None, y_true: npt.ArrayLike) -> Array | None:
    """Check weights of rows; None stays None.

    Parameters
    ----------
    sample_weight : array-like of shape (n,) or None
        Weights.
    y_true : array-like of shape (n,)
        Labels of the rows.

    Returns
    -------
    ndarray of shape (n,) or None
        The weights in double precision.

    Raises
    ------
    TypeError, ValueError
        If they are not one number >= 0 for each row, or all 0.
    """
    if sample_weight is None:
        return None
    weight = numbers(sample_weight, "sample_weight").astype(np.float64)
    if weight.shape != np.shape(y_true)[:1]:
        raise ValueError(
            f"sample_weight must have shape {np.shape(y_true)[:1]}, one value for each row; got "
            f"{weight.shape}."
        )
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise ValueError("sample_weight must be finite, >= 0 and not all 0.")
    return weight


def focal_loss(
    y_true: npt.ArrayLike,
    y_proba: npt.ArrayLike,
    *,
    gamma: Gamma = 2.0,
    alpha: Alpha = None,
    sample_weight: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
    link: Link = "focal",
) -> float:
    """Mean focal loss of probabilities; smaller is better.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of any type.
    y_proba : array-like of shape (n,) or (n, K)
        Probabilities, with columns in the sorted order of the labels. Rows must sum to 1, with
        a tolerance of 1e-3. With two labels the probabilities of the second label are enough.
        They are clipped to [eps, 1 - eps], where eps is that of their precision, as in
        `sklearn.metrics.log_loss`.
    gamma : float or sequence of K floats, default=2.0
        Focusing parameter.
    alpha : float, str, tuple, dict, sequence of K floats or None, default=None
        Class weights in any form that the classifiers accept. Words are resolved on
        ``y_true``.
    sample_weight : array-like of shape (n,), default=None
        Weights of rows.
    labels : array-like, default=None
        All labels, for a ``y_true`` that may lack one.
    link : {"focal", "posterior"}, default="focal"
        What ``y_proba`` is. ``"focal"``: the paper's p [1]_, of which the plain loss is
        computed. ``"posterior"``: P(class | row). The loss is then computed of the p that has
        this posterior [2]_. Only then is the score proper (M13): its expectation is smallest
        for the true probabilities.

    Returns
    -------
    float
        The mean, sum(sw w (1 - p_t)**gamma (-log p_t)) / sum(sw).

    Raises
    ------
    TypeError, ValueError
        If shapes, probabilities or parameters are not as above.

    References
    ----------
    .. [1] Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002.
    .. [2] Charoenphakdee et al., On Focal Loss for Class-Posterior Probability
       Estimation, CVPR 2021, arXiv:2011.09172.

    Examples
    --------
    >>> from skfocal.metrics import focal_loss
    >>> round(focal_loss(["no", "yes"], [0.1, 0.8]), 6)
    0.00499
    """
    check_choice(link, LINKS, "link")
    classes, codes = _encode(y_true, labels)
    n_classes = len(classes)
    weight = check_weight(sample_weight, codes)
    totals = class_totals(codes, n_classes, weight)
    loss = make_loss(n_classes, gamma, resolve_alpha(alpha, classes, totals), link=link)
    raw = np.log(_columns(y_proba, len(codes), n_classes))
    raw = raw[:, 1] - raw[:, 0] if n_classes == 2 else raw
    return mean_loss(loss, codes, raw, weight)


def make_focal_scorer(
    *, gamma: Gamma = 2.0, alpha: Alpha = None, labels: npt.ArrayLike | None = None
) -> Callable[..., float]:
    """A scorer for model selection: the negative *proper* focal loss of predict_proba.

    Parameters
    ----------
    gamma : float or sequence of K floats, default=2.0
        As in `focal_loss`. Keep gamma and alpha fixed over a search: values of different losses
        cannot be compared.
    alpha : float, str, tuple, dict, sequence of K floats or None, default=None
        As in `focal_loss`.
    labels : array-like, default=None
        As in `focal_loss`.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, sample_weight=None)``; greater is better.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as above, as far as this can be seen without rows.

    See Also
    --------
    focal_loss : The loss, which the scorer computes of posteriors.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.metrics import make_focal_scorer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = FocalLogisticRegression().fit(X[:, :4] / 100, y)
    >>> make_focal_scorer(gamma=1.0)(model, X[:, :4] / 100, y) < 0
    True
    """
    _check_weighting(gamma, alpha, labels)
    scorer: Callable[..., float] = make_scorer(
        focal_loss,
        response_method="predict_proba",
        greater_is_better=False,
        gamma=gamma,
        alpha=alpha,
        labels=labels,
        link="posterior",
    )
    return scorer


def _check_weighting(gamma: Gamma, alpha: Alpha, labels: npt.ArrayLike | None) -> None:
    """Check gamma and alpha at once: a search turns errors of a scorer into warnings."""
    if labels is not None:
        known = np.unique(check_labels(labels, "labels"))
    elif isinstance(alpha, Mapping):
        known = np.empty(len(alpha), dtype=object)
        known[:] = list(alpha)
    else:  # as many classes as gamma or alpha has numbers
        sizes = [len(v) for v in (gamma, alpha) if isinstance(v, Sized) and not is_word(v)]
        known = np.arange(max([2, *sizes]))
    check_gamma(gamma, len(known))
    resolve_alpha(alpha, known, np.full(len(known), 100.0))


def expected_calibration_error(
    y_true: npt.ArrayLike,
    y_proba: npt.ArrayLike,
    *,
    n_bins: int = 10,
    strategy: Strategy = "quantile",
    sample_weight: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
) -> float:
    """Mean distance between predicted probability and observed frequency, by bins.

    With two labels it is computed for the probability of the second label. With more labels it
    is computed for the largest probability and the accuracy of its label ("top-label"
    calibration).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of any type.
    y_proba : array-like of shape (n,) or (n, K)
        Probabilities, as in `focal_loss`.
    n_bins : int, default=10
        Number of bins.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins with equal numbers of rows, or of equal width. On imbalanced tables nearly all
        probabilities fall into the first uniform bin.
    sample_weight : array-like of shape (n,), default=None
        Weights of rows.
    labels : array-like, default=None
        All labels, for a ``y_true`` that may lack one.

    Returns
    -------
    float
        In [0, 1]; 0 is perfect. The sum over bins of the bin's share of weight times
        abs(mean probability - frequency) [1]_.

    Raises
    ------
    TypeError, ValueError
        If shapes, probabilities or parameters are not as above.

    References
    ----------
    .. [1] Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning,
       AAAI 2015.

    Examples
    --------
    >>> from skfocal.metrics import expected_calibration_error
    >>> round(expected_calibration_error([0, 0, 1, 1], [0.1, 0.1, 0.8, 0.8], n_bins=2), 6)
    0.15
    """
    classes, codes = _encode(y_true, labels)
    weight = check_weight(sample_weight, codes)
    weight = np.ones(len(codes)) if weight is None else weight
    proba = _columns(y_proba, len(codes), len(classes))
    if len(classes) == 2:
        confidence, hit = proba[:, 1], codes == 1
    else:
        confidence, hit = proba.max(axis=1), proba.argmax(axis=1) == codes
    bins = calibration_bins(confidence, n_bins, strategy)
    gaps = np.bincount(bins, weights=weight * (confidence - hit))
    return float(np.abs(gaps).sum() / weight.sum())


def calibration_bins(confidence: Array, n_bins: int, strategy: Strategy) -> npt.NDArray[np.intp]:
    """The bin of each probability.

    Parameters
    ----------
    confidence : ndarray of shape (n,)
        Probabilities.
    n_bins : int
        Number of bins.
    strategy : {"quantile", "uniform"}
        Bins with equal numbers of rows, or of equal width.

    Returns
    -------
    ndarray of shape (n,)
        Numbers of bins, from 0; a bin may have no rows.

    Raises
    ------
    TypeError, ValueError
        If ``n_bins`` or ``strategy`` is not as above.
    """
    check_choice(strategy, ("quantile", "uniform"), "strategy")
    check_integer(n_bins, "n_bins", 1)
    inner = np.linspace(0, 1, n_bins + 1)[1:-1]
    edges = np.quantile(confidence, inner) if strategy == "quantile" else inner
    return np.searchsorted(edges, confidence, side="left")
