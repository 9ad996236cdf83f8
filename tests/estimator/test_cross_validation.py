"""Classifiers that choose by cross-validation: folds, scores, arguments, failures.

The witnesses are scikit-learn's own splitters and scorers on the probabilities of held-out rows.
"""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    get_scorer,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    GroupKFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfocal import (
    FocalLGBMClassifierCV,
    FocalLogisticRegressionCV,
    FocalXGBClassifier,
    FocalXGBClassifierCV,
)
from skfocal._estimator import _held_out
from skfocal.calibration import fit_calibration, quick_calibration
from skfocal.plotting import GammaPathDisplay
from tests.backends import make as make_booster
from tests.conftest import table

LOGISTIC, LGBM, XGB = FocalLogisticRegressionCV, FocalLGBMClassifierCV, FocalXGBClassifierCV
each = pytest.mark.parametrize("kind", [LOGISTIC, LGBM, XGB])
classes = pytest.mark.parametrize("n_classes", [2, 3])
pytestmark = pytest.mark.filterwarnings("ignore:The mean score was the best after the last")


def make(kind, **params):
    params = {"focal_gammas": (0.0, 2.0), "cv": 3, **params}
    if kind is LOGISTIC:
        return kind(**{"Cs": [0.1, 1.0], **params})
    return make_booster(kind, n_estimators=5, **params)


@each
@classes
def test_score_is_the_log_loss_of_the_calibrated_probabilities(kind, n_classes):
    X, y, weight = table(n_classes, n_rows=600)
    model = make(kind).fit(X, y, sample_weight=weight)
    own = -np.log(model.oof_proba_[np.arange(600), y])
    expected = [
        -np.average(own[test], weights=weight[test]) for _, test in StratifiedKFold(3).split(X, y)
    ]
    row = model.best_index_[0]
    # the calibration before a score sees means of bins, or stops a little earlier
    assert_allclose(model.fold_scores_[row], expected, rtol=1e-4)
    assert_allclose(model.fold_scores_[row].mean(), model.comparison_["mean_score"][row])


SCORES = {
    "average_precision": average_precision_score,
    "roc_auc": roc_auc_score,
    "neg_brier_score": lambda y, p, **kw: -brier_score_loss(y, p, **kw),
}


@each
@pytest.mark.parametrize("scoring", SCORES)
def test_any_scorer_scores_the_held_out_rows(kind, scoring):
    X, codes, weight = table(n_rows=600)
    y = np.array([-1, 1])[codes]
    with config_context(enable_metadata_routing=False):
        model = make(kind, scoring=scoring, rule="best").fit(X, y, sample_weight=weight)
    expected = [
        SCORES[scoring](codes[test], model.oof_proba_[test, 1], sample_weight=weight[test])
        for _, test in StratifiedKFold(3).split(X, y)
    ]
    assert_allclose(model.fold_scores_[model.best_index_[0]], expected, rtol=1e-5)


@each
@classes
def test_scorers_of_labels_see_the_class_weights(kind, n_classes):
    X, y, _ = table(n_classes, n_rows=600)
    scoring = "balanced_accuracy"
    params = {"focal_gammas": (1.0,), "focal_alphas": ("balanced",)}
    model = make(kind, scoring=scoring, **params).fit(X, y)
    weights = np.bincount(y, minlength=n_classes)
    labels = (model.oof_proba_ / weights).argmax(axis=1)
    scorer = get_scorer(scoring)._score_func
    expected = [scorer(y[test], labels[test]) for _, test in StratifiedKFold(3).split(X, y)]
    assert_allclose(model.fold_scores_[0], expected, atol=0.03)


@each
def test_groups_reach_the_splitter(kind):
    X, y, _ = table(n_rows=600)
    groups = np.random.default_rng(0).integers(0, 12, 600)
    model = make(kind, cv=GroupKFold(3)).fit(X, y, groups=groups)
    folds = GroupKFold(3).split(X, y, groups)
    by_hand = make(kind, cv=list(folds)).fit(X, y)
    assert_array_equal(model.scores_, by_hand.scores_)
    with pytest.raises(TypeError, match="enable_metadata_routing"):
        make(kind).fit(X, y, colour=groups)


