"""FocalCatBoostClassifierCV.

The witness is the long way: plain classifiers fitted fold by fold. Tables have whole numbers, so
that the bins of a fold are those of all rows.
"""

import pickle
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, Pool
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import StratifiedKFold

from skfocal import FocalCatBoostClassifier, FocalCatBoostClassifierCV
from skfocal.calibration import fit_calibration
from skfocal.losses._link import raw_proba
from skfocal.plotting import GammaPathDisplay
from tests.conftest import shift_to_all_rows, table

# The cap of rounds is often the best number of so few.
pytestmark = pytest.mark.filterwarnings("ignore:The mean score was the best after the last")
links = pytest.mark.parametrize("link", ["focal", "posterior"])
GAMMAS = (0.0, 2.0)
# CatBoost would draw other splits for other numbers of rows
SMALL = {"verbose": 0, "allow_writing_files": False, "learning_rate": 0.2, "depth": 3}
SMALL |= {"leaf_estimation_iterations": 2, "random_strength": 0, "bootstrap_type": "No"}


def make(**params):
    few = {"focal_gammas": GAMMAS, "cv": 3, "iterations": 12, "thread_count": 2, **SMALL}
    return FocalCatBoostClassifierCV(**{**few, **params})


def plain(**params):
    return FocalCatBoostClassifier(**{"link": "posterior", "thread_count": 1, **SMALL, **params})


def coarse(n_rows=900):
    X, y, weight = table(n_rows=n_rows)
    return np.round(2.0 * X), y, np.round(weight) + 1.0


def folds(X, y):
    return list(StratifiedKFold(3).split(X, y))


@links
@pytest.mark.parametrize("weighted", [False, True])
def test_each_score_is_that_of_the_plain_class(link, weighted):
    X, y, weight = coarse()
    weight = weight if weighted else None
    model = make(link=link, calibration=None, focal_alphas=(None, "balanced"), iterations=6)
    model.fit(X, y, sample_weight=weight)
    assert model.scores_.shape == (2, 2, 3, 6)
    for i, gamma in enumerate(GAMMAS):
        for j, alpha in enumerate((None, "balanced")):
            for k, (train, test) in enumerate(folds(X, y)):
                own, held_out = (None, None) if weight is None else (weight[train], weight[test])
                one = plain(focal_gamma=gamma, focal_alpha=alpha, link=link, iterations=6)
                one.fit(X[train], y[train], sample_weight=own)
                losses = [
                    log_loss(y[test], P, sample_weight=held_out)
                    for P in one.staged_predict_proba(X[test])
                ]
                assert_allclose(model.scores_[i, j, k], np.negative(losses), rtol=1e-6)


@links
def test_the_refit_is_the_plain_class_with_what_was_chosen(link):
    X, y, weight = coarse()
    model = make(link=link, calibration=None).fit(X, y, sample_weight=weight)
    rounds = round(model.n_rounds_[model.best_index_] * 1.5**0.75)
    assert model.tree_count_ == rounds
    one = plain(focal_gamma=model.focal_gamma_, link=link, iterations=rounds)
    one.fit(X, y, sample_weight=weight)
    assert_allclose(model.predict_proba(X), one.predict_proba(X), rtol=1e-6)
    assert_array_equal(model.predict(X), one.predict(X))


def test_the_refit_has_the_learning_rate_of_the_folds():
    X, y, _ = coarse()
    params = {"learning_rate": None, "leaf_estimation_iterations": None, "iterations": 250}
    model = make(early_stopping_rounds=2, **params).fit(X, y)
    own = CatBoostClassifier(iterations=250, boost_from_average=True, verbose=0)
    own.set_params(allow_writing_files=False).fit(X, y)
    assert_allclose(model.learning_rate_, own.learning_rate_, rtol=1e-6)
    assert model.get_all_params()["leaf_estimation_iterations"] == 10


def test_the_merged_model_is_the_mean_of_the_folds(tmp_path):
    X, y, weight = coarse()
    model = make(ensemble=True, calibration=None).fit(X, y, sample_weight=weight)
    rounds = model.n_rounds_[model.best_index_]
    assert model.tree_count_ == 3 * rounds
    margins = []
    for train, _ in folds(X, y):
        one = plain(focal_gamma=model.focal_gamma_, iterations=rounds)
        one.fit(X[train], y[train], sample_weight=weight[train])
        margins.append(one.decision_function(X))
    expected = model.calibration_.apply(np.mean(margins, axis=0))
    assert_allclose(model.decision_function(X), expected, atol=1e-6)
    assert model.calibration_.slope == 1.0
    model.save_model(tmp_path / "model.cbm")
    own = CatBoostClassifier().load_model(str(tmp_path / "model.cbm"))
    assert_allclose(own.predict_proba(X), model.predict_proba(X), rtol=1e-9)
    assert model.feature_importances_.shape == (10,)
    assert model.get_all_params()["learning_rate"] == pytest.approx(0.2)
    assert model.learning_rate_ == pytest.approx(0.2)


