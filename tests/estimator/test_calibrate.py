"""`calibrate` and `adjust_priors` on every classifier: what the probabilities become.

The witness is Bayes' rule on the probabilities before, and another library's calibration.
"""

import copy
import pickle
import re
import warnings

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skops.io
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

import skfocal
from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier
from skfocal.calibration import Calibration
from skfocal.onnx import to_onnx
from tests.backends import HIST, make, of
from tests.conftest import table

LOGISTIC, LGBM, XGB = FocalLogisticRegression, FocalLGBMClassifier, FocalXGBClassifier
each = pytest.mark.parametrize("kind", [LOGISTIC, LGBM, XGB, HIST])
links = pytest.mark.parametrize("link", ["focal", "posterior"])
classes = pytest.mark.parametrize("n_classes", [2, 3])
LABELS = np.array(["low", "mid", "top"])
PRIORS = {2: {"low": 0.99, "mid": 0.01}, 3: {"low": 0.98, "mid": 0.015, "top": 0.005}}


def parts(n_classes):
    """Rows to train on, rows to calibrate on, and rows to look at."""
    X, codes, weight = table(n_classes, n_rows=3000)
    X, y = X.astype(np.float32), LABELS[codes]
    return [(X[rows], y[rows], weight[rows]) for rows in np.split(np.arange(3000), 3)]


def rtol(kind):
    return 1e-6 if kind in (LOGISTIC, HIST) else of(kind).rtol  # of float32 columns


def bayes(P, before, after):
    """Probabilities for other shares of the classes."""
    moved = P * (np.asarray(after) / np.asarray(before))
    return moved / moved.sum(axis=1, keepdims=True)


def mapped(P, calibration):
    """Probabilities after a map of their log-odds."""
    log_P = np.log(P)
    if P.shape[1] == 2:
        positive = expit(calibration.apply(log_P[:, 1] - log_P[:, 0]))
        return np.column_stack([1 - positive, positive])
    return softmax(calibration.apply(log_P), axis=1)