@each
def test_metadata_is_routed(kind):
    X, y, weight = table(n_rows=600)
    groups = np.random.default_rng(0).integers(0, 12, 600)
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(roc_auc_score, response_method="predict_proba")
        scorer = scorer.set_score_request(sample_weight=True)
        model = make(kind, cv=GroupKFold(3), scoring=scorer)
        model.set_fit_request(sample_weight=True)
        model.fit(X, y, sample_weight=weight, groups=groups)
        outer = cross_validate(
            model,
            X,
            y,
            cv=GroupKFold(2),
            params={"sample_weight": weight, "groups": groups},
            scoring=scorer,
        )
    expected = [
        roc_auc_score(y[test], model.oof_proba_[test, 1], sample_weight=weight[test])
        for _, test in GroupKFold(3).split(X, y, groups)
    ]
    assert_allclose(model.fold_scores_[model.best_index_[0]], expected, rtol=1e-5)
    assert np.isfinite(outer["test_score"]).all()


@each
def test_scorers_get_arguments_by_any_name(kind):
    """Also in the threads that score boosters."""
    X, y, _ = table(n_rows=300)
    amount, seen = np.arange(300.0), []
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(lambda y, p, amount: seen.append(amount.sum()) or 0.0)
        scorer = scorer.set_score_request(amount=True)
        make(kind, scoring=scorer).fit(X, y, amount=amount)
    expected = {amount[test].sum() for _, test in StratifiedKFold(3).split(X, y)}
    assert set(seen) == expected


@each
def test_a_scorer_may_ask_for_the_held_out_rows_only(kind):
    X, y, _ = table(n_rows=300)
    model = make(kind, scoring=lambda model, X, y: model.predict_proba(0.0 * X)[0, 0])
    with pytest.raises(ValueError, match="another table than the held-out rows"):
        model.fit(X, y)


@each
def test_a_scalar_weight_is_one_for_each_row(kind):
    X, y, _ = table(n_rows=300)
    models = [
        make(kind, scoring="roc_auc").fit(X, y, sample_weight=weight)
        for weight in (2.0, np.full(300, 2.0))
    ]
    assert_array_equal(models[0].fold_scores_, models[1].fold_scores_)


@each
def test_folds_may_be_masks_or_count_from_the_end(kind):
    X, y, _ = table(n_rows=300)
    folds = [(np.flatnonzero(np.arange(300) % 3 != k), np.arange(k, 300, 3)) for k in range(3)]
    masks = [tuple(np.isin(np.arange(300), rows) for rows in fold) for fold in folds]
    negative = [tuple(np.where(rows > 150, rows - 300, rows) for rows in fold) for fold in folds]
    plain, *others = (make(kind, cv=given).fit(X, y) for given in (folds, masks, negative))
    for other in others:
        assert_array_equal(other.scores_, plain.scores_)
        assert_array_equal(other.oof_proba_, plain.oof_proba_)


@each
def test_alphas_may_be_an_array(kind):
    X, y, _ = table(n_rows=300)
    alphas = [0.25, 0.5]
    listed, array = (
        make(kind, focal_alphas=each).fit(X, y).comparison_ for each in (alphas, np.array(alphas))
    )
    assert_array_equal(array["reference_gamma"], [0.0] * 4)
    assert_array_equal(array["p_value"], listed["p_value"])


@each
def test_what_is_chosen_is_no_parameter(kind):
    for name in ("focal_gamma", "focal_alpha"):
        with pytest.raises(ValueError, match=name):
            make(kind).set_params(**{name: 0.5})


@each
def test_rows_that_are_held_out_never_or_often(kind):
    X, y, _ = table(n_rows=600)
    model = make(kind, cv=TimeSeriesSplit(3)).fit(X, y)
    assert np.isnan(model.oof_proba_[:150]).all()
    assert_allclose(model.oof_proba_[150:].sum(axis=1), 1.0)
    repeated = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    model = make(kind, cv=repeated).fit(X, y)
    assert model.fold_scores_.shape == (2, 6)
    assert_allclose(model.oof_proba_.sum(axis=1), 1.0)


@each
def test_test_to_train_ratio_is_the_mean_over_uneven_splits(kind):
    X, y, _ = table(n_rows=600)
    model = make(kind, cv=TimeSeriesSplit(3)).fit(X, y)
    difference = model.fold_scores_[1] - model.fold_scores_[0]
    ratio = np.mean([150 / 150, 150 / 300, 150 / 450])
    expected = np.sqrt((1 / 3 + ratio) * difference.var(ddof=1))
    assert_allclose(model.comparison_["standard_error"][1], expected, rtol=1e-12)


