"""What the quality benchmark compares: how each method is made, and what is searched over.

Methods of one booster share the search space of its trees; a loss adds its own parameters to
it, and gets no more trials for them. A method is fitted on frames whose columns of text are
categories where it knows what they are, else on indicator columns and filled gaps.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.adapters import (
    ImbalanceXGBoost,
    ImLightGBM,
    Labels,
    WithCodes,
    WithObjective,
    WithTexts,
    hardest,
    lazy,
)
from benchmarks.search_spaces import (
    DEPTHWISE_START,
    HISTOGRAM_START,
    LEAFWISE_START,
    SYMMETRIC_START,
    Space,
    alpha,
    bags,
    depthwise,
    forest,
    fraction,
    gamma,
    histogram,
    leafwise,
    linear,
    rounds_and_depth,
    steps,
    symmetric,
    together,
    two_gammas,
    weight_power,
)


@dataclass(frozen=True)
class Method:
    """``make`` gives an estimator for parameters of ``space``, class ratio and seed."""

    space: Space
    make: Callable[[dict[str, Any], float, int], BaseEstimator]
    start: dict[str, Any]  # what the search tries first: near the defaults of the library
    multiclass: bool = False
    needs: str = ""  # a package that not every environment has
    finish: Callable[[BaseEstimator], BaseEstimator] = lambda found: found  # after the search


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
    "scikit-learn": {
        "plain": lambda **params: WithCodes(HistGradientBoostingClassifier(**params)),
        "focal": lambda **params: WithCodes(
            lazy("skfocal", "FocalHistGradientBoostingClassifier")(**params)
        ),
        "fixed": {"early_stopping": False},
        "space": histogram,
        "start": HISTOGRAM_START,
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
    gamma = params.pop("focal_gamma")
    if ratio > 0:
        objective = lazy("gbdtCBL.binary", "FLLoss")(r1=gamma)
    else:
        objective = lazy("gbdtCBL.lgbmulti", "LGBFLMulti")(r=gamma)
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
    gamma = params.pop("focal_gamma")
    return ImLightGBM(gamma=gamma, verbose=-1, n_jobs=1, random_state=seed, **params)


def _catboost(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
    loss = "Logloss" if ratio > 0 else "MultiClass"
    if "focal_gamma" in params:
        weights = f"focal_alpha={params.pop('focal_alpha')};focal_gamma={params.pop('focal_gamma')}"
        loss = f"Focal:{weights}"
    kind = lazy("catboost", "CatBoostClassifier")
    fixed = {"verbose": False, "thread_count": 1, "allow_writing_files": False}
    return WithTexts(kind(loss_function=loss, random_seed=seed, **fixed, **params))


def _focal_catboost(**fixed: Any) -> Callable[..., BaseEstimator]:
    """CatBoost on the loss of this package."""

    def make(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
        quiet = {"verbose": False, "thread_count": 1, "allow_writing_files": False}
        kind = lazy("skfocal", "FocalCatBoostClassifier")
        return WithTexts(kind(random_seed=seed, **quiet, **fixed, **params))

    return make


def _rows_after(sampler: str, ratio: float, power: float) -> Callable[[Any], dict[int, int]]:
    """Rows that a class has after resampling: a power of 1 is balance, of 0 almost no change."""
    wanted = min(1.0, 1.01 * ratio ** (power - 1.0))

    def rows(y: Any) -> dict[int, int]:
        negatives, positives = int((y == 0).sum()), int((y == 1).sum())
        # folds differ a little in their ratio, and no sampler may add where it should remove
        if sampler == "under":
            return {0: min(negatives, int(positives / wanted))}
        return {1: max(positives, int(negatives * wanted))}

    return rows


def _resampled(sampler: str) -> Callable[..., BaseEstimator]:
    def make(params: dict[str, Any], ratio: float, seed: int) -> BaseEstimator:
        from imblearn import over_sampling, pipeline, under_sampling

        kinds = {
            "under": under_sampling.RandomUnderSampler,
            "SMOTE": over_sampling.SMOTE,
        }
        strategy = _rows_after(sampler, ratio, params.pop("weight_power"))
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


def _losses(base: str) -> dict[str, Method]:
    """The losses of one base; weights and two gammas with the posterior link."""
    space, start = BASES[base]["space"], BASES[base]["start"]
    plain, focal = _of_base(base, focal=False), _of_base(base, focal=True)
    posterior = _of_base(base, focal=True, link="posterior")
    two, balanced = {"focal_gamma": 2.0}, {"weight_power": 1.0}
    pair = {"focal_gamma_neg": 2.0, "focal_gamma_pos": 0.0}
    weighted = base != "XGBoost"  # of more than two classes it has no weights
    return {
        f"{base}": Method(space, plain, start, True),
        f"{base}, weighted": Method(
            together(space, weight_power), plain, start | balanced, weighted
        ),
        f"{base}, focal": Method(together(space, gamma), focal, start | two, True),
        f"{base}, focal, posterior link": Method(
            together(space, gamma), posterior, start | two, True
        ),
        f"{base}, focal, weighted": Method(
            together(space, gamma, weight_power), posterior, start | two | balanced, True
        ),
        f"{base}, focal, two gammas": Method(together(space, two_gammas), posterior, start | pair),
    }


WITH_GAMMA, WITH_POWER = together(leafwise, gamma), together(leafwise, weight_power)
GAMMA_START = LEAFWISE_START | {"focal_gamma": 2.0}
STEPS_START = SYMMETRIC_START | {"leaf_estimation_iterations": 10}
POWER_START = LEAFWISE_START | {"weight_power": 1.0}
METHODS: dict[str, Method] = {
    **_losses("logistic"),
    **_losses("LightGBM"),
    **_losses("XGBoost"),
    **_losses("scikit-learn"),
    "LightGBM, tuned threshold": Method(
        leafwise,
        _of_base("LightGBM", focal=False),
        LEAFWISE_START,
        finish=_threshold_tuned,
    ),
    "LightGBM, hard examples": Method(
        together(leafwise, fraction),
        _hard_examples,
        LEAFWISE_START | {"fraction": 0.5},
    ),
    "LightGBM, under-sampling": Method(
        WITH_POWER, _resampled("under"), POWER_START, needs="imblearn"
    ),
    "LightGBM, SMOTE": Method(WITH_POWER, _resampled("SMOTE"), POWER_START, needs="imblearn"),
    "BalancedRandomForest": Method(
        forest,
        _of_imblearn("BalancedRandomForestClassifier", n_estimators=100),
        {"max_features": 0.3, "min_samples_leaf": 1, "max_depth": 20},
        needs="imblearn",
    ),
    "EasyEnsemble": Method(
        bags,
        _of_imblearn("EasyEnsembleClassifier"),
        {"n_estimators": 10},
        needs="imblearn",
    ),
    "CatBoost": Method(symmetric, _catboost, SYMMETRIC_START, True, needs="catboost"),
    "CatBoost, focal": Method(
        together(symmetric, gamma, alpha),
        _catboost,
        SYMMETRIC_START | {"focal_gamma": 2.0, "focal_alpha": 0.5},
        needs="catboost",
    ),
    # the same with the Newton steps a leaf in the search, which depend on the loss otherwise
    "CatBoost, steps": Method(
        together(symmetric, steps), _catboost, STEPS_START, True, needs="catboost"
    ),
    "CatBoost, focal, steps": Method(
        together(symmetric, steps, gamma, alpha),
        _catboost,
        STEPS_START | {"focal_gamma": 2.0, "focal_alpha": 0.5},
        needs="catboost",
    ),
    **{
        f"CatBoost, focal of skfocal{name}": Method(
            together(symmetric, steps, gamma),
            _focal_catboost(link=link),
            STEPS_START | {"focal_gamma": 2.0},
            needs="catboost",
        )
        for name, link in (("", "focal"), (", posterior link", "posterior"))
    },
    "gbdtCBL, focal": Method(WITH_GAMMA, _gbdtcbl, GAMMA_START, True, needs="gbdtCBL"),
    "imlightgbm, focal": Method(WITH_GAMMA, _imlightgbm, GAMMA_START, True, needs="imlightgbm"),
    "bokbokbok, focal": Method(
        together(leafwise, gamma, weight_power),
        _bokbokbok,
        GAMMA_START | {"weight_power": 0.0},
        needs="bokbokbok",
    ),
    "imbalance-xgboost, focal": Method(
        together(rounds_and_depth, gamma),
        _imbalance_xgboost,
        {"num_round": 100, "eta": 0.3, "max_depth": 6, "focal_gamma": 2.0},
        needs="imxgboost",
    ),
}


# Other packages' focal losses, and the base whose focal loss each is compared with.
PEERS = {
    "CatBoost, focal": "LightGBM",
    "gbdtCBL, focal": "LightGBM",
    "imlightgbm, focal": "LightGBM",
    "bokbokbok, focal": "LightGBM",
    "imbalance-xgboost, focal": "XGBoost",
}


def installed(method: Method) -> bool:
    """Whether a method can be run in this environment."""
    return not method.needs or importlib.util.find_spec(method.needs) is not None
