"""Training of `FocalCatBoostClassifierCV` on the rows of its folds (floor 5).

CatBoost trains all rounds in one call. Here each booster is trained in a thread of its own, which
waits after each round until the search asks for the next one.
"""

import threading
import weakref
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, Self

import numpy as np
from catboost import CatBoost, CatBoostClassifier, Pool

from skfocal._booster._plan import Plan
from skfocal._estimator._held_out import Split
from skfocal._kernels import Array
from skfocal.catboost._metrics import ComputedMetric
from skfocal.catboost._native_data import TrainingRows, fold_class_weights
from skfocal.catboost._parameters import is_logloss
from skfocal.catboost._training import finished, make_trainer, start_of, train

# Parameters of CatBoost by which columns are cut into bins.
_OF_BINS = (
    *("ignored_features", "per_float_feature_quantization", "border_count", "max_bin"),
    *("feature_border_type", "sparse_features_conflict_fraction", "nan_mode", "input_borders"),
    *("used_ram_limit", "random_seed"),
)


class BinnedRows:
    """All rows as a pool of CatBoost, of which the folds are slices: all have its bins.

    Parameters
    ----------
    rows : TrainingRows
        The rows of positive weight.
    params : dict
        CatBoost's, by the first name of each.
    """

    def __init__(self, rows: TrainingRows, params: dict[str, Any]) -> None:
        self.pool, self.weighted = rows.pool, rows.weighted
        self.sessions: weakref.WeakSet[_Session] = weakref.WeakSet()
        # slices of a quantized pool with such columns end the process
        given = (rows.special[name] for name in ("text_features", "embedding_features"))
        if all(columns is None or not len(columns) for columns in given):
            self.pool.quantize(**{k: v for k, v in params.items() if k in _OF_BINS})

    def stop(self) -> None:
        """End all trainings that are not over, and wait for their threads."""
        for session in list(self.sessions):
            session.stop()
            session.join()

    def prepare_thread(self) -> None:
        """Nothing: CatBoost is told by each training to be quiet."""

    def fold(self, split: Split) -> "BinnedFold":
        """The rows of one fold."""
        train, test = (self.pool.slice(rows.tolist()) for rows in (split.train, split.test))
        return BinnedFold(self, train, test)

    def train(self, plain: Any, plan: Plan) -> CatBoost:
        """The booster that was trained on all rows."""
        plan = started(plain, plan)
        pool, weighted = copied(self.pool, plan, self.weighted)
        return train(trainer_of(plain, plan, pool, weighted=weighted), pool, plan)

    def margins(self, booster: CatBoost, n_threads: int) -> Array:
        """Margins of all rows."""
        margins = booster.predict(
            self.pool, prediction_type="RawFormulaVal", thread_count=n_threads
        )
        return np.asarray(margins)


class BinnedFold:
    """The rows of one fold as two slices."""

    def __init__(self, rows: BinnedRows, train: Pool, test: Pool) -> None:
        self.rows, self.train, self.test = rows, train, test

    def training(self, plain: Any, plan: Plan) -> "FoldTraining":
        """A booster without trees."""
        return FoldTraining(self, plain, started(plain, plan))


class FoldTraining:
    """A booster that is trained on the training rows of a fold, round by round."""

    def __init__(self, fold: BinnedFold, plain: Any, plan: Plan) -> None:
        self.plan = plan
        self._session = _Session(fold, plain, plan)
        fold.rows.sessions.add(self._session)
        # the thread must end where this object is dropped without a booster
        weakref.finalize(self, self._session.stop)

    def advance(self) -> Array:
        """Train one more round; the margins of the held-out rows after it."""
        return self._session.next_round()

    def booster(self, n_rounds: int) -> CatBoost:
        """The standard model of the first rounds."""
        booster = self._session.trained()
        booster.shrink(min(n_rounds, booster.tree_count_))  # it may have ended by itself
        if not is_logloss(self.plan.loss) and self.plan.intercept is not None:
            booster.set_scale_and_bias(1.0, start_of(self.plan))
        return finished(booster, self.plan)