@each
@links
@classes
@pytest.mark.parametrize("alpha", [None, "balanced"])
def test_probabilities_decisions_and_labels(kind, link, n_classes, alpha):
    (X, y, weight), (Xc, yc, wc), (Xe, _, _) = parts(n_classes)
    model = make(kind, link=link, focal_alpha=alpha).fit(X, y, sample_weight=weight)
    params = str(model.get_params())
    shares = [weight[y == label].sum() for label in model.classes_]
    assert_allclose(model.class_prior_, shares / np.sum(shares), rtol=1e-6)
    assert model.calibration_ is None
    assert_array_equal(model.priors_, model.class_prior_)

    before = model.predict_proba(Xe).astype(np.float64)
    model.calibrate(Xc, yc, wc)
    expected = mapped(before, model.calibration_)
    tolerance = {"rtol": 20 * rtol(kind), "atol": 1e-12 if kind is LGBM else 5e-7}
    assert_allclose(model.predict_proba(Xe), expected, **tolerance)
    calibrated = log_loss(yc, model.predict_proba(Xc), sample_weight=wc)

    model.adjust_priors(PRIORS[n_classes])
    expected = bayes(expected, model.class_prior_, list(PRIORS[n_classes].values()))
    P = model.predict_proba(Xe)
    assert_allclose(P, expected, **tolerance)
    decision = model.decision_function(Xe).astype(np.float64)
    again = expit(decision) if n_classes == 2 else softmax(decision, axis=1)
    assert_allclose(again, P[:, 1] if n_classes == 2 else P, **tolerance)
    weights = model.loss_.class_weight
    ranked = np.sort(P * weights, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > 1e-5
    assert_array_equal(
        model.predict(Xe)[clear], model.classes_[(P * weights).argmax(axis=1)][clear]
    )
    assert str(model.get_params()) == params

    # calibrate beneath the priors: they are undone, and applied again
    first = model.calibration_
    model.calibrate(Xc, yc, wc)
    assert model.calibration_.slope == pytest.approx(first.slope, rel=1e-4)
    assert_allclose(model.predict_proba(Xe), P, rtol=1e-3, atol=1e-6)
    model.adjust_priors(None)
    assert log_loss(yc, model.predict_proba(Xc), sample_weight=wc) == pytest.approx(
        calibrated, rel=1e-6
    )


@each
@links
@classes
def test_priors_of_the_constructor_are_those_of_the_method(kind, link, n_classes):
    (X, y, _), _, (Xe, _, _) = parts(n_classes)
    by_method = make(kind, link=link).fit(X, y).adjust_priors(PRIORS[n_classes])
    shares = list(PRIORS[n_classes].values())
    for given in (PRIORS[n_classes], shares, np.array(shares)):
        model = make(kind, link=link, priors=given).fit(X, y)
        tolerance = {"rtol": 20 * rtol(kind), "atol": 1e-12 if kind is LGBM else 5e-7}
        assert_allclose(model.predict_proba(Xe), by_method.predict_proba(Xe), **tolerance)
        assert_allclose(model.priors_, shares)
        assert model.get_params()["priors"] is given
        assert_allclose(clone(model).fit(X, y).priors_, shares)
    plain = make(kind, link=link).fit(X, y)
    model.adjust_priors(None)
    assert_allclose(model.predict_proba(Xe), plain.predict_proba(Xe), **tolerance)
    model.fit(X, y)  # the parameter is as before
    assert_allclose(model.priors_, shares)


@each
@links
def test_as_good_as_platts_of_scikit_learn(kind, link):
    (X, y, _), (Xc, yc, _), (Xe, ye, _) = parts(2)
    model = make(kind, link=link, n_estimators=100).fit(X, y)
    other = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid").fit(Xc, yc)
    before = log_loss(ye, model.predict_proba(Xe))
    expected = log_loss(ye, other.predict_proba(Xe))
    model.calibrate(Xc, yc)
    found = log_loss(ye, model.predict_proba(Xe))
    assert found < 1.005 * expected
    if kind is not LOGISTIC:  # trees that separate their rows
        assert model.calibration_.slope < 0.9
        assert found < before


@each
@links
@classes
def test_copies_files_and_onnx_know_it(kind, link, n_classes, tmp_path):
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(n_classes)
    model = make(kind, link=link, focal_alpha="balanced").fit(X, y)
    model.calibrate(Xc, yc).adjust_priors(PRIORS[n_classes])
    P = model.predict_proba(Xe)
    copies = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)]
    data = skops.io.dumps(model)
    assert set(skops.io.get_untrusted_types(data=data)) <= set(skfocal.SKOPS_TYPES)
    copies.append(skops.io.loads(data, trusted=skfocal.SKOPS_TYPES))
    if kind in (LGBM, XGB):
        path = tmp_path / "model.json"
        model.save_model(path)
        copies.append(kind())
        copies[-1].load_model(path)
    for twin in copies:
        assert_array_equal(twin.predict_proba(Xe), P)
        assert_array_equal(twin.predict(Xe), model.predict(Xe))
        assert twin.calibration_ == model.calibration_
        assert_array_equal(twin.class_prior_, model.class_prior_)
        twin.adjust_priors(None)  # of its own alone
        twin.calibrate(Xc, yc)
    assert_array_equal(model.predict_proba(Xe), P)
    graph = to_onnx(model, Xe)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    labels, proba = session.run(None, {session.get_inputs()[0].name: Xe})
    assert_allclose(proba, P, atol=1e-6)
    assert np.mean(labels == model.predict(Xe)) > 0.999


