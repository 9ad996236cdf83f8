"""FocalLGBMClassifier: equal to LightGBM at gamma 0; the standard model; LightGBM's own."""

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight

from skfocal import FocalLGBMClassifier
from skfocal._booster._model_files import Settings
from skfocal.lightgbm._format import standardised
from skfocal.lightgbm._training import learned_attributes
from tests.conftest import table

QUIET = {"verbose": -1, "n_jobs": 1}
VARIANTS = [
    {},
    {"data_sample_strategy": "goss", "learning_rate": 0.3},
    {"subsample": 0.6, "subsample_freq": 1},
    {"extra_trees": True},
    {"linear_tree": True},
    {"use_quantized_grad": True},
    {"max_depth": 3, "min_child_samples": 50, "reg_alpha": 0.1, "reg_lambda": 1.0},
]


def structure(booster):
    """Features, thresholds and children of every tree."""
    frame = booster.trees_to_dataframe()
    return frame[["tree_index", "split_feature", "threshold", "left_child", "right_child"]]


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_gamma_zero_is_lightgbm(any_table, variant, weighted):
    X, y, weight = any_table
    weight = weight if weighted else None
    theirs = lgb.LGBMClassifier(n_estimators=30, **variant, **QUIET).fit(X, y, weight)
    ours = FocalLGBMClassifier(focal_gamma=0.0, n_estimators=30, **variant, **QUIET)
    ours.fit(X, y, weight)
    atol = 1e-6
    assert_allclose(ours.predict(X, raw_score=True), theirs.predict(X, raw_score=True), atol=atol)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=atol)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    pd.testing.assert_frame_equal(structure(ours.booster_), structure(theirs.booster_))
    # of inner nodes too, which LightGBM writes with six digits: they contain the start
    values = [model.booster_.trees_to_dataframe().value for model in (ours, theirs)]
    assert_allclose(*values, atol=2e-5)


# Drops all trees in each round. For a custom objective LightGBM 4.7 draws one number more or less
# in the first round, by a flag that it does not initialise: drops by chance differ from run to run.
DART = {"boosting_type": "dart", "drop_rate": 1.0, "skip_drop": 0.0, "uniform_drop": True}


@pytest.mark.parametrize("variant", [{}, DART, {"colsample_bytree": 0.5}, *VARIANTS[1:]], ids=str)
def test_standard_model_is_start_plus_trees(any_table, variant):
    """The raw score against a plain custom-objective run of the same parameters."""
    from skfocal import FocalObjective

    X, y, weight = any_table
    ours = FocalLGBMClassifier(focal_gamma=2.0, n_estimators=20, **variant, **QUIET)
    ours.fit(X, y, weight)
    f = FocalObjective(2.0)
    start = f.init_score(y, weight.astype(np.float32))  # as LightGBM keeps them
    plain = lgb.LGBMClassifier(objective=f, n_estimators=20, **variant, **QUIET)
    plain.fit(X, y, weight, init_score=start)
    raw = plain.predict(X, raw_score=True) + start[0]
    assert_allclose(ours.predict(X, raw_score=True), raw, atol=1e-12)
    if "linear_tree" not in variant:  # LightGBM has no contributions of linear leaves
        contributions = ours.predict(X, pred_contrib=True)
        total = contributions.reshape(len(X), -1, 11).sum(axis=2)
        assert_allclose(total.squeeze(), raw, atol=1e-9)
    text = ours.booster_.model_to_string()
    name = "binary" if raw.ndim == 1 else "multiclass"
    assert f"\nobjective={name}" in text
    assert f"[objective: {name}]" in text
    assert "[objective: custom]" not in text
    assert lgb.Booster(model_str=text).model_to_string() == text


def test_standardising_twice_without_a_shift_changes_nothing():
    X, y, _ = table()
    text = FocalLGBMClassifier(**QUIET).fit(X, y).booster_.model_to_string()
    again = lgb.Booster(model_str=standardised(text, 2, None)).model_to_string()
    assert again == text


@pytest.mark.parametrize("argument", ["eval_set", "eval_X", "tuple", "several"])
def test_ways_to_give_an_evaluation_set(argument):
    X, y, _ = table()
    given = {
        "eval_set": {"eval_set": [(X[::2], y[::2])]},
        "eval_X": {"eval_X": X[::2], "eval_y": y[::2]},
        "tuple": {"eval_set": (X[::2], y[::2])},
        "several": {"eval_X": (X[::2], X), "eval_y": (y[::2], y), "eval_names": ["a", "b"]},
    }[argument]
    model = FocalLGBMClassifier(n_estimators=5, **QUIET).fit(X, y, **given)
    assert all(len(sets["focal_loss"]) == 5 for sets in model.evals_result_.values())
    if argument == "several":
        assert list(model.evals_result_) == ["a", "b"]
    assert FocalLGBMClassifier(n_estimators=2, **QUIET).fit(X, y, eval_set=[]).evals_result_ == {}


