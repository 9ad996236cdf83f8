"""`FocalLogisticRegression` (floor 4)."""

from functools import partial
from typing import Literal, Never, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._callbacks import Rounds, with_callbacks
from skfocal._estimator._features import Table
from skfocal._estimator._probabilities import Probabilities
from skfocal._estimator._target import make_target
from skfocal.calibration import Priors
from skfocal.linear_model._model import LinearModel
from skfocal.linear_model._parameters import check_parameters, refuse_unknown
from skfocal.linear_model._solvers import choose_solver, solve, starting_point
from skfocal.linear_model._stopping import warn_if_stopped
from skfocal.linear_model._training import (
    Progress,
    last_theta,
    learned_attributes,
    make_problem,
)
from skfocal.losses._parameters import Alpha, ClassWeight, Gamma, Link, Probability

Solver = Literal["auto", "newton-cholesky", "lbfgs", "prox-newton"]


class FocalLogisticRegression(LinearModel, ClassifierMixin, BaseEstimator):
    """Linear classifier trained on the focal loss, with an L2, L1 or elastic-net penalty.

    The margin of a row is the raw score X coef + intercept, before sigmoid or softmax. Fit
    minimises C sum(sw w (1 - p_t)**gamma (-log p_t)) + (1 - r) sum(coef**2) / 2 +
    r sum(abs(coef)) over coefficients and intercept. There p_t is the probability of the true
    class in the sense of the paper [1]_: the sigmoid (softmax) of the margin, unless ``link``
    says otherwise. sw are sample weights, w are class weights and r is ``l1_ratio``. With
    ``focal_gamma=0`` the model is `sklearn.linear_model.LogisticRegression`.

    Parameters
    ----------
    focal_gamma : float or sequence of floats, default=2.0
        Focusing parameter gamma, >= 0. A sequence has one value per class, in the order of
        ``classes_``. 0 is cross-entropy. 2 is the value of the paper; it is no recommendation.
    focal_alpha : float, str, tuple, dict, sequence of floats or None, default=None
        Class weights: None; a float in (0, 1), alpha for ``classes_[1]`` and 1 - alpha
        for ``classes_[0]`` (two classes); ``"balanced"``, inverse class frequency;
        ``"effective"`` or ``("effective", beta)``, inverse effective number of rows; a
        dict {label: weight}; one positive weight per class. They also scale the loss against
        the penalty: alpha = 0.25 multiplies the loss by 0.75 and 0.25.
    probability : {"posterior", "raw"}, default="posterior"
        What `predict_proba` returns: the posterior of the classes, or the sigmoid
        (softmax) of the margin.
    link : {"focal", "posterior"}, default="focal"
        What the margin means. ``"focal"``: its sigmoid (softmax) is the paper's p.
        ``"posterior"``: its sigmoid (softmax) is the posterior, the probability of the classes
        in the population. The margin is then log-odds, and coefficients converge to the true
        ones of a logistic model for every gamma.
    C : float, default=1.0
        Inverse strength of the penalty, > 0; ``inf`` for none.
    fit_intercept : bool, default=True
        Whether there is an intercept. It is not penalised.
    class_weight : dict or "balanced", default=None
        Class weights that are multiplied by those of ``focal_alpha``. Labels that a dict lacks
        have weight 1. As in scikit-learn, ``"balanced"`` uses the sums of sample weights.
    l1_ratio : float, default=0.0
        Share r of the L1 penalty, in [0, 1]. Above 0 some coefficients become exactly 0.
    solver : {"auto", "newton-cholesky", "lbfgs", "prox-newton"}, default="auto"
        ``"newton-cholesky"`` is damped Newton on a positive matrix close to the Hessian; it suits
        small tables. ``"lbfgs"`` suits larger ones. ``"prox-newton"`` is coordinate descent on
        quadratic models, for an ``l1_ratio`` above 0. ``"auto"`` chooses among them.
    tol : float, default=1e-4
        Relative accuracy of the coefficients. The solver stops where the objective is within
        ``tol**2`` of its minimum, in units of what the fit has gained over the best constant.
        A quadratic model of the objective estimates that distance. It depends neither on the
        scale of the columns nor on that of the loss or of weights.
    max_iter : int, default=100
        Limit of iterations. A fit that has not converged gives a `ConvergenceWarning`.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit, for example along a path of
        values of ``C``. They are used only if classes, features and link are the same, and if
        their objective is not larger than that of the best constant.
    verbose : int, default=0
        Above 0, a line is printed for each iteration of the solver.
    n_jobs : int, default=None
        Threads for a sparse X, and for two classes of a dense float64 X in C order. None means
        1, unless a `joblib.parallel_config` says otherwise; -1 means all processors. For any
        other X the threads are those of NumPy's linear algebra.
    random_state : int, RandomState instance or None, default=None
        Not used, because nothing here is random. It is accepted as in scikit-learn.
    priors : dict or array-like of shape (n_classes,), default=None
        The shares of the classes in the population, where the training rows were sampled: a
        dict of label and share, or shares in the order of ``classes_``. Probabilities are then
        for that population; see `adjust_priors`. Not with ``probability="raw"`` under the focal
        link.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the margin; a sparse matrix after `sparsify`.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts; 0 without ``fit_intercept``, of sum 0 for more than two classes.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    loss_ : BinaryFocalLoss or MulticlassFocalLoss
        The loss with its class weights as numbers.
    n_iter_ : ndarray of shape (1,)
        Iterations of the solver.
    n_features_in_ : int
        Number of columns in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of columns in fit, where they were all strings.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same model at gamma = 0.

    Notes
    -----
    `predict` takes the class with the largest weight times posterior; `predict_proba` undoes
    the weights. `sklearn.calibration.CalibratedClassifierCV` preserves the probabilities but not
    the costs: its ``predict`` takes the likelier class. The loss is not convex for gamma > 0.
    All solvers start at the constant with the smallest loss.

    References
    ----------
    .. [1] Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal import FocalLogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> model = FocalLogisticRegression(focal_gamma=1.0).fit(X, y)
    >>> model.predict_proba(X).shape
    (569, 2)
    >>> round(model.score(X, y), 2)
    0.99
    """

    n_iter_: npt.NDArray[np.int32]

    def __init__(
        self,
        focal_gamma: Gamma = 2.0,
        focal_alpha: Alpha = None,
        *,
        probability: Probability = "posterior",
        link: Link = "focal",
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: ClassWeight = None,
        l1_ratio: float = 0.0,
        solver: Solver = "auto",
        tol: float = 1e-4,
        max_iter: int = 100,
        warm_start: bool = False,
        verbose: int = 0,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        priors: Priors = None,
        **unknown: Never,  # so that type checkers refuse them too
    ) -> None:
        refuse_unknown(unknown)
        self.focal_gamma = focal_gamma
        self.focal_alpha = focal_alpha
        self.probability = probability
        self.link = link
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.l1_ratio = l1_ratio
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.priors = priors

    @with_callbacks
    def fit(self, X: Table, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite numbers. float32 and float64 are used as they are.
        y : array-like of shape (n_samples,)
            Labels, at least two different ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative numbers. Rows of weight 0 are left out.

        Returns
        -------
        FocalLogisticRegression
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If a parameter, X, y or sample_weight is not as described. The model is then left as
            it was.
        """
        self._check_probability()
        check_parameters(self)
        rounds = Rounds(self, self.max_iter, X, y, sample_weight)
        with restored_on_failure(self):
            X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32])
            target = make_target(self, X, y, sample_weight)
            X = X if target.positive is None else X[target.positive]
            problem = make_problem(self, X, target)
            probabilities = Probabilities.of_training(target.totals, self.priors)
            self._check_priors_of_raw(problem.loss)
            solver = choose_solver(problem) if self.solver == "auto" else self.solver
            last = last_theta(self, problem, target.classes)
            theta, null_value = starting_point(problem, last)
            learned_of = partial(learned_attributes, problem, target.classes, probabilities)
            progress = Progress(rounds, problem, learned_of, theta, solver, self.verbose)
            solution = solve(problem, solver, theta, null_value, self.tol, self.max_iter, progress)
            warn_if_stopped(solver, solution)
            for name, value in learned_of(solution.theta).items():
                setattr(self, name, value)
            self.n_iter_ = np.array([solution.n_iter], dtype=np.int32)
            rounds.close({})
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
