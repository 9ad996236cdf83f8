"""FocalCatBoostClassifier: CatBoost on the focal loss."""

import json
import pickle
import subprocess
import sys
import threading
import warnings
from copy import copy, deepcopy

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, Pool
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_array, csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, average_precision_score, brier_score_loss, log_loss
from sklearn.model_selection import GridSearchCV

from skfocal import FocalCatBoostClassifier
from skfocal.catboost._parameters import chosen_learning_rate
from skfocal.losses import make_loss
from skfocal.metrics import focal_loss
from tests.conftest import table

QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}
SMALL = {"iterations": 20, **QUIET}
both_links = pytest.mark.parametrize("link", ["focal", "posterior"])


def make(**parameters):
    return FocalCatBoostClassifier(**{**SMALL, **parameters})


def plain(**parameters):
    return CatBoostClassifier(**{**SMALL, "boost_from_average": True, **parameters})


def raw(model, X):
    return model.predict(X, prediction_type="RawFormulaVal")


def frame(n_rows=1000):
    """A frame with a column of categories, its labels and weights."""
    X, y, weight = table(n_rows=n_rows)
    X = pd.DataFrame(X, columns=[f"x{k}" for k in range(X.shape[1])])
    X.iloc[::7, 0] = np.nan
    X["kind"] = np.digitize(X["x1"], [-1.0, 0.0, 1.0]).astype(str)
    return X, y, weight


def with_text(n_rows=400):
    rng = np.random.default_rng(0)
    X, y, _ = table(n_rows=n_rows)
    words = np.where(y[:, np.newaxis] == 1, ["card", "fraud"], ["loan", "card"])
    X = pd.DataFrame(X[:, :3], columns=list("abc"))
    X["text"] = [" ".join(rng.permutation(row)) for row in words]
    X["vector"] = [rng.normal(label, 1.0, 4) for label in y]
    return X, y


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"boosting_type": "Ordered"},
        {"grow_policy": "Lossguide", "subsample": 0.7},
        {"leaf_estimation_iterations": 3, "learning_rate": 0.2, "l2_leaf_reg": 1.0},
        {"iterations": 200, "early_stopping_rounds": 3, "learning_rate": 0.5},
    ],
    ids=["default", "ordered", "lossguide", "steps", "stopped"],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_gamma_0_is_catboosts_logloss(parameters, weighted):
    X, y, weight = frame()
    given = {"cat_features": ["kind"], "sample_weight": weight if weighted else None}
    given["eval_set"] = (X[:300], y[:300])
    model = make(focal_gamma=0.0, **parameters).fit(X, y, **given)
    expected = plain(**parameters).fit(X, y, **given)
    assert model.tree_count_ == expected.tree_count_
    assert_allclose(raw(model, X), raw(expected, X), rtol=1e-12, atol=1e-12)
    # CatBoost has 1 - p for the first class, which loses digits
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-12, atol=1e-15)
    assert_array_equal(model.predict(X), expected.predict(X))
    assert model.evals_result_ == expected.evals_result_


@pytest.mark.parametrize(
    "parameters", [{}, {"boosting_type": "Ordered"}, {"subsample": 0.7}, {"depth": 3}]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_objective_is_catboosts_logloss_at_gamma_0(parameters, weighted):
    """With class weights the objective of this package trains, and CatBoost's own beside it."""
    X, y, weight = frame()
    weight = np.round(weight) + 1.0  # with rounded sums, splits that are as good would differ
    given = {"cat_features": ["kind"], "sample_weight": weight if weighted else None}
    same = {"leaf_estimation_iterations": 10, "learning_rate": 0.1, **parameters}
    model = make(focal_gamma=0.0, class_weights=[1.0, 3.0], **same).fit(X, y, **given)
    # CatBoost compares losses after each step of a leaf only for its own objectives
    expected = plain(class_weights=[1.0, 3.0], leaf_estimation_backtracking="No", **same)
    assert_allclose(raw(model, X), raw(expected.fit(X, y, **given), X), atol=1e-6)


def test_the_true_hessian_is_catboosts_own_focal():
    X, y, _ = table()
    same = {"leaf_estimation_iterations": 3, "learning_rate": 0.1, "l2_leaf_reg": 0.0}
    same |= {"random_strength": 0.0, "bootstrap_type": "No", "depth": 2, "iterations": 10}
    model = make(focal_gamma=1.5, hessian="exact", boost_from_average=False, **same)
    own = plain(loss_function="Focal:focal_alpha=0.5;focal_gamma=1.5", **same)
    own.set_params(boost_from_average=False)
    assert_allclose(raw(model.fit(X, y), X), raw(own.fit(X, y), X), rtol=1e-4, atol=1e-4)


@both_links
@pytest.mark.parametrize("gamma", [0.5, 2.0, (1.0, 3.0)])
def test_probabilities_are_those_of_the_population(link, gamma):
    X, y, _ = table(n_rows=4000)
    model = make(focal_gamma=gamma, link=link, focal_alpha=(1.0, 6.0), depth=3).fit(X, y)
    P = model.predict_proba(X)[:, 1]
    assert abs(P.mean() / y.mean() - 1.0) < 0.1  # raw sigmoids are at 2 to 3 times
    assert log_loss(y, P) < 0.8 * log_loss(y, np.full(len(y), y.mean()))
    # weights are costs: they count in the decision, and not in the probability
    assert_array_equal(model.predict(X), P > 1.0 / 7.0)
    assert_allclose(1.0 / (1.0 + np.exp(-model.decision_function(X))), P, rtol=1e-12)


@both_links
def test_both_links_start_at_the_best_constant(link):
    X, y, weight = table()
    model = make(focal_gamma=2.0, link=link, iterations=1, learning_rate=1e-6)
    model.fit(X, y, sample_weight=weight)
    expected = np.average(y, weights=weight)
    assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=1e-5)
    scale, bias = model.get_scale_and_bias()
    assert scale == 1.0
    assert_allclose(bias, model.loss_.intercept(y, weight), rtol=1e-6)


