"""Methods of CatBoost that would show another thing than this package promises (floor 5)."""

from typing import Any, Never

import numpy as np
from catboost import CatBoostClassifier, Pool
from sklearn.utils.validation import check_is_fitted

from skfocal.catboost._files import SavedModel
from skfocal.catboost._metrics import check_metric
from skfocal.catboost._private import kept_importances


class InheritedMethods(SavedModel):
    """Refuses what CatBoost would compute from margins that are no log-odds."""

    def eval_metrics(self, data: Pool, metrics: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute metrics after each tree, as CatBoost does it from the margins.

        Parameters
        ----------
        data : Pool
            Rows with labels, which must be those of ``classes_``.
        metrics : list of str
            CatBoost's names. Refused are those that would be computed from margins that are no
            log-odds.
        *args, **kwargs
            As in `catboost.CatBoostClassifier.eval_metrics`.

        Returns
        -------
        dict
            Lists of values by the name of the metric.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If a metric is refused.
        """
        self._check_metrics(metrics)
        return CatBoostClassifier.eval_metrics(self, data, metrics, *args, **kwargs)

    def grid_search(self, *args: Any, **kwargs: Any) -> Never:
        """Refused: CatBoost's own search would train Logloss.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier`.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            "CatBoost's grid_search, randomized_search and select_features would train Logloss. "
            "Use GridSearchCV, RandomizedSearchCV or RFE of scikit-learn."
        )

    def randomized_search(self, *args: Any, **kwargs: Any) -> Never:
        """Refused, as `grid_search`.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier`.

        Raises
        ------
        NotImplementedError
            Always.
        """
        self.grid_search()

    def select_features(self, *args: Any, **kwargs: Any) -> Never:
        """Refused, as `grid_search`.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier`.

        Raises
        ------
        NotImplementedError
            Always.
        """
        self.grid_search()

    def create_metric_calcer(self, metrics: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a calculator of metrics, as CatBoost does; metrics as in `eval_metrics`.

        Parameters
        ----------
        metrics : list of str
            As in `eval_metrics`.
        *args, **kwargs
            As in `catboost.CatBoostClassifier.create_metric_calcer`.

        Returns
        -------
        BatchMetricCalcer
            CatBoost's object.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in `eval_metrics`.
        """
        self._check_metrics(metrics)
        return CatBoostClassifier.create_metric_calcer(self, metrics, *args, **kwargs)

    def get_feature_importance(self, *args: Any, **kwargs: Any) -> Any:
        """Compute importances of columns, as CatBoost does.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier.get_feature_importance`. The type
            ``"LossFunctionChange"`` needs margins that are log-odds.

        Returns
        -------
        ndarray
            As in CatBoost; SHAP values are those of the margin.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        ValueError
            If the importances would be those of another loss.
        """
        kind = kwargs.get("type", args[1] if len(args) > 1 else None)
        if "LossFunctionChange" in str(getattr(kind, "name", kind)):
            self._refuse_without_log_odds('type="LossFunctionChange"')
        check_is_fitted(self, "loss_")
        return CatBoostClassifier.get_feature_importance(self, *args, **kwargs)

    def get_object_importance(self, *args: Any, **kwargs: Any) -> Any:
        """Compute how training rows change the log loss of other rows, as CatBoost does.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier.get_object_importance`.

        Returns
        -------
        tuple of lists
            As in CatBoost.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        ValueError
            If the margins are no log-odds.
        """
        self._refuse_without_log_odds("get_object_importance")
        return CatBoostClassifier.get_object_importance(self, *args, **kwargs)

    def virtual_ensembles_predict(self, *args: Any, **kwargs: Any) -> Any:
        """Predict by parts of the model, as CatBoost does.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier.virtual_ensembles_predict`.

        Returns
        -------
        ndarray
            As in CatBoost.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        ValueError
            If the margins are no log-odds.
        """
        self._refuse_without_log_odds("virtual_ensembles_predict")
        return CatBoostClassifier.virtual_ensembles_predict(self, *args, **kwargs)

    def calc_feature_statistics(self, *args: Any, **kwargs: Any) -> Any:
        """Compute statistics of columns and predictions, as CatBoost does.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier.calc_feature_statistics`.

        Returns
        -------
        dict
            As in CatBoost.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        ValueError
            If the margins are no log-odds.
        """
        self._refuse_without_log_odds("calc_feature_statistics")
        return CatBoostClassifier.calc_feature_statistics(self, *args, **kwargs)

    def set_probability_threshold(self, *args: Any, **kwargs: Any) -> Never:
        """Refused: `predict` takes the class with the largest weight times posterior.

        Parameters
        ----------
        *args, **kwargs
            As in `catboost.CatBoostClassifier`.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            "predict takes the class with the largest weight times posterior: give the weights as "
            "focal_alpha, or use FixedThresholdClassifier of scikit-learn."
        )

    @property
    def feature_importances_(self) -> Any:
        """The importances of `get_feature_importance`, of shape (n_features,)."""
        check_is_fitted(self, "loss_")
        kept = kept_importances(self)
        return np.array(self.get_feature_importance() if kept is None else kept)

    def _check_metrics(self, metrics: Any) -> None:
        check_is_fitted(self, "loss_")
        for metric in [metrics] if isinstance(metrics, str) else metrics:
            check_metric(metric, self.loss_, "metrics")

    def _refuse_without_log_odds(self, what: str) -> None:
        check_is_fitted(self, "loss_")
        if not self.loss_.raw_is_posterior:
            raise ValueError(
                f"{what} would be of the sigmoid of the margin, which under this loss is not the "
                'probability: fit with link="posterior".'
            )
