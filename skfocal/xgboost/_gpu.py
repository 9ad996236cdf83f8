"""Boosting whose margins, gradients and Hessians stay where the table is (floor 5).

`xgboost.train` brings the margins of each round to the host for a custom objective. Here the
objective gets them where they are, and the newest trees are added to them by
``inplace_predict``. On host arrays the result is bit for bit that of `xgboost.train`.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import _safe_indexing
from xgboost import Booster, DMatrix
from xgboost.callback import CallbackContainer, EarlyStopping, EvaluationMonitor

from skfocal._kernels import of_library, on_device
from skfocal.objectives import FocalObjective
from skfocal.xgboost._native_data import train_on_matrix
from skfocal.xgboost._parameters import IterationRange
from skfocal.xgboost._private import make_matrix

_DEVICES = ("cuda", "cuda:0", "gpu", "gpu:0")


class ResidentTraining:
    """`xgboost.train` for a `FocalObjective`, with rows that stay where they are.

    Parameters
    ----------
    table : array of shape (n_samples, n_features)
        The columns of the training matrix, of a library that XGBoost predicts in place.
    y_true, sample_weight : arrays of shape (n_samples,)
        Codes and weights (or None), beside the table.
    missing : float
        The value that stands for a missing one.
    namespace : module, default=numpy
        Whose arrays the margins are: NumPy or CuPy.
    """

    def __init__(
        self,
        table: Any,
        y_true: Any,
        sample_weight: Any,
        missing: float = np.nan,
        namespace: Any = np,
    ) -> None:
        self.table = table
        self.y_true = y_true
        self.sample_weight = sample_weight
        self.missing = missing
        self.namespace = namespace

    def __call__(
        self,
        params: dict[str, Any],
        dtrain: DMatrix,
        num_boost_round: int,
        *,
        obj: FocalObjective,
        evals: Sequence[tuple[DMatrix, str]] = (),
        custom_metric: Any = None,
        early_stopping_rounds: int | None = None,
        evals_result: dict[str, Any] | None = None,
        verbose_eval: bool | int | None = None,
        xgb_model: Booster | None = None,
        callbacks: Any = None,
    ) -> Booster:
        """Train; the arguments are those of `xgboost.train`."""
        callbacks = list(callbacks or [])
        if verbose_eval:
            callbacks.append(EvaluationMonitor(period=int(verbose_eval)))
        if early_stopping_rounds:
            callbacks.append(EarlyStopping(rounds=early_stopping_rounds))
        evals = list(evals)
        container = CallbackContainer(callbacks, metric=custom_metric, output_margin=True)
        booster = Booster(params, [dtrain, *(each for each, _ in evals)], model_file=xgb_model)
        booster = container.before_training(booster)
        margins = self._at_start(booster, dtrain)
        for i in range(num_boost_round):
            if container.before_iteration(booster, i, dtrain, evals):
                break
            gradient, hessian = obj(self.y_true, margins, self.sample_weight)
            booster.boost(dtrain, i, grad=gradient, hess=hessian)
            margins = self._with_newest_trees(booster, margins)
            if container.after_iteration(booster, i, dtrain, evals):
                break
        booster = container.after_training(booster)
        if evals_result is not None:
            evals_result.update(container.history)
        trained: Booster = booster.reset()
        return trained

    def _at_start(self, booster: Booster, dtrain: DMatrix) -> Any:
        """What XGBoost starts from: its constant, the matrix's margins, the model so far."""
        margins = booster.predict(dtrain, output_margin=True, training=True)
        return self.namespace.asarray(margins)

    def _with_newest_trees(self, booster: Booster, margins: Any) -> Any:
        last = booster.num_boosted_rounds()
        return booster.inplace_predict(
            self.table,
            iteration_range=(last - 1, last),
            predict_type="margin",
            missing=self.missing,
            base_margin=margins,
        )


