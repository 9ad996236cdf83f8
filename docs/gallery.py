"""The order of the gallery: from a first model to what one does with it."""

from pathlib import Path

ORDER = (
    "fraud_desk",
    "credit",
    "gamma",
    "grid_search",
    "probabilities",
    "costs",
    "multiclass",
    "categories",
    "early_stopping",
    "hard_examples",
    "posterior_link",
    "shap",
    "onnx",
    "custom_objective",
    "dask",
)


def place(file_name: str) -> int:
    """Place of an example; a ValueError for one that is not in the list."""
    return ORDER.index(Path(file_name).stem.removeprefix("plot_"))
