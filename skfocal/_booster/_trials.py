"""Boosters of several folds that are trained in step, in a pool of threads (floor 4).

A *trial* is the training of one setting on all folds. None of its boosters is a round ahead of
another. So the mean score over the folds is known after each round, and the trial ends when the
mean has not improved for some rounds. Where a thread would be idle, the next trial begins.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol

import numpy as np

from skfocal._booster._plan import Plan
from skfocal._estimator._selection import Setting
from skfocal._kernels import Array


class Training(Protocol):
    """A booster that is trained on the rows of one fold, round by round."""

    def advance(self) -> Array:
        """Train one more round; the margins of the held-out rows after it."""

    def booster(self, n_rounds: int) -> Any:
        """The standard model of the first rounds."""


class Trial:
    """The training of one setting on all folds.

    Parameters
    ----------
    setting : Setting
        Gamma and alpha.
    plans : list of Plan
        Of the training rows of each fold.
    trainings : list of Training
        Of each fold.
    score : callable
        The score of each fold, of the log-odds of all.
    n_rounds : int
        After so many rounds the trial is over.
    patience : int or None
        After so many rounds without a better mean score, too.
    """

    def __init__(
        self,
        setting: Setting,
        plans: list[Plan],
        trainings: list[Training],
        score: Callable[[list[Plan], list[Array]], list[float]],
        n_rounds: int,
        patience: int | None,
    ) -> None:
        self.setting, self.plans, self.trainings = setting, plans, trainings
        self.score, self.limit, self.patience = score, n_rounds, patience
        self.scores: list[list[float]] = []
        """Of each round and fold."""
        self.best_score, self.n_rounds = -np.inf, 0
        """The best mean score, and the number of rounds that has it."""
        self.margins: list[Array] = []
        """Of the held-out rows of each fold after these rounds."""
        self.boosters: list[Any] = []
        self.is_over = False
        self._newest: list[Any] = [None] * len(trainings)
        self._waiting = set(range(len(trainings)))  # folds that have not begun the round
        self._n_done = 0

    def next_fold(self, taken: set[int]) -> int | None:
        """The first fold that may begin its round and is not taken by another trial."""
        free = self._waiting - taken
        return min(free) if free and not self.is_over else None

    def begin(self, fold: int) -> None:
        """A fold begins its round."""
        self._waiting.discard(fold)

    def advance(self, fold: int) -> None:
        """One round of one fold; in any thread."""
        margins = self.trainings[fold].advance()
        self._newest[fold] = margins, self._log_odds(fold, margins)

    def _log_odds(self, fold: int, margins: Array) -> Array:
        loss = self.plans[fold].loss
        return loss.log_odds(margins.astype(np.float64, copy=False))

    def log_odds(self) -> list[Array]:
        """Log-odds of the held-out rows of each fold after the best rounds."""
        return [self._log_odds(fold, own) for fold, own in enumerate(self.margins)]

    def end(self) -> bool:
        """A fold has ended its round; whether it was the last one."""
        self._n_done += 1
        return self._n_done == len(self._newest)

    def judge(self, *, keep_boosters: bool) -> None:
        """All folds have ended the round: note their scores; in any thread."""
        margins, log_odds = map(list, zip(*self._newest, strict=True))
        scores = self.score(self.plans, log_odds)
        self.scores.append(scores)
        done, mean = len(self.scores), float(np.mean(scores))
        if mean > self.best_score:
            self.best_score, self.n_rounds, self.margins = mean, done, margins
        patient = self.patience is None or done - self.n_rounds < self.patience
        if patient and done < self.limit and np.isfinite(mean):
            self._n_done, self._waiting = 0, set(range(len(self._newest)))
            return
        self.is_over = True
        if keep_boosters:
            self.boosters = [training.booster(self.n_rounds) for training in self.trainings]
        self.trainings, self._newest = [], []


def run_trials(
    trials: Iterator[Trial],
    n_folds: int,
    n_workers: int,
    prepare_thread: Callable[[], None],
    *,
    keep_boosters: bool,
    over: Callable[[Trial], None],
) -> list[Trial]:
    """Run trials in threads, those that began first first.

    Two trials never train on the same fold at the same time, since they share its rows.

    Parameters
    ----------
    trials : iterator of Trial
        Asked for the next one where a thread would be idle.
    n_folds : int
        The number of folds.
    n_workers : int
        The number of threads.
    prepare_thread : callable
        Is called in each thread first.
    keep_boosters : bool
        Whether trials keep their boosters of the best round.
    over : callable
        Is told of each trial that is over, in the thread of the caller.

    Returns
    -------
    list of Trial
        In the order in which they began.
    """
    begun: list[Trial] = []
    busy: dict[Future[None], tuple[Trial, int | None]] = {}

    def next_task() -> tuple[Trial, int] | None:
        taken = {fold for _, fold in busy.values() if fold is not None}
        if len(taken) == n_folds:
            return None
        for trial in begun:
            fold = trial.next_fold(taken)
            if fold is not None:
                return trial, fold
        trial_or_none = next(trials, None)
        if trial_or_none is None:
            return None
        begun.append(trial_or_none)
        return next_task()

    with ThreadPoolExecutor(n_workers, initializer=prepare_thread) as pool:
        while True:
            while len(busy) < n_workers and (task := next_task()):
                trial, fold = task
                trial.begin(fold)
                busy[pool.submit(trial.advance, fold)] = task
            if not busy:
                return begun
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                trial, of_fold = busy.pop(future)
                future.result()  # raises what the thread has raised
                if of_fold is None and trial.is_over:
                    over(trial)
                elif of_fold is not None and trial.end():
                    busy[pool.submit(trial.judge, keep_boosters=keep_boosters)] = trial, None
