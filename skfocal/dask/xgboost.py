"""`DaskFocalXGBClassifier` (floor 6)."""

import sys
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self

import dask.array as da
import distributed
import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skfocal._booster._eval_sets import Checked, Evaluation
from skfocal._booster._plan import Plan
from skfocal._estimator._attributes import restored_on_failure
from skfocal._estimator._features import check_features
from skfocal._kernels import Array
from skfocal._optional import optional_dependency
from skfocal.calibration import Priors
from skfocal.dask._cluster import client_in_use, client_of, told_of_lost_workers
from skfocal.dask._collections import (
    Collection,
    Rows,
    ScoredOnCluster,
    aligned,
    computed,
    encode,
    evaluation_sets,
    one_row,
    predict_blocks,
    refuse_callbacks,
    rows_of_positive_weight,
    summarise,
    training_rows,
)
from skfocal.losses._parameters import Alpha, Gamma, Hessian, Link, Probability

with optional_dependency("xgboost", needed_by="DaskFocalXGBClassifier"):
    from xgboost import Booster, XGBModel, collective

    from skfocal.dask._xgboost_workers import ClusterMetrics, ClusterTrainer, WorkerObjective
    from skfocal.xgboost import FocalXGBClassifier
    from skfocal.xgboost._parameters import IterationRange, check_parameters, native
    from skfocal.xgboost._training import continued_booster, make_trainer, native_arguments

__all__ = ["DaskFocalXGBClassifier"]

# Parameters that the class in memory does not have.
_OF_THE_CLUSTER = ("client", "coll_cfg")