@each
def test_rows_of_weight_zero_are_absent(kind):
    X, y, weight = table(n_rows=600)
    weight[::5] = 0.0
    folds = [(np.arange(600)[np.arange(600) % 3 != k], np.arange(k, 600, 3)) for k in range(3)]
    model = make(kind, cv=folds).fit(X, y, sample_weight=weight)
    kept = np.flatnonzero(weight)
    new = np.full(600, -1)
    new[kept] = np.arange(len(kept))
    without = [tuple(new[rows][new[rows] >= 0] for rows in fold) for fold in folds]
    other = make(kind, cv=without).fit(X[kept], y[kept], sample_weight=weight[kept])
    assert_allclose(model.scores_, other.scores_, rtol=1e-12)
    assert_allclose(model.oof_proba_[kept], other.oof_proba_, rtol=1e-12)
    assert np.isnan(model.oof_proba_[::5]).all()


@each
def test_priors_move_what_is_predicted_and_not_what_is_scored(kind):
    X, y, _ = table(n_rows=600)
    plain, moved = make(kind).fit(X, y), make(kind, priors=[0.99, 0.01]).fit(X, y)
    assert_array_equal(plain.scores_, moved.scores_)
    odds = plain.predict_proba(X)[:, 1] / plain.predict_proba(X)[:, 0]
    odds *= (0.01 / 0.99) / (y.mean() / (1 - y.mean()))
    assert_allclose(moved.predict_proba(X)[:, 1], odds / (1 + odds), rtol=1e-4)
    assert moved.calibration_ == plain.calibration_


@each
@pytest.mark.parametrize(
    "params, error, match",
    [
        ({"focal_gammas": 2.0}, TypeError, "focal_gammas must be a sequence"),
        ({"focal_gammas": ()}, ValueError, "at least one value"),
        ({"focal_gammas": (-1.0,)}, ValueError, "focal_gamma"),
        ({"focal_alphas": "balanced"}, TypeError, re.escape("give ('balanced',)")),
        ({"focal_alphas": (2.0,)}, ValueError, "focal_alpha"),
        ({"rule": "first"}, ValueError, "rule must be one of"),
        ({"calibration": "isotonic"}, ValueError, "calibration must be one of"),
        ({"scoring": ["roc_auc"]}, TypeError, "name of one score"),
        ({"scoring": "rocauc"}, ValueError, "scoring"),
        ({"cv": ShuffleSplit(1)}, ValueError, 'use rule="best"'),
        ({"cv": []}, ValueError, "cv"),
        ({"cv": [([0, 1, 2], [2, 3])] * 2}, ValueError, "trains on rows that it holds out"),
        ({"priors": [0.5, 0.6]}, ValueError, "priors"),
        ({"priors": [0.5, 0.5], "probability": "raw", "link": "focal"}, ValueError, "raw"),
        ({"probability": "raw", "link": "focal"}, ValueError, "what is scored"),
        ({"link": "logit"}, ValueError, "link"),
    ],
)
def test_wrong_parameters_are_refused_and_nothing_is_left(kind, params, error, match):
    X, y, _ = table(n_rows=100)
    model = make(kind, **params)
    before = dict(vars(model))
    with pytest.raises(error, match=match):
        model.fit(X, y)
    assert vars(model).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(model).items())


@each
def test_folds_without_a_class_are_refused(kind):
    X, y, _ = table(3, n_rows=300)
    rare = np.where(y == 2)[0]
    fold = np.setdiff1d(np.arange(300), rare), rare
    with pytest.raises(ValueError, match=r"Fold 0 of cv trains on no row of the classes \[2\]"):
        make(kind, cv=[fold, fold]).fit(X, y)


@each
def test_scores_that_are_not_finite_are_refused(kind):
    X, y, _ = table(n_rows=300)
    nan = make_scorer(lambda y_true, y_pred: np.nan)
    with pytest.raises(ValueError, match="is nan: give another scoring"):
        make(kind, scoring=nan).fit(X, y)


@each
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_fit_leaves_the_model_as_it_was(kind, error):
    X, y, _ = table(n_rows=300)
    calls = []

    def score(estimator, X, y):
        calls.append(1)
        if len(calls) == 4:
            raise error
        return 0.0

    model = make(kind, scoring=score)
    with pytest.raises(error):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.set_params(scoring=None).fit(X, y)
    before = model.predict_proba(X)
    calls.clear()
    with pytest.raises(error):
        model.set_params(scoring=score).fit(X, 1 - y)
    assert_array_equal(model.predict_proba(X), before)


