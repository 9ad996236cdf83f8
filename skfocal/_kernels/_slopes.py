"""Tables of the slope of the loss under the posterior link, as piecewise cubics."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from skfocal import _math
from skfocal._kernels._forms import Array, PerClass


@lru_cache(maxsize=256)
def slope_table(gamma: PerClass) -> npt.NDArray[np.float32]:
    """`slope_cubics` as `tabulated_rows` reads them."""
    table = np.ascontiguousarray(slope_cubics(gamma), dtype=np.float32)
    table.flags.writeable = False
    return table


def slope_cubics(gamma: PerClass) -> Array:
    """Cubics (n, 4) of the slope for a pair of gammas, with an error of 1e-7.

    They interpolate values in double precision. The last piece reaches to where the slope is
    equal to its limit 1 / (1 + gamma) in single precision.
    """
    from skfocal._kernels._posterior_binary import PIECES

    n_octaves = int(np.ceil(np.log2(40.0 * (1.0 + max(gamma)))))
    nodes = 0.5 * np.cos((np.arange(4) + 0.5) * np.pi / 4)  # Chebyshev's, on (-1/2, 1/2)
    pieces = 1.0 + (np.arange(PIECES)[:, np.newaxis] + 0.5 + nodes) / PIECES
    distance = np.exp2(np.arange(n_octaves))[:, np.newaxis, np.newaxis] * pieces - 1.0
    slope = [_slope(-v, gamma) for v in distance.ravel().tolist()]
    other = slope if gamma[0] == gamma[1] else [_slope(v, gamma) for v in distance.ravel().tolist()]
    return np.linalg.solve(np.vander(nodes, 4), np.reshape(slope + other, (-1, 4)).T).T


def _slope(v: float, gamma: PerClass) -> float:
    """The size of the slope at the log-odds v, of the class that they make less likely."""
    z = _math.binary_margin(v, *gamma)
    own, other = gamma if v > 0.0 else gamma[::-1]
    _, slope, _ = _math.posterior_terms(-z if v > 0.0 else z, -abs(v), own, other)
    return abs(float(slope))
