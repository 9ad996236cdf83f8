"""Data sets and matrices of the boosters' own: batches, sequences, files, mapped arrays."""

import os
import subprocess
import sys

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal

from skfocal import FocalLGBMClassifier, FocalXGBClassifier
from tests.backends import of, quiet
from tests.conftest import table

LINKS = pytest.mark.parametrize("link", ["focal", "posterior"])


class Batches(xgb.DataIter):
    """Rows in batches of 300; with a prefix they are cached on disk."""

    def __init__(self, X, y, weight=None, cache_prefix=None):
        self.parts = [slice(i, i + 300) for i in range(0, len(X), 300)]
        self.X, self.y, self.weight = X, y, weight
        self.next_part = 0
        super().__init__(cache_prefix=cache_prefix)

    def reset(self):
        self.next_part = 0

    def next(self, input_data):
        if self.next_part == len(self.parts):
            return False
        rows = self.parts[self.next_part]
        self.next_part += 1
        weight = None if self.weight is None else self.weight[rows]
        input_data(data=self.X[rows], label=self.y[rows], weight=weight)
        return True


class Rows(lgb.Sequence):
    """Rows of an array, as LightGBM asks for them."""

    batch_size = 100

    def __init__(self, X):
        self.X = X

    def __getitem__(self, index):
        return self.X[index]

    def __len__(self):
        return len(self.X)


def matrix_of(kind, X, y, weight, folder):
    if kind == "batches in memory":
        return Batches(X, y, weight)
    if kind == "batches on disk":
        return Batches(X, y, weight, str(folder / "cache"))
    return xgb.QuantileDMatrix(X, y, weight=weight)


def dataset_of(kind, X, y, weight, folder):
    if kind == "sequence":
        return lgb.Dataset(Rows(X), y, weight=weight)
    dataset = lgb.Dataset(X, y, weight=weight, params={"verbose": -1})
    if kind == "binary file":
        dataset.save_binary(folder / "rows.bin")
        return lgb.Dataset(folder / "rows.bin", params={"verbose": -1})
    return dataset


@LINKS
@pytest.mark.parametrize("kind", ["batches in memory", "batches on disk", "matrix"])
def test_xgboost_on_matrices_equals_tables(any_table, kind, link, tmp_path):
    X, y, weight = any_table
    X = np.round(X, 1)  # fewer values than bins: batches have the same quantiles
    settings = {"n_estimators": 10, "focal_alpha": "balanced", "link": link}
    expected = FocalXGBClassifier(**settings).fit(X, y, sample_weight=weight)
    model = FocalXGBClassifier(**settings).fit(matrix_of(kind, X, y, weight, tmp_path))
    assert model.loss_.class_weight == pytest.approx(expected.loss_.class_weight, rel=1e-7)
    assert_array_equal(model.classes_, expected.classes_)
    assert model.n_features_in_ == X.shape[1]
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-5, atol=1e-7)


@LINKS
@pytest.mark.parametrize("kind", ["sequence", "binary file", "dataset"])
def test_lightgbm_on_datasets_equals_tables(any_table, kind, link, tmp_path):
    X, y, weight = any_table
    settings = {"n_estimators": 10, "focal_alpha": "balanced", "link": link, "verbose": -1}
    expected = FocalLGBMClassifier(**settings).fit(X, y, sample_weight=weight)
    dataset = dataset_of(kind, X, y, weight, tmp_path)
    model = FocalLGBMClassifier(**settings).fit(dataset)
    assert model.loss_.class_weight == pytest.approx(expected.loss_.class_weight, rel=1e-7)
    assert_array_equal(model.classes_, expected.classes_)
    assert model.n_features_in_ == X.shape[1]
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-9)
    # the start is in the model, and the data set is left as it was
    assert dataset.get_init_score() is None
    assert dataset.get_field("init_score") is None
    assert_allclose(
        model.booster_.predict(X), FocalLGBMClassifier(**settings).fit(dataset).booster_.predict(X)
    )


