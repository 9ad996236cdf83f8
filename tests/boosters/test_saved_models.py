"""Saved boosters are ordinary models: their margins where skfocal cannot be imported.

The witness are the margins that the training loop itself ended with, as a metric on margins
has seen them: the start and the trees, before the booster is rewritten.
"""

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from contextlib import contextmanager

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal

from skfocal import FocalEvalMetric, FocalLGBMClassifier, FocalXGBClassifier
from skfocal._booster._model_files import Settings, settings_from_text, settings_text
from skfocal._estimator._probabilities import Probabilities
from skfocal.lightgbm._format import settings_of, with_settings
from tests.backends import of, quiet, quiet_fit
from tests.conftest import table
from tests.estimator.test_features import categories, coarse

pytestmark = pytest.mark.xdist_group("saved models")  # made and loaded once

LGBM, XGB = FocalLGBMClassifier, FocalXGBClassifier
LIGHTGBM_ROWS = {
    "gbdt": {},
    "GOSS": {"data_sample_strategy": "goss", "learning_rate": 0.3},
    "DART": {"boosting_type": "dart", "drop_rate": 0.5},
    "bagging": {"subsample": 0.5, "subsample_freq": 1},
    "extra trees": {"extra_trees": True},
    "linear trees": {"linear_tree": True},
    "quantised": {"use_quantized_grad": True},
    "quantised, leaves renewed": {"use_quantized_grad": True, "quant_train_renew_leaf": True},
    "categorical": {},
    "pandas categories": {},
    "constant first tree": {},
    "no splits at all": {"min_split_gain": 1e9},
    "early stopped": {"learning_rate": 0.5, "n_estimators": 200, "early_stopping_rounds": 3},
    "weighted": {"focal_alpha": "balanced", "class_weight": {"low": 2.0}},
    "continued": {},
    "continued from a plain model": {},
}
XGBOOST_ROWS = {
    "gbtree": {},
    "DART": {"booster": "dart", "rate_drop": 0.5},
    "bagging": {"subsample": 0.5},
    "forest": {"num_parallel_tree": 2, "subsample": 0.5},
    "exact": {"tree_method": "exact"},
    "lossguide": {"grow_policy": "lossguide", "max_leaves": 7},
    "pandas categories": {"enable_categorical": True},
    "no splits at all": {"min_split_loss": 1e9},
    "early stopped": {"learning_rate": 0.5, "n_estimators": 200, "early_stopping_rounds": 3},
    "vector leaves": {"multi_strategy": "multi_output_tree"},
    "weighted": {"focal_alpha": "balanced"},
    "continued": {},
    "continued from a plain model": {},
}
ROWS = [(LGBM, name, k) for name in LIGHTGBM_ROWS for k in (2, 3)]
ROWS += [(XGB, name, k) for name in XGBOOST_ROWS for k in (2, 3)]
LOAD = """
import sys, json, pickle
sys.modules["skfocal"] = None
import numpy as np, pandas as pd, lightgbm, xgboost
folder, out = sys.argv[1], {}
for name, path in json.load(open(f"{folder}/rows.json")).items():
    X = pickle.load(open(f"{path}.X", "rb"))
    if path.endswith("lgb"):
        booster = lightgbm.Booster(model_file=path)
        raw, proba = booster.predict(X, raw_score=True), booster.predict(X)
    else:
        booster = xgboost.Booster(model_file=f"{path}.json")
        best = booster.attr("best_iteration")
        part = (0, 0 if best is None else int(best) + 1)
        M = xgboost.DMatrix(X, enable_categorical=True)
        raw = booster.predict(M, output_margin=True, iteration_range=part)
        proba = booster.predict(M, iteration_range=part)
    np.save(f"{path}.raw.npy", raw)
    np.save(f"{path}.proba.npy", proba)
"""


