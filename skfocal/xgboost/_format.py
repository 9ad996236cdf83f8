"""What a model of XGBoost holds, and files of it (floor 5)."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from xgboost import Booster, DMatrix

from skfocal._booster._model_files import NAME, Settings, settings_from_text, settings_text
from skfocal._kernels import Array
from skfocal.calibration import Calibration
from skfocal.objectives._conventions import base_score

# How far the margin before the first tree may be from the one that is asked for.
_BASE_ATOL = 1e-6


def n_classes_of(booster: Booster) -> int:
    """Number of classes of a classification model."""
    learner = json.loads(booster.save_config())["learner"]
    if learner["objective"]["name"] not in ("binary:logistic", "multi:softprob"):
        raise ValueError(
            "The booster must be of binary:logistic or multi:softprob; its objective is "
            f"{learner['objective']['name']}."
        )
    return max(2, int(learner["learner_model_param"]["num_class"]))


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


def write_settings(booster: Booster, settings: Settings) -> None:
    """Write labels, loss, names of columns and probabilities into a booster's attributes."""
    booster.set_attr(**{NAME: None})  # of a model that was continued
    with suppress(TypeError):  # JSON has no such labels; a pickle holds them anyway
        booster.set_attr(**{NAME: settings_text(settings)})


def margin_before_trees(booster: Booster) -> npt.NDArray[np.float32]:
    """The margin before the first tree, of shape (1, 1) or (1, K).

    It is what the model without its trees predicts. Versions of XGBoost differ in how they make
    it of ``base_score``, and in its limits.
    """
    return _margin_before_trees(_saved(booster))


def _margin_before_trees(saved: dict[str, Any]) -> npt.NDArray[np.float32]:
    """The same, of what a booster saves."""
    empty = _without_trees(saved)
    _set_base_score(empty, empty["learner"]["learner_model_param"]["base_score"])
    booster = _loaded(empty)
    row = DMatrix(np.zeros((1, booster.num_features()), dtype=np.float32))
    raw = booster.predict(row, output_margin=True, validate_features=False)
    margin: npt.NDArray[np.float32] = raw.reshape(1, -1)
    return margin


def _without_trees(saved: dict[str, Any]) -> dict[str, Any]:
    """A copy with no trees, or with weights 0 of a linear booster."""
    own = _tree_model(saved)
    kept = {"trees": [], "tree_info": [], "iteration_indptr": [0], "weight_drop": []}
    model = {**own, **{name: empty for name, empty in kept.items() if name in own}}
    if "weights" in own:
        model["weights"] = [0.0] * len(own["weights"])
    else:
        model["gbtree_model_param"] = {**own["gbtree_model_param"], "num_trees": "0"}
    learner = saved["learner"]
    part = dict(learner["gradient_booster"])
    if "gbtree" in part:  # DART in XGBoost 3.2
        part |= {"gbtree": {**part["gbtree"], "model": model}, "weight_drop": []}
    else:
        part["model"] = model
    parameters = dict(learner["learner_model_param"])
    learner = {**learner, "gradient_booster": part, "learner_model_param": parameters}
    return {**saved, "learner": learner}


def with_margins(booster: Booster, change: Calibration) -> Booster:
    """A booster whose margins are ``offset + slope * margin`` of a booster's.

    The slope multiplies all trees, and the margin before the first tree has the offset. XGBoost
    keeps that margin as a probability in single precision, which cannot hold all numbers; the
    trees of the first round hold the rest. A booster that was stopped early is cut after its
    best round, because a plain `xgboost.Booster` predicts with all rounds.

    Raises
    ------
    ValueError
        If the model has no trees and ``base_score`` cannot hold the margin.
    """
    best, attributes = booster.attr("best_iteration"), booster.attributes()
    saved = _saved(booster)
    if best is not None and "trees" in _tree_model(saved):
        saved = _first_rounds(booster, int(best) + 1)
    start = _margin_before_trees(saved).astype(np.float64).ravel()
    start = change.slope * start + np.asarray(change.offset)
    given = base_score(start[0] if len(start) == 1 else start)
    _set_base_score(saved, json.dumps(given if isinstance(given, list) else [given]))
    if change.slope != 1.0:
        _scale(saved, change.slope)
    rest = start - _margin_before_trees(saved).astype(np.float64).ravel()
    if len(rest) > 1:
        rest -= rest.mean()  # softmax does not see a constant
    if np.abs(rest).max() > _BASE_ATOL:
        _shift_first_round(saved, rest)
    changed = _loaded(saved)
    generic = json.loads(booster.save_config())["learner"]["generic_param"]
    changed.set_param({name: generic[name] for name in ("nthread", "device")})
    changed.set_attr(**attributes)  # a part of a booster has none
    return changed


def first_rounds(booster: Booster, n_rounds: int) -> Booster:
    """The first rounds of a booster, which knows the categories of the whole one."""
    if "c" not in (booster.feature_types or []):
        return booster[:n_rounds]
    return _loaded(_first_rounds(booster, n_rounds))


def _first_rounds(booster: Booster, n_rounds: int) -> dict[str, Any]:
    """The first rounds, as a file would have them.

    A part of a booster has no categories in XGBoost 3.1 and 3.2. It would read a table as codes,
    whose order may be another than in training.
    """
    saved, whole = _saved(booster[:n_rounds]), _tree_model(_saved(booster))
    if "cats" in whole:
        _tree_model(saved)["cats"] = whole["cats"]
    return saved


