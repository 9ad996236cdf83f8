"""What FocalLGBMClassifier and FocalXGBClassifier have in common."""

import pickle
import subprocess
import sys

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import sklearn
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.metrics import log_loss, zero_one_loss
from sklearn.model_selection import GridSearchCV, cross_validate

from skfocal import FocalEvalMetric, FocalLGBMClassifier, FocalXGBClassifier, metrics
from skfocal.losses._link import raw_proba
from tests.backends import make, margins, of, quiet_fit
from tests.conftest import table

KINDS = [FocalLGBMClassifier, FocalXGBClassifier]
# Attributes that tables of some library have, and that a column of pandas may be called.
NAMES_OF_FRAMES = ["schema", "collect", "columns", "column_names", "iloc", "types", "names"]
NAMES_OF_FRAMES += ["to_numpy", "shape", "dtypes", "tocsr", "get_label", "num_col", "data"]
each = pytest.mark.parametrize("kind", KINDS, ids=["lightgbm", "xgboost"])


def evals(model):
    return next(iter(dict(getattr(model, "evals_result_", {})).values()))


@each
@pytest.mark.parametrize("gamma", [2.0, "one per class"])
@pytest.mark.parametrize("alpha", [None, "balanced"])
def test_probabilities_labels_and_decisions(any_table, kind, gamma, alpha):
    X, y, weight = any_table
    k = len(np.unique(y))
    gamma = np.linspace(0.5, 3, k) if gamma == "one per class" else gamma
    names = np.array(["low", "mid", "top"])[y]
    model = make(kind, focal_gamma=gamma, focal_alpha=alpha).fit(X, names, sample_weight=weight)
    raw, P = margins(model, X), model.predict_proba(X)
    assert_allclose(P, model.loss_.posterior(raw), rtol=1e-6)
    assert_allclose(P.sum(axis=1), 1, rtol=1e-6)
    best = (P * model.loss_.class_weight).argmax(axis=1)
    agreement = model.predict(X) == model.classes_[best]
    assert agreement.mean() > 0.999  # float32 ties aside
    assert_array_equal(model.set_params(probability="raw").predict_proba(X), raw_proba(raw))


@each
def test_training_starts_at_the_optimal_constant(any_table, kind):
    X, y, weight = any_table
    k = len(np.unique(y))
    model = make(kind, 1, focal_alpha=np.arange(1.0, k + 1), learning_rate=1e-9)
    model.fit(X, y, sample_weight=weight)
    start = model.loss_.intercept(y, weight)
    raw = margins(model, X)
    if np.ndim(start):
        raw, start = raw - raw.mean(axis=1, keepdims=True), start - start.mean()
    assert_allclose(raw, np.broadcast_to(start, raw.shape), atol=1e-6)


@each
def test_class_weights_do_not_move_the_mean_probability(kind):
    X, y, _ = table(n_rows=4000)
    for alpha in (None, 0.25, "balanced", {0: 1.0, 1: 5.0}):
        model = make(kind, 40, focal_alpha=alpha, max_depth=3).fit(X, y)
        assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.15)
    raw = model.set_params(probability="raw").predict_proba(X)[:, 1].mean()
    assert raw > 1.5 * y.mean()


@each
@pytest.mark.parametrize("name", ["logloss", "error", "focal_loss", None])
def test_metrics_under_training_are_those_of_the_predictions(any_table, kind, name):
    X, y, weight = any_table
    k = len(np.unique(y))
    names = np.array(["low", "mid", "top"])[y]
    model = make(kind, focal_alpha="balanced")
    fit_params = quiet_fit(kind)
    if kind is FocalXGBClassifier and k > 2:
        name = {"logloss": "mlogloss", "error": "merror"}.get(name, name)
    fit_params[of(kind).eval_weight] = [weight[::2]]
    model.set_params(**{of(kind).metric: name})
    model.fit(X[1::2], names[1::2], eval_set=[(X[::2], names[::2])], **fit_params)
    (shown, values), *rest = evals(model).items()
    assert not rest
    P = model.predict_proba(X[::2])
    if shown.endswith("logloss"):
        expected = log_loss(names[::2], P, sample_weight=weight[::2])
    elif shown.endswith("error"):
        expected = zero_one_loss(names[::2], model.predict(X[::2]), sample_weight=weight[::2])
    else:
        assert shown == "focal_loss"
        expected = metrics.focal_loss(
            names[::2],
            model.set_params(probability="raw").predict_proba(X[::2]),
            alpha=model.loss_.class_weight,
            sample_weight=weight[::2],
        )
    assert values[-1] == pytest.approx(expected, rel=1e-5)


