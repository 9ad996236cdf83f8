"""FocalLogisticRegression against scikit-learn, SciPy and repetition of rows."""

import warnings

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skfocal import FocalLogisticRegression
from skfocal.linear_model import _blocks
from skfocal.linear_model._problem import LinearProblem, Memory
from skfocal.linear_model._scaling import scaled_solve
from skfocal.linear_model._solvers import choose_solver
from skfocal.losses import make_loss
from tests.conftest import table

SOLVERS = ["newton-cholesky", "lbfgs", "prox-newton"]
TIGHT = {"tol": 1e-10, "max_iter": 2000}


def objective(model, X, y, weight, theta):
    """The documented objective, straight from its definition."""
    loss, k = model.loss_, len(model.classes_)
    theta = theta.reshape(X.shape[1] + 1, -1)
    raw = X @ theta[:-1] + theta[-1]
    raw = raw[:, 0] if k == 2 else raw
    rows = loss.loss(np.searchsorted(model.classes_, y), raw, weight)
    return model.C * rows.sum() + 0.5 * np.square(theta[:-1]).sum()


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize(
    "form", [np.asarray, sparse.csr_array, sparse.csr_matrix], ids=["dense", "array", "matrix"]
)
@pytest.mark.parametrize("solver", SOLVERS)
def test_gamma_zero_is_logistic_regression(any_table, solver, form, weighted):
    X, y, weight = any_table
    weight = weight if weighted else None
    X = form(np.where(np.abs(X) < 0.5, 0, X))
    theirs = LogisticRegression(C=0.3, tol=1e-10, max_iter=10_000).fit(X, y, weight)
    ours = FocalLogisticRegression(0.0, C=0.3, solver=solver, **TIGHT).fit(X, y, weight)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_solvers_find_the_minimum_of_the_documented_objective(any_table, gamma, solver):
    X, y, weight = any_table
    k = len(np.unique(y))
    model = FocalLogisticRegression(
        gamma, np.arange(1.0, k + 1), C=0.5, solver=solver, **TIGHT
    ).fit(X, y, weight)
    theta = np.vstack([model.coef_.T, model.intercept_])
    best = minimize(
        lambda flat: objective(model, X, y, weight, flat), theta.ravel(), method="BFGS", tol=1e-9
    )
    assert objective(model, X, y, weight, theta) <= best.fun * (1 + 1e-8)


