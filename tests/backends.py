"""What differs between the booster libraries in the tests: one row a library.

A test that runs on several backends takes from the row of its class what the library calls a
thing. A new backend is one more row.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import lightgbm as lgb
import numpy as np
import xgboost as xgb

from skfocal import (
    FocalCatBoostClassifier,
    FocalHistGradientBoostingClassifier,
    FocalLGBMClassifier,
    FocalLogisticRegression,
    FocalXGBClassifier,
)

LOGISTIC, LGBM, XGB = FocalLogisticRegression, FocalLGBMClassifier, FocalXGBClassifier
CAT = FocalCatBoostClassifier  # of two classes, and with a model in place of a booster
HIST = FocalHistGradientBoostingClassifier  # scikit-learn's: it has no booster, and so no row


@dataclass(frozen=True)
class Backend:
    """A booster library: its classes, the names of its arguments, its objects."""

    name: str
    kind: type
    """The focal classifier."""
    parent: type
    """The library's classifier."""
    constructor_of: type
    """The library's class whose constructor has the parameters."""
    quiet: dict[str, Any]
    """Parameters with which a fit prints nothing."""
    quiet_fit: dict[str, Any]
    """Arguments of ``fit`` with which it does not print its evaluation sets."""
    margin: str
    """Argument of ``predict`` that asks for margins, the scores before sigmoid or softmax."""
    init_score: str
    """Argument of ``fit`` with the margins at which training starts."""
    order: str
    """The order in which such margins of several classes may lie in one dimension."""
    init_model: str
    """Argument of ``fit`` with the model that training continues."""
    metric: str
    """Parameter that names metrics."""
    eval_weight: str
    """Argument of ``fit`` with the weights of evaluation sets."""
    objective: str
    """Parameter under which loggers find the focal loss."""
    real: type
    """The precision of margins and probabilities."""
    rtol: float
    """The rounding of probabilities, relative to them."""
    atol: float
    """The rounding of margins, of a size near 1."""
    centred: bool
    """Whether starts of several classes have the sum 0."""
    file: str
    """Name of a file in the library's own format."""
    booster: Callable[[Any], Any]
    """The library's booster of a fitted classifier."""
    best_round: Callable[[Any], int]
    """The round at which early stopping found the best value, counted from 0."""
    data_set: Callable[..., Any]
    """The library's own data set of X, y and weight."""


BACKENDS = {
    "lightgbm": Backend(
        name="lightgbm",
        kind=LGBM,
        parent=lgb.LGBMClassifier,
        constructor_of=lgb.LGBMClassifier,
        quiet={"verbose": -1},
        quiet_fit={},
        margin="raw_score",
        init_score="init_score",
        order="F",
        init_model="init_model",
        metric="metric",
        eval_weight="eval_sample_weight",
        objective="objective",
        real=np.float64,
        rtol=1e-12,
        atol=1e-12,
        centred=False,
        file="model.txt",
        booster=lambda model: model.booster_,
        best_round=lambda model: model.best_iteration_ - 1,
        data_set=lambda X, y, weight=None: lgb.Dataset(X, y, weight=weight, params={"verbose": -1}),
    ),
    "xgboost": Backend(
        name="xgboost",
        kind=XGB,
        parent=xgb.XGBClassifier,
        constructor_of=xgb.XGBModel,
        quiet={},
        quiet_fit={"verbose": False},
        margin="output_margin",
        init_score="base_margin",
        order="C",
        init_model="xgb_model",
        metric="eval_metric",
        eval_weight="sample_weight_eval_set",
        objective="custom_metric",
        real=np.float32,
        rtol=1e-5,
        atol=1e-6,
        centred=True,
        file="model.json",
        booster=lambda model: model.get_booster(),
        best_round=lambda model: model.best_iteration,
        data_set=lambda X, y, weight=None: xgb.DMatrix(X, y, weight=weight),
    ),
}


def of(kind):
    """The row of a classifier or its class: focal, of the library, or of the cluster."""
    kind = kind if isinstance(kind, type) else type(kind)
    for row in BACKENDS.values():
        if issubclass(kind, row.parent) or kind.__name__ == f"Dask{row.kind.__name__}":
            return row
    raise KeyError(kind)


def make(kind, n_estimators=20, *, trees=MappingProxyType({}), **parameters):
    """A quiet classifier with one thread; ``n_estimators`` and ``trees`` are of boosters alone."""
    if kind is LOGISTIC:
        return kind(**parameters)
    if kind is HIST:
        return kind(**{"max_iter": n_estimators, **parameters})
    if kind is CAT:
        quiet_ = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}
        return kind(**{"iterations": n_estimators, **quiet_, **parameters})
    defaults = {"n_estimators": n_estimators, "n_jobs": 1, **of(kind).quiet, **trees}
    return kind(**{**defaults, **parameters})


def margins(model, X):
    """Margins of a fitted booster."""
    return model.predict(X, **{of(model).margin: True})


def quiet(kind):
    """Parameters with which a class of the library or of ours is quiet."""
    return of(kind).quiet


def quiet_fit(kind):
    """Arguments with which ``fit`` does not print; a dict that may be changed."""
    return dict(of(kind).quiet_fit)


def install_command(extra):
    """The command that installs what pyproject.toml lists for an extra."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    needs = sorted(tomllib.loads(text)["project"]["optional-dependencies"][extra])
    return " ".join(["pip install", *(f'"{need}"' for need in needs)])
