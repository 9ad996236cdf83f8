"""Coordinate descent on a quadratic with an l1 penalty (floor 1)."""

import numpy as np


def descent_rows(max_sweeps, matrix, gradient, l1, theta, tolerance):
    """Minimise g'd + d'Hd / 2 + sum(l1 |theta + d|) over d, coordinate by coordinate.

    Updates ``theta`` in place, and ``gradient`` to that of the quadratic there. Stops
    where no coordinate's move would have changed its own gradient by more than
    ``tolerance``, or after ``max_sweeps``. Returns the number of sweeps.
    """
    for sweep in range(max_sweeps):
        largest = 0.0
        for j in range(theta.size):
            curvature = matrix[j, j]
            if curvature <= 0.0:
                continue
            # the minimum along j without the penalty, drawn towards 0 by it
            free = theta[j] - gradient[j] / curvature
            new = np.sign(free) * max(abs(free) - l1[j] / curvature, 0.0)
            move = new - theta[j]
            if move != 0.0:
                theta[j] = new
                row = matrix[j]
                for k in range(theta.size):
                    gradient[k] += move * row[k]
                largest = max(largest, abs(move) * curvature)
        if largest <= tolerance:
            return sweep + 1
    return max_sweeps
