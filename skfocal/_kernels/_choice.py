"""Decides in which precision rows are computed, by which loop, and how results are rounded.

The CPU and CUDA devices both ask here, so that they follow the same rules.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skfocal._kernels._forms import PerClass


@dataclass(frozen=True)
class Options:
    """What `evaluate` computes, beside the gammas and weights of the classes.

    Parameters
    ----------
    link : {"focal", "posterior"}
        What the margins are.
    policy : {"upper", "exact", "abs"}
        Which Hessian of the focal link.
    ratio : float
        The upper and the expected Hessian are at least this times |gradient|.
    floor : float
        Smallest Hessian. It is applied last.
    bits : int
        Significant bits that gradients and Hessians are rounded to, before sample weights
        multiply.
    scale : float
        Multiplies loss, gradient and Hessian.
    hessian_scale : float
        Multiplies the multiclass Hessian.
    """

    link: str = "focal"
    policy: str = "upper"
    ratio: float = 0.0
    floor: float = -np.inf
    bits: int = 53
    scale: float = 1.0
    hessian_scale: float = 1.0

    @property
    def absolute(self) -> bool | None:
        """The policy as the loops have it: None for "upper", True for "abs"."""
        return None if self.policy == "upper" else self.policy == "abs"


class Outputs(NamedTuple):
    """Arrays to fill, all of one dtype; None for what is not wanted."""

    loss: Any = None
    gradient: Any = None
    hessian: Any = None

    @property
    def wanted(self) -> "Wanted":
        """Which arrays there are, and their dtype."""
        dtype = next(array.dtype for array in self if array is not None)
        return Wanted(dtype, *(array is not None for array in self))


class Wanted(NamedTuple):
    """What is to be filled, without the arrays."""

    dtype: np.dtype[Any]
    loss: bool = False
    gradient: bool = False
    hessian: bool = False


class Choice(NamedTuple):
    """The loop of a call: ``real`` is its precision; a tabulated one reads `slope_table`."""

    link: str
    real: Any
    cross_entropy: bool
    tabulated: bool = False


def is_cross_entropy(gamma: PerClass, weight: PerClass, link: str) -> bool:
    """Whether the loss is cross-entropy of the margins, with or without class weights."""
    return not any(gamma) and (link == "focal" or len(set(weight)) == 1)


def in_double(gamma: PerClass, weight: PerClass, link: str) -> Choice:
    """The loop in double precision; cross-entropy has the focal link under either name."""
    if is_cross_entropy(gamma, weight, link):
        link = "focal"
    return Choice(link, np.float64, cross_entropy=link == "focal" and not any(gamma))


def choose(
    gamma: PerClass,
    weight: PerClass,
    options: Options,
    wanted: Wanted,
    *,
    binary: bool,
    table_fills_both: bool,
) -> Choice:
    """The loop that fills the outputs.

    float64 results are computed in double precision. float32 results are computed in single
    precision, with three exceptions: cross-entropy, which must agree with the libraries' own
    objectives to the last bit; Hessians that may be negative, where single precision would
    lose the sign near 0; and losses under the posterior link.

    Under the posterior link single precision for two classes exists only as a table of the
    slope. ``table_fills_both`` says that its loop always fills gradient and Hessian together.
    """
    choice = in_double(gamma, weight, options.link)
    if wanted.dtype != np.float32:
        return choice
    if choice.link == "focal":
        single = options.policy == "upper" and not choice.cross_entropy
    else:
        both = wanted.gradient and wanted.hessian
        single = not wanted.loss and (not binary or both or not table_fills_both)
    if not single:
        return choice
    tabulated = binary and choice.link == "posterior"
    return choice._replace(real=np.float32, tabulated=tabulated)


def rounding(bits: int, real: Any) -> tuple[int, int] | None:
    """``half`` and ``mask`` of `_binary._rounded`, or None where ``real`` has no more bits."""
    dropped = np.finfo(real).nmant + 1 - bits
    return (1 << (dropped - 1), -1 << dropped) if dropped > 0 else None
