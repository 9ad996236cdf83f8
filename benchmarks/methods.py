"""What the quality benchmark compares: how each method is made, and what is searched over.

Methods of one booster share the search space of its trees; a loss adds its own parameters to
it, and gets no more trials for them. A method is fitted on frames whose columns of text are
categories where it knows what they are, else on indicator columns and filled gaps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optuna import Trial
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.adapters import ImbalanceXGBoost, Labels, WithObjective, WithTexts, hardest, lazy

Space = Callable[[Trial], dict[str, Any]]


@dataclass(frozen=True)
class Method:
    """``make`` gives an estimator for parameters of ``space``, class ratio and seed."""

    group: str
    space: Space
    make: Callable[[dict[str, Any], float, int], BaseEstimator]
    multiclass: bool = False
    start: dict[str, Any] | None = None  # what the search tries first: defaults of the library
    finish: Callable[[BaseEstimator], BaseEstimator] = lambda found: found  # after the search


# Search spaces -------------------------------------------------------------------------


def leafwise(trial: Trial) -> dict[str, Any]:
    """Trees of LightGBM."""
    return {
        "n_estimators": trial.suggest_int("n_estimators", 30, 300, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, 64, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 5, 100, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 30.0, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.5, 1.0),
    }


LEAFWISE_START = {
    "n_estimators": 100,
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_child_samples": 20,
    "reg_lambda": 1e-3,
    "colsample_bytree": 1.0,
}


def depthwise(trial: Trial) -> dict[str, Any]:
    """Trees of XGBoost."""
    return {
        "n_estimators": trial.suggest_int("n_estimators", 30, 300, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 8),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.1, 20.0, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 30.0, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.5, 1.0),
    }


DEPTHWISE_START = {
    "n_estimators": 100,
    "learning_rate": 0.3,
    "max_depth": 6,
    "min_child_weight": 1.0,
    "reg_lambda": 1.0,
    "colsample_bytree": 1.0,
}


def linear(trial: Trial) -> dict[str, Any]:
    """A penalty."""
    return {"C": trial.suggest_float("C", 1e-3, 100.0, log=True)}


def symmetric(trial: Trial) -> dict[str, Any]:
    """Trees of CatBoost."""
    return {
        "iterations": trial.suggest_int("iterations", 30, 300, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "depth": trial.suggest_int("depth", 2, 8),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.1, 30.0, log=True),
        "rsm": trial.suggest_float("rsm", 0.5, 1.0),
    }


def forest(trial: Trial) -> dict[str, Any]:
    """Trees of a random forest."""
    return {
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 20, log=True),
        "max_depth": trial.suggest_int("max_depth", 3, 20),
    }


def gamma(trial: Trial, name: str = "focal_gamma") -> dict[str, Any]:
    """One focusing parameter."""
    return {name: trial.suggest_float(name, 0.25, 5.0, log=True)}


def two_gammas(trial: Trial) -> dict[str, Any]:
    """Focusing parameters of the negative and the positive class."""
    pair = [trial.suggest_float(f"focal_gamma_{sign}", 0.0, 5.0) for sign in ("neg", "pos")]
    return {"focal_gamma": pair}


def weight_power(trial: Trial) -> dict[str, Any]:
    """Positives weigh (negatives / positives) to this power: 0 is no weight, 1 is balance."""
    return {"weight_power": trial.suggest_float("weight_power", 0.0, 1.0)}


def together(*spaces: Space) -> Space:
    """All parameters of several spaces."""
    return lambda trial: {name: v for space in spaces for name, v in space(trial).items()}


# Estimators ----------------------------------------------------------------------------


def indicators(scaled: bool = False) -> BaseEstimator:
    """Numbers only: categories as indicators, gaps filled."""
    scaler = [StandardScaler()] if scaled else []
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=20, sparse_output=False
    )
    return make_column_transformer(
        (one_hot, make_column_selector(dtype_include="category")),
        (
            make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), *scaler),
            make_column_selector(dtype_exclude="category"),
        ),
    )


BASES: dict[str, dict[str, Any]] = {
    "logistic": {
        "plain": lambda **params: LogisticRegression(max_iter=500, **params),
        "focal": lazy("skfocal", "FocalLogisticRegression"),
        "fixed": {},
        "space": linear,
        "start": {"C": 1.0},
    },
    "LightGBM": {
        "plain": lazy("lightgbm", "LGBMClassifier"),
        "focal": lazy("skfocal", "FocalLGBMClassifier"),
        "fixed": {"verbose": -1, "n_jobs": 1},
        "space": leafwise,
        "start": LEAFWISE_START,
    },
    "XGBoost": {
        "plain": lazy("xgboost", "XGBClassifier"),
        "focal": lazy("skfocal", "FocalXGBClassifier"),
        "fixed": {"enable_categorical": True, "n_jobs": 1},
        "space": depthwise,
        "start": DEPTHWISE_START,
    },
}


def _balance(base: str, params: dict[str, Any], ratio: float, focal: bool) -> dict[str, Any]:
    """The searched power of the class ratio as a parameter of the estimator."""
    if "weight_power" not in params:
        return params
    power = params.pop("weight_power")
    if ratio < 0:  # more than two classes: each by its own frequency
        weights = "balanced" if power > 0.5 else None
        return params | {"focal_alpha" if focal else "class_weight": weights}
    weight = ratio**power
    if focal:
        return params | {"focal_alpha": weight / (1.0 + weight)}
    if base == "XGBoost":
        return params | {"scale_pos_weight": weight}
    return params | {"class_weight": {0: 1.0, 1: weight}}


def _of_base(base: str, focal: bool, **fixed: Any) -> Callable[..., BaseEstimator]:
    def make(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
        kind = BASES[base]["focal" if focal else "plain"]
        params = _balance(base, dict(params), ratio, focal)
        seeds = {} if base == "logistic" else {"random_state": seed}
        estimator = kind(**BASES[base]["fixed"], **fixed, **seeds, **params)
        return (
            make_pipeline(indicators(scaled=True), estimator) if base == "logistic" else estimator
        )

    return make


def _threshold_tuned(found: BaseEstimator) -> BaseEstimator:
    # its default folds are not shuffled, and tables may be in order of time
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    return TunedThresholdClassifierCV(found, scoring="f1", cv=folds)


def _hard_examples(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
    objective = hardest(params.pop("fraction"))
    return WithObjective(
        objective, from_log_odds=True, verbose=-1, num_threads=1, seed=seed, **params
    )


def _gbdtcbl(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
    objective = lazy("gbdtCBL.binary", "FLLoss")(r1=params.pop("focal_gamma"))
    return WithObjective(objective, verbose=-1, num_threads=1, seed=seed, **params)


def _bokbokbok(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
    loss = lazy("bokbokbok.loss_functions.classification", "WeightedFocalLoss")
    weight = ratio ** params.pop("weight_power")
    theirs = loss(alpha=weight, gamma=params.pop("focal_gamma"))
    return WithObjective(
        lambda y, margins: theirs(margins, Labels(y)),
        verbose=-1,
        num_threads=1,
        seed=seed,
        **params,
    )


def _imlightgbm(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
    return lazy("imlightgbm", "ImbalancedLGBMClassifier")(
        objective="binary_focal",
        gamma=params.pop("focal_gamma"),
        verbose=-1,
        n_jobs=1,
        random_state=seed,
        **params,
    )


def _catboost(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
    loss = "Logloss" if ratio > 0 else "MultiClass"
    if "focal_gamma" in params:
        weights = f"focal_alpha={params.pop('focal_alpha')};focal_gamma={params.pop('focal_gamma')}"
        loss = f"Focal:{weights}"
    kind = lazy("catboost", "CatBoostClassifier")
    fixed = {"verbose": False, "thread_count": 1, "allow_writing_files": False}
    return WithTexts(kind(loss_function=loss, random_seed=seed, **fixed, **params))


def _resampled(sampler: str) -> Callable[..., BaseEstimator]:
    def make(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
        from imblearn import over_sampling, pipeline, under_sampling

        kinds = {
            "under": under_sampling.RandomUnderSampler,
            "SMOTE": over_sampling.SMOTE,
        }
        # a power of 1 is balance, of 0 almost the ratio that there is
        strategy = min(1.0, 1.01 * ratio ** (params.pop("weight_power") - 1.0))
        steps = (
            indicators(),
            kinds[sampler](sampling_strategy=strategy, random_state=seed),
            _of_base("LightGBM", focal=False)(params, ratio, seed),
        )
        return pipeline.make_pipeline(*steps)

    return make


def _of_imblearn(name: str, **fixed: Any) -> Callable[..., BaseEstimator]:
    def make(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
        kind = lazy("imblearn.ensemble", name)
        return make_pipeline(indicators(), kind(random_state=seed, **fixed, **params))

    return make


def _imbalance_xgboost(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
    return make_pipeline(indicators(), ImbalanceXGBoost(seed=seed, **params))


def _rounds_and_depth(trial: Trial) -> dict[str, Any]:
    """All that imbalance-xgboost has of XGBoost's parameters."""
    return {
        "num_round": trial.suggest_int("num_round", 30, 300, log=True),
        "eta": trial.suggest_float("eta", 0.02, 0.3, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 8),
    }


