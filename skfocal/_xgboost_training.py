"""Training a plain `XGBClassifier` on the focal loss: metrics (floor 4)."""

import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import get_ident
from typing import Any

import numpy as np
import numpy.typing as npt
from xgboost import Booster, XGBClassifier, XGBModel
from xgboost.callback import EvaluationMonitor, TrainingCallback

from skfocal._base import (
    FOCAL_PARAMETERS,
    Target,
    booster_threads,
    check_continued,
    check_evaluation_sets,
    check_features,
    encode_labels,
    refuse_misspelt,
)
from skfocal._callbacks import Rounds, as_defined, callers_level
from skfocal._conventions import mean_loss
from skfocal._kernels import Array, fetched
from skfocal._parameters import check_integer
from skfocal._settings import NAME, Settings, settings_from_text, settings_text
from skfocal._training_metrics import (
    ONLY_BINARY,
    RANK_METRICS,
    XGBOOST,
    Measure,
    error_at,
)
from skfocal.losses import FocalLoss
from skfocal.objectives import FocalEvalMetric, FocalObjective

# Rank metrics of binary margins, besides RANK_METRICS; a suffix such as "@5-" may follow.
_RANK_METRICS = ("ndcg", "map", "pre")


class Metrics:
    """Measures of the margins in the form of ``xgboost.train(custom_metric=)``.

    XGBoost computes the metrics in ``names`` that are not in ``measures``.
    """

    def __init__(self, loss: FocalLoss) -> None:
        self.loss = loss
        self.names: list[str] = []
        self.measures: dict[str, Measure] = {}
        # The workers of a cluster may be threads of one process that share this object.
        self._of_thread: dict[int, list[list[tuple[str, float]]]] = {}

    def __repr__(self) -> str:  # what loggers print
        return f"{', '.join(self.measures)} of {self.loss!r}"

    def add(self, metric: str | Callable[..., Any]) -> None:
        """Add a measure by name, or a user's function of (y_true, probabilities)."""
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
        if name is None:
            raise TypeError(
                "eval_metric must hold names of metrics, and functions that have a __name__; "
                f"got {metric!r}."
            )
        if set(name) & set(": \t\n"):
            raise ValueError(f"XGBoost takes no colon or blank in the name of a metric: {name!r}.")
        if name in self.names:
            raise ValueError(f"eval_metric has two metrics of the name {name!r}: rename one.")
        self.names.append(name)
        measure = self._named(metric) if isinstance(metric, str) else _of_function(metric)
        if measure is not None:
            self.measures[name] = measure

    def _named(self, name: str) -> Measure | None:
        binary = self.loss.n_classes == 2
        kind = "error@" if name.startswith("error@") else name
        if not binary and kind in ONLY_BINARY:
            raise ValueError(
                f"Metric {name!r} is for two classes; y has {self.loss.n_classes}. Give a "
                "function of (y_true, probabilities)."
            )
        if binary and (name in RANK_METRICS or name.partition("@")[0] in _RANK_METRICS):
            return None
        if name in XGBOOST:
            return XGBOOST[name]
        if kind == "error@":
            return error_at(float(name.partition("@")[2]))
        if self.loss.raw_is_posterior:
            return None
        raise ValueError(
            f"Metric {name!r} would be computed from the sigmoid or softmax of the margins. "
            f"By name there are {sorted(XGBOOST)} and 'error@t'; give any other as a function "
            "of (y_true, probabilities)."
        )

    def __call__(self, margins: Array, dataset: Any) -> list[tuple[str, float]]:
        values = self.values(margins, dataset)
        self._of_thread.setdefault(get_ident(), []).append(values)
        return values

    def values(self, margins: Array, dataset: Any) -> list[tuple[str, float]]:
        """Names and values of the measures; of margins in double, so that no digit is lost."""
        labels, weight = dataset.get_label(), dataset.get_weight()
        weight = weight if weight.size else None
        margins = margins.astype(np.float64)
        return [(k, f(self.loss, labels, margins, weight)) for k, f in self.measures.items()]

    def taken(self) -> list[list[tuple[str, float]]]:
        """The values of each evaluation set since the last call, in this thread."""
        return self._of_thread.pop(get_ident(), [])


