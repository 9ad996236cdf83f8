"""`DaskFocalXGBClassifier` (floor 5)."""

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import distributed
import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skfocal._base import check_features, restored_on_failure
from skfocal._kernels import Array
from skfocal._optional import optional_dependency
from skfocal.dask import _collections as collections
from skfocal.dask._cluster import told_of_lost_workers
from skfocal.objectives import FocalObjective, base_score

with optional_dependency("xgboost", needed_by="DaskFocalXGBClassifier"):
    from xgboost import collective
    from xgboost.dask import DaskXGBClassifier

    from skfocal._xgboost_training import (
        Metrics,
        WithMetrics,
        check_parameters,
        check_xgb_model,
        learned_attributes,
        make_trainer,
    )
    from skfocal.xgboost import FocalXGBClassifier

__all__ = ["DaskFocalXGBClassifier"]


class ClusterMetrics(Metrics):
    """Measures of all rows, where each worker sees its own.

    XGBoost takes the mean over workers of what a metric of one's own returns, without their
    weights. Here all return the same: the mean over rows (of squares, where the metric is a
    root). A user's function, and a rank metric of more than two classes, is approximated by
    the mean over workers weighted by their rows.
    """

    def __call__(self, margins: Array, dataset: Any) -> list[tuple[str, float]]:
        weight = dataset.get_weight()
        total = float(weight.sum()) if weight.size else float(len(margins))
        powers = np.array([2.0 if name == "rmse" else 1.0 for name in self.measures])
        values = np.zeros(len(powers))
        if total:  # otherwise no rows of this set are here
            values = np.array([value for _, value in super().__call__(margins, dataset)])
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


