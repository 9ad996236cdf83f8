"""What does the first fit in a new process cost, with and without compiled code on disk?

Each side is a process of its own; 500 x 5 rows. The import of the package alone beside
that of scikit-learn's base; then seconds inside ``fit`` of a new process (with the import of
numba, which the first fit loads), plain and focal, with a warm and with an empty cache. Results of
other processors are kept.

    python -m benchmarks.start [--quick]

writes benchmarks/results/start.csv.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import pandas as pd

from benchmarks.report import add_results

IMPORTS = {"sklearn.base": "import sklearn.base", "skfocal": "import skfocal"}
FIT = """
import time
import numpy as np
from {module} import {name} as Model
rng = np.random.default_rng(0)
X = rng.normal(size=(500, 5))
score = X[:, 0] + rng.logistic(size=500)
y = np.searchsorted([2.0] if {n_classes} == 2 else [-2.0, -1.0, 0.0, 2.0], score)
start = time.perf_counter()
Model({options}).fit(X, y)
print(time.perf_counter() - start)
"""
PAIRS = {
    "LightGBM": ("lightgbm", "LGBMClassifier", "FocalLGBMClassifier", "n_estimators=5, verbose=-1"),
    "XGBoost": ("xgboost", "XGBClassifier", "FocalXGBClassifier", "n_estimators=5"),
    "scikit-learn's trees": (
        *("sklearn.ensemble", "HistGradientBoostingClassifier"),
        *("FocalHistGradientBoostingClassifier", "max_iter=5"),
    ),
    "logistic": ("sklearn.linear_model", "LogisticRegression", "FocalLogisticRegression", ""),
}
POSTERIOR = ', link="posterior"'
# Library, number of classes, what is added to the options of the focal model.
CASES = (
    ("LightGBM", 2, ""),
    ("LightGBM", 2, POSTERIOR),
    ("XGBoost", 2, ""),
    ("XGBoost", 5, ""),
    ("XGBoost", 5, POSTERIOR),
    ("scikit-learn's trees", 2, ""),
    ("logistic", 2, ""),
)
TIMED_IMPORT = "import time; start = time.perf_counter()\n{}\nprint(time.perf_counter() - start)"


def seconds(code: str, repeats: int, cache: str | None = None) -> float:
    """Median of what a new process prints."""
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": cache} if cache else {})}
    printed = [
        float(
            subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
            ).stdout
        )
        for _ in range(repeats)
    ]
    return float(pd.Series(printed).median())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    quick = parser.parse_args().quick
    repeats = 3 if quick else 9
    rows = [
        {"case": f"import {name}", "seconds": seconds(TIMED_IMPORT.format(code), repeats)}
        for name, code in IMPORTS.items()
    ]
    for library, n_classes, added in CASES:
        module, plain, focal, options = PAIRS[library]
        how = {"n_classes": n_classes, "options": options}
        own = FIT.format(module=module, name=plain, **how)
        code = FIT.format(module="skfocal", name=focal, **how | {"options": options + added})
        with tempfile.TemporaryDirectory() as cache:
            cold = seconds(code, 1, cache)
            warm = seconds(code, repeats, cache)
        name = library + (f", {n_classes} classes" if n_classes > 2 else "")
        name += ", posterior link" if added else ""
        rows += [
            {"case": f"{name}: first fit, plain", "seconds": seconds(own, repeats)},
            {"case": f"{name}: first fit, focal, warm cache", "seconds": warm},
            {"case": f"{name}: first fit, focal, empty cache", "seconds": cold},
        ]
    table = pd.DataFrame(rows)
    add_results(table, "start-quick" if quick else "start")
    print(table.round(3).to_markdown(index=False))


if __name__ == "__main__":
    main()