@pytest.mark.parametrize("ensemble", [False, True])
def test_the_saved_model_decides_as_this_one(ensemble, tmp_path):
    X, y, _ = coarse()
    model = make(ensemble=ensemble, focal_alphas=((1.0, 6.0),)).fit(X, y)
    model.save_model(tmp_path / "model.cbm")
    own = CatBoostClassifier().load_model(str(tmp_path / "model.cbm"))
    assert_array_equal(own.predict(X), model.predict(X))
    assert (own.predict(X) != (own.predict_proba(X)[:, 1] > 0.5)).any()


def test_text_and_embeddings():
    rng = np.random.default_rng(0)
    X, y, _ = table(n_rows=400)
    words = np.where(y[:, np.newaxis] == 1, ["card", "fraud"], ["loan", "card"])
    frame = pd.DataFrame(X[:, :3], columns=list("abc"))
    frame["text"] = [" ".join(rng.permutation(row)) for row in words]
    model = make(text_features=["text"]).fit(frame, y)
    assert log_loss(y, model.predict_proba(frame)) < 0.2
    frame["text"] = [rng.normal(label, 1.0, 4) for label in y]
    model = make(embedding_features=np.array(["text"])).fit(frame, y)
    assert log_loss(y, model.oof_proba_) < 0.85 * log_loss(y, np.full(len(y), y.mean()))


@links
def test_calibration_is_that_of_the_held_out_rows(link):
    X, y, weight = coarse(n_rows=1500)
    model = make(link=link).fit(X, y, sample_weight=weight)
    rounds = model.n_rounds_[model.best_index_]
    log_odds, shifted = np.zeros(len(y)), np.zeros(len(y))
    for train, test in folds(X, y):
        one = plain(focal_gamma=model.focal_gamma_, link=link, iterations=rounds)
        one.fit(X[train], y[train], sample_weight=weight[train])
        log_odds[test] = one.decision_function(X[test])
        shifted[test] = log_odds[test] + shift_to_all_rows(y, weight, train)
    expected = fit_calibration(shifted, y, weight)
    assert model.calibration_.slope == pytest.approx(expected.slope, rel=1e-6)
    assert model.calibration_.offset == pytest.approx(expected.offset, abs=1e-6)
    found = raw_proba(fit_calibration(log_odds, y, weight).apply(log_odds))
    assert_allclose(model.oof_proba_, found, rtol=1e-6)
    assert log_loss(y, found, sample_weight=weight) == pytest.approx(
        -np.mean([model.scores_[model.best_index_][k, rounds - 1] for k in range(3)]),
        rel=0.01,
    )


def test_threads_change_nothing():
    X, y, weight = coarse()
    one, two = (make(thread_count=n, ensemble=True).fit(X, y, sample_weight=weight) for n in (1, 2))
    assert_allclose(two.scores_, one.scores_, rtol=1e-9)
    assert_allclose(two.predict_proba(X), one.predict_proba(X), rtol=1e-9)


def with_kinds(X, kinds):
    frame = pd.DataFrame(X, columns=[f"x{k}" for k in range(X.shape[1])])
    frame.iloc[::7, 0] = np.nan
    frame["kind"] = np.digitize(X[:, 1], kinds).astype(str)
    return frame


def test_categories_and_rows_of_weight_0():
    X, y, weight = coarse()
    weight = np.where(np.arange(len(y)) % 10, weight, 0.0)
    frame = with_kinds(X, [-1.0, 0.0, 1.0])
    model = make(calibration=None, cat_features=["kind"]).fit(frame, y, sample_weight=weight)
    kept = weight > 0
    one = plain(focal_gamma=model.focal_gamma_, iterations=model.tree_count_)
    one.fit(frame[kept], y[kept], sample_weight=weight[kept], cat_features=["kind"])
    assert_allclose(model.predict_proba(frame), one.predict_proba(frame), rtol=1e-5)
    assert list(model.feature_names_in_) == list(frame)
    assert np.isfinite(model.oof_proba_[kept]).all()
    with pytest.raises(ValueError, match="ensemble=True merges boosters"):
        make(ensemble=True).fit(frame, y, cat_features=["kind"])


def test_scorers_see_the_held_out_rows():
    X, y, _ = coarse()
    ranked = make(scoring="average_precision").fit(X, y)
    train, test = folds(X, y)[0]
    one = plain(focal_gamma=0.0, iterations=12).fit(X[train], y[train])
    expected = average_precision_score(y[test], one.predict_proba(X[test])[:, 1])
    # neither slope nor offset changes the order
    assert ranked.scores_[0, 0, 0, 11] == pytest.approx(expected, rel=1e-6)


def test_a_setting_ends_when_its_mean_has_not_improved():
    X, y, _ = coarse()
    model = make(iterations=300, early_stopping_rounds=4, learning_rate=0.5).fit(X, y)
    n_rounds = np.isfinite(model.scores_[:, 0, 0]).sum(axis=1)
    assert_array_equal(n_rounds, model.n_rounds_[:, 0] + 4)


