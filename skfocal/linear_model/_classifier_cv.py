"""`FocalLogisticRegressionCV` (floor 4)."""

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from joblib import effective_n_jobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._callbacks import Rounds, with_callbacks
from skfocal._estimator._cross_validation import (
    DEFAULT_GAMMAS,
    CrossValidationMixin,
    Rule,
    part_of,
)
from skfocal._estimator._features import Table
from skfocal._estimator._held_out import HeldOut, Split
from skfocal._estimator._probabilities import Probabilities
from skfocal._estimator._selection import Setting
from skfocal._estimator._target import Target, make_target
from skfocal._kernels import Array
from skfocal._warnings import callers_level
from skfocal.calibration import Calibration, Priors
from skfocal.linear_model._classifier import FocalLogisticRegression, Solver
from skfocal.linear_model._model import penalty_name
from skfocal.linear_model._parameters import check_parameters
from skfocal.linear_model._path import Fitted, Point, fit_path, go_on, of_problem
from skfocal.linear_model._solvers import choose_solver, solve, starting_point
from skfocal.linear_model._stopping import warn_if_stopped
from skfocal.linear_model._training import learned_attributes, make_problem
from skfocal.losses._parameters import Alpha, ClassWeight, Gamma, Link, Probability, check_integer

# What scikit-learn's LogisticRegressionCV has where Cs is a number.
_LOG_C = (-4.0, 4.0)
# Parameters that are those of the plain class.
_SHARED = (
    *("probability", "link", "fit_intercept", "class_weight", "solver", "tol", "max_iter"),
    *("n_jobs", "random_state"),
)