class DaskFocalXGBClassifier(FocalXGBClassifier):
    """`FocalXGBClassifier` that trains and predicts on a Dask cluster.

    Data are Dask arrays or dataframes, of whose rows each worker keeps its own; results of
    prediction are lazy Dask arrays. Labels, class weights (``"balanced"`` too) and the start
    are those of the whole cluster. Every worker needs skfocal and XGBoost.

    Parameters
    ----------
    focal_gamma, focal_alpha, probability, hessian, link
        As in `FocalXGBClassifier`.
    coll_cfg : xgboost.collective.Config, default=None
        How workers find and wait for each other, as in `xgboost.dask.DaskXGBClassifier`.
    **kwargs
        Parameters of `xgboost.XGBClassifier`.

    Attributes
    ----------
    client : distributed.Client
        To be set where it is not the default client.

    See Also
    --------
    FocalXGBClassifier : The same in memory, with the attributes that fit learns.
    DaskFocalLGBMClassifier : The same on LightGBM.

    Notes
    -----
    Metrics are of all rows on the cluster; XGBoost's own ``"auc"`` and ``"aucpr"``, a user's
    function, and rank metrics of more than two classes are means over workers. The labels are
    read more than once: ``persist`` what is expensive to make.

    Examples
    --------
    >>> import dask.array as da
    >>> from dask.distributed import Client, LocalCluster
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal.dask import DaskFocalXGBClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(300, -1)), da.from_array(y, chunks=300)
    >>> cluster = LocalCluster(n_workers=1, processes=False, dashboard_address=":0")
    >>> with cluster, Client(cluster):
    ...     model = DaskFocalXGBClassifier(n_estimators=20).fit(X, y)
    ...     proba = model.predict_proba(X)
    ...     print(type(proba).__name__, proba.compute().shape)
    Array (569, 2)
    >>> type(model.to_local()).__name__
    'FocalXGBClassifier'
    """

    def __init__(
        self,
        *,
        focal_gamma: float | Sequence[float] = 2.0,
        focal_alpha: Any = None,
        probability: str = "posterior",
        hessian: str = "upper",
        link: str = "focal",
        coll_cfg: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            focal_gamma=focal_gamma,
            focal_alpha=focal_alpha,
            probability=probability,
            hessian=hessian,
            link=link,
            **kwargs,
        )
        self.coll_cfg = coll_cfg

    @property
    def client(self) -> distributed.Client:
        """The Dask client: the one that was set, or the default one."""
        return vars(self).get("_client") or distributed.default_client()

    @client.setter
    def client(self, client: distributed.Client | None) -> None:
        self._client = client

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_client"}

    def __sklearn_clone__(self) -> "DaskFocalXGBClassifier":
        new = super().__sklearn_clone__()
        new.client = vars(self).get("_client")
        return new

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        base_margin: Any = None,
        eval_set: Any = None,
        verbose: bool | int | None = True,
        xgb_model: Any = None,
        sample_weight_eval_set: Any = None,
        base_margin_eval_set: Any = None,
        feature_weights: Any = None,
    ) -> "DaskFocalXGBClassifier":
        """Fit the model on the cluster; all that is of rows is a Dask collection.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            NaN is a missing value.
        y : Dask array or series of shape (n_samples,)
            Labels of any type, at least two different ones.
        sample_weight : Dask array or series of shape (n_samples,), default=None
            Non-negative; rows of weight 0 are as if absent.
        base_margin, sample_weight_eval_set, base_margin_eval_set
            As in `FocalXGBClassifier.fit`, as Dask collections.
        eval_set : list of (X, y), default=None
            Evaluated each round, with labels as in y.
        verbose, xgb_model, feature_weights
            As in `FocalXGBClassifier.fit`.

        Returns
        -------
        self : DaskFocalXGBClassifier

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described; the model is then left as it was.
        WorkerLostError
            If a worker is lost; the model is left as it was.
        """
        self._check_probability()
        params = self.get_params(deep=False)
        check_parameters(params)
        collections.refuse_callbacks(self)
        with restored_on_failure(self):
            rows = collections.aligned_rows(
                X, y=y, sample_weight=sample_weight, base_margin=base_margin
            )
            check_features(self, collections.one_row(rows.X), reset=True)
            whole, counts = collections.summarise(self.client, *rows.others[:2])
            loss = self._training_loss(whole)
            scale = loss.log_loss_scale(whole.codes, whole.sample_weight)
            xgb_model = check_xgb_model(xgb_model, loss)
            rows = collections.rows_that_count(rows, counts)
            features, labels, sample_weight, base_margin = rows.all
            names = getattr(self, "feature_names_in_", None)
            learned = partial(learned_attributes, classes=whole.classes, loss=loss, names=names)
            trainer = make_trainer(
                params, loss, scale, None, learned, ClusterTrainer, ClusterMetrics
            )
            n_jobs = self.n_jobs if self.n_jobs and self.n_jobs > 0 else sys.maxsize
            trainer.objective = WorkerObjective._of_loss(loss, scale, n_jobs)
            trainer.client = self.client
            pairs = collections.evaluation_sets(
                self,
                self.client,
                eval_set or [],
                whole.classes,
                sample_weight_eval_set=sample_weight_eval_set,
                base_margin_eval_set=base_margin_eval_set,
            )
            evaluation = [
                (collections.computed(self.client, table), collections.encode(y, whole.classes))
                for table, y in pairs
            ]
            if self.base_score is None and xgb_model is None:
                trainer.base_score = base_score(loss.intercept(whole.codes, whole.sample_weight))
            with told_of_lost_workers(self.client):
                trainer.fit(
                    collections.computed(self.client, features),
                    collections.encode(labels, whole.classes),
                    sample_weight=sample_weight,
                    base_margin=base_margin,
                    eval_set=evaluation or None,
                    verbose=verbose,
                    xgb_model=xgb_model,
                    sample_weight_eval_set=sample_weight_eval_set,
                    base_margin_eval_set=base_margin_eval_set,
                    feature_weights=feature_weights,
                )
            self._learn(trainer, learned)
        return self

    def to_local(self) -> FocalXGBClassifier:
        """The same model for data in memory.

        Returns
        -------
        FocalXGBClassifier
        """
        check_is_fitted(self, "loss_")
        params = self.get_params(deep=False)
        del params["coll_cfg"]
        local = FocalXGBClassifier(**params)
        ours = ("coll_cfg", "_client")
        local.__dict__.update({k: v for k, v in vars(self).items() if k not in ours})
        return local

    def predict(
        self,
        X: Any,
        *,
        output_margin: bool = False,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: tuple[int, int] | None = None,
    ) -> Any:
        """The label with the largest weight times posterior, lazily.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            Columns as in fit.
        output_margin, validate_features, iteration_range
            As in `FocalXGBClassifier.predict`.
        base_margin : Dask collection, default=None
            As there.

        Returns
        -------
        Dask array of shape (n_samples,)
        """
        check_is_fitted(self, "loss_")
        if output_margin:
            dtype: npt.DTypeLike = np.float32
            width = None if self.loss_.n_classes == 2 else self.loss_.n_classes
        else:
            dtype, width = self.classes_.dtype, None
        return self._predict_blocks(
            "predict",
            X,
            dtype,
            width,
            base_margin,
            output_margin=output_margin,
            validate_features=validate_features,
            iteration_range=iteration_range,
        )

    def predict_proba(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: tuple[int, int] | None = None,
    ) -> Any:
        """Probabilities of the classes, lazily; arguments as in `predict`.

        Returns
        -------
        Dask array of shape (n_samples, n_classes)
        """
        check_is_fitted(self, "loss_")
        return self._predict_blocks(
            "predict_proba",
            X,
            np.float32,
            self.loss_.n_classes,
            base_margin,
            validate_features=validate_features,
            iteration_range=iteration_range,
        )

    def decision_function(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: tuple[int, int] | None = None,
    ) -> Any:
        """Scores whose sign or argmax is `predict`, lazily; arguments as there.

        Returns
        -------
        Dask array of shape (n_samples,) or (n_samples, n_classes)
        """
        check_is_fitted(self, "loss_")
        return self._predict_blocks(
            "decision_function",
            X,
            np.float32,
            None if self.loss_.n_classes == 2 else self.loss_.n_classes,
            base_margin,
            validate_features=validate_features,
            iteration_range=iteration_range,
        )

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of `predict`, computed at once; all arguments are Dask collections.

        Returns
        -------
        float
        """
        return collections.score(self, X, y, sample_weight)

    def _predict_blocks(
        self,
        method: str,
        X: Any,
        dtype: npt.DTypeLike,
        width: int | None,
        base_margin: Any,
        **arguments: Any,
    ) -> Any:
        others = {"base_margin": base_margin}
        return collections.predict(self.to_local(), method, X, dtype, width, others, **arguments)
