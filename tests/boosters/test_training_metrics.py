"""Metrics under training are scikit-learn's on what the model predicts, in all their digits."""

import os

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose
from scipy.special import expit, log_softmax
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    zero_one_loss,
)
from xgboost.callback import (
    EarlyStopping,
    EvaluationMonitor,
    LearningRateScheduler,
    TrainingCallback,
)

from skfocal import FocalEvalMetric, FocalLGBMClassifier, FocalXGBClassifier, metrics
from skfocal.lightgbm._metrics import BY_NAME as LIGHTGBM
from skfocal.xgboost._metrics import BY_NAME as XGBOOST
from tests.backends import of
from tests.conftest import table

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
    row = of(kind)
    model = kind(**{row.metric: name}, **row.quiet, **params)
    model.fit(X[400:], y[400:], **sets, **{row.eval_weight: [w[test]]}, **row.quiet_fit)
    ((shown, values),) = next(iter(model.evals_result_.values())).items()
    assert shown == name
    own = expected(name, model, X[test], y[test], w[test].astype(np.float32))
    assert values[-1] == pytest.approx(own, rel=2e-6)


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


@pytest.mark.parametrize(
    "k, name", [(3, "auc"), (3, "mlogloss"), (2, "logloss"), (2, "error@0.3"), (2, "rmse")]
)
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
    # of one model; XGBoost's gradients are not ours to the last bit
    assert_allclose(*shown, rtol=1e-6)


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
    params = {of(kind).metric: name}
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


def test_xgboost_prints_small_metrics_with_five_digits(capfd):
    """Large ones as its own class does; what is printed is in the history."""
    X, y, _ = table()
    sets = {"eval_set": [(X, y)], "verbose": True}
    model = XGB(n_estimators=2, focal_alpha=[1e-3, 1e-3], eval_metric=["auc", "focal_loss"])
    history = model.fit(X, y, **sets).evals_result()["validation_0"]
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    for line, auc, loss in zip(lines, history["auc"], history["focal_loss"], strict=True):
        assert 0 < loss < 0.001
        assert line.split("\t")[1:] == [
            f"validation_0-auc:{auc:.5f}",
            f"validation_0-focal_loss:{loss:.5g}",
        ]
    XGB(n_estimators=9, focal_gamma=0, eval_metric="logloss").fit(X, y, **sets | {"verbose": 4})
    ours = capfd.readouterr().out
    xgb.XGBClassifier(n_estimators=9, eval_metric="logloss").fit(X, y, **sets | {"verbose": 4})
    assert ours == capfd.readouterr().out


# With 50 in this variable of the environment there are 50 random fits.
N_RANDOM_FITS = int(os.environ.get("SKFOCAL_RANDOM_FITS", "12"))
PATIENCE = 5


def tiny_brier(y, P, sample_weight=None):
    """A score of a user's, too small for six decimals."""
    own = P if P.ndim == 1 else P[:, 1]
    return 1e-6 * np.average((own - (y == 1)) ** 2, weights=sample_weight)


def exact(metric, loss, y, raw, weight):
    """The value of a metric from margins, in double, by formulas of its own where there are."""
    raw = raw.astype(np.float64)
    if metric is tiny_brier:
        P = loss.posterior(raw)
        return tiny_brier(y, P[:, 1] if loss.n_classes == 2 else P, weight)
    if metric in ("logloss", "mlogloss"):
        return log_loss(y, loss.posterior(raw), sample_weight=weight)
    if loss.link == "posterior":
        rows = loss.loss(y, raw)
    else:
        if loss.n_classes == 2:
            margin = np.where(y == 1, raw, -raw)
            log_p, one_minus_p = -np.log1p(np.exp(-margin)), expit(-margin)
        else:
            log_p = log_softmax(raw, axis=1)[np.arange(len(y)), y]
            one_minus_p = -np.expm1(log_p)
        gamma = np.asarray(loss.class_gamma)[y]
        rows = np.asarray(loss.class_weight)[y] * one_minus_p**gamma * -log_p
    return np.average(rows, weights=weight)


