"""Training on XGBoost's own matrices: larger than memory, or made by the user (floor 5)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost
from xgboost import Booster, DataIter, DMatrix, ExtMemQuantileDMatrix, QuantileDMatrix

from skfocal._booster._eval_sets import Evaluation, check_native_sets
from skfocal._estimator._callbacks import Rounds
from skfocal._estimator._target import ClassTotals, totals_of_codes
from skfocal._kernels import Array
from skfocal.xgboost._parameters import IterationRange
from skfocal.xgboost._private import configured, set_booster, set_history, train_as_fit_does
from skfocal.xgboost._training import continued_booster, make_trainer

MATRICES = (DMatrix, DataIter)
Train = Callable[..., Booster]


def is_matrix(X: Any) -> bool:
    """Whether X brings its labels and weights with it."""
    return isinstance(X, MATRICES)


def as_matrix(X: DMatrix | DataIter, params: dict[str, Any], ref: DMatrix | None = None) -> DMatrix:
    """X, or the matrix of its batches: on disk if they have a ``cache_prefix``, else in memory."""
    if isinstance(X, DMatrix):
        return X
    matrix_type = ExtMemQuantileDMatrix if X.cache_prefix else QuantileDMatrix
    binned = isinstance(ref, (ExtMemQuantileDMatrix, QuantileDMatrix))
    return matrix_type(
        X,
        missing=params["missing"],
        nthread=params["n_jobs"],
        max_bin=params["max_bin"],
        enable_categorical=params["enable_categorical"],
        ref=ref if binned else None,
    )


def matrix_totals(matrix: DMatrix) -> ClassTotals:
    """The totals of the classes in a matrix. Its labels must be the codes 0..K-1."""
    weight = matrix.get_weight()
    return totals_of_codes(matrix.get_label(), weight if weight.size else None)


def column_names(matrix: DMatrix) -> npt.NDArray[Any] | None:
    """The names of the columns, or None."""
    names = matrix.feature_names
    return None if names is None else np.array(names, dtype=object)


def margins_of_matrix(
    booster: Booster, matrix: Any, rounds: IterationRange, validate_features: bool
) -> Array:
    """Margins of the rows of a matrix.

    Raises
    ------
    TypeError
        If it is not a matrix but batches, whose rows are best predicted batch by batch.
    """
    if not isinstance(matrix, DMatrix):
        raise TypeError(
            "Batches are predicted one by one: call the method on the table in each of them."
        )
    margins: Array = booster.predict(
        matrix, output_margin=True, validate_features=validate_features, iteration_range=rounds
    )
    return margins


def fit_matrix(
    estimator: Any,
    X: DMatrix | DataIter,
    evaluation: Evaluation,
    *,
    xgb_model: Any,
    verbose: bool | int | None,
    rounds: Rounds,
) -> None:
    """`FocalXGBClassifier.fit` if X is a matrix or batches."""
    evals = list(evaluation.sets or [])
    check_native_sets(evals, *MATRICES)
    params = estimator.get_params(deep=False)
    matrix = as_matrix(X, params)
    names = column_names(matrix)
    estimator._set_columns(matrix.num_col(), names)
    plan = estimator._plan(matrix_totals(matrix), names)
    continued = continued_booster(xgb_model, plan.loss)
    if params["base_score"] is not None or continued is not None:
        plan = plan.without_intercept()
    trainer = make_trainer(params, plan, verbose, rounds)
    sets = [matrix if each is X else as_matrix(each, params, ref=matrix) for each in evals]
    train_on_matrix(trainer, plan.n_classes, matrix, sets, continued=continued)
    rounds.close(estimator._learn(trainer, plan))


def training_parameters(
    trainer: Any, n_classes: int, continued: Booster | None = None
) -> tuple[Booster | None, Any, dict[str, Any]]:
    """Continued model, metric and parameters, as `XGBClassifier.fit` hands them to training."""
    params = trainer.get_xgb_params()
    params["objective"] = "binary:logistic"
    if n_classes > 2:
        params |= {"objective": "multi:softprob", "num_class": n_classes}
    return configured(trainer, continued, params)


def train_on_matrix(
    trainer: Any,
    n_classes: int,
    matrix: DMatrix,
    evals: list[DMatrix],
    *,
    continued: Booster | None,
    train: Train = train_as_fit_does,
) -> None:
    """Fit a trainer on a matrix, as its own `fit` does on a table.

    Parameters
    ----------
    trainer : WithMetrics
        As `make_trainer` makes it.
    n_classes : int
    matrix : DMatrix
        Its labels are codes.
    evals : list of DMatrix
        Evaluation sets.
    continued : Booster or None
        The model that training continues.
    train : callable, default=train_as_fit_does
        The training loop, with the arguments of `xgboost.train`.
    """
    continued, metric, params = training_parameters(trainer, n_classes, continued)
    history: dict[str, Any] = {}
    with xgboost.config_context(verbosity=trainer.verbosity):
        booster = train(
            params,
            matrix,
            trainer.get_num_boosting_rounds(),
            evals=[(each, f"validation_{i}") for i, each in enumerate(evals)],
            early_stopping_rounds=trainer.early_stopping_rounds,
            evals_result=history,
            obj=trainer.objective,
            custom_metric=metric,
            verbose_eval=False,  # a callback of ours prints
            xgb_model=continued,
            callbacks=trainer.callbacks,
        )
    set_booster(trainer, booster)
    set_history(trainer, history)
