"""Scores against deep-learning libraries, scikit-learn and their definitions."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score

from skfocal.metrics import expected_calibration_error, focal_loss, make_focal_scorer
from tests.conftest import table


def test_equals_torchvision(deep_learning):
    for gamma, alpha, value in deep_learning["torchvision"]:
        own = focal_loss(deep_learning["y"], deep_learning["proba"], gamma=gamma, alpha=alpha)
        assert own == pytest.approx(value, rel=1e-13)


def test_equals_keras(deep_learning):
    # Keras clips to 1e-7 and takes its constants in float32
    for gamma, alpha, value in deep_learning["keras_binary"]:
        own = focal_loss(deep_learning["y"], deep_learning["proba"], gamma=gamma, alpha=alpha)
        assert own == pytest.approx(value, rel=1e-7)
    for gamma, alpha, value in deep_learning["keras_categorical"]:
        own = focal_loss(deep_learning["labels"], deep_learning["rows"], gamma=gamma, alpha=alpha)
        assert own == pytest.approx(value, rel=2e-7)


@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_gamma_zero_is_log_loss(deep_learning, link):
    y, proba = deep_learning["labels"], deep_learning["rows"]
    weight = np.random.default_rng(0).uniform(size=len(y))
    own = focal_loss(y, proba, gamma=0, sample_weight=weight, link=link)
    assert own == pytest.approx(log_loss(y, proba, sample_weight=weight), rel=1e-12)
    # certain and wrong: clipped as scikit-learn does
    assert focal_loss([0, 1], [1.0, 1.0], gamma=0) == pytest.approx(log_loss([0, 1], [1.0, 1.0]))


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0, (0.0, 4.0)])
@pytest.mark.parametrize("alpha", [None, 0.9])
def test_posterior_link_is_proper_and_focal_link_is_not(gamma, alpha):
    """Expected score of the constant c where P(y = 1) is .1."""
    y, weight = [0, 1], [0.9, 0.1]

    def expected(c, link):
        return focal_loss(y, [c, c], gamma=gamma, alpha=alpha, sample_weight=weight, link=link)

    best = minimize_scalar(lambda c: expected(c, "posterior"), bounds=(0.01, 0.99))
    assert best.x == pytest.approx(0.1, abs=1e-3)
    best = minimize_scalar(lambda c: expected(c, "focal"), bounds=(0.01, 0.99))
    assert abs(best.x - 0.1) > 0.02


def test_multiclass_posterior_link_is_proper():
    truth = np.array([0.7, 0.2, 0.1])

    def expected(p):
        return focal_loss(
            [0, 1, 2],
            np.tile(p, (3, 1)),
            gamma=2.0,
            alpha=[1.0, 2.0, 5.0],
            sample_weight=truth,
            link="posterior",
        )

    rng = np.random.default_rng(0)
    for _ in range(20):
        other = truth + 0.02 * rng.normal(size=3)
        assert expected(truth) < expected(other / other.sum())


def test_labels_of_any_type_and_columns():
    y, p = np.array(["no", "yes", "yes"]), np.array([0.2, 0.7, 0.9])
    own = focal_loss(y, p, alpha={"no": 1.0, "yes": 3.0})
    assert own == pytest.approx(focal_loss([0, 1, 1], np.c_[1 - p, p], alpha=[1.0, 3.0]))
    assert focal_loss(["yes"], [0.7], labels=["no", "yes"]) == pytest.approx(0.3**2 * -np.log(0.7))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([0, 1], [0.5, 1.5]), r"y_proba must lie in \[0, 1\]"),
        (([0, 1], [0.5, np.nan]), "y_proba"),
        (([0, 1, 2], [0.5, 0.5, 0.5]), "y_proba must have one column for each of the 3"),
        (([0, 1], [[0.5], [0.5]]), "y_proba"),
        (([1, 1], [0.5, 0.5]), "single label 1"),
        (([0, 1], [0.5]), "y_proba must have one row for each of the 2 labels"),
    ],
)
def test_bad_input_is_named(arguments, message):
    for metric in (focal_loss, expected_calibration_error):
        with pytest.raises(ValueError, match=message):
            metric(*arguments)


@pytest.mark.parametrize("weight", [[-1.0, 1.0], [0.0, 0.0], [np.nan, 1.0]])
def test_bad_weights_are_named(weight):
    with pytest.raises(ValueError, match="sample_weight"):
        focal_loss([0, 1], [0.5, 0.5], sample_weight=weight)


def test_bad_choices_are_named():
    with pytest.raises(ValueError, match="link must be one of"):
        focal_loss([0, 1], [0.5, 0.5], link="log")
    with pytest.raises(ValueError, match="strategy must be one of"):
        expected_calibration_error([0, 1], [0.5, 0.5], strategy="size")
    with pytest.raises(ValueError, match="n_bins"):
        expected_calibration_error([0, 1], [0.5, 0.5], n_bins=0)


def test_scorer_is_the_negative_proper_loss_and_takes_weights():
    X, y, weight = table()
    model = LogisticRegression().fit(X, y)
    scorer = make_focal_scorer(gamma=1.0, alpha=0.75)
    expected = focal_loss(
        y,
        model.predict_proba(X),
        gamma=1.0,
        alpha=0.75,
        sample_weight=weight,
        link="posterior",
    )
    assert scorer(model, X, y, sample_weight=weight) == pytest.approx(-expected)
    names = np.array(["no", "yes"])[y]
    assert (cross_val_score(LogisticRegression(), X, names, scoring=scorer) < 0).all()


def test_calibration_error_by_hand():
    y, p = np.array([0, 0, 1, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
    own = expected_calibration_error(y, p, n_bins=2, strategy="uniform")
    low, high = abs(0.2 - 1 / 3), abs((0.6 + 0.7 + 0.9) / 3 - 2 / 3)
    assert own == pytest.approx((3 * low + 3 * high) / 6)
    # row of weight 3 = row three times
    weight = np.array([3, 1, 1, 1, 2, 1])
    assert expected_calibration_error(
        y, p, n_bins=2, strategy="uniform", sample_weight=weight
    ) == pytest.approx(
        expected_calibration_error(y.repeat(weight), p.repeat(weight), n_bins=2, strategy="uniform")
    )


def test_calibration_error_of_true_probabilities_vanishes():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 20, 100_000)
    y = rng.uniform(size=p.size) < p
    assert expected_calibration_error(y, p) < 0.003
    assert expected_calibration_error(y, np.sqrt(p)) > 0.1


def test_calibration_error_of_many_classes_is_that_of_the_top_label():
    proba = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    own = expected_calibration_error([0, 1, 0], proba, n_bins=1, labels=[0, 1, 2])
    assert own == pytest.approx(abs((0.7 + 0.8 + 0.4) / 3 - 2 / 3))