class FocalLogisticRegressionCV(CrossValidationMixin, FocalLogisticRegression):
    """Linear classifier that chooses gamma and its penalty by cross-validation.

    It fits each gamma with each penalty on each fold, along paths: from a strong penalty to a
    weak one, and from one gamma to the next, each fit starts from its neighbour. It chooses by
    the scores of the held-out rows and tests each gamma against gamma 0. It calibrates the
    probabilities on the held-out rows, and fits all rows. In all else it is a
    `FocalLogisticRegression`.

    Parameters
    ----------
    focal_gammas : sequence of floats or of sequences, default=(0.0, 0.5, 1.0, 2.0, 5.0)
        Values of ``focal_gamma`` to try; one value may be a sequence, with a number a class.
    focal_alphas : sequence, default=(None,)
        Values of ``focal_alpha`` to try, each in any form that it has in
        `FocalLogisticRegression`. Words such as ``"balanced"`` are resolved on the training rows
        of each fold.
    Cs : int or sequence of floats, default=10
        Values of ``C`` to try. An integer: so many from 1e-4 to 1e4, evenly spaced in the
        logarithm, as in `sklearn.linear_model.LogisticRegressionCV`.
    l1_ratios : sequence of floats, default=(0.0,)
        Values of ``l1_ratio`` to try.
    cv : int, splitter or iterable, default=None
        As in `sklearn.model_selection.cross_validate`; None: 5 stratified folds.
    scoring : str or scorer, default=None
        The score by which all is chosen, greater is better. None: the negative log loss. What is
        scored are predictions after calibration and before priors. A scorer can ask for
        predictions of the held-out rows only, not of changed columns.
    rule : {"one_se", "best"}, default="one_se"
        ``"best"``: the best mean score. ``"one_se"``: the smallest gamma that has a mean score
        within one standard error of the best, and with this gamma the best alpha, C and
        l1_ratio. A gamma with one number a class counts as the mean of its numbers. The error is
        that of the difference to the best, by the formula of ``comparison_``. It needs two splits.
        Of five settings of LightGBM that differ by chance alone it takes the first on 70 % of
        the tables, and ``"best"`` on 21 % (``benchmarks/one_fit_null.py``).
    calibration : {"sigmoid"} or None, default="sigmoid"
        ``"sigmoid"``: slope and offset of the log-odds with the smallest log loss of the held-out
        rows; see `calibrate`. None: none.
    probability : {"posterior", "raw"}, default="posterior"
        ``"raw"`` with ``link="focal"`` is refused: scored and calibrated is the posterior. Else
        as in `FocalLogisticRegression`.
    link : {"focal", "posterior"}, default="posterior"
        As in `FocalLogisticRegression`, whose default is ``"focal"``. Under ``"posterior"`` the
        coefficients and the intercept themselves hold the calibration.
    fit_intercept : bool, default=True
        As in `FocalLogisticRegression`.
    class_weight : dict or "balanced", default=None
        As in `FocalLogisticRegression`.
    solver : {"auto", "newton-cholesky", "lbfgs", "prox-newton"}, default="auto"
        As in `FocalLogisticRegression`.
    tol : float, default=1e-4
        As in `FocalLogisticRegression`.
    max_iter : int, default=100
        Limit of iterations of each fit.
    verbose : int, default=0
        Above 0, a line is printed for the best penalty of each gamma and alpha.
    n_jobs : int, default=None
        Threads in all, which folds share. None means 1, unless a `joblib.parallel_config` says
        otherwise; -1 means all processors.
    random_state : int, RandomState instance or None, default=None
        Not used, as in `FocalLogisticRegression`.
    priors : dict or array-like of shape (n_classes,), default=None
        As in `FocalLogisticRegression`: shares of the classes in the population, where the
        training rows were sampled.

    Attributes
    ----------
    focal_gamma_, focal_alpha_, C_, l1_ratio_ : as given
        The chosen values.
    Cs_ : ndarray of shape (n_Cs,)
        The values of C that were tried.
    scores_ : ndarray of shape (n_gammas, n_alphas, n_Cs, n_l1_ratios, n_splits)
        The score of the held-out rows.
    best_index_ : tuple of four ints
        The indices of the chosen gamma, alpha, C and l1_ratio.
    comparison_ : dict of lists
        A row for each gamma and alpha, at their best C and l1_ratio, for
        ``pandas.DataFrame(model.comparison_)``: the mean ``difference`` of its scores to those of
        ``reference_gamma``, the smallest gamma with the same alpha (0 where it was tried). Then
        the ``standard_error`` of the corrected resampled t test [1]_, the 95% interval from
        ``lower`` to ``upper``, ``p_value``, and ``p_value_holm``, corrected for the number of rows.
        The variance of the differences is multiplied by 1/k + n_test/n_train. There k is the
        number of all splits, those of repetitions too, and n_test/n_train is the mean over the
        splits, of sums of weights. A p-value is NaN where the difference is the same in all
        splits: its error is then not known.
    fold_scores_ : ndarray of shape (n_rows, n_splits)
        The scores on each fold of the rows of ``comparison_``.
    oof_proba_ : ndarray of shape (n_samples, n_classes)
        Probabilities of the rows by the fits that have not seen them, after calibration and
        priors; the mean if a row was held out more than once, NaN if never. They follow
        `adjust_priors` (nearly, if a row was held out more than once), and keep their calibration
        if `calibrate` is called.
    calibration_ : Calibration or None
        Slope and offset of the log-odds. Under ``link="posterior"`` the coefficients hold them.
    n_iter_ : ndarray of shape (1,)
        Iterations of the fit on all rows.

    See Also
    --------
    FocalLogisticRegression : The same with one value of each parameter.
    sklearn.linear_model.LogisticRegressionCV : The same search at gamma = 0.
    skfocal.plotting.GammaPathDisplay : Draws the scores.

    Notes
    -----
    The scores of the chosen setting are slightly too good, because they chose it. For an honest
    score, put the classifier into `sklearn.model_selection.cross_validate`.

    References
    ----------
    .. [1] Nadeau & Bengio, Inference for the generalization error, Machine Learning 52, 2003.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skfocal import FocalLogisticRegressionCV
    >>> X, y = make_classification(2000, weights=[0.9], random_state=0)
    >>> model = FocalLogisticRegressionCV(Cs=[0.01, 0.1, 1.0]).fit(X, y)
    >>> model.focal_gamma_, model.C_
    (0.0, 0.1)
    >>> model.oof_proba_.shape
    (2000, 2)
    """

    def __init__(
        self,
        *,
        focal_gammas: Sequence[Gamma] = DEFAULT_GAMMAS,
        focal_alphas: Sequence[Alpha] = (None,),
        Cs: int | Sequence[float] = 10,
        l1_ratios: Sequence[float] = (0.0,),
        cv: Any = None,
        scoring: Any = None,
        rule: Rule = "one_se",
        calibration: Literal["sigmoid"] | None = "sigmoid",
        probability: Probability = "posterior",
        link: Link = "posterior",
        fit_intercept: bool = True,
        class_weight: ClassWeight = None,
        solver: Solver = "auto",
        tol: float = 1e-4,
        max_iter: int = 100,
        verbose: int = 0,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        priors: Priors = None,
    ) -> None:
        self.focal_gammas = focal_gammas
        self.focal_alphas = focal_alphas
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.calibration = calibration
        self.probability = probability
        self.link = link
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.priors = priors

    @property
    def penalty(self) -> str | None:
        """The chosen penalty in the words of scikit-learn: "l1", "l2", "elasticnet" or None.

        Tools such as `sklearn.feature_selection.SelectFromModel` ask for it.
        """
        check_is_fitted(self, "C_")
        return penalty_name(self.C_, self.l1_ratio_)

    @with_callbacks
    def fit(
        self,
        X: Table,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose gamma and the penalty, and fit.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite numbers. float32 and float64 are used as they are.
        y : array-like of shape (n_samples,)
            Labels, at least two different ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative. They count in training and calibration, in the default score, and in a
            scorer that takes them. Rows of weight 0 count nowhere, but ``cv`` sees them.
        **params
            Arguments of the splitter and the scorer. ``groups`` is always one; others need
            ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        FocalLogisticRegressionCV
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, a fold trains on no row of a class or on rows that
            it holds out, or a score is not finite. The model is then left as it was.

        Warns
        -----
        ConvergenceWarning
            If a fit has stopped before it converged.
        UserWarning
            If a class has few rows to calibrate on, or they contradict the model.
        """
        self._check_search()
        plain = {point: self._plain(point) for point in self._points()}
        for each in plain.values():
            check_parameters(each)
        rounds = Rounds(self, None, X, y, sample_weight)
        with restored_on_failure(self):
            features = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32])
            target = make_target(self, features, y, sample_weight)
            held_out = self._split(X, y, sample_weight, target, params)
            if target.positive is not None:
                features = features[target.positive]
            probabilities = Probabilities.of_training(held_out.totals, self.priors)
            for each in plain.values():
                self._check_priors_of_raw(each._training_loss(target.totals, self.class_weight))
            self._search(features, target, held_out, plain, probabilities)
            rounds.close({})
        return self

    def _check_search(self) -> None:
        super()._check_search()
        self._check_probability()
        if not isinstance(self.Cs, Integral):
            self._check_values("Cs")
        else:
            check_integer(self.Cs, "Cs", 1)
        self._check_values("l1_ratios")

    @property
    def _tried_Cs(self) -> Array:  # noqa: N802
        if isinstance(self.Cs, Integral):
            return np.logspace(*_LOG_C, int(self.Cs))
        return np.asarray(self.Cs)

    def _points(self) -> list[Point]:
        """All points in the order of paths: along C, then gamma."""
        Cs = [int(k) for k in np.argsort(self._tried_Cs, kind="stable")]
        gammas = [setting.gamma for setting in self._settings()[:: len(self.focal_alphas)]]
        order = sorted(range(len(gammas)), key=lambda k: float(np.mean(gammas[k])))
        alphas, ratios = range(len(self.focal_alphas)), range(len(self.l1_ratios))
        return [
            Point(gamma, alpha, C, ratio)
            for alpha, ratio, gamma, C in product(alphas, ratios, order, Cs)
        ]

    def _plain(self, point: Point) -> FocalLogisticRegression:
        """The plain classifier of a point."""
        return FocalLogisticRegression(
            self.focal_gammas[point.gamma],
            self.focal_alphas[point.alpha],
            C=float(self._tried_Cs[point.C]),
            l1_ratio=self.l1_ratios[point.l1_ratio],
            **{name: getattr(self, name) for name in _SHARED},
        )

    def _search(
        self,
        X: Any,
        target: Target,
        held_out: HeldOut,
        plain: dict[Point, FocalLogisticRegression],
        probabilities: Probabilities,
    ) -> None:
        """Fit all points on all folds, choose one, and fit it on all rows."""
        fits = self._fit_folds(X, target, held_out, plain)
        points, tried, n_alphas = sorted(plain), self._settings(), len(self.focal_alphas)
        settings = [tried[point.gamma * n_alphas + point.alpha] for point in points]
        tests = [X[split.test] for split in held_out.folds]

        def log_odds_of(point: Point) -> list[Array]:
            return [fit[point].log_odds(rows) for fit, rows in zip(fits, tests, strict=True)]

        scores = np.array(
            [
                held_out.scores([fit[point].loss for fit in fits], log_odds_of(point))
                for point in points
            ]
        )
        chosen = points[self._choose(scores, settings, held_out)]
        self._note(scores, settings, held_out, chosen)
        self._refit(X, target, plain[chosen], np.mean([fit[chosen].theta for fit in fits], axis=0))
        log_odds = log_odds_of(chosen)
        own = self._calibration_of(held_out.folds, log_odds, target) or Calibration()
        self._correct(self._refitted(probabilities, held_out, log_odds))
        of_folds = probabilities.calibrated(own).correction
        self.oof_proba_ = self._out_of_fold(held_out, log_odds, of_folds)

    def _fit_folds(
        self,
        X: Any,
        target: Target,
        held_out: HeldOut,
        plain: dict[Point, FocalLogisticRegression],
    ) -> list[dict[Point, Fitted]]:
        """All points on each fold."""
        n_threads = effective_n_jobs(self.n_jobs)
        n_workers = min(n_threads, len(held_out.folds))
        of_each = n_threads // n_workers

        def one(split: Split) -> dict[Point, Fitted]:
            return fit_path(plain, X[split.train], part_of(target, split.train), of_each)

        # threads of the linear algebra would otherwise be as many as processors in each fold
        with threadpool_limits(of_each, "blas"), ThreadPoolExecutor(n_workers) as pool:
            fits = list(pool.map(one, held_out.folds))
        self._warn_of_stopped([fit for of_fold in fits for fit in of_fold.values()])
        return fits

    def _warn_of_stopped(self, fits: list[Fitted]) -> None:
        stopped = [fit for fit in fits if fit.message is not None]
        if stopped:
            warnings.warn(
                f"{len(stopped)} of {len(fits)} fits on the folds stopped before they converged, "
                f"the first since {stopped[0].message}. Scale the columns of X, increase max_iter "
                "or tol, or leave out the largest Cs.",
                ConvergenceWarning,
                stacklevel=callers_level(),
            )

    def _note(
        self, scores: Array, settings: list[Setting], held_out: HeldOut, chosen: Point
    ) -> None:
        """Set what the search has found."""
        self.Cs_ = self._tried_Cs
        grid = len(self.focal_gammas), len(self.focal_alphas), len(self.Cs_), len(self.l1_ratios)
        self.scores_ = scores.reshape(*grid, -1)
        self.best_index_ = tuple(chosen)
        self.focal_gamma_ = self.focal_gammas[chosen.gamma]
        self.focal_alpha_ = self.focal_alphas[chosen.alpha]
        self.C_, self.l1_ratio_ = float(self.Cs_[chosen.C]), self.l1_ratios[chosen.l1_ratio]
        # each gamma and alpha is compared with its best penalty
        n_penalties = grid[2] * grid[3]
        best = scores.mean(axis=1).reshape(-1, n_penalties).argmax(axis=1)
        rows = np.arange(len(best)) * n_penalties + best
        self._set_comparison(scores[rows], [settings[row] for row in rows], held_out)
        for row in rows if self.verbose else ():
            print(
                f"focal_gamma={settings[row].gamma}, focal_alpha={settings[row].alpha}: best mean "
                f"score {scores[row].mean():.6g}"
            )

    def _refit(self, X: Any, target: Target, plain: FocalLogisticRegression, start: Array) -> None:
        """Fit the chosen point on all rows."""
        problem = make_problem(plain, X, target)
        solver = choose_solver(problem) if self.solver == "auto" else self.solver
        theta, null_value = starting_point(problem, of_problem(problem, start))
        solution = solve(problem, solver, theta, null_value, self.tol, self.max_iter, go_on)
        warn_if_stopped(solver, solution)
        of_training = Probabilities.of_training(target.totals, None)
        learned = learned_attributes(problem, target.classes, of_training, solution.theta)
        for name, value in learned.items():
            setattr(self, name, value)
        self.n_iter_ = np.array([solution.n_iter], dtype=np.int32)
