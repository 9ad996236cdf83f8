"""The methods of `benchmarks.rare`, in groups."""

import time
from collections.abc import Callable
from typing import Any

from sklearn.pipeline import make_pipeline

from benchmarks.booster_fits import FITS, Rows, of_library, own_focal
from benchmarks.methods import METHODS, indicators
from benchmarks.recipes import (
    DEFAULT,
    PLAIN,
    VARIANTS,
    Fitted,
    averaged,
    calibrated,
    chosen,
    held,
    oversampled,
    sampled,
    timed,
    weighted,
    with_known,
)
from benchmarks.recovery import LOSSES
from skfocal import FocalLogisticRegressionCV

FOCAL: dict[str, dict[str, Any]] = {
    "": PLAIN,
    ", focal 2": {"focal_gamma": 2.0, "link": "focal"},
    ", posterior 2": {"focal_gamma": 2.0, "link": "posterior"},
}


def _stopped(booster: str, train: Rows, seed: int) -> Fitted:
    """Log loss and focal losses of a booster."""
    rows = held(train, seed)
    for name, params in FOCAL.items():
        yield booster + name, *timed(lambda p=params: FITS[booster](p, seed, *rows))


def _recipes(booster: str, train: Rows, seed: int) -> Fitted:
    """Weights, samples, made positives and calibration."""
    fitted, stop = held(train, seed)
    for method in ("sigmoid", "isotonic"):
        fit = timed(lambda m=method: calibrated(booster, m, seed, fitted, stop))
        yield f"{booster}, {method}", *fit
    yield f"{booster}, weighted", *timed(lambda: weighted(booster, seed, fitted, stop))
    undone = PLAIN | {"focal_alpha": "balanced"}
    yield f"{booster}, balanced, undone", *timed(lambda: FITS[booster](undone, seed, fitted, stop))
    fewer = sampled(fitted, seed), sampled(stop, seed)
    share = float(train[1].mean())
    for name, priors in (("", {}), (", priors", {"priors": [1 - share, share]})):
        fit = timed(lambda p=PLAIN | priors: FITS[booster](p, seed, *fewer))
        yield f"{booster}, sampled{name}", *fit
    if booster in ("LightGBM", "XGBoost"):  # the others' columns have to be told apart
        yield f"{booster}, SMOTE", *timed(lambda: oversampled(booster, seed, fitted, stop))
    if booster != "CatBoost":  # five fits of 1,000 rounds
        yield f"{booster}, CalibratedClassifierCV", *timed(lambda: averaged(booster, train))


def _known(booster: str, *parts: Callable[[str, Rows, int], Fitted]) -> Callable[..., Fitted]:
    """Parts on columns that a library takes."""

    def fits(train: Rows, seed: int) -> Fitted:
        known = of_library(train[0], booster), train[1]
        for part in parts:
            for name, predict, seconds in part(booster, known, seed):
                yield name, with_known(predict, booster), seconds

    return fits


def _own_focal(booster: str, train: Rows, seed: int) -> Fitted:
    """CatBoost's own loss, as it gives probabilities and recovered."""
    started = time.perf_counter()
    models = own_focal(2.0, seed, *held(train, seed))
    seconds = time.perf_counter() - started
    for model, name in zip(models, ("own Focal 2", "own Focal 2, recovered"), strict=True):
        yield f"{booster}, {name}", timed(lambda m=model: m)[0], seconds


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


def _search(booster: str, settings: dict[str, dict[str, Any]]) -> Callable[[Rows, int], Fitted]:
    return lambda train, seed: chosen(booster, train, settings)


GROUPS: dict[str, Callable[[Rows, int], Fitted]] = {
    "LightGBM": _in_turn(_known("LightGBM", _stopped, _recipes), _search("LightGBM", DEFAULT)),
    "XGBoost": _in_turn(_known("XGBoost", _stopped, _recipes), _search("XGBoost", DEFAULT)),
    "others": _in_turn(_linear, _peers),
    "scikit-learn": _in_turn(_known("scikit-learn", _stopped), _search("scikit-learn", DEFAULT)),
    "CatBoost": _known("CatBoost", _stopped, _own_focal),
    "scikit-learn, recipes": _known("scikit-learn", _recipes),
    "CatBoost, recipes": _known("CatBoost", _recipes),
    "CatBoost, CV": _search("CatBoost", DEFAULT),
    "variants": _in_turn(*(_search(b, VARIANTS) for b in ("LightGBM", "XGBoost", "scikit-learn"))),
}
