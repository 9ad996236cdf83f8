"""FocalHistGradientBoostingClassifierCV.

The witness is the long way: plain classifiers fitted fold by fold. Tables have whole numbers, so
that the bins of a fold are those of all rows.
"""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import partial_dependence
from sklearn.metrics import accuracy_score, average_precision_score, log_loss
from sklearn.model_selection import StratifiedKFold

from skfocal import FocalHistGradientBoostingClassifier, FocalHistGradientBoostingClassifierCV
from skfocal.calibration import fit_calibration
from skfocal.losses._link import raw_proba
from skfocal.onnx import to_onnx
from skfocal.plotting import GammaPathDisplay
from tests.conftest import shift_to_all_rows, table

# The cap of rounds is often the best number of so few.
pytestmark = pytest.mark.filterwarnings("ignore:The mean score was the best after the last")
links = pytest.mark.parametrize("link", ["focal", "posterior"])
numbers_of_classes = pytest.mark.parametrize("n_classes", [2, 3])
GAMMAS = (0.0, 2.0)
SMALL = {"min_samples_leaf": 5, "random_state": 0}


def make(**params):
    few = {"focal_gammas": GAMMAS, "cv": 3, "max_iter": 12, "ensemble": False, **SMALL}
    return FocalHistGradientBoostingClassifierCV(**{**few, **params})


def plain(**params):
    defaults = {"early_stopping": False, "link": "posterior", **SMALL}
    return FocalHistGradientBoostingClassifier(**{**defaults, **params})


def coarse(n_classes=2, n_rows=900):
    X, y, weight = table(n_classes, n_rows=n_rows)
    return np.round(2.0 * X), y, weight


def folds(X, y):
    return list(StratifiedKFold(3).split(X, y))


@links
@numbers_of_classes
@pytest.mark.parametrize("weighted", [False, True])
def test_each_score_is_that_of_the_plain_class(link, n_classes, weighted):
    X, y, weight = coarse(n_classes)
    weight = weight if weighted else None
    model = make(link=link, calibration=None, focal_alphas=(None, "balanced"), max_iter=6)
    model.fit(X, y, weight)
    assert model.scores_.shape == (2, 2, 3, 6)
    for i, gamma in enumerate(GAMMAS):
        for j, alpha in enumerate((None, "balanced")):
            for k, (train, test) in enumerate(folds(X, y)):
                own, held_out = (None, None) if weight is None else (weight[train], weight[test])
                one = plain(focal_gamma=gamma, focal_alpha=alpha, link=link, max_iter=6)
                one.fit(X[train], y[train], own)
                losses = [
                    log_loss(y[test], P, sample_weight=held_out)
                    for P in one.staged_predict_proba(X[test])
                ]
                assert_allclose(model.scores_[i, j, k], np.negative(losses), rtol=1e-9)


@links
@numbers_of_classes
def test_the_refit_is_the_plain_class_with_what_was_chosen(link, n_classes):
    X, y, weight = coarse(n_classes)
    model = make(link=link, calibration=None, max_features=0.5, max_leaf_nodes=7)
    model.fit(X, y, weight)
    rounds = round(model.n_rounds_[model.best_index_] * 1.5**0.75)
    assert model.n_iter_ == rounds
    one = plain(
        focal_gamma=model.focal_gamma_,
        link=link,
        max_iter=rounds,
        max_features=0.5,
        max_leaf_nodes=7,
    )
    one.fit(X, y, weight)
    assert_allclose(model.predict_proba(X), one.predict_proba(X), rtol=1e-9)
    assert_array_equal(model.predict(X), one.predict(X))


@numbers_of_classes
def test_the_merged_model_is_the_mean_of_the_folds(n_classes):
    X, y, weight = coarse(n_classes)
    model = make(ensemble=True, calibration=None).fit(X, y, weight)
    rounds = model.n_rounds_[model.best_index_]
    assert model.n_iter_ == 3 * rounds
    margins = []
    for train, _ in folds(X, y):
        one = plain(focal_gamma=model.focal_gamma_, max_iter=rounds)
        margins.append(one.fit(X[train], y[train], weight[train]).decision_function(X))
    expected = model.calibration_.apply(np.mean(margins, axis=0))
    assert_allclose(model.decision_function(X), expected, atol=1e-9)
    assert model.calibration_.slope == 1.0


