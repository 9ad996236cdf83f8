"""What decisions cost, where errors have prices."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skfocal._kernels import Array
from skfocal.losses._rows import numbers
from skfocal.metrics._budget import positives
from skfocal.metrics._rows import check_labels, check_weight


def check_costs(costs: npt.ArrayLike, n_rows: int, name: str) -> Array:
    """Costs of rows in double precision; one number is the cost of each row.

    Parameters
    ----------
    costs : float or array-like of shape (n,)
        Costs.
    n_rows : int
        How many rows there are.
    name : str
        The name of the argument, for messages.

    Returns
    -------
    ndarray of shape (n,)
        The costs.

    Raises
    ------
    TypeError, ValueError
        If they are not numbers >= 0, one or one for each row.
    """
    found = numbers(costs, name).astype(np.float64)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.shape not in ((), (n_rows,)):
        raise ValueError(
            f"{name} must be one number, or one for each of the {n_rows} rows; got shape "
            f"{found.shape}."
        )
    if not (np.isfinite(found).all() and (found >= 0).all()):
        raise ValueError(f"{name} must be finite and >= 0.")
    return np.broadcast_to(found, (n_rows,))


class Costs(NamedTuple):
    """Costs of each row, in double precision. A negative row that is not alerted costs nothing."""

    alarm: Array
    """Of a false alarm."""
    miss: Array
    """Of a positive row that is not alerted."""
    hit: Array
    """Of a positive row that is alerted."""

    @classmethod
    def of(
        cls,
        n_rows: int,
        false_positive_cost: npt.ArrayLike,
        false_negative_cost: npt.ArrayLike,
        true_positive_cost: npt.ArrayLike,
    ) -> "Costs":
        """Those of ``n_rows`` rows, checked under the names that users know."""
        return cls(
            check_costs(false_positive_cost, n_rows, "false_positive_cost"),
            check_costs(false_negative_cost, n_rows, "false_negative_cost"),
            check_costs(true_positive_cost, n_rows, "true_positive_cost"),
        )

    def paid(self, positive: npt.NDArray[np.bool_], alerted: npt.NDArray[np.bool_]) -> Array:
        """What the decision costs in each row."""
        return np.where(positive, np.where(alerted, self.hit, self.miss), self.alarm * alerted)


def mean_cost(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    false_positive_cost: npt.ArrayLike = 1.0,
    false_negative_cost: npt.ArrayLike = 1.0,
    true_positive_cost: npt.ArrayLike = 0.0,
    pos_label: Any = None,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Mean cost of decisions for one row; smaller is better.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels, at most two different ones.
    y_pred : array-like of shape (n,)
        Labels that a model has decided for, or booleans: True for a row that is taken for
        positive.
    false_positive_cost : float or array-like of shape (n,), default=1.0
        What it costs to take a negative row for a positive one: a number for all rows, or one for
        each.
    false_negative_cost : float or array-like of shape (n,), default=1.0
        What it costs to miss a positive row, such as the amount of a transaction.
    true_positive_cost : float or array-like of shape (n,), default=0.0
        What it costs to take a positive row for positive. If each check costs 5, whatever it
        finds, set this and ``false_positive_cost`` to 5.
    pos_label : object, default=None
        The positive label. None for the second label in sorted order.
    sample_weight : array-like of shape (n,), default=None
        Weights of rows.

    Returns
    -------
    float
        In the unit of the costs, for one row.

    Raises
    ------
    TypeError, ValueError
        If shapes, labels or costs are not as above.

    See Also
    --------
    skfocal.decisions.cost_decision : The decision with the smallest expected cost.

    Examples
    --------
    >>> from skfocal.metrics import mean_cost
    >>> amount = [10.0, 200.0, 30.0, 40.0]
    >>> mean_cost([0, 1, 1, 0], [1, 0, 1, 0], false_positive_cost=2, false_negative_cost=amount)
    50.5
    """
    truth = check_labels(y_true, "y_true")
    decided = check_labels(y_pred, "y_pred")
    if len(decided) != len(truth):
        raise ValueError(
            f"y_pred must have one label for each of the {len(truth)} labels in y_true; got "
            f"{len(decided)}."
        )
    is_positive, alerted = _both(truth, decided, pos_label)
    costs = Costs.of(len(truth), false_positive_cost, false_negative_cost, true_positive_cost)
    paid = costs.paid(is_positive, alerted)
    return float(np.average(paid, weights=check_weight(sample_weight, truth)))


def _both(
    truth: npt.NDArray[Any], decided: npt.NDArray[Any], pos_label: Any
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which rows are positive, and which have been taken for positive."""
    if decided.dtype == bool and truth.dtype != bool:
        return positives(truth, pos_label).mask, decided
    if isinstance(truth.tolist()[0], str) != isinstance(decided.tolist()[0], str):
        raise ValueError(
            "y_pred must hold the labels of y_true, or booleans; got "
            f"{decided.tolist()[0]!r} for {truth.tolist()[0]!r}."
        )
    known, said = set(truth.tolist()), set(decided.tolist())
    if len(known) == 2 and not said <= known:
        raise ValueError(f"y_pred has labels that are not in y_true: {sorted(said - known)}.")
    # one label alone in y_true may still be told from the other by y_pred
    mask = positives(np.concatenate([truth, decided]), pos_label).mask
    return mask[: len(truth)], mask[len(truth) :]
