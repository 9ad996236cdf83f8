"""Focal link or posterior link? Quality of both, and what a linear model converges to.

Four real tables, a simulated one, and rare positives of which the log-odds are known; ten
splits into 80 % and 20 %; LightGBM, XGBoost (default trees) and the linear model on
standardised columns; gamma .5, 1, 2 and 5, without and with balanced class weights. For
each the average precision and the log loss of the posterior, and the difference between the
links with an interval of 95 % that knows that splits share rows (Nadeau and Bengio 2003).

Then the error of the linear model's log-odds by number of rows, on data of a true logistic
model.

    python -m benchmarks.links [--quick] [--part quality consistency]

writes benchmarks/results/links.csv (one row per model), links.md (means over tables),
links_tables.md, links_consistency.csv and links_consistency.png.
"""

import argparse
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import t as student
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import data
from benchmarks.report import RESULTS, write_results
from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier

mpl.use("Agg")
import matplotlib.pyplot as plt

GAMMAS = (0.5, 1.0, 2.0, 5.0)
LINKS = ("focal", "posterior")
TEST_SHARE = 0.2


def indicators(X: pd.DataFrame, y: pd.Series, **options) -> tuple[pd.DataFrame, pd.Series]:
    """Categories as columns of 0 and 1."""
    return pd.get_dummies(X, dtype=float, **options), y


TABLES = {
    "Give Me Some Credit": data.give_me_some_credit,
    "bank marketing": lambda: indicators(*data.bank_marketing()),
    "TV churn": data.subscription_churn,
    "Caravan": data.caravan,
    "Default": lambda: indicators(*data.default(), drop_first=True),
    "rare positives": lambda: data.rare_positives(0, 100_000),
}
LEARNERS = {
    "LightGBM": lambda **focal: FocalLGBMClassifier(verbose=-1, n_jobs=1, **focal),
    "XGBoost": lambda **focal: FocalXGBClassifier(n_jobs=1, **focal),
    "logistic": lambda **focal: make_pipeline(
        SimpleImputer(strategy="median"),
        StandardScaler(),
        FocalLogisticRegression(max_iter=1000, **focal),
    ),
}


def one_split(name: str, learner: str, split: int) -> list[dict]:
    """All losses on one split of a table."""
    warnings.simplefilter("ignore")
    X, y = (np.asarray(part, dtype=float) for part in TABLES[name]())
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=TEST_SHARE, stratify=y, random_state=split
    )
    rows = []
    settings = [(0.0, "focal"), *((gamma, link) for gamma in GAMMAS for link in LINKS)]
    for gamma, link in settings:
        for alpha in (None, "balanced"):
            focal = {"focal_gamma": gamma, "focal_alpha": alpha, "link": link}
            proba = LEARNERS[learner](**focal).fit(X, y).predict_proba(X_test)[:, 1]
            rows.append(
                {
                    "table": name,
                    "learner": learner,
                    "split": split,
                    "gamma": gamma,
                    "alpha": str(alpha),
                    "link": link,
                    "average_precision": average_precision_score(y_test, proba),
                    "log_loss": log_loss(y_test, proba.astype(float)),
                }
            )
    return rows


def quality(quick: bool, n_jobs: int = 2) -> pd.DataFrame:
    """One row per model."""
    names = ["TV churn", "Default"] if quick else list(TABLES)
    splits = 3 if quick else 10
    parts = Parallel(n_jobs=n_jobs, verbose=1)(
        delayed(one_split)(name, learner, split)
        for name in names
        for learner in LEARNERS
        for split in range(splits)
    )
    return pd.DataFrame([row for part in parts for row in part])


