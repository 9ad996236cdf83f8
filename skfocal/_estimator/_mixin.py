"""The parent of all focal classifiers: the loss, probabilities and labels (floor 3)."""

from collections.abc import Mapping
from dataclasses import replace
from inspect import Parameter, Signature, signature
from typing import Any, ClassVar, Never

import numpy as np
import numpy.typing as npt

from skfocal._estimator._calibrate import CalibrateMixin
from skfocal._estimator._callbacks import CallbackSupportMixin
from skfocal._estimator._target import ClassTotals
from skfocal._kernels import Array, fetched, on_device, sent_like
from skfocal.losses import FocalLoss, make_loss
from skfocal.losses._link import HESSIANS, LINKS, log_weight, raw_proba
from skfocal.losses._parameters import (
    Alpha,
    ClassWeight,
    Gamma,
    Hessian,
    Link,
    check_choice,
    check_gamma,
    is_word,
    resolve_alpha,
    weights_by_label,
)


def training_loss(
    totals: ClassTotals,
    gamma: Gamma,
    alpha: Alpha,
    *,
    hessian: Hessian = "upper",
    link: Link = "focal",
    class_weight: ClassWeight = None,
    balanced_by_rows: bool = False,
) -> FocalLoss:
    """The loss with ``focal_gamma``, ``focal_alpha`` and ``class_weight`` as numbers.

    The weight of a class is w_k = alpha_k * class_weight_k. ``class_weight="balanced"`` counts
    the rows of each class if ``balanced_by_rows``; otherwise it sums their sample weights.
    """
    n_classes = len(totals.classes)
    gamma = check_gamma(gamma, n_classes, "focal_gamma")
    check_choice(hessian, HESSIANS, "hessian")
    check_choice(link, LINKS, "link")
    if isinstance(class_weight, str) and class_weight != "balanced":
        raise ValueError(f'class_weight must be "balanced" or a dict; got {class_weight!r}.')
    if isinstance(class_weight, str) and is_word(alpha):
        raise ValueError(
            f"focal_alpha={alpha!r} and class_weight={class_weight!r} multiply, which would "
            "balance twice: give one of them."
        )
    weights = _resolved(alpha, totals.classes, totals.weights, "focal_alpha")
    if class_weight is not None:
        given: Any = class_weight
        if isinstance(class_weight, Mapping):
            given = weights_by_label(class_weight, totals.classes)
        sizes = totals.n_rows if balanced_by_rows else totals.weights
        factors = _resolved(given, totals.classes, sizes, "class_weight")
        weights = tuple(np.multiply(weights or 1.0, factors or 1.0).tolist())
    return make_loss(n_classes, gamma, weights, hessian, link)


def _resolved(
    alpha: Alpha, classes: npt.NDArray[Any], totals: Any, name: str
) -> tuple[float, ...] | None:
    """`resolve_alpha`, in which words ignore a class without weight. Such a class weighs 1."""
    present = totals > 0
    if present.all() or not is_word(alpha):
        return resolve_alpha(alpha, classes, totals, name)
    weights = np.ones(len(classes))
    weights[present] = resolve_alpha(alpha, classes[present], totals[present], name)
    return tuple(weights.tolist())


def full_signature(cls: type) -> Signature:
    """The parameters of a class, with those that it passes to its parents as ``**kwargs``.

    Parameters annotated as `Never` are left out, and those in ``_chosen`` of the class: nobody
    can give them.
    """
    chosen = getattr(cls, "_chosen", ())
    found: dict[str, Parameter] = {}
    for each in cls.__mro__:
        if each is object or "__init__" not in vars(each):
            continue
        own = list(signature(vars(each)["__init__"]).parameters.values())[1:]
        for parameter in own:
            if parameter.annotation is not Never and parameter.name not in chosen:
                found.setdefault(parameter.name, parameter)
        if all(parameter.kind is not Parameter.VAR_KEYWORD for parameter in own):
            # nobody takes what is left
            found = {k: v for k, v in found.items() if v.kind is not Parameter.VAR_KEYWORD}
            break
    return Signature(sorted(found.values(), key=lambda parameter: parameter.kind))