@each
def test_early_stopping_on_the_posterior_log_loss(kind):
    X, y, _ = table()
    model = make(kind, 300, early_stopping_rounds=5, learning_rate=0.3)
    fit_params = quiet_fit(kind)
    model.set_params(**{of(kind).metric: "logloss"})
    model.fit(X[::2], y[::2], eval_set=[(X[1::2], y[1::2])], **fit_params)
    values = next(iter(evals(model).values()))
    best = of(kind).best_round(model)
    assert best == int(np.argmin(values)) < len(values) - 1
    assert log_loss(y[1::2], model.predict_proba(X[1::2])) == pytest.approx(min(values), rel=1e-5)


@each
def test_user_metric_sees_probabilities(any_table, kind):
    X, y, weight = any_table
    seen = []

    def share(y_true, y_score, sample_weight=None):
        seen.append((y_score.min(), y_score.max(), np.shape(y_score), sample_weight))
        value = float(np.mean(y_score))
        return ("share", value, True) if kind is FocalLGBMClassifier else value

    model = make(kind, 3)
    if kind is FocalXGBClassifier:
        model.set_params(eval_metric=share)
        model.fit(X, y, eval_set=[(X, y)], sample_weight_eval_set=[weight], verbose=False)
        model.fit(X, y, eval_set=[(X, y)], verbose=False)
    else:
        model.fit(X, y, eval_set=[(X + 0, y)], eval_metric=share)
    low, high, shape, _ = seen[-1]
    assert 0 <= low < high <= 1
    assert shape == ((len(y),) if len(np.unique(y)) == 2 else (len(y), 3))
    assert evals(model)["share"][-1] == pytest.approx(
        np.mean(model.predict_proba(X)[:, 1 if len(shape) == 1 else slice(None)]), rel=1e-5
    )


@each
def test_public_metric_is_the_one_by_name(any_table, kind):
    X, y, _ = any_table
    results = []
    for metric in (FocalEvalMetric(2.0), "focal_loss"):
        model, fit_params = make(kind, 3), quiet_fit(kind)
        if kind is FocalXGBClassifier:
            model.set_params(eval_metric=metric)
        else:
            fit_params["eval_metric"] = metric
        model.fit(X, y, eval_set=[(X + 0, y)], **fit_params)
        results.append(evals(model)["focal_loss"])
    assert_allclose(*results, rtol=1e-12)


@each
def test_zero_weights_are_absent_rows(any_table, kind):
    X, y, weight = any_table
    keep = np.random.default_rng(0).uniform(size=len(y)) < 0.7
    a = make(kind).fit(X, y, sample_weight=np.where(keep, weight, 0.0))
    b = make(kind).fit(X[keep], y[keep], sample_weight=weight[keep])
    assert_array_equal(a.predict_proba(X), b.predict_proba(X))


@each
def test_weights_count(kind):
    X, y, weight = table()
    a, b = make(kind).fit(X, y), make(kind).fit(X, y, sample_weight=weight)
    assert np.abs(a.predict_proba(X) - b.predict_proba(X)).max() > 0.01
    doubled = make(kind, min_child_weight=0, reg_lambda=0).fit(X, y, sample_weight=2 * weight)
    single = make(kind, min_child_weight=0, reg_lambda=0).fit(X, y, sample_weight=weight)
    # a split whose gain is near the libraries' fixed thresholds may go either way
    assert_allclose(margins(doubled, X), margins(single, X), atol=1e-2)


@each
@pytest.mark.parametrize("form", ["csr", "csc", "frame", "list", "float32", "fortran"])
def test_forms_of_tables(kind, form):
    X, y, _ = table(n_rows=300)
    X = X.astype(np.float32).astype(np.float64)
    forms = {
        "csr": sparse.csr_array,
        "csc": sparse.csc_array,
        "frame": lambda a: pd.DataFrame(a, columns=list("abcdefghij")),
        "list": np.ndarray.tolist,
        "float32": np.float32,
        "fortran": np.asfortranarray,
    }
    changed = forms[form](X)
    expected = make(kind).fit(X, y).predict_proba(X)
    assert_allclose(make(kind).fit(changed, y).predict_proba(changed), expected, atol=1e-6)


