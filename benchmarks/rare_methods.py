"""What people do about rare positives: the methods of `benchmarks.rare`."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from imblearn.over_sampling import SMOTE
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from benchmarks.boosters import CAP, FITS, PATIENCE, RATE, Rows, of_library, own_focal
from benchmarks.methods import METHODS, indicators
from benchmarks.recovery import LOSSES
from skfocal import (
    FocalCatBoostClassifierCV,
    FocalHistGradientBoostingClassifierCV,
    FocalLGBMClassifierCV,
    FocalLogisticRegressionCV,
    FocalXGBClassifierCV,
)

KEPT = 10  # negatives for each positive
FOCAL: dict[str, dict[str, Any]] = {
    "": {"focal_gamma": 0.0},
    ", focal 2": {"focal_gamma": 2.0, "link": "focal"},
    ", posterior 2": {"focal_gamma": 2.0, "link": "posterior"},
}
Predict = Callable[[pd.DataFrame], np.ndarray]  # P(y = 1) of rows
Fitted = Iterator[tuple[str, Predict, float]]  # with names and seconds


def timed(fit: Callable[[], Any]) -> tuple[Predict, float]:
    """What a model predicts, and the seconds of its fit."""
    started = time.perf_counter()
    model = fit()
    seconds = time.perf_counter() - started
    return lambda X: np.asarray(model.predict_proba(X))[:, 1], seconds


def held(train: Rows, seed: int) -> tuple[Rows, Rows]:
    """Four fifths, and the fifth that stops."""
    X, y = train
    X, X_held, y, y_held = train_test_split(X, y, test_size=0.2, stratify=y, random_state=seed)
    return (X, y), (X_held, y_held)


def stopped(booster: str, train: Rows, seed: int) -> Fitted:
    """Log loss and focal losses of a booster."""
    fitted, stop = held(train, seed)
    for name, params in FOCAL.items():
        yield booster + name, *timed(lambda p=params: FITS[booster](p, seed, fitted, stop))


def calibrated(booster: str, train: Rows, seed: int) -> Fitted:
    """Log loss, calibrated on the rows that stopped it."""
    fitted, stop = held(train, seed)

    def fit(method: str) -> Any:
        model = FITS[booster](FOCAL[""], seed, fitted, stop)
        return CalibratedClassifierCV(FrozenEstimator(model), method=method).fit(*stop)

    for method in ("sigmoid", "isotonic"):
        yield f"{booster}, {method}", *timed(lambda m=method: fit(m))


def weighted(booster: str, train: Rows, seed: int) -> Any:
    """The library's own class, its classes weighted to be equal."""
    (X, y), (X_held, y_held) = held(train, seed)
    ratio = (y == 0).sum() / (y == 1).sum()
    w, w_held = np.where(y == 1, ratio, 1.0), np.where(y_held == 1, ratio, 1.0)
    params = {"n_estimators": CAP, "learning_rate": RATE, "n_jobs": 1, "random_state": seed}
    stop: dict[str, Any] = {"eval_set": [(X_held, y_held)]}
    if booster == "LightGBM":
        model = lightgbm.LGBMClassifier(verbose=-1, early_stopping_rounds=PATIENCE, **params)
        return model.fit(X, y, sample_weight=w, eval_sample_weight=[w_held], **stop)
    params |= {"early_stopping_rounds": PATIENCE, "enable_categorical": True}
    stop |= {"sample_weight_eval_set": [w_held], "verbose": False}
    return xgboost.XGBClassifier(**params).fit(X, y, sample_weight=w, **stop)


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


def oversampled(booster: str, train: Rows, seed: int) -> Encoded:
    """Log loss on rows to which positives were made, until they are a tenth of the negatives."""
    (X, y), (X_held, y_held) = held(train, seed)
    encoder = indicators().fit(X)
    X, y = SMOTE(sampling_strategy=0.1, random_state=seed).fit_resample(encoder.transform(X), y)
    stop = (encoder.transform(X_held), y_held)
    return Encoded(encoder, FITS[booster](FOCAL[""], seed, (X, y), stop))


def averaged(booster: str, train: Rows) -> Any:
    """scikit-learn's calibration of the library's own class, on five folds."""
    if booster == "LightGBM":
        model = lightgbm.LGBMClassifier(n_jobs=1, verbose=-1)
    else:
        model = xgboost.XGBClassifier(n_jobs=1, enable_categorical=True)
    return CalibratedClassifierCV(model, method="sigmoid", cv=5).fit(*train)


