"""A simulated table of card transactions whose true probabilities are known (floor 0)."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch, check_random_state

__all__ = ["make_transactions"]

Array = npt.NDArray[np.float64]

START = np.datetime64("2024-01-01T00:00:00")
SECONDS = 86_400  # of a day
MERCHANTS = (
    *("groceries", "restaurants", "fuel", "clothes", "travel", "electronics", "jewellery"),
    "gift cards",
)
MERCHANT_SHARES = (0.38, 0.2, 0.13, 0.12, 0.06, 0.06, 0.02, 0.03)
MERCHANT_AMOUNTS = (30.0, 25.0, 45.0, 60.0, 220.0, 180.0, 300.0, 50.0)  # medians
MERCHANT_ODDS = (-1.2, -0.8, -0.5, 0.0, 0.5, 1.5, 2.0, 2.5)
COUNTRIES = ("home", "near", "far")
COUNTRY_SHARES = (0.9, 0.08, 0.02)
COUNTRY_ODDS = (0.0, 0.8, 2.5)
ENTRIES = ("chip", "contactless", "online")
ENTRY_SHARES = (0.3, 0.4, 0.3)
ENTRY_ODDS = (0.0, -0.7, 1.8)
# Of the hours of a day, from midnight.
HOURS = np.array(
    [1, 1, 1, 1, 1, 2, 3, 6, 9, 10, 11, 13, 14, 13, 11, 11, 12, 14, 14, 11, 8, 6, 4, 2]
)
NAMES = (
    *("card", "amount", "merchant", "country", "entry", "card_age_days", "usual_amount"),
    *("minutes_since_last", "n_last_day"),
)


def make_transactions(
    n_rows: int = 100_000,
    *,
    fraud_rate: float = 0.002,
    n_days: int = 90,
    drift: float = 1.0,
    as_frame: bool = True,
    random_state: Any = None,
) -> Any:
    """Card transactions in the order of time, with labels and their true probabilities.

    No transaction is a real one. Every table has the same rule, written under Notes, so that a
    model's probabilities can be compared with the truth.

    Parameters
    ----------
    n_rows : int, default=100_000
        Number of transactions.
    fraud_rate : float, default=0.002
        Mean probability of fraud, in (0, 1).
    n_days : int, default=90
        Days from the first transaction to the last.
    drift : float, default=1.0
        The odds of fraud of the last day, divided by those of the first day, for rows that are
        alike. The odds grow evenly in time. 1 for no drift.
    as_frame : bool, default=True
        Whether ``data`` is a pandas DataFrame, with times and categories. Otherwise it is an array
        of floats: seconds since the first of January 2024, and codes of categories.
    random_state : int, RandomState, Generator or None, default=None
        The seed, or the generator, of all random numbers.

    Returns
    -------
    Bunch
        ``data`` of shape (n_rows, 10): ``time``, ``card`` (a number), ``amount``, ``merchant``,
        ``country``, ``entry`` (how the card was read), ``card_age_days``, ``usual_amount`` (the
        card's median), ``minutes_since_last`` (of the card; NaN for its first transaction) and
        ``n_last_day`` (the number of its transactions in the 24 hours before).
        ``target`` of shape (n_rows,): 1 for fraud. ``proba`` of shape (n_rows,): the true
        probability of fraud. ``feature_names``: the columns.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    ImportError
        If ``as_frame`` is True and pandas is not installed.

    Notes
    -----
    The log-odds of fraud are a sum:

    - 1.5 for electronics, 2.0 for jewellery, 2.5 for gift cards, 0.5 for travel; -1.2 for
      groceries, -0.8 for restaurants, -0.5 for fuel
    - 0.8 in a near country, 2.5 in a far one
    - 1.8 online, -0.7 contactless; another 1.0 for online from a far country
    - the logarithm of amount / usual amount, where it is above 0
    - 1.2 between midnight and six
    - 0.8 for a card younger than 30 days
    - 2.0 if the last transaction was less than 10 minutes before; 0.5 times the logarithm of
      1 + ``n_last_day``
    - log(drift) times the share of the time that has passed
    - a constant, so that the mean probability is ``fraud_rate``

    Examples
    --------
    >>> from skfocal.datasets import make_transactions
    >>> table = make_transactions(20_000, random_state=0)
    >>> table.data.shape
    (20000, 10)
    >>> f"{table.proba.mean():.4f}"
    '0.0020'
    """
    _check(n_rows, fraud_rate, n_days, drift, as_frame)
    if not isinstance(random_state, np.random.Generator):
        random_state = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    rng = random_state
    seconds = _times(n_rows, n_days, rng)
    columns = _columns(seconds, rng)
    log_odds = _log_odds(seconds, columns) + np.log(drift) * seconds / (n_days * SECONDS)
    proba = _expit(log_odds + _constant(log_odds, fraud_rate))
    target = (rng.uniform(size=n_rows) < proba).astype(np.int64)
    data = _frame(seconds, columns) if as_frame else _floats(seconds, columns)
    return Bunch(data=data, target=target, proba=proba, feature_names=["time", *NAMES])


def _check(n_rows: int, fraud_rate: float, n_days: int, drift: float, as_frame: bool) -> None:
    for name, value in (("fraud_rate", fraud_rate), ("drift", drift)):
        if isinstance(value, (bool, str)) or not np.isscalar(value):
            raise ValueError(f"{name} must be a number; got {value!r}.")
    if not isinstance(as_frame, (bool, np.bool_)):
        raise ValueError(f"as_frame must be True or False; got {as_frame!r}.")
    for name, value in (("n_rows", n_rows), ("n_days", n_days)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} must be an integer >= 1; got {value!r}.")
    if not 0 < fraud_rate < 1:
        raise ValueError(f"fraud_rate must be in (0, 1); got {fraud_rate!r}.")
    if not 0 < drift < np.inf:
        raise ValueError(f"drift must be > 0 and finite; got {drift!r}.")


def _times(n_rows: int, n_days: int, rng: np.random.Generator) -> Array:
    """Seconds since the start, ascending: more by day than by night."""
    day = rng.integers(0, n_days, n_rows)
    hour = rng.choice(24, n_rows, p=HOURS / HOURS.sum())
    return np.sort(day * SECONDS + hour * 3600.0 + rng.integers(0, 3600, n_rows))


def _columns(seconds: Array, rng: np.random.Generator) -> dict[str, Array]:
    """All columns but the time, as floats."""
    n_rows = len(seconds)
    n_cards = max(1, n_rows // 40)
    card = rng.integers(0, n_cards, n_rows)
    usual = np.exp(rng.normal(0.0, 0.4, n_cards))
    merchant = rng.choice(len(MERCHANTS), n_rows, p=MERCHANT_SHARES)
    amount = np.exp(rng.normal(0.0, 0.7, n_rows)) * usual[card]
    amount *= np.asarray(MERCHANT_AMOUNTS)[merchant]
    age = rng.exponential(700.0, n_cards)[card] + seconds / SECONDS
    last, recent = _history(card, seconds)
    found = {
        "card": card,
        "amount": np.round(amount, 2),
        "merchant": merchant,
        "country": rng.choice(len(COUNTRIES), n_rows, p=COUNTRY_SHARES),
        "entry": rng.choice(len(ENTRIES), n_rows, p=ENTRY_SHARES),
        "card_age_days": np.floor(age),
        "usual_amount": np.round(40.0 * usual[card], 2),
        "minutes_since_last": last,
        "n_last_day": recent,
    }
    return {name: np.asarray(found[name], dtype=np.float64) for name in NAMES}


def _history(card: npt.NDArray[np.intp], seconds: Array) -> tuple[Array, Array]:
    """Minutes since the card's last transaction, and its number in the 24 hours before."""
    order = np.lexsort((seconds, card))
    cards, times = card[order], seconds[order]
    first = np.r_[True, cards[1:] != cards[:-1]]
    minutes = np.r_[np.nan, np.diff(times)] / 60.0
    minutes[first] = np.nan
    # a key that sorts by card, then time: cards are further apart than a day
    key = cards * (times.max() + 2.0 * SECONDS) + times
    place = np.arange(len(key))
    recent = place - np.searchsorted(key, key - SECONDS, side="left")
    last, count = np.empty(len(key)), np.empty(len(key))
    last[order], count[order] = minutes, recent
    return last, count


def _log_odds(seconds: Array, columns: dict[str, Array]) -> Array:
    """The sum of the notes, without drift and constant."""
    merchant, country, entry = (
        columns[name].astype(np.intp) for name in ("merchant", "country", "entry")
    )
    ratio = np.log(np.maximum(columns["amount"], 0.01) / columns["usual_amount"])
    hour = seconds % SECONDS / 3600.0
    online_far = (entry == ENTRIES.index("online")) & (country == COUNTRIES.index("far"))
    found: Array = (
        np.asarray(MERCHANT_ODDS)[merchant]
        + np.asarray(COUNTRY_ODDS)[country]
        + np.asarray(ENTRY_ODDS)[entry]
        + 1.0 * online_far
        + 1.0 * np.maximum(ratio, 0.0)
        + 1.2 * (hour < 6.0)
        + 0.8 * (columns["card_age_days"] < 30.0)
        + 2.0 * (columns["minutes_since_last"] < 10.0)
        + 0.5 * np.log1p(columns["n_last_day"])
    )
    return found


def _expit(log_odds: Array) -> Array:
    with np.errstate(over="ignore"):  # exp of large numbers: the probability is 0
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


def _constant(log_odds: Array, mean: float) -> float:
    """What makes the mean probability the wanted one, by bisection."""
    low, high = -60.0 - log_odds.max(), 60.0 - log_odds.min()
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _expit(log_odds + middle).mean() < mean else (low, middle)
    return float(0.5 * (low + high))


def _floats(seconds: Array, columns: dict[str, Array]) -> Array:
    return np.column_stack([seconds, *columns.values()])


def _frame(seconds: Array, columns: dict[str, Array]) -> Any:
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise ImportError(
            "make_transactions needs pandas for a DataFrame: pip install pandas, or give "
            "as_frame=False.",
            name="pandas",
        ) from error
    frame = pd.DataFrame({"time": START + seconds.astype("timedelta64[s]"), **columns})
    for name, values in (("merchant", MERCHANTS), ("country", COUNTRIES), ("entry", ENTRIES)):
        frame[name] = pd.Categorical.from_codes(columns[name].astype(int), categories=values)
    return frame.astype({"card": "int64", "n_last_day": "int64"})
