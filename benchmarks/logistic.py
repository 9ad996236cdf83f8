"""FocalLogisticRegression against scikit-learn, glum and skglm: time to the same objective.

Each solver is run at the loosest of a row of tolerances at which its objective is within
1e-8 of the best known (relative); one that reaches it at none is listed without a time.
Dense and sparse X with an L2 penalty, dense X with an elastic net, gamma 2 beside gamma 0,
and the time by number of rows.

    python -m benchmarks.logistic [--quick]

writes benchmarks/results/logistic.csv, logistic_growth.csv and logistic_growth.png.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from benchmarks.data import logistic_dense, logistic_sparse
from benchmarks.report import RESULTS, optional_import, write_results
from benchmarks.timing import alternate, compared
from skfocal import BinaryFocalLoss, FocalLogisticRegression

mpl.use("Agg")
import matplotlib.pyplot as plt

OURS = "FocalLogisticRegression"
TOLERANCES = tuple(10 ** (-k / 2) for k in range(6, 19))
# Solvers slower than this at one tolerance are not tried at the next.
PATIENCE = 120.0

Make = Callable[[float], object]


def objective(model, X, y, C: float, l1_ratio: float, gamma: float) -> float:
    """C times the sum of losses, and the penalty."""
    coef, intercept = np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])
    rows = BinaryFocalLoss(gamma).loss(y, np.asarray(X @ coef) + intercept)
    penalty = (1 - l1_ratio) / 2 * np.square(coef).sum() + l1_ratio * np.abs(coef).sum()
    return C * rows.sum() + penalty


def l2_solvers(X) -> dict[str, Make]:
    """Gamma = 0 with C = 1."""
    solvers = {OURS: lambda tol: FocalLogisticRegression(0.0, tol=tol, max_iter=5000)}
    names = ["lbfgs", "newton-cg"]
    if not sparse.issparse(X):
        names.append("newton-cholesky")
    for name in names:
        solvers[f"scikit-learn {name}"] = lambda tol, name=name: LogisticRegression(
            tol=tol, max_iter=5000, solver=name
        )
    return solvers | glum_solver(X, 1.0, 0.0)


def elastic_net_solvers(X, C: float, l1_ratio: float) -> dict[str, Make]:
    """Gamma = 0."""
    n_rows = X.shape[0]
    solvers = {
        OURS: lambda tol: FocalLogisticRegression(
            0.0, C=C, l1_ratio=l1_ratio, tol=tol, max_iter=1000
        ),
        "scikit-learn saga": lambda tol: LogisticRegression(
            C=C, l1_ratio=l1_ratio, solver="saga", tol=tol, max_iter=1000
        ),
    }
    solvers |= glum_solver(X, C, l1_ratio)
    if skglm := optional_import("skglm"):
        from skglm.datafits import Logistic
        from skglm.penalties import L1_plus_L2
        from skglm.solvers import ProxNewton

        def make(tol: float):
            # skglm divides the loss by the rows, and wants labels -1 and 1
            penalty = L1_plus_L2(1.0 / (C * n_rows), l1_ratio)
            solver = ProxNewton(tol=tol, max_iter=200, fit_intercept=True)
            model = skglm.GeneralizedLinearEstimator(Logistic(), penalty, solver)
            return _SignedLabels(model)

        solvers["skglm ProxNewton"] = make
    return solvers


class _SignedLabels:
    """Labels 0 and 1 as -1 and 1, for skglm."""

    def __init__(self, model) -> None:
        self.model = model

    def fit(self, X, y):
        self.model.fit(X, 2.0 * y - 1.0)
        self.coef_, self.intercept_ = self.model.coef_, self.model.intercept_
        return self


def glum_solver(X, C: float, l1_ratio: float) -> dict[str, Make]:
    """glum, whose loss is the mean deviance / 2 = the mean log loss."""
    glum = optional_import("glum")
    if glum is None or sparse.issparse(X):
        return {}
    return {
        "glum": lambda tol: glum.GeneralizedLinearRegressor(
            family="binomial",
            alpha=1.0 / (C * X.shape[0]),
            l1_ratio=l1_ratio,
            gradient_tol=tol,
            max_iter=1000,
        )
    }


def reaching(make: Make, X, y, best: float, settings: tuple) -> float | None:
    """The loosest tolerance at which the objective is within 1e-8 of the best."""
    for tol in TOLERANCES:
        start = time.perf_counter()
        model = make(tol).fit(X, y)
        if objective(model, X, y, *settings) <= best * (1 + 1e-8):
            return tol
        if time.perf_counter() - start > PATIENCE:
            return None
    return None


def comparison(name, X, y, solvers, C, l1_ratio, repeats) -> pd.DataFrame:
    """Medians of the solvers that reach the best objective; gamma 2 of ours beside them."""
    settings = C, l1_ratio, 0.0
    best = objective(solvers[OURS](1e-10).fit(X, y), X, y, *settings)
    tolerances = {k: reaching(make, X, y, best, settings) for k, make in solvers.items()}
    sides = {
        k: lambda k=k: solvers[k](tolerances[k]).fit(X, y)
        for k in solvers
        if tolerances[k] is not None
    }
    focal = FocalLogisticRegression(
        2.0, C=C, l1_ratio=l1_ratio, tol=tolerances[OURS], max_iter=5000
    )
    sides[f"{OURS}, gamma 2"] = lambda: focal.fit(X, y)
    table = compared(alternate(sides, repeats), OURS)
    table["times_slower"] = 1 / table.times_faster
    table["tol"] = [tolerances.get(k) for k in table.side]
    missed = [k for k, tol in tolerances.items() if tol is None]
    table = pd.concat([table, pd.DataFrame({"side": missed, "reference": OURS})])
    table.insert(0, "problem", name)
    print(table.round(3).to_markdown(index=False), flush=True)
    return table


def problems(quick: bool, repeats: int) -> pd.DataFrame:
    """All comparisons."""
    k = 10 if quick else 1
    tables = []
    for n, p in ((500_000 // k, 50), (50_000 // k, 500)):
        X, y = logistic_dense(n, p)
        name = f"dense {n} x {p}"
        tables.append(comparison(f"{name}, L2", X, y, l2_solvers(X), 1.0, 0.0, repeats))
        for C, l1_ratio in ((0.01, 0.5),):
            solvers = elastic_net_solvers(X, C, l1_ratio)
            label = f"{name}, elastic net C={C:g} r={l1_ratio:g}"
            tables.append(comparison(label, X, y, solvers, C, l1_ratio, repeats))
    X, y = logistic_sparse(200_000 // k, 100_000 // k, 50)
    name = f"sparse {X.shape[0]} x {X.shape[1]}, L2"
    tables.append(comparison(name, X, y, l2_solvers(X), 1.0, 0.0, repeats))
    return pd.concat(tables)


def growth(largest: int, repeats: int) -> pd.DataFrame:
    """Seconds by number of rows of dense X with 20 columns."""
    rows = []
    for n in np.geomspace(1e4, largest, 5).astype(int):
        X, y = logistic_dense(n, 20)
        sides = {
            f"gamma {g:g}": lambda g=g, X=X, y=y: FocalLogisticRegression(g).fit(X, y)
            for g in (0.0, 2.0)
        }
        medians = alternate(sides, repeats).median()
        rows += [{"rows": n, "side": k, "seconds": v} for k, v in medians.items()]
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, path) -> None:
    """Seconds against rows, beside a line of slope 1."""
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for side, part in table.groupby("side", sort=False):
        axes.plot(part.rows, part.seconds, marker="o", label=side)
    first = table.iloc[0]
    ends = np.array([table.rows.min(), table.rows.max()])
    axes.plot(ends, first.seconds * ends / first.rows, "k:", label="proportional to rows")
    axes.set(xscale="log", yscale="log", xlabel="rows of 20 columns", ylabel="seconds")
    axes.set_title("FocalLogisticRegression.fit", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows and turns")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")  # loose tolerances and few iterations are on purpose
    suffix = "-quick" if quick else ""
    write_results(problems(quick, 3 if quick else 7), f"logistic{suffix}")
    grown = growth(300_000 if quick else 3_000_000, 3)
    write_results(grown, f"logistic_growth{suffix}")
    draw(grown, RESULTS / f"logistic_growth{suffix}.png")


if __name__ == "__main__":
    main()
