"""Write deep_learning.json: mean focal losses of torchvision and Keras.

    KERAS_BACKEND=torch python tests/reference/make_deep_learning.py

Needs torch, torchvision and keras, which no test installs.
"""

import json
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import torch
from torchvision.ops import sigmoid_focal_loss

SETTINGS = [(2.0, None), (2.0, 0.25), (0.5, 0.75), (5.0, 0.9), (0.0, 0.25)]


def main() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 40)
    logits = rng.normal(scale=3.0, size=40)
    proba = 1 / (1 + np.exp(-logits))
    labels = rng.integers(0, 4, 30)
    raw = rng.normal(scale=2.0, size=(30, 4))
    rows = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    weights = [0.1, 0.2, 0.3, 0.4]
    keras.backend.set_floatx("float64")
    values = {
        "versions": {k: version(k) for k in ("torch", "torchvision", "keras")},
        "y": y.tolist(),
        "proba": proba.tolist(),
        "labels": labels.tolist(),
        "rows": rows.tolist(),
        "weights": weights,
        "torchvision": [],
        "keras_binary": [],
        "keras_categorical": [],
    }
    for gamma, alpha in SETTINGS:
        loss = sigmoid_focal_loss(
            torch.tensor(logits),
            torch.tensor(y, dtype=torch.float64),
            alpha=-1 if alpha is None else alpha,
            gamma=gamma,
            reduction="mean",
        )
        values["torchvision"].append([gamma, alpha, float(loss)])
        binary = keras.losses.BinaryFocalCrossentropy(
            gamma=gamma,
            alpha=0.25 if alpha is None else alpha,
            apply_class_balancing=alpha is not None,
            dtype="float64",
        )
        # Keras averages over the last axis first: one column, as many rows as labels
        value = binary(y[:, np.newaxis].astype(float), proba[:, np.newaxis])
        values["keras_binary"].append([gamma, alpha, float(value)])
    for gamma in (2.0, 0.5, 0.0):
        for alpha in (weights, [1.0] * 4):
            categorical = keras.losses.CategoricalFocalCrossentropy(
                gamma=gamma, alpha=alpha, dtype="float64"
            )
            value = categorical(np.eye(4)[labels], rows)
            values["keras_categorical"].append([gamma, alpha, float(value)])
    path = Path(__file__).with_name("deep_learning.json")
    path.write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