@pytest.mark.parametrize("weighted, in_blocks", [(False, False), (True, False), (True, True)])
def test_matrix_of_the_newton_step_is_the_hessian_at_gamma_zero(
    any_table, weighted, in_blocks, monkeypatch
):
    """Finite differences of the gradient, intercepts and penalty included."""
    X, y, weight = any_table
    if in_blocks:
        for name, value in (("_WHOLE", 0), ("_MIN_ROWS", 1), ("_BLOCK", 70 * X.shape[1])):
            monkeypatch.setattr(_blocks, name, value)
        assert len(list(_blocks.row_slices(X, 1))) > 3
    k = len(np.unique(y))
    loss = make_loss(k, 0.0, np.arange(1.0, k + 1))
    problem = LinearProblem(X, y, weight if weighted else None, loss, 0.1, True)
    theta = np.random.default_rng(0).normal(size=(11, problem.n_outputs)) * 0.3
    value, gradient, matrix = problem.newton_terms(theta)
    same_value, same = problem.value_gradient(theta)
    assert value == pytest.approx(problem.value(theta), rel=1e-14)
    assert value == pytest.approx(same_value, rel=1e-14)
    assert_allclose(gradient, same)
    flat = matrix.reshape(theta.size, theta.size)
    eigenvalues = np.linalg.eigvalsh(flat)
    assert eigenvalues[0] > 1e-4 * eigenvalues[-1]  # definite: common shifts included
    direction = np.random.default_rng(1).normal(size=theta.shape)
    if k > 2:  # the gauge term acts on common shifts only
        direction -= direction.mean(axis=1, keepdims=True)
    plus, minus = (problem.value_gradient(theta + s * direction) for s in (1e-5, -1e-5))
    assert (gradient * direction).sum() == pytest.approx((plus[0] - minus[0]) / 2e-5, rel=1e-6)
    product = np.einsum("ijkl,kl->ij", matrix, direction)
    assert_allclose(product, (plus[1] - minus[1]) / 2e-5, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_memory_changes_no_number(any_table, form):
    """What is known of the last theta holds for other penalties, and for no other loss."""
    X, y, weight = any_table
    k, memory = len(np.unique(y)), Memory()
    X = form(X)
    for gamma, l2, l1, seed in [
        (0.0, 0.1, 0.0, 0),
        (0.0, 0.5, 0.1, 0),  # the same theta: remembered
        (0.0, 0.5, 0.0, 1),
        (2.0, 0.5, 0.0, 1),
    ]:
        loss = make_loss(k, gamma, None)
        given = X, y, weight, loss, l2, True, 1, l1
        plain, remembering = LinearProblem(*given), LinearProblem(*given, memory=memory)
        theta = np.random.default_rng(seed).normal(size=(11, plain.n_outputs))
        for _ in range(2):
            value, gradient = remembering.value_gradient(theta)
            assert value == plain.value_gradient(theta)[0]
            assert_array_equal(gradient, plain.value_gradient(theta)[1])
            assert remembering.value(theta) == pytest.approx(plain.value(theta), rel=1e-14)
            gradient *= 2.0  # the caller's array
        assert_array_equal(memory.null_model(remembering)[0], plain.null_model()[0])


@pytest.mark.parametrize("solver", SOLVERS)
def test_without_a_penalty(any_table, solver):
    X, y, _ = any_table
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X, y)
    ours = FocalLogisticRegression(0.0, C=np.inf, solver=solver, **TIGHT).fit(X, y)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)


