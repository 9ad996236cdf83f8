"""Sides of a comparison, timed in turn in one process."""

import gc
import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd


def alternate(
    sides: Mapping[str, Callable[[], object]], repeats: int, warm: bool = False
) -> pd.DataFrame:
    """Seconds of each side, one column each; every row is one turn of all of them.

    Each is called once before: what is compiled or paged in then is not measured. With
    ``warm`` it is called before each measurement, so that none inherits the caches of
    another side.
    """
    for side in sides.values():
        side()
    gc.collect()
    rows = []
    for _ in range(repeats):
        row = {}
        for name, side in sides.items():
            if warm:
                side()
            start = time.perf_counter()
            side()
            row[name] = time.perf_counter() - start
        rows.append(row)
    return pd.DataFrame(rows)


def compared(seconds: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Medians, and medians of the ratios within a turn: how often faster than reference."""
    ratio = seconds[[reference]].to_numpy() / seconds
    return pd.DataFrame(
        {
            "side": seconds.columns,
            "seconds": seconds.median().to_numpy(),
            "reference": reference,
            "times_faster": ratio.median().to_numpy(),
            "turns": np.full(seconds.shape[1], len(seconds)),
        }
    )
