"""What `run_parent_tests.py` takes as explained."""

import pytest

from skfocal import FocalLGBMClassifier, FocalXGBClassifier
from tests.project.run_parent_tests import reason


@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
@pytest.mark.parametrize("error", ["AssertionError: assert False + where ", "ValueError: "])
def test_a_failure_that_prints_an_estimator_is_not_explained(kind, error):
    params = kind(objective="binary:logistic", scale_pos_weight=1).get_params()
    printed = ", ".join(f"{name}={value!r}" for name, value in params.items())
    assert "objective='binary:logistic'" in printed
    assert "scale_pos_weight=1" in printed
    assert reason("test_something", f"{error}{kind.__name__}({printed})") is None


def test_a_refusal_is_explained():
    kind, y = FocalXGBClassifier, [0, 1, 0, 1]
    for name, value in {"scale_pos_weight": 2.0, "objective": "reg:squarederror"}.items():
        with pytest.raises(ValueError, match=name) as caught:
            kind(**{name: value}).fit([[0.0], [1.0], [2.0], [3.0]], y)
        assert reason("test_something", f"ValueError: {caught.value}")
