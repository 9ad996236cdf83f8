"""Training XGBoost on the focal loss in the workers of a Dask cluster (floor 6)."""

from typing import Any

import distributed
import numpy as np
from xgboost import collective
from xgboost.dask import DaskXGBClassifier

from skfocal._kernels import Array
from skfocal.objectives import FocalObjective
from skfocal.xgboost._metrics import Metrics
from skfocal.xgboost._private import WithMetrics


class ClusterMetrics(Metrics):
    """Measures of all rows, where each worker sees its own.

    XGBoost takes the mean over workers of what a metric of one's own returns, without their
    weights. Here all return the same: the mean over rows (of squares, where the metric is a
    root). A user's function, and a rank metric of more than two classes, is approximated by
    the mean over workers weighted by their rows.
    """

    def values(self, margins: Array, dataset: Any) -> list[tuple[str, float]]:
        """Names and values of the measures, the same in all workers."""
        weight = dataset.get_weight()
        total = float(weight.sum()) if weight.size else float(len(margins))
        powers = np.array([2.0 if name == "rmse" else 1.0 for name in self.measures])
        values = np.zeros(len(powers))
        if total:  # otherwise no rows of this set are here
            values = np.array([value for _, value in super().values(margins, dataset)])
        # a rank metric of rows of one class is NaN: it says nothing of the others
        totals = np.where(np.isnan(values), 0.0, total)
        parts = np.concatenate([totals * np.nan_to_num(values) ** powers, totals])
        sums, weights = np.split(collective.allreduce(parts, collective.Op.SUM), 2)
        with np.errstate(invalid="ignore"):
            means = (sums / weights) ** (1.0 / powers)
        return list(zip(self.measures, means.tolist(), strict=True))


class WorkerObjective(FocalObjective):
    """An objective that uses no more threads than the worker has in which it is called."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Gradient and Hessian; arguments as of `FocalObjective`."""
        self.n_threads = min(self.n_threads, distributed.get_worker().state.nthreads)
        return super().__call__(y_true, y_pred, sample_weight)


class ClusterTrainer(WithMetrics, DaskXGBClassifier):
    """Trains on Dask collections."""