def test_without_an_average_training_starts_at_0():
    X, y, _ = table()
    model = make(boost_from_average=False, iterations=1, learning_rate=1e-6).fit(X, y)
    assert_allclose(raw(model, X), 0.0, atol=1e-5)


@pytest.mark.parametrize(
    "spelling",
    [
        {"class_weights": [1.0, 4.0]},
        {"class_weights": {"b": 4.0, "a": 1.0}},
        {"scale_pos_weight": 4.0},
        {"focal_alpha": (1.0, 4.0)},
        {"focal_alpha": (1.0, 2.0), "class_weights": (1.0, 2.0)},
    ],
)
def test_spellings_of_class_weights(spelling):
    X, y, _ = table()
    y = np.array(["a", "b"])[y]
    model = make(**spelling).fit(X, y)
    assert model.loss_.class_weight == (1.0, 4.0)
    expected = make(focal_alpha=(1.0, 4.0)).fit(X, y)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize("word, power", [("Balanced", 1.0), ("SqrtBalanced", 0.5)])
def test_automatic_class_weights_are_catboosts(word, power):
    X, y, weight = table()
    model = make(auto_class_weights=word).fit(X, y, sample_weight=weight)
    totals = np.bincount(y, weights=weight)
    assert_allclose(model.loss_.class_weight, (totals.max() / totals) ** power, rtol=1e-6)
    own = plain(auto_class_weights=word).fit(X, y, sample_weight=weight)
    # CatBoost's sums of uneven weights have few digits
    assert_allclose(own.get_all_params()["class_weights"], model.loss_.class_weight, rtol=1e-3)


@pytest.mark.parametrize("iterations", [50, 300])
@pytest.mark.parametrize("best_model", [False, True])
def test_the_learning_rate_is_the_one_that_catboost_chooses(iterations, best_model):
    X, y, _ = table()
    given = {"eval_set": (X, y)} if best_model else {}

    class Stop:
        def after_iteration(self, info):
            return False

    own = plain(iterations=iterations).fit(X, y, callbacks=[Stop()], **given)
    model = make(iterations=iterations).fit(X, y, callbacks=[Stop()], **given)
    assert_allclose(model.learning_rate_, own.learning_rate_, rtol=1e-6)
    rate = chosen_learning_rate(len(X), iterations, best_model=best_model)
    assert_allclose(rate, own.learning_rate_, rtol=1e-6)
    names = ("leaf_estimation_method", "leaf_estimation_iterations")
    assert [model.get_all_params()[k] for k in names] == [own.get_all_params()[k] for k in names]


@pytest.mark.parametrize("name", ["learning_rate", "l2_leaf_reg", "leaf_estimation_iterations"])
def test_catboost_chooses_no_learning_rate_beside_other_parameters(name):
    X, y, _ = table()
    own, model = plain(**{name: 2}).fit(X, y), make(**{name: 2}).fit(X, y)
    assert_allclose(model.learning_rate_, own.learning_rate_, rtol=1e-6)


def test_all_other_defaults_are_those_of_logloss():
    X, y, _ = table()
    own, model = plain().fit(X, y).get_all_params(), make().fit(X, y).get_all_params()
    different = {name for name in own if own[name] != model.get(name)}
    # the start is in the data, not in the parameters; metrics and steps back are CatBoost's own
    known = {"loss_function", "eval_metric", "boost_from_average", "class_names"}
    assert different <= {*known, "leaf_estimation_backtracking"}


METRICS = {
    "focal_loss": None,
    "Logloss": lambda y, P, label: log_loss(y, P),
    "BrierScore": lambda y, P, label: brier_score_loss(y, P),
    "Accuracy": lambda y, P, label: accuracy_score(y, label),
    "ZeroOneLoss": lambda y, P, label: 1.0 - accuracy_score(y, label),
    "PRAUC": lambda y, P, label: average_precision_score(y, P),
}


@both_links
@pytest.mark.parametrize("metric", METRICS)
def test_metrics_are_those_of_the_posterior(metric, link):
    X, y, _ = table()
    alpha = None if metric == "PRAUC" else (1.0, 3.0)  # which CatBoost counts there
    model = make(link=link, focal_alpha=alpha, eval_metric=metric, use_best_model=False)
    model.fit(X, y, eval_set=[(X, y), (X[:500], y[:500])])
    assert set(model.evals_result_) == {"learn", "validation_0", "validation_1"}
    for name, rows in (("validation_0", slice(None)), ("validation_1", slice(500))):
        P = model.predict_proba(X[rows])[:, 1]
        if metric == "focal_loss":
            expected = np.mean(model.loss_.loss(y[rows], raw(model, X[rows])))
        else:
            expected = METRICS[metric](y[rows], P, model.predict(X[rows]))
        rtol = 2e-3 if metric == "PRAUC" else 1e-9  # CatBoost interpolates between scores
        assert_allclose(model.evals_result_[name][metric][-1], expected, rtol=rtol)


def test_the_metric_of_weighted_rows_is_weighted():
    X, y, weight = table()
    pool = Pool(X, y, weight=weight)
    model = make(eval_metric="Logloss", use_best_model=False).fit(pool, eval_set=pool)
    expected = log_loss(y, model.predict_proba(X), sample_weight=weight.astype(np.float32))
    assert_allclose(model.evals_result_["validation"]["Logloss"][-1], expected, rtol=1e-6)


