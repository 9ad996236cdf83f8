"""Alerts of a budget and decisions by costs, against rows that are counted one by one."""

import operator
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from skfocal import FocalLogisticRegression
from skfocal.decisions import AlertBudgetClassifier, CostClassifier, cost_decision
from skfocal.metrics import mean_cost

# Its checks of weights then give classifiers of two classes the same labels twice: seen in 1.9,
# and not in 1.6.
OF_TWO_CLASSES = parse_version("1.9")


@pytest.fixture(scope="module")
def rows():
    X, y = make_classification(3000, weights=[0.95], flip_y=0.03, random_state=0)
    return X[:2000], y[:2000], X[2000:], y[2000:]


def test_the_threshold_is_a_quantile_of_scores_of_unseen_rows(rows):
    X, y, X_test, _ = rows
    model = AlertBudgetClassifier(FocalLogisticRegression(), budget=0.02).fit(X, y)
    unseen = cross_val_predict(FocalLogisticRegression(), X, y, method="predict_proba")[:, 1]
    assert model.threshold_ == np.sort(unseen)[-40]
    assert model.alert_rate_ == 40 / 2000
    expected = FocalLogisticRegression().fit(X, y).predict_proba(X_test)
    assert_array_equal(model.predict_proba(X_test), expected)
    assert_array_equal(model.predict(X_test), expected[:, 1] >= model.threshold_)
    assert_allclose(model.decision_function(X_test), np.log(expected[:, 1] / expected[:, 0]))


def test_a_fitted_model_takes_its_threshold_from_validation_rows(rows):
    X, y, X_test, y_test = rows
    fitted = FocalLogisticRegression().fit(X, y)
    model = AlertBudgetClassifier(FrozenEstimator(fitted), budget=0.1).fit(X_test, y_test)
    proba = fitted.predict_proba(X_test)[:, 1]
    assert model.threshold_ == np.sort(proba)[-100]
    assert model.predict(X_test).sum() == 100
    assert_array_equal(model.predict_proba(X), fitted.predict_proba(X))


def test_equal_scores_stay_within_the_budget(rows):
    X, y, _, _ = rows
    few = np.round(X[:, :1])  # a handful of different rows
    model = AlertBudgetClassifier(LogisticRegression(), budget=0.05, cv=2).fit(few, y)
    assert 0 < model.alert_rate_ <= 0.05
    alone = AlertBudgetClassifier(DummyClassifier(strategy="prior"), budget=0.05)
    with pytest.warns(UserWarning, match="No row will be alerted"):
        alone.fit(X, y)
    # all rows of a fold have one score: none can be alerted without the others
    assert alone.alert_rate_ == 0.0
    assert alone.predict(X).sum() == 0


def test_weights_are_repeated_rows_in_the_share(rows):
    _, _, X_test, y_test = rows
    fitted = FrozenEstimator(FocalLogisticRegression().fit(*rows[:2]))
    times = np.random.default_rng(0).integers(0, 4, len(y_test))
    weighted = AlertBudgetClassifier(fitted, budget=0.05).fit(X_test, y_test, sample_weight=times)
    many = [np.repeat(each, times, axis=0) for each in (X_test, y_test)]
    repeated = AlertBudgetClassifier(fitted, budget=0.05).fit(*many)
    assert weighted.threshold_ == repeated.threshold_
    assert weighted.alert_rate_ == pytest.approx(repeated.alert_rate_)


def test_labels_and_classifiers_of_other_kinds(rows):
    X, y, X_test, _ = rows
    words = np.where(y == 1, "a fraud", "fine")
    model = AlertBudgetClassifier(FocalLogisticRegression(), budget=0.02, pos_label="a fraud")
    expected = AlertBudgetClassifier(FocalLogisticRegression(), budget=0.02).fit(X, y)
    found = model.fit(X, words).predict(X_test)
    assert_array_equal(found == "a fraud", expected.predict(X_test) == 1)
    margins = AlertBudgetClassifier(LinearSVC(), budget=0.02).fit(X, y)
    assert margins.alert_rate_ == 0.02
    assert not hasattr(margins, "predict_proba")
    other = AlertBudgetClassifier(LinearSVC(), budget=0.02, pos_label="a fraud").fit(X, words)
    assert_array_equal(other.predict(X_test) == "a fraud", margins.predict(X_test) == 1)