def random_fit(seed):
    """A table with weights (or None), parameters of a classifier, and its metric."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 4))
    X, y, w = table(k, n_rows=int(rng.integers(300, 600)), seed=seed)
    metric = [None, "logloss" if k == 2 else "mlogloss", tiny_brier, FocalEvalMetric][seed % 4]
    params = {
        "focal_gamma": [0.0, 0.5, 2.0, 5.0][rng.integers(4)],
        "focal_alpha": [None, "balanced", dict(enumerate(np.geomspace(1e-4, 1e-3, k).tolist()))][
            rng.integers(3)
        ],
        "link": ["focal", "posterior"][seed // 4 % 2],
        "learning_rate": [0.05, 0.1, 0.3][rng.integers(3)],
        "max_depth": int(rng.integers(2, 5)),
        "min_child_weight": 0,  # or losses of small weights would not split
        "n_estimators": 60,
        "n_jobs": 1,
    }
    return X, y, w if rng.integers(2) else None, params, metric


def own_metric(metric, params, y, weight):
    """`FocalEvalMetric` of the loss of a fit; others as they are."""
    if metric is not FocalEvalMetric:
        return metric
    first = XGB(**params | {"n_estimators": 1})
    loss = first.fit(np.zeros((len(y), 1)), y, sample_weight=weight).loss_
    return FocalEvalMetric(loss.gamma, loss.alpha, link=loss.link)


@pytest.mark.parametrize("seed", range(N_RANDOM_FITS))
def test_early_stopping_of_xgboost_sees_every_digit(seed):
    X, y, w, params, metric = random_fit(seed)
    train, new = np.arange(len(y)) % 2 == 0, np.arange(len(y)) % 2 == 1
    sets = {"eval_set": [(X[new], y[new])], "verbose": False}
    if w is not None:
        sets |= {"sample_weight": w[train], "sample_weight_eval_set": [w[new]]}
        w = w[new].astype(np.float32).astype(np.float64)  # XGBoost's precision of weights
    given = own_metric(metric, params, y[train], sets.get("sample_weight"))
    model = XGB(early_stopping_rounds=PATIENCE, eval_metric=given, **params)
    model.fit(X[train], y[train], **sets)
    ((_, history),) = model.evals_result()["validation_0"].items()
    margins = [
        model.predict(X[new], output_margin=True, iteration_range=(0, i + 1))
        for i in range(len(history))
    ]
    expected = [exact(metric, model.loss_, y[new], raw, w) for raw in margins]
    assert_allclose(history, expected, rtol=1e-9)
    best = int(np.argmin(expected))
    assert model.best_iteration == best
    assert len(history) == min(best + 1 + PATIENCE, params["n_estimators"])
    assert model.best_score == history[best]
    assert model.get_booster().attr("best_score") == repr(float(history[best]))


SMALL = {"focal_alpha": {0: 1e-5, 1: 1e-4}, "link": "posterior", "n_jobs": 1}
# class weights scale sums of Hessians, and these two are compared with them
SMALL |= {"min_child_weight": 1e-5, "reg_lambda": 1e-5}


def small_losses():
    """Rows to train on, and an evaluation set whose losses are too small for six decimals."""
    X, y, _ = table(n_rows=600)
    return X[::2], y[::2], X[1::2], y[1::2]


class Reader(TrainingCallback):
    """Keeps what callbacks are shown in each round."""

    def __init__(self):
        self.seen = []

    def after_iteration(self, model, epoch, evals_log):
        self.seen.append(evals_log["validation_0"]["focal_loss"][-1])
        return False


def test_callbacks_of_xgboost_see_every_digit():
    X, y, X_new, y_new = small_losses()
    reader = Reader()
    printed = []
    stop = EarlyStopping(
        rounds=4,
        data_name="validation_0",
        metric_name="focal_loss",
        min_delta=1e-9,
        maximize=False,
        save_best=True,
    )
    callbacks = [
        reader,
        LearningRateScheduler(lambda i: 0.3),
        EvaluationMonitor(logger=printed.append),
        stop,  # the last: XGBoost asks no other once one has said to stop
    ]
    model = XGB(n_estimators=300, callbacks=callbacks, **SMALL)
    model.fit(X, y, eval_set=[(X_new, y_new), (X, y)], verbose=False)
    history = model.evals_result()["validation_0"]["focal_loss"]
    assert reader.seen == history
    assert len(set(history)) == len(history) == len(printed) < 300
    best, rounds = 0, 0
    for i, value in enumerate(history):
        best, rounds = (i, 0) if i == 0 or value < history[best] - 1e-9 else (best, rounds + 1)
    assert (model.best_iteration, rounds) == (best, 4)
    assert model.get_booster().num_boosted_rounds() == best + 1
    assert type(model.get_booster()) is xgb.Booster
    raw = model.predict(X_new, output_margin=True)
    expected = exact(None, model.loss_, y_new, raw, None)
    assert model.best_score == pytest.approx(expected, rel=1e-6) == pytest.approx(3e-6, rel=0.9)


@pytest.mark.parametrize("names", [["logloss", "auc"], ["auc", "logloss"]])
def test_a_callback_stops_by_the_last_metric_as_on_xgboost(names):
    X, y, X_new, y_new = small_losses()
    sets = {"eval_set": [(X_new, y_new)], "verbose": False}
    best = {}
    for kind, params in ((xgb.XGBClassifier, {}), (XGB, {"focal_gamma": 0.0})):
        stop = EarlyStopping(rounds=4)
        model = kind(n_estimators=300, eval_metric=names, callbacks=[stop], **params)
        shown = model.fit(X, y, **sets).evals_result()["validation_0"]
        assert list(shown) == names
        choose = np.argmax if names[-1] == "auc" else np.argmin
        assert model.best_iteration == choose(shown[names[-1]])
        best[kind] = model.best_iteration
    assert len(set(best.values())) == 1


def test_matrices_show_the_numbers_of_the_tables_in_them():
    X, y, X_new, y_new = small_losses()
    params = {"n_estimators": 100, "early_stopping_rounds": 3, **SMALL}
    expected = XGB(**params).fit(X, y, eval_set=[(X_new, y_new)], verbose=False)
    train = xgb.QuantileDMatrix(X, y)
    new = xgb.QuantileDMatrix(X_new, y_new, ref=train)
    model = XGB(**params).fit(train, eval_set=[new], verbose=False)
    assert model.evals_result() == expected.evals_result()
    assert model.best_iteration == expected.best_iteration < 99


def test_workers_that_are_threads_do_not_mix_up_their_numbers():
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    from skfocal.losses import BinaryFocalLoss
    from skfocal.xgboost._metrics import Metrics

    measures = Metrics(BinaryFocalLoss(2.0))
    measures.add("focal_loss")
    together = Barrier(2, timeout=60)

    def work(margin):
        dataset = xgb.DMatrix(np.zeros((3, 1)), [0, 1, 1])
        values = measures(np.full(3, margin, dtype=np.float32), dataset)
        together.wait()
        return measures.taken() == [values]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, [0.0, 1.0])) == [True, True]


def test_lightgbm_sees_every_digit():
    X, y, X_new, y_new = small_losses()
    model = LGBM(n_estimators=300, verbose=-1, **SMALL)
    stop = lgb.early_stopping(4, verbose=False)
    model.fit(X, y, eval_set=[(X_new, y_new)], callbacks=[stop])
    history = model.evals_result_["valid_0"]["focal_loss"]
    margins = [
        model.predict(X_new, raw_score=True, num_iteration=i + 1) for i in range(len(history))
    ]
    expected = [exact(None, model.loss_, y_new, raw, None) for raw in margins]
    best = model.best_iteration_  # the model ends with it
    assert_allclose(history[:best], expected[:best], rtol=1e-9)
    assert best == np.argmin(history) + 1 < 300
    assert model.best_score_["valid_0"]["focal_loss"] == min(history)
