"""All private names of scikit-learn's trees that skfocal uses, each with its reason (floor 5).

No other file of skfocal touches a private name of `HistGradientBoostingClassifier`. ``tests`` pin
each of them: a new version of scikit-learn that changes one fails there, and not in a user's fit.
"""

from collections.abc import Iterator
from copy import copy, deepcopy
from inspect import signature, unwrap
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble._hist_gradient_boosting._gradient_boosting import _update_raw_predictions
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
from sklearn.ensemble._hist_gradient_boosting.grower import TreeGrower
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_monotonic_cst

from skfocal._kernels import Array
from skfocal.calibration import Calibration
from skfocal.losses import FocalLoss

# What a fit leaves on the classifier, beside ``classes_`` and the attributes of the columns.
_TREES = ("_predictors", "_baseline_prediction", "_bin_mapper", "_preprocessor")

_parents_fit = unwrap(HistGradientBoostingClassifier.fit)
# From scikit-learn 1.7 on.
TAKES_VALIDATION_ROWS = "X_val" in signature(_parents_fit).parameters


class StopTraining(Exception):  # noqa: N818  # it tells of no error
    """Raised by a loss to end training before the next round."""


def log_loss_of(n_classes: int) -> Any:
    """scikit-learn's own loss of so many classes: a function of labels, margins and weights."""
    return HalfBinomialLoss() if n_classes == 2 else HalfMultinomialLoss(n_classes=n_classes)


class WithLoss:
    """For a class of scikit-learn's trees: it trains on a loss that a method makes.

    `HistGradientBoostingClassifier.fit` encodes the labels, and then calls
    ``_finalize_sample_weight``, which would multiply class weights into sample weights, and
    ``_get_loss``. The object ``_loss`` gives gradients and Hessians to the trees. After the fit it
    is scikit-learn's own loss, so that a saved model has no objects of training.
    """

    _loss: Any
    _columns_before: "Columns | None" = None
    """Those of the model that a warm start continues, while it does."""
    loss_: FocalLoss
    _validate_params: Any
    _in_fit: bool
    scoring: Any
    classes_: npt.NDArray[Any]
    train_score_: Any
    validation_score_: Any

    def _loss_of_rows(self, codes: Array, sample_weight: Array | None) -> Any:
        """The loss to train on, of the codes and weights of all rows."""
        raise NotImplementedError

    def _finalize_sample_weight(self, sample_weight: Array | None, y: Array) -> Array | None:
        self._loss = self._loss_of_rows(y, sample_weight)
        return sample_weight

    def _get_loss(self, sample_weight: Array | None) -> Any:
        return self._loss

    def _train(self, X: Any, y: Any, sample_weight: Any, **validation: Any) -> None:
        """The parent's ``fit``, which a `StopTraining` ends early.

        Without its decorator, which would end scikit-learn's callbacks too early. It also checks
        parameters, which is done before.
        """
        forget_columns(self)
        try:
            _parents_fit(self, X, y, sample_weight, **validation)
        except StopTraining:  # then these are the parent's last lines
            self.train_score_ = np.asarray(self.train_score_)
            self.validation_score_ = np.asarray(self.validation_score_)
            del self._in_fit
        self._loss, self._scoring = log_loss_of(len(self.classes_)), self.scoring
        vars(self).pop("_columns_before", None)

    def _score_with_raw_predictions(self, *args: Any, **kwargs: Any) -> Any:
        # of the class that this one is mixed into; it leaves a method on the object, which copies
        # would call
        score = super()._score_with_raw_predictions(*args, **kwargs)  # type: ignore[misc]
        vars(self).pop("_raw_predict", None)
        return score

    def _bin_data(self, *args: Any, **kwargs: Any) -> Any:
        # of the class that this one is mixed into
        bins = super()._bin_data(*args, **kwargs)  # type: ignore[misc]
        if self._columns_before is not None and not self._columns_before.are(columns_of(self)):
            raise ValueError(
                "warm_start=True: X has other columns, categories or bins than in the last fit. Go "
                "on with the same rows and the same max_bins, or use warm_start=False."
            )
        return bins

    def _compute_partial_dependence_recursion(self, grid: Any, target_features: Any) -> Any:
        """`sklearn.inspection.partial_dependence` asks for it, and takes it for log-odds.

        Raises
        ------
        NotImplementedError
            If margins are no log-odds.
        """
        if not self.loss_.raw_is_posterior:
            raise NotImplementedError(
                'Partial dependence by recursion is that of the margin, which with link="focal" is '
                'not the log-odds: use method="brute", or link="posterior".'
            )
        # of the class that this one is mixed into
        return super()._compute_partial_dependence_recursion(  # type: ignore[misc]
            grid, target_features
        )

    def _trees_so_far(self, shift: float | Array | None) -> dict[str, Any]:
        """The attributes of a model that has the trees of all rounds so far.

        Its margins are those of training plus ``shift``.
        """
        learned = {k: v for k, v in vars(self).items() if k.endswith("_") or k in _TREES}
        for name in ("train_score_", "validation_score_"):
            learned[name] = np.array(learned[name])
        trees: dict[str, Any] = {"_predictors": list(learned["_predictors"])}
        if shift is not None:
            trees["_baseline_prediction"] = learned["_baseline_prediction"] + shift
        if hasattr(self, "_in_fit"):  # or a copy would take its rows to be bins
            trees["_in_fit"] = False
        return {**learned, **trees, "_loss": log_loss_of(len(self.classes_))}


