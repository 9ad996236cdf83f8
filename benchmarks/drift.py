"""Order of time: models of the past, rows of the future, and a prevalence that moves.

The rows of each table of `benchmarks.large_tables.DATED` are in the order of time, and cut into
eight blocks of as many rows. A model of the first k blocks (of their latest 30,000 rows) predicts
the next one, for k from 2 to 7. Trees have default parameters and the learning rate 0.1.

- ``LightGBM``, ``XGBoost``: log loss, and ``posterior 2``: gamma 2. The latest fifth of the
  training rows stops training, after 30 rounds without a better log loss.
- ``CV``: the class that chooses gamma by cross-validation, at most 1,000 rounds. Its folds are
  those of scikit-learn's default, rows in their order. ``CV in time``: ``cv=TimeSeriesSplit(5)``.

Each model predicts three times: as fitted; after `adjust_priors` with the share of positives in the
last block before (``last share``), which is known at that time; and with the share in the block to
be predicted (``true share``), which is not, and shows what there was to gain.

    python -m benchmarks.drift [--quick]

writes benchmarks/results/drift.csv and drift.md; a run that was stopped goes on where it was.
"""

import argparse
import time
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import TimeSeriesSplit

from benchmarks.booster_fits import FITS
from benchmarks.large_tables import DATED
from benchmarks.one_fit_shared import progress
from benchmarks.quality_statistics import mean_differences
from benchmarks.rare import measured
from benchmarks.recipes import CHOOSING, PLAIN
from benchmarks.report import RESULTS, write_results

BLOCKS, FIRST, LATEST = 8, 2, 30_000
BOOSTERS = ("LightGBM", "XGBoost")
MEASURES = ["log_loss_ratio", "cost_20", "average_precision"]


@lru_cache(maxsize=1)
def load(table: str) -> tuple[pd.DataFrame, np.ndarray]:
    """A table, once in a process for all its blocks."""
    X, y = DATED[table].load()
    return X.reset_index(drop=True), np.asarray(y)


def rows_of(table: str, block: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the past, of the last block of it, and of the next block."""
    _, y = load(table)
    blocks = np.array_split(np.arange(len(y)), BLOCKS)
    past = np.concatenate(blocks[:block])[-LATEST:]
    return past, blocks[block - 1], blocks[block]


def fitted(booster: str, X: pd.DataFrame, y: np.ndarray) -> dict[str, Any]:
    """Models of the past, by name."""
    cut = len(y) - len(y) // 5
    train, stop = (X.iloc[:cut], y[:cut]), (X.iloc[cut:], y[cut:])
    posterior = {"focal_gamma": 2.0, "link": "posterior"}
    fits = {
        "": lambda: FITS[booster](PLAIN, 0, train, stop),
        ", posterior 2": lambda: FITS[booster](posterior, 0, train, stop),
        ", CV": lambda: CHOOSING[booster]().fit(X, y),
        ", CV in time": lambda: CHOOSING[booster](cv=TimeSeriesSplit(5)).fit(X, y),
    }
    models = {}
    for name, fit in fits.items():
        started = time.perf_counter()
        model = fit()
        models[booster + name] = model, time.perf_counter() - started
    return models


def one_block(table: str, block: int) -> list[dict[str, Any]]:
    """All models of the past of one block, measured on it."""
    warnings.simplefilter("ignore")
    X, y = load(table)
    past, last, test = rows_of(table, block)
    shares = {"": None, ", last share": y[last].mean(), ", true share": y[test].mean()}
    about = {
        "table": table,
        "family": DATED[table].family,
        "fold": block,
        "rows": len(past),
        "positives": int(y[past].sum()),
        "share": y[past].mean(),
        "last_share": shares[", last share"],
        "test_share": shares[", true share"],
    }
    weight = np.full(len(test), 1 / len(test))
    rows = []
    for booster in BOOSTERS:
        for method, (model, seconds) in fitted(booster, X.iloc[past], y[past]).items():
            for name, share in shares.items():
                if share is not None:
                    model.adjust_priors([1 - share, share])
                p = model.predict_proba(X.iloc[test])[:, 1]
                found = measured(y[test], p, weight, np.empty(0))
                rows.append({**about, "method": method + name, **found, "fit_seconds": seconds})
    return rows


def text_of(table: pd.DataFrame) -> str:
    """Differences, and the means of each table."""
    models = list(dict.fromkeys(table.method[~table.method.str.contains("share")]))
    wanted = {
        "What the last known share of positives does": [(f"{m}, last share", m) for m in models],
        "And the true one": [(f"{m}, true share", m) for m in models],
        "The CV class with folds in the order of time, or with scikit-learn's": [
            (f"{b}, CV in time", f"{b}, CV") for b in BOOSTERS
        ],
        "The CV class and gamma 2 against log loss": [
            (f"{b}, {name}", b) for b in BOOSTERS for name in ("CV in time", "CV", "posterior 2")
        ],
    }
    parts = [
        f"{table.table.nunique()} tables, {table.fold.nunique()} blocks each. Means over tables of "
        "differences, with intervals of 95 % by t over tables, and the intervals after correction "
        "for the number of comparisons in a table (Bonferroni). Log loss and cost are divided by "
        "those of a prediction that knows the share of positives in the block, and nothing else."
    ]
    for title, pairs in wanted.items():
        # a share of positives changes no order
        measures = MEASURES[:-1] if "share" in pairs[0][0] else MEASURES
        found = mean_differences(table, pairs, measures)
        parts += [f"**{title}**", found.to_markdown(index=False, floatfmt=".3g")]
    shares = table.drop_duplicates(["table", "fold"])
    shares = shares.pivot(index="table", columns="fold", values="test_share")
    parts += ["**Share of positives in each block**", shares.to_markdown(floatfmt=".2%")]
    means = table.pivot_table(index="method", columns="table", values="log_loss_ratio", sort=False)
    ratio = table.groupby("method", sort=False).mean_over_prevalence.median()
    means = means.join(ratio.rename("mean over share, median"))
    parts += ["**Log loss over that of the block's share**", means.to_markdown(floatfmt=".3g")]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two tables, the last block")
    quick = parser.parse_args().quick
    tables = ("covid tests", "car crashes") if quick else tuple(DATED)
    blocks = range(BLOCKS - 1, BLOCKS) if quick else range(FIRST, BLOCKS)
    found = progress("drift", one_block, [(t, b) for t in tables for b in blocks], quick, prefix="")
    name = "drift-quick" if quick else "drift"
    write_results(found, name)
    (RESULTS / f"{name}.md").write_text(text_of(found))
    print(text_of(found))


if __name__ == "__main__":
    from benchmarks import drift  # workers find functions by the name of their module

    drift.main()
