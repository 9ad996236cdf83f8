"""The loops over rows, compiled for the CPU in single and in double precision."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from skfocal import _math
from skfocal._kernels import (
    _binary,
    _dense,
    _descent,
    _elementary,
    _multiclass,
    _posterior_binary,
    _posterior_multiclass,
    _simplex,
    _sparse,
)
from skfocal._kernels._jit import bind
from skfocal._kernels._precision import constants

FORMULAS = [_math, _elementary]
LOOPS = [_binary, _multiclass, _sparse, _dense, _descent]
POSTERIOR_LOOPS = [
    _binary,
    _multiclass,
    _posterior_binary,
    _simplex,
    _posterior_multiclass,
    _sparse,
    _dense,
]


def compiled(real: Any, loops: Any = LOOPS, **options: Any) -> SimpleNamespace:
    """All loops in one precision; each is compiled with its first call."""
    names = bind(
        FORMULAS,
        loops,
        real,
        **{**constants(real), **options},
    )
    return SimpleNamespace(**{k: v for k, v in names.items() if k.endswith("_rows")})


single = compiled(np.float32)
double = compiled(np.float64)
# Without the logarithms and powers, which are not needed at gamma = 0.
cross_entropy = compiled(np.float64, instead={"loss_gradient_hessian": "cross_entropy"})
posterior = compiled(np.float64, POSTERIOR_LOOPS)
single_posterior = compiled(
    # the scalar solver computes in double
    np.float32,
    POSTERIOR_LOOPS,
    multiclass_margin_rows=double.multiclass_margin_rows,
)
