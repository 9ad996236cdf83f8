"""Recall and precision at a budget, and costs, against rows that are counted one by one."""

from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import make_classification
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, precision_recall_curve
from sklearn.model_selection import GridSearchCV, cross_val_score

from skfocal.metrics import make_budget_scorer, mean_cost, precision_at_budget, recall_at_budget

Y, P = np.array([1, 0, 1, 0, 0, 1]), np.array([0.9, 0.5, 0.5, 0.5, 0.2, 0.1])


def counted(y, score, n_alerts):
    """Recall and precision, averaged over all orders of the rows."""
    found = []
    for order in permutations(range(len(y))):
        order = sorted(order, key=lambda i: -score[i])  # stable: equal scores keep their order
        found.append(sum(y[i] for i in order[:n_alerts]))
    return np.mean(found) / sum(y), np.mean(found) / n_alerts


@pytest.mark.parametrize("n_alerts", range(1, 7))
def test_equal_scores_are_the_mean_over_all_orders(n_alerts):
    recall, precision = counted(Y, P, n_alerts)
    share = n_alerts / len(Y)
    for budget in (n_alerts, share):
        assert recall_at_budget(Y, P, budget=budget) == pytest.approx(recall)
        assert precision_at_budget(Y, P, budget=budget) == pytest.approx(precision)


def test_distinct_scores_are_on_the_curve_of_scikit_learn():
    rng = np.random.default_rng(0)
    y, score = rng.integers(0, 2, 300), rng.normal(size=300)
    precision, recall, thresholds = precision_recall_curve(y, score)
    for threshold, p, r in list(zip(thresholds, precision, recall, strict=False))[::17]:
        budget = int((score >= threshold).sum())
        assert recall_at_budget(y, score, budget=budget) == pytest.approx(r)
        assert precision_at_budget(y, score, budget=budget) == pytest.approx(p)


@pytest.mark.parametrize("metric", [recall_at_budget, precision_at_budget])
@pytest.mark.parametrize("budget", [0.07, 0.5, 11])
def test_a_weight_is_a_repeated_row(metric, budget):
    rng = np.random.default_rng(1)
    y, score, times = rng.integers(0, 2, 60), rng.integers(0, 9, 60), rng.integers(0, 4, 60)
    many = [np.repeat(each, times) for each in (y, score)]
    found = metric(y, score, budget=budget, sample_weight=times)
    assert_allclose(found, metric(*many, budget=budget), rtol=1e-12)


def test_a_part_of_an_alert_finds_a_part_of_the_row():
    assert recall_at_budget([1, 0, 0, 0], [4, 3, 2, 1], budget=0.125) == 0.5
    assert precision_at_budget([1, 0, 0, 0], [4, 3, 2, 1], budget=0.125) == 1.0


def test_two_columns_have_the_order_of_the_labels():
    words, both = np.where(Y == 1, "a fraud", "fine"), np.column_stack([P, 1 - P])
    found = recall_at_budget(words, both, budget=2, pos_label="a fraud")
    assert found == recall_at_budget(Y, P, budget=2)
    with pytest.raises(ValueError, match="give the column of the positive label"):
        recall_at_budget(["fine"], [[0.2, 0.8]], budget=1, pos_label="a fraud")


def test_one_label_alone_is_not_guessed():
    with pytest.raises(ValueError, match="name the positive label"):
        recall_at_budget([1, 1], [0.1, 0.2], budget=1)
    with pytest.raises(ValueError, match="pos_label must be one of"):
        precision_at_budget(["1", "1"], [0.1, 0.2], budget=1, pos_label=1)


def test_booleans_are_decisions():
    words = ["fine", "fraud", "fraud"]
    assert mean_cost(words, [True, False, True], false_negative_cost=4.0) == pytest.approx(5 / 3)
    with pytest.raises(ValueError, match="y_pred must hold the labels of y_true"):
        mean_cost(["0", "1"], [0, 1])
    with pytest.raises(ValueError, match="y_pred has labels that are not in y_true"):
        mean_cost([0, 1], [0, 2])


@pytest.mark.parametrize("score", [np.column_stack([1 - P, P]), np.log(P), P.astype(np.float32)])
def test_forms_of_scores(score):
    assert recall_at_budget(Y, score, budget=1) == pytest.approx(1 / 3)