def test_training_stops_early_by_the_posterior():
    X, y, _ = table()
    model = make(iterations=500, eval_metric="Logloss", learning_rate=0.5)
    model.fit(X[:500], y[:500], eval_set=(X[500:], y[500:]), early_stopping_rounds=5)
    losses = model.evals_result_["validation"]["Logloss"]
    assert len(losses) == model.best_iteration_ + 6
    assert model.tree_count_ == np.argmin(losses) + 1 == model.best_iteration_ + 1
    assert_allclose(log_loss(y[500:], model.predict_proba(X[500:])), min(losses), rtol=1e-9)
    assert model.best_score_["validation"]["Logloss"] == min(losses)
    rate = model.learning_rate_
    model.calibrate(X, y)
    assert model.evals_result_["validation"]["Logloss"] == losses
    assert (model.learning_rate_, len(losses)) == (rate, model.best_iteration_ + 6)


class MeanProbability:
    """A user's metric, which takes the log-odds for margins."""

    def evaluate(self, approxes, target, weight):
        return float((1.0 / (1.0 + np.exp(-approxes[0]))).sum()), float(len(target))

    def is_max_optimal(self):
        return True

    def get_final_error(self, error, weight):
        return error / weight


@both_links
def test_a_users_metric_gets_log_odds(link):
    X, y, _ = table()
    model = make(link=link, eval_metric=MeanProbability(), use_best_model=False)
    model.fit(X, y, eval_set=(X, y))
    expected = model.predict_proba(X)[:, 1].mean()
    assert_allclose(model.evals_result_["validation"]["MeanProbability"][-1], expected, rtol=1e-9)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"eval_metric": "F1"}, "eval_metric='F1' would be computed from margins"),
        ({"eval_metric": "Logloss:use_weights=false"}, "without parameters"),
        ({"custom_metric": ["AUC", "Logloss"]}, "custom_metric='Logloss'"),
        ({"custom_metric": [MeanProbability()]}, "custom_metric must hold names"),
        ({"eval_metric": 3}, "eval_metric must be the name"),
        ({"link": "posterior", "focal_alpha": (1.0, 2.0), "eval_metric": "F1"}, "class weights"),
    ],
)
def test_metrics_that_would_be_of_something_else_are_refused(parameters, message):
    X, y, _ = table()
    with pytest.raises((TypeError, ValueError), match=message):
        make(**parameters).fit(X, y)


def test_metrics_of_catboost_where_margins_are_log_odds(tmp_path):
    X, y, _ = table()
    names = ["F1", "Logloss", "AUC:hints=skip_train~false", "BrierScore"]
    folder = {"train_dir": str(tmp_path)}  # where eval_metrics writes
    model = make(link="posterior", custom_metric=names, use_best_model=False, **folder)
    found = model.fit(X, y, eval_set=(X, y)).evals_result_["validation"]
    assert_allclose(found["Logloss"][-1], log_loss(y, model.predict_proba(X)), rtol=1e-9)
    values = model.eval_metrics(Pool(X, y), ["Logloss"])["Logloss"]
    assert_allclose(values[-1], found["Logloss"][-1], rtol=1e-9)
    with pytest.raises(ValueError, match="metrics='Logloss' would be computed"):
        make().fit(X, y).eval_metrics(Pool(X, y), ["Logloss"])


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"loss_function": "CrossEntropy"}, "loss_function='CrossEntropy' has no meaning"),
        ({"objective": "MultiClass"}, "loss_function='MultiClass'"),
        ({"class_names": [0, 1]}, "class_names"),
        ({"classes_count": 3}, "classes_count=3"),
        ({"target_border": 0.5}, "target_border"),
        ({"task_type": "GPU"}, "task_type='GPU' has no meaning with BinaryFocalLoss"),
        ({"leaf_estimation_backtracking": "AnyImprovement"}, "leaf_estimation_backtracking"),
        ({"model_shrink_rate": 0.1}, "model_shrink_rate"),
        ({"posterior_sampling": True}, "posterior_sampling"),
        ({"langevin": True}, "langevin"),
        ({"class_weights": [1, 2], "scale_pos_weight": 2}, "both weigh the classes"),
        ({"class_weights": [1.0, -2.0]}, "class_weights must be positive"),
        ({"class_weights": ["a", "b"]}, "class_weights must hold numbers"),
        ({"auto_class_weights": "balanced"}, 'must be "Balanced"'),
        ({"learning_rate": 0.1, "eta": 0.1}, "learning_rate and eta are the same"),
        ({"n_estimators": 3}, "iterations and n_estimators are the same"),
        ({"focal_gamma": -1.0}, "focal_gamma"),
        ({"link": "posterior", "hessian": "exact"}, "hessian"),
        ({"probability": "raw", "priors": (0.5, 0.5)}, "probability"),
    ],
)
def test_parameters_that_are_refused(parameters, message):
    X, y, _ = table(n_rows=200)
    model = make().fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(**parameters)
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(X, y)
    model.set_params(probability="posterior")
    assert_array_equal(model.predict_proba(X), expected)  # a failed fit leaves the model


def test_what_catboost_does_for_logloss_is_honoured_at_gamma_0():
    X, y, _ = table()
    same = {"model_shrink_rate": 0.1, "leaf_estimation_backtracking": "Armijo"}
    same = {"model_shrink_rate": 0.1, "langevin": True}
    model, own = make(focal_gamma=0.0, **same).fit(X, y), plain(**same).fit(X, y)
    assert_array_equal(raw(model, X), raw(own, X))