class FocalClassifierMixin(CalibrateMixin, CallbackSupportMixin):
    """Posterior, label and decision from the margins of a model trained on focal loss.

    Conventions
    -----------
    ``classes_`` are the sorted labels; everything per class (``focal_gamma``,
    ``focal_alpha``, columns of probabilities) is in that order, and in binary problems
    ``classes_[1]`` is the positive class.

    - ``predict_proba`` is the posterior of the population in y, or, with
      ``probability="raw"``, the sigmoid or softmax of the margin as other packages have it.
      With ``link="posterior"`` the two are the same.
    - ``predict`` is the class with the largest weight times posterior: ``focal_alpha``
      and ``class_weight`` are costs, they move the decision and not the probabilities.
      ``sample_weight`` describes the population and is not undone.
    - ``decision_function`` has the log-odds of ``predict_proba``: binary log(P+ / P-), of
      shape (n,), whose sigmoid is the probability of ``classes_[1]``; multiclass log P_k
      plus a constant of the row, of shape (n, K), whose softmax are the probabilities. With
      ``probability="raw"``, or at ``focal_gamma=0`` without class weights, these are the
      margins. Its sign or argmax is the likelier class,
      so with class weights it is not ``predict``.
    - `calibrate` and `adjust_priors` map the log-odds u of the posterior to offset + slope u.
      Where the margin is u the model itself holds the map: the booster in its trees, the linear
      model in its coefficients. This is so with ``link="posterior"``, and at ``focal_gamma=0``
      without class weights. Otherwise the classifier keeps the map beside the model.
    """

    focal_gamma: Gamma
    focal_alpha: Alpha
    hessian: Hessian
    link: Link
    n_features_in_: int
    feature_names_in_: Any
    __signature__: ClassVar[Signature]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Tell notebooks the parameters that a class hands to its parent as ``**kwargs``."""
        super().__init_subclass__(**kwargs)
        cls.__signature__ = full_signature(cls)

    def _become(self, learned: dict[str, Any], n_features: int, names: Any) -> None:
        """Take a model from elsewhere; nothing of an earlier fit stays.

        Parameters are set past ``set_params``, which hands them to a fitted booster.
        """
        self.__dict__.pop("evals_result_", None)
        for name, value in learned.items():
            setattr(self, name, value)
        self.focal_gamma, self.focal_alpha = self.loss_.gamma, self.loss_.alpha
        self.hessian, self.link = self.loss_.hessian, self.loss_.link
        self._set_columns(n_features, names)

    def _set_columns(self, n_features: int, names: Any) -> None:
        self.__dict__.pop("feature_names_in_", None)
        self.n_features_in_ = n_features
        if names is not None:
            self.feature_names_in_ = names

    def _training_loss(
        self,
        totals: ClassTotals,
        class_weight: ClassWeight = None,
        *,
        balanced_by_rows: bool = False,
    ) -> FocalLoss:
        return training_loss(
            totals,
            self.focal_gamma,
            self.focal_alpha,
            hessian=getattr(self, "hessian", "upper"),
            link=self.link,
            class_weight=class_weight,
            balanced_by_rows=balanced_by_rows,
        )

    def _proba(self, raw: Array) -> Array:
        self._check_probability()
        correction = self._beside
        if self.probability == "posterior":
            if correction is None:
                return self.loss_.posterior(raw)
            on_host = fetched(raw)
            proba = raw_proba(self._log_odds(on_host, correction)).astype(on_host.dtype)
            return sent_like(raw, proba) if on_device(raw) else proba
        if on_device(raw):  # under the posterior link the two are the same
            return replace(self.loss_, link="posterior", hessian="upper").posterior(raw)
        return raw_proba(raw)

    def _decision(self, raw: Array) -> Array:
        """The log-odds of `_proba`, of margins on the host."""
        self._check_probability()
        correction = self._beside
        if correction is not None:
            return self._log_odds(raw, correction).astype(raw.dtype)
        return self.loss_.log_odds(raw) if self.probability == "posterior" else raw

    def _scores(self, raw: Array) -> Array:
        """Scores whose sign or argmax is the class with the largest weight times posterior."""
        correction = self._beside
        if correction is None:
            return self.loss_.decision(raw)
        scores = self._log_odds(raw, correction) + log_weight(self.loss_.class_weight, raw)
        return np.asarray(scores, dtype=raw.dtype)

    def _label(self, raw: Array) -> npt.NDArray[Any]:
        scores = self._scores(raw)
        codes = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[codes.astype(np.intp)]
