"""Whether FocalLogisticRegression converges at its default tolerance, or warns.

A grid of prevalences, gammas, links, penalties and tables: columns of one scale, columns whose
spreads differ by 16 orders of magnitude, columns far from 0, and one-hot columns in CSR form.
Each solver starts cold, and from the solution at a tenth of C. The measure is
(F - F*) / (F(null model) - F*). F* is the lowest objective that any of our fits, or SciPy's
BFGS and L-BFGS-B on centred and scaled columns, have found. A gain of less than 1e-10 of the
objective counts as that: where the null model is the minimum, all else is rounding.

    python -m benchmarks.convergence [--quick] [--minutes M]

goes on where it stopped. It writes benchmarks/results/convergence.csv: fits, warnings and the
largest measure of fits without a warning, by table and solver; and convergence_missed.csv, the
fits that missed 1e-4 without a warning.
"""

import argparse
import itertools
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from benchmarks.report import RESULTS, write_results
from skfocal import FocalLogisticRegression

PREVALENCES = {0.0005: 8000, 0.005: 4000, 0.05: 1500, 0.5: 600}  # and rows
GAMMAS = (0.0, 0.5, 2.0, 5.0, 20.0)
LINKS = ("focal", "posterior")
STRENGTHS = (1e-3, 1.0, 1e3)
L1_RATIOS = (0.0, 0.5, 1.0)
TABLES = ("scaled", "spread", "offset", "one-hot")
PROGRESS = Path("benchmarks/results/convergence.partial.jsonl")
BAR = 1e-4


def make_table(kind: str, prevalence: float, n_classes: int):
    """X as it is fitted, the same columns centred and scaled, their centers and scales, y."""
    rng = np.random.default_rng(0)
    n, p = PREVALENCES[prevalence], 8
    if kind == "one-hot":
        levels = rng.zipf(1.6, size=(n, 4)).clip(max=6) - 1
        Z = np.concatenate([np.eye(6)[levels[:, j]] for j in range(4)], axis=1)
        center, scale, X = np.zeros(24), np.ones(24), sparse.csr_array(Z)
    else:
        Z = rng.normal(size=(n, p))
        scale = np.logspace(-8, 8, p) if kind == "spread" else np.ones(p)
        center = np.logspace(0, 6, p) * (-1.0) ** np.arange(p) if kind == "offset" else np.zeros(p)
        X = center + Z * scale
        exact = np.asarray(X, dtype=np.longdouble) - center.astype(np.longdouble)
        Z = np.asarray(exact / scale.astype(np.longdouble), dtype=np.float64)
    score = Z @ rng.normal(size=Z.shape[1]) + rng.logistic(size=n)
    rare = max(4, round(prevalence * n))
    y = np.zeros(n, dtype=int)
    order = np.argsort(score)
    y[order[-rare:]] = n_classes - 1
    if n_classes == 3:
        middle = order[:-rare]
        y[middle[rng.uniform(size=len(middle)) < 0.4]] = 1
    return X, Z, center, scale, y


