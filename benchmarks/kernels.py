"""How fast are gradient and Hessian? Ours, a NumPy formula, and other packages' objectives.

Margins in double, labels in float32, results in float32 (what LightGBM hands and takes),
unless the case says otherwise. The NumPy formula is the stable one, written with
scipy.special. Then the time for 1e4 to 1e7 rows.

    python -m benchmarks.kernels [--quick]

writes benchmarks/results/kernels.csv, kernels_growth.csv and kernels_growth.png.
"""

import argparse
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
from scipy.special import expit, log_expit, log_softmax

from benchmarks.report import (
    RESULTS,
    add_results,
    optional_import,
    processor,
    vector_bits,
    write_results,
)
from benchmarks.timing import alternate, compared
from skfocal import BinaryFocalLoss, FocalObjective, MulticlassFocalLoss
from skfocal._kernels import Options, Outputs, evaluate

mpl.use("Agg")
import matplotlib.pyplot as plt

NUMPY = "NumPy formula"


def numpy_binary(y, raw, gamma):
    """Gradient and the Hessian's upper bound, each step in double."""
    sign = 2 * y - 1
    m = sign * raw
    log_p = log_expit(m)
    p, q = np.exp(log_p), np.exp(log_expit(-m))
    slope = -(q**gamma) * (q - gamma * p * log_p)
    return (sign * slope).astype(np.float32), (-(1 + gamma) * p * slope).astype(np.float32)


def numpy_multiclass(y, raw, gamma):
    """Gradient and the diagonal of the bound, from p = softmax."""
    rows, codes = np.arange(len(y)), y.astype(np.intp)
    log_p = log_softmax(raw, axis=1)
    p = np.exp(log_p)
    log_pt, pt = log_p[rows, codes], p[rows, codes]
    q = 1 - pt
    slope = -(q**gamma) * (q - gamma * pt * log_pt)
    share = p / np.maximum(q, 1e-300)[:, None]
    share[rows, codes] = 0
    gradient = -slope[:, None] * share
    gradient[rows, codes] = slope
    bound = -(1 + gamma) * pt * slope
    hessian = bound[:, None] * share**2 - slope[:, None] * share * (1 - share)
    hessian[rows, codes] = bound
    return gradient.astype(np.float32), hessian.astype(np.float32)


def kernel(y, raw, gamma, dtype=np.float32, n_threads=1, link="focal"):
    """The loops alone, into arrays that are there."""
    n_classes = 2 if raw.ndim == 1 else raw.shape[1]
    order = "F" if raw.flags.f_contiguous else "C"
    out = {k: np.empty(raw.shape, dtype, order) for k in ("gradient", "hessian")}
    per_class = (gamma,) * n_classes, (1.0,) * n_classes
    how = Options(link=link), Outputs(**out)
    return lambda: evaluate(y, raw, None, *per_class, *how, n_threads=n_threads)


def peers(y, raw, gamma):
    """Objectives of other packages that are installed."""
    dataset = SimpleNamespace(get_label=lambda: y)
    gbdtcbl = optional_import("gbdtCBL.binary")
    imlightgbm = optional_import("imlightgbm.objective")
    bokbokbok = optional_import("bokbokbok.loss_functions.classification")
    sides = {}
    if gbdtcbl:
        clipped = gbdtcbl.FLLoss(gamma)
        sides["gbdtcbl"] = lambda: clipped(y, raw)
    if imlightgbm:
        sides["imlightgbm"] = lambda: imlightgbm.binary_focal_lgb_objective(raw, dataset, gamma)
    if bokbokbok:
        weighted = bokbokbok.WeightedFocalLoss(alpha=1.0, gamma=gamma)
        sides["bokbokbok"] = lambda: weighted(raw, dataset)
    return sides


def binary_cases(rows: int, repeats: int) -> list[pd.DataFrame]:
    """Two classes: every gamma alike, both precisions, one and two threads."""
    rng = np.random.default_rng(0)
    raw = rng.normal(-2, 2, rows)
    y = (rng.uniform(size=rows) < expit(raw)).astype(np.float32)
    weight = rng.uniform(0.5, 2, rows).astype(np.float32)
    single = raw.astype(np.float32)
    tables = []
    for gamma in (2.0, 1.7, 0.0):
        one, two = FocalObjective(gamma), FocalObjective(gamma, n_threads=2)
        double = BinaryFocalLoss(gamma)
        sides = {
            NUMPY: lambda g=gamma: numpy_binary(y, raw, g),
            "kernel": kernel(y, raw, gamma),
            "kernel, two threads": kernel(y, raw, gamma, n_threads=2),
            "kernel, posterior link": kernel(y, raw, gamma, link="posterior"),
            "FocalObjective": lambda f=one: f(y, raw),
            "FocalObjective, two threads": lambda f=two: f(y, raw),
            "FocalObjective, weights": lambda f=one: f(y, raw, weight),
            "FocalObjective, float32 margins": lambda f=one: f(y, single),
            "kernel, float64 results": kernel(y, raw, gamma, np.float64),
            "kernel, float64 results, posterior link": kernel(
                y, raw, gamma, np.float64, link="posterior"
            ),
            "loss alone, float64": lambda f=double: f.loss(y, raw),
        }
        if gamma:
            sides |= peers(y, raw, gamma)
        tables.append(case(f"binary, gamma {gamma:g}", sides, rows, repeats))
    pair = FocalObjective((1.0, 3.0), 0.25)
    sides = {
        NUMPY: lambda: numpy_binary(y, raw, 2.0),
        "FocalObjective": lambda: pair(y, raw),
    }
    tables.append(case("binary, gamma (1, 3), alpha .25", sides, rows, repeats))
    return tables