class _Session:
    """A call of CatBoost's ``fit`` in a thread that waits after each round."""

    def __init__(self, fold: BinnedFold, plain: Any, plan: Plan) -> None:
        train, weighted = copied(fold.train, plan, fold.rows.weighted)
        test, _ = copied(fold.test, plan, fold.rows.weighted)
        own = [train, test]
        self.trainer = trainer_of(plain, plan, train, weighted=weighted)
        self.last_margins = _LastMargins(plan.loss)
        self.trainer.set_params(eval_metric=self.last_margins, use_best_model=False)
        if not is_logloss(plan.loss) and plan.intercept is not None:
            for pool in own:
                pool.set_baseline(np.full((pool.num_row(), 1), start_of(plan)))
        self.pools = own
        self.go_on: SimpleQueue[bool] = SimpleQueue()
        self.rounds: SimpleQueue[Any] = SimpleQueue()
        self.thread: threading.Thread | None = None
        self.margins: Array | None = None
        self.is_over = False

    def next_round(self) -> Array:
        """Let the thread train a round, and wait for its margins.

        CatBoost may end a training by itself. The margins then stay as they are.
        """
        if self.thread is None:
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()
        elif not self.is_over:
            self.go_on.put(True)
        if not self.is_over:
            answer = self.rounds.get()
            if isinstance(answer, BaseException):
                raise answer
            self.is_over = answer is None
            self.margins = self.margins if self.is_over else answer
        if self.margins is None:
            raise ValueError("CatBoost has grown no tree on a fold, with these parameters.")
        return self.margins

    def _run(self) -> None:
        train, test = self.pools
        try:
            self.trainer.fit(train, eval_set=test, callbacks=[self])
            self.rounds.put(None)
        except BaseException as error:  # for the thread that waits
            self.rounds.put(error)

    def after_iteration(self, info: Any) -> bool:
        """Hand over the margins of a round; whether the next one is wanted."""
        self.rounds.put(self.last_margins.taken)
        return self.go_on.get()

    def trained(self) -> CatBoostClassifier:
        """End the training; the booster of all rounds so far."""
        self.stop()
        self.join()
        return self.trainer

    def stop(self) -> None:
        """Let the thread end after the round in which it waits."""
        self.go_on.put(False)

    def join(self) -> None:
        """Wait for the end of the thread."""
        if self.thread is not None:
            self.thread.join()

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # CatBoost copies its parameters


class _LastMargins(ComputedMetric):
    """Has the form of a metric, and keeps what CatBoost hands over last: the held-out rows."""

    taken: Array

    def evaluate(
        self, approxes: Sequence[Array], target: Array, weight: Array | None
    ) -> tuple[float, float]:
        self.taken = np.array(approxes[0])  # CatBoost fills its array anew in each round
        return 0.0, 1.0


def started(plain: Any, plan: Plan) -> Plan:
    """The plan, without its start where the user wants none."""
    params = plain.get_params(deep=False)
    return plan.without_intercept() if params.get("boost_from_average") is False else plan


def copied(pool: Pool, plan: Plan, weighted: bool) -> tuple[Pool, bool]:
    """A pool with the class weights of a setting, and whether it has weights; bins are shared."""
    own = pool.slice(list(range(pool.num_row())))
    if is_logloss(plan.loss):
        return own, weighted
    codes = np.asarray(own.get_label(), dtype=np.intp)
    return own, fold_class_weights(own, codes, plan.loss, weighted=weighted)


def trainer_of(plain: Any, plan: Plan, pool: Pool, *, weighted: bool) -> CatBoostClassifier:
    """A plain classifier of CatBoost with the parameters of a focal one."""
    params = {**plain.get_params(deep=False), "use_best_model": None}
    for name in plain._own_names():
        del params[name]
    found: CatBoostClassifier = make_trainer(
        params, plan, pool, weighted=weighted, best_model=False, class_names=None
    )
    return found
