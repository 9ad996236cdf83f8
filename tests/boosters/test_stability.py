"""No dead and no exploding model on very rare positives; the full table is a benchmark."""

import numpy as np
import pytest

from benchmarks.data import rare_positives
from benchmarks.stability import one_model
from skfocal import FocalLGBMClassifier

CASES = [(0.5, 0.25), (2.0, None), (5.0, "balanced")]


@pytest.mark.parametrize("gamma, alpha", CASES)
@pytest.mark.parametrize("library", ["LightGBM", "XGBoost"])
@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_rare_positives_train(library, gamma, alpha, link):
    result = one_model(library, gamma, alpha, False, seed=0, rows=40_000, link=link)
    assert result["max_abs_margin"] < 50
    assert result["average_precision"] > 10 * 0.002


@pytest.mark.parametrize("link", ["focal", "posterior"])
def test_the_step_bound_is_what_prevents_the_explosion(link, monkeypatch):
    """The same model without it runs away, as LightGBM's own log loss does."""
    X, y = rare_positives(0, 40_000)

    def largest_margin(gamma, link):
        options = {"focal_gamma": gamma, "focal_alpha": 0.25, "link": link}
        model = FocalLGBMClassifier(verbose=-1, n_jobs=1, **options)
        return np.abs(model.fit(X, y).predict(X, raw_score=True)).max()

    assert largest_margin(0.05, link) < 20
    assert largest_margin(0.0, "focal") > 1000
    monkeypatch.setattr("skfocal.objectives._objective.MAX_STEP", np.inf)
    assert largest_margin(0.05, link) > 1000


def test_generator_has_the_prevalence_it_promises():
    _, y = rare_positives(1)
    assert y.mean() == pytest.approx(0.002, rel=0.1)
