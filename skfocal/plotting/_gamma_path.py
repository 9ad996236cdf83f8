"""`GammaPathDisplay`: a score against gamma, for each fold and on average."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import validation_curve
from sklearn.utils.validation import check_is_fitted

from skfocal._estimator._cross_validation import CrossValidationMixin
from skfocal._estimator._selection import verdict
from skfocal.losses._parameters import check_flag, check_integer
from skfocal.losses._rows import numbers
from skfocal.plotting._style import NEUTRAL, line_style, make_axes

PARAMETER = "focal_gamma"


class GammaPathDisplay:
    """Cross-validated score against gamma.

    gamma is the focusing parameter of the focal loss. The scores of two folds often differ by
    more than gamma changes either of them. ``relative=True`` therefore draws the differences
    within each fold.

    Parameters
    ----------
    gamma : ndarray of shape (n_gammas,)
        Values of gamma, ascending.
    scores : ndarray of shape (n_gammas, n_folds)
        Scores, of which greater ones are better.
    score_name : str, default="score"
        Name of the score.
    interval : ndarray of shape (2, n_gammas), default=None
        Lower and upper limits of the mean difference to the smallest gamma. They are drawn in
        place of the standard error.
    chosen : int, default=None
        Index of the gamma that is marked.
    verdict : str, default=None
        What is said above the figure.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where `plot` drew.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    line_ : matplotlib Line2D
        The mean over folds.
    fold_lines_ : list of matplotlib Line2D
        A line for each fold.
    errorbar_ : matplotlib ErrorbarContainer
        The standard error of the mean, or ``interval``.
    chosen_ : matplotlib Line2D or None
        The mark of the chosen gamma.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skfocal import FocalLogisticRegression
    >>> from skfocal.plotting import GammaPathDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> display = GammaPathDisplay.from_estimator(
    ...     FocalLogisticRegression(), X, y, gamma=[0.0, 2.0], cv=3, scoring="neg_log_loss"
    ... )
    >>> display.scores.shape
    (2, 3)
    """

    ax_: Any
    figure_: Any
    line_: Any
    fold_lines_: list[Any]
    errorbar_: Any
    chosen_: Any

    def __init__(
        self,
        *,
        gamma: npt.NDArray[np.float64],
        scores: npt.NDArray[np.float64],
        score_name: str = "score",
        interval: npt.NDArray[np.float64] | None = None,
        chosen: int | None = None,
        verdict: str | None = None,
    ) -> None:
        if np.ndim(numbers(gamma, "gamma")) != 1 or not np.size(gamma):
            raise ValueError(f"gamma must have shape (n_gammas,); got {np.shape(gamma)}.")
        shape = np.shape(numbers(scores, "scores"))
        if len(shape) != 2 or shape[0] != np.size(gamma) or not shape[1]:
            raise ValueError(
                f"scores must have shape ({np.size(gamma)}, n_folds), a row for each gamma; got "
                f"{shape}."
            )
        if interval is not None and np.shape(numbers(interval, "interval")) != (2, shape[0]):
            raise ValueError(f"interval must have shape (2, {shape[0]}); got {np.shape(interval)}.")
        if chosen is not None:
            check_integer(chosen, "chosen", 0, shape[0] - 1)
        self.gamma = np.asarray(gamma)
        self.scores = np.asarray(scores)
        self.score_name = score_name
        self.interval = None if interval is None else np.asarray(interval)
        self.chosen, self.verdict = chosen, verdict

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: npt.ArrayLike,
        *,
        gamma: Sequence[float] = (0.0, 0.5, 1.0, 2.0, 5.0),
        param_name: str | None = None,
        cv: Any = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        relative: bool = False,
        ax: Any = None,
    ) -> "GammaPathDisplay":
        """Fit a classifier for each gamma and fold.

        Parameters
        ----------
        estimator : estimator
            A focal classifier, or a pipeline with one. It is cloned.
        X : array-like of shape (n, n_features)
            Rows.
        y : array-like of shape (n,)
            Their labels.
        gamma : sequence of floats, default=(0, 0.5, 1, 2, 5)
            Values of ``focal_gamma``.
        param_name : str, default=None
            Name of the parameter, such as ``"classifier__focal_gamma"``. None for the only one
            whose name is, or ends in, ``focal_gamma``.
        cv : int, splitter or iterable, default=None
            As in `sklearn.model_selection.validation_curve`.
        scoring : str or callable, default=None
            As in `sklearn.model_selection.validation_curve`. None means accuracy, which says
            little about rare classes.
        n_jobs : int, default=None
            Processes for the fits.
        relative : bool, default=False
            As in `plot`.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        GammaPathDisplay

        Raises
        ------
        TypeError, ValueError
            If it is not clear which parameter is meant, or another argument is not as above.
        """
        check_flag(relative, "relative")
        if n_jobs is not None:
            check_integer(n_jobs, "n_jobs", -(2**31))
        param_name = _known_parameter(estimator, param_name)
        values = numbers(gamma, "gamma")
        if values.ndim != 1 or not len(values):
            raise ValueError(f"gamma must be a sequence of numbers; got {gamma!r}.")
        values = np.unique(values.astype(np.float64))
        _, scores = validation_curve(
            estimator,
            X,
            y,
            param_name=param_name,
            param_range=values.tolist(),
            cv=cv,
            scoring=scoring,
            n_jobs=n_jobs,
            error_score="raise",
        )
        # a search has a score of its own
        name = score_name(scoring, "score" if hasattr(estimator, "scoring") else "accuracy")
        return cls(gamma=values, scores=scores, score_name=name).plot(ax=ax, relative=relative)

    @classmethod
    def from_cv(cls, model: Any, *, relative: bool = True, ax: Any = None) -> "GammaPathDisplay":
        """From a classifier that has chosen gamma by cross-validation.

        Drawn are the scores with the alpha that was chosen, each gamma at its best number of
        rounds, or penalty. The intervals are those of ``comparison_``: 95% for the difference
        to the smallest gamma on the same folds. A line of text says whether a gamma is better than
        that one by more than chance. A gamma with one value a class is drawn at their mean.

        Parameters
        ----------
        model : a class of skfocal whose name ends in CV
            Fitted.
        relative : bool, default=True
            As in `plot`.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        GammaPathDisplay

        Raises
        ------
        TypeError
            If the model is of another class.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        check_flag(relative, "relative")
        if not isinstance(model, CrossValidationMixin):
            raise TypeError(
                f"model must be a classifier whose name ends in CV; got {type(model).__name__}."
            )
        check_is_fitted(model, "comparison_")
        table, n_alphas = model.comparison_, model.scores_.shape[1]
        rows = np.arange(model.best_index_[1], len(model.fold_scores_), n_alphas)
        gamma = np.array([float(np.mean(table["focal_gamma"][row])) for row in rows])
        order = np.argsort(gamma, kind="stable")
        rows = rows[order]
        chosen_row = model.best_index_[0] * n_alphas + model.best_index_[1]
        limits = [[table[name][row] for row in rows] for name in ("lower", "upper")]
        display = cls(
            gamma=gamma[order],
            scores=model.fold_scores_[rows],
            score_name=score_name(model.scoring, "negative log loss"),
            interval=np.nan_to_num(limits),  # one split has no interval
            chosen=int(np.flatnonzero(rows == chosen_row)[0]),
            verdict=verdict(table, int(chosen_row)),
        )
        return display.plot(ax=ax, relative=relative)

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        *,
        param_name: str | None = None,
        score: str = "score",
        relative: bool = False,
        ax: Any = None,
    ) -> "GammaPathDisplay":
        """From ``cv_results_`` of a search over ``focal_gamma``.

        If the search varied other parameters too, the scores of a gamma are those of its best
        candidate: the one with the best mean over folds. Of a halving search, the scores are
        from the last iteration in which each gamma took part.

        Parameters
        ----------
        cv_results : mapping
            ``cv_results_`` of a `GridSearchCV` or another search.
        param_name : str, default=None
            Name of the parameter. None for the only one whose name is, or ends in,
            ``focal_gamma``.
        score : str, default="score"
            Name of the metric, if the search had several.
        relative : bool, default=False
            As in `plot`.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        GammaPathDisplay

        Raises
        ------
        TypeError, ValueError
            If it is not clear which parameter is meant, if the search had no such score, or if a
            gamma is not a number.
        """
        check_flag(relative, "relative")
        if not isinstance(cv_results, Mapping):
            raise TypeError(f"cv_results must be a mapping; got {type(cv_results).__name__}.")
        if not (param_name is None or isinstance(param_name, str)):
            raise TypeError(f"param_name must be a name or None; got {param_name!r}.")
        param = "param_" + param_name if param_name else _parameter(cv_results, "param_")
        if param not in cv_results:
            raise ValueError(f"param_name must be one in cv_results; no parameter {param_name!r}.")
        splits = [f"split{k}_test_{score}" for k in range(len(cv_results))]
        splits = [name for name in splits if name in cv_results]
        if not splits:
            names = sorted(n.removeprefix("mean_test_") for n in cv_results if "mean_test_" in n)
            raise ValueError(f"score must be one of {names}; got {score!r}.")
        scores = np.column_stack([np.asarray(cv_results[name], dtype=float) for name in splits])
        # candidates of a search over several grids may lack the parameter: they are masked
        given = cv_results[param]
        known = ~np.broadcast_to(np.ma.getmask(given), len(given))
        try:
            gammas = np.array([float(g) for g, k in zip(given, known, strict=True) if k])
        except (TypeError, ValueError):
            raise ValueError(f"{param[6:]} must be one number in each candidate.") from None
        scores = scores[known]
        if "iter" in cv_results:  # halving: each iteration has other rows
            last = _last_complete(np.asarray(cv_results["iter"])[known], gammas)
            gammas, scores = gammas[last], scores[last]
        values = np.unique(gammas)
        means = np.nan_to_num(scores.mean(axis=1), nan=-np.inf)
        best = [max(np.flatnonzero(gammas == value), key=means.__getitem__) for value in values]
        display = cls(gamma=values, scores=scores[best], score_name=score)
        return display.plot(ax=ax, relative=relative)

    def plot(self, ax: Any = None, *, relative: bool = False) -> "GammaPathDisplay":
        """Draw each fold, the mean and its standard error.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        relative : bool, default=False
            Whether to draw the difference from the score of the same fold at the smallest gamma.

        Returns
        -------
        GammaPathDisplay
            The object itself.
        """
        check_flag(relative, "relative")
        ax = make_axes(self, ax)
        scores = self.scores - self.scores[0] if relative else self.scores
        n_folds, mean = scores.shape[1], scores.mean(axis=1)
        self.fold_lines_ = ax.plot(self.gamma, scores, color=NEUTRAL, linewidth=0.8, alpha=0.6)
        self.errorbar_ = ax.errorbar(
            self.gamma,
            mean,
            self._error(scores),
            marker="o",
            markersize=4,
            capsize=3,
            label=f"mean of {n_folds} folds, with {self._error_name()}",
            **line_style(0),
        )
        self.line_ = self.errorbar_.lines[0]
        self.fold_lines_[0].set_label("folds")
        name = self.score_name
        if relative:
            name += f" less that at gamma {self.gamma[0]:g}"
            ax.axhline(0.0, color=NEUTRAL, linewidth=0.8, zorder=0)
        ax.set(xlabel="focal_gamma", ylabel=name, xticks=self.gamma)
        self.chosen_ = None
        if self.chosen is not None:
            style = {**line_style(1), "linestyle": "none", "fillstyle": "none"}
            at = self.gamma[self.chosen], mean[self.chosen]
            (self.chosen_,) = ax.plot(*at, marker="o", markersize=11, label="chosen", **style)
        if self.verdict:
            ax.set_title(fill(self.verdict, 64), fontsize="medium", loc="left")
        ax.legend(frameon=False)
        return self

    def _error(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Lengths of the error bars, of shape (n_gammas,) or (2, n_gammas)."""
        if self.interval is not None:
            mean, (low, high) = scores.mean(axis=1), self.interval
            return np.maximum([mean - mean[0] - low, high - mean + mean[0]], 0.0)
        n_folds = scores.shape[1]
        spread = scores.std(axis=1, ddof=1) if n_folds > 1 else np.zeros(len(scores))
        return np.asarray(spread / np.sqrt(n_folds))

    def _error_name(self) -> str:
        return "standard error" if self.interval is None else "95% interval of the difference"


def score_name(scoring: Any, default: str) -> str:
    """What the axis of a score is called: by its name, or that of the scorer's function."""
    if scoring is None:
        return default
    if isinstance(scoring, str):
        return scoring
    name = getattr(getattr(scoring, "_score_func", scoring), "__name__", "score")
    sign = "negative " if getattr(scoring, "_sign", 1) < 0 else ""
    return f"{sign}{name}"


def _last_complete(iteration: npt.NDArray[Any], gammas: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Which candidates are of the last iteration of a halving search that had each gamma."""
    n_gammas = len(np.unique(gammas))
    complete = [
        k for k in np.unique(iteration) if len(np.unique(gammas[iteration == k])) == n_gammas
    ]
    if not complete:
        raise ValueError("No iteration of the search had a candidate for each gamma.")
    chosen: npt.NDArray[Any] = iteration == max(complete)
    return chosen


def _known_parameter(estimator: Any, param_name: str | None) -> str:
    """``param_name``, or the only ``focal_gamma``; the estimator has it."""
    if not hasattr(estimator, "get_params") or isinstance(estimator, type):
        raise TypeError(f"estimator must be a classifier; got {estimator!r}.")
    if param_name is None:
        return _parameter(estimator.get_params(), "")
    if param_name not in estimator.get_params():
        raise ValueError(f"param_name must be a parameter of the estimator; got {param_name!r}.")
    return param_name


def _parameter(names: Mapping[str, Any], prefix: str) -> str:
    """The only parameter that is named ``focal_gamma``, of the estimator or of a step in it."""
    found = [
        name
        for name in names
        if name == prefix + PARAMETER
        or (name.startswith(prefix) and name.endswith(f"__{PARAMETER}"))
    ]
    if len(found) != 1:
        raise ValueError(
            f"There must be one parameter {PARAMETER}, of the estimator or of a step in it; found "
            f"{found}. Give its name as param_name."
        )
    return found[0]