def test_evaluation_and_early_stopping_on_matrices(any_table, tmp_path):
    X, y, weight = any_table
    X = np.round(X, 1)
    train, new = slice(0, 700), slice(700, None)
    settings = {"n_estimators": 100, "early_stopping_rounds": 3, "learning_rate": 0.5}
    expected = FocalXGBClassifier(**settings).fit(
        X[train],
        y[train],
        eval_set=[(X[new], y[new])],
        sample_weight_eval_set=[weight[new]],
        verbose=False,
    )
    model = FocalXGBClassifier(**settings).fit(
        Batches(X[train], y[train], cache_prefix=str(tmp_path / "train")),
        eval_set=[Batches(X[new], y[new], weight[new], cache_prefix=str(tmp_path / "new"))],
        verbose=False,
    )
    assert model.best_iteration == expected.best_iteration
    recorded = model.evals_result()["validation_0"]["focal_loss"]
    assert_allclose(recorded, expected.evals_result()["validation_0"]["focal_loss"], rtol=1e-4)
    # prediction of a matrix, up to the best round
    matrix = xgb.DMatrix(X[new])
    assert_allclose(model.predict_proba(matrix), model.predict_proba(X[new]), rtol=1e-6)
    assert_array_equal(model.predict(matrix), model.predict(X[new]))
    with pytest.raises(TypeError, match="one by one"):
        model.predict(Batches(X, y))


def test_evaluation_and_early_stopping_on_datasets(any_table):
    X, y, weight = any_table
    train, new = slice(0, 700), slice(700, None)
    settings = {"n_estimators": 100, "learning_rate": 0.5, "verbose": -1}
    expected = FocalLGBMClassifier(**settings).fit(
        X[train],
        y[train],
        eval_X=X[new],
        eval_y=y[new],
        eval_sample_weight=[weight[new]],
        eval_names=["new"],
        callbacks=[lgb.early_stopping(3, verbose=False)],
    )
    dataset = lgb.Dataset(X[train], y[train])
    model = FocalLGBMClassifier(**settings).fit(
        dataset,
        eval_set=[dataset, lgb.Dataset(X[new], y[new], weight=weight[new], reference=dataset)],
        eval_names=["training", "new"],
        callbacks=[lgb.early_stopping(3, verbose=False)],
    )
    assert model.best_iteration_ == expected.best_iteration_ < 100
    recorded = model.evals_result_["new"]["focal_loss"]
    assert_allclose(recorded, expected.evals_result_["new"]["focal_loss"])
    assert model.best_score_["new"]["focal_loss"] == min(recorded)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X))


def test_a_start_of_ones_own_and_training_that_goes_on():
    X, y, _ = table()
    start = np.full(len(y), -2.0)
    settings = {"n_estimators": 5, "verbose": -1}
    dataset = lgb.Dataset(X, y, init_score=start)
    model = FocalLGBMClassifier(**settings).fit(dataset)
    expected = FocalLGBMClassifier(**settings).fit(X, y, init_score=start)
    assert_allclose(
        model.booster_.predict(X, raw_score=True), expected.booster_.predict(X, raw_score=True)
    )
    assert_array_equal(dataset.get_init_score(), start)
    longer = FocalLGBMClassifier(**settings).fit(lgb.Dataset(X, y), init_model=expected)
    again = FocalLGBMClassifier(**settings).fit(X, y, init_model=expected)
    assert_allclose(longer.predict_proba(X), again.predict_proba(X))
    model = FocalXGBClassifier(n_estimators=5).fit(
        xgb.QuantileDMatrix(X, y, base_margin=start), verbose=False
    )
    expected = FocalXGBClassifier(n_estimators=5).fit(X, y, base_margin=start)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-6)
    longer = FocalXGBClassifier(n_estimators=5).fit(xgb.QuantileDMatrix(X, y), xgb_model=expected)
    again = FocalXGBClassifier(n_estimators=5).fit(X, y, xgb_model=expected)
    assert_allclose(longer.predict_proba(X), again.predict_proba(X), rtol=1e-6)


