"""The boosters' classifiers that choose by cross-validation.

The witness is the long way: plain classifiers fitted fold by fold. Tables have whole numbers, so
that the bins of a fold are those of all rows.
"""

import subprocess
import sys
import threading
import time
import warnings
from typing import ClassVar

import lightgbm as lgb
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, TimeSeriesSplit
from sklearn.utils.fixes import parse_version

from skfocal import FocalLGBMClassifierCV, FocalXGBClassifierCV
from skfocal._booster import _trials
from skfocal._booster._trials import Trial, run_trials
from skfocal._estimator._selection import Setting
from skfocal.calibration import fit_calibration
from skfocal.lightgbm import _format as lightgbm_format
from skfocal.onnx import to_onnx
from skfocal.xgboost import _format as xgboost_format
from tests.backends import make as make_any
from tests.backends import margins, of
from tests.conftest import shift_to_all_rows, table

LGBM, XGB = FocalLGBMClassifierCV, FocalXGBClassifierCV
each = pytest.mark.parametrize("kind", [LGBM, XGB])
links = pytest.mark.parametrize("link", ["focal", "posterior"])
classes = pytest.mark.parametrize("n_classes", [2, 3])
# The cap of rounds is often the best number of so few.
pytestmark = pytest.mark.filterwarnings("ignore:The mean score was the best after the last")
GAMMAS = (0.0, 2.0)


def make(kind, n_estimators=20, **params):
    """With few folds and gammas, and fitted again on all rows."""
    few = {"focal_gammas": GAMMAS, "cv": 3, "ensemble": False}
    return make_any(kind, n_estimators, **{**few, **params})


def coarse(n_classes=2, n_rows=1200):
    X, y, weight = table(n_classes, n_rows=n_rows)
    return np.round(2.0 * X), y, weight


def plain_of(kind):
    return of(kind).kind


def first_rounds(kind, n_rounds):
    """The argument of predictions by the first rounds only."""
    if issubclass(kind, LGBM):
        return {"num_iteration": n_rounds}
    return {"iteration_range": (0, n_rounds)}


@each
@links
@classes
def test_each_score_is_that_of_the_plain_class(kind, link, n_classes):
    X, y, weight = coarse(n_classes)
    alphas = (None, "balanced")
    # bins of few rows would be merged, and those of a fold have fewer
    trees = {"min_data_in_bin": 1, "feature_pre_filter": False} if kind is LGBM else {}
    model = make(
        kind,
        focal_gammas=GAMMAS,
        focal_alphas=alphas,
        cv=3,
        link=link,
        calibration=None,
        early_stopping_rounds=None,
        n_estimators=8,
        trees=trees,
    )
    model.fit(X, y, sample_weight=weight)
    assert model.scores_.shape == (2, 2, 3, 8)
    for i, gamma in enumerate(GAMMAS):
        for j, alpha in enumerate(alphas):
            for k, (train, test) in enumerate(StratifiedKFold(3).split(X, y)):
                params = {"focal_gamma": gamma, "focal_alpha": alpha, "link": link}
                plain = make_any(plain_of(kind), n_estimators=8, trees=trees, **params)
                plain.fit(X[train], y[train], sample_weight=weight[train])
                for n_rounds in (1, 8):
                    P = plain.predict_proba(X[test], **first_rounds(kind, n_rounds)).astype(float)
                    P /= P.sum(axis=1, keepdims=True)  # single precision
                    expected = -log_loss(y[test], P, sample_weight=weight[test])
                    found = model.scores_[i, j, k, n_rounds - 1]
                    assert_allclose(found, expected, rtol=1e-8 if kind is LGBM else 1e-6)


@each
@links
@classes
def test_refit_is_the_plain_class_with_what_was_chosen(kind, link, n_classes):
    X, y, weight = coarse(n_classes)
    model = make(kind, link=link, cv=4, n_estimators=15, calibration=None)
    model.fit(X, y, sample_weight=weight)
    best = model.n_rounds_[model.best_index_]
    assert model.n_estimators_ == refit_rounds(best, 0.75)
    params = {"focal_gamma": model.focal_gamma_, "link": link}
    plain = make_any(plain_of(kind), n_estimators=model.n_estimators_, **params)
    plain.fit(X, y, sample_weight=weight)
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def refit_rounds(n_rounds, share):
    return max(1, round(n_rounds * share**-0.75))


