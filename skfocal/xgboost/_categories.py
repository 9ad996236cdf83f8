"""Categories that the training rows did not have (floor 5).

XGBoost 3.1 and 3.2 find a category by binary search, and do not compare what they have found with
what was asked for. They can take a new category for a known one. Newer versions refuse it.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xgboost
from sklearn.utils.fixes import parse_version
from xgboost import Booster

REFUSED_BY_XGBOOST = parse_version(xgboost.__version__) >= parse_version("3.3")
Known = list[set[Any]]
_KNOWN: WeakKeyDictionary[Booster, Known] = WeakKeyDictionary()


def check_categories(booster: Booster, X: Any) -> None:
    """Refuse a table with a category that the training rows did not have.

    Raises
    ------
    ValueError
        If there is one.
    """
    if REFUSED_BY_XGBOOST:
        return
    for place, name, values in _columns(X):
        if booster not in _KNOWN:
            _KNOWN[booster] = _of_booster(booster)
        known = _KNOWN[booster]
        # a column that had no categories in training is refused by XGBoost
        new = values - known[place] if place < len(known) and known[place] else set()
        if new:
            raise ValueError(
                f"X has categories in column {name!r} that the training rows did not have: "
                f"{sorted(new, key=str)[:5]}. XGBoost {xgboost.__version__} would take some of "
                "them for other categories. Make them missing values."
            )


def _columns(X: Any) -> Iterator[tuple[int, Any, set[Any]]]:
    """Place, name and categories of each categorical column of pandas, polars or Arrow."""
    if hasattr(X, "iloc"):
        for place, (name, dtype) in enumerate(X.dtypes.items()):
            if getattr(dtype, "name", "") == "category":
                column = X.iloc[:, place].cat
                used = np.unique(column.codes.to_numpy())
                yield place, name, set(column.categories[used[used >= 0]].tolist())
    elif hasattr(X, "get_columns"):
        for place, column in enumerate(X.get_columns()):
            if str(column.dtype).startswith(("Categorical", "Enum")):
                yield place, column.name, set(column.drop_nulls().unique().to_list())
    elif hasattr(X, "column_names"):
        for place, name in enumerate(X.column_names):
            if str(X.schema.field(place).type).startswith("dictionary"):
                yield place, name, set(X.column(place).unique().to_pylist()) - {None}


def _of_booster(booster: Booster) -> Known:
    """The categories of each column, from the model that a file would have."""
    trees = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    model = trees["model"] if "model" in trees else trees["gbtree"]["model"]  # the second is DART
    found: Known = []
    for column in model.get("cats", {}).get("enc", []):
        values = column["values"]
        if "offsets" in column:  # texts, one after another
            ends, text = column["offsets"], np.array(values, dtype=np.uint8).tobytes()
            values = [text[start:end].decode() for start, end in pairwise(ends)]
        found.append(set(values))
    return found
