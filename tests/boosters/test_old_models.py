"""Models and pickles of an older version load, and predict what they predicted there."""

import base64
import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import InconsistentVersionWarning

import skfocal
from tests.reference.make_models import evaluated, rows

WRITTEN = json.loads((Path(__file__).parents[1] / "reference" / "models.json").read_text())
NAMES = [f"{entry['class']}, {entry['n_classes']} classes" for entry in WRITTEN["models"]]


def unpickled(entry):
    with warnings.catch_warnings():  # it tells of another scikit-learn, which is no fault here
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        return pickle.loads(base64.b64decode(entry["pickle"]))


def assert_same_predictions(model, entry):
    X, _ = rows(entry["n_classes"])
    assert_allclose(model.predict_proba(X[:10]), entry["proba"], rtol=1e-6)
    assert_array_equal(model.predict(X[:10]), entry["label"])


# a newer XGBoost says of each pickle of an older one that its files are safer
@pytest.mark.filterwarnings("ignore:.*If you are loading a serialized model")
@pytest.mark.parametrize("entry", WRITTEN["models"], ids=NAMES)
def test_pickles_of_classifiers(entry):
    model = unpickled(entry)
    assert type(model) is getattr(skfocal, entry["class"])
    assert_same_predictions(model, entry)
    model.fit(*rows(entry["n_classes"]))


@pytest.mark.parametrize("entry", [e for e in WRITTEN["models"] if "file" in e])
def test_files_of_boosters(entry, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(entry["file"])
    model = getattr(skfocal, entry["class"])()
    model.load_model(path)
    assert_same_predictions(model, entry)


@pytest.mark.parametrize("entry", WRITTEN["others"], ids=lambda entry: entry["class"])
def test_pickles_of_losses_and_objectives(entry):
    value, expected = unpickled(entry), np.array(entry["value"])
    assert type(value) is getattr(skfocal, entry["class"])
    if isinstance(value, skfocal.FocalObjective) and value.link == "focal":
        # older objectives had no scale under the focal link; single precision rounds both
        expected *= value.loss_.log_loss_scale(np.arange(30) % 2)
    rtol = 1e-6 if isinstance(value, skfocal.FocalObjective) else 1e-12
    assert_allclose(evaluated(value), expected, rtol=rtol)
