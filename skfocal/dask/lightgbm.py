"""`DaskFocalLGBMClassifier` (floor 6)."""

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Literal, Self

import dask.array as da
import distributed
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skfocal._booster._arguments import Metric
from skfocal._booster._eval_sets import Evaluation
from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._features import check_features
from skfocal._kernels import Array
from skfocal._optional import optional_dependency
from skfocal.calibration import Priors
from skfocal.dask._cluster import client_in_use, client_of
from skfocal.dask._collections import (
    Collection,
    Rows,
    ScoredOnCluster,
    aligned,
    encode,
    evaluation_sets,
    in_one_piece,
    one_row,
    predict_blocks,
    refuse_callbacks,
    rows_of_positive_weight,
    summarise,
    training_rows,
)
from skfocal.losses._parameters import Alpha, ClassWeight, Gamma, Hessian, Link, Probability

with optional_dependency("lightgbm", needed_by="DaskFocalLGBMClassifier"):
    from lightgbm import Booster, LGBMModel

    from skfocal.dask._lightgbm_workers import train_on_cluster
    from skfocal.lightgbm import FocalLGBMClassifier
    from skfocal.lightgbm._parameters import check_callbacks
    from skfocal.lightgbm._training import continued_booster, evaluation_pairs

__all__ = ["DaskFocalLGBMClassifier"]