class _FullPrecision(TrainingCallback):
    """Puts the measures into XGBoost's history as they are, in the order they were given in.

    XGBoost writes metrics that are not its own with six decimals, behind its own metrics, and
    reads its history from that text. This callback comes first: all others, early stopping
    among them, see the numbers, and the last metric is the last that was given.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def before_training(self, model: Booster) -> Booster:
        self.metrics.taken()  # of a training that has failed
        return model

    def after_iteration(self, model: Booster, epoch: int, evals_log: Any) -> bool:
        for history, values in zip(evals_log.values(), self.metrics.taken(), strict=True):
            for name, value in values:
                history[name][-1] = value
            # XGBoost may spell the names of its own in another way, but keeps their order
            theirs = iter([name for name in history if name not in self.metrics.measures])
            for name in self.metrics.names:
                history.move_to_end(name if name in self.metrics.measures else next(theirs))
        return False


class _Monitor(EvaluationMonitor):
    """XGBoost's printing of metrics; small ones have five digits in place of five decimals.

    ``_fmt_metric`` is a private method of XGBoost's. Without it all would have five decimals.
    """

    def _fmt_metric(self, data: str, metric: str, score: float, std: float | None) -> str:
        if std is None and 0.0 < abs(score) < 0.1:
            return f"\t{data}-{metric}:{score:.5g}"
        return super()._fmt_metric(data, metric, score, std)


def _of_function(metric: Callable[..., Any]) -> Measure:
    return _on_margins(metric) if isinstance(metric, FocalEvalMetric) else _on_posterior(metric)


def _on_margins(metric: FocalEvalMetric) -> Measure:
    """A `FocalEvalMetric`, which takes margins."""

    def measure(loss: FocalLoss, y_true: Array, raw: Array, weight: Array | None) -> float:
        return mean_loss(metric._loss(raw), y_true, raw, weight)

    return measure


def _on_posterior(function: Callable[..., Any]) -> Measure:
    """A user's metric, shown probabilities as it is under a built-in objective."""

    def measure(loss: FocalLoss, y_true: Array, raw: Array, weight: Array | None) -> float:
        proba = loss.posterior(raw)
        proba = proba[:, 1] if loss.n_classes == 2 else proba
        if weight is None:
            return float(function(y_true, proba))
        return float(function(y_true, proba, sample_weight=weight))

    return measure


class WithMetrics:
    """For a class of XGBoost's: its callable metrics are a `Metrics`."""

    _metrics: Metrics

    @property
    def n_classes_(self) -> int:
        """The number of classes, of which y may lack some: XGBoost would count those in it."""
        return self._metrics.loss.n_classes

    @n_classes_.setter
    def n_classes_(self, value: int) -> None:
        pass

    def _configure_fit(self, *args: Any, **kwargs: Any) -> Any:
        # of the class that this one is mixed into
        configured = super()._configure_fit(*args, **kwargs)  # type: ignore[misc]
        model, _, params, feature_weights = configured
        metric = self._metrics if self._metrics.measures else None
        return model, metric, params, feature_weights


