"""scikit-learn's own checks. Each expected failure has its reason."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skfocal import (
    FocalCatBoostClassifier,
    FocalCatBoostClassifierCV,
    FocalHistGradientBoostingClassifier,
    FocalHistGradientBoostingClassifierCV,
    FocalLGBMClassifier,
    FocalLGBMClassifierCV,
    FocalLogisticRegression,
    FocalLogisticRegressionCV,
    FocalXGBClassifier,
    FocalXGBClassifierCV,
)

# FocalLGBMClassifier passes the two sample-weight-equivalence checks by a constant model: their
# 15 rows are fewer than min_child_samples. With min_child_samples=1 they fail, and they fail for
# LGBMClassifier too, for two reasons. LightGBM makes bins by numbers of rows, so repeated rows
# have other bins. With min_data_in_bin=1 the bins are the same, but many of the 30 columns split
# the 15 rows equally well: where the trees first differ, both splits have the same gain in all
# digits (0.13721400499343872), or gains below 1e-13, which are rounding.
# `test_weights_are_repeated_rows_for_trees_that_grow` in tests/lightgbm/test_classifier.py makes
# the comparison on a table that has neither.
ESTIMATORS = [
    FocalLogisticRegression(),
    FocalLogisticRegression(solver="lbfgs", focal_gamma=0.5),
    FocalLGBMClassifier(),
    FocalXGBClassifier(),
    FocalLogisticRegression(link="posterior"),
    FocalLGBMClassifier(link="posterior"),
    FocalXGBClassifier(link="posterior"),
    FocalHistGradientBoostingClassifier(),
    FocalHistGradientBoostingClassifier(link="posterior"),
]

# CatBoost cuts bins, and scales its ridge, by numbers of rows: the two fail for it, too.
WEIGHTS = [f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")]
CATBOOST = [
    FocalCatBoostClassifier(link=link, iterations=20, verbose=0, allow_writing_files=False)
    for link in ("focal", "posterior")
]


@parametrize_with_checks(
    CATBOOST,
    expected_failed_checks=lambda model: dict.fromkeys(WEIGHTS, "CatBoostClassifier fails, too"),
)
def test_scikit_learn_check_of_catboost(estimator, check):
    check(estimator)


@parametrize_with_checks(ESTIMATORS)
@pytest.mark.filterwarnings(
    "ignore:Found `n_estimators`",
    # unscaled iris, where SciPy before 1.15 needs more than 100 iterations of L-BFGS
    "ignore:lbfgs stopped before it converged",
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


# The weak ridge of the calibration counts the effective number of rows, (sum w)**2 / sum(w**2),
# which is smaller than the number of repeated rows. Of the boosters see also above; XGBoost's
# float32 sums of repeated rows have other last digits than those of weights.
REASON = "the calibration counts effective rows"
SEARCHES = [
    FocalLogisticRegressionCV(cv=3, Cs=[1.0], focal_gammas=(2.0,), solver="lbfgs"),
    FocalLGBMClassifierCV(cv=3, n_estimators=5, focal_gammas=(2.0,)),
    FocalXGBClassifierCV(cv=3, n_estimators=5, focal_gammas=(2.0,)),
    FocalHistGradientBoostingClassifierCV(cv=3, max_iter=5, focal_gammas=(2.0,)),
    FocalCatBoostClassifierCV(
        cv=3, iterations=5, focal_gammas=(2.0,), verbose=0, allow_writing_files=False
    ),
]
# Tables of these checks are tiny: few rows to calibrate on, and few rounds.
TINY = pytest.mark.filterwarnings(
    "ignore:Found `n_estimators`",
    "ignore:The rows for calibration hold",
    "ignore:The held-out rows",
    "ignore:The least populated class",
    "ignore:The mean score was the best after the last",
    "ignore:.* stopped before they converged",
    "ignore:.* stopped before it converged",
)


def expected_failures(search):
    # scikit-learn's trees refuse sparse tables, and so pass that check
    dense_only = isinstance(search, FocalHistGradientBoostingClassifierCV)
    return dict.fromkeys(WEIGHTS[:1] if dense_only else WEIGHTS, REASON)


@parametrize_with_checks(SEARCHES, expected_failed_checks=expected_failures)
@TINY
def test_scikit_learn_check_of_a_search(estimator, check):
    check(estimator)


@TINY
@pytest.mark.parametrize("check", WEIGHTS)
def test_weights_are_repeated_rows_without_calibration(check):
    model = FocalLogisticRegressionCV(Cs=3, focal_gammas=(0.0, 2.0), calibration=None)
    getattr(estimator_checks, check)("FocalLogisticRegressionCV", model)
