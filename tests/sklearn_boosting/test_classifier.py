"""FocalHistGradientBoostingClassifier: scikit-learn's trees on the focal loss."""

import pickle
from copy import copy, deepcopy

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import partial_dependence
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_is_fitted

from skfocal import FocalHistGradientBoostingClassifier
from tests.conftest import table

PLAIN = HistGradientBoostingClassifier
both_links = pytest.mark.parametrize("link", ["focal", "posterior"])
needs_validation_rows = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.7"),
    reason="scikit-learn takes rows for validation from version 1.7 on",
)
numbers_of_classes = pytest.mark.parametrize("n_classes", [2, 3])


def make(**parameters):
    defaults = {"max_iter": 20, "random_state": 0, "min_samples_leaf": 5}
    return FocalHistGradientBoostingClassifier(**{**defaults, **parameters})


def plain(**parameters):
    return PLAIN(**{"max_iter": 20, "random_state": 0, "min_samples_leaf": 5, **parameters})


def with_holes_and_categories(X):
    """A frame whose last column is a category, with missing values."""
    frame = pd.DataFrame(X, columns=[f"x{k}" for k in range(X.shape[1])])
    frame.iloc[::7, 0] = np.nan
    frame["kind"] = pd.cut(X[:, 1], 4, labels=list("abcd"))
    return frame


@numbers_of_classes
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"early_stopping": True, "learning_rate": 0.5, "max_iter": 200},
        {"early_stopping": True, "scoring": "neg_log_loss", "n_iter_no_change": 2},
        {"early_stopping": True, "validation_fraction": None, "tol": 1e-2},
        {"max_features": 0.5, "interaction_cst": "no_interactions", "max_bins": 16},
    ],
    ids=["plain", "stopped", "scorer", "training rows", "columns"],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_gamma_0_is_scikit_learns_model(n_classes, parameters, weighted):
    X, y, weight = table(n_classes=n_classes, n_rows=1500)
    X = with_holes_and_categories(X)
    given = {"sample_weight": weight} if weighted else {}
    model = make(focal_gamma=0.0, **parameters).fit(X, y, **given)
    expected = plain(**parameters).fit(X, y, **given)
    assert model.n_iter_ == expected.n_iter_
    # scikit-learn has 1 - p for the first of two classes, which loses digits
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-12, atol=1e-15)
    assert_array_equal(model.predict(X), expected.predict(X))
    assert_allclose(model.validation_score_, expected.validation_score_, rtol=1e-12)
    assert_allclose(model.train_score_, expected.train_score_, rtol=1e-12)
    for one, other in zip(
        model.staged_predict_proba(X), expected.staged_predict_proba(X), strict=True
    ):
        assert_allclose(one, other, rtol=1e-12, atol=1e-15)


@both_links
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_a_leaf_is_a_step_of_newton(link, gamma):
    """Gradients by finite differences of the loss, Hessians by (M4) or as an expectation.

    Without weights two leaves may have the same value, and could not be told apart.
    """
    X, y, weight = table(n_rows=800)
    model = make(focal_gamma=gamma, link=link, max_iter=1, learning_rate=1.0, l2_regularization=0.5)
    model.fit(X, y, sample_weight=weight)
    loss = model.loss_
    start = loss.intercept(y, weight)

    def value(margin, label):
        """The loss of the paper, of a margin of this link."""
        z = loss.convert([margin], "focal")[0] if link == "posterior" else margin
        p = 1 / (1 + np.exp(-z if label else z))
        return -((1 - p) ** gamma) * np.log(p)

    step = 1e-4
    slopes = [(value(start + step, k) - value(start - step, k)) / (2 * step) for k in (0, 1)]
    share = 1 / (1 + np.exp(-start))
    if link == "focal":
        hessians = [(1 + gamma) * (1 - share) * slopes[0], -(1 + gamma) * share * slopes[1]]
    else:
        # over labels that are drawn from the posterior
        hessians = [slopes[0] * (1 - share)] * 2
    hessians = [max(h, abs(s) / 4) for h, s in zip(hessians, slopes, strict=True)]
    scale = loss.log_loss_scale(y, weight)
    gradient = scale * weight * np.where(y == 1, slopes[1], slopes[0])
    hessian = scale * weight * np.where(y == 1, hessians[1], hessians[0])
    margins = PLAIN.decision_function(model, X)
    leaves = np.unique(margins)
    assert len(leaves) > 5
    for leaf in leaves:
        rows = margins == leaf
        expected = start - gradient[rows].sum() / (hessian[rows].sum() + 0.5)
        assert leaf == pytest.approx(expected, rel=1e-5, abs=1e-6)


