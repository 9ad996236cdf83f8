"""scikit-learn's own checks, with no expected failure."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier

# FocalLGBMClassifier passes the two sample-weight-equivalence checks by a constant model: their
# 15 rows are fewer than min_child_samples. With min_child_samples=1 they fail for LightGBM's own
# classes too. Their 30 columns have 15 different values each, so many splits are equally good,
# and the last bit of a sum decides. `test_weights_are_repeated_rows_for_trees_that_grow` in
# test_lightgbm.py says the same of a table whose splits do not tie.
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
