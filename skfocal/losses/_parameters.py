"""Checks gamma and alpha as users give them, and resolves them to one number per class.

Every error message names the argument as the user knows it (``gamma`` of a loss,
``focal_gamma`` of an estimator) and says what to do.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.floating | np.integer]
# What users may pass for gamma, and for class weights: `Weights` to the losses, `Alpha` to all
# others.
Gamma = float | Sequence[float] | Numbers
Weights = float | Sequence[float] | Numbers | None
Alpha = (
    Weights
    | Literal["balanced", "effective"]
    | tuple[Literal["effective"], float]
    | Mapping[Any, float]
)
ClassWeight = Literal["balanced"] | Mapping[Any, float] | None
Hessian = Literal["upper", "exact", "abs"]
Link = Literal["focal", "posterior"]
Probability = Literal["posterior", "raw"]
# At gamma 100 a row with p = 1/2 has the weight 2**-100. Boosters train in single precision,
# where the weights of larger gammas, and the scale of the posterior link, soon underflow.
MAX_GAMMA = 100.0
# Numbers that single precision can hold, with room for the factors that multiply them.
MIN_WEIGHT, MAX_WEIGHT = 1e-30, 1e30
_ALPHA_FORMS = (
    'None, a float in (0, 1) for two classes, "balanced", "effective", '
    '("effective", beta), a dict {label: weight} or one positive weight per class'
)


def check_choice(value: Any, choices: Collection[str], name: str) -> str:
    """``value`` if it is one of the words in ``choices``."""
    if not isinstance(value, str) or value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {known}; got {value!r}.")
    return value


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def check_number(value: Any, name: str, expected: str, valid: Callable[[float], bool]) -> float:
    """``value`` as a float if it is a real number, not NaN, and ``valid`` accepts it."""
    if not _is_real(value):
        raise TypeError(f"{name} must be {expected}; got {value!r}.")
    try:
        number = float(value)
    except OverflowError:  # an integer of more digits than a float has
        number = math.nan
    if math.isnan(number) or not valid(number):
        raise ValueError(f"{name} must be {expected}; got {value!r}.")
    return number


def check_integer(value: Any, name: str, minimum: int, maximum: int | None = None) -> int:
    """``value`` as an int if it is an integer from ``minimum`` to ``maximum``, not a boolean."""
    expected = f"an integer >= {minimum}"
    expected += "" if maximum is None else f" and <= {maximum}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be {expected}; got {value!r}.")
    if value < minimum or (maximum is not None and value > maximum):
        raise ValueError(f"{name} must be {expected}; got {value!r}.")
    return int(value)


def check_flag(value: Any, name: str) -> bool:
    """``value`` if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r}.")
    return bool(value)


def _numbers(value: Any, name: str, expected: str) -> npt.NDArray[np.float64]:
    array: npt.NDArray[Any] | None
    try:
        array = np.asarray(value)
        # refuses digits in texts, booleans, and types that would lose a part, such as complex
        array = array.astype(np.float64) if array.dtype.kind in "iufO" else None
    except (TypeError, ValueError, OverflowError):
        array = None
    if array is None or array.ndim != 1:
        raise TypeError(f"{name} must be {expected}; got {value!r}.")
    return array


def check_gamma(gamma: Any, n_classes: int, name: str = "gamma") -> float | tuple[float, ...]:
    """A float, or a tuple of ``n_classes`` floats where ``gamma`` has one per class."""
    expected = f"a finite number >= 0 and <= {MAX_GAMMA:g}, or {n_classes} of them (one per class)"

    def valid(number: float) -> bool:
        return 0 <= number <= MAX_GAMMA

    if _is_real(gamma):
        return check_number(gamma, name, expected, valid)
    values = _numbers(gamma, name, expected)
    if values.size != n_classes:
        raise ValueError(f"{name} must be {expected}; got {values.size} values.")
    if not all(map(valid, values.tolist())):
        raise ValueError(f"{name} must be {expected}; got {gamma!r}.")
    return tuple(values.tolist())


def check_class_weights(weights: Any, n_classes: int, name: str = "alpha") -> tuple[float, ...]:
    """``n_classes`` positive finite numbers, as a tuple."""
    expected = (
        f"{n_classes} finite numbers > 0, one per class in the order of the labels, from "
        f"{MIN_WEIGHT:g} to {MAX_WEIGHT:g}"
    )
    values = _numbers(weights, name, expected)
    if values.size != n_classes:
        raise ValueError(f"{name} must have {expected}; got {values.size} values.")
    if (values == 0).any():
        raise ValueError(
            f"{name} must have {expected}; got {weights!r}. A model learns nothing about a class "
            "of weight 0, so its probability could not be recovered: give the class a small "
            "weight, give its rows sample_weight=0, or leave them out."
        )
    if not ((values >= MIN_WEIGHT) & (values <= MAX_WEIGHT)).all():
        raise ValueError(f"{name} must have {expected}; got {weights!r}.")
    return tuple(values.tolist())


