"""Solvers of the linear model: damped Newton and L-BFGS (floor 4)."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, sparse
from sklearn.exceptions import ConvergenceWarning

from skfocal._kernels import Array
from skfocal.losses import BinaryFocalLoss, MulticlassFocalLoss

# Rows per block of a pass over dense X: 2048 x 50 doubles stay in a second-level cache.
_BLOCK = 2048


@dataclass(frozen=True)
class LinearProblem:
    """Mean weighted focal loss of X coef + intercept, plus l2 / 2 times sum(coef**2).

    ``theta`` has shape (p + 1, m) with the intercept in the last row, or (p, m) without;
    m is 1 for two classes and K for more. It is always float64; products with a float32
    X are float32, losses and sums are double.
    """

    X: Any
    codes: npt.NDArray
    sample_weight: Array | None
    loss: BinaryFocalLoss | MulticlassFocalLoss
    l2: float
    fit_intercept: bool

    @property
    def n_outputs(self) -> int:
        """Columns of theta."""
        return 1 if self.loss.n_classes == 2 else self.loss.n_classes

    @property
    def n_coefficients(self) -> int:
        """Rows of theta."""
        return self.X.shape[1] + self.fit_intercept

    @property
    def _scale(self) -> float:
        weight = self.sample_weight
        return 1.0 / (self.X.shape[0] if weight is None else weight.sum())

    def margins(self, theta: Array) -> Array:
        """Margins (n,) or (n, K) in double."""
        return margins(self.X, theta, self.fit_intercept)

    def _penalty(self, theta: Array) -> float:
        return 0.5 * self.l2 * float(np.square(theta[: self.X.shape[1]]).sum())

    def value(self, theta: Array) -> float:
        """The objective."""
        rows = self.loss.loss(self.codes, self.margins(theta), self.sample_weight)
        return self._scale * float(rows.sum()) + self._penalty(theta)

    def _pull_back(self, gradient: Array, theta: Array) -> Array:
        """Gradient in theta from the gradient in the margins."""
        gradient = gradient.reshape(len(gradient), -1)
        out = np.empty_like(theta)
        p = self.X.shape[1]
        out[:p] = self.X.T @ gradient.astype(self.X.dtype, copy=False)
        if self.fit_intercept:
            out[p] = gradient.sum(axis=0)
        out *= self._scale
        out[:p] += self.l2 * theta[:p]
        return out

    def value_gradient(self, theta: Array) -> tuple[float, Array]:
        """The objective and its gradient."""
        raw = self.margins(theta)
        rows = self.loss.loss(self.codes, raw, self.sample_weight)
        gradient = self.loss.gradient(self.codes, raw, self.sample_weight)
        value = self._scale * float(rows.sum()) + self._penalty(theta)
        return value, self._pull_back(gradient, theta)

    def newton_terms(self, theta: Array) -> tuple[Array, Array]:
        """Gradient (p, m) and the positive definite matrix (p, m, p, m) of the step.

        The matrix bounds the Hessian from above at theta, but is no bound elsewhere: the
        step needs a line search.
        """
        raw = self.margins(theta)
        if self.n_outputs == 1:
            gradient, hessian = self.loss.gradient_hessian(self.codes, raw, self.sample_weight)
            matrix = self._gram(hessian)[:, np.newaxis, :, np.newaxis]
        else:
            gradient = self.loss.gradient(self.codes, raw, self.sample_weight)
            matrix = self._multiclass_matrix(raw)
        matrix = matrix * self._scale
        for j in range(self.n_outputs):
            ridge = np.arange(self.X.shape[1])
            matrix[ridge, j, ridge, j] += self.l2
        if self.n_outputs > 1:
            self._fix_gauge(matrix)
        return self._pull_back(gradient, theta), matrix

    def _multiclass_matrix(self, raw: Array) -> Array:
        """Sum over rows of x x' times curvature d d' + slope (diag(pi) - pi pi')."""
        assert isinstance(self.loss, MulticlassFocalLoss)
        slope, curvature, share = self.loss.full_hessian_bound(self.codes, raw, self.sample_weight)
        direction = -share
        direction[np.arange(len(share)), self.codes] = 1.0
        q, m = self.n_coefficients, self.n_outputs
        matrix = np.empty((q, m, q, m))
        for j in range(m):
            for k in range(j + 1):
                weight = curvature * direction[:, j] * direction[:, k]
                weight -= slope * share[:, j] * (share[:, k] - (j == k))
                matrix[:, j, :, k] = matrix[:, k, :, j] = self._gram(weight)
        return matrix

    def _fix_gauge(self, matrix: Array) -> None:
        """Make the matrix definite along shifts of all classes by one vector.

        The softmax does not see them, nor does the gradient, so this changes no step; the
        penalty holds them in place but for the intercepts and where there is no penalty.
        """
        q, m = self.n_coefficients, self.n_outputs
        free = range(q) if self.l2 == 0 else range(self.X.shape[1], q)
        scale = np.trace(matrix.reshape(q * m, q * m)) / (q * m)
        for i in free:
            matrix[i, :, i, :] += scale / m

    def _gram(self, weight: Array) -> Array:
        """[X 1]' diag(weight) [X 1] without a scaled copy of a dense X."""
        p, q = self.X.shape[1], self.n_coefficients
        out = np.zeros((q, q))
        if sparse.issparse(self.X):
            scaled = sparse.diags_array(weight, format="csr") @ self.X
            out[:p, :p] = (self.X.T @ scaled).toarray()
        else:
            for rows in self._blocks():
                block = self.X[rows]
                out[:p, :p] += block.T @ (
                    block * weight[rows, np.newaxis].astype(block.dtype, copy=False)
                )
        if self.fit_intercept:
            out[p, :p] = out[:p, p] = self.X.T @ weight.astype(self.X.dtype, copy=False)
            out[p, p] = weight.sum()
        return out

    def _blocks(self) -> Iterator[slice]:
        for start in range(0, self.X.shape[0], _BLOCK):
            yield slice(start, start + _BLOCK)


def margins(X: Any, theta: Array, fit_intercept: bool) -> Array:
    """X coef + intercept in double, of shape (n,) where theta has one column."""
    p = X.shape[1]
    raw = np.asarray(X @ theta[:p].astype(X.dtype, copy=False), dtype=np.float64)
    if fit_intercept:
        raw = raw + theta[p]
    return raw[:, 0] if theta.shape[1] == 1 else raw


@dataclass(frozen=True)
class Solution:
    """Where a solver stopped."""

    theta: Array
    n_iter: int
    message: str | None
    """Why it is not the optimum, None if it is one to the tolerance."""


Watch = Callable[[Array], bool]
"""Sees theta after an iteration; whether to stop there."""


def solve_lbfgs(
    problem: LinearProblem, theta: Array, tol: float, max_iter: int, watch: Watch
) -> Solution:
    """SciPy's L-BFGS-B, stopped where no component of the gradient exceeds ``tol``."""
    stopped = False

    def after_iteration(flat: Array) -> None:
        nonlocal stopped
        stopped = watch(flat.reshape(theta.shape))
        if stopped:
            raise StopIteration

    def function(flat: Array) -> tuple[float, Array]:
        value, gradient = problem.value_gradient(flat.reshape(theta.shape))
        return value, gradient.ravel()

    result = optimize.minimize(
        function,
        theta.ravel(),
        method="L-BFGS-B",
        jac=True,
        callback=after_iteration,
        options={
            "maxiter": max_iter,
            "maxls": 50,
            "gtol": tol,
            "ftol": 64 * np.finfo(np.float64).eps,
        },
    )
    message = None if result.success or stopped else str(result.message)
    return Solution(result.x.reshape(theta.shape), min(result.nit, max_iter), message)


def solve_newton_cholesky(
    problem: LinearProblem, theta: Array, tol: float, max_iter: int, watch: Watch
) -> Solution:
    """Damped Newton on the upper bound of the Hessian, with an Armijo line search.

    Stops where no component of the gradient exceeds ``tol`` and the decrease that the
    quadratic model promises is at most ``tol``.
    """
    value = problem.value(theta)
    for n_iter in range(max_iter + 1):
        gradient, matrix = problem.newton_terms(theta)
        step = _newton_step(matrix, gradient)
        slope = float((step * gradient).sum())
        # no objective of this size can show a decrease that is smaller still
        invisible = -slope <= 4 * np.finfo(np.float64).eps * abs(value)
        if invisible or (np.abs(gradient).max() <= tol and -0.5 * slope <= tol):
            return Solution(theta, n_iter, None)
        if n_iter == max_iter:
            break
        moved = _line_search(problem, theta, value, step, slope)
        if moved is None:
            return Solution(theta, n_iter, "the line search found no decrease")
        theta, value = moved
        if watch(theta):
            return Solution(theta, n_iter + 1, None)
    return Solution(theta, max_iter, f"it reached max_iter={max_iter}")


def _newton_step(matrix: Array, gradient: Array) -> Array:
    """Solve for the step; where the matrix is singular, the shortest one."""
    size = gradient.size
    matrix, right = matrix.reshape(size, size), -gradient.ravel()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", linalg.LinAlgWarning)
            step = linalg.solve(matrix, right, assume_a="pos")
    except (linalg.LinAlgError, linalg.LinAlgWarning):
        step = linalg.lstsq(matrix, right)[0]
    return step.reshape(gradient.shape)


def _line_search(
    problem: LinearProblem, theta: Array, value: float, step: Array, slope: float
) -> tuple[Array, float] | None:
    """The first of the steps 1, 1/2, 1/4, ... that satisfies Armijo's condition."""
    length = 1.0
    # the decrease is the difference of two sums that are only known to this
    noise = 16 * np.finfo(np.float64).eps * abs(value)
    for _ in range(40):
        new = theta + length * step
        new_value = problem.value(new)
        if new_value <= value + 1e-4 * length * slope + noise:
            return new, new_value
        length *= 0.5
    return None


SOLVERS = {"lbfgs": solve_lbfgs, "newton-cholesky": solve_newton_cholesky}


def choose_solver(problem: LinearProblem) -> str:
    """Newton where its matrix is small beside a pass over X, else L-BFGS."""
    size = problem.n_coefficients * problem.n_outputs
    limit = 100 if sparse.issparse(problem.X) or problem.n_outputs > 1 else 200
    return "newton-cholesky" if size <= limit else "lbfgs"


def warn_if_stopped(solver: str, solution: Solution) -> None:
    """Say that the optimum was not reached, and what to do."""
    if solution.message is not None:
        warnings.warn(
            f"{solver} stopped before it converged: {solution.message}. Scale the columns of "
            "X, increase max_iter or tol, or lower C.",
            ConvergenceWarning,
            stacklevel=3,
        )
