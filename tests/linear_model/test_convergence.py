"""The linear model converges at its default tolerance whatever the scale of the problem, or warns.

Witnesses: columns that were centred and scaled before the fit, SciPy's minimisers, cold fits.
"""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import LbfgsInvHessProduct
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import l1_min_c

from benchmarks.convergence import BAR, TABLES, measure
from skfocal import FocalLogisticRegression, _kernels
from skfocal.linear_model._lbfgs import inverse_hessian_times
from skfocal.linear_model._problem import LinearProblem
from skfocal.linear_model._quadratic import minimum_of_model
from skfocal.linear_model._scaling import sampled_matrix
from skfocal.linear_model._stopping import StoppingRule
from skfocal.losses import make_loss
from tests.conftest import table

SOLVERS = ["newton-cholesky", "lbfgs", "prox-newton"]
LINKS = ["focal", "posterior"]
FORMS = pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize(
    "link, gamma, prevalence, classes",
    [("focal", 20.0, 0.05, 2), ("posterior", 5.0, 0.05, 3), ("focal", 0.5, 0.5, 3)],
)
def test_fits_reach_the_minimum_that_scipy_finds(kind, l1_ratio, link, gamma, prevalence, classes):
    """Each solver, cold and warm, at the default tolerance; none of these has to warn."""
    setting = {"table": kind, "classes": classes, "l1_ratio": l1_ratio, "link": link}
    for C in (1.0, 1e3):
        for row in measure({**setting, "C": C, "focal_gamma": gamma, "prevalence": prevalence}):
            assert row["measure"] <= BAR, row
            assert not row["warned"], row


