"""Categories that the training rows did not have (floor 5).

XGBoost 3.1 and 3.2 find a category by binary search, and do not compare what they have found with
what was asked for. They can take a new category for a known one. They also count letters where
they mean bytes, so names with other letters than those of ASCII are cut at wrong places. Tables
with the same list of categories as in training are read rightly even so. Newer versions do all of
this right.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import xgboost
from sklearn.utils.fixes import parse_version
from xgboost import Booster

REFUSED_BY_XGBOOST = parse_version(xgboost.__version__) >= parse_version("3.3")


class Column(NamedTuple):
    """A column of categories in a table."""

    place: int
    name: Any
    used: set[Any]
    """Categories that rows have."""
    listed: list[Any]
    """All categories, in the order of their codes; empty if not known."""


_KNOWN: WeakKeyDictionary[Booster, list[dict[str, Any]]] = WeakKeyDictionary()


def check_categories(booster: Booster, X: Any) -> None:
    """Refuse a table with a category that the training rows did not have.

    Raises
    ------
    ValueError
        If there is one, or a column of categories had numbers in training.
    """
    types = booster.feature_types or []
    for column in _columns(X):
        if column.place < len(types) and types[column.place] != "c":
            raise ValueError(
                f"Column {column.name!r} of X has categories, but had numbers in training. Give X "
                "the types of columns that it had in fit."
            )
        if not REFUSED_BY_XGBOOST:
            _check_column(booster, column)


def _check_column(booster: Booster, column: Column) -> None:
    if booster not in _KNOWN:
        _KNOWN[booster] = _of_booster(booster)
    stored = _KNOWN[booster][column.place : column.place + 1]
    # a model of an older version, or of codes, knows no categories
    if not stored or not stored[0]["values"] or stored[0] == _as_stored(column.listed):
        return
    known = _names(stored[0])
    if known is None or not all(map(_is_plain, column.used)):
        raise ValueError(
            f"Column {column.name!r} has names of categories with letters outside ASCII, which "
            f"XGBoost {xgboost.__version__} reads wrongly in a table that does not list the "
            "categories of training in their order. List them, rename them, or use XGBoost 3.3 or "
            "newer."
        )
    new = column.used - known
    if new:
        raise ValueError(
            f"X has categories in column {column.name!r} that the training rows did not have: "
            f"{sorted(new, key=str)[:5]}. XGBoost {xgboost.__version__} would take some of them "
            "for other categories. Make them missing values."
        )


def _columns(X: Any) -> Iterator[Column]:
    """The categorical columns of a table of pandas, polars or Arrow."""
    if type(X).__module__.startswith("pandas"):  # and no table on a GPU
        for place, dtype in enumerate(X.dtypes.to_numpy()):
            if type(dtype).__name__ == "CategoricalDtype":
                column = X.iloc[:, place].cat
                codes = np.unique(column.codes.to_numpy())
                used = column.categories[codes[codes >= 0]].tolist()
                yield Column(place, X.columns[place], set(used), column.categories.tolist())
    elif hasattr(X, "get_columns"):
        for place, column in enumerate(X.get_columns()):
            if str(column.dtype).startswith(("Categorical", "Enum")):
                used = column.drop_nulls().unique().to_list()
                yield Column(place, column.name, set(used), [])
    elif hasattr(X, "column_names"):
        for place, name in enumerate(X.column_names):
            if str(X.schema.field(place).type).startswith("dictionary"):
                used = X.column(place).unique().to_pylist()
                yield Column(place, name, set(used) - {None}, [])


def _of_booster(booster: Booster) -> list[dict[str, Any]]:
    """The categories of each column, from the model that a file would have."""
    trees = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    model = trees["model"] if "model" in trees else trees["gbtree"]["model"]  # the second is DART
    columns: list[dict[str, Any]] = model.get("cats", {}).get("enc", [])
    return columns


def _as_stored(listed: list[Any]) -> dict[str, Any] | None:
    """How XGBoost 3.1 and 3.2 keep a list of names of pandas: with ends that count letters."""
    if not all(isinstance(name, str) for name in listed):
        return None
    ends = [0, *np.cumsum([len(name) for name in listed], dtype=int).tolist()]
    text = np.frombuffer("".join(listed).encode(), dtype=np.int8)[: ends[-1]]
    return {"offsets": ends, "values": text.tolist()}


def _names(stored: dict[str, Any]) -> set[Any] | None:
    """The categories of a column. None if they are names with letters outside ASCII."""
    values = stored["values"]
    if "offsets" not in stored:
        return set(values)
    if min(values) < 0:  # bytes above 127
        return None
    text = bytes(values).decode()
    return {text[start:end] for start, end in pairwise(stored["offsets"])}


def _is_plain(name: Any) -> bool:
    return not isinstance(name, str) or name.isascii()