def merged(boosters: Sequence[Booster]) -> Booster:
    """A booster whose margins are the mean of those of boosters of one kind of rows.

    It has all their trees, each with its share of the output.
    """
    parts = [_saved(booster) for booster in boosters]
    starts = [_margin_before_trees(part).astype(np.float64).ravel() for part in parts]
    for part in parts:
        _scale(part, 1.0 / len(parts))
    whole, start = parts[0], np.mean(starts, axis=0)
    model = _tree_model(whole)
    for part in parts[1:]:
        _append_trees(model, _tree_model(part))
    found = with_margins(_loaded(whole), Calibration())
    shift = start - margin_before_trees(found).astype(np.float64).ravel()
    offset = float(shift[0]) if len(shift) == 1 else tuple((shift - shift.mean()).tolist())
    return with_margins(found, Calibration(1.0, offset))


def _append_trees(model: dict[str, Any], other: dict[str, Any]) -> None:
    """Add the trees of another model to one, as further rounds."""
    n_trees = len(model["trees"])
    for number, tree in enumerate(other["trees"], start=n_trees):
        model["trees"].append({**tree, "id": number})
    model["tree_info"] += other["tree_info"]
    ends = model["iteration_indptr"]
    model["iteration_indptr"] = ends + [n_trees + end for end in other["iteration_indptr"][1:]]
    parameters = model["gbtree_model_param"]
    model["gbtree_model_param"] = {**parameters, "num_trees": str(len(model["trees"]))}


def _set_base_score(saved: dict[str, Any], text: str) -> None:
    """Set ``base_score``, a probability or margins, as one that the user has given.

    One that XGBoost has found itself counts as a margin where there are no trees.
    """
    parameters = saved["learner"]["learner_model_param"]
    parameters["base_score"] = text
    if "boost_from_average" in parameters:
        parameters["boost_from_average"] = "0"


def _saved(booster: Booster) -> dict[str, Any]:
    saved: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return saved


def _loaded(saved: dict[str, Any]) -> Booster:
    return Booster(model_file=bytearray(json.dumps(saved).encode()))


def _tree_model(saved: dict[str, Any]) -> dict[str, Any]:
    """The part with the trees. DART has it one level lower in XGBoost 3.2."""
    gradient_booster = saved["learner"]["gradient_booster"]
    model: dict[str, Any] = gradient_booster.get("gbtree", gradient_booster)["model"]
    return model


def _scale(saved: dict[str, Any], slope: float) -> None:
    """Multiply what the trees, or the weights of a linear booster, add to the margin."""
    model = _tree_model(saved)
    if "weights" in model:
        model["weights"] = _times(model["weights"], slope)
    for tree in model.get("trees", ()):
        for name in ("base_weights", "leaf_weights"):
            if name in tree:
                tree[name] = _times(tree[name], slope)
        leaves = _leaf_values(tree)
        if leaves is not None:
            values = np.array(tree["split_conditions"])
            values[leaves] *= slope
            tree["split_conditions"] = values.tolist()


def _shift_first_round(saved: dict[str, Any], shift: Array) -> None:
    """Add to the margin by way of the first round: one tree a class, or one with vectors."""
    model = _tree_model(saved)
    if "weights" in model:  # the last ones are the constants
        values = np.array(model["weights"])
        values[len(values) - len(shift) :] += shift
        model["weights"] = values.tolist()
        return
    if not model["trees"]:
        raise ValueError(
            "XGBoost's base_score cannot hold the margin of this model, and there are no trees "
            "that could: fit with n_estimators of at least 1."
        )
    drop = saved["learner"]["gradient_booster"].get("weight_drop", model.get("weight_drop"))
    done = set()
    for k, tree in enumerate(model["trees"]):
        group = model["tree_info"][k]
        if group in done:
            continue
        done.add(group)
        factor = 1.0 if drop is None else drop[k]
        leaves = _leaf_values(tree)
        if leaves is None:
            _shift_vectors(tree, shift / factor)
            return
        values = np.array(tree["split_conditions"])
        values[leaves] += shift[group] / factor
        tree["split_conditions"] = values.tolist()
        if len(done) == len(shift):
            return


def _leaf_values(tree: dict[str, Any]) -> npt.NDArray[np.bool_] | None:
    """Which split conditions are values of leaves. None if the leaves are vectors."""
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        return None
    found: npt.NDArray[np.bool_] = np.array(tree["left_children"]) == -1
    return found


def _shift_vectors(tree: dict[str, Any], shift: Array) -> None:
    """Add to the vectors of all leaves of a tree."""
    if "leaf_weights" in tree:
        vectors = np.array(tree["leaf_weights"]).reshape(-1, len(shift)) + shift
        tree["leaf_weights"] = vectors.ravel().tolist()
    else:  # XGBoost 3.1
        vectors = np.array(tree["base_weights"]).reshape(-1, len(shift))
        vectors[np.array(tree["left_children"]) == -1] += shift
        tree["base_weights"] = vectors.ravel().tolist()


def _times(values: list[float], factor: float) -> list[float]:
    scaled: list[float] = (np.array(values) * factor).tolist()
    return scaled


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
