"""A booster under the posterior link is the same in its files and in ONNX."""

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfocal import (
    FocalLGBMClassifier,
    FocalXGBClassifier,
)
from skfocal.onnx import to_onnx
from tests.backends import of, quiet
from tests.conftest import table


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", [FocalLGBMClassifier, FocalXGBClassifier])
def test_link_survives_files_and_onnx(kind, n_classes, tmp_path):
    X, y, _ = table(n_classes)
    X = X.astype(np.float32)
    extra = quiet(kind)
    model = kind(focal_alpha="balanced", link="posterior", n_estimators=20, **extra).fit(X, y)
    path = tmp_path / "model.json"
    model.save_model(path)
    loaded = kind()
    loaded.load_model(path)
    booster = of(kind).booster(model)
    given = kind.from_booster(
        booster, focal_gamma=2.0, focal_alpha=model.loss_.class_weight, link="posterior"
    )
    for other in (loaded, given):
        assert other.link == "posterior"
        assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        assert_array_equal(other.predict(X), model.predict(X))
    session = onnxruntime.InferenceSession(to_onnx(model, X).SerializeToString())
    label, proba = session.run(None, {session.get_inputs()[0].name: X})
    assert_allclose(proba, model.predict_proba(X), atol=1e-6)
    assert np.mean(label == model.predict(X)) > 0.999
