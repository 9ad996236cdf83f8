"""Run a test file of LightGBM, XGBoost or scikit-learn with the focal classifier in its place.

    python tests/project/run_parent_tests.py path/to/test_sklearn.py [pytest arguments]

The file comes from the library's own repository, or from the installed scikit-learn
(``sklearn/linear_model/tests/test_logistic.py``), and is not part of this one. Test files on
Dask work as well, and take long: pick parts of them by ``-k``. Each file runs twice: as it is,
and with the parents' classifiers replaced by the focal classifiers at ``focal_gamma=0``,
wherever the tests import them from. A test counts as lost if it passes only as it is. The exit
status is 0 if the reason of each lost test is known.

The focal classifiers answer to the parents' names, and LightGBM's default metric to
``binary_logloss`` or ``multi_logloss``, which it equals at gamma 0: the tests look for these.
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
import lightgbm, xgboost, sklearn.ensemble, sklearn.linear_model
import lightgbm.dask, xgboost.dask
import skfocal.lightgbm._metrics
from skfocal import (FocalHistGradientBoostingClassifier, FocalLGBMClassifier)
from skfocal import (FocalLogisticRegression, FocalXGBClassifier)
from skfocal.dask import DaskFocalLGBMClassifier, DaskFocalXGBClassifier

PARENTS = {
    lightgbm.LGBMClassifier: FocalLGBMClassifier,
    lightgbm.DaskLGBMClassifier: DaskFocalLGBMClassifier,
    xgboost.XGBClassifier: FocalXGBClassifier,
    xgboost.dask.DaskXGBClassifier: DaskFocalXGBClassifier,
    sklearn.linear_model.LogisticRegression: FocalLogisticRegression,
    sklearn.ensemble.HistGradientBoostingClassifier: FocalHistGradientBoostingClassifier,
}
for kind in PARENTS.values():
    if kind is FocalLogisticRegression:  # its first parameter, by position too
        kind.__init__.__defaults__ = (0.0, *kind.__init__.__defaults__[1:])
    else:
        kind.__init__.__kwdefaults__["focal_gamma"] = 0.0
    kind.__name__ = kind.__name__.replace("Focal", "")
skfocal.lightgbm._metrics.DEFAULT_METRIC = "logloss"

# LightGBM's own code goes on with its own classes; who imports from a copy gets ours
for name in ("lightgbm.sklearn", "lightgbm.dask"):
    copy = types.ModuleType(name)
    vars(copy).update(vars(sys.modules[name]))
    sys.modules[name] = copy
    setattr(lightgbm, name.partition(".")[2], copy)
# wherever tests import the parents from: xgboost.testing takes them from xgboost.sklearn
for name, module in list(sys.modules.items()):
    own = name in ("sklearn.linear_model", "sklearn.ensemble")
    if name.partition(".")[0] in ("lightgbm", "xgboost") or own:
        for attribute, value in list(vars(module).items()):
            if isinstance(value, type) and value in PARENTS:
                setattr(module, attribute, PARENTS[value])
"""

