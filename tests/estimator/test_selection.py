"""The choice among settings and their comparison, on scores that are written down here.

The witnesses are the formulas of the papers in plain arithmetic, and SciPy's t test.
"""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skfocal._estimator._selection import (
    Resampling,
    Setting,
    choose,
    compare,
    holm,
    verdict,
)

FIVE = Resampling(5, 0.25)
GAMMAS = [Setting(gamma, None) for gamma in (0.0, 1.0, 2.0)]


def test_p_values_are_those_of_the_corrected_t_test():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 5))
    table = compare(scores, GAMMAS, FIVE)
    for k in (1, 2):
        difference = scores[k] - scores[0]
        # SciPy's standard error is sqrt(var / k); the corrected one has 1/k + 1/4 for 1/k
        plain = stats.ttest_1samp(difference, 0.0)
        t = plain.statistic * math.sqrt((1 / 5) / (1 / 5 + 1 / 4))
        assert_allclose(table["p_value"][k], 2 * stats.t.sf(abs(t), 4), rtol=1e-12)
        error = math.sqrt((1 / 5 + 1 / 4) * np.var(difference, ddof=1))
        half = stats.t(4).interval(0.95)[1] * error
        assert_allclose(table["standard_error"][k], error, rtol=1e-12)
        assert_allclose(table["lower"][k], difference.mean() - half, rtol=1e-12)
        assert_allclose(table["upper"][k], difference.mean() + half, rtol=1e-12)
    assert math.isnan(table["p_value"][0])
    assert table["difference"][0] == 0.0


def test_uncorrected_where_splits_share_no_rows():
    difference = np.array([1.0, 2.0, 4.0])
    mean, error = Resampling(3, 0.0).mean_and_error(difference)
    assert_allclose(mean / error, stats.ttest_1samp(difference, 0.0).statistic, rtol=1e-12)


def test_holm_multiplies_and_stays_in_order():
    # 0.01 x 4, 0.02 x 3, 0.04 x 2 = 0.08, and 0.05 x 1 is raised to the one before it
    p_values = np.array([0.05, np.nan, 0.01, 0.04, 0.02])
    assert_allclose(holm(p_values), [0.08, np.nan, 0.04, 0.08, 0.06], rtol=1e-12)
    assert_allclose(holm(np.array([0.6, 0.7])), [1.0, 1.0])


def test_one_standard_error_takes_the_smallest_gamma_near_the_best():
    noise = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    error = math.sqrt((1 / 5 + 1 / 4) * noise.var(ddof=1))
    base = np.arange(5.0)
    for gap, expected in ((0.9 * error, 0), (1.1 * error, 1)):
        scores = np.array([base - gap + noise, base, base - 0.1])
        assert choose(scores, GAMMAS, FIVE, "one_se") == expected
        assert choose(scores, GAMMAS, FIVE, "best") == 1


def test_one_standard_error_compares_pairs():
    """Folds may differ by much more than settings do."""
    base = np.array([-100.0, 0.0, 100.0, 200.0, 300.0])
    scores = np.array([base, base + 1.0 + np.array([0.1, -0.1, 0.0, 0.1, -0.1]), base])
    assert choose(scores, GAMMAS, FIVE, "one_se") == 1


def test_of_the_chosen_gamma_the_best_alpha_is_taken():
    settings = [Setting(gamma, alpha) for gamma in (2.0, 0.0) for alpha in (None, "balanced")]
    base = np.arange(5.0)
    noise = np.array([-2.0, 1.0, 0.0, 1.0, -1.0])
    scores = np.array([base, base, base - 0.2 + noise, base - 0.1 + noise])
    assert choose(scores, settings, FIVE, "one_se") == 3
    assert choose(scores, settings, FIVE, "best") == 0


def test_gamma_with_a_value_a_class_counts_as_its_mean():
    settings = [Setting((3.0, 0.0), None), Setting(1.0, None)]
    scores = np.zeros((2, 5))
    assert choose(scores, settings, FIVE, "one_se") == 1
    assert compare(scores, settings, FIVE)["reference_gamma"] == [1.0, 1.0]


def test_reference_is_the_smallest_gamma_with_the_same_alpha():
    settings = [Setting(gamma, alpha) for gamma in (1.0, 0.5) for alpha in (None, "balanced")]
    scores = (
        np.arange(4.0)[:, None] + np.array([0.0, 0.1, -0.1, 0.0, 0.2]) * np.arange(4.0)[:, None]
    )
    table = compare(scores, settings, FIVE)
    assert table["reference_gamma"] == [0.5] * 4
    assert_allclose(table["difference"], [-2.08, -2.08, 0.0, 0.0], rtol=1e-12)


def test_equal_scores_are_no_difference_and_constant_ones_tell_nothing():
    scores = np.array([np.zeros(5), np.zeros(5), np.ones(5)])
    table = compare(scores, GAMMAS, FIVE)
    assert table["p_value"][1] == 1.0
    assert np.isnan(table["p_value"][2])  # the same difference in all splits has no known error
    assert "no gamma is better" in verdict(table, 2)


def test_verdict_names_only_gammas_with_the_chosen_alpha():
    noise = 0.01 * np.array([-2.0, 1.0, 0.0, 1.0, -1.0])
    settings = [Setting(gamma, alpha) for gamma in (0.0, 2.0) for alpha in (None, "balanced")]
    scores = np.array([np.ones(5), np.zeros(5), 1.0 + noise, 0.5 + noise])
    table = compare(scores, settings, FIVE)
    assert "alpha None.\n" in verdict(table, 0)
    assert "no gamma is better than gamma 0.0" in verdict(table, 0)
    assert "alpha balanced.\n" in verdict(table, 3)
    assert "no proof" not in verdict(table, 0) + verdict(table, 3)
    assert "gamma 2.0 is better than gamma 0.0" in verdict(table, 3)


def test_one_split_has_no_error():
    table = compare(np.array([[0.0], [1.0], [2.0]]), GAMMAS, Resampling(1, 0.25))
    assert np.isnan(table["p_value"]).all()
    assert table["difference"] == [0.0, 1.0, 2.0]
    assert "no comparison" in verdict(table, 2)


@pytest.mark.parametrize("gap, said", [(0.1, "gamma 1.0, 2.0 is better"), (0.0, "no gamma is")])
def test_verdict_says_which_gamma_is_better(gap, said):
    noise = 0.01 * np.array([-2.0, 1.0, 0.0, 1.0, -1.0])
    scores = np.array([np.zeros(5), gap + noise, gap - noise])
    table = compare(scores, GAMMAS, FIVE)
    text = verdict(table, 1)
    assert said in text
    assert text.startswith("Chosen: gamma 1.0.")
    assert ("This is no proof that it is better" in text) == (gap == 0.0)
