"""What a model of XGBoost holds, and files of it (floor 5)."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy.typing as npt
from xgboost import Booster

from skfocal._booster._model_files import NAME, Settings, settings_from_text, settings_text
from skfocal.losses import FocalLoss


def n_classes_of(booster: Booster) -> int:
    """Number of classes of a classification model."""
    learner = json.loads(booster.save_config())["learner"]
    if learner["objective"]["name"] not in ("binary:logistic", "multi:softprob"):
        raise ValueError(
            "The booster must be of binary:logistic or multi:softprob; its objective is "
            f"{learner['objective']['name']}."
        )
    return max(2, int(learner["learner_model_param"]["num_class"]))


def settings_of(booster: Booster, model: str) -> Settings | None:
    """Labels, loss and names of columns in a booster, None where it has none.

    ``model`` is what the message of an error calls it.
    """
    text, best = booster.attr(NAME), booster.attr("best_iteration")
    if text is None:
        return None
    if best is not None and not (best.isdecimal() and int(best) < booster.num_boosted_rounds()):
        raise ValueError(f"{model} is damaged: it has no round {best!r}, its best one.")
    return settings_from_text(text, model, n_classes_of(booster), booster.num_features())


def write_settings(
    booster: Booster, classes: npt.NDArray[Any], loss: FocalLoss, names: npt.NDArray[Any] | None
) -> None:
    """Write labels, loss and names of columns into the attributes of a booster."""
    booster.set_attr(**{NAME: None})  # of a model that was continued
    with suppress(TypeError):  # JSON has no such labels; a pickle holds them anyway
        booster.set_attr(**{NAME: settings_text(classes, loss, names)})


@contextmanager
def readable(fname: Any) -> Iterator[None]:
    """Name the file, or what else holds a model, that XGBoost cannot read in the block.

    A cut file is refused first: XGBoost 3.2 may end the process at one in the UBJSON format.
    """
    model = "The bytes" if isinstance(fname, bytearray) else repr(os.fspath(fname))
    try:
        _check_ends(fname)
        yield
    except (ValueError, KeyError, RecursionError) as error:  # XGBoostError is a ValueError
        raise ValueError(f"{model}: no model that XGBoost can read. {error}") from error


def _check_ends(fname: Any) -> None:
    """Refuse what does not begin and end as models in JSON and UBJSON do."""
    if isinstance(fname, bytearray):
        first, last = bytes(fname[:1]), bytes(fname[-99:])
    else:
        path = os.path.expanduser(os.fspath(fname))
        if not os.path.isfile(path):
            return  # XGBoost says what is wrong, or knows the address
        with open(path, "rb") as file:
            first = file.read(1)
            file.seek(max(0, os.path.getsize(path) - 99))
            last = file.read()
    if first != b"{" or last.rstrip()[-1:] != b"}":
        raise ValueError("It is cut, damaged, or in another format than JSON and UBJSON.")