def test_training_set_is_recognised_and_does_not_stop_training():
    X, y, _ = table(n_rows=300)
    model = FocalLGBMClassifier(n_estimators=100, learning_rate=0.5, **QUIET).fit(
        X[::2],
        y[::2],
        eval_set=[(X[1::2], y[1::2])],
        callbacks=[lgb.early_stopping(3, verbose=False)],
    )
    half, labels = X[::2], y[::2]
    both = FocalLGBMClassifier(n_estimators=100, learning_rate=0.5, **QUIET).fit(
        half,
        labels,
        eval_set=[(half, labels), (X[1::2], y[1::2])],
        callbacks=[lgb.early_stopping(3, verbose=False)],
    )
    assert list(both.evals_result_) == ["training", "valid_1"]
    assert both.best_iteration_ == model.best_iteration_ < 100
    raw = both.booster_.predict(half, raw_score=True, num_iteration=both.best_iteration_)
    own = both.evals_result_["training"]["focal_loss"][both.best_iteration_ - 1]
    assert own == pytest.approx(both.loss_.loss(labels, raw).mean())


def test_metrics_are_named_once_and_rank_metrics_pass_through():
    X, y, _ = table()
    model = FocalLGBMClassifier(n_estimators=5, metric=["auc", "binary_logloss"], **QUIET)
    model.fit(X, y, eval_X=X, eval_y=y, eval_metric=["logloss", "auc,average_precision"])
    (values,) = model.evals_result_.values()
    assert sorted(values) == ["auc", "average_precision", "binary_logloss"]
    none = FocalLGBMClassifier(n_estimators=5, metric="None", **QUIET)
    assert none.fit(X, y, eval_X=X, eval_y=y).evals_result_ == {}


def test_callback_stops_early_and_the_model_keeps_its_best_iteration():
    X, y, _ = table()
    model = FocalLGBMClassifier(n_estimators=500, learning_rate=0.3, **QUIET).fit(
        X[::2],
        y[::2],
        eval_X=X[1::2],
        eval_y=y[1::2],
        callbacks=[lgb.early_stopping(5, verbose=False)],
    )
    (values,) = model.evals_result_.values()
    assert model.best_iteration_ == int(np.argmin(values["focal_loss"])) + 1 < 500
    assert model.best_score_["valid_0"]["focal_loss"] == min(values["focal_loss"])
    assert model.booster_.best_iteration == model.best_iteration_


def test_categories_are_kept():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"c": pd.Categorical(rng.choice(list("abcd"), 500)), "x": rng.normal(size=500)}
    )
    y = (frame.c.isin(["a", "c"]).to_numpy() ^ (rng.uniform(size=500) < 0.1)).astype(int)
    model = FocalLGBMClassifier(n_estimators=20, **QUIET).fit(frame, y)
    assert model.score(frame, y) > 0.85
    assert model.booster_.pandas_categorical == [list("abcd")]


def test_leaves_contributions_and_iterations_as_the_parent():
    X, y, _ = table()
    model = FocalLGBMClassifier(n_estimators=10, **QUIET).fit(X, y)
    for method in (model.predict, model.predict_proba):
        assert method(X, pred_leaf=True).shape == (1000, 10)
        assert method(X, pred_contrib=True).shape == (1000, 11)
        assert_array_equal(
            method(X, raw_score=True, num_iteration=4),
            model.booster_.predict(X, raw_score=True, num_iteration=4),
        )
    part = model.booster_.predict(X, raw_score=True, num_iteration=4)
    assert_array_equal(model.decision_function(X, num_iteration=4), model.loss_.log_odds(part))


@pytest.mark.parametrize("names", [["binary_logloss", "auc"], ["auc", "binary_logloss"]])
def test_order_of_metrics_is_kept_for_early_stopping(names):
    """The first of two stops where it stops alone; alone, auc is LightGBM's own."""
    X, y, _ = table()
    models = []
    for metric in (names, names[0]):
        model = FocalLGBMClassifier(n_estimators=200, **QUIET).fit(
            X[::2],
            y[::2],
            eval_X=X[1::2],
            eval_y=y[1::2],
            eval_metric=metric,
            callbacks=[lgb.early_stopping(5, first_metric_only=True, verbose=False)],
        )
        models.append(model)
    both, alone = models
    assert both.best_iteration_ == alone.best_iteration_ < 200
    (both,), (alone,) = both.evals_result_.values(), alone.evals_result_.values()
    assert list(both) == [*names, "focal_loss"]
    assert_allclose(both[names[0]], alone[names[0]], rtol=1e-9)


