"""Training LightGBM on the focal loss in the workers of a Dask cluster (floor 6).

LightGBM's own function collects the rows of each worker and connects the workers. The model that
it makes in each worker is a `WorkerModel`. If a worker is lost, LightGBM's own loop waits forever;
here the client watches the workers.
"""

from typing import Any

import distributed
import numpy as np
from lightgbm import LGBMClassifier

from skfocal._booster._eval_sets import Checked, Evaluation
from skfocal._booster._plan import Plan
from skfocal._estimator._features import check_features
from skfocal._estimator._target import Target
from skfocal.dask._cluster import WatchedClient
from skfocal.lightgbm import FocalLGBMClassifier
from skfocal.lightgbm._parameters import N_THREADS_ALIASES
from skfocal.lightgbm._private import disconnect, set_booster, train_in_workers
from skfocal.lightgbm._training import (
    evaluation_arguments,
    init_score_of,
    make_trainer,
    train,
)


class WorkerModel(FocalLGBMClassifier):
    """Trains on the rows of one worker, together with the other workers."""

    def fit(  # type: ignore[override]  # called by train_on_cluster alone
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        init_score: Any = None,
        *,
        plan: Plan,
        evaluation: dict[str, Any],
        eval_metric: Any = None,
        callbacks: Any = None,
        init_model: Any = None,
        feature_name: Any = "auto",
        categorical_feature: Any = "auto",
        **of_parts: Any,
    ) -> "WorkerModel":
        """Fit on codes.

        ``evaluation`` has the fields of an `Evaluation` by name, since Dask replaces futures by
        their results in a dict only. ``of_parts`` are LightGBM's own evaluation sets, which are
        not used.
        """
        features = check_features(self, X, reset=True)
        n_rows = np.bincount(y, minlength=plan.n_classes).astype(np.float64)
        target = Target(plan.classes, y, sample_weight, None, n_rows)
        trainer = make_trainer(self.get_params(deep=False), plan, eval_metric)
        try:
            train(
                trainer,
                features,
                target,
                plan,
                callbacks or [],
                init_score=init_score_of(init_score, target, plan),
                init_model=init_model,
                feature_name=feature_name,
                categorical_feature=categorical_feature,
                **evaluation_arguments(self, Evaluation(**evaluation), plan, Checked()),
            )
        except BaseException:
            disconnect()  # or the next training of this process would wait for the others
            raise
        self.trainer_ = trainer
        set_booster(self, trainer.booster_)
        self.fitted_ = True
        return self


def train_on_cluster(
    client: distributed.Client, params: dict[str, Any], X: Any, y: Any, **arguments: Any
) -> LGBMClassifier:
    """The trainer of one of the workers; all have the same trees.

    What goes wrong in the blocks, or in a worker, is raised here.

    Parameters
    ----------
    client : distributed.Client
    params : dict
        Of `FocalLGBMClassifier`. Threads are those of the workers.
    X, y : Dask collections
        y holds codes.
    **arguments
        ``sample_weight``, ``init_score``, and those of `WorkerModel.fit`.
    """
    params = {k: v for k, v in params.items() if k not in N_THREADS_ALIASES or v is not None}
    model = train_in_workers(
        client=WatchedClient(client),  # a client by what it does
        data=X,
        label=y,
        params=params,
        model_factory=WorkerModel,
        **arguments,
    )
    if isinstance(model, distributed.Future):  # blocks that could not be computed
        raise model.exception()
    trainer: LGBMClassifier = model.trainer_
    return trainer