class DaskFocalXGBClassifier(ScoredOnCluster, FocalXGBClassifier):
    """`FocalXGBClassifier` that trains and predicts on a Dask cluster.

    Data are Dask arrays or dataframes. Each worker trains on the rows that it holds. Predictions
    are lazy Dask arrays. Labels, class weights (``"balanced"`` too) and the
    optimal constant are those of all rows on the cluster. Every worker needs skfocal and XGBoost.

    Parameters
    ----------
    focal_gamma : float or sequence of floats, default=2.0
        As in `FocalXGBClassifier`, and so are the next five.
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
    coll_cfg : xgboost.collective.Config, default=None
        How workers find and wait for each other, as in `xgboost.dask.DaskXGBClassifier`.
    **kwargs
        Parameters of `xgboost.XGBClassifier`.

    Attributes
    ----------
    client_ : distributed.Client
        The client in use.

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
        focal_gamma: Gamma = 2.0,
        focal_alpha: Alpha = None,
        probability: Probability = "posterior",
        hessian: Hessian = "upper",
        link: Link = "focal",
        priors: Priors = None,
        client: distributed.Client | None = None,
        coll_cfg: collective.Config | None = None,
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
        self.coll_cfg = coll_cfg

    @property
    def client_(self) -> distributed.Client:  # a property: numpydoc ignore=RT01
        """The client in use, a `distributed.Client`."""
        return client_of(self.client)

    def get_xgb_params(self) -> dict[str, Any]:
        """The parameters of XGBoost alone; see `FocalXGBClassifier.get_xgb_params`.

        Returns
        -------
        dict
            Parameters by name.
        """
        return {k: v for k, v in super().get_xgb_params().items() if k not in _OF_THE_CLUSTER}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "client": None}

    def __sklearn_clone__(self) -> Self:
        """As of other estimators, on the same client, of which there can be no copy."""
        without = copy(self)
        without.client = None
        new: Self = super(DaskFocalXGBClassifier, without).__sklearn_clone__()
        new.client = self.client
        return new

    def fit(  # type: ignore[override]  # on collections, with y
        self,
        X: Collection,
        y: Collection,
        *,
        sample_weight: Collection | None = None,
        base_margin: Collection | None = None,
        eval_set: Sequence[tuple[Collection, Collection]] | None = None,
        verbose: bool | int | None = True,
        xgb_model: str | Path | Booster | XGBModel | None = None,
        sample_weight_eval_set: Sequence[Collection | None] | None = None,
        base_margin_eval_set: Sequence[Collection | None] | None = None,
        feature_weights: npt.ArrayLike | None = None,
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
        base_margin : Dask collection, default=None
            Replaces the optimal constant, at which training starts otherwise. It is not part of
            the model.
        eval_set : list of (X, y), default=None
            Evaluated each round, with labels as in y.
        verbose : bool or int, default=True
            As in `FocalXGBClassifier.fit`, and so is all below.
        xgb_model : str, Path, Booster or XGBModel, default=None
            Training goes on from it.
        sample_weight_eval_set, base_margin_eval_set : list of Dask collection, default=None
            Of each evaluation set.
        feature_weights : array-like of shape (n_features,), default=None
            See `xgboost.XGBClassifier.fit`.

        Returns
        -------
        DaskFocalXGBClassifier
            The model itself, fitted.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described; the model is then left as it was.
        WorkerLostError
            If a worker is lost; the model is left as it was.
        """
        self._check_probability()
        check_parameters(self.get_params(deep=False))
        refuse_callbacks(self)
        evaluation = Evaluation(
            eval_set, sample_weight=sample_weight_eval_set, margins=base_margin_eval_set
        )
        own: dict[str, Any] = {"verbose": verbose, "xgb_model": xgb_model}
        own["feature_weights"] = feature_weights
        with restored_on_failure(self), client_in_use(self.client) as client:
            given = Rows(X, y, sample_weight, base_margin)
            self._fit_rows(client, given, evaluation, **own)
        return self

    def _fit_rows(
        self,
        client: distributed.Client,
        given: Rows,
        evaluation: Evaluation,
        *,
        verbose: bool | int | None,
        xgb_model: Any,
        feature_weights: Any,
    ) -> None:
        """Fit on the rows as they are given."""
        of_rows = native(given.sample_weight), native(given.margins)
        rows = training_rows(native(given.X), given.y, of_rows[0], base_margin=of_rows[1])
        check_features(self, one_row(rows.X), reset=True)
        totals, counts = summarise(client, rows.y, rows.sample_weight)
        plan = self._plan(totals, getattr(self, "feature_names_in_", None))
        continued = continued_booster(xgb_model, plan.loss)
        if self.base_score is not None or continued is not None:
            plan = plan.without_intercept()
        positive = rows_of_positive_weight(rows, counts)
        features = computed(client, positive.X)
        codes = encode(positive.y, plan.classes)
        checked = Checked()
        if positive is rows:
            weights = (given.sample_weight, rows.sample_weight)
            margins = (given.margins, rows.margins)
            checked = Checked((given.X, features), (given.y, codes), weights, margins)
        trainer = self._trainer(client, plan, verbose)
        sets = self._evaluation_sets(client, evaluation, plan.classes, checked)
        with told_of_lost_workers(client):
            trainer.fit(
                features,
                codes,
                sample_weight=positive.sample_weight,
                base_margin=positive.margins,
                eval_set=sets or None,
                verbose=False,  # a callback of ours prints
                xgb_model=continued,
                feature_weights=native(feature_weights),
                **native_arguments(evaluation, checked),
            )
        self._learn(trainer, plan)

    def _trainer(
        self, client: distributed.Client, plan: Plan, verbose: bool | int | None
    ) -> ClusterTrainer:
        """A plain classifier of XGBoost on the cluster, with the focal objective."""
        params = {k: v for k, v in self.get_params(deep=False).items() if k != "client"}
        metrics = ClusterMetrics(plan.loss)
        trainer: ClusterTrainer = make_trainer(
            params, plan, verbose, trainer_class=ClusterTrainer, metrics=metrics
        )
        n_jobs = self.n_jobs if self.n_jobs and self.n_jobs > 0 else sys.maxsize
        trainer.objective = WorkerObjective._from_loss(
            plan.loss, library="xgboost", scale=plan.scale, n_threads=n_jobs
        )
        trainer.client = client
        return trainer

    def _evaluation_sets(
        self,
        client: distributed.Client,
        evaluation: Evaluation,
        classes: npt.NDArray[Any],
        checked: Checked,
    ) -> list[tuple[Any, Any]]:
        """Tables in the workers and codes of the evaluation sets."""
        given = list(evaluation.sets or [])
        others = {
            "sample_weight_eval_set": evaluation.sample_weight,
            "base_margin_eval_set": evaluation.margins,
        }
        pairs = evaluation_sets(self, client, given, classes, **others)
        return [
            (
                checked.of(given_X, computed, client, native(X)),
                checked.of(given_y, encode, y, classes),
            )
            for (given_X, given_y), (X, y) in zip(given, pairs, strict=True)
        ]

    def to_local(self) -> FocalXGBClassifier:
        """The same model for data in memory.

        Returns
        -------
        FocalXGBClassifier
            Fitted, with the same parameters.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        """
        check_is_fitted(self, "loss_")
        params = self.get_params(deep=False)
        local = FocalXGBClassifier(**{k: v for k, v in params.items() if k not in _OF_THE_CLUSTER})
        learned = {k: v for k, v in vars(self).items() if k not in _OF_THE_CLUSTER}
        local.__dict__.update(learned)
        return local

    def predict(  # type: ignore[override]  # on collections, lazily
        self,
        X: Collection,
        *,
        output_margin: bool = False,
        validate_features: bool = True,
        base_margin: Collection | None = None,
        iteration_range: IterationRange | None = None,
    ) -> da.Array:
        """The label with the largest weight times posterior, lazily.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            Columns as in fit.
        output_margin : bool, default=False
            As in `FocalXGBClassifier.predict`, and so is all below.
        validate_features : bool, default=True
            Whether the names of columns are compared with those in fit.
        base_margin : Dask collection, default=None
            Margins to start from.
        iteration_range : (int, int), default=None
            The rounds to use.

        Returns
        -------
        Dask array of shape (n_samples,)
            Labels of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If X is no Dask collection, or not as in fit.
        """
        return self._predict_blocks(
            "predict",
            X,
            base_margin,
            output_margin=output_margin,
            validate_features=validate_features,
            iteration_range=iteration_range,
        )

    def predict_proba(  # type: ignore[override]  # on collections, lazily
        self,
        X: Collection,
        validate_features: bool = True,
        base_margin: Collection | None = None,
        iteration_range: IterationRange | None = None,
    ) -> da.Array:
        """Probability of each class, lazily.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            As in `predict`.
        validate_features : bool, default=True
            As in `predict`.
        base_margin : Dask collection, default=None
            As in `predict`.
        iteration_range : (int, int), default=None
            As in `predict`.

        Returns
        -------
        Dask array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``, float32.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._predict_blocks(
            "predict_proba",
            X,
            base_margin,
            validate_features=validate_features,
            iteration_range=iteration_range,
        )

    def decision_function(  # type: ignore[override]  # on collections, lazily
        self,
        X: Collection,
        validate_features: bool = True,
        base_margin: Collection | None = None,
        iteration_range: IterationRange | None = None,
    ) -> da.Array:
        """The log-odds of the probabilities that `predict_proba` gives, lazily.

        With class weights, which count in `predict` alone, a threshold of 0 (or the argmax)
        is another decision than `predict`.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            As in `predict`.
        validate_features : bool, default=True
            As in `predict`.
        base_margin : Dask collection, default=None
            As in `predict`.
        iteration_range : (int, int), default=None
            As in `predict`.

        Returns
        -------
        Dask array of shape (n_samples,) or (n_samples, n_classes)
            As of `FocalXGBClassifier.decision_function`.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        return self._predict_blocks(
            "decision_function",
            X,
            base_margin,
            validate_features=validate_features,
            iteration_range=iteration_range,
        )

    def apply(  # type: ignore[override]  # on collections, lazily
        self, X: Collection, iteration_range: IterationRange | None = None
    ) -> da.Array:
        """The leaf of each row in each tree, lazily.

        Parameters
        ----------
        X : Dask array or dataframe of shape (n_samples, n_features)
            Columns as in fit.
        iteration_range : (int, int), default=None
            As in `predict`, but XGBoost takes no first round other than 0.

        Returns
        -------
        Dask array of shape (n_samples, n_trees)
            Numbers of leaves, as float32.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `predict`.
        """
        local, (X, _) = self.to_local(), aligned(X)
        # one row tells the number of trees
        row = local.apply(one_row(X), iteration_range)
        width = row.shape[1] if row.ndim == 2 else None
        return predict_blocks(local, "apply", X, row.dtype, width, iteration_range=iteration_range)

    def _raw_prediction(self, X: Any) -> Array:
        raw: Array = self.predict(X, output_margin=True).compute()
        return raw

    def _predict_blocks(self, method: str, X: Any, base_margin: Any, **arguments: Any) -> da.Array:
        check_is_fitted(self, "loss_")
        n_classes = self.loss_.n_classes
        labels = method == "predict" and not arguments["output_margin"]
        one = labels or (n_classes == 2 and method != "predict_proba")
        dtype, width = self.classes_.dtype if labels else np.float32, None if one else n_classes
        others = {"base_margin": base_margin}
        return predict_blocks(self.to_local(), method, X, dtype, width, others, **arguments)
