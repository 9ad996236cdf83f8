"""Every argument of every public function, given wrongly, is refused by its name.

A public function, method or argument that is missing from the table fails a test.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from skfocal import (
    BinaryFocalLoss,
    FocalEvalMetric,
    FocalLogisticRegression,
    FocalLogisticRegressionCV,
    FocalObjective,
    MulticlassFocalLoss,
    metrics,
)
from skfocal.calibration import Calibration, fit_calibration, prior_shift
from skfocal.datasets import make_transactions
from skfocal.decisions import AlertBudgetClassifier, CostClassifier, cost_decision
from skfocal.plotting import (
    AlertBudgetDisplay,
    CostDisplay,
    FocalLossDisplay,
    GammaPathDisplay,
    PosteriorCalibrationDisplay,
    ReliabilityCurve,
)
from tests.project.test_docstrings import MEMBERS, NAMES

Y, RAW, WEIGHT = np.array([0, 1, 1, 0]), np.array([0.5, -1.0, 2.0, 0.0]), np.ones(4)
Y3, RAW3 = np.array([0, 1, 2, 0]), np.arange(12.0).reshape(4, 3) / 5
PROBA = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]])
PROBA3 = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2]])
LABELS = np.array(["no", "yes", "yes", "no"])

GAMMAS = [-1.0, np.nan, np.inf, 1e308, 101.0, 10**400, "2", b"2", True, None, 1j, [1.0]]
GAMMAS += [
    [[1.0, 2.0]],
    [1.0, -1.0],
    ["1", "2"],
    [True, False],
    [1j, 2.0],
    (g for g in (1.0, 2.0)),
    {0: 1.0},
]
NUMERIC_ALPHAS = [0.0, 1.0, -0.5, np.nan, np.inf, True, 1j, "balanced", {0: 1.0, 1: 2.0}, [1.0]]
NUMERIC_ALPHAS += [[1.0, 0.0], [1.0, -1.0], [1.0, np.nan], [1.0, 1e39], [1.0, 1e-40]]
NUMERIC_ALPHAS += [[[1.0, 2.0]]]
NUMERIC_ALPHAS += [["1", "2"], (a for a in (1.0, 2.0)), [1.0, [2.0]]]
ALPHAS = [alpha for alpha in NUMERIC_ALPHAS if alpha not in ("balanced", {0: 1.0, 1: 2.0})]
ALPHAS += ["inverse", ("effective", 1.0), ("effective", "x"), {0: 1.0}, {0: 1.0, 1: -1.0}]
CHOICES = ["none", 1, None, ["focal"]]
CODES = [[0, 1, 1, 2], [0, 1], [0, 1, 1, -1], [0, 1, 1, 0.5], [0, 1, 1, np.nan], LABELS, None]
CODES += [[Y], ["0", "1", "1", "0"], [0, 1, 1, 1e300], [0, 1, 1, 1j], Y.astype("M8[s]")]
CODES += [[[0], [1, 2]]]
WEIGHTS = [-WEIGHT, [1, 1, 1, np.nan], [1, 1, 1, np.inf], [1.0, 1.0], WEIGHT[:, None], 1.0]
WEIGHTS += ["balanced", ["a"] * 4, [1j] * 4, [], {0: 1.0}]
MARGINS = ["x", None, 0.5, ["a"] * 4, [1j] * 4, RAW3, RAW[:2, None], [[0.5], [1.0, 2.0]], {}]
MARGINS3 = ["x", None, 0.5, RAW, RAW3[:, :2], RAW3[None], RAW3.astype(complex), RAW3.astype(str)]
THREADS = [0, -1, 1.5, True, "2", None, np.nan]
POSTERIORS = ["x", None, 0.5, PROBA[:, 0], PROBA3, -PROBA, 2 * PROBA, PROBA / 2, np.eye(4)[:, :2]]
POSTERIORS += [np.full((4, 2), np.nan), PROBA.astype(str)]
PROBABILITIES = ["x", None, 0.5, [0.1, 0.2], PROBA / 2, PROBA - 0.5, PROBA + 1, PROBA3]
PROBABILITIES += [PROBA * np.nan]
NO_LABELS = [[], None, 3, [[0, 1], [1, 0]], [0, 1, np.nan, 1], ["no", None, "yes", "no"]]
NO_LABELS += [[1, 1, 1, 1]]
NO_FLAGS = ["no", None, 1, [True]]
NO_AXES = ["x", 3, plt]


def outs(shape):
    """Pairs that cannot be filled."""
    a, b = np.empty(shape), np.empty(shape)
    fixed = np.empty(shape)
    fixed.flags.writeable = False
    wide = np.empty(shape[0] + 1)
    wrong = [a, (a,), (a, b, b), (a, a), (a, a.view()), (a, fixed), "ab", 3, (a.tolist(), b)]
    wrong += [(a.astype(t), b.astype(t)) for t in (int, "f2", "g", ">f8", complex, object)]
    wrong += [(a, b.astype("f4")), (a, b[:-1]), (a, b[None])]
    return wrong if len(shape) > 1 else [*wrong, (wide[1:], wide[:-1])]


OPTIONS = {
    "max_step": [0, -1, np.nan, 1e-300, "4", None, True],
    "min_hessian": [np.nan, np.inf, "0", None],
    "scale": [0, -1.0, np.nan, np.inf, "1", None, 10**400],
    "hessian_scale": [0, -1.0, np.nan, np.inf, "1", None],
    "bits": [0, -20, 54, 22.0, "22", None, True],
    "dtype": [np.int32, "i4", "f2", "g", ">f4", "x", complex, 3],
    "n_threads": THREADS,
}


@dataclass
class Entry:
    """A call that works, wrong values of its arguments, and arguments that are not checked."""

    call: Callable[..., Any]
    good: Mapping[str, Any]
    bad: Mapping[str, list[Any]]
    free: Mapping[str, str] = field(default_factory=dict)


def loss_entries(name, loss, y, raw, codes, margins, posteriors):
    """Of the methods of a loss; the posterior link takes part in what depends on labels."""
    rows = {"y_true": y, "raw_prediction": raw, "sample_weight": np.ones(len(y))}
    bad = {"y_true": codes, "raw_prediction": margins, "sample_weight": WEIGHTS}
    threads = {"n_threads": THREADS}
    labels = {k: v for k, v in rows.items() if k != "raw_prediction"}
    bad_labels = {k: v for k, v in bad.items() if k in labels}
    bad_labels["sample_weight"] = [*WEIGHTS, np.zeros(4)]
    margin = {"raw_prediction": margins}
    posterior = loss.raw_prediction(np.full((4, loss.n_classes), 1 / loss.n_classes))
    out = {"out": [*outs(raw.shape), (raw, np.empty_like(raw))]}
    table = {
        "loss": Entry(loss.loss, rows, bad | threads),
        "gradient": Entry(loss.gradient, rows, bad | threads),
        "loss_gradient": Entry(loss.loss_gradient, rows, bad | threads),
        "loss_gradient_hessian": Entry(loss.loss_gradient_hessian, rows, bad | threads),
        "gradient_hessian": Entry(loss.gradient_hessian, rows, bad | OPTIONS | out),
        "intercept": Entry(loss.intercept, labels, bad_labels),
        "log_loss_scale": Entry(loss.log_loss_scale, labels, bad_labels),
        "posterior": Entry(loss.posterior, {"raw_prediction": posterior}, margin),
        "decision": Entry(loss.decision, {"raw_prediction": raw}, margin),
        "log_odds": Entry(loss.log_odds, {"raw_prediction": raw}, margin | threads),
        "raw_prediction": Entry(
            loss.raw_prediction,
            {"posterior": np.full((4, loss.n_classes), 1 / loss.n_classes)},
            {"posterior": posteriors},
        ),
        "convert": Entry(
            loss.convert, {"raw_prediction": raw, "link": "focal"}, margin | {"link": CHOICES}
        ),
    }
    if isinstance(loss, MulticlassFocalLoss):
        table["full_hessian_bound"] = Entry(loss.full_hessian_bound, rows, bad)
    return {f"{name}.{method}": entry for method, entry in table.items()}


PARAMETERS = {
    "gamma": GAMMAS,
    "alpha": NUMERIC_ALPHAS,
    "hessian": ["none", 1, None],
    "link": CHOICES,
}


def objective(y_true=Y, y_pred=RAW, sample_weight=None, **parameters):
    return FocalObjective(**parameters)(y_true, y_pred, sample_weight)


def metric(y_true=Y, y_pred=RAW, sample_weight=None, **parameters):
    return FocalEvalMetric(**parameters)(y_true, y_pred, sample_weight)


def objective_entries():
    bad = {
        "y_true": CODES,
        "y_pred": [m for m in MARGINS if m is not RAW3],
        "sample_weight": WEIGHTS,
    }
    good = {"y_true": Y, "y_pred": RAW}
    # of no margins: another number of classes, or of rows, is right
    starts = {"y_true": [*CODES[2:], [], [0, 1, 1, 7]], "sample_weight": [*WEIGHTS, np.zeros(4)]}
    alphas = {"alpha": ALPHAS}
    return {
        "FocalObjective": Entry(objective, {}, PARAMETERS | alphas | {"n_threads": THREADS}),
        "FocalObjective.__call__": Entry(FocalObjective(), good, bad),
        "FocalObjective.init_score": Entry(FocalObjective().init_score, {"y_true": Y}, starts),
        "FocalObjective.base_score": Entry(FocalObjective().base_score, {"y_true": Y}, starts),
        "FocalObjective.predict_proba": Entry(
            FocalObjective().predict_proba,
            {"raw_prediction": RAW},
            {"raw_prediction": [m for m in MARGINS if m is not RAW3]},
        ),
        "FocalEvalMetric": Entry(
            metric, {}, {k: PARAMETERS[k] for k in ("gamma", "alpha", "link")}
        ),
        "FocalEvalMetric.__call__": Entry(
            FocalEvalMetric(), good, bad | {"sample_weight": [*WEIGHTS, np.zeros(4)]}
        ),
    }


def metric_entries():
    scores = {"y_true": LABELS, "y_proba": PROBA, "sample_weight": WEIGHT}
    bad = {
        "y_true": NO_LABELS,
        "y_proba": PROBABILITIES,
        "sample_weight": [*WEIGHTS, np.zeros(4)],
        "labels": [[], 3, ["no"], [["no", "yes"], ["yes", "no"]], ["no", None], ["no", "perhaps"]],
    }
    weighting = {"gamma": GAMMAS, "alpha": ALPHAS, "link": CHOICES}
    bins = {"n_bins": [0, -1, 1.5, True, "5", None], "strategy": ["size", None, 1]}
    scorer = {
        "gamma": [g for g in GAMMAS if g != [1.0]],
        "alpha": [a for a in ALPHAS if a not in ([1.0], {0: 1.0})],
        "labels": [[], 3, [[0, 1], [1, 0]], [0, None]],
    }
    return {
        "metrics.focal_loss": Entry(metrics.focal_loss, scores, bad | weighting),
        "metrics.make_focal_scorer": Entry(metrics.make_focal_scorer, {}, scorer),
        "metrics.expected_calibration_error": Entry(
            metrics.expected_calibration_error, scores, bad | bins
        ),
    }


COSTS = ["x", None, [1.0, 2.0], -1.0, np.nan, np.inf, 1j]
PRICES = dict.fromkeys(("false_positive_cost", "false_negative_cost", "true_positive_cost"), COSTS)
BUDGETS = [0, 0.0, 1.5, True, "2", None, np.nan, [0.1]]


def alert_entries():
    few = [labels for labels in NO_LABELS if labels != [1, 1, 1, 1]]
    rows = {"y_true": LABELS, "y_score": PROBA[:, 1], "budget": 2, "sample_weight": WEIGHT}
    bad = {
        "y_true": [*few, ["a", "b", "c", "a"]],
        "y_score": ["x", None, 0.5, [0.1, 0.2], PROBA3, PROBA * np.nan],
        "budget": [*BUDGETS, 5],
        "pos_label": ["maybe", 3, ["no"]],
        "sample_weight": [*WEIGHTS, np.zeros(4)],
    }
    decided = {"y_true": LABELS, "y_pred": LABELS, "sample_weight": WEIGHT}
    of_costs = {
        "y_true": few,
        "y_pred": [[], None, 3, ["no", "yes"], [0, 1, 1, 0], ["no", "perhaps", "yes", "no"]],
        "pos_label": bad["pos_label"],
        "sample_weight": bad["sample_weight"],
    }
    later = {"pos_label": "it is checked where labels are known"}
    return {
        "metrics.recall_at_budget": Entry(metrics.recall_at_budget, rows, bad),
        "metrics.precision_at_budget": Entry(metrics.precision_at_budget, rows, bad),
        "metrics.make_budget_scorer": Entry(
            metrics.make_budget_scorer,
            {"budget": 2},
            {"budget": BUDGETS, "metric": ["f1", None, 1]},
            later,
        ),
        "metrics.mean_cost": Entry(metrics.mean_cost, decided, of_costs | PRICES),
    }


def decision_entries():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    inner, shapes = LogisticRegression(), "the classifier within has its own words"
    budget = AlertBudgetClassifier(inner, budget=0.2).fit(X, y)
    cost = CostClassifier(inner).fit(X, y)
    kinds = {"estimator": [3, LinearRegression()], "pos_label": [7, "a"]}
    rows = {"X": X, "y": y}
    wrong_weights = [-np.ones(40), np.ones(3), "x", np.zeros(40)]
    return {
        "AlertBudgetClassifier": Entry(
            lambda **given: AlertBudgetClassifier(**given).fit(X, y),
            {"estimator": inner, "budget": 0.2},
            {"budget": [*BUDGETS, 5, 1.0], "cv": ["x", 1.5], **kinds},
            {"n_jobs": "joblib has its own words"},
        ),
        "AlertBudgetClassifier.fit": Entry(
            budget.fit,
            rows,
            {"sample_weight": wrong_weights},
            {"X": shapes, "y": shapes, "params": shapes},
        ),
        "AlertBudgetClassifier.predict": Entry(budget.predict, {"X": X}, {}, {"X": shapes}),
        "CostClassifier": Entry(
            lambda **given: CostClassifier(**given).fit(X, y), {"estimator": inner}, kinds | PRICES
        ),
        "CostClassifier.fit": Entry(
            cost.fit, rows, {}, {"X": shapes, "y": shapes, "params": shapes}
        ),
        "CostClassifier.predict": Entry(
            cost.predict,
            {"X": X},
            {name: [c for c in COSTS if c is not None] for name in PRICES},
            {"X": shapes},
        ),
        "cost_decision": Entry(
            cost_decision, {"y_proba": PROBA}, {"y_proba": ["x", None, PROBA3, [1.2]], **PRICES}
        ),
    }


def transaction_entries():
    counts, numbers = [0, 1.5, True, "x", None], [0.0, -1.0, np.nan, "x", None, True, [0.1]]
    bad = {"n_rows": counts, "n_days": counts, "as_frame": ["no", None, 1]}
    bad |= {"fraud_rate": [*numbers, 1.0], "drift": [*numbers, np.inf]}
    return {
        "datasets.make_transactions": Entry(
            make_transactions, {"n_rows": 10}, bad, {"random_state": "scikit-learn checks it"}
        )
    }


def alert_figure_entries():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    model = LogisticRegression().fit(X, y)
    proba, shapes = model.predict_proba(X)[:, 1], "the classifier has its own words"
    text, made = "it is a text in the figure", "class methods make it"
    bad = {
        "pos_label": [7, [0, 1], "a"],
        "sample_weight": [-np.ones(40), np.ones(3), "x"],
        "ax": NO_AXES,
    }
    no_labels = [[], 3, [y], [0, None], y + 5]
    no_models = [3, None, LinearRegression().fit(X, y)]
    periods = {"periods": [0, -1, np.nan, np.inf, "x", [1, 2]]}
    of_model, of_rows = {"estimator": model, "X": X, "y": y}, {"y_true": y}
    in_folds = {k: v for k, v in bad.items() if k != "sample_weight"}
    scores = ["x", None, 0.5, [0.1, 0.2], np.full(40, np.nan)]
    alerts = AlertBudgetDisplay.from_predictions(y, proba)
    costs = CostDisplay.from_predictions(y, proba)
    arrays = ("alerts", "recall", "precision", "recall_range", "precision_range")
    parts = ("thresholds", "costs", "by_row", "without_model")
    curve = {"predicted": proba, "observed": proba, "weight": proba}
    drawn = {"metrics": ["recall", [], ("f1",), 3, None], "log": NO_FLAGS}
    return {
        "AlertBudgetDisplay": Entry(
            AlertBudgetDisplay,
            {name: getattr(alerts, name) for name in arrays},
            {},
            dict.fromkeys(arrays, made) | {"name": text, "unit": text},
        ),
        "AlertBudgetDisplay.from_estimator": Entry(
            AlertBudgetDisplay.from_estimator,
            of_model,
            {"estimator": no_models, "y": no_labels, **bad, **periods, **drawn},
            {"X": shapes, "name": text},
        ),
        "AlertBudgetDisplay.from_predictions": Entry(
            AlertBudgetDisplay.from_predictions,
            of_rows | {"y_score": proba},
            {"y_true": no_labels[:4], "y_score": scores, **bad, **periods, **drawn},
            {"name": text},
        ),
        "AlertBudgetDisplay.from_cv": Entry(
            AlertBudgetDisplay.from_cv,
            of_model,
            {
                "estimator": [3, None],
                "y": no_labels[:4],
                "cv": ["x", 1.5],
                **in_folds,
                **periods,
                **drawn,
            },
            {"X": shapes, "name": text},
        ),
        "AlertBudgetDisplay.plot": Entry(alerts.plot, {}, {"ax": NO_AXES, **drawn}),
        "CostDisplay": Entry(
            CostDisplay,
            {name: getattr(costs, name) for name in parts},
            {},
            dict.fromkeys(parts, made) | {"name": text},
        ),
        "CostDisplay.from_estimator": Entry(
            CostDisplay.from_estimator,
            of_model,
            {"estimator": no_models, "y": no_labels, **bad, **PRICES},
            {"X": shapes, "name": text},
        ),
        "CostDisplay.from_predictions": Entry(
            CostDisplay.from_predictions,
            of_rows | {"y_proba": proba},
            {"y_true": no_labels[:4], "y_proba": [*scores, proba + 1], **bad, **PRICES},
            {"name": text},
        ),
        "CostDisplay.plot": Entry(costs.plot, {}, {"ax": NO_AXES}),
        "ReliabilityCurve": Entry(
            ReliabilityCurve, curve, {}, dict.fromkeys((*curve, "lower", "upper"), made)
        ),
        "ReliabilityCurve.from_predictions": Entry(
            ReliabilityCurve.from_predictions,
            of_rows | {"y_proba": proba},
            {
                "y_true": no_labels[:4],
                "y_proba": [*scores, proba + 2],
                "n_bins": [0, 1.5, True, None],
                "strategy": ["size", None],
                **{name: bad[name] for name in ("pos_label", "sample_weight")},
            },
        ),
    }


def calibration_entries():
    slopes = [0.0, -1.0, np.nan, np.inf, "1", None, [1.0], 1j]
    offsets = [np.nan, "0", None, [1.0], [[0.0, 1.0]], [0.0, np.inf], [0.0, [1.0]], 1j]
    no_log_odds = [*[m for m in MARGINS if m is not RAW3], [0.0, np.inf, 0.0, 0.0]]
    one, three = Calibration(2.0, 1.0), Calibration(1.0, (1.0, 0.0, -1.0))
    shares = [[0.5], [0.5, 0.6], [1.0, 0.0], [0.5, np.nan], 0.5, "x", None, ["a", "b"]]
    return {
        "Calibration": Entry(Calibration, {}, {"slope": slopes, "offset": offsets}),
        "Calibration.apply": Entry(
            one.apply, {"log_odds": RAW}, {"log_odds": [*no_log_odds, RAW3]}
        ),
        "Calibration.then": Entry(
            one.then, {"other": one}, {"other": [three, 3, None, (1.0, 0.0)]}
        ),
        "fit_calibration": Entry(
            fit_calibration,
            {"log_odds": np.tile(RAW, 20), "y_true": np.tile(Y, 20)},
            {
                "log_odds": no_log_odds,
                "y_true": [*CODES[1:], [0, 1, 2, 0] * 20],
                "sample_weight": [*WEIGHTS, np.zeros(80)],
                "shift": ["x", None, np.nan, [0.0, 1.0], [1.0], 1j],
            },
            {"labels": "they are names in a warning"},
        ),
        "prior_shift": Entry(
            prior_shift,
            {"class_prior": [0.9, 0.1], "priors": [0.5, 0.5]},
            {"class_prior": shares, "priors": [*shares, [0.3, 0.3, 0.4], {"no": 0.5, "yes": 0.5}]},
        ),
    }


def figure_entries():
    X = np.linspace(-1, 1, 40)[:, np.newaxis]
    y = (np.arange(40) % 3 > 0).astype(int)
    model = FocalLogisticRegression().fit(X, y)
    curve = PosteriorCalibrationDisplay.from_estimator(model, X, y).posterior
    bins = {"n_bins": [0, 1.5, True, None], "strategy": ["size", None]}
    kinds = {"kind": ["density", None, 1]}
    search = {"param_focal_gamma": [0.0, 1.0], "split0_test_score": [0.1, 0.2]}
    search_params = {"Cs": [1.0], "cv": 2, "focal_gammas": (0.0, 1.0), "calibration": None}
    chosen = FocalLogisticRegressionCV(**search_params).fit(X, y)
    path = GammaPathDisplay(gamma=[0.0, 1.0], scores=[[0.1], [0.2]])
    line = FocalLossDisplay.from_losses(plot=False)
    plotted = {"ax": NO_AXES}
    calibration = PosteriorCalibrationDisplay(raw=curve, posterior=curve)
    shapes = "scikit-learn's checks of tables have their own words"
    of_rows = {"sample_weight": [-np.ones(40), np.ones(3), "x"], "pos_label": [7, [0, 1], "a"]}
    of_rows |= bins | plotted | {"log": NO_FLAGS}
    return {
        "FocalLossDisplay": Entry(
            FocalLossDisplay,
            {"x": [0.0, 1.0], "curves": [[0.0, 1.0]], "labels": ["a"]},
            {
                "x": ["ab", [[0.0, 1.0]], None, ["a", "b"]],
                "curves": [[0.0, 1.0], [[0.0]], "x", None],
                "labels": ["a", ["a", "b"]],
                **kinds,
            },
        ),
        "FocalLossDisplay.from_losses": Entry(
            FocalLossDisplay.from_losses,
            {},
            {
                "losses": [[], 3, [2.0], BinaryFocalLoss(2.0), "loss"],
                "labels": ["abcde", ["a"], 3],
                "n_points": [0, 1, 5.0, True, None, "9"],
                "plot": NO_FLAGS,
                **kinds,
                **plotted,
            },
        ),
        "FocalLossDisplay.from_estimator": Entry(
            FocalLossDisplay.from_estimator,
            {"estimator": model},
            {"estimator": [3, None, "model"], **kinds, **plotted},
        ),
        "FocalLossDisplay.plot": Entry(line.plot, {}, plotted),
        "PosteriorCalibrationDisplay": Entry(
            PosteriorCalibrationDisplay,
            {"raw": curve, "posterior": curve},
            {"raw": [3, [0.1]], "posterior": [3, None, [0.1]]},
            dict.fromkeys(("label", "name"), "it is a text beside the axes"),
        ),
        "PosteriorCalibrationDisplay.from_estimator": Entry(
            PosteriorCalibrationDisplay.from_estimator,
            {"estimator": model, "X": X, "y": y},
            {"estimator": [3, None], **of_rows, "raw": NO_FLAGS},
            {"X": shapes, "y": shapes, "name": "it is a text beside the axes"},
        ),
        "PosteriorCalibrationDisplay.from_predictions": Entry(
            PosteriorCalibrationDisplay.from_predictions,
            {"y_true": y, "y_proba": model.predict_proba(X), "loss": model.loss_},
            {
                "y_true": [[], 3, [y], [0, None]],
                "y_proba": ["x", None, X, [[0.5, 0.5]], np.full((40, 2), 0.4)],
                "loss": ["focal", 2.0, None],
                "labels": [[], [0, 1, 2], 3],
                "raw": NO_FLAGS,
                **of_rows,
            },
            {"name": "it is a text beside the axes"},
        ),
        "PosteriorCalibrationDisplay.plot": Entry(
            calibration.plot, {}, {"log": NO_FLAGS, **plotted}
        ),
        "GammaPathDisplay": Entry(
            GammaPathDisplay,
            {"gamma": [0.0, 1.0], "scores": [[0.1], [0.2]]},
            {
                "gamma": [2.0, [], "x", [[0.0], [1.0]], ["a", "b"]],
                "scores": [[0.1, 0.2], [[0.1]], "x", None],
                "interval": [[0.1, 0.2], "x", [[0.1], [0.2]]],
                "chosen": [2, -1, 0.5, "x"],
            },
            {
                "score_name": "it is a text beside the axes",
                "verdict": "it is a text above the axes",
            },
        ),
        "GammaPathDisplay.from_estimator": Entry(
            GammaPathDisplay.from_estimator,
            {"estimator": model, "X": X, "y": y, "gamma": [0.0, 1.0], "cv": 2},
            {
                "estimator": [3, None, FocalLogisticRegression],
                "gamma": [2.0, [], "x", [[1.0]], [-1.0], [1e308]],
                "param_name": ["gama", 3],
                "cv": ["x", 1],
                "scoring": ["x", 3],
                "n_jobs": [1.5, "2", True],
                "relative": NO_FLAGS,
                **plotted,
            },
            {"X": shapes, "y": shapes},
        ),
        "GammaPathDisplay.from_cv": Entry(
            GammaPathDisplay.from_cv,
            {"model": chosen},
            {"model": [3, None, model], "relative": NO_FLAGS, **plotted},
        ),
        "GammaPathDisplay.from_cv_results": Entry(
            GammaPathDisplay.from_cv_results,
            {"cv_results": search},
            {
                "cv_results": [3, None, [search]],
                "param_name": ["gama", 3],
                "score": ["auc", None, 3],
                "relative": NO_FLAGS,
                **plotted,
            },
        ),
        "GammaPathDisplay.plot": Entry(path.plot, {}, {"relative": NO_FLAGS, **plotted}),
    }


def table():
    scaled = {"link": "posterior"}
    return {
        "BinaryFocalLoss": Entry(BinaryFocalLoss, {}, PARAMETERS),
        "MulticlassFocalLoss": Entry(
            MulticlassFocalLoss,
            {"n_classes": 2},
            PARAMETERS | {"n_classes": [1, 0, 2.0, True, "2", None, np.nan]},
        ),
        **loss_entries(
            "BinaryFocalLoss", BinaryFocalLoss(**scaled), Y, RAW, CODES, MARGINS, POSTERIORS
        ),
        **loss_entries(
            "MulticlassFocalLoss",
            MulticlassFocalLoss(3, **scaled),
            Y3,
            RAW3,
            CODES[1:],
            MARGINS3,
            [PROBA, *[p for p in POSTERIORS if p is not PROBA3]],
        ),
        **objective_entries(),
        **metric_entries(),
        **alert_entries(),
        **transaction_entries(),
        **{f"decisions.{name}": entry for name, entry in decision_entries().items()},
        **{f"calibration.{name}": entry for name, entry in calibration_entries().items()},
        **{f"plotting.{name}": entry for name, entry in figure_entries().items()},
        **{f"plotting.{name}": entry for name, entry in alert_figure_entries().items()},
    }


TABLE = {f"skfocal.{name}": entry for name, entry in table().items()}
plt.close("all")
FITTED = ("decision_function", "fit", "predict", "predict_proba")
FITTED += ("adjust_priors", "calibrate")  # test_calibrate
BOOSTED = (*FITTED, "from_booster", "load_model")
OF_CATBOOST = (
    *(*BOOSTED, "calc_feature_statistics", "create_metric_calcer", "get_feature_importance"),
    *("get_object_importance", "set_probability_threshold", "virtual_ensembles_predict"),
    *("eval_metrics", "get_params", "grid_search", "predict_log_proba"),
    *("randomized_search", "save_model", "score", "select_features", "set_params"),
    *("staged_predict", "staged_predict_log_proba", "staged_predict_proba"),
)
ELSEWHERE = {
    "skfocal.FocalLogisticRegression": (*FITTED, "predict_log_proba"),  # test_bad_input
    "skfocal.FocalLGBMClassifier": (*BOOSTED, "save_model"),  # test_bad_input
    "skfocal.FocalHistGradientBoostingClassifier": (  # test_bad_input, tests/sklearn_boosting
        *(*FITTED, "staged_decision_function", "staged_predict", "staged_predict_proba"),
    ),
    "skfocal.FocalHistGradientBoostingClassifierCV": (  # tests/sklearn_boosting
        *(*FITTED, "set_params", "staged_decision_function", "staged_predict"),
        "staged_predict_proba",
    ),
    "skfocal.FocalCatBoostClassifier": OF_CATBOOST,  # tests/catboost
    "skfocal.FocalCatBoostClassifierCV": OF_CATBOOST,
    "skfocal.FocalXGBClassifier": (  # test_bad_input
        *(*BOOSTED, "apply", "get_xgb_params", "save_model"),
    ),
    "skfocal.FocalLogisticRegressionCV": (*FITTED, "predict_log_proba"),  # test_cross_validation
    "skfocal.FocalLGBMClassifierCV": (*BOOSTED, "get_params", "save_model", "set_params"),
    "skfocal.FocalXGBClassifierCV": (
        *(*BOOSTED, "apply", "get_params", "get_xgb_params", "save_model", "set_params"),
    ),
    "skfocal.dask.DaskFocalLGBMClassifier": (  # test_dask, which has a cluster
        *(*BOOSTED, "save_model", "score", "set_params", "to_local"),
    ),
    "skfocal.dask.DaskFocalXGBClassifier": (
        *(*BOOSTED, "apply", "get_xgb_params", "save_model", "score", "to_local"),
    ),
    "skfocal.dask.WorkerLostError": (),
    "skfocal.onnx.to_onnx": (),  # test_onnx, where the converters may be missing
}
KNOWN_ELSEWHERE = {*ELSEWHERE} | {f"{k}.{method}" for k, v in ELSEWHERE.items() for method in v}


def parameters(name):
    """Names of the arguments of a public class or function, none of a property."""
    module, _, rest = name.partition(".")
    value = import_module(module)
    for part in rest.split("."):
        static = inspect.getattr_static(value, part, None)
        if isinstance(static, property):
            return []
        value = getattr(value, part) if hasattr(value, part) else import_module(f"{module}.{part}")
    return [p for p in inspect.signature(value).parameters if p != "self"]


def test_the_table_has_every_public_name_and_argument():
    names = {name for name in (*NAMES, *MEMBERS) if name not in KNOWN_ELSEWHERE}
    arguments = {name: parameters(name) for name in names}
    assert {name for name, given in arguments.items() if given} == {*TABLE}
    for name, entry in TABLE.items():
        assert {*entry.bad, *entry.free} == {*arguments[name]}, name


CASES = [(name, argument) for name, entry in TABLE.items() for argument in entry.bad]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", TABLE)
def test_calls_of_the_table_are_right_without_the_wrong_argument(name):
    TABLE[name].call(**TABLE[name].good)


@pytest.mark.parametrize("name, argument", CASES)
def test_wrong_arguments_are_refused_by_name(name, argument):
    entry = TABLE[name]
    for value in entry.bad[argument]:
        refusal = None
        try:
            entry.call(**{**entry.good, argument: value})
        except Exception as error:
            refusal = error
        assert isinstance(refusal, (TypeError, ValueError)), f"{argument}={value!r}: {refusal!r}"
        assert argument in str(refusal), f"{argument}={value!r}: {refusal!r}"