def interval(differences: np.ndarray) -> float:
    """Half the width of the interval of a mean over splits that overlap."""
    n = len(differences)
    variance = differences.var(ddof=1) * (1 / n + TEST_SHARE / (1 - TEST_SHARE))
    return float(student.ppf(0.975, n - 1) * np.sqrt(variance))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over splits: log loss (gamma 0), both links, and their difference."""
    plain = table[table.gamma == 0].groupby(["learner", "alpha", "table"])
    plain = plain[["average_precision", "log_loss"]].mean()
    rows = []
    key = ["learner", "alpha", "gamma", "table"]
    for values, part in table[table.gamma > 0].groupby(key, sort=False):
        row = dict(zip(key, values, strict=True))
        for metric, short in (("average_precision", "AP"), ("log_loss", "log loss")):
            wide = part.pivot(index="split", columns="link", values=metric)
            difference = (wide.posterior - wide.focal).to_numpy()
            row[f"{short}, gamma 0"] = plain.loc[(values[0], values[1], values[3]), metric]
            row[f"{short}, focal"] = wide.focal.mean()
            row[f"{short}, posterior"] = wide.posterior.mean()
            row[f"{short}, difference"] = difference.mean()
            row[f"{short}, +-"] = interval(difference)
        rows.append(row)
    return pd.DataFrame(rows)


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """Means over tables, and on how many the posterior link is better or worse for sure."""
    rows = []
    for values, part in table.groupby(["learner", "alpha", "gamma"], sort=False):
        row = dict(zip(["learner", "alpha", "gamma"], values, strict=True))
        for short, sign in (("AP", 1), ("log loss", -1)):
            gain, width = sign * part[f"{short}, difference"], part[f"{short}, +-"]
            for side in ("gamma 0", "focal", "posterior"):
                row[f"{short}, {side}"] = part[f"{short}, {side}"].mean()
            row[f"{short}: better, worse"] = f"{(gain > width).sum()}, {(gain < -width).sum()}"
        rows.append(row)
    return pd.DataFrame(rows)


TRUTH = np.array([1.5, -1.0, 0.5, 0.8, -0.4, -2.5])


def log_odds_error(gamma: float, link: str, n_rows: int, seed: int) -> float:
    """Root mean squared error of an unpenalised model's log-odds, on new rows."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows + 10_000, len(TRUTH) - 1))
    true = X @ TRUTH[:-1] + TRUTH[-1]
    y = rng.logistic(size=len(X)) < true
    model = FocalLogisticRegression(gamma, link=link, C=np.inf, tol=1e-7, max_iter=1000)
    model.fit(X[:n_rows], y[:n_rows])
    margin = X[n_rows:] @ model.coef_[0] + model.intercept_[0]
    found = model.loss_.convert(margin, "posterior")
    return float(np.sqrt(np.mean(np.square(found - true[n_rows:]))))


def consistency(quick: bool, n_jobs: int = 2) -> pd.DataFrame:
    """Medians over seeds."""
    largest, seeds = (30_000, 3) if quick else (1_000_000, 5)
    settings = [
        (gamma, link, n_rows)
        for gamma in GAMMAS
        for link in LINKS
        for n_rows in np.geomspace(1000, largest, 4 if quick else 7).astype(int)
    ]
    errors = Parallel(n_jobs=n_jobs, verbose=1)(
        delayed(log_odds_error)(*setting, seed) for setting in settings for seed in range(seeds)
    )
    table = pd.DataFrame(settings, columns=["gamma", "link", "rows"])
    table["error"] = np.median(np.reshape(errors, (len(settings), seeds)), axis=1)
    return table


def draw(table: pd.DataFrame, path) -> None:
    """Errors against rows: the posterior link falls with the root, the focal link stops."""
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for k, gamma in enumerate(GAMMAS):
        for link, style in (("focal", "--"), ("posterior", "-")):
            part = table[(table.gamma == gamma) & (table.link == link)]
            label = f"gamma {gamma:g}, {link}"
            axes.plot(part.rows, part.error, style, marker=".", color=f"C{k}", label=label)
    ends = np.array([table.rows.min(), table.rows.max()])
    start = table[table.link == "posterior"].error.max()
    axes.plot(ends, start * np.sqrt(ends[0] / ends), "k:", label="1 / sqrt(rows)")
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="RMS error of the log-odds")
    axes.set_title("FocalLogisticRegression on a true logistic model", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside right center", fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two tables, fewer splits and rows")
    parts = ("quality", "consistency")
    parser.add_argument("--part", choices=parts, nargs="*", default=parts, help="both by default")
    arguments = parser.parse_args()
    suffix = "-quick" if arguments.quick else ""
    if "quality" in arguments.part:
        table = quality(arguments.quick)
        write_results(table, f"links{suffix}")
        whole = summary(table)
        for frame, name in ((counts(whole), "links"), (whole, "links_tables")):
            text = frame.round(4).to_markdown(index=False)
            (RESULTS / f"{name}{suffix}.md").write_text(text + "\n")
        print(counts(whole).round(4).to_markdown(index=False))
    if "consistency" in arguments.part:
        table = consistency(arguments.quick)
        write_results(table, f"links_consistency{suffix}")
        draw(table, RESULTS / f"links_consistency{suffix}.png")
        print(table.pivot(index="rows", columns=["gamma", "link"], values="error").round(4))


if __name__ == "__main__":
    main()
