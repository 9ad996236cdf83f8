"""Training of `FocalLGBMClassifierCV` on the rows of its folds (floor 5)."""

from typing import Any

import numpy as np
from lightgbm import Booster, Dataset

from skfocal._booster._eval_sets import Evaluation
from skfocal._booster._plan import Plan
from skfocal._estimator._held_out import Rows as Indices
from skfocal._estimator._held_out import Split
from skfocal._estimator._target import Target
from skfocal._kernels import Array
from skfocal.lightgbm._format import standardised
from skfocal.lightgbm._native_data import FromIntercept, dataset_parameters, train_on_dataset
from skfocal.lightgbm._private import Trainer, training_parameters
from skfocal.lightgbm._training import make_trainer, no_column_is_usable

# Folds are many, and each would say the same. What LightGBM has to say of parameters, it says
# where all rows are binned.
_QUIET = {"verbosity": -1}


class BinnedRows:
    """All rows as a data set of LightGBM, of which the folds are subsets: all have its bins.

    Parameters
    ----------
    plain : FocalLGBMClassifier
        Its parameters decide on the bins.
    features : array-like, sparse matrix or DataFrame
        The rows of positive weight.
    target : Target
        Their labels and weights.
    plan : Plan
        Of any setting.
    **columns
        ``feature_name`` and ``categorical_feature``.
    """

    def __init__(
        self, plain: Any, features: Any, target: Target, plan: Plan, **columns: Any
    ) -> None:
        self.features = features
        self.params = dataset_parameters(_trainer(plain, plan).get_params())
        self.dataset = Dataset(
            features,
            label=target.codes,
            weight=target.sample_weight,
            params=self.params,
            **columns,
        ).construct()

    def prepare_thread(self) -> None:
        """Set the level of LightGBM's log, which each thread has for itself."""
        Dataset(np.zeros((2, 1)), params=_QUIET).construct()

    def fold(self, split: Split) -> "BinnedFold":
        """The rows of one fold."""
        return BinnedFold(self._subset(split.train), self._subset(split.test))

    def _subset(self, rows: Indices) -> Dataset:
        subset = self.dataset.subset(rows.tolist(), params=self.params).construct()
        subset.used_indices = None  # a list with 40 bytes a row, which nothing reads any more
        return subset

    def train(self, plain: Any, plan: Plan) -> Trainer:
        """A trainer that was fitted on all rows."""
        plan, trainer = _started(plain, plan), _trainer(plain, plan)
        train_on_dataset(trainer, self.dataset, Evaluation(None), plan, [], None)
        return trainer

    def margins(self, booster: Booster, n_threads: int) -> Array:
        """Margins of all rows, by a standard booster."""
        margins: Any = booster.predict(self.features, raw_score=True, num_threads=n_threads)
        return np.asarray(margins)


class BinnedFold:
    """The rows of one fold as two subsets."""

    def __init__(self, train: Dataset, test: Dataset) -> None:
        self.train, self.test = train, test

    def training(self, plain: Any, plan: Plan) -> "FoldTraining":
        """A booster without trees."""
        plan = _started(plain, plan)
        return FoldTraining(self, _trainer(plain, plan), plan)


class FoldTraining:
    """A booster that is trained on the training rows of a fold, round by round."""

    def __init__(self, fold: BinnedFold, trainer: Trainer, plan: Plan) -> None:
        params = training_parameters(trainer)
        self.plan, self.objective = plan, params["objective"]
        if plan.intercept is not None:
            self.objective = FromIntercept(self.objective, plan.intercept, in_place=True)
        params = {k: v for k, v in params.items() if k not in ("verbose", "verbosity")}
        self._booster = Booster({**params, **_QUIET, "objective": "none"}, fold.train)
        self._booster.add_valid(fold.test, "test")
        self._constant = no_column_is_usable(fold.train)
        self._margins: Array = np.zeros(0)

    def advance(self) -> Array:
        """Train one more round; the margins of the held-out rows after it."""
        if not self._constant:
            self._booster.update(fobj=self.objective)
        self._booster.eval_valid(self._read)
        return self._margins

    def _read(self, margins: Array, _: Dataset) -> list[Any]:
        """Has the form of a metric; LightGBM's array is filled anew in the next round."""
        start = self.plan.intercept
        self._margins = margins.copy() if start is None else margins + start
        return []

    def booster(self, n_rounds: int) -> Booster:
        """The standard model of the first rounds."""
        text = self._booster.model_to_string(num_iteration=n_rounds)
        return Booster(model_str=standardised(text, self.plan.n_classes, self.plan.intercept))


def _started(plain: Any, plan: Plan) -> Plan:
    """The plan, without its start where the user wants none."""
    from_start = plain.get_params(deep=False).get("boost_from_average", True)
    return plan if from_start else plan.without_intercept()


def _trainer(plain: Any, plan: Plan) -> Trainer:
    return make_trainer(plain.get_params(deep=False), plan, None)