class Columns(NamedTuple):
    """The columns of a model, and how they are binned."""

    n_features: int
    names: list[Any] | None
    categories: list[list[Any]]
    """Of the columns that are categories, in their order."""
    thresholds: list[list[float]]

    def are(self, others: "Columns") -> bool:
        """Whether they are the same, with missing values equal to each other."""
        return repr(self) == repr(others)


def columns_of(model: Any) -> Columns:
    """The columns of a model whose rows were binned."""
    names = getattr(model, "feature_names_in_", None)
    categories = []
    if model._preprocessor is not None:
        categories = model._preprocessor.named_transformers_["encoder"].categories_
    return Columns(
        model.n_features_in_,
        None if names is None else list(names),
        [known.tolist() for known in categories],
        [edges.tolist() for edges in model._bin_mapper.bin_thresholds_],
    )


def prepare_warm_start(model: Any) -> None:
    """Give a model its own list of trees and generator, which a warm start changes in place.

    The parent takes the scorer of the first fit, and adds scores to those of another scorer.

    Raises
    ------
    ValueError
        If training stopped early by another scoring.
    """
    before = getattr(model, "_scoring", model.scoring)
    if model.do_early_stopping_ and before != model.scoring:
        raise ValueError(
            f"warm_start=True: scoring was {before!r}, and is {model.scoring!r} now. Their scores "
            "cannot be compared: keep the first one, or use warm_start=False."
        )
    if not (isinstance(model.scoring, str) and model.scoring == "loss"):
        model._scorer = check_scoring(model, model.scoring)
    model._predictors = list(model._predictors)
    model._feature_subsample_rng = deepcopy(model._feature_subsample_rng)
    model._columns_before = columns_of(model)


def forget_columns(model: Any) -> None:
    """Drop names of an earlier fit, which the parent keeps where there are categories."""
    vars(model).pop("feature_names_in_", None)


def is_trained(model: Any) -> bool:
    """Whether a model has trees, to which a warm start would add others."""
    trained: bool = model._is_fitted()
    return trained


def margins(model: Any, X: Any) -> Array:
    """Margins of rows, of shape (n,) for two classes and (n, K) for more."""
    return _margin_columns(model._raw_predict(X))


def staged_margins(model: Any, X: Any) -> Iterator[Array]:
    """Margins of rows after each round."""
    return map(_margin_columns, model._staged_raw_predict(X))


def _margin_columns(raw: Array) -> Array:
    return raw[:, 0] if raw.shape[1] == 1 else raw