class Trainer(WithMetrics, XGBClassifier):
    """Trains on what is in memory."""

    _codes: npt.NDArray[Any]

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The codes in y, which XGBoost wants to find there."""
        return self._codes

    def fit(self, X: Any, y: npt.NDArray[Any], **arguments: Any) -> "Trainer":
        """Fit; arguments as of `XGBClassifier.fit`."""
        self._codes = np.flatnonzero(np.bincount(y))
        as_defined(XGBClassifier.fit)(self, X, y, **arguments)
        return self


class _RoundsCallback(TrainingCallback):
    """scikit-learn's callbacks as one of XGBoost's."""

    def __init__(self, rounds: Rounds, learned: Callable[[Booster], dict[str, Any]]) -> None:
        self.rounds, self.learned = rounds, learned

    def before_iteration(self, model: Booster, epoch: int, evals_log: Any) -> bool:
        self.rounds.begin(lambda: self.learned(model.copy()))
        return False

    def after_iteration(self, model: Booster, epoch: int, evals_log: Any) -> bool:
        return self.rounds.end(lambda: self.learned(model.copy()))


def make_trainer(
    params: dict[str, Any],
    loss: FocalLoss,
    scale: float,
    rounds: Rounds | None,
    learned: Callable[[Booster], dict[str, Any]],
    kind: Any = Trainer,
    metrics_of: Callable[[FocalLoss], Metrics] = Metrics,
    *,
    verbose: bool | int | None,
) -> Any:
    """A plain classifier on the focal objective, with metrics that see it rightly.

    ``scale`` is the loss's `log_loss_scale` on all training rows; ``kind`` the class of
    the trainer, `WithMetrics`. ``verbose`` is that of the user's fit; the trainer's is not
    verbose, since it would print every metric a second time.
    """
    params = {k: v for k, v in params.items() if k not in FOCAL_PARAMETERS}
    metrics = metrics_of(loss)
    for metric in _metric_list(params.pop("eval_metric")):
        metrics.add(metric)
    names = [name for name in metrics.names if name not in metrics.measures]
    if not names:
        params["disable_default_eval_metric"] = True
    callbacks: list[TrainingCallback] = []
    if metrics.measures:
        callbacks.append(_FullPrecision(metrics))
    if rounds:
        # before the user's, since XGBoost asks no other once one has said to stop
        callbacks.append(_RoundsCallback(rounds, learned))
    callbacks += params["callbacks"] or []
    period = int(verbose) if isinstance(verbose, (bool, np.bool_)) else verbose or 0
    if check_integer(period, "verbose", 0):
        callbacks.append(_Monitor(period=period))
    params["callbacks"] = callbacks or None
    params["feature_weights"] = native(params["feature_weights"])
    trainer = kind(**params)
    n_threads = booster_threads(params.get("nthread") or params["n_jobs"])
    trainer.objective = FocalObjective._of_loss(loss, scale, n_threads)
    trainer.eval_metric = names or None
    trainer._metrics = metrics
    return trainer


def _metric_list(given: Any) -> list[Any]:
    """Metrics as a list, in which a name that was given twice is once."""
    if given is None:
        return ["focal_loss"]
    if isinstance(given, str) or callable(given):
        return [given]
    if not isinstance(given, Sequence):
        raise TypeError(f"eval_metric must be a name, a function or a list of them; got {given!r}.")
    metrics: list[Any] = []
    for metric in given:
        if not (isinstance(metric, str) and metric in metrics):
            metrics.append(metric)
    return metrics or ["focal_loss"]


def check_parameters(params: dict[str, Any]) -> None:
    """Refuse what has no meaning, or no effect, beside a custom objective."""
    refuse_misspelt(params)
    callbacks = params["callbacks"]
    if callbacks is not None and not isinstance(callbacks, (list, tuple)):
        raise TypeError(f"callbacks must be a list; got {callbacks!r}.")
    for callback in callbacks or []:
        if not isinstance(callback, TrainingCallback):
            raise TypeError(
                "callbacks must hold objects of xgboost.callback.TrainingCallback; "
                f"got {callback!r}."
            )
    if params["objective"] == "multi:softmax":
        raise ValueError(
            "objective='multi:softmax' makes a booster whose predictions are classes, and "
            "skfocal's boosters predict probabilities: leave the objective out. The method "
            "predict returns classes; a metric that needs them takes the argmax."
        )
    if params["objective"] not in (None, "binary:logistic", "multi:softprob"):
        raise ValueError(
            f"objective={params['objective']!r} has no meaning beside the focal loss; "
            "focal_gamma=0 is XGBoost's own."
        )
    if params.get("num_class") is not None:
        raise ValueError("num_class is the number of classes in y: leave it out.")
    if params["scale_pos_weight"] not in (None, 1):
        raise ValueError(
            f"scale_pos_weight={params['scale_pos_weight']!r} has no effect beside a "
            "custom objective: weigh classes by focal_alpha={first label: 1, second label: "
            "that weight}."
        )
    if params["gamma"]:
        warnings.warn(
            f"gamma={params['gamma']!r} is XGBoost's minimal loss reduction of a split; "
            "the focusing parameter is focal_gamma. Write min_split_loss for the former "
            "to be rid of this warning.",
            UserWarning,
            stacklevel=callers_level(),
        )


def n_classes_of(booster: Booster) -> int:
    """Number of classes of a classification model."""
    learner = json.loads(booster.save_config())["learner"]
    if learner["objective"]["name"] not in ("binary:logistic", "multi:softprob"):
        raise ValueError(
            "The booster must be of binary:logistic or multi:softprob; its objective is "
            f"{learner['objective']['name']}."
        )
    return max(2, int(learner["learner_model_param"]["num_class"]))


def check_xgb_model(model: Any, loss: FocalLoss) -> Booster | None:
    """The booster to go on from, if it can be: of as many classes and no other loss.

    A booster of a focal classifier tells its loss. Of other models nothing is known, and
    their margins are a start like any other.
    """
    if model is None:
        return None
    if isinstance(model, XGBModel):
        booster = model.get_booster()
    elif isinstance(model, Booster):
        booster = model
    else:
        with readable(model):
            booster = Booster(model_file=model)
    if n_classes_of(booster) != loss.n_classes:
        raise ValueError(f"xgb_model has {n_classes_of(booster)} classes; y has {loss.n_classes}.")
    settings = settings_of(booster, "xgb_model")
    check_continued(settings[1] if settings else None, loss, "xgb_model")
    return booster


def settings_of(booster: Booster, model: str) -> Settings | None:
    """Labels, loss and names of columns in a booster, None where it has none.

    ``model`` is what the message of an error calls it.
    """
    text, best = booster.attr(NAME), booster.attr("best_iteration")
    if text is None:
        return None
    if best is not None and not (best.isdecimal() and int(best) < booster.num_boosted_rounds()):
        raise ValueError(f"{model} is damaged: it has no round {best!r}, its best one.")
    return settings_from_text(text, model, n_classes_of(booster), booster.num_features())


@contextmanager
def readable(fname: Any) -> Iterator[None]:
    """Name the file, or what else holds a model, that XGBoost cannot read in the block.

    A cut file is refused first: XGBoost 3.2 may end the process at one in the UBJSON format.
    """
    model = "The bytes" if isinstance(fname, bytearray) else repr(os.fspath(fname))
    try:
        _check_ends(fname)
        yield
    except (ValueError, KeyError, RecursionError) as error:  # XGBoostError is a ValueError
        raise ValueError(f"{model}: no model that XGBoost can read. {error}") from error


def _check_ends(fname: Any) -> None:
    """Refuse what does not begin and end as models in JSON and UBJSON do."""
    if isinstance(fname, bytearray):
        first, last = bytes(fname[:1]), bytes(fname[-99:])
    else:
        path = os.path.expanduser(os.fspath(fname))
        if not os.path.isfile(path):
            return  # XGBoost says what is wrong, or knows the address
        with open(path, "rb") as file:
            first = file.read(1)
            file.seek(max(0, os.path.getsize(path) - 99))
            last = file.read()
    if first != b"{" or last.rstrip()[-1:] != b"}":
        raise ValueError("It is cut, damaged, or in another format than JSON and UBJSON.")


class Checked:
    """What fit was given, and what became of it when it was checked, by identity.

    An evaluation set that is the training set stays it: XGBoost knows it by the identity of its
    parts, and then makes no second matrix of it.
    """

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self._pairs = pairs

    def of(self, given: Any, check: Callable[..., Any], *arguments: Any) -> Any:
        """The same as in training where it is the same, else what the check returns."""
        for original, checked in self._pairs:
            if given is original and given is not None:
                return checked
        return check(*arguments)

    def all_of(self, given: Sequence[Any] | None) -> list[Any] | None:
        """`of` each, where the check is of the byte order alone; None for none."""
        return None if given is None else [self.of(each, native, each) for each in given]


def native(data: Any) -> Any:
    """Data in this machine's order of bytes, which is what XGBoost takes all data for."""
    dtype = getattr(data, "dtype", None)
    if isinstance(dtype, np.dtype):  # otherwise it might be a column of this name
        return data if dtype.isnative else data.astype(dtype.newbyteorder("="))
    dtypes: Any = getattr(data, "dtypes", None)
    if not hasattr(dtypes, "items"):  # as those of pandas and of Dask's dataframes have
        return data
    foreign = {
        name: dtype.newbyteorder("=")
        for name, dtype in dtypes.items()
        if isinstance(dtype, np.dtype) and not dtype.isnative
    }
    return data.astype(foreign) if foreign else data


