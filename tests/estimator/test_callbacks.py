"""scikit-learn's callbacks on the three classifiers."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.utils.fixes import parse_version

from skfocal import (
    FocalLGBMClassifier,
    FocalLGBMClassifierCV,
    FocalLogisticRegression,
    FocalLogisticRegressionCV,
    FocalXGBClassifier,
    FocalXGBClassifierCV,
)
from skfocal._estimator._callbacks import Rounds
from tests import backends
from tests.backends import CAT, HIST, quiet_fit
from tests.conftest import table

pytestmark = [
    pytest.mark.skipif(
        parse_version(sklearn.__version__) < parse_version("1.9"),
        reason="scikit-learn has callbacks from version 1.9",
    ),
    pytest.mark.filterwarnings(
        "ignore::sklearn.exceptions.ConvergenceWarning",  # rounds are counted, not waited for
        "ignore:The y_prob values do not sum to one",  # XGBoost's are float32
    ),
]
KINDS = [FocalLogisticRegression, FocalLGBMClassifier, FocalXGBClassifier]
each = pytest.mark.parametrize("kind", [*KINDS, HIST])
with_catboost = pytest.mark.parametrize("kind", [*KINDS, HIST, CAT])  # it has no model of a round


def make(kind, n_rounds=8, **params):
    if kind is FocalLogisticRegression:
        return kind(max_iter=n_rounds, tol=0, C=10.0, **params)
    return backends.make(kind, n_rounds, **params)


def posterior_loss(model, X, y):
    P = model.predict_proba(X).astype(float)
    return log_loss(y, P / P.sum(axis=1, keepdims=True))


class Recorder:
    """Notes every hook; asks for the model and stops where it is told to."""

    def __init__(self, stop_at=None):
        self.events, self.models, self.stop_at = [], [], stop_at
        self.before = []  # models at the begin of rounds

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.events.append(("begin", context.task_name, len(y)))
        if context.task_name == "iteration":
            self.before.append(fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None, metadata=None):
        self.events.append(("end", context.task_name, metadata and list(metadata)))
        if context.task_name == "iteration":
            self.models.append(fitted_estimator)
            return self.stop_at == len(self.models)
        return None


@with_catboost
def test_hooks_of_a_fit(kind):
    X, y, weight = table()
    recorder = Recorder()
    model = make(kind, 5).set_callbacks(recorder).fit(X, y, sample_weight=weight)
    n = len(recorder.models)
    assert n == (5 if kind is not FocalLogisticRegression else model.n_iter_[0]) > 1
    expected = ["setup", ("begin", "fit", len(y))]
    expected += [("begin", "iteration", len(y)), ("end", "iteration", ["sample_weight"])] * n
    expected += [("end", "fit", ["sample_weight"]), "teardown"]
    assert recorder.events == expected
    assert not hasattr(model, "_callback_fit_ctx")


@each
@pytest.mark.parametrize("n_classes", [2, 3])
def test_models_of_rounds_are_shorter_fits(kind, n_classes):
    X, y, _ = table(n_classes)
    recorder = Recorder()
    model = make(kind, 6).set_callbacks(recorder).fit(X, y)
    assert_array_equal(recorder.models[-1].predict_proba(X), model.predict_proba(X))
    third = make(kind, 3).fit(X, y)
    assert_allclose(recorder.models[2].predict_proba(X), third.predict_proba(X), rtol=1e-6)
    first, last = (posterior_loss(recorder.models[i], X, y) for i in (0, -1))
    assert first > last + 0.01


@each
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_round_begins_with_the_model_of_the_last_one(kind, n_classes):
    """Before the first one it is the constant model, as scikit-learn's have their start."""
    X, y, _ = table(n_classes)
    recorder = Recorder()
    make(kind, 4, focal_alpha="balanced").set_callbacks(recorder).fit(X, y)
    first, *later = (model.predict_proba(X) for model in recorder.before)
    assert_allclose(first, np.tile(np.bincount(y) / len(y), (len(y), 1)), rtol=1e-5)
    for before, model in zip(later, recorder.models, strict=False):
        assert_array_equal(before, model.predict_proba(X))
    assert len(later) == len(recorder.models) - 1 > 2


def test_no_iterations_are_no_rounds():
    X, y, _ = table()
    recorder = Recorder()
    model = FocalLogisticRegression(max_iter=0).set_callbacks(recorder)
    with pytest.warns(ConvergenceWarning, match="max_iter=0"):
        model.fit(X, y)
    assert recorder.models == []
    assert not model.coef_.any()
    assert_allclose(model.predict_proba(X)[0], np.bincount(y) / len(y))


