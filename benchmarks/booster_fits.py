"""The four boosters as people run them: default trees and early stopping on held rows.

A fit has at most 1,000 rounds, and ends when the log loss of the posterior on the held rows has not
improved for 30 rounds.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier

from benchmarks.adapters import with_codes
from skfocal import (
    FocalCatBoostClassifier,
    FocalHistGradientBoostingClassifier,
    FocalLGBMClassifier,
    FocalXGBClassifier,
)
from skfocal.catboost._metrics import computed
from skfocal.losses import make_loss

CAP, PATIENCE, RATE = 1000, 30, 0.1
BOOSTERS = ("LightGBM", "XGBoost", "scikit-learn", "CatBoost")
STEPS = {"leaf_estimation_method": "Newton", "leaf_estimation_iterations": 10}
SYMMETRIC = {"iterations": CAP, "learning_rate": RATE, "thread_count": 1, "verbose": 0, **STEPS}
SYMMETRIC |= {"allow_writing_files": False, "early_stopping_rounds": PATIENCE, "od_type": "Iter"}
Rows = tuple[pd.DataFrame, np.ndarray]


def lightgbm(params: dict[str, Any], seed: int, train: Rows, held: Rows) -> Any:
    """LightGBM."""
    model = FocalLGBMClassifier(
        n_estimators=CAP,
        metric="binary_logloss",
        early_stopping_rounds=PATIENCE,
        n_jobs=1,
        verbose=-1,
        random_state=seed,
        **{"learning_rate": RATE, **params},
    )
    return model.fit(*train, eval_set=[held])


def xgboost(params: dict[str, Any], seed: int, train: Rows, held: Rows) -> Any:
    """XGBoost."""
    model = FocalXGBClassifier(
        n_estimators=CAP,
        eval_metric="logloss",
        early_stopping_rounds=PATIENCE,
        n_jobs=1,
        enable_categorical=True,
        random_state=seed,
        **{"learning_rate": RATE, **params},
    )
    return model.fit(*train, eval_set=[held], verbose=False)


def scikit_learn(params: dict[str, Any], seed: int, train: Rows, held: Rows) -> Any:
    """scikit-learn's trees, which keep the rounds after the best one."""
    model = FocalHistGradientBoostingClassifier(
        max_iter=CAP,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        random_state=seed,
        **{"learning_rate": RATE, **params},
    )
    return model.fit(*train, X_val=held[0], y_val=held[1])


def catboost(params: dict[str, Any], seed: int, train: Rows, held: Rows) -> Any:
    """CatBoost on this package's loss."""
    params = SYMMETRIC | params
    model = FocalCatBoostClassifier(eval_metric="Logloss", random_seed=seed, **params)
    return model.fit(*train, cat_features=categories(train[0]), eval_set=held)


def own_focal(gamma: float, seed: int, train: Rows, held: Rows, **params: Any) -> tuple[Any, Any]:
    """CatBoost's own focal loss, as it is and recovered."""
    loss = make_loss(2, gamma)
    own = CatBoostClassifier(
        **(SYMMETRIC | params),
        loss_function=f"Focal:focal_alpha=0.5;focal_gamma={gamma}",
        eval_metric=computed("Logloss", loss),
        random_seed=seed,
    )
    own.fit(*train, cat_features=categories(train[0]), eval_set=held)
    return own, FocalCatBoostClassifier.from_booster(own, focal_gamma=gamma)


FITS: dict[str, Callable[..., Any]] = dict(
    zip(BOOSTERS, (lightgbm, xgboost, scikit_learn, catboost), strict=True)
)


def categories(X: pd.DataFrame) -> list[str]:
    """Names of the columns that are no numbers."""
    return [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]


def of_library(X: pd.DataFrame, booster: str) -> pd.DataFrame:
    """Categories in the form that a library takes."""
    if booster == "scikit-learn":
        return with_codes(X)
    X = X.copy()
    if booster == "CatBoost":
        for name in categories(X):
            X[name] = X[name].astype(object).where(X[name].notna(), "missing").astype(str)
    return X