def test_collinear_columns_without_a_penalty():
    X, y, _ = table()
    doubled = np.hstack([X, X])
    one = FocalLogisticRegression(1.0, C=np.inf, solver="newton-cholesky", **TIGHT).fit(X, y)
    two = FocalLogisticRegression(1.0, C=np.inf, solver="newton-cholesky", **TIGHT)
    assert_allclose(two.fit(doubled, y).predict_proba(doubled), one.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_without_an_intercept(any_table, solver):
    X, y, _ = any_table
    theirs = LogisticRegression(fit_intercept=False, tol=1e-10, max_iter=10_000).fit(X, y)
    ours = FocalLogisticRegression(0.0, fit_intercept=False, solver=solver, **TIGHT).fit(X, y)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert not ours.intercept_.any()


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_integer_weights_are_repeated_rows(any_table, gamma):
    X, y, _ = any_table
    times = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = FocalLogisticRegression(gamma, "balanced", **TIGHT).fit(X, y, times)
    repeated = FocalLogisticRegression(gamma, "balanced", **TIGHT)
    repeated.fit(X.repeat(times, axis=0), y.repeat(times))
    assert_allclose(weighted.coef_, repeated.coef_, atol=1e-7)
    assert_allclose(weighted.loss_.class_weight, repeated.loss_.class_weight)


def test_class_weight_multiplies_into_alpha():
    X, y, _ = table()
    both = FocalLogisticRegression(1.0, [1.0, 2.0], class_weight={1: 3.0}).fit(X, y)
    one = FocalLogisticRegression(1.0, [1.0, 6.0]).fit(X, y)
    assert both.loss_ == one.loss_
    assert_array_equal(both.coef_, one.coef_)
    balanced = FocalLogisticRegression(1.0, class_weight="balanced").fit(X, y)
    assert balanced.loss_ == FocalLogisticRegression(1.0, "balanced").fit(X, y).loss_


def test_float32_is_kept():
    X, y, _ = table()
    model = FocalLogisticRegression().fit(X.astype(np.float32), y)
    assert model.coef_.dtype == model.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert_allclose(model.coef_, FocalLogisticRegression().fit(X, y).coef_, atol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start_takes_up_where_it_stopped(any_table, solver):
    X, y, _ = any_table
    model = FocalLogisticRegression(warm_start=True, solver=solver, tol=1e-6, max_iter=500)
    first = model.fit(X, y).n_iter_[0]
    assert model.fit(X, y).n_iter_[0] <= 1 < first
    model.fit(X[:, :4], y)  # other shape: from the beginning
    assert model.coef_.shape[1] == 4


@pytest.mark.parametrize("solver", SOLVERS)
def test_too_few_iterations_warn(solver):
    X, y, _ = table()
    with pytest.warns(ConvergenceWarning, match=f"{solver} stopped before it converged"):
        model = FocalLogisticRegression(solver=solver, max_iter=1, tol=1e-12).fit(X, y)
    assert model.n_iter_.tolist() == [1]


def test_auto_chooses_by_size():
    X, y, _ = table()
    loss = make_loss(2, 2.0)
    assert choose_solver(LinearProblem(X, y, None, loss, 1.0, True)) == "newton-cholesky"
    wide = np.tile(X, (1, 60))
    assert choose_solver(LinearProblem(wide, y, None, loss, 1.0, True)) == "lbfgs"
    wide = sparse.csr_array(np.tile(X, (1, 20)))
    assert choose_solver(LinearProblem(wide, y, None, loss, 1.0, True)) == "lbfgs"


def test_decision_probabilities_and_labels_agree():
    X, y, _ = table()
    for gamma in (2.0, (0.0, 4.0)):
        model = FocalLogisticRegression(gamma, 0.8).fit(X, y)
        P, decision = model.predict_proba(X), model.decision_function(X)
        assert_array_equal(model.predict(X), (0.8 * P[:, 1] > 0.2 * P[:, 0]).astype(int))
        assert_allclose(decision, np.log(P[:, 1] / P[:, 0]), rtol=1e-9, atol=1e-12)
        assert_allclose(model.predict_log_proba(X), np.log(P))
    raw = model.set_params(probability="raw").predict_proba(X)
    margin = X @ model.coef_[0] + model.intercept_[0]
    assert_allclose(raw[:, 1], 1 / (1 + np.exp(-margin)))


def test_posterior_recovers_the_probabilities_that_cross_entropy_finds():
    """Of a well-specified table: mean and log loss of the posterior, not of the sigmoid."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 3))
    truth = 1 / (1 + np.exp(-(X @ [1.0, -0.5, 0.3] - 3)))
    y = rng.uniform(size=20_000) < truth
    for alpha in (None, "balanced"):
        model = FocalLogisticRegression(2.0, alpha, C=100).fit(X, y)
        posterior = model.predict_proba(X)[:, 1]
        assert posterior.mean() == pytest.approx(truth.mean(), rel=0.1)
        assert abs(posterior - truth).mean() < 0.015
        raw = model.set_params(probability="raw").predict_proba(X)[:, 1]
        assert abs(raw - truth).mean() > 0.1


def test_grid_search_in_a_pipeline():
    X, y, _ = table()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), FocalLogisticRegression()),
        {
            "focallogisticregression__focal_gamma": [0.0, 2.0],
            "focallogisticregression__focal_alpha": [None, 0.75, "balanced"],
        },
        scoring="average_precision",
        cv=2,
        n_jobs=2,
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_step_of_a_singular_matrix_has_no_part_along_its_null_space():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(2, 4)) * [1e3, 1.0, 1e-3, 1.0]
    matrix = root.T @ root  # its null space has two dimensions
    inside = root.T @ [1.0, -2.0]
    step, gap = scaled_solve(matrix.reshape(2, 2, 2, 2), inside.reshape(2, 2))
    assert step.shape == (2, 2)
    unit = 1 / np.sqrt(np.diagonal(matrix))
    scaled = matrix * unit[:, np.newaxis] * unit
    expected = -np.linalg.lstsq(scaled, inside * unit, rcond=1e-12)[0] * unit
    assert_allclose(step.ravel(), expected, rtol=1e-9)
    assert gap == pytest.approx(-0.5 * expected @ inside, rel=1e-9)


def test_gradient_along_the_null_space_never_counts_as_convergence():
    matrix = np.ones((2, 1, 2, 1))
    step, gap = scaled_solve(matrix, np.array([[1e-4], [-1e-4]]))
    assert_allclose(step, 0.0, atol=1e-16)
    assert gap > 1e5
    step, gap = scaled_solve(matrix, np.array([[2.0], [2.0]]))
    assert_allclose(step, -1.0)
    assert gap == pytest.approx(2.0)


def test_column_of_zeros_is_not_moved():
    matrix = np.diag([4.0, 0.0]).reshape(2, 1, 2, 1)
    step, gap = scaled_solve(matrix, np.array([[2.0], [0.0]]))
    assert_allclose(step, [[-0.5], [0.0]])
    assert gap == pytest.approx(0.5)


def test_tolerance_zero_ends_where_rounding_hides_the_rest():
    X, y, _ = table(n_rows=200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = FocalLogisticRegression(0.0, tol=0.0, solver="newton-cholesky").fit(X, y)
    theirs = LogisticRegression(tol=1e-12, max_iter=10_000).fit(X, y)
    assert_allclose(model.coef_, theirs.coef_, atol=1e-7)


def test_line_search_without_a_decrease_says_so(monkeypatch):
    X, y, _ = table(n_rows=200)
    terms = LinearProblem.newton_terms
    start = iter([0.0, *[2.0] * 100])
    monkeypatch.setattr(
        LinearProblem,
        "newton_terms",
        lambda self, theta: (next(start), *terms(self, theta)[1:]),
    )
    monkeypatch.setattr(LinearProblem, "value", lambda self, theta: 2.0)
    with pytest.warns(ConvergenceWarning, match="the line search found no decrease"):
        FocalLogisticRegression(solver="newton-cholesky").fit(X, y)


def saga(**options):
    """scikit-learn's elastic net, which before 1.8 had to be asked for by name."""
    if parse_version(sklearn.__version__) < parse_version("1.8"):
        options["penalty"] = "elasticnet"
    return LogisticRegression(solver="saga", tol=1e-9, max_iter=50_000, **options)


def elastic_net(model, X, y, coef, intercept):
    """The documented objective with both penalties, two classes."""
    y = np.searchsorted(model.classes_, y)
    rows = model.loss_.loss(y, X @ coef + intercept)
    r = model.l1_ratio
    return model.C * rows.sum() + (1 - r) / 2 * np.square(coef).sum() + r * np.abs(coef).sum()


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
def test_elastic_net_at_gamma_zero_is_scikit_learns(any_table, l1_ratio, form):
    X, y, _ = any_table
    X = form(np.where(np.abs(X) < 0.5, 0, X))
    options = {"C": 0.02, "l1_ratio": l1_ratio}
    theirs = saga(**options).fit(X, y)
    ours = FocalLogisticRegression(0.0, **options, **TIGHT).fit(X, y)
    assert 0 < np.count_nonzero(ours.coef_) < ours.coef_.size
    assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    # the intercepts of several classes are free by a common shift
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_elastic_net_satisfies_the_conditions_of_the_optimum(gamma):
    """Finite differences of the loss balance the penalty: exactly, or within it at 0."""
    X, y, _ = table()
    model = FocalLogisticRegression(gamma, "balanced", C=0.02, l1_ratio=0.7, **TIGHT).fit(X, y)
    coef, intercept = model.coef_[0], model.intercept_[0]
    assert 0 < np.count_nonzero(coef) < coef.size

    def smooth(coef, intercept):
        return elastic_net(model, X, y, coef, intercept) - 0.7 * np.abs(coef).sum()

    for j, e in enumerate(np.eye(coef.size) * 1e-5):
        slope = (smooth(coef + e, intercept) - smooth(coef - e, intercept)) / 2e-5
        if coef[j] == 0:
            assert abs(slope) <= 0.7 * (1 + 1e-6)
        else:
            assert slope == pytest.approx(-0.7 * np.sign(coef[j]), abs=1e-5)
    slope = (smooth(coef, intercept + 1e-5) - smooth(coef, intercept - 1e-5)) / 2e-5
    assert slope == pytest.approx(0, abs=1e-5)


def test_elastic_net_of_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 400))
    y = X[:, 0] + X[:, 1] - X[:, 2] + rng.logistic(size=120) > 0
    options = {"C": 0.1, "l1_ratio": 0.9}
    theirs = saga(**options).fit(X, y)
    ours = FocalLogisticRegression(0.0, **options, **TIGHT).fit(X, y)
    assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)