@numbers_of_classes
@both_links
@pytest.mark.parametrize("alpha", [None, "balanced"])
def test_probabilities_labels_and_decisions(n_classes, link, alpha):
    X, y, weight = table(n_classes=n_classes, n_rows=1000)
    names = np.array(["low", "mid", "top"])[y]
    model = make(focal_gamma=2.0, focal_alpha=alpha, link=link).fit(X, names, weight)
    raw = PLAIN.decision_function(model, X)
    P = model.predict_proba(X)
    assert_allclose(P, model.loss_.posterior(raw), rtol=1e-12)
    assert_array_equal(
        model.predict(X), model.classes_[(P * model.loss_.class_weight).argmax(axis=1)]
    )
    log_odds = model.decision_function(X)
    if n_classes == 2:
        assert_allclose(1 / (1 + np.exp(-log_odds)), P[:, 1], rtol=1e-9)
    else:
        powers = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
        assert_allclose(powers / powers.sum(axis=1, keepdims=True), P, rtol=1e-9)
    own = PLAIN.predict_proba(model, X)  # what scikit-learn makes of the trees
    raw_model = clone(model).set_params(probability="raw").fit(X, names, weight)
    assert_allclose(raw_model.predict_proba(X), own, rtol=1e-12)
    if link == "posterior":
        assert_allclose(P, own, rtol=1e-12)


@numbers_of_classes
@both_links
def test_training_starts_at_the_optimal_constant(n_classes, link):
    X, y, weight = table(n_classes=n_classes, n_rows=600)
    alpha = np.arange(1.0, n_classes + 1)
    model = make(focal_alpha=alpha, link=link, max_iter=1, learning_rate=1e-12).fit(X, y, weight)
    shares = np.bincount(y, weight) / weight.sum()
    assert_allclose(model.predict_proba(X), np.tile(shares, (len(y), 1)), rtol=1e-6)


@needs_validation_rows
@numbers_of_classes
@both_links
def test_early_stopping_looks_at_the_log_loss_of_the_posterior(n_classes, link):
    X, y, weight = table(n_classes=n_classes, n_rows=900)
    model = make(early_stopping=True, link=link, focal_alpha="balanced", n_iter_no_change=50)
    model.fit(
        X[:600],
        y[:600],
        weight[:600],
        X_val=X[600:],
        y_val=y[600:],
        sample_weight_val=weight[600:],
    )
    losses = [
        log_loss(y[600:], P, sample_weight=weight[600:])
        for P in model.staged_predict_proba(X[600:])
    ]
    assert_allclose(model.validation_score_[1:], np.negative(losses), rtol=1e-9)
    assert len(model.train_score_) == 21


@numbers_of_classes
@both_links
def test_staged_predictions_are_those_of_shorter_fits(n_classes, link):
    X, y, _ = table(n_classes=n_classes, n_rows=500)
    model = make(link=link, max_iter=5).fit(X, y)
    stages = zip(
        model.staged_predict(X),
        model.staged_predict_proba(X),
        model.staged_decision_function(X),
        strict=True,
    )
    for n_rounds, (labels, P, log_odds) in enumerate(stages, 1):
        short = make(link=link, max_iter=n_rounds).fit(X, y)
        assert_array_equal(labels, short.predict(X))
        assert_allclose(P, short.predict_proba(X), rtol=1e-12)
        assert_allclose(log_odds, short.decision_function(X), rtol=1e-12, atol=1e-12)
    assert n_rounds == 5