@each
def test_a_setting_ends_when_its_mean_has_not_improved(kind):
    X, y, _ = coarse()
    stopped = make(kind, n_estimators=30, early_stopping_rounds=4, trees={"learning_rate": 0.5})
    stopped.fit(X, y)
    full = make(kind, n_estimators=30, early_stopping_rounds=None, trees={"learning_rate": 0.5})
    full.fit(X, y)
    for index in np.ndindex(stopped.n_rounds_.shape):
        own = stopped.scores_[index].mean(axis=0)
        n_done = int(np.isfinite(own).sum())
        assert_array_equal(stopped.scores_[index][:, :n_done], full.scores_[index][:, :n_done])
        mean = full.scores_[index].mean(axis=0)
        # the first round that is followed by four no better ones, by a plain loop
        best = 0
        for k in range(30):
            best = k if mean[k] > mean[best] else best
            if k - best == 4:
                break
        assert n_done == k + 1
        assert stopped.n_rounds_[index] == best + 1


@each
@pytest.mark.parametrize("n_classes, sampled", [(2, False), (2, True), (3, False)])
def test_threads_change_nothing(kind, n_classes, sampled):
    X, y, _ = coarse(n_classes, 600)
    trees = {"subsample": 0.5, "colsample_bytree": 0.5} if sampled else {}
    if sampled and kind is LGBM:
        trees["subsample_freq"] = 1
    models = [
        make(kind, n_estimators=10, n_jobs=n, random_state=0, trees=trees).fit(X, y)
        for n in (1, 2, 7)
    ]
    for model in models[1:]:
        assert_allclose(model.scores_, models[0].scores_, rtol=1e-6)
        assert_allclose(model.oof_proba_, models[0].oof_proba_, rtol=1e-4)


@pytest.mark.parametrize(
    "kind, params", [(LGBM, {"num_threads": 3}), (XGB, {"nthread": 3}), (LGBM, {"n_jobs": 3})]
)
def test_all_names_of_the_number_of_threads_count(kind, params, monkeypatch):
    X, y, _ = coarse(2, 300)
    given, executor = [], _trials.ThreadPoolExecutor
    monkeypatch.setattr(
        _trials, "ThreadPoolExecutor", lambda n, **kw: given.append(n) or executor(n, **kw)
    )
    kind(focal_gammas=(1.0,), n_estimators=3, **params).fit(X, y)
    assert given == [3]


@each
def test_training_rows_that_a_splitter_repeats_are_repeated(kind):
    X, y, _ = coarse(2, 600)
    train = np.sort(np.random.default_rng(0).integers(0, 400, 400))
    test = np.arange(400, 600)
    trees = {"min_data_in_bin": 1, "feature_pre_filter": False} if kind is LGBM else {}
    params = {"n_estimators": 8, "link": "posterior", "trees": trees}
    model = make(
        kind,
        cv=[(train, test)],
        rule="best",
        focal_gammas=(1.0,),
        calibration=None,
        early_stopping_rounds=None,
        **params,
    ).fit(X, y)
    plain = make_any(plain_of(kind), focal_gamma=1.0, **params).fit(X[train], y[train])
    P = plain.predict_proba(X[test]).astype(float)
    expected = -log_loss(y[test], P / P.sum(axis=1, keepdims=True))
    assert_allclose(model.scores_[0, 0, 0, -1], expected, rtol=1e-6)


def test_columns_are_weighed_and_typed_as_in_the_plain_class():
    X, y, _ = coarse(2, 300)
    weights = np.eye(10)[3]
    model = XGB(
        focal_gammas=(1.0,), n_estimators=3, feature_weights=weights, colsample_bynode=0.1
    ).fit(X, y)
    assert set(model.get_booster().get_score()) == {"f3"}
    X[:, 0] = np.arange(300) % 7
    types = ["c"] + ["q"] * 9
    model = XGB(
        focal_gammas=(1.0,), n_estimators=3, feature_types=types, enable_categorical=True
    ).fit(X, y)
    assert model.get_booster().feature_types == types