def check_table(estimator: Any, X: Any, *, reset: bool, names: bool = True) -> Any:
    """`check_features`, and bytes in the order in which XGBoost reads them."""
    return native(check_features(estimator, X, reset=reset, names=names))


def evaluation_sets(
    estimator: Any, eval_set: Any, target: Target, checked: Checked
) -> list[tuple[Any, Any]] | None:
    """Evaluation sets with labels as codes."""
    if not eval_set:
        return None
    check_evaluation_sets(eval_set)
    table = partial(check_table, estimator, reset=False)
    codes = partial(encode_labels, target.classes, name="eval_set")
    return [(checked.of(X, table, X), checked.of(y, codes, fetched(y))) for X, y in eval_set]


def learned_attributes(
    booster: Booster, classes: npt.NDArray[Any], loss: FocalLoss, names: npt.NDArray[Any] | None
) -> dict[str, Any]:
    """What fit learns; the booster is given labels, loss and names for `load_model`."""
    booster.set_attr(**{NAME: None})  # of the model that was continued
    with suppress(TypeError):  # labels that are no JSON: pickle keeps them
        booster.set_attr(**{NAME: settings_text(classes, loss, names)})
    return {
        "_Booster": booster,
        "n_classes_": loss.n_classes,
        "classes_": classes,
        "loss_": loss,
    }
