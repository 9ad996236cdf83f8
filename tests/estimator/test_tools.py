"""The tools around LightGBM, XGBoost and scikit-learn, on the focal classifiers."""

import copy
import inspect
import json
import os
import pickle
import subprocess
import sys
import warnings
from functools import cache, partial

import graphviz
import joblib
import lightgbm as lgb
import matplotlib as mpl
import numpy as np
import optuna
import pandas as pd
import pytest
import sklearn
import skops.io
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import (
    FixedThresholdClassifier,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils.fixes import parse_version

import skfocal
from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier
from skfocal.losses._link import raw_proba
from tests import backends
from tests.backends import HIST, margins, of, quiet_fit
from tests.conftest import table

mpl.use("agg")
LOGISTIC, LGBM, XGB = FocalLogisticRegression, FocalLGBMClassifier, FocalXGBClassifier
# warnings of the tools about their own dependencies
pytestmark = pytest.mark.filterwarnings(
    "ignore::PendingDeprecationWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)
boosters = pytest.mark.parametrize("kind", [LGBM, XGB])
each = pytest.mark.parametrize("kind", [LOGISTIC, LGBM, XGB, HIST])
classes = pytest.mark.parametrize("k", [2, 3])


make = partial(backends.make, n_estimators=12, trees={"max_depth": 4})


def fitted(kind, k=2, **params):
    X, y, _ = table(k, n_rows=500)
    X = X.astype(np.float32).astype(np.float64)
    return make(kind, **{"focal_alpha": "balanced", **params}).fit(X, y), X, y


@boosters
@classes
def test_shap_of_the_margin(kind, k):
    import shap

    model, X, y = fitted(kind, k, focal_alpha=None)
    raw = margins(model, X)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LightGBM binary classifier")
        explainer = shap.TreeExplainer(model)
        values = np.asarray(explainer.shap_values(X))
        # of trees that hardly move anything, the base value is the start
        still = make(kind, learning_rate=1e-12).fit(X, y)
        of_start = shap.TreeExplainer(still)
        of_start.shap_values(X[:1])  # which sets XGBoost's expected values of several classes
        base = np.atleast_1d(of_start.expected_value)
    total = values.sum(axis=1) + np.asarray(explainer.expected_value)
    assert np.abs(total - raw).max() <= 1e-6
    start = np.atleast_1d(model.loss_.intercept(y))
    assert np.abs(start).max() > 0.3
    # XGBoost's starts of several classes have sum 0
    start -= start.mean() if of(kind).centred and k > 2 else 0
    assert_allclose(base, start, atol=1e-6)


@boosters
@classes
def test_contributions_add_up_and_contain_the_start(kind, k):
    model, X, y = fitted(kind, k, focal_alpha=None)
    still = make(kind, learning_rate=1e-12).fit(X, y)
    parts, base = contributions(model, X), contributions(still, X[:1])[0, ..., -1]
    assert np.abs(parts.sum(axis=-1) - margins(model, X)).max() <= 1e-6
    start = np.asarray(model.loss_.intercept(y))
    start = start - start.mean() if of(kind).centred and k > 2 else start
    assert_allclose(base, start, atol=1e-6)


def contributions(model, X):
    if isinstance(model, LGBM):
        parts = model.predict(X, pred_contrib=True).reshape(len(X), -1, 11)
        return parts[:, 0] if model.loss_.n_classes == 2 else parts
    return model.get_booster().predict(xgb.DMatrix(X), pred_contribs=True)


@boosters
def test_shap_of_the_models_own_probability(kind):
    import shap

    model, X, _ = fitted(kind)
    own = of(kind).booster(model)
    explainer = shap.TreeExplainer(own, data=X[:50], model_output="probability")
    values = np.asarray(explainer.shap_values(X[50:80], check_additivity=False))
    total = values.sum(axis=1) + np.asarray(explainer.expected_value)
    raw = raw_proba(margins(model, X[50:80]))[:, 1]
    assert np.abs(total - raw).max() <= 1e-5


@boosters
@classes
def test_treelite(kind, k, tmp_path):
    import treelite

    model, X, _ = fitted(kind, k)
    path = tmp_path / of(kind).file
    of(kind).booster(model).save_model(path)
    loaded = getattr(treelite.frontend, f"load_{of(kind).name}_model")(path)
    data = X.astype(of(kind).real)
    proba = treelite.gtil.predict(loaded, data).reshape(len(X), -1)
    own = raw_proba(margins(model, X))
    assert_allclose(proba, own[:, 1:] if k == 2 else own, atol=1e-6)


@boosters
def test_plots_and_importances(kind):
    model, _, _ = fitted(kind)
    assert model.feature_importances_.shape == (10,)
    assert model.feature_importances_.any()
    if kind is LGBM:
        bars = lgb.plot_importance(model).patches
        graph = lgb.create_tree_digraph(model)
        assert "leaf 0" in graph.source
    else:
        bars = xgb.plot_importance(model).patches
        graph = xgb.to_graphviz(model)
        assert "leaf=" in graph.source
    assert len(bars) == np.count_nonzero(model.feature_importances_)
    assert isinstance(graph, graphviz.Source | graphviz.Digraph)


@each
@classes
def test_copies(kind, k, tmp_path):
    model, X, _ = fitted(kind, k)
    joblib.dump(model, tmp_path / "model")
    for twin in (
        joblib.load(tmp_path / "model"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        copy.copy(model),
    ):
        assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
        assert_array_equal(twin.predict(X), model.predict(X))
        assert str(twin.get_params()) == str(model.get_params())  # nan is not nan


@each
@classes
def test_skops_with_the_published_types(kind, k):
    model, X, _ = fitted(kind, k)
    data = skops.io.dumps(model)
    unknown = skops.io.get_untrusted_types(data=data)
    assert set(unknown) <= set(skfocal.SKOPS_TYPES)
    twin = skops.io.loads(data, trusted=skfocal.SKOPS_TYPES)
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


@pytest.mark.slow(3)
@pytest.mark.filterwarnings("ignore")  # mlflow's own, of many kinds
@pytest.mark.parametrize("flavour", ["sklearn", "own"])
@boosters
def test_mlflow(kind, flavour, tmp_path):
    import mlflow.lightgbm
    import mlflow.sklearn
    import mlflow.xgboost

    model, X, _ = fitted(kind)
    module = {LGBM: mlflow.lightgbm, XGB: mlflow.xgboost}[kind]
    module = mlflow.sklearn if flavour == "sklearn" else module
    path = str(tmp_path / "model")
    given = {"pip_requirements": ["skfocal"]}
    if module is not mlflow.xgboost:  # which keeps XGBoost's own file
        given["skops_trusted_types"] = list(skfocal.SKOPS_TYPES)
    module.save_model(model, path, **given)
    twin = module.load_model(path)
    assert type(twin) is kind
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


AUTOLOG = """
import json, sys, warnings
warnings.simplefilter("ignore")
import matplotlib
matplotlib.use("agg")
import lightgbm, mlflow, mlflow.lightgbm, mlflow.xgboost, xgboost
import numpy as np
import skfocal
from tests.conftest import table

name, folder = sys.argv[1:]
flavour = mlflow.lightgbm if name == "FocalLGBMClassifier" else mlflow.xgboost
mlflow.set_tracking_uri(f"sqlite:///{folder}/store")
mlflow.set_experiment(experiment_id=mlflow.create_experiment("e", f"file://{folder}/artifacts"))
flavour.autolog(log_datasets=False, silent=True)
X, y, _ = table(n_rows=300)

def train(model, data):
    if data == "table":
        model.fit(X, y, eval_set=[(X + 0, y)])
    elif flavour is mlflow.lightgbm:
        train = lightgbm.Dataset(X, y)
        model.fit(train, eval_set=[lightgbm.Dataset(X + 0, y, reference=train)])
    else:
        model.fit(xgboost.DMatrix(X, y), eval_set=[xgboost.DMatrix(X + 0, y)])

def log(data):
    with mlflow.start_run() as run:
        extra = {"verbose": -1} if flavour is mlflow.lightgbm else {"verbosity": 0}
        model = getattr(skfocal, name)(focal_gamma=1.5, n_estimators=3, **extra)
        before = len(mlflow.search_logged_models(output_format="list"))
        train(model, data)
        automatic = len(mlflow.search_logged_models(output_format="list")) - before
        given = {"pip_requirements": ["skfocal"]}
        if flavour is mlflow.lightgbm:
            given["skops_trusted_types"] = list(skfocal.SKOPS_TYPES)
        saved = flavour.log_model(model, name="model", **given)
    twin = flavour.load_model(saved.model_uri)
    logged = mlflow.get_run(run.info.run_id).data
    return {
        "params": logged.params, "metrics": sorted(logged.metrics), "automatic": automatic,
        "kind": type(twin).__name__,
        "difference": float(np.abs(twin.predict_proba(X) - model.predict_proba(X)).max()),
    }

print(json.dumps({data: log(data) for data in ("table", "matrix")}))
"""


@pytest.fixture(scope="module")
def autolog(tmp_path_factory):
    """What mlflow logs of both forms of data, in a process for each class."""

    @cache
    def logged(name):
        done = subprocess.run(
            [sys.executable, "-c", AUTOLOG, name, str(tmp_path_factory.mktemp(name))],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return logged


@boosters
@pytest.mark.parametrize("cluster", [False, True])
def test_completion_knows_the_parameters_of_the_parent(kind, cluster):
    parent = of(kind).constructor_of
    if cluster:
        kind = getattr(skfocal.dask, f"Dask{kind.__name__}")
    parameters = inspect.signature(kind).parameters
    assert set(inspect.signature(parent).parameters) <= set(parameters)
    assert {"focal_gamma", "link", "n_estimators", "kwargs"} <= set(parameters)
    for name, value in kind().get_params().items():
        assert name in parameters
        default = parameters[name].default
        assert value is default or value == default or (value != value and default != default)
    # scikit-learn reads the constructor, and copies as before
    assert clone(kind(n_estimators=7)).get_params()["n_estimators"] == 7


@pytest.mark.slow(15)
@pytest.mark.xdist_group("autolog")  # one process a class
@boosters
@pytest.mark.parametrize("data", ["table", "matrix"])
def test_mlflow_autolog(data, kind, autolog):
    """It logs the loss in words, and saves no trainer or booster, whose probabilities are others.

    Autologging begins before skfocal's modules are loaded, and the matrix of the library is made
    after that.
    """
    found = autolog(kind.__name__)[data]
    params = found["params"]
    assert "gamma=1.5" in params[of(kind).objective]
    assert params["num_boost_round"] == "3"
    assert not any(" at 0x" in value for value in params.values())
    assert any("focal_loss" in name for name in found["metrics"])
    assert found["automatic"] == 0
    assert (found["kind"], found["difference"]) == (kind.__name__, 0.0)


@each
def test_optuna(kind):
    X, y, _ = table(n_rows=400)
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        gamma = trial.suggest_float("focal_gamma", 0.0, 5.0)
        alpha = trial.suggest_categorical("focal_alpha", [None, "balanced"])
        model = make(kind, focal_gamma=gamma, focal_alpha=alpha)
        return cross_val_score(model, X, y, scoring="average_precision", cv=2).mean()

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0))
    study.optimize(objective, n_trials=4)
    values = [trial.value for trial in study.trials]
    assert len(set(values)) > 1
    assert study.best_value > y.mean()


@each
def test_calibration_keeps_probabilities_and_loses_costs(kind):
    """The calibrated classifier predicts the likelier class, whatever the weights are."""
    X, y, _ = table(n_rows=6000)
    alpha = {0: 1.0, 1: 4.0}
    model = make(kind, focal_alpha=alpha).fit(X[:1500], y[:1500])
    X, y = X[1500:], y[1500:]
    calibrated = CalibratedClassifierCV(FrozenEstimator(model)).fit(X, y)
    P = calibrated.predict_proba(X)[:, 1]
    assert_array_equal(calibrated.predict(X), (P > 0.5).astype(int))
    assert P.mean() == pytest.approx(y.mean(), rel=0.02)
    assert model.predict(X).mean() > 1.2 * calibrated.predict(X).mean()
    costs = FixedThresholdClassifier(FrozenEstimator(calibrated), threshold=1 / (1 + 4)).fit(X, y)
    assert_array_equal(costs.predict(X), (P >= 0.2).astype(int))
    agreement = (costs.predict(X) == model.predict(X)).mean()
    assert agreement > (calibrated.predict(X) == model.predict(X)).mean()


def log_loss_of(model, X, y):
    proba = model.predict_proba(X).astype(float)
    return log_loss(y, proba / proba.sum(axis=1, keepdims=True))  # XGBoost's are float32


METHODS = ["sigmoid", "isotonic"]
if parse_version(sklearn.__version__) >= parse_version("1.8"):
    METHODS.append("temperature")


@each
@classes
@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_calibration_of_a_model_with_weights(kind, k, link):
    """Its log loss is as far from the plain model's after calibration as before.

    Calibrators take `decision_function` for the log-odds of the probabilities. With weights in
    it temperature scaling, which cannot move them, makes the log loss up to a fifth larger.
    """
    X, y, _ = table(k, n_rows=3000)
    fit, held = slice(0, 1500), slice(1500, None)
    losses = {}
    for alpha in (None, "balanced"):
        model = make(kind, focal_alpha=alpha, link=link).fit(X[fit], y[fit])
        own = log_loss_of(model, X[held], y[held])
        for method in METHODS:
            calibrated = CalibratedClassifierCV(FrozenEstimator(model), method=method)
            calibrated.fit(X[held], y[held])
            losses[alpha, method] = log_loss_of(calibrated, X[held], y[held]) / own
    for method in METHODS:
        assert losses["balanced", method] <= 1.05 * losses[None, method]
        assert losses["balanced", method] < 1.001


@each
@classes
@pytest.mark.parametrize("link", ["focal", "posterior"])
@pytest.mark.parametrize("gamma", [2.0, "one per class"])
@pytest.mark.parametrize("probability", ["posterior", "raw"])
def test_decision_function_is_the_log_odds_of_the_probabilities(kind, k, link, gamma, probability):
    gamma = np.linspace(1, 2, k) if gamma == "one per class" else gamma
    params = {"focal_gamma": gamma, "link": link, "probability": probability}
    model, X, _ = fitted(kind, k, **params)
    decision, P = model.decision_function(X), model.predict_proba(X)
    assert decision.dtype == P.dtype == (np.float32 if kind is XGB else np.float64)
    rtol = 1e-5 if kind is XGB else 1e-12
    assert_allclose(raw_proba(decision), P, rtol=rtol)
    likelier = decision > 0 if k == 2 else decision.argmax(axis=1)
    if (probability, link) != ("raw", "focal"):  # where the margin has the weights in it
        assert (model.predict(X) != model.classes_[likelier.astype(int)]).any()
    plain, X, _ = fitted(kind, k, **{**params, "focal_alpha": None, "focal_gamma": 2.0})
    decision = plain.decision_function(X)
    likelier = decision > 0 if k == 2 else decision.argmax(axis=1)
    assert_array_equal(plain.predict(X), plain.classes_[likelier.astype(int)])


@each
@classes
def test_decision_function_at_gamma_0_is_the_margin_of_the_parent(kind, k):
    """Also the constant of a row, which the probabilities do not have."""
    model, X, _ = fitted(kind, k, focal_gamma=0.0, focal_alpha=None)
    if kind is LOGISTIC:
        expected = X @ (model.coef_[0] if k == 2 else model.coef_.T) + model.intercept_
    elif kind is HIST:
        expected = HistGradientBoostingClassifier.decision_function(model, X)
    else:
        expected = margins(model, X)
    assert_allclose(model.decision_function(X), expected, rtol=1e-12)


@each
def test_tuned_threshold(kind):
    X, y, _ = table(n_rows=1500)
    tuned = TunedThresholdClassifierCV(make(kind), scoring="f1", cv=3).fit(X, y)
    P = tuned.predict_proba(X)[:, 1]
    assert 0.05 < tuned.best_threshold_ < 0.95
    assert_array_equal(tuned.predict(X), (tuned.best_threshold_ <= P).astype(int))


@each
def test_permutation_importance(kind):
    model, X, y = fitted(kind)
    found = permutation_importance(model, X, y, scoring="neg_log_loss", n_repeats=2, random_state=0)
    assert found.importances_mean.max() > 0.01


@each
def test_pipeline_of_mixed_columns(kind):
    X, y, _ = table()
    frame = pd.DataFrame(X[:, :3], columns=list("abc"))
    frame["d"] = np.where(X[:, 3] > 0, "x", "y")
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), list("abc")), ("text", OneHotEncoder(), ["d"])]
    )
    model = make_pipeline(columns, make(kind)).fit(frame, y)
    assert log_loss(y, model.predict_proba(frame)[:, 1]) < log_loss(y, np.full(len(y), y.mean()))


@boosters
def test_routed_weights_and_evaluation_sets(kind):
    """Each fold trains as if it were fitted by hand, in a pipeline too."""
    X, y, weight = table()
    evaluation = [(X[:100] + 0, y[:100])]
    names = ["sample_weight", "eval_set"]
    more = quiet_fit(kind)
    with sklearn.config_context(enable_metadata_routing=True):
        request = dict.fromkeys([*names, *more], True)
        model = make(kind, early_stopping_rounds=3).set_fit_request(**request)
        scoring = get_scorer("average_precision").set_score_request(sample_weight=True)
        params = {"sample_weight": weight, "eval_set": evaluation, **more}
        for whole in (model, make_pipeline(FunctionTransformer(), model)):
            result = cross_validate(
                whole,
                X,
                y,
                params=params,
                scoring=scoring,
                cv=StratifiedKFold(2),
                return_estimator=True,
            )
            half, _ = next(StratifiedKFold(2).split(X, y))
            own = clone(model).fit(
                X[half], y[half], sample_weight=weight[half], eval_set=evaluation, **more
            )
            assert_array_equal(result["estimator"][0].predict_proba(X), own.predict_proba(X))
