"""Choice among settings by their scores on folds, and their comparison (floor 3).

Two settings are scored on the same folds, so their scores are compared fold by fold. The folds
share training rows, and the differences are therefore not independent: their variance is
corrected as by Nadeau & Bengio, Inference for the generalization error, Machine Learning 52,
2003 (M19).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from skfocal._kernels import Array

RULES = ("one_se", "best")
CONFIDENCE = 0.95


class Setting(NamedTuple):
    """One pair of the values that a search tries."""

    gamma: Any
    """A number, or one a class."""
    alpha: Any
    """As the parameter ``focal_alpha``."""

    @property
    def strength(self) -> float:
        """The mean of gamma over the classes, by which settings are ordered."""
        return float(np.mean(self.gamma))


@dataclass(frozen=True)
class Resampling:
    """How often rows were split, and the mean of n_test / n_train over the splits."""

    n_splits: int
    test_to_train: float

    def mean_and_error(self, differences: Array) -> tuple[float, float]:
        """The mean of paired differences and its corrected standard error.

        The error is not known of one split: NaN.
        """
        if self.n_splits < 2:
            return float(differences[0]), np.nan
        variance = (1.0 / self.n_splits + self.test_to_train) * differences.var(ddof=1)
        return float(differences.mean()), float(np.sqrt(variance))


def choose(scores: Array, settings: Sequence[Setting], resampling: Resampling, rule: str) -> int:
    """The index of the setting that the rule takes.

    Parameters
    ----------
    scores : ndarray of shape (n_settings, n_splits)
        Greater is better.
    settings : sequence of Setting
        What was scored. Several may have the same gamma.
    resampling : Resampling
        Of the splits.
    rule : {"one_se", "best"}
        ``"best"``: the best mean. ``"one_se"``: the smallest gamma that has a setting within one
        corrected standard error of the best one, and of its settings the best.

    Returns
    -------
    int
        An index of ``settings``. Of equal means it is the first.
    """
    means = scores.mean(axis=1)
    best = int(means.argmax())
    if rule == "best":
        return best
    near = []
    for index, own in enumerate(scores):
        difference, error = resampling.mean_and_error(own - scores[best])
        if index == best or difference >= -error:
            near.append(index)
    smallest = min(settings[index].strength for index in near)
    return max(
        (index for index in near if settings[index].strength == smallest),
        key=lambda index: (means[index], -index),
    )


def compare(
    scores: Array, settings: Sequence[Setting], resampling: Resampling
) -> dict[str, list[Any]]:
    """Each setting against the smallest gamma with the same alpha, by the corrected t test.

    Parameters
    ----------
    scores : ndarray of shape (n_settings, n_splits)
        Greater is better.
    settings : sequence of Setting
        What was scored.
    resampling : Resampling
        Of the splits.

    Returns
    -------
    dict
        Columns with a value a setting; see `CrossValidationMixin`. ``p_value_holm`` is corrected
        for the number of comparisons, after Holm 1979.
    """
    rows: list[dict[str, Any]] = []
    for setting, own in zip(settings, scores, strict=True):
        reference = reference_of(setting, settings)
        difference, error = resampling.mean_and_error(own - scores[reference])
        half = error * stats.t.ppf(0.5 + CONFIDENCE / 2, max(resampling.n_splits - 1, 1))
        rows.append(
            {
                "focal_gamma": setting.gamma,
                "focal_alpha": setting.alpha,
                "mean_score": float(own.mean()),
                "reference_gamma": settings[reference].gamma,
                "difference": difference,
                "standard_error": error,
                "lower": difference - half,
                "upper": difference + half,
                "p_value": np.nan
                if setting is settings[reference]
                else _p_value(difference, error, resampling.n_splits - 1),
            }
        )
    table = {name: [row[name] for row in rows] for name in rows[0]}
    table["p_value_holm"] = holm(np.array(table["p_value"])).tolist()
    return table


def reference_of(setting: Setting, settings: Sequence[Setting]) -> int:
    """The index of the smallest gamma that has the same alpha."""
    same = [k for k, other in enumerate(settings) if other.alpha is setting.alpha]
    return min(same, key=lambda k: (settings[k].strength, k))


def _p_value(difference: float, error: float, freedom: int) -> float:
    """Of the two-sided t test; NaN where the same difference in all splits hides the error."""
    if error == 0.0:
        return 1.0 if difference == 0.0 else np.nan
    return float(2.0 * stats.t.sf(abs(difference) / error, freedom)) if freedom else np.nan


def holm(p_values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Corrected p-values, after Holm 1979. NaN stands for a value that is not tested."""
    corrected = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return corrected


def verdict(comparison: dict[str, list[Any]], chosen: int) -> str:
    """In two lines which gamma is chosen, and which beat the smallest one after Holm's correction.

    A mean score decides which gamma is chosen, and tests whether it is better than the smallest
    one. Only those with the alpha of the chosen one are named.
    """
    gamma, reference = (comparison[name][chosen] for name in ("focal_gamma", "reference_gamma"))
    alphas = comparison["focal_alpha"]
    same = [k for k, alpha in enumerate(alphas) if alpha is alphas[chosen]]
    p_values = np.array(comparison["p_value_holm"])[same]
    differences = np.array(comparison["difference"])[same]
    better = [
        comparison["focal_gamma"][same[k]]
        for k in np.flatnonzero((p_values < 1.0 - CONFIDENCE) & (differences > 0.0))
    ]
    if better:
        listed = ", ".join(f"{value}" for value in better)
        said = f"gamma {listed} is better than gamma {reference}"
    elif np.isnan(p_values).all():
        said = f"there is no comparison with gamma {reference}"
    else:
        said = f"no gamma is better than gamma {reference} by more than chance"
    beside = f", alpha {alphas[chosen]}" if len(same) < len(alphas) else ""
    choice = f"Chosen: gamma {gamma}{beside}."
    if not better and gamma != reference:
        choice += " This is no proof that it is better."
    return f"{choice}\nIn tests at the {1 - CONFIDENCE:.0%} level with Holm's correction {said}."
