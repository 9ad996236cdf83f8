"""Run a test file of LightGBM or XGBoost with the focal classifier in the parent's place.

    python tests/run_parent_tests.py path/to/test_sklearn.py [pytest arguments]

The file comes from the library's own repository and is not part of this one. It runs twice:
as it is, and with ``lightgbm.LGBMClassifier`` and ``xgboost.XGBClassifier`` replaced by the
focal classifiers at ``focal_gamma=0``. A test counts as lost if it passes only as it is.
They answer to the parents' names, and LightGBM's default metric to ``binary_logloss`` or
``multi_logloss``, which it equals at gamma 0: the tests look for these.
"""

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

PLUGIN = """
import sys
import types
import lightgbm, xgboost, sklearn.linear_model
import lightgbm.dask, xgboost.dask
import skfocal._lightgbm_metrics
from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier
from skfocal.dask import DaskFocalLGBMClassifier, DaskFocalXGBClassifier

PARENTS = {
    lightgbm.LGBMClassifier: FocalLGBMClassifier,
    lightgbm.DaskLGBMClassifier: DaskFocalLGBMClassifier,
    xgboost.XGBClassifier: FocalXGBClassifier,
    xgboost.dask.DaskXGBClassifier: DaskFocalXGBClassifier,
    sklearn.linear_model.LogisticRegression: FocalLogisticRegression,
}
for kind in PARENTS.values():
    kind.__init__.__kwdefaults__["focal_gamma"] = 0.0
    kind.__name__ = kind.__name__.replace("Focal", "")
skfocal._lightgbm_metrics.DEFAULT_METRIC = "logloss"

# LightGBM's own code goes on with its own classes; who imports from a copy gets ours
for name in ("lightgbm.sklearn", "lightgbm.dask"):
    copy = types.ModuleType(name)
    vars(copy).update(vars(sys.modules[name]))
    sys.modules[name] = copy
    setattr(lightgbm, name.partition(".")[2], copy)
# wherever tests import the parents from: xgboost.testing takes them from xgboost.sklearn
for name, module in list(sys.modules.items()):
    if name.partition(".")[0] in ("lightgbm", "xgboost") or name == "sklearn.linear_model":
        for attribute, value in list(vars(module).items()):
            if isinstance(value, type) and value in PARENTS:
                setattr(module, attribute, PARENTS[value])
"""

# Why a test cannot pass with the focal classifier, by what its name or its failure contains.
REASONS = {
    "objective=": "another objective is refused: the focal loss is one",
    "All the 6 fits failed": "LightGBM's random forest takes no custom objective: refused",
    "test_grid_search": "the same: half of its grid is random forests",
    "scale_pos_weight": "has no effect beside a custom objective: refused, focal_alpha instead",
    "would be computed from margins": "a metric by a name that has no form on the posterior",
    "test_max_depth_warning": "LightGBM prints it under any custom objective",
    "get_params_works": "it compares all parameters with the parent's; there are four more",
    "same_kwargs_and_defaults": "it compares all parameters with the parent's; there are four more",
    "Feature names unseen at fit": "renamed columns are an error, as in scikit-learn",
    "without labels and loss": "a plain model's file tells neither: from_booster takes them",
    "multilabel": "labels of several kinds at once are not supported",
    "deprecate_position_arg": "parameters of the constructor are keywords only",
}


def outcomes(path: Path, arguments: list[str], substituted: bool) -> dict[str, str]:
    """Outcome of each test: passed, skipped, or the message of its failure."""
    top = path.parent
    while (top / "__init__.py").exists():
        top = top.parent
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        (Path(folder) / "focal_substitution.py").write_text(PLUGIN)
        command = [sys.executable, "-m", "pytest", str(path), f"--junitxml={report}", "-q"]
        command += ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(top), *arguments]
        before = os.environ.get("PYTHONPATH", "")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, before])}
        if substituted:
            command += ["-p", "focal_substitution"]
            environment["DASK_DISTRIBUTED__WORKER__PRELOAD"] = "focal_substitution"
        subprocess.run(
            command, cwd=path.parent, env=environment, stdout=subprocess.DEVNULL, check=False
        )
        found = {}
        for case in ElementTree.parse(report).iter("testcase"):
            bad = case.find("failure") if case.find("failure") is not None else case.find("error")
            outcome = "skipped" if case.find("skipped") is not None else "passed"
            if bad is not None:
                outcome = " ".join(bad.get("message", "failed").split())
            # names of parameters have the class in them, and all its parameters
            name = re.sub(r"\([^-]*\)", "()", case.get("name", "").replace("Focal", ""))
            found[name] = outcome
        return found


def main() -> None:
    """Compare the two runs and print what is lost."""
    path, *arguments = sys.argv[1:]
    own = outcomes(Path(path).resolve(), arguments, substituted=False)
    focal = outcomes(Path(path).resolve(), arguments, substituted=True)
    passing = [name for name, outcome in own.items() if outcome == "passed"]
    lost = [name for name in passing if focal.get(name) != "passed"]
    print(f"{len(passing)} of {len(own)} pass as they are; of these {len(lost)} are lost:")
    for name in lost:
        failure = focal.get(name, "not run")
        known = [why for key, why in REASONS.items() if key in name or key in failure]
        print(f"  {name}: {known[0] if known else 'UNEXPLAINED ' + failure[:150]}")


if __name__ == "__main__":
    main()
