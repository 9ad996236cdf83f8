"""The formulas of the focal loss, one margin at a time (floor 0).

Plain Python on floats; the kernels compile these very functions. Only ``math`` is
imported, and what the functions call is looked up as globals, so that a kernel can bind
other implementations of ``exp`` (here for arguments <= 0), ``log1p``, ``log1p_unit`` and
``power``.

Notation, for a row whose true class has margin ``m`` (binary: ``m = z`` for a positive
row and ``-z`` for a negative one; softmax: the true class's margin less the logsumexp of
the others):

    p = sigmoid(m), the paper's p_t        s = softplus(-m) = -log p
    q = 1 - p = sigmoid(-m)                t = softplus(m)  = -log q

Everything is written in the margin, never in 1 - p: nothing is clipped, and
0 < gamma < 1 needs no special case because no power (1 - p)**(gamma - 1) is left.
Numbers such as (M1) are those of the formulas in docs/mathematics.md.

References
----------
Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002.
Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation,
CVPR 2021, arXiv:2011.09172.
"""

from math import exp, expm1, inf, log, log1p

log1p_unit = log1p  # for arguments in [0, 1], where a cheaper one may be bound


def sigmoids(m):
    """p, q, s and c = log1p(exp(-|m|)) of the margin m, each to a few last places."""
    e = exp(-abs(m))
    c = log1p_unit(e)
    r = 1.0 / (1.0 + e)
    positive = m >= 0.0
    p = r if positive else e * r
    q = e * r if positive else r
    return p, q, c + max(-m, 0.0), c


def power(m, c, gamma):
    """q**gamma, with c as from `sigmoids`: -log q = max(m, 0) + c."""
    return exp(-gamma * (max(m, 0.0) + c))


def loss_gradient_hessian(m, gamma, exact):
    """Focal loss l, l' and l'' of the margin m; l'' bounded above unless ``exact``.

        l(m) = q**gamma s                                    (M1; Lin et al. 2017, eq. 4)
        l'(m) = -q**gamma (q + gamma p s), always negative                           (M2)
        l''(m) = p q**gamma [(1 + 2 gamma) q + gamma (gamma p - q) s]                (M3)

    l'' is negative for badly missed rows. The bound (1 + gamma) p |l'(m)| (M4) is positive; it
    exceeds l'' by gamma p q**gamma (s - q), and s = -log(1 - q) >= q; the two are equal at
    gamma = 0.
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
    # log1p(e) / e = 1 - e/2 + O(e**2); the quotient is 0/0 once e underflows.
    left = 1.0 - 0.5 * e if e < 1e-8 else c / e
    return (m + c) * e if m > 0.0 else left


def log_odds(m, gamma):
    """Log of h(p) = -1 / phi'(p) with phi(p) = -(1 - p)**gamma log p.

    At the minimiser of the expected weighted focal loss the posterior of class k is
    proportional to h(p_k) / w_k: this function is the map from p to the posterior, up to
    weights and normalisation (Charoenphakdee et al. 2021, extended by class weights and
    one gamma per class): (M7). In the margin,

        log h = gamma t - s - log1p(gamma k(-m)),                                    (M8)

    the expanded form of log p - (gamma - 1) log q - log(q - gamma p log p).
    """
    _, _, s, c = sigmoids(m)
    return gamma * (max(m, 0.0) + c) - s - log1p(gamma * scaled_softplus(-m))


def log_odds_slope(m, gamma):
    """Derivative of `log_odds`, positive for every margin and gamma >= 0.

    With k = k(-m), whose derivative is k - p:
    [2 gamma p + q + gamma (gamma - 1) p k] / (1 + gamma k) (M9).
    """
    p, q, _, _ = sigmoids(m)
    k = scaled_softplus(-m)
    return (2.0 * gamma * p + q + gamma * (gamma - 1.0) * p * k) / (1.0 + gamma * k)


def simplex_terms(m, x, back, gamma):
    """p, q, m - `log_odds` and 1 / `log_odds_slope` of a margin m < 700, with few divisions.

    exp(m), for which larger margins leave no room, comes from the same division as
    1 / (1 + exp(-m)). p may be had exp(s) times as large, with x = m + s <= 0 and
    back = exp(-s); else x is m and back is 1.
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

    Strictly increasing; for equal gammas it is odd and close to (1 + gamma) z.
    """
    return log_odds(z, gamma_pos) - log_odds(-z, gamma_neg)


def posterior_terms(m, u, gamma, other_gamma):
    """Focal loss of two classes, and its slope and expected curvature under the posterior link.

    Derivatives are in the log-odds ``u`` of the posterior; ``m`` is the margin that belongs
    to it, both of the row's own class. With T the map from margin to log-odds,

        dl/du = l'(m) / T'(m),    E[d2l/du2] = |dl/du| sigmoid(u),

    the latter over the labels, and the same for both of them.
    """
    value, first, _ = loss_gradient_hessian(m, gamma, False)
    slope = first / (log_odds_slope(m, gamma) + log_odds_slope(-m, other_gamma))
    eta, _, _, _ = sigmoids(u)
    return value, slope, -slope * eta


def _newton_step(x, low, high, residual, slope):
    """Newton's step from x, or the middle of (low, high) where it leaves the bracket."""
    step = x - residual / slope
    if low < step < high:
        return step
    if low == -inf or high == inf:
        return step
    return 0.5 * (low + high)


def binary_margin(u, gamma_neg, gamma_pos):
    """The margin z with ``binary_log_odds(z) = u``: Newton, safeguarded by bisection."""
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

    log h is not bounded above for gamma > 0; for gamma = 0 it is log p < 0.
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
        if new > 800.0:  # p is 1 to the last place long before
            return inf
        if abs(new - m) <= 1e-16 + 2e-16 * abs(m):
            return new
        m = new
    return m


def _excess(c, target, gamma, margin):
    """sum(p) - 1 and its derivative in c for log h(p_k) = target_k - c; fills margin.

    The largest class enters by its complement q, which keeps the sum exact where one
    class holds nearly everything.
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

    ``target`` is log(w_k P_k): this inverts the posterior map, row by row, and with class
    shares for P it gives the constant that minimises the weighted focal loss. Both
    brackets of c are where the class that binds has p = 1 / K.
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
    """The largest margin from the sum of the others' p, where that is tiny.

    At gamma = 0 log h is log p, which tells margins less and less apart, from 36 on no more.
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
    """The margin of class k against the logsumexp of the others, and two parts of it.

    Returns z[k] - z[a] - log1p(rest), the index a of the largest of the others, and
    rest = sum of exp(z_j - z_a) over the remaining ones. Class k never enters the sum, so
    1 - p_k loses no digit however close p_k is to 1.
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
            # others - exp(..) >= 0 and log1p sees it beside 1: no digits are lost
            rest = max(others - exp(z[j] - z[top]), 0.0)
            margin[j] = z[j] - z[top] - log1p(rest)
    margin[top], _, _ = against_rest(z, top)
