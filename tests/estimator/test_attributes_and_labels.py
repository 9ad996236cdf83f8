"""Helpers of the shared base."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skfocal._estimator._attributes import LearnedAttribute, restored_on_failure
from skfocal._estimator._target import encode_labels


class Parent:
    @property
    def learned(self):
        return "parent's"


class Child(Parent):
    learned = LearnedAttribute()
    fitted = False

    def __sklearn_is_fitted__(self):
        return self.fitted


def test_learned_attribute_replaces_a_read_only_property():
    child = Child()
    assert not hasattr(child, "learned")
    with pytest.raises(NotFittedError, match="Child is not fitted: it has no 'learned' yet"):
        _ = child.learned
    child.fitted = True
    with pytest.raises(AttributeError, match="'Child' object has no attribute 'learned'"):
        _ = child.learned
    with pytest.raises(AttributeError):
        del child.learned
    child.learned = 3
    assert child.learned == vars(child)["learned"] == 3
    del child.learned
    assert not hasattr(child, "learned")
    assert isinstance(Child.learned, LearnedAttribute)


def test_state_is_restored_whatever_ends_the_block():
    child = Child()
    child.kept = 1

    def interrupted():
        with restored_on_failure(child):
            child.kept, child.extra = 2, 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert vars(child) == {"kept": 1}


def test_labels_are_encoded_in_the_order_of_classes():
    classes = np.array(["a", "b", "d"])
    assert encode_labels(classes, ["d", "a"], "eval_set").tolist() == [2, 0]
    with pytest.raises(ValueError, match=r"eval_set has labels that are not in y: \[0, 1\]"):
        encode_labels(classes, [1, 0], "eval_set")
    for unknown in ("c", "z"):
        with pytest.raises(ValueError, match=rf"eval_set has labels.*\['{unknown}'\]"):
            encode_labels(classes, ["a", unknown], "eval_set")
