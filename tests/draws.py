"""Random tables, losses and settings that the tests of properties draw.

Hypothesis draws few things: seeds, sizes and choices. NumPy makes the numbers, which is quick.
The number of examples is the profile's times a share, since a fit costs more than a loss.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import expit, logsumexp

# A fit takes as long as it takes, and a failure prints what draws it again: no data base of them.
COMMON = {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": list(HealthCheck),
}


def register_profiles(n_thorough):
    """Profile "quick" draws the same in each run, "thorough" as --hypothesis-seed says."""
    settings.register_profile("quick", max_examples=100, derandomize=True, **COMMON)
    settings.register_profile("thorough", max_examples=n_thorough, **COMMON)
    settings.load_profile("quick")


def share(of_examples):
    """Settings of a test that runs this share of the profile's examples."""
    return settings(max_examples=max(1, round(of_examples * settings().max_examples)))


@dataclass(frozen=True, repr=False)
class Rows:
    """A table, class codes of which each occurs, and sample weights or None."""

    X: Any
    y: Any
    weight: Any
    n_classes: int
    rng: np.random.Generator

    def __repr__(self):
        weight = None if self.weight is None else self.weight[:5]
        return f"Rows({self.X.shape}, totals {np.bincount(self.y)}, {self.X[:3]}, {weight})"

    def at(self, index):
        weight = None if self.weight is None else self.weight[index]
        return replace(self, X=self.X[index], y=self.y[index], weight=weight)


WEIGHTS = ["none", "near 1", "with zeros", "counts", "large range", "small"]


def _weights(kind, rng, y):
    n = len(y)
    if kind == "none":
        return None
    if kind == "counts":
        weight = rng.integers(0, 5, n).astype(float)
    elif kind == "large range":
        weight = 10.0 ** rng.uniform(-5, 3, n)
    else:
        weight = rng.uniform(0.2, 3.0, n) * (1e-4 if kind == "small" else 1.0)
        if kind == "with zeros":
            weight[rng.uniform(size=n) < 0.3] = 0.0
    for code in range(y.max() + 1):  # a class without any weight has tests of its own
        first = np.flatnonzero(y == code)[0]
        weight[first] = weight[first] or 1.0
    return weight


def _codes(rng, raw, n_classes, rare):
    """Labels drawn by their margins, with one row at least of each class."""
    raw = raw - np.arange(n_classes) * rare
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    y[rng.permutation(len(y))[:n_classes]] = np.arange(n_classes)
    return y


@st.composite
def rows(draw, min_rows=2, max_rows=200, weights=WEIGHTS, wild=True):
    """`Rows` of columns with different scales, offsets and kinds; ``wild`` for extreme ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_classes = draw(st.sampled_from([2, 2, 3, 4]))
    n_rows = max(draw(st.integers(min_rows, max_rows)), n_classes)
    n_columns = draw(st.integers(1, 8))
    Z = rng.normal(size=(n_rows, n_columns))
    signal = draw(st.sampled_from([0.0, 1.0, 8.0]))  # 8: mostly separable
    raw = signal * Z @ rng.normal(size=(n_columns, n_classes))
    y = _codes(rng, raw, n_classes, draw(st.sampled_from([0.0, 2.0, 50.0])))
    if draw(st.booleans()):
        Z[:, rng.integers(n_columns)] = rng.integers(-2, 3, n_rows)
    if draw(st.booleans()):
        Z[rng.uniform(size=Z.shape) < 0.6] = 0.0
    if wild and draw(st.booleans()):
        scales = 10.0 ** rng.uniform(-5, 5, n_columns)
        Z = scales * (Z + rng.choice([0.0, 0.0, 3.0, 1000.0], n_columns))
    if wild and draw(st.booleans()):
        Z[:, rng.integers(n_columns)] = rng.choice([0.0, 1.0])  # a constant one
    weight = _weights(draw(st.sampled_from(weights)), rng, y)
    return Rows(Z, y, weight, n_classes, rng)


GAMMA = st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0, 20.0]) | st.floats(0, 20)


@st.composite
def gammas(draw, n_classes):
    """One number, or one for each class."""
    if draw(st.integers(0, 2)):
        return draw(GAMMA)
    return draw(st.lists(GAMMA, min_size=n_classes, max_size=n_classes))


def numbers_per_class(n_classes):
    number = st.floats(-2, 2).map(lambda power: float(f"{10.0**power:.3g}"))
    return st.lists(number, min_size=n_classes, max_size=n_classes)


@st.composite
def alphas(draw, n_classes, labels=None, total=np.inf):
    """All forms of alpha; words only where there are ``labels``."""
    forms = ["none", "none", "per class"] + ["number"] * (n_classes == 2)
    if labels is not None:
        forms += ["dict", "balanced", "effective", "beta"]
    form = draw(st.sampled_from(forms))
    if form == "none" or (form == "effective" and total <= 1.5):
        return None
    if form == "number":
        return draw(st.floats(0.01, 0.99))
    if form == "beta":
        return ("effective", draw(st.sampled_from([0.5, 0.99, 0.9999])))
    weights = draw(numbers_per_class(n_classes))
    if form == "dict":
        return dict(zip(labels.tolist(), weights, strict=True))
    return weights if form == "per class" else form


@st.composite
def class_weights(draw, labels, alpha):
    """A dict, which may leave out classes, or "balanced" where alpha does not balance."""
    word = isinstance(alpha, (str, tuple))
    form = draw(st.sampled_from(["none", "none", "dict"] + ["balanced"] * (not word)))
    if form == "none":
        return None
    if form == "balanced":
        return form
    weights = draw(numbers_per_class(len(labels)))
    named = zip(labels.tolist(), weights, strict=True)
    return dict(list(named)[draw(st.integers(0, len(labels) - 1)) :])


LINKS = st.sampled_from(["focal", "posterior"])


@st.composite
def labels(draw, n_classes):
    """Sorted labels of some type, one for each code."""
    kinds = {
        "codes": np.arange(n_classes),
        "negative": np.arange(n_classes) - 7,
        "text": np.array(["a", "b b", "c", "é"])[:n_classes],
        "floats": np.array([-2.0, 0.0, 1.0, 1e6])[:n_classes],
        "large": np.arange(n_classes) + 2**40,
        "objects": np.array(["a", "b b", "c", "é"], dtype=object)[:n_classes],
    }
    if n_classes == 2:
        kinds["booleans"] = np.array([False, True])
    return kinds[draw(st.sampled_from(sorted(kinds)))]


@dataclass(frozen=True)
class Problem:
    """What to fit: rows, their labels and the focal parameters of an estimator."""

    rows: Rows
    classes: Any
    focal: dict

    @property
    def y(self):
        return self.classes[self.rows.y]


@st.composite
def problems(draw, **of_rows):
    table = draw(rows(**of_rows))
    classes = draw(labels(table.n_classes))
    total = len(table.y) if table.weight is None else table.weight.sum()
    focal = {
        "focal_gamma": draw(gammas(table.n_classes)),
        "focal_alpha": draw(alphas(table.n_classes, classes, total)),
        "link": draw(LINKS),
    }
    return Problem(table, classes, focal)


@st.composite
def losses_and_margins(draw, links=LINKS, largest=30.0, hessians=("upper",)):
    """Parameters (n_classes, gamma, alpha, hessian, link), codes, margins and weights."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_classes = draw(st.sampled_from([2, 2, 3, 4]))
    link = draw(links)
    hessian = draw(st.sampled_from(hessians)) if link == "focal" else "upper"
    parameters = (n_classes, draw(gammas(n_classes)), draw(alphas(n_classes)), hessian, link)
    n_rows = draw(st.integers(1, 60))
    y = rng.integers(0, n_classes, n_rows)
    size = draw(st.sampled_from([0.1, 1.0, 5.0, largest]))
    raw = rng.uniform(-size, size, n_rows if n_classes == 2 else (n_rows, n_classes))
    weight = draw(st.sampled_from([None, 1.0, 1e-4, 1e4]))
    weight = None if weight is None else weight * rng.uniform(0.0, 3.0, n_rows)
    return parameters, y, raw, weight


