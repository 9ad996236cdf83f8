"""`CostDisplay`: what decisions cost, against the threshold of the probability."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skfocal._kernels import Array
from skfocal.decisions._costs import cost_decision
from skfocal.metrics._budget import positives
from skfocal.metrics._costs import check_costs
from skfocal.metrics._rows import check_weight
from skfocal.plotting._style import NEUTRAL, line_style, make_axes
