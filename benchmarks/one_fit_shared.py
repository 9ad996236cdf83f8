"""What the parts of `benchmarks.one_fit` share: models, measures, and runs that go on."""

import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from scipy import stats
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import average_precision_score, log_loss

from benchmarks.report import RESULTS, commit
from skfocal import (
    FocalLGBMClassifier,
    FocalLGBMClassifierCV,
    FocalXGBClassifier,
    FocalXGBClassifierCV,
)

# The plain class, the one that chooses by cross-validation, and parameters of both.
CLASSIFIERS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "LightGBM": (FocalLGBMClassifier, FocalLGBMClassifierCV, {"verbose": -1}),
    "XGBoost": (FocalXGBClassifier, FocalXGBClassifierCV, {"enable_categorical": True}),
}
# The cap of rounds where early stopping ends them.
CAP = 1000
# What LightGBM says of its own argument.
_DEPRECATED = "The argument 'eval_set' is deprecated"


def plain(library: str, **params: Any) -> Any:
    """The plain class, one thread, posterior link."""
    kind, _, common = CLASSIFIERS[library]
    return kind(**{"link": "posterior", "n_jobs": 1, **common, **params})


def chosen(library: str, **params: Any) -> Any:
    """The class that chooses by cross-validation, one thread, posterior link."""
    _, kind, common = CLASSIFIERS[library]
    return kind(**{"link": "posterior", "n_jobs": 1, "n_estimators": CAP, **common, **params})


def sigmoid(model: Any, ensemble: bool) -> CalibratedClassifierCV:
    """scikit-learn's calibration on five folds."""
    return CalibratedClassifierCV(model, method="sigmoid", cv=5, ensemble=ensemble)


def timed(function: Callable[..., Any], *arguments: Any, **named: Any) -> dict[str, Any]:
    """Seconds, and the categories of what was warned of meanwhile."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", _DEPRECATED)
        started = time.perf_counter()
        function(*arguments, **named)
        seconds = time.perf_counter() - started
    names = sorted({warning.category.__name__ for warning in caught})
    return {"fit_seconds": seconds, "warned": ", ".join(names)}


def boosters(model: Any) -> list[Any]:
    """The boosters that predict, in the form of their library."""
    if isinstance(model, CalibratedClassifierCV):
        parts = [boosters(part.estimator) for part in model.calibrated_classifiers_]
        return [booster for part in parts for booster in part]
    if hasattr(model, "booster_"):
        return [model.booster_]
    booster = model.get_booster()
    best = booster.attr("best_iteration")  # after early stopping
    return [booster if best is None else booster[: int(best) + 1]]


def size_of(model: Any) -> dict[str, float]:
    """Bytes of the saved boosters (text of LightGBM, UBJSON of XGBoost), and their rounds."""
    n_bytes, rounds = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for booster in boosters(model):
            is_xgboost = hasattr(booster, "num_boosted_rounds")
            path = Path(folder) / ("model.ubj" if is_xgboost else "model.txt")
            booster.save_model(path)
            n_bytes += path.stat().st_size
            count = "num_boosted_rounds" if is_xgboost else "current_iteration"
            rounds += getattr(booster, count)()
    return {"file_bytes": n_bytes, "rounds": rounds}


def predicted(model: Any, X: Any, calls: int = 3) -> tuple[np.ndarray, float]:
    """Probabilities, and the median of the seconds of some calls."""
    seconds = []
    for _ in range(calls):
        started = time.perf_counter()
        proba = model.predict_proba(X)
        seconds.append(time.perf_counter() - started)
    return proba, float(np.median(seconds))


def measures(y: np.ndarray, proba: np.ndarray) -> dict[str, float]:
    """Log loss, and average precision and mean probability of the last class."""
    last = proba.shape[1] - 1
    return {
        "log_loss": log_loss(y, proba, labels=np.arange(last + 1)),
        "average_precision": average_precision_score(y == last, proba[:, last]),
        "mean_proba": float(proba[:, last].mean()),
    }


def progress(
    name: str,
    function: Callable[..., list[dict[str, Any]]],
    jobs: list[tuple[Any, ...]],
    quick: bool,
    n_jobs: int = 2,
    prefix: str = "one_fit_",
) -> pd.DataFrame:
    """Rows of all jobs. Jobs that a file holds already, from a run before, are not done again.

    Each finished job is a line of ``results/PREFIX_NAME.partial.jsonl``. A quick run begins anew.
    """
    path = RESULTS / f"{prefix}{name}{'-quick' if quick else ''}.partial.jsonl"
    if quick:
        path.unlink(missing_ok=True)
    RESULTS.mkdir(exist_ok=True)
    done = dict(_finished(path))
    todo = [job for job in jobs if json.dumps(job) not in done]
    print(f"{name}: {len(jobs) - len(todo)} of {len(jobs)} jobs are done already", flush=True)
    workers = Parallel(n_jobs, return_as="generator_unordered", pre_dispatch=2 * n_jobs)
    started = time.monotonic()
    with path.open("a") as file, parallel_config("loky", inner_max_num_threads=1):
        finished = workers(delayed(_with_job)(function, job) for job in todo)
        for count, (job, rows) in enumerate(finished, 1):
            rows = [{**row, "commit": commit()} for row in rows]
            file.write(json.dumps({"job": job, "rows": rows}) + "\n")
            file.flush()
            done[json.dumps(job)] = rows
            minutes = (time.monotonic() - started) / 60
            print(f"{count} of {len(todo)}, {minutes:.1f} minutes: {job}", flush=True)
    return pd.DataFrame([row for job in jobs for row in done[json.dumps(job)]])


def _with_job(function: Callable[..., Any], job: tuple[Any, ...]) -> tuple[Any, Any]:
    return job, function(*job)


def _finished(path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Jobs and their rows; a line that was cut off when a run ended is left out."""
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue
        yield json.dumps(found["job"]), found["rows"]


