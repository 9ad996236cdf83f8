"""Training of `FocalHistGradientBoostingClassifierCV` on the rows of its folds (floor 5)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal._booster._plan import Plan
from skfocal._estimator._held_out import Split
from skfocal._estimator._target import Target
from skfocal._kernels import Array
from skfocal.sklearn_boosting._private import Bins, Trees
from skfocal.sklearn_boosting._training import TrainingLoss

# The parent's own way to hold bins: rows are scanned by columns in training, and read row by row
# in prediction.
_BY_COLUMNS, _BY_ROWS = np.asfortranarray, np.ascontiguousarray


class BinnedRows:
    """The rows of positive weight, binned once: the folds have parts of them.

    Parameters
    ----------
    bins : Bins
        With the bins of these rows.
    target : Target
        Their labels and weights.
    n_threads : int
        Threads of a booster on a fold.
    """

    def __init__(self, bins: Bins, target: Target, n_threads: int) -> None:
        self.bins, self.target, self.n_threads = bins, target, n_threads

    def prepare_thread(self) -> None:
        """Nothing: scikit-learn prints nothing here."""

    def fold(self, split: Split) -> "BinnedFold":
        """The rows of one fold."""
        return BinnedFold(self, split.train, split.test)

    def train(self, plain: Any, plan: Plan) -> Trees:
        """The trees of a booster that was trained on all rows."""
        training = BinnedFold(self, slice(None), slice(0, 0)).training(plain, plan)
        for _ in range(plain.max_iter):
            training.advance()
        return training.booster(plain.max_iter)

    def margins(self, trees: Trees, n_threads: int) -> Array:
        """Margins of all rows."""
        return columns(self.bins.margins(trees, _BY_ROWS(self.bins.X), n_threads))


class BinnedFold:
    """The rows of one fold: bins to train on, and bins that are held out."""

    def __init__(self, rows: BinnedRows, train: Any, test: Any) -> None:
        target = rows.target
        self.rows = rows
        self.train, self.test = _BY_COLUMNS(rows.bins.X[train]), _BY_ROWS(rows.bins.X[test])
        self.codes = target.codes[train].astype(np.float64)
        self.weight = None if target.sample_weight is None else target.sample_weight[train]

    def training(self, plain: Any, plan: Plan) -> "FoldTraining":
        """A booster without trees."""
        return FoldTraining(self, plain, plan)


class FoldTraining:
    """A booster that is trained on the training rows of a fold, round by round."""

    def __init__(self, fold: BinnedFold, plain: Any, plan: Plan) -> None:
        self.fold, self.loss = fold, TrainingLoss(plan)
        self.grower = fold.rows.bins.grower(fold.train, plain, fold.rows.n_threads)
        start = self.loss.fit_intercept_only(fold.codes, fold.weight).reshape(1, -1)
        self.trees = Trees([], start)
        shape = len(fold.codes), start.shape[1]
        self.raw = np.zeros(shape, order="F")
        self.raw += start
        self.gradients = self.loss.init_gradient_and_hessian(len(fold.codes), np.float32)
        self.margins: Array = np.tile(start, (len(fold.test), 1))

    def advance(self) -> Array:
        """Train one more round; the margins of the held-out rows after it."""
        fold, n_threads = self.fold, self.fold.rows.n_threads
        self.loss.gradient_hessian(
            fold.codes, self.raw, fold.weight, *self.gradients, n_threads=n_threads
        )
        gradient, hessian = (_as_columns(array) for array in self.gradients)
        trees = [
            self.grower.grow(gradient[:, k], hessian[:, k], self.raw[:, k])
            for k in range(self.raw.shape[1])
        ]
        self.trees.rounds.append(trees)
        # a new array: the search keeps those of the best round
        self.margins = self.margins + fold.rows.bins.tree_margins(trees, fold.test, n_threads)
        return columns(self.margins)

    def booster(self, n_rounds: int) -> Trees:
        """The trees of the first rounds."""
        return Trees(self.trees.rounds[:n_rounds], self.trees.start)


def columns(margins: Array) -> Array:
    """Margins of two classes as (n,)."""
    return margins[:, 0] if margins.shape[1] == 1 else margins


def _as_columns(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return array[:, np.newaxis] if array.ndim == 1 else array
