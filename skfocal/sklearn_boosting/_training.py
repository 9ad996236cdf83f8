"""The focal loss as scikit-learn's trees ask for it (floor 5)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skfocal._booster._plan import Plan
from skfocal._kernels import Array
from skfocal.objectives._objective import MAX_STEP, MIN_HESSIAN
from skfocal.sklearn_boosting._private import log_loss_of


class TrainingLoss:
    """What the trees ask of a loss in training: the start, gradients and Hessians, a score.

    The score is the log loss of the posterior: by it training stops early. Labels, weights and
    margins are the float64 arrays of scikit-learn. Margins of two classes may have one column.

    Parameters
    ----------
    plan : Plan
    begin_round : callable or None
        Is called before the gradients of each round.
    """

    # scikit-learn asks for these attributes
    differentiable = True
    constant_hessian = False
    approx_hessian = True
    is_multiclass = True

    def __init__(self, plan: Plan, begin_round: Callable[[], None] | None = None) -> None:
        self.plan, self.begin_round = plan, begin_round
        self.n_classes = plan.n_classes
        self._log_loss = log_loss_of(plan.n_classes)
        self._last: tuple[Any, Any] = None, None

    def fit_intercept_only(self, y_true: Array, sample_weight: Array | None = None) -> Array:
        """The margins of the best constant; those of more than two classes have the sum 0."""
        margins = np.asarray(self.plan.loss.intercept(y_true, sample_weight))
        return margins - margins.mean() if margins.ndim else margins

    def init_gradient_and_hessian(
        self, n_samples: int, dtype: Any = np.float64, order: Any = "F"
    ) -> tuple[Array, Array]:
        """Arrays to fill in each round."""
        shape = (n_samples,) if self.n_classes == 2 else (n_samples, self.n_classes)
        return np.empty(shape, dtype, order), np.empty(shape, dtype, order)

    def gradient_hessian(
        self,
        y_true: Array,
        raw_prediction: Array,
        sample_weight: Array | None,
        gradient_out: Array,
        hessian_out: Array,
        n_threads: int = 1,
    ) -> tuple[Array, Array]:
        """Fill gradients and Hessians, with which a round begins."""
        if self.begin_round is not None:
            self.begin_round()
        loss, out = self.plan.loss, (gradient_out, hessian_out)
        codes, weight = self._rows_of_training(y_true, sample_weight)
        raw = self._columns(raw_prediction)
        if loss.is_cross_entropy:  # to the last bit as scikit-learn
            self._log_loss.gradient_hessian(codes, raw, weight, *out, n_threads)
            return out
        return loss.gradient_hessian(
            codes,
            raw,
            weight,
            max_step=MAX_STEP,
            min_hessian=MIN_HESSIAN,
            scale=self.plan.scale,
            out=out,
            n_threads=n_threads,
        )

    def _rows_of_training(self, y_true: Array, sample_weight: Array | None) -> tuple[Array, Any]:
        """Labels and weights as gradients need them, found once for all rounds.

        scikit-learn's loss knows no class weights, which are part of the sample weights then.
        """
        given, found = self._last
        if given is None or given[0] is not y_true or given[1] is not sample_weight:
            if not self.plan.loss.is_cross_entropy:
                weight = None if sample_weight is None else sample_weight.astype(np.float32)
                found = y_true.astype(np.float32), weight
            else:
                found = y_true, self._folded(y_true, sample_weight)
            self._last = (y_true, sample_weight), found
        codes, weight = found
        return codes, weight

    def _folded(self, y_true: Array, sample_weight: Array | None) -> Array | None:
        """Class weights times sample weights."""
        if set(self.plan.loss.class_weight) == {1.0}:
            return sample_weight
        of_rows: Array = np.take(self.plan.loss.class_weight, y_true.astype(np.intp))
        return of_rows if sample_weight is None else sample_weight * of_rows

    def __call__(
        self,
        y_true: Array,
        raw_prediction: Array,
        sample_weight: Array | None = None,
        n_threads: int = 1,
    ) -> float:
        """The log loss of the posterior, in the weighted mean."""
        raw, loss = self._columns(raw_prediction), self.plan.loss
        log_odds = raw if loss.raw_is_posterior else loss.log_odds(raw, n_threads=n_threads)
        value: float = self._log_loss(y_true, log_odds, sample_weight, n_threads)
        return value

    def predict_proba(self, raw_prediction: Array) -> Array:
        """The posterior. scikit-learn stratifies the split for early stopping if this exists."""
        return self.plan.loss.posterior(self._columns(raw_prediction))

    def _columns(self, raw: Array) -> Array:
        return raw[:, 0] if self.n_classes == 2 and raw.ndim == 2 else raw
