"""What a user's mypy says of programs, which sees the types only with py.typed in its place."""

import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.xdist_group("typing")  # one run of mypy

RIGHT = """
from pathlib import Path
from typing import Any, assert_type

import dask.array as da
import numpy as np
import numpy.typing as npt

from skfocal import (
    SKOPS_TYPES,
    BinaryFocalLoss,
    FocalEvalMetric,
    FocalHistGradientBoostingClassifier,
    FocalLGBMClassifier,
    FocalLogisticRegression,
    FocalObjective,
    FocalXGBClassifier,
    MulticlassFocalLoss,
    show_versions,
)
from skfocal.dask import DaskFocalLGBMClassifier, DaskFocalXGBClassifier, WorkerLostError
from skfocal.metrics import expected_calibration_error, focal_loss, make_focal_scorer

X = np.zeros((4, 2))
y = np.array([0, 0, 1, 1])
weight = [1.0, 2.0, 1.0, 2.0]

logistic = FocalLogisticRegression(2, "balanced", link="posterior", C=np.inf, solver="lbfgs")
assert_type(logistic.fit(X, ["no", "no", "yes", "yes"], sample_weight=weight),
            FocalLogisticRegression)
assert_type(logistic.predict_proba(X), npt.NDArray[np.floating[Any]])
assert_type(logistic.predict(X), npt.NDArray[Any])
assert_type(logistic.coef_, npt.NDArray[np.floating[Any]])
assert_type(logistic.loss_, BinaryFocalLoss | MulticlassFocalLoss)

trees = FocalLGBMClassifier(
    focal_gamma=[0.0, 2.0], focal_alpha={"no": 1.0, "yes": 3.0}, n_estimators=10, verbose=-1
)
fitted = trees.fit(X, y, eval_set=[(X, y)], eval_metric=["auc", "focal_loss"])
assert_type(fitted, FocalLGBMClassifier)
assert_type(fitted.predict_proba(X), npt.NDArray[np.floating[Any]])
fitted.save_model(Path("model.txt"))
assert_type(FocalLGBMClassifier().load_model("model.txt"), FocalLGBMClassifier)
FocalLGBMClassifier.from_booster(fitted.booster_, focal_gamma=2.0, focal_alpha=0.25)

histogram = FocalHistGradientBoostingClassifier(focal_gamma=1, class_weight={"no": 1.0}, max_iter=5)
assert_type(histogram.fit(X, y, weight, X_val=X, y_val=y), FocalHistGradientBoostingClassifier)
assert_type(histogram.predict_proba(X), npt.NDArray[np.floating[Any]])
assert_type(list(histogram.staged_predict(X)), list[npt.NDArray[Any]])

boosted = FocalXGBClassifier(
    focal_gamma=np.array([1.0, 2.0]), focal_alpha=("effective", 0.99), hessian="exact"
)
assert_type(boosted.fit(X, y, sample_weight=np.ones(4), verbose=False), FocalXGBClassifier)
assert_type(boosted.decision_function(X, iteration_range=(0, 5)), npt.NDArray[np.floating[Any]])

loss = BinaryFocalLoss(gamma=[0, 1], alpha=0.75)
assert_type(loss.gamma, float | tuple[float, ...])
assert_type(loss.intercept(y), float)
assert_type(loss.posterior([0.5]), npt.NDArray[np.floating[Any]])
MulticlassFocalLoss(3, alpha=np.array([1.0, 2.0, 3.0])).loss([0, 1], [[0.0] * 3] * 2)

objective = FocalObjective(gamma=1, alpha={0: 1.0, 1: 2.0}, n_threads=2)
gradient, hessian = objective(y, objective.init_score(y), weight)
assert_type(objective.eval_metric(), FocalEvalMetric)

assert_type(focal_loss(y, loss.posterior([0.0] * 4), alpha="effective", link="posterior"), float)
assert_type(expected_calibration_error(y, [0.1, 0.2, 0.3, 0.4], strategy="uniform"), float)
assert_type(make_focal_scorer(gamma=1.0)(logistic, X, y), float)


def on_cluster(X: Any, y: Any) -> None:
    try:
        model = DaskFocalXGBClassifier(focal_gamma=1.0).fit(X, y)
    except WorkerLostError:
        return
    assert_type(model, DaskFocalXGBClassifier)
    assert_type(model.to_local(), FocalXGBClassifier)
    assert_type(DaskFocalLGBMClassifier().fit(X, y).to_local(), FocalLGBMClassifier)
    assert_type(model.predict_proba(X), da.Array)


show_versions()
print(SKOPS_TYPES[0].upper())
"""

# What the calls say is wrong, and nothing else.
WRONG = """
import numpy as np

from skfocal import (
    BinaryFocalLoss,
    FocalHistGradientBoostingClassifier,
    FocalLGBMClassifier,
    FocalLogisticRegression,
    FocalObjective,
    FocalXGBClassifier,
    MulticlassFocalLoss,
)
from skfocal.metrics import focal_loss

FocalLogisticRegression(link="logit")  # wrong
FocalLogisticRegression(focal_alpha="balance")  # wrong
FocalLogisticRegression(gamma=2.0)  # wrong
FocalLogisticRegression().fit(np.zeros((2, 1)))  # wrong
FocalLGBMClassifier(focal_gamma="2")  # wrong
FocalLGBMClassifier(2.0)  # wrong
FocalLGBMClassifier().predict_proba(np.zeros((2, 1))).colour  # wrong
FocalHistGradientBoostingClassifier(n_estimators=5)  # wrong
FocalHistGradientBoostingClassifier(loss="hinge")  # wrong
FocalXGBClassifier(hessian="lower")  # wrong
FocalXGBClassifier().fit(np.zeros((2, 1)), [0, 1], np.ones(2))  # wrong
BinaryFocalLoss(alpha="balanced")  # wrong
BinaryFocalLoss().gamma = 1.0  # wrong
MulticlassFocalLoss(gamma=1.0)  # wrong
FocalObjective(n_threads="all")  # wrong
focal_loss([0, 1], [0.1, 0.8], 2.0)  # wrong
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What mypy says of both programs, in a folder from which the package's source is not seen."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(WRONG)
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", "--strict", "right.py", "wrong.py"],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "MYPYPATH"},
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.slow(15)
def test_right_program(said):
    assert "right.py" not in said, said
    assert "in 1 file (checked 2 source files)" in said, said


@pytest.mark.slow(15)
def test_wrong_program(said):
    found = {int(line) for line in re.findall(r"wrong\.py:(\d+): error: ", said)}
    lines = enumerate(WRONG.splitlines(), start=1)
    assert found == {i for i, line in lines if "# wrong" in line}, said