def test_labels_of_any_type():
    words = np.where(Y == 1, "fraud", "fine")
    assert recall_at_budget(words, P, budget=1) == pytest.approx(1 / 3)
    assert recall_at_budget(words, -P, budget=1, pos_label="fine") == 0.0
    assert recall_at_budget(["fraud"], [0.3], budget=1, pos_label="fraud") == 1.0
    with pytest.raises(ValueError, match="name the positive label in pos_label"):
        recall_at_budget(["fraud"], [0.3], budget=1)
    with pytest.raises(ValueError, match="pos_label must be one of"):
        recall_at_budget(words, P, budget=1, pos_label="theft")
    with pytest.raises(ValueError, match="two labels at most"):
        recall_at_budget([0, 1, 2], [0.1, 0.2, 0.3], budget=1)


def test_no_positives():
    with pytest.warns(UndefinedMetricWarning, match="no row of y_true is positive"):
        assert np.isnan(recall_at_budget([0, 0], [0.1, 0.2], budget=1))
    assert precision_at_budget([0, 0], [0.1, 0.2], budget=1) == 0.0


@pytest.mark.parametrize(
    "budget, error, message",
    [
        (0.0, ValueError, r"\(0, 1\]"),
        (1.5, ValueError, "Give a number of alerts as an int"),
        (0, ValueError, "from 1 to the 6 rows"),
        (7, ValueError, "Give a share of the rows as a float"),
        (True, TypeError, "budget must be a float"),
        ("1 %", TypeError, "budget must be a float"),
        (float("nan"), ValueError, r"\(0, 1\]"),
    ],
)
def test_a_wrong_budget_is_refused(budget, error, message):
    with pytest.raises(error, match=message):
        recall_at_budget(Y, P, budget=budget)
    if budget != 7:  # that depends on the rows
        with pytest.raises(error):
            make_budget_scorer(budget)


def test_wrong_scores_are_refused():
    with pytest.raises(ValueError, match="one number for each of the 6 labels"):
        recall_at_budget(Y, P[:5], budget=1)
    with pytest.raises(ValueError, match="must not hold NaN"):
        recall_at_budget(Y, np.r_[P[:5], np.nan], budget=1)
    with pytest.raises(ValueError, match="metric must be"):
        make_budget_scorer(0.1, metric="f1")


def test_scorers_in_a_search():
    X, y = make_classification(600, weights=[0.9], random_state=0)
    words = np.where(y == 1, "a fraud", "fine")  # the positive label is the first one
    scorer = make_budget_scorer(0.05, pos_label="a fraud")
    found = cross_val_score(LogisticRegression(), X, words, scoring=scorer)
    expected = cross_val_score(LogisticRegression(), X, y, scoring=make_budget_scorer(0.05))
    assert_allclose(found, expected)
    search = GridSearchCV(
        LogisticRegression(),
        {"C": [0.01, 1.0]},
        scoring={m: make_budget_scorer(20, metric=m) for m in ("recall", "precision")},
        refit="recall",
    ).fit(X, y)
    recall, precision = (search.cv_results_[f"mean_test_{m}"] for m in ("recall", "precision"))
    assert_allclose(recall * 61 / 5, precision * 20, rtol=0.02)  # 61 positives in five folds


def test_costs_are_counted_row_by_row():
    rng = np.random.default_rng(0)
    y, decided, weight = rng.integers(0, 2, 50), rng.integers(0, 2, 50), rng.uniform(size=50)
    missed, alarmed = rng.uniform(1, 100, 50), rng.uniform(0, 5, 50)
    paid = [
        missed[i] if y[i] and not decided[i] else alarmed[i] if decided[i] and not y[i] else 0.0
        for i in range(50)
    ]
    costs = {"false_negative_cost": missed, "false_positive_cost": alarmed}
    assert mean_cost(y, decided, **costs) == pytest.approx(np.mean(paid))
    found = mean_cost(y, decided, **costs, sample_weight=weight)
    assert found == pytest.approx(np.average(paid, weights=weight))
    words = np.array(["fine", "fraud"])
    assert mean_cost(words[y], words[decided], **costs) == pytest.approx(np.mean(paid))
    assert mean_cost(y, decided) == pytest.approx(np.mean(y != decided))


def test_costs_that_cannot_be():
    with pytest.raises(ValueError, match="false_negative_cost must be one number, or one for each"):
        mean_cost([0, 1], [0, 1], false_negative_cost=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="false_positive_cost must be finite and >= 0"):
        mean_cost([0, 1], [0, 1], false_positive_cost=-1.0)
    with pytest.raises(ValueError, match="y_pred must have one label for each"):
        mean_cost([0, 1], [0])


def test_costs_as_a_scorer():
    X, y = make_classification(300, weights=[0.8], random_state=0)
    scorer = make_scorer(mean_cost, greater_is_better=False, false_negative_cost=10.0)
    model = LogisticRegression().fit(X, y)
    expected = -mean_cost(y, model.predict(X), false_negative_cost=10.0)
    assert scorer(model, X, y) == pytest.approx(expected)