def change_margins(model: Any, change: Calibration) -> None:
    """Make the margins of a model ``offset + slope * margin``.

    The trees are copied: other models, such as copies of this one, may have the same.
    """
    start = change.offset + change.slope * model._baseline_prediction
    model._baseline_prediction = np.asarray(start, dtype=model._baseline_prediction.dtype)
    if change.slope != 1.0:
        model._predictors = [
            [_scaled(tree, change.slope) for tree in trees] for trees in model._predictors
        ]


def _scaled(tree: Any, slope: float) -> Any:
    """A tree whose values are multiplied."""
    tree = copy(tree)
    tree.nodes = tree.nodes.copy()
    tree.nodes["value"] *= slope
    return tree


def margin_before_trees(model: Any) -> Array:
    """The margins of the constant from which training started, of shape (1, n_columns)."""
    start: Array = np.asarray(model._baseline_prediction, dtype=np.float64)
    return start


class Nodes(NamedTuple):
    """All nodes of all trees, as arrays of one number a node."""

    tree: npt.NDArray[np.int64]
    """The number of the tree, from 0."""
    margin: npt.NDArray[np.int64]
    """The column of the margins that the tree adds to."""
    node: npt.NDArray[np.int64]
    """The number of the node in its tree."""
    is_leaf: npt.NDArray[np.bool_]
    value: Array
    feature: npt.NDArray[np.int64]
    threshold: Array
    left: npt.NDArray[np.int64]
    """The node for numbers that are not greater than the threshold."""
    right: npt.NDArray[np.int64]
    missing_left: npt.NDArray[np.bool_]
    """Whether missing values go to the left."""


def nodes_of(model: Any) -> Nodes:
    """The trees of a model without categorical splits."""
    trees = [(k, tree.nodes) for trees in model._predictors for k, tree in enumerate(trees)]
    sizes = [len(nodes) for _, nodes in trees]
    table = np.concatenate([nodes for _, nodes in trees])

    def column(name: str) -> Any:
        return table[name].astype(np.int64)

    return Nodes(
        tree=np.repeat(np.arange(len(trees)), sizes),
        margin=np.repeat([k for k, _ in trees], sizes),
        node=np.concatenate([np.arange(size) for size in sizes]),
        is_leaf=table["is_leaf"].astype(bool),
        value=table["value"].astype(np.float64),
        feature=column("feature_idx"),
        threshold=table["num_threshold"].astype(np.float64),
        left=column("left"),
        right=column("right"),
        missing_left=table["missing_go_to_left"].astype(bool),
    )


class Trees(NamedTuple):
    """What a model has learned: its trees by rounds, and the margins before them."""

    rounds: list[list[Any]]
    start: Array
    """Of shape (1, n_columns)."""