@each
@links
@classes
def test_rows_of_another_population_are_told(kind, link, n_classes):
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(n_classes)
    model = make(kind, link=link).fit(X, y)
    before = model.predict_proba(Xe)
    some = (yc != "low") | (np.arange(len(yc)) % 10 == 0)
    with pytest.raises(ValueError, match=re.escape("calibrate(X, y, priors=...)")):
        model.calibrate(Xc[some], yc[some])
    assert_array_equal(model.predict_proba(Xe), before)
    assert model.calibration_ is None
    # told what they are, the model fits them for their own shares, and keeps its own shares
    shares = np.array([np.mean(yc[some] == label) for label in model.classes_])
    model.calibrate(Xc[some], yc[some], priors=shares)
    assert_array_equal(model.priors_, model.class_prior_)
    own = model.predict_proba(Xc[some]).astype(np.float64)
    assert_allclose(bayes(own, model.class_prior_, shares).mean(axis=0), shares, rtol=0.02)
    model.adjust_priors(shares)
    assert_allclose(model.predict_proba(Xc[some]).mean(axis=0), shares, rtol=0.02)


@each
def test_raw_probabilities_of_the_focal_link_are_refused(kind):
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(2)
    raw = make(kind, probability="raw")
    with pytest.raises(ValueError, match='probability="raw"'):
        clone(raw).set_params(priors=[0.5, 0.5]).fit(X, y)
    raw.fit(X, y)
    for call in (lambda: raw.calibrate(Xc, yc), lambda: raw.adjust_priors([0.5, 0.5])):
        with pytest.raises(ValueError, match='probability="raw"'):
            call()
    model = make(kind).fit(X, y).calibrate(Xc, yc)
    model.probability = "raw"
    for method in (model.predict_proba, model.decision_function, model.predict):
        with pytest.raises(ValueError, match='probability="raw"'):
            method(Xe)
    posterior = make(kind, link="posterior", probability="raw", priors=[0.9, 0.1]).fit(X, y)
    twin = make(kind, link="posterior", priors=[0.9, 0.1]).fit(X, y)
    assert_allclose(posterior.predict_proba(Xe), twin.predict_proba(Xe), rtol=1e-6)


@each
def test_bad_input_leaves_the_model_as_it_was(kind):
    (X, y, _), (Xc, yc, wc), (Xe, _, _) = parts(2)
    model = make(kind)
    for call in (lambda: model.calibrate(Xc, yc), lambda: model.adjust_priors(None)):
        with pytest.raises(NotFittedError):
            call()
    with pytest.raises(NotFittedError):
        _ = model.calibration_
    for priors, message in [([0.5, 0.6], "sum to 1"), ({"low": 0.5, 1: 0.5}, "labels")]:
        failed = make(kind, priors=priors)
        with pytest.raises(ValueError, match=message):
            failed.fit(X, y)
        assert not hasattr(failed, "loss_")
    model.fit(X, y)
    before, state = model.predict_proba(Xe), dict(vars(model))
    wrong = [
        ((Xc, yc[:-1]), "labels"),
        ((Xc[:, :-1], yc), "features|columns|feature"),
        ((Xc, np.where(yc == "mid", "other", yc)), "not in y"),
        ((Xc, yc, -wc), "egative"),
        ((Xc, yc, 0 * wc), "non-zero number|zero for all"),
    ]
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            model.calibrate(*arguments)
    for priors in ([0.5], {"low": 1.0}, [1.0, 0.0]):
        with pytest.raises(ValueError, match="priors"):
            model.adjust_priors(priors)
    assert vars(model).keys() == state.keys()
    assert all(vars(model)[name] is value for name, value in state.items())
    assert_array_equal(model.predict_proba(Xe), before)


@each
def test_priors_of_pandas_are_read_by_their_index(kind):
    (X, y, _), _, (Xe, _, _) = parts(2)
    y = np.where(y == "low", "mid", "low")  # the commoner class is the second
    shares = pd.Series(y).value_counts(normalize=True)
    assert shares.index[0] == "mid"
    model = make(kind, priors=shares).fit(X, y)
    assert_allclose(model.priors_, [shares["low"], shares["mid"]])
    plain = make(kind).fit(X, y).predict_proba(Xe)
    assert_allclose(model.predict_proba(Xe), plain, rtol=1e-5, atol=5e-7)