def not_run(table: pd.DataFrame, columns: tuple[str, str], pairs: list[tuple[str, str]]) -> str:
    """A sentence about the pairs of values that a table should have and has not."""
    there = set(table[list(columns)].itertuples(index=False, name=None))
    missing = [f"{one}, {other}" for one, other in pairs if (one, other) not in there]
    return f" Not run: {'; '.join(missing)}." if missing else ""


def relative(table: pd.DataFrame, one: str, other: str) -> tuple[float, float, float]:
    """Mean difference of log loss in percent of the mean of ``other``, with a t interval of 95 %.

    Differences are paired: one a seed.
    """
    values = table.pivot(index="seed", columns="method", values="log_loss")
    difference = 100 * (values[one] - values[other]) / values[other].mean()
    half = np.nan
    if len(difference) > 1:
        half = difference.sem() * stats.t.ppf(0.975, len(difference) - 1)
    return difference.mean(), difference.mean() - half, difference.mean() + half


def against(
    table: pd.DataFrame, keys: list[str], pairs: list[tuple[str, str]]
) -> tuple[pd.DataFrame, str]:
    """`relative` of each pair in each setting, and how many settings are better and worse."""
    rows, said = [], []
    for values, part in table.groupby(keys, sort=False):
        row = dict(zip(keys, values, strict=True))
        for one, other in pairs:
            mean, low, high = relative(part, one, other)
            row[f"{one} against {other}"] = f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"
            said.append((f"{one} against {other}", mean, high < 0, low > 0))
        rows.append(row)
    counts = pd.DataFrame(said, columns=["pair", "mean", "better", "worse"])
    lines = [
        f"- {pair}: {part['mean'].mean():+.2f} % in the mean of {len(part)} settings, "
        f"{part['mean'].min():+.2f} to {part['mean'].max():+.2f} %; by the interval better in "
        f"{part.better.sum()}, worse in {part.worse.sum()}."
        for pair, part in counts.groupby("pair", sort=False)
    ]
    return pd.DataFrame(rows), "\n".join(lines)
