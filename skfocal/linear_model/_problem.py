"""The objective of the linear model: its value, gradient and matrix from passes over X (floor 4).

A column whose values are all far from 0, such as a date in seconds, is nearly a multiple of
the intercept. Such columns are centred: the problem is one of X - center. No centred copy of
X is made. Blocks of a dense X are centred while they are in the cache. A sparse X stays as it is;
the gradient and the matrix that are made of it are transformed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skfocal import _kernels
from skfocal._kernels import Array
from skfocal.linear_model._blocks import Columns, add_gradient, centred, margins, row_slices
from skfocal.linear_model._matrix import Rows, add_block, center_matrix, make_definite
from skfocal.losses import FocalLoss
from skfocal.losses._rows import class_totals


class Memory:
    """What was found of the loss of the rows, for problems that differ in their penalty only.

    The next fit of a path begins where the last one ended. There the loss and its gradient are
    known.
    """

    def __init__(self) -> None:
        self._loss: FocalLoss | None = None
        self._null: tuple[Array, float] | None = None
        self._theta: Array | None = None
        self._sums: tuple[float, Array]

    def null_model(self, problem: "LinearProblem") -> tuple[Array, float]:
        """As of the problem."""
        self._turn_to(problem.loss)
        if self._null is None:
            self._null = problem.null_model()
        return self._null[0].copy(), self._null[1]

    def find(self, loss: FocalLoss, theta: Array) -> tuple[float, Array] | None:
        """The sum of losses and its gradient, if theta was the last one; else None."""
        self._turn_to(loss)
        known = self._theta is not None and np.array_equal(self._theta, theta)
        return (self._sums[0], self._sums[1].copy()) if known else None

    def keep(self, theta: Array, total: float, gradient: Array) -> None:
        """Keep the sum of losses and its gradient."""
        self._theta, self._sums = theta.copy(), (total, gradient.copy())

    def _turn_to(self, loss: FocalLoss) -> None:
        if loss != self._loss:
            self._loss, self._null, self._theta = loss, None, None


@dataclass(frozen=True)
class LinearProblem:
    """Mean weighted focal loss of a linear margin, and l2 / 2 sum(coef**2) + l1 sum|coef|.

    The margin is (X - center) coef + intercept: the raw score before sigmoid or softmax.
    ``theta`` has shape (p + 1, m) with the intercept in the last row, or (p, m) without an
    intercept; m is 1 for two classes and K for more. It is always float64. Products with a
    float32 X are float32; losses and sums are float64.
    """

    X: Any
    codes: npt.NDArray[Any]
    sample_weight: Array | None
    loss: FocalLoss
    l2: float
    fit_intercept: bool
    n_threads: int = 1
    """Of a compiled pass."""
    l1: float = 0.0
    center: Array | None = None
    """What is subtracted from the columns, of shape (p,). None where it is 0 for all."""
    memory: Memory | None = None
    """Of these rows and columns. None: nothing is kept."""

    @property
    def n_outputs(self) -> int:
        """Columns of theta."""
        return 1 if self.loss.n_classes == 2 else self.loss.n_classes

    @property
    def n_coefficients(self) -> int:
        """Rows of theta."""
        return int(self.X.shape[1]) + self.fit_intercept

    @property
    def matrix_is_cheap(self) -> bool:
        """Whether the matrix of all rows costs next to nothing."""
        size = self.n_coefficients * self.n_outputs
        return bool(self.X.shape[0] * size**2 <= 3e6)

    @cached_property
    def _scale(self) -> float:
        weight = self.sample_weight
        return 1.0 / float(self.X.shape[0] if weight is None else weight.sum())

    @property
    def rounding(self) -> float:
        """The relative error that rounding alone can cause in the objective."""
        if self.X.dtype == np.float32:
            return float(np.finfo(np.float32).eps) / 100
        return 16 * float(np.finfo(np.float64).eps)

    def of_margins(self, theta: Array) -> Array:
        """The theta of X - center that has the same margins as a theta of X."""
        return self._with_intercept_moved(theta, 1.0)

    def of_columns(self, theta: Array) -> Array:
        """The theta of X that has the same margins as a theta of X - center."""
        return self._with_intercept_moved(theta, -1.0)

    def _with_intercept_moved(self, theta: Array, sign: float) -> Array:
        if self.center is None:
            return theta
        theta = theta.copy()
        theta[-1] += sign * (self.center @ theta[:-1])
        return theta

    def null_model(self) -> tuple[Array, float]:
        """Theta of the best constant margin (0 without an intercept), and the objective there."""
        theta = np.zeros((self.n_coefficients, self.n_outputs))
        if self.fit_intercept:
            theta[-1] = self.loss.intercept(self.codes, self.sample_weight)
        totals = class_totals(self.codes, self.loss.n_classes, self.sample_weight)
        constant = np.tile(theta[-1] if self.fit_intercept else 0 * theta[-1], (len(totals), 1))
        raw = constant[:, 0] if self.n_outputs == 1 else constant
        losses = self.loss.loss(np.arange(len(totals)), raw)
        return theta, float(losses @ totals) * self._scale

    def refuse_overflow(self, gradient: Array, matrix: Array | None = None) -> None:
        """Name the columns that are so large that sums of their squares overflow.

        Columns are examined only where the gradient or the matrix makes an overflow likely.

        Raises
        ------
        ValueError
            If there are such columns, or if other numbers overflow.
        """
        largest = float(np.finfo(self.X.dtype).max)
        likely = not np.abs(gradient).max(initial=0.0) < 1e-12 * np.sqrt(largest)
        if not likely and (matrix is None or np.isfinite(matrix).all()):
            return
        limit = np.sqrt(largest / self.X.shape[0])
        columns = np.flatnonzero(~(self._largest_entries() <= limit)).tolist()
        if columns:
            raise ValueError(
                f"X has numbers beyond {limit:.1e} in the columns {columns[:10]}: sums of their "
                f"squares overflow {self.X.dtype}. Scale these columns."
            )
        if not (np.isfinite(gradient).all() and (matrix is None or np.isfinite(matrix).all())):
            raise ValueError(
                "The gradient of the loss overflows: scale the columns of X, sample_weight or "
                "the class weights."
            )

    def _largest_entries(self) -> Array:
        """The largest distance of each column from its center."""
        if sparse.issparse(self.X):
            largest = np.asarray(abs(self.X).max(axis=0).todense()).ravel()
            return np.asarray(largest if self.center is None else largest + abs(self.center))
        largest = np.zeros(self.X.shape[1])
        theta = np.zeros((self.n_coefficients, self.n_outputs))
        for block, _ in self._blocks(theta):
            largest = np.maximum(largest, np.abs(block).max(axis=0))
        return largest

    def some_rows(self, n_rows: int) -> "LinearProblem":
        """The problem on about ``n_rows`` of its rows, evenly spread."""
        every = max(1, self.X.shape[0] // n_rows)
        if every == 1:
            return self
        weight = self.sample_weight
        return replace(
            self,
            X=self.X[::every],
            codes=self.codes[::every],
            sample_weight=None if weight is None else weight[::every],
            memory=None,
        )

    def some_columns(self, columns: npt.NDArray[Any]) -> "LinearProblem":
        """The problem in which all other coefficients are 0."""
        if len(columns) == self.X.shape[1]:
            return self
        X = self.X[:, columns] if sparse.issparse(self.X) else Columns(self.X, columns)
        center = None if self.center is None else self.center[columns]
        return replace(self, X=X, center=center, memory=None)

    def value(self, theta: Array) -> float:
        """The objective."""
        known = self.memory.find(self.loss, theta) if self.memory else None
        if known is None and self._compiled_sums is not None:
            known = self._compiled(theta)
        if known is not None:
            return self._finished(known[0], theta)
        total = 0.0
        for _, rows in self._blocks(theta):
            total += self.loss.loss(*rows).sum()
        return self._finished(total, theta)

    def value_gradient(self, theta: Array) -> tuple[float, Array]:
        """The objective and the gradient of its smooth part."""
        known = self.memory.find(self.loss, theta) if self.memory else None
        if known is None:
            known = self._sums(theta) if self._compiled_sums is None else self._compiled(theta)
            if self.memory:
                self.memory.keep(theta, *known)
        total, gradient = known
        return self._finished(total, theta, gradient), gradient

    def _sums(self, theta: Array) -> tuple[float, Array]:
        """The sum of losses and its gradient, before scale and penalty."""
        total, gradient = 0.0, np.zeros_like(theta)
        for block, rows in self._blocks(theta):
            losses, slopes = self.loss.loss_gradient(*rows)
            total += losses.sum()
            add_gradient(block, slopes, self.fit_intercept, gradient)
        return total, gradient

    def newton_terms(self, theta: Array) -> tuple[float, Array, Array]:
        """The objective, its gradient (p, m) and the step's positive matrix (p, m, p, m).

        At theta the matrix bounds the Hessian from above (under the posterior link it is the
        expected Hessian). It is no bound elsewhere, so the step needs a line search.
        """
        q, m = theta.shape
        total, gradient, matrix = 0.0, np.zeros_like(theta), np.zeros((q, m, q, m))
        for block, rows in self._blocks(theta):
            total += add_block(self.loss, block, rows, self.fit_intercept, gradient, matrix)
        value = self._finished(total, theta, gradient)
        matrix *= self._scale
        if self._transforms:
            assert self.center is not None
            center_matrix(matrix, self.center)
        ridge = np.arange(self.X.shape[1])
        for j in range(m):
            matrix[ridge, j, ridge, j] += self.l2
        if m > 1:
            make_definite(matrix, 0 if self.l1 == 0 else self.X.shape[1])
        return value, gradient, matrix

    def curvature(self, theta: Array) -> Array:
        """About the diagonal of the matrix of `newton_terms`, in the shape of theta."""
        p = self.X.shape[1]
        out = np.zeros_like(theta)
        for block, rows in self._blocks(theta):
            _, hessian = self.loss.gradient_hessian(*rows)
            hessian = hessian.reshape(len(hessian), -1).astype(block.dtype, copy=False)
            squares = block.multiply(block) if sparse.issparse(block) else np.square(block)
            out[:p] += squares.T @ hessian
            if self._transforms:
                assert self.center is not None
                out[:p] -= 2 * self.center[:, np.newaxis] * (block.T @ hessian)
                out[:p] += np.outer(np.square(self.center), hessian.sum(axis=0))
            if self.fit_intercept:
                out[p] += hessian.sum(axis=0)
        out *= self._scale
        out[:p] += self.l2
        return out

    @property
    def _transforms(self) -> bool:
        """Whether X stays as it is, and the gradient and the matrix are centred instead."""
        return self.center is not None and sparse.issparse(self.X)

    def _blocks(self, theta: Array) -> Iterator[tuple[Any, Rows]]:
        """Blocks of X, centred if X is dense, with the codes, margins and weights of their rows."""
        if self._transforms:
            theta = self.of_columns(theta)
        for rows in row_slices(self.X, self.n_outputs):
            block = self.X[rows]
            if self.center is not None and not self._transforms:
                block = centred(block, self.center)
            weight = None if self.sample_weight is None else self.sample_weight[rows]
            yield block, (self.codes[rows], margins(block, theta, self.fit_intercept), weight)

    def _finished(self, total: float, theta: Array, gradient: Array | None = None) -> float:
        """The objective from a sum of losses. The gradient is scaled and penalised in place."""
        p = self.X.shape[1]
        if gradient is not None:
            gradient *= self._scale
            if self._transforms:
                assert self.center is not None
                gradient[:p] -= np.outer(self.center, gradient[p])
            gradient[:p] += self.l2 * theta[:p]
        penalty = 0.5 * self.l2 * np.square(theta[:p]).sum() + self.l1 * np.abs(theta[:p]).sum()
        return self._scale * float(total) + float(penalty)

    @cached_property
    def _compiled_sums(self) -> Callable[..., tuple[float, Array]] | None:
        """What makes sum and gradient in one compiled pass; None if nothing does."""
        if sparse.issparse(self.X):
            return _kernels.sparse_loss_gradient
        in_rows = isinstance(self.X, np.ndarray) and self.X.flags.c_contiguous
        # The pass computes in double. A line search must not compare its sums with those of blocks
        # in float32. And columns far from 0 lose digits unless each block is centred.
        exact = self.X.dtype == np.float64 and self.center is None
        if in_rows and exact and self.n_outputs == 1:
            return _kernels.dense_loss_gradient
        return None

    def _compiled(self, theta: Array) -> tuple[float, Array]:
        assert self._compiled_sums is not None
        return self._compiled_sums(
            self.X,
            self.of_columns(theta),
            self.fit_intercept,
            self.codes,
            self.sample_weight,
            self.loss.class_gamma,
            self.loss.class_weight,
            self.loss.link,
            self.n_threads,
        )
