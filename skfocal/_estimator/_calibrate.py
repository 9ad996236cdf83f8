"""Calibration and priors of a fitted classifier (floor 3)."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._features import Table
from skfocal._estimator._probabilities import Probabilities, change
from skfocal._estimator._target import encode_labels
from skfocal._kernels import Array
from skfocal.calibration import (
    Calibration,
    Priors,
    check_priors,
    effective_rows,
    fit_calibration,
    prior_shift,
    shares_differ,
)
from skfocal.losses import FocalLoss
from skfocal.losses._parameters import Probability, check_choice
from skfocal.losses._rows import class_totals

_RAW = (
    'probability="raw" is the sigmoid or softmax of the margin, which calibration and priors do '
    'not change under link="focal": use probability="posterior", or link="posterior".'
)


class CalibrateMixin:
    """Maps the log-odds of the posterior: after a calibration, and for other priors.

    Where the margin is the log-odds, the model itself holds the map. Otherwise it is kept beside
    the model, and `_beside` has it.
    """

    probability: Probability
    # pickles of older versions have neither of these two
    priors: Priors = None
    _probabilities: Probabilities = Probabilities()
    loss_: FocalLoss
    classes_: npt.NDArray[Any]

    @property
    def calibration_(self) -> Calibration | None:
        """What `calibrate` has found: ``slope`` and ``offset``. None before it was called."""
        check_is_fitted(self, "loss_")
        return self._probabilities.calibration

    @property
    def class_prior_(self) -> Array | None:
        """Shares of the classes in the training rows, weighted by ``sample_weight``.

        A classifier that chooses by cross-validation and calibrates has those of the rows that
        its folds hold out, because its probabilities are for them.

        None for a model that does not know them: one of an older version or of a booster.
        """
        check_is_fitted(self, "loss_")
        shares = self._probabilities.class_prior
        return None if shares is None else np.array(shares)

    @property
    def priors_(self) -> Array | None:
        """Shares of the classes in the population that the probabilities are for.

        They are those of ``priors`` or of `adjust_priors`, and ``class_prior_`` without either.
        """
        check_is_fitted(self, "loss_")
        shares = self._probabilities.priors
        return self.class_prior_ if shares is None else np.array(shares)

    def calibrate(
        self,
        X: Table,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        priors: Priors = None,
    ) -> Self:
        """Calibrate the probabilities on rows that were held out of training.

        Trees that separate their training rows give probabilities that are too extreme and, on
        average, too small for rare classes. The slope and the offset of the posterior's log-odds
        with the smallest log loss on other rows mend both; see
        `skfocal.calibration.fit_calibration`. A second call starts from the model as fitted.
        `predict` takes the class with the largest class weight times calibrated posterior.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Rows that fit has not seen, with columns as in fit.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights.
        priors : dict or array-like of shape (n_classes,), default=None
            The shares of the classes in the population of these rows, where it is another one
            than that of the training rows: a dict of label and share, or shares in the order of
            ``classes_``. They are for these rows only: the model's own `priors_` stay. They are
            not the prevalence that is wanted, which `adjust_priors` takes.

        Returns
        -------
        FocalClassifierMixin
            The model itself. It has the map as ``calibration_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If an argument is not as described; if the shares of the classes differ by more than
            chance from those in training, or from ``priors`` if they are given; or if predictions
            are ``probability="raw"`` under the focal link. The model is then left as it was.

        Warns
        -----
        UserWarning
            If a class has fewer than 20 rows, or the rows contradict the model.
        """
        self._check_correctable()
        raw, codes, weight = self._rows_to_calibrate(X, y, sample_weight)
        known = self._probabilities
        shift: Any = 0.0
        if priors is None:
            self._check_shares(codes, weight, known.class_prior, known.n_rows)
        else:
            of_rows = check_priors(priors, self.classes_)
            self._check_shares(codes, weight, of_rows, None)
            shift = prior_shift(known.check_class_prior(), of_rows)
        found = fit_calibration(
            self._fitted_log_odds(raw),
            codes,
            weight,
            shift=shift,
            labels=self.classes_.tolist(),
        )
        self._correct(self._probabilities.calibrated(found))
        return self

    def adjust_priors(self, priors: Priors) -> Self:
        """Turn the probabilities into those for another prevalence of the classes.

        The rows of each class are taken to be as before; only their shares differ, because the
        training rows were sampled or the population has changed. The log-odds of class k then
        move by log(priors_k / class_prior_k) [1]_. A second call starts again from the shares
        in training. The parameter ``priors`` stays as it is.

        Parameters
        ----------
        priors : dict or array-like of shape (n_classes,), or None
            The shares of the classes in the population: a dict of label and share, or shares
            in the order of ``classes_``. None: those of the training rows.

        Returns
        -------
        FocalClassifierMixin
            The model itself.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If ``priors`` are no shares of the classes, the shares in training are not known, or
            predictions are ``probability="raw"`` under the focal link.

        References
        ----------
        .. [1] Saerens et al., Adjusting the outputs of a classifier to new a priori
           probabilities, Neural Computation 14, 2002.
        """
        self._check_correctable()
        self._correct(self._probabilities.with_priors(priors, self.classes_))
        return self

    def _check_correctable(self) -> None:
        check_is_fitted(self, "loss_")
        self._check_probability()
        if self.probability == "raw" and not self.loss_.raw_is_posterior:
            raise ValueError(_RAW)

    def _rows_to_calibrate(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[Array, npt.NDArray[np.intp], Array]:
        """Margins, class codes and weights of rows in memory."""
        raw = self._raw_prediction(X)
        codes = encode_labels(self.classes_, y, "y")
        if len(codes) != len(raw):
            raise ValueError(f"X has {len(raw)} rows, but y has {len(codes)} labels.")
        weight = _check_sample_weight(
            sample_weight, raw, dtype=np.float64, ensure_non_negative=True
        )
        if not weight.any():
            raise ValueError("sample_weight must not be zero for all rows.")
        return raw, codes, weight

    def _raw_prediction(self, X: Any) -> Array:
        """Margins of a table, on the host."""
        raise NotImplementedError

    def _check_shares(
        self, codes: npt.NDArray[np.intp], weight: Array, expected: Any, n_rows: float | None
    ) -> None:
        """Refuse rows of another population: their offset would hold a shift of the priors."""
        if expected is None:
            return
        shares = class_totals(codes, len(self.classes_), weight)
        shares = shares / shares.sum()
        if shares_differ(shares, effective_rows(weight), expected, n_rows):
            raise ValueError(
                f"The classes have the shares {shares.round(6).tolist()} in y, which differ by "
                f"more than chance from {np.round(expected, 6).tolist()}, those in training or in "
                "priors. Give calibrate rows of the population of training, or tell it the "
                "shares in the population of these rows: calibrate(X, y, priors=...). To move "
                "the probabilities to another prevalence is what adjust_priors does."
            )

    def _fitted_log_odds(self, raw: Array) -> Array:
        """The log-odds of the posterior before calibration and priors, in double precision."""
        log_odds = self.loss_.log_odds(np.asarray(raw, dtype=np.float64))
        if self.loss_.raw_is_posterior:
            log_odds = self._probabilities.correction.inverse().apply(log_odds)
        return log_odds

    def _correct(self, probabilities: Probabilities) -> None:
        """Replace the correction of the log-odds, in the model or beside it."""
        step = change(self._probabilities.correction, probabilities.correction)
        with restored_on_failure(self):
            self._probabilities = probabilities
            self._change_margins(step if self.loss_.raw_is_posterior else Calibration())

    def _change_margins(self, change: Calibration) -> None:
        """Map the margins of the model; the new ``_probabilities`` are set already."""
        raise NotImplementedError

    def _check_probability(self) -> None:
        check_choice(self.probability, ("posterior", "raw"), "probability")

    def _check_priors_of_raw(self, loss: FocalLoss) -> None:
        """Refuse, before training, priors that predictions would not show."""
        if self.priors is not None and self.probability == "raw" and not loss.raw_is_posterior:
            raise ValueError(_RAW)

    @property
    def _beside(self) -> Calibration | None:
        """The map of log-odds that the model does not hold itself, or None."""
        if self.loss_.raw_is_posterior:
            return None
        correction = self._probabilities.correction
        if correction.is_identity:
            return None
        if self.probability == "raw":
            raise ValueError(_RAW)
        return correction

    def _log_odds(self, raw: Array, correction: Calibration) -> Array:
        return correction.apply(self.loss_.log_odds(raw.astype(np.float64)))
