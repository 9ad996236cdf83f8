"""Print the polynomials of skfocal/_kernels/_precision.py.

    python tests/reference/make_polynomials.py

Interpolation at Chebyshev nodes in 60-digit arithmetic, with the largest relative error
on a grid of 2,001 points.
"""

from mpmath import atanh, cos, exp, linspace, log, lu_solve, matrix, mp, mpf, pi, polyval, sqrt

mp.dps = 60


def polynomial(function, low, high, degree):
    """Coefficients, highest power first, and the largest relative error."""
    angles = [pi * (2 * i + 1) / (2 * degree + 2) for i in range(degree + 1)]
    nodes = [(low + high) / 2 + (high - low) / 2 * cos(angle) for angle in angles]
    powers = matrix([[x ** (degree - j) for j in range(degree + 1)] for x in nodes])
    solution = [float(c) for c in lu_solve(powers, matrix([function(x) for x in nodes]))]
    grid = linspace(low, high, 2001)
    return solution, float(max(abs(polyval(solution, x) / function(x) - 1) for x in grid))


def two_atanh(square):
    """2 atanh(s) / s as a function of s**2: log(1 + f) = s times it, s = f / (2 + f)."""
    s = sqrt(square)
    return 2 * atanh(s) / s if s else mpf(2)


if __name__ == "__main__":
    half = log(2) / 2
    largest = ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2
    for name, degrees in (("single", (6, 3)), ("double", (11, 7))):
        print(name, "exp", *polynomial(exp, -half, half, degrees[0]))
        print(name, "log", *polynomial(two_atanh, mpf(0), largest, degrees[1]))
