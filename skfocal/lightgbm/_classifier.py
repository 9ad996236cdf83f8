"""`FocalLGBMClassifier` (floor 5).

A plain `LGBMClassifier`, the trainer, trains on a `FocalObjective`. Its booster is rewritten into
a standard binary or multiclass model. The focal classifier takes it over, and the methods of its
parent work on it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from lightgbm import Booster, Dataset, LGBMClassifier, LGBMModel
from sklearn.utils import _safe_indexing

from skfocal._booster._arguments import Metric, refuse_arguments
from skfocal._booster._eval_sets import Checked, Evaluation
from skfocal._booster._plan import Plan, make_plan
from skfocal._estimator._attributes import LearnedAttribute, restored_on_failure
from skfocal._estimator._callbacks import Rounds, with_callbacks
from skfocal._estimator._features import Table, check_features
from skfocal._estimator._target import ClassTotals, Target, make_target
from skfocal.calibration import Priors
from skfocal.lightgbm._model import LightGBMModel
from skfocal.lightgbm._native_data import fit_dataset
from skfocal.lightgbm._parameters import (
    N_ROUNDS_ALIASES,
    check_callbacks,
    check_columns,
    check_parameters,
)
from skfocal.lightgbm._training import (
    continued_booster,
    evaluation_arguments,
    evaluation_pairs,
    init_score_of,
    make_trainer,
    round_callbacks,
    train,
)
from skfocal.losses._parameters import Alpha, ClassWeight, Gamma, Hessian, Link, Probability


class FocalLGBMClassifier(LightGBMModel, LGBMClassifier):
    """LightGBM classifier trained on the focal loss.

    A `lightgbm.LGBMClassifier` with the five parameters below; all others, and all
    arguments of `fit`, are LightGBM's. Training starts at the constant with the smallest
    focal loss. The fitted ``booster_`` is a standard binary or multiclass model that contains
    this constant. It can be saved, loaded and used where skfocal is not installed. Its raw
    score is the margin: the number whose sigmoid or softmax is a probability.

    Parameters
    ----------
    focal_gamma : float or sequence of floats, default=2.0
        Focusing parameter, >= 0; a sequence has one per class in the order of
        ``classes_``. 0 is LightGBM's own objective: the same trees. 2 is the value of the
        paper, no recommendation.
    focal_alpha : float, str, tuple, dict, sequence of floats or None, default=None
        Class weights: None; a float in (0, 1), alpha for ``classes_[1]`` and 1 - alpha
        for ``classes_[0]`` (two classes); ``"balanced"``, inverse class frequency;
        ``"effective"`` or ``("effective", beta)``, inverse effective number of rows; a
        dict {label: weight}; one positive weight per class. They also scale Hessians,
        hence ``min_child_weight`` and ``reg_lambda``.
    probability : {"posterior", "raw"}, default="posterior"
        What `predict_proba` returns: the posterior of the classes, or the sigmoid
        (softmax) of the margin, which is what ``booster_.predict`` returns.
    hessian : {"upper", "exact", "abs"}, default="upper"
        Second derivative that trees are grown on. ``"upper"`` is positive and, for
        gamma > 0, bounds every leaf's step by 4 times the learning rate; ``"exact"``,
        floored at 1e-16, is what other packages use. Not with ``link="posterior"``, whose
        Hessian is the expected one.
    link : {"focal", "posterior"}, default="focal"
        What the margin is. ``"focal"``: its sigmoid (softmax) is the paper's p.
        ``"posterior"``: that is the posterior, so ``booster_.predict``
        gives probabilities; the loss is the same in other coordinates.
    priors : dict or array-like of shape (n_classes,), default=None
        The shares of the classes in the population, where the training rows were sampled: a
        dict of label and share, or shares in the order of ``classes_``. Probabilities are then
        for that population; see `adjust_priors`. Not with ``probability="raw"`` under the focal
        link.
    **kwargs
        Parameters of `lightgbm.LGBMClassifier`. ``class_weight`` multiplies into
        ``focal_alpha``; its ``"balanced"`` counts rows, as LightGBM's does, where that of
        ``focal_alpha`` sums sample weights. Refused: another ``objective``, ``scale_pos_weight``,
        ``is_unbalance``, ``sigmoid``, ``pos_bagging_fraction``, ``neg_bagging_fraction``
        and ``boosting_type="rf"``, which LightGBM does not support, or ignores, beside a
        custom objective.

    Attributes
    ----------
    loss_ : BinaryFocalLoss or MulticlassFocalLoss
        The loss with its class weights as numbers.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    booster_ : lightgbm.Booster
        The standard model. Its ``refit`` computes leaves on log loss: with ``link="posterior"``
        these are log-odds as before, with ``link="focal"`` probabilities are wrong afterwards.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of columns in fit, where X had some. The argument ``feature_name`` of fit names
        the booster's.

    See Also
    --------
    FocalXGBClassifier : The same on XGBoost.
    BinaryFocalLoss, MulticlassFocalLoss : The loss, its formula and its source.

    Notes
    -----
    `predict` takes the class with the largest weight times posterior, and `predict_proba`
    and `decision_function`, its log-odds, undo the weights. ``booster_.predict`` is the sigmoid
    or softmax of the margin: the posterior only with ``link="posterior"``.
    `sklearn.calibration.CalibratedClassifierCV` keeps the probabilities and loses the
    costs: its ``predict`` takes the likelier class.

    Gradients and Hessians are multiplied by the ``log_loss_scale`` of the loss. The mean
    Hessian at the start is then that of log loss with the same class weights, so that
    ``reg_lambda``, ``min_child_weight`` and ``min_sum_hessian_in_leaf`` keep their meaning for
    every gamma and both links. ``reg_alpha`` is in units of a gradient and ``min_split_gain`` in
    units of the loss: they depend on what the margin is.

    The default evaluation metric is ``"focal_loss"``. As in LightGBM, ``eval_metric`` adds
    to it and ``metric`` replaces it. Losses and errors given by name, and callables, see
    the posterior (``error``: the class of `predict`), and so do rank metrics of more than
    two classes; other names are refused.

    DART starts at the same constant, which LightGBM's own objective would count to the
    first tree and drop with it; ``feature_fraction`` draws other columns than its own
    objective with the same seed. Two DART fits with the same seed may drop different
    trees: for custom objectives LightGBM (4.7) reads a flag before it sets it.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal import FocalLGBMClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = FocalLGBMClassifier(focal_gamma=1.0, n_estimators=20, verbose=-1).fit(X, y)
    >>> model.predict_proba(X).shape
    (569, 2)
    >>> round(model.score(X, y), 2)
    0.99
    """

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
    def fit(  # type: ignore[override]  # ranking's groups are no argument of a classifier
        self,
        X: Table,
        y: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
        init_score: npt.ArrayLike | None = None,
        eval_set: Sequence[Any] | None = None,
        eval_names: list[str] | None = None,
        eval_sample_weight: Sequence[npt.ArrayLike | None] | None = None,
        eval_class_weight: Sequence[ClassWeight] | None = None,
        eval_init_score: Sequence[npt.ArrayLike | None] | None = None,
        eval_metric: Metric | Sequence[Metric] | None = None,
        feature_name: list[str] | Literal["auto"] = "auto",
        categorical_feature: Sequence[str] | Sequence[int] | Literal["auto"] = "auto",
        callbacks: list[Callable[..., Any]] | None = None,
        init_model: str | Path | Booster | LGBMModel | None = None,
        *,
        eval_X: Table | tuple[Table, ...] | None = None,
        eval_y: npt.ArrayLike | tuple[npt.ArrayLike, ...] | None = None,
    ) -> Self:
        """Fit the model; the arguments are those of `lightgbm.LGBMClassifier.fit`.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            NaN is a missing value. Or a `lightgbm.Dataset`, of a `lightgbm.Sequence` or a
            binary file, with labels 0..K-1 and weights inside.
        y : array-like of shape (n_samples,)
            Labels of any type, at least two different ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative; rows of weight 0 are as if absent, but their labels stay in
            ``classes_``.
        init_score : array-like, default=None
            Replaces the optimal constant, at which training starts otherwise. It is not part of
            the model.
        eval_set : list of (X, y), default=None
            Evaluated each round, with labels as in y; LightGBM >= 4.7 prefers
            ``eval_X``, ``eval_y``. Of data sets, a list of data sets.
        eval_names : list of str, default=None
            Names of the evaluation sets.
        eval_sample_weight : list of array-like, default=None
            Sample weights of each evaluation set.
        eval_class_weight : list of dict or "balanced", default=None
            Class weights of each evaluation set, multiplied into its sample weights.
        eval_init_score : list of array-like, default=None
            Margins to start from, for each evaluation set.
        eval_metric : str, callable or list of them, default=None
            Added to ``metric``, or to ``"focal_loss"`` where that is not set.
        feature_name : list of str or "auto", default="auto"
            Names of the columns; ``"auto"`` those of a DataFrame.
        categorical_feature : list of str or int, or "auto", default="auto"
            Columns that are categories; ``"auto"`` those of pandas' type.
        callbacks : list of callable, default=None
            LightGBM's callbacks.
        init_model : str, Path, Booster or LGBMModel, default=None
            Training goes on from it. A focal classifier, or a file that one has saved, must
            be of the same loss. The loss of other files and boosters is not known: their
            margins count as margins of this loss.
        eval_X, eval_y : table and labels, or tuples of them, default=None
            The evaluation sets in the form of LightGBM >= 4.7.

        Returns
        -------
        FocalLGBMClassifier
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described; the model is then left as it was.
        """
        self._check_parameters()
        check_callbacks(callbacks)
        native = isinstance(X, Dataset)
        sets = eval_set if native else evaluation_pairs(eval_set, eval_X, eval_y)
        evaluation = Evaluation(
            sets, eval_names, eval_sample_weight, eval_class_weight, eval_init_score
        )
        rows = {"y": y, "sample_weight": sample_weight, "init_score": init_score}
        columns = {"feature_name": feature_name, "categorical_feature": categorical_feature}
        own: dict[str, Any] = {"eval_metric": eval_metric, "init_model": init_model}
        own |= {"callbacks": callbacks or [], "rounds": self._rounds(X, y, sample_weight)}
        with restored_on_failure(self):
            if native:
                refused = {**rows, **columns, "eval_X": eval_X, "eval_y": eval_y}
                self._fit_native_data(X, refused, evaluation, **own)
            else:
                own["recognised"] = eval_set is not None
                self._fit_table(X, rows, columns, evaluation, **own)
        return self

    def _fit_native_data(
        self, X: Dataset, refused: dict[str, Any], evaluation: Evaluation, **own: Any
    ) -> None:
        """Fit on a data set of LightGBM, beside which most arguments are ``refused``."""
        refuse_arguments(
            "lightgbm.Dataset",
            **refused,
            eval_sample_weight=evaluation.sample_weight,
            eval_class_weight=evaluation.class_weight,
            eval_init_score=evaluation.margins,
        )
        fit_dataset(self, X, evaluation, **own)

    def _fit_table(
        self,
        X: Any,
        rows: dict[str, Any],
        columns: dict[str, Any],
        evaluation: Evaluation,
        *,
        recognised: bool,
        eval_metric: Any,
        init_model: Any,
        callbacks: list[Callable[..., Any]],
        rounds: Rounds,
    ) -> None:
        """Fit on a table. ``recognised``: LightGBM may find the training set in ``eval_set``."""
        features = check_columns(check_features(self, X, reset=True))
        target = self._checked_target(features, rows["y"], rows["sample_weight"])
        plan = self._plan(target.totals, getattr(self, "feature_names_in_", None))
        continued = continued_booster(init_model, plan.loss)
        params = self.get_params(deep=False)
        own_margins = rows["init_score"] is not None or continued is not None
        if own_margins or not params.get("boost_from_average", True):
            plan = plan.without_intercept()
        checked = Checked()
        if target.positive is not None:
            features = _safe_indexing(features, target.positive)
        elif recognised:
            checked = Checked((X, features), (rows["y"], target.codes))
        trainer = make_trainer(params, plan, eval_metric)
        train(
            trainer,
            features,
            target,
            plan,
            [*callbacks, *round_callbacks(rounds, plan)],
            init_score=init_score_of(rows["init_score"], target, plan),
            init_model=continued,
            **columns,
            **evaluation_arguments(self, evaluation, plan, checked),
        )
        rounds.close(self._learn(trainer, plan))

    def _checked_target(self, features: Any, y: Any, sample_weight: Any) -> Target:
        """Labels and weights; LightGBM ends the process if there is one row only."""
        if features.shape[0] < 2:
            raise ValueError("LightGBM needs at least two rows; X has n_samples = 1.")
        target = make_target(self, features, y, sample_weight, np.float32)
        if len(target.codes) < 2:
            raise ValueError(
                "LightGBM needs at least two rows of a weight above 0; sample_weight leaves 1."
            )
        return target

    def _plan(self, totals: ClassTotals, names: npt.NDArray[Any] | None) -> Plan:
        weights: Any = self.class_weight  # its type says less than LightGBM accepts
        loss = self._training_loss(totals, weights, balanced_by_rows=True)
        self._check_priors_of_raw(loss)
        return make_plan(totals, loss, names, self.priors)

    def _rounds(self, X: Any, y: Any, sample_weight: Any) -> Rounds:
        """scikit-learn's callbacks; the number of rounds is unknown if an alias gives it."""
        params = self.get_params(deep=False)
        unknown = any(params.get(name) is not None for name in N_ROUNDS_ALIASES)
        return Rounds(self, None if unknown else self.n_estimators, X, y, sample_weight)

    def _check_parameters(self) -> None:
        self._check_probability()
        check_parameters(self.get_params(deep=False))
