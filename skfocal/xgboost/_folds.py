"""Training of `FocalXGBClassifierCV` on the rows of its folds (floor 5)."""

from typing import Any

import numpy as np
import xgboost
from xgboost import Booster, DMatrix, QuantileDMatrix

from skfocal._booster._plan import Plan
from skfocal._estimator._held_out import Rows, Split
from skfocal._estimator._target import Target
from skfocal._kernels import Array
from skfocal.xgboost._format import first_rounds
from skfocal.xgboost._gpu import rows_of
from skfocal.xgboost._native_data import train_on_matrix, training_parameters
from skfocal.xgboost._private import make_matrix
from skfocal.xgboost._training import make_trainer


class BinnedRows:
    """All rows as a matrix of XGBoost, whose bins all folds have.

    Parameters
    ----------
    plain : FocalXGBClassifier
        Its parameters decide on the bins.
    features : array-like, sparse matrix or DataFrame
        The rows of positive weight.
    target : Target
        Their labels and weights.
    plan : Plan
        Of any setting.
    feature_weights : array-like or None
        As in `xgboost.XGBClassifier.fit`.
    """

    def __init__(
        self, plain: Any, features: Any, target: Target, plan: Plan, feature_weights: Any
    ) -> None:
        self.features, self.target, self.feature_weights = features, target, feature_weights
        self.trainer = _trainer(plain, plan)
        self.matrix = self._matrix(None, slice(None))

    def prepare_thread(self) -> None:
        """Set the level of XGBoost's messages, which each thread has for itself."""
        xgboost.set_config(verbosity=0)

    def fold(self, split: Split) -> "MaskedFold | BinnedFold":
        """The rows of one fold."""
        if not isinstance(self.matrix, QuantileDMatrix):
            return BinnedFold(self._matrix(None, split.train), self._matrix(None, split.test))
        if self.trainer.device in (None, "cpu"):
            return MaskedFold(self.matrix, split)
        own, held_out = (self._matrix(self.matrix, rows) for rows in (split.train, split.test))
        return BinnedFold(own, held_out)

    def _matrix(self, ref: DMatrix | None, rows: Any) -> DMatrix:
        weight = self.target.sample_weight
        every = isinstance(rows, slice)
        return make_matrix(
            self.trainer,
            ref,
            data=self.features if every else rows_of(self.features, rows),
            label=self.target.codes[rows],
            weight=None if weight is None else weight[rows],
            feature_weights=self.feature_weights,
        )

    def train(self, plain: Any, plan: Plan) -> Any:
        """A trainer that was fitted on all rows."""
        trainer = _trainer(plain, plan)
        train_on_matrix(trainer, plan.n_classes, self.matrix, [], continued=None)
        return trainer

    def margins(self, booster: Booster, n_threads: int) -> Array:
        """Margins of all rows, by a standard booster."""
        booster.set_param({"nthread": n_threads})
        margins: Array = booster.predict(self.matrix, output_margin=True)
        return margins


class MaskedFold:
    """One fold on the matrix of all rows: gradients count as often as it trains on a row.

    Without a gradient a row is as if absent, as after ``subsample``: XGBoost's histograms
    are sums of gradients and Hessians, and it counts no rows. Bins of all rows are only read, so
    that folds in several threads share them.
    """

    def __init__(self, matrix: QuantileDMatrix, split: Split) -> None:
        self.matrix, self.test = matrix, split.test
        self.times = np.bincount(split.train, minlength=matrix.num_row()).astype(np.float32)

    def training(self, plain: Any, plan: Plan) -> "FoldTraining":
        """A booster without trees."""
        trainer = _trainer(plain, plan)
        objective = _Counted(trainer.objective, self.times)
        return FoldTraining(self.matrix, self.matrix, self.test, trainer, objective, plan)


class _Counted:
    """An objective in which each row counts several times, or not at all."""

    def __init__(self, objective: Any, times: Array) -> None:
        self.objective, self.times = objective, times

    def __call__(self, margins: Array, matrix: DMatrix) -> tuple[Array, Array]:
        """Gradient and Hessian of all rows."""
        gradient, hessian = self.objective(margins, matrix)
        times = self.times.reshape(-1, *[1] * (gradient.ndim - 1))
        gradient *= times
        hessian *= times
        return gradient, hessian


class BinnedFold:
    """The rows of one fold as two matrices."""

    def __init__(self, train: DMatrix, test: DMatrix) -> None:
        self.train, self.test = train, test

    def training(self, plain: Any, plan: Plan) -> "FoldTraining":
        """A booster without trees."""
        trainer = _trainer(plain, plan)
        return FoldTraining(self.train, self.test, slice(None), trainer, trainer.objective, plan)


class FoldTraining:
    """A booster that is trained on the training rows of a fold, round by round.

    Parameters
    ----------
    train : DMatrix
        Rows that it trains on.
    test : DMatrix
        The held-out rows, in places ``rows``.
    rows : ndarray or slice
    trainer : WithMetrics
        As `make_trainer` makes it.
    objective : callable
        As `xgboost.train` takes it.
    plan : Plan
        Of the training rows.
    """

    def __init__(
        self,
        train: DMatrix,
        test: DMatrix,
        rows: Rows | slice,
        trainer: Any,
        objective: Any,
        plan: Plan,
    ) -> None:
        self.train, self.test, self.rows, self.objective = train, test, rows, objective
        params = {**training_parameters(trainer, plan.n_classes)[2], "verbosity": 0}
        # A sequence of random numbers belongs to a thread, and boosters take turns in threads.
        params["seed_per_iteration"] = True
        # margins of matrices in the cache are those of the last round and its new trees
        self._booster = Booster(params, [train, test])
        self._round = 0

    def advance(self) -> Array:
        """Train one more round; the margins of the held-out rows after it."""
        self._booster.update(self.train, self._round, fobj=self.objective)
        self._round += 1
        margins: Array = self._booster.predict(self.test, output_margin=True)
        return margins[self.rows]

    def booster(self, n_rounds: int) -> Booster:
        """The standard model of the first rounds."""
        return first_rounds(self._booster, n_rounds)


def _trainer(plain: Any, plan: Plan) -> Any:
    params = plain.get_params(deep=False)
    if params["base_score"] is not None:
        plan = plan.without_intercept()
    return make_trainer(params, plan, False)