def test_folds_and_groups(rows):
    X, y, _, _ = rows
    folds = StratifiedKFold(3, shuffle=True, random_state=1)
    model = AlertBudgetClassifier(LogisticRegression(), budget=0.02, cv=folds).fit(X, y)
    unseen = cross_val_predict(LogisticRegression(), X, y, cv=folds, method="predict_proba")
    assert model.threshold_ == np.sort(unseen[:, 1])[-40]
    groups = np.arange(len(y)) // 10
    model = AlertBudgetClassifier(LogisticRegression(), budget=0.02, cv=GroupKFold(4))
    in_groups = cross_val_predict(
        LogisticRegression(), X, y, cv=GroupKFold(4), groups=groups, method="predict_proba"
    )
    expected = np.sort(in_groups[:, 1])[-40]
    assert model.fit(X, y, groups=groups).threshold_ == expected
    with sklearn.config_context(enable_metadata_routing=True):
        assert clone(model).fit(X, y, groups=groups).threshold_ == expected


def test_metadata_reach_the_classifier_within(rows):
    X, y, _, _ = rows
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y))
    inner = FocalLogisticRegression()
    expected = clone(inner).fit(X, y, sample_weight=weight).coef_
    for kind in (AlertBudgetClassifier(inner, budget=0.02), CostClassifier(inner)):
        assert_array_equal(kind.fit(X, y, sample_weight=weight).estimator_.coef_, expected)
    with sklearn.config_context(enable_metadata_routing=True):
        asked = clone(inner).set_fit_request(sample_weight=True)
        for kind in (AlertBudgetClassifier(asked, budget=0.02), CostClassifier(asked)):
            assert_array_equal(kind.fit(X, y, sample_weight=weight).estimator_.coef_, expected)


@pytest.mark.parametrize(
    "budget, error, message",
    [
        (50, TypeError, "divide it by the number of rows a day"),
        (0.0, ValueError, r"\(0, 1\)"),
        (1.0, ValueError, r"\(0, 1\)"),
        (True, TypeError, "budget must be a float"),
    ],
)
def test_a_wrong_budget_is_refused_and_leaves_nothing(rows, budget, error, message):
    X, y, _, _ = rows
    model = AlertBudgetClassifier(LogisticRegression(), budget=budget)
    with pytest.raises(error, match=message):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize("kind", [AlertBudgetClassifier, CostClassifier])
def test_what_cannot_be_decided_is_refused(rows, kind):
    X, y, _, _ = rows
    more = {"budget": 0.1} if kind is AlertBudgetClassifier else {}
    with pytest.raises(ValueError, match="between two classes"):
        kind(LogisticRegression(), **more).fit(X, np.arange(len(y)) % 3)
    model = kind(LogisticRegression(), pos_label="fraud", **more)
    with pytest.raises(ValueError, match="pos_label must be one of"):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_no_other_decision_costs_less_by_true_probabilities():
    rng = np.random.default_rng(0)
    p, miss, alarm = rng.uniform(size=500), rng.exponential(50, 500), rng.exponential(5, 500)
    alerted = cost_decision(p, false_positive_cost=alarm, false_negative_cost=miss)
    assert_array_equal(alerted, miss * p > alarm * (1 - p))
    expected = np.where(alerted, alarm * (1 - p), miss * p)
    assert_array_equal(expected, np.minimum(alarm * (1 - p), miss * p))
    assert_array_equal(
        cost_decision(np.column_stack([1 - p, p]), false_negative_cost=99.0), p > 0.01
    )


@pytest.mark.parametrize("check", [5.0, 200.0])
def test_an_alert_that_is_right_may_cost_something(check):
    """What is paid, row by row; a check of 200 costs more than some misses."""
    rng = np.random.default_rng(0)
    p, miss = rng.uniform(0, 0.2, 500), rng.exponential(100, 500)
    y = (rng.uniform(size=500) < p).astype(int)
    costs = {"false_positive_cost": check, "false_negative_cost": miss, "true_positive_cost": check}
    alerted = cost_decision(p, **costs)
    assert_array_equal(alerted, np.minimum(check, miss * p) < miss * p)
    paid = [
        check if row else amount * label
        for row, amount, label in zip(alerted, miss, y, strict=True)
    ]
    assert mean_cost(y, alerted, pos_label=1, **costs) == pytest.approx(np.mean(paid))
    model = CostClassifier(LogisticRegression(), **costs | {"false_negative_cost": 1.0})
    model.fit(p[:, np.newaxis], y)
    chance = model.predict_proba(p[:, np.newaxis])[:, 1]
    found = model.predict(p[:, np.newaxis], false_negative_cost=miss)
    assert_array_equal(found, miss * chance > check)
    given = model.predict(p[:, np.newaxis], false_negative_cost=miss, true_positive_cost=0.0)
    assert_array_equal(given, miss * chance > check * (1 - chance))


