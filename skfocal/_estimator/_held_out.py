"""Scores of held-out rows, as the model will predict them: after calibration (floor 3)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from skfocal._estimator._selection import Resampling
from skfocal._estimator._target import ClassTotals, Target, n_effective
from skfocal._kernels import Array
from skfocal.calibration import Calibration, effective_rows, quick_calibration
from skfocal.losses import FocalLoss
from skfocal.losses._link import log_weight, raw_proba
from skfocal.losses._rows import class_totals

Rows = npt.NDArray[np.integer]
# The calibration that precedes a score sees the means of so many bins of log-odds. Within a bin
# 0.02 wide the curvature of the log loss hardly changes.
_N_BINS = 1024
# Of more than two classes it sees about so many rows of each, with weights that stand for all.
_N_OF_A_CLASS = 20_000


class Split(NamedTuple):
    """Training and held-out rows of one fold, as indices of the rows of positive weight."""

    train: Rows
    test: Rows
    test_of_all: Rows
    """The held-out rows as indices of all rows."""


@dataclass(frozen=True)
class HeldOut:
    """The held-out rows of all folds, and how they are scored; greater is better.

    Without a scorer the score is the negative log loss of the posterior.
    """

    folds: list[Split]
    target: Target
    """Labels and weights of the rows of positive weight."""
    X: Any
    y: Any
    """All rows, for the scorer."""
    scorer: Any
    params: dict[str, Any]
    """Arguments of the scorer, of all rows."""
    is_calibrated: bool
    """Whether slope and offset are fitted before rows are scored."""
    is_refitted: bool
    """Whether the chosen setting is fitted again on all rows."""

    @cached_property
    def resampling(self) -> Resampling:
        """The number of splits and the mean of n_test / n_train."""
        ratios = [self._size(fold.test) / self._size(fold.train) for fold in self.folds]
        return Resampling(len(ratios), float(np.mean(ratios)))

    @cached_property
    def train_share(self) -> float:
        """The mean share of all rows that a fold trains on: (k - 1) / k for k folds."""
        sizes = [self._size(fold.train) for fold in self.folds]
        return float(np.mean(sizes)) / self._size(slice(None))

    @cached_property
    def totals(self) -> ClassTotals:
        """What there is of each class among the rows whose shares the probabilities are for.

        They are the held-out rows, which calibrate. Without calibration they are the rows that
        the chosen model was trained on: all rows, or those of the folds. A row counts as often
        as it is in a fold. A class that no fold holds out has its share of all rows; then all
        other classes have, too.
        """
        if self.is_calibrated:
            return self._totals_of([fold.test for fold in self.folds])
        if self.is_refitted:
            return self.target.totals
        return self._totals_of([fold.train for fold in self.folds])

    def _totals_of(self, parts: list[Rows]) -> ClassTotals:
        target = self.target
        times = np.bincount(np.concatenate(parts), minlength=len(target.codes))
        if times.min() == times.max():
            return target.totals
        weight = times if target.sample_weight is None else times * target.sample_weight
        weight = weight.astype(np.float64)
        weights = class_totals(target.codes, len(target.classes), weight)
        if ((weights == 0) & (target.totals.weights > 0)).any():
            return target.totals
        rows = class_totals(target.codes[times > 0], len(target.classes))
        return ClassTotals(target.classes, rows, weights, n_effective(weight, weights))

    def _size(self, rows: Any) -> float:
        """The number of rows, or the sum of their weights: repeated rows are rows of weight 2."""
        weight = self.target.sample_weight
        return float(len(self.target.codes[rows]) if weight is None else weight[rows].sum())

    def scores(self, losses: list[FocalLoss], log_odds: list[Array]) -> list[float]:
        """The score of each fold.

        Parameters
        ----------
        losses : list of FocalLoss
            That each fold was trained on.
        log_odds : list of ndarray of shape (n_test,) or (n_test, n_classes)
            Of the posterior of the held-out rows of each fold.
        """
        correction = self._correction(log_odds)
        return [
            self._score(k, loss, correction.apply(own))
            for k, (loss, own) in enumerate(zip(losses, log_odds, strict=True))
        ]

    def for_all_rows(self, log_odds: list[Array]) -> list[Array]:
        """Held-out log-odds for the class shares of all rows, which a fit on all rows starts from.

        Those of a fold are for the shares of its training rows. They are others in the order of
        time, and a little by chance.
        """
        of_all = self._log_shares(slice(None))
        shifts = [of_all - self._log_shares(fold.train) for fold in self.folds]
        return [
            Calibration(1.0, _offset(shift)).apply(own)
            for shift, own in zip(shifts, log_odds, strict=True)
        ]

    def _log_shares(self, rows: Any) -> Array:
        """Logarithms of the class shares; 0 for a class without rows of positive weight."""
        weight = self.target.sample_weight
        totals = class_totals(
            self.target.codes[rows],
            len(self.target.classes),
            None if weight is None else weight[rows],
        )
        shares = totals / totals.sum()
        return np.asarray(np.log(shares, out=np.zeros_like(shares), where=shares > 0))

    def _correction(self, log_odds: list[Array]) -> Calibration:
        """Slope and offset of all held-out rows, nearly those of `fit_calibration`."""
        if not self.is_calibrated:
            return Calibration()
        if log_odds[0].ndim == 2:
            rows, weight = self._some_rows
            return quick_calibration(np.concatenate(log_odds)[rows], self.codes[rows], weight)
        if len(self.codes) <= 4 * _N_BINS:
            return quick_calibration(np.concatenate(log_odds), self.codes, self._weight)
        return quick_calibration(*_binned(log_odds, self.codes, self._weight))

    @cached_property
    def codes(self) -> npt.NDArray[np.intp]:
        """Class codes of the held-out rows, fold after fold."""
        codes = [self.target.codes[fold.test] for fold in self.folds]
        return np.concatenate(codes).astype(np.intp)

    @cached_property
    def _weight(self) -> Array:
        """Weights of the held-out rows, fold after fold. Their sum is the effective number."""
        weight = self.target.sample_weight
        if weight is None:
            return np.ones(len(self.codes))
        all_of = np.concatenate([weight[fold.test] for fold in self.folds]).astype(np.float64)
        return np.asarray(all_of * (effective_rows(all_of) / all_of.sum()))

    @cached_property
    def _some_rows(self) -> tuple[Rows, Array]:
        """All held-out rows of rare classes and some of the others, with weights for all."""
        rows, weights = [], []
        for k in range(len(self.target.classes)):
            own = np.flatnonzero(self.codes == k)
            some = own[:: max(1, len(own) // _N_OF_A_CLASS)]
            if len(some):
                rows.append(some)
                weight = self._weight[some]
                weights.append(weight * (self._weight[own].sum() / weight.sum()))
        return np.concatenate(rows), np.concatenate(weights)

    @cached_property
    def _for_scorer(self) -> list[tuple[Any, Any, dict[str, Any]]]:
        """Columns, labels and arguments of the held-out rows of each fold."""
        found = []
        for fold in self.folds:
            rows = fold.test_of_all
            params = _check_method_params(self.X, params=self.params, indices=rows)
            found.append((_safe_indexing(self.X, rows), _safe_indexing(self.y, rows), params))
        return found

    def _score(self, k: int, loss: FocalLoss, log_odds: Array) -> float:
        """The score of fold ``k``."""
        if self.scorer is None:
            fold = self.folds[k]
            weight = self.target.sample_weight
            losses = _log_losses(log_odds, self.target.codes[fold.test])
            return -float(np.average(losses, weights=None if weight is None else weight[fold.test]))
        X, y, params = self._for_scorer[k]
        answers = _Answers(loss, self.target.classes, log_odds, X)
        return float(self.scorer(answers, X, y, **params))


def _offset(shift: Array) -> float | tuple[float, ...]:
    """What a shift of each class adds to log-odds, in the form that `Calibration` has."""
    return float(shift[1] - shift[0]) if len(shift) == 2 else tuple((shift - shift.mean()).tolist())


def _log_losses(log_odds: Array, codes: npt.NDArray[np.integer]) -> Array:
    """Log loss of each row."""
    if log_odds.ndim == 1:
        return np.asarray(np.logaddexp(0.0, np.where(codes == 1, -log_odds, log_odds)))
    own = log_odds[np.arange(len(codes)), codes]
    return np.asarray(logsumexp(log_odds, axis=1) - own)


def _binned(
    log_odds: list[Array], codes: npt.NDArray[np.intp], weight: Array
) -> tuple[Any, Any, Any]:
    """Means, class codes and weights of bins of the log-odds of two classes."""
    low, high = min(own.min() for own in log_odds), max(own.max() for own in log_odds)
    scale = (_N_BINS - 1) / (high - low) if high > low else 0.0
    sums, totals = np.zeros(2 * _N_BINS), np.zeros(2 * _N_BINS)
    done = 0
    for own in log_odds:
        rows = slice(done, done + len(own))
        bins = ((own - low) * scale).astype(np.intp) + _N_BINS * codes[rows]
        sums += np.bincount(bins, weight[rows], minlength=len(sums))
        totals += np.bincount(bins, weight[rows] * own, minlength=len(sums))
        done += len(own)
    filled = np.flatnonzero(sums)
    means = totals[filled] / sums[filled]
    return means, (filled // _N_BINS).astype(np.intp), sums[filled]


class _Answers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # they have no types
    """What a scorer asks of a classifier, answered from log-odds of the held-out rows."""

    def __init__(self, loss: FocalLoss, classes: Any, log_odds: Array, X: Any) -> None:
        self.loss, self.classes_, self.log_odds, self.X = loss, classes, log_odds, X

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _check(self, X: Any) -> None:
        if X is not self.X:
            raise ValueError(
                "The scorer asks for predictions of another table than the held-out rows that it "
                "was given. A search has only those: score the fitted model with it."
            )

    def predict_proba(self, X: Any) -> Array:
        self._check(X)
        return raw_proba(self.log_odds)

    def predict_log_proba(self, X: Any) -> Array:
        return np.log(self.predict_proba(X))

    def decision_function(self, X: Any) -> Array:
        self._check(X)
        return self.log_odds

    def predict(self, X: Any) -> npt.NDArray[Any]:
        self._check(X)
        scores = self.log_odds + log_weight(self.loss.class_weight, self.log_odds)
        codes = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
        labels: npt.NDArray[Any] = self.classes_[codes.astype(np.intp)]
        return labels
