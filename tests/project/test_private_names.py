"""Private names of the libraries: each in one file, and there as that file expects them."""

import ast
import inspect
from pathlib import Path

import lightgbm
import lightgbm.dask
import numpy as np
import pytest
import xgboost
import xgboost.callback
from catboost import CatBoostClassifier
from lightgbm.libpath import _LIB
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier

import skfocal
from tests.conftest import table

PACKAGE = Path(skfocal.__file__).parent
# What lies below knows nothing of the libraries, and may have such names for something else.
ABOVE = (
    "_booster",
    "lightgbm",
    "xgboost",
    "catboost",
    "sklearn_boosting",
    "dask",
    "onnx",
    "plotting",
)
FILES = sorted(path for name in ABOVE for path in (PACKAGE / name).rglob("*.py"))
OF_LIBRARIES = [path for path in FILES if path.name == "_private.py"]
# Attributes that skfocal itself gives to objects of the libraries.
OURS = {"_metrics", "_codes"}
# Names that CatBoost has for itself, and skfocal or another library for something else.
OF_SEVERAL = {"_predict", "_train", "_estimator_type"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def of_libraries():
    """All private attributes of the objects of the libraries that skfocal works with."""
    X, y, _ = table(n_rows=100)
    dataset = lightgbm.Dataset(X, y).construct()
    trees = lightgbm.LGBMClassifier(n_estimators=1, verbose=-1).fit(X, y)
    forest = xgboost.XGBClassifier(n_estimators=1).fit(X, y, eval_set=[(X, y)], verbose=False)
    monitor = xgboost.callback.EvaluationMonitor()
    histogram = HistGradientBoostingClassifier(max_iter=1).fit(X, y)
    symmetric = CatBoostClassifier(iterations=1, verbose=0, allow_writing_files=False).fit(X, y)
    objects = [dataset, trees, trees.booster_, forest, forest.get_booster(), monitor, histogram]
    objects.append(symmetric)
    names = {name for each in objects for name in {*dir(each), *vars(each)}}
    common = {*OF_SEVERAL, *dir(BaseEstimator), *dir(ClassifierMixin), *dir(object)}
    return {name for name in names - common if is_private(name)}


def private_names(source):
    """Private attributes and names of the libraries in a source, with their lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node.attr, node.lineno
        elif isinstance(node, ast.FunctionDef) and is_private(node.name):
            yield node.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").partition(".")[0] in ("lightgbm", "xgboost", "catboost"):
                names = [alias.name for alias in node.names if is_private(alias.name)]
                yield from ((f"imported {name}", node.lineno) for name in names)
        elif isinstance(node, ast.Constant) and is_private(str(node.value)):
            yield str(node.value), node.lineno


@pytest.fixture(scope="module")
def known():
    return of_libraries()


def found(source, known):
    return [
        (name, line)
        for name, line in private_names(source)
        if name in known or name.startswith("imported")
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_one_file_a_library_touches_its_private_names(path, known):
    names = found(path.read_text(), known)
    assert bool(names) == (path in OF_LIBRARIES), names


@pytest.mark.parametrize(
    "planted",
    [
        "model._Booster = 1",
        "from lightgbm.compat import _LGBMLabelEncoder",
        "getattr(trainer, '_best_score')",
        "class A:\n    def _process_params(self, stage): ...",
        "data._handle",
        "matrix = trainer._create_dmatrix()",
        "model._predictors",
        "class A:\n    def _get_loss(self, sample_weight): ...",
        "model._init_params['depth'] = 3",
    ],
)
def test_a_private_name_elsewhere_is_seen(planted, known):
    assert len(found(planted, known)) == 1


def test_signatures_are_those_that_skfocal_calls():
    expected = {
        lightgbm.LGBMClassifier._process_params: ["self", "stage"],
        lightgbm.Dataset._update_params: ["self", "params"],
        xgboost.XGBClassifier._set_evaluation_result: ["self", "evals_result"],
        xgboost.XGBClassifier._get_iteration_range: ["self", "iteration_range"],
        xgboost.XGBClassifier._create_dmatrix: ["self", "ref", "kwargs"],
        HistGradientBoostingClassifier._get_loss: ["self", "sample_weight"],
        HistGradientBoostingClassifier._finalize_sample_weight: ["self", "sample_weight", "y"],
        HistGradientBoostingClassifier._raw_predict: ["self", "X", "n_threads"],
        HistGradientBoostingClassifier._staged_raw_predict: ["self", "X"],
        xgboost.callback.EvaluationMonitor._fmt_metric: [
            *("self", "data", "metric", "score", "std"),
        ],
    }
    for function, names in expected.items():
        assert list(inspect.signature(function).parameters) == names
    arguments = inspect.signature(lightgbm.dask._train).parameters
    assert {"client", "data", "label", "params", "model_factory", "sample_weight"} <= {*arguments}
    assert callable(_LIB.LGBM_NetworkFree)


def test_fit_of_the_parents_calls_train_by_the_name_that_skfocal_calls(monkeypatch):
    """`lightgbm.sklearn.train` and `xgboost.sklearn.train`, which autologging does not replace."""
    X, y, _ = table(n_rows=100)
    for library, model in (
        (lightgbm.sklearn, lightgbm.LGBMClassifier(n_estimators=1, verbose=-1)),
        (xgboost.sklearn, xgboost.XGBClassifier(n_estimators=1)),
    ):
        calls, original = [], library.train

        def train(*args, calls=calls, original=original, **kwargs):
            calls.append(kwargs)
            return original(*args, **kwargs)

        monkeypatch.setattr(library, "train", train)
        model.fit(X, y)
        assert len(calls) == 1
        assert np.isfinite(model.predict_proba(X)).all()
