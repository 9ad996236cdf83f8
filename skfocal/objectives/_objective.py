"""The losses as objectives of LightGBM and XGBoost.

Both libraries call an objective in two ways: their own ``train`` passes ``(preds, dataset)``,
their scikit-learn classes pass bare arrays ``(y_true, y_pred)``. The objective accepts both.
"""

from collections.abc import Mapping
from copy import copy
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from skfocal._kernels import Array
from skfocal.losses import FocalLoss, MulticlassFocalLoss, make_loss
from skfocal.losses._parameters import Alpha, Gamma, Hessian, Link, is_word, resolve_alpha
from skfocal.losses._rows import check_margins, checked_totals, n_classes_in
from skfocal.objectives._conventions import base_score, from_lightgbm, unpack
from skfocal.objectives._eval_metric import FocalEvalMetric
from skfocal.objectives._last_answer import LastAnswer

Library = Literal["lightgbm", "xgboost"]

# Floor of the Hessian. XGBoost's own objectives have the same floor. Its GPU trees take a
# Hessian of exactly 0 for a row that was not sampled.
MIN_HESSIAN = 1e-16
# Bound of every leaf's step in the margin, for all losses but cross-entropy (M5). Without it
# |gradient| / Hessian is 1 / ((1 + gamma) p), under the posterior link 1 / eta. Both grow
# without bound where a leaf's rows are badly missed.
MAX_STEP = 4.0
# Significant bits for XGBoost, which sums float32 in double. The two spare bits make products
# with the weights 1 to 4 exact: a row of weight 3 counts, bit for bit, as three equal rows.
# Two cases keep the full precision: LightGBM, whose bins count rows and so break the equality
# anyway, and cross-entropy, which must agree with XGBoost's own objective in the last bits.
XGBOOST_BITS = 22


class _Training(NamedTuple):
    """What an estimator knows before it trains."""

    loss: FocalLoss
    caller: Library
    scale: float


