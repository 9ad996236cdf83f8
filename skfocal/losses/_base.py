"""What the margins of the two losses mean: posterior, decision, start, scale (floor 2)."""

from abc import abstractmethod
from dataclasses import Field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal.losses._parameters import Link
from skfocal.losses._row_loss import RowLoss
from skfocal.losses._rows import check_posterior, checked_totals

# Share of a class that has no rows, or none of a weight above 0. The true optimum would be an
# infinite margin; this one is finite, and the class as improbable as a float32 can tell from 1.
RAREST = 1e-9


class FocalLossBase(RowLoss):
    """What the two losses share; for conventions see `RowLoss`.

    Log-odds of the posterior are here one number in a row for two classes; for more they are
    logarithms of probabilities plus a constant of the row.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def raw_is_posterior(self) -> bool:
        """Whether the sigmoid or softmax of the margins is the posterior."""
        unweighted = len(set(self.class_weight)) == 1
        return self.link == "posterior" or (unweighted and not any(self.class_gamma))

    @abstractmethod
    def intercept(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float | Array:
        """The constant margin with the smallest weighted loss."""

    def posterior(self, raw_prediction: npt.ArrayLike) -> Array:
        """P(class | row) from margins in closed form.

        The map of Charoenphakdee et al. 2021 [1]_, with weights and one gamma per class.
        Class weights and gamma are undone; sample weights, which describe the population,
        are not. Under the focal link and with more than two classes, the order of rows
        within a class may differ from that of softmax(margins).

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins of this loss.

        Returns
        -------
        ndarray of shape (n, K)
            Columns in the order of the codes, two for `BinaryFocalLoss`; rows sum to 1.

        Raises
        ------
        ValueError
            If the shape of the margins is another.

        References
        ----------
        .. [1] Charoenphakdee et al., On Focal Loss for Class-Posterior Probability
           Estimation, CVPR 2021, arXiv:2011.09172.
        """
        raw = self._check_raw(raw_prediction)
        if _kernels.on_device(raw):
            on_device: Array = _kernels.device_posterior(raw, *self._classes, self.link)
            return on_device
        return raw_proba(self._log_odds(raw.astype(np.float64))).astype(raw.dtype)

    def log_odds(self, raw_prediction: npt.ArrayLike) -> Array:
        """The log-odds of the posterior, whose sigmoid or softmax it is.

        Class weights are undone in them, as in `posterior`; in `decision` they are not.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins of this loss.

        Returns
        -------
        ndarray of shape (n,) or (n, K)
            For `BinaryFocalLoss` log(P+ / P-), for `MulticlassFocalLoss` log P_k plus a constant
            of the row. These are the margins under the posterior link, and at gamma 0 without
            class weights.

        Raises
        ------
        ValueError
            If the shape of the margins is another.

        Examples
        --------
        >>> from skfocal import BinaryFocalLoss
        >>> BinaryFocalLoss(gamma=2.0).log_odds([0.0, 1.0]).round(4)
        array([0.    , 2.6817])
        """
        raw = self._check_raw(raw_prediction)
        return self._log_odds(raw.astype(np.float64)).astype(raw.dtype)

    def decision(self, raw_prediction: npt.ArrayLike) -> Array:
        """Score whose sign or argmax is the class with the largest weight x posterior.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins of this loss.

        Returns
        -------
        ndarray of shape (n,) or (n, K)
            The margins themselves under the focal link with equal gammas. Otherwise
            log(w+ P+ / (w- P-)) for `BinaryFocalLoss`, which is positive where class 1 is
            favoured, and log(w_k P_k) plus a constant of the row for `MulticlassFocalLoss`.

        Raises
        ------
        ValueError
            If the shape of the margins is another.
        """
        raw = self._check_raw(raw_prediction)
        if self.link == "focal" and self._equal_gammas:
            return raw
        return (self._log_odds(raw.astype(np.float64)) + self._log_weight).astype(raw.dtype)

    def raw_prediction(self, posterior: npt.ArrayLike) -> Array:
        """The margins that have a given posterior: the inverse of `posterior`.

        Parameters
        ----------
        posterior : array-like of shape (n, K)
            P(class | row), > 0; two columns for `BinaryFocalLoss`.

        Returns
        -------
        ndarray of shape (n,) or (n, K), float64
            For `MulticlassFocalLoss` log p under the focal, log P under the posterior link.

        Raises
        ------
        TypeError, ValueError
            If rows are not probabilities > 0 of sum 1, one for each class.
        """
        proba = check_posterior(posterior, self.n_classes, "posterior").astype(np.float64)
        if not (proba > 0).all():
            raise ValueError("posterior must be > 0: the margins of probability 0 are infinite.")
        return self._margins(self._contrast(np.log(proba)))

    def convert(self, raw_prediction: npt.ArrayLike, link: Link) -> Array:
        """The margins that say the same under another link.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins of this loss.
        link : {"focal", "posterior"}
            The link of the result.

        Returns
        -------
        ndarray of shape (n,) or (n, K), float64
            For `MulticlassFocalLoss` a constant of each row is without meaning.

        Raises
        ------
        ValueError
            If the shape of the margins is another, or ``link`` neither of the two.

        Examples
        --------
        >>> from skfocal import BinaryFocalLoss
        >>> loss = BinaryFocalLoss(gamma=2.0)
        >>> loss.convert([1.0], "posterior").round(4)
        array([2.6817])
        """
        log_odds = self._log_odds(self._check_raw(raw_prediction).astype(np.float64))
        return replace(self, hessian="upper", link=link)._margins(log_odds)

    @property
    def is_scaled(self) -> bool:
        """Whether `log_loss_scale` may differ from 1."""
        plain = not any(self.class_gamma) and set(self.class_weight) == {1.0}
        return self.link == "posterior" and not plain

    def log_loss_scale(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """The factor that brings the loss to the scale of log loss.

        Under the posterior link it makes the Hessian at the log-odds of the classes' shares,
        where training starts, as large as that of log loss: with it, what boosters compare
        with sums of Hessians (``min_child_weight``, ``min_sum_hessian_in_leaf``,
        ``reg_lambda``) keeps its meaning. It is 1 under the focal link.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes; a class without rows counts as very rare.
        sample_weight : array-like of shape (n,), default=None
            Non-negative.

        Returns
        -------
        float
            The factor, > 0.

        Raises
        ------
        TypeError, ValueError
            If a code is none of 0..K-1, a weight is negative or not finite, or all are 0.
        """
        if not self.is_scaled:
            return 1.0
        totals = checked_totals(y_true, self.n_classes, sample_weight)
        if not totals.any():
            raise ValueError("y_true must have rows, and sample_weight not be 0 for all of them.")
        shares = np.maximum(totals / totals.sum(), RAREST)
        start = self.raw_prediction(shares[np.newaxis])
        _, hessian = self.gradient_hessian(np.zeros(1), start)
        eta = self.posterior(start)
        variances = eta[:, 1] * eta[:, 0] if start.ndim == 1 else eta * (1.0 - eta)
        return float(variances.sum() / hessian.sum())

    @property
    def _equal_gammas(self) -> bool:
        return len(set(self.class_gamma)) == 1

    @property
    @abstractmethod
    def _log_weight(self) -> float | Array:
        """Logarithm of the class weights, as it is added to log-odds."""

    def _log_odds(self, raw: Array) -> Array:
        """Log-odds of the posterior, or its logarithm plus a constant of each row."""
        if self.link == "posterior":
            return raw
        if not any(self.class_gamma):  # the constant of a row is the margins' own
            return raw - self._log_weight
        return _kernels.log_odds(raw, self.class_gamma) - self._log_weight

    @abstractmethod
    def _margins(self, log_odds: Array) -> Array:
        """The inverse of `_log_odds`."""

    @staticmethod
    @abstractmethod
    def _contrast(log_posterior: Array) -> Array:
        """Log-odds, as `_margins` takes them, of a posterior's logarithm (n, K)."""

    def _totals(self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> Array:
        totals = checked_totals(y_true, self.n_classes, sample_weight)
        if not totals.any():
            raise ValueError(
                "y_true must have rows, and sample_weight not be 0 for all of them: there is no "
                "optimal constant otherwise."
            )
        floored: Array = np.maximum(totals, RAREST * totals.sum())
        return floored


def raw_proba(raw_prediction: Array) -> Array:
    """Sigmoid (n, 2) of margins (n,), softmax of margins (n, K)."""
    if raw_prediction.ndim == 1:
        return np.column_stack([expit(-raw_prediction), expit(raw_prediction)])
    proba: Array = softmax(raw_prediction, axis=1)
    return proba
