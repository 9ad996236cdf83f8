"""The boosters under the posterior link: metrics, saved models, gamma 0."""

import subprocess
import sys
from inspect import signature

import lightgbm as lgb
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss

from skfocal import (
    FocalLGBMClassifier,
    FocalXGBClassifier,
)
from skfocal.metrics import focal_loss
from tests.backends import of, quiet
from tests.conftest import table


@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
def test_other_links_do_not_mix(kind):
    """Neither in continued training, nor in a booster that says what it is."""
    X, y, _ = table()
    extra = quiet(kind)
    before = kind(n_estimators=3, **extra).fit(X, y)
    name = of(kind).init_model
    with pytest.raises(ValueError, match="another gamma, alpha, link or hessian"):
        kind(n_estimators=3, link="posterior", **extra).fit(X, y, **{name: before})
    if kind is FocalXGBClassifier:
        with pytest.raises(ValueError, match="margins are of the other link"):
            kind.from_booster(before.get_booster(), focal_gamma=2.0, link="posterior")
    with pytest.raises(ValueError, match="link must be one of"):
        kind(link="logit", **extra).fit(X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_metrics_by_name_are_those_of_the_predictions(n_classes):
    """The libraries' own log loss of these margins is the posterior's."""
    X, y, _ = table(n_classes)
    name = "logloss" if n_classes == 2 else "mlogloss"
    model = FocalXGBClassifier(
        focal_alpha="balanced",
        link="posterior",
        n_estimators=200,
        learning_rate=0.5,
        early_stopping_rounds=5,
        eval_metric=["focal_loss", name],
    )
    model.fit(X[1::2], y[1::2], eval_set=[(X[::2], y[::2])], verbose=False)
    assert model.best_iteration < 190
    (seen,) = model.evals_result_.values()
    P = model.predict_proba(X[::2])
    best = model.best_iteration
    assert seen[name][best] == pytest.approx(log_loss(y[::2], P), rel=1e-5)
    alpha = model.loss_.class_weight
    expected = focal_loss(y[::2], P, gamma=2.0, alpha=alpha, link="posterior")
    assert seen["focal_loss"][best] == pytest.approx(expected, rel=1e-4)
    light = FocalLGBMClassifier(
        link="posterior",
        class_weight="balanced",
        n_estimators=20,
        verbose=-1,
        metric="binary_logloss" if n_classes == 2 else "multi_logloss",
    )
    light.fit(X[1::2], y[1::2], eval_X=X[::2], eval_y=y[::2]) if "eval_X" in signature(
        lgb.LGBMClassifier.fit
    ).parameters else light.fit(X[1::2], y[1::2], eval_set=[(X[::2], y[::2])])
    ((values,),) = (d.values() for d in light.evals_result_.values())
    assert values[-1] == pytest.approx(log_loss(y[::2], light.predict_proba(X[::2])), rel=1e-9)


ALONE = [
    (n_classes, weighted, alpha)
    for n_classes in (2, 3)
    for weighted in (False, True)
    for alpha in (None, "balanced")
]


@pytest.fixture(scope="module")
def predicted_alone(tmp_path_factory):
    """Models by number and library, and what a process without skfocal predicts with each."""
    folder, models = tmp_path_factory.mktemp("alone"), {}
    for i, (n_classes, weighted, alpha) in enumerate(ALONE):
        X, y, weight = table(n_classes)
        np.save(folder / f"X{i}.npy", X)
        for kind, name in ((FocalLGBMClassifier, "lgb"), (FocalXGBClassifier, "xgb")):
            extra = {"verbose": -1} if name == "lgb" else {}
            settings = {"focal_alpha": alpha, "link": "posterior", "n_estimators": 30, **extra}
            model = kind(n_jobs=1, **settings).fit(X, y, sample_weight=weight if weighted else None)
            booster = model.booster_ if name == "lgb" else model.get_booster()
            booster.save_model(str(folder / f"{name}{i}.json"))
            models[i, name] = model
    code = f"""
import sys
sys.modules["skfocal"] = None
import numpy as np, lightgbm, xgboost
for i in range({len(ALONE)}):
    X, names = np.load(f"X{{i}}.npy"), [f"lgb{{i}}", f"xgb{{i}}"]
    light, extreme = (module.Booster(model_file=f"{{name}}.json")
                      for module, name in zip((lightgbm, xgboost), names))
    np.save(names[0], light.predict(X))
    np.save(names[1], extreme.predict(xgboost.DMatrix(X)))
"""
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=120)
    return {
        key: (model, np.load(folder / f"{key[1]}{key[0]}.npy")) for key, model in models.items()
    }


@pytest.mark.slow(5)
@pytest.mark.xdist_group("predicted alone")  # once
@pytest.mark.parametrize("i", range(len(ALONE)), ids=[str(case) for case in ALONE])
def test_the_saved_booster_predicts_the_probabilities_alone(i, predicted_alone):
    """In a process that cannot import skfocal, by the libraries' own ``predict``."""
    n_classes, *_ = ALONE[i]
    X = table(n_classes)[0]
    for name, rtol in (("lgb", 1e-12), ("xgb", 1e-6)):
        model, found = predicted_alone[i, name]
        proba = model.predict_proba(X)
        assert_allclose(found, proba[:, 1] if n_classes == 2 else proba, rtol=rtol)
        raw = model.set_params(probability="raw").predict_proba(X)
        assert_allclose(raw, proba, rtol=rtol)


@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_gamma_zero_gives_the_trees_of_the_focal_link(kind, n_classes):
    X, y, _ = table(n_classes)
    extra = quiet(kind)
    focal, posterior = (
        kind(focal_gamma=0, link=link, n_estimators=10, n_jobs=1, **extra).fit(X, y)
        for link in ("focal", "posterior")
    )
    options = {of(kind).margin: True}
    assert_array_equal(focal.predict(X, **options), posterior.predict(X, **options))