def test_no_thread_is_left():
    X, y, _ = coarse()
    before = threading.active_count()
    make(iterations=50, early_stopping_rounds=2).fit(X, y)
    assert threading.active_count() == before
    kept = []
    for scoring, error in (
        (lambda model, X, y: np.nan, ValueError),
        (lambda model, X, y: 1 / 0, ZeroDivisionError),
    ):
        with pytest.raises(error) as caught:
            make(scoring=scoring).fit(X, y)
        kept.append(caught)  # as a notebook keeps the last error
        assert threading.active_count() == before


RAISES = """
import numpy as np
from skfocal import FocalCatBoostClassifierCV
X = np.random.default_rng(0).normal(size=(300, 3))
FocalCatBoostClassifierCV(
    cv=3, iterations=5, verbose=0, allow_writing_files=False, scoring=lambda *_: 1 / 0
).fit(X, X[:, 0] > 0)
"""


def test_an_error_does_not_end_the_process():
    done = subprocess.run([sys.executable, "-c", RAISES], capture_output=True, text=True)
    assert "ZeroDivisionError" in done.stderr
    assert done.returncode == 1


def test_a_training_that_catboost_ends():
    """It ends where the leaves have left no gradient; the search goes on without it."""
    X, _, _ = table(n_rows=400)
    y = (X[:, 0] > 0).astype(int)
    params = {"l2_leaf_reg": 0, "leaf_estimation_iterations": 10, "learning_rate": 0.9}
    params |= {"leaf_estimation_backtracking": "No", "iterations": 400, "depth": 4}
    model = make(focal_gammas=(0.0,), early_stopping_rounds=None, **params).fit(X, y)
    assert model.scores_.shape == (1, 1, 3, 400)
    assert_array_equal(model.scores_[..., -1], model.scores_[..., -2])
    assert np.isfinite(model.predict_proba(X)).all()


def test_an_error_of_catboost_is_raised():
    X, y, _ = coarse()
    with pytest.raises(Exception, match="constant"):
        make().fit(np.zeros_like(X), y)


def test_the_cap_of_rounds_warns():
    X, y, _ = coarse()
    with pytest.warns(ConvergenceWarning, match="Increase iterations"):
        make(iterations=2).fit(X, y)


@pytest.mark.parametrize(
    "params, error, match",
    [
        ({"link": "focal", "ensemble": True}, ValueError, "ensemble=True takes the mean"),
        ({"early_stopping_rounds": 0}, ValueError, "early_stopping_rounds"),
        ({"iterations": 0}, ValueError, "iterations"),
        ({"focal_gammas": 2.0}, TypeError, "focal_gammas must be a sequence"),
        ({"rule": "first"}, ValueError, "rule"),
        ({"eval_metric": "AUC"}, ValueError, "eval_metric has no effect"),
        ({"od_wait": 3}, ValueError, "od_wait has no effect"),
        ({"save_snapshot": True}, ValueError, "save_snapshot"),
        ({"task_type": "GPU"}, ValueError, "task_type"),
        ({"langevin": True}, ValueError, "langevin"),
        ({"leaf_estimation_backtracking": "AnyImprovement"}, ValueError, "backtracking"),
        ({"loss_function": "MultiClass"}, ValueError, "loss_function"),
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
        FocalCatBoostClassifierCV(focal_gamma=2.0)
    with pytest.raises(ValueError, match="focal_gamma is chosen"):
        make().set_params(focal_gamma=1.0)
    X, y, _ = coarse(n_rows=200)
    with pytest.raises(TypeError, match="eval_set"):
        make().fit(X, y, eval_set=[])
    with pytest.raises(TypeError, match="splits tables, and X is a Pool"):
        make().fit(Pool(X, y), y)


@pytest.mark.parametrize("ensemble", [False, True])
def test_copies_and_explanations_agree(ensemble):
    X, y, _ = coarse()
    model = make(ensemble=ensemble, priors=[0.9, 0.1]).fit(X, y)
    P = model.predict_proba(X)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), P)
    values = model.get_feature_importance(Pool(X), type="ShapValues")
    assert_allclose(values.sum(axis=1), model.decision_function(X), rtol=1e-6, atol=1e-6)


def test_what_a_search_shows(capsys):
    X, y, _ = coarse()
    model = make(ensemble=True, verbose=1).fit(X, y)
    assert capsys.readouterr().out.count("mean score") == 2
    frame = pd.DataFrame(model.comparison_)
    assert list(frame["focal_gamma"]) == [0.0, 2.0]
    assert "gamma" in GammaPathDisplay.from_cv(model).verdict
    assert clone(model).get_params() == model.get_params()
    before = model.predict_proba(X)
    model.adjust_priors([0.5, 0.5]).adjust_priors(None)
    assert_allclose(model.predict_proba(X), before, rtol=1e-9)
