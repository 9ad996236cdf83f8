"""The formulas of the focal loss, for one margin at a time.

A margin is the raw score of a model, before sigmoid or softmax. The functions are plain Python
on floats; the kernels compile the same source. Only ``math`` is imported. Functions are looked
up as globals, so that a kernel can replace ``exp``, ``log1p``, ``log1p_unit`` and ``power``.
Its ``exp`` takes only arguments <= 0.

Notation, for the margin ``m`` of a row's true class (binary: ``m = z`` for a positive row and
``-z`` for a negative one; softmax: the true class's margin less the logsumexp of the others):

    p = sigmoid(m), the paper's p_t        s = softplus(-m) = -log p
    q = 1 - p = sigmoid(-m)                t = softplus(m)  = -log q

All formulas are functions of the margin, never of 1 - p. They clip nothing. 0 < gamma < 1 is no
special case, because no power (1 - p)**(gamma - 1) occurs. Numbers such as (M1) are those of the
formulas in docs/mathematics.md.

References
----------
Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002.
Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation,
CVPR 2021, arXiv:2011.09172.
"""

from math import exp, expm1, inf, log, log1p

log1p_unit = log1p  # for arguments in [0, 1]; a kernel replaces it by a cheaper one


def sigmoids(m):
    """p, q, s and c = log1p(exp(-|m|)) of the margin m, each exact to a few last places."""
    e = exp(-abs(m))
    c = log1p_unit(e)
    r = 1.0 / (1.0 + e)
    positive = m >= 0.0
    p = r if positive else e * r
    q = e * r if positive else r
    return p, q, c + max(-m, 0.0), c


def power(m, c, gamma):
    """q**gamma, where -log q = max(m, 0) + c, with c from `sigmoids`."""
    return exp(-gamma * (max(m, 0.0) + c))


def loss_gradient_hessian(m, gamma, exact):
    """Focal loss l, l', and l'' or, unless ``exact``, its upper bound, of the margin m.

        l(m) = q**gamma s                                    (M1; Lin et al. 2017, eq. 4)
        l'(m) = -q**gamma (q + gamma p s), always negative                           (M2)
        l''(m) = p q**gamma [(1 + 2 gamma) q + gamma (gamma p - q) s]                (M3)

    l'' is negative for badly missed rows. The bound (1 + gamma) p |l'(m)| (M4) is positive. It
    exceeds l'' by gamma p q**gamma (s - q), where s = -log(1 - q) >= q. At gamma = 0 the two are
    equal.
    """
    p, q, s, c = sigmoids(m)
    factor = power(m, c, gamma)
    first = -factor * (q + gamma * p * s)
    if exact:
        second = p * factor * ((1.0 + 2.0 * gamma) * q + gamma * (gamma * p - q) * s)
    else:
        second = -(1.0 + gamma) * p * first
    return factor * s, first, second


def cross_entropy(m, gamma, exact):
    """`loss_gradient_hessian` for gamma = 0: s, -q and p q."""
    p, q, s, _ = sigmoids(m)
    return s, -q, p * q


def scaled_softplus(m):
    """k(m) = exp(-m) softplus(m), which falls from 1 (m = -inf) to 0 (m = inf)."""
    e = exp(-abs(m))
    c = log1p_unit(e)
    # log1p(e) / e = 1 - e/2 + O(e**2). Where e underflows the quotient would be 0/0.
    left = 1.0 - 0.5 * e if e < 1e-8 else c / e
    return (m + c) * e if m > 0.0 else left


def log_odds(m, gamma):
    """Log of h(p) = -1 / phi'(p) with phi(p) = -(1 - p)**gamma log p.

    At the minimiser of the expected weighted focal loss the posterior of class k is
    proportional to h(p_k) / w_k (M7). Up to weights and normalisation this function therefore
    maps p to the posterior (Charoenphakdee et al. 2021; here with class weights and one gamma
    per class). In the margin,

        log h = gamma t - s - log1p(gamma k(-m)),                                    (M8)

    which is log p - (gamma - 1) log q - log(q - gamma p log p), expanded.
    """
    _, _, s, c = sigmoids(m)
    return gamma * (max(m, 0.0) + c) - s - log1p(gamma * scaled_softplus(-m))


