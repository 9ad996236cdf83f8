"""What the margins of a loss mean: the link between them and probabilities.

A margin is the raw score of a model, before sigmoid or softmax. A link says which
probability the sigmoid or softmax gives: the paper's p (`FocalLink`) or the posterior
P(class | row) (`PosteriorLink`). The two are different functions of the row as soon as
gamma or the class weights differ from their neutral values.

Margins of two classes have the shape (n,), all others the shape (n, K). Log-odds of the
posterior have the shape of the margins. For two classes they are log(P+ / P-). For more
classes they are log P_k plus a constant of the row.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit, softmax

from skfocal import _kernels
from skfocal._kernels import Array, PerClass

HESSIANS = ("upper", "exact", "abs")


@dataclass(frozen=True)
class FocalLink:
    """The sigmoid or softmax of the margins is the paper's p.

    Parameters
    ----------
    gamma, weight : tuple of K floats
        Focusing parameter and weight of each class.
    """

    gamma: PerClass
    weight: PerClass

    hessians: ClassVar[tuple[str, ...]] = HESSIANS

    @property
    def is_posterior(self) -> bool:
        """Whether p is the posterior."""
        return len(set(self.weight)) == 1 and not any(self.gamma)

    @property
    def keeps_decision(self) -> bool:
        """Whether the sign or argmax of the margins is that of weight x posterior."""
        return len(set(self.gamma)) == 1

    def log_odds(self, margins: Array, n_threads: int = 1) -> Array:
        """Log-odds of the posterior."""
        shift = log_weight(self.weight, margins)
        if not any(self.gamma):
            return margins - shift
        found = _kernels.log_odds(margins, self.gamma, n_threads)
        found -= shift
        return found

    def margins(self, log_odds: Array) -> Array:
        """The margins that have these log-odds of the posterior: the inverse of `log_odds`.

        For margins (n, K) these are log p.
        """
        found = _kernels.margins(log_odds + log_weight(self.weight, log_odds), self.gamma)
        if found.ndim == 1:
            return found
        log_p: Array = -np.logaddexp(0.0, -found)  # the kernel returns logit(p)
        return log_p


@dataclass(frozen=True)
class PosteriorLink:
    """The sigmoid or softmax of the margins is the posterior.

    Parameters
    ----------
    gamma, weight : tuple of K floats
        Focusing parameter and weight of each class.
    """

    gamma: PerClass
    weight: PerClass

    hessians: ClassVar[tuple[str, ...]] = ("upper",)
    is_posterior: ClassVar[bool] = True
    keeps_decision: ClassVar[bool] = False

    def log_odds(self, margins: Array, n_threads: int = 1) -> Array:
        """Log-odds of the posterior: the margins themselves."""
        return margins

    def margins(self, log_odds: Array) -> Array:
        """The margins that have these log-odds of the posterior: the log-odds themselves."""
        return log_odds


# By the words that the parameter ``link`` takes.
LINKS: dict[str, type[FocalLink] | type[PosteriorLink]] = {
    "focal": FocalLink,
    "posterior": PosteriorLink,
}


def log_weight(weight: PerClass, margins: Array) -> float | Array:
    """What class weights add to log-odds of the shape of ``margins``."""
    if margins.ndim == 1:
        return float(np.log(weight[1]) - np.log(weight[0]))
    logarithms: Array = np.log(weight)
    return logarithms


def raw_proba(raw_prediction: Array) -> Array:
    """Sigmoid (n, 2) of margins (n,), softmax of margins (n, K)."""
    if raw_prediction.ndim == 1:
        both = np.empty((len(raw_prediction), 2), np.result_type(raw_prediction, np.float32))
        expit(-raw_prediction, out=both[:, 0])
        expit(raw_prediction, out=both[:, 1])
        return both
    proba: Array = softmax(raw_prediction, axis=1)
    return proba
