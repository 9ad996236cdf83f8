"""Write values.json: focal loss in 50 and more digits, from the definition in p.

    python tests/reference/make_values.py

Needs mpmath. Nothing here uses the formulas of skfocal._math: losses are
-(1 - p)**gamma log(p) with their derivatives in p and the chain rule, posteriors and
constants are the stationary points of the expected loss. Digits are so many that
1 - sigmoid(700) loses none of the fifty that count.
"""

import json
from itertools import product
from pathlib import Path

from mpmath import exp, findroot, log, mp, mpf, nstr

mp.dps = 700

GAMMAS = ["0", "0.25", "0.5", "1", "2", "3.5", "5", "10"]
SIZES = ["1e-9", "0.001", "0.1", "0.5", "1", "2", "2.79", "3.5", "5", "10", "17.5"]
SIZES += ["30", "40", "80", "150", "300", "500", "700"]
MARGINS = ["0", *SIZES, *(f"-{size}" for size in SIZES)]
FILE = Path(__file__).with_name("values.json")


def in_p(p, gamma):
    """-(1 - p)**gamma log(p) and its first two derivatives in p."""
    q = 1 - p
    value = -(q**gamma) * log(p)
    first = gamma * q ** (gamma - 1) * log(p) - q**gamma / p
    second = (
        -gamma * (gamma - 1) * q ** (gamma - 2) * log(p)
        + 2 * gamma * q ** (gamma - 1) / p
        + q**gamma / p**2
    )
    return value, first, second


def binary(gamma, m):
    """Loss, gradient, exact and upper Hessian in the margin of the true class."""
    p = 1 / (1 + exp(-m))
    slope, bend = p * (1 - p), p * (1 - p) * (1 - 2 * p)
    value, first, second = in_p(p, gamma)
    gradient = first * slope
    hessian = second * slope**2 + first * bend
    return value, gradient, hessian, (1 + gamma) * p * abs(gradient)


def softmax(z):
    parts = [exp(v) for v in z]
    return [part / sum(parts) for part in parts]


def multiclass(gamma, z, t):
    """Loss, gradient, diagonals of the exact and of the upper Hessian in the margins."""
    p = softmax(z)
    value, first, second = in_p(p[t], gamma)
    size = abs(first) * p[t] * (1 - p[t])
    gradient, exact, upper = [], [], []
    for j, pj in enumerate(p):
        d = (j == t) - pj
        gradient.append(first * p[t] * d)
        exact.append(second * (p[t] * d) ** 2 + first * p[t] * (d**2 - pj * (1 - pj)))
        pi = 0 if j == t else pj / (1 - p[t])
        spread = pi * (1 - pi)
        upper.append(size * ((1 + gamma) * p[t] * (1 if j == t else pi) ** 2 + spread))
    return value, gradient, exact, upper


def posterior(gammas, weights, p):
    """The P at which the expected weighted loss is stationary in p on the simplex."""
    parts = [1 / (w * abs(in_p(pk, g)[1])) for g, w, pk in zip(gammas, weights, p, strict=True)]
    return [part / sum(parts) for part in parts]


def binary_constant(gammas, weights, share):
    """The margin whose posterior is ``share``."""

    def excess(z):
        p = 1 / (1 + exp(-z))
        own = posterior(gammas, weights, [1 - p, p])
        return log(own[1] / own[0]) - log(share / (1 - share))

    return findroot(excess, log(share / (1 - share)) / (1 + gammas[1]))


def multiclass_constant(gammas, weights, shares):
    """Log p of the point whose posterior is ``shares``."""

    def excess(*z):
        p = softmax([*z, mpf(0)])
        own = posterior(gammas, weights, p)
        return [
            log(o / own[-1]) - log(s / shares[-1]) for o, s in zip(own, shares[:-1], strict=False)
        ]

    start = [log(s / shares[-1]) / (1 + g) for s, g in zip(shares[:-1], gammas, strict=False)]
    root = findroot(excess, start)
    return [log(p) for p in softmax([*root, mpf(0)])]


def numbers(words):
    return [mpf(word) for word in words]


def tables():
    yield (
        "binary",
        ([g, m, *binary(mpf(g), mpf(m))] for g, m in product(GAMMAS, MARGINS)),
    )
    pairs = [(g, g, "1", "1") for g in GAMMAS]
    pairs += [("0", "4", "1", "1"), ("3.5", "0.5", "0.75", "0.25"), ("2", "2", "0.1", "90")]
    yield (
        "posterior",
        (
            [*pair, z, *posterior(numbers(pair[:2]), numbers(pair[2:]), [1 - p, p])]
            for pair in pairs
            for z in MARGINS
            for p in [1 / (1 + exp(-mpf(z)))]
        ),
    )
    shares = ["0.5", "0.9", "0.1", "0.05", "0.01", "0.001", "0.0001"]
    yield (
        "constant",
        (
            [*pair, share, binary_constant(numbers(pair[:2]), numbers(pair[2:]), mpf(share))]
            for pair in pairs
            for share in shares
        ),
    )
    rows = [
        ["0", "0", "0"],
        ["1", "-2", "0.5"],
        ["30", "29.5", "-40"],
        ["-300", "10", "10.5"],
        ["700", "-700", "3"],
        ["4", "4", "4", "-4", "60"],
    ]
    yield (
        "multiclass",
        (
            [g, row, t, *multiclass(mpf(g), numbers(row), t)]
            for g in GAMMAS
            for row in rows
            for t in range(len(row))
        ),
    )
    settings = [([g] * 3, ["1", "1", "1"]) for g in GAMMAS]
    settings += [(["0", "4", "1"], ["1", "1", "1"]), (["2", "2", "0.5"], ["0.2", "1", "30"])]
    yield (
        "multiclass_posterior",
        (
            [*setting, row, posterior(*map(numbers, setting), softmax(numbers(row)))]
            for setting in settings
            for row in rows[:-1]
        ),
    )
    simplex = [["0.2", "0.3", "0.5"], ["0.98", "0.015", "0.005"], ["0.0001", "0.0009", "0.999"]]
    yield (
        "multiclass_constant",
        (
            [*setting, share, multiclass_constant(*map(numbers, setting), numbers(share))]
            for setting in settings
            for share in simplex
        ),
    )


def literal(value):
    """JSON of nested lists; numbers with 20 digits."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, int):
        return str(value)
    number = mpf(value)
    return nstr(number, 20, strip_zeros=True) if number else "0.0"


def main() -> None:
    parts = []
    for name, rows in tables():
        mp.dps = 100 if name.endswith("constant") else 700
        lines = ",\n".join("  " + literal(row) for row in rows)
        parts.append(f" {json.dumps(name)}: [\n{lines}\n ]")
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    json.loads(text)
    FILE.write_text(text)


if __name__ == "__main__":
    main()
