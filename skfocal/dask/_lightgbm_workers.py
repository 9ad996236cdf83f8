"""Training LightGBM on the focal loss in the workers of a Dask cluster (floor 5).

``lightgbm.dask._train``, a private function of LightGBM, brings the rows of each worker
together and connects the workers; the model that it makes in each of them is a
`WorkerModel`. LightGBM's own loop would hang where a worker is lost: here the client
watches over it.
"""

from dataclasses import dataclass
from typing import Any

import distributed
from lightgbm import LGBMClassifier
from lightgbm.dask import _train
from lightgbm.libpath import _LIB

from skfocal._booster._arguments import repeat
from skfocal._classifier._tables import check_features
from skfocal._classifier._target import Target
from skfocal._kernels import Array
from skfocal.dask._cluster import WatchedClient
from skfocal.lightgbm import FocalLGBMClassifier
from skfocal.lightgbm._parameters import N_THREADS_ALIASES
from skfocal.lightgbm._training import evaluation_arguments, make_trainer, train
from skfocal.losses import FocalLoss

# Arguments of fit that belong to evaluation sets.
_EVALUATION = ("eval_names", "eval_sample_weight", "eval_class_weight", "eval_init_score")


@dataclass(frozen=True)
class Whole:
    """What a worker has to know of all rows."""

    classes: Any
    loss: FocalLoss
    scale: float
    start: float | Array | None


class WorkerModel(FocalLGBMClassifier):
    """Trains on the rows of one worker, together with the other workers."""

    def fit(  # type: ignore[override]  # called by train_on_cluster alone
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        init_score: Any = None,
        *,
        whole: Whole,
        eval_metric: Any = None,
        callbacks: Any = None,
        evaluation: dict[str, Any] | None = None,
        init_model: Any = None,
        feature_name: Any = "auto",
        categorical_feature: Any = "auto",
        **of_parts: Any,
    ) -> "WorkerModel":
        """Fit; ``of_parts`` are LightGBM's evaluation sets of parts, which are not used."""
        features = check_features(self, X, reset=True)
        target = Target(whole.classes, y, sample_weight, None)
        if init_score is None and whole.start is not None:
            init_score = repeat(whole.start, len(y))
        sets = dict(evaluation or {})
        pairs = list(zip(sets.pop("tables", []), sets.pop("labels", []), strict=True))
        given = {**dict.fromkeys(_EVALUATION), **sets}
        trainer = make_trainer(self.get_params(deep=False), whole.loss, whole.scale, eval_metric)
        try:
            train(
                trainer,
                features,
                target,
                whole.start,
                [],
                init_score=init_score,
                eval_metric=trainer._focal_metrics,
                feature_name=feature_name,
                categorical_feature=categorical_feature,
                callbacks=callbacks or [],
                init_model=init_model,
                **evaluation_arguments(self, pairs, None, target, features, whole.start, **given),
            )
        except BaseException:
            _LIB.LGBM_NetworkFree()  # or the process's next training would wait for others
            raise
        self.trainer_ = trainer
        self._Booster, self.fitted_ = trainer.booster_, True
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
    model = _train(
        client=WatchedClient(client),  # type: ignore[arg-type]  # a client by what it does
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
