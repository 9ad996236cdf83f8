"""What a backend is: a package for one library of boosted trees (floor 4).

The files of a backend have the same names as those in ``skfocal/lightgbm``. ``CONTRIBUTING.md``
lists the places where a new backend is registered.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt

from skfocal._booster._eval_sets import Checked, Evaluation
from skfocal._booster._model_files import Settings
from skfocal._booster._plan import Plan
from skfocal.calibration import Calibration
from skfocal.losses import FocalLoss


class Backend(Protocol):
    """What the module ``_backend`` of each backend has under the same names."""

    @property
    def BY_NAME(self) -> Mapping[str, Any]:  # noqa: N802
        """The metrics that skfocal computes, by the library's names."""

    def check_parameters(self, params: dict[str, Any], /) -> None:
        """Refuse parameters that have no meaning, or no effect, beside a custom objective."""

    def continued_booster(self, model: Any, loss: FocalLoss, /) -> Any:
        """The booster of a model that training continues, or None."""

    def evaluation_arguments(
        self, estimator: Any, evaluation: Evaluation, plan: Plan, checked: Checked, /
    ) -> dict[str, Any]:
        """Arguments of the library's fit for evaluation sets, with labels as codes."""

    def column_names(self, data: Any, /) -> npt.NDArray[Any] | None:
        """The names of the columns of a data set of the library, or None."""

    def learned_attributes(self, booster: Any, settings: Settings, /) -> dict[str, Any]:
        """What fit learns, by the names of the library's attributes."""

    def with_margins(self, booster: Any, change: Calibration, /) -> Any:
        """A booster whose margins are ``offset + slope * margin`` of a booster's."""

    def set_booster(self, model: Any, booster: Any, /) -> None:
        """Replace the booster of a model of the library's class."""