@each
@classes
def test_calibration_is_that_of_the_held_out_rows(kind, n_classes):
    X, y, weight = coarse(n_classes)
    X = np.clip(X, -4, 4)  # a value that only held-out rows have would have a bin in the search
    trees = {"min_data_in_bin": 1, "feature_pre_filter": False} if kind is LGBM else {}
    model = make(kind, n_estimators=30, trees=trees).fit(X, y, sample_weight=weight)
    rounds = int(model.n_rounds_[model.best_index_])
    params = {"focal_gamma": model.focal_gamma_, "link": "posterior", "trees": trees}
    log_odds, shifts, rows = [], [], []
    for train, test in StratifiedKFold(3).split(X, y):
        plain = make_any(plain_of(kind), n_estimators=rounds, **params)
        plain.fit(X[train], y[train], sample_weight=weight[train])
        log_odds.append(margins(plain, X[test]))
        shifts.append(shift_to_all_rows(y, weight, train, n_classes))
        rows.append(test)
    rows = np.concatenate(rows)
    shifted = [own + shift for own, shift in zip(log_odds, shifts, strict=True)]
    found = fit_calibration(np.concatenate(shifted), y[rows], weight[rows])
    assert_allclose(model.calibration_.slope, found.slope, rtol=1e-5)
    assert_allclose(model.calibration_.offset, found.offset, atol=1e-5)
    of_folds = fit_calibration(np.concatenate(log_odds), y[rows], weight[rows])
    expected = proba_of(of_folds.apply(np.concatenate(log_odds)))
    assert_allclose(model.oof_proba_[rows], expected, rtol=1e-4)


@each
@classes
def test_merged_booster_is_the_mean_of_the_folds(kind, n_classes):
    X, y, _ = coarse(n_classes)
    given = {}
    model = make(kind, n_estimators=20, ensemble=True, cv=3)
    merge = model._merged
    model._merged = lambda boosters: given.setdefault("boosters", boosters) and merge(boosters)
    model.fit(X, y)
    found = model.calibration_
    folds = [margins_of(booster, X) for booster in given["boosters"]]
    assert_allclose(margins(model, X), found.apply(np.mean(folds, axis=0)), atol=of(kind).atol * 10)
    assert model.n_estimators_ == 3 * model.n_rounds_[model.best_index_]


def margins_of(booster, X):
    if isinstance(booster, lgb.Booster):
        return booster.predict(X, raw_score=True)
    return booster.predict(xgb.DMatrix(X), output_margin=True).astype(float)


def proba_of(log_odds):
    if log_odds.ndim == 2:
        return softmax(log_odds, axis=1)
    return np.column_stack([expit(-log_odds), expit(log_odds)])


