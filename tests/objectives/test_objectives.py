"""One objective and one metric in the calling conventions of both libraries."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skfocal import FocalEvalMetric, FocalObjective, metrics
from skfocal._booster._metrics import decision_error, posterior_log_loss
from skfocal.losses import make_loss
from skfocal.objectives._objective import MIN_HESSIAN
from tests.conftest import table

QUIET = {"verbose": -1, "num_threads": 1}
ROUNDS = 15


def alphas(n_classes):
    return (
        (0.3, "balanced") if n_classes == 2 else ([1.0, 2.0, 3.0], "balanced", {0: 1, 1: 2, 2: 4})
    )


def lgb_dataset(objective, X, y, weight):
    return lgb.Dataset(X, y, weight=weight, init_score=objective.init_score(y, weight))


@pytest.mark.parametrize("which", range(2))
def test_lgb_train_equals_the_scikit_learn_class(any_table, which):
    X, y, weight = any_table
    k = len(np.unique(y))
    f = FocalObjective(2.0, alphas(k)[which])
    params = {**QUIET, "objective": f, **({"num_class": k} if k > 2 else {})}
    booster = lgb.train(params, lgb_dataset(f, X, y, weight), ROUNDS)
    model = lgb.LGBMClassifier(objective=clone(f, safe=False), n_estimators=ROUNDS, **QUIET)
    model.fit(X, y, sample_weight=weight, init_score=f.init_score(y, weight))
    assert_array_equal(booster.predict(X, raw_score=True), model.predict(X, raw_score=True))


@pytest.mark.parametrize("which", range(2))
def test_xgb_train_equals_the_scikit_learn_class(any_table, which):
    X, y, weight = any_table
    k = len(np.unique(y))
    f = FocalObjective(2.0, alphas(k)[which])
    start = f.base_score(y, weight)
    params = {"base_score": start, "objective": "binary:logistic"}
    if k > 2:
        params.update(objective="multi:softprob", num_class=k)
    booster = xgb.train(params, xgb.DMatrix(X, y, weight=weight), ROUNDS, obj=f)
    model = xgb.XGBClassifier(objective=f, base_score=start, n_estimators=ROUNDS)
    model.fit(X, y, sample_weight=weight)
    assert_allclose(
        booster.predict(xgb.DMatrix(X), output_margin=True),
        model.predict(X, output_margin=True),
        rtol=1e-5,
        atol=1e-6,
    )


def test_gamma_zero_is_lightgbms_own_objective(any_table):
    X, y, weight = any_table
    k = len(np.unique(y))
    params = {**QUIET, **({"num_class": k} if k > 2 else {})}
    own = {"objective": "multiclass" if k > 2 else "binary", **params}
    builtin = lgb.train(own, lgb.Dataset(X, y, weight=weight), ROUNDS)
    f = FocalObjective(0.0)
    custom = lgb.train({"objective": f, **params}, lgb_dataset(f, X, y, weight), ROUNDS)
    raw = custom.predict(X, raw_score=True) + f.init_score(y, weight)[0]
    assert_allclose(raw, builtin.predict(X, raw_score=True), atol=1e-6)


def test_gamma_zero_is_xgboosts_own_objective(any_table):
    X, y, weight = any_table
    k = len(np.unique(y))
    f = FocalObjective(0.0)
    params = {"base_score": f.base_score(y, weight), "objective": "binary:logistic", "eta": 0.1}
    if k > 2:
        params.update(objective="multi:softprob", num_class=k)
    data = xgb.DMatrix(X, y, weight=weight)
    raw = [
        xgb.train(params, data, ROUNDS, **given).predict(data, output_margin=True)
        for given in ({}, {"obj": f})
    ]
    assert_allclose(*raw, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_gradients_are_those_of_the_loss_floored(n_classes):
    _, y, weight = table(n_classes)
    rng = np.random.default_rng(0)
    raw = rng.normal(scale=20, size=len(y) if n_classes == 2 else (len(y), n_classes))
    f = FocalObjective(2.0, None, "exact")
    gradient, hessian = f(y, raw, weight)
    loss = make_loss(n_classes, 2.0, None, "exact")
    scale = loss.log_loss_scale(y, weight)
    expected = loss.gradient_hessian(y, raw, weight, scale=scale)
    assert gradient.dtype == hessian.dtype == np.float32
    assert_allclose(gradient, expected[0], rtol=1e-6, atol=1e-37)
    scale = 1.0 if n_classes == 2 else 1.5  # LightGBM's K / (K - 1): margins are float64
    assert_allclose(hessian, np.maximum(scale * expected[1], MIN_HESSIAN), rtol=1e-6)


def test_upper_hessian_bounds_steps_only_above_gamma_zero():
    y, raw = np.ones(3), np.array([-30.0, -5.0, 1.0])
    gradient, hessian = FocalObjective(2.0)(y, raw)
    assert np.abs(gradient / hessian).max() <= 4.000001
    gradient, hessian = FocalObjective(0.0)(y, raw)
    assert np.abs(gradient / hessian).max() > 1e6


def test_lightgbm_memory_is_used_as_it_is():
    """Class-major float32 goes through LightGBM without a copy."""
    raw = np.asfortranarray(np.random.default_rng(0).normal(size=(10, 3)))
    for array in FocalObjective()(np.zeros(10), raw):
        assert array.flags.f_contiguous
        assert array.dtype == np.float32
    for array in FocalObjective()(np.zeros(10), np.ascontiguousarray(raw, dtype=np.float32)):
        assert array.flags.c_contiguous


def test_two_columns_are_a_softmax():
    raw = np.random.default_rng(0).normal(size=(8, 2))
    y = np.arange(8) % 2
    gradient, hessian = FocalObjective(2.0, 0.3)(y, raw)
    binary, curvature = FocalObjective(2.0, 0.3)(y, raw[:, 1] - raw[:, 0])
    assert_allclose(gradient[:, 1], binary, rtol=1e-5)
    assert_allclose(hessian[:, 1], 2 * curvature, rtol=1e-5)


def test_balanced_weights_are_those_of_the_training_labels():
    _, y, weight = table()
    f = FocalObjective(2.0, "balanced")
    f.init_score(y, weight)
    total = [weight[y == 0].sum(), weight[y == 1].sum()]
    assert_allclose(f.loss_.class_weight, weight.sum() / (2 * np.array(total)))


@pytest.mark.parametrize("alpha", ["balanced", ("effective", 0.99), {0: 1.0, 1: 5.0}])
def test_probabilities_need_labels_for_words(alpha):
    f = FocalObjective(2.0, alpha)
    with pytest.raises(AttributeError, match=r"call init_score\(y_true\)"):
        f.predict_proba(np.zeros(2))
    with pytest.raises(AttributeError, match="has not seen labels"):
        f.eval_metric()(np.zeros(2), np.zeros(2))
    f.init_score([0, 0, 0, 1])
    assert f.predict_proba(np.zeros(2)).shape == (2, 2)


def test_predict_proba_is_the_posterior():
    raw = np.random.default_rng(0).normal(size=(5, 3))
    assert_array_equal(
        FocalObjective(2.0, [1, 2, 3]).predict_proba(raw),
        make_loss(3, 2.0, [1, 2, 3]).posterior(raw),
    )


def test_starts(any_table):
    _, y, weight = any_table
    f = FocalObjective(2.0)
    start = make_loss(len(np.unique(y)), 2.0).intercept(y, weight)
    assert_array_equal(f.init_score(y, weight), np.broadcast_to(start, f.init_score(y).shape))
    base = f.base_score(y, weight)
    if np.ndim(start):
        assert_allclose(base, start - start.mean())
    else:
        assert base == pytest.approx(1 / (1 + np.exp(-start)))


def test_metric_in_every_convention(any_table):
    X, y, weight = any_table
    k = len(np.unique(y))
    f = FocalObjective(2.0, "balanced")
    metric = f.eval_metric()
    start = f.init_score(y, weight)

    lgb_log: dict = {}
    params = {**QUIET, "objective": f, "metric": "None", **({"num_class": k} if k > 2 else {})}
    data = lgb_dataset(f, X, y, weight)
    booster = lgb.train(
        params, data, 5, [data], ["t"], metric, callbacks=[lgb.record_evaluation(lgb_log)]
    )
    raw = booster.predict(X, raw_score=True) + start[0]
    expected = (f.loss_.loss(y, raw, weight)).sum() / weight.sum()
    assert lgb_log["t"]["focal_loss"][-1] == pytest.approx(expected, rel=1e-6)

    model = lgb.LGBMClassifier(objective=f, n_estimators=5, metric="None", **QUIET)
    extra = {"eval_X": X, "eval_y": y} if lgb.__version__ >= "4.7" else {"eval_set": [(X, y)]}
    model.fit(
        X,
        y,
        sample_weight=weight,
        init_score=start,
        eval_init_score=[start],
        eval_sample_weight=[weight],
        eval_metric=metric,
        **extra,
    )
    own = next(iter(model.evals_result_.values()))["focal_loss"][-1]
    assert own == pytest.approx(expected, rel=1e-6)

    params = {"base_score": f.base_score(y, weight), "disable_default_eval_metric": True}
    params["objective"] = "binary:logistic" if k == 2 else "multi:softprob"
    params.update({"num_class": k} if k > 2 else {})
    matrix, xgb_log = xgb.DMatrix(X, y, weight=weight), {}
    booster = xgb.train(
        params,
        matrix,
        5,
        obj=f,
        custom_metric=metric,
        evals=[(matrix, "t")],
        evals_result=xgb_log,
        verbose_eval=False,
    )
    raw = booster.predict(matrix, output_margin=True)
    expected = f.loss_.loss(y, raw, weight).sum() / weight.sum()
    assert xgb_log["t"]["focal_loss"][-1] == pytest.approx(expected, rel=1e-5)

    model = xgb.XGBClassifier(
        objective=f,
        eval_metric=metric,
        n_estimators=5,
        base_score=params["base_score"],
        disable_default_eval_metric=True,
    )
    model.fit(
        X,
        y,
        sample_weight=weight,
        eval_set=[(X, y)],
        sample_weight_eval_set=[weight],
        verbose=False,
    )
    own = model.evals_result()["validation_0"]["focal_loss"][-1]
    assert own == pytest.approx(expected, rel=1e-5)


def test_metric_value_is_the_public_score():
    rng = np.random.default_rng(0)
    y, z, weight = rng.integers(0, 2, 50), rng.normal(size=50), rng.uniform(size=50)
    name, value, higher_is_better = FocalEvalMetric(2.0, 0.25)(y, z, weight)
    assert (name, higher_is_better) == ("focal_loss", False)
    assert value == pytest.approx(
        metrics.focal_loss(y, 1 / (1 + np.exp(-z)), alpha=0.25, sample_weight=weight)
    )


def test_posterior_measures_are_scikit_learns(any_table):
    from sklearn.metrics import log_loss, zero_one_loss

    _, y, weight = any_table
    k = len(np.unique(y))
    loss = make_loss(k, 2.0, np.arange(1.0, k + 1))
    raw = np.random.default_rng(0).normal(size=len(y) if k == 2 else (len(y), k))
    proba = loss.posterior(raw)
    own = posterior_log_loss(loss, y, raw, weight)
    assert own == pytest.approx(log_loss(y, proba, sample_weight=weight))
    label = (proba * loss.class_weight).argmax(axis=1)
    own = decision_error(loss, y, raw, weight)
    assert own == pytest.approx(zero_one_loss(y, label, sample_weight=weight))


@pytest.mark.parametrize("f", [FocalObjective(0.5, "balanced", "abs"), FocalEvalMetric(1.0)])
def test_pickled_cloned_and_shown(f):
    for twin in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f), clone(f, safe=False)):
        assert twin.gamma == f.gamma
        assert twin.alpha == f.alpha
    assert "gamma" in repr(FocalObjective())
    model = xgb.XGBClassifier(objective=f)
    assert clone(model).get_params()["objective"].gamma == f.gamma


@pytest.mark.parametrize("hidden", [False, True], ids=["as it is", "no reference counts"])
@pytest.mark.parametrize("shape", [(100,), (100, 3)], ids=["binary", "multiclass"])
def test_results_that_are_held_never_change(shape, hidden, monkeypatch):
    """Also on interpreters that count no references, and in several threads at once."""
    if hidden:
        monkeypatch.delattr("sys.getrefcount")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 100)
    # those of the trainers are made by _from_loss
    loss = make_loss(2 if len(shape) == 1 else 3)
    from_loss = FocalObjective._from_loss(loss, library="lightgbm", scale=1.0)

    def calls(seed):
        own = np.random.default_rng(seed)
        held = []
        for raw in (own.normal(size=shape) for _ in range(30)):
            for objective in (from_loss, shared):
                arrays = objective(y, raw)
                held += [(a[:50], a[:50].copy()) for a in arrays]
                del arrays
        return held

    shared = FocalObjective(2.0)
    with ThreadPoolExecutor(3) as pool:
        held = [pair for part in pool.map(calls, range(3)) for pair in part]
    for view, copied in held:
        assert_array_equal(view, copied)
    assert len({a.__array_interface__["data"][0] for a, _ in held}) == len(held)


def test_order_of_the_margins_is_that_of_the_results():
    objective, columns = FocalObjective(2.0), np.asfortranarray(np.zeros((100, 3)))
    assert objective(np.zeros(100), columns)[0].flags.f_contiguous
    assert objective(np.zeros(100), np.ascontiguousarray(columns))[0].flags.c_contiguous


def test_words_follow_labels_and_weights_that_change_in_place():
    rng = np.random.default_rng(0)
    y, raw, weight = rng.integers(0, 2, 100) * 1.0, rng.normal(size=100), np.ones(100)
    objective = FocalObjective(2.0, "balanced")
    for change in (lambda: None, lambda: y.__setitem__(slice(60), 0.0), lambda: weight.sort()):
        change()
        weight[:10] += 1
        fresh = FocalObjective(2.0, "balanced")(y, raw, weight)
        for ours, theirs in zip(objective(y, raw, weight), fresh, strict=True):
            assert_array_equal(ours, theirs)
    objective.alpha = "effective"
    fresh = FocalObjective(2.0, "effective")(y, raw)
    assert_array_equal(objective(y, raw)[0], fresh[0])
    # the same labels as two and as three classes, a dict and a gamma that change
    weights = {0: 1.0, 1: 2.0, 2: 3.0}
    objective, columns = FocalObjective(np.array([1.0, 2.0, 3.0]), weights), np.ones((100, 3))
    for change in (
        lambda: None,
        lambda: weights.__setitem__(1, 5.0),
        lambda: setattr(objective, "gamma", np.array([1.0, 0.5, 2.0])),
    ):
        change()
        fresh = FocalObjective(objective.gamma, weights)(y, columns)
        assert_array_equal(objective(y, columns)[0], fresh[0])
    objective = FocalObjective(2.0, {0: 1.0, 1: 2.0})
    objective(y, raw)
    with pytest.raises(ValueError, match=r"missing \[2\]"):
        objective(y, columns)  # a third class, which the dict lacks


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr("skfocal._kernels._threads.MIN_NUMBERS", 100)
    rng = np.random.default_rng(0)
    y, raw, columns = rng.integers(0, 2, 1000), rng.normal(size=1000), rng.normal(size=(1000, 2))
    for margins in (raw, columns, raw.astype(np.float32)):
        one, two = FocalObjective(1.5), FocalObjective(1.5, n_threads=3)
        for a, b in zip(one(y, margins), two(y, margins), strict=True):
            assert_array_equal(a, b)
    assert pickle.loads(pickle.dumps(two)).n_threads == 3


@pytest.mark.parametrize("classifier", ["FocalLGBMClassifier", "FocalXGBClassifier"])
def test_boosters_hand_their_threads_to_the_objective(classifier, monkeypatch):
    import skfocal
    from skfocal import objectives

    seen = []
    call = objectives.FocalObjective.__call__

    def watched(self, *arguments, **named):
        seen.append(self.n_threads)
        return call(self, *arguments, **named)

    monkeypatch.setattr(objectives.FocalObjective, "__call__", watched)
    X, y, _ = table()
    verbose = {"verbose": -1} if classifier == "FocalLGBMClassifier" else {}
    getattr(skfocal, classifier)(n_estimators=2, n_jobs=3, **verbose).fit(X, y)
    assert seen == [3, 3]


def test_labels_that_are_no_codes_are_refused():
    with pytest.raises(TypeError, match=r"must hold class codes 0, 1, .*LabelEncoder"):
        FocalObjective().init_score(np.array(["fraud", "legit"]))
