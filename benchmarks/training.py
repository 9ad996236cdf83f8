"""Does focal loss cost training time? Whole fits, beside the libraries' own objectives.

1,000,000 x 28 rows, 50 rounds, two threads, two and five classes; gamma 0 is to grow the
trees of the built-in objective, gamma 2 nearly as many leaves. Then CatBoost's own focal
loss against FocalLGBMClassifier, on Give Me Some Credit and on a synthetic table: the time
of each to come within .002 of the better one's average precision on held-out rows.

    python -m benchmarks.training [--quick] [--part NAME ...]

writes benchmarks/results/training-2-classes.csv, training-5-classes.csv,
training-scikit-learn.csv, training-catboost.csv and catboost.csv; --part names some of them.
scikit-learn's trees hold out a tenth of so many rows for early stopping, and score all rows in
each round; their five classes have a quarter of the rows. CatBoost has a quarter of the rows, two
classes, and 10 Newton steps a leaf for all sides, its own ``Focal`` among them.
"""

import argparse
from functools import partial
from itertools import zip_longest

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

from benchmarks.data import give_me_some_credit, mixed_signal
from benchmarks.kernels import numpy_binary
from benchmarks.packages import FetchError
from benchmarks.report import add_results, optional_import
from benchmarks.timing import alternate, compared
from skfocal import (
    FocalCatBoostClassifier,
    FocalHistGradientBoostingClassifier,
    FocalLGBMClassifier,
    FocalXGBClassifier,
)


def numpy_objective(y_true, y_pred):
    """What is pasted from blogs: the formula in NumPy as a callback."""
    return numpy_binary(y_true, y_pred, 2.0)


def models(library: str, n_classes: int) -> dict:
    """Unfitted models of a library; the first is its own."""
    common = {"n_estimators": 50, "n_jobs": 2}
    if library == "LightGBM":
        plain, focal = LGBMClassifier, FocalLGBMClassifier
        common["verbose"] = -1
    elif library == "scikit-learn":
        plain, focal = HistGradientBoostingClassifier, FocalHistGradientBoostingClassifier
        common = {"max_iter": 50, "random_state": 0}
    elif library == "CatBoost":
        plain, focal = CatBoostClassifier, FocalCatBoostClassifier
        common = {"iterations": 50, "thread_count": 2, "verbose": 0, "allow_writing_files": False}
        common |= {"leaf_estimation_iterations": 10, "leaf_estimation_method": "Newton"}
        common |= {"learning_rate": 0.1}
    else:
        plain, focal = XGBClassifier, FocalXGBClassifier
    found = {"built-in": plain(**common)}
    found |= {f"focal_gamma={g}": focal(focal_gamma=g, **common) for g in (0.0, 2.0)}
    found["focal_gamma=2.0, posterior link"] = focal(focal_gamma=2.0, link="posterior", **common)
    if library == "CatBoost":
        own = "Focal:focal_alpha=0.5;focal_gamma=2"
        found["built-in Focal, gamma 2"] = plain(loss_function=own, **common)
        found["built-in"].set_params(boost_from_average=True)
    elif n_classes == 2 and library != "scikit-learn":  # it takes no function
        found["NumPy callback, gamma 2"] = plain(objective=numpy_objective, **common)
    return found


def nodes_of(model) -> list:
    """The nodes of each tree of scikit-learn."""
    return [tree.nodes for trees in model._predictors for tree in trees]


def n_leaves(model) -> int:
    """Leaves of all trees."""
    if isinstance(model, HistGradientBoostingClassifier):
        return int(sum(nodes["is_leaf"].sum() for nodes in nodes_of(model)))
    if isinstance(model, CatBoostClassifier):
        return len(model.get_leaf_values())
    if isinstance(model, LGBMClassifier):
        return sum(tree["num_leaves"] for tree in model.booster_.dump_model()["tree_info"])
    frame = model.get_booster().trees_to_dataframe()
    return int((frame.Feature == "Leaf").sum())


def splits(model) -> list:
    """Features and thresholds of all splits; of CatBoost the weights of all leaves."""
    if isinstance(model, CatBoostClassifier):
        return model.get_leaf_weights().tolist()
    if isinstance(model, HistGradientBoostingClassifier):
        inner = np.concatenate([nodes[nodes["is_leaf"] == 0] for nodes in nodes_of(model)])
        return inner[["feature_idx", "num_threshold"]].tolist()
    if isinstance(model, LGBMClassifier):
        frame = model.booster_.trees_to_dataframe()
        return frame[["split_feature", "threshold"]].dropna().to_numpy().tolist()
    frame = model.get_booster().trees_to_dataframe()
    return frame.loc[frame.Feature != "Leaf", ["Feature", "Split"]].to_numpy().tolist()


