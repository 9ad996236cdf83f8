"""The simulated transactions follow the rule that their docstring writes."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logit

from skfocal.datasets import make_transactions


@pytest.fixture(scope="module")
def drawn():
    return make_transactions(40_000, fraud_rate=0.01, drift=3.0, random_state=0)


def test_the_truth_is_the_documented_sum(drawn):
    """Least squares of the log-odds on the terms of the notes give their numbers, and no rest."""
    table = drawn.data
    ratio = np.log(table.amount.clip(lower=0.01) / table.usual_amount)
    terms = {
        "electronics": table.merchant == "electronics",
        "jewellery": table.merchant == "jewellery",
        "gift cards": table.merchant == "gift cards",
        "travel": table.merchant == "travel",
        "groceries": table.merchant == "groceries",
        "restaurants": table.merchant == "restaurants",
        "fuel": table.merchant == "fuel",
        "near": table.country == "near",
        "far": table.country == "far",
        "online": table.entry == "online",
        "contactless": table.entry == "contactless",
        "online, far": (table.entry == "online") & (table.country == "far"),
        "ratio": ratio.clip(lower=0),
        "night": table.time.dt.hour < 6,
        "new card": table.card_age_days < 30,
        "soon": table.minutes_since_last < 10,
        "recent": np.log1p(table.n_last_day),
        "passed": (table.time - pd.Timestamp("2024-01-01")).dt.total_seconds() / (90 * 86_400),
        "constant": 1.0,
    }
    design = pd.DataFrame(terms).astype(float)
    found, rest, *_ = np.linalg.lstsq(design, logit(drawn.proba))
    expected = [1.5, 2.0, 2.5, 0.5, -1.2, -0.8, -0.5, 0.8, 2.5, 1.8, -0.7, 1.0, 1.0, 1.2, 0.8, 2.0]
    assert_allclose(found[:-1], [*expected, 0.5, np.log(3.0)], atol=1e-8)
    assert rest[0] < 1e-12


def test_labels_are_drawn_by_the_probabilities(drawn):
    assert drawn.proba.mean() == pytest.approx(0.01, rel=1e-9)
    parts = np.array_split(np.argsort(drawn.proba), 10)
    for part in parts:
        mean, n = drawn.proba[part].mean(), len(part)
        assert abs(drawn.target[part].mean() - mean) < 4 * np.sqrt(mean / n)


def test_columns_of_the_past_are_those_of_a_loop(drawn):
    table = drawn.data
    assert table.time.is_monotonic_increasing
    for card in table.card.unique()[:40]:
        own = table[table.card == card]
        times = own.time.to_numpy()
        for k, (minutes, recent) in enumerate(
            zip(own.minutes_since_last, own.n_last_day, strict=True)
        ):
            before = times[:k]
            assert recent == (times[k] - before <= np.timedelta64(1, "D")).sum()
            if k == 0:
                assert np.isnan(minutes)
            else:
                assert minutes == pytest.approx((times[k] - before[-1]) / np.timedelta64(60, "s"))


def test_forms_and_seeds(drawn):
    again = make_transactions(40_000, fraud_rate=0.01, drift=3.0, random_state=0, as_frame=False)
    assert_array_equal(again.target, drawn.target)
    assert again.data.shape == drawn.data.shape
    column = again.feature_names.index("amount")
    assert_array_equal(again.data[:, column], drawn.data.amount)
    codes = again.data[:, again.feature_names.index("merchant")]
    assert_array_equal(codes, drawn.data.merchant.cat.codes)
    other = make_transactions(1000, random_state=np.random.RandomState(1))
    assert list(other.data) == other.feature_names
    assert make_transactions(1, random_state=0).data.shape == (1, 10)


def test_the_mean_is_the_wanted_one_with_any_drift():
    for drift in (1e-40, 1e40):
        table = make_transactions(5000, fraud_rate=0.01, drift=drift, random_state=0)
        assert table.proba.mean() == pytest.approx(0.01, rel=1e-6)


def test_odds_grow_by_the_drift():
    same = {"n_rows": 50_000, "fraud_rate": 0.01, "random_state": 0}
    moved = logit(make_transactions(**same, drift=4.0).proba)
    still = logit(make_transactions(**same).proba)
    growth = moved - still  # the other terms are the same
    assert growth[-1] - growth[0] == pytest.approx(np.log(4.0), abs=0.01)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"n_rows": 0}, "n_rows must be an integer >= 1"),
        ({"n_days": 1.5}, "n_days must be an integer >= 1"),
        ({"fraud_rate": 0.0}, r"fraud_rate must be in \(0, 1\)"),
        ({"drift": -1.0}, "drift must be > 0"),
        ({"drift": "much"}, "drift must be a number"),
        ({"as_frame": "no"}, "as_frame must be True or False"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        make_transactions(**given)


def test_without_pandas_the_error_says_what_to_do():
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "from skfocal.datasets import make_transactions\n"
        "make_transactions(10, as_frame=False)\n"
        "make_transactions(10)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install pandas, or give as_frame=False" in done.stderr