# Why a test cannot pass with the focal classifier: the whole name of the test, how its failure
# begins, and the reason. Never what may stand in an estimator's repr; where a message of ours is
# exact, any test may have it. Only what is meant to be otherwise has an entry.
ANY = r".*"
ABOUT_SOLVERS = r"AssertionError: Regex pattern did not match\. Expected regex: .* Actual message: "
ABOUT_SOLVERS += r"\"solver must be one of 'auto', 'lbfgs', "
NO_FITS = r"ValueError: All the \d+ fits failed\."
REASONS = [
    # LightGBM and XGBoost
    (
        ANY,
        r"ValueError: objective=('[\w:]+'|<function .*>) has no meaning beside the focal loss[;:]",
        "another objective is refused: the focal loss is one",
    ),
    (
        ANY,
        r"ValueError: scale_pos_weight=[\d.]+ has no effect beside a custom objective: ",
        "has no effect beside a custom objective: refused, focal_alpha instead",
    ),
    (
        ANY,
        r"ValueError: boosting(_type)?='rf': LightGBM's random forest takes no custom objective\.",
        "LightGBM's random forest takes no custom objective: refused",
    ),
    (
        ANY,
        r"ValueError: Metric '\w+' would be computed from ",
        "a metric by a name that has no form on the posterior",
    ),
    (
        ANY,
        r"ValueError: (The model|'.*') holds a booster without labels and loss: ",
        "a plain model's file tells neither: from_booster takes them",
    ),
    (
        ANY,
        r"ValueError: objective='multi:softmax' makes a booster whose predictions are classes, ",
        "its booster would predict classes: refused",
    ),
    (r"test_random_search", NO_FITS, "its fits are of random forests, which are refused"),
    (
        r"test_grid_search",
        r"assert 0\.94083921727751\d+ < 0\.25",
        "the forests that it would choose are refused; the parent's boosted trees have this loss",
    ),
    (
        r"test_feature_names_in_and_predict_warning\[fit=numpy-.*",
        r"AssertionError: Regex pattern did not match\. .*no attribute 'feature_names_in_'",
        "an AttributeError in other words; the names are those of X, not of feature_name",
    ),
    (
        r"test_feature_names_in_and_predict_warning\[fit=(pd|pa|pl)_.*",
        r"AssertionError: Arrays are not equal \(dtypes object, <U6 mismatch\)",
        "names are an array of objects, as scikit-learn's checks want it",
    ),
    (
        r"test_max_depth_warning_is_.*",
        ANY,
        "LightGBM prints it under any custom objective",
    ),
    (
        r"test_.*(get_params_works|same_kwargs_and_defaults).*",
        r"(AssertionError|assert)",
        "it compares all parameters with the parent's; there are five more",
    ),
    (
        r"test_(pandas_input|validate_features.*)",
        r".*(feature_names mismatch|feature names should match those)",
        "renamed columns are an error, in scikit-learn's words",
    ),
    (
        r"test_(multilabel_classification|intercept|multioutput.*)",
        r"ValueError: y should be a 1d array, got an array of shape ",
        "labels of several kinds at once are not supported",
    ),
    (
        r"test_deprecate_position_arg",
        r"Failed: DID NOT WARN\. .*FutureWarning",
        "sample_weight is the third argument of fit, as in scikit-learn",
    ),
    (
        r"test_mixed_metrics",
        r"ValueError: Classification metrics can't handle a mix of binary and continuous targets",
        "several functions as metrics work; this one takes no probabilities",
    ),
    (
        r"test_fit_none",
        r"ValueError: Expected 2D array, got scalar array instead: array=None\.",
        "scikit-learn's check of X, in its words",
    ),
    (
        r"test_sklearn_tags",
        r"AssertionError: assert False is True .*\.no_validation$",
        "X is validated, as scikit-learn wants it",
    ),
    (
        r"test_doc_link",
        r"AssertionError: assert 'xgboost\.XGB",
        "the link is not to XGBoost's pages",
    ),
    (
        r"test_(dask_sparse|boost_from_prediction\[(hist|approx)\])",
        r"KeyError: 'm?logloss'",
        "XGBoost's default metric, looked up by name: here it is focal_loss",
    ),
    (
        r"test_eval_set_no_early_stopping\[.*-eval_sizes1-.*-classification\]",
        r"Failed: DID NOT WARN\. .*UserWarning",
        "of workers without rows of an evaluation set: here each worker evaluates all of them",
    ),
    # HistGradientBoostingClassifier
    (
        r"test_(single_node_trees\[.*|X_val_raises_missing_y_val)",
        r".*HistGradientBoostingClassifier needs at least two classes, but y has only one class: ",
        "one class is refused, as by the other focal classifiers",
    ),
    (
        ANY,
        r"ValueError: loss=<.*> has no meaning beside the focal loss: ",
        "another loss is refused: the focal loss is one",
    ),
    (
        r"test_class_weights",
        r"AssertionError: Not equal to tolerance .* -4\.5737\d+ \(ACTUAL\), -5\.6723\d+ \(DES",
        "decision_function undoes class weights: log(3) lies between the two",
    ),
    # LogisticRegression
    (
        r"test_multinomial_logistic_regression_string_inputs",
        r"ValueError: class_weight must have 3 finite numbers > 0, .*; got \[1, 2, 0\]\.",
        "a class of weight 0 is refused: its probability could not be recovered",
    ),
    (
        ANY,
        r"ValueError: solver must be one of .*; got '(liblinear|newton-cg|sag|saga)'\.",
        "a solver that the focal classifier does not have",
    ),
    (
        ANY,
        r"TypeError: FocalLogisticRegression has no parameter '(penalty|dual|intercept_scaling)': ",
        "a parameter that the focal classifier does not have; the message tells the other way",
    ),
    (
        r"test_logistic_regression_callback_support\[\d+\]",
        r"AssertionError: assert \d+ == \(\(1 \+ .*\) \+ 1\)",
        "scikit-learn counts one task more, in which nothing happens",
    ),
    (
        ANY,
        r"TypeError: FocalLogisticRegression\.__init__\(\) got an unexpected keyword argument "
        r"'(penalty|dual|intercept_scaling)'",
        "parameters that went with those solvers, or that scikit-learn removes",
    ),
    (
        r"test_logisticregression_liblinear_sample_weight\[.*",
        r"ValueError: Invalid parameter 'dual' for estimator",
        "the same",
    ),
    (
        r"test_(large_sparse_matrix|check_solver_option|liblinear_multiclass_raises"
        r"|liblinear_with_large_values)(\[.*)?",
        ABOUT_SOLVERS,
        "what it says of solvers that are not there",
    ),
    (
        r"test_(elastic_net_vs_l1_l2|LogisticRegressionCV_GridSearchCV_elastic_net"
        r"|scores_attribute_layout_elasticnet)(\[.*)?",
        NO_FITS,
        "all its fits are of the solver saga",
    ),
    (
        r"test_max_iter\[.*(newton-cg|saga|sag|liblinear)-.*",
        r"Failed: DID NOT WARN\. .*ConvergenceWarning",
        "the solver in the list is not there",
    ),
    (
        r"test_max_iter\[.*",
        r"Failed: Regex pattern did not match any of the 1 warnings emitted\. Regex: .* Emitted "
        r"warnings: \[ ConvergenceWarning\(",
        "the same warning in other words",
    ),
    (
        r"test_inconsistent_input",
        r"AssertionError: Regex pattern did not match\. .* Actual message: 'X has 3 rows, but y ",
        "the same error in other words",
    ),
    (
        r"test_(l1_ratio_non_elasticnet|l1_ratio_None_deprecated"
        r"|logisticregression_warns_with_n_jobs)",
        r"Failed: DID NOT WARN\. ",
        "parameters that scikit-learn removes: they are not there, or have their meaning",
    ),
    (
        r"test_logistic_cv_multinomial_score\[.*",
        r"TypeError: _log_reg_scoring_path\(\) got an unexpected keyword argument 'focal_alpha'",
        "it hands all parameters to a private function of scikit-learn's",
    ),
    (
        r"test_logreg_predict_proba_multinomial\[.*",
        r"AttributeError: 'LogisticRegression' object has no attribute '_predict_proba_lr'",
        "a private method of scikit-learn's",
    ),
    (
        r"test_logistic_regression_callback_support_warning",
        r"Failed: DID NOT WARN\. .*UserWarning",
        "it expects a warning that callbacks need lbfgs: here each solver has them",
    ),
    (
        r"test_zero_max_iter\[newton-cholesky\]",
        r"AssertionError: Not equal to tolerance .* 0\.6666666666666\d+ \(ACTUAL\), 0\.5 ",
        "training starts at the best constant, which is the share of the classes, and not at 0.5",
    ),
    (
        r"test_newton_cholesky_fallback_to_lbfgs",
        r"assert np\.int32\(\d+\) == np\.int32\(\d+\)",
        "no fall-back to lbfgs: newton-cholesky converges, in its own number of iterations",
    ),
]


def reason(name: str, failure: str) -> str | None:
    """Why a test cannot pass; None if that is not known."""
    for test, message, why in REASONS:
        if re.fullmatch(test, name) and re.match(message, failure):
            return why
    return None


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
            name = re.sub(r"\(.*\)", "()", case.get("name", "").replace("Focal", ""))
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
    unexplained = 0
    for name in lost:
        failure = focal.get(name, "not run")
        why = reason(name, failure)
        unexplained += why is None
        print(f"  {name}: {why or 'UNEXPLAINED ' + failure[:300]}")
    print(f"{unexplained} unexplained")
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