@links
def test_calibration_is_that_of_the_held_out_rows(link):
    X, y, weight = coarse(n_rows=1500)
    model = make(link=link).fit(X, y, weight)
    rounds = model.n_rounds_[model.best_index_]
    log_odds, shifted = np.zeros(len(y)), np.zeros(len(y))
    for train, test in folds(X, y):
        one = plain(focal_gamma=model.focal_gamma_, link=link, max_iter=rounds)
        one.fit(X[train], y[train], weight[train])
        log_odds[test] = one.decision_function(X[test])
        shifted[test] = log_odds[test] + shift_to_all_rows(y, weight, train)
    expected = fit_calibration(shifted, y, weight)
    assert model.calibration_.slope == pytest.approx(expected.slope, rel=1e-6)
    assert model.calibration_.offset == pytest.approx(expected.offset, abs=1e-6)
    found = raw_proba(fit_calibration(log_odds, y, weight).apply(log_odds))
    assert_allclose(model.oof_proba_, found, rtol=1e-8)
    assert log_loss(y, found, sample_weight=weight) == pytest.approx(
        -np.mean([model.scores_[model.best_index_][k, rounds - 1] for k in range(3)]),
        rel=0.01,
    )


def test_the_mean_of_a_merged_model_is_that_of_new_rows():
    X, y, _ = table(n_rows=6000)
    model = make(ensemble=True, max_iter=60, calibration=None).fit(X[:3000], y[:3000])
    rounds, averaged = model.n_rounds_[model.best_index_], np.zeros((3000, 2))
    for train, _ in folds(X[:3000], y[:3000]):
        one = plain(focal_gamma=model.focal_gamma_, max_iter=rounds).fit(X[train], y[train])
        averaged += one.predict_proba(X[3000:]) / 3
    P = model.predict_proba(X[3000:])
    assert P[:, 1].mean() == pytest.approx(averaged[:, 1].mean(), rel=0.02)
    uncorrected = raw_proba(model.decision_function(X[3000:]) - model.calibration_.offset)
    assert uncorrected[:, 1].mean() < 0.99 * averaged[:, 1].mean()
    own = HistGradientBoostingClassifier.predict_proba(model, X[3000:])
    assert_allclose(own, P, rtol=1e-9)  # the trees themselves have the offset


def test_threads_change_nothing():
    X, y, weight = coarse()
    one, two = (make(n_jobs=n, ensemble=True).fit(X, y, weight) for n in (1, 2))
    assert_allclose(two.scores_, one.scores_, rtol=1e-9)
    assert_allclose(two.predict_proba(X), one.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("ensemble", [False, True])
def test_categories_and_missing_values(ensemble):
    X, y, weight = coarse()
    frame = pd.DataFrame(X, columns=[f"x{k}" for k in range(X.shape[1])])
    frame.iloc[::7, 0] = np.nan
    frame["kind"] = pd.cut(X[:, 1], 4, labels=list("abcd"))
    weight = np.where(np.arange(len(y)) % 10, weight, 0.0)
    model = make(ensemble=ensemble, calibration=None).fit(frame, y, weight)
    kept = weight > 0
    if not ensemble:
        one = plain(focal_gamma=model.focal_gamma_, max_iter=model.n_iter_)
        one.fit(frame[kept], y[kept], weight[kept])
        assert_allclose(model.predict_proba(frame), one.predict_proba(frame), rtol=1e-9)
    assert list(model.feature_names_in_) == list(frame)
    assert np.isfinite(model.oof_proba_[kept]).all()
    assert model.predict_proba(frame).shape == (len(y), 2)


def test_scorers_choose_as_scikit_learn_names_them():
    X, y, _ = coarse()
    model = make(scoring=None, rule="best").fit(X, y)
    fold, (train, test) = 0, folds(X, y)[0]
    one = plain(focal_gamma=0.0, max_iter=12).fit(X[train], y[train])
    raw = accuracy_score(y[test], one.predict(X[test]))
    # slope and offset come before the score: they move a few rows over the half
    assert model.scores_[0, 0, fold, 11] == pytest.approx(raw, abs=0.05)
    ranked = make(scoring="average_precision").fit(X, y)
    expected = average_precision_score(y[test], one.predict_proba(X[test])[:, 1])
    # neither slope nor offset changes the order
    assert ranked.scores_[0, 0, fold, 11] == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="scoring"):
        make(scoring="no such score").fit(X, y)


