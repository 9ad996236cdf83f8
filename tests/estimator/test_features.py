"""Every feature of the parents on the focal classifiers: one table, one test a cell.

The witness is the parent itself at gamma 0: with the same parameters and arguments it must
grow the same model. So that no feature passes by being ignored on both sides, each must
also change the model, unless the row says why it does not.
"""

from dataclasses import dataclass, field
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.utils.fixes import parse_version

from skfocal import FocalLGBMClassifier, FocalXGBClassifier
from tests.backends import margins, of, quiet_fit
from tests.conftest import table

LGBM, XGB = FocalLGBMClassifier, FocalXGBClassifier
COLUMNS = [f"c{i}" for i in range(10)]


@dataclass
class Feature:
    """Parameters, arguments of fit, and the form of X; each may be a function of the data."""

    name: str
    kinds: tuple = (LGBM, XGB)
    params: Any = field(default_factory=dict)
    fit: Any = field(default_factory=dict)
    form: Any = None
    changes: Any = True
    """Whether the model must differ from one without the feature; may depend on n_classes."""


def frame(X):
    return pd.DataFrame(X, columns=COLUMNS)


def coarse(X):
    """The first column in quarters, as small integers."""
    X = X.copy()
    X[:, 0] = np.digitize(X[:, 0], np.quantile(X[:, 0], [0.25, 0.5, 0.75]))
    X[:, 0] = np.array([2, 0, 3, 1])[X[:, 0].astype(int)]
    return X


def categories(X):
    out = frame(coarse(X))
    out["c0"] = pd.Categorical.from_codes(out["c0"].astype(int), list("abcd"))
    return out


def with_missing(X):
    X = X.copy()
    X[::7, 1] = np.nan
    return X


def nullable(X):
    out = frame(with_missing(X)).convert_dtypes()
    assert out["c1"].dtype == "Float64"
    return out


def per_row(data):
    _, y, _ = data
    k = len(np.unique(y))
    start = np.sin(np.arange(len(y)))
    return start if k == 2 else np.outer(start, np.arange(k))


def evaluation(data):
    X, y, _ = data
    return {"eval_set": [(X[:200] + 0, y[:200])]}


def early(kind):
    def fit(data):
        given = evaluation(data)
        return (
            {**given, "callbacks": [lgb.early_stopping(3, verbose=False)]}
            if kind is LGBM
            else given
        )

    return fit


