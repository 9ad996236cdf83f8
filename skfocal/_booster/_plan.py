"""What a booster has to know of all its training rows before it trains (floor 4)."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skfocal._booster._model_files import Settings
from skfocal._estimator._probabilities import Probabilities
from skfocal._estimator._target import ClassTotals
from skfocal._kernels import Array
from skfocal.losses import FocalLoss


@dataclass(frozen=True)
class Plan:
    """The classes and the loss of a fit, and where training starts.

    The client of a Dask cluster sends it to the workers, each of which has only a part of the
    rows.
    """

    classes: npt.NDArray[Any]
    """The labels, sorted."""
    names: npt.NDArray[Any] | None
    """The names of the columns. None if they have no names."""
    loss: FocalLoss
    scale: float
    """The loss's `log_loss_scale` on all training rows."""
    intercept: float | Array | None
    """The margins of the best constant model, from which training starts.

    None if the user's data or a continued model bring their own margins.
    """
    probabilities: Probabilities
    """The shares of the classes, and those of the population that the parameter priors names."""

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def settings(self) -> Settings:
        """What a file of the fitted model has beside its booster."""
        return Settings(self.classes, self.loss, self.names, self.probabilities)

    @property
    def prior_shift(self) -> float | Array | None:
        """What the fitted booster adds to its margins because of priors, or None.

        Under a loss whose margins are no log-odds, priors are applied beside the booster.
        """
        if self.probabilities.priors is None or not self.loss.raw_is_posterior:
            return None
        offset = self.probabilities.correction.offset
        return np.asarray(offset) if isinstance(offset, tuple) else offset

    def without_intercept(self) -> Self:
        """The same plan, for training that starts from other margins."""
        return replace(self, intercept=None)

    def intercepts(self, n_rows: int) -> Array | None:
        """The intercept in each row, of shape (n_rows,) or (n_rows, n_classes), or None."""
        if self.intercept is None:
            return None
        if np.ndim(self.intercept) == 0:
            return np.full(n_rows, self.intercept)
        return np.tile(self.intercept, (n_rows, 1))


def make_plan(
    totals: ClassTotals, loss: FocalLoss, names: npt.NDArray[Any] | None, priors: Any
) -> Plan:
    """The plan for training rows of which only the totals of the classes are needed.

    ``priors`` is the parameter of the classifier.
    """
    rows = totals.codes, totals.weights
    probabilities = Probabilities.of_training(totals, priors)
    scale, intercept = loss.log_loss_scale(*rows), loss.intercept(*rows)
    return Plan(totals.classes, names, loss, scale, intercept, probabilities)
