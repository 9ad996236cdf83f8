"""All private names of LightGBM that skfocal uses, each with its reason (floor 5).

No other file of skfocal touches a private name of LightGBM. ``tests`` pin each of them: a new
version of LightGBM that changes one fails there, and not in a user's fit.
"""

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
from lightgbm import Booster, Dataset, LGBMClassifier, LGBMModel
from lightgbm.compat import _LGBMLabelEncoder
from sklearn.preprocessing import LabelEncoder

from skfocal._booster._arguments import FOCAL_PARAMETERS
from skfocal._booster._model_files import Settings
from skfocal._estimator._callbacks import as_defined
from skfocal.lightgbm._metrics import METRIC_PARAMETERS
from skfocal.lightgbm._parameters import N_CLASSES_ALIASES

# What `LGBMClassifier.fit` leaves on the classifier besides the booster. `evals_result_`,
# `best_score_` and `best_iteration_` read them.
_RESULTS = ("_best_iteration", "_best_score", "_evals_result")


class Trainer(LGBMClassifier):
    """A plain classifier whose labels are the codes of ``n_codes`` classes.

    `LGBMClassifier.fit` would encode the labels again. In a worker of a cluster, whose rows may
    lack a class, it would give them other codes. So this class sets what the encoding sets
    (``_classes``, ``_le``, ``_class_map``, ``_n_classes``) and calls the grandparent's `fit`.
    """

    n_codes: int
    computed_metrics: list[Callable[..., Any]]

    def fit(self, X: Any, y: Any, *args: Any, **kwargs: Any) -> "Trainer":
        """Fit; arguments as of `LGBMClassifier.fit`."""
        self._classes = np.arange(self.n_codes)
        self._le = LabelEncoder().fit(self._classes)
        self._class_map = {k: k for k in range(self.n_codes)}
        self._n_classes = self.n_codes
        if self.objective is None:
            self._objective = None
        as_defined(LGBMModel.fit)(self, X, y, *args, **kwargs)
        return self

    def _process_params(self, stage: str) -> dict[str, Any]:
        """LightGBM's parameters, with an objective that loggers can print."""
        params = super()._process_params(stage)
        if stage == "fit" and callable(self.objective):
            params["objective"] = self.objective  # it takes a data set, and needs no wrapper
        return params


class OwnParameters:
    """For the focal classifier: it hands LightGBM's own parameters to LightGBM, and not ours.

    ``_process_params`` makes the parameters of training and of prediction from the constructor's.
    """

    _n_classes: int  # set by fit
    _own_parameters: tuple[str, ...] = FOCAL_PARAMETERS

    def _process_params(self, stage: str) -> dict[str, Any]:
        # of the class that this one is mixed into
        params: dict[str, Any] = super()._process_params(stage)  # type: ignore[misc]
        # with more than two classes their number is the parent's own
        n_classes = N_CLASSES_ALIASES if self._n_classes == 2 else ()
        ours = (*self._own_parameters, *METRIC_PARAMETERS, *n_classes)
        return {name: value for name, value in params.items() if name not in ours}


def training_parameters(trainer: Trainer) -> dict[str, Any]:
    """What `LGBMClassifier.fit` would hand to `lightgbm.train`."""
    trainer._n_classes = trainer.n_codes
    trainer._objective = trainer.objective
    # the objective takes margins and data set; LightGBM's wrapper would give it arrays alone
    return {**trainer._process_params(stage="fit"), "objective": trainer.objective}


def train_as_fit_does(*args: Any, **kwargs: Any) -> Booster:
    """`lightgbm.train` by the name that `LGBMModel.fit` calls.

    mlflow's autologging replaces `lightgbm.train` by a function that saves the booster. It would
    save it before the intercept is part of the model.
    """
    return lightgbm.sklearn.train(*args, **kwargs)  # type: ignore[attr-defined]


def set_booster(model: LGBMModel, booster: Booster) -> None:
    """Replace the booster of a fitted model; ``booster_`` is a read-only property."""
    model._Booster = booster


def set_results(trainer: Trainer, booster: Booster, history: dict[str, Any]) -> None:
    """What `LGBMModel.fit` sets after training, for a booster that was trained without it."""
    trainer.fitted_ = True
    trainer._best_iteration, trainer._best_score = booster.best_iteration, booster.best_score
    trainer._evals_result = history


def results_of(trainer: LGBMClassifier) -> dict[str, Any]:
    """Best iteration, best score and history of a fitted trainer, by LightGBM's names."""
    return {name: getattr(trainer, name) for name in _RESULTS}


def learned_attributes(booster: Booster, settings: Settings) -> dict[str, Any]:
    """What fit learns, by the names of LGBMClassifier's attributes."""
    classes, loss = settings.classes, settings.loss
    encoder = _LGBMLabelEncoder()
    encoder.classes_ = classes
    return {
        "_Booster": booster,
        "_best_iteration": booster.best_iteration,
        "_best_score": booster.best_score,
        "_evals_result": {},
        "_n_classes": loss.n_classes,
        "_n_features": booster.num_feature(),
        "_classes": classes,
        "_le": encoder,
        "_class_map": {label: k for k, label in enumerate(classes)},
        "_objective": "binary" if loss.n_classes == 2 else "multiclass",
        "fitted_": True,
        "loss_": loss,
        "_probabilities": settings.probabilities,
    }


def is_constructed(dataset: Dataset) -> bool:
    """Whether LightGBM has made its bins; then some properties must be asked of the library."""
    return dataset._handle is not None


def with_parameters(dataset: Dataset, params: dict[str, Any]) -> Dataset:
    """The data set with these parameters, as `lightgbm.train` adds them before it is made."""
    return dataset._update_params(params)


def train_in_workers(**arguments: Any) -> Any:
    """``lightgbm.dask._train``: it connects the workers and trains one model in each.

    `DaskLGBMClassifier.fit` calls it with a model class of its own.
    """
    from lightgbm.dask import _train  # Dask is optional

    return _train(**arguments)


def disconnect() -> None:
    """End this process's connections to other workers, which a failed training leaves open."""
    from lightgbm.libpath import _LIB

    _LIB.LGBM_NetworkFree()