@each
def test_works_in_pipelines_and_is_cloned(kind):
    X, y, _ = table(n_rows=400)
    pipe = make_pipeline(StandardScaler(), make(kind))
    scores = cross_validate(pipe, X, y, cv=2, scoring="neg_log_loss")["test_score"]
    assert np.isfinite(scores).all()
    copied = clone(make(kind, rule="best", focal_gammas=[0.0, 1.0]))
    assert copied.rule == "best"
    assert copied.link == "posterior"


@each
def test_gamma_with_a_value_a_class(kind):
    X, y, _ = table(n_rows=600)
    model = make(kind, focal_gammas=[(0.0, 2.0), 3.0], rule="best").fit(X, y)
    assert model.comparison_["reference_gamma"] == [(0.0, 2.0)] * 2
    display = GammaPathDisplay.from_cv(model)
    assert_array_equal(display.gamma, [1.0, 3.0])
    plt.close(display.figure_)


@each
def test_display_draws_the_paired_intervals(kind):
    X, y, _ = table(n_rows=600)
    params = {"focal_gammas": (2.0, 0.0, 1.0), "focal_alphas": (None, "balanced")}
    model = make(kind, **params).fit(X, y)
    display = GammaPathDisplay.from_cv(model)
    assert_array_equal(display.gamma, [0.0, 1.0, 2.0])
    alpha = model.best_index_[1]
    rows = [2 + alpha, 4 + alpha, alpha]
    assert_array_equal(display.scores, model.fold_scores_[rows])
    table_ = model.comparison_
    ends = np.array([segment[:, 1] for segment in display.errorbar_.lines[2][0].get_segments()])
    assert_allclose(ends[:, 0], [table_["lower"][row] for row in rows], atol=1e-12)
    assert_allclose(ends[:, 1], [table_["upper"][row] for row in rows], atol=1e-12)
    assert display.chosen_.get_xdata()[0] == model.focal_gamma_
    assert display.verdict.startswith(f"Chosen: gamma {model.focal_gamma_}")
    assert display.ax_.get_title(loc="left").split() == display.verdict.split()
    plt.close(display.figure_)


def test_display_refuses_other_models():
    with pytest.raises(TypeError, match="ends in CV"):
        GammaPathDisplay.from_cv(FocalXGBClassifier())
    with pytest.raises(NotFittedError):
        GammaPathDisplay.from_cv(XGB())


@pytest.mark.parametrize("shape", [(30_000,), (30_000, 3)])
def test_calibration_before_a_score_is_nearly_that_of_all_rows(shape):
    """Bins of two classes; all rows of rare classes and some of the others."""
    rng = np.random.default_rng(0)
    log_odds = 2.0 * rng.normal(size=shape) - (4.0 if len(shape) == 1 else np.array([0, 2.0, 4.0]))
    noise = rng.gumbel(size=shape) if len(shape) == 2 else rng.logistic(size=shape)
    noisy = 0.7 * log_odds + noise
    codes = (noisy > 0).astype(np.intp) if len(shape) == 1 else noisy.argmax(axis=1)
    exact = fit_calibration(log_odds, codes)
    assert_allclose(
        quick_calibration(log_odds, codes, np.ones(30_000)).slope, exact.slope, rtol=1e-4
    )
    if len(shape) == 1:
        parts = np.split(log_odds, [7_000, 15_000])
        binned = quick_calibration(*_held_out._binned(parts, codes, np.ones(30_000)))
        assert_allclose(binned.slope, exact.slope, rtol=1e-4)
        assert_allclose(binned.offset, exact.offset, atol=1e-4)


@each
def test_a_line_is_printed_for_each_setting(kind, capsys):
    X, y, _ = table(n_rows=300)
    loud = {LOGISTIC: {"verbose": 1}, LGBM: {"verbose": 1}, XGB: {"verbosity": 2}}[kind]
    make(kind, **loud).fit(X, y)
    printed = [line for line in capsys.readouterr().out.splitlines() if "focal_gamma=" in line]
    assert [line.partition(",")[0] for line in printed] == ["focal_gamma=0.0", "focal_gamma=2.0"]
    make(kind).fit(X, y)
    assert "focal_gamma=" not in capsys.readouterr().out


def moving(n_rows, shares, rng, n_classes):
    """Rows whose classes have shares that move; the rows of each class stay as they are."""
    first = np.linspace(*shares, n_rows) if np.ndim(shares) else np.full(n_rows, shares)
    y = np.where(rng.uniform(size=n_rows) < first, 1, 0)
    if n_classes == 3:
        y = np.where((y == 0) & (rng.uniform(size=n_rows) < 0.3), 2, y)
    return rng.normal(size=(n_rows, 4)) + 0.9 * np.eye(4)[y], y


