"""scikit-learn's own checks, with no expected failure."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier

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
]


@parametrize_with_checks(ESTIMATORS)
@pytest.mark.filterwarnings(
    "ignore:Found `n_estimators`",
    # unscaled iris, where SciPy before 1.15 needs more than 100 iterations of L-BFGS
    "ignore:lbfgs stopped before it converged",
)
def test_scikit_learn_check(estimator, check):
    check(estimator)
