"""What a model file does not hold of a focal classifier: labels and loss, as text (floor 4)."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from skfocal._parameters import Gamma, Link
from skfocal.losses import FocalLoss, make_loss

NAME = "skfocal"
"""Name of the attribute, or line, of a model file that holds the text."""


def settings_text(
    classes: npt.NDArray[Any], loss: FocalLoss, names: npt.NDArray[Any] | None
) -> str:
    """Labels, loss and names of columns (None for none) as JSON on one line.

    Raises
    ------
    TypeError
        If the labels are of a kind that JSON does not have, such as dates.
    """
    return json.dumps(
        {
            "classes": classes.tolist(),
            "dtype": classes.dtype.str if classes.dtype != object else "object",
            "gamma": loss.gamma,
            "alpha": loss.alpha,
            "hessian": loss.hessian,
            "link": loss.link,
            "names": None if names is None else list(names),
        }
    )


def settings_from_text(text: str) -> tuple[npt.NDArray[Any], FocalLoss, npt.NDArray[Any] | None]:
    """Labels, loss and names of columns of `settings_text`."""
    given = json.loads(text)
    classes = np.array(given["classes"], dtype=given["dtype"])
    gamma, alpha = (
        tuple(given[k]) if isinstance(given[k], list) else given[k] for k in ("gamma", "alpha")
    )
    loss = make_loss(len(classes), gamma, alpha, given["hessian"], given["link"])
    names = given["names"]
    return classes, loss, None if names is None else np.array(names, dtype=object)


def given_settings(
    n_classes: int, classes: Any, gamma: Gamma, alpha: Any, link: Link
) -> tuple[npt.NDArray[Any], FocalLoss]:
    """Labels and loss of a model file without settings, as the caller tells them."""
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
    return labels, make_loss(n_classes, gamma, alpha, link=link)