def multiclass_cases(rows: int, repeats: int) -> list[pd.DataFrame]:
    """Five classes, in the layouts of both libraries."""
    rng = np.random.default_rng(0)
    raw = rng.normal(0, 2, (rows, 5))
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1).astype(np.float32)
    columns, objective = np.asfortranarray(raw), FocalObjective(2.0)
    single, double = raw.astype(np.float32), MulticlassFocalLoss(5, 2.0)
    sides = {
        NUMPY: lambda: numpy_multiclass(y, raw, 2.0),
        "kernel": kernel(y, columns, 2.0),
        "kernel, two threads": kernel(y, columns, 2.0, n_threads=2),
        "kernel, posterior link": kernel(y, columns, 2.0, link="posterior"),
        "kernel, posterior link, two threads": kernel(
            y, columns, 2.0, n_threads=2, link="posterior"
        ),
        "FocalObjective": lambda: objective(y, columns),
        "FocalObjective, float32 margins by rows": lambda: objective(y, single),
        "kernel, float64 results": kernel(y, columns, 2.0, np.float64),
        "loss alone, float64": lambda: double.loss(y, columns),
    }
    if package := optional_import("gbdtCBL.lgbmulti"):
        theirs = package.LGBFLMulti(2.0)
        sides["gbdtcbl"] = lambda: theirs(y, columns)
    return [case("5 classes, gamma 2", sides, rows, repeats)]


def case(name: str, sides: dict, rows: int, repeats: int) -> pd.DataFrame:
    table = compared(alternate(sides, repeats, warm=True), NUMPY)
    table.insert(0, "case", name)
    table["ns_per_row"] = table.seconds / rows * 1e9
    return table


def beside(table: pd.DataFrame) -> pd.DataFrame:
    """How many times faster than the formula, here and in the committed results."""
    committed = pd.read_csv(RESULTS / "kernels.csv")
    committed = pd.concat([table.assign(processor="here"), committed])
    sides = ["kernel", "kernel, posterior link", "FocalObjective"]
    return (
        committed[committed.side.isin(sides)]
        .pivot_table("times_faster", ["case", "side"], "processor", sort=False)
        .round(1)
        .reset_index()
    )


def growth(largest: int, repeats: int) -> pd.DataFrame:
    """Seconds by number of rows."""
    rng = np.random.default_rng(0)
    rows = []
    for n in np.geomspace(1e4, largest, 7 if largest > 1e6 else 5).astype(int):
        raw = rng.normal(-2, 2, n)
        y = (rng.uniform(size=n) < expit(raw)).astype(np.float32)
        sides = {
            "binary": kernel(y, raw, 2.0),
            "binary, two threads": kernel(y, raw, 2.0, n_threads=2),
            "binary, float64 results": kernel(y, raw, 2.0, np.float64),
        }
        medians = alternate(sides, repeats, warm=True).median()
        rows += [{"rows": n, "side": k, "seconds": v} for k, v in medians.items()]
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, path) -> None:
    """Time a row against rows: linear growth is a level line."""
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for side, part in table.groupby("side", sort=False):
        axes.plot(part.rows, part.seconds / part.rows * 1e9, marker="o", label=side)
    axes.set(xscale="log", xlabel="rows", ylabel="ns a row", ylim=(0, None))
    axes.set_title("Gradient and Hessian of the focal loss, gamma 2", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows and turns")
    quick = parser.parse_args().quick
    rows, repeats = (200_000, 7) if quick else (1_000_000, 15)
    table = pd.concat([*binary_cases(rows, repeats), *multiclass_cases(rows, repeats)])
    suffix = "-quick" if quick else ""
    add_results(table, f"kernels{suffix}")
    print(f"{processor()}, vectors of {vector_bits()} bits")
    print(table.round(4).to_markdown(index=False))
    if quick:
        print(beside(table).to_markdown(index=False))
    grown = growth(1_000_000 if quick else 10_000_000, 7)
    write_results(grown, f"kernels_growth{suffix}")
    draw(grown, RESULTS / f"kernels_growth{suffix}.png")


if __name__ == "__main__":
    main()