LAYOUTS = ["C", "F", "strided", "reversed", "float32", "integer", "csr", "csc", "list"]


def laid_out(X, kind):
    """The same numbers in another container; float32 and integer round them."""
    if kind == "F":
        return np.asfortranarray(X)
    if kind == "strided":
        wide = np.full((2 * X.shape[0], 3 * X.shape[1]), np.nan)
        wide[::2, ::3] = X
        return wide[::2, ::3]
    if kind == "reversed":
        return X[::-1].copy()[::-1]
    if kind == "csr":
        return sparse.csr_array(X)
    if kind == "csc":
        return sparse.csc_array(X)
    if kind == "list":
        return X.tolist()
    dtypes = {"float32": np.float32, "integer": np.int64}
    if kind == "integer":
        assume(np.abs(X).max() < 1e9)
    return X.astype(dtypes.get(kind, X.dtype))


def focal_loss(codes, raw, gamma, class_weight):
    """The paper's formula in plain NumPy: w (1 - p_t)**gamma (-log p_t)."""
    gamma, class_weight = np.asarray(gamma)[codes], np.asarray(class_weight)[codes]
    if raw.ndim == 1:
        own = np.where(codes == 1, raw, -raw)
    else:
        is_own = np.arange(raw.shape[1]) == codes[:, np.newaxis]
        own = raw[is_own] - logsumexp(np.where(is_own, -np.inf, raw), axis=1)
    log_p, log_q = -np.logaddexp(0, -own), -np.logaddexp(0, own)
    return class_weight * np.exp(gamma * log_q) * -log_p


def sigmoid_or_softmax(raw):
    """Probabilities (n, K) of log-odds."""
    if raw.ndim == 1:
        return np.column_stack([expit(-raw), expit(raw)])
    shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def check_model(model, X, focal_loss_, rtol=1e-5):
    """What holds of all fitted classifiers: probabilities, log-odds, labels."""
    proba, odds, labels_ = model.predict_proba(X), model.decision_function(X), model.predict(X)
    assert np.isfinite(proba).all()
    assert (proba >= 0).all()
    assert (proba <= 1).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=rtol)
    wide = odds.astype(np.float64)
    np.testing.assert_allclose(sigmoid_or_softmax(wide), proba, rtol=rtol, atol=1e-7)
    log_odds = np.column_stack([0 * wide, wide]) if wide.ndim == 1 else wide
    score = np.sort(log_odds + np.log(focal_loss_.class_weight), axis=1)
    clear = score[:, -1] - score[:, -2] > 1e-4 * (1 + np.abs(score).max(axis=1))
    best = (log_odds + np.log(focal_loss_.class_weight)).argmax(axis=1)
    np.testing.assert_array_equal(labels_[clear], model.classes_[best][clear])
