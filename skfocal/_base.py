"""What the three classifiers share: labels, weights, the loss, posterior and label.

Floor 4; knows the losses, not the libraries that train on them.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import Parameter, Signature, signature
from typing import Any, ClassVar, Never

import numpy as np
import numpy.typing as npt
from joblib import cpu_count
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_n_features, _check_sample_weight, validate_data

from skfocal._callbacks import CallbackSupportMixin
from skfocal._kernels import Array, on_device
from skfocal._link import raw_proba
from skfocal._loss import HESSIANS, LINKS
from skfocal._parameters import (
    Alpha,
    ClassWeight,
    Gamma,
    Hessian,
    Link,
    Probability,
    check_choice,
    check_gamma,
    class_totals,
    is_word,
    resolve_alpha,
    row_blocks,
    weights_by_label,
)
from skfocal._rows import checked_totals
from skfocal.losses import FocalLoss, make_loss

# Tables are of many libraries, and have no type in common.
Table = Any
# By name, or a function in the boosters' conventions.
Metric = str | Callable[..., Any]

# Parameters that the boosters' own classes do not know.
FOCAL_PARAMETERS = ("focal_gamma", "focal_alpha", "probability", "hessian", "link")


def refuse_misspelt(params: Mapping[str, Any]) -> None:
    """The boosters take parameters of any name, and keep silent of those that they do not know.

    Raises
    ------
    TypeError
        If a name looks like one of ours and is none.
    """
    for name in params:
        if name.startswith("focal") and name not in FOCAL_PARAMETERS:
            raise TypeError(
                f"There is no parameter {name!r}; those of the focal loss are "
                f"{', '.join(FOCAL_PARAMETERS)}."
            )


class LearnedAttribute:
    """An attribute that fit sets, in a class whose parent has a read-only property."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        try:
            return vars(instance)[self._name]
        except KeyError:
            if not instance.__sklearn_is_fitted__():  # this error is an AttributeError, too
                raise NotFittedError(
                    f"This {type(instance).__name__} is not fitted: it has no {self._name!r} "
                    "yet. Call fit first."
                ) from None
            raise AttributeError(
                f"{type(instance).__name__!r} object has no attribute {self._name!r}"
            ) from None

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self._name] = value

    def __delete__(self, instance: Any) -> None:
        if vars(instance).pop(self._name, self) is self:
            raise AttributeError(self._name)


@contextmanager
def restored_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Leave an estimator as it was where the block raises: never half-fitted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@dataclass(frozen=True)
class Target:
    """Training labels as codes in the order of ``classes``, without rows of weight 0."""

    classes: npt.NDArray[Any]
    codes: npt.NDArray[np.integer]
    sample_weight: npt.NDArray[np.floating] | None
    kept: npt.NDArray[np.intp] | None
    """Indices of the rows that are left, None where that is all of them."""
    n_rows: npt.NDArray[np.float64] | None = None
    """Number of rows of each class, those of weight 0 too."""

    @property
    def totals(self) -> npt.NDArray[np.float64]:
        """Sum of the sample weights of each class."""
        return class_totals(self.codes, len(self.classes), self.sample_weight)


def make_target(
    estimator: Any, X: Any, y: Any, sample_weight: Any, weight_dtype: npt.DTypeLike = np.float64
) -> Target:
    """Check y and sample_weight against X (already checked) and encode the labels.

    The boosters keep weights as float32: with that ``weight_dtype`` the start and the
    class weights are of the weights that they train on.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=estimator)
    y = column_or_1d(y, warn=True)
    if y.dtype.kind not in "iub":  # which are labels, and need no sorted copy to see it
        check_classification_targets(y)
    if len(y) != X.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows, but y has {len(y)} labels.")
    kept = None
    if sample_weight is not None:
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=weight_dtype, ensure_non_negative=True
        )
        if not sample_weight.any():
            raise ValueError("sample_weight must not be zero for all rows.")
        if not sample_weight.all():
            kept = np.flatnonzero(sample_weight)
    classes = np.unique(np.concatenate([np.unique(y[rows]) for rows in row_blocks(len(y))]))
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least two classes, but y has only one class: "
            f"{classes.tolist()[0]!r}."
        )
    # a search among few labels; the inverse of unique would sort all rows
    codes = np.empty(len(y), dtype=np.int32)
    for rows in row_blocks(len(y)):
        codes[rows] = np.searchsorted(classes, y[rows])
    n_rows = class_totals(codes, len(classes))
    if kept is not None:  # of which a class may have no row: the parents' bags are such
        codes, sample_weight = codes[kept], sample_weight[kept]
    return Target(classes, codes, sample_weight, kept, n_rows)


def codes_target(labels: npt.NDArray[Any], sample_weight: npt.NDArray[Any] | None) -> Target:
    """One row for each class, of the sum of its weights, for labels that are codes already.

    So are those of the boosters' own data sets, which may be too large to be copied; all
    that a loss, its start and its scale depend on is in the sums.

    Raises
    ------
    ValueError
        If they are not 0..K-1 with K >= 2, each with rows, or no row has a weight.
    """
    if labels is None or len(labels) == 0:
        raise ValueError("The data set has no labels.")
    if sample_weight is not None and np.min(sample_weight) < 0:
        raise ValueError("The weights of the data set must not be negative.")
    n_classes = int(np.max(labels)) + 1
    n_rows = checked_totals(labels, max(n_classes, 2), None)
    if n_classes < 2 or not n_rows.all():
        raise ValueError(
            "The labels of the data set must be the codes 0..K-1 of at least two classes, each "
            f"with rows; numbers of rows by code: {n_rows.astype(int).tolist()}."
        )
    totals = n_rows if sample_weight is None else class_totals(labels, n_classes, sample_weight)
    if not totals.any():
        raise ValueError("The weights of the data set must not be zero for all rows.")
    return Target(np.arange(n_classes), np.arange(n_classes), totals, None, n_rows)


def refuse_arguments(kind: str, **given: Any) -> None:
    """Labels, weights and starts are in a data set of the booster's, and only there."""
    names = [
        name
        for name, value in given.items()
        if not (value is None or (isinstance(value, str) and value == "auto"))
    ]
    if names:
        raise ValueError(
            f"X is a {kind}, which holds labels, weights, starts and names of columns: leave out "
            f"{', '.join(names)}."
        )


