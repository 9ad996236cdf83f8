"""Metrics under training are scikit-learn's on what the model predicts."""

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from conftest import table
from numpy.testing import assert_allclose
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    zero_one_loss,
)

from skfocal import FocalLGBMClassifier, FocalXGBClassifier, metrics
from skfocal._training_metrics import LIGHTGBM, XGBOOST

LGBM, XGB = FocalLGBMClassifier, FocalXGBClassifier


def one_hot(y):
    return y[:, None] == np.arange(y.max() + 1)


def pairs_of_classes(y, P, w):
    """Kleiman & Page's definition, one pair at a time, by counting pairs of rows."""
    areas = []
    for i in range(P.shape[1]):
        for j in range(i + 1, P.shape[1]):
            odds = np.round(np.log(P[:, i]) - np.log(P[:, j]), 9)
            a, b = np.flatnonzero(y == i), np.flatnonzero(y == j)
            weight = np.outer(w[a], w[b])
            wins = (odds[a][:, None] > odds[b]) + 0.5 * (odds[a][:, None] == odds[b])
            areas.append((weight * wins).sum() / weight.sum())
    return np.mean(areas)


def expected(name, model, X, y, w):
    """The value of a metric by scikit-learn, from labels and probabilities."""
    P, labels = model.predict_proba(X).astype(float), model.predict(X)
    P /= P.sum(axis=1, keepdims=True)  # XGBoost's are float32
    binary = P.shape[1] == 2
    weighted = {"sample_weight": w}
    if name == "focal_loss":
        raw = model.set_params(probability="raw").predict_proba(X)
        model.set_params(probability="posterior")
        return metrics.focal_loss(y, raw, gamma=3.0, alpha=model.loss_.class_weight, **weighted)
    if "logloss" in name or "entropy" in name:
        return log_loss(y, P, **weighted)
    if name == "error@0.3":
        return zero_one_loss(y, P[:, 1] > 0.3, **weighted)
    if "error" in name:
        return zero_one_loss(y, labels, **weighted)
    if name in ("l2", "mse"):
        return brier_score_loss(y, P[:, 1], **weighted)
    if name == "rmse":
        return brier_score_loss(y, P[:, 1], **weighted) ** 0.5
    if name in ("l1", "mae"):
        return mean_absolute_error(y, P[:, 1], **weighted)
    if name == "auc_mu":
        return pairs_of_classes(y, P, w)
    score = roc_auc_score if name == "auc" else average_precision_score
    if binary:  # margins that differ in the last bit may have one probability
        return score(y, model.decision_function(X), **weighted)
    return score(one_hot(y), P, average="weighted", **weighted)


CELLS = [
    *[(LGBM, 2, m) for m in ("focal_loss", "binary_logloss", "cross_entropy", "binary_error")],
    *[(LGBM, 2, m) for m in ("l1", "l2", "rmse", "auc", "average_precision")],
    *[(LGBM, 3, m) for m in ("focal_loss", "multi_logloss", "multi_error", "auc", "auc_mu")],
    *[(LGBM, 3, m) for m in ("average_precision", "cross_entropy")],
    *[(XGB, 2, m) for m in ("focal_loss", "logloss", "error", "error@0.3", "rmse", "mae", "auc")],
    *[(XGB, 3, m) for m in ("focal_loss", "mlogloss", "merror", "auc", "aucpr")],
]


@pytest.mark.parametrize("kind, k, name", CELLS, ids=[f"{c.__name__}-{k}-{m}" for c, k, m in CELLS])
def test_value_by_name(kind, k, name):
    X, y, w = table(k)
    test = slice(0, 400)
    params = {"n_estimators": 8, "focal_alpha": "balanced", "focal_gamma": 3.0}
    sets = {"eval_set": [(X[test], y[test])]}
    if kind is LGBM:
        model = LGBM(verbose=-1, metric=name, **params)
        model.fit(X[400:], y[400:], **sets, eval_sample_weight=[w[test]])
    else:
        model = XGB(eval_metric=name, **params)
        model.fit(X[400:], y[400:], **sets, sample_weight_eval_set=[w[test]], verbose=False)
    ((shown, values),) = next(iter(model.evals_result_.values())).items()
    assert shown == name
    own = expected(name, model, X[test], y[test], w[test].astype(np.float32))
    # XGBoost writes six digits behind the point
    assert values[-1] == pytest.approx(own, rel=2e-6, abs=1e-6 if kind is XGB else 0)


