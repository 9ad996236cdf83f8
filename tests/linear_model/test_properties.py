"""What holds of each linear model, of drawn tables and parameters.

The witnesses are the formulas of the paper in plain NumPy, SciPy's minimiser, scikit-learn's
LogisticRegression, and the same rows in another form. How many examples there are is the
profile's: see `draws.share`.
"""

import pickle
import warnings

import numpy as np
from hypothesis import assume, event, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skfocal import FocalLogisticRegression
from tests import draws
from tests.draws import share

FITS = share(0.25)
TIGHT = {"tol": 1e-9, "max_iter": 500}
PENALTIES = st.sampled_from([1e-3, 0.1, 1.0, 100.0])


def fit(problem, X=None, rows=None, y=None, **parameters):
    """A fitted linear model, and whether it said that it has not converged."""
    rows = problem.rows if rows is None else rows
    y = problem.classes[rows.y] if y is None else y
    model = FocalLogisticRegression(**{**problem.focal, **parameters})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(rows.X if X is None else X, y, sample_weight=rows.weight)
    return model, bool(caught)


def objective_of(model, rows, theta):
    """The documented objective; the losses of the focal link from their formula."""
    loss, r = model.loss_, model.l1_ratio
    coef, intercept = theta[:-1], theta[-1]
    raw = rows.X @ coef + intercept
    raw = raw[:, 0] if rows.n_classes == 2 else raw
    if loss.link == "focal":
        values = draws.focal_loss(rows.y, raw, loss.class_gamma, loss.class_weight)
    else:
        values = loss.loss(rows.y, raw)
    total = values.sum() if rows.weight is None else values @ rows.weight
    penalty = (1 - r) / 2 * np.square(coef).sum() + r * np.abs(coef).sum()
    return total + (penalty / model.C if np.isfinite(model.C) else 0.0)


