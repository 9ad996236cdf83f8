"""Displays of alerts and costs: what they draw is what metrics compute."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import LinearSVC

from skfocal.decisions import cost_decision
from skfocal.metrics import (
    make_budget_scorer,
    mean_cost,
    precision_at_budget,
    recall_at_budget,
)
from skfocal.plotting import AlertBudgetDisplay, CostDisplay


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    X, y = make_classification(2000, weights=[0.95], flip_y=0.03, random_state=0)
    return LogisticRegression().fit(X[:1000], y[:1000]), X[1000:], y[1000:]


def test_curves_are_those_of_the_metrics(model):
    fitted, X, y = model
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    for sample_weight in (None, weight):
        display = AlertBudgetDisplay.from_estimator(fitted, X, y, sample_weight=sample_weight)
        score = fitted.predict_proba(X)[:, 1]
        total = len(y) if sample_weight is None else weight.sum()
        for k in (0, 50, 120, 199):
            given = {"budget": float(display.alerts[k] / total), "sample_weight": sample_weight}
            assert display.recall[k] == pytest.approx(recall_at_budget(y, score, **given))
            assert display.precision[k] == pytest.approx(precision_at_budget(y, score, **given))
        recall, precision = display.lines_
        assert_allclose(recall.get_ydata(), display.recall)
        assert_allclose(precision.get_ydata(), display.precision)


def test_alerts_of_a_day(model):
    fitted, X, y = model
    display = AlertBudgetDisplay.from_estimator(fitted, X, y, periods=20)
    assert display.alerts[-1] == pytest.approx(1000 / 20)
    assert display.ax_.get_xlabel() == "alerts in a period"
    for wrong in (0, -1, [1, 2], np.nan):
        with pytest.raises(ValueError, match="periods must be one number > 0"):
            AlertBudgetDisplay.from_estimator(fitted, X, y, periods=wrong)


def test_folds_have_a_mean_and_a_band(model):
    _, X, y = model
    cv = StratifiedKFold(4)
    display = AlertBudgetDisplay.from_cv(LogisticRegression(), X, y, cv=cv, name="logistic")
    scores = cross_val_score(
        LogisticRegression(),
        X,
        y,
        cv=cv,
        scoring=make_budget_scorer(float(display.alerts[150] / 1000)),
    )
    assert display.recall[150] == pytest.approx(scores.mean())
    assert_allclose(display.recall_range[:, 150], [scores.min(), scores.max()])
    assert len(display.ax_.collections) == 2
    assert display.lines_[0].get_label() == "logistic, recall"


def test_several_models_have_their_colours(model):
    fitted, X, y = model
    first = AlertBudgetDisplay.from_estimator(fitted, X, y)
    margins = LinearSVC().fit(X, y)
    second = AlertBudgetDisplay.from_estimator(margins, X, y, ax=first.ax_)
    colours = [line.get_color() for display in (first, second) for line in display.lines_]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    legend = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert legend[2] == "LinearSVC, recall"


def test_recall_alone_on_a_linear_axis(model):
    fitted, X, y = model
    chosen = {"metrics": ["recall"], "log": False}
    first = AlertBudgetDisplay.from_estimator(fitted, X, y, **chosen)
    second = AlertBudgetDisplay.from_estimator(fitted, X, y, ax=first.ax_, **chosen)
    (line,), (other,) = first.lines_, second.lines_
    assert_allclose(line.get_ydata(), first.recall)
    assert line.get_color() != other.get_color()
    assert first.ax_.get_xscale() == "linear"
    _, ax = plt.subplots()
    ax.plot([1, 2], [0, 1], color=(0.0, 114 / 255, 178 / 255))  # the first colour, as numbers
    third = AlertBudgetDisplay.from_estimator(fitted, X, y, ax=ax, metrics=np.array(["recall"]))
    assert third.lines_[0].get_color() == other.get_color()
    assert first.ax_.get_ylabel() == "recall"


def test_the_other_label_can_be_alerted(model):
    fitted, X, y = model
    display = AlertBudgetDisplay.from_estimator(fitted, X, y, pos_label=0)
    score = fitted.predict_proba(X)[:, 0]
    assert display.recall[100] == pytest.approx(
        recall_at_budget(1 - y, score, budget=float(display.alerts[100] / 1000))
    )
    with pytest.raises(ValueError, match="pos_label must be one of"):
        AlertBudgetDisplay.from_estimator(fitted, X, y, pos_label=2)
    with pytest.raises(ValueError, match="No row is positive"):
        AlertBudgetDisplay.from_estimator(fitted, X[y == 0], y[y == 0])


def test_the_scale_of_weights_changes_no_share(model):
    fitted, X, y = model
    small = np.full(len(y), 1 / len(y))
    display = AlertBudgetDisplay.from_estimator(fitted, X, y, sample_weight=small)
    plain = AlertBudgetDisplay.from_estimator(fitted, X, y)
    assert_allclose(display.recall, plain.recall)
    assert_allclose(display.alerts * len(y), plain.alerts)


def test_labels_of_another_table_are_refused(model):
    fitted, X, y = model
    for show in (AlertBudgetDisplay, CostDisplay):
        with pytest.raises(ValueError, match="y must hold classes of the estimator"):
            show.from_estimator(fitted, X, y + 1)
    with pytest.raises(TypeError, match="costs need probabilities"):
        CostDisplay.from_estimator(LinearSVC().fit(X, y), X, y)


@pytest.mark.parametrize("weighted", [False, True])
def test_costs_are_those_of_the_metric(model, weighted):
    fitted, X, y = model
    rng = np.random.default_rng(1)
    costs = {"false_positive_cost": 5.0, "false_negative_cost": rng.exponential(100, len(y))}
    costs["true_positive_cost"] = rng.exponential(5, len(y))
    weight = rng.uniform(0.5, 2, len(y)) if weighted else None
    display = CostDisplay.from_estimator(fitted, X, y, sample_weight=weight, **costs)
    p = fitted.predict_proba(X)[:, 1]
    for k in (0, 1, 400, 999, 1000):
        decided = (p > display.thresholds[k]).astype(int)
        paid = mean_cost(y, decided, sample_weight=weight, pos_label=1, **costs)
        assert display.costs[k] == pytest.approx(paid)
    by_row = mean_cost(y, cost_decision(p, **costs).astype(int), sample_weight=weight, **costs)
    assert display.by_row == pytest.approx(by_row)
    none = mean_cost(y, np.zeros_like(y), sample_weight=weight, **costs)
    every = mean_cost(y, np.ones_like(y), sample_weight=weight, **costs)
    assert display.without_model == pytest.approx(min(none, every))


def test_equal_costs_need_one_threshold(model):
    fitted, X, y = model
    display = CostDisplay.from_estimator(fitted, X, y, false_negative_cost=50.0)
    place = np.searchsorted(display.thresholds, 1 / 51, side="right") - 1
    assert display.costs[place] == pytest.approx(display.by_row)


def test_what_a_cost_display_draws(model):
    fitted, X, y = model
    first = CostDisplay.from_estimator(fitted, X, y, false_negative_cost=50.0, name="one")
    second = CostDisplay.from_predictions(
        y, np.full(len(y), 0.02), false_negative_cost=50.0, name="two", ax=first.ax_
    )
    assert_allclose(second.line_.get_ydata(), second.costs)
    assert second.by_row_.get_ydata()[0] == second.by_row
    assert first.line_.get_color() != second.line_.get_color()
    legend = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert legend == [
        *("alert all rows or none", "one, one threshold", "one, by the costs of a row"),
        *("two, one threshold", "two, by the costs of a row"),
    ]


def test_costs_need_probabilities(model):
    fitted, X, y = model
    with pytest.raises(ValueError, match=r"y_proba must be in \[0, 1\]"):
        CostDisplay.from_predictions(y, fitted.decision_function(X))
    with pytest.raises(ValueError, match="false_positive_cost must be one number, or one for each"):
        CostDisplay.from_estimator(fitted, X, y, false_positive_cost=[1.0, 2.0])