class Margins(FocalEvalMetric):
    """Keeps the margins that it is shown."""

    def __init__(self):
        super().__init__(2.0)
        self.seen = []

    def __deepcopy__(self, memo):
        return self  # LightGBM copies what it is given

    def _loss_of(self, raw):
        self.seen.append(np.array(raw))
        return super()._loss_of(raw)


def trained(kind, row, n_classes, **parameters):
    """A fitted model, its table, and the margins with which the loop ended."""
    X, codes, _ = table(n_classes, n_rows=600)
    y = np.array(["low", "mid", "top"])[codes]
    X = X.astype(np.float32).astype(np.float64)  # linear trees are fitted on float32
    X = {"categorical": coarse, "pandas categories": categories}.get(row, lambda a: a)(X)
    params = {**(LIGHTGBM_ROWS if kind is LGBM else XGBOOST_ROWS)[row], **parameters}
    watch = Margins()
    fit = {"eval_set": [(X.copy(), y)]}
    if kind is LGBM:
        params = {"verbose": -1, "metric": "None", **params}
        fit["eval_metric"] = watch
        fit |= {"categorical_feature": [0]} if row == "categorical" else {}
        if row == "constant first tree":
            gains = [1e9, *[0.0] * 9]
            fit["callbacks"] = [lgb.reset_parameter(min_gain_to_split=gains)]
    else:
        params["eval_metric"] = watch
        fit["verbose"] = False
    params = {"n_estimators": 10, "n_jobs": 1, **params}
    if "early_stopping_rounds" in params:
        fit["eval_set"] = [(X[::2].copy(), y[::2])]
        X, y = X[1::2], y[1::2]
    if row.startswith("continued"):
        name = of(kind).init_model
        if row == "continued":
            first = kind(n_estimators=5, n_jobs=1, **quiet(kind), **parameters)
            fit[name] = make_first(first, X, y)
        else:
            plain = of(kind).parent
            fit[name] = plain(n_estimators=5, n_jobs=1, **quiet(kind)).fit(X, codes)
    model = kind(**params).fit(X, y, **fit)
    best = -1
    if "early_stopping_rounds" in params:
        best = of(kind).best_round(model)
        assert best < len(watch.seen) - 1
    return model, fit["eval_set"][0][0], watch.seen[best]


def make_first(model, X, y):
    """A model to continue. What it is corrected by is undone before."""
    return corrected(model.fit(X, y), X, y) if model.link == "posterior" else model.fit(X, y)


def corrected(model, X, y):
    """The model with a calibration and priors."""
    shares = np.linspace(1.0, 2.0, len(model.classes_))
    return model.calibrate(X, y).adjust_priors(shares / shares.sum())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """All models of the table, saved, and predicted by one process without skfocal.

    Each also under the posterior link, calibrated and with other priors.
    """
    folder = tmp_path_factory.mktemp("models")
    models, paths = {}, {}
    for i, (kind, row, k) in enumerate(ROWS):
        for link in ("focal", "posterior"):
            path = str(folder / f"{i}.{link}.{'lgb' if kind is LGBM else 'xgb'}")
            model, X, margins = trained(kind, row, k, link=link)
            if link == "posterior":
                labels = model.classes_[table(k, n_rows=600)[1]]
                corrected(model, X, labels[::2] if len(X) < len(labels) else labels)
            pd.to_pickle(X, f"{path}.X")
            of(kind).booster(model).save_model(path if kind is LGBM else f"{path}.json")
            models[kind, row, k, link] = model, X, margins, path
            paths[f"{kind.__name__} {row} {k} {link}"] = path
    (folder / "rows.json").write_text(json.dumps(paths))
    subprocess.run([sys.executable, "-c", LOAD, str(folder)], check=True, timeout=300)
    return models


