"""What holds of each objective, of drawn labels, margins and parameters."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfocal import FocalObjective
from tests import draws
from tests.draws import share

LOSSES = share(1.0)


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