class DaskFocalLGBMClassifier(ScoredOnCluster, FocalLGBMClassifier):
    """`FocalLGBMClassifier` that trains and predicts on a Dask cluster.

    Data are Dask arrays or dataframes. Each worker trains on the rows that it holds. Predictions
    are lazy Dask arrays. Labels, class weights (``"balanced"`` too) and the
    optimal constant are those of all rows on the cluster. Every worker needs skfocal and LightGBM.

    Parameters
    ----------
    focal_gamma : float or sequence of floats, default=2.0
        As in `FocalLGBMClassifier`, and so are the next five.
    focal_alpha : float, str, tuple, dict, sequence of floats or None, default=None
        Class weights.
    probability : {"posterior", "raw"}, default="posterior"
        What `predict_proba` returns.
    hessian : {"upper", "exact", "abs"}, default="upper"
        Second derivative that trees are grown on.
    link : {"focal", "posterior"}, default="focal"
        What the margin is.
    priors : dict or array-like of shape (n_classes,), default=None
        The shares of the classes in the population.
    client : distributed.Client, default=None
        If None, the default client, or in a task of a cluster that of its worker.
    **kwargs
        Parameters of `lightgbm.LGBMClassifier`, and of its ``lightgbm.dask`` module
        (``tree_learner``, ``machines``, ``local_listen_port``, ``time_out``). Threads are
        those of the workers.

    Attributes
    ----------
    client_ : distributed.Client
        The client in use.

    See Also
    --------
    FocalLGBMClassifier : The same in memory, with the attributes that fit learns.
    DaskFocalXGBClassifier : The same on XGBoost.

    Notes
    -----
    LightGBM has no way to add up a metric over workers, so each worker gets all rows of the
    evaluation sets: metrics are exact, and all workers stop at the same round. Evaluation
    sets therefore have to fit in the memory of a worker, and the training set is none.

    If a worker is lost, `fit` raises an error within seconds, and the model is as it was. The
    others wait for the lost one in LightGBM's own code: their nannies restart them, which
    loses what was persisted there.

    Two fits on the same rows differ a little, as sums are taken in another order. The labels
    are read twice: ``persist`` what is expensive to make.

    Examples
    --------
    >>> import dask.array as da
    >>> from dask.distributed import Client, LocalCluster
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal.dask import DaskFocalLGBMClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(300, -1)), da.from_array(y, chunks=300)
    >>> cluster = LocalCluster(n_workers=1, processes=False, dashboard_address=":0")
    >>> with cluster, Client(cluster):
    ...     model = DaskFocalLGBMClassifier(n_estimators=20, verbose=-1).fit(X, y)
    ...     proba = model.predict_proba(X)
    ...     print(type(proba).__name__, proba.compute().shape)
    Finding random open ports for workers
    Array (569, 2)
    >>> type(model.to_local()).__name__
    'FocalLGBMClassifier'
    """

    def __init__(
        self,
        *,
        focal_gamma: Gamma = 2.0,
        focal_alpha: Alpha = None,
        probability: Probability = "posterior",
        hessian: Hessian = "upper",
        link: Link = "focal",
        priors: Priors = None,
        client: distributed.Client | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            focal_gamma=focal_gamma,
            focal_alpha=focal_alpha,
            probability=probability,
            hessian=hessian,
            link=link,
            priors=priors,
            **kwargs,
        )
        self.client = client

    @property
    def client_(self) -> distributed.Client:
        """The client in use, a `distributed.Client`."""
        return client_of(self.client)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; LightGBM would hand the client on as one of its own.

        Parameters
        ----------
        **params
            Parameters by name.

        Returns
        -------
        DaskFocalLGBMClassifier
            The model itself.
        """
        if "client" in params:
            self.client = params.pop("client")
        return super().set_params(**params)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "client": None}

    def __sklearn_clone__(self) -> Self:
        """As of other estimators, on the same client, of which there can be no copy."""
        without = copy(self)
        without.client = None
        new: Self = super(DaskFocalLGBMClassifier, without).__sklearn_clone__()
        new.client = self.client
        return new

    def fit(  # type: ignore[override]  # on collections, with y
        self,
        X: Collection,
        y: Collection,
        sample_weight: Collection | None = None,
        init_score: Collection | None = None,
        eval_set: Sequence[tuple[Collection, Collection]] | None = None,
        eval_names: list[str] | None = None,
        eval_sample_weight: Sequence[Collection | None] | None = None,
        eval_class_weight: Sequence[ClassWeight] | None = None,
        eval_init_score: Sequence[Collection | None] | None = None,
        eval_metric: Metric | Sequence[Metric] | None = None,
        feature_name: list[str] | Literal["auto"] = "auto",
        categorical_feature: Sequence[str] | Sequence[int] | Literal["auto"] = "auto",
        callbacks: list[Callable[..., Any]] | None = None,
        init_model: str | Path | Booster | LGBMModel | None = None,
        *,
        eval_X: Collection | tuple[Collection, ...] | None = None,
        eval_y: Collection | tuple[Collection, ...] | None = None,
    ) -> Self:
        """Fit the model on the cluster. All arguments with one entry per row are Dask collections.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            NaN is a missing value.
        y : Dask array or series of shape (n_samples,)
            Labels of any type, at least two different ones.
        sample_weight : Dask array or series of shape (n_samples,), default=None
            Non-negative; rows of weight 0 are as if absent.
        init_score : Dask array, default=None
            Replaces the optimal constant, at which training starts otherwise. It is not part of
            the model.
        eval_set : list of (X, y), default=None
            Dask collections; all workers evaluate all rows each round.
        eval_names : list of str, default=None
            As in `FocalLGBMClassifier.fit`, and so is all below; what is of rows are Dask
            collections.
        eval_sample_weight : list of Dask array or series, default=None
            Of each evaluation set.
        eval_class_weight : list of dict or "balanced", default=None
            Of each evaluation set.
        eval_init_score : list of Dask array, default=None
            Of each evaluation set.
        eval_metric : str, callable or list of them, default=None
            Added to ``metric``.
        feature_name : list of str or "auto", default="auto"
            Names of the columns.
        categorical_feature : list of str or int, or "auto", default="auto"
            Columns that are categories.
        callbacks : list of callable, default=None
            LightGBM's; they travel to the workers and are called there.
        init_model : str, Path, Booster or LGBMModel, default=None
            Training goes on from it.
        eval_X, eval_y : table and labels, or tuples of them, default=None
            The evaluation sets in the form of LightGBM >= 4.7.

        Returns
        -------
        DaskFocalLGBMClassifier
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described; the model is then left as it was.
        WorkerLostError
            If a worker is lost; the model is left as it was.
        """
        self._check_parameters()
        check_callbacks(callbacks)
        refuse_callbacks(self)
        sets = evaluation_pairs(eval_set, eval_X, eval_y)
        evaluation = Evaluation(
            sets, eval_names, eval_sample_weight, eval_class_weight, eval_init_score
        )
        arguments = {
            "eval_metric": eval_metric,
            "callbacks": callbacks,
            "feature_name": feature_name,
            "categorical_feature": categorical_feature,
        }
        with restored_on_failure(self), client_in_use(self.client) as client:
            rows = training_rows(X, y, sample_weight, init_score=init_score)
            self._fit_rows(client, rows, evaluation, init_model, arguments)
        return self

    def _fit_rows(
        self,
        client: distributed.Client,
        rows: Rows,
        evaluation: Evaluation,
        init_model: Any,
        arguments: dict[str, Any],
    ) -> None:
        """Fit on collections whose blocks belong together."""
        check_features(self, one_row(rows.X), reset=True)
        totals, counts = summarise(client, rows.y, rows.sample_weight)
        plan = self._plan(totals, getattr(self, "feature_names_in_", None))
        continued = continued_booster(init_model, plan.loss)
        params = self.get_params(deep=False)
        del params["client"]
        own_margins = rows.margins is not None or continued is not None
        if own_margins or not params.get("boost_from_average", True):
            plan = plan.without_intercept()
        gathered = self._gathered(client, evaluation, plan.classes)
        rows = rows_of_positive_weight(rows, counts)
        trainer = train_on_cluster(
            client,
            params,
            rows.X,
            encode(rows.y, plan.classes),
            sample_weight=rows.sample_weight,
            init_score=rows.margins,
            plan=plan,
            evaluation=gathered,
            init_model=continued,
            **arguments,
        )
        self._learn(trainer, plan)

    def _gathered(
        self, client: distributed.Client, evaluation: Evaluation, classes: npt.NDArray[Any]
    ) -> dict[str, Any]:
        """Evaluation sets as futures of tables in one piece, which each worker fetches."""
        if not evaluation.sets:
            return vars(Evaluation(None))
        names = {"eval_sample_weight": "sample_weight", "eval_init_score": "margins"}
        given = {name: getattr(evaluation, field) for name, field in names.items()}
        pairs = evaluation_sets(self, client, evaluation.sets, classes, **given)
        sets = [(in_one_piece(client, X), in_one_piece(client, y)) for X, y in pairs]
        rest = {
            field: None if given[name] is None else [in_one_piece(client, c) for c in given[name]]
            for name, field in names.items()
        }
        return {**vars(evaluation), "sets": sets, **rest}

    def to_local(self) -> FocalLGBMClassifier:
        """The same model for data in memory.

        Returns
        -------
        FocalLGBMClassifier
            Fitted, with the same parameters.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        """
        check_is_fitted(self)
        params = self.get_params(deep=False)
        del params["client"]
        local = FocalLGBMClassifier(**params)
        local.__dict__.update({k: v for k, v in vars(self).items() if k != "client"})
        return local

    def predict(  # type: ignore[override]  # lazily, and others by name
        self, X: Collection, raw_score: bool = False, **kwargs: Any
    ) -> da.Array:
        """The label with the largest weight times posterior, lazily.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            Columns as in fit.
        raw_score : bool, default=False
            Return the booster's margins instead.
        **kwargs
            As in `FocalLGBMClassifier.predict`, ``pred_leaf`` and ``pred_contrib`` too.

        Returns
        -------
        Dask array of shape (n_samples,)
            Labels of ``classes_``, unless something else was asked for.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If X is no Dask collection, or not as in fit.
        """
        return self._predict_blocks("predict", X, raw_score=raw_score, **kwargs)

    def predict_proba(  # type: ignore[override]  # lazily, and others by name
        self, X: Collection, raw_score: bool = False, **kwargs: Any
    ) -> da.Array:
        """Probability of each class, lazily.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            As in `predict`.
        raw_score : bool, default=False
            As in `predict`.
        **kwargs
            As in `predict`.

        Returns
        -------
        Dask array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._predict_blocks("predict_proba", X, raw_score=raw_score, **kwargs)

    def decision_function(  # type: ignore[override]  # lazily, and others by name
        self, X: Collection, **kwargs: Any
    ) -> da.Array:
        """The log-odds of the probabilities that `predict_proba` gives, lazily.

        With class weights, which count in `predict` alone, a threshold of 0 (or the argmax)
        is another decision than `predict`.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            As in `predict`.
        **kwargs
            As in `FocalLGBMClassifier.decision_function`.

        Returns
        -------
        Dask array of shape (n_samples,) or (n_samples, n_classes)
            As of `FocalLGBMClassifier.decision_function`.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._predict_blocks("decision_function", X, **kwargs)

    def _raw_prediction(self, X: Any) -> Array:
        raw: Array = self.predict(X, raw_score=True).compute()
        return raw

    def _predict_blocks(self, method: str, X: Any, **arguments: Any) -> da.Array:
        local = self.to_local()
        # one row tells shape and type of all that LightGBM can be asked for
        X, _ = aligned(X)
        row = getattr(local, method)(one_row(X), **arguments)
        width = row.shape[1] if row.ndim == 2 else None
        return predict_blocks(local, method, X, row.dtype, width, **arguments)
