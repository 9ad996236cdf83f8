"""`FocalXGBClassifier` (floor 5).

A plain `XGBClassifier`, the trainer, trains on a `FocalObjective`. Its booster is a standard
binary or multiclass model. The focal classifier takes it over, and the methods of its parent work
on it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from xgboost import Booster, XGBClassifier, XGBModel

from skfocal._booster._arguments import FOCAL_PARAMETERS, refuse_arguments
from skfocal._booster._eval_sets import Checked, Evaluation
from skfocal._booster._plan import Plan, make_plan
from skfocal._estimator._attributes import LearnedAttribute, restored_on_failure
from skfocal._estimator._callbacks import Rounds, with_callbacks
from skfocal._estimator._features import Table
from skfocal._estimator._target import ClassTotals, make_target
from skfocal._kernels import fetched
from skfocal.calibration import Priors
from skfocal.losses._parameters import Alpha, Gamma, Hessian, Link, Probability
from skfocal.xgboost._gpu import may_stay_on_device, rows_of, train_resident
from skfocal.xgboost._model import XGBoostModel
from skfocal.xgboost._native_data import fit_matrix, is_matrix
from skfocal.xgboost._parameters import check_parameters, check_table, native
from skfocal.xgboost._private import Trainer
from skfocal.xgboost._training import (
    base_margin_of,
    continued_booster,
    evaluation_arguments,
    make_trainer,
)


class FocalXGBClassifier(XGBoostModel, XGBClassifier):
    """XGBoost classifier trained on the focal loss.

    An `xgboost.XGBClassifier` with the five parameters below; all others, and all
    arguments of `fit`, are XGBoost's. Labels may be of any type. Training starts at the
    constant with the smallest focal loss, which the model keeps as its ``base_score``: the
    saved model is a standard one that predicts where skfocal is not installed.

    Parameters
    ----------
    focal_gamma : float or sequence of floats, default=2.0
        Focusing parameter, >= 0; a sequence has one per class in the order of
        ``classes_``. 0 is XGBoost's own objective: the same trees. 2 is the value of the
        paper, no recommendation. XGBoost's ``gamma`` is another thing
        (``min_split_loss``).
    focal_alpha : float, str, tuple, dict, sequence of floats or None, default=None
        Class weights: None; a float in (0, 1), alpha for ``classes_[1]`` and 1 - alpha
        for ``classes_[0]`` (two classes); ``"balanced"``, inverse class frequency;
        ``"effective"`` or ``("effective", beta)``, inverse effective number of rows; a
        dict {label: weight}; one positive weight per class. They also scale Hessians,
        hence ``min_child_weight`` and ``reg_lambda``. XGBoost's ``alpha`` is another thing
        (``reg_alpha``).
    probability : {"posterior", "raw"}, default="posterior"
        What `predict_proba` returns: the posterior of the classes, or the sigmoid
        (softmax) of the margin, which is what ``get_booster().predict`` returns.
    hessian : {"upper", "exact", "abs"}, default="upper"
        Second derivative that trees are grown on. ``"upper"`` is positive and, for
        gamma > 0, bounds every leaf's step by 4 times the learning rate; ``"exact"``,
        floored at 1e-16, is what other packages use. Not with ``link="posterior"``, whose
        Hessian is the expected one.
    link : {"focal", "posterior"}, default="focal"
        What the margin is. ``"focal"``: its sigmoid (softmax) is the paper's p.
        ``"posterior"``: that is the posterior, so ``get_booster().predict``
        gives probabilities; the loss is the same in other coordinates.
    priors : dict or array-like of shape (n_classes,), default=None
        The shares of the classes in the population, where the training rows were sampled: a
        dict of label and share, or shares in the order of ``classes_``. Probabilities are then
        for that population; see `adjust_priors`. Not with ``probability="raw"`` under the focal
        link.
    **kwargs
        Parameters of `xgboost.XGBClassifier`. Refused: another ``objective``,
        ``num_class`` and ``scale_pos_weight``, which has no effect beside a custom
        objective.

    Attributes
    ----------
    loss_ : BinaryFocalLoss or MulticlassFocalLoss
        The loss with its class weights as numbers.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
        Number of columns in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of columns in fit, where X had some.

    See Also
    --------
    FocalLGBMClassifier : The same on LightGBM.
    BinaryFocalLoss, MulticlassFocalLoss : The loss, its formula and its source.

    Notes
    -----
    `predict` takes the class with the largest weight times posterior, and `predict_proba`
    and `decision_function`, its log-odds, undo the weights. ``get_booster().predict`` is the
    sigmoid or softmax of the margin: the posterior only with ``link="posterior"``.
    `sklearn.calibration.CalibratedClassifierCV`
    keeps the probabilities and loses the costs: its ``predict`` takes the likelier class.

    Gradients and Hessians are multiplied by the ``log_loss_scale`` of the loss. The mean
    Hessian at the start is then that of log loss with the same class weights, so that
    ``reg_lambda`` and ``min_child_weight`` keep their meaning for every gamma and both links.
    ``reg_alpha`` is in units of a gradient and ``gamma`` in units of the loss: they depend on
    what the margin is.

    Where the booster itself holds `calibrate` and ``priors`` (under ``link="posterior"``), two
    things follow. Rounds after the best one of early stopping are cut, because a plain
    `xgboost.Booster` predicts with all rounds. Predictions with a ``base_margin`` are refused,
    because it would replace the start of the booster, which holds a part of them.

    The default evaluation metric is ``"focal_loss"``; ``"logloss"``, ``"mlogloss"``,
    ``"error"``, ``"error@t"``, ``"merror"``, ``"rmse"``, ``"mae"`` and callables see the
    posterior (the errors: the class of `predict`), and so do ``"auc"`` and ``"aucpr"`` of
    more than two classes, as weighted means of one class against the rest. XGBoost computes
    binary rank metrics. Other names are refused, unless the sigmoid or softmax of the
    margin is the posterior: with ``link="posterior"``, or for plain log loss.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal import FocalXGBClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = FocalXGBClassifier(focal_gamma=1.0, n_estimators=20).fit(X, y)
    >>> model.predict_proba(X).shape
    (569, 2)
    >>> round(model.score(X, y), 2)
    1.0
    """

    _own_parameters: tuple[str, ...] = FOCAL_PARAMETERS
    classes_ = LearnedAttribute()
    n_features_in_ = LearnedAttribute()
    feature_names_in_ = LearnedAttribute()

    def __init__(
        self,
        *,
        focal_gamma: Gamma = 2.0,
        focal_alpha: Alpha = None,
        probability: Probability = "posterior",
        hessian: Hessian = "upper",
        link: Link = "focal",
        priors: Priors = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.focal_gamma = focal_gamma
        self.focal_alpha = focal_alpha
        self.probability = probability
        self.hessian = hessian
        self.link = link
        self.priors = priors

    @with_callbacks
    def fit(
        self,
        X: Table,
        y: npt.ArrayLike | None = None,
        *,
        sample_weight: npt.ArrayLike | None = None,
        base_margin: npt.ArrayLike | None = None,
        eval_set: Sequence[Any] | None = None,
        verbose: bool | int | None = True,
        xgb_model: str | Path | Booster | XGBModel | None = None,
        sample_weight_eval_set: Sequence[npt.ArrayLike | None] | None = None,
        base_margin_eval_set: Sequence[npt.ArrayLike | None] | None = None,
        feature_weights: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit the model; the arguments are those of `xgboost.XGBClassifier.fit`.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            NaN is a missing value. Or a matrix of XGBoost's, or a `xgboost.DataIter` of
            batches, with labels 0..K-1 and weights inside; batches lie on disk, as an
            `xgboost.ExtMemQuantileDMatrix`, where they have a ``cache_prefix``.
        y : array-like of shape (n_samples,)
            Labels of any type, at least two different ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative; rows of weight 0 are as if absent.
        base_margin : array-like, default=None
            Replaces the optimal constant, at which training starts otherwise. It is not part of
            the model.
        eval_set : list of (X, y), default=None
            Evaluated each round, with labels as in y. Of matrices, a list of matrices.
        verbose : bool or int, default=True
            Whether metrics are printed; a number: each how many rounds.
        xgb_model : str, Path, Booster or XGBModel, default=None
            Training goes on from it. A focal model must be of the same loss. Of others
            the loss is not known: their margins count as margins of this loss.
        sample_weight_eval_set, base_margin_eval_set : list of array-like, default=None
            For each evaluation set what ``sample_weight``, ``base_margin`` are for X.
        feature_weights : array-like of shape (n_features,), default=None
            See `xgboost.XGBClassifier.fit`.

        Returns
        -------
        FocalXGBClassifier
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described; the model is then left as it was.
        """
        self._check_parameters()
        evaluation = Evaluation(
            eval_set, sample_weight=sample_weight_eval_set, margins=base_margin_eval_set
        )
        rows = {"y": y, "sample_weight": sample_weight, "base_margin": base_margin}
        own: dict[str, Any] = {"verbose": verbose, "xgb_model": xgb_model}
        own["rounds"] = Rounds(self, self.get_num_boosting_rounds(), X, y, sample_weight)
        with restored_on_failure(self):
            if is_matrix(X):
                given = self.feature_weights if feature_weights is None else feature_weights
                refused = {**rows, "feature_weights": given}
                self._fit_native_data(X, refused, evaluation, **own)
            else:
                self._fit_table(X, rows, feature_weights, evaluation, **own)
        return self

    def _fit_native_data(
        self, X: Any, refused: dict[str, Any], evaluation: Evaluation, **own: Any
    ) -> None:
        """Fit on a matrix of XGBoost or batches, beside which most arguments are ``refused``."""
        refuse_arguments(
            "matrix of XGBoost's",
            **refused,
            sample_weight_eval_set=evaluation.sample_weight,
            base_margin_eval_set=evaluation.margins,
            feature_types=self.feature_types,
        )
        fit_matrix(self, X, evaluation, **own)

    def _fit_table(
        self,
        X: Any,
        rows: dict[str, Any],
        feature_weights: Any,
        evaluation: Evaluation,
        *,
        verbose: bool | int | None,
        xgb_model: Any,
        rounds: Rounds,
    ) -> None:
        """Fit on a table, in the memory of the host or of a device."""
        features = check_table(self, X, reset=True)
        y, sample_weight = rows["y"], rows["sample_weight"]
        target = make_target(self, features, fetched(y), fetched(sample_weight), np.float32)
        plan = self._plan(target.totals, getattr(self, "feature_names_in_", None))
        continued = continued_booster(xgb_model, plan.loss)
        if self.base_score is not None or continued is not None:
            plan = plan.without_intercept()
        base_margin, checked = native(rows["base_margin"]), Checked()
        if target.positive is not None:
            features = rows_of(features, target.positive)
            if base_margin is not None:
                base_margin = rows_of(base_margin_of(base_margin, target, plan), target.positive)
        else:
            weight = (sample_weight, target.sample_weight)
            margins = (rows["base_margin"], base_margin)
            checked = Checked((X, features), (y, target.codes), weight, margins)
        params = self.get_params(deep=False)
        fit = train_resident if may_stay_on_device(params, features) else Trainer.fit
        trainer = make_trainer(params, plan, verbose, rounds)
        arguments = {
            "sample_weight": target.sample_weight,
            "base_margin": base_margin,
            "xgb_model": continued,
            "feature_weights": native(feature_weights),
            **evaluation_arguments(self, evaluation, plan, checked),
        }
        if fit is Trainer.fit:
            arguments["verbose"] = False  # a callback of ours prints
        fit(trainer, features, target.codes, **arguments)
        rounds.close(self._learn(trainer, plan))

    def _plan(self, totals: ClassTotals, names: npt.NDArray[Any] | None) -> Plan:
        loss = self._training_loss(totals)
        self._check_priors_of_raw(loss)
        return make_plan(totals, loss, names, self.priors)

    def _check_parameters(self) -> None:
        self._check_probability()
        check_parameters(self.get_params(deep=False))

    def get_xgb_params(self) -> dict[str, Any]:
        """The parameters of XGBoost alone, as the fitted booster has to know them.

        The parent's ``set_params`` hands them to the booster. It reads the objective off
        ``self.objective``, which it changes in ``fit``; here that parameter stays as it is.

        Returns
        -------
        dict
            Parameters by name.
        """
        given = super().get_xgb_params()
        params = {k: v for k, v in given.items() if k not in self._own_parameters}
        if hasattr(self, "n_classes_"):
            binary = self.n_classes_ == 2
            params["objective"] = "binary:logistic" if binary else "multi:softprob"
        params.pop("eval_metric", None)  # computed here, or given to the trainer
        return params

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        tags.no_validation = False
        return tags