@pytest.mark.parametrize(
    "kind, row, n_classes", ROWS, ids=[f"{k.__name__}-{r}-{n}" for k, r, n in ROWS]
)
@pytest.mark.filterwarnings("ignore:.*booster=dart")
def test_margins_of_the_training_loop_come_back_without_skfocal(saved, kind, row, n_classes):
    model, X, margins, path = saved[kind, row, n_classes, "focal"]
    raw, proba = np.load(f"{path}.raw.npy"), np.load(f"{path}.proba.npy")
    if row == "no splits at all":
        assert np.ptp(raw, axis=0).max() == 0
    else:
        assert np.ptp(raw, axis=0).max() > 0.1
    # XGBoost's margins are float32: 1e-6 of their size
    atol = of(kind).atol * max(1, np.abs(margins).max() if kind is XGB else 1)
    assert_allclose(raw, margins, rtol=0, atol=atol)
    own = model.set_params(probability="raw").predict_proba(X)
    assert_allclose(raw, model.decision_function(X), rtol=0, atol=atol)
    assert_allclose(proba, own[:, 1] if n_classes == 2 else own, atol=1e-6)


@pytest.mark.parametrize(
    "kind, row, n_classes", ROWS, ids=[f"{k.__name__}-{r}-{n}" for k, r, n in ROWS]
)
@pytest.mark.filterwarnings("ignore:.*booster=dart")
def test_corrected_probabilities_come_back_without_skfocal(saved, kind, row, n_classes):
    """The booster has the map of the margins with which the training loop ended."""
    model, X, margins, path = saved[kind, row, n_classes, "posterior"]
    raw, proba = np.load(f"{path}.raw.npy"), np.load(f"{path}.proba.npy")
    assert model.calibration_.slope != 1.0 or row == "no splits at all"
    expected = model._probabilities.correction.apply(margins.astype(np.float64))
    if n_classes > 2 and kind is XGB:  # softmax does not see a constant of the row
        expected -= expected.mean(axis=1, keepdims=True)
        raw -= raw.mean(axis=1, keepdims=True)
    atol = of(kind).atol * max(1, np.abs(margins).max() if kind is XGB else 1)
    assert_allclose(raw, expected, rtol=0, atol=2 * atol)
    own = model.predict_proba(X)
    assert_allclose(proba, own[:, 1] if n_classes == 2 else own, rtol=of(kind).rtol, atol=1e-12)
    if row == "early stopped" and kind is XGB:
        # a plain booster predicts with all rounds
        booster = model.get_booster()
        assert booster.num_boosted_rounds() == model.best_iteration + 1
        plain = xgb.Booster(model_file=f"{path}.json").predict(xgb.DMatrix(X))
        assert_allclose(plain, own[:, 1] if n_classes == 2 else own, rtol=1e-6)


@pytest.mark.parametrize("kind", [LGBM, XGB])
@pytest.mark.parametrize("labels", [[0, 1, 2], ["a", "b", "c"], [False, True], [-1.0, 2.0]])
def test_save_and_load_give_the_classifier_back(kind, labels, tmp_path):
    X, y, _ = table(len(labels))
    frame = pd.DataFrame(X, columns=list("abcdefghij"))
    params = {"n_estimators": 5, "focal_alpha": "balanced", **quiet(kind)}
    model = kind(focal_gamma=1.5, **params).fit(frame, np.array(labels)[y])
    model.save_model(tmp_path / "model.json")
    twin = kind()
    twin.load_model(tmp_path / "model.json")
    assert_array_equal(twin.predict_proba(frame), model.predict_proba(frame))
    assert_array_equal(twin.predict(frame), model.predict(frame))
    assert twin.loss_ == model.loss_
    assert (twin.focal_gamma, twin.focal_alpha) == (1.5, model.loss_.alpha)
    assert twin.classes_.dtype == model.classes_.dtype
    assert list(twin.feature_names_in_) == list("abcdefghij")
    assert twin.n_features_in_ == 10
    if kind is XGB:
        assert twin.base_score is None
    twin.set_params(**params)
    assert_array_equal(
        twin.fit(frame, np.array(labels)[y]).predict_proba(frame), model.predict_proba(frame)
    )


