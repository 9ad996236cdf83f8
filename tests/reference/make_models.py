"""Write models.json: saved models and pickles, with what they predict.

    python tests/reference/make_models.py

Later versions must load them and predict the same. Run it again only to add a model: the
file is of use because an older version wrote it. ``written_by`` says which one.
"""

import base64
import json
import pickle
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from skfocal import (
    BinaryFocalLoss,
    FocalEvalMetric,
    FocalLGBMClassifier,
    FocalLogisticRegression,
    FocalObjective,
    FocalXGBClassifier,
    MulticlassFocalLoss,
)

HERE = Path(__file__).parent


def rows(n_classes):
    """A small table, and labels as text."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3)).round(2)
    codes = (X[:, 0] + 0.5 * X[:, 1] > 0.8).astype(int) + (n_classes > 2) * (X[:, 2] > 1)
    return X, np.array(["a", "b", "c"])[codes]


def classifiers():
    """Each classifier with two and three classes, and with either link."""
    booster = {"n_estimators": 4, "max_depth": 2, "learning_rate": 0.3, "n_jobs": 1}
    for n_classes, link in ((2, "focal"), (3, "posterior")):
        focal = {"focal_gamma": 2.0, "focal_alpha": "balanced", "link": link}
        yield n_classes, FocalLogisticRegression(**focal)
        yield n_classes, FocalLGBMClassifier(**focal, **booster, verbose=-1)
        yield n_classes, FocalXGBClassifier(**focal, **booster)


def evaluated(value):
    """Losses of a loss, gradient and Hessian of an objective, the value of a metric."""
    y, raw = np.arange(30) % 2, np.linspace(-2.0, 2.0, 30)
    if not hasattr(value, "loss"):
        numbers = [part for part in value(y, raw) if not isinstance(part, (str, bool))]
        return np.array(numbers, dtype=float).tolist()
    if value.n_classes > 2:
        raw = np.column_stack([raw] + [np.sin(k * raw) for k in range(1, value.n_classes)])
    return value.loss(y, raw).tolist()


def pickled(value):
    return base64.b64encode(pickle.dumps(value, protocol=4)).decode("ascii")


def main():
    models, others = [], []
    for n_classes, model in classifiers():
        X, y = rows(n_classes)
        model.fit(X, y)
        entry = {
            "class": type(model).__name__,
            "n_classes": n_classes,
            "proba": model.predict_proba(X[:10]).astype(float).tolist(),
            "label": model.predict(X[:10]).tolist(),
            "pickle": pickled(model),
        }
        if hasattr(model, "save_model"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.json")
                model.save_model(path)
                entry["file"] = path.read_text()
        models.append(entry)
    y = np.arange(30) % 3 % 2
    objective = FocalObjective(1.5, "balanced", link="posterior")
    objective.init_score(y)
    for value in (
        BinaryFocalLoss((1.0, 2.0), 0.25),
        MulticlassFocalLoss(3, 2.0, (1.0, 2.0, 3.0), link="posterior"),
        FocalObjective(2.0, 0.25),
        objective,
        FocalEvalMetric(2.0, 0.25),
    ):
        entry = {"class": type(value).__name__, "value": evaluated(value)}
        others.append({**entry, "pickle": pickled(value)})
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True, cwd=HERE)
    text = json.dumps({"written_by": commit.strip(), "models": models, "others": others}, indent=1)
    (HERE / "models.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