@pytest.mark.parametrize("name", ["cross_entropy", "xentropy", "multiclass_ova", "logloss"])
def test_every_name_of_log_loss_is_that_of_the_posterior(any_table, name):
    X, y, _ = any_table
    model = FocalLGBMClassifier(n_estimators=5, **QUIET)
    model.fit(X, y, eval_X=X, eval_y=y, eval_metric=name)
    (shown,) = model.evals_result_.values()
    assert list(shown)[1:] == ["focal_loss"]  # LightGBM adds to its default, too
    value = next(iter(shown.values()))[-1]
    assert value == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-6)


def test_metric_of_margins_is_refused_by_name():
    X, y, _ = table(n_rows=200)
    with pytest.raises(ValueError, match="Metric 'mape' would be computed from margins"):
        FocalLGBMClassifier(**QUIET).fit(X, y, eval_X=X, eval_y=y, eval_metric="mape")


def test_metrics_of_two_to_four_arguments():
    X, y, _ = table(n_rows=200)

    def four(y_true, y_score, weight, group):
        assert group is None
        return "mean", float(y_score.mean()), True

    model = FocalLGBMClassifier(n_estimators=3, **QUIET)
    model.fit(X, y, eval_X=X, eval_y=y, eval_metric=four)
    assert next(iter(model.evals_result_.values()))["mean"]
    with pytest.raises(TypeError, match="must take 2, 3 or 4 arguments"):
        model.fit(X, y, eval_X=X, eval_y=y, eval_metric=lambda *a: ("x", 0.0, True))


def test_boost_from_average_false_starts_at_zero():
    X, y, _ = table()
    theirs = lgb.LGBMClassifier(n_estimators=5, boost_from_average=False, **QUIET).fit(X, y)
    ours = FocalLGBMClassifier(
        focal_gamma=0.0, n_estimators=5, boost_from_average=False, **QUIET
    ).fit(X, y)
    assert_allclose(ours.decision_function(X), theirs.predict(X, raw_score=True), atol=1e-6)


def test_class_weights_of_an_evaluation_set_are_by_label():
    X, y, _ = table()
    names = np.array(["no", "yes"])[y]
    model = FocalLGBMClassifier(n_estimators=5, **QUIET).fit(
        X, names, eval_X=X, eval_y=names, eval_class_weight=[{"no": 1.0, "yes": 3.0}]
    )
    weighted = FocalLGBMClassifier(n_estimators=5, **QUIET).fit(
        X, names, eval_X=X, eval_y=names, eval_sample_weight=[np.where(y == 1, 3.0, 1.0)]
    )
    assert model.evals_result_ == weighted.evals_result_


@pytest.mark.parametrize("n_classes", [2, 3])
def test_where_nothing_can_be_split_a_continued_model_stays_as_it_is(n_classes):
    X, y, _ = table(n_classes)
    first = FocalLGBMClassifier(n_estimators=5, **QUIET).fit(X, y)
    second = FocalLGBMClassifier(n_estimators=5, **QUIET)
    second.fit(np.ones_like(X), y, init_model=first)
    assert_array_equal(second.predict(X, raw_score=True), first.predict(X, raw_score=True))
    start = np.zeros(len(y) if n_classes == 2 else (len(y), 3))
    given = FocalLGBMClassifier(n_estimators=5, **QUIET)
    given.fit(np.ones_like(X), y, init_score=start, eval_X=X, eval_y=y)
    assert_allclose(given.predict(X, raw_score=True), 0, atol=1e-12)


@pytest.mark.parametrize("wrong", ["one table", "fewer"])
def test_tuples_of_evaluation_sets_have_one_length(wrong):
    X, y, _ = table(n_rows=200)
    eval_y = y if wrong == "one table" else (y,)
    with pytest.raises(ValueError, match="eval_y must be one of the same length"):
        FocalLGBMClassifier(**QUIET).fit(X, y, eval_X=(X, X), eval_y=eval_y)


def test_private_parts_of_lightgbm_in_use_exist():
    """If this fails, LightGBM has changed what skfocal.lightgbm hands over."""
    X, y, _ = table(n_rows=200)
    fitted = lgb.LGBMClassifier(n_estimators=2, **QUIET).fit(X, y)
    ours = FocalLGBMClassifier(n_estimators=2, **QUIET).fit(X, y)
    settings = Settings(ours.classes_, ours.loss_, None, ours._probabilities)
    learned = learned_attributes(ours.booster_, settings)
    assert learned.keys() - {"loss_", "_probabilities"} <= vars(fitted).keys()
    assert "focal_gamma" not in FocalLGBMClassifier()._process_params("predict")
    assert lgb.compat._LGBMLabelEncoder.__name__ == "LabelEncoder"