def log_odds_slope(m, gamma):
    """Derivative of `log_odds`, positive for every margin and gamma >= 0.

    It is [2 gamma p + q + gamma (gamma - 1) p k] / (1 + gamma k) (M9) with k = k(-m), whose
    derivative is k - p.
    """
    p, q, _, _ = sigmoids(m)
    k = scaled_softplus(-m)
    return (2.0 * gamma * p + q + gamma * (gamma - 1.0) * p * k) / (1.0 + gamma * k)


def simplex_terms(m, x, back, gamma):
    """p, q, m - `log_odds` and 1 / `log_odds_slope` of a margin m < 700, with few divisions.

    exp(m) comes from the same division as 1 / (1 + exp(-m)); it would overflow for larger
    margins. With x = m and back = 1 the first result is p. With x = m + s <= 0 and
    back = exp(-s) it is p exp(s).
    """
    power = exp(-abs(x))
    e = power * back
    c = log1p_unit(e)
    low = m < 0.0
    r = 1.0 / (1.0 + e if low else e * (1.0 + e))
    q = r if low else e * e * r
    k = (c - m) * e if low else c * (1.0 + e) * r
    difference = (1.0 - gamma) * (max(m, 0.0) + c) + log1p(gamma * k)
    p = e * r
    inverse = (1.0 + gamma * k) / (2.0 * gamma * p + q + gamma * (gamma - 1.0) * p * k)
    return power * r, q, difference, inverse


def binary_log_odds(z, gamma_neg, gamma_pos):
    """T(z) = log(w+ P+ / (w- P-)) (M10), the weighted posterior log-odds of the margin z.

    T is strictly increasing. For equal gammas it is odd and close to (1 + gamma) z.
    """
    return log_odds(z, gamma_pos) - log_odds(-z, gamma_neg)


def posterior_terms(m, u, gamma, other_gamma):
    """Focal loss of two classes, and its slope and expected curvature under the posterior link.

    ``u`` are the log-odds of the posterior and ``m`` is the focal margin that has them, both of
    the row's own class. The derivatives are in ``u``. With T the map from margin to log-odds,

        dl/du = l'(m) / T'(m),    E[d2l/du2] = |dl/du| sigmoid(u).

    The expectation is over the labels, so it is the same for both labels.
    """
    value, first, _ = loss_gradient_hessian(m, gamma, False)
    slope = first / (log_odds_slope(m, gamma) + log_odds_slope(-m, other_gamma))
    eta, _, _, _ = sigmoids(u)
    return value, slope, -slope * eta


def _newton_step(x, low, high, residual, slope):
    """Newton's step from x, or the middle of (low, high) if the step leaves this bracket."""
    step = x - residual / slope
    if low < step < high:
        return step
    if low == -inf or high == inf:
        return step
    return 0.5 * (low + high)


def binary_margin(u, gamma_neg, gamma_pos):
    """The margin z with ``binary_log_odds(z) = u``, by Newton's method within a bracket."""
    z = u / (1.0 + (gamma_pos if u > 0.0 else gamma_neg))
    low, high = -inf, inf
    for _ in range(100):
        residual = binary_log_odds(z, gamma_neg, gamma_pos) - u
        if residual < 0.0:
            low = z
        elif residual > 0.0:
            high = z
        else:
            return z
        slope = log_odds_slope(z, gamma_pos) + log_odds_slope(-z, gamma_neg)
        new = _newton_step(z, low, high, residual, slope)
        if abs(new - z) <= 1e-16 + 2e-16 * abs(z):
            return new
        z = new
    return z


def margin_of_log_odds(v, gamma):
    """The margin m with ``log_odds(m, gamma) = v``; infinity where there is none.

    For gamma > 0 log h is not bounded above. For gamma = 0 it is log p < 0.
    """
    if gamma == 0.0:
        return inf if v >= 0.0 else v - log(-expm1(v))
    m = v if v < 0.0 else min(v / gamma, v + 40.0)
    low, high = -inf, inf
    for _ in range(100):
        residual = log_odds(m, gamma) - v
        if residual < 0.0:
            low = m
        elif residual > 0.0:
            high = m
        else:
            return m
        new = _newton_step(m, low, high, residual, log_odds_slope(m, gamma))
        if new > 800.0:  # long before this p is 1 to the last place
            return inf
        if abs(new - m) <= 1e-16 + 2e-16 * abs(m):
            return new
        m = new
    return m