# The list ------------------------------------------------------------------------------


def _losses(base: str) -> dict[str, Method]:
    """The losses of one base."""
    space, start = BASES[base]["space"], BASES[base]["start"]
    posterior = _of_base(base, focal=True, link="posterior")
    weighted = together(space, weight_power)
    return {
        f"{base}": Method(base, space, _of_base(base, focal=False), True, start),
        f"{base}, weighted": Method(
            base,
            weighted,
            _of_base(base, focal=False),
            base != "XGBoost",  # of more than two classes it has no weights
            start | {"weight_power": 1.0},
        ),
        f"{base}, focal": Method(
            base,
            together(space, gamma),
            _of_base(base, focal=True),
            True,
            start | {"focal_gamma": 2.0},
        ),
        f"{base}, focal, posterior link": Method(
            base, together(space, gamma), posterior, True, start | {"focal_gamma": 2.0}
        ),
        f"{base}, focal, weighted": Method(
            base,
            together(space, gamma, weight_power),
            posterior,
            True,
            start | {"focal_gamma": 2.0, "weight_power": 1.0},
        ),
        f"{base}, focal, two gammas": Method(
            base,
            together(space, two_gammas),
            posterior,
            False,
            start | {"focal_gamma_neg": 2.0, "focal_gamma_pos": 0.0},
        ),
    }