def test_a_table_with_amounts(rows):
    X, y, X_test, y_test = rows
    names = [f"x{i}" for i in range(X.shape[1])]
    rng = np.random.default_rng(0)
    table = pd.DataFrame(X, columns=names).assign(amount=rng.exponential(100, len(X)))
    test = pd.DataFrame(X_test, columns=names).assign(amount=rng.exponential(100, len(X_test)))
    model = CostClassifier(
        FocalLogisticRegression(),
        false_positive_cost=5.0,
        false_negative_cost=operator.itemgetter("amount"),
    ).fit(table, y)
    model = pickle.loads(pickle.dumps(model))
    p = model.predict_proba(test)[:, 1]
    found = model.predict(test)
    assert_array_equal(found, test.amount * p > 5 * (1 - p))
    costs = {"false_positive_cost": 5.0, "false_negative_cost": test.amount}
    best = mean_cost(y_test, found, **costs)
    assert best < mean_cost(y_test, model.estimator_.predict(test), **costs)
    assert best < mean_cost(y_test, np.zeros_like(y_test), pos_label=1, **costs)


def test_costs_through_a_pipeline(rows):
    X, y, X_test, _ = rows
    amount = np.random.default_rng(0).exponential(100, len(X_test))
    with sklearn.config_context(enable_metadata_routing=True):
        decider = CostClassifier(LogisticRegression()).set_predict_request(false_negative_cost=True)
        pipeline = make_pipeline(StandardScaler(), decider).fit(X, y)
        found = pipeline.predict(X_test, false_negative_cost=amount)
    p = pipeline.predict_proba(X_test)[:, 1]
    assert_array_equal(found, amount * p > 1 - p)


@pytest.mark.parametrize(
    "cost, message",
    [
        ([1.0, 2.0], "Give costs of rows to predict"),
        (-1.0, "finite and >= 0"),
        (np.inf, "finite and >= 0"),
    ],
)
def test_costs_that_cannot_be_are_refused(rows, cost, message):
    X, y, _, _ = rows
    with pytest.raises(ValueError, match=message):
        CostClassifier(LogisticRegression(), false_negative_cost=cost).fit(X, y)
    model = CostClassifier(LogisticRegression()).fit(X, y)
    with pytest.raises(ValueError, match="one for each of the 2000 rows"):
        model.predict(X, false_positive_cost=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"y_proba must be in \[0, 1\]"):
        cost_decision([1.2])


def test_a_search_over_budgets_and_parameters_within(rows):
    X, y, _, _ = rows
    search = GridSearchCV(
        AlertBudgetClassifier(LogisticRegression(), budget=0.05, cv=3),
        {"budget": [0.02, 0.05], "estimator__C": [0.1, 1.0]},
        scoring="precision",
        cv=3,
    ).fit(X, y)
    assert set(search.best_params_) == {"budget", "estimator__C"}


@pytest.mark.filterwarnings("ignore:No row will be alerted:UserWarning")  # of rows that are alike
@parametrize_with_checks(
    [
        AlertBudgetClassifier(FocalLogisticRegression(), budget=0.5, cv=2),
        CostClassifier(FocalLogisticRegression()),
    ],
    expected_failed_checks=lambda estimator: (
        {"check_classifiers_train": "the sign of decision_function is not the decision"}
        if isinstance(estimator, AlertBudgetClassifier)
        else {}
    ),
)
def test_scikit_learn_s_checks(estimator, check):
    if "weight_equivalence" in str(check) and parse_version(sklearn.__version__) < OF_TWO_CLASSES:
        pytest.skip("before scikit-learn 1.9 the weighted and the repeated rows have other labels")
    check(estimator)


def by_hand(model, X, y, budget, classes, folds=5):
    """The threshold from folds that are fitted one by one."""
    scores = np.empty(len(y))
    for train, test in StratifiedKFold(folds).split(X, y):
        fitted = clone(model).fit(X[train], y[train])
        scores[test] = fitted.predict_proba(X[test])[:, list(fitted.classes_).index(classes[1])]
    return np.sort(scores)[-round(budget * len(y))]


