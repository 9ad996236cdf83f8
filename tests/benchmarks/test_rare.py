"""The benchmarks of rare positives and of default trees measure what they say."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss

from benchmarks import as_run, drift, rare, rare_methods, recipes
from benchmarks import quality_statistics as statistics
from benchmarks.booster_fits import own_focal
from benchmarks.data import linear_positives_proba
from benchmarks.large_tables import thinned
from tests.conftest import table

NO_TRUTH = np.empty(0)


@pytest.fixture(scope="module")
def scored():
    """Labels, probabilities of which many are the same, and weights of sum 1."""
    rng = np.random.default_rng(0)
    p = np.clip(np.round(rng.beta(1, 8, 4000), 2), 0.005, 0.995)
    weight = rng.integers(1, 5, 4000).astype(float)
    return (rng.uniform(size=4000) < p).astype(int), p, weight / weight.sum()


def test_measures_are_those_of_scikit_learn(scored):
    y, p, weight = scored
    found = rare.measured(y, p, weight, NO_TRUTH)
    same = {"sample_weight": weight}
    assert_allclose(found["average_precision"], average_precision_score(y, p, **same), rtol=1e-12)
    assert_allclose(found["log_loss"], log_loss(y, p, **same), rtol=1e-12)
    assert_allclose(found["brier"], brier_score_loss(y, p, **same), rtol=1e-12)
    constant = np.full(len(y), weight[y == 1].sum())
    assert_allclose(found["log_loss_ratio"] * log_loss(y, constant, **same), found["log_loss"])


def test_a_weight_is_a_repeated_row(scored):
    y, p, weight = scored
    times = np.round(weight / weight.min()).astype(int)
    many = np.repeat(y, times), np.repeat(p, times)
    equal = np.full(times.sum(), 1 / times.sum())
    found = rare.measured(y, p, weight, NO_TRUTH)
    expected = rare.measured(*many, equal, NO_TRUTH)
    for name, value in expected.items():
        assert_allclose(found[name], value, rtol=1e-10, err_msg=name)


def test_a_cost_is_that_of_the_best_decision_by_known_probabilities(scored):
    _, p, _ = scored
    # each row counts as positive by its probability: no other threshold costs less
    y, weight = np.repeat([1, 0], len(p)), np.r_[p, 1 - p] / len(p)
    found = rare.measured(y, np.r_[p, p], weight, p)
    for cost in rare.COSTS:
        paid = [np.where(p > t, 1 - p, cost * p).mean() for t in np.r_[-1.0, np.unique(p)]]
        trivial = min(cost * p.mean(), (1 - p).mean())
        assert found[f"cost_{cost}"] == pytest.approx(min(paid) / trivial)
    assert found["mean_over_prevalence"] == pytest.approx(1.0)
    assert found["distance_to_truth"] == 0.0


def test_thinning_keeps_negatives_and_the_wanted_share():
    X = pd.DataFrame({"x": np.arange(10_000)})
    y = (np.arange(10_000) % 10 == 0).astype(int)
    few, labels = thinned(X, y, 0.005, np.random.default_rng(0))
    assert (labels == 0).sum() == 9000
    assert labels.sum() == round(9000 * 0.005 / 0.995)
    assert_array_equal(few.x % 10 == 0, labels == 1)
    with pytest.raises(ValueError, match="positives are wanted"):
        thinned(X, y, 0.5, np.random.default_rng(0))


@pytest.mark.parametrize("name", rare.MADE)
def test_made_tables_are_as_rare_as_wanted_and_know_the_truth(name):
    (_, y), (X, labels), weight, true = rare.rows_of(name, 0.005, 0)
    assert y.mean() == pytest.approx(0.005, rel=0.3)
    assert_allclose(weight.sum(), 1.0)
    assert_allclose(weight[labels == 1].sum(), true.mean())
    assert len(X) == len(true)
    assert linear_positives_proba(X.to_numpy(), 0.01).mean() == pytest.approx(0.01, rel=1e-6)


@pytest.fixture
def small(monkeypatch):
    """A table with a category, and gaps."""
    X, y, _ = table(n_rows=1500)
    X = pd.DataFrame(X).rename(columns="x{}".format)
    X["text"] = pd.Categorical(np.where(X.x0 > 0, "a", "b"))
    X.loc[::7, "x1"] = np.nan
    one = rare.LARGE["sylva"].__class__("small", "", "", "", lambda: (X, pd.Series(y)))
    monkeypatch.setattr(rare, "LARGE", {"small": one})
    monkeypatch.setattr(rare, "FEWEST", 5)
    rare.can_be_run.cache_clear()
    yield X, y
    rare.can_be_run.cache_clear()


# the other packages of the group "others" are not there in tests
@pytest.mark.slow(30)
@pytest.mark.parametrize("group", ["LightGBM", "XGBoost", "linear", "scikit-learn", "CatBoost"])
def test_methods_are_measured_on_rows_of_the_wanted_share(small, monkeypatch, group):
    monkeypatch.setitem(rare.GROUPS, "linear", rare_methods._linear)
    rows = rare.one_job("small", 0.05, 0, group)
    assert len(rows) == len({row["method"] for row in rows}) >= 4
    for row in rows:
        assert row["positives"] / row["rows"] == pytest.approx(0.05, abs=0.002)
        assert 0 < row["average_precision"] <= 1
        assert np.isfinite(row["log_loss"])


def test_jobs_leave_out_what_is_too_rare(small):
    _, y = small
    negatives = (y == 0).sum() * 2 / 3
    jobs = rare.jobs_of(["LightGBM"], 1)
    shares = {share for name, share, *_ in jobs if name == "small"}
    assert shares == {s for s in rare.SHARES if s / (1 - s) * negatives >= 5 and y.mean() >= s}


def test_sampling_keeps_all_positives_and_ten_negatives_for_each():
    X, y = pd.DataFrame({"x": np.arange(5000)}), (np.arange(5000) % 100 == 0).astype(int)
    few, labels = recipes.sampled((X, y), 0)
    assert labels.sum() == 50
    assert (labels == 0).sum() == 500
    assert_array_equal(few.x % 100 == 0, labels == 1)


@pytest.mark.parametrize("booster", ["LightGBM", "XGBoost", "scikit-learn", "CatBoost"])
def test_weighted_classes_are_equally_probable_where_there_is_nothing_to_learn(booster):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"x": rng.normal(size=4000)}), (rng.uniform(size=4000) < 0.05).astype(int)
    train, stop = recipes.held(rows, 0)
    p = recipes.weighted(booster, 0, train, stop).predict_proba(stop[0])[:, 1]
    assert p.mean() == pytest.approx(0.5, abs=0.15)  # 0.05 without weights


def test_catboost_takes_the_steps_that_are_asked_for():
    X, y, _ = table(n_rows=600)
    rows = pd.DataFrame(X).rename(columns="x{}".format), y
    train, stop = recipes.held(rows, 0)
    own, recovered = own_focal(2.0, 0, train, stop, leaf_estimation_iterations=3, iterations=5)
    assert own.get_all_params()["leaf_estimation_iterations"] == 3
    assert recovered.predict_proba(stop[0]).shape == (len(stop[1]), 2)


def test_whole_rows_are_those_that_train_and_those_that_stop():
    X = pd.DataFrame({"x": np.arange(10), "c": pd.Categorical(list("ab") * 5)})
    y = np.arange(10) % 2
    both, labels = as_run.whole((X.iloc[:8], y[:8]), (X.iloc[8:], y[8:]))
    pd.testing.assert_frame_equal(both, X)
    assert_array_equal(labels, y)


def test_blocks_of_time_follow_each_other(monkeypatch):
    y = np.arange(80) % 2
    monkeypatch.setattr(drift, "load", lambda _: (None, y))
    monkeypatch.setattr(drift, "LATEST", 25)
    past, last, test = drift.rows_of("any", 4)
    assert_array_equal(past, np.arange(15, 40))
    assert_array_equal(last, np.arange(30, 40))
    assert_array_equal(test, np.arange(40, 50))


@pytest.fixture
def compared():
    """Two methods on three folds of twelve families; b is better by 0.02 and some noise."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "table": f"t{family}",
            "family": f"t{family}",
            "method": method,
            "fold": fold,
            "rate": rate,
            "average_precision": 0.01 * family + 0.02 * (method == "b") + 0.004 * rng.normal(),
        }
        for family in range(12)
        for method in "ab"
        for fold in range(3)
        for rate in (0.1, 0.05)
    ]
    return pd.DataFrame(rows)


