"""What is left between other packages' focal models and ours, once theirs have a posterior?

`quality.py` takes their probabilities as they give them: the sigmoid of the margin, which is not
the posterior of a focal loss (Charoenphakdee et al. 2021). Here each of their models is trained
again on the same rows with the parameters that its search found, and measured twice: as it is,
and with `BinaryFocalLoss.posterior` of its margin. What is left is theirs: the start, the second
derivative, the trees.

    python -m benchmarks.recovery [--tables ...]

reads benchmarks/results/quality.csv, writes recovery.csv there (the rows of packages that are
not installed stay as they are); `quality_report` compares.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from sklearn.metrics import brier_score_loss, log_loss

from benchmarks.methods import METHODS, installed
from benchmarks.quality import class_ratio, load, probabilities, split
from benchmarks.report import RESULTS, write_results
from benchmarks.tables import BINARY
from skfocal import BinaryFocalLoss
from skfocal.metrics import expected_calibration_error

# The loss that each package documents, from its parameters and the ratio of the classes.
LOSSES: dict[str, Callable[[dict[str, Any], float], BinaryFocalLoss]] = {
    "CatBoost, focal": lambda best, _: BinaryFocalLoss(best["focal_gamma"], best["focal_alpha"]),
    "gbdtCBL, focal": lambda best, _: BinaryFocalLoss(best["focal_gamma"]),
    "imlightgbm, focal": lambda best, _: BinaryFocalLoss(best["focal_gamma"]),
    "bokbokbok, focal": lambda best, ratio: BinaryFocalLoss(
        best["focal_gamma"], (1.0, ratio ** best["weight_power"])
    ),
    "imbalance-xgboost, focal": lambda best, _: BinaryFocalLoss(best["focal_gamma"]),
}


def margin_of(proba: np.ndarray) -> np.ndarray:
    """The margin whose sigmoid is a probability, which may have been rounded to 0 or 1."""
    tiny = np.finfo(float).tiny
    return np.log(np.maximum(proba[:, 1], tiny)) - np.log(np.maximum(proba[:, 0], tiny))


def measured(y: np.ndarray, positive: np.ndarray) -> dict[str, float]:
    """The measures that look at probabilities."""
    return {
        "log_loss": log_loss(y, positive),
        "brier": brier_score_loss(y, positive),
        "calibration_error": expected_calibration_error(y, positive),
    }


def recovered(found: dict[str, Any]) -> dict[str, Any]:
    """A row of the results, from one of quality.csv."""
    warnings.simplefilter("ignore")
    X, y = load(found["table"])
    _, train, test = split(found["table"], found["fold"])
    method, best = METHODS[found["method"]], json.loads(found["parameters"])
    params, ratio = method.space(optuna.trial.FixedTrial(best)), class_ratio(y[train])
    estimator = method.make(params, ratio, found["seed"]).fit(X.iloc[train], y[train])
    given = probabilities(estimator, X.iloc[test])
    posterior = LOSSES[found["method"]](best, ratio).posterior(margin_of(given))
    as_given = measured(y[test], given[:, 1])
    return (
        {name: found[name] for name in ("table", "family", "method", "fold", "seed")}
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
    table = pd.DataFrame(rows)
    key = ["table", "method", "fold"]
    again = table.set_index(key)["log_loss, given"] - wanted.set_index(key).log_loss
    print(f"{len(table)} models; log loss as given differs from quality.csv by {again.abs().max()}")
    path = RESULTS / "recovery.csv"
    if path.exists():
        table = pd.concat([table, pd.read_csv(path)]).drop_duplicates(key)
    write_results(table.sort_values(key), path.stem)


if __name__ == "__main__":
    from benchmarks import recovery  # workers find functions by the name of their module

    recovery.main()
