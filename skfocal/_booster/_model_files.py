"""Labels and loss as text in model files, and files that are replaced at once (floor 4)."""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from skfocal._estimator._probabilities import Probabilities
from skfocal.calibration import Calibration, check_priors
from skfocal.losses import FocalLoss, make_loss
from skfocal.losses._parameters import Gamma, Link

NAME = "skfocal"
"""Name of the attribute, or line, of a model file that holds the text."""
_KEYS = ("classes", "dtype", "gamma", "alpha", "hessian", "link", "names")
# Labels that JSON has: booleans, integers, numbers, text.
_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|U(?P<length>[0-9]{1,5}))")


class Settings(NamedTuple):
    """What a model file has of a classifier beside its booster."""

    classes: npt.NDArray[Any]
    """The labels, sorted."""
    loss: FocalLoss
    names: npt.NDArray[Any] | None
    """Names of the columns. None if they have no names."""
    probabilities: Probabilities


def path_of(given: Any, name: str) -> str:
    """The path of a file as text.

    Raises
    ------
    TypeError
        If it is neither text nor a path; ``name`` is what the caller calls it.
    """
    if not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"{name} must be a str or a path; got {type(given).__name__}.")
    return str(os.fspath(given))


@contextmanager
def replaced_at_once(filename: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to. If the block succeeds, the new file replaces ``filename``.

    Until then an older file stays as it is. The path is in the same folder, and its name has the
    same ending. If ``filename`` is a link, the file that it points to is replaced.

    Raises
    ------
    OSError
        If the folder does not exist, or the folder or the file cannot be written to.
    """
    given, target = Path(filename), Path(os.path.realpath(filename))
    if target.exists() and not target.is_file():  # a device or a pipe, which nothing can replace
        yield given
        return
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(filename))
    beside = target.parent / f".{uuid4().hex[:8]}-{given.name[-200:]}"
    try:
        beside.open("xb").close()
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        if target.exists():
            _give_same_owner_and_mode(beside, target)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _give_same_owner_and_mode(new: Path, old: Path) -> None:
    """Give a new file the owner and the permissions of the old one."""
    owner = old.stat()
    if hasattr(os, "chown"):
        with suppress(PermissionError):
            os.chown(new, owner.st_uid, owner.st_gid)
    shutil.copymode(old, new)


def settings_text(settings: Settings) -> str:
    """Labels, loss, names of columns and what is known of probabilities, as JSON on one line.

    Raises
    ------
    TypeError
        If JSON has no such labels, as with dates.
    """
    classes, loss, names, probabilities = settings
    return json.dumps(
        {
            "classes": classes.tolist(),
            "dtype": classes.dtype.str if classes.dtype != object else "object",
            "gamma": loss.gamma,
            "alpha": loss.alpha,
            "hessian": loss.hessian,
            "link": loss.link,
            "names": None if names is None else list(names),
            "probabilities": probabilities.as_json(),
        }
    )


def settings_from_text(text: str, model: str, n_classes: int, n_features: int) -> Settings:
    """The settings of `settings_text`. Older files have no probabilities.

    Parameters
    ----------
    text : str
        As a file has it, which may be damaged.
    model : str
        What the message of an error calls the model.
    n_classes, n_features : int
        Those of the booster, which the settings have to fit.

    Returns
    -------
    Settings
        Labels, loss, names of the columns and probabilities.

    Raises
    ------
    ValueError
        If they are not what `settings_text` writes of a model with this booster.
    """
    try:
        given = json.loads(text)
        missing = set(_KEYS) - set(given if isinstance(given, dict) else ())
        if missing:
            raise ValueError(f"there is no {', no '.join(sorted(missing))}")
        classes = _labels(given["classes"], given["dtype"], n_classes)
        gamma, alpha = _numbers(given["gamma"], "gamma"), given["alpha"]
        alpha = None if alpha is None else _numbers(alpha, "alpha")
        loss = make_loss(n_classes, gamma, alpha, given["hessian"], given["link"])
        names = _names(given["names"], n_features)
        probabilities = Probabilities()
        if "probabilities" in given:
            probabilities = Probabilities.from_json(given["probabilities"], n_classes)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"The labels and the loss in {model} are damaged, or not written by skfocal: {error}."
        ) from error
    return Settings(classes, loss, names, probabilities)


def _labels(values: Any, dtype: Any, n_classes: int) -> npt.NDArray[Any]:
    """The labels, if numbers or text of ``dtype`` hold them without a loss."""
    if not isinstance(values, list) or len(values) != n_classes:
        raise ValueError(f"classes must be a list of the booster's {n_classes} classes")
    if not all(isinstance(value, (bool, int, float, str)) for value in values):
        raise ValueError("each label must be a number, a boolean or text")
    found = _DTYPE.fullmatch(dtype) if isinstance(dtype, str) else None
    if dtype != "object" and not found:
        raise ValueError(f"there are no labels of dtype {str(dtype)[:50]!r}")
    labels = np.array(values, dtype=dtype)
    same = [(type(a), a) == (type(b), b) for a, b in zip(labels.tolist(), values, strict=True)]
    if not all(same) or len(set(values)) != n_classes:
        raise ValueError(f"the labels must be {n_classes} different ones of dtype {dtype}")
    return labels


def _numbers(value: Any, name: str) -> float | tuple[float, ...]:
    """A number, or a list of them as a tuple."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        raise ValueError(f"{name} must be a number or a list of numbers")
    numbers = tuple(float(v) for v in values)
    return numbers if isinstance(value, list) else numbers[0]


def _names(values: Any, n_features: int) -> npt.NDArray[Any] | None:
    if values is None:
        return None
    texts = isinstance(values, list) and all(isinstance(value, str) for value in values)
    if not texts or len(values) != n_features:
        raise ValueError(f"names must be null, or a list of text for {n_features} columns")
    return np.array(values, dtype=object)


def given_settings(
    n_classes: int,
    classes: Any,
    loss_parameters: tuple[Gamma, Any, Link],
    names: npt.NDArray[Any] | None,
    known: tuple[Any, Calibration | None],
) -> Settings:
    """The settings of a booster, as the caller tells them.

    ``loss_parameters`` are gamma, alpha and link; ``known`` are the shares of the classes in
    training and the calibration that the booster does not hold, or None.
    """
    gamma, alpha, link = loss_parameters
    labels = np.arange(n_classes) if classes is None else np.asarray(classes)
    if labels.shape != (n_classes,) or len(np.unique(labels)) != n_classes:
        raise ValueError(
            f"classes must be the {n_classes} labels of the model, in the order of its columns; "
            f"got {classes!r}."
        )
    if isinstance(alpha, dict):
        missing = set(labels.tolist()) ^ set(alpha)
        if missing:
            raise ValueError(f"focal_alpha and classes differ in the labels {missing}.")
        alpha = [alpha[label] for label in labels.tolist()]
    if isinstance(alpha, str):
        raise ValueError(
            f"focal_alpha={alpha!r} needs the training labels: give the weights as numbers, as "
            "in loss_.class_weight of the fitted classifier."
        )
    loss = make_loss(n_classes, gamma, alpha, link=link)
    return Settings(labels, loss, names, _given_probabilities(labels, loss, *known))


def with_recorded(given: Settings, recorded: Settings) -> Settings:
    """The settings that a caller gives, and what the booster has recorded beside them.

    Raises
    ------
    ValueError
        If they contradict each other.
    """
    own, known = given.probabilities, recorded.probabilities
    inside = given.loss.raw_is_posterior, recorded.loss.raw_is_posterior
    if inside[0] != inside[1] and not known.correction.is_identity:
        raise ValueError(
            f"The booster was trained on {recorded.loss!r} and then calibrated, or moved to other "
            "priors: give the focal_gamma and the focal_alpha of that loss."
        )
    shares = known.class_prior or own.class_prior
    if own.class_prior and not np.allclose(own.class_prior, shares or (), rtol=1e-6, atol=0.0):
        raise ValueError(f"class_prior is {list(shares or ())} in the booster.")
    if own.calibration and known.calibration and own.calibration != known.calibration:
        raise ValueError(f"calibration is {known.calibration!r} in the booster.")
    found = Probabilities(
        own.class_prior or known.class_prior,
        known.n_rows,
        own.calibration or known.calibration,
        known.priors,
    )
    return given._replace(probabilities=found)


def _given_probabilities(
    labels: npt.NDArray[Any], loss: FocalLoss, class_prior: Any, calibration: Calibration | None
) -> Probabilities:
    shares = None
    if class_prior is not None:
        shares = tuple(check_priors(class_prior, labels, "class_prior").tolist())
    if calibration is not None:
        if not isinstance(calibration, Calibration):
            raise TypeError(
                f"calibration must be the calibration_ of a model; got {calibration!r}."
            )
        if np.size(calibration.offset) != (1 if loss.n_classes == 2 else loss.n_classes):
            raise ValueError(f"calibration must have an offset for {loss.n_classes} classes.")
        if loss.raw_is_posterior:
            raise ValueError(
                "The margins of this loss are log-odds, so that the booster holds the calibration: "
                "leave calibration out."
            )
    return Probabilities(shares, None, calibration)