def check_evaluation_sets(sets: Sequence[Any], *kinds: type) -> None:
    """Evaluation sets must be of one of the ``kinds``; without, pairs of a table and labels.

    Raises
    ------
    TypeError
        If they are not.
    """
    for each in sets:
        if kinds and not isinstance(each, kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"eval_set must hold {names}, as X is one; got {type(each).__name__}.")
        if not kinds and not (isinstance(each, (tuple, list)) and len(each) == 2):
            raise TypeError(f"eval_set must hold pairs (X, y); got {type(each).__name__}.")


def check_features(estimator: Any, X: Any, *, reset: bool, names: bool = True) -> Any:
    """Check number and names of columns; frames stay frames, all else becomes an array.

    Without ``names`` only the number of columns is checked.
    """
    validate = validate_data if names else _validate_without_names
    if on_device(X):
        return _check_device_table(estimator, X, reset)
    # asked of the type, since columns of pandas are attributes of the frame
    kind = type(X)
    if hasattr(kind, "collect"):  # a lazy frame
        X = X.collect()
        kind = type(X)
    if hasattr(kind, "columns") or hasattr(kind, "column_names"):
        # only frames of pandas may have names of mixed types, which the boosters accept
        # and scikit-learn does not: there only their number is checked
        pandas_like = hasattr(kind, "iloc")
        mixed = pandas_like and len({isinstance(name, str) for name in X.columns}) > 1
        named = X.to_numpy() if mixed else X
        validate(estimator, named, reset=reset, skip_check_array=True)
        if X.shape[0] < 1 or X.shape[1] < 1:
            raise ValueError(f"X must have at least one row and one column; got {X.shape}.")
        return X
    return validate(
        estimator, X, reset=reset, accept_sparse=("csr", "csc"), ensure_all_finite=False
    )


def _validate_without_names(
    estimator: Any, X: Any, *, reset: bool, skip_check_array: bool = False, **checks: Any
) -> Any:
    """scikit-learn's `validate_data`, without a look at the names of columns."""
    if not skip_check_array:
        X = check_array(X, input_name="X", estimator=estimator, **checks)
    _check_n_features(estimator, X, reset=reset)
    return X


def _check_device_table(estimator: Any, X: Any, reset: bool) -> Any:
    """scikit-learn's checks of the shape, which it does of arrays on the host."""
    if len(X.shape) != 2 or 0 in X.shape:
        raise ValueError(
            f"X must have two dimensions, with at least one row and one column; got {X.shape}."
        )
    if reset:
        estimator._set_columns(X.shape[1], None)
    elif X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    return X


def booster_threads(n_jobs: int | None) -> int:
    """Threads that a booster uses for ``n_jobs``: None or 0 leave it to OpenMP."""
    if n_jobs:
        return n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)
    limit = os.environ.get("OMP_NUM_THREADS", "")  # joblib sets it in its workers
    return int(limit) if limit.isdigit() and int(limit) > 0 else cpu_count()


def repeat(start: float | Array, n_rows: int) -> Array:
    """The start in every row."""
    return np.full(n_rows, start) if np.ndim(start) == 0 else np.tile(start, (n_rows, 1))