class Bins:
    """The bins of all rows, and what trees have to know of the columns.

    Parameters
    ----------
    model : HistGradientBoostingClassifier
        Its parameters decide on the bins. It learns the columns, and how they are binned.
    X : table of shape (n_samples, n_features)
        All rows.
    """

    def __init__(self, model: Any, X: Any) -> None:
        self.model = model
        forget_columns(model)
        self.table, self._categories = model._preprocess_X(X, reset=True)
        model._n_features = self.table.shape[1]
        self.X: npt.NDArray[np.uint8] = np.empty((0, 0), np.uint8)

    def bin(self, rows: Any, sample_weight: Array | None, n_classes: int, n_threads: int) -> None:
        """Bin some of the rows, as the parent's ``fit`` bins all; the table is given up."""
        model = self.model
        random, largest = check_random_state(model.random_state), np.iinfo(np.uint32).max
        # as the parent draws them
        model._random_seed = random.randint(largest, dtype="u8")
        self._seed_of_columns = random.randint(largest, dtype="u8")
        mapper = model._bin_mapper = _BinMapper(
            n_bins=model.max_bins + 1,
            is_categorical=model._is_categorical_remapped,
            known_categories=self._categories,
            random_state=model._random_seed,
            n_threads=n_threads,
        )
        # scikit-learn makes bins of weighted rows from version 1.8 on
        weighs = "sample_weight" in signature(mapper.fit).parameters
        table = self.table[rows]
        del self.table
        mapper.fit(table, **({"sample_weight": sample_weight} if weighs else {}))
        self.X = mapper.transform(table)
        model._fitted_with_sw = sample_weight is not None  # recursion knows no weights
        model.n_trees_per_iteration_ = 1 if n_classes == 2 else n_classes
        model._validate_parameters()
        monotonic = _check_monotonic_cst(model, model.monotonic_cst)
        categorical = model.is_categorical_
        if categorical is not None:  # these columns come first
            monotonic = np.concatenate([monotonic[categorical], monotonic[~categorical]])
        self._of_columns = {
            "n_bins": model.max_bins + 1,
            "n_bins_non_missing": mapper.n_bins_non_missing_,
            "is_categorical": model._is_categorical_remapped,
            "monotonic_cst": monotonic,
            "interaction_cst": model._check_interaction_cst(model._n_features),
        }

    def grower(self, X: npt.NDArray[np.uint8], plain: Any, n_threads: int) -> "Grower":
        """What grows trees on some of the rows, with the parameters of a plain classifier."""
        random = np.random.default_rng(self._seed_of_columns)
        of_columns = {**self._of_columns, "rng": random}
        return Grower(self.model._bin_mapper, of_columns, X, plain, n_threads)

    def margins(self, trees: Trees, X: npt.NDArray[np.uint8], n_threads: int) -> Array:
        """Margins of rows in C order, of shape (n, n_columns)."""
        margins = np.tile(trees.start, (len(X), 1))
        for each in trees.rounds:
            margins += self.tree_margins(each, X, n_threads)
        return margins

    def tree_margins(self, trees: list[Any], X: npt.NDArray[np.uint8], n_threads: int) -> Array:
        """What the trees of a round add."""
        missing = self.model._bin_mapper.missing_values_bin_idx_
        return np.column_stack([tree.predict_binned(X, missing, n_threads) for tree in trees])


class Grower:
    """Grows trees on the bins of some rows."""

    def __init__(
        self,
        mapper: Any,
        of_columns: dict[str, Any],
        X: npt.NDArray[np.uint8],
        plain: Any,
        n_threads: int,
    ) -> None:
        self._thresholds, self._n_threads = mapper.bin_thresholds_, n_threads
        missing = (mapper.missing_values_bin_idx_ == X).any(axis=0).astype(np.uint8)
        self._arguments = {
            **of_columns,
            "X_binned": X,
            "has_missing_values": missing,
            "max_leaf_nodes": plain.max_leaf_nodes,
            "max_depth": plain.max_depth,
            "min_samples_leaf": plain.min_samples_leaf,
            "l2_regularization": plain.l2_regularization,
            "feature_fraction_per_split": plain.max_features,
            "shrinkage": plain.learning_rate,
            "n_threads": n_threads,
        }

    def grow(self, gradient: Array, hessian: Array, margins: Array) -> Any:
        """A tree; ``margins`` of the rows, a column, are those with it afterwards."""
        grower = TreeGrower(gradients=gradient, hessians=hessian, **self._arguments)
        grower.grow()
        _update_raw_predictions(margins, grower, self._n_threads)
        return grower.make_predictor(binning_thresholds=self._thresholds)


def set_trees(model: Any, trees: Trees) -> None:
    """Give a model, whose rows were binned, its trees; all else is as after a fit."""
    model._predictors, model._baseline_prediction = trees.rounds, trees.start
    model._loss = log_loss_of(len(model.classes_))
    model.do_early_stopping_ = False
    model.train_score_ = model.validation_score_ = np.empty(0)


def merged(models: list[Trees]) -> Trees:
    """Trees whose margins are the mean of those of several models."""
    share = 1.0 / len(models)
    rounds = [[_scaled(tree, share) for tree in each] for one in models for each in one.rounds]
    return Trees(rounds, np.mean([one.start for one in models], axis=0))