def test_folds_see_the_labels_as_they_are(rows):
    X, y, _, _ = rows
    model = LogisticRegression(class_weight={2: 10.0})
    found = AlertBudgetClassifier(model, budget=0.1).fit(X, y + 1)
    assert found.threshold_ == by_hand(model, X, y + 1, 0.1, [1, 2])
    words = np.where(y == 1, "fraud", "fine")
    focal = FocalLogisticRegression(focal_alpha={"fine": 1, "fraud": 5})
    found = AlertBudgetClassifier(focal, budget=0.1).fit(X, words)
    assert found.threshold_ == by_hand(focal, X, words, 0.1, ["fine", "fraud"])


def test_folds_in_the_order_of_time(rows):
    X, y, _, _ = rows
    cv = TimeSeriesSplit(4)
    model = AlertBudgetClassifier(LogisticRegression(), budget=0.05, cv=cv).fit(X, y)
    scores = [
        LogisticRegression().fit(X[train], y[train]).predict_proba(X[test])[:, 1]
        for train, test in cv.split(X)
    ]
    scores = np.sort(np.concatenate(scores))
    assert model.threshold_ == scores[-int(0.05 * len(scores))]


def test_a_frozen_model_needs_no_folds_and_no_second_class(rows):
    X, y, _, _ = rows
    fitted = FrozenEstimator(LogisticRegression().fit(X, y))
    negatives = X[y == 0][:100]
    model = AlertBudgetClassifier(fitted, budget=0.1).fit(negatives, np.zeros(100))
    assert model.predict(negatives).sum() == 10
    assert model.fit(negatives, None).predict(negatives).sum() == 10
    with pytest.raises(ValueError, match="X has 100 rows, but y has 99 labels"):
        model.fit(negatives, np.zeros(99))
    with pytest.raises(ValueError, match="requires y to be passed"):
        AlertBudgetClassifier(LogisticRegression(), budget=0.1).fit(negatives, None)


def test_the_label_of_fit_is_kept(rows):
    X, y, X_test, _ = rows
    model = AlertBudgetClassifier(LogisticRegression(), budget=0.02).fit(X, y)
    before = model.predict(X_test)
    assert_array_equal(model.set_params(pos_label=0).predict(X_test), before)


@pytest.mark.parametrize("kind", [AlertBudgetClassifier, CostClassifier])
def test_what_is_no_classifier_is_refused(rows, kind):
    X, y, _, _ = rows
    more = {"budget": 0.1} if kind is AlertBudgetClassifier else {}
    with pytest.raises(TypeError, match="estimator must"):
        kind(LinearRegression(), **more).fit(X, y)
    with pytest.raises(TypeError, match="costs need probabilities"):
        CostClassifier(LinearSVC()).fit(X, y)
    both = np.column_stack([y, 1 - y])
    with pytest.raises(ValueError, match=r"binary|2d|1d|multilabel"):
        kind(LogisticRegression(), **more).fit(X, both)


def test_a_fold_with_one_class_is_refused(rows):
    X, y, _, _ = rows
    order = np.argsort(y, kind="stable")
    cv = [(np.arange(100), np.arange(100, 200))]
    for inner in (DummyClassifier(strategy="prior"), FocalLogisticRegression()):
        with pytest.raises(ValueError, match="one class"):
            AlertBudgetClassifier(inner, budget=0.1, cv=cv).fit(X[order], y[order])


def test_weights_for_the_share_alone_where_routing_is_on(rows):
    X, y, _, _ = rows
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        inner = LogisticRegression().set_fit_request(sample_weight=False)
        model = AlertBudgetClassifier(inner, budget=0.02).fit(X, y, sample_weight=weight)
        assert_array_equal(model.estimator_.coef_, LogisticRegression().fit(X, y).coef_)
        with pytest.raises(TypeError, match="are not requested"):
            AlertBudgetClassifier(inner, budget=0.02).fit(X, y, other=weight)


def test_weights_and_groups_that_nobody_uses_are_refused(rows):
    X, y, _, _ = rows
    weight = np.ones(len(y))
    with pytest.raises(TypeError, match="groups"):  # it has no folds
        CostClassifier(LogisticRegression()).fit(X, y, groups=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        for model in (
            AlertBudgetClassifier(LogisticRegression(), budget=0.02),
            CostClassifier(LogisticRegression()),
        ):
            with pytest.raises(TypeError, match=r"sample_weight.* not requested"):
                model.fit(X, y, sample_weight=weight)


def test_groups_reach_a_search_within(rows):
    X, y, _, _ = rows
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=GroupKFold(2))
    groups = np.arange(len(y)) % 4
    found = CostClassifier(search).fit(X, y, groups=groups).estimator_
    assert found.best_params_ == clone(search).fit(X, y, groups=groups).best_params_
