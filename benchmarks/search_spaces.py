"""What the search of the quality benchmark chooses from, for each kind of model."""

from collections.abc import Callable
from typing import Any

from optuna import Trial

Space = Callable[[Trial], dict[str, Any]]
GAMMAS = (0.25, 5.0)


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


def histogram(trial: Trial) -> dict[str, Any]:
    """Trees of scikit-learn."""
    return {
        "max_iter": trial.suggest_int("max_iter", 30, 300, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 4, 64, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 100, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 1e-3, 30.0, log=True),
        "max_features": trial.suggest_float("max_features", 0.5, 1.0),
    }


HISTOGRAM_START = {
    "max_iter": 100,
    "learning_rate": 0.1,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 20,
    "l2_regularization": 1e-3,
    "max_features": 1.0,
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


def steps(trial: Trial) -> dict[str, Any]:
    """Newton steps a leaf of CatBoost, whose default depends on the loss."""
    return {"leaf_estimation_iterations": trial.suggest_int("leaf_estimation_iterations", 1, 10)}


def forest(trial: Trial) -> dict[str, Any]:
    """Trees of a random forest."""
    return {
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 20, log=True),
        "max_depth": trial.suggest_int("max_depth", 3, 20),
    }


def gamma(trial: Trial) -> dict[str, Any]:
    """One focusing parameter."""
    return {"focal_gamma": trial.suggest_float("focal_gamma", *GAMMAS, log=True)}


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


def rounds_and_depth(trial: Trial) -> dict[str, Any]:
    """All that imbalance-xgboost has of XGBoost's parameters."""
    return {
        "num_round": trial.suggest_int("num_round", 30, 300, log=True),
        "eta": trial.suggest_float("eta", 0.02, 0.3, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 8),
    }


def fraction(trial: Trial) -> dict[str, Any]:
    """The share of rows that count as hard."""
    return {"fraction": trial.suggest_float("fraction", 0.05, 1.0, log=True)}


def alpha(trial: Trial) -> dict[str, Any]:
    """The paper's weight of the positive class."""
    return {"focal_alpha": trial.suggest_float("focal_alpha", 0.1, 0.9)}


def bags(trial: Trial) -> dict[str, Any]:
    """Members of an ensemble."""
    return {"n_estimators": trial.suggest_int("n_estimators", 4, 10)}


SYMMETRIC_START = {
    "iterations": 300,
    "learning_rate": 0.1,
    "depth": 6,
    "l2_leaf_reg": 3.0,
    "rsm": 1.0,
}
