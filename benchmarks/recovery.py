"""How much of the worse log loss of other packages' focal models is the sigmoid?

`quality.py` takes their probabilities as they give them: the sigmoid of the margin, which is not
the posterior of a focal loss (Charoenphakdee et al. 2021). Here each of their models is trained
again on the same rows with the parameters that its search found, and measured twice: as it is,
and with `BinaryFocalLoss.posterior` of its margin, which leaves average precision, the score of
the search, as it was. What differs then from ours is, with gbdtCBL and imlightgbm, the start
(margin 0) and the second derivative (exact); bokbokbok has none for positives, and a class
weight; CatBoost has a class weight and its own trees; imbalance-xgboost trains on three quarters
of the rows, has three parameters to search in, and an older XGBoost.

    python -m benchmarks.recovery [--tables ...]

reads benchmarks/results/quality.csv, writes recovery.csv there (the rows of packages that are
not installed stay as they are); `quality_report` compares.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from importlib.metadata import packages_distributions, version
from typing import Any

import numpy as np
import optuna
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from sklearn.metrics import brier_score_loss, log_loss

from benchmarks.methods import METHODS, installed
from benchmarks.quality import class_ratio, load, probabilities, split
from benchmarks.report import RESULTS, commit, write_results
from benchmarks.tables import BINARY
from skfocal import BinaryFocalLoss
from skfocal.metrics import expected_calibration_error

Parameters = dict[str, Any]
# The loss that each package trains on, from its parameters and the ratio of the classes.
LOSSES: dict[str, Callable[[Parameters, float], BinaryFocalLoss]] = {
    "CatBoost, focal": lambda best, _: BinaryFocalLoss(best["focal_gamma"], best["focal_alpha"]),
    "gbdtCBL, focal": lambda best, _: BinaryFocalLoss(best["focal_gamma"]),
    "imlightgbm, focal": lambda best, _: BinaryFocalLoss(best["focal_gamma"]),
    "bokbokbok, focal": lambda best, ratio: BinaryFocalLoss(
        best["focal_gamma"], (1.0, ratio ** best["weight_power"])
    ),
    "imbalance-xgboost, focal": lambda best, _: BinaryFocalLoss(best["focal_gamma"]),
}
KEY = ["table", "method", "fold"]
# quality.csv has six digits
REPRODUCED = 1e-4


def measured(y: np.ndarray, positive: np.ndarray) -> dict[str, float]:
    """The measures that look at probabilities."""
    return {
        "log_loss": log_loss(y, positive),
        "brier": brier_score_loss(y, positive),
        "calibration_error": expected_calibration_error(y, positive),
    }


def package_version(module: str) -> str:
    """Name and version of the package that a module is of; of an older XGBoost, too."""
    modules = (module, "xgboost") if module == "imxgboost" else (module,)
    packages = [packages_distributions()[name][0] for name in modules]
    return ", ".join(f"{package} {version(package)}" for package in packages)


def recovered(found: dict[str, Any]) -> dict[str, Any]:
    """A row of the results, from one of quality.csv.

    Raises
    ------
    RuntimeError
        If the model is not the one that was measured there.
    """
    warnings.simplefilter("ignore")
    X, y = load(found["table"])
    _, train, test = split(found["table"], found["fold"])
    method, best = METHODS[found["method"]], json.loads(found["parameters"])
    params, ratio = method.space(optuna.trial.FixedTrial(best)), class_ratio(y[train])
    estimator = method.make(params, ratio, found["seed"]).fit(X.iloc[train], y[train])
    as_given = measured(y[test], probabilities(estimator, X.iloc[test])[:, 1])
    if abs(as_given["log_loss"] - found["log_loss"]) > REPRODUCED:
        raise RuntimeError(f"Not the model of quality.csv: {[found[name] for name in KEY]}.")
    margins = estimator.decision_function(X.iloc[test])
    posterior = LOSSES[found["method"]](best, ratio).posterior(margins)
    return (
        {name: found[name] for name in ("table", "family", "method", "fold", "seed")}
        | {"package": package_version(method.needs), "commit": commit()}
        | measured(y[test], posterior[:, 1])
        | {f"{name}, given": value for name, value in as_given.items()}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="*", choices=BINARY, default=list(BINARY))
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    methods = [name for name in LOSSES if installed(METHODS[name])]
    quality = pd.read_csv(RESULTS / "quality.csv")
    wanted = quality[
        quality.table.isin(options.tables) & quality.method.isin(methods) & quality.error.isna()
    ]
    with parallel_config("loky", inner_max_num_threads=1):
        rows = Parallel(options.jobs)(delayed(recovered)(row) for row in wanted.to_dict("records"))
    path, table = RESULTS / "recovery.csv", pd.DataFrame(rows)
    if path.exists():
        table = pd.concat([table, pd.read_csv(path)]).drop_duplicates(KEY)
    write_results(table.sort_values(KEY), path.stem)
    print(f"{len(rows)} models, each that of quality.csv.")


if __name__ == "__main__":
    from benchmarks import recovery  # workers find functions by the name of their module

    recovery.main()
