"""`FocalCatBoostClassifier` (floor 5).

A plain `CatBoostClassifier`, the trainer, trains on the focal loss in the form that CatBoost asks
for. Its model is rewritten into an ordinary one of Logloss. The focal classifier takes it over, and
the methods of its parent work on it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from catboost import CatBoost, CatBoostClassifier, Pool
from sklearn.base import BaseEstimator

from skfocal._booster._arguments import refuse_arguments
from skfocal._booster._plan import Plan, make_plan
from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._callbacks import Rounds, with_callbacks
from skfocal._estimator._features import Table
from skfocal._estimator._target import ClassTotals
from skfocal.calibration import Priors
from skfocal.catboost._model import CatBoostModel
from skfocal.catboost._native_data import (
    SPECIAL,
    TrainingRows,
    evaluation_pool,
    fold_class_weights,
    rows_of_pool,
    rows_of_table,
)
from skfocal.catboost._parameters import (
    canonical,
    check_of_loss,
    check_parameters,
    class_weight_of,
    is_logloss,
)
from skfocal.catboost._training import (
    RoundsCallback,
    check_snapshot,
    continued_booster,
    make_trainer,
    start_of,
    train,
)
from skfocal.losses._parameters import Alpha, Gamma, Hessian, Link, Probability

# Arguments of fit that are parameters, too.
_ALSO_PARAMETERS = (
    *("use_best_model", "verbose", "logging_level", "metric_period", "silent"),
    *("early_stopping_rounds", "save_snapshot", "snapshot_file", "snapshot_interval"),
)


class FocalCatBoostClassifier(CatBoostModel, CatBoostClassifier, BaseEstimator):
    """CatBoost classifier of two classes, trained on the focal loss.

    A `catboost.CatBoostClassifier` with the six parameters below; all others, and all arguments
    of `fit`, are CatBoost's. Training starts at the constant with the smallest focal loss. The
    fitted model is an ordinary one of Logloss that contains this constant. It can be saved,
    loaded and used where skfocal is not installed. Its raw value is the margin.

    Parameters
    ----------
    focal_gamma : float or sequence of floats, default=2.0
        Focusing parameter, >= 0; a sequence has one per class in the order of ``classes_``.
        0 is CatBoost's own Logloss: the same trees as with ``boost_from_average=True``. 2 is the
        value of the paper, no recommendation.
    focal_alpha : float, str, tuple, dict, sequence of floats or None, default=None
        Class weights: None; a float in (0, 1), alpha for ``classes_[1]`` and 1 - alpha for
        ``classes_[0]``; ``"balanced"``, inverse class frequency; ``"effective"`` or
        ``("effective", beta)``, inverse effective number of rows; a dict {label: weight}; one
        positive weight per class. They also scale Hessians, hence ``l2_leaf_reg``.
    probability : {"posterior", "raw"}, default="posterior"
        What `predict_proba` returns: the posterior of the classes, or the sigmoid of the margin.
    hessian : {"upper", "exact", "abs"}, default="upper"
        Second derivative that leaves are computed with. ``"upper"`` is positive and, for gamma
        > 0, bounds every step of a leaf by 4 times the learning rate; ``"exact"``, floored at
        1e-16, is what CatBoost's own ``Focal`` uses. Not with ``link="posterior"``, whose Hessian
        is the expected one.
    link : {"focal", "posterior"}, default="focal"
        What the margin is. ``"focal"``: its sigmoid is the paper's p. ``"posterior"``: that is
        the posterior, so that the saved model gives probabilities; the loss is the same in
        other coordinates.
    priors : dict or array-like of shape (n_classes,), default=None
        The shares of the classes in the population, where the training rows were sampled: a
        dict of label and share, or shares in the order of ``classes_``. Probabilities are then
        for that population; see `adjust_priors`. Not with ``probability="raw"`` under the focal
        link.
    **kwargs
        Parameters of `catboost.CatBoostClassifier`. ``class_weights``, ``auto_class_weights``
        and ``scale_pos_weight`` multiply into ``focal_alpha``: probabilities undo them. As in
        CatBoost, they scale ``l2_leaf_reg``. Where they are not given, ``leaf_estimation_method``,
        ``leaf_estimation_iterations`` and ``learning_rate`` are what CatBoost chooses for
        Logloss. ``boost_from_average=False`` starts training at 0. Refused: another
        ``loss_function``, ``class_names``, ``classes_count`` and ``target_border``, and for
        gamma above 0 or class weights also ``task_type="GPU"``,
        ``leaf_estimation_backtracking``, ``model_shrink_rate``, ``langevin`` and
        ``posterior_sampling``.

    Attributes
    ----------
    loss_ : BinaryFocalLoss
        The loss with its class weights as numbers.
    classes_ : ndarray of shape (2,)
        The labels, sorted.
    evals_result_, best_score_, best_iteration_ : dict, dict, int
        As in CatBoost. A file does not keep them.

    See Also
    --------
    FocalLGBMClassifier : The same on LightGBM, also for more than two classes.
    BinaryFocalLoss : The loss, its formula and its source.

    Notes
    -----
    `predict` takes the class with the largest weight times posterior, and `predict_proba` and
    `decision_function`, its log-odds, undo the weights. The saved model has the threshold of
    `predict` if ``link="posterior"``.

    CatBoost calls the objective for 500 rows at a time, and its threads wait for each other there:
    on two threads a fit takes 2 to 3 times as long as with Logloss, and half as long as with
    CatBoost's own ``Focal``, if that makes as many steps a leaf
    (``benchmarks/results/training-catboost.csv``).

    The default metric is ``"focal_loss"``, which at gamma 0 is CatBoost's Logloss. It
    counts class weights. By name ``eval_metric`` can also be ``"Logloss"``, ``"BrierScore"``,
    ``"Accuracy"`` or ``"ZeroOneLoss"`` of the posterior and of `predict`, which do not count them,
    and ``"AUC"`` or ``"PRAUC"``; in the last one, as CatBoost computes it, class weights count. All
    others of CatBoost's need ``link="posterior"`` without class weights. An object with the method
    ``evaluate`` gets the log-odds of the posterior.

    A snapshot is continued with the loss that it was begun with alone.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal import FocalCatBoostClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = FocalCatBoostClassifier(
    ...     focal_gamma=1.0, iterations=50, verbose=False, allow_writing_files=False
    ... ).fit(X, y)
    >>> model.predict_proba(X).shape
    (569, 2)
    >>> model.score(X, y) > 0.95
    True
    """

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

    def __repr__(self) -> str:
        return str(BaseEstimator.__repr__(self))

    def __eq__(self, other: object) -> bool:
        """Whether both are the same object, or have the same trees; CatBoost's fails unfitted."""
        if self is other or not isinstance(other, FocalCatBoostClassifier):
            return self is other
        fitted = self.is_fitted() and other.is_fitted()
        return fitted and bool(CatBoostClassifier.__eq__(self, other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = object.__hash__  # scikit-learn keeps estimators as keys

    def __sklearn_tags__(self) -> Any:
        tags = CatBoostClassifier.__sklearn_tags__(self)
        tags.classifier_tags.multi_class = False
        return tags

    @with_callbacks
    def fit(
        self,
        X: Table,
        y: npt.ArrayLike | None = None,
        cat_features: Sequence[Any] | None = None,
        text_features: Sequence[Any] | None = None,
        embedding_features: Sequence[Any] | None = None,
        graph: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        baseline: npt.ArrayLike | None = None,
        use_best_model: bool | None = None,
        eval_set: Any = None,
        verbose: bool | int | None = None,
        logging_level: str | None = None,
        plot: bool = False,
        plot_file: Any = None,
        column_description: Any = None,
        verbose_eval: bool | int | None = None,
        metric_period: int | None = None,
        silent: bool | None = None,
        early_stopping_rounds: int | None = None,
        save_snapshot: bool | None = None,
        snapshot_file: Any = None,
        snapshot_interval: int | None = None,
        init_model: CatBoost | str | Path | None = None,
        callbacks: list[Any] | None = None,
        log_cout: Any = None,
        log_cerr: Any = None,
    ) -> Self:
        """Fit the model; the arguments are those of `catboost.CatBoostClassifier.fit`.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features), or Pool
            A `catboost.Pool` holds labels, weights, margins and kinds of columns, and is not
            changed.
        y : array-like of shape (n_samples,)
            Labels of any type, of two classes.
        cat_features, text_features, embedding_features : list of int or str, default=None
            Columns that are categories, text or embeddings; also parameters.
        graph : array-like of shape (n_edges, 2), default=None
            As in CatBoost.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative; rows of weight 0 are as if absent, but their labels stay in
            ``classes_``.
        baseline : array-like of shape (n_samples,), default=None
            Margins that replace the optimal constant, at which training starts otherwise. They
            are not part of the model.
        use_best_model : bool, default=None
            Whether trees after the best round are left out; None: if there is an evaluation
            set.
        eval_set : (X, y) or Pool, or a list of them, default=None
            Evaluated each round, with labels as in y.
        verbose, logging_level : default=None
            What is printed, as in CatBoost.
        plot, plot_file : default=False, None
            As in CatBoost.
        column_description : None
            Refused: it is for files.
        verbose_eval, metric_period, silent : default=None
            What is printed, as in CatBoost.
        early_stopping_rounds : int, default=None
            Training stops when the metric of the last evaluation set has not improved for so
            many rounds.
        save_snapshot, snapshot_file, snapshot_interval : default=None
            As in CatBoost.
        init_model : CatBoost, str or Path, default=None
            Training goes on from it. A focal classifier, or a file that one has saved, must be
            of the same loss. Margins of other models count as margins of this loss. Calibration
            and priors are undone first; a model that holds them and has columns of text is
            refused.
        callbacks : list, default=None
            Objects with a method ``after_iteration``.
        log_cout, log_cerr : default=None
            Where CatBoost prints to.

        Returns
        -------
        FocalCatBoostClassifier
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described; the model is then left as it was.
        """
        given = locals()
        self._check_parameters()
        refuse_arguments("table in memory", column_description=column_description)
        params = self._params_of_fit({name: given[name] for name in _ALSO_PARAMETERS})
        columns = {name: given[name] for name in SPECIAL}
        n_rounds = int(params.get("iterations", 1000))
        rounds = Rounds(self, n_rounds, X, y, sample_weight)
        passed = {"plot": plot, "plot_file": plot_file, "verbose_eval": verbose_eval}
        passed |= {"log_cout": log_cout, "log_cerr": log_cerr}
        with restored_on_failure(self):
            rows = self._rows(X, y, sample_weight, baseline, columns, params, graph)
            self.classes_ = rows.target.classes
            plan = self._plan(rows.target.totals, getattr(self, "feature_names_in_", None))
            continued = continued_booster(init_model, plan.loss)
            own_margins = rows.has_margins or continued is not None
            if own_margins or params.get("boost_from_average") is False:
                plan = plan.without_intercept()
            told = [*(callbacks or []), *([RoundsCallback(rounds, n_rounds)] if rounds else [])]
            pools = evaluation_arguments(self, eval_set, plan, rows)
            trainer = self._trainer(params, plan, rows, best_model=bool(pools))
            beside = check_snapshot(params, plan, rows.pool, continued)
            booster = train(
                trainer,
                rows.pool,
                plan,
                eval_set=pools or None,
                init_model=continued,
                callbacks=told or None,
                snapshot=beside,
                **passed,
            )
            learned = self._take(booster, plan.settings)
            self._note_history()
            rounds.close(learned)
        return self

    def _params_of_fit(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """CatBoost's parameters, by its first name of each; arguments of fit replace them."""
        params = canonical(self._given_parameters())
        replaced = {name: value for name, value in arguments.items() if value is not None}
        if any(name in replaced for name in ("verbose", "silent", "logging_level")):
            for name in ("verbose", "silent", "logging_level"):
                params.pop(name, None)
        if "early_stopping_rounds" in replaced:  # as CatBoost's fit does
            params |= {"od_type": "Iter", "od_wait": replaced.pop("early_stopping_rounds")}
            params.pop("od_pval", None)
        return {**params, **replaced}

    def _rows(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        baseline: Any,
        columns: Mapping[str, Any],
        params: Mapping[str, Any],
        graph: Any,
    ) -> TrainingRows:
        for name in SPECIAL:
            if columns[name] is not None and params.get(name) is not None:
                raise ValueError(f"{name} is given to fit and as a parameter: leave one out.")
        special = {
            name: given if given is not None else params.get(name)
            for name, given in columns.items()
        }
        if isinstance(X, Pool):
            refused = {"y": y, "sample_weight": sample_weight, "baseline": baseline}
            return rows_of_pool(self, X, **refused, **special, graph=graph)
        threads = int(params.get("thread_count", -1))
        return rows_of_table(
            self, X, y, sample_weight, baseline, special, graph, thread_count=threads
        )

    def _plan(self, totals: ClassTotals, names: npt.NDArray[Any] | None) -> Plan:
        params = canonical(self._given_parameters())
        weights: Any = class_weight_of(params, totals, self.focal_alpha)
        loss = self._training_loss(totals, weights)
        check_of_loss(params, loss)
        self._check_priors_of_raw(loss)
        return make_plan(totals, loss, names, self.priors)

    def _trainer(
        self, params: Mapping[str, Any], plan: Plan, rows: TrainingRows, *, best_model: bool
    ) -> CatBoostClassifier:
        weighted = rows.weighted
        if not is_logloss(plan.loss):
            codes = rows.target.codes
            weighted = fold_class_weights(rows.pool, codes, plan.loss, weighted=weighted)
        return make_trainer(
            params,
            plan,
            rows.pool,
            weighted=weighted,
            best_model=best_model or bool(params.get("eval_fraction")),
            class_names=rows.class_names,
        )

    def _check_parameters(self) -> None:
        self._check_probability()
        check_parameters(self._given_parameters())


def evaluation_arguments(
    estimator: FocalCatBoostClassifier, eval_set: Any, plan: Plan, rows: TrainingRows
) -> list[Pool]:
    """CatBoost's data sets of the evaluation sets, with the start of training."""
    if eval_set is None:
        return []
    sets = eval_set if isinstance(eval_set, list) else [eval_set]
    for each in sets:
        pair = isinstance(each, (tuple, list)) and len(each) == 2
        if not isinstance(each, Pool) and (not pair or isinstance(each[0], (tuple, Pool))):
            raise TypeError(
                "eval_set must be a pair (X, y) or a catboost.Pool, or a list of them; got "
                f"{type(each).__name__}."
            )
    start = None if is_logloss(plan.loss) else start_of(plan)
    in_codes = rows.class_names is None
    for each in sets:
        if isinstance(each, Pool) and np.size(each.get_baseline()) and not rows.has_margins:
            raise ValueError(
                "eval_set has margins to start from (baseline), and the training rows have none: "
                "give both or neither."
            )
    return [
        evaluation_pool(estimator, each, rows.special, plan.loss, start, in_codes=in_codes)
        for each in sets
    ]
