"""What holds of each loss, objective and linear model, of drawn tables and parameters.

The witnesses are the formulas of the paper in plain NumPy, finite differences, SciPy's
minimiser, scikit-learn's LogisticRegression, and the same rows in another form. How many
examples there are is the profile's: see `draws.share`.
"""

import pickle
import warnings
from types import SimpleNamespace

import draws
import numpy as np
from draws import share
from hypothesis import assume, event, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skfocal import FocalLogisticRegression, FocalObjective
from skfocal.losses import make_loss

LOSSES, FITS = share(1.0), share(0.25)


def scale_of(*arrays):
    return max(float(np.abs(a).max()) for a in arrays) or 1.0


# Losses


@LOSSES
@given(draws.losses_and_margins(st.just("focal")))
def test_focal_link_is_the_formula_of_the_paper(drawn):
    parameters, y, raw, weight = drawn
    loss = make_loss(*parameters)
    expected = draws.focal_loss(y, raw, loss.class_gamma, loss.class_weight)
    expected = expected if weight is None else expected * weight
    assert_allclose(loss.loss(y, raw, weight), expected, rtol=1e-9, atol=1e-300)


@LOSSES
@given(draws.losses_and_margins(hessians=("upper", "exact", "abs")), st.integers(0, 3))
def test_gradient_is_the_finite_difference_of_the_loss(drawn, column):
    parameters, y, raw, weight = drawn
    loss = make_loss(*parameters)
    value, gradient, hessian = loss.loss_gradient_hessian(y, raw, weight)
    assert all(np.isfinite(a).all() for a in (value, gradient, hessian))
    step = np.full(raw.shape, 1e-4) if raw.ndim == 1 else np.zeros(raw.shape)
    if raw.ndim > 1:
        column %= raw.shape[1]
        gradient, hessian, step[:, column] = gradient[:, column], hessian[:, column], 1e-4
    ahead, behind = (loss.loss(y, raw + s * step, weight) for s in (1, -1))
    size = np.maximum(np.abs(ahead), np.abs(behind))
    difference = (ahead - behind) / 2e-4
    bound = 1e-6 * np.abs(gradient) + 1e-6 * size + 1e-9 * scale_of(hessian)
    assert (np.abs(gradient - difference) <= bound + 1e-300).all()
    if parameters[3] == "exact":
        ahead, behind = (loss.gradient(y, raw + s * step, weight) for s in (1, -1))
        if raw.ndim > 1:
            ahead, behind = ahead[:, column], behind[:, column]
        difference = (ahead - behind) / 2e-4
        size = np.maximum(np.abs(ahead), np.abs(behind))
        # the error of the difference is about step**2 gamma**3 / 6
        assert (np.abs(hessian - difference) <= 1e-4 * size + 1e-300).all()


@LOSSES
@given(draws.losses_and_margins(st.just("focal")))
def test_upper_hessian_bounds_the_exact_one(drawn):
    (n_classes, gamma, alpha, _, link), y, raw, weight = drawn
    upper, exact, size = (
        make_loss(n_classes, gamma, alpha, kind, link).gradient_hessian(y, raw, weight)[1]
        for kind in ("upper", "exact", "abs")
    )
    assert (upper >= 0).all()
    if n_classes == 2:  # for more it is no bound of the diagonal alone
        assert (upper >= exact - 1e-12 * np.abs(exact)).all()
    assert_allclose(size, np.abs(exact), rtol=1e-12)


@LOSSES
@given(draws.losses_and_margins(largest=12.0), st.sampled_from([1.0, 1e-6]))
def test_posterior_and_margins_are_inverse(drawn, rarest):
    (n_classes, gamma, alpha, _, link), y, _, _ = drawn
    loss = make_loss(n_classes, gamma, alpha, link=link)
    rng = np.random.default_rng(len(y))
    P = rng.dirichlet(np.ones(n_classes), len(y))
    P[:, 0] *= rarest
    P = np.maximum(P / P.sum(axis=1, keepdims=True), 1e-12)
    P /= P.sum(axis=1, keepdims=True)
    raw = loss.raw_prediction(P)
    assert_allclose(loss.posterior(raw), P, rtol=1e-7)
    assert_allclose(draws.sigmoid_or_softmax(loss.log_odds(raw)), P, rtol=1e-7)
    other = make_loss(n_classes, gamma, alpha, link="posterior" if link == "focal" else "focal")
    there = loss.convert(raw, other.link)
    assert_allclose(other.posterior(there), P, rtol=1e-7)
    assert_allclose(loss.posterior(other.convert(there, link)), P, rtol=1e-7)
    assert_allclose(loss.loss(y, raw), other.loss(y, there), rtol=1e-6, atol=1e-300)