def separate_columns(n_classes=2, n_rows=1000):
    """Columns of which none follows from the others."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 6))
    score = X @ [1.0, -1.0, 0.5, 0.5, -0.5, 0.2] + rng.logistic(size=n_rows)
    return X, np.digitize(score, [1.0, 2.0][: n_classes - 1])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("solver", SOLVERS)
@FORMS
def test_a_date_in_seconds_is_a_column_like_others(form, solver, link, n_classes):
    """Without a penalty the model does not depend on the columns' scales and offsets."""
    X, y = separate_columns(n_classes)
    options = {"C": np.inf, "solver": solver, "link": link, "tol": 1e-5}
    expected = FocalLogisticRegression(**options).fit(X, y).predict_proba(X)
    moved = X * np.logspace(-6, 6, X.shape[1])
    moved[:, 3] = 1.7e9 + 1e6 * X[:, 3]
    moved[:, 4] = -1e6 + X[:, 4]
    model = FocalLogisticRegression(**options).fit(form(moved), y)
    assert_allclose(model.predict_proba(form(moved)), expected, atol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_nanoseconds_in_single_precision(solver):
    X, y = separate_columns()
    options = {"C": np.inf, "solver": solver}
    known = FocalLogisticRegression(**options).fit(X, y).predict_proba(X)
    wide = np.column_stack([X[:, :5], 1.7e18 + 3e16 * X[:, 5]]).astype(np.float32)
    model = FocalLogisticRegression(**options).fit(wide, y)
    assert_allclose(model.predict_proba(wide), known, atol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
@FORMS
@pytest.mark.parametrize("factor, dtype", [(1e160, float), (1e200, float), (1e18, np.float32)])
def test_columns_that_overflow_are_named(solver, form, factor, dtype):
    X, y, _ = table()
    X[:, 2] *= factor
    model = FocalLogisticRegression(solver=solver, fit_intercept=False)
    with pytest.raises(ValueError, match=rf"in the columns \[2\]: .* overflow {np.dtype(dtype)}"):
        model.fit(form(X.astype(dtype)), y)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_scale_of_weights_changes_nothing(solver):
    """Class weights of a ratio of 1e5 under the posterior link; row weights of 1e-20."""
    X, y, weight = table()
    options = {"link": "posterior", "solver": solver, "max_iter": 500}
    loose = FocalLogisticRegression(2.0, [1e-5, 1.0], C=1e5, **options).fit(X, y)
    tight = FocalLogisticRegression(2.0, [1e-5, 1.0], C=1e5, tol=1e-7, **options).fit(X, y)
    assert_allclose(loose.predict_proba(X), tight.predict_proba(X), atol=1e-3)
    one = FocalLogisticRegression(2.0, **options).fit(X, y, weight)
    other = FocalLogisticRegression(2.0, C=1e20, **options).fit(X, y, 1e-20 * weight)
    assert_allclose(one.coef_, other.coef_, rtol=1e-6)


@pytest.mark.parametrize("total", [1e-320, 1e306])
def test_weights_that_overflow_are_refused(total):
    X, y, _ = table()
    with pytest.raises(ValueError, match="sample_weight sums to"):
        FocalLogisticRegression().fit(X, y, np.full(len(y), total))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_a_warm_path_ends_where_cold_fits_do(gamma, l1_ratio):
    """Rare positives, one-hot columns of which some are rare, from strong to weak penalty."""
    rng = np.random.default_rng(0)
    levels = rng.zipf(1.3, size=(20_000, 4)).clip(max=40)
    X = sparse.hstack([sparse.csr_array(levels[:, [j]] == np.arange(1, 41)) for j in range(4)])
    X = sparse.csr_array(X, dtype=float)
    score = X @ rng.normal(size=X.shape[1]) + rng.logistic(size=X.shape[0])
    y = score > np.quantile(score, 0.9975)
    warm = FocalLogisticRegression(gamma, l1_ratio=l1_ratio, warm_start=True)
    for C in (0.1, 1.0, 10.0):
        warm.set_params(C=C).fit(X, y)
        cold = FocalLogisticRegression(gamma, l1_ratio=l1_ratio, C=C).fit(X, y)
        assert_array_equal(warm.coef_ == 0, cold.coef_ == 0)
        values = []
        for model in (warm, cold):
            coef = model.coef_[0]
            losses = model.loss_.loss(y, X @ coef + model.intercept_[0])
            penalty = (1 - l1_ratio) / 2 * np.square(coef).sum() + l1_ratio * np.abs(coef).sum()
            values.append(C * losses.sum() + penalty)
        assert values[0] == pytest.approx(values[1], rel=1e-6)


@pytest.mark.parametrize("solver", ["lbfgs", "lbfgs by columns", "newton-cholesky"])
def test_classes_do_not_drift_together(solver, monkeypatch):
    """The softmax does not see a shift of all classes, along which L-BFGS used to drift."""
    if solver == "lbfgs by columns":  # as where there are thousands
        monkeypatch.setattr("skfocal.linear_model._scaling._MAX_FACTOR", 0)
        solver = "lbfgs"
    X, y = load_iris(return_X_y=True)
    model = FocalLogisticRegression(0.0, C=150.0, solver=solver).fit(X, y)
    assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-12)
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = FocalLogisticRegression(0.0, C=1e4, tol=1e-7, solver=solver, max_iter=500).fit(X, y)
    assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_warm_start_worse_than_the_constant_is_left(solver):
    X, y, _ = table()
    cold = FocalLogisticRegression(solver=solver).fit(X, y)
    model = FocalLogisticRegression(solver=solver, warm_start=True).fit(X, y)
    model.coef_ = -1000 * model.coef_
    assert_array_equal(model.fit(X, y).coef_, cold.coef_)


def test_columns_that_a_sample_of_rows_does_not_see_have_their_curvature():
    """The rows of the sample are evenly spread; in the last column none of them has a number."""
    X, y = separate_columns(n_rows=6000)
    X[:, -1] = 0.0
    X[1::60, -1] = 1.0
    problem = LinearProblem(X, y, None, make_loss(2, 2.0), 1e-6, True)
    theta, _ = problem.null_model()
    assert not problem.some_rows(100).X[:, -1].any()
    matrix = sampled_matrix(problem, theta, 100).reshape(7, 7)
    assert matrix[5, 5] == pytest.approx(problem.curvature(theta)[5, 0], rel=1e-12)


def test_the_minimum_of_a_model_of_columns_that_are_nearly_the_same():
    """The decrease against that of a million sweeps of coordinate descent, which creeps there."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(30, 1)) + 3e-3 * rng.normal(size=(30, 8))
    matrix, start, l1 = root.T @ root, np.zeros(8), np.full(8, 1e-4)
    gradient = matrix @ (30 * rng.normal(size=8))

    def decrease(theta):
        return -(gradient @ theta + 0.5 * theta @ matrix @ theta + l1 @ np.abs(theta))

    best, _ = _kernels.descend(matrix, gradient, l1, start, 0.0, 10**6)
    found = minimum_of_model(matrix, gradient, l1, start)
    common = matrix.sum() * np.square(gradient.sum() / matrix.sum()) / 2  # all move as one
    assert decrease(best) - decrease(found) <= 1e-3 * (decrease(best) - common)


@FORMS
@pytest.mark.parametrize("classes", [2, 3])
def test_a_penalty_that_keeps_all_coefficients_at_0(form, classes):
    """They all are as long as no slope at 0 is larger than 1 / C."""
    X, y = load_iris(return_X_y=True)
    X, y = X[y < classes], y[y < classes]
    bound = 1 / np.abs(X.T @ (np.eye(classes)[y] - 1 / classes)).max()
    if classes == 2:
        assert bound == pytest.approx(l1_min_c(X, y, loss="log", fit_intercept=False))
    X = form(X)
    parameters = {"focal_gamma": 0.0, "l1_ratio": 1.0, "fit_intercept": False}
    model = FocalLogisticRegression(C=0.99 * bound, **parameters).fit(X, y)
    assert not model.coef_.any()
    assert_allclose(model.predict_proba(X), 1 / classes)
    assert FocalLogisticRegression(C=1.01 * bound, **parameters).fit(X, y).coef_.any()


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_iterations_leave_the_constant_model(solver):
    X, y, _ = table()
    with pytest.warns(ConvergenceWarning, match="max_iter=0"):
        model = FocalLogisticRegression(solver=solver, max_iter=0).fit(X, y)
    assert model.n_iter_[0] == 0
    assert not model.coef_.any()


def test_a_warning_points_to_the_call_of_fit():
    X, y, _ = table()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        FocalLogisticRegression(max_iter=1, tol=1e-9).fit(X, y)
    assert [w.filename for w in caught] == [__file__]


def test_rows_with_a_weight_are_of_one_class():
    X, y, _ = table()
    model = FocalLogisticRegression().fit(X, y, 1.0 - y)
    assert_array_equal(model.classes_, [0, 1])
    assert model.n_iter_[0] == 0
    assert (model.predict_proba(X)[:, 1] < 1e-8).all()


def test_sparsify_and_what_tools_ask_for():
    X, y, _ = table()
    model = FocalLogisticRegression(0.0, C=0.02, l1_ratio=1.0).fit(X, y)
    n_nonzero = np.count_nonzero(model.coef_)
    assert 0 < n_nonzero < X.shape[1]
    assert SelectFromModel(model, prefit=True).transform(X).shape[1] == n_nonzero
    expected = model.predict_proba(X)
    assert sparse.issparse(model.sparsify().coef_)
    assert_array_equal(model.predict_proba(X), expected)
    assert isinstance(model.densify().coef_, np.ndarray)
    words = [FocalLogisticRegression(l1_ratio=r).penalty for r in (0, 0.5, 1)]
    assert words == ["l2", "elasticnet", "l1"]
    assert FocalLogisticRegression(C=np.inf).penalty is None


@pytest.mark.parametrize(
    "name, value",
    [
        ("fit_intercept", "no"),
        ("warm_start", 1),
        ("verbose", "x"),
        ("verbose", -1),
        ("n_jobs", 1.5),
        ("n_jobs", 0),
    ],
)
def test_parameters_are_refused_by_name(name, value):
    X, y, _ = table()
    with pytest.raises((TypeError, ValueError), match=name):
        FocalLogisticRegression(**{name: value}).fit(X, y)


@pytest.mark.parametrize(
    "name, instead",
    [("penalty", "l1_ratio=1"), ("dual", "primal"), ("multi_class", "softmax"), ("gamma", "class")],
)
def test_parameters_of_scikit_learn_alone_are_refused_with_what_stands_for_them(name, instead):
    with pytest.raises(TypeError, match=rf"{name}.*{instead}"):
        FocalLogisticRegression(**{name: 1})


def test_inverse_hessian_of_lbfgs_is_scipys():
    """SciPy's begins with the identity, ours with the curvature of the last step."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(8, 8))
    steps, slope = rng.normal(size=(5, 8)), rng.normal(size=8)
    changes = steps @ (root @ root.T + np.eye(8))
    unit = np.sqrt(steps[-1] @ changes[-1] / np.square(changes[-1]).sum())
    expected = LbfgsInvHessProduct(steps / unit, changes * unit).dot(slope * unit) * unit
    pairs = list(zip(steps, changes, strict=True))
    assert_allclose(inverse_hessian_times(slope, pairs), expected, rtol=1e-10)
    assert_array_equal(inverse_hessian_times(slope, []), slope)


def test_a_gap_that_rounding_hides_ends_a_fit():
    """It must have stopped to shrink; just above what rounding hides it must be stuck."""
    rule = StoppingRule(1e-9, null_value=1.0, rounding=1e-15)
    invisible = rule.invisible(0.5)
    assert rule.hidden(0.9 * invisible, invisible, 0.5)
    assert not rule.hidden(0.1 * invisible, invisible, 0.5)
    assert rule.hidden(2.0 * invisible, 2.01 * invisible, 0.5)
    assert not rule.hidden(2.0 * invisible, 3.0 * invisible, 0.5)
    assert not rule.hidden(100.0 * invisible, 100.0 * invisible, 0.5)