def test_accuracy_takes_weights_where_metadata_are_routed():
    X, y, weight = coarse()
    with config_context(enable_metadata_routing=True):
        model = make(scoring=None).fit(X, y, sample_weight=weight)
    assert model.scores_.shape[:3] == (2, 1, 3)


def test_partial_dependence_by_recursion_knows_no_weights():
    X, y, weight = coarse()
    model = make().fit(X, y, weight)
    with pytest.raises(NotImplementedError, match="sample weights"):
        partial_dependence(model, X, features=[0], response_method="decision_function")


def test_a_setting_ends_when_its_mean_has_not_improved():
    X, y, _ = coarse()
    model = make(max_iter=300, n_iter_no_change=4, learning_rate=0.5).fit(X, y)
    n_rounds = np.isfinite(model.scores_[:, 0, 0]).sum(axis=1)
    assert_array_equal(n_rounds, model.n_rounds_[:, 0] + 4)


def test_the_cap_of_rounds_warns():
    X, y, _ = coarse()
    with pytest.warns(ConvergenceWarning, match="Increase max_iter"):
        make(max_iter=2).fit(X, y)


@pytest.mark.parametrize(
    "params, error, match",
    [
        ({"link": "focal", "ensemble": True}, ValueError, "ensemble=True takes the mean"),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"focal_gammas": 2.0}, TypeError, "focal_gammas must be a sequence"),
        ({"rule": "first"}, ValueError, "rule"),
        ({"n_jobs": 1.5}, ValueError, "n_jobs"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate"),
        ({"monotonic_cst": [3] * 10}, ValueError, "monotonic_cst"),
    ],
)
def test_wrong_parameters_are_refused(params, error, match):
    X, y, _ = coarse(n_rows=200)
    model = make(**params)
    before = dict(vars(model))
    with pytest.raises(error, match=match):
        model.fit(X, y)
    assert vars(model) == before


def test_what_is_chosen_cannot_be_given():
    with pytest.raises(TypeError, match="focal_gamma"):
        FocalHistGradientBoostingClassifierCV(focal_gamma=2.0)
    with pytest.raises(ValueError, match="focal_gamma is chosen"):
        make().set_params(focal_gamma=1.0)
    with pytest.raises(TypeError, match="eval_set"):
        make().fit(*coarse()[:2], eval_set=[])


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of shap's colours
@pytest.mark.parametrize("ensemble", [False, True])
def test_copies_graphs_and_explanations_agree(ensemble):
    import onnxruntime
    import shap

    X, y, _ = coarse()
    X = X.astype(np.float32)
    model = make(ensemble=ensemble, priors=[0.9, 0.1]).fit(X, y)
    P = model.predict_proba(X)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), P)
    session = onnxruntime.InferenceSession(to_onnx(model, X).SerializeToString())
    _, proba = session.run(None, {session.get_inputs()[0].name: X})
    assert_allclose(proba, P, atol=1e-5)
    explainer = shap.TreeExplainer(model)
    sums = np.asarray(explainer.shap_values(X)).sum(axis=1) + explainer.expected_value
    assert_allclose(sums, model.decision_function(X), rtol=1e-6, atol=1e-6)


def test_what_a_search_shows():
    X, y, _ = coarse()
    model = make(ensemble=True).fit(X, y)
    frame = pd.DataFrame(model.comparison_)
    assert list(frame["focal_gamma"]) == [0.0, 2.0]
    assert "gamma" in GammaPathDisplay.from_cv(model).verdict
    assert clone(model).get_params() == model.get_params()
    # a second fit, and priors, start from what was found
    before = model.predict_proba(X)
    model.adjust_priors([0.5, 0.5]).adjust_priors(None)
    assert_allclose(model.predict_proba(X), before, rtol=1e-9)