class FocalObjective:
    """Focal loss as a custom objective for LightGBM and XGBoost.

    One object serves ``lgb.train(params={"objective": f})``, ``xgb.train(obj=f)``,
    ``LGBMClassifier(objective=f)`` and ``XGBClassifier(objective=f)``, binary and
    multiclass (by the shape of the margins). Sample weights count in each call. It can be
    pickled and copied, and so can a model that has it as a parameter.

    Give the library the constant margin to start from as well: `init_score` for LightGBM's
    ``Dataset``, `base_score` for XGBoost. From margin 0, or from the log-odds of the
    prevalence, rare positives may never be learned. The library then predicts margins, which
    are the raw scores before sigmoid or softmax; `predict_proba` turns them into
    probabilities. `FocalLGBMClassifier` and `FocalXGBClassifier` do all this by themselves.

    Parameters
    ----------
    gamma : float or sequence of floats, default=2.0
        Focusing parameter [1]_, from 0 to 100; a sequence has one per class.
    alpha : float, str, tuple, dict, sequence of floats or None, default=None
        Class weights: None, a float in (0, 1) for two classes (alpha for class 1,
        1 - alpha for class 0), ``"balanced"``, ``"effective"``, ``("effective", beta)``,
        a dict {class code: weight} or one positive weight per class. Words and dicts are
        resolved on the training labels and their weights.
    hessian : {"upper", "exact", "abs"}, default="upper"
        ``"upper"`` is a positive upper bound, which for gamma > 0 also bounds each leaf's
        step. ``"exact"`` is the true Hessian and ``"abs"`` its absolute value, both floored at
        1e-16.
    link : {"focal", "posterior"}, default="focal"
        What the margins mean. ``"focal"``: their sigmoid or softmax is the paper's p.
        ``"posterior"``: their sigmoid or softmax is the posterior, so that the library's own
        ``predict`` returns probabilities.
    n_threads : int, default=1
        Threads to use at most; one thread computes small numbers of rows.

    Attributes
    ----------
    loss_ : BinaryFocalLoss or MulticlassFocalLoss
        The loss, with class weights resolved on the labels of the last call.

    See Also
    --------
    FocalEvalMetric : The loss as an evaluation metric.
    BinaryFocalLoss, MulticlassFocalLoss : The losses behind it.

    References
    ----------
    .. [1] Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002.

    Examples
    --------
    >>> import numpy as np
    >>> from skfocal import FocalObjective
    >>> objective = FocalObjective(gamma=2.0)
    >>> y = np.array([0.0, 0.0, 0.0, 1.0])
    >>> float(objective.init_score(y)[0].round(4))
    -0.4104
    >>> gradient, hessian = objective(y, objective.init_score(y))
    >>> gradient.dtype, float(abs(gradient.sum()).round(6))
    (dtype('float32'), 0.0)
    """

    # None for an objective that a user has made, and in older pickles
    _training: _Training | None = None

    def __init__(
        self,
        gamma: Gamma = 2.0,
        alpha: Alpha = None,
        hessian: Hessian = "upper",
        link: Link = "focal",
        *,
        n_threads: int = 1,
    ) -> None:
        self.gamma = gamma
        self.alpha = alpha
        self.hessian = hessian
        self.link = link
        self.n_threads = n_threads
        self._class_weights, self._scales = LastAnswer(), LastAnswer()

    @classmethod
    def _from_loss(
        cls, loss: FocalLoss, *, library: Library, scale: float, n_threads: int = 1
    ) -> Self:
        """The objective with which an estimator trains on a library.

        ``scale`` is the `log_loss_scale` of the loss on all training rows. The objective may
        then be called on a part of the rows, such as those of one process of a cluster.
        """
        objective = cls(loss.gamma, loss.alpha, loss.hessian, loss.link, n_threads=n_threads)
        objective._training = _Training(loss, library, scale)
        objective.loss_ = loss
        return objective

    def __getstate__(self) -> dict[str, Any]:
        # a copy finds its own answers
        return {k: v for k, v in vars(self).items() if not isinstance(v, LastAnswer)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._class_weights, self._scales = LastAnswer(), LastAnswer()

    def __repr__(self) -> str:
        names = ("gamma", "alpha", "hessian", "link")
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({given})"

    def __call__(
        self,
        y_true: npt.ArrayLike,
        y_pred: Any,
        sample_weight: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array]:
        """Gradient and Hessian in float32, for either calling convention.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes; the margins in the form ``(preds, dataset)``.
        y_pred : array-like of shape (n,) or (n, K)
            Margins; the dataset in the form ``(preds, dataset)``.
        sample_weight : array-like of shape (n,), default=None
            Weights of rows, finite and >= 0; a dataset brings its own.

        Returns
        -------
        gradient : ndarray of shape (n,) or (n, K), float32
            The shape of the margins.
        hessian : ndarray of shape (n,) or (n, K), float32
            Floored at 1e-16. Both are new arrays in each call.

        Raises
        ------
        TypeError, ValueError
            If a parameter of the objective, a shape, a label or a weight is not as described.

        Notes
        -----
        Margins are not checked, which would cost a pass over them in each round. As a rule
        the results of a row with a NaN are NaN.

        The results are those of the loss, multiplied by its ``log_loss_scale`` on the labels: the
        mean Hessian at `init_score` is that of log loss with the same class weights.

        Two details depend on the library: the factor on the diagonal of the multiclass Hessian
        and the rounding of results. The classifiers of this package name their library. An
        objective that was made otherwise infers it: a dataset names its library; of bare
        arrays, float64 margins are taken to come from LightGBM and all others from XGBoost.
        """
        labels, raw, weight = unpack(y_true, y_pred, sample_weight)
        raw = check_margins(raw, "y_pred")
        n_classes = 2 if raw.ndim == 1 else raw.shape[1]
        loss = self._resolve(labels, weight, n_classes)
        scale = self._scale(loss, labels, weight)
        if raw.ndim == 2 and n_classes == 2:
            loss = MulticlassFocalLoss(2, loss.gamma, loss.class_weight, loss.hessian, loss.link)
        if self._training is not None:
            in_lightgbm = self._training.caller == "lightgbm"
        else:
            in_lightgbm = from_lightgbm(raw, y_pred)
        return loss.gradient_hessian(
            labels,
            raw,
            weight,
            max_step=np.inf if loss.is_cross_entropy else MAX_STEP,
            min_hessian=MIN_HESSIAN,
            scale=scale,
            hessian_scale=n_classes / (n_classes - 1) if in_lightgbm else 2.0,
            bits=53 if in_lightgbm or loss.is_cross_entropy else XGBOOST_BITS,
            dtype=np.float32,
            n_threads=self.n_threads,
        )

    def init_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Array:
        """The argument of ``lgb.Dataset(init_score=)``: the optimal constant in each row.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class codes of the training rows.
        sample_weight : array-like of shape (n,), default=None
            Their weights.

        Returns
        -------
        ndarray of shape (n,) or (n, K)
            LightGBM does not store it in the model: add its first row to raw scores.

        Raises
        ------
        TypeError, ValueError
            If a parameter of the objective or a label is not as described.
        """
        constant, n_rows = self._intercept(y_true, sample_weight), np.size(y_true)
        return np.tile(constant, (n_rows, 1)) if np.ndim(constant) else np.full(n_rows, constant)

    def base_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float | list[float]:
        """The argument ``base_score`` of XGBoost, which stores it in the model.

        Parameters
        ----------
        y_true, sample_weight : array-like of shape (n,)
            As in `init_score`.

        Returns
        -------
        float or list of float
            Binary: a probability, for ``binary:logistic``. Multiclass: K margins of sum
            0, for ``multi:softprob`` (XGBoost >= 3.1).

        Raises
        ------
        TypeError, ValueError
            As in `init_score`.
        """
        return base_score(self._intercept(y_true, sample_weight))

    def predict_proba(self, raw_prediction: npt.ArrayLike) -> Array:
        """Posterior probabilities of margins; see `BinaryFocalLoss.posterior`.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, K)
            Margins that the library predicts; for LightGBM, plus the first row of `init_score`.

        Returns
        -------
        ndarray of shape (n, K)
            Columns in the order of the codes.

        Raises
        ------
        AttributeError
            If alpha is a word or a dict and no labels were seen.
        TypeError, ValueError
            If a parameter of the objective or the shape of the margins is not as described.
        """
        raw = check_margins(raw_prediction, "raw_prediction")
        if hasattr(self, "loss_"):
            return self.loss_.posterior(raw)
        if self._needs_labels:
            raise AttributeError(
                f"alpha={self.alpha!r} has not seen labels: call init_score(y_true) or "
                "base_score(y_true) on this object first."
            )
        n_classes = 2 if raw.ndim == 1 else raw.shape[1]
        return make_loss(n_classes, self.gamma, self.alpha, link=self.link).posterior(raw)

    def eval_metric(self) -> "FocalEvalMetric":
        """The metric ``"focal_loss"`` with the gamma and class weights of this objective.

        Returns
        -------
        FocalEvalMetric
            It uses the class weights that the objective has found in its last call.
        """
        return FocalEvalMetric._of_objective(self, self.gamma, self.link)

    @property
    def _needs_labels(self) -> bool:
        return isinstance(self.alpha, Mapping) or is_word(self.alpha)

    def _resolve(self, labels: npt.ArrayLike, weight: Any, n_classes: int) -> FocalLoss:
        """The loss of the rows; also kept as ``loss_``."""
        if self._training is not None:
            return self._training.loss
        alpha = self._numbers(labels, weight, n_classes) if self._needs_labels else self.alpha
        self.loss_ = make_loss(n_classes, self.gamma, alpha, self.hessian, self.link)
        return self.loss_

    def _numbers(self, labels: npt.ArrayLike, weight: Any, n_classes: int) -> Any:
        """The class weights that a word or a dict stands for on these rows."""

        def count() -> Any:
            totals = checked_totals(labels, n_classes, weight)
            return resolve_alpha(self.alpha, np.arange(n_classes), totals)

        return self._class_weights.get((copy(self.alpha), n_classes), labels, weight, count)

    def _scale(self, loss: FocalLoss, labels: npt.ArrayLike, weight: Any) -> float:
        """The `log_loss_scale` of the loss on these rows, or on all rows where it is known."""
        if self._training is not None:
            return self._training.scale
        if not loss.is_scaled:
            return 1.0
        scale: float = self._scales.get(
            loss, labels, weight, lambda: loss.log_loss_scale(labels, weight)
        )
        return scale

    def _intercept(self, y_true: Any, sample_weight: Any) -> float | Array:
        n_classes = n_classes_in(y_true)
        return self._resolve(y_true, sample_weight, n_classes).intercept(y_true, sample_weight)