@pytest.mark.parametrize("kind", [LGBM, XGB])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_from_booster(kind, n_classes):
    X, y, _ = table(n_classes)
    names = np.array(["a", "b", "c"])[y]
    alpha = {"a": 1.0, "b": 3.0, "c": 2.0} if n_classes == 3 else 0.75
    model = kind(n_estimators=5, focal_alpha=alpha, **quiet(kind)).fit(X, names)
    booster = of(kind).booster(model)
    twin = kind.from_booster(
        booster, focal_gamma=2.0, focal_alpha=alpha, classes=["a", "b", "c"][:n_classes]
    )
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert_array_equal(twin.predict(X), model.predict(X))
    plain = kind.from_booster(booster, focal_gamma=0.0)
    assert plain.classes_.tolist() == list(range(n_classes))
    own = model.set_params(probability="raw").predict_proba(X)
    assert_allclose(plain.predict_proba(X), own, atol=1e-6)
    with pytest.raises(ValueError, match="classes must be the"):
        kind.from_booster(booster, focal_gamma=1.0, classes=["a"] * n_classes)
    with pytest.raises(ValueError, match="needs the training labels"):
        kind.from_booster(booster, focal_gamma=1.0, focal_alpha="balanced")
    with pytest.raises(ValueError, match="differ in the labels"):
        kind.from_booster(booster, focal_gamma=1.0, focal_alpha={7: 1.0})


def test_lightgbm_loads_a_saved_classifier_without_a_word(tmp_path, capfd):
    X, y, _ = table()
    model = LGBM(n_estimators=5).fit(X, y)
    model.save_model(tmp_path / "model.txt")
    capfd.readouterr()
    booster = lgb.Booster(model_file=tmp_path / "model.txt")
    assert "".join(capfd.readouterr()) == ""
    assert_array_equal(booster.predict(X, raw_score=True), model.predict(X, raw_score=True))
    booster.save_model(tmp_path / "plain.txt")
    with pytest.raises(ValueError, match=r"use FocalLGBMClassifier\.from_booster"):
        LGBM().load_model(tmp_path / "plain.txt")


@pytest.mark.parametrize("kind", [LGBM, XGB])
def test_loading_leaves_nothing_of_an_earlier_fit(kind, tmp_path):
    X, y, _ = table()
    frame = pd.DataFrame(X, columns=["my column", *"bcdefghij"])
    named = kind(n_estimators=3, **quiet(kind)).fit(frame, y)
    unnamed = kind(n_estimators=3, **quiet(kind)).fit(X[:, :4], y)
    named.save_model(tmp_path / "named.json")
    unnamed.save_model(tmp_path / "unnamed.json")
    expected = named.predict_proba(frame), unnamed.predict_proba(X[:, :4])
    named.fit(frame, y, eval_set=[(frame, y)], **quiet_fit(kind))
    named.load_model(tmp_path / "unnamed.json")
    assert_array_equal(named.predict_proba(X[:, :4]), expected[1])
    assert not hasattr(named, "feature_names_in_")
    assert not getattr(named, "evals_result_", {})
    unnamed.load_model(tmp_path / "named.json")
    assert_array_equal(unnamed.predict_proba(frame), expected[0])
    assert list(unnamed.feature_names_in_) == list(frame.columns)


def test_parameters_do_not_reach_a_loaded_model(tmp_path):
    X, y, _ = table()
    model = XGB(n_estimators=3).fit(X, y)
    model.save_model(tmp_path / "model.json")
    twin = XGB(base_score=0.05)
    twin.load_model(tmp_path / "model.json")
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert twin.base_score == 0.05


