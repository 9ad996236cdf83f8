"""From margins to the posterior and the decision, as nodes of an ONNX graph (floor 6).

The formulas are those of `skfocal._math.log_odds` and docs/mathematics.md, in double precision.
"""

from typing import Any

import numpy as np

from skfocal.onnx._graph import INT64, Graph


def proba_and_decision(graph: Graph, margin: str, model: Any) -> tuple[str, str]:
    """Margins whose sigmoid or softmax is `predict_proba`, and the scores that decide `predict`.

    The decision is the sign of the score of two classes and the argmax of the scores of more.
    """
    loss = model.loss_
    if loss.raw_is_posterior:
        return margin, graph.node("Add", margin, _log_weights(loss))
    scores = (_binary_scores if loss.n_classes == 2 else _multiclass_scores)(graph, margin, loss)
    raw = model.probability == "raw"
    proba = margin if raw else graph.node("Sub", scores, _log_weights(loss))
    correction = model._beside
    if correction is not None:
        offset = np.atleast_2d(correction.offset)
        proba = graph.node("Add", graph.node("Mul", proba, correction.slope), offset)
        return proba, graph.node("Add", proba, _log_weights(loss))
    # with one gamma for all classes, margins decide as the scores do
    return proba, margin if len(set(loss.class_gamma)) == 1 else scores


def _log_weights(loss: Any) -> Any:
    """Logarithms of the class weights; of two classes, the difference of the logarithms."""
    weights = np.log(loss.class_weight)
    return weights[1] - weights[0] if loss.n_classes == 2 else weights[np.newaxis]


def _binary_scores(graph: Graph, z: str, loss: Any) -> str:
    """Log-odds of weight times posterior, (n, 1), by (M10)."""
    log_h = []
    for sign, gamma in zip((-1.0, 1.0), loss.class_gamma, strict=True):
        m = graph.node("Mul", z, sign)
        s = graph.softplus(graph.node("Neg", m))
        log_h.append(_log_h(graph, m, s, gamma))
    return graph.node("Sub", log_h[1], log_h[0])


def _multiclass_scores(graph: Graph, z: str, loss: Any) -> str:
    """Logarithms of weight times posterior, up to a constant of the row, (n, K), by (M7)."""
    log_p = graph.node("Sub", z, graph.log_sum_exp(z))
    # 1 - p of a class is the sum of the others: the difference itself loses digits near p = 1
    log_of_others = []
    for k in range(loss.n_classes):
        others = [j for j in range(loss.n_classes) if j != k]
        picked = graph.node("Gather", log_p, graph.constant(others, INT64), axis=1)
        log_of_others.append(graph.log_sum_exp(picked))
    log_q = graph.node("Concat", *log_of_others, axis=1)
    s = graph.node("Neg", log_p)
    return _log_h(graph, graph.node("Sub", log_p, log_q), s, [loss.class_gamma])


def _log_h(graph: Graph, m: str, s: str, gamma: Any) -> str:
    """`skfocal._math.log_odds` of a margin m with s = -log p, as nodes.

        log h = gamma softplus(m) - s - log(1 + gamma k(-m)),                        (M8)

    where k(-m) = exp(m) softplus(-m). ONNX has no log1p, so softplus(-m) is log(1 + exp(-m)), in
    which rounding makes a relative error of up to 2**-53 exp(m) for a large m. From m = 25 on,
    k(-m) is therefore replaced by k(-25). Both lie between 1 - exp(-25) / 2 and 1, so the cut
    itself changes log h by less than 7e-12. The rounding below the cut changes it by less than
    2**-53 exp(25) = 8e-6; that is also the relative error of the odds.
    """
    bounded = graph.node("Min", m, 25.0)
    k = graph.node("Mul", graph.node("Exp", bounded), graph.softplus(graph.node("Neg", bounded)))
    last = graph.node("Log", graph.node("Add", 1.0, graph.node("Mul", gamma, k)))
    first = graph.node("Mul", gamma, graph.softplus(m))
    return graph.node("Sub", graph.node("Sub", first, s), last)