def encode_labels(classes: npt.NDArray[Any], y: Any, name: str) -> npt.NDArray[np.intp]:
    """Codes of labels that were all seen in training."""
    y = column_or_1d(y)
    try:
        codes: npt.NDArray[np.intp] = np.searchsorted(classes, y).clip(max=len(classes) - 1)
        unknown = classes[codes] != y
    except TypeError:  # of a kind that does not compare with the classes
        unknown = np.ones(len(y), dtype=bool)
    if np.any(unknown):
        labels = sorted(set(np.asarray(y)[unknown].tolist()), key=str)
        raise ValueError(f"{name} has labels that are not in y: {labels}.")
    return codes


def training_loss(
    target: Target,
    gamma: Gamma,
    alpha: Alpha,
    *,
    hessian: Hessian = "upper",
    link: Link = "focal",
    class_weight: ClassWeight = None,
    balanced_by_rows: bool = False,
) -> FocalLoss:
    """The loss with ``focal_gamma``, ``focal_alpha`` and ``class_weight`` as numbers.

    Class weights multiply: w_k = alpha_k * class_weight_k. ``class_weight="balanced"`` goes
    by the number of rows of a class where its parent does, else by their weights.
    """
    n_classes = len(target.classes)
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
    weights = _resolved(alpha, target.classes, target.totals, "focal_alpha")
    if class_weight is not None:
        by_rows = balanced_by_rows and target.n_rows is not None
        totals = target.n_rows if by_rows else target.totals
        given: Any = class_weight
        if isinstance(class_weight, Mapping):
            given = weights_by_label(class_weight, target.classes)
        factors = _resolved(given, target.classes, totals, "class_weight")
        weights = tuple(np.multiply(weights or 1.0, factors or 1.0).tolist())
    return make_loss(n_classes, gamma, weights, hessian, link)


def _resolved(
    alpha: Alpha, classes: npt.NDArray[Any], totals: Any, name: str
) -> tuple[float, ...] | None:
    """`resolve_alpha`, to whose words a class without weight is as if absent; it weighs 1."""
    present = totals > 0
    if present.all() or not is_word(alpha):
        return resolve_alpha(alpha, classes, totals, name)
    weights = np.ones(len(classes))
    weights[present] = resolve_alpha(alpha, classes[present], totals[present], name)
    return tuple(weights.tolist())


def check_continued(before: FocalLoss | None, loss: FocalLoss, name: str) -> None:
    """Refuse to continue a model that is known to be of another loss."""
    if before is not None and before != loss:
        raise ValueError(
            f"{name} was trained on {before!r}, which is not the loss of this model, {loss!r}: "
            "a model cannot be continued with another gamma, alpha or link."
        )


def full_signature(kind: type) -> Signature:
    """The parameters of a class, and of its parents as long as constructors take others.

    What is annotated as `Never`, nobody can give.
    """
    found: dict[str, Parameter] = {}
    for each in kind.__mro__:
        if each is object or "__init__" not in vars(each):
            continue
        own = list(signature(vars(each)["__init__"]).parameters.values())[1:]
        for parameter in own:
            if parameter.annotation is not Never:
                found.setdefault(parameter.name, parameter)
        if all(parameter.kind is not Parameter.VAR_KEYWORD for parameter in own):
            break
    return Signature(sorted(found.values(), key=lambda parameter: parameter.kind))


class FocalClassifierMixin(CallbackSupportMixin):
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
    """

    focal_gamma: Gamma
    focal_alpha: Alpha
    probability: Probability
    hessian: Hessian
    link: Link
    loss_: FocalLoss
    n_features_in_: int
    feature_names_in_: Any
    classes_: npt.NDArray[Any]
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
        self, target: Target, class_weight: ClassWeight = None, *, balanced_by_rows: bool = False
    ) -> FocalLoss:
        return training_loss(
            target,
            self.focal_gamma,
            self.focal_alpha,
            hessian=getattr(self, "hessian", "upper"),
            link=self.link,
            class_weight=class_weight,
            balanced_by_rows=balanced_by_rows,
        )

    def _check_probability(self) -> None:
        check_choice(self.probability, ("posterior", "raw"), "probability")

    def _proba(self, raw: Array) -> Array:
        self._check_probability()
        if self.probability == "posterior":
            return self.loss_.posterior(raw)
        if on_device(raw):  # under the posterior link the two are the same
            return replace(self.loss_, link="posterior", hessian="upper").posterior(raw)
        return raw_proba(raw)

    def _decision(self, raw: Array) -> Array:
        """The log-odds of `_proba`, of margins on the host."""
        self._check_probability()
        return self.loss_.log_odds(raw) if self.probability == "posterior" else raw

    def _label(self, raw: Array) -> npt.NDArray[Any]:
        decision = self.loss_.decision(raw)
        codes = decision > 0 if decision.ndim == 1 else decision.argmax(axis=1)
        return self.classes_[codes.astype(np.intp)]