@each
@pytest.mark.parametrize("labels", [[False, True], ["b", "a"], [-1, 1], [10.0, 3.0]])
def test_labels_of_any_type(kind, labels):
    X, y, _ = table(n_rows=300)
    model = make(kind).fit(X, np.array(labels)[y])
    assert_array_equal(model.classes_, np.unique(labels))
    assert set(model.predict(X).tolist()) == set(labels)


@each
def test_constant_features_give_the_optimal_constant(any_table, kind):
    _, y, weight = any_table
    X = np.ones((len(y), 2))
    model = make(kind, focal_alpha="balanced").fit(
        X, y, sample_weight=weight, eval_set=[(X + 0, y)], **quiet_fit(kind)
    )
    share = np.bincount(y, weights=weight) / weight.sum()
    assert_allclose(model.predict_proba(X[:1])[0], share, rtol=1e-5)
    (name, values), *_ = evals(model).items()
    assert name == "focal_loss"
    raw = model.set_params(probability="raw").predict_proba(X)
    expected = metrics.focal_loss(y, raw, alpha=model.loss_.class_weight)
    assert values[-1] == pytest.approx(expected, rel=1e-5)


@each
@pytest.mark.parametrize("copies", ["pickle", "joblib", "clone"])
def test_copies(any_table, kind, copies, tmp_path):
    X, y, _ = any_table
    model = make(kind, focal_alpha="balanced", max_depth=3).fit(X, y)
    if copies == "clone":
        twin = clone(model)
        assert twin.get_params() == model.get_params()
        twin.fit(X, y)
    elif copies == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model")
        twin = joblib.load(tmp_path / "model")
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert twin.loss_ == model.loss_


@each
def test_grid_search_over_gamma_and_alpha(kind):
    X, y, _ = table()
    search = GridSearchCV(
        make(kind, 5),
        {"focal_gamma": [0.0, 2.0, (1.0, 3.0)], "focal_alpha": [None, 0.75, "balanced"]},
        scoring=["average_precision", "neg_log_loss"],
        refit="average_precision",
        cv=2,
        n_jobs=2,
    ).fit(X, y)
    for score in ("average_precision", "neg_log_loss"):
        values = search.cv_results_[f"mean_test_{score}"]
        assert np.isfinite(values).all()
        assert len(set(values)) > 3
    assert search.best_estimator_.loss_.class_gamma is not None


@each
def test_metadata_routing(kind):
    X, y, weight = table()
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(kind, 5).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        routed = cross_validate(
            model, X, y, params={"sample_weight": weight}, cv=2, return_estimator=True
        )
    half = routed["indices"]["train"][0] if "indices" in routed else None
    if half is None:
        from sklearn.model_selection import StratifiedKFold

        half, _ = next(StratifiedKFold(2).split(X, y))
    expected = make(kind, 5).fit(X[half], y[half], sample_weight=weight[half])
    assert_array_equal(routed["estimator"][0].predict_proba(X), expected.predict_proba(X))


@each
def test_start_given_by_the_user(any_table, kind):
    X, y, _ = any_table
    k = len(np.unique(y))
    start = np.full(len(y) if k == 2 else (len(y), k), 0.25)
    start = start if k == 2 else start * np.arange(k)
    if kind is FocalLGBMClassifier:
        model = make(kind, 1, learning_rate=1e-9).fit(X, y, init_score=start)
        assert_allclose(margins(model, X), 0, atol=1e-6)  # not part of the model
    else:
        model = make(kind, 1, learning_rate=1e-9).fit(X, y, base_margin=start)
        own = model.predict(X, output_margin=True, base_margin=start)
        assert_allclose(own, start, atol=1e-6)
    weight = np.where(np.arange(len(y)) % 5 == 0, 0.0, 1.0)
    name = of(kind).init_score
    a = make(kind).fit(X, y, sample_weight=weight, **{name: start})
    kept = weight > 0
    b = make(kind).fit(X[kept], y[kept], sample_weight=weight[kept], **{name: start[kept]})
    assert_array_equal(margins(a, X), margins(b, X))


