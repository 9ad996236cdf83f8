"""`FocalHistGradientBoostingClassifierCV` (floor 5)."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.metrics import get_scorer

from skfocal._booster._arguments import booster_threads
from skfocal._booster._cross_validation import CrossValidatedBooster
from skfocal._booster._model_files import Settings
from skfocal._booster._plan import Plan
from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._callbacks import Rounds, with_callbacks
from skfocal._estimator._cross_validation import DEFAULT_GAMMAS, Rule
from skfocal._estimator._features import Table
from skfocal._estimator._selection import Setting
from skfocal._estimator._target import make_target
from skfocal.calibration import Priors
from skfocal.losses._parameters import Alpha, ClassWeight, Gamma, Hessian, Link, Probability
from skfocal.sklearn_boosting._classifier import FocalHistGradientBoostingClassifier
from skfocal.sklearn_boosting._folds import BinnedRows
from skfocal.sklearn_boosting._private import Bins, Trees, merged, set_trees

# Names of parameters of the search where the plain class has others.
_OWN = ("n_jobs", "n_iter_no_change")


class FocalHistGradientBoostingClassifierCV(
    CrossValidatedBooster, FocalHistGradientBoostingClassifier
):
    """Histogram-based boosted trees that choose gamma and rounds by cross-validation.

    One fit does what is otherwise done by hand. It trains each gamma on each fold and stops when
    the mean score of the held-out rows has not improved for some rounds. It chooses a gamma and
    a number of rounds. It tests each gamma against gamma 0. It calibrates the probabilities on
    the held-out rows, and merges the boosters of the folds into one, or fits all rows
    (``ensemble``). The result is a `FocalHistGradientBoostingClassifier` in all else.

    Parameters
    ----------
    focal_gammas : sequence of floats or of sequences, default=(0.0, 0.5, 1.0, 2.0, 5.0)
        Values of ``focal_gamma`` to try; one value may be a sequence, with a number a class.
    focal_alphas : sequence, default=(None,)
        Values of ``focal_alpha`` to try, each in any form that it has in
        `FocalHistGradientBoostingClassifier`. Words such as ``"balanced"`` are resolved on the
        training rows of each fold.
    cv : int, splitter or iterable, default=None
        As in `sklearn.model_selection.cross_validate`; None: 5 stratified folds.
    scoring : str, scorer or None, default="loss"
        The score by which gamma and rounds are chosen, greater is better. ``"loss"``: the negative
        log loss. None: accuracy, as in scikit-learn's class. What is scored are predictions after
        calibration and before priors. A scorer can ask for predictions of the held-out rows only,
        not of changed columns, as a permutation of one would be.
    rule : {"one_se", "best"}, default="one_se"
        ``"best"``: the setting with the best mean score. ``"one_se"``: the smallest gamma that
        has a setting within one standard error of the best one, and of its settings the
        best. A gamma with one number a class counts as the mean of its numbers. The
        error is that of the difference to the best setting, by the formula of ``comparison_``.
        It needs two splits.
        Of five settings that differ by chance alone it takes the first on 70 % of the tables,
        and ``"best"`` on 21 % (``benchmarks/one_fit_null.py``).
    n_iter_no_change : int or None, default=20
        A setting ends when its mean score over the folds has not improved for so many rounds.
        None: it ends after ``max_iter``.
    calibration : {"sigmoid"} or None, default="sigmoid"
        ``"sigmoid"``: slope and offset of the log-odds with the smallest log loss of the held-out
        rows; see `calibrate`. None: none.
    ensemble : bool, default=True
        Whether the boosters of the folds are merged into one, in place of a fit on all rows. Its
        margin is the mean of theirs, plus an offset. With the offset the mean probability of
        new rows is about that of the averaged probabilities. It predicts as bagging does: better
        than one fit, most for rare classes (``benchmarks/one_fit.py``). It is as large, and takes
        as long to predict, as all folds' boosters together. Only with ``link="posterior"``.
    probability : {"posterior", "raw"}, default="posterior"
        ``"raw"`` with ``link="focal"`` is refused: scored and calibrated is the posterior. Else
        as in `FocalHistGradientBoostingClassifier`.
    hessian : {"upper", "exact", "abs"}, default="upper"
        As in `FocalHistGradientBoostingClassifier`; only ``"upper"`` with ``link="posterior"``.
    link : {"focal", "posterior"}, default="posterior"
        As in `FocalHistGradientBoostingClassifier`, whose default is ``"focal"``. Under
        ``"posterior"`` the trees themselves hold the calibration.
    priors : dict or array-like of shape (n_classes,), default=None
        As in `FocalHistGradientBoostingClassifier`: shares of the classes in the population,
        where the training rows were sampled.
    learning_rate : float, default=0.1
        Factor of the leaves.
    max_iter : int, default=100
        The largest number of rounds on a fold.
    max_leaf_nodes : int or None, default=31
        Leaves of a tree at most.
    max_depth : int or None, default=None
        Splits from the root to a leaf at most.
    min_samples_leaf : int, default=20
        Rows of a leaf at least.
    l2_regularization : float, default=0.0
        Added to the sum of Hessians of a leaf.
    max_features : float, default=1.0
        Share of the columns that are drawn for each split.
    max_bins : int, default=255
        Bins of a column at most, beside one for missing values.
    categorical_features : array-like, "from_dtype" or None, default="from_dtype"
        Columns that are categories: a mask, indices or names; or by the types of a frame.
    monotonic_cst : array-like, dict or None, default=None
        For each column 1, 0 or -1: the posterior of ``classes_[1]`` rises, may do both, or falls.
        Two classes only.
    interaction_cst : {"pairwise", "no_interactions"}, sequence of sets or None, default=None
        Groups of columns that may be in one branch.
    n_jobs : int or None, default=None
        Threads in all, which folds and boosters share. None: all processors.
    verbose : int, default=0
        Whether a line is printed for each setting.
    random_state : int, RandomState or None, default=None
        For the rows that bins are made of, and the columns drawn.
    class_weight : dict, "balanced" or None, default=None
        As in `FocalHistGradientBoostingClassifier`.

    Attributes
    ----------
    focal_gamma_, focal_alpha_ : as given
        The chosen values.
    scores_ : ndarray of shape (n_gammas, n_alphas, n_splits, n_rounds)
        The score of the held-out rows after each round; NaN after the last round of a setting.
    n_rounds_ : ndarray of shape (n_gammas, n_alphas)
        The number of rounds with the best mean score of each setting.
    best_index_ : tuple of two ints
        The indices of the chosen gamma and alpha.
    n_iter_ : int
        Rounds of the booster. Of an ensemble those of all folds together. Without one it is
        ``n_rounds_[best_index_]`` divided by the 0.75th power of the mean share of rows that a
        fold trains on; for 5 folds 1.18 times as many. With more rows, more rounds are needed to
        reach the same confidence.
    comparison_ : dict of lists
        A row a setting, for ``pandas.DataFrame(model.comparison_)``: the mean ``difference`` of
        its scores to those of ``reference_gamma``, the smallest gamma with the same alpha (0
        where it was tried). Then the ``standard_error`` of the corrected resampled t test [1]_,
        the 95% interval from ``lower`` to ``upper``, ``p_value``, and ``p_value_holm``, corrected
        for the number of settings. The variance of the differences is multiplied by
        1/k + n_test/n_train. There k is the number of all splits, those of repetitions too, and
        n_test/n_train is the mean over the splits, of sums of weights. A p-value is NaN where the
        difference is the same in all splits: its error is then not known.
    fold_scores_ : ndarray of shape (n_rows, n_splits)
        The scores on each fold of the rows of ``comparison_``.
    oof_proba_ : ndarray of shape (n_samples, n_classes)
        Probabilities of the rows by the boosters that have not seen them, after calibration and
        priors; the mean if a row was held out more than once, NaN if never. They follow
        `adjust_priors` (nearly, if a row was held out more than once), and keep their calibration
        if `calibrate` is called.
    calibration_ : Calibration or None
        Slope and offset of the log-odds, which under ``link="posterior"`` the booster already
        contains. With ``ensemble=True`` the offset of the merged booster is part of it.

    See Also
    --------
    FocalHistGradientBoostingClassifier : The same with one gamma and one alpha.
    FocalLGBMClassifierCV : The same on LightGBM.
    skfocal.plotting.GammaPathDisplay : Draws the scores.

    Notes
    -----
    Rows of all folds are binned together, once. The bins see no label.

    The scores of the chosen setting are slightly too good, because they chose it. For an honest
    score, put the classifier into `sklearn.model_selection.cross_validate`.

    References
    ----------
    .. [1] Nadeau & Bengio, Inference for the generalization error, Machine Learning 52, 2003.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skfocal import FocalHistGradientBoostingClassifierCV
    >>> X, y = make_classification(2000, weights=[0.9], random_state=0)
    >>> model = FocalHistGradientBoostingClassifierCV(max_iter=200).fit(X, y)
    >>> model.scores_.shape[:3]  # gammas, alphas, folds
    (5, 1, 5)
    >>> model.oof_proba_.shape
    (2000, 2)
    """

    _cap_name, _patience_name = "max_iter", "n_iter_no_change"

    def __init__(
        self,
        *,
        focal_gammas: Sequence[Gamma] = DEFAULT_GAMMAS,
        focal_alphas: Sequence[Alpha] = (None,),
        cv: Any = None,
        scoring: Any = "loss",
        rule: Rule = "one_se",
        n_iter_no_change: int | None = 20,
        calibration: Literal["sigmoid"] | None = "sigmoid",
        ensemble: bool = True,
        probability: Probability = "posterior",
        hessian: Hessian = "upper",
        link: Link = "posterior",
        priors: Priors = None,
        learning_rate: float = 0.1,
        max_iter: int = 100,
        max_leaf_nodes: int | None = 31,
        max_depth: int | None = None,
        min_samples_leaf: int = 20,
        l2_regularization: float = 0.0,
        max_features: float = 1.0,
        max_bins: int = 255,
        categorical_features: Any = "from_dtype",
        monotonic_cst: Any = None,
        interaction_cst: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        class_weight: ClassWeight = None,
    ) -> None:
        super().__init__(
            probability=probability,
            hessian=hessian,
            link=link,
            priors=priors,
            learning_rate=learning_rate,
            max_iter=max_iter,
            max_leaf_nodes=max_leaf_nodes,
            max_depth=max_depth,
            min_samples_leaf=min_samples_leaf,
            l2_regularization=l2_regularization,
            max_features=max_features,
            max_bins=max_bins,
            categorical_features=categorical_features,
            monotonic_cst=monotonic_cst,
            interaction_cst=interaction_cst,
            verbose=verbose,
            random_state=random_state,
            class_weight=class_weight,
        )
        self.focal_gammas = focal_gammas
        self.focal_alphas = focal_alphas
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        # numbers or None; the plain class has no None
        self.n_iter_no_change: Any = n_iter_no_change
        self.calibration = calibration
        self.ensemble = ensemble
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(  # the folds take the place of validation rows
        self,
        X: Table,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose gamma and the number of rounds, and fit.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            NaN is a missing value.
        y : array-like of shape (n_samples,)
            Labels of any type, at least two different ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative. They count in training and calibration, in the default score, and in a
            scorer that takes them. Rows of weight 0 count nowhere, but ``cv`` sees them.
        **params
            Arguments of the splitter and the scorer. ``groups`` is always one; others need
            ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        FocalHistGradientBoostingClassifierCV
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, a fold trains on no row of a class or on rows that
            it holds out, or a score is not finite; the model is then left as it was.

        Warns
        -----
        ConvergenceWarning
            If the mean score was the best after the last of ``max_iter`` rounds.
        UserWarning
            If a class has few rows to calibrate on, or they contradict the model.
        """
        self._check_search()
        self._refuse_arguments(X, params)
        self._plain(self._settings()[0], priors=None)._check_parameters()
        rounds = Rounds(self, len(self._settings()), X, y, sample_weight)
        with restored_on_failure(self):
            table = X if hasattr(X, "shape") else np.asarray(X)
            bins = Bins(self, table)
            target = make_target(self, bins.table, y, sample_weight)
            held_out = self._split(table, y, sample_weight, target, params)
            rows = slice(None) if target.positive is None else target.positive
            n_threads = self._n_threads()
            bins.bin(rows, target.sample_weight, len(target.classes), n_threads)
            self.classes_ = target.classes
            _, n_jobs = self._divided_threads(target, held_out)
            self._search(BinnedRows(bins, target, n_jobs), target, held_out, rounds)
        return self

    def _check_search(self) -> None:
        super()._check_search()
        n_jobs = self.n_jobs
        if n_jobs is None:
            return
        if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral) or n_jobs == 0:
            raise ValueError(f"n_jobs must be None or an integer other than 0; got {n_jobs!r}.")

    def _held_out_scorer(self) -> Any:
        """The scorer, or None for the log loss of the posterior."""
        if isinstance(self.scoring, str) and self.scoring == "loss":
            return None
        if self.scoring is not None:
            return super()._held_out_scorer()
        scorer = get_scorer("accuracy")
        if get_config()["enable_metadata_routing"]:
            scorer.set_score_request(sample_weight=True)
        return scorer

    def _plain(self, setting: Setting, **changed: Any) -> FocalHistGradientBoostingClassifier:
        params = {k: v for k, v in self._plain_parameters(setting).items() if k not in _OWN}
        changed.pop("n_jobs", None)  # of the rows
        if "n_estimators" in changed:
            changed["max_iter"] = changed.pop("n_estimators")
        return FocalHistGradientBoostingClassifier(**{**params, "early_stopping": False, **changed})

    def _n_rounds(self) -> int:
        return int(self.max_iter)

    def _n_threads(self) -> int:
        return booster_threads(self.n_jobs)

    def _is_verbose(self) -> bool:
        return bool(self.verbose > 0)

    _data_sets = ()

    def _merged(self, boosters: list[Trees]) -> Trees:
        return merged(boosters)

    def _learn(self, trees: Trees, plan: Plan) -> None:
        self._take(trees, plan.settings)

    def _take(self, trees: Trees, settings: Settings) -> None:
        self.classes_, self.loss_ = settings.classes, settings.loss
        self._probabilities = settings.probabilities
        set_trees(self, trees)