def whole_fits(
    n_classes: int, rows: int, repeats: int, libraries: tuple[str, ...] = ("LightGBM", "XGBoost")
) -> pd.DataFrame:
    """Time, leaves, and whether the splits are those of the built-in objective."""
    tables = []
    X, y = mixed_signal(rows, n_classes=n_classes)
    for library in libraries:
        sides = models(library, n_classes)
        seconds = alternate({k: partial(m.fit, X, y) for k, m in sides.items()}, repeats)
        table = compared(seconds, "built-in")
        table["time_ratio"] = 1 / table.times_faster
        table["leaves"] = [n_leaves(model) for model in sides.values()]
        own = splits(sides["built-in"])
        table["same_splits"] = [np.mean(same(splits(m), own)) for m in sides.values()]
        table.insert(0, "library", library)
        table.insert(0, "classes", n_classes)
        tables.append(table)
    return pd.concat(tables)


def same(one: list, other: list) -> list[bool]:
    """Split by split, in the order of the trees."""
    return [a == b for a, b in zip_longest(one, other)]


def catboost_tables(rows: int) -> dict:
    """Name: features and labels."""
    tables = {}
    try:
        X, y = give_me_some_credit()
        tables["Give Me Some Credit"] = X.to_numpy(np.float32), np.asarray(y)
    except FetchError as error:
        print(error)
    tables["synthetic"] = mixed_signal(rows, 20, seed=1)
    return tables


def against_catboost(rows: int, most: int, repeats: int) -> pd.DataFrame:
    """Both at learning rate .1, gamma 2 and at most 6 levels, else at their defaults."""
    catboost = optional_import("catboost")
    if catboost is None:
        return pd.DataFrame()
    makers = {
        "CatBoost Focal": lambda n: catboost.CatBoostClassifier(
            loss_function="Focal:focal_alpha=0.5;focal_gamma=2.0",
            iterations=n,
            learning_rate=0.1,
            depth=6,
            thread_count=2,
            verbose=False,
            allow_writing_files=False,
        ),
        "FocalLGBMClassifier": lambda n: FocalLGBMClassifier(
            focal_gamma=2.0,
            n_estimators=n,
            learning_rate=0.1,
            max_depth=6,
            n_jobs=2,
            verbose=-1,
        ),
    }
    found = []
    for name, (X, y) in catboost_tables(rows).items():
        X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
        paths = {k: path(make(most).fit(X, y), X_test, y_test, most) for k, make in makers.items()}
        target = max(p.max() for p in paths.values()) - 0.002
        rounds = {k: int(np.argmax(p >= target)) + 1 for k, p in paths.items() if max(p) >= target}
        seconds = alternate(
            {k: partial(makers[k](n).fit, X, y) for k, n in rounds.items()}, repeats
        )
        for side, p in paths.items():
            found.append(
                {
                    "table": name,
                    "side": side,
                    "best_average_precision": p.max(),
                    "best_rounds": int(p.argmax()) + 1,
                    "rounds_to_target": rounds.get(side),
                    "seconds_to_target": seconds[side].median() if side in rounds else np.nan,
                }
            )
    return pd.DataFrame(found)


def path(model, X, y, most: int) -> np.ndarray:
    """Average precision after each round."""
    if hasattr(model, "staged_predict"):
        margins = model.staged_predict(X, prediction_type="RawFormulaVal")
        return np.array([average_precision_score(y, margin) for margin in margins])
    total, values = np.zeros(len(y)), []
    for k in range(most):
        total += model.booster_.predict(X, raw_score=True, start_iteration=k, num_iteration=1)
        values.append(average_precision_score(y, total))
    return np.array(values)


def fits_of_scikit_learn(rows: int, repeats: int) -> pd.DataFrame:
    """Its trees of two and of five classes."""
    classes = (2, rows), (5, rows // 4)
    return pd.concat([whole_fits(k, n, repeats, ("scikit-learn",)) for k, n in classes])


PARTS = {
    "training-2-classes": lambda quick: whole_fits(2, *((100_000, 3) if quick else (1_000_000, 7))),
    "training-5-classes": lambda quick: whole_fits(5, *((100_000, 3) if quick else (1_000_000, 7))),
    "training-scikit-learn": lambda quick: fits_of_scikit_learn(
        *((100_000, 3) if quick else (1_000_000, 7))
    ),
    "training-catboost": lambda quick: whole_fits(
        2, *((50_000, 3) if quick else (250_000, 7)), ("CatBoost",)
    ),
    "catboost": lambda quick: against_catboost(*((50_000, 60, 3) if quick else (300_000, 200, 7))),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows and turns")
    parser.add_argument("--part", choices=PARTS, nargs="*", default=PARTS, help="all by default")
    arguments = parser.parse_args()
    for name in arguments.part:
        table = PARTS[name](arguments.quick)
        if len(table):
            add_results(table, f"{name}-quick" if arguments.quick else name)
            print(table.round(4).to_markdown(index=False), flush=True)


if __name__ == "__main__":
    main()
