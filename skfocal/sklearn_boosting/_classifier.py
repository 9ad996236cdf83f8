"""`FocalHistGradientBoostingClassifier` (floor 5)."""

from typing import Any, Literal, Never, Self

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from skfocal._booster._arguments import check_same_loss, refuse_misspelt
from skfocal._booster._plan import Plan, make_plan
from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._callbacks import Rounds, with_callbacks
from skfocal._estimator._features import Table
from skfocal._estimator._probabilities import Probabilities
from skfocal._estimator._target import ClassTotals, n_effective
from skfocal._kernels import Array
from skfocal.calibration import Priors
from skfocal.losses._parameters import Alpha, ClassWeight, Gamma, Hessian, Link, Probability
from skfocal.losses._rows import check_row_weights, class_totals
from skfocal.sklearn_boosting._model import HistGradientBoostingModel
from skfocal.sklearn_boosting._parameters import check_parameters
from skfocal.sklearn_boosting._private import (
    TAKES_VALIDATION_ROWS,
    StopTraining,
    change_margins,
    is_trained,
    prepare_warm_start,
)
from skfocal.sklearn_boosting._training import TrainingLoss


class FocalHistGradientBoostingClassifier(
    HistGradientBoostingModel,
    HistGradientBoostingClassifier,  # type: ignore[misc]  # it has no types
):
    """Histogram-based boosted trees of scikit-learn, trained on the focal loss.

    A `sklearn.ensemble.HistGradientBoostingClassifier` with six more parameters, ``focal_gamma``
    to ``priors``; all others, and all arguments of `fit`, are scikit-learn's. Training starts at
    the constant with the smallest focal loss.

    Parameters
    ----------
    loss : {"log_loss"}, default="log_loss"
        scikit-learn's parameter, which has no other value here.
    focal_gamma : float or sequence of floats, default=2.0
        Focusing parameter, >= 0; a sequence has one per class in the order of ``classes_``. 0 is
        scikit-learn's own loss: the same trees. 2 is the value of the paper, no recommendation.
    focal_alpha : float, str, tuple, dict, sequence of floats or None, default=None
        Class weights: None; a float in (0, 1), alpha for ``classes_[1]`` and 1 - alpha for
        ``classes_[0]`` (two classes); ``"balanced"``, inverse class frequency; ``"effective"`` or
        ``("effective", beta)``, inverse effective number of rows; a dict {label: weight}; one
        positive weight per class. They also scale Hessians, hence ``l2_regularization``.
    probability : {"posterior", "raw"}, default="posterior"
        What `predict_proba` returns: the posterior of the classes, or the sigmoid (softmax) of
        the margin. The margin is the sum of the trees.
    hessian : {"upper", "exact", "abs"}, default="upper"
        Second derivative that trees are grown on. ``"upper"`` is positive and, for gamma > 0,
        bounds every leaf's step by 4 times the learning rate; ``"exact"``, floored at 1e-16, is
        what other packages use. Not with ``link="posterior"``, whose Hessian is the expected one.
    link : {"focal", "posterior"}, default="focal"
        What the margin is. ``"focal"``: its sigmoid (softmax) is the paper's p.
        ``"posterior"``: that is the posterior; the loss is the same in other coordinates.
    priors : dict or array-like of shape (n_classes,), default=None
        The shares of the classes in the population, where the training rows were sampled: a dict
        of label and share, or shares in the order of ``classes_``. Probabilities are then for
        that population; see `adjust_priors`. Not with ``probability="raw"`` under the focal link.
    learning_rate : float, default=0.1
        Factor of the leaves.
    max_iter : int, default=100
        Rounds at most. A round has one tree for two classes, and K trees for K classes.
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
        For each column how the posterior of ``classes_[1]`` may change with it. 1: it rises; 0:
        free; -1: it falls. Two classes only.
    interaction_cst : {"pairwise", "no_interactions"}, sequence of sets or None, default=None
        Groups of columns that may be in one branch.
    warm_start : bool, default=False
        Whether the next fit adds trees to those of the last. It must be on the same rows: other
        columns, categories or bins are refused, and so is another loss or scoring.
    early_stopping : "auto" or bool, default="auto"
        Whether training stops early; ``"auto"``: if X has more than 10,000 rows.
    scoring : str, callable or None, default="loss"
        What early stopping looks at, before ``priors``. ``"loss"`` is the log loss of the
        posterior; names and callables are scikit-learn's scorers, None is accuracy.
    validation_fraction : float, int or None, default=0.1
        The rows that are held out for it: a share, or a number. None: the score is that of the
        training rows.
    n_iter_no_change : int, default=10
        Training stops after so many rounds without a better score.
    tol : float, default=1e-7
        A score counts as better if it is larger by more than this.
    verbose : int, default=0
        Whether the progress is printed.
    random_state : int, RandomState or None, default=None
        For the rows that are held out, the rows that bins are made of, and the columns drawn.
    class_weight : dict, "balanced" or None, default=None
        Multiplies into ``focal_alpha``; its ``"balanced"`` counts rows, as scikit-learn's does,
        where that of ``focal_alpha`` sums sample weights.

    Attributes
    ----------
    loss_ : BinaryFocalLoss or MulticlassFocalLoss
        The loss with its class weights as numbers.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_iter_ : int
        The number of rounds.
    train_score_, validation_score_ : ndarray of shape (`n_iter_` + 1,)
        The scores that early stopping looks at, before the first round and after each. With
        ``scoring="loss"`` they are minus the loss. Scores of scorers are those of at most 10,000
        training rows. Empty without early stopping; without held-out rows
        ``validation_score_`` is empty.

    See Also
    --------
    FocalLGBMClassifier : The same on LightGBM.
    FocalXGBClassifier : The same on XGBoost.
    BinaryFocalLoss, MulticlassFocalLoss : The loss, its formula and its source.

    Notes
    -----
    `predict` takes the class with the largest weight times posterior, and `predict_proba` and
    `decision_function`, its log-odds, undo the weights. Class weights are no part of the sample
    weights: bins of columns, and the score that early stopping looks at, do not depend on them.
    scikit-learn's own class multiplies them into the sample weights.

    Gradients and Hessians are multiplied by the ``log_loss_scale`` of the loss, so that
    ``l2_regularization`` keeps its meaning for every gamma and both links.

    Rows of weight 0 stay in the table, as in scikit-learn: they count for ``min_samples_leaf``.

    With ``warm_start`` the next fit undoes the calibration first.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal import FocalHistGradientBoostingClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = FocalHistGradientBoostingClassifier(focal_gamma=1.0, max_iter=20).fit(X, y)
    >>> model.predict_proba(X).shape
    (569, 2)
    >>> round(model.score(X, y), 2)
    0.99
    """

    def __init__(
        self,
        loss: Literal["log_loss"] = "log_loss",
        *,
        focal_gamma: Gamma = 2.0,
        focal_alpha: Alpha = None,
        probability: Probability = "posterior",
        hessian: Hessian = "upper",
        link: Link = "focal",
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
        warm_start: bool = False,
        early_stopping: Literal["auto"] | bool = "auto",
        scoring: Any = "loss",
        validation_fraction: float | None = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-7,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        class_weight: ClassWeight = None,
        **unknown: Never,  # so that type checkers refuse them too
    ) -> None:
        refuse_misspelt(unknown)
        super().__init__(
            loss=loss,
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
            warm_start=warm_start,
            early_stopping=early_stopping,
            scoring=scoring,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            verbose=verbose,
            random_state=random_state,
            class_weight=class_weight,
            **unknown,
        )
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
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        X_val: Table | None = None,
        y_val: npt.ArrayLike | None = None,
        sample_weight_val: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit the model; the arguments are those of scikit-learn's class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            NaN is a missing value.
        y : array-like of shape (n_samples,)
            Labels of any type, at least two different ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative.
        X_val, y_val, sample_weight_val : array-like, default=None
            Rows by which training stops early, in place of a part of X (scikit-learn >= 1.7).
            With them ``early_stopping="auto"`` is True.

        Returns
        -------
        FocalHistGradientBoostingClassifier
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described; the model is then left as it was.
        """
        self._check_parameters()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        n_rounds = self.max_iter - (self.n_iter_ if self._continues else 0)
        rounds = Rounds(self, n_rounds, X, y, sample_weight)
        given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        validation = {name: value for name, value in given.items() if value is not None}
        _check_validation(X_val, sample_weight_val)
        if validation and not TAKES_VALIDATION_ROWS:
            raise TypeError("X_val needs scikit-learn 1.7 or newer: use validation_fraction.")
        early_stopping: Any = self.get_params(deep=False)["early_stopping"]
        with restored_on_failure(self):
            if self._continues:
                if not np.isin(np.asarray(y), self.classes_).all():
                    raise ValueError("warm_start=True: y has labels that the model does not know.")
                prepare_warm_start(self)
                if self.loss_.raw_is_posterior:
                    change_margins(self, self._probabilities.correction.inverse())
            self._rounds = rounds
            if validation and early_stopping == "auto":
                self.early_stopping = True  # so scikit-learn documents it, and does not do it
            self._train(X, y, sample_weight, **validation)
            self.early_stopping = early_stopping
            learned = self._learned()
            for name, value in learned.items():
                setattr(self, name, value)
            del self._rounds, self._plan_in_training
            rounds.close(learned)
        return self

    def _check_parameters(self) -> None:
        self._check_probability()
        check_parameters(self.get_params(deep=False))
        self._validate_params()  # scikit-learn's check

    @property
    def _continues(self) -> bool:
        """Whether a fit adds trees to those that are there."""
        return self.warm_start and is_trained(self)

    def _loss_of_rows(self, codes: Array, sample_weight: Array | None) -> TrainingLoss:
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes, but y has only one class: "
                f"{self.classes_.tolist()[0]!r}."
            )
        check_row_weights(sample_weight, np.float32)
        if sample_weight is not None and not sample_weight.any():
            raise ValueError("sample_weight must not be zero for all rows.")
        weights = class_totals(codes, n_classes, sample_weight)
        totals = ClassTotals(
            self.classes_,
            class_totals(codes, n_classes),
            weights,
            n_effective(sample_weight, weights),
        )
        plan = self._plan(totals, getattr(self, "feature_names_in_", None))
        if self._continues:
            check_same_loss(self.loss_, plan.loss, "warm_start=True: the model")
        # scorers ask for predictions in training
        self.loss_, self._probabilities = plan.loss, Probabilities()
        self._plan_in_training = plan
        return TrainingLoss(plan, self._begin_round)

    def _plan(self, totals: ClassTotals, names: npt.NDArray[Any] | None) -> Plan:
        loss = self._training_loss(totals, self.class_weight, balanced_by_rows=True)
        self._check_priors_of_raw(loss)
        return make_plan(totals, loss, names, self.priors)

    def _begin_round(self) -> None:
        """Tell scikit-learn's callbacks."""
        if self._rounds.end(self._learned):
            raise StopTraining
        self._rounds.begin(self._learned)

    def _learned(self) -> dict[str, Any]:
        """The attributes of a fitted model that has the trees of all rounds so far."""
        plan = self._plan_in_training
        return {**self._trees_so_far(plan.prior_shift), "_probabilities": plan.probabilities}


def _check_validation(X_val: Any, sample_weight_val: Any) -> None:
    """Refuse weights of validation rows that would be ignored or count against a row."""
    if sample_weight_val is None:
        return
    if X_val is None:
        raise ValueError("sample_weight_val is provided, but X_val was not provided.")
    try:
        check_row_weights(sample_weight_val, np.float32)
    except ValueError as error:
        raise ValueError(str(error).replace("sample_weight", "sample_weight_val")) from None
