"""`FocalLogisticRegressionCV`: at gamma 0 the search of scikit-learn, else the plain class."""

import warnings

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skfocal import FocalLogisticRegression, FocalLogisticRegressionCV
from tests.conftest import table

CS = [0.01, 0.1, 10.0]
EXACT = {"tol": 1e-9, "max_iter": 1000}


def scaled(n_classes=2, n_rows=600):
    X, y, weight = table(n_classes, n_rows=n_rows)
    return StandardScaler().fit_transform(X), y, weight


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_at_gamma_0_it_is_the_search_of_scikit_learn(n_classes, l1_ratio):
    X, y, _ = scaled(n_classes)
    ours = FocalLogisticRegressionCV(
        focal_gammas=(0.0,), Cs=CS, l1_ratios=(l1_ratio,), calibration=None, rule="best", **EXACT
    ).fit(X, y)
    # before scikit-learn 1.8 l1_ratios do not say which penalty it is
    named = {} if parse_version(sklearn.__version__) >= parse_version("1.8") else {"penalty": "l2"}
    if named and l1_ratio:
        named = {"penalty": "elasticnet"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # its defaults change
        warnings.filterwarnings("ignore", "l1_ratios parameter is only used when", UserWarning)
        theirs = LogisticRegressionCV(
            **named,
            Cs=CS,
            l1_ratios=(l1_ratio,),
            cv=5,
            solver="saga" if l1_ratio else "lbfgs",
            scoring="neg_log_loss",
            tol=1e-10,
            max_iter=20_000,
            random_state=0,
        ).fit(X, y)
    scores = np.reshape(
        theirs.scores_[1] if isinstance(theirs.scores_, dict) else theirs.scores_, (5, 3)
    )
    assert_allclose(ours.scores_[0, 0, :, 0].T, scores, rtol=1e-6)
    assert np.allclose(ours.C_, theirs.C_)
    coef = ours.coef_ - ours.coef_.mean(axis=0) * (n_classes > 2)
    expected = theirs.coef_ - theirs.coef_.mean(axis=0) * (n_classes > 2)
    assert_allclose(coef, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_score_is_that_of_the_plain_class(n_classes, link):
    X, y, weight = scaled(n_classes)
    gammas, alphas, ratios = (0.0, 2.0), (None, "balanced"), (0.0, 1.0)
    model = FocalLogisticRegressionCV(
        focal_gammas=gammas,
        focal_alphas=alphas,
        Cs=CS[:2],
        l1_ratios=ratios,
        cv=3,
        link=link,
        calibration=None,
        **EXACT,
    )
    model.fit(X, y, weight)
    for k, (train, test) in enumerate(StratifiedKFold(3).split(X, y)):
        for index in np.ndindex(2, 2, 2, 2):
            plain = FocalLogisticRegression(
                gammas[index[0]],
                alphas[index[1]],
                C=CS[index[2]],
                l1_ratio=ratios[index[3]],
                link=link,
                **EXACT,
            ).fit(X[train], y[train], weight[train])
            expected = -log_loss(y[test], plain.predict_proba(X[test]), sample_weight=weight[test])
            assert_allclose(model.scores_[(*index, k)], expected, rtol=1e-6)


def test_refit_is_the_plain_class_with_what_was_chosen():
    X, y, weight = scaled()
    model = FocalLogisticRegressionCV(Cs=3, focal_gammas=(1.0,), calibration=None, **EXACT)
    model.fit(X, y, weight)
    plain = FocalLogisticRegression(1.0, C=model.C_, link="posterior", **EXACT).fit(X, y, weight)
    assert_allclose(model.coef_, plain.coef_, rtol=1e-6)
    assert_allclose(model.intercept_, plain.intercept_, rtol=1e-6)
    assert model.Cs_[model.best_index_[2]] == model.C_
    assert model.penalty == "l2"


def test_coefficients_hold_the_calibration():
    X, y, _ = scaled()
    model = FocalLogisticRegressionCV(Cs=3, **EXACT).fit(X, y)
    gammas = (model.focal_gamma_,)
    bare = FocalLogisticRegressionCV(Cs=3, calibration=None, focal_gammas=gammas, **EXACT)
    bare.set_params(Cs=[model.C_]).fit(X, y)
    slope, offset = model.calibration_.slope, model.calibration_.offset
    assert_allclose(model.coef_, slope * bare.coef_, rtol=1e-6)
    assert_allclose(model.intercept_, slope * bare.intercept_ + offset, rtol=1e-6)


def test_sparse_tables_and_threads_change_nothing():
    X, y, _ = scaled()
    X[np.abs(X) < 0.5] = 0.0
    dense = FocalLogisticRegressionCV(Cs=3, **EXACT).fit(X, y)
    for other in (
        FocalLogisticRegressionCV(Cs=3, **EXACT).fit(sparse.csr_matrix(X), y),
        FocalLogisticRegressionCV(Cs=3, n_jobs=2, **EXACT).fit(X, y),
    ):
        assert other.best_index_ == dense.best_index_
        assert_allclose(other.scores_, dense.scores_, rtol=1e-6)
        assert_allclose(other.coef_, dense.coef_, rtol=1e-5)


def test_order_of_the_values_has_no_influence():
    X, y, _ = scaled()
    first = FocalLogisticRegressionCV(focal_gammas=(0.0, 2.0), Cs=CS, **EXACT).fit(X, y)
    turned = FocalLogisticRegressionCV(focal_gammas=(2.0, 0.0), Cs=CS[::-1], **EXACT).fit(X, y)
    assert_allclose(turned.scores_[::-1, :, ::-1], first.scores_, rtol=1e-6)
    assert turned.focal_gamma_ == first.focal_gamma_
    assert turned.C_ == first.C_


def test_without_an_intercept():
    X, y, _ = scaled()
    model = FocalLogisticRegressionCV(Cs=3, fit_intercept=False, calibration=None).fit(X, y)
    assert_array_equal(model.intercept_, [0.0])


def test_fits_that_have_not_converged_are_counted():
    X, y, _ = scaled()
    with pytest.warns(ConvergenceWarning) as caught:
        FocalLogisticRegressionCV(Cs=[1e4], max_iter=1, cv=3, focal_gammas=(5.0,)).fit(X, y)
    assert any("3 of 3 fits on the folds" in str(each.message) for each in caught)


@pytest.mark.parametrize(
    "params, error, match",
    [
        ({"Cs": 0}, ValueError, "Cs"),
        ({"Cs": "many"}, TypeError, "Cs must be a sequence"),
        ({"Cs": [-1.0]}, ValueError, "C must be a number > 0"),
        ({"l1_ratios": 0.5}, TypeError, "l1_ratios must be a sequence"),
        ({"l1_ratios": (2.0,)}, ValueError, "l1_ratio"),
        ({"l1_ratios": (0.5,), "solver": "lbfgs"}, ValueError, "no L1 penalty"),
    ],
)
def test_wrong_parameters_are_refused(params, error, match):
    X, y, _ = scaled(n_rows=100)
    with pytest.raises(error, match=match):
        FocalLogisticRegressionCV(**params).fit(X, y)