@each
@pytest.mark.parametrize("solver", ["newton-cholesky", "lbfgs"])
def test_a_callback_stops_training(kind, solver):
    if solver == "lbfgs" and kind is not FocalLogisticRegression:
        solver = None
    X, y, _ = table()
    params = {"solver": solver} if kind is FocalLogisticRegression else {}
    model = make(kind, 8, **params).set_callbacks(Recorder(stop_at=2)).fit(X, y)
    short = make(kind, 2, **params).fit(X, y)
    assert_allclose(model.predict_proba(X), short.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_beside_early_stopping_of_the_library(kind):
    X, y, _ = table()
    recorder = Recorder()
    params = {"eval_metric": ["auc", "focal_loss"]} if kind is FocalXGBClassifier else {}
    model = make(kind, 200, early_stopping_rounds=3, learning_rate=0.5, **params)
    model.set_callbacks(recorder)
    fit = quiet_fit(kind)
    model.fit(X[::2], y[::2], eval_set=[(X[1::2], y[1::2])], **fit)
    rounds = len(next(iter(model.evals_result_.values()))["focal_loss"])
    assert len(recorder.models) == rounds < 200
    assert recorder.events[-1] == "teardown"


@pytest.mark.parametrize("kind", KINDS[1:])
def test_where_nothing_can_be_split(kind):
    _, y, _ = table(n_rows=200)
    recorder = Recorder()
    X = np.ones((len(y), 2))
    model = make(kind, 5).set_callbacks(recorder).fit(X, y)
    assert 1 <= len(recorder.models) <= 5
    assert recorder.events[-1] == "teardown"
    assert_allclose(recorder.models[-1].predict_proba(X), model.predict_proba(X), rtol=1e-6)


@each
def test_a_failed_fit_is_torn_down(kind):
    X, y, _ = table(n_rows=200)
    recorder = Recorder()
    model = make(kind).set_callbacks(recorder)
    with pytest.raises(ValueError, match="one class"):
        model.fit(X, np.zeros(len(y)))
    assert recorder.events[-1] == "teardown"
    assert "_callback_fit_ctx" not in vars(model)


@with_catboost
def test_progress_bar_alone_and_in_a_search(kind, capfd):
    from sklearn.callback import ProgressBar

    X, y, _ = table(n_rows=300)
    model = make(kind, 3).set_callbacks(ProgressBar()).fit(X, y)
    assert kind.__name__ in "".join(capfd.readouterr())
    assert clone(model).get_params() == model.get_params()
    search = GridSearchCV(make(kind, 3), {"focal_gamma": [0.0, 2.0]}, cv=2, n_jobs=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert "GridSearchCV" in "".join(capfd.readouterr())


@each
def test_scoring_monitor_sees_every_round(kind):
    from sklearn.callback import ScoringMonitor

    X, y, _ = table()
    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = make(kind, 4).set_callbacks(monitor).fit(X, y)
    scores = [row["neg_log_loss"] for row in monitor.get_logs().data if "neg_log_loss" in row]
    assert len(scores) >= 4
    assert -scores[-1] == pytest.approx(posterior_loss(model, X, y), rel=1e-6)


def test_nobody_listens_nothing_happens():
    rounds = Rounds(object(), 3, None, None, None)
    rounds.begin()
    assert not rounds
    assert not rounds.end(dict)
    rounds.close({})


@pytest.mark.parametrize("kind", [FocalLGBMClassifierCV, FocalXGBClassifierCV])
def test_rounds_of_a_search_are_settings_and_can_be_stopped(kind):
    X, y, _ = table(n_rows=300)
    recorder = Recorder()
    make(kind, 3, cv=3).set_callbacks(recorder).fit(X, y)
    assert recorder.models == [None] * 5  # there is no model of a setting
    recorder = Recorder(stop_at=1)
    model = make(kind, 3, cv=3, n_jobs=1).set_callbacks(recorder).fit(X, y)
    tried = ~np.isnan(model.scores_).all(axis=(1, 2, 3))
    assert 1 <= tried.sum() < 5
    assert len(model.comparison_["focal_gamma"]) == tried.sum()
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_linear_search_is_one_task():
    X, y, _ = table(n_rows=300)
    recorder = Recorder()
    model = FocalLogisticRegressionCV(Cs=2, cv=3)
    model.set_callbacks(recorder).fit(X, y)
    assert [event[0] for event in recorder.events if isinstance(event, tuple)] == ["begin", "end"]
