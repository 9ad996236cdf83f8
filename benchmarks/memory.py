"""How much memory does a fit need on a table that lies on disk?

A table of float64 numbers in a NumPy file: read in batches (XGBoost's ``DataIter``, whose
bins are then kept on disk or in memory; LightGBM's ``Sequence``), from LightGBM's own binary
file, or mapped (the linear model). Each side is a process of its own. Reported is the peak of
the process's anonymous memory, less what it is after the imports: pages of files do not
count, as the system takes them back when others need them.

    python -m benchmarks.memory [--quick]

writes benchmarks/results/memory.csv; ``python -m benchmarks.memory SIDE FOLDER`` prints the
peak of one side, in MiB, on FOLDER/X.npy and FOLDER/y.npy.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

from benchmarks.report import write_results
from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalObjective, FocalXGBClassifier

ROWS, COLUMNS = 10_000_000, 20
BATCH = 100_000


class Batches(xgb.DataIter):
    """Rows of files, in batches."""

    def __init__(self, X: np.ndarray, y: np.ndarray, cache_prefix: str | None) -> None:
        self.X, self.y = X, y
        self.start = 0
        super().__init__(cache_prefix=cache_prefix)

    def reset(self) -> None:
        """Begin again."""
        self.start = 0

    def next(self, input_data) -> bool:
        """Hand over the next batch, if there is one."""
        if self.start >= len(self.X):
            return False
        rows = slice(self.start, self.start + BATCH)
        input_data(data=self.X[rows], label=self.y[rows])
        self.start += BATCH
        return True


class Rows(lgb.Sequence):
    """Rows of a mapped file."""

    batch_size = BATCH

    def __init__(self, X: np.ndarray) -> None:
        self.X = X

    def __getitem__(self, index):
        return self.X[index]

    def __len__(self) -> int:
        return len(self.X)


def fit_xgboost_on_disk(X: np.ndarray, y: np.ndarray, folder: Path) -> None:
    FocalXGBClassifier(n_estimators=10, n_jobs=2).fit(Batches(X, y, str(folder / "cache")))


def fit_xgboost_in_memory(X: np.ndarray, y: np.ndarray, folder: Path) -> None:
    FocalXGBClassifier(n_estimators=10, n_jobs=2).fit(Batches(X, y, None))


def fit_lightgbm_sequence(X: np.ndarray, y: np.ndarray, folder: Path) -> None:
    model = FocalLGBMClassifier(n_estimators=10, n_jobs=2, verbose=-1)
    model.fit(lgb.Dataset(Rows(X), y, params={"verbose": -1}))


def fit_lightgbm_file(X: np.ndarray, y: np.ndarray, folder: Path) -> None:
    if not (folder / "rows.bin").exists():  # in another process, so as not to count
        raise FileNotFoundError("make rows.bin first: side 'lightgbm write'")
    model = FocalLGBMClassifier(n_estimators=10, n_jobs=2, verbose=-1)
    model.fit(lgb.Dataset(folder / "rows.bin", params={"verbose": -1}))


def write_lightgbm_file(X: np.ndarray, y: np.ndarray, folder: Path) -> None:
    dataset = lgb.Dataset(Rows(X), y, params={"verbose": -1, "min_data_in_leaf": 20})
    dataset.construct().save_binary(folder / "rows.bin")


def fit_logistic(X: np.ndarray, y: np.ndarray, folder: Path) -> None:
    FocalLogisticRegression(n_jobs=1).fit(X, y)


SIDES = {
    "XGBoost, bins on disk": fit_xgboost_on_disk,
    "XGBoost, bins in memory": fit_xgboost_in_memory,
    "LightGBM, Sequence": fit_lightgbm_sequence,
    "LightGBM, binary file": fit_lightgbm_file,
    "logistic": fit_logistic,
    "lightgbm write": write_lightgbm_file,
}


def anonymous() -> float:
    """MiB of this process that no file stands behind."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 2**10


def peak_of(side: str, folder: Path) -> float:
    """Peak of the anonymous memory during a fit, less that before it."""
    X, y = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in "Xy")
    # the first calls of an installation compile, which takes memory once
    FocalLogisticRegression(n_jobs=1).fit(X[:1000], y[:1000])
    FocalObjective()(np.array([0, 1]), np.zeros(2, dtype=np.float32))
    before = anonymous()
    peak, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        SIDES[side](X, y, folder)
    finally:
        done.set()
        watcher.join()
    return max(peak[0], anonymous()) - before


def write_table(folder: Path, n_rows: int) -> float:
    """A table on disk; its size in MiB."""
    path = folder / "X.npy"
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(n_rows, COLUMNS))
    y = np.empty(n_rows, dtype=np.int8)
    for start in range(0, n_rows, BATCH):
        rng = np.random.default_rng(start)
        block = X[start : start + BATCH]
        block[:] = rng.normal(size=block.shape)
        y[start : start + BATCH] = block[:, :5].sum(1) + rng.logistic(size=len(block)) > 4
    X.flush()
    np.save(folder / "y.npy", y)
    return X.nbytes / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("side", nargs="?", choices=SIDES)
    parser.add_argument("folder", nargs="?", type=Path)
    options = parser.parse_args()
    if options.side:
        print(peak_of(options.side, options.folder))
        return
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_rows = ROWS // 10 if options.quick else ROWS
        size = write_table(folder, n_rows)
        for side in ("lightgbm write", *list(SIDES)[:-1]):
            start = time.perf_counter()
            command = [sys.executable, "-m", "benchmarks.memory", side, str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peak = float(done.stdout.split()[-1])
            results.append(
                {
                    "side": side,
                    "rows": n_rows,
                    "table_mib": round(size),
                    "peak_mib": round(peak),
                    "share_of_table": round(peak / size, 3),
                    "seconds": round(time.perf_counter() - start, 1),
                }
            )
            print(results[-1], flush=True)
    table = pd.DataFrame(results).query("side != 'lightgbm write'")
    write_results(table, "memory-quick" if options.quick else "memory")


if __name__ == "__main__":
    main()