@each
def test_continued_training_is_longer_training(any_table, kind):
    X, y, _ = any_table
    whole = make(kind, 20).fit(X, y)
    name = of(kind).init_model
    first = make(kind, 10).fit(X, y)
    second = make(kind, 10).fit(X, y, **{name: first})
    assert_allclose(margins(second, X), margins(whole, X), atol=1e-5)


@each
def test_saved_booster_predicts_the_same_without_skfocal(any_table, kind, tmp_path):
    X, y, _ = any_table
    X = X.astype(np.float32)
    model = make(kind, focal_alpha="balanced").fit(X, y)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "margins.npy", margins(model, X))
    np.save(tmp_path / "raw.npy", model.set_params(probability="raw").predict_proba(X))
    if kind is FocalLGBMClassifier:
        model.booster_.save_model(tmp_path / "model.txt")
        load = "import lightgbm; b = lightgbm.Booster(model_file=f'{d}/model.txt')"
        predict = "z, p = b.predict(X, raw_score=True), b.predict(X)"
    else:
        model.save_model(tmp_path / "model.json")
        load = "import xgboost; b = xgboost.Booster(model_file=f'{d}/model.json')"
        predict = "M = xgboost.DMatrix(X); z, p = b.predict(M, output_margin=True), b.predict(M)"
    code = f"""
import sys; sys.modules["skfocal"] = None
import numpy as np
d = sys.argv[1]; X = np.load(f"{{d}}/X.npy")
{load}
{predict}
p = p if p.ndim == 2 else np.column_stack([1 - p, p])
print(abs(z - np.load(f"{{d}}/margins.npy")).max(), abs(p - np.load(f"{{d}}/raw.npy")).max())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    bound = of(kind).atol
    assert all(float(number) <= bound for number in done.stdout.split())


@each
def test_is_the_parent_and_leaves_its_parameters_alone(kind):
    parent = of(kind).parent
    assert issubclass(kind, parent)
    model = make(kind, random_state=3, reg_lambda=2.0)
    before = model.get_params()
    X, y, _ = table(3, n_rows=300)
    model.fit(X, y)
    assert model.get_params() == before
    assert isinstance(model, parent)
    theirs = parent().get_params()
    assert theirs.keys() <= before.keys()
    assert before["reg_lambda"] == 2.0
    model.set_params(focal_gamma=0.5, reg_lambda=1.0)
    assert model.get_params()["focal_gamma"] == 0.5
    assert model.feature_importances_.shape == (10,)


@each
def test_a_start_that_is_flat_beside_rows_of_weight_zero(kind):
    """The parents take n * K margins too: LightGBM class by class, XGBoost row by row."""
    X, y, weight = table(3)
    weight = np.where(np.arange(len(y)) % 5 == 0, 0.0, weight)
    start = np.random.default_rng(0).normal(size=(len(y), 3))
    name, order = of(kind).init_score, of(kind).order
    flat = make(kind, 5).fit(X, y, sample_weight=weight, **{name: start.ravel(order=order)})
    square = make(kind, 5).fit(X, y, sample_weight=weight, **{name: start})
    assert_array_equal(margins(flat, X), margins(square, X))


@each
@pytest.mark.parametrize("form", ["arrays", "data set"])
@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("absent", [0, 1, 2])
def test_a_class_without_weight(kind, form, link, absent):
    """It has a column of zeros; the others are as in the library's own softmax of three."""
    X, y, weight = table(3)
    weight = np.where(y == absent, 0.0, weight)
    model = make(kind, 10, focal_gamma=0.0, link=link)
    rows = weight > 0 if form == "arrays" else slice(None)  # arrays lose rows of weight 0
    data = of(kind).data_set(X[rows], y[rows], weight[rows])
    if form == "arrays":
        model.fit(X, y, sample_weight=weight)
    else:
        model.fit(of(kind).data_set(X, y, weight))
    softmax = {"num_class": 3, "verbosity": -1 if kind is FocalLGBMClassifier else 1}
    if kind is FocalLGBMClassifier:
        theirs = lgb.train({"objective": "multiclass", **softmax}, data, 10).predict(X)
    else:
        booster = xgb.train({"objective": "multi:softprob", **softmax}, data, 10)
        theirs = booster.predict(xgb.DMatrix(X))
    P = model.predict_proba(X)
    assert P.shape == (len(y), 3)
    assert P[:, absent].max() < 1e-6
    near = np.abs(P - theirs) < (1e-5 if kind is FocalLGBMClassifier else 1e-3)
    assert near.mean() > 0.9  # trees of two classes are each other's mirror: splits tie
    assert not (model.predict(X) == absent).any()


