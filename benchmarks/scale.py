"""What the scale of log loss does to focal models with default trees.

Both boosters multiply the focal loss by its `log_loss_scale`, so that ``reg_lambda`` and
``min_child_weight`` mean what they mean for log loss. All real tables of two classes, three
stratified folds, training rows capped, default trees with early stopping on the posterior's log
loss on a fifth of the training rows. Average precision and log loss against gamma 0, under both
links, and under the focal link without the scale: ``reg_lambda`` and ``min_child_weight`` times
the factor are the same training.

    python -m benchmarks.scale [--quick]

writes benchmarks/results/scale.csv (one row for each model) and scale.md.
"""

import argparse
import warnings
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split

from benchmarks.report import RESULTS, write_results
from benchmarks.tables import BINARY
from skfocal import BinaryFocalLoss, FocalLGBMClassifier, FocalXGBClassifier

CLASSIFIERS = {
    "LightGBM": (FocalLGBMClassifier, {"verbose": -1, "metric": "binary_logloss"}),
    "XGBoost": (FocalXGBClassifier, {"eval_metric": "logloss", "enable_categorical": True}),
}
# What is compared with sums of Hessians, with the libraries' defaults.
COMPARED = {
    "LightGBM": {"min_child_weight": 1e-3, "reg_lambda": 0.0},
    "XGBoost": {"min_child_weight": 1.0, "reg_lambda": 1.0},
}
VARIANTS = ("focal", "posterior", "focal, no scale")
GAMMAS = (1.0, 2.0)
TRAINING_ROWS, FOLDS, SEED = 12_000, 3, 0
# Differences of average precision beyond this one are counted.
CLEAR = 0.005
QUICK_TABLES = ("churn, TV", "employee attrition", "faults, PC1", "yeast ME2")


def one_model(library: str, gamma: float, variant: str, parts: list[Any]) -> dict[str, float]:
    """Average precision and log loss of one model on the fold."""
    X, y, X_valid, y_valid, X_test, y_test = parts
    kind, params = CLASSIFIERS[library]
    compared = COMPARED[library]
    if variant == "focal, no scale":
        factor = BinaryFocalLoss(gamma).log_loss_scale(y)
        compared = {name: value * factor for name, value in compared.items()}
    model = kind(
        focal_gamma=gamma,
        link=variant.partition(",")[0],
        n_estimators=1000,
        learning_rate=0.1,
        early_stopping_rounds=20,
        n_jobs=1,
        random_state=SEED,
        **params,
        **compared,
    )
    fit = {"verbose": False} if library == "XGBoost" else {}
    model.fit(X, y, eval_set=[(X_valid, y_valid)], **fit)
    proba = model.predict_proba(X_test)[:, 1]
    return {
        "average_precision": average_precision_score(y_test, proba),
        "log_loss": log_loss(y_test, proba),
    }


def one_table(name: str) -> list[dict[str, Any]]:
    """All models of one table."""
    warnings.simplefilter("ignore")  # of the libraries: categories and data sets
    X, y = BINARY[name].load()
    y, found = y.to_numpy(), []
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    for fold, (training, test) in enumerate(folds.split(X, y)):
        if len(training) > TRAINING_ROWS:
            training, _ = train_test_split(
                training, train_size=TRAINING_ROWS, stratify=y[training], random_state=SEED
            )
        rows, valid = train_test_split(
            training, test_size=0.2, stratify=y[training], random_state=SEED
        )
        parts = [part for some in (rows, valid, test) for part in (X.iloc[some], y[some])]
        for library in CLASSIFIERS:
            settings = [(0.0, "focal"), *((g, v) for g in GAMMAS for v in VARIANTS)]
            for gamma, variant in settings:
                measured = one_model(library, gamma, variant, parts)
                about = {"table": name, "family": BINARY[name].family, "fold": fold}
                found.append(
                    about | {"library": library, "gamma": gamma, "variant": variant} | measured
                )
    return found


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Means over families of what a variant has more than gamma 0, and counts of families."""
    keys = ["family", "library", "gamma", "variant"]
    means = table.groupby(keys)[["average_precision", "log_loss"]].mean()
    base = means.xs(0.0, level="gamma").droplevel("variant")
    lines = []
    for (library, gamma, variant), part in means.groupby(["library", "gamma", "variant"]):
        if gamma == 0.0:
            continue
        own = part.droplevel(["gamma", "variant"])
        more = own - base.loc[own.index]
        gain = more.average_precision
        lines.append(
            {
                "library": library,
                "gamma": gamma,
                "variant": variant,
                "families": len(gain),
                "average precision": f"{gain.mean():+.4f}",
                "above / below": f"{(gain > 0).sum()} / {(gain < 0).sum()}",
                f"beyond {CLEAR}": f"{(gain > CLEAR).sum()} / {(gain < -CLEAR).sum()}",
                "log loss": f"{more.log_loss.mean():+.4f}",
            }
        )
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="four small tables")
    quick = parser.parse_args().quick
    names = QUICK_TABLES if quick else tuple(BINARY)
    found = Parallel(n_jobs=2, verbose=5)(delayed(one_table)(name) for name in names)
    table = pd.DataFrame([row for rows in found for row in rows])
    write_results(table, "scale-quick" if quick else "scale")
    text = differences(table).to_markdown(index=False)
    if not quick:
        (RESULTS / "scale.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