def rare(n_classes, n_rows, seed):
    """Classes that depend weakly on two columns; the last one has about 3 rows of 100."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 8))
    scores = np.column_stack([0.0 * X[:, 0], X[:, 0], X[:, 0] + X[:, 1]])[:, 3 - n_classes :]
    scores[:, -1] -= 4.0
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


@each
@classes
def test_mean_of_the_merged_booster_is_that_of_the_averaged_probabilities(kind, n_classes):
    """On new rows. The trees are deep, so that they remember their training rows."""
    X, y = rare(n_classes, 4000, 0)
    new, _ = rare(n_classes, 20_000, 1)
    given = {}
    deep = {"num_leaves": 60, "min_child_samples": 2} if kind is LGBM else {"max_depth": 8}
    trees = {"learning_rate": 0.3, **deep}
    params = {"focal_gammas": (0.5,), "early_stopping_rounds": None, "trees": trees}
    model = make(kind, n_estimators=12, ensemble=True, cv=3, **params)
    merge, calibrate = model._merged, model._calibration_of
    model._merged = lambda boosters: given.setdefault("boosters", boosters) and merge(boosters)

    def calibration_of(*arguments):
        given["map"] = calibrate(*arguments)
        return given["map"]

    model._calibration_of = calibration_of
    model.fit(X, y)
    folds = [given["map"].apply(margins_of(booster, new)) for booster in given["boosters"]]
    averaged = np.mean([proba_of(fold) for fold in folds], axis=0).mean(axis=0)
    found = np.log(model.predict_proba(new).mean(axis=0) / averaged)
    alone = np.log(proba_of(np.mean(folds, axis=0)).mean(axis=0) / averaged)
    assert alone[-1] < -0.025  # Jensen's gap
    assert abs(found[-1]) < 0.3 * abs(alone[-1])


ROWS = {
    LGBM: {
        "linear trees": {"linear_tree": True},
        "GOSS": {"data_sample_strategy": "goss", "learning_rate": 0.3},
        "bagging": {"subsample": 0.5, "subsample_freq": 1},
        "extra trees": {"extra_trees": True},
        "quantised": {"use_quantized_grad": True},
    },
    XGB: {
        "bagging": {"subsample": 0.5},
        "forest": {"num_parallel_tree": 2, "subsample": 0.5},
        "exact": {"tree_method": "exact"},
        "lossguide": {"grow_policy": "lossguide", "max_leaves": 7},
        "vector leaves": {"multi_strategy": "multi_output_tree"},
    },
}


@pytest.mark.parametrize("kind, row", [(kind, row) for kind, rows in ROWS.items() for row in rows])
@classes
def test_kinds_of_trees_are_merged(kind, row, n_classes):
    if row == "vector leaves" and parse_version(xgb.__version__) < parse_version("3.2"):
        with pytest.raises(ValueError, match=r"XGBoost 3\.1 cannot save"):
            make(kind, ensemble=True, trees=ROWS[kind][row]).fit(*coarse(n_classes, 600)[:2])
        return
    X, y, _ = coarse(n_classes, 600)
    boosters = []
    model = make(
        kind, n_estimators=8, ensemble=True, cv=3, focal_gammas=(1.0,), trees=ROWS[kind][row]
    )
    merge = model._merged
    model._merged = lambda found: boosters.extend(found) or merge(found)
    model.fit(X, y)
    expected = model.calibration_.apply(np.mean([margins_of(b, X) for b in boosters], axis=0))
    found = margins(model, X)
    if n_classes > 2:
        expected, found = (m - m.mean(axis=1, keepdims=True) for m in (expected, found))
    assert_allclose(found, expected, atol=1e-10 if kind is LGBM else 1e-5)


@each
@pytest.mark.parametrize("ensemble", [False, True])
def test_categories_missing_values_and_sparse_columns(kind, ensemble):
    X, y, _ = coarse(2, 800)
    frame = pd.DataFrame(X, columns=[f"c{k}" for k in range(10)])
    frame["kind"] = pd.Categorical(np.array(["a", "b", "c"])[(X[:, 0] % 3).astype(int)])
    frame.loc[::7, "c1"] = np.nan
    extra = {"enable_categorical": True} if kind is XGB else {}
    params = {"n_estimators": 8, "ensemble": ensemble, "cv": 3}
    model = make(kind, trees=extra, **params).fit(frame, y)
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert model.score(frame, y) > 0.8
    X[np.abs(X) < 2] = 0.0
    # for XGBoost what a sparse table leaves out is missing
    same = np.where(X == 0.0, np.nan, X) if kind is XGB else X
    dense, csr = (make(kind, **params).fit(given, y) for given in (same, sparse.csr_matrix(X)))
    assert_allclose(dense.oof_proba_, csr.oof_proba_, rtol=1e-5)


@each
def test_weights_are_repeated_rows(kind):
    X, y, _ = coarse(2, 300)
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    groups = np.arange(len(y)) % 3
    repeated = np.repeat(np.arange(len(y)), counts)
    trees = {"min_child_samples": 1, "min_data_in_bin": 1} if kind is LGBM else {}
    params = {"focal_gammas": (1.0,), "calibration": None, "n_estimators": 5, "trees": trees}
    weighted = make(kind, cv=folds_of(groups), **params).fit(X, y, sample_weight=counts)
    by_rows = make(kind, cv=folds_of(groups[repeated]), **params).fit(X[repeated], y[repeated])
    assert weighted.n_estimators_ == by_rows.n_estimators_
    assert_allclose(weighted.scores_, by_rows.scores_, rtol=0.02)
    assert np.isnan(weighted.oof_proba_[counts == 0]).all()


def folds_of(groups):
    return [(np.flatnonzero(groups != k), np.flatnonzero(groups == k)) for k in range(3)]


@each
def test_rounds_of_the_refit_follow_the_rows_of_the_folds(kind):
    X, y, _ = coarse(2, 1200)
    for cv, share in ((TimeSeriesSplit(5), 0.5), (2, 0.5), (10, 0.9)):
        model = make(kind, n_estimators=20, cv=cv, focal_gammas=(1.0,)).fit(X, y)
        assert model.n_estimators_ == refit_rounds(int(model.n_rounds_[0, 0]), share)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Models, and what their booster files predict in a process without skfocal."""
    folder, models = tmp_path_factory.mktemp("alone"), {}
    X, y, _ = coarse()
    np.save(folder / "X.npy", X)
    for kind in (LGBM, XGB):
        for ensemble in (False, True):
            model = make(kind, n_estimators=15, ensemble=ensemble, priors=[0.99, 0.01], cv=3)
            model.fit(X, y)
            name = f"{of(kind).name}-{ensemble}"
            of(kind).booster(model).save_model(str(folder / f"{name}.json"))
            models[kind, ensemble] = model, name
    code = """
import sys
sys.modules["skfocal"] = None
import numpy as np, lightgbm, xgboost
X = np.load("X.npy")
for ensemble in (False, True):
    light = lightgbm.Booster(model_file=f"lightgbm-{ensemble}.json").predict(X)
    extreme = xgboost.Booster(model_file=f"xgboost-{ensemble}.json")
    np.save(f"lightgbm-{ensemble}", light)
    np.save(f"xgboost-{ensemble}", extreme.predict(xgboost.DMatrix(X)))
"""
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=120)
    return X, {k: (m, np.load(folder / f"{name}.npy")) for k, (m, name) in models.items()}


