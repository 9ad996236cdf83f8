"""`FocalLogisticRegression` (floor 4)."""

from numbers import Integral, Real
from typing import Any, Literal, Never, Self

import numpy as np
import numpy.typing as npt
from joblib import effective_n_jobs
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skfocal._classifier._attributes import restored_on_failure
from skfocal._classifier._callbacks import Rounds, with_callbacks
from skfocal._classifier._mixin import FocalClassifierMixin
from skfocal._classifier._tables import Table
from skfocal._classifier._target import Target, make_target
from skfocal._kernels import Array
from skfocal.linear_model._problem import LinearProblem, center_of, margins
from skfocal.linear_model._solvers import (
    SOLVERS,
    choose_solver,
    solve,
    starting_point,
    warn_if_stopped,
)
from skfocal.losses._parameters import (
    Alpha,
    ClassWeight,
    Gamma,
    Link,
    Probability,
    check_choice,
    check_flag,
)

Solver = Literal["auto", "newton-cholesky", "lbfgs", "prox-newton"]
# What stands for parameters that only scikit-learn's class has.
_INSTEAD_OF = {
    "penalty": "use l1_ratio=0 for 'l2', l1_ratio=1 for 'l1', and C=inf for no penalty",
    "dual": "the solvers here are primal",
    "intercept_scaling": "the intercept is not penalised",
    "multi_class": "more than two classes are one softmax; see sklearn.multiclass for others",
}
# Sums of sample weights beyond these would overflow where they multiply or divide.
_MIN_TOTAL, _MAX_TOTAL = 1e-100, 1e100