def _fraction(trial: Trial) -> dict[str, Any]:
    return {"fraction": trial.suggest_float("fraction", 0.05, 1.0, log=True)}


def _alpha(trial: Trial) -> dict[str, Any]:
    return {"focal_alpha": trial.suggest_float("focal_alpha", 0.1, 0.9)}


LEAFWISE_GAMMA = together(leafwise, gamma)
GAMMA_START = LEAFWISE_START | {"focal_gamma": 2.0}
POWER_START = LEAFWISE_START | {"weight_power": 1.0}

METHODS: dict[str, Method] = {
    **_losses("logistic"),
    **_losses("LightGBM"),
    **_losses("XGBoost"),
    "LightGBM, tuned threshold": Method(
        "other",
        leafwise,
        _of_base("LightGBM", focal=False),
        start=LEAFWISE_START,
        finish=_threshold_tuned,
    ),
    "LightGBM, hard examples": Method(
        "other",
        together(leafwise, _fraction),
        _hard_examples,
        start=LEAFWISE_START | {"fraction": 0.5},
    ),
    "LightGBM, under-sampling": Method(
        "other", together(leafwise, weight_power), _resampled("under"), start=POWER_START
    ),
    "LightGBM, SMOTE": Method(
        "other", together(leafwise, weight_power), _resampled("SMOTE"), start=POWER_START
    ),
    "BalancedRandomForest": Method(
        "other", forest, _of_imblearn("BalancedRandomForestClassifier", n_estimators=100)
    ),
    "EasyEnsemble": Method(
        "other",
        lambda trial: {"n_estimators": trial.suggest_int("n_estimators", 4, 10)},
        _of_imblearn("EasyEnsembleClassifier"),
    ),
    "CatBoost": Method("peer", symmetric, _catboost, True),
    "CatBoost, focal": Method("peer", together(symmetric, gamma, _alpha), _catboost),
    "gbdtCBL, focal": Method("peer", LEAFWISE_GAMMA, _gbdtcbl, start=GAMMA_START),
    "imlightgbm, focal": Method("peer", LEAFWISE_GAMMA, _imlightgbm, start=GAMMA_START),
    "bokbokbok, focal": Method(
        "peer",
        together(leafwise, gamma, weight_power),
        _bokbokbok,
        start=GAMMA_START | {"weight_power": 0.0},
    ),
    "imbalance-xgboost, focal": Method(
        "peer", together(_rounds_and_depth, gamma), _imbalance_xgboost
    ),
}