def _excess(c, target, gamma, margin):
    """sum(p) - 1 and its derivative in c for log h(p_k) = target_k - c; fills margin.

    The sum has -q of the largest class, which is p - 1. This keeps its digits where the share
    of one class is nearly 1.
    """
    top = 0
    for k in range(len(target)):
        margin[k] = margin_of_log_odds(target[k] - c, gamma[k])
        if margin[k] > margin[top]:
            top = k
    if margin[top] == inf:
        return inf, -1.0
    total, slope = 0.0, 0.0
    for k in range(len(target)):
        p, q, _, _ = sigmoids(margin[k])
        total += -q if k == top else p
        slope -= p * q / log_odds_slope(margin[k], gamma[k])
    return total, slope


def multiclass_margins(target, gamma, margin):
    """Fill ``margin`` with logit(p_k) where log h(p_k) = target_k - c and sum(p) = 1.

    ``target`` is log(w_k P_k). The function is the inverse of the map to the posterior. With
    the classes' shares for P it gives the constant that minimises the weighted focal loss. The
    bounds of c are the smallest and the largest value at which one class has p = 1 / K.
    """
    n_classes = len(target)
    even = -log(n_classes - 1.0)
    low, high = inf, -inf
    for k in range(n_classes):
        c = target[k] - log_odds(even, gamma[k])
        low, high = min(low, c), max(high, c)
    c = high
    for _ in range(200):
        excess, slope = _excess(c, target, gamma, margin)
        if excess > 0.0:
            low = c
        elif excess < 0.0:
            high = c
        else:
            break
        new = 0.5 * (low + high) if excess == inf else _newton_step(c, low, high, excess, slope)
        if new == c or high - low <= 2e-16 * abs(c):
            break
        c = new
    _set_top_margin(margin)


def _set_top_margin(margin):
    """Compute the largest margin from the sum of the others' p, where this sum is tiny.

    At gamma = 0 log h is log p, which hardly changes with large margins. Beyond a margin of 36
    the changes are below the rounding error of target_k - c.
    """
    top = 0
    for k in range(len(margin)):
        if margin[k] > margin[top]:
            top = k
    rest = 0.0
    for k in range(len(margin)):
        if k != top:
            p, _, _, _ = sigmoids(margin[k])
            rest += p
    if 0.0 < rest < 1e-4:
        margin[top] = log1p((1.0 - 2.0 * rest) / rest)


def against_rest(z, k):
    """The margin of class k less the logsumexp of the others, and two parts of it.

    Returns z[k] - z[a] - log1p(rest), the index a of the largest of the others, and
    rest, the sum of exp(z_j - z_a) over the remaining classes. Class k is not in the sum, so
    that 1 - p_k keeps its digits however close p_k is to 1.
    """
    a = 1 if k == 0 else 0
    for j in range(len(z)):
        if j != k and z[j] > z[a]:
            a = j
    rest = 0.0
    for j in range(len(z)):
        if j != k and j != a:
            rest += exp(z[j] - z[a])
    return z[k] - z[a] - log1p(rest), a, rest


def softmax_margins(z, margin):
    """Fill ``margin`` with z_k - logsumexp over j != k, which is logit(softmax(z)_k)."""
    top = 0
    for j in range(len(z)):
        if z[j] > z[top]:
            top = j
    others = 0.0
    for j in range(len(z)):
        if j != top:
            others += exp(z[j] - z[top])
    for j in range(len(z)):
        if j != top:
            # no digits are lost: others - exp(..) >= 0, and log1p adds 1 to it
            rest = max(others - exp(z[j] - z[top]), 0.0)
            margin[j] = z[j] - z[top] - log1p(rest)
    margin[top], _, _ = against_rest(z, top)
