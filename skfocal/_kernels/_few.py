"""Few rows in plain Python, which takes less time than to compile a loop for them.

The formulas are those of `_math`, which the loops compile.
"""

from math import exp, isfinite, log, nan

import numpy as np
import numpy.typing as npt

from skfocal import _math
from skfocal._kernels._forms import Array, PerClass

# So many numbers or fewer take less time here than to compile a loop of predictions.
FEW = 64
# The same of Hessians: the loops of training take longer to compile.
FEW_HESSIANS = 1024


def few_log_odds(raw: Array, gamma: PerClass, out: Array) -> None:
    """`_evaluate.log_odds`, into ``out``."""
    for i, row in enumerate(raw.tolist()):
        if raw.ndim == 1:
            out[i] = _math.binary_log_odds(row, *gamma)
        elif not all(map(isfinite, row)):
            out[i] = nan
        else:
            _math.softmax_margins(row, margin := [0.0] * len(row))
            out[i] = [_math.log_odds(m, g) for m, g in zip(margin, gamma, strict=True)]


def few_margins(log_odds: Array, gamma: PerClass, out: Array) -> None:
    """`_evaluate.margins`, into ``out``."""
    for i, row in enumerate(log_odds.tolist()):
        if log_odds.ndim == 1:
            out[i] = _math.binary_margin(row, *gamma)
        else:
            _math.multiclass_margins(row, gamma, margin := [0.0] * len(row))
            out[i] = margin


def few_hessians(
    codes: npt.ArrayLike, raw: Array, gamma: PerClass, weight: PerClass, link: str, policy: str
) -> Array:
    """The Hessian's diagonal of rows, of the shape of the margins; ``policy`` as in `Options`."""
    hessians = [
        _hessian(code, row, gamma, weight, link, policy)
        for code, row in zip(np.asarray(codes).tolist(), raw.tolist(), strict=True)
    ]
    return np.array(hessians)


def _hessian(
    code: int, row: float | list[float], gamma: PerClass, weight: PerClass, link: str, policy: str
) -> float | list[float]:
    if isinstance(row, list):
        if link == "posterior":
            return _expected_hessian(row, gamma, weight)
        return _softmax_hessian(code, row, gamma[code], weight[code], policy)
    own = row if code == 1 else -row
    if link == "focal":
        _, _, h = _math.loss_gradient_hessian(own, gamma[code], policy != "upper")
        return float(weight[code] * (abs(h) if policy == "abs" else h))
    margin = _math.binary_margin(row + log(weight[1]) - log(weight[0]), *gamma)
    m = margin if code == 1 else -margin
    _, _, h = _math.posterior_terms(m, own, gamma[code], gamma[1 - code])
    return float(weight[code] * h)


def _softmax_hessian(
    code: int, row: list[float], gamma: float, weight: float, policy: str
) -> list[float]:
    """The diagonal of (M6)."""
    m, largest, rest = _math.against_rest(row, code)
    _, slope, curvature = _math.loss_gradient_hessian(m, gamma, policy != "upper")
    found = []
    for k, z in enumerate(row):
        share = exp(z - row[largest]) / (1.0 + rest)
        h = curvature if k == code else share * (curvature * share - slope * (1.0 - share))
        found.append(weight * (abs(h) if policy == "abs" else h))
    return found


def _expected_hessian(row: list[float], gamma: PerClass, weight: PerClass) -> list[float]:
    """The expected Hessian under the posterior link, which no label changes.

    In the mean over labels from the posterior eta the gradient is 0 wherever the margins are. The
    derivative of this mean is the expected Hessian minus its diagonal eta_k g_k, where g_k is the
    slope of class k in its own margin for its own label.
    """
    _math.multiclass_margins(
        [z + log(w) for z, w in zip(row, weight, strict=True)], gamma, margin := [0.0] * len(row)
    )
    slopes = [_math.log_odds_slope(m, g) for m, g in zip(margin, gamma, strict=True)]
    parts = [_math.sigmoids(m)[:2] for m in margin]
    d = [p * q / slope for (p, q), slope in zip(parts, slopes, strict=True)]
    top = max(row)
    powers = [exp(z - top) for z in row]
    found = []
    for k, power in enumerate(powers):
        _, first, _ = _math.loss_gradient_hessian(margin[k], gamma[k], False)
        own = -weight[k] * first / slopes[k] * (sum(d) - d[k]) / sum(d)
        found.append(power / sum(powers) * own)
    return found
