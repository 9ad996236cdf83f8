"""What the classifiers that choose by cross-validation share (floor 3).

They split the rows, score the held-out ones, choose a setting, and calibrate on the held-out
margins. How a setting is trained is told in `skfocal._booster` and `skfocal.linear_model`.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_method_params

from skfocal._estimator._held_out import HeldOut, Rows, Split
from skfocal._estimator._probabilities import Probabilities, change
from skfocal._estimator._selection import RULES, Setting, choose, compare
from skfocal._estimator._target import Target
from skfocal._kernels import Array
from skfocal.calibration import Calibration, fit_calibration
from skfocal.losses import FocalLoss
from skfocal.losses._link import raw_proba
from skfocal.losses._parameters import check_choice
from skfocal.losses._rows import class_totals

Rule = Literal["one_se", "best"]
DEFAULT_GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
# Attributes that a search sets. Those of the linear model are among them.
_RESULTS = (
    *("focal_gamma_", "focal_alpha_", "scores_", "fold_scores_", "best_index_", "comparison_"),
    *("oof_proba_", "n_rounds_", "C_", "Cs_", "l1_ratio_"),
)


def part_of(target: Target, rows: Rows) -> Target:
    """The target of some of the rows of positive weight."""
    codes = target.codes[rows]
    weight = None if target.sample_weight is None else target.sample_weight[rows]
    n_rows = class_totals(codes, len(target.classes))
    return Target(target.classes, codes, weight, None, n_rows)


class CrossValidationMixin:
    """Chooses gamma, and all else that is to be chosen, by the scores of held-out rows.

    Conventions
    -----------
    A *setting* is one value of ``focal_gammas`` with one of ``focal_alphas``. Settings are ordered
    by gamma; a gamma with one value a class counts as the mean of its values.
    """

    focal_gammas: Sequence[Any]
    focal_alphas: Sequence[Any]
    cv: Any
    scoring: Any
    rule: Rule
    calibration: str | None
    priors: Any
    probability: Any
    link: Any
    classes_: npt.NDArray[Any]
    loss_: FocalLoss
    _probabilities: Probabilities
    scores_: Array
    best_index_: tuple[int, ...]
    focal_gamma_: Any
    focal_alpha_: Any
    comparison_: dict[str, list[Any]]
    fold_scores_: npt.NDArray[np.float64]
    oof_proba_: Array

    def _become(self, learned: dict[str, Any], n_features: int, names: Any) -> None:
        """Take a model from elsewhere, without the results of the search that were here."""
        for name in _RESULTS:
            self.__dict__.pop(name, None)
        super()._become(learned, n_features, names)  # type: ignore[misc]  # of the plain class
        self.focal_gamma_, self.focal_alpha_ = self.loss_.gamma, self.loss_.alpha

    def _correct(self, probabilities: Probabilities) -> None:
        """Replace the correction of the log-odds; held-out probabilities follow the priors."""
        before = self._probabilities
        super()._correct(probabilities)  # type: ignore[misc]
        if "oof_proba_" in self.__dict__ and before.calibration == probabilities.calibration:
            shift = np.asarray(change(before.correction, probabilities.correction).offset)
            moved = self.oof_proba_ * np.exp(np.r_[0.0, shift] if shift.ndim == 0 else shift)
            self.oof_proba_ = moved / moved.sum(axis=1, keepdims=True)

    def _check_search(self) -> None:
        """Check the parameters of the search."""
        check_choice(self.rule, RULES, "rule")
        if self.calibration is not None:
            check_choice(self.calibration, ("sigmoid",), "calibration")
        if self.probability == "raw" and self.link == "focal":
            raise ValueError(
                'probability="raw" with link="focal" are scores that are no probabilities, and '
                'what is scored and calibrated here is the posterior: use probability="posterior".'
            )
        self._check_values("focal_gammas")
        self._check_values("focal_alphas")

    def _check_values(self, name: str) -> None:
        """Check that a parameter is a sequence of values to try."""
        values = getattr(self, name)
        if isinstance(values, str) or not isinstance(values, (Sequence, np.ndarray)):
            raise TypeError(
                f"{name} must be a sequence of the values to try; got {values!r}. For one "
                f"value give ({values!r},)."
            )
        if not len(values):
            raise ValueError(f"{name} must hold at least one value.")

    def _settings(self) -> list[Setting]:
        """All settings; alpha varies fastest."""
        alphas = list(self.focal_alphas)  # an array would give a new object for each gamma
        return [Setting(gamma, alpha) for gamma in self.focal_gammas for alpha in alphas]

    def _held_out_scorer(self) -> Any:
        """The scorer, or None for the log loss of the posterior."""
        if self.scoring is None:
            return None
        if isinstance(self.scoring, (dict, list, tuple, set)):
            raise TypeError(
                f"scoring must be the name of one score, or a scorer; got {self.scoring!r}."
            )
        return check_scoring(self, scoring=self.scoring)

    def get_metadata_routing(self) -> MetadataRouter:
        """Where arguments of fit go: to the splitter and to the scorer.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            The routing of this classifier.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(
            splitter=check_cv(self.cv, classifier=True),
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )
        scorer = self._held_out_scorer()
        if scorer is not None:
            router.add(
                scorer=scorer,
                method_mapping=MethodMapping().add(caller="fit", callee="score"),
            )
        return router

    def _split(
        self, X: Any, y: Any, sample_weight: Any, target: Target, params: dict[str, Any]
    ) -> HeldOut:
        """The folds of these rows.

        Raises
        ------
        ValueError
            If a fold trains on its own held-out rows, or lacks rows of a class.
        """
        scorer = self._held_out_scorer()
        if sample_weight is not None:
            sample_weight = np.broadcast_to(np.asarray(sample_weight), len(np.asarray(y)))
        routed = self._routed(sample_weight, scorer, params)
        splitter = check_cv(self.cv, y, classifier=True)
        X, y = indexable(X, np.asarray(y))
        to_split = _check_method_params(X, params=routed.splitter.split)
        positions = np.arange(len(y))
        if target.positive is not None:
            positions = np.full(len(y), -1)
            positions[target.positive] = np.arange(len(target.positive))
        folds = [
            _fold(np.asarray(train), np.asarray(test), positions, target, number)
            for number, (train, test) in enumerate(splitter.split(X, y, **to_split))
        ]
        if not folds:
            raise ValueError("cv gives no fold.")
        if self.rule == "one_se" and len(folds) < 2:
            raise ValueError(
                'cv gives one split, of which no standard error is known: use rule="best", or '
                "more splits."
            )
        is_calibrated = self.calibration is not None
        is_refitted = not getattr(self, "ensemble", False)  # the linear model always is
        return HeldOut(folds, target, X, y, scorer, routed.scorer.score, is_calibrated, is_refitted)

    def _routed(self, sample_weight: Any, scorer: Any, params: dict[str, Any]) -> Bunch:
        """Arguments of the splitter and of the scorer, as scikit-learn's own classes route them."""
        routed = Bunch(splitter=Bunch(split={}), scorer=Bunch(score={}))
        if not _routing_is_enabled():
            unknown = set(params) - {"groups"}
            if unknown:
                raise TypeError(
                    f"{type(self).__name__}.fit has no argument {sorted(unknown)[0]!r}. To give it "
                    "to the splitter or the scorer, use "
                    "sklearn.set_config(enable_metadata_routing=True)."
                )
            routed.splitter.split = {k: v for k, v in params.items() if v is not None}
            if sample_weight is not None and scorer is not None:
                routed.scorer.score = {"sample_weight": sample_weight}
            return routed
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        found = process_routing(self, "fit", **given, **params)
        routed.splitter = found.splitter
        if scorer is not None:
            routed.scorer = found.scorer
        return routed

    def _choose(self, scores: Array, settings: list[Setting], held_out: HeldOut) -> int:
        """The index of the chosen setting, of scores of shape (n_settings, n_splits)."""
        if not np.isfinite(scores).all():
            where = tuple(int(index) for index in np.argwhere(~np.isfinite(scores))[0])
            gamma, alpha = settings[where[0]]
            raise ValueError(
                f"The score with focal_gamma={gamma}, focal_alpha={alpha} on fold {where[1]} is "
                f"{scores[where]}: give another scoring, or a cv whose folds hold all classes."
            )
        return choose(scores, settings, held_out.resampling, self.rule)

    def _set_comparison(self, scores: Array, settings: list[Setting], held_out: HeldOut) -> None:
        """Compare the settings, of scores of shape (n_settings, n_splits)."""
        self.fold_scores_ = scores.astype(np.float64)
        self.comparison_ = compare(scores, settings, held_out.resampling)

    def _refitted(
        self, probabilities: Probabilities, held_out: HeldOut, log_odds: list[Array]
    ) -> Probabilities:
        """Those of a fit on all rows, calibrated by held-out rows for its class shares."""
        log_odds = held_out.for_all_rows(log_odds)
        found = self._calibration_of(held_out.folds, log_odds, held_out.target)
        return probabilities if found is None else probabilities.calibrated(found)

    def _calibration_of(self, folds: list[Split], log_odds: list[Array], target: Target) -> Any:
        """Slope and offset by the held-out rows, or None where they are not asked for."""
        if self.calibration is None:
            return None
        rows = np.concatenate([fold.test for fold in folds])
        weight = target.sample_weight
        return fit_calibration(
            np.concatenate(log_odds),
            target.codes[rows],
            None if weight is None else weight[rows],
            labels=target.classes.tolist(),
        )

    def _out_of_fold(
        self, held_out: HeldOut, log_odds: list[Array], correction: Calibration
    ) -> Array:
        """Corrected probabilities of held-out rows; NaN for rows that were never held out."""
        n_rows = len(held_out.y)
        total, times = np.zeros((n_rows, len(self.classes_))), np.zeros(n_rows)
        for fold, own in zip(held_out.folds, log_odds, strict=True):
            total[fold.test_of_all] += raw_proba(correction.apply(own))
            times[fold.test_of_all] += 1.0
        with np.errstate(invalid="ignore"):
            return total / times[:, np.newaxis]