def test_warm_starts_along_a_path_of_penalties():
    X, y, _ = table()
    warm = FocalLogisticRegression(1.0, l1_ratio=1.0, tol=1e-8, max_iter=500, warm_start=True)
    iterations, cold_iterations = 0, 0
    for C in np.geomspace(0.005, 0.5, 8):
        iterations += warm.set_params(C=C).fit(X, y).n_iter_[0]
        cold = FocalLogisticRegression(1.0, C=C, l1_ratio=1.0, tol=1e-8, max_iter=500).fit(X, y)
        cold_iterations += cold.n_iter_[0]
        assert_array_equal(warm.coef_ == 0, cold.coef_ == 0)
        assert_allclose(warm.coef_, cold.coef_, atol=1e-6)
    assert iterations < cold_iterations


@pytest.mark.parametrize("layout", ["C", "F", "strided"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_and_precision_of_x_do_not_matter(layout, dtype):
    X, y, _ = table(n_rows=3000)
    expected = FocalLogisticRegression(2.0).fit(X, y)
    X = np.repeat(X, 2, axis=1)[:, ::2] if layout == "strided" else np.array(X, order=layout)
    model = FocalLogisticRegression(2.0).fit(X.astype(dtype, copy=False), y)
    assert model.coef_.dtype == dtype
    assert_allclose(model.coef_, expected.coef_, atol=1e-3 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_threads_change_nothing_but_the_order_of_sums(n_classes, form, monkeypatch):
    monkeypatch.setattr("skfocal._kernels._threads.MIN_NUMBERS", 100)
    X, y, weight = table(n_classes)
    one, two = (
        FocalLogisticRegression(2.0, solver="lbfgs", n_jobs=n, **TIGHT).fit(form(X), y, weight)
        for n in (1, 2)
    )
    assert_allclose(one.coef_, two.coef_, atol=1e-7)


def test_verbose_tells_of_each_iteration(capsys):
    X, y, _ = table()
    model = FocalLogisticRegression(solver="newton-cholesky", verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_[0] > 1
    values = [float(line.split()[2]) for line in lines]
    assert values == sorted(values, reverse=True)


@pytest.mark.slow(8)
@pytest.mark.parametrize("shape", [(60_000, 100), (24_000, 600)])
def test_memory_stays_within_a_tenth_of_x(shape):
    """Dense X, all solvers: what is allocated in fit, beside X, as tracemalloc sees it."""
    import tracemalloc

    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    y = (X[:, 0] + rng.logistic(size=len(X)) > 2).astype(int)
    for solver in SOLVERS:
        options = {"l1_ratio": 0.5, "C": 0.01} if solver == "prox-newton" else {}
        model = FocalLogisticRegression(2.0, solver=solver, max_iter=3, tol=0.0, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X[:500], y[:500])
            peaks = []
            for _ in range(2):  # threads that other tests have left may allocate meanwhile
                tracemalloc.start()
                model.fit(X, y)
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
        assert min(peaks) <= 0.1 * X.nbytes, solver


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_a_class_without_weight_is_as_in_scikit_learn(n_classes, link):
    X, y, weight = table(n_classes)
    for absent in range(n_classes):
        bag = np.where(y == absent, 0.0, weight)
        model = FocalLogisticRegression(0.0, link=link).fit(X, y, sample_weight=bag)
        theirs = LogisticRegression().fit(X, y, sample_weight=bag)
        assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=3e-3)
        focal = FocalLogisticRegression(2.0, "balanced", link=link).fit(X, y, sample_weight=bag)
        assert focal.predict_proba(X)[:, absent].max() < 1e-8
