"""
Serving a focal pipeline with onnxruntime
=========================================

ONNX is a file format for models. A pipeline of encoders and ``FocalXGBClassifier`` becomes one ONNX
graph. The graph predicts without Python, scikit-learn, XGBoost and skfocal. What to see:

- the graph returns the probabilities of ``predict_proba`` and the labels of ``predict``. The map to
  the posterior (the class probability) and the costs are part of it (left);
- the booster alone, without that map, gives other numbers: the sigmoid of its score. Here most of
  them are far too large (left);
- the graph serves single rows many times faster. In Python, most of the time for one row goes into
  data frames and checks. Large batches gain little or nothing, because the computation itself takes
  the time there (right).
"""

from timeit import repeat

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from onnxruntime import InferenceSession, SessionOptions
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skfocal import FocalXGBClassifier
from skfocal.datasets import make_transactions
from skfocal.onnx import to_onnx

# %%
# The table holds simulated card transactions. Numbers are float32, because the trees of ONNX use
# that type. Categories are text inputs of the graph.

table = make_transactions(60_000, fraud_rate=0.1, random_state=0)
X = table.data.drop(columns=["time", "card"]).assign(hour=table.data["time"].dt.hour)
X = X.astype(dict.fromkeys(X.select_dtypes("number"), np.float32))
y = table.target
split = train_test_split(X, y, train_size=20_000, stratify=y, random_state=0)
X_train, X_test, y_train, y_test = split
numbers, categories = (make_column_selector(dtype_include=t) for t in ("number", "category"))
model = make_pipeline(
    make_column_transformer(
        (SimpleImputer(strategy="median"), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
    ),
    FocalXGBClassifier(focal_alpha="balanced", n_estimators=100, max_depth=5, n_jobs=1),
).fit(X_train, y_train)

# %%
# A session runs the graph. It uses one core, because the model uses one core, too. Each column of
# the table is an input.

options = SessionOptions()
options.intra_op_num_threads = 1
graph = to_onnx(model, X_train).SerializeToString()
session = InferenceSession(graph, options, providers=["CPUExecutionProvider"])
inputs = {
    name: X_test[[name]].to_numpy(np.float32 if X[name].dtype == np.float32 else object)
    for name in X
}
labels, proba = session.run(["label", "probabilities"], inputs)
np.testing.assert_array_equal(labels, model.predict(X_test))
np.testing.assert_allclose(proba, model.predict_proba(X_test), atol=1e-6)
print(f"{len(graph) / 1e3:.0f} kB")

# %%
# Times for batches of different sizes: medians, on the machine that made this page. The data frame
# and the arrays are made before the clock starts.

sizes = [1, 10, 100, 1000, 10_000]
seconds = {"predict_proba": [], "onnxruntime": []}
for size in sizes:
    frame = X_test[:size]
    arrays = {name: column[:size] for name, column in inputs.items()}
    calls = {
        "predict_proba": lambda frame=frame: model.predict_proba(frame),
        "onnxruntime": lambda arrays=arrays: session.run(["probabilities"], arrays),
    }
    for name, call in calls.items():
        seconds[name].append(np.median(repeat(call, number=1, repeat=10 if size > 1000 else 50)))
latency = pd.DataFrame(seconds, index=pd.Index(sizes, name="rows"))
print((1000 * latency).round(2).add_suffix(", ms"))

# %%
# The left panel compares two probabilities with ``predict_proba``: that of the graph, and that of
# the booster alone. It shows 2,000 test rows.

alone = model[-1].get_booster().inplace_predict(model[0].transform(X_test))
styles = {"predict_proba": ("#D55E00", "s--"), "onnxruntime": ("#0072B2", "o-")}
figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.8), layout="constrained")
shown = slice(2000)
exact = model.predict_proba(X_test)[shown, 1]
left.plot(exact, proba[shown, 1], "o", color="#0072B2", markersize=3, label="skfocal.onnx")
left.plot(exact, alone[shown], "^", color="#E69F00", markersize=3, label="booster alone")
left.set(xlabel="predict_proba", ylabel="probability from the saved model")
left.legend(markerscale=2)
for name, (colour, style) in styles.items():
    right.plot(sizes, 1000 * latency[name], style, color=colour, label=name)
right.set(xscale="log", yscale="log", xlabel="rows in a batch", ylabel="milliseconds")
right.legend()
for side in (left, right):
    side.spines[["top", "right"]].set_visible(False)
plt.show()
