"""What people do about rare positives: weights, samples, made positives, calibration, a search.

Each recipe takes training rows and, where training stops early, the rows that stop it.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from imblearn.over_sampling import SMOTE
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from benchmarks.booster_fits import (
    CAP,
    FITS,
    PATIENCE,
    RATE,
    SYMMETRIC,
    Rows,
    categories,
    of_library,
)
from benchmarks.methods import indicators
from skfocal import (
    FocalCatBoostClassifierCV,
    FocalHistGradientBoostingClassifierCV,
    FocalLGBMClassifierCV,
    FocalXGBClassifierCV,
)

PLAIN: dict[str, Any] = {"focal_gamma": 0.0}
KEPT = 10  # negatives for each positive
Predict = Callable[[pd.DataFrame], np.ndarray]  # P(y = 1) of rows
Fitted = Iterator[tuple[str, Predict, float]]  # with names and seconds


def timed(fit: Callable[[], Any]) -> tuple[Predict, float]:
    """What a model predicts, and the seconds of its fit."""
    started = time.perf_counter()
    model = fit()
    seconds = time.perf_counter() - started
    return lambda X: np.asarray(model.predict_proba(X))[:, 1], seconds


def with_known(predict: Predict, booster: str) -> Predict:
    """With categories in the form that a library takes."""
    return lambda X: predict(of_library(X, booster))


def held(train: Rows, seed: int) -> tuple[Rows, Rows]:
    """Four fifths, and the fifth that stops."""
    X, y = train
    X, X_held, y, y_held = train_test_split(X, y, test_size=0.2, stratify=y, random_state=seed)
    return (X, y), (X_held, y_held)


def calibrated(booster: str, method: str, seed: int, train: Rows, stop: Rows) -> Any:
    """Log loss, calibrated on the rows that stopped it."""
    model = FITS[booster](PLAIN, seed, train, stop)
    return CalibratedClassifierCV(FrozenEstimator(model), method=method).fit(*stop)


def weighted(booster: str, seed: int, train: Rows, stop: Rows) -> Any:
    """The library's own class, its classes weighted to be equal, also in the loss that stops."""
    (X, y), (X_held, y_held) = train, stop
    ratio = (y == 0).sum() / (y == 1).sum()
    w, w_held = np.where(y == 1, ratio, 1.0), np.where(y_held == 1, ratio, 1.0)
    if booster == "CatBoost":
        pool = catboost.Pool(X_held, y_held, cat_features=categories(X), weight=w_held)
        own = catboost.CatBoostClassifier(**SYMMETRIC, random_seed=seed)
        return own.fit(X, y, cat_features=categories(X), sample_weight=w, eval_set=pool)
    if booster == "scikit-learn":
        own = HistGradientBoostingClassifier(
            learning_rate=RATE,
            max_iter=CAP,
            early_stopping=True,
            n_iter_no_change=PATIENCE,
            random_state=seed,
        )
        return own.fit(X, y, sample_weight=w, X_val=X_held, y_val=y_held, sample_weight_val=w_held)
    params = {"n_estimators": CAP, "learning_rate": RATE, "n_jobs": 1, "random_state": seed}
    params |= {"early_stopping_rounds": PATIENCE}
    rows: dict[str, Any] = {"eval_set": [(X_held, y_held)]}
    if booster == "LightGBM":
        own = lightgbm.LGBMClassifier(verbose=-1, **params)
        return own.fit(X, y, sample_weight=w, eval_sample_weight=[w_held], **rows)
    rows |= {"sample_weight_eval_set": [w_held], "verbose": False}
    own = xgboost.XGBClassifier(enable_categorical=True, **params)
    return own.fit(X, y, sample_weight=w, **rows)


def sampled(train: Rows, seed: int) -> Rows:
    """All positives, and ten negatives for each."""
    X, y = train
    rng = np.random.default_rng(seed)
    negatives = rng.permutation(np.flatnonzero(y == 0))[: KEPT * int(y.sum())]
    rows = np.sort(np.r_[negatives, np.flatnonzero(y == 1)])
    return X.iloc[rows].reset_index(drop=True), y[rows]


class Encoded:
    """A model of numbers, and what makes them of columns."""

    def __init__(self, encoder: Any, model: Any) -> None:
        self.encoder, self.model = encoder, model

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Those of the model."""
        return self.model.predict_proba(self.encoder.transform(X))


def oversampled(booster: str, seed: int, train: Rows, stop: Rows) -> Encoded:
    """Log loss on rows to which positives were made, until they are a tenth of the negatives."""
    (X, y), (X_held, y_held) = train, stop
    encoder = indicators().fit(X)
    X, y = SMOTE(sampling_strategy=0.1, random_state=seed).fit_resample(encoder.transform(X), y)
    return Encoded(encoder, FITS[booster](PLAIN, seed, (X, y), (encoder.transform(X_held), y_held)))


def averaged(booster: str, train: Rows) -> Any:
    """scikit-learn's calibration of the library's own class with its defaults, on five folds."""
    models: dict[str, Callable[[], Any]] = {
        "LightGBM": lambda: lightgbm.LGBMClassifier(n_jobs=1, verbose=-1),
        "XGBoost": lambda: xgboost.XGBClassifier(n_jobs=1, enable_categorical=True),
        "scikit-learn": HistGradientBoostingClassifier,
    }
    return CalibratedClassifierCV(models[booster](), method="sigmoid", cv=5).fit(*train)


CHOOSING: dict[str, Callable[..., Any]] = {
    "LightGBM": lambda **p: FocalLGBMClassifierCV(n_estimators=CAP, n_jobs=1, verbose=-1, **p),
    "XGBoost": lambda **p: FocalXGBClassifierCV(
        n_estimators=CAP, n_jobs=1, learning_rate=RATE, enable_categorical=True, **p
    ),
    "scikit-learn": lambda **p: FocalHistGradientBoostingClassifierCV(max_iter=CAP, **p),
    "CatBoost": lambda **p: FocalCatBoostClassifierCV(
        iterations=CAP, learning_rate=RATE, thread_count=1, verbose=0, **p
    ),
}
DEFAULT: dict[str, dict[str, Any]] = {"": {}, ", gamma 0": {"focal_gammas": (0.0,)}}
VARIANTS: dict[str, dict[str, Any]] = {
    ", rule best": {"rule": "best"},
    ", no calibration": {"calibration": None},
    ", refit": {"ensemble": False},
    ", refit, focal link": {"ensemble": False, "link": "focal"},
}


def chosen(booster: str, train: Rows, settings: dict[str, dict[str, Any]]) -> Fitted:
    """The class that chooses gamma by cross-validation."""
    X, y = train
    texts = (
        {"cat_features": list(X.select_dtypes(exclude=["number", "bool"]))}
        if booster == "CatBoost"
        else {}
    )
    X = of_library(X, booster)
    for name, params in settings.items():
        model = CHOOSING[booster](**params)
        predict, seconds = timed(lambda m=model: m.fit(X, y, **texts))
        yield f"{booster}, CV{name}", with_known(predict, booster), seconds