def test_names_of_columns_are_kept():
    X, y, _ = table()
    names = [f"x{i}" for i in range(10)]
    for model in (
        FocalLGBMClassifier(n_estimators=1, verbose=-1).fit(lgb.Dataset(X, y, feature_name=names)),
        FocalXGBClassifier(n_estimators=1).fit(xgb.QuantileDMatrix(X, y, feature_names=names)),
    ):
        assert_array_equal(model.feature_names_in_, names)
    model.fit(xgb.QuantileDMatrix(X, y))
    assert not hasattr(model, "feature_names_in_")
    # LightGBM writes underscores for spaces
    frame = pd.DataFrame(X).rename(columns="x {}".format)
    model = FocalLGBMClassifier(n_estimators=1, verbose=-1).fit(lgb.Dataset(frame, y))
    assert_array_equal(model.feature_names_in_, frame.columns)
    model.predict(frame)
    made = lgb.Dataset(frame, y, params={"verbose": -1}).construct()
    model = FocalLGBMClassifier(n_estimators=1, verbose=-1).fit(made)
    assert not hasattr(model, "feature_names_in_")
    with pytest.warns(UserWarning, match="fitted without feature names"):
        model.predict(frame)
    plain = lgb.Dataset(frame.rename(columns=lambda name: name.replace(" ", "")), y).construct()
    model = FocalLGBMClassifier(n_estimators=1, verbose=-1).fit(plain)
    assert_array_equal(model.feature_names_in_, names)


@pytest.mark.filterwarnings("ignore:Overriding the parameters from Reference Dataset")
def test_a_start_that_only_the_data_set_shows(tmp_path):
    X, y, _ = table()
    start = np.full(len(y), -2.0)
    settings = {"n_estimators": 5, "verbose": -1}
    rows = np.arange(0, len(y), 2)
    part = lgb.Dataset(X, y, init_score=start, free_raw_data=False).subset(rows)
    np.savetxt(tmp_path / "rows.csv", np.column_stack([y, X]), delimiter=",")
    np.savetxt(tmp_path / "rows.csv.init", start)
    text = lgb.Dataset(tmp_path / "rows.csv", params={"verbose": -1})
    for dataset, of_table in ((part, rows), (text, np.arange(len(y)))):
        model = FocalLGBMClassifier(**settings).fit(dataset)
        expected = FocalLGBMClassifier(**settings)
        expected.fit(X[of_table], y[of_table], init_score=start[of_table])
        raw = [m.booster_.predict(X, raw_score=True).mean() for m in (model, expected)]
        # bins are those of the whole set: the trees are not quite the same
        assert raw[0] == pytest.approx(raw[1], abs=0.02)


def test_labels_of_any_kind_that_lightgbm_takes():
    X, y, weight = table()
    model = FocalLGBMClassifier(n_estimators=2, verbose=-1)
    expected = model.fit(lgb.Dataset(X, y, weight=weight)).predict_proba(X)
    for labels in (pd.DataFrame({"y": y}), pd.Series(y, dtype="Int64"), y.tolist()):
        dataset = lgb.Dataset(X, labels, weight=pd.Series(weight))
        assert_array_equal(model.fit(dataset).predict_proba(X), expected)


def test_evaluation_rows_with_a_start_of_their_own():
    X, y, _ = table()
    start = np.full(len(y), -1.5)
    settings = {"n_estimators": 5, "verbose": -1}
    training = lgb.Dataset(X, y)
    evaluation = lgb.Dataset(X, y, init_score=start)
    model = FocalLGBMClassifier(**settings).fit(training, eval_set=[evaluation])
    expected = FocalLGBMClassifier(**settings)
    expected.fit(X, y, eval_set=[(X.copy(), y)], eval_init_score=[start])
    losses = [next(iter(m.evals_result_.values()))["focal_loss"] for m in (model, expected)]
    assert_allclose(*losses)


def test_a_fit_that_is_refused_leaves_the_data_set_as_it_was():
    X, y, _ = table()
    dataset = lgb.Dataset(X, y)
    first = FocalLGBMClassifier(n_estimators=2, verbose=-1).fit(X, y)
    with pytest.raises(ValueError, match="no_such_metric"):
        FocalLGBMClassifier(verbose=-1, metric="no_such_metric").fit(dataset)
    longer = FocalLGBMClassifier(n_estimators=2, verbose=-1).fit(dataset, init_model=first)
    assert longer.booster_.num_trees() == 4