def test_boosters_of_other_objectives_are_refused():
    X, y, _ = table(n_rows=200)
    regression = lgb.LGBMRegressor(n_estimators=2, verbose=-1).fit(X, y).booster_
    with pytest.raises(ValueError, match="binary or multiclass"):
        LGBM.from_booster(regression, focal_gamma=1.0)
    regression = xgb.XGBRegressor(n_estimators=2).fit(X, y).get_booster()
    with pytest.raises(ValueError, match="reg:squarederror"):
        XGB.from_booster(regression, focal_gamma=1.0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_boosters_whose_probabilities_are_not_those_of_the_margins_are_refused(n_classes, tmp_path):
    """LightGBM divides a forest's margin by the number of trees, and may multiply one."""
    X, y, _ = table(n_classes, n_rows=200)
    forest = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}
    plain = lgb.LGBMClassifier(n_estimators=3, verbose=-1, **forest).fit(X, y).booster_
    with pytest.raises(ValueError, match="random forest"):
        LGBM.from_booster(plain, focal_gamma=0.0)
    if n_classes == 2:
        steep = lgb.LGBMClassifier(n_estimators=3, sigmoid=2.0, verbose=-1).fit(X, y).booster_
        with pytest.raises(ValueError, match="sigmoid:2"):
            LGBM.from_booster(steep, focal_gamma=0.0)
    model = LGBM(n_estimators=3, **quiet(LGBM)).fit(X, y)
    settings = Settings(model.classes_, model.loss_, None, model._probabilities)
    text = with_settings(plain.model_to_string(), settings_text(settings))
    (tmp_path / "forest.txt").write_text(text)
    with pytest.raises(ValueError, match="random forest"):
        LGBM().load_model(tmp_path / "forest.txt")


def test_labels_that_json_does_not_have():
    X, y, _ = table(n_rows=200)
    days = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")[y]
    model = XGB(n_estimators=2).fit(X, days)  # no attribute, but a model
    assert model.get_booster().attr("skfocal") is None
    first = XGB(n_estimators=2).fit(X, y)
    assert XGB(n_estimators=2).fit(X, days, xgb_model=first).get_booster().attr("skfocal") is None
    assert first.get_booster().attr("skfocal") is not None
    with pytest.raises(TypeError, match="not JSON serializable"):
        LGBM(n_estimators=2, verbose=-1).fit(X, days).save_model("never written")


@pytest.mark.parametrize("kind", [LGBM, XGB])
@pytest.mark.parametrize("form", ["classifier", "file", "booster"])
def test_a_model_of_another_loss_is_not_continued(kind, form, tmp_path):
    X, y, _ = table()
    first = kind(n_estimators=2, focal_gamma=1.0, **quiet(kind)).fit(X, y)
    first.save_model(tmp_path / "model.json")
    name = of(kind).init_model
    model = {
        "classifier": first,
        "file": str(tmp_path / "model.json"),
        "booster": of(kind).booster(first),
    }[form]
    if kind is LGBM and form == "booster":
        # of a LightGBM booster nothing is known: its margins are a start like any other
        assert kind(n_estimators=2, verbose=-1).fit(X, y, init_model=model).fitted_
    else:
        with pytest.raises(ValueError, match="cannot be continued with another gamma"):
            kind(n_estimators=2, **quiet(kind)).fit(X, y, **{name: model})
    same = kind(n_estimators=2, focal_gamma=1.0, **quiet(kind)).fit(X, y, **{name: model})
    assert np.abs(same.decision_function(X) - first.decision_function(X)).max() > 0.01
    with pytest.raises(ValueError, match=r"3 classes|y has 3"):
        kind(n_estimators=2, **quiet(kind)).fit(X, np.arange(len(y)) % 3, **{name: model})


def saved_model(kind, folder, n_classes=2, name="model.json"):
    """A small fitted model, its table, and the file that it has written."""
    X, y, _ = table(n_classes, n_rows=300)
    labels = np.array(["low", "mid", "top"])[y]
    frame = pd.DataFrame(X, columns=list("abcdefghij"))
    model = kind(n_estimators=3, max_depth=2, **quiet(kind)).fit(frame, labels)
    model.save_model(folder / name)
    return model, frame, folder / name