def train_resident(
    trainer: Any,
    table: Any,
    y_true: npt.NDArray[Any],
    *,
    sample_weight: npt.NDArray[Any] | None = None,
    base_margin: Any = None,
    eval_set: Sequence[tuple[Any, Any]] | None = None,
    sample_weight_eval_set: Sequence[Any] | None = None,
    base_margin_eval_set: Sequence[Any] | None = None,
    feature_weights: Any = None,
    xgb_model: Booster | None = None,
    namespace: Any = None,
) -> None:
    """Fit a trainer as its own `fit` does, by `ResidentTraining`.

    ``namespace`` is CuPy if None.
    """
    if namespace is None:
        namespace = import_module("cupy")
    if feature_weights is None:
        feature_weights = trainer.feature_weights
    names = ("data", "label", "weight", "base_margin")
    given = (table, y_true, sample_weight, base_margin)
    if not on_device(table):
        table = namespace.asarray(table, dtype=np.float32)
    data = dict(zip(names, (table, *given[1:]), strict=True))
    matrix = make_matrix(trainer, None, **data, feature_weights=feature_weights)
    evals = []
    for i, (X, y) in enumerate(eval_set or []):
        weights = sample_weight_eval_set[i] if sample_weight_eval_set else None
        margins = base_margin_eval_set[i] if base_margin_eval_set else None
        one = (X, y, weights, margins)
        if all(a is b for a, b in zip(one, given, strict=True)):
            evals.append(matrix)  # as XGBoost's own fit does
        else:
            evals.append(make_matrix(trainer, matrix, **dict(zip(names, one, strict=True))))
    train = ResidentTraining(
        table,
        namespace.asarray(y_true, dtype=np.float32),
        None if sample_weight is None else namespace.asarray(sample_weight, dtype=np.float32),
        trainer.missing,
        namespace,
    )
    n_classes = trainer.n_classes_  # y may lack some of them
    train_on_matrix(trainer, n_classes, matrix, evals, continued=xgb_model, train=train)


def may_stay_on_device(params: dict[str, Any], X: Any) -> bool:
    """Whether `ResidentTraining` gives the trees that XGBoost would.

    It does for plain trees on one device and a dense table of numbers. Not for DART, whose
    rounds change the trees before them.
    """
    reasons = [
        ("device", params.get("device") in _DEVICES),
        ("booster", params.get("booster") in (None, "gbtree")),
        ("dropout", not any(params.get(n) for n in ("rate_drop", "one_drop", "skip_drop"))),
        ("tree_method", params.get("tree_method") in (None, "auto", "hist", "approx")),
        ("multi_strategy", params.get("multi_strategy") in (None, "one_output_per_tree")),
        ("process_type", params.get("process_type") in (None, "default")),
        ("feature_types", not params.get("feature_types")),
        ("dense numbers", on_device(X) or (isinstance(X, np.ndarray) and X.dtype.kind in "fiub")),
        ("CuPy", find_spec("cupy") is not None),
    ]
    return all(holds for _, holds in reasons) and _has_room(X)


def _has_room(X: Any) -> bool:
    """Whether there is a device that holds the table as float32, and XGBoost's bins of it."""
    from numba import cuda

    if not cuda.is_available():
        return False
    return on_device(X) or cuda.current_context().get_memory_info().free > 2 * 4 * X.size


def rows_of(array: Any, positions: npt.NDArray[Any]) -> Any:
    """Rows of an array or a table, on a device or not, by their indices on the host."""
    if not on_device(array):
        return _safe_indexing(array, positions)
    cupy = import_module("cupy")
    return cupy.asarray(array)[cupy.asarray(positions)]


def margins_on_device(
    booster: Booster,
    X: Any,
    rounds: IterationRange,
    missing: float,
    base_margin: Any,
    validate_features: bool,
) -> Any:
    """Margins of a table on a device, which stay there, as an array of the table's library."""
    margins = booster.inplace_predict(
        X,
        iteration_range=rounds,
        predict_type="margin",
        missing=missing,
        base_margin=base_margin,
        validate_features=validate_features,
    )
    return of_library(margins, X)
