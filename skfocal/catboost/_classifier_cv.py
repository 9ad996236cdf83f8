"""`FocalCatBoostClassifierCV` (floor 5)."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy.typing as npt
from catboost import CatBoost, Pool

from skfocal._booster._arguments import booster_threads
from skfocal._booster._cross_validation import CrossValidatedBooster
from skfocal._booster._model_files import Settings
from skfocal._booster._plan import Plan
from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._callbacks import Rounds, with_callbacks
from skfocal._estimator._cross_validation import DEFAULT_GAMMAS, Rule
from skfocal._estimator._features import Table
from skfocal._estimator._selection import Setting
from skfocal.calibration import Priors
from skfocal.catboost._classifier import FocalCatBoostClassifier
from skfocal.catboost._folds import BinnedRows
from skfocal.catboost._format import merged, write_settings
from skfocal.catboost._native_data import SPECIAL, check_table, rows_of_table
from skfocal.catboost._parameters import canonical, with_defaults_of_logloss
from skfocal.losses._parameters import Alpha, Gamma, Hessian, Link, Probability

# Parameters of CatBoost that decide what the search decides.
_DECIDED = (
    *("eval_metric", "custom_metric", "use_best_model", "best_model_min_trees", "eval_fraction"),
    *("od_type", "od_wait", "od_pval", "save_snapshot", "snapshot_file", "snapshot_interval"),
    "metric_period",
)
# What CatBoost would choose for Logloss; all settings and the last fit have the same.
_RESOLVED = ("learning_rate", "leaf_estimation_method", "leaf_estimation_iterations")


class FocalCatBoostClassifierCV(CrossValidatedBooster, FocalCatBoostClassifier):
    """CatBoost classifier that chooses gamma and the number of rounds by cross-validation.

    One fit does what is otherwise done by hand. It trains each gamma on each fold and stops when
    the mean score of the held-out rows has not improved for some rounds. It chooses a gamma and
    a number of rounds. It tests each gamma against gamma 0. It calibrates the probabilities on
    the held-out rows, and fits all rows, or merges the boosters of the folds into one
    (``ensemble``). The result is an ordinary, calibrated booster, and a
    `FocalCatBoostClassifier` in all else: saving, SHAP, ONNX and `adjust_priors` work as there.

    Parameters
    ----------
    focal_gammas : sequence of floats or of sequences, default=(0.0, 0.5, 1.0, 2.0, 5.0)
        Values of ``focal_gamma`` to try; one value may be a sequence, with a number a class.
    focal_alphas : sequence, default=(None,)
        Values of ``focal_alpha`` to try, each in any form that it has in
        `FocalCatBoostClassifier`. Words such as ``"balanced"`` are resolved on the training rows
        of each fold.
    cv : int, splitter or iterable, default=None
        As in `sklearn.model_selection.cross_validate`; None: 5 stratified folds.
    scoring : str or scorer, default=None
        The score by which gamma and rounds are chosen, greater is better. None: the negative log
        loss. What is scored are predictions after calibration and before priors. A scorer can
        ask for predictions of the held-out rows only, not of changed columns.
    rule : {"one_se", "best"}, default="one_se"
        ``"best"``: the setting with the best mean score. ``"one_se"``: the smallest gamma that
        has a setting within one standard error of the best one, and of its settings the
        best. A gamma with one number a class counts as the mean of its numbers. The
        error is that of the difference to the best setting, by the formula of ``comparison_``.
        It needs two splits.
    early_stopping_rounds : int or None, default=20
        A setting ends when its mean score over the folds has not improved for so many rounds.
        None: it ends after ``iterations``.
    calibration : {"sigmoid"} or None, default="sigmoid"
        ``"sigmoid"``: slope and offset of the log-odds with the smallest log loss of the held-out
        rows; see `calibrate`. None: none.
    ensemble : bool, default=False
        Whether the boosters of the folds are merged into one, in place of a fit on all rows. Its
        margin is the mean of theirs, plus an offset. It predicts as bagging does: better than one
        fit, most for rare classes, but it is as large as all folds' boosters together. Only with
        ``link="posterior"``, and without columns of categories, text or embeddings, of which
        CatBoost merges the statistics, too. The other classes of this kind have the default True.
    probability : {"posterior", "raw"}, default="posterior"
        ``"raw"`` with ``link="focal"`` is refused: scored and calibrated is the posterior. Else
        as in `FocalCatBoostClassifier`.
    hessian : {"upper", "exact", "abs"}, default="upper"
        As in `FocalCatBoostClassifier`; only ``"upper"`` with ``link="posterior"``.
    link : {"focal", "posterior"}, default="posterior"
        As in `FocalCatBoostClassifier`, whose default is ``"focal"``. Under ``"posterior"`` the
        booster itself holds the calibration, and predicts probabilities where skfocal is not
        installed.
    priors : dict or array-like of shape (n_classes,), default=None
        As in `FocalCatBoostClassifier`: shares of the classes in the population, where the
        training rows were sampled.
    **kwargs
        Parameters of `catboost.CatBoostClassifier`. ``iterations`` is the largest number of
        rounds on a fold. ``thread_count`` is the number of threads in all, which folds and
        boosters share. With ``verbose`` a line is printed for each setting. ``learning_rate`` and
        ``leaf_estimation_iterations``, where they are not given, are those that CatBoost chooses
        for Logloss on all rows with ``iterations`` rounds, also in the fit on all rows. Refused:
        metrics, overfitting detectors and snapshots, since ``scoring`` decides, and what
        `FocalCatBoostClassifier` refuses.

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
    tree_count_ : int
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
    FocalCatBoostClassifier : The same with one gamma, one alpha, and a given number of rounds.
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
    >>> from skfocal import FocalCatBoostClassifierCV
    >>> X, y = make_classification(1000, weights=[0.9], random_state=0)
    >>> model = FocalCatBoostClassifierCV(
    ...     focal_gammas=(0.0, 1.0), iterations=100, verbose=False, allow_writing_files=False
    ... ).fit(X, y)
    >>> model.scores_.shape[:3]  # gammas, alphas, folds
    (2, 1, 5)
    >>> model.oof_proba_.shape
    (1000, 2)
    """

    _cap_name = "iterations"
    _data_sets = (Pool,)

    def __init__(
        self,
        *,
        focal_gammas: Sequence[Gamma] = DEFAULT_GAMMAS,
        focal_alphas: Sequence[Alpha] = (None,),
        cv: Any = None,
        scoring: Any = None,
        rule: Rule = "one_se",
        early_stopping_rounds: int | None = 20,
        calibration: Literal["sigmoid"] | None = "sigmoid",
        ensemble: bool = False,
        probability: Probability = "posterior",
        hessian: Hessian = "upper",
        link: Link = "posterior",
        priors: Priors = None,
        **kwargs: Any,
    ) -> None:
        for name in self._chosen:
            if name in kwargs:
                raise TypeError(f"{name} is chosen here: give the values to try as {name}s.")
        super().__init__(
            probability=probability, hessian=hessian, link=link, priors=priors, **kwargs
        )
        self.focal_gammas = focal_gammas
        self.focal_alphas = focal_alphas
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.early_stopping_rounds = early_stopping_rounds
        self.calibration = calibration
        self.ensemble = ensemble

    @with_callbacks
    def fit(  # type: ignore[override]  # the folds take the place of evaluation sets
        self,
        X: Table,
        y: npt.ArrayLike,
        cat_features: Sequence[Any] | None = None,
        text_features: Sequence[Any] | None = None,
        embedding_features: Sequence[Any] | None = None,
        *,
        sample_weight: npt.ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose gamma and the number of rounds, and fit.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            A table; a Pool cannot be split by ``cv``.
        y : array-like of shape (n_samples,)
            Labels of any type, of two classes.
        cat_features, text_features, embedding_features : list of int or str, default=None
            Columns that are categories, text or embeddings; also parameters.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative. They count in training and calibration, in the default score, and in a
            scorer that takes them. Rows of weight 0 count nowhere, but ``cv`` sees them.
        **params
            Arguments of the splitter and the scorer. ``groups`` is always one; others need
            ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        FocalCatBoostClassifierCV
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, a fold trains on no row of a class or on rows that
            it holds out, or a score is not finite; the model is then left as it was.

        Warns
        -----
        ConvergenceWarning
            If the mean score was the best after the last of ``iterations`` rounds.
        UserWarning
            If a class has few rows to calibrate on, or they contradict the model.
        """
        self._check_search()
        self._refuse_arguments(X, params)
        given = {"cat_features": cat_features, "text_features": text_features}
        given["embedding_features"] = embedding_features
        self._plain(self._settings()[0], priors=None)._check_parameters()
        rounds = Rounds(self, len(self._settings()), X, y, sample_weight)
        with restored_on_failure(self):
            special = self._special(given)
            table = check_table(self, X, special, reset=True)
            threads = self._n_threads()
            rows = rows_of_table(
                self, table, y, sample_weight, None, special, None, thread_count=threads
            )
            self.classes_ = rows.target.classes
            held_out = self._split(table, y, sample_weight, rows.target, params)
            own = {**canonical(self._given_parameters()), "thread_count": threads}
            self._resolved = with_defaults_of_logloss(
                own, rows.pool.num_row(), rows.pool.num_col(), best_model=False
            )
            binned = BinnedRows(rows, own)
            try:
                self._search(binned, rows.target, held_out, rounds)
            finally:
                binned.stop()
            del self._resolved
        return self

    def _special(self, given: dict[str, Any]) -> dict[str, Any]:
        params = canonical(self._given_parameters())
        special = {name: params.get(name) for name in SPECIAL}
        for name, value in given.items():
            if value is not None and special[name] is not None:
                raise ValueError(f"{name} is given to fit and as a parameter: leave one out.")
            special[name] = special[name] if value is None else value
        if self.ensemble and any(value is not None and len(value) for value in special.values()):
            raise ValueError(
                "ensemble=True merges boosters, and CatBoost would merge the statistics of "
                "categories, text and embeddings, too: use ensemble=False."
            )
        return special

    def _check_search(self) -> None:
        super()._check_search()
        params = canonical(self._given_parameters())
        for name in _DECIDED:
            if name in params:
                raise ValueError(f"{name} has no effect where scoring decides: leave it out.")
        if params.get("task_type", "CPU") != "CPU":
            raise ValueError(
                f"task_type={params['task_type']!r}: the search stops CatBoost after each round, "
                "which its GPU does not allow. Choose on the CPU, then fit the plain class."
            )

    def _plain(self, setting: Setting, **changed: Any) -> FocalCatBoostClassifier:
        params = canonical(self._plain_parameters(setting))
        for ours, theirs in (("n_estimators", "iterations"), ("n_jobs", "thread_count")):
            if ours in changed:
                changed[theirs] = changed.pop(ours)
        quiet = {"logging_level": "Silent", "allow_writing_files": False}
        for name in ("verbose", "silent"):
            params.pop(name, None)
        chosen = getattr(self, "_resolved", {})
        of_logloss = {name: chosen[name] for name in _RESOLVED if name in chosen}
        return FocalCatBoostClassifier(**{**params, **of_logloss, **quiet, **changed})

    def _n_rounds(self) -> int:
        return int(canonical(self._given_parameters()).get("iterations", 1000))

    def _n_threads(self) -> int:
        return booster_threads(canonical(self._given_parameters()).get("thread_count"))

    def _is_verbose(self) -> bool:
        params = self._given_parameters()
        silent = params.get("silent") or params.get("logging_level") == "Silent"
        return not silent and bool(params.get("verbose"))

    def _merged(self, boosters: list[CatBoost]) -> CatBoost:
        return merged(boosters)

    def _learn(self, booster: CatBoost, plan: Plan) -> None:
        self._take(booster, plan.settings)

    def _take(self, booster: CatBoost, settings: Settings) -> Any:
        write_settings(booster, settings)
        return FocalCatBoostClassifier._take(self, booster, settings)
