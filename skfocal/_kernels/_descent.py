"""Coordinate descent on a quadratic function with an l1 penalty."""

import numpy as np


def descent_rows(max_sweeps, matrix, gradient, l1, theta, tolerance):
    """Minimise g'd + d'Hd / 2 + sum(l1 |theta + d|) over d, coordinate by coordinate.

    Updates ``theta`` in place, and ``gradient`` to the gradient of the quadratic there. Stops
    after a sweep whose share of the decrease so far is at most ``tolerance``, or after
    ``max_sweeps``. A move along a coordinate decreases the sum by at least half its square
    times the curvature. The factor one half cancels in the share and is left out. Returns the
    number of sweeps.
    """
    total = 0.0
    for sweep in range(max_sweeps):
        decrease = 0.0
        for j in range(theta.size):
            curvature = matrix[j, j]
            if curvature <= 0.0:
                continue
            # the minimum along j without the penalty, which then draws it towards 0
            free = theta[j] - gradient[j] / curvature
            new = np.sign(free) * max(abs(free) - l1[j] / curvature, 0.0)
            move = new - theta[j]
            if move != 0.0:
                theta[j] = new
                row = matrix[j]
                for k in range(theta.size):
                    gradient[k] += move * row[k]
                decrease += move * move * curvature
        total += decrease
        if decrease <= tolerance * total:
            return sweep + 1
    return max_sweeps