def test_unknown_parameters():
    with pytest.raises(TypeError, match="unexpected argument 'depths'"):
        make(depths=3)
    with pytest.raises(ValueError, match="Invalid parameter 'depths'"):
        make().set_params(depths=3)
    with pytest.raises(TypeError, match="focal_alhpa"):
        make(focal_alhpa=3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"eval_set": [(np.zeros((3, 10)), [0, 1, 2])]}, r"eval_set has labels .*\[2\]"),
        ({"eval_set": (np.zeros((3, 9)), [0, 1, 1])}, "9 features"),
        ({"eval_set": (np.zeros((3, 10)), [0, 1])}, "3 rows, but 2 labels"),
        ({"eval_set": "rows.tsv"}, "eval_set must be a pair"),
        ({"baseline": [0.0]}, "baseline must have a finite margin"),
        ({"baseline": np.full(200, np.nan)}, "baseline must have a finite margin"),
        ({"init_model": 3}, "init_model must be a fitted model"),
        ({"column_description": "rows.cd"}, "column_description"),
        ({"sample_weight": -np.ones(200)}, "sample_weight"),
        ({"sample_weight": np.zeros(200)}, "(?i)sample.weights? must"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    X, y, _ = table(n_rows=200)
    model = make()
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(X, y, **arguments)
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not hasattr(model, "classes_")


def test_classes():
    X, y, _ = table(3, n_rows=200)
    with pytest.raises(ValueError, match=r"Only binary classification is supported\. y has 3"):
        make().fit(X, y)
    with pytest.raises(ValueError, match="only one class"):
        make().fit(X, np.zeros(200))
    with pytest.raises(ValueError, match="rows of one class only"):
        make().fit(X, y > 0, sample_weight=(y > 0).astype(float))


@both_links
def test_a_pool_is_the_table(link):
    X, y, weight = frame()
    weight[:100] = 0.0
    labels = np.array(["no", "yes"])[y]
    pool = Pool(X, labels, cat_features=["kind"], weight=weight)
    by_pool = make(link=link).fit(pool, eval_set=[pool])
    by_table = make(link=link, cat_features=["kind"])
    by_table.fit(X, labels, sample_weight=weight, eval_set=[(X, labels)])
    assert_array_equal(by_pool.classes_, ["no", "yes"])
    assert by_pool.tree_count_ == by_table.tree_count_
    assert_allclose(by_pool.predict_proba(pool), by_table.predict_proba(X), rtol=1e-12)
    assert_array_equal(by_pool.predict(pool), by_table.predict(X))
    assert by_pool.score(pool) == by_table.score(X, labels)
    assert np.size(pool.get_baseline()) == 0  # the user's pool is as it was
    assert pool.num_row() == len(X)
    assert list(by_pool.feature_names_in_) == list(X.columns)
    mixed = make(link=link).fit(pool, eval_set=(X, labels))
    assert_allclose(mixed.predict_proba(X), by_table.predict_proba(X), rtol=1e-12)


def test_pools_that_are_refused():
    X, y, _ = table(n_rows=200)
    with pytest.raises(ValueError, match="no labels"):
        make().fit(Pool(X))
    with pytest.raises(ValueError, match="leave out y"):
        make().fit(Pool(X, y), y)
    labels = np.array(["a", "b"])[y]
    with pytest.raises(ValueError, match="labels are not 0 and 1"):
        make().fit(X, labels, eval_set=Pool(X, labels))
    with pytest.raises(ValueError, match="9 features"):
        make().fit(X, y).predict(Pool(X[:, :9]))


def test_margins_of_a_user_replace_the_start():
    X, y, _ = table()
    start = np.linspace(-1.0, 1.0, len(y))
    model = make(use_best_model=False).fit(X, y, baseline=start)
    of_pool = make().fit(Pool(X, y, baseline=start))
    assert_array_equal(raw(model, X), raw(of_pool, X))
    assert model.get_scale_and_bias() == (1.0, 0.0)
    loss = np.mean(model.loss_.loss(y, start.astype(np.float32) + raw(model, X)))
    assert_allclose(model.evals_result_["learn"]["focal_loss"][-1], loss, rtol=1e-6)


@both_links
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_training_goes_on(link, gamma, tmp_path):
    X, y, _ = table()
    same = {"link": link, "focal_gamma": gamma, "learning_rate": 0.1, "eval_metric": "Logloss"}
    first = make(**same).fit(X, y)
    first.save_model(tmp_path / "first.cbm")
    for given in (first, tmp_path / "first.cbm"):
        model = make(**same).fit(X, y, init_model=given)
        assert model.tree_count_ == 40
        after = log_loss(y, model.predict_proba(X))
        assert after < log_loss(y, first.predict_proba(X))
        # CatBoost starts from margins in single precision, and at gamma 0 from less
        rtol = 1e-3 if gamma == 0.0 else 1e-6
        assert_allclose(model.evals_result_["learn"]["Logloss"][-1], after, rtol=rtol)
    with pytest.raises(ValueError, match="init_model was trained on"):
        make(focal_gamma=1.0).fit(X, y, init_model=first)


def test_a_snapshot_is_continued_with_its_loss_alone(tmp_path):
    X, y, _ = table()

    class Stop:
        def after_iteration(self, info):
            return info.iteration < 5

    files = {"allow_writing_files": True, "train_dir": str(tmp_path), "save_snapshot": True}
    files |= {"snapshot_file": "rows", "snapshot_interval": 0}
    make(**files).fit(X, y, callbacks=[Stop()])
    again = make(**files).fit(X, y)
    assert again.tree_count_ == 20
    assert len(again.evals_result_["learn"]["focal_loss"]) == 20
    for other in ({"focal_gamma": 1.0}, {"focal_alpha": (1.0, 2.0)}, {"link": "posterior"}):
        with pytest.raises(ValueError, match=r"snapshot_file: .* is of another training"):
            make(**files, **other).fit(X, y)
    with pytest.raises(ValueError, match="is of another training"):
        make(**files).fit(X[:900], y[:900])


def test_a_users_callback_ends_training():
    X, y, _ = table()

    class Stop:
        def after_iteration(self, info):
            return info.iteration < 7

    assert make().fit(X, y, callbacks=[Stop()]).tree_count_ == 7


@both_links
def test_predictions_of_all_kinds(link):
    X, y, _ = table()
    model = make(link=link, focal_alpha=(1.0, 2.0)).fit(X, y)
    P = model.predict_proba(X)
    assert_array_equal(model.predict(X, prediction_type="Probability"), P)
    assert_allclose(np.exp(model.predict_log_proba(X)), P, rtol=1e-12)
    assert_array_equal(model.predict(X, "LogProbability"), model.predict_log_proba(X))
    assert_allclose(model.predict(X, "Exponent"), np.exp(raw(model, X)), rtol=1e-12)
    stages = list(model.staged_predict_proba(X, eval_period=5))
    assert len(stages) == 4
    for n_trees, stage in zip((5, 10, 15, 20), stages, strict=True):
        assert_allclose(stage, model.predict_proba(X, ntree_end=n_trees), rtol=1e-12)
    labels = list(model.staged_predict(X))
    assert_array_equal(labels[-1], model.predict(X))
    assert_allclose(list(model.staged_predict_log_proba(X))[-1], np.log(P), rtol=1e-12)
    assert model.score(X, y) == accuracy_score(y, model.predict(X))
    weight = np.arange(len(y))
    expected = accuracy_score(y, model.predict(X), sample_weight=weight)
    assert model.score(X, y, sample_weight=weight) == expected
    with pytest.raises(ValueError, match="prediction_type must be one of"):
        model.predict(X, "Label")


@both_links
@pytest.mark.parametrize("classes", [[0, 1], [False, True], ["a", "b"], [3, 7], [1.0, 2.0]])
@pytest.mark.parametrize("file_format", ["cbm", "json"])
def test_saved_models(link, classes, file_format, tmp_path):
    X, y, _ = frame()
    y = np.array(classes)[y]
    model = make(link=link, focal_alpha=(1.0, 2.0), cat_features=["kind"]).fit(X, y)
    model.calibrate(X, y).adjust_priors((0.5, 0.5))
    path = tmp_path / f"model.{file_format}"
    model.save_model(path, format=file_format)
    loaded = FocalCatBoostClassifier().load_model(path, format=file_format)
    assert_allclose(loaded.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.classes_.dtype == model.classes_.dtype
    assert (loaded.focal_gamma, loaded.focal_alpha, loaded.link) == (2.0, (1.0, 2.0), link)
    assert loaded.calibration_ == model.calibration_
    assert_array_equal(loaded.feature_names_in_, X.columns)
    own = CatBoostClassifier().load_model(str(path), format=file_format)
    assert own.get_params()["loss_function"] == "Logloss"
    assert_array_equal(own.classes_, classes)
    if link == "posterior":
        assert_allclose(own.predict_proba(X), model.predict_proba(X), rtol=1e-9)
        assert_array_equal(own.predict(X), model.predict(X))
    else:
        margin = raw(model, X)
        assert_allclose(own.predict_proba(X)[:, 1], 1.0 / (1.0 + np.exp(-margin)), rtol=1e-9)


BARE = """
import sys
import numpy as np
for name in ("skfocal", "numba", "sklearn"):
    sys.modules[name] = None
from catboost import CatBoostClassifier
model = CatBoostClassifier().load_model(sys.argv[1])
np.save(sys.argv[2], model.predict_proba(np.load(sys.argv[3])))
"""


def test_a_calibrated_model_without_this_package(tmp_path):
    X, y, _ = table(n_rows=2000)
    model = make(link="posterior", priors=(0.9, 0.1)).fit(X[:1000], y[:1000])
    model.calibrate(X[1000:], y[1000:])
    model.save_model(tmp_path / "model.cbm")
    np.save(tmp_path / "X.npy", X)
    names = [str(tmp_path / name) for name in ("model.cbm", "P.npy", "X.npy")]
    subprocess.run([sys.executable, "-c", BARE, *names], check=True)
    found = np.load(tmp_path / "P.npy")
    assert_allclose(found, model.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("name", ["none.cbm", "text.cbm", "plain.cbm"])
def test_files_that_cannot_be_loaded(name, tmp_path):
    X, y, _ = table(n_rows=200)
    (tmp_path / "text.cbm").write_text("CBM1 and nothing else")
    plain().fit(X, y).save_model(str(tmp_path / "plain.cbm"))
    model = make().fit(X, y)
    expected = model.predict_proba(X)
    with pytest.raises((ValueError, FileNotFoundError), match=name):
        model.load_model(tmp_path / name)
    assert_array_equal(model.predict_proba(X), expected)


def test_a_damaged_loss_in_a_file(tmp_path):
    X, y, _ = table(n_rows=200)
    path = tmp_path / "model.json"
    make().fit(X, y).save_model(path, format="json")
    content = json.loads(path.read_text())
    content["model_info"]["skfocal"] = '{"classes": [0, 1]}'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"The labels and the loss in .* are damaged"):
        make().load_model(path, format="json")


def test_a_booster_of_catboosts_own_focal_is_recovered():
    X, y, _ = table(n_rows=4000)
    own = plain(loss_function="Focal:focal_alpha=0.8;focal_gamma=2", learning_rate=0.1)
    own.set_params(boost_from_average=False, iterations=200)
    own.fit(X, y)
    model = FocalCatBoostClassifier.from_booster(own, focal_gamma=2.0, focal_alpha=0.8)
    expected = make_loss(2, 2.0, (0.2, 0.8)).posterior(raw(own, X))
    assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    assert log_loss(y, model.predict_proba(X)) < 0.8 * log_loss(y, own.predict_proba(X))
    assert_array_equal(own.predict(X), own.predict_proba(X)[:, 1] > 0.5)  # it was copied
    with pytest.raises(TypeError, match="booster must be a fitted model"):
        FocalCatBoostClassifier.from_booster(plain(), focal_gamma=2.0)


@pytest.mark.parametrize("file_format", ["onnx", "coreml", "pmml"])
def test_formats_with_probabilities_need_log_odds(file_format, tmp_path):
    X, y, _ = table(n_rows=300)
    with pytest.raises(ValueError, match='under link="focal" is not the probability'):
        make().fit(X, y).save_model(tmp_path / "model", format=file_format)
    assert not list(tmp_path.iterdir())
    make(link="posterior").fit(X, y).save_model(tmp_path / "model", format=file_format)
    make(focal_gamma=0.0).fit(X, y).save_model(tmp_path / "model", format=file_format)


def test_onnx_files_give_the_posterior(tmp_path):
    import onnxruntime

    X, y, _ = table()
    X = X.astype(np.float32)
    model = make(link="posterior", focal_alpha=(1.0, 2.0)).fit(X, y).calibrate(X, y)
    before = raw(model, X)
    model.save_model(tmp_path / "model.onnx", format="onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    _, found = session.run(None, {session.get_inputs()[0].name: X})
    assert_allclose([row[1] for row in found], model.predict_proba(X)[:, 1], atol=1e-6)
    assert_array_equal(raw(model, X), before)


@both_links
def test_shap_values_are_those_of_the_margin(link):
    X, y, _ = table()
    model = make(link=link, focal_gamma=1.0).fit(X, y).calibrate(X, y)
    values = model.get_feature_importance(Pool(X), type="ShapValues")
    assert_allclose(values.sum(axis=1), raw(model, X), atol=1e-10)
    assert model.feature_importances_.shape == (10,)


@both_links
def test_copies_and_pickles(link):
    X, y, _ = table()
    model = make(link=link).fit(X, y, eval_set=(X, y))
    expected = model.predict_proba(X)
    copies = [pickle.loads(pickle.dumps(model)), deepcopy(model), copy(model), model.copy()]
    for other in copies:
        assert other.get_params() == model.get_params()
        assert_array_equal(other.predict_proba(X), expected)
        assert_array_equal(other.classes_, model.classes_)
        other.calibrate(X, y)
    assert_array_equal(model.predict_proba(X), expected)
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(X)


def test_clones_have_lists_as_parameters():
    """CatBoostClassifier copies its parameters, so that scikit-learn refuses to clone it."""
    model = make(cat_features=["kind"], class_weights=[1.0, 2.0])
    assert clone(model).get_params() == model.get_params()


def test_a_grid_search():
    X, y, _ = frame(500)
    grid = {"focal_gamma": [0.0, 1.0], "depth": [2, 4], "link": ["focal", "posterior"]}
    search = GridSearchCV(make(cat_features=["kind"]), grid, cv=2, scoring="neg_log_loss")
    search.fit(X, y)
    assert set(search.best_params_) == set(grid)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    expected = make(cat_features=["kind"], **search.best_params_).fit(X, y).predict_proba(X)
    assert_array_equal(search.predict_proba(X), expected)


@pytest.mark.parametrize("name", ["grid_search", "randomized_search", "select_features"])
def test_searches_of_catboost_are_refused(name):
    X, y, _ = table(n_rows=100)
    with pytest.raises(NotImplementedError, match="would train Logloss"):
        getattr(make(), name)({"depth": [2]}, X, y)


@both_links
def test_text_and_embeddings(link, tmp_path):
    X, y = with_text()
    columns = {"text_features": ["text"], "embedding_features": ["vector"]}
    model = make(link=link, focal_gamma=1.0).fit(X, y, **columns)
    assert average_precision_score(y, model.predict_proba(X)[:, 1]) > 0.9
    before = model.decision_function(X)
    model.calibrate(X, y)
    found = model.calibration_
    assert found.slope != 1.0
    assert_allclose(model.decision_function(X), found.slope * before + found.offset, rtol=1e-9)
    model.save_model(tmp_path / "model.cbm")
    loaded = FocalCatBoostClassifier().load_model(tmp_path / "model.cbm")
    assert_allclose(loaded.predict_proba(X), model.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("change", ["priors", "calibrate"])
def test_text_is_not_continued_with_priors_or_calibration_inside(change):
    X, y = with_text()
    columns = {"text_features": ["text"], "embedding_features": ["vector"]}
    priors = [0.99, 0.01] if change == "priors" else None
    first = make(link="posterior", priors=priors).fit(X, y, **columns)
    if change == "calibrate":
        first.calibrate(X, y)
    before = first.decision_function(X)
    with pytest.raises(ValueError, match="priors or a calibration inside"):
        make(link="posterior").fit(X, y, init_model=first, **columns)
    assert_array_equal(first.decision_function(X), before)


@both_links
def test_text_is_continued(link):
    X, y = with_text()
    columns = {"text_features": ["text"], "embedding_features": ["vector"]}
    first = make(link=link).fit(X, y, **columns)
    model = make(link=link).fit(X, y, init_model=first, **columns)
    assert model.tree_count_ == 2 * first.tree_count_
    start = [each.get_scale_and_bias() for each in (model, first)]
    assert start[0] == start[1]
    assert log_loss(y, model.predict_proba(X)) < log_loss(y, first.predict_proba(X))


def test_logarithms_of_probabilities_of_0():
    X, y, _ = table(n_rows=300)
    model = make(link="posterior").fit(X, y)
    model.set_scale_and_bias(1.0, -2000.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [model.predict_log_proba(X), model.predict(X, "LogProbability")]
        found.append(list(model.staged_predict_log_proba(X))[-1])
    for each in found:
        assert np.all(np.isneginf(each[:, 1]))


@pytest.mark.parametrize("container", [csr_matrix, csc_array, pd.DataFrame, list])
def test_tables_of_other_types(container):
    X, y, _ = table(n_rows=300)
    X = np.round(X)
    given = X.tolist() if container is list else container(X)
    model, expected = make().fit(given, y), make().fit(X, y)
    assert_allclose(model.predict_proba(given), expected.predict_proba(X), atol=1e-9)


def test_categories_in_an_array_of_objects():
    X, y, _ = frame(400)
    X = X.drop(columns="x0")
    array = X.to_numpy(dtype=object)
    model = make(cat_features=[array.shape[1] - 1]).fit(array, y, eval_set=(array, y))
    expected = make(cat_features=["kind"]).fit(X, y, eval_set=(X, y))
    assert_allclose(model.predict_proba(array), expected.predict_proba(X), rtol=1e-12)
    assert model.n_features_in_ == array.shape[1]
    with pytest.raises(ValueError, match="features"):
        model.predict(array[:, 1:])


def test_weights_of_rows_are_those_that_catboost_trains_on():
    X, y, _ = table()
    weight = 1.0 + (np.arange(len(y)) % 3 == 0) * 1e-9  # 1 in float32
    for given in (weight, np.ones(len(y))):
        model = make().fit(X, y, sample_weight=given)
        assert_array_equal(model.predict_proba(X), make().fit(X, y).predict_proba(X))
    of_pool = make().fit(Pool(X, y, weight=np.ones(len(y))))
    assert_array_equal(of_pool.predict_proba(X), make().fit(Pool(X, y)).predict_proba(X))


def test_two_fits_at_once():
    X, y, _ = table(n_rows=3000)
    expected = make(thread_count=2).fit(X, y).predict_proba(X)
    found = []

    def fit():
        found.append(make(thread_count=2).fit(X, y).predict_proba(X))

    threads = [threading.Thread(target=fit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for each in found:
        assert_allclose(each, expected, rtol=1e-9)


def test_the_loss_of_the_package_is_the_metric():
    X, y, _ = table()
    model = make(probability="raw", focal_gamma=2.0, use_best_model=False)
    model.fit(X, y, eval_set=(X, y))
    expected = focal_loss(y, model.predict_proba(X)[:, 1], gamma=2.0)
    assert_allclose(model.evals_result_["validation"]["focal_loss"][-1], expected, rtol=1e-9)


@pytest.mark.parametrize("file_format", ["Onnx", "PMML", "AppleCoreML", "ubj"])
def test_other_names_of_formats_are_refused(file_format, tmp_path):
    X, y, _ = table(n_rows=200)
    with pytest.raises(ValueError, match="format must be"):
        make(link="posterior").fit(X, y).save_model(tmp_path / "model", format=file_format)


def test_importances_are_those_of_the_trees_that_are_there(tmp_path):
    X, y, _ = table()
    first, other = make().fit(X[:, ::-1], y), make().fit(X, y)
    expected = other.feature_importances_
    assert np.argmax(expected) != np.argmax(first.feature_importances_)
    other.save_model(tmp_path / "model.cbm")
    assert_allclose(first.load_model(tmp_path / "model.cbm").feature_importances_, expected)


def test_two_words_that_balance():
    X, y, _ = table(n_rows=200)
    with pytest.raises(ValueError, match="would balance twice"):
        make(focal_alpha="balanced", auto_class_weights="Balanced").fit(X, y)


def test_groups_are_refused_since_their_weights_are_not_told():
    X, y, _ = table(n_rows=200)
    grouped = Pool(X, y, group_id=np.arange(200) // 2)
    with pytest.raises(ValueError, match="X is a pool with groups"):
        make().fit(grouped)
    with pytest.raises(ValueError, match="eval_set is a pool with groups"):
        make().fit(X, y, eval_set=grouped)


def test_margins_of_evaluation_rows_alone_are_refused():
    X, y, _ = table(n_rows=200)
    started = Pool(X, y, baseline=np.ones(200))
    with pytest.raises(ValueError, match="eval_set has margins to start from"):
        make().fit(X, y, eval_set=started)
    model = make(use_best_model=False).fit(started, eval_set=started)
    found = model.evals_result_
    assert_allclose(found["learn"]["focal_loss"], found["validation"]["focal_loss"], rtol=1e-9)


def test_a_tuple_of_pairs_is_no_pair():
    X, y, _ = table(n_rows=200)
    with pytest.raises(TypeError, match="eval_set must be a pair"):
        make().fit(X, y, eval_set=((X, y), (X, y)))


@pytest.mark.parametrize(
    "call",
    [
        lambda m, X, y: m.virtual_ensembles_predict(X, virtual_ensembles_count=2),
        lambda m, X, y: m.calc_feature_statistics(X, y, feature=0, plot=False),
        lambda m, X, y: m.get_object_importance(Pool(X, y), Pool(X, y)),
        lambda m, X, y: m.get_feature_importance(Pool(X, y), type="LossFunctionChange"),
        lambda m, X, y: m.create_metric_calcer(["Logloss"]),
    ],
)
def test_methods_of_catboost_that_need_log_odds(call):
    X, y, _ = table(n_rows=300)
    with pytest.raises(ValueError, match=r"log-odds|sigmoid of the margin"):
        call(make().fit(X, y), X, y)
    call(make(link="posterior").fit(X, y), X, y)


def test_the_threshold_of_predict_is_not_catboosts():
    X, y, _ = table(n_rows=200)
    with pytest.raises(NotImplementedError, match="FixedThresholdClassifier"):
        make().fit(X, y).set_probability_threshold(0.2)


def test_a_booster_tells_what_it_has_recorded(tmp_path):
    X, y, _ = table()
    model = make(link="posterior", focal_alpha=(1.0, 6.0), priors=(0.5, 0.5)).fit(X, y)
    model.save_model(tmp_path / "model.cbm")
    booster = CatBoostClassifier().load_model(str(tmp_path / "model.cbm"))
    loss = {"focal_gamma": 2.0, "focal_alpha": (1.0, 6.0)}
    again = FocalCatBoostClassifier.from_booster(booster, link="posterior", **loss)
    assert_allclose(again.adjust_priors((0.5, 0.5)).predict_proba(X), model.predict_proba(X))
    assert_array_equal(again.priors_, [0.5, 0.5])
    with pytest.raises(ValueError, match="margins are of the other link"):
        FocalCatBoostClassifier.from_booster(booster, link="focal", **loss)
    again.save_model(tmp_path / "again.cbm")
    own = CatBoostClassifier().load_model(str(tmp_path / "again.cbm"))
    assert_array_equal(own.predict(X), model.predict(X))  # by the threshold in the file


def test_training_goes_on_from_the_model_as_it_was_fitted():
    X, y, _ = table()
    same = {"link": "posterior", "learning_rate": 0.1}
    first = make(**same).fit(X, y)
    expected = make(**same).fit(X, y, init_model=first)
    first.calibrate(X, y).adjust_priors((0.5, 0.5))
    model = make(**same).fit(X, y, init_model=first)
    assert_allclose(raw(model, X), raw(expected, X), atol=1e-6)


class Named(FocalCatBoostClassifier):
    """A user's class without a constructor."""


class WithOwn(FocalCatBoostClassifier):
    """A user's class with a parameter of its own."""

    def __init__(self, own=3, **params):
        super().__init__(**params)
        self.own = own


def test_subclasses_have_all_parameters():
    model = Named(focal_gamma=1.0, depth=3)
    assert clone(model).get_params() == model.get_params()
    assert model.get_params()["focal_gamma"] == 1.0
    model = WithOwn(own=5, focal_gamma=1.0, depth=3)
    assert clone(model).get_params() == model.get_params()
    assert (model.get_params()["own"], model.get_params()["depth"]) == (5, 3)


def test_a_snapshot_of_another_start_is_refused(tmp_path):
    X, y, _ = table(n_rows=300)
    files = {"allow_writing_files": True, "train_dir": str(tmp_path), "save_snapshot": True}
    model = make(**files)
    model.fit(X, y, baseline=np.ones(300))
    with pytest.raises(ValueError, match="is of another training"):
        make(**files).fit(X, y, baseline=-np.ones(300))
    with pytest.raises(ValueError, match="is of another training"):
        make(**files).fit(X, y, init_model=make().fit(X, y))


def test_the_learning_rate_beside_an_evaluation_fraction():
    X, y, _ = table()
    own, model = plain(eval_fraction=0.3).fit(X, y), make(eval_fraction=0.3).fit(X, y)
    assert_allclose(model.learning_rate_, own.learning_rate_, rtol=2e-3)


def test_parameters_by_their_names():
    X, y, _ = table(n_rows=100)
    for params, message in (
        ({"iterations": 0}, "iterations must be"),
        ({"class_weights": {5: 1.0}}, "class_weights must name"),
        ({"scale_pos_weight": 0}, "scale_pos_weight must be positive and finite; got 0"),
        ({"diffusion_temperature": 100.0}, "diffusion_temperature"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            make(**params).fit(X, y)


def test_monotone_constraints_say_nothing_of_shrinkage(capfd):
    X, y, _ = table()
    model = make(monotone_constraints=[1] + [0] * 9).fit(X, y)
    assert "shrink" not in "".join(capfd.readouterr())
    rows = np.repeat(X[:1], 20, axis=0)
    rows[:, 0] = np.linspace(-3.0, 3.0, 20)
    assert (np.diff(model.predict_proba(rows)[:, 1]) >= -1e-12).all()


@pytest.mark.gpu
@both_links
def test_gamma_0_trains_on_a_gpu(link):
    """The loss is CatBoost's own there; nothing else of this package runs on its GPU."""
    X, y, _ = table(n_rows=5000)
    model = make(focal_gamma=0.0, link=link, task_type="GPU", iterations=100).fit(X, y)
    own = plain(task_type="GPU", iterations=100).fit(X, y)
    assert_allclose(model.predict_proba(X), own.predict_proba(X), rtol=0.1)
    assert log_loss(y, model.predict_proba(X)) < 0.6 * log_loss(y, np.full(len(y), y.mean()))