@pytest.mark.parametrize("name", ["auc", "auc_mu", "multi_logloss", "multi_error"])
def test_at_gamma_zero_lightgbm_computes_the_same(name):
    X, y, _ = table(3)
    shown = []
    for model in (lgb.LGBMClassifier, lambda **p: LGBM(focal_gamma=0.0, **p)):
        metric = "auc_mu" if name == "auc" else name
        fitted = model(n_estimators=5, verbose=-1, metric=metric).fit(
            X[400:], y[400:], eval_set=[(X[:400], y[:400])]
        )
        shown.append(fitted.evals_result_["valid_0"][metric])
    assert_allclose(*shown, rtol=1e-9)


@pytest.mark.parametrize("k, name", [(3, "auc"), (3, "mlogloss"), (2, "error@0.3"), (2, "rmse")])
def test_at_gamma_zero_xgboost_computes_the_same(k, name):
    X, y, _ = table(k, seed=2)
    share = np.log(np.bincount(y[400:]))
    start = np.exp(share[1]) / 600 if k == 2 else (share - share.mean()).tolist()
    shown = []
    for model in (
        lambda **p: xgb.XGBClassifier(base_score=start, **p),
        lambda **p: XGB(focal_gamma=0.0, **p),
    ):
        fitted = model(n_estimators=5, eval_metric=name).fit(
            X[400:], y[400:], eval_set=[(X[:400], y[:400])], verbose=False
        )
        shown.append(fitted.evals_result()["validation_0"][name])
    assert_allclose(*shown, rtol=1e-5)


def test_xgboost_computes_the_rest_only_where_its_sigmoid_is_the_posterior():
    X, y, _ = table()
    sets = {"eval_set": [(X, y)], "verbose": False}
    with pytest.raises(ValueError, match="'rmsle' would be computed from the sigmoid"):
        XGB(eval_metric="rmsle").fit(X, y, **sets)
    model = XGB(focal_gamma=0.0, eval_metric=["rmsle", "ndcg@5-"], n_estimators=2).fit(X, y, **sets)
    assert list(model.evals_result()["validation_0"]) == ["rmsle", "ndcg@5-"]
    XGB(eval_metric="ndcg@5-", n_estimators=2).fit(X, y, **sets)  # an order is an order


@pytest.mark.parametrize(
    "kind, k, name", [(LGBM, 3, "l2"), (LGBM, 2, "auc_mu"), (XGB, 3, "rmse"), (XGB, 3, "error@0.3")]
)
def test_metrics_of_another_number_of_classes(kind, k, name):
    X, y, _ = table(k)
    params = {"metric": name} if kind is LGBM else {"eval_metric": name}
    with pytest.raises(ValueError, match=r"is for (more than )?two classes"):
        kind(**params).fit(X, y, eval_set=[(X, y)])


def test_lightgbm_metric_is_added_to_its_default_and_metric_replaces_it():
    X, y, _ = table()
    sets = {"eval_set": [(X + 0, y)]}
    theirs = lgb.LGBMClassifier(n_estimators=2, verbose=-1).fit(X, y, **sets, eval_metric="auc")
    ours = LGBM(n_estimators=2, verbose=-1).fit(X, y, **sets, eval_metric="auc")
    assert sorted(theirs.evals_result_["valid_0"]) == ["auc", "binary_logloss"]
    assert list(ours.evals_result_["valid_0"]) == ["auc", "focal_loss"]
    ours = LGBM(n_estimators=2, verbose=-1, metric="l2").fit(
        X, y, **sets, eval_metric=["mse", "l2"]
    )
    assert list(ours.evals_result_["valid_0"]) == ["l2"]


def test_every_name_is_one_metric():
    names = [n for own, (aliases, *_) in LIGHTGBM.items() for n in (own, *aliases)]
    assert len(names) == len(set(names))
    assert {"focal_loss", "auc"} <= LIGHTGBM.keys() & XGBOOST.keys()


def test_plots_and_logs_show_these_numbers(capsys):
    import matplotlib as mpl

    mpl.use("agg")
    X, y, _ = table()
    model = LGBM(n_estimators=4, verbose=-1).fit(
        X, y, eval_set=[(X + 0, y)], eval_metric="logloss", callbacks=[lgb.log_evaluation(1)]
    )
    values = model.evals_result_["valid_0"]["binary_logloss"]
    (line,) = lgb.plot_metric(model, metric="binary_logloss").get_lines()
    assert_allclose(line.get_ydata(), values)
    assert values[-1] == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-9)
    assert f"binary_logloss: {values[-1]:g}" in capsys.readouterr().out
    XGB(n_estimators=2, eval_metric="logloss").fit(X, y, eval_set=[(X, y)], verbose=True)
    assert "validation_0-logloss" in "".join(capsys.readouterr())
