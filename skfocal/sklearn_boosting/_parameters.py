"""Parameters of scikit-learn's trees that a focal classifier refuses (floor 5)."""

from typing import Any


def check_parameters(params: dict[str, Any]) -> None:
    """Refuse another loss than the focal loss.

    Raises
    ------
    ValueError
        If ``loss`` is not "log_loss".
    """
    if not isinstance(params["loss"], str) or params["loss"] != "log_loss":
        raise ValueError(
            f"loss={params['loss']!r} has no meaning beside the focal loss: leave it out. "
            "focal_gamma=0 is scikit-learn's own loss."
        )
