"""Displays: what they draw is what other code computes."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # what it is for
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skfocal import (
    BinaryFocalLoss,
    FocalLGBMClassifier,
    FocalLogisticRegression,
    MulticlassFocalLoss,
)
from skfocal.metrics import expected_calibration_error, mean_cost
from skfocal.plotting import (
    FocalLossDisplay,
    GammaPathDisplay,
    PosteriorCalibrationDisplay,
    ReliabilityCurve,
)
from tests.backends import install_command
from tests.conftest import table

FOLDS = StratifiedKFold(3)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_figure_of_the_paper():
    display = FocalLossDisplay.from_losses()
    for curve, gamma in zip(display.curves, (0, 0.5, 1, 2, 5), strict=True):
        np.testing.assert_allclose(curve, -((1 - display.x) ** gamma) * np.log(display.x))
    assert [line.get_label() for line in display.lines_] == list(display.labels)
    for line, curve in zip(display.lines_, display.curves, strict=True):
        assert_array_equal(line.get_xydata(), np.column_stack([display.x, curve]))
    assert display.ax_.get_xlim() == (0, 1)
    assert display.ax_.get_xlabel().startswith("probability")
    # told apart in black and white
    assert len({line.get_linestyle() for line in display.lines_[:4]}) == 4


def test_classes_with_their_own_weights_have_their_own_curves():
    display = FocalLossDisplay.from_losses(
        [MulticlassFocalLoss(3, gamma=(0.0, 1.0, 2.0), alpha=(1.0, 2.0, 3.0))], plot=False
    )
    assert [label[-1] for label in display.labels] == ["0", "1", "2"]
    for code, curve in enumerate(display.curves):
        expected = -(code + 1.0) * (1 - display.x) ** code * np.log(display.x)
        np.testing.assert_allclose(curve, expected)


def test_losses_of_one_name_have_their_curves():
    losses = [BinaryFocalLoss(2.0), BinaryFocalLoss(2.0, link="posterior")]
    display = FocalLossDisplay.from_losses(losses, kind="gradient", plot=False)
    assert display.labels == ["gamma 2", "gamma 2, posterior link"]
    assert abs(display.curves[0] - display.curves[1]).max() > 0.1
    assert len(FocalLossDisplay.from_losses(losses, labels=["a", "a"]).lines_) == 2
    with pytest.raises(ValueError, match="at least one BinaryFocalLoss"):
        FocalLossDisplay.from_losses([])


@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_gradient_is_the_slope_of_the_loss(link):
    loss = BinaryFocalLoss((1.0, 3.0), (1.0, 4.0), link=link)
    display = FocalLossDisplay.from_losses([loss], kind="gradient", plot=False, n_points=41)
    step = 1e-5
    for code, curve in enumerate(display.curves):
        margin = display.x if code == 1 else -display.x
        ends = [loss.loss(np.full(41, code), margin + s) for s in (step, -step)]
        np.testing.assert_allclose(curve, abs(ends[0] - ends[1]) / (2 * step), rtol=1e-5)


def test_weight_of_rows_is_relative_to_its_limit():
    losses = [BinaryFocalLoss(0.0), BinaryFocalLoss(2.0), BinaryFocalLoss((1.0, 3.0), (2.0, 5.0))]
    display = FocalLossDisplay.from_losses(losses, kind="weight", n_points=401)
    np.testing.assert_allclose(display.curves[0], 1.0)
    # values of the table in the documentation of the posterior link, to its three digits
    for u, value in [(0, 0.669), (2, 0.822), (4, 1.078), (6, 1.202), (10, 1.152)]:
        at = np.flatnonzero(np.isclose(display.x, u))[0]
        assert display.curves[1][at] == pytest.approx(value, abs=6e-4)
    # the unit is its limit for large u, where the gradient of negative rows is omega
    loss = replace(losses[2], link="posterior")
    unit = loss.gradient([0], [1000.0])[0]
    omega = display.curves[2] * unit
    eta = expit(display.x)
    np.testing.assert_allclose(loss.gradient(np.zeros(401), display.x), omega * eta, rtol=1e-9)


def test_only_two_classes_have_a_weight():
    with pytest.raises(ValueError, match="is for losses of two classes"):
        FocalLossDisplay.from_losses([MulticlassFocalLoss(3)], kind="weight")
    with pytest.raises(ValueError, match="kind must be"):
        FocalLossDisplay.from_losses(kind="density")
    with pytest.raises(ValueError, match="labels must name 5 losses; got 1"):
        FocalLossDisplay.from_losses(labels=["one"])


@pytest.mark.parametrize("wrap", ["alone", "pipeline", "search"])
def test_loss_of_a_fitted_classifier(wrap):
    X, y, _ = table()
    model = FocalLogisticRegression(focal_gamma=1.5)
    if wrap != "alone":
        model = make_pipeline(StandardScaler(), model)
    if wrap == "search":
        grid = {"focallogisticregression__focal_gamma": [1.5]}
        model = GridSearchCV(model, grid, cv=3)
    display = FocalLossDisplay.from_estimator(model.fit(X, y))
    assert display.labels == ["gamma 1.5", "gamma 0"]


def test_loss_of_a_weighted_classifier_is_beside_cross_entropy_of_the_same_weights():
    X, y, _ = table()
    weights = {0: 1.0, 1: 3.0}
    model = FocalLGBMClassifier(
        focal_alpha=weights, hessian="exact", n_estimators=2, verbose=-1
    ).fit(X, y)
    _, ax = plt.subplots()
    display = FocalLossDisplay.from_estimator(model, kind="gradient", ax=ax)
    assert display.ax_ is ax
    name = "weights 1, 3, class"
    expected = [f"gamma {gamma}, {name} {code}" for gamma in (2, 0) for code in (0, 1)]
    assert display.labels == expected
    far = display.x.searchsorted(-9.0)  # where a row is missed, its gradient is its weight
    np.testing.assert_allclose(display.curves[2:, far], [1, 3], rtol=1e-3)


def test_classifiers_with_a_threshold_have_a_loss():
    X, y, _ = table()
    model = FixedThresholdClassifier(FocalLogisticRegression(focal_gamma=0.0), threshold=0.2)
    assert FocalLossDisplay.from_estimator(model.fit(X, y)).labels == ["gamma 0"]
    search = GridSearchCV(FocalLogisticRegression(), {"C": [1.0]}, refit=False)
    with pytest.raises(TypeError, match="has refitted one; got GridSearchCV"):
        FocalLossDisplay.from_estimator(search.fit(X, y))


def test_other_estimators_are_refused():
    X, _, _ = table()
    with pytest.raises(TypeError, match=r"classifier of skfocal.*got StandardScaler"):
        FocalLossDisplay.from_estimator(StandardScaler().fit(X))


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("probability", ["raw", "posterior"])
def test_calibration_is_that_of_scikit_learn(strategy, probability):
    X, y, _ = table()
    model = FocalLGBMClassifier(n_estimators=20, probability=probability, verbose=-1).fit(X, y)
    display = PosteriorCalibrationDisplay.from_estimator(model, X, y, strategy=strategy)
    margin = model.booster_.predict(X, raw_score=True)
    for curve, proba in [
        (display.raw, expit(margin)),
        (display.posterior, model.loss_.posterior(margin)[:, 1]),
    ]:
        true, predicted = calibration_curve(y, proba, n_bins=10, strategy=strategy)
        np.testing.assert_allclose(curve.observed, true, atol=1e-9)
        np.testing.assert_allclose(curve.predicted, predicted, rtol=1e-6)
        error = expected_calibration_error(y, proba, strategy=strategy)
        assert curve.calibration_error == pytest.approx(error, rel=1e-6)
    assert display.label == 1
    assert display.lines_[1].get_label() == f"posterior, error {error:.3f}"
    for line, curve in zip(display.lines_, (display.raw, display.posterior), strict=True):
        assert_array_equal(line.get_xydata(), np.column_stack([curve.predicted, curve.observed]))
    assert display.ax_.get_xlabel() == "mean predicted probability of 1"
    assert display.ax_.get_ylabel() == "observed frequency of 1"


def test_calibration_of_any_classifier():
    """scikit-learn's curve is the witness; the focal classifier's has the same bins."""
    X, y, _ = table()
    plain = LogisticRegression().fit(X, y)
    proba = plain.predict_proba(X)
    observed, predicted = calibration_curve(y, proba[:, 1], n_bins=10, strategy="quantile")
    curve = ReliabilityCurve.from_predictions(y, proba)
    assert_allclose(curve.predicted, predicted)
    assert_allclose(curve.observed, observed)
    display = PosteriorCalibrationDisplay.from_estimator(plain, X, y, raw=False, name="plain")
    assert display.raw is None
    assert_allclose(display.posterior.observed, observed)
    focal = FocalLogisticRegression().fit(X, y)
    other = PosteriorCalibrationDisplay.from_estimator(focal, X, y, raw=False, ax=display.ax_)
    both = PosteriorCalibrationDisplay.from_estimator(focal, X, y)
    assert_allclose(other.posterior.observed, both.posterior.observed)
    (line,), (second,) = display.lines_, other.lines_
    assert line.get_color() != second.get_color()
    assert line.get_label().startswith("plain, posterior, error")
    with pytest.raises(TypeError, match="raw=False"):
        PosteriorCalibrationDisplay.from_predictions(y, proba)


def test_the_posterior_is_drawn_of_a_model_that_predicts_raw_probabilities():
    X, y, _ = table()
    model = FocalLogisticRegression(focal_gamma=3.0, probability="raw").fit(X, y)
    both = PosteriorCalibrationDisplay.from_estimator(model, X, y)
    alone = PosteriorCalibrationDisplay.from_estimator(model, X, y, raw=False)
    assert_allclose(alone.posterior.predicted, both.posterior.predicted)
    model.set_params(probability="posterior")
    expected = ReliabilityCurve.from_predictions(y, model.predict_proba(X))
    assert_allclose(alone.posterior.predicted, expected.predicted)
    with pytest.raises(TypeError, match="must have predict_proba"):
        PosteriorCalibrationDisplay.from_estimator(LinearSVC().fit(X, y), X, y, raw=False)


def test_calibration_with_weights_is_that_of_repeated_rows():
    X, y, _ = table(3)
    y = np.array(["a", "b", "c"])[y]
    weight = np.random.default_rng(0).integers(1, 4, len(y))
    model = FocalLogisticRegression(link="posterior", focal_alpha="balanced").fit(X, y)
    options = {"pos_label": "c", "strategy": "uniform"}
    once = PosteriorCalibrationDisplay.from_estimator(model, X, y, sample_weight=weight, **options)
    repeated = PosteriorCalibrationDisplay.from_estimator(
        model, X.repeat(weight, axis=0), y.repeat(weight), **options
    )
    for name in ("raw", "posterior"):
        for field in ("predicted", "observed", "weight"):
            np.testing.assert_allclose(
                getattr(getattr(once, name), field), getattr(getattr(repeated, name), field)
            )
    # the raw probability is that of the same loss under the focal link
    focal = MulticlassFocalLoss(3, model.loss_.gamma, model.loss_.alpha)
    raw = np.exp(focal.raw_prediction(model.predict_proba(X)))
    np.testing.assert_allclose(raw.sum(axis=1), 1)
    error = abs(np.average(raw[:, 2], weights=weight) - np.average(y == "c", weights=weight))
    assert once.raw.calibration_error >= error - 1e-12


def test_calibration_of_a_posterior_of_0_and_1():
    proba = np.array([[1.0, 0.0], [0.0, 1.0], [0.4, 0.6]])
    display = PosteriorCalibrationDisplay.from_predictions(
        [0, 1, 1], proba, loss=BinaryFocalLoss(), n_bins=3
    )
    assert np.isfinite(display.raw.predicted).all()
    assert display.posterior.predicted.tolist() == [0.0, 0.6, 1.0]
    assert display.plot(log=True).ax_.get_yscale() == "log"


def test_logarithmic_axes_leave_out_bins_without_rows_of_the_class():
    """By hand: of three bins the first has no positive row, and log(0) no place."""
    negative, positive = [0.99, 0.01], [0.4, 0.6]
    proba = [negative] * 4 + [[0.8, 0.2]] * 4 + [positive] * 4
    y = [0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0]
    show = PosteriorCalibrationDisplay.from_predictions
    display = show(y, proba, loss=BinaryFocalLoss(), n_bins=3, log=True)
    np.testing.assert_allclose(display.lines_[1].get_xydata(), [[0.2, 0.25], [0.6, 0.75]])
    assert display.lines_[0].get_xydata().shape == (2, 2)
    display.plot()  # other axes have a place for it
    np.testing.assert_allclose(display.lines_[1].get_xydata()[0], [0.01, 0.0])
    none = show(y, proba, loss=BinaryFocalLoss(), n_bins=3, labels=[0, 1]).posterior
    none = PosteriorCalibrationDisplay(
        raw=replace(none, observed=0 * none.observed),
        posterior=replace(none, observed=0 * none.observed),
    )
    none.plot(log=True).figure_.draw_without_rendering()
    assert none.lines_[0].get_xydata().size == 0


@pytest.mark.parametrize("n_classes", [2, 3])
def test_raw_probabilities_of_0_and_1_are_mapped_to_the_posterior(n_classes):
    X, y, _ = table(n_classes)
    model = FocalLogisticRegression(probability="raw").fit(X, y)
    X = np.vstack([X, 1e6 * X[:20]])
    y = np.concatenate([y, y[:20]])
    assert set(np.unique(model.predict_proba(X))) >= {0.0, 1.0}
    _, ax = plt.subplots()
    show = PosteriorCalibrationDisplay.from_estimator
    display = show(model, X, y, pos_label=1, strategy="uniform", log=True, ax=ax)
    assert display.ax_ is ax
    assert ax.get_xscale() == "log"
    # what the model says of itself does not depend on parameters set since
    model.set_params(probability="posterior", link="posterior")
    expected = show(model, X, y, pos_label=1, strategy="uniform")
    for name in ("raw", "posterior"):
        for field in ("predicted", "observed"):
            np.testing.assert_allclose(
                getattr(getattr(display, name), field),
                getattr(getattr(expected, name), field),
                atol=1e-12,
            )


def test_calibration_refuses_what_does_not_fit():
    proba = np.full((4, 3), 1 / 3)
    loss = MulticlassFocalLoss(3)
    show = PosteriorCalibrationDisplay.from_predictions
    with pytest.raises(ValueError, match="a column, and labels a class, for each of the 3"):
        show([0, 1, 1, 2], proba[:, :2], loss=loss)
    with pytest.raises(ValueError, match=r"pos_label must be one of \[0, 1, 2\]; got None"):
        show([0, 1, 1, 2], proba, loss=loss)
    with pytest.raises(ValueError, match="n_bins must be"):
        show([0, 1, 1, 2], proba, loss=loss, pos_label=1, n_bins=0)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        show([0, 1, 1, 2], 7 * proba, loss=loss, pos_label=1)
    with pytest.raises(ValueError, match=r"y_true has labels that are not in y: \['z'\]"):
        show(list("abcz"), proba, loss=loss, labels=list("abc"), pos_label="c")
    with pytest.raises(ValueError, match="sample_weight must be"):
        show([0, 1, 1, 2], proba, loss=loss, pos_label=1, sample_weight=[0, 0, 0, 0])


def test_gamma_path_is_cross_validation():
    X, y, _ = table()
    model = make_pipeline(StandardScaler(), FocalLogisticRegression())
    options = {"cv": FOLDS, "scoring": "neg_log_loss"}
    display = GammaPathDisplay.from_estimator(model, X, y, gamma=[3.0, 0.0], **options)
    assert display.gamma.tolist() == [0.0, 3.0]
    for gamma, scores in zip(display.gamma, display.scores, strict=True):
        model.set_params(focallogisticregression__focal_gamma=gamma)
        np.testing.assert_allclose(scores, cross_val_score(model, X, y, **options))
    np.testing.assert_allclose(display.line_.get_ydata(), display.scores.mean(axis=1))
    assert display.ax_.get_ylabel() == "neg_log_loss"
    display.plot(relative=True)
    np.testing.assert_allclose(
        display.fold_lines_[2].get_ydata(), [0, np.subtract(*display.scores[::-1, 2])]
    )
    (bars,) = display.errorbar_.lines[2]
    differences = display.scores[1] - display.scores[0]
    length = np.ptp(bars.get_segments()[1][:, 1])
    assert length == pytest.approx(2 * differences.std(ddof=1) / np.sqrt(3))


def test_gamma_path_of_a_search_shows_the_best_candidate_of_each_gamma():
    X, y, _ = table()
    grid = {"focal_gamma": [0.0, 2.0], "C": [1e-4, 1.0]}
    search = GridSearchCV(
        FocalLogisticRegression(), grid, cv=FOLDS, scoring=["neg_log_loss", "roc_auc"], refit=False
    ).fit(X, y)
    display = GammaPathDisplay.from_cv_results(search.cv_results_, score="neg_log_loss")
    results = search.cv_results_
    for gamma, scores in zip(display.gamma, display.scores, strict=True):
        rows = np.flatnonzero([p["focal_gamma"] == gamma for p in results["params"]])
        best = rows[np.argmax(results["mean_test_neg_log_loss"][rows])]
        assert results["params"][best]["C"] == 1.0
        expected = [results[f"split{k}_test_neg_log_loss"][best] for k in range(3)]
        np.testing.assert_allclose(scores, expected)
    with pytest.raises(ValueError, match=r"one of \['neg_log_loss', 'roc_auc'\]; got 'score'"):
        GammaPathDisplay.from_cv_results(search.cv_results_)


def test_gamma_path_must_find_its_parameter():
    X, y, _ = table()
    with pytest.raises(ValueError, match=r"one parameter focal_gamma.*found \[\]"):
        GammaPathDisplay.from_estimator(StandardScaler(), X, y)
    results = {"param_focal_gamma": [0.0, (1.0, 2.0)], "split0_test_score": [0.1, 0.2]}
    for values in (results["param_focal_gamma"], [(0.0, 1.0), (1.0, 2.0)]):
        with pytest.raises(ValueError, match="focal_gamma must be one number"):
            GammaPathDisplay.from_cv_results({**results, "param_focal_gamma": values})
    for gamma in ([], [(0.0, 1.0)], 2.0):
        with pytest.raises(ValueError, match="gamma must be a sequence of numbers"):
            GammaPathDisplay.from_estimator(FocalLogisticRegression(), X, y, gamma=gamma)
    with pytest.raises(ValueError, match="no parameter 'gamma'"):
        GammaPathDisplay.from_cv_results(results, param_name="gamma")


def test_gamma_path_leaves_out_what_failed_and_what_had_no_gamma():
    results = {
        "param_focal_gamma": np.ma.array([0.0, 1.0, 1.0, 5.0], mask=[0, 0, 0, 1]),
        "split0_test_score": np.array([0.1, np.nan, 0.2, 0.9]),
    }
    display = GammaPathDisplay.from_cv_results(results, relative=True)
    assert display.gamma.tolist() == [0.0, 1.0]
    assert display.scores[:, 0].tolist() == [0.1, 0.2]
    assert display.line_.get_ydata()[0] == 0.0
    assert "less that at gamma 0" in display.ax_.get_ylabel()


def test_gamma_path_of_halving_is_of_one_number_of_rows():
    X, y, _ = table()
    search = HalvingGridSearchCV(
        FocalLogisticRegression(),
        {"focal_gamma": [0.0, 1.0, 2.0, 5.0]},
        scoring="neg_log_loss",
        cv=FOLDS,
        min_resources=250,
        factor=2,
    ).fit(X, y)
    display = GammaPathDisplay.from_cv_results(search.cv_results_)
    first = search.cv_results_["iter"] == 0
    assert first.sum() == 4 < len(first)
    assert_array_equal(display.scores[:, 1], search.cv_results_["split1_test_score"][first])


def test_failed_fits_of_a_gamma_path_are_errors():
    X, y, _ = table()
    with pytest.raises(ValueError, match="C must be a number"):
        GammaPathDisplay.from_estimator(FocalLogisticRegression(C=-1.0), X, y)


def test_one_fold_has_no_spread():
    display = GammaPathDisplay(gamma=np.array([0.0, 1.0]), scores=np.array([[0.1], [0.2]])).plot()
    assert len(display.fold_lines_) == 1


def test_given_axes_are_used():
    figure, ax = plt.subplots()
    display = FocalLossDisplay.from_losses(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_missing_matplotlib_names_the_command():
    code = (
        "import sys\n"
        "sys.modules['matplotlib'] = None\n"
        "from skfocal.plotting import FocalLossDisplay\n"
        "FocalLossDisplay.from_losses(plot=False)\n"
        "try:\n"
        "    FocalLossDisplay.from_losses()\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    command = install_command("plot")
    assert done.stdout.strip() == (
        f"FocalLossDisplay needs matplotlib, which is not installed: {command}"
    )


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
def test_intervals_of_bins_are_exact_binomial_ones(strategy):
    rng = np.random.default_rng(0)
    p = rng.beta(1, 20, 2000)
    y = (rng.uniform(size=2000) < p).astype(int)
    proba = np.column_stack([1 - p, p])
    show = PosteriorCalibrationDisplay.from_predictions
    display = show(y, proba, loss=BinaryFocalLoss(), n_bins=5, strategy=strategy)
    curve = display.posterior
    for observed, weight, low, high in zip(
        curve.observed, curve.weight, curve.lower, curve.upper, strict=True
    ):
        n = round(weight * 2000)
        expected = binomtest(round(observed * n), n).proportion_ci(method="exact")
        assert (low, high) == pytest.approx((expected.low, expected.high))
    # equal weights are worth as many rows as there are
    doubled = show(
        y,
        proba,
        loss=BinaryFocalLoss(),
        n_bins=5,
        strategy=strategy,
        sample_weight=np.full(2000, 2.0),
    )
    assert_allclose(doubled.posterior.upper, curve.upper)
    raw, posterior = display.intervals_
    for collection, drawn in ((raw, display.raw), (posterior, curve)):
        ends = np.array([segment[:, 1] for segment in collection.get_segments()])
        assert_allclose(ends, np.column_stack([drawn.lower, drawn.upper]))


def test_a_bin_without_positives_shows_its_interval_on_logarithmic_axes():
    y, p = np.r_[np.zeros(150), np.ones(50)], np.r_[np.full(100, 0.01), np.full(100, 0.5)]
    display = PosteriorCalibrationDisplay.from_predictions(
        y.astype(int), np.column_stack([1 - p, p]), loss=BinaryFocalLoss(0.0), n_bins=2, log=True
    )
    assert len(display.lines_[1].get_xdata()) == 1  # one bin has a logarithm
    first, second = (segment[:, 1] for segment in display.intervals_[1].get_segments())
    assert first[1] == pytest.approx(1 - 0.025**0.01)  # none of 100
    assert 0 < first[0] < first[1]
    assert second[0] < 0.5 < second[1]


def test_scores_have_names():
    X, y, _ = table(n_rows=200)
    show = partial(
        GammaPathDisplay.from_estimator, FocalLogisticRegression(), X, y, gamma=[0.0], cv=2
    )
    assert show().score_name == "accuracy"
    assert show(scoring="roc_auc").score_name == "roc_auc"
    scorer = make_scorer(mean_cost, greater_is_better=False)
    assert show(scoring=scorer).ax_.get_ylabel() == "negative mean_cost"