def _routing_is_enabled() -> bool:
    """Whether scikit-learn routes metadata."""
    return bool(get_config()["enable_metadata_routing"])


def _fold(train: Rows, test: Rows, positions: Rows, target: Target, number: int) -> Split:
    """One fold, without the rows of weight 0."""
    every = np.arange(len(positions))
    # of masks and negative indices, too
    train, test = (every[rows] if len(rows) else every[:0] for rows in (train, test))
    in_training = np.zeros(len(positions), dtype=bool)
    in_training[train] = True
    if in_training[test].any():
        raise ValueError(
            f"Fold {number} of cv trains on rows that it holds out: its scores would be too good."
        )
    own, held_out = positions[train], np.sort(test[positions[test] >= 0])
    own = np.sort(own[own >= 0])
    if not len(held_out):
        raise ValueError(f"Fold {number} of cv holds out no row with a weight above 0.")
    present = np.bincount(target.codes[own], minlength=len(target.classes)) > 0
    known = class_totals(target.codes, len(target.classes), None) > 0
    missing = target.classes[known & ~present].tolist()
    if missing:
        raise ValueError(
            f"Fold {number} of cv trains on no row of the classes {missing}: use fewer folds, or "
            "a splitter that is stratified."
        )
    return Split(*_compact(own, positions[held_out], held_out))


def _compact(train: Rows, test: Rows, test_of_all: Rows) -> tuple[Rows, Rows, Rows]:
    """The same indices in less memory."""
    if max(int(train.max()), int(test_of_all.max())) < 2**31:
        train, test, test_of_all = (rows.astype(np.int32) for rows in (train, test, test_of_all))
    return train, test, test if np.array_equal(test, test_of_all) else test_of_all