@LOSSES
@given(draws.losses_and_margins())
def test_expected_gradient_is_zero_at_the_posterior(drawn):
    """The posterior of margins is the share of labels for which these margins are optimal."""
    parameters, _, raw, _ = drawn
    loss = make_loss(*parameters)
    P = loss.posterior(raw)
    expected, size = 0.0, 0.0
    for code in range(loss.n_classes):
        gradient = loss.gradient(np.full(len(P), code), raw)
        part = (gradient.T * P[:, code]).T
        expected, size = expected + part, size + np.abs(part)
    assert (np.abs(expected) <= 1e-7 * size + 1e-13 * scale_of(*loss.class_weight)).all()


@LOSSES
@given(draws.losses_and_margins())
def test_start_has_the_shares_as_posterior(drawn):
    parameters, y, _, weight = drawn
    y = np.append(y, np.arange(parameters[0]))
    weight = None if weight is None else np.append(weight, np.ones(parameters[0]))
    loss = make_loss(*parameters)
    shares = np.bincount(y, weights=weight) / (len(y) if weight is None else weight.sum())
    P = loss.posterior(np.asarray(loss.intercept(y, weight))[np.newaxis])[0]
    assert_allclose(P, shares, rtol=1e-7, atol=2e-9)


@LOSSES
@given(draws.losses_and_margins(largest=8.0))
def test_single_precision_is_near_to_double(drawn):
    parameters, y, raw, weight = drawn
    loss, raw = make_loss(*parameters), raw.astype(np.float32)
    double = loss.loss_gradient_hessian(y, raw.astype(np.float64), weight)
    for ours, expected in zip(loss.loss_gradient_hessian(y, raw, weight), double, strict=True):
        assert ours.dtype == np.float32
        assert np.isfinite(ours).all()
        smallest = np.finfo(np.float32).smallest_subnormal
        assert_allclose(ours, expected, rtol=2e-4, atol=1e-5 * scale_of(expected) + smallest)


# Objectives


@LOSSES
@given(
    draws.losses_and_margins(largest=60.0, hessians=("upper", "exact", "abs")),
    st.sampled_from([np.float32, np.float64]),
    st.data(),
)
def test_objective_is_finite_and_the_same_twice(drawn, dtype, data):
    (n_classes, gamma, _, hessian, link), y, raw, weight = drawn
    y = np.append(y, np.arange(n_classes)).astype(np.float32)
    raw = np.concatenate([raw, raw[:1].repeat(n_classes, axis=0)]).astype(dtype)
    weight = None if weight is None else np.append(weight, np.ones(n_classes))
    total = len(y) if weight is None else weight.sum()
    alpha = data.draw(draws.alphas(n_classes, np.arange(n_classes), total))
    objective = FocalObjective(gamma, alpha, hessian, link)
    found = objective(y, raw, weight)
    copies = [a.copy() for a in found]
    for array in found:
        assert array.dtype == np.float32
        assert array.shape == raw.shape
        assert np.isfinite(array).all()
    assert (found[1] >= np.float32(1e-16)).all()
    if hessian == "upper" and not objective.loss_.is_cross_entropy:
        # a weight that brings both below the floor may make the quotient smaller
        assert (np.abs(found[0]) <= 4.001 * found[1]).all()
    objective(y, raw[::-1].copy(), weight)
    again = objective(y, raw, weight)
    # only which library it is follows from the form of the call
    dataset = SimpleNamespace(get_label=lambda: y, get_weight=lambda: weight)
    by_dataset = objective(raw, dataset)
    for array, copy, same, other in zip(found, copies, again, by_dataset, strict=True):
        assert_array_equal(array, copy)
        assert_array_equal(same, copy)
        assert not np.shares_memory(array, same)
        assert_allclose(other, copy, rtol=1e-6 if n_classes == 2 else 0.51, atol=1e-15)
    proba = objective.predict_proba(raw)
    assert np.isfinite(proba).all()
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)


# The linear model

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
    other, warned_too = fit(
        problem, rows.X * unit + offset * unit, C=C, **TIGHT
    )
    assume(not (warned or warned_too))
    P = other.predict_proba(rows.X * unit + offset * unit)
    assert_allclose(P, model.predict_proba(rows.X), atol=1e-3 if free else 1e-5)
