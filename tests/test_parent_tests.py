"""What `run_parent_tests.py` takes as explained."""

import pytest
from run_parent_tests import reason

from skfocal import FocalLGBMClassifier, FocalXGBClassifier


@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
@pytest.mark.parametrize("error", ["AssertionError: assert False + where ", "ValueError: "])
def test_a_failure_that_prints_an_estimator_is_not_explained(kind, error):
    estimator = kind(objective="binary:logistic", scale_pos_weight=1)
    assert "objective=" in repr(estimator) and "scale_pos_weight=" in repr(estimator)
    assert reason("test_something", error + repr(estimator)) is None


def test_a_refusal_is_explained():
    kind, y = FocalXGBClassifier, [0, 1, 0, 1]
    for params in ({"scale_pos_weight": 2.0}, {"objective": "reg:squarederror"}):
        with pytest.raises(ValueError) as caught:
            kind(**params).fit([[0.0], [1.0], [2.0], [3.0]], y)
        assert reason("test_something", f"ValueError: {caught.value}")