def class_weights(alpha: float | tuple[float, ...] | None, n_classes: int) -> tuple[float, ...]:
    """The weight of each class for an alpha that is checked before: all 1 for None."""
    if alpha is None:
        return (1.0,) * n_classes
    return alpha if isinstance(alpha, tuple) else (1.0 - float(alpha), float(alpha))


def check_alpha(alpha: Any, n_classes: int, name: str = "alpha") -> tuple[float, ...] | None:
    """Class weights from a numeric alpha: None, a float (binary) or one value per class."""
    if alpha is None:
        return None
    if _is_real(alpha):
        if n_classes != 2:
            raise ValueError(
                f"{name}={alpha!r} weighs two classes, but there are {n_classes}: give one "
                'weight per class, a dict {label: weight} or "balanced".'
            )
        if not MIN_WEIGHT <= alpha < 1 or float(alpha) == 1:
            raise ValueError(
                f"{name} must lie in (0, 1): it is the weight of the second class, and 1 - {name} "
                f"that of the first; got {alpha!r}. For other weights give one per class."
            )
        return class_weights(float(alpha), 2)
    if isinstance(alpha, (str, Mapping)):
        raise TypeError(f"{name}={alpha!r} needs labels to be resolved; give the weights here.")
    return check_class_weights(alpha, n_classes, name)


def is_word(alpha: Any) -> bool:
    """Whether alpha is "balanced" or "effective", or ("effective", beta)."""
    return isinstance(alpha, str) or (isinstance(alpha, tuple) and alpha[:1] == ("effective",))


def _effective(totals: npt.NDArray[np.float64], beta: Any, name: str) -> npt.NDArray[np.float64]:
    """Inverse effective numbers of samples (M12; Cui et al. 2019), with mean 1 over rows."""
    total = totals.sum()
    if beta is None:
        if total <= 1:
            raise ValueError(
                f'{name}="effective" counts rows, but the sample weights sum to {total:g}: '
                f'scale them to counts, or give {name}=("effective", beta).'
            )
        log_beta = np.log1p(-1 / total)
    elif _is_real(beta) and 0 < beta < 1:
        log_beta = np.log(float(beta))
    else:
        raise ValueError(f'beta of {name}=("effective", beta) must lie in (0, 1); got {beta!r}.')
    weights = np.expm1(log_beta) / np.expm1(log_beta * totals)
    scaled: npt.NDArray[np.float64] = weights * total / (weights @ totals)
    return scaled


def _from_mapping(weights: Mapping[Any, float], labels: npt.NDArray[Any], name: str) -> list[float]:
    known = labels.tolist()
    missing = [label for label in known if label not in weights]
    unknown = [label for label in weights if label not in known]
    if missing:  # unknown labels alone are allowed: a fold may lack their rows
        raise ValueError(
            f"{name} must have one weight for each label in y, {known!r}: "
            f"missing {missing!r}, unknown {unknown!r}."
        )
    return [weights[label] for label in known]


def weights_by_label(weights: Mapping[Any, float], labels: npt.NDArray[Any]) -> list[float]:
    """The ``class_weight`` of each label; as in scikit-learn, 1 for labels that it lacks.

    Raises
    ------
    ValueError
        If it lacks a label and has one that is not in ``labels``, which is likely a typing
        error.
    """
    known = labels.tolist()
    missing = [label for label in known if label not in weights]
    unknown = [label for label in weights if label not in known]
    if missing and unknown:
        raise ValueError(
            f"class_weight must name labels in y, {known!r}: missing {missing!r}, unknown "
            f"{unknown!r}. Correct the unknown ones, or name the missing ones too."
        )
    return [weights.get(label, 1.0) for label in known]


def resolve_alpha(
    alpha: Alpha,
    labels: npt.NDArray[Any],
    totals: npt.NDArray[np.float64],
    name: str = "alpha",
) -> tuple[float, ...] | None:
    """Class weights from any form of alpha, with the training labels.

    Parameters
    ----------
    alpha : see `_ALPHA_FORMS`
    labels : ndarray of shape (n_classes,)
        The labels in the order of their codes; a dict has them as keys.
    totals : ndarray of shape (n_classes,)
        Sum of the sample weights of each class; the number of its rows without weights.
    name : str
        What the user calls the argument.

    Returns
    -------
    tuple of float or None
        None where all weights are 1.
    """
    n_classes = len(labels)
    if is_word(alpha):
        words: Any = (alpha,) if isinstance(alpha, str) else alpha
        word, *beta = words
        if not (totals > 0).all():
            lacking = labels[totals <= 0].tolist()
            raise ValueError(f"{name}={alpha!r} needs rows of every label; none of {lacking!r}.")
        if word == "balanced":
            weights = totals.sum() / (n_classes * totals)
        elif word == "effective" and len(beta) < 2:
            weights = _effective(totals, beta[0] if beta else None, name)
        else:
            raise ValueError(f"{name} must be {_ALPHA_FORMS}; got {alpha!r}.")
        return check_class_weights(weights, n_classes, name)
    if isinstance(alpha, Mapping):
        return check_class_weights(_from_mapping(alpha, labels, name), n_classes, name)
    return check_alpha(alpha, n_classes, name)
