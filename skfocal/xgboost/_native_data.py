"""Training on XGBoost's own matrices: larger than memory, or made by the user (floor 4)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost
from xgboost import Booster, DataIter, DMatrix, ExtMemQuantileDMatrix, QuantileDMatrix

from skfocal._booster._arguments import check_evaluation_sets
from skfocal._classifier._callbacks import Rounds
from skfocal._classifier._target import Target, codes_target
from skfocal._kernels import Array
from skfocal.objectives._conventions import base_score
from skfocal.xgboost._parameters import IterationRange
from skfocal.xgboost._training import check_xgb_model, learned_attributes, make_trainer

MATRICES = (DMatrix, DataIter)
Train = Callable[..., Booster]


def is_matrix(X: Any) -> bool:
    """Whether X brings its labels and weights with it."""
    return isinstance(X, MATRICES)


def as_matrix(X: DMatrix | DataIter, params: dict[str, Any], ref: DMatrix | None = None) -> DMatrix:
    """X, or what its batches are: on disk where they have a ``cache_prefix``, else in memory."""
    if isinstance(X, DMatrix):
        return X
    kind = ExtMemQuantileDMatrix if X.cache_prefix else QuantileDMatrix
    binned = isinstance(ref, (ExtMemQuantileDMatrix, QuantileDMatrix))
    return kind(
        X,
        missing=params["missing"],
        nthread=params["n_jobs"],
        max_bin=params["max_bin"],
        enable_categorical=params["enable_categorical"],
        ref=ref if binned else None,
    )


def matrix_target(matrix: DMatrix) -> Target:
    """Labels and weights in a matrix; labels must be the codes 0..K-1."""
    weight = matrix.get_weight()
    return codes_target(matrix.get_label(), weight if weight.size else None)


def column_names(matrix: DMatrix) -> npt.NDArray[Any] | None:
    """Names of the columns, None where they have none."""
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
    evals: list[DMatrix | DataIter],
    rounds: Rounds,
    *,
    verbose: bool | int | None,
    xgb_model: Any,
) -> None:
    """`FocalXGBClassifier.fit` where X is a matrix."""
    check_evaluation_sets(evals, *MATRICES)
    params = estimator.get_params(deep=False)
    matrix = as_matrix(X, params)
    target, names = matrix_target(matrix), column_names(matrix)
    estimator._set_columns(matrix.num_col(), names)
    loss = estimator._training_loss(target)
    scale = loss.log_loss_scale(target.codes, target.sample_weight)
    xgb_model = check_xgb_model(xgb_model, loss)
    learned = partial(learned_attributes, classes=target.classes, loss=loss, names=names)
    trainer = make_trainer(params, loss, scale, rounds, learned, verbose=verbose)
    if estimator.base_score is None and xgb_model is None:
        trainer.base_score = base_score(loss.intercept(target.codes, target.sample_weight))
    sets = [matrix if each is X else as_matrix(each, params, ref=matrix) for each in evals]
    train_on_matrix(trainer, loss.n_classes, matrix, sets, verbose=False, xgb_model=xgb_model)
    rounds.close(estimator._learn(trainer, learned))


def train_on_matrix(
    trainer: Any,
    n_classes: int,
    matrix: DMatrix,
    evals: list[DMatrix],
    *,
    verbose: bool | int | None = True,
    xgb_model: Booster | None = None,
    train: Train | None = None,
) -> None:
    """Fit a trainer as its own `fit` does, on a matrix.

    Parameters
    ----------
    trainer : WithMetrics
        As `make_trainer` makes it.
    n_classes : int
    matrix : DMatrix
        With codes for labels.
    evals : list of DMatrix
        Evaluation sets.
    verbose, xgb_model
        As in `xgboost.XGBClassifier.fit`.
    train : callable, default=None
        The loop, with the arguments of `xgboost.train`; that one if None.
    """
    if train is None:
        # Not xgboost.train, where mlflow's autologging would save the booster, without its loss
        train = xgboost.sklearn.train  # type: ignore[attr-defined]  # a name that it imports
    params = trainer.get_xgb_params()
    params["objective"] = "binary:logistic"
    if n_classes > 2:
        params |= {"objective": "multi:softprob", "num_class": n_classes}
    xgb_model, metric, params, _ = trainer._configure_fit(xgb_model, params, None)
    history: dict[str, Any] = {}
    with xgboost.config_context(verbosity=trainer.verbosity):
        trainer._Booster = train(
            params,
            matrix,
            trainer.get_num_boosting_rounds(),
            evals=[(each, f"validation_{i}") for i, each in enumerate(evals)],
            early_stopping_rounds=trainer.early_stopping_rounds,
            evals_result=history,
            obj=trainer.objective,
            custom_metric=metric,
            verbose_eval=verbose,
            xgb_model=xgb_model,
            callbacks=trainer.callbacks,
        )
    trainer._set_evaluation_result(history)
