"""Every form of alpha on labels, against its definition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfocal.losses._parameters import check_choice, resolve_alpha
from skfocal.losses._rows import class_totals

LABELS = np.array(["bad", "good", "new"])
TOTALS = np.array([10.0, 70.0, 20.0])


def test_none_is_none():
    assert resolve_alpha(None, LABELS, TOTALS) is None


def test_float_is_the_second_class_of_two():
    assert resolve_alpha(0.25, LABELS[:2], TOTALS[:2]) == (0.75, 0.25)


def test_balanced_is_inverse_frequency():
    weights = resolve_alpha("balanced", LABELS, TOTALS)
    assert_allclose(weights, 100 / (3 * TOTALS))
    assert_allclose(weights * TOTALS, 100 / 3)


@pytest.mark.parametrize("alpha, beta", [("effective", 0.99), (("effective", 0.9), 0.9)])
def test_effective_is_the_inverse_effective_number_with_mean_one(alpha, beta):
    """Cui et al. 2019: the effective number of n rows is the sum of beta**i, i < n."""
    number = [sum(beta**i for i in range(int(n))) for n in TOTALS]
    weights = np.array(resolve_alpha(alpha, LABELS, TOTALS))
    assert_allclose(weights / weights[0], number[0] / np.array(number), rtol=1e-10)
    assert weights @ TOTALS == pytest.approx(100)
    assert resolve_alpha(("effective",), LABELS, TOTALS) == resolve_alpha(
        "effective", LABELS, TOTALS
    )


def test_dict_is_in_the_order_of_the_labels():
    weights = resolve_alpha({"new": 3, "bad": 1, "good": 2.5}, LABELS, TOTALS)
    assert weights == (1.0, 2.5, 3.0)


def test_array_is_taken_as_it_is():
    assert resolve_alpha(np.array([1, 2, 3]), LABELS, TOTALS) == (1.0, 2.0, 3.0)


def test_totals_are_sums_of_weights():
    assert class_totals([0, 1, 1, 2], 4).tolist() == [1, 2, 1, 0]
    assert class_totals([0, 1, 1], 2, [0.5, 1.0, 2.0]).tolist() == [0.5, 3.0]


@pytest.mark.parametrize(
    "alpha, error, message",
    [
        (0.25, ValueError, "focal_alpha=0.25 weighs two classes, but there are 3"),
        ("balance", ValueError, "focal_alpha must be None"),
        (("effective", 2.0), ValueError, r"beta of focal_alpha=.* must lie in \(0, 1\)"),
        (("effective", "x"), ValueError, "beta"),
        (("effective", 0.9, 1), ValueError, "focal_alpha must be"),
        ({"bad": 1, "good": 1}, ValueError, r"missing \['new'\]"),
        ({"bad": 1, "good": 1, "old": 1}, ValueError, r"missing \['new'\], unknown \['old'\]"),
        ({"bad": 1, "good": 1, "new": 0}, ValueError, "focal_alpha must have 3 finite numbers"),
        ([1.0, 2.0], ValueError, "got 2 values"),
        ([1.0, -2.0, 1.0], ValueError, "focal_alpha"),
        ([[1.0, 2.0, 1.0]], TypeError, "focal_alpha"),
        (["a", "b", "c"], TypeError, "focal_alpha"),
        (True, TypeError, "focal_alpha"),
    ],
)
def test_other_forms_are_refused_by_name(alpha, error, message):
    with pytest.raises(error, match=message):
        resolve_alpha(alpha, LABELS, TOTALS, "focal_alpha")


@pytest.mark.parametrize("alpha", ["balanced", "effective", ("effective", 0.9)])
def test_words_need_rows_of_every_label(alpha):
    with pytest.raises(ValueError, match=r"needs rows of every label; none of \['good'\]"):
        resolve_alpha(alpha, LABELS, np.array([5.0, 0.0, 5.0]))


def test_effective_needs_counts():
    with pytest.raises(ValueError, match='"effective" counts rows'):
        resolve_alpha("effective", LABELS, TOTALS / 1000)


def test_choice_names_the_known_words():
    with pytest.raises(ValueError, match="solver must be one of 'a', 'b'; got 'c'"):
        check_choice("c", ("a", "b"), "solver")