@pytest.mark.xdist_group("cross-validated, saved")
@each
@pytest.mark.parametrize("ensemble", [False, True])
def test_saved_booster_is_calibrated_without_skfocal(saved, kind, ensemble):
    X, models = saved
    model, alone = models[kind, ensemble]
    tolerance = 1e-12 if kind is LGBM else 1e-6
    assert_allclose(alone, model.predict_proba(X)[:, 1], rtol=tolerance, atol=tolerance / 10)
    assert model.calibration_ is not None
    assert_array_equal(model.priors_, [0.99, 0.01])


@pytest.mark.xdist_group("cross-validated, saved")
@each
@pytest.mark.parametrize("ensemble", [False, True])
def test_explanations_add_up_and_other_forms_agree(saved, kind, ensemble, tmp_path):
    """SHAP values, treelite and ONNX."""
    import treelite

    with warnings.catch_warnings():  # of the versions of other packages
        warnings.simplefilter("ignore")
        import shap
    X, models = saved
    model, _ = models[kind, ensemble]
    values = shap.TreeExplainer(of(kind).booster(model))(X[:50])
    total = values.values.sum(axis=1) + values.base_values
    assert_allclose(total, margins(model, X[:50]), rtol=1e-4, atol=1e-4)
    path = tmp_path / of(kind).file
    of(kind).booster(model).save_model(path)
    loaded = getattr(treelite.frontend, f"load_{of(kind).name}_model")(path)
    proba = treelite.gtil.predict(loaded, X.astype(of(kind).real)).ravel()
    assert_allclose(proba, model.predict_proba(X)[:, 1], rtol=1e-5)
    graph = to_onnx(model, X[:5].astype(np.float32))
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    found = session.run(None, {"X": X.astype(np.float32)})[1]
    assert_allclose(found, model.predict_proba(X), rtol=1e-4, atol=1e-6)


