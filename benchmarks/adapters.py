"""Baselines and other packages behind scikit-learn's interface, for the quality benchmark."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone


def lazy(module: str, name: str) -> Callable[..., Any]:
    """A class that is imported when it is made: no environment has all packages."""
    return lambda **params: getattr(importlib.import_module(module), name)(**params)


class WithObjective(ClassifierMixin, BaseEstimator):
    """LightGBM on an objective of (labels, margins), as its users would have it.

    Probabilities are the sigmoid or softmax of the margins, which start at 0, or (two classes) at
    the log-odds.
    """

    def __init__(self, objective, from_log_odds: bool = False, **params) -> None:
        self.objective, self.from_log_odds, self.params = objective, from_log_odds, params

    def fit(self, X, y) -> "WithObjective":
        """Train."""
        import lightgbm

        y = np.asarray(y, dtype=float)
        self.classes_ = np.unique(y).astype(int)
        self.start_ = 0.0
        data = lightgbm.Dataset(X, y)
        params = dict(self.params)
        rounds = params.pop("n_estimators")
        if len(self.classes_) > 2:
            params["num_class"] = len(self.classes_)
        elif self.from_log_odds:
            self.start_ = np.log(y.mean() / (1 - y.mean()))
            data.set_init_score(np.full(len(y), self.start_))
        params["objective"] = lambda margins, data: self.objective(data.get_label(), margins)
        self.booster_ = lightgbm.train(params, data, rounds)
        return self

    def decision_function(self, X) -> np.ndarray:
        """The margins."""
        return self.start_ + self.booster_.predict(X, raw_score=True)

    def predict_proba(self, X) -> np.ndarray:
        """Sigmoid or softmax of the margins."""
        margins = self.decision_function(X)
        if margins.ndim == 2:
            return softmax(margins, axis=1)
        positive = expit(margins)
        return np.column_stack([1 - positive, positive])

    def predict(self, X) -> np.ndarray:
        """The class with the largest probability."""
        return self.predict_proba(X).argmax(axis=1)


class ImLightGBM(ClassifierMixin, BaseEstimator):
    """imlightgbm, told how many classes there are, which it does not see for itself."""

    def __init__(self, **params) -> None:
        self.params = params

    def fit(self, X, y) -> "ImLightGBM":
        """Train."""
        self.classes_ = np.unique(y)
        two = {"objective": "binary_focal"}
        more = {"objective": "multiclass_focal", "num_class": len(self.classes_)}
        kind = lazy("imlightgbm", "ImbalancedLGBMClassifier")
        self.model_ = kind(**(two if len(self.classes_) == 2 else more), **self.params).fit(X, y)
        return self

    def decision_function(self, X) -> np.ndarray:
        """Its margins."""
        return self.model_.predict(X, raw_score=True)

    def predict_proba(self, X) -> np.ndarray:
        """Sigmoid or softmax of its margins."""
        return self.model_.predict_proba(X)

    def predict(self, X) -> np.ndarray:
        """Labels as it has them."""
        return self.model_.predict(X)


def hardest(fraction: float) -> Callable:
    """Log loss of the rows that are hardest in each round (Shrivastava et al. 2016)."""

    def objective(y: np.ndarray, margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = expit(margins)
        gradient, hessian = p - y, p * (1 - p)
        left_out = np.argsort(np.abs(gradient))[: int((1 - fraction) * len(y))]
        gradient[left_out] = hessian[left_out] = 0.0
        return gradient, hessian

    return objective


class Labels:
    """What an objective that wants a data set asks it for."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels

    def get_label(self) -> np.ndarray:
        """Their name for it."""
        return self.labels


class WithTexts(ClassifierMixin, BaseEstimator):
    """CatBoost with missing categories as a category of their own."""

    def __init__(self, model) -> None:
        self.model = model

    def _told(self, X: pd.DataFrame) -> pd.DataFrame:
        texts = X.select_dtypes("category").astype(object)
        return X.assign(**texts.where(texts.notna(), "missing").astype(str))

    def fit(self, X, y) -> "WithTexts":
        """Train."""
        columns = list(X.select_dtypes("category"))
        self.model_ = self.model.copy().fit(self._told(X), y, cat_features=columns)
        self.classes_ = self.model_.classes_
        return self

    def decision_function(self, X) -> np.ndarray:
        """CatBoost's margins."""
        return self.model_.predict(self._told(X), prediction_type="RawFormulaVal")

    def predict_proba(self, X) -> np.ndarray:
        """Probabilities as CatBoost has them."""
        return self.model_.predict_proba(self._told(X))

    def predict(self, X) -> np.ndarray:
        """Labels as CatBoost has them."""
        return self.model_.predict(self._told(X)).ravel()


def with_codes(X: pd.DataFrame) -> pd.DataFrame:
    """Categories as scikit-learn's trees take them: up to 255, and without holes; else numbers."""
    columns = {}
    for name in X.select_dtypes("category"):
        codes, few = X[name].cat.codes, len(X[name].cat.categories) < 255
        columns[name] = codes.astype("category") if few else codes.astype(float)
    return X.assign(**columns)


class WithCodes(ClassifierMixin, BaseEstimator):
    """scikit-learn's trees on tables of `with_codes`."""

    def __init__(self, model) -> None:
        self.model = model

    def fit(self, X, y) -> "WithCodes":
        """Train."""
        self.model_ = clone(self.model).fit(with_codes(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Probabilities as the trees have them."""
        return self.model_.predict_proba(with_codes(X))

    def predict(self, X) -> np.ndarray:
        """Labels as the trees have them."""
        return self.model_.predict(with_codes(X))


class ImbalanceXGBoost(ClassifierMixin, BaseEstimator):
    """imbalance-xgboost with numbers for columns, and the sigmoid that it offers."""

    def __init__(self, **params) -> None:
        self.params = params

    def fit(self, X, y) -> "ImbalanceXGBoost":
        """Train; it sets a quarter of the rows aside by NumPy's global generator."""
        kind = lazy("imxgboost.imbalance_xgb", "imbalance_xgboost")
        params = dict(self.params)
        np.random.seed(params.pop("seed"))  # noqa: NPY002
        self.model_ = kind(special_objective="focal", verbosity=0, **params)
        self.model_.fit(np.asarray(X, dtype=float), np.asarray(y, dtype=float))
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, X) -> np.ndarray:
        """What its ``predict`` gives: margins."""
        return self.model_.predict(np.asarray(X, dtype=float)).astype(float)

    def predict_proba(self, X) -> np.ndarray:
        """Its ``predict_sigmoid``."""
        positive = self.model_.predict_sigmoid(np.asarray(X, dtype=float))
        return np.column_stack([1 - positive, positive])

    def predict(self, X) -> np.ndarray:
        """1 where the probability is above a half."""
        return (self.predict_proba(X)[:, 1] > 0.5).astype(int)