@each
@pytest.mark.parametrize("alpha", [None, "balanced", "effective", ("effective", 0.9)])
@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_weight_for_one_of_two_classes_gives_a_constant(kind, alpha, link):
    X, y, _ = table(n_rows=200)
    for label in (0, 1):
        weight = (y == label) * 2.0
        for data in ((X, y, weight), (of(kind).data_set(X, y, weight),)):
            model = make(kind, 3, focal_alpha=alpha, link=link)
            model.fit(*data[:2], **({"sample_weight": weight} if len(data) > 1 else {}))
            assert model.classes_.tolist() == [0, 1]
            assert model.predict_proba(X)[:, label].min() > 1 - 2e-6
            assert_array_equal(model.predict(X), label)


@each
def test_words_take_a_class_without_weight_for_absent(kind):
    X, y, weight = table(3)
    rest = y != 1
    for alpha in ("balanced", ("effective", 0.9)):
        model = make(kind, 1, focal_alpha=alpha).fit(X, y, sample_weight=np.where(rest, weight, 0))
        two = make(kind, 1, focal_alpha=alpha).fit(X[rest], y[rest], sample_weight=weight[rest])
        assert_allclose(np.array(model.loss_.class_weight)[[0, 2]], two.loss_.class_weight)
        assert model.loss_.class_weight[1] == 1.0


@each
def test_bags_that_lack_a_class(kind):
    """Bags come as sample weights; with 2 positives among all rows, some bags have none."""
    X, y, _ = table(n_rows=400)
    y = np.zeros_like(y)
    y[:2] = 1
    bag = BaggingClassifier(make(kind, 3, focal_gamma=1.0), 3, random_state=2).fit(X, y)
    lacking = [k for k, rows in enumerate(bag.estimators_samples_) if not y[rows].any()]
    assert lacking
    for k in lacking:
        assert bag.estimators_[k].predict_proba(X)[:, 1].max() < 2e-6
    assert np.isfinite(bag.predict_proba(X)).all()


@each
@pytest.mark.parametrize("name", NAMES_OF_FRAMES)
def test_columns_may_have_names_of_attributes(kind, name):
    X, y, _ = table(n_rows=200)
    frame = pd.DataFrame(X[:, :3], columns=["a", name, "b"])
    model = make(kind, 2).fit(frame, y, eval_set=[(frame.copy(), y)], **quiet_fit(kind))
    assert_array_equal(model.feature_names_in_, ["a", name, "b"])
    expected = make(kind, 2).fit(X[:, :3], y).predict_proba(X[:, :3])
    assert_array_equal(model.predict_proba(frame), expected)


@each
@pytest.mark.parametrize("focal", ["focal_alpha", "class_weight"])
def test_dict_of_weights_names_a_class_that_a_fold_lacks(kind, focal):
    X, y, _ = table(3)
    if kind is FocalXGBClassifier and focal == "class_weight":
        pytest.skip("XGBoost has no class_weight")
    fold = y != 2
    weights = {0: 1.0, 1: 3.0, 2: 9.0}
    model = make(kind, 2, **{focal: weights}).fit(X[fold], y[fold])
    assert model.loss_.class_weight == (1.0, 3.0)


@each
@pytest.mark.parametrize("form", ["table", "data set"])
def test_weights_and_names_of_no_evaluation_sets_are_refused(kind, form):
    X, y, weight = table(n_rows=200)
    data = (X, y) if form == "table" else (of(kind).data_set(X, y, weight),)
    arguments = {of(kind).eval_weight: [weight]}
    if kind is FocalLGBMClassifier and form == "data set":
        arguments = {"eval_names": ["valid"]}  # weights are refused beside a data set anyway
    for no_sets in ({}, {"eval_set": None}, {"eval_set": []}):
        model = make(kind, 2)
        with pytest.raises(ValueError, match="no evaluation sets, but their names, weights"):
            model.fit(*data, **no_sets, **arguments)
        assert not hasattr(model, "loss_")