@each
def test_scikit_learn_attributes_and_files(kind, tmp_path):
    X, y, _ = coarse()
    labels = np.array(["low", "top"])[y]
    model = make(kind, n_estimators=10).fit(X, labels)
    path = tmp_path / of(kind).file
    model.save_model(path)
    loaded = make(kind)
    loaded.load_model(path)
    assert_allclose(loaded.predict_proba(X), model.predict_proba(X), rtol=of(kind).rtol)
    assert loaded.calibration_ == model.calibration_
    again = make(kind, n_estimators=3, focal_gammas=(1.0,)).fit(X, labels)
    again.load_model(path)  # nothing of its own search stays
    for name in ("comparison_", "oof_proba_", "n_rounds_", "scores_"):
        assert not hasattr(again, name)
    assert again.focal_gamma_ == model.focal_gamma_
    before = model.predict_proba(X)[:, 1].mean()
    assert model.adjust_priors({"low": 0.999, "top": 0.001}).predict_proba(X)[:, 1].mean() < before
    assert "focal_gamma" not in model.get_params()


@each
def test_the_cap_of_rounds_warns(kind):
    X, y, _ = coarse()
    with pytest.warns(ConvergenceWarning, match="Increase n_estimators"):
        make(kind, n_estimators=3).fit(X, y)


REFUSED = [
    (both, params, error, match)
    for both in (LGBM, XGB)
    for params, error, match in [
        ({"ensemble": True, "link": "focal"}, ValueError, "ensemble=True takes the mean"),
        ({"ensemble": 1}, TypeError, "ensemble must be True or False"),
        ({"early_stopping_rounds": 0}, ValueError, "early_stopping_rounds"),
        ({"objective": "binary:hinge"}, ValueError, "objective"),
    ]
]
REFUSED += [
    (LGBM, {"ensemble": True, "boosting_type": "dart"}, ValueError, "DART"),
    (LGBM, {"metric": "auc"}, ValueError, "scoring decides"),
    (LGBM, {"early_stopping_round": 3}, ValueError, "is early_stopping_rounds here"),
    (LGBM, {"num_iterations": 0}, ValueError, "n_estimators"),
    (XGB, {"n_estimators": 0}, ValueError, "n_estimators"),
    (LGBM, {"focal_gamas": (1.0,)}, TypeError, "focal_gammas"),
    (XGB, {"ensemble": True, "booster": "dart"}, ValueError, "DART"),
    (XGB, {"ensemble": True, "rate_drop": 0.5}, ValueError, "DART"),
    (XGB, {"eval_metric": "auc"}, ValueError, "scoring decides"),
    (XGB, {"callbacks": []}, ValueError, "callbacks"),
]


@pytest.mark.parametrize("kind, params, error, match", REFUSED)
def test_wrong_parameters_are_refused(kind, params, error, match):
    X, y, _ = coarse(2, 100)
    with pytest.raises(error, match=match):
        make(kind, **params).fit(X, y)


@each
def test_wrong_arguments_of_fit_are_refused(kind):
    X, y, _ = coarse(2, 100)
    model = make(kind)
    row = of(kind)
    for name in ("eval_set", row.init_score, row.init_model, "verbose", "eval_sample_weight"):
        with pytest.raises(TypeError, match=name):
            model.fit(X, y, **{name: None})
    with pytest.raises(TypeError, match="give the table"):
        model.fit(row.data_set(X, y), y)
    with pytest.raises(TypeError, match="give the values to try as focal_gammas"):
        kind(focal_gamma=1.0)


@each
def test_dart_is_trained_again_for_its_rounds(kind):
    X, y, _ = coarse(2, 400)
    # LightGBM drops by chance differently from run to run, see tests/lightgbm/test_classifier.py
    always = {"drop_rate": 1.0, "skip_drop": 0.0, "uniform_drop": True}
    trees = {"boosting_type": "dart", **always}
    if kind is XGB:
        trees = {"booster": "dart", "rate_drop": 0.3}
    model = make(kind, n_estimators=6, trees=trees, cv=5, focal_gammas=(1.0,)).fit(X, y)
    assert model.n_estimators_ == refit_rounds(int(model.n_rounds_[0, 0]), 0.8)
    plain = make_any(
        plain_of(kind), model.n_estimators_, focal_gamma=1.0, link="posterior", trees=trees
    ).fit(X, y)
    expected = model.calibration_.apply(margins(plain, X))
    assert_allclose(margins(model, X), expected, rtol=1e-5, atol=1e-5)