def test_another_error_of_lightgbm_is_not_swallowed():
    X, y, _ = table(n_rows=200)
    with pytest.raises(lgb.basic.LightGBMError, match="num_leaves"):
        FocalLGBMClassifier(num_leaves=0, **QUIET).fit(X, y)


@pytest.mark.parametrize("form", ["arrays", "data set"])
@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_balanced_class_weight_counts_rows_as_the_parent_does(any_table, form, link):
    """At gamma 0 the margins are the parent's, under the posterior link without its weights."""
    X, y, weight = any_table
    theirs = lgb.LGBMClassifier(class_weight="balanced", n_estimators=10, **QUIET)
    raw = theirs.fit(X, y, weight).predict(X, raw_score=True)
    ours = FocalLGBMClassifier(
        focal_gamma=0.0, class_weight="balanced", n_estimators=10, link=link, **QUIET
    )
    if form == "arrays":
        ours.fit(X, y, weight)
    else:
        ours.fit(lgb.Dataset(X, y, weight=weight))
    assert_allclose(ours.loss_.class_weight, len(y) / (len(set(y)) * np.bincount(y)))
    if link == "focal":
        assert_allclose(ours.predict(X, raw_score=True), raw, atol=1e-6)


def test_balanced_class_weight_counts_rows_of_weight_zero_too(any_table):
    X, y, weight = any_table
    weight = np.where((y == 0) & (np.arange(len(y)) % 2 == 0), 0.0, weight)
    expected = compute_class_weight("balanced", classes=np.unique(y), y=y)  # LightGBM uses it
    model = FocalLGBMClassifier(class_weight="balanced", n_estimators=1, **QUIET).fit(X, y, weight)
    assert_allclose(model.loss_.class_weight, expected)
    other = FocalLGBMClassifier(focal_alpha="balanced", n_estimators=1, **QUIET).fit(X, y, weight)
    totals = np.bincount(y, weights=weight.astype(np.float32))
    assert_allclose(other.loss_.class_weight, totals.sum() / (len(totals) * totals))


@pytest.mark.parametrize("form", ["arrays", "data set"])
def test_where_nothing_can_be_split_nothing_false_is_printed(form, capfd):
    """The constant model of the parent, with its rounds and without an error of LightGBM."""
    X, y, _ = table(3, n_rows=300)
    X = np.ones_like(X)
    theirs = lgb.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, y, eval_X=X, eval_y=y)
    model = FocalLGBMClassifier(n_estimators=3, verbose=-1, focal_gamma=0.0)
    capfd.readouterr()
    if form == "arrays":
        model.fit(X, y, eval_X=X, eval_y=y, eval_metric="logloss")
    else:
        data = lgb.Dataset(X, y)
        model.fit(data, eval_set=[lgb.Dataset(X, y, reference=data)], eval_metric="logloss")
    assert "".join(capfd.readouterr()) == ""
    assert_allclose(model.predict(X, raw_score=True), theirs.predict(X, raw_score=True))
    assert model.booster_.num_trees() == theirs.booster_.num_trees()
    (own,), (parents,) = model.evals_result_.values(), theirs.evals_result_.values()
    assert_allclose(own["multi_logloss"], parents["multi_logloss"], rtol=1e-6)
    text = model.booster_.model_to_string()
    assert lgb.Booster(model_str=text).model_to_string() == text


def test_no_column_is_said_to_be_useless_once(capfd):
    X, y, _ = table(n_rows=200)
    lgb.LGBMClassifier(n_estimators=3, verbose=1).fit(np.ones_like(X), y)
    parents = "".join(capfd.readouterr()).count("no meaningful features")
    FocalLGBMClassifier(n_estimators=3, verbose=1).fit(np.ones_like(X), y)
    printed = "".join(capfd.readouterr())
    assert printed.count("no meaningful features") == parents == 1
    assert "Fatal" not in printed


@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_weights_are_repeated_rows_for_trees_that_grow(any_table, form, link):
    """scikit-learn's check, of rows enough for trees; few values, so that bins are the same."""
    X, y, _ = any_table
    X = np.round(X)
    repeats = np.random.default_rng(0).integers(0, 5, len(y))
    settings = {"min_child_samples": 1, "min_data_in_bin": 1, "num_leaves": 8, "link": link}
    model = FocalLGBMClassifier(n_estimators=5, focal_alpha="balanced", **settings, **QUIET)
    many = model.fit(form(np.repeat(X, repeats, axis=0)), np.repeat(y, repeats))
    expected = many.predict(form(X), raw_score=True)
    assert np.ptp(expected, axis=0).min() > 0.3
    weighted = model.fit(form(X), y, sample_weight=repeats)
    assert_allclose(weighted.predict(form(X), raw_score=True), expected, atol=1e-6)
