"""LightGBM's model text: a model of a custom objective becomes a standard one (floor 5).

The model of a custom objective has no ``objective=`` line, has ``[objective: custom]`` among its
parameters, and does not contain the intercept. LightGBM writes numbers with 17 digits, so all
numbers that are not changed here stay the same to the last bit.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lightgbm import Booster
from lightgbm.basic import LightGBMError

from skfocal._booster._model_files import NAME, Settings, settings_from_text
from skfocal._kernels import Array
from skfocal.calibration import Calibration

# Name of the line with the digest of a file, by which a changed file is recognised.
_DIGEST = f"{NAME}_digest"
# Values of a tree to which a shift of its output is added. Linear trees predict from
# leaf_const; internal_value, written with six digits, is what plots and other tools show.
_SHIFTED = ("leaf_value", "internal_value", "leaf_const")
# Values of a tree that a factor of its output multiplies: those, and slopes of linear trees.
_SCALED = (*_SHIFTED, "leaf_coeff")
# Parameters of the cluster that trained a model, and what a single process has for them.
_OF_A_CLUSTER = {"machines": "", "num_machines": "1", "local_listen_port": "12400"}


def standardised(text: str, n_classes: int, shift: float | Array | None) -> str:
    """The text of a standard binary or multiclass model.

    Parameters
    ----------
    text : str
        From ``Booster.model_to_string``.
    n_classes : int
        Two or more.
    shift : float, ndarray of shape (n_classes,) or None
        Added to all margins, by way of the trees of the first iteration. None for none.
    """
    name = "binary" if n_classes == 2 else "multiclass"
    detail = "binary sigmoid:1" if n_classes == 2 else f"multiclass num_class:{n_classes}"
    if "\nTree=" not in text:
        text = _with_constant_trees(text, 1 if n_classes == 2 else n_classes)
    head, *trees = re.split(r"(?m)^(?=Tree=\d+$)", text)
    head = re.sub(r"(?m)^objective=.*\n", "", head)
    head = re.sub(r"(?m)^(?=feature_names=)", f"objective={detail}\n", head, count=1)
    # The sizes are of the trees' texts; LightGBM reads a model without them.
    head = re.sub(r"(?m)^tree_sizes=.*\n", "", head)
    if shift is not None:
        for k, value in enumerate(np.atleast_1d(shift)):
            trees[k] = _changed(trees[k], 1.0, float(value))
    body = re.sub(r"\[objective: \w*\]", f"[objective: {name}]", "".join(trees))
    for parameter, alone in _OF_A_CLUSTER.items():
        body = re.sub(rf"\[{parameter}: .*\]", f"[{parameter}: {alone}]", body)
    return head + body


def _with_constant_trees(text: str, n_trees: int) -> str:
    """The text of a model without trees, with one iteration of trees whose only leaf is 0.

    Only trees can hold the intercept.
    """
    empty = (
        *("split_feature", "split_gain", "threshold", "decision_type", "left_child"),
        *("right_child", "leaf_weight", "internal_value", "internal_weight", "internal_count"),
    )
    lines = [f"{name}=" for name in empty]
    lines += ["num_leaves=1", "num_cat=0", "leaf_value=0", "leaf_count=0", "is_linear=0"]
    tree = "\n".join([*lines, "shrinkage=1", "", "", ""])
    trees = "".join(f"Tree={k}\n{tree}" for k in range(n_trees))
    return re.sub(r"(?m)^(?=end of trees$)", trees, text, count=1)


def with_settings(text: str, settings: str) -> str:
    """The text with a line of settings behind the model, where LightGBM does not look.

    It would print a warning of an unknown parameter within the model, each time it loads. The
    line before it tells a damaged file, of which LightGBM may end the process or read nonsense.
    """
    end = "end of parameters\n"
    head, _, tail = text.partition(end)
    head, tail = f"{head}{end}", f"{NAME}:{settings}\n{tail}"
    return f"{head}{_DIGEST}:{_digest(head + tail)}\n{tail}"


def check_whole(text: str, filename: str) -> None:
    """Refuse the text of a file that was cut or changed.

    Raises
    ------
    ValueError
        If it does not end as models do, or is not what `with_settings` has made.
    """
    digest = re.search(rf"(?m)^{_DIGEST}:(.*)\n", text)
    changed = digest and digest[1] != _digest(text[: digest.start()] + text[digest.end() :])
    _, end, rest = text.partition("\nend of trees\n")
    # LightGBM 4.7 can end the process where the parameters that follow are cut
    cut = not end or (rest.strip() and "\nend of parameters\n" not in rest)
    if changed or cut:
        raise ValueError(
            f"{filename!r} is damaged, or no model of LightGBM: it is "
            f"{'not as save_model has written it' if changed else 'cut before its end'}."
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def settings_of(text: str) -> str | None:
    """The settings in a text, None if there are none."""
    found = re.search(rf"(?m)^{NAME}:(.*)$", text)
    return found[1] if found else None


def objective_of(text: str) -> str | None:
    """Name of the objective, None for a custom one."""
    found = re.search(r"(?m)^objective=(\w+)", text)
    return found[1] if found else None


def check_margins(text: str, model: str) -> None:
    """Refuse a classifier whose probabilities are not those of its margins.

    Raises
    ------
    ValueError
        If it is a random forest, whose margin LightGBM divides by the number of trees for
        probabilities only, or its sigmoid has another factor than 1.
    """
    head = text.partition("\nTree=")[0]
    factor = re.search(r"(?m)^objective=binary (sigmoid:(\S+))", head)
    if factor and float(factor[2]) != 1.0:
        raise ValueError(
            f"{model} has {factor[1]}: its margins are not log-odds. Train it with sigmoid=1."
        )
    if re.search(r"(?m)^average_output$", head):
        raise ValueError(
            f"{model} is a random forest, whose margins are sums over trees and not log-odds. "
            'Train it with boosting_type="gbdt" or "dart".'
        )


def with_float32_thresholds(text: str) -> str:
    """The text with thresholds that part float32 numbers just as the given ones do.

    Rounded to nearest, as converters do, a threshold may pass the number above it.
    """

    def lower(match: re.Match[str]) -> str:
        exact = np.array(match[1].split(), dtype=np.float64)
        with np.errstate(over="ignore"):
            rounded = exact.astype(np.float32)
        above = rounded > exact
        rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
        return "threshold=" + " ".join(repr(float(number)) for number in rounded)

    text = re.sub(r"(?m)^tree_sizes=.*\n", "", text)
    return re.sub(r"(?m)^threshold=(.+)$", lower, text)


def with_margins(booster: Booster, change: Calibration) -> Booster:
    """A booster whose margins are ``offset + slope * margin`` of a standard model's.

    The slope multiplies the output of all trees, and the trees of the first iteration have the
    offset. So all that reads the booster sees the new margins.
    """
    head, *trees = re.split(r"(?m)^(?=Tree=\d+$)", booster.model_to_string(num_iteration=-1))
    offsets = np.atleast_1d(change.offset)
    for k, tree in enumerate(trees):
        shift = float(offsets[k]) if k < len(offsets) else 0.0
        trees[k] = _changed(tree, change.slope, shift)
    head = re.sub(r"(?m)^tree_sizes=.*\n", "", head)
    changed = Booster(model_str=head + "".join(trees))
    changed.params = booster.params
    changed.best_iteration, changed.best_score = booster.best_iteration, booster.best_score
    return changed


def _changed(tree: str, slope: float, shift: float) -> str:
    """The text of a tree whose output is ``shift + slope * output``."""

    def change(match: re.Match[str]) -> str:
        added = shift if match[1] in _SHIFTED else 0.0

        def number(text: re.Match[str]) -> str:  # spaces part the leaves of a linear tree
            return repr(slope * float(text[0]) + added)

        return f"{match[1]}={re.sub(r'[^ ]+', number, match[2])}"

    return re.sub(rf"(?m)^({'|'.join(_SCALED)})=(.+)$", change, tree)


def merged(boosters: Sequence[Booster]) -> Booster:
    """A booster whose margins are the mean of those of standard models of one kind of rows.

    It has all their trees, each with its share of the output.
    """
    texts = [booster.model_to_string(num_iteration=-1) for booster in boosters]
    bodies = []
    for text in texts:
        trees = text.partition("\nend of trees\n")[0]
        bodies += re.split(r"(?m)^(?=Tree=\d+$)", f"{trees}\n")[1:]
    bodies = [
        re.sub(r"\ATree=\d+", f"Tree={k}", _changed(tree.rstrip("\n"), 1.0 / len(texts), 0.0))
        for k, tree in enumerate(bodies)
    ]
    head = re.split(r"(?m)^(?=Tree=\d+$)", texts[0])[0]
    head = re.sub(r"(?m)^tree_sizes=.*\n", "", head)
    tail = texts[0].partition("\nend of trees\n")[2]
    bodies += [f"end of trees\n{tail}"]
    whole = Booster(model_str=head + "\n\n\n".join(bodies))
    whole.params = boosters[0].params
    return whole


def read_booster(filename: str | Path) -> tuple[Booster, Settings | None]:
    """The booster of a file, with labels, loss and names of columns where the file has them.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    name = str(filename)
    try:
        text = Path(filename).read_text(encoding="utf-8")
        check_whole(text, name)
        booster = Booster(model_str=text)
    except (UnicodeDecodeError, LightGBMError, json.JSONDecodeError) as error:
        raise ValueError(f"{name!r} is damaged, or no model of LightGBM: {error}.") from error
    settings = settings_of(text)
    if settings is None:
        return booster, None
    n_outputs = booster.num_model_per_iteration()
    if objective_of(text) != ("binary" if n_outputs == 1 else "multiclass"):
        raise ValueError(f"{name!r} is damaged: its objective is not that of a classifier.")
    check_margins(text, repr(name))
    n_classes, n_features = max(2, n_outputs), booster.num_feature()
    return booster, settings_from_text(settings, repr(name), n_classes, n_features)