@each
def test_no_usable_column_gives_a_constant(kind):
    y = np.arange(60) % 3 == 0
    model = make(kind, n_estimators=3).fit(np.ones((60, 2)), y)
    assert_allclose(model.predict_proba(np.ones((1, 2)))[0, 1], 1 / 3, rtol=1e-3)


def test_library_forms_of_a_merged_model_are_standard():
    X, y, _ = coarse(3, 300)
    light = [
        lgb.train({"objective": "multiclass", "num_class": 3, "verbose": -1}, lgb.Dataset(X, y), n)
        for n in (3, 5)
    ]
    merged = lightgbm_format.merged(light)
    expected = np.mean([b.predict(X, raw_score=True) for b in light], axis=0)
    assert_allclose(merged.predict(X, raw_score=True), expected, rtol=1e-12)
    assert merged.num_trees() == 24
    params = {"objective": "multi:softprob", "num_class": 3}
    extreme = [xgb.train(params, xgb.DMatrix(X, y), n) for n in (3, 5)]
    found = margins_of(xgboost_format.merged(extreme), X)
    expected = np.mean([margins_of(b, X) for b in extreme], axis=0)
    gap = found - expected
    assert_allclose(gap - gap.mean(axis=1, keepdims=True), 0.0, atol=1e-6)


class Count:
    """A training that counts its rounds, and notes which folds are trained at once."""

    active: ClassVar[set] = set()
    lock = threading.Lock()

    def __init__(self, fold, scores):
        self.fold, self.scores, self.n_rounds = fold, scores, 0

    def advance(self):
        with Count.lock:
            assert self.fold not in Count.active
            Count.active.add(self.fold)
        self.n_rounds += 1
        time.sleep(0.001)  # so that another thread would be seen
        with Count.lock:
            Count.active.remove(self.fold)
        return np.full(1, float(self.scores[min(self.n_rounds, len(self.scores)) - 1]))

    def booster(self, n_rounds):
        return self.fold, n_rounds


class SamePlan:
    """Its loss returns margins as log-odds."""

    class loss:  # noqa: N801
        log_odds = staticmethod(lambda margins: margins)


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_trials_run_in_step(n_workers):
    curves = [[1, 2, 3, 2, 2, 2], [5, 4, 3, 3, 3, 3], [1, 2, 3, 4, 5, 6]]
    begun, over = [], []

    def trials():
        for k, curve in enumerate(curves):
            begun.append(k)
            trainings = [Count(fold, curve) for fold in range(3)]
            score = lambda plans, log_odds: [float(u[0]) for u in log_odds]  # noqa: E731
            yield Trial(Setting(float(k), None), [SamePlan] * 3, trainings, score, 6, 2)

    found = run_trials(trials(), 3, n_workers, lambda: None, keep_boosters=True, over=over.append)
    assert [trial.n_rounds for trial in found] == [3, 1, 6]
    assert [len(trial.scores) for trial in found] == [5, 3, 6]
    assert [trial.boosters for trial in found] == [[(f, n) for f in range(3)] for n in (3, 1, 6)]
    assert begun == [0, 1, 2]
    assert set(over) == set(found)


def test_an_error_in_a_thread_reaches_the_caller():
    class Fails(Count):
        def advance(self):
            raise RuntimeError("no more memory")

    def trials():
        yield Trial(Setting(0.0, None), [SamePlan], [Fails(0, [])], lambda *_: [0.0], 3, None)

    with pytest.raises(RuntimeError, match="no more memory"):
        run_trials(trials(), 1, 2, lambda: None, keep_boosters=False, over=lambda _: None)