class Reference:
    """The documented objective on centred and scaled columns, straight from its definition."""

    def __init__(self, model: FocalLogisticRegression, Z, scale, y) -> None:
        self.loss, self.Z, self.y = model.loss_, Z, y
        self.C, self.r, self.scale = model.C, model.l1_ratio, scale[:, np.newaxis]
        self.m = 1 if self.loss.n_classes == 2 else self.loss.n_classes

    def smooth(self, flat):
        """The objective without the L1 penalty, per row, and its gradient."""
        theta = flat.reshape(-1, self.m)
        raw = self.Z @ theta[:-1] + theta[-1]
        losses, slopes = self.loss.loss_gradient(self.y, raw[:, 0] if self.m == 1 else raw)
        slopes = slopes.reshape(len(slopes), -1)
        coef = theta[:-1] / self.scale
        value = self.C * losses.sum() + (1 - self.r) / 2 * np.square(coef).sum()
        gradient = np.vstack([self.C * (self.Z.T @ slopes), self.C * slopes.sum(axis=0)])
        gradient[:-1] += (1 - self.r) * coef / self.scale
        n = self.C * len(self.y)
        return value / n, gradient.ravel() / n

    def value(self, flat) -> float:
        """The objective per row."""
        coef = flat.reshape(-1, self.m)[:-1] / self.scale
        return self.smooth(flat)[0] + self.r * np.abs(coef).sum() / (self.C * len(self.y))

    def descend(self, flat):
        """SciPy's minimum from a start, in variables of about unit curvature."""
        unit = 1.0 / np.sqrt(self.curvature(flat))
        if self.r == 0:

            def function(v):
                value, gradient = self.smooth(v * unit)
                return value, gradient * unit

            options = {"gtol": 1e-14, "maxiter": 100}
            found = minimize(function, flat / unit, jac=True, method="BFGS", options=options)
            return found.x * unit
        l1 = np.zeros((len(self.scale) + 1, self.m))
        l1[:-1] = self.r / self.scale / (self.C * len(self.y))
        l1 = l1.ravel() * unit

        def split(v):
            plus, minus = np.split(v, 2)
            value, gradient = self.smooth((plus - minus) * unit)
            slope = gradient * unit
            return value + l1 @ (plus + minus), np.concatenate([slope + l1, l1 - slope])

        start = np.concatenate([np.maximum(flat / unit, 0), np.maximum(-flat / unit, 0)])
        options = {"ftol": 1e-16, "gtol": 1e-14, "maxiter": 100, "maxfun": 120}
        bounds = [(0, None)] * len(start)
        found = minimize(split, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        plus, minus = np.split(found.x, 2)
        return (plus - minus) * unit

    def curvature(self, flat):
        """Near the diagonal of the Hessian, > 0."""
        theta = flat.reshape(-1, self.m)
        raw = self.Z @ theta[:-1] + theta[-1]
        _, hessian = self.loss.gradient_hessian(self.y, raw[:, 0] if self.m == 1 else raw)
        hessian = hessian.reshape(len(hessian), -1)
        rows = np.vstack([np.square(self.Z).T @ hessian, hessian.sum(axis=0)]) / len(self.y)
        rows[:-1] += (1 - self.r) / self.scale**2 / (self.C * len(self.y))
        return np.maximum(rows, 1e-300).ravel()


def own_fits(X, y, setting: dict):
    """Each solver, cold and warm: (solver, start, model, whether it warned)."""
    solvers = ["newton-cholesky", "lbfgs"] if setting["l1_ratio"] == 0 else ["prox-newton"]
    names = ("focal_gamma", "link", "C", "l1_ratio")
    parameters = {name: setting[name] for name in names}
    for solver in solvers:
        for start in ("cold", "warm"):
            model = FocalLogisticRegression(solver=solver, warm_start=True, **parameters)
            with warnings.catch_warnings(record=True) as caught:
                if start == "warm":
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    model.set_params(C=setting["C"] / 10).fit(X, y)
                    model.set_params(C=setting["C"])
                warnings.simplefilter("always", ConvergenceWarning)
                model.fit(X, y)
            warned = any(issubclass(w.category, ConvergenceWarning) for w in caught)
            yield solver, start, model, warned


def measure(setting: dict) -> list[dict]:
    """All fits of one problem against its best known objective."""
    table = make_table(setting["table"], setting["prevalence"], setting["classes"])
    X, Z, center, scale, y = table
    fits = list(own_fits(X, y, setting))
    reference = Reference(fits[0][2], Z, scale, y)
    found = []
    for *_, model, _ in fits:
        coef = model.coef_.T.astype(np.longdouble)
        intercept = model.intercept_ + center @ coef
        theta = np.vstack([coef * scale[:, np.newaxis], intercept]).astype(np.float64)
        found.append(theta.ravel())
    values = [reference.value(flat) for flat in found]
    null = np.zeros_like(found[0]).reshape(-1, reference.m)
    null[-1] = reference.loss.intercept(y)
    candidates = [found[int(np.argmin(values))]]
    if setting["C"] == 1.0:  # from elsewhere, too, where that takes no thousands of iterations
        candidates.append(null.ravel())
    best = min([*values, *(reference.value(reference.descend(flat)) for flat in candidates)])
    gain = reference.value(null.ravel()) - best
    rows = []
    for (solver, start, model, warned), value in zip(fits, values, strict=True):
        # where the null model is the minimum, there is nothing to gain but rounding
        measured = float((value - best) / max(gain, 1e-10 * abs(best)))
        row = {"solver": solver, "start": start, "warned": warned, "measure": measured}
        rows.append({**setting, **row, "n_iter": int(model.n_iter_[0]), "gain": float(gain)})
    return rows


def grid(quick: bool) -> list[dict]:
    """All settings."""
    names = ("table", "classes", "l1_ratio", "link", "C", "focal_gamma", "prevalence")
    values = (TABLES, (2, 3), L1_RATIOS, LINKS, STRENGTHS, GAMMAS, tuple(PREVALENCES))
    settings = [dict(zip(names, each, strict=True)) for each in itertools.product(*values)]
    order = np.random.default_rng(0).permutation(len(settings))
    return [settings[i] for i in (order[:60] if quick else order)]


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Fits, warnings and the largest measure, by table and solver."""
    rows = rows.assign(silent=rows.measure.where(~rows.warned))
    groups = rows.groupby(["table", "solver", "start"], sort=False)
    return groups.agg(
        fits=("warned", "size"),
        warned=("warned", "sum"),
        missed=("silent", lambda m: int((m > BAR).sum())),
        largest=("silent", "max"),
        median=("silent", "median"),
        iterations=("n_iter", "median"),
    ).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="60 settings")
    parser.add_argument("--minutes", type=float, default=np.inf, help="stop after so long")
    arguments = parser.parse_args()
    progress = PROGRESS.with_suffix(".quick.jsonl") if arguments.quick else PROGRESS
    lines = progress.read_text().splitlines() if progress.exists() else []
    done = [json.loads(line) for line in lines]
    deadline = time.monotonic() + 60 * arguments.minutes
    settings = grid(arguments.quick)
    for setting in settings[len(done) :]:
        if time.monotonic() > deadline:
            break
        done.append(measure(setting))
        with progress.open("a") as file:
            file.write(json.dumps(done[-1]) + "\n")
    rows = pd.DataFrame([row for rows in done for row in rows])
    missed = rows[~rows.warned & (rows.measure > BAR)]
    suffix = "-quick" if arguments.quick else ""
    write_results(summary(rows), f"convergence{suffix}")
    print(summary(rows).to_markdown(index=False, floatfmt=".2g"))
    missed.to_csv(RESULTS / f"convergence_missed{suffix}.csv", index=False, lineterminator="\n")
    print(
        f"{len(done)} of {len(settings)} settings, {len(rows)} fits: {rows.warned.sum()} warned, "
    )
    print(f"{len(missed)} missed {BAR:g} without a warning.")


if __name__ == "__main__":
    main()
