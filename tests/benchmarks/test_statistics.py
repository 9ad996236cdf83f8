"""The statistics of the quality benchmark against SciPy's, and against cases with known answers."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import bootstrap, rankdata

from benchmarks import quality_statistics as statistics

TABLES = ["bank", "credit", "fraud", "spam"]


@pytest.fixture
def results():
    """Two folds of four tables of three families; method b is better than a, c fails at times."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "table": name,
            "family": "one" if i < 2 else name,
            "method": method,
            "fold": fold,
            "average_precision": 0.1 * i + 0.02 * (method == "b") + 1e-3 * rng.uniform(),
            "log_loss": 0.1 * i - 0.02 * (method == "b") + 1e-3 * rng.uniform(),
            **{"trials": 12, "rows": 100, "search_rows": 50, "seed": fold},
        }
        for i, name in enumerate(TABLES)
        for method in "abc"
        for fold in range(2)
    ]
    table = pd.DataFrame(rows)
    failed = (table.method == "c") & (table.table == TABLES[3]) & (table.fold == 1)
    table.loc[failed, "average_precision"] = np.nan
    return table


def test_folds_are_averaged_to_tables_and_tables_to_families(results):
    values = statistics.by_family(results, "log_loss")
    assert list(values.index) == sorted({"one", TABLES[2], TABLES[3]})
    parts = [
        results[(results.table == name) & (results.method == "b")].log_loss.mean()
        for name in TABLES[:2]
    ]
    assert values.loc["one", "b"] == pytest.approx(np.mean(parts), abs=1e-15)


def test_ranks_are_those_of_scipy_and_failures_come_last(results):
    values = statistics.by_family(results, "average_precision")
    expected = rankdata(-values.fillna(-1.0), axis=1)
    assert_array_equal(statistics.ranks(values, "average_precision"), expected)
    assert statistics.ranks(values, "average_precision").loc[TABLES[3], "c"] == 3
    losses = statistics.by_family(results, "log_loss")
    assert_array_equal(statistics.ranks(losses, "log_loss"), rankdata(losses, axis=1))


def test_intervals_are_those_of_the_bootstrap():
    values = np.random.default_rng(1).normal(size=(40, 1))
    low, high = statistics.interval(values, draws=20_000)
    rng = np.random.default_rng(2)
    drawn = {"n_resamples": 20_000, "method": "percentile", "random_state": rng}
    expected = bootstrap((values[:, 0],), np.mean, **drawn)
    assert_allclose([low[0], high[0]], expected.confidence_interval, atol=0.01)


def test_holms_correction_is_the_closure_of_bonferronis():
    p = np.array([0.04, 0.001, 0.2, 0.012, 0.012, 0.9])
    sets = [set(s) for n in range(1, 7) for s in combinations(range(6), n)]
    expected = [max(min(1.0, len(s) * min(p[list(s)])) for s in sets if i in s) for i in range(6)]
    assert_allclose(statistics.holm(p), expected, rtol=1e-15)


def test_signs_of_families_are_drawn():
    values = np.array([0.3, -0.1, 0.8, 0.5, 0.2, 0.05, 0.4])
    means = [abs(np.dot(signs, values)) for signs in product((-1, 1), repeat=7)]
    expected = np.mean(np.array(means) >= values.sum() - 1e-12)
    assert statistics.sign_flip_p(values) == pytest.approx(expected, rel=1e-12)


def test_differences_of_ranks_say_which_is_better(results):
    """With three families no test is sure; with eight it is."""
    wanted = [("b", "a"), ("a", "b"), ("a", "a")]
    found = statistics.rank_differences(results, wanted, ["log_loss"])
    assert found.log_loss[0].endswith("), perhaps better")
    assert found.log_loss[1].endswith("), perhaps worse")
    assert found.log_loss[2] == "+0.0 (+0.0 to +0.0), no difference seen"
    more = [results[results.table == TABLES[2]].assign(table=n, family=n) for n in "12345678"]
    found = statistics.rank_differences(pd.concat(more), wanted, ["log_loss"])
    assert found.log_loss[0].endswith("), better")
    assert found.log_loss[1].endswith("), worse")
    assert statistics.verdicts(found) == "Of 3: 1 better, 1 no difference seen, 1 worse."


def test_pairs_count_what_matters(results):
    both = statistics.pairs(results, [("b", "a"), ("a", "b")], ["average_precision", "log_loss"])
    assert list(both["wins, ties, losses"]) == ["3, 0, 0", "0, 0, 3"] * 2
    assert (both["P(better)"] > both["P(worse)"]).tolist() == [True, False] * 2
    assert_allclose(both[["P(better)", "P(no matter)", "P(worse)"]].sum(axis=1), 1.0)
    assert_allclose(both.difference, [0.02, -0.02, -0.02, 0.02], atol=1e-3)


def test_differences_within_the_region_are_ties(results):
    results["brier"] = results.log_loss / 100  # by .0002
    found = statistics.pairs(results, [("b", "a")], ["brier"])
    assert found["wins, ties, losses"][0] == "0, 3, 0"
    assert found["P(no matter)"][0] > 0.9


def test_folds_that_a_method_has_not_run_are_left_out(results):
    gone = (results.table == TABLES[0]) & (results.fold == 1) & (results.method == "a")
    kept = statistics.complete_folds(results[~gone])
    assert set(zip(kept.table, kept.fold, strict=True)) == {
        (name, fold) for name in TABLES for fold in range(2)
    } - {(TABLES[0], 1)}


@pytest.mark.parametrize("term", ["trials", "rows", "search_rows", "seed"])
def test_terms_that_are_not_equal_are_an_error(results, term):
    statistics.check_equal_terms(results)
    results.loc[5, term] += 1
    with pytest.raises(ValueError, match="Terms differ"):
        statistics.check_equal_terms(results)