FEATURES = [
    Feature("csr", form=sparse.csr_array, changes=False),  # the same numbers
    Feature("csc", form=sparse.csc_array, changes=False),  # the same numbers
    Feature("frame", form=frame, changes=False),  # the same numbers
    Feature(
        "mixed column names",
        form=lambda X: pd.DataFrame(X, columns=[*COLUMNS[:9], 9]),
        changes=False,
    ),
    Feature("nullable dtypes", form=nullable),
    Feature("polars", form=lambda X: pl.DataFrame(X, schema=COLUMNS), changes=False),
    Feature("arrow table", form=lambda X: pa.table(frame(X)), changes=False),
    Feature(
        "lazy polars", (XGB,), form=lambda X: pl.DataFrame(X, schema=COLUMNS).lazy(), changes=False
    ),
    Feature("missing values", form=with_missing),
    Feature("pandas categories", (LGBM,), form=categories),
    Feature("pandas categories", (XGB,), params={"enable_categorical": True}, form=categories),
    Feature("categorical_feature", (LGBM,), fit={"categorical_feature": [0]}, form=coarse),
    Feature(
        "feature_types",
        (XGB,),
        params={
            "enable_categorical": True,
            "feature_types": ["c"] + ["q"] * 9,
            "max_cat_to_onehot": 1,
        },
        form=coarse,
    ),
    Feature(
        "max_cat_to_onehot",
        (LGBM,),
        params={"max_cat_to_onehot": 2},
        fit={"categorical_feature": [0]},
        form=coarse,
    ),
    Feature("feature_name", (LGBM,), fit={"feature_name": COLUMNS}, changes=False),  # names only
    Feature("sample_weight", fit=lambda data: {"sample_weight": data[2]}),
    Feature("class_weight", (LGBM,), params={"class_weight": "balanced"}),
    Feature("init_score", (LGBM,), fit=lambda data: {"init_score": per_row(data)}),
    Feature("base_margin", (XGB,), fit=lambda data: {"base_margin": per_row(data)}),
    Feature(
        "base_score",
        (XGB,),
        params=lambda data: {
            "base_score": 0.3 if len(np.unique(data[1])) == 2 else [0.1, 0.2, 0.3]
        },
    ),
    Feature("boost_from_average", (LGBM,), params={"boost_from_average": False}),
    Feature("monotone", (LGBM,), params={"monotone_constraints": [1, -1] + [0] * 8}),
    Feature("monotone", (XGB,), params={"monotone_constraints": (1, -1, *[0] * 8)}),
    Feature(
        "interaction constraints",
        (LGBM,),
        params={"interaction_constraints": [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]},
    ),
    Feature(
        "interaction constraints",
        (XGB,),
        params={"interaction_constraints": "[[0,1,2,3,4],[5,6,7,8,9]]"},
    ),
    Feature("GOSS", (LGBM,), params={"data_sample_strategy": "goss", "learning_rate": 0.3}),
    Feature(
        "gradient_based",
        (XGB,),
        params={"sampling_method": "uniform", "subsample": 0.5, "random_state": 1},
    ),
    Feature("bagging", (LGBM,), params={"subsample": 0.5, "subsample_freq": 1, "random_state": 1}),
    Feature("extra trees", (LGBM,), params={"extra_trees": True, "random_state": 1}),
    Feature("linear trees", (LGBM,), params={"linear_tree": True}),
    Feature("quantised", (LGBM,), params={"use_quantized_grad": True}),
    Feature(
        "quantised, leaves renewed",
        (LGBM,),
        params={"use_quantized_grad": True, "quant_train_renew_leaf": True},
    ),
    Feature(
        "feature_fraction_bynode",
        (LGBM,),
        params={"feature_fraction_bynode": 0.5, "random_state": 1},
    ),
    Feature(
        "colsample",
        (XGB,),
        params={"colsample_bytree": 0.5, "colsample_bynode": 0.7, "random_state": 1},
    ),
    Feature(
        "feature_weights",
        (XGB,),
        params={
            "feature_weights": np.arange(1.0, 11.0),
            "colsample_bytree": 0.5,
            "random_state": 1,
        },
    ),
    Feature("forest", (XGB,), params={"num_parallel_tree": 2, "subsample": 0.5, "random_state": 1}),
    Feature("lossguide", (XGB,), params={"grow_policy": "lossguide", "max_leaves": 7}),
    Feature("tree_method exact", (XGB,), params={"tree_method": "exact"}),
    Feature("DART", (XGB,), params={"booster": "dart", "rate_drop": 0.3, "random_state": 1}),
    Feature(
        "multi_output_tree",
        (XGB,),
        params={"multi_strategy": "multi_output_tree", "tree_method": "hist"},
        changes=lambda n_classes: n_classes > 2,
    ),
    Feature(
        "random_state",
        params={"random_state": 7, "subsample": 0.5, "colsample_bytree": 1.0},
        changes=False,
    ),
    Feature("n_jobs", params={"n_jobs": 2}, changes=False),  # speed only
    Feature(
        "regularisation", params={"reg_alpha": 1.0, "reg_lambda": 5.0, "min_child_weight": 3.0}
    ),
    Feature("min_split_loss", params={"min_split_gain": 0.3}, kinds=(LGBM,)),
    Feature("min_split_loss", params={"min_split_loss": 1.0}, kinds=(XGB,)),
    Feature("max_delta_step", params={"max_delta_step": 0.3}),
    Feature("eval_set", fit=evaluation, changes=False),  # watched only
    Feature(
        "early stopping",
        (LGBM,),
        params={"n_estimators": 200, "learning_rate": 0.5},
        fit=early(LGBM),
    ),
    Feature(
        "early stopping",
        (XGB,),
        params={"n_estimators": 200, "learning_rate": 0.5, "early_stopping_rounds": 3},
        fit=early(XGB),
    ),
    Feature(
        "early_stopping_rounds",
        (LGBM,),
        params={"n_estimators": 200, "learning_rate": 0.5, "early_stopping_rounds": 3},
        fit=early(LGBM),
    ),
    Feature(
        "learning rate schedule",
        (LGBM,),
        fit=lambda data: {"callbacks": [lgb.reset_parameter(learning_rate=lambda i: 0.3 * 0.9**i)]},
    ),
    Feature(
        "learning rate schedule",
        (XGB,),
        params=lambda data: {
            "callbacks": [xgb.callback.LearningRateScheduler(lambda i: 0.3 * 0.9**i)]
        },
    ),
]
CELLS = [
    pytest.param(f, kind, k, id=f"{f.name}-{of(kind).name}-{k} classes")
    for f in FEATURES
    for kind in f.kinds
    for k in (2, 3)
]


