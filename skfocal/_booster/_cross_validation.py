"""The cross-validated fit of a booster: gamma, rounds and calibration in one go (floor 4).

Rows are binned once. For each setting one booster a fold is trained, see
`skfocal._booster._trials`. Their held-out rows choose the setting and the number of rounds, and
calibrate.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, Self

import numpy as np
from sklearn import get_config, set_config
from sklearn.exceptions import ConvergenceWarning

from skfocal._booster._arguments import SEARCH_PARAMETERS
from skfocal._booster._model_files import Settings
from skfocal._booster._plan import Plan
from skfocal._booster._trials import Training, Trial, run_trials
from skfocal._estimator._callbacks import Rounds
from skfocal._estimator._cross_validation import CrossValidationMixin, part_of
from skfocal._estimator._held_out import HeldOut, Split
from skfocal._estimator._probabilities import Probabilities
from skfocal._estimator._selection import Setting
from skfocal._estimator._target import Target
from skfocal._kernels import Array
from skfocal._warnings import callers_level
from skfocal.calibration import Calibration
from skfocal.losses import FocalLoss
from skfocal.losses._link import raw_proba
from skfocal.losses._parameters import check_flag, check_integer

# Arguments of the plain class's fit that have no meaning here, and why.
_FOLDS = "the rows that are evaluated come from cv"
_START = "margins to start from are no part of the model that is chosen and calibrated"
_CONTINUED = "the model has seen the rows that are held out, so that scores would be too good"
_REFUSED = {
    "eval_set": _FOLDS,
    "eval_X": _FOLDS,
    "eval_y": _FOLDS,
    "eval_names": _FOLDS,
    "eval_sample_weight": _FOLDS,
    "eval_class_weight": _FOLDS,
    "eval_init_score": _FOLDS,
    "sample_weight_eval_set": _FOLDS,
    "base_margin_eval_set": _FOLDS,
    "init_score": _START,
    "base_margin": _START,
    "baseline": _START,
    "init_model": _CONTINUED,
    "xgb_model": _CONTINUED,
    "eval_metric": "scoring decides",
    "callbacks": "early_stopping_rounds ends a setting",
    "verbose": "the constructor has a parameter for it",
}


# So many rows keep the threads of one booster busy. Folds one after another need less memory, since
# the next setting does not begin before the last one has ended.
_LARGE = 500_000

# The fit on all rows has more rounds than that of a fold, by this power of 1 / (share of the rows
# that a fold trains on). With the power 1 it would have as many rounds a row. On rare positives
# (benchmarks/one_fit_rounds.py) 0.75 brings the mean probability next to the truth: with 0 it is
# up to 1.6 times as large, with 1 down to 0.84 times.
_MORE_ROUNDS = 0.75


class Fold(Protocol):
    """The binned rows of one fold, which all settings share."""

    def training(self, plain: Any, plan: Plan) -> Training:
        """A booster without trees, with the parameters of a plain classifier."""


class BinnedRows(Protocol):
    """All rows, binned once, in the form of one library."""

    def fold(self, split: Split) -> Fold:
        """The rows of one fold."""

    def prepare_thread(self) -> None:
        """Make the library as quiet in this thread as folds are to be."""

    def train(self, plain: Any, plan: Plan) -> Any:
        """A trainer that was fitted on all rows."""

    def margins(self, booster: Any, n_threads: int) -> Array:
        """Margins of all rows, by a standard booster."""


class CrossValidatedBooster(CrossValidationMixin):
    """The fit of a booster's classifier that chooses gamma and the number of rounds."""

    _chosen = ("focal_gamma", "focal_alpha")
    """Parameters of the plain class that are chosen here."""
    _cap_name = "n_estimators"
    """The library's name of the largest number of rounds."""
    _patience_name = "early_stopping_rounds"
    ensemble: bool
    link: Any
    n_jobs: Any
    # what the classes of a library have
    get_params: Callable[..., dict[str, Any]]
    _plain: Callable[..., Any]
    """A classifier of the plain class with the parameters of one setting."""
    _data_sets: tuple[type, ...]
    """What the plain class is fitted on beside tables."""
    _n_rounds: Callable[[], int]
    """The cap of the number of rounds."""
    _n_threads: Callable[[], int]
    """The number of threads in all."""
    _is_verbose: Callable[[], bool]
    """Whether a line is printed for each setting."""
    _merged: Callable[[list[Any]], Any]
    """One booster whose margins are the mean of theirs."""
    _learn: Callable[[Any, Plan], Any]
    _take: Callable[[Any, Settings], None]
    _check_priors_of_raw: Callable[[FocalLoss], None]

    def set_params(self, **params: Any) -> Self:
        """Set parameters.

        Parameters
        ----------
        **params
            Parameters by name.

        Returns
        -------
        estimator
            The model itself.

        Raises
        ------
        ValueError
            If one of them is chosen by the search.
        """
        for name in self._chosen:
            if name in params:
                raise ValueError(
                    f"{name} is chosen by the search: give the values to try as {name}s."
                )
        model: Self = super().set_params(**params)  # type: ignore[misc]
        return model

    def _check_search(self) -> None:
        super()._check_search()
        check_integer(self._n_rounds(), self._cap_name, 1)
        check_flag(self.ensemble, "ensemble")
        if self._patience is not None:
            check_integer(self._patience, self._patience_name, 1)
        if self.ensemble and self.link != "posterior":
            raise ValueError(
                "ensemble=True takes the mean of log-odds, which margins are only with "
                f'link="posterior"; got link={self.link!r}: use ensemble=False.'
            )

    @property
    def _patience(self) -> int | None:
        """After so many rounds without a better mean score a setting ends."""
        patience: int | None = getattr(self, self._patience_name)
        return patience

    def _refuse_arguments(self, X: Any, params: dict[str, Any]) -> None:
        """Refuse what the plain class can be fitted on, and this one cannot."""
        if isinstance(X, self._data_sets):
            raise TypeError(
                f"{type(self).__name__} splits tables, and X is a {type(X).__name__}: give the "
                "table and y."
            )
        for name, reason in _REFUSED.items():
            if name in params:
                raise TypeError(f"{type(self).__name__}.fit has no argument {name!r}: {reason}.")

    def _names(self) -> Any:
        return getattr(self, "feature_names_in_", None)

    def _plain_parameters(self, setting: Setting) -> dict[str, Any]:
        """Those of the plain class's parameters that this class has, and the setting."""
        params = self.get_params(deep=False)
        params = {name: value for name, value in params.items() if name not in SEARCH_PARAMETERS}
        return params | {"focal_gamma": setting.gamma, "focal_alpha": setting.alpha}

    def _search(self, rows: BinnedRows, target: Target, held_out: HeldOut, rounds: Rounds) -> None:
        """Train all settings on all folds, choose one, and merge its boosters or fit all rows."""
        settings = self._settings()
        # what cannot be right is refused before training
        probabilities = Probabilities.of_training(held_out.totals, self.priors)
        for setting in settings:
            self._check_priors_of_raw(self._plain(setting)._plan(target.totals, None).loss)
        trials = self._run_trials(rows, target, held_out, settings, rounds)
        # fewer where a callback has stopped the search
        settings = [trial.setting for trial in trials]
        # without a finite mean there is no best round: the last one tells why
        at_best = np.array([trial.scores[trial.n_rounds - 1] for trial in trials])
        chosen = self._choose(at_best, settings, held_out)
        self._note(trials, chosen)
        self._set_comparison(at_best, settings, held_out)
        trial = trials[chosen]
        del trials  # and the log-odds of their held-out rows
        self._fit_chosen(rows, target, held_out, trial, probabilities)
        rounds.close({})

    def _run_trials(
        self,
        rows: BinnedRows,
        target: Target,
        held_out: HeldOut,
        settings: list[Setting],
        rounds: Rounds,
    ) -> list[Trial]:
        """Train each setting on each fold; fewer settings where a callback stops the search."""
        n_workers, n_jobs = self._divided_threads(target, held_out)
        limits = self._n_rounds(), self._patience
        totals = [part_of(target, split.train).totals for split in held_out.folds]
        folds = [rows.fold(split) for split in held_out.folds]
        stopped = False

        def score(plans: list[Plan], log_odds: list[Array]) -> list[float]:
            return held_out.scores([plan.loss for plan in plans], log_odds)

        def trials() -> Iterator[Trial]:
            for setting in settings:
                if stopped:
                    return
                plain = self._plain(setting, n_jobs=n_jobs, priors=None)
                plans = [plain._plan(own, self._names()) for own in totals]
                # no name here may keep the boosters of a trial that is over
                yield Trial(setting, plans, _trainings(folds, plain, plans), score, *limits)

        def over(trial: Trial) -> None:
            nonlocal stopped
            self._report(trial)
            rounds.begin()
            stopped = rounds.end(None) or stopped

        prepare = _thread_preparation(rows)
        return run_trials(
            trials(), len(folds), n_workers, prepare, keep_boosters=self.ensemble, over=over
        )

    def _divided_threads(self, target: Target, held_out: HeldOut) -> tuple[int, int]:
        """How many boosters are trained at once, and the threads of each."""
        n_threads = self._n_threads()
        large = len(target.codes) >= _LARGE
        n_workers = 1 if large else min(n_threads, len(held_out.folds))
        return n_workers, max(1, n_threads // n_workers)

    def _report(self, trial: Trial) -> None:
        if self._is_verbose():
            print(
                f"focal_gamma={trial.setting.gamma}, focal_alpha={trial.setting.alpha}: mean score "
                f"{trial.best_score:.6g} after {trial.n_rounds} rounds"
            )

    def _note(self, trials: list[Trial], chosen: int) -> None:
        """Set what the search has found."""
        grid = len(self.focal_gammas), len(self.focal_alphas)
        n_folds, longest = len(trials[0].scores[0]), max(len(trial.scores) for trial in trials)
        scores = np.full((grid[0] * grid[1], n_folds, longest), np.nan)
        n_rounds = np.zeros(grid[0] * grid[1], dtype=np.intp)
        for k, trial in enumerate(trials):
            scores[k, :, : len(trial.scores)] = np.transpose(trial.scores)
            n_rounds[k] = trial.n_rounds
        self.scores_ = scores.reshape(*grid, n_folds, longest)
        self.n_rounds_ = n_rounds.reshape(grid)
        self.best_index_ = tuple(int(k) for k in np.unravel_index(chosen, grid))
        self.focal_gamma_, self.focal_alpha_ = trials[chosen].setting
        if self._patience is not None and trials[chosen].n_rounds == self._n_rounds():
            warnings.warn(
                f"The mean score was the best after the last of {self._n_rounds()} rounds: more "
                f"may be better. Increase {self._cap_name}.",
                ConvergenceWarning,
                stacklevel=callers_level(),
            )

    def _fit_chosen(
        self,
        rows: BinnedRows,
        target: Target,
        held_out: HeldOut,
        trial: Trial,
        probabilities: Probabilities,
    ) -> None:
        """Fit the chosen setting on all rows, or merge the boosters of its folds."""
        log_odds = trial.log_odds()
        own = self._calibration_of(held_out.folds, log_odds, target) or Calibration()
        of_folds = probabilities.calibrated(own).correction
        if self.ensemble:
            plan = self._plain(trial.setting, priors=None)._plan(target.totals, self._names())
            self._take(self._merged(trial.boosters), plan.settings)
            proba = self._out_of_fold(held_out, log_odds, own)
            gap = self._gap(rows, target, trial.boosters, own, proba)
            self._correct(probabilities.calibrated(own.then(gap)))
        else:
            n_rounds = max(1, round(trial.n_rounds * held_out.train_share**-_MORE_ROUNDS))
            plain = self._plain(trial.setting, priors=None, n_estimators=n_rounds)
            plan = plain._plan(target.totals, self._names())
            self._learn(rows.train(plain, plan), plan)
            self._correct(self._refitted(probabilities, held_out, log_odds))
        self.oof_proba_ = self._out_of_fold(held_out, log_odds, of_folds)

    def _gap(
        self,
        rows: BinnedRows,
        target: Target,
        boosters: list[Any],
        found: Calibration,
        oof_proba: Array,
    ) -> Calibration:
        """The offset that `gap_of` finds, from the boosters of the folds and held-out rows."""
        n_threads = self._n_threads()
        margins = (rows.margins(each, n_threads).astype(np.float64) for each in boosters)
        if target.positive is not None:
            oof_proba = oof_proba[target.positive]
        return gap_of(map(found.apply, margins), oof_proba, target.sample_weight)


def _trainings(folds: list[Fold], plain: Any, plans: list[Plan]) -> list[Training]:
    return [fold.training(plain, plan) for fold, plan in zip(folds, plans, strict=True)]


def _thread_preparation(rows: BinnedRows) -> Callable[[], None]:
    """What a new thread has to do: scikit-learn's configuration is each thread's own."""
    config = get_config()

    def prepare() -> None:
        set_config(**config)
        rows.prepare_thread()

    return prepare


def gap_of(log_odds: Iterable[Array], oof_proba: Array, sample_weight: Array | None) -> Calibration:
    """The offset with which the mean of log-odds has the mean of the averaged probabilities.

    The mean of log-odds lies below the log-odds of the mean (Jensen's inequality), most for rare
    classes. New rows would show the gap. On training rows most boosters remember the label.
    Each row therefore gets a weight for each class: its held-out probability, divided by the
    average of the probabilities of all boosters (M20).

    Parameters
    ----------
    log_odds : iterable of ndarrays of shape (n,) or (n, K)
        Of all training rows, by each booster.
    oof_proba : ndarray of shape (n, K)
        Probabilities by boosters that have not seen the row; NaN where there is none.
    sample_weight : ndarray of shape (n,) or None

    Returns
    -------
    Calibration
        An offset alone.
    """
    n_boosters = 0
    average, merged = np.zeros_like(oof_proba), np.zeros(1)
    for own in log_odds:  # one after another, to need the memory of one
        n_boosters += 1
        average, merged = average + raw_proba(own), merged + own
    average, merged = average / n_boosters, merged / n_boosters
    wanted = np.nan_to_num(oof_proba)
    if sample_weight is not None:
        wanted = wanted * sample_weight[:, np.newaxis]
    weight = np.divide(wanted, average, out=np.zeros_like(average), where=average > 0)
    gap = np.zeros(average.shape[1])
    for _ in range(100):
        shifted = merged + (gap[1] - gap[0] if merged.ndim == 1 else gap)
        step = np.log(wanted.sum(axis=0)) - np.log((weight * raw_proba(shifted)).sum(axis=0))
        step -= step.mean()  # the softmax does not see a common shift
        gap += step
        if np.abs(step).max() < 1e-12:
            break
    return Calibration(1.0, float(gap[1] - gap[0]) if merged.ndim == 1 else tuple(gap.tolist()))