def descended(model, rows, theta):
    """Where SciPy's L-BFGS-B ends from theta, in columns of mean 0 and deviation 1."""
    loss, r, m = model.loss_, model.l1_ratio, theta.shape[1]
    center = rows.X.mean(axis=0) if model.fit_intercept else np.zeros(rows.X.shape[1])
    unit = np.sqrt(np.square(rows.X - center).mean(axis=0))
    unit[unit <= 1e-9 * np.abs(center)] = 1.0
    Z, p = (rows.X - center) / unit, len(unit)

    def back(flat):
        plus, minus, intercept = np.split(flat.reshape(-1, m), [p, 2 * p])
        coef = (plus - minus) / unit[:, np.newaxis]
        return np.vstack([coef, intercept - center @ coef])

    def function(flat):
        plus, minus, intercept = np.split(flat.reshape(-1, m), [p, 2 * p])
        raw = Z @ (plus - minus) + intercept
        raw = raw[:, 0] if rows.n_classes == 2 else raw
        values, slopes = loss.loss_gradient(rows.y, raw, rows.weight)
        slopes = slopes.reshape(len(slopes), -1)
        coef, width = (plus - minus) / unit[:, np.newaxis], 1 / unit[:, np.newaxis]
        value = values.sum() + (1 - r) / 2 / model.C * np.square(coef).sum()
        value += r / model.C * ((plus + minus) * width).sum()
        slope = Z.T @ slopes + (1 - r) / model.C * coef * width
        both = [slope + r / model.C * width, -slope + r / model.C * width]
        last = slopes.sum(axis=0, keepdims=True) * bool(model.fit_intercept)
        return value / size, np.vstack([*both, last]).ravel() / size

    start = theta[:-1] * unit[:, np.newaxis]
    flat = np.vstack([start.clip(0), (-start).clip(0), theta[-1:] + center @ theta[:-1]]).ravel()
    size = 1.0
    size = function(flat)[0] or 1.0
    bounds = [(0, None)] * (2 * p * m) + [(None, None)] * m
    options = {"maxiter": 300, "ftol": 1e-15, "gtol": 1e-12}
    found = minimize(function, flat, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return back(found.x)


@FITS
@given(draws.problems(), PENALTIES, st.sampled_from([0.0, 0.0, 0.5, 1.0]), st.booleans(), st.data())
def test_linear_model_is_at_a_minimum_or_warns(problem, C, l1_ratio, fit_intercept, data):
    rows = problem.rows
    solvers = ["auto"] if l1_ratio else ["auto", "lbfgs", "newton-cholesky"]
    model, warned = fit(
        problem,
        C=C,
        l1_ratio=l1_ratio,
        fit_intercept=fit_intercept,
        solver=data.draw(st.sampled_from([*solvers, "prox-newton"])),
        class_weight=data.draw(draws.class_weights(problem.classes, problem.focal["focal_alpha"])),
    )
    draws.check_model(model, rows.X, model.loss_)
    assert model.coef_.dtype == np.float64
    event("warned" if warned else "converged")
    if warned:
        return
    theta = np.vstack([model.coef_.T, model.intercept_])
    null = np.zeros_like(theta)
    if fit_intercept:
        null[-1] = model.loss_.intercept(rows.y, rows.weight)
    value, at_null = (objective_of(model, rows, t) for t in (theta, null))
    best = min(value, objective_of(model, rows, descended(model, rows, theta)))
    # tol=1e-4 promises 1e-8 of the gain by a quadratic model, which far from it says less
    assert value - best <= 1e-4 * (at_null - best) + 1e-11 * abs(at_null)


@FITS
@given(draws.problems(wild=False), PENALTIES, st.booleans())
def test_linear_model_at_gamma_zero_is_logistic_regression(problem, C, fit_intercept):
    problem.focal.update(focal_gamma=0.0, focal_alpha=None, link="focal")
    rows, common = problem.rows, {"C": C, "fit_intercept": fit_intercept}
    ours, warned = fit(problem, **common, **TIGHT)
    assume(not warned)
    theirs = LogisticRegression(tol=1e-10, max_iter=10_000, **common)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(rows.X, problem.y, sample_weight=rows.weight)
    assert_allclose(ours.predict_proba(rows.X), theirs.predict_proba(rows.X), atol=1e-4)
    theta = [np.vstack([np.atleast_2d(m.coef_).T, m.intercept_]) for m in (ours, theirs)]
    if rows.n_classes > 2 or len(theirs.intercept_) == 1:
        values = [objective_of(ours, rows, t) for t in theta]
        assert values[0] <= values[1] * (1 + 1e-9)


@FITS
@given(draws.problems(weights=["counts"], wild=False), PENALTIES)
def test_linear_weights_are_repeated_rows_and_zero_is_absent(problem, C):
    rows = problem.rows
    weighted, warned = fit(problem, C=C, **TIGHT)
    times = rows.weight.astype(int)
    many = rows.at(np.arange(len(times)).repeat(times))
    repeated, warned_too = fit(problem, rows=draws.replace(many, weight=None), C=C, **TIGHT)
    assume(not (warned or warned_too))
    assert_allclose(weighted.predict_proba(rows.X), repeated.predict_proba(rows.X), atol=1e-5)
    present, _ = fit(problem, rows=rows.at(times > 0), C=C, **TIGHT)
    assert_allclose(weighted.predict_proba(rows.X), present.predict_proba(rows.X), atol=1e-8)


@FITS
@given(draws.problems(wild=False), PENALTIES, st.sampled_from([0.0, 0.5]))
def test_linear_model_does_not_see_the_order_of_rows_and_columns(problem, C, l1_ratio):
    rows = problem.rows
    parameters = {"C": C, "l1_ratio": l1_ratio, **TIGHT}
    model, warned = fit(problem, **parameters)
    index, columns = rows.rng.permutation(len(rows.y)), rows.rng.permutation(rows.X.shape[1])
    other = rows.at(index)
    permuted, warned_too = fit(problem, other.X[:, columns], other, **parameters)
    assume(not (warned or warned_too))
    expected = model.predict_proba(rows.X)[index]
    assert_allclose(permuted.predict_proba(other.X[:, columns]), expected, atol=1e-5)


@FITS
@given(draws.problems(wild=False), PENALTIES, st.sampled_from(["rename", "reverse"]))
def test_linear_model_does_not_see_names_of_labels(problem, C, how):
    rows, focal, k = problem.rows, dict(problem.focal), problem.rows.n_classes
    model, warned = fit(problem, C=C, **TIGHT)
    focal["focal_alpha"] = list(model.loss_.class_weight)
    names = np.array(["k", "l", "m", "n"])[:k]
    if how == "reverse":
        names = names[::-1]
        focal["focal_alpha"] = focal["focal_alpha"][::-1]
        focal["focal_gamma"] = list(model.loss_.class_gamma)[::-1]
    other, warned_too = fit(problem, y=names[rows.y], C=C, **TIGHT, **focal)
    assume(not (warned or warned_too))
    step = -1 if how == "reverse" else 1
    P = other.predict_proba(rows.X)[:, ::step]
    assert_allclose(P, model.predict_proba(rows.X), atol=1e-5 if step < 0 else 1e-12)


@FITS
@given(draws.problems(wild=False), st.sampled_from(draws.LAYOUTS), PENALTIES)
def test_linear_model_does_not_see_the_layout(problem, layout, C):
    rows = problem.rows
    X = draws.laid_out(rows.X, layout)
    model, warned = fit(problem, X, C=C, **TIGHT)
    draws.check_model(model, X, model.loss_, rtol=1e-4)
    dense = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    plain, warned_too = fit(problem, dense, C=C, **TIGHT)
    assume(not (warned or warned_too))
    single = layout == "float32"
    assert model.coef_.dtype == (np.float32 if single else np.float64)
    expected = plain.predict_proba(dense)
    assert_allclose(model.predict_proba(X), expected, atol=5e-3 if single else 1e-5)
    copy = pickle.loads(pickle.dumps(model))
    assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert_array_equal(copy.predict(X), model.predict(X))


@FITS
@given(draws.problems(wild=False), st.integers(0, 2**32 - 1))
def test_linear_model_does_not_see_units(problem, seed):
    """Other scales and offsets of the columns; with a penalty only offsets are invisible."""
    rows, rng = problem.rows, np.random.default_rng(seed)
    p = rows.X.shape[1]
    offset = rng.normal(size=p) * rng.choice([0.0, 1.0, 1e4], p)
    # rows that are many, and labels that are noisy: else there is no finite minimum
    free = seed % 2 and len(rows.y) > 20 * p * rows.n_classes
    unit = 10.0 ** rng.uniform(-6, 6, p) if free else np.ones(p)
    C = np.inf if free else 1.0
    model, warned = fit(problem, C=C, **TIGHT)
    other, warned_too = fit(problem, rows.X * unit + offset * unit, C=C, **TIGHT)
    assume(not (warned or warned_too))
    P = other.predict_proba(rows.X * unit + offset * unit)
    assert_allclose(P, model.predict_proba(rows.X), atol=1e-3 if free else 1e-5)
