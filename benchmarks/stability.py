"""Does it train on very rare positives? 0.2 % of 200,000 rows, default tree parameters.

Every gamma in {0.5, 1, 2, 5} with every alpha in {None, .25, .75, "balanced"}, on LightGBM
and XGBoost, under both links, three seeds, half of the rows held out. The reference has
the same weights, gamma 0 and max_delta_step=1 (plain LightGBM explodes here). Without class
weights each model is also trained with early stopping on the posterior's log loss, on a
quarter of the training rows.

    python -m benchmarks.stability [--quick]

writes benchmarks/results/stability.csv (one row per model) and prints
benchmarks/results/stability.md (means over seeds).
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split

from benchmarks.data import rare_positives
from benchmarks.report import RESULTS, write_results
from skfocal import FocalLGBMClassifier, FocalXGBClassifier

GAMMAS = (0.5, 1.0, 2.0, 5.0)
ALPHAS = (None, 0.25, 0.75, "balanced")
LIBRARIES = {
    "LightGBM": (FocalLGBMClassifier, {"verbose": -1}, "binary_logloss"),
    "XGBoost": (FocalXGBClassifier, {}, "logloss"),
}


def one_model(
    library: str,
    gamma: float,
    alpha: object,
    stopped: bool,
    seed: int,
    rows: int,
    link: str = "focal",
) -> dict:
    """Fit one model and measure it on the held-out half."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="The argument 'eval_set' is deprecated")
    X, y = rare_positives(seed, rows)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=seed
    )
    classifier, params, log_loss_name = LIBRARIES[library]
    params = {"focal_gamma": gamma, "focal_alpha": alpha, "link": link, "n_jobs": 1, **params}
    if gamma == 0:
        params["max_delta_step"] = 1
    fit_params = {}
    if stopped:
        X_train, X_valid, y_train, y_valid = train_test_split(
            X_train, y_train, test_size=0.25, stratify=y_train, random_state=seed
        )
        params["early_stopping_rounds"] = 10
        fit_params["eval_set"] = [(X_valid, y_valid)]
        if library == "XGBoost":
            params["eval_metric"] = log_loss_name
            fit_params["verbose"] = False
        else:
            params["metric"] = log_loss_name
    model = classifier(**params).fit(X_train, y_train, **fit_params)
    proba = model.predict_proba(X_test)[:, 1]
    as_margin = "raw_score" if library == "LightGBM" else "output_margin"
    return {
        "library": library,
        "gamma": gamma,
        "alpha": str(alpha),
        "link": link,
        "early_stopping": stopped,
        "seed": seed,
        "max_abs_margin": float(np.abs(model.predict(X_test, **{as_margin: True})).max()),
        "average_precision": average_precision_score(y_test, proba),
        "mean_proba_over_prevalence": float(proba.mean() / y_test.mean()),
        "log_loss": log_loss(y_test, proba),
    }


def run(seeds: range, rows: int, n_jobs: int = 2) -> pd.DataFrame:
    """All models, with the average precision relative to the mean of the reference."""
    settings = [
        (library, gamma, alpha, stopped, seed, rows, link)
        for library in LIBRARIES
        for gamma in (0.0, *GAMMAS)
        for link in (("focal", "posterior") if gamma else ("focal",))
        for alpha in ALPHAS
        for stopped in ((False, True) if alpha is None else (False,))
        for seed in seeds
    ]
    table = pd.DataFrame(
        Parallel(n_jobs=n_jobs, verbose=5)(delayed(one_model)(*setting) for setting in settings)
    )
    key = ["library", "alpha", "early_stopping"]
    reference = table[table.gamma == 0].groupby(key).average_precision.mean()
    table["ap_over_reference"] = table.average_precision / np.asarray(
        reference.loc[list(table[key].itertuples(index=False, name=None))]
    )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, a quarter of the rows")
    quick = parser.parse_args().quick
    table = run(range(1 if quick else 3), 50_000 if quick else 200_000)
    name = "stability-quick" if quick else "stability"
    write_results(table, name)
    means = table.drop(columns="seed").groupby(
        ["library", "link", "gamma", "alpha", "early_stopping"], sort=False
    )
    means = means.agg(
        {
            "max_abs_margin": "max",
            "average_precision": "mean",
            "ap_over_reference": "mean",
            "mean_proba_over_prevalence": "mean",
            "log_loss": "mean",
        }
    ).round(4)
    text = means.reset_index().to_markdown(index=False)
    if not quick:
        (RESULTS / f"{name}.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
