"""The methods of `benchmarks.rare`, in groups."""

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
    """Weights, samples, made positives and calibration, on LightGBM or XGBoost."""
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
    yield f"{booster}, SMOTE", *timed(lambda: oversampled(booster, seed, fitted, stop))
    yield f"{booster}, CalibratedClassifierCV", *timed(lambda: averaged(booster, train))


def _of_booster(booster: str) -> Callable[[Rows, int], Fitted]:
    def fits(train: Rows, seed: int) -> Fitted:
        known = of_library(train[0], booster), train[1]
        for fit in (_stopped, *([_recipes] if booster in ("LightGBM", "XGBoost") else [])):
            for name, predict, seconds in fit(booster, known, seed):
                yield name, with_known(predict, booster), seconds
        if booster != "CatBoost":
            yield from chosen(booster, train, DEFAULT)

    return fits


def _own_focal(train: Rows, seed: int) -> Fitted:
    """CatBoost's own loss, as it gives probabilities and recovered."""
    rows = held((of_library(train[0], "CatBoost"), train[1]), seed)
    models: list[Any] = []

    def fit(place: int) -> Any:
        if not models:
            models.extend(own_focal(2.0, seed, *rows))
        return models[place]

    for place, name in enumerate(("own Focal 2", "own Focal 2, recovered")):
        predict, seconds = timed(lambda k=place: fit(k))
        yield f"CatBoost, {name}", with_known(predict, "CatBoost"), seconds


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
