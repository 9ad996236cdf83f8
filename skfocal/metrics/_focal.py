"""The focal loss of probabilities, and a scorer of it."""

from collections.abc import Callable, Mapping, Sized

import numpy as np
import numpy.typing as npt
from sklearn.metrics import make_scorer

from skfocal.losses import make_loss, mean_loss
from skfocal.losses._link import LINKS
from skfocal.losses._parameters import (
    Alpha,
    Gamma,
    Link,
    check_choice,
    check_gamma,
    is_word,
    resolve_alpha,
)
from skfocal.losses._rows import class_totals
from skfocal.metrics._rows import check_labels, check_weight, columns, encode


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
    classes, codes = encode(y_true, labels)
    n_classes = len(classes)
    weight = check_weight(sample_weight, codes)
    totals = class_totals(codes, n_classes, weight)
    loss = make_loss(n_classes, gamma, resolve_alpha(alpha, classes, totals), link=link)
    raw = np.log(columns(y_proba, len(codes), n_classes))
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