def test_mean_differences_have_the_interval_of_a_t_test(compared):
    measure = "average_precision"
    found = statistics.mean_differences(compared, [("b", "a"), ("a", "b")], [measure])
    means = compared.groupby(["table", "method"])[measure].mean().unstack()
    test = stats.ttest_rel(means.b, means.a)
    low, high = test.confidence_interval(0.95)
    mean = (means.b - means.a).mean()
    assert found.difference[0] == f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"
    low, high = test.confidence_interval(1 - 0.05 / 2)
    assert found.corrected[0] == f"{low:+.4f} to {high:+.4f}"
    assert list(found.seen) == ["better", "worse"]


def test_methods_are_compared_where_both_were_run(compared):
    missing = (compared.method == "b") & (compared.fold == 1)
    some = compared[~missing]
    found = statistics.paired(some, "b", "a", "average_precision")
    expected = statistics.paired(compared[compared.fold != 1], "b", "a", "average_precision")
    pd.testing.assert_series_equal(found, expected)


def test_a_run_that_is_the_same_differs_by_nothing(compared):
    part = compared[compared.fold == 0]
    found = statistics.reproduced(part, compared, ["average_precision"]).iloc[0]
    assert found["largest difference"] == 0.0
    assert found["rows compared"] == len(part)
    folds = compared.groupby(["table", "method", "rate"]).average_precision.std()
    assert found["noise"] == pytest.approx(folds.mean())
    moved = part.assign(average_precision=part.average_precision + 0.5)
    moved = statistics.reproduced(moved, compared, ["average_precision"]).iloc[0]
    assert moved["largest difference"] == pytest.approx(0.5)
