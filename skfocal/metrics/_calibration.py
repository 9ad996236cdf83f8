"""The calibration error of probabilities."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from skfocal._kernels import Array
from skfocal.losses._parameters import check_choice, check_integer
from skfocal.metrics._rows import check_weight, columns, encode

Strategy = Literal["quantile", "uniform"]


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
    classes, codes = encode(y_true, labels)
    weight = check_weight(sample_weight, codes)
    weight = np.ones(len(codes)) if weight is None else weight
    proba = columns(y_proba, len(codes), len(classes))
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
