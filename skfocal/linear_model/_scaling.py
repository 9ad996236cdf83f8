"""Variables in which the Hessian of the linear model is close to the identity (floor 4)."""

import warnings
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import linalg

from skfocal._kernels import Array
from skfocal.linear_model._problem import LinearProblem

# Rows for each variable, in the sample of rows that a matrix is made from.
ROWS_TO_VARIABLE = 20
# More variables than this are scaled one by one. Fewer are scaled by a Cholesky factor.
_MAX_FACTOR = 2000


class Scaling:
    """Variables L' D^-1 theta, where D^-1 L L' D^-1 is close to the Hessian.

    D is the diagonal matrix of ``unit`` and L is ``factor``; L is the identity where ``factor`` is
    None. If ``centred``, theta sums to 0 over the classes: the softmax does not see a shift of all
    classes by one vector, and rounding would let theta drift along it.
    """

    def __init__(self, unit: Array, factor: Array | None, centred: bool) -> None:
        self.unit, self.factor, self.centred = unit, factor, centred

    def to_variables(self, theta: Array) -> Array:
        """The variables of a theta."""
        scaled: Array = (theta / self.unit).ravel()
        return scaled if self.factor is None else self.factor.T @ scaled

    def to_theta(self, variables: Array) -> Array:
        """The theta of variables."""
        if self.factor is not None:
            variables = _solved(self.factor, variables, transposed=True)
        return self._projected(variables.reshape(self.unit.shape) * self.unit)

    def to_gradient(self, gradient: Array) -> Array:
        """The gradient in the variables, for a gradient in theta."""
        scaled: Array = (self._projected(gradient) * self.unit).ravel()
        return scaled if self.factor is None else _solved(self.factor, scaled)

    def _projected(self, theta: Array) -> Array:
        return theta - theta.mean(axis=1, keepdims=True) if self.centred else theta


def _solved(factor: Array, right: Array, *, transposed: bool = False) -> Array:
    """The solution of a lower triangular system.

    LAPACK is called as it is: the checks of `scipy.linalg.solve_triangular` take ten times as long
    as a small system.
    """
    solution: Array = linalg.lapack.dtrtrs(factor, right, lower=1, trans=int(transposed))[0]
    return solution


def make_scaling(problem: LinearProblem, theta: Array) -> Scaling:
    """A scaling by the Hessian of a sample of rows at theta, or by the diagonal of that of all."""
    centred = problem.n_outputs > 1
    if theta.size <= _MAX_FACTOR:
        with suppress(linalg.LinAlgError):  # singular
            matrix = sampled_matrix(problem, theta, ROWS_TO_VARIABLE * theta.size)
            scaled, unit = _unit_diagonal(matrix.reshape(theta.size, theta.size))
            factor = np.asfortranarray(linalg.cholesky(scaled, lower=True))
            return Scaling(unit.reshape(theta.shape), factor, centred)
    return Scaling(_unit_of(problem.curvature(theta)), None, centred)


def sampled_matrix(problem: LinearProblem, theta: Array, n_rows: int, columns: Any = None) -> Array:
    """The matrix of `LinearProblem.newton_terms` from about ``n_rows`` rows.

    With ``columns``, the matrix and theta are of these columns only. A column that is 0 in all of
    the sampled rows gets its curvature from all rows. Otherwise it would have no curvature, and
    a step along it would have no bound.
    """

    def part(problem: LinearProblem) -> LinearProblem:
        problem = replace(problem, l2=0.0)
        return problem if columns is None else problem.some_columns(columns)

    sample = problem.some_rows(n_rows)
    _, _, matrix = part(sample).newton_terms(theta)
    diagonal = np.einsum("ijij->ij", matrix)  # a view
    unseen = (diagonal == 0).any(axis=1)
    if unseen.any() and sample is not problem:
        diagonal[unseen] = part(problem).curvature(theta)[unseen]
    diagonal[: len(theta) - problem.fit_intercept] += problem.l2
    return matrix


def scaled_solve(matrix: Array, gradient: Array, *, bounded: bool = False) -> tuple[Array, float]:
    """Newton's step, and the decrease that it promises.

    The matrix is first scaled to a diagonal of 1. Where the scaled matrix is singular up to
    rounding, the step has no part along its null space. If something else keeps the step
    ``bounded``, it has a long part there instead. A gradient along the null space counts as a
    large decrease.
    """
    scaled, unit = _unit_diagonal(matrix.reshape(gradient.size, gradient.size))
    right = gradient.ravel() * unit
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", linalg.LinAlgWarning)
            step = -linalg.solve(scaled, right, assume_a="pos")
            gap = -0.5 * float(step @ right)
    except (linalg.LinAlgError, linalg.LinAlgWarning):
        values, vectors = linalg.eigh(scaled)
        smallest = values[-1] * len(values) * np.finfo(np.float64).eps
        parts = vectors.T @ right
        floored = np.maximum(values, smallest)
        used = bounded | (values > smallest)
        step = -vectors @ np.where(used, parts / floored, 0.0)
        gap = 0.5 * float(parts @ (parts / floored))
    return (step * unit).reshape(gradient.shape), gap


def _unit_diagonal(matrix: Array) -> tuple[Array, Array]:
    """D H D, whose diagonal is 1, and the diagonal of D."""
    unit = _unit_of(np.diagonal(matrix))
    scaled = matrix * unit[:, np.newaxis] * unit
    np.fill_diagonal(scaled, 1.0)
    return scaled, unit


def _unit_of(curvature: Array) -> Array:
    """1 / sqrt(curvature). It is 1 where a column of zeros without a penalty has no curvature."""
    with np.errstate(divide="ignore"):
        unit = 1.0 / np.sqrt(curvature)
    return np.where(np.isfinite(unit), unit, 1.0)