@each
@links
def test_priors_that_are_not_those_of_the_rows_are_told(kind, link):
    (X, y, _), (Xc, yc, _), _ = parts(2)
    model = make(kind, link=link).fit(X, y)
    with pytest.raises(ValueError, match="is what adjust_priors does"):
        model.calibrate(Xc, yc, priors=PRIORS[2])
    assert model.calibration_ is None


def test_uneven_training_weights_leave_room_for_chance():
    """Weights of a long tail make the shares in training those of a few rows."""
    (X, y, _), (Xc, yc, _), _ = parts(2)
    refused = 0
    for seed in range(20):
        weight = np.random.default_rng(seed).pareto(1.1, len(y)) + 0.01
        model = LOGISTIC(link="posterior", tol=0.1).fit(X, y, sample_weight=weight)
        try:
            model.calibrate(Xc, yc)
        except ValueError:
            refused += 1
    assert refused <= 1


@each
def test_priors_of_a_class_without_weight_are_refused(kind):
    (X, y, _), _, _ = parts(3)
    model = make(kind, priors=PRIORS[3])
    with pytest.raises(ValueError, match="each class with a sample_weight above 0"):
        model.fit(X, y, sample_weight=(y != "top").astype(float))


@each
@links
def test_gamma_zero_has_the_map_inside(kind, link):
    """Without focusing and class weights the margin is the log-odds under both links."""
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(2)
    model = make(kind, link=link, focal_gamma=0.0).fit(X, y).calibrate(Xc, yc)
    model.adjust_priors(PRIORS[2])
    expected = model.predict_proba(Xe)[:, 1]
    if kind is LOGISTIC:
        raw = expit(Xe.astype(np.float64) @ model.coef_[0] + model.intercept_[0])
    elif kind is LGBM:
        raw = model.booster_.predict(Xe)
    elif kind is XGB:
        raw = model.get_booster().inplace_predict(Xe)
    else:
        raw = HistGradientBoostingClassifier.predict_proba(model, Xe)[:, 1]
    assert_allclose(raw, expected, rtol=1e-5)


@each
def test_warnings_of_few_rows(kind):
    (X, y, _), (Xc, yc, _), _ = parts(2)
    few = np.r_[np.flatnonzero(yc == "low")[:40], np.flatnonzero(yc == "mid")[:10]]
    with pytest.warns(UserWarning, match="slope and offset need 20"):
        make(kind).fit(X, y).calibrate(Xc[few], yc[few])


def test_linear_model_starts_warm_from_the_fitted_one():
    """The map is no part of the start: a second fit ends at once, where the first one did."""
    (X, y, _), (Xc, yc, _), _ = parts(2)
    for priors in (None, [0.99, 0.01]):
        model = LOGISTIC(link="posterior", warm_start=True, priors=priors, tol=1e-8).fit(X, y)
        coef, intercept, first = model.coef_, model.intercept_, model.n_iter_[0]
        model.calibrate(Xc, yc).adjust_priors([0.5, 0.5])
        model.fit(X, y)
        assert model.n_iter_[0] < first
        assert_allclose(model.coef_, coef, rtol=1e-4)
        assert_allclose(model.intercept_, intercept, rtol=1e-4)
        assert model.calibration_ is None


def test_sparse_coefficients_stay_sparse():
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(2)
    model = LOGISTIC(link="posterior", l1_ratio=1.0, C=0.1).fit(X, y).calibrate(Xc, yc)
    expected = model.predict_proba(Xe)
    again = LOGISTIC(link="posterior", l1_ratio=1.0, C=0.1).fit(X, y).sparsify()
    again.calibrate(Xc, yc)
    assert not isinstance(again.coef_, np.ndarray)
    assert_allclose(again.predict_proba(Xe), expected, rtol=1e-6)


def test_older_models_do_not_know_their_shares():
    (X, y, _), (Xc, yc, _), _ = parts(2)
    model = make(LGBM).fit(X, y)
    del model._probabilities
    assert model.class_prior_ is None
    assert model.priors_ is None
    with pytest.raises(ValueError, match="from an older version"):
        model.adjust_priors([0.5, 0.5])
    model.calibrate(Xc, yc)  # needs none
    assert isinstance(model.calibration_, Calibration)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of matplotlib, by shap