def recipes(booster: str, train: Rows, seed: int) -> Fitted:
    """Weights, samples, made positives and calibration, on LightGBM or XGBoost."""
    yield from calibrated(booster, train, seed)
    yield f"{booster}, weighted", *timed(lambda: weighted(booster, train, seed))
    fitted, stop = held(train, seed)
    undone = {"focal_gamma": 0.0, "focal_alpha": "balanced"}
    yield f"{booster}, balanced, undone", *timed(lambda: FITS[booster](undone, seed, fitted, stop))
    fewer, few_held = sampled(fitted, seed), sampled(stop, seed)
    share = float(train[1].mean())
    for name, priors in (("", {}), (", priors", {"priors": [1 - share, share]})):
        params = FOCAL[""] | priors
        fit = timed(lambda p=params: FITS[booster](p, seed, fewer, few_held))
        yield f"{booster}, sampled{name}", *fit
    yield f"{booster}, SMOTE", *timed(lambda: oversampled(booster, train, seed))
    yield f"{booster}, CalibratedClassifierCV", *timed(lambda: averaged(booster, train))


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
    texts = {"cat_features": list(X.select_dtypes("category"))} if booster == "CatBoost" else {}
    X = of_library(X, booster)
    for name, params in settings.items():
        model = CHOOSING[booster](**params)
        predict, seconds = timed(lambda m=model: m.fit(X, y, **texts))
        yield f"{booster}, CV{name}", _known(predict, booster), seconds


def _known(predict: Predict, booster: str) -> Predict:
    """With categories in the form that a library takes."""
    return lambda X: predict(of_library(X, booster))


def _of_booster(booster: str) -> Callable[[Rows, int], Fitted]:
    def fits(train: Rows, seed: int) -> Fitted:
        known = of_library(train[0], booster), train[1]
        for fit in (stopped, *([recipes] if booster in ("LightGBM", "XGBoost") else [])):
            for name, predict, seconds in fit(booster, known, seed):
                yield name, _known(predict, booster), seconds
        if booster != "CatBoost":
            yield from chosen(booster, train, DEFAULT)

    return fits


def _own_focal(train: Rows, seed: int) -> Fitted:
    """CatBoost's own loss, as it gives probabilities and recovered."""
    fitted, stop = held((of_library(train[0], "CatBoost"), train[1]), seed)
    models: list[Any] = []

    def fit(place: int) -> Any:
        if not models:
            models.extend(own_focal(2.0, seed, fitted, stop))
        return models[place]

    for place, name in enumerate(("own Focal 2", "own Focal 2, recovered")):
        predict, seconds = timed(lambda k=place: fit(k))
        yield f"CatBoost, {name}", _known(predict, "CatBoost"), seconds


def _linear(train: Rows, seed: int) -> Fitted:
    """Linear models on indicators and scaled columns, and imbalanced-learn's ensembles."""
    plain = METHODS["logistic"].make({"C": 1.0}, 1.0, seed)
    yield "logistic", *timed(lambda: plain.fit(*train))
    choosing = make_pipeline(indicators(scaled=True), FocalLogisticRegressionCV())
    yield "logistic, CV", *timed(lambda: choosing.fit(*train))
    for name in ("BalancedRandomForest", "EasyEnsemble"):
        model = METHODS[name].make(dict(METHODS[name].start), 1.0, seed)
        yield name, *timed(lambda m=model: m.fit(*train))


def _peers(train: Rows, seed: int) -> Fitted:
    """Other packages' focal losses on LightGBM's default trees."""
    for name in ("gbdtCBL", "imlightgbm", "bokbokbok"):
        params = {"focal_gamma": 2.0, "n_estimators": 100, "weight_power": 0.0}
        if name != "bokbokbok":
            del params["weight_power"]
        method = f"{name}, focal"
        model = METHODS[method].make(dict(params), 1.0, seed)
        predict, seconds = timed(lambda m=model: m.fit(*train))
        yield f"{name}, focal 2", predict, seconds
        loss = LOSSES[method](params, 1.0)
        yield (
            f"{name}, focal 2, recovered",
            lambda X, m=model, at=loss: at.posterior(m.decision_function(X))[:, 1],
            seconds,
        )


def _in_turn(*parts: Callable[[Rows, int], Fitted]) -> Callable[[Rows, int], Fitted]:
    def fits(train: Rows, seed: int) -> Fitted:
        for part in parts:
            yield from part(train, seed)

    return fits


def _variants(train: Rows, seed: int) -> Fitted:
    for booster in ("LightGBM", "XGBoost", "scikit-learn"):
        yield from chosen(booster, train, VARIANTS)


GROUPS: dict[str, Callable[[Rows, int], Fitted]] = {
    "LightGBM": _of_booster("LightGBM"),
    "XGBoost": _of_booster("XGBoost"),
    "others": _in_turn(_linear, _peers),
    "scikit-learn": _of_booster("scikit-learn"),
    "variants": _variants,
    "CatBoost": _in_turn(_of_booster("CatBoost"), _own_focal),
    "CatBoost, CV": lambda train, seed: chosen("CatBoost", train, DEFAULT),
}
