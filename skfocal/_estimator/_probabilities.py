"""What a fitted model knows of its probabilities beside the loss (floor 3)."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skfocal._estimator._target import ClassTotals
from skfocal.calibration import Calibration, check_priors, prior_shift

_KEYS = ("class_prior", "n_rows", "calibration", "priors")


@dataclass(frozen=True)
class Probabilities:
    """The shares of the classes in training, and how the posterior's log-odds are corrected."""

    class_prior: tuple[float, ...] | None = None
    """Shares of the classes in the training rows, by their weights. None if not known."""
    n_rows: float | None = None
    """The effective number of training rows. None if it is not known."""
    calibration: Calibration | None = None
    """The map that `calibrate` has found. None before it was called."""
    priors: tuple[float, ...] | None = None
    """Shares of the classes in the population. None if they are those of the training rows."""

    @classmethod
    def of_training(cls, totals: ClassTotals, priors: Any) -> Self:
        """Those of a fit on these rows; ``priors`` is the parameter of the classifier.

        Raises
        ------
        TypeError, ValueError
            If ``priors`` are no shares of the classes, or a class with a share has no weight.
        """
        weights = totals.weights / totals.weights.max()  # their sum may overflow
        shares = tuple((weights / weights.sum()).tolist())
        return cls(shares, totals.n_effective).with_priors(priors, totals.classes)

    def with_priors(self, priors: Any, classes: npt.NDArray[Any]) -> Self:
        """The same with other shares of the population, or None for those of training.

        Raises
        ------
        TypeError, ValueError
            If ``priors`` are no shares of the classes, or the training shares are not known.
        """
        found = None if priors is None else tuple(check_priors(priors, classes).tolist())
        if found is not None:
            self.check_class_prior()
        return type(self)(self.class_prior, self.n_rows, self.calibration, found)

    def calibrated(self, calibration: Calibration) -> Self:
        """The same with a map that `calibrate` has found."""
        return type(self)(self.class_prior, self.n_rows, calibration, self.priors)

    def check_class_prior(self) -> tuple[float, ...]:
        """The training shares.

        Raises
        ------
        ValueError
            If they are not known, or one of them is 0.
        """
        if self.class_prior is None:
            raise ValueError(
                "priors need the shares of the classes in training, which this model does not "
                "know: it comes from an older version or from a booster. Give class_prior to "
                "from_booster, or fit again."
            )
        if min(self.class_prior) <= 0.0:
            raise ValueError(
                "priors need training rows of each class with a sample_weight above 0; the shares "
                f"in training are {list(self.class_prior)}."
            )
        return self.class_prior

    @cached_property
    def correction(self) -> Calibration:
        """The map of the posterior's log-odds: first the calibration, then the priors."""
        calibration = self.calibration or Calibration()
        if self.priors is None:
            return calibration
        return calibration.then(
            Calibration(1.0, prior_shift(self.check_class_prior(), self.priors))
        )

    def as_json(self) -> dict[str, Any]:
        """Numbers that JSON has."""
        found = self.calibration
        return {
            "class_prior": self.class_prior,
            "n_rows": self.n_rows,
            "calibration": found and {"slope": found.slope, "offset": found.offset},
            "priors": self.priors,
        }

    @classmethod
    def from_json(cls, given: Any, n_classes: int) -> Self:
        """What `as_json` has written, of a file that may be damaged.

        Raises
        ------
        TypeError, ValueError
            If it is something else.
        """
        if not isinstance(given, dict) or set(given) != set(_KEYS):
            raise ValueError(f"probabilities must have {', '.join(_KEYS)}")
        class_prior = _shares(given["class_prior"], n_classes, "class_prior")
        priors = _shares(given["priors"], n_classes, "priors")
        n_rows = None if given["n_rows"] is None else _number(given["n_rows"], "n_rows")
        found = cls(class_prior, n_rows, _calibration(given["calibration"], n_classes), priors)
        if n_rows is not None and n_rows < 0:
            raise ValueError("n_rows must not be negative")
        if priors is not None:
            found.check_class_prior()
        return found


def _calibration(given: Any, n_classes: int) -> Calibration | None:
    if given is None:
        return None
    slope, offset = _number(given["slope"], "slope"), given["offset"]
    if slope <= 0:
        raise ValueError("slope must be positive")
    if n_classes == 2:
        return Calibration(slope, _number(offset, "offset"))
    if not isinstance(offset, list) or len(offset) != n_classes:
        raise ValueError(f"offset must be a list of {n_classes} numbers")
    return Calibration(slope, tuple(_number(value, "offset") for value in offset))


def _shares(given: Any, n_classes: int, name: str) -> tuple[float, ...] | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != n_classes:
        raise ValueError(f"{name} must be null or a list of {n_classes} numbers")
    shares = tuple(_number(value, name) for value in given)
    lowest = 0.0 if name == "class_prior" else np.finfo(float).tiny
    if min(shares) < lowest or abs(sum(shares) - 1.0) > 1e-6:
        raise ValueError(f"{name} must be shares of sum 1")
    return shares


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number")
    return float(value)


def change(before: Calibration, after: Calibration) -> Calibration:
    """The map of corrected log-odds that turns one correction into another.

    Where only priors differ its slope is exactly 1.
    """
    slope = after.slope / before.slope
    offset = np.asarray(after.offset) - slope * np.asarray(before.offset)
    return Calibration(slope, float(offset) if offset.ndim == 0 else tuple(offset.tolist()))