@pytest.mark.parametrize(
    "kind, quiet", [(FocalLGBMClassifier, {"verbose": -1}), (FocalXGBClassifier, {})]
)
def test_bad_input_is_told_and_leaves_the_model_as_it_was(kind, quiet):
    X, y, weight = table()
    model = kind(n_estimators=2, **quiet).fit(X, y)
    before = model.predict_proba(X)
    bad = [
        ("leave out y, sample_weight", y, {"y": y, "sample_weight": weight}),
        ("codes", y + 0.5, {}),
        ("codes", y - 1, {}),
        ("codes 0..K-1 of at least two classes", y * 2, {}),
        ("codes 0..K-1 of at least two classes", np.zeros(len(y)), {}),
    ]
    for text, labels, arguments in bad:
        with pytest.raises(ValueError, match=text):
            model.fit(of(kind).data_set(X, labels), **arguments)
        assert_array_equal(model.predict_proba(X), before)
    other_kinds = [
        ((X, y), {"eval_set": [of(kind).data_set(X, y)]}, "pairs"),
        ((of(kind).data_set(X, y),), {"eval_set": [(X, y)]}, "as X is one; got tuple"),
    ]
    for arguments, named, text in other_kinds:
        with pytest.raises(TypeError, match=text):
            model.fit(*arguments, **named)
    # LightGBM makes up zeros
    with pytest.raises(ValueError, match=r"no labels|at least two classes"):
        model.fit(of(kind).data_set(X, None))


def test_what_a_data_set_cannot_have_is_told():
    X, y, weight = table()
    model = FocalLGBMClassifier(n_estimators=2, verbose=-1)
    with pytest.raises(ValueError, match="must not be negative"):
        model.fit(lgb.Dataset(X, y, weight=-weight))
    with pytest.raises(ValueError, match="must not be zero for all rows"):
        model.fit(lgb.Dataset(X, y, weight=0 * weight))
    assert not hasattr(model, "loss_")
    for name, value in (("feature_weights", np.arange(10.0)), ("feature_types", ["q"] * 10)):
        with pytest.raises(ValueError, match=f"leave out {name}"):
            FocalXGBClassifier(**{name: value}).fit(xgb.DMatrix(X, y))


def test_rounds_are_told_to_callbacks():
    callback = pytest.importorskip("sklearn.callback")
    X, y, _ = table()
    for model, data in (
        (FocalLGBMClassifier(n_estimators=3, verbose=-1), lgb.Dataset(X, y)),
        (FocalXGBClassifier(n_estimators=3), xgb.QuantileDMatrix(X, y)),
    ):
        monitor = callback.ScoringMonitor(
            scoring=lambda model, X, y: model.score(table()[0], table()[1])
        )
        model.set_callbacks(monitor).fit(data)
        assert len(monitor.get_logs().data) >= 3


@pytest.mark.slow(8)
def test_a_mapped_table_is_not_copied(tmp_path):
    # in a process of its own, whose memory is counted from after the imports
    rows, columns = 2_000_000, 20
    mapped = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=np.float64, shape=(rows, columns)
    )
    rng = np.random.default_rng(0)
    rng.standard_normal(out=mapped)
    np.save(tmp_path / "y.npy", (mapped[:, 0] + rng.normal(size=rows) > 1.5).astype(int))
    mapped.flush()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", "logistic", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    peak = float(done.stdout.split()[-1])
    assert 0 < peak < 0.1 * mapped.nbytes / 2**20


@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_priors_of_a_data_set_are_those_of_a_table(kind, link, n_classes):
    X, y, weight = table(n_classes)
    shares = np.arange(1, n_classes + 1) / sum(range(1, n_classes + 1))
    params = {"n_estimators": 5, "n_jobs": 1, "link": link, "priors": shares, **quiet(kind)}
    of_table = kind(**params).fit(X, y, sample_weight=weight)
    of_data_set = kind(**params).fit(of(kind).data_set(X, y, weight))
    assert_array_equal(of_data_set.predict_proba(X), of_table.predict_proba(X))
    assert_allclose(of_data_set.class_prior_, of_table.class_prior_, rtol=1e-6)
    assert_allclose(of_data_set.priors_, shares)