FITTED = [
    (LOGISTIC, False),
    *((kind, ensemble) for kind in (LGBM, XGB) for ensemble in (True, False)),
]


@pytest.mark.parametrize("kind, ensemble", FITTED)
@pytest.mark.parametrize("n_classes, weighted", [(2, False), (2, True), (3, False)])
def test_probabilities_hold_where_folds_have_other_shares(kind, ensemble, n_classes, weighted):
    """The witness is Bayes' rule: rows of known shares have these as mean probabilities."""
    rng = np.random.default_rng(1)
    X, y = moving(12_000, (0.02, 0.16), rng, n_classes)
    weight = rng.exponential(size=12_000) ** 2 if weighted else np.ones(12_000)
    params = {"cv": TimeSeriesSplit(5), "focal_gammas": (1.0,)}
    if kind is LOGISTIC:
        model = make(kind, **params)
    else:  # the rounds end before the cap
        model = make_booster(kind, n_estimators=60, ensemble=ensemble, **params)
    model.fit(X, y, sample_weight=weight)
    X_new, y_new = moving(50_000, 0.06, rng, n_classes)
    shares = np.bincount(y_new) / 50_000
    model.adjust_priors(shares)
    # About 1,000 rows of the rarest class calibrate: an error of 3 %. With these weights they say
    # as much as 170: 8 %. Without the right start the mean probability is 1.5 times the share.
    found = model.predict_proba(X_new).mean(axis=0)
    assert_allclose(found, shares, rtol=0.2 if weighted else 0.07)


@each
def test_priors_start_from_the_rows_that_calibrate(kind):
    X, y, weight = table(n_rows=600)
    often = ShuffleSplit(4, test_size=0.3, random_state=0)
    times = np.bincount(np.concatenate([test for _, test in often.split(X)]), minlength=600)
    model = make(kind, cv=often).fit(X, y, sample_weight=weight)
    expected = np.bincount(y, weights=weight * times)
    assert_allclose(model.class_prior_, expected / expected.sum(), rtol=1e-6)
    refitted = {} if kind is LOGISTIC else {"ensemble": False}
    plain = make(kind, cv=often, calibration=None, **refitted).fit(X, y, sample_weight=weight)
    expected = np.bincount(y, weights=weight)
    assert_allclose(plain.class_prior_, expected / expected.sum(), rtol=1e-6)


@pytest.mark.parametrize("kind", [LGBM, XGB])
def test_priors_of_a_merged_model_without_calibration_start_from_the_folds(kind):
    X, y, weight = table(n_rows=600)
    folds = TimeSeriesSplit(3)
    times = np.bincount(np.concatenate([train for train, _ in folds.split(X)]), minlength=600)
    model = make(kind, cv=folds, calibration=None, ensemble=True).fit(X, y, sample_weight=weight)
    expected = np.bincount(y, weights=weight * times)
    assert_allclose(model.class_prior_, expected / expected.sum(), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:The rows for calibration hold 0 of class 2")
@each
def test_a_class_that_no_fold_holds_out_has_its_share_of_all_rows(kind):
    X, y, _ = table(3, n_rows=600)
    y = np.where(np.arange(600) < 100, y, y % 2)
    model = make(kind, cv=TimeSeriesSplit(3)).fit(X, y)
    assert_allclose(model.class_prior_, np.bincount(y) / 600)
    model.adjust_priors([0.5, 0.3, 0.2])


@each
@classes
def test_held_out_probabilities_follow_the_priors(kind, n_classes):
    X, y, _ = table(n_classes, n_rows=600)
    model = make(kind, cv=TimeSeriesSplit(3)).fit(X, y)
    before = model.oof_proba_
    priors = np.arange(1.0, n_classes + 1) / np.arange(1.0, n_classes + 1).sum()
    expected = before * priors / model.class_prior_
    expected /= expected.sum(axis=1, keepdims=True)
    model.adjust_priors(priors)
    assert_allclose(model.oof_proba_, expected, rtol=1e-9)
    given = make(kind, cv=TimeSeriesSplit(3), priors=priors).fit(X, y)
    assert_allclose(model.oof_proba_, given.oof_proba_, rtol=1e-6)
    model.adjust_priors(None)
    assert_allclose(model.oof_proba_, before, rtol=1e-9)
