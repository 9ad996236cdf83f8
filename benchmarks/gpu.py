"""Does focal loss cost training time on a GPU? Rounds per second beside the built-in objective.

XGBoost with ``device="cuda"`` on 1,000,000 and 10,000,000 rows x 28, two and five classes, both
links; the focal side with margins that stay on the device, and over the host. Needs a CUDA
device, and CuPy.

    python -m benchmarks.gpu [--quick]

writes benchmarks/results/gpu.csv, with the device's name in gpu.json.
"""

import argparse
import json
import sys
from functools import partial

import numpy as np
import pandas as pd
from numba import cuda
from xgboost import XGBClassifier

import skfocal.xgboost
from benchmarks.data import mixed_signal
from benchmarks.report import RESULTS, write_results
from benchmarks.timing import alternate, compared
from skfocal import FocalXGBClassifier

ROUNDS = 50


def over_the_host(model: FocalXGBClassifier, X: np.ndarray, y: np.ndarray) -> None:
    """Fit as if margins could not stay on the device."""
    chosen = skfocal.xgboost.may_stay_on_device
    skfocal.xgboost.may_stay_on_device = lambda params, X: False
    try:
        model.fit(X, y)
    finally:
        skfocal.xgboost.may_stay_on_device = chosen


def compare(rows: int, n_classes: int, repeats: int) -> pd.DataFrame:
    """Whole fits of all sides, as rounds per second."""
    X, y = mixed_signal(rows, n_classes=n_classes)
    X = X.astype(np.float32)
    settings = {"n_estimators": ROUNDS, "device": "cuda"}
    sides = {"built-in": partial(XGBClassifier(**settings).fit, X, y)}
    for link in ("focal", "posterior"):
        model = FocalXGBClassifier(link=link, **settings)
        sides[f"{link} link"] = partial(model.fit, X, y)
        sides[f"{link} link, over the host"] = partial(over_the_host, model, X, y)
    table = compared(alternate(sides, repeats), "built-in")
    table["rounds_per_second"] = ROUNDS / table.seconds
    table["time_ratio"] = 1 / table.times_faster
    return table.assign(rows=rows, classes=n_classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100,000 rows, three turns")
    options = parser.parse_args()
    if not cuda.is_available():
        sys.exit("There is no CUDA device here: nothing was measured, nothing written.")
    sizes = [100_000] if options.quick else [1_000_000, 10_000_000]
    tables = [
        compare(rows, n_classes, 3 if options.quick else 7)
        for rows in sizes
        for n_classes in (2, 5)
    ]
    table = pd.concat(tables)
    print(table.to_string(index=False))
    if not options.quick:
        write_results(table, "gpu")
        path = RESULTS / "gpu.json"
        name = cuda.get_current_device().name
        device = name.decode() if isinstance(name, bytes) else name
        path.write_text(
            json.dumps({**json.loads(path.read_text()), "device": device}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
