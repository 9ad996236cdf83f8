"""scikit-learn's own checks, with no expected failure."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skfocal import FocalLGBMClassifier, FocalLogisticRegression, FocalXGBClassifier

# FocalLGBMClassifier's two sample-weight-equivalence checks could be expected to fail:
# LightGBM's bins count rows, not weights. At default parameters their 15 rows are fewer
# than min_child_samples, the model is a constant, and they pass.
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