COMMON = {
    "lightgbm": {"n_estimators": 15, "n_jobs": 1, "verbose": -1},
    "xgboost": {"n_estimators": 15, "n_jobs": 1, "learning_rate": 0.1, "max_depth": 4},
}


def resolved(thing, data):
    return thing(data) if callable(thing) else thing


def model_of(kind, data, feature, **focal):
    """A fitted model and its margins."""
    X, y, _ = data
    X = X if feature is None or feature.form is None else feature.form(X)
    params, fit = {}, {}
    if feature is not None:
        params = resolved(feature.params, data)
        fit = dict(resolved(feature.fit, data))
        if feature.form is not None and "eval_set" in fit:
            fit["eval_set"] = [(feature.form(a), b) for a, b in fit["eval_set"]]
    fit = quiet_fit(kind) | fit
    model = kind(**{**COMMON[of(kind).name], **focal, **params})
    model.fit(X, y, **fit)
    return model, margins(model, X)


def start_of(data, feature):
    """XGBoost's own start, given so that all versions begin at the same."""
    fit = resolved(feature.fit, data)
    share = np.bincount(data[1], weights=fit.get("sample_weight"))
    log_share = np.log(share / share.sum())
    if len(share) == 2:
        return float(share[1] / share.sum())
    return (log_share - log_share.mean()).tolist()


@pytest.mark.filterwarnings(
    "ignore:.*booster=dart", "ignore:Using the default parameters for the polars `LazyFrame"
)
@pytest.mark.parametrize("feature, kind, n_classes", CELLS)
def test_feature_as_the_parent_has_it(feature, kind, n_classes):
    if (
        feature.name == "arrow table"
        and kind is LGBM
        and parse_version(lgb.__version__) < parse_version("4.7")
    ):
        pytest.skip("LightGBM 4.6's scikit-learn classes do not take Arrow tables")
    data = table(n_classes, n_rows=600, seed=2)
    parent = of(kind).parent
    theirs = {}
    params = resolved(feature.params, data)
    if kind is XGB and "base_score" not in params:
        theirs = {"base_score": start_of(data, feature)}
    _, raw = model_of(kind, data, feature, focal_gamma=0.0)
    _, expected = model_of(parent, data, feature, **theirs)
    assert_allclose(raw, expected, atol=1e-6 if kind is LGBM else 1e-5)
    _, with_feature = model_of(kind, data, feature, focal_gamma=2.0)
    assert np.isfinite(with_feature).all()
    if resolved(feature.changes, n_classes):
        _, without = model_of(kind, data, None, focal_gamma=2.0)
        assert np.abs(with_feature - without).max() > 1e-3
