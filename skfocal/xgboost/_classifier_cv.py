"""`FocalXGBClassifierCV` (floor 5)."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import xgboost
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_is_fitted
from xgboost import Booster

from skfocal._booster._arguments import OWN_PARAMETERS, booster_threads
from skfocal._booster._cross_validation import CrossValidatedBooster
from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._callbacks import Rounds, with_callbacks
from skfocal._estimator._cross_validation import DEFAULT_GAMMAS, Rule
from skfocal._estimator._features import Table
from skfocal._estimator._selection import Setting
from skfocal._estimator._target import make_target
from skfocal._kernels import fetched
from skfocal.calibration import Priors
from skfocal.losses._parameters import Alpha, Gamma, Hessian, Link, Probability
from skfocal.xgboost._classifier import FocalXGBClassifier
from skfocal.xgboost._folds import BinnedRows
from skfocal.xgboost._format import merged
from skfocal.xgboost._gpu import rows_of
from skfocal.xgboost._native_data import MATRICES
from skfocal.xgboost._parameters import check_table, native

_LOSES_VECTORS = parse_version(xgboost.__version__) < parse_version("3.2")
_DROPOUT = ("rate_drop", "one_drop", "skip_drop")


class FocalXGBClassifierCV(CrossValidatedBooster, FocalXGBClassifier):
    """XGBoost classifier that chooses gamma and the number of rounds by cross-validation.

    One fit does what is otherwise done by hand. It trains each gamma on each fold and stops when
    the mean score of the held-out rows has not improved for some rounds. It chooses a gamma and
    a number of rounds. It tests each gamma against gamma 0. It calibrates the probabilities on
    the held-out rows, and merges the boosters of the folds into one, or fits all rows
    (``ensemble``). The result is an ordinary, calibrated booster, and a
    `FocalXGBClassifier` in all else: saving, SHAP, ONNX and `adjust_priors` work as there.

    Parameters
    ----------
    focal_gammas : sequence of floats or of sequences, default=(0.0, 0.5, 1.0, 2.0, 5.0)
        Values of ``focal_gamma`` to try; one value may be a sequence, with a number a class.
    focal_alphas : sequence, default=(None,)
        Values of ``focal_alpha`` to try, each in any form that it has in `FocalXGBClassifier`.
        Words such as ``"balanced"`` are resolved on the training rows of each fold.
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
        Of five settings that differ by chance alone it takes the first on 70 % of the tables,
        and ``"best"`` on 21 % (``benchmarks/one_fit_null.py``).
    early_stopping_rounds : int or None, default=20
        A setting ends when its mean score over the folds has not improved for so many rounds.
        None: it ends after ``n_estimators``.
    calibration : {"sigmoid"} or None, default="sigmoid"
        ``"sigmoid"``: slope and offset of the log-odds with the smallest log loss of the held-out
        rows; see `calibrate`. None: none.
    ensemble : bool, default=True
        Whether the boosters of the folds are merged into one, in place of a fit on all rows. Its
        margin is the mean of theirs, plus an offset. With the offset the mean probability of
        new rows is about that of the averaged probabilities. It predicts as bagging does: better
        than one fit, most for rare classes (``benchmarks/one_fit.py``). It is as large, and takes
        as long to predict, as all folds' boosters together. Only with ``link="posterior"``, and
        not with DART, where the first rounds alone are not a model: both need False.
    probability : {"posterior", "raw"}, default="posterior"
        ``"raw"`` with ``link="focal"`` is refused: scored and calibrated is the posterior. Else
        as in `FocalXGBClassifier`.
    hessian : {"upper", "exact", "abs"}, default="upper"
        As in `FocalXGBClassifier`; only ``"upper"`` with ``link="posterior"``.
    link : {"focal", "posterior"}, default="posterior"
        As in `FocalXGBClassifier`, whose default is ``"focal"``. Under ``"posterior"`` the
        booster itself holds the calibration, and predicts probabilities where skfocal is not
        installed.
    priors : dict or array-like of shape (n_classes,), default=None
        As in `FocalXGBClassifier`: shares of the classes in the population, where the training
        rows were sampled.
    **kwargs
        Parameters of `xgboost.XGBClassifier`. ``n_estimators`` is the largest number of rounds
        on a fold. ``n_jobs`` is the number of threads in all, which folds and boosters share.
        With ``verbosity`` above 1 a line is printed for each setting. Refused: ``eval_metric``,
        since ``scoring`` decides, ``callbacks``, and what `FocalXGBClassifier` refuses.

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
    n_estimators_ : int
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
    FocalXGBClassifier : The same with one gamma, one alpha, and a given number of rounds.
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
    >>> from skfocal import FocalXGBClassifierCV
    >>> X, y = make_classification(2000, weights=[0.9], random_state=0)
    >>> model = FocalXGBClassifierCV(n_estimators=200).fit(X, y)
    >>> model.scores_.shape[:3]  # gammas, alphas, folds
    (5, 1, 5)
    >>> model.oof_proba_.shape
    (2000, 2)
    """

    _own_parameters = OWN_PARAMETERS

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
        ensemble: bool = True,
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

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, without the two that are chosen.

        Parameters
        ----------
        deep : bool, default=True
            As in `sklearn.base.BaseEstimator`.

        Returns
        -------
        dict
            Parameters by name.
        """
        params: dict[str, Any] = super().get_params(deep)
        return {k: v for k, v in params.items() if k not in self._chosen}

    @with_callbacks
    def fit(  # type: ignore[override]  # the folds take the place of evaluation sets
        self,
        X: Table,
        y: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        feature_weights: npt.ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose gamma and the number of rounds, and fit.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            NaN is a missing value.
        y : array-like of shape (n_samples,)
            Labels of any type, at least two different ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative. They count in training and calibration, in the default score, and in a
            scorer that takes them. Rows of weight 0 count nowhere, but ``cv`` sees them.
        feature_weights : array-like of shape (n_features,), default=None
            See `xgboost.XGBClassifier.fit`.
        **params
            Arguments of the splitter and the scorer. ``groups`` is always one; others need
            ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        FocalXGBClassifierCV
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, a fold trains on no row of a class or on rows that
            it holds out, or a score is not finite; the model is then left as it was.

        Warns
        -----
        ConvergenceWarning
            If the mean score was the best after the last of ``n_estimators`` rounds.
        UserWarning
            If a class has few rows to calibrate on, or they contradict the model.
        """
        self._check_search()
        self._refuse_arguments(X, params)
        first = self._plain(self._settings()[0], priors=None)
        first._check_parameters()
        rounds = Rounds(self, len(self._settings()), X, y, sample_weight)
        with restored_on_failure(self):
            features = check_table(self, X, reset=True)
            target = make_target(self, features, fetched(y), fetched(sample_weight), np.float32)
            y, sample_weight = fetched(y), fetched(sample_weight)
            held_out = self._split(features, y, sample_weight, target, params)
            if target.positive is not None:
                features = rows_of(features, target.positive)
            plan = first._plan(target.totals, None)
            if feature_weights is None:
                feature_weights = self.feature_weights
            rows = BinnedRows(first, features, target, plan, native(feature_weights))
            self._search(rows, target, held_out, rounds)
        return self

    @property
    def n_estimators_(self) -> int:
        """The number of rounds of the fitted booster."""
        check_is_fitted(self, "loss_")
        return int(self.get_booster().num_boosted_rounds())

    def _check_search(self) -> None:
        super()._check_search()
        for name in ("eval_metric", "callbacks"):
            if getattr(self, name) is not None:
                reason = "scoring decides" if name == "eval_metric" else "cv ends the training"
                raise ValueError(f"{name} has no effect where {reason}: leave it out.")
        params = self.get_params(deep=False)
        drops = [name for name in _DROPOUT if params.get(name)]
        if self.ensemble and (params["booster"] not in (None, "gbtree") or drops):
            raise ValueError(
                "ensemble=True needs the first rounds of a booster to be a model, which those of "
                'DART are not, and trees: use ensemble=False, or booster="gbtree" without '
                "dropout."
            )
        if self.ensemble and params["multi_strategy"] == "multi_output_tree" and _LOSES_VECTORS:
            raise ValueError(
                "ensemble=True needs a part of a booster, which XGBoost 3.1 cannot save if leaves "
                'are vectors: use ensemble=False, multi_strategy="one_output_per_tree", or '
                "XGBoost 3.2 or newer."
            )

    def _plain(self, setting: Setting, **changed: Any) -> FocalXGBClassifier:
        params = self._plain_parameters(setting)
        if "n_jobs" in changed:
            params.pop("nthread", None)
        return FocalXGBClassifier(**{**params, **changed})

    def _n_rounds(self) -> int:
        return int(self.get_num_boosting_rounds())

    def _n_threads(self) -> int:
        return booster_threads(self.get_params(deep=False).get("nthread") or self.n_jobs)

    def _is_verbose(self) -> bool:
        return (self.verbosity or 0) > 1

    _data_sets = MATRICES

    def _merged(self, boosters: list[Booster]) -> Booster:
        return merged(boosters)