class FocalLogisticRegression(FocalClassifierMixin, ClassifierMixin, BaseEstimator):
    """Linear classifier trained on the focal loss, with an L2, L1 or elastic-net penalty.

    Minimises C sum(sw w (1 - p_t)**gamma (-log p_t)) + (1 - r) sum(coef**2) / 2 +
    r sum(abs(coef)) over coefficients and intercept, where p = sigmoid or softmax of the
    linear margin [1]_ (with ``link="posterior"`` the p whose posterior that is), sw are
    sample weights, w class weights and r is ``l1_ratio``. With ``focal_gamma=0`` it is
    `sklearn.linear_model.LogisticRegression`.

    Parameters
    ----------
    focal_gamma : float or sequence of floats, default=2.0
        Focusing parameter, >= 0; a sequence has one per class in the order of
        ``classes_``. 0 is cross-entropy; 2 is the value of the paper, no recommendation.
    focal_alpha : float, str, tuple, dict, sequence of floats or None, default=None
        Class weights: None; a float in (0, 1), alpha for ``classes_[1]`` and 1 - alpha
        for ``classes_[0]`` (two classes); ``"balanced"``, inverse class frequency;
        ``"effective"`` or ``("effective", beta)``, inverse effective number of rows; a
        dict {label: weight}; one positive weight per class. They scale the loss against
        the penalty too: alpha = .25 multiplies by .75 and .25.
    probability : {"posterior", "raw"}, default="posterior"
        What `predict_proba` returns: the posterior of the classes, or the sigmoid
        (softmax) of the margin.
    link : {"focal", "posterior"}, default="focal"
        What the linear margin is. ``"focal"``: its sigmoid (softmax) is the paper's p.
        ``"posterior"``: that is the posterior, which makes the model one of log-odds whose
        coefficients converge to the true ones of a logistic model for every gamma.
    C : float, default=1.0
        Inverse strength of the penalty, > 0; ``inf`` for none.
    fit_intercept : bool, default=True
        Whether there is an intercept. It is not penalised.
    class_weight : dict or "balanced", default=None
        Multiplied into ``focal_alpha``; labels that a dict lacks weigh 1. As in scikit-learn,
        ``"balanced"`` sums sample weights.
    l1_ratio : float, default=0.0
        Share r of the L1 penalty, in [0, 1]; above 0 some coefficients are exactly 0.
    solver : {"auto", "newton-cholesky", "lbfgs", "prox-newton"}, default="auto"
        ``"newton-cholesky"``, damped Newton on a positive matrix near the Hessian, for small
        tables; ``"lbfgs"`` for larger ones; ``"prox-newton"``, coordinate descent on
        quadratic models, for an ``l1_ratio`` above 0. ``"auto"`` chooses.
    tol : float, default=1e-4
        Relative accuracy of the coefficients. The solver stops where the objective is within
        ``tol**2`` of its minimum, in units of what the fit has gained over the best constant.
        A quadratic model of the objective estimates that distance. It depends neither on the
        scale of the columns nor on that of the loss or of weights.
    max_iter : int, default=100
        Limit of iterations. A fit that has not converged gives a `ConvergenceWarning`.
    warm_start : bool, default=False
        Start from the coefficients of the last fit, if classes, features and link are the
        same, and if they are better than the best constant: for a path of values of ``C``.
    verbose : int, default=0
        Above 0 a line is printed for each iteration of the solver.
    n_jobs : int, default=None
        Threads of the passes over a sparse X; None is 1, unless in a
        `joblib.parallel_config`, and -1 all processors. A dense X is left to the threads
        of NumPy's linear algebra.
    random_state : int, RandomState instance or None, default=None
        Not used: nothing here is random. It is accepted as in scikit-learn.

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
    sklearn.linear_model.LogisticRegression : The same at gamma = 0.

    Notes
    -----
    `predict` takes the class with the largest weight times posterior, and `predict_proba`
    undoes the weights. `sklearn.calibration.CalibratedClassifierCV` keeps the probabilities
    and loses the costs: its ``predict`` takes the likelier class. The loss is not convex for
    gamma > 0; all solvers start at the constant with the smallest loss.

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

    coef_: Array
    intercept_: Array
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
        **unknown: Never,  # so that type checkers refuse them too
    ) -> None:
        for name in unknown:
            instead = _INSTEAD_OF.get(name, "see the documentation of the class")
            raise TypeError(f"FocalLogisticRegression has no parameter {name!r}: {instead}.")
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

    @with_callbacks
    def fit(self, X: Table, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite numbers; float32 and float64 are taken as they are.
        y : array-like of shape (n_samples,)
            Labels, at least two different ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative; rows of weight 0 are as if absent.

        Returns
        -------
        FocalLogisticRegression
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If a parameter, X, y or sample_weight is not as described; the model is then
            left as it was.
        """
        self._check_parameters()
        rounds = Rounds(self, self.max_iter, X, y, sample_weight)
        with restored_on_failure(self):
            X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32])
            target = make_target(self, X, y, sample_weight)
            X = X if target.positive is None else X[target.positive]
            problem = self._problem(X, target)
            solver = choose_solver(problem) if self.solver == "auto" else self.solver
            start, null_value = starting_point(problem, self._last_theta(problem, target.classes))

            def learned(theta: Array) -> dict[str, Any]:
                known = {"loss_": problem.loss, "classes_": target.classes}
                return {**_coefficients(problem, problem.of_columns(theta)), **known}

            before = start

            def watch(theta: Array) -> bool:
                nonlocal before
                if self.verbose:
                    print(f"{solver}: objective {problem.value(theta):.9g} of the mean loss")
                last, before = before, theta
                rounds.begin(lambda: learned(last))
                return rounds.end(lambda: learned(theta))

            solution = solve(problem, solver, start, null_value, self.tol, self.max_iter, watch)
            warn_if_stopped(solver, solution)
            for name, value in learned(solution.theta).items():
                setattr(self, name, value)
            self.n_iter_ = np.array([solution.n_iter], dtype=np.int32)
            rounds.close({})
        return self

    def _problem(self, X: Any, target: Target) -> LinearProblem:
        with np.errstate(over="ignore"):
            total = float(target.totals.weights.sum())
        if not _MIN_TOTAL <= total <= _MAX_TOTAL:
            raise ValueError(
                f"sample_weight sums to {total:g}: scale it so that the sum lies between "
                f"{_MIN_TOTAL:g} and {_MAX_TOTAL:g}, and divide C by the same factor."
            )
        # beyond the largest strength all coefficients are 0
        strength = min(1.0 / self.C / total, _MAX_TOTAL)
        return LinearProblem(
            X,
            target.codes,
            target.sample_weight,
            self._training_loss(target.totals, self.class_weight),
            l2=(1.0 - self.l1_ratio) * strength,
            l1=self.l1_ratio * strength,
            fit_intercept=bool(self.fit_intercept),
            n_threads=effective_n_jobs(self.n_jobs),
            center=center_of(X) if self.fit_intercept else None,
        )

    @property
    def penalty(self) -> str | None:
        """The penalty in the words of scikit-learn: "l1", "l2", "elasticnet" or None.

        Tools such as `sklearn.feature_selection.SelectFromModel` ask for it.
        """
        if np.isinf(self.C):
            return None
        return {0.0: "l2", 1.0: "l1"}.get(float(self.l1_ratio), "elasticnet")

    def sparsify(self) -> Self:
        """Make ``coef_`` a sparse matrix, which takes less memory where many are 0.

        Returns
        -------
        FocalLogisticRegression
            The model itself.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        """
        check_is_fitted(self)
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Make ``coef_`` an array again, the inverse of `sparsify`.

        Returns
        -------
        FocalLogisticRegression
            The model itself.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        """
        check_is_fitted(self)
        self.coef_ = self._dense_coef()
        return self

    def _dense_coef(self) -> Array:
        coef: Any = self.coef_
        dense: Array = coef.toarray() if sparse.issparse(coef) else coef
        return dense

    def decision_function(self, X: Table) -> Array:
        """The log-odds of the probabilities that `predict_proba` gives.

        Class weights (``focal_alpha`` and ``class_weight``) are undone here, as in `predict_proba`,
        and count in `predict`. With them a threshold of 0 on two classes, or the argmax of
        more, is another decision than `predict`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Two classes: log(P+ / P-), whose sigmoid is ``predict_proba(X)[:, 1]``. More:
            log P_k plus a constant of the row, whose softmax is ``predict_proba(X)``. With
            ``probability="raw"`` or ``link="posterior"`` it is the margin.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        raw = self._margins(X)
        return self._decision(raw)

    def predict_proba(self, X: Table) -> Array:
        """Probability of each class, as ``probability`` says.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._proba(self._margins(X))

    def predict_log_proba(self, X: Table) -> Array:
        """Logarithm of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return np.log(self.predict_proba(X))

    def predict(self, X: Table) -> npt.NDArray[Any]:
        """The label with the largest weight times posterior.

        The weights are those of ``focal_alpha`` and ``class_weight``. Without them it is the
        likeliest class; with them it is not what the sign or argmax of `decision_function` says.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If X is not as in `fit`.
        """
        return self._label(self._margins(X))

    def _margins(self, X: Table) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        theta = np.vstack([self._dense_coef().T, self.intercept_])
        return margins(X, theta, True).astype(X.dtype, copy=False)

    def _check_parameters(self) -> None:
        self._check_probability()
        check_choice(self.solver, ("auto", *SOLVERS), "solver")
        if not (_is_number(self.C, Real) and self.C > 0):
            raise ValueError(f"C must be a number > 0 (inf for no penalty); got {self.C!r}.")
        if not (_is_number(self.l1_ratio, Real) and 0 <= self.l1_ratio <= 1):
            raise ValueError(f"l1_ratio must be a number in [0, 1]; got {self.l1_ratio!r}.")
        if self.l1_ratio > 0 and self.solver not in ("auto", "prox-newton"):
            raise ValueError(
                f"solver={self.solver!r} has no L1 penalty, which l1_ratio={self.l1_ratio!r} "
                'asks for: use "prox-newton" or "auto".'
            )
        if not (_is_number(self.tol, Real) and 0 <= self.tol < np.inf):
            raise ValueError(f"tol must be a finite number >= 0; got {self.tol!r}.")
        if not (_is_number(self.max_iter, Integral) and self.max_iter >= 0):
            raise ValueError(f"max_iter must be an integer >= 0; got {self.max_iter!r}.")
        check_flag(self.fit_intercept, "fit_intercept")
        check_flag(self.warm_start, "warm_start")
        if not (isinstance(self.verbose, Integral) and self.verbose >= 0):
            raise ValueError(f"verbose must be an integer >= 0; got {self.verbose!r}.")
        if not (self.n_jobs is None or (_is_number(self.n_jobs, Integral) and self.n_jobs != 0)):
            raise ValueError(
                f"n_jobs must be None or an integer other than 0; got {self.n_jobs!r}."
            )

    def _last_theta(self, problem: LinearProblem, classes: npt.NDArray[Any]) -> Array | None:
        """Theta of the last fit, if it is to be taken up and fits."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        coef = self._dense_coef().T
        shape = (problem.X.shape[1], problem.n_outputs)
        if coef.shape != shape or self.loss_.link != problem.loss.link:
            return None
        if not np.array_equal(self.classes_, classes):
            return None
        theta = np.vstack([coef, self.intercept_]).astype(np.float64)
        return problem.of_margins(theta) if problem.fit_intercept else theta[:-1]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _coefficients(problem: LinearProblem, theta: Array) -> dict[str, Array]:
    dtype = problem.X.dtype
    intercept = np.zeros(problem.n_outputs)
    if problem.fit_intercept:
        theta, intercept = theta[:-1], theta[-1]
        if problem.n_outputs > 1:
            # the softmax does not see a common shift: report the one of sum 0
            intercept = intercept - intercept.mean()
    return {
        "coef_": np.ascontiguousarray(theta.T, dtype=dtype),
        "intercept_": intercept.astype(dtype),
    }


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_))