@numbers_of_classes
@both_links
def test_calibration_and_priors_move_the_log_odds(n_classes, link):
    X, y, _ = table(n_classes=n_classes, n_rows=3000)
    model = make(link=link, max_iter=100).fit(X[:1000], y[:1000])
    before = model.predict_proba(X[2000:])
    copied = deepcopy(model).calibrate(X[1000:2000], y[1000:2000])
    after = copied.predict_proba(X[2000:])
    assert log_loss(y[2000:], after) < log_loss(y[2000:], before)
    found = copied.calibration_
    log_P = np.log(before) * found.slope + (
        np.array([0.0, found.offset]) if n_classes == 2 else np.asarray(found.offset)
    )
    expected = np.exp(log_P) / np.exp(log_P).sum(axis=1, keepdims=True)
    assert_allclose(after, expected, rtol=1e-7)
    assert_allclose(model.predict_proba(X[2000:]), before, rtol=0)  # its trees are its own
    priors = np.full(n_classes, 1 / n_classes)
    shifted = model.adjust_priors(priors).predict_proba(X[2000:])
    expected = before * priors / (np.bincount(y[:1000]) / 1000)
    assert_allclose(shifted, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)
    told = make(link=link, max_iter=100, priors=priors).fit(X[:1000], y[:1000])
    assert_allclose(told.predict_proba(X[2000:]), shifted, rtol=1e-9)
    if link == "posterior":
        assert_allclose(PLAIN.predict_proba(told, X[2000:]), shifted, rtol=1e-9)
        assert_allclose(PLAIN.predict_proba(copied, X[2000:]), after, rtol=1e-9)


@both_links
def test_a_warm_start_goes_on(link):
    X, y, _ = table(n_rows=600)
    long = make(link=link, max_iter=10).fit(X, y)
    model = make(link=link, max_iter=4, warm_start=True).fit(X, y)
    first = model.predict_proba(X)
    earlier = deepcopy(model)
    model.calibrate(X, y).set_params(max_iter=10).fit(X, y)
    assert model.calibration_ is None
    assert_allclose(model.predict_proba(X), long.predict_proba(X), rtol=1e-9)
    with pytest.raises(ValueError, match="warm_start=True: the model was trained on"):
        earlier.set_params(focal_gamma=1.0, max_iter=10).fit(X, y)
    with pytest.raises(ValueError, match="labels that the model does not know"):
        earlier.set_params(focal_gamma=2.0).fit(X, y + 1)
    assert_array_equal(earlier.predict_proba(X), first)
    assert earlier.n_iter_ == 4