@contextmanager
def no_room_beyond(size):
    """What is written beyond this size of a file fails, as on a full disk."""
    resource = pytest.importorskip("resource")  # Windows has none
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    "kind, name", [(LGBM, "model.txt"), (XGB, "model.json"), (XGB, "model.ubj")]
)
def test_a_full_disk_leaves_the_older_file(kind, name, tmp_path):
    """XGBoost itself keeps silent where less than its last 4096 bytes cannot be written."""
    model, X, path = saved_model(kind, tmp_path, name=name)
    before = path.read_bytes()
    for size in (0, len(before) // 4096 * 4096, len(before) - 1):
        with no_room_beyond(size), pytest.raises(OSError, match="File too large"):
            model.save_model(path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]  # no part of a file is left
    if kind is XGB:
        assert model.get_booster().attr("scikit_learn") is None
    twin = kind()
    twin.load_model(path)
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("kind", [LGBM, XGB])
def test_saving_that_fails_at_the_end_leaves_the_older_file(kind, tmp_path, monkeypatch):
    model, _, path = saved_model(kind, tmp_path)
    path.write_text("older")

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        model.save_model(path)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", [LGBM, XGB])
def test_saving_keeps_links_and_modes(kind, tmp_path):
    model, X, path = saved_model(kind, tmp_path)
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode  # as any new file
    path.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    path.write_text("older")
    model.save_model(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    twin = kind()
    twin.load_model(path)
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    with pytest.raises(OSError, match="No such file"):
        model.save_model(tmp_path / "no folder" / "model.json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its name, XGBoost's format
        model.save_model(os.devnull)
    assert not os.path.isfile(os.devnull)


@pytest.mark.filterwarnings("ignore:.*UBJSON format")
@pytest.mark.parametrize("name", ["m.json", "m.ubj", "m.JSON", "m", ".json", "m.json.gz"])
def test_formats_of_xgboost_stay(name, tmp_path, monkeypatch):
    model, _, path = saved_model(XGB, tmp_path, name=name)
    xgb.XGBClassifier.save_model(model, tmp_path / f"own{name}")
    assert path.read_bytes() == (tmp_path / f"own{name}").read_bytes()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    model.save_model("~/model.json")
    assert (tmp_path / "home" / "model.json").is_file()


def hostile_settings(text):
    """Texts that are not settings of a model of three classes and ten columns, and why."""
    good = json.loads(text)
    wrong = {
        "classes": [[], ["a", "b"], ["a", "b", "b"], ["a", "b", 3], [["a"], ["b"], ["c"]], "abc"],
        "dtype": ["<U300000000", "<U2", "<i8", "<M8[s]", "O", "object_", "f9", 3, None, ["<U3"]],
        "gamma": [-1, None, "2", True, [1, 2], ["1", "2", "3"], [True] * 3, {}, 1e999, 10**400],
        "alpha": [0.25, "balanced", [1, 2], [1, 0, 1], ["1", "2", "3"], {"low": 1}, float("nan")],
        "hessian": ["lower", None, 1, []],
        "link": ["logit", None, 1, {}],
        "names": ["abcdefghij", ["a"], list(range(10)), 3, [], [None] * 10],
    }
    for key, values in wrong.items():
        for value in values:
            yield json.dumps({**good, key: value})
        yield json.dumps({k: v for k, v in good.items() if k != key})
    known = good["probabilities"]
    shares = [[0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.6, -0.1], ["a", "b", "c"], 1, "abc", {}]
    maps = [1, [], {}, {"slope": 1.0}, {"slope": 0.0, "offset": [0, 0, 0]}]
    maps += [{"slope": 1.0, "offset": offset} for offset in (0.0, [0.0], "abc", [None] * 3)]
    maps += [{"slope": slope, "offset": [0, 0, 0]} for slope in (-1, None, "1", True, 1e999)]
    wrong = {
        "class_prior": [*shares, None],
        "priors": [*shares, [0.5, 0.5, 0.0]],
        "n_rows": [-1, "1", True, [], 1e999],
        "calibration": maps,
    }
    for key, values in wrong.items():
        others = {"priors": [0.2, 0.3, 0.5]} if key == "class_prior" else {}
        for value in values:
            yield json.dumps({**good, "probabilities": {**known, **others, key: value}})
    yield from (json.dumps({**good, "probabilities": value}) for value in (None, 1, [], {}))
    yield from ["", "null", "3", "[]", "{", '"text"', text[:-1], "[" * 100_000, "1" * 10_000]
    yield json.dumps({**good, "classes": [1, 2, 2.5], "dtype": "<i8"})
    yield json.dumps({**good, "classes": [1, 2, 300], "dtype": "|u1"})
    yield json.dumps({**good, "classes": [0, 1, 2], "dtype": "<f8"})
    yield json.dumps({**good, "classes": [1.0, 2.0, float("nan")], "dtype": "<f8"})


def test_settings_that_are_none(tmp_path):
    model, _, _ = saved_model(XGB, tmp_path, 3)
    text = model.get_booster().attr("skfocal")
    classes, loss, names, probabilities = settings_from_text(text, "file", 3, 10)
    assert probabilities == model._probabilities
    older = {k: v for k, v in json.loads(text).items() if k != "probabilities"}
    older = settings_from_text(json.dumps(older), "file", 3, 10)
    assert older.probabilities == Probabilities()
    assert (classes.tolist(), loss, list(names)) == (
        ["low", "mid", "top"],
        model.loss_,
        list("abcdefghij"),
    )
    for hostile in hostile_settings(text):
        with pytest.raises(ValueError, match=r"the file\.txt are damaged"):
            print(hostile[:200], settings_from_text(hostile, "the file.txt", 3, 10))
    with pytest.raises(ValueError, match="4 classes"):
        settings_from_text(text, "file", 4, 10)
    with pytest.raises(ValueError, match="11 columns"):
        settings_from_text(text, "file", 3, 11)


@pytest.mark.parametrize("kind", [LGBM, XGB])
@pytest.mark.parametrize("way", ["load_model", "continue", "from_booster"])
def test_hostile_settings_in_a_model(kind, way, tmp_path):
    """Every way in which a model with settings comes in names the model and what is wrong."""
    model, X, path = saved_model(kind, tmp_path)
    y = model.predict(X)
    y[:150] = "low"
    y[150:] = "mid"
    good = path.read_text() if kind is LGBM else model.get_booster().attr("skfocal")
    settings = settings_of(good) if kind is LGBM else good
    wrong = json.dumps({**json.loads(settings), "classes": ["low", "mid", "top"]})
    if kind is LGBM:
        path.write_text(with_settings(model.booster_.model_to_string(), wrong))
    else:
        model.get_booster().set_attr(skfocal=wrong)
        model.save_model(path)
    if way == "load_model":
        with pytest.raises(ValueError, match=r"model.json.* are damaged.*2 classes"):
            kind().load_model(path)
    elif way == "continue":
        name = of(kind).init_model
        with pytest.raises(ValueError, match="are damaged"):
            kind(n_estimators=1, **quiet(kind)).fit(X, y, **{name: str(path)})
    elif kind is XGB:
        with pytest.raises(ValueError, match="the booster are damaged"):
            kind.from_booster(model.get_booster(), focal_gamma=2.0)


@pytest.mark.parametrize("kind, name", [(LGBM, "m.txt"), (XGB, "m.json"), (XGB, "m.ubj")])
def test_cut_files_are_refused_by_name(kind, name, tmp_path):
    """A cut file in UBJSON ends the process where it reaches XGBoost."""
    model, X, path = saved_model(kind, tmp_path, 3, name)
    data, y = path.read_bytes(), model.predict(X)
    y[:3] = ["low", "mid", "top"]
    keyword = of(kind).init_model
    for length in [*range(0, len(data) - 1, max(1, len(data) // 60)), len(data) - 3]:
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=re.escape(name)):
            kind().load_model(path)
        is_cut = kind is XGB or b"end of parameters\n" not in data[:length]
        if length % 7 == 0 and is_cut:
            with pytest.raises(ValueError, match=re.escape(name)):
                kind(n_estimators=1, **quiet(kind)).fit(X, y, **{keyword: str(path)})
    path.write_bytes(data)
    twin = kind()
    twin.load_model(path)
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_changed_bytes_of_a_lightgbm_file_are_refused(tmp_path):
    """LightGBM itself reads many of them, as another model."""
    _, _, path = saved_model(LGBM, tmp_path, 3, "model.txt")
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        if b"skfocal_digest:" in damaged:  # without it nothing is compared
            with pytest.raises(ValueError, match=r"model\.txt"):
                LGBM().load_model(path)


def test_a_file_of_another_encoding_or_kind(tmp_path):
    path = tmp_path / "model.txt"
    path.write_bytes(b"\xff\xfe\x00")
    for kind in (LGBM, XGB):
        with pytest.raises(ValueError, match=r"model\.txt"):
            kind().load_model(path)
    with pytest.raises(ValueError, match="The bytes"):
        XGB().load_model(bytearray(b"{cut"))
    with pytest.raises(FileNotFoundError):
        LGBM().load_model(tmp_path / "none")
    with pytest.raises(ValueError, match="none"):
        XGB().load_model(tmp_path / "none")


@pytest.mark.parametrize("kind", [LGBM, XGB])
@pytest.mark.parametrize("given", [3, "x", None])
def test_from_booster_of_something_else(kind, given):
    with pytest.raises(TypeError, match=r"booster must be an? "):
        kind.from_booster(given, focal_gamma=2.0)


def test_xgboost_model_whose_best_round_is_none(tmp_path):
    model, _, path = saved_model(XGB, tmp_path)
    for best in ("many", "-1", "3"):
        model.get_booster().set_attr(best_iteration=best)
        model.save_model(path)
        with pytest.raises(ValueError, match="no round"):
            XGB().load_model(path)


def with_new_leaves(model, X, y):
    """The booster with leaves of other rows, which the library computes on log loss."""
    if isinstance(model, LGBM):
        return model.booster_.refit(X, y, decay_rate=0.0)
    params = {"process_type": "update", "updater": "refresh", "objective": "binary:logistic"}
    before = model.get_booster().copy()
    before.set_attr(skfocal=None)
    return xgb.train(params, xgb.DMatrix(X, y), 20, xgb_model=before)


@pytest.mark.filterwarnings("ignore:.*manually specified the `updater`")
@pytest.mark.parametrize("kind", [LGBM, XGB])
def test_new_leaves_on_log_loss_keep_probabilities_of_the_posterior_link_only(kind):
    """The documentation warns of the focal link; its witness is the share of positives."""
    X, y, _ = table(n_rows=4000)
    ratio = {}
    for link in ("posterior", "focal"):
        model = kind(n_estimators=20, max_depth=3, learning_rate=0.3, link=link, **quiet(kind))
        model.fit(X[:2000], y[:2000])
        booster = with_new_leaves(model, X[2000:], y[2000:])
        twin = kind.from_booster(booster, focal_gamma=2.0, link=link)
        ratio[link] = twin.predict_proba(X[2000:])[:, 1].mean() / y[2000:].mean()
    assert ratio["posterior"] == pytest.approx(1.0, abs=0.03)
    assert abs(ratio["focal"] - 1.0) > 0.08