@pytest.mark.parametrize("kind", [LGBM, XGB])
@classes
def test_other_readers_of_the_booster_see_the_corrected_margin(kind, n_classes, tmp_path):
    """SHAP values add up to it, and treelite gives the probabilities."""
    import shap
    import treelite

    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(n_classes)
    model = make(kind, link="posterior").fit(X, y).calibrate(Xc, yc)
    model.adjust_priors(PRIORS[n_classes])
    P, raw = model.predict_proba(Xe), model.decision_function(Xe).astype(np.float64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LightGBM binary classifier")
        explainer = shap.TreeExplainer(model)
        values = np.asarray(explainer.shap_values(Xe))
    total = values.sum(axis=1) + np.asarray(explainer.expected_value)
    assert_allclose(total, raw, atol=2e-6)
    if kind is LGBM:
        own = model.booster_.predict(Xe, pred_contrib=True).reshape(len(Xe), -1, 11)
    else:
        own = model.get_booster().predict(xgb.DMatrix(Xe), pred_contribs=True)
        own = own.reshape(len(Xe), -1, 11)
    assert_allclose(own.sum(axis=2).squeeze(), raw, atol=5e-6)
    path = tmp_path / of(kind).file
    of(kind).booster(model).save_model(path)
    loaded = getattr(treelite.frontend, f"load_{of(kind).name}_model")(path)
    proba = treelite.gtil.predict(loaded, Xe.astype(of(kind).real)).reshape(len(Xe), -1)
    assert_allclose(proba, P[:, 1:] if n_classes == 2 else P, atol=1e-6)


@pytest.mark.parametrize("kind", [LGBM, XGB])
@links
@pytest.mark.parametrize("way", ["model", "file", "booster"])
def test_training_goes_on_from_the_model_as_fitted(kind, link, way, tmp_path):
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(2)
    first = make(kind, 5, link=link).fit(X, y)
    expected = make(kind, 5, link=link).fit(X, y, **{of(kind).init_model: first})
    expected = expected.predict_proba(Xe)
    first.calibrate(Xc, yc).adjust_priors(PRIORS[2])
    path = tmp_path / of(kind).file
    first.save_model(path)
    given = {"model": first, "file": str(path), "booster": of(kind).booster(first)}[way]
    model = make(kind, 5, link=link).fit(X, y, **{of(kind).init_model: given})
    if way == "booster" and kind is LGBM and link == "posterior":
        # a booster of LightGBM does not tell what it is: its margins count as they are
        assert np.abs(model.predict_proba(Xe) - expected).max() > 0.05
    else:
        assert_allclose(model.predict_proba(Xe), expected, rtol=2e-3)
    assert model.calibration_ is None
    assert_array_equal(model.priors_, model.class_prior_)


@pytest.mark.parametrize("kind", [LGBM, XGB])
@links
def test_from_booster_takes_what_it_cannot_read(kind, link):
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(2)
    model = make(kind, link=link).fit(X, y).calibrate(Xc, yc)
    known = {"focal_gamma": 2.0, "link": link, "classes": model.classes_}
    known["class_prior"] = model.class_prior_
    if link == "focal":
        known["calibration"] = model.calibration_
    else:
        with pytest.raises(ValueError, match="leave calibration out"):
            kind.from_booster(of(kind).booster(model), **known, calibration=model.calibration_)
    for wrong in (3, Calibration(1.0, (1.0, 0.0, -1.0))):
        with pytest.raises((TypeError, ValueError), match="calibration"):
            kind.from_booster(of(kind).booster(model), **{**known, "calibration": wrong})
    twin = kind.from_booster(of(kind).booster(model), **known)
    for each in (model, twin):
        each.adjust_priors(PRIORS[2])
    assert_allclose(twin.predict_proba(Xe), model.predict_proba(Xe), rtol=1e-6)
    with pytest.raises(ValueError, match="class_prior must sum to 1"):
        kind.from_booster(of(kind).booster(model), **{**known, "class_prior": [0.5, 0.6]})


def test_a_booster_of_xgboost_tells_its_calibration():
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(2)
    for link in ("focal", "posterior"):
        model = make(XGB, link=link).fit(X, y).calibrate(Xc, yc).adjust_priors(PRIORS[2])
        twin = XGB.from_booster(
            model.get_booster(), focal_gamma=2.0, link=link, classes=model.classes_
        )
        assert twin.calibration_ == model.calibration_
        assert_array_equal(twin.predict_proba(Xe), model.predict_proba(Xe))
    before = model.get_booster()
    with pytest.raises(ValueError, match="class_prior is "):
        XGB.from_booster(before, focal_gamma=2.0, link=link, class_prior=[0.5, 0.5])
    focal = make(XGB).fit(X, y).calibrate(Xc, yc).get_booster()
    with pytest.raises(ValueError, match="calibration is "):
        XGB.from_booster(focal, focal_gamma=2.0, calibration=Calibration(0.5, 0.0))
    with pytest.raises(ValueError, match="and then calibrated"):
        XGB.from_booster(focal, focal_gamma=0.0)
    given = {"class_prior": model.class_prior_, "classes": model.classes_}
    twin = XGB.from_booster(before, focal_gamma=2.0, link=link, **given)
    twin.adjust_priors(None)
    assert_allclose(twin.predict_proba(Xe), model.adjust_priors(None).predict_proba(Xe), rtol=1e-6)


def test_a_base_margin_would_replace_what_the_booster_holds():
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(2)
    margin = np.full(len(Xe), -1.0)
    matrix = xgb.DMatrix(Xe, base_margin=margin)
    for link in ("focal", "posterior"):
        model = make(XGB, link=link).fit(X, y)
        before = model.predict_proba(Xe, base_margin=margin)
        model.calibrate(Xc, yc).adjust_priors(PRIORS[2])
        calls = [
            lambda model=model: model.predict_proba(Xe, base_margin=margin),
            lambda model=model: model.predict(matrix),
        ]
        if link == "posterior":
            for call in calls:
                with pytest.raises(ValueError, match="base_margin replaces the start"):
                    call()
        else:
            expected = mapped(before.astype(np.float64), model._probabilities.correction)
            assert_allclose(calls[0](), expected, rtol=1e-4, atol=1e-6)
            assert len(calls[1]()) == len(Xe)


@pytest.mark.parametrize("kind", [LGBM, XGB])
def test_models_of_dates_are_continued_without_their_priors(kind):
    """JSON has no dates, so the booster of XGBoost does not hold what the classifier knows."""
    (X, y, _), _, (Xe, _, _) = parts(2)
    days = np.where(y == "low", np.datetime64("2020-01-01"), np.datetime64("2020-01-02"))
    name = of(kind).init_model
    first = make(kind, 5, link="posterior").fit(X, days)
    expected = make(kind, 5, link="posterior").fit(X, days, **{name: first}).predict_proba(Xe)
    first.adjust_priors([0.99, 0.01])
    found = make(kind, 5, link="posterior").fit(X, days, **{name: first}).predict_proba(Xe)
    assert_allclose(found, expected, rtol=2e-3)


def test_an_early_stopped_model_of_xgboost_is_cut():
    """The rounds after the best one are gone, as the documentation says."""
    (X, y, _), (Xc, yc, _), (Xe, _, _) = parts(2)
    options = {"n_estimators": 200, "learning_rate": 0.5, "early_stopping_rounds": 3}
    model = make(XGB, link="posterior", **options)
    model.fit(X, y, eval_set=[(Xc, yc)], verbose=False)
    before, best = model.predict_proba(Xe), model.best_iteration
    assert model.get_booster().num_boosted_rounds() > best + 1
    model.adjust_priors(PRIORS[2]).adjust_priors(None)
    assert model.get_booster().num_boosted_rounds() == best + 1
    assert model.best_iteration == best
    assert_allclose(model.predict_proba(Xe), before, rtol=1e-5, atol=1e-7)