def test_a_warm_start_that_fails_leaves_the_model(monkeypatch):
    X, y, _ = table(n_rows=400)
    model = make(max_iter=3, warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    weight = np.where(np.arange(len(y)) == 7, -1.0, 1.0)
    with pytest.raises(ValueError, match="sample_weight"):
        model.set_params(max_iter=6).fit(X, y, weight)
    assert model.n_iter_ == 3
    assert_array_equal(model.predict_proba(X), before)
    calls = []

    def interrupted(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    kind = type(model.loss_)
    original = kind.gradient_hessian
    monkeypatch.setattr(kind, "gradient_hessian", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == 3
    assert_array_equal(model.predict_proba(X), before)


def test_a_warm_start_on_other_rows_is_refused():
    X, y, _ = table(n_rows=400)
    frame = pd.DataFrame(X, columns=[f"x{k}" for k in range(X.shape[1])])
    frame["kind"] = pd.cut(X[:, 1], 3, labels=list("mnz"))
    other = frame.assign(kind=frame["kind"].cat.rename_categories({"m": "a"}))
    for first, second in [
        (X, X[:, :3]),
        (X[:, :3], X),
        (X, X[::-1] + 1.0),
        (frame, other),
        (frame, frame.rename(columns={"x0": "x"})),
    ]:
        model = make(max_iter=3, warm_start=True).fit(first, y)
        before = model.predict_proba(first)
        with pytest.raises(ValueError, match="other columns, categories or bins"):
            model.set_params(max_iter=5).fit(second, y)
        assert_array_equal(model.predict_proba(first), before)
        assert model.fit(first, y).n_iter_ == 5
    with pytest.raises(ValueError, match="other columns, categories or bins"):
        model.set_params(max_iter=6, max_bins=16).fit(frame, y)


def test_a_warm_start_with_another_scoring_is_refused():
    X, y, _ = table(n_rows=400)
    stopped = {"early_stopping": True, "n_iter_no_change": 50, "warm_start": True}
    model = make(max_iter=3, scoring="accuracy", **stopped).fit(X, y)
    with pytest.raises(ValueError, match="scoring was 'accuracy'"):
        model.set_params(max_iter=5, scoring="roc_auc").fit(X, y)
    model.set_params(scoring="accuracy").fit(X, y)
    assert len(model.validation_score_) == 6


def test_a_copy_predicts_by_its_own_trees():
    """scikit-learn leaves a method of the first model on it after a score by name."""
    X, y, _ = table(n_rows=400)
    model = make(max_iter=4, early_stopping=True, scoring="accuracy", link="posterior").fit(X, y)
    before, twin = model.predict_proba(X), copy(model)
    twin.adjust_priors([0.99, 0.01])
    assert (twin.predict_proba(X)[:, 1] < before[:, 1]).all()
    model.set_params(max_iter=9, n_iter_no_change=50).fit(X, y)
    assert_allclose(twin.adjust_priors(None).predict_proba(X), before, rtol=1e-9)
    assert "_raw_predict" not in vars(model)


@needs_validation_rows
def test_validation_rows_stop_training_or_are_refused():
    X, y, weight = table(n_rows=400)
    rows = {"X_val": X[300:], "y_val": y[300:]}
    model = make(max_iter=100, learning_rate=1.0, n_iter_no_change=2).fit(X, y, **rows)
    assert model.n_iter_ < 100
    assert model.early_stopping == "auto"
    with pytest.raises(ValueError, match="X_val was not provided"):
        make().fit(X, y, sample_weight_val=weight)
    with pytest.raises(ValueError, match="sample_weight_val must hold finite numbers"):
        make().fit(X, y, sample_weight_val=-np.ones(100), **rows)


def test_names_of_an_earlier_fit_are_forgotten():
    X, y, _ = table(n_rows=300)
    X[:, 0] = X[:, 0].round().clip(0)
    model = make().fit(pd.DataFrame(X).rename(columns=str), y)
    assert hasattr(model, "feature_names_in_")
    assert not hasattr(model.set_params(categorical_features=[0]).fit(X, y), "feature_names_in_")


def test_class_weights_count_as_in_scikit_learn():
    X, y, weight = table(n_rows=600)
    model = make(class_weight="balanced").fit(X, y, weight)
    counts = np.bincount(y)
    assert_allclose(model.loss_.class_weight, len(y) / (2 * counts))
    model = make(focal_alpha="balanced").fit(X, y, weight)
    totals = np.bincount(y, weight)
    assert_allclose(model.loss_.class_weight, weight.sum() / (2 * totals))
    names = np.array(["no", "yes"])[y]
    model = make(class_weight={"no": 1.0, "yes": 4.0}, focal_alpha=0.25).fit(X, names)
    assert_allclose(model.loss_.class_weight, [0.75, 1.0])
    with pytest.raises(ValueError, match="balance twice"):
        make(class_weight="balanced", focal_alpha="balanced").fit(X, y)


def test_trees_of_class_weights_at_gamma_0_are_those_of_scikit_learn():
    """On few distinct values, so that the weights have no part in the bins."""
    X, y, _ = table(n_rows=800)
    X = X.round(1)
    weights = {0: 1.0, 1: 4.0}
    model = make(focal_gamma=0.0, class_weight=weights).fit(X, y)
    expected = plain(class_weight=weights).fit(X, y)
    assert_allclose(
        PLAIN.decision_function(model, X), expected.decision_function(X), rtol=1e-9, atol=1e-9
    )
    assert_array_equal(model.predict(X), expected.predict(X))


@pytest.mark.parametrize(
    "parameters, error, message",
    [
        ({"loss": "squared_error"}, ValueError, "loss="),
        ({"focal_gamma": -1.0}, ValueError, "focal_gamma"),
        ({"link": "logit"}, ValueError, "link"),
        ({"link": "posterior", "hessian": "exact"}, ValueError, "hessian"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"probability": "sigmoid"}, ValueError, "probability"),
        ({"priors": {0: 0.5, 1: 0.5}, "probability": "raw"}, ValueError, "raw"),
    ],
)
def test_parameters_are_refused_and_nothing_is_fitted(parameters, error, message):
    X, y, _ = table(n_rows=200)
    model = make(**parameters)
    before = dict(vars(model))
    with pytest.raises(error, match=message):
        model.fit(X, y)
    assert vars(model) == before


def test_names_that_nobody_has():
    with pytest.raises(TypeError, match="focal_gama"):
        make(focal_gama=1.0)
    with pytest.raises(TypeError, match="n_estimators"):
        make(n_estimators=10)


def test_labels_and_weights_are_refused():
    X, y, _ = table(n_rows=200)
    with pytest.raises(ValueError, match="only one class"):
        make().fit(X, np.zeros(200))
    with pytest.raises(ValueError, match="zero"):
        make().fit(X, y, np.zeros(200))
    with pytest.raises(ValueError, match="sample_weight must hold finite numbers"):
        make().fit(X, y, np.full(200, -1.0))


def test_monotonic_constraints_hold_for_the_posterior():
    X, y, _ = table(n_rows=1000)
    model = make(monotonic_cst=[1] + [0] * (X.shape[1] - 1), max_iter=40).fit(X, y)
    rows = np.repeat(X[:50], 30, axis=0)
    rows[:, 0] = np.tile(np.linspace(-3, 3, 30), 50)
    P = model.predict_proba(rows)[:, 1].reshape(50, 30)
    assert (np.diff(P, axis=1) >= 0).all()
    assert (np.diff(P, axis=1) > 0).any()


@numbers_of_classes
@both_links
def test_a_pickle_predicts_the_same_and_holds_nothing_of_training(n_classes, link):
    X, y, weight = table(n_classes=n_classes, n_rows=400)
    model = make(link=link, early_stopping=True).fit(X, y, weight)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert not [name for name in vars(model) if name in ("_rounds", "_plan_in_training", "_in_fit")]
    assert type(model._loss).__module__.startswith("sklearn.")


def test_tools_of_scikit_learn_find_all_parameters():
    X, y, _ = table(n_rows=300)
    search = GridSearchCV(make(), {"focal_gamma": [0.0, 2.0], "max_iter": [3, 5]}, cv=2)
    search.fit(X, y)
    check_is_fitted(search.best_estimator_)
    theirs = set(PLAIN().get_params())
    own = {"focal_gamma", "focal_alpha", "probability", "hessian", "link", "priors"}
    assert set(make().get_params()) == theirs | own
    defaults = PLAIN().get_params()
    ours = FocalHistGradientBoostingClassifier().get_params()
    assert {name: ours[name] for name in theirs} == defaults


@numbers_of_classes
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of shap's colours
def test_shap_values_add_up_to_the_log_odds(n_classes):
    import shap

    X, y, _ = table(n_classes=n_classes, n_rows=400)
    model = make(link="posterior", focal_alpha="balanced").fit(X, y)
    explainer = shap.TreeExplainer(model)
    values = np.asarray(explainer.shap_values(X))
    sums = values.sum(axis=1) + explainer.expected_value
    assert_allclose(sums, model.decision_function(X), rtol=1e-9, atol=1e-9)


def test_partial_dependence_is_that_of_the_log_odds():
    X, y, _ = table(n_rows=400)
    columns = {"features": [0], "response_method": "decision_function", "grid_resolution": 5}
    own, expected = (
        partial_dependence(model.fit(X, y), X, **columns)["average"]
        for model in (make(focal_gamma=0.0, link="posterior"), plain())
    )
    assert_allclose(own, expected, rtol=1e-9)
    model = make(link="focal").fit(X, y)
    with pytest.raises(NotImplementedError, match='method="brute"'):
        partial_dependence(model, X, **columns)
    assert np.isfinite(partial_dependence(model, X, method="brute", **columns)["average"]).all()
