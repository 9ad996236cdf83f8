"""Parameters of LightGBM that a focal classifier refuses, and their other names (floor 5)."""

from typing import Any

from skfocal._booster._arguments import refuse_misspelt

# Parameters that LightGBM would ignore, or misread, beside a custom objective:
# {aliases: (the values that change nothing, what to do instead)}.
_REFUSED = {
    ("objective", "objective_type", "app", "application", "loss"): (
        ("binary", "multiclass", "softmax"),  # which the model has anyway
        "the objective is the focal loss; focal_gamma=0 is LightGBM's own",
    ),
    ("scale_pos_weight",): (
        (1.0,),
        "weigh classes by focal_alpha={first label: 1, second label: that weight}",
    ),
    # LightGBM has them for regression; other packages use these names for the focal loss
    ("gamma",): ((), "the focusing parameter is focal_gamma"),
    ("alpha",): ((), "class weights are focal_alpha"),
    ("is_unbalance", "unbalance", "unbalanced_sets"): ((False,), 'use focal_alpha="balanced"'),
    ("auc_mu_weights",): ((), "auc_mu here has equal costs; give another as a function"),
    ("sigmoid",): ((1.0,), "the margin has no factor here"),
    ("pos_bagging_fraction", "pos_sub_row", "pos_subsample", "pos_bagging"): (
        (1.0,),
        "weigh classes by focal_alpha, or sample rows by subsample",
    ),
    ("neg_bagging_fraction", "neg_sub_row", "neg_subsample", "neg_bagging"): (
        (1.0,),
        "weigh classes by focal_alpha, or sample rows by subsample",
    ),
}
N_CLASSES_ALIASES = ("num_class", "num_classes")
N_THREADS_ALIASES = ("num_threads", "num_thread", "nthread", "nthreads", "n_jobs")
# They connect the processes of a cluster. A model with them would wait for them in `refit`.
NETWORK_PARAMETERS = (
    *("machines", "workers", "nodes", "num_machines", "num_machine", "time_out"),
    *("local_listen_port", "local_port", "port", "machine_list_filename"),
    *("machine_list_file", "machine_list", "mlist", "pre_partition", "is_pre_partition"),
)
N_ROUNDS_ALIASES = (
    *("num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees", "num_round"),
    *("num_rounds", "nrounds", "num_boost_round", "max_iter"),
)
# Types of columns that LightGBM reads from Arrow's memory, by polars' and Arrow's names.
_COLUMN_TYPES = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float", "double", "float32", "float64", "bool", "boolean"),
)


def check_parameters(params: dict[str, Any]) -> None:
    """Refuse what has no meaning, or no effect, beside a custom objective."""
    refuse_misspelt(params)
    for aliases, (neutral, instead) in _REFUSED.items():
        for name in aliases:
            value = params.get(name)
            if value is not None and value not in neutral:
                raise ValueError(
                    f"{name}={value!r} has no meaning beside the focal loss: {instead}."
                )
    for name in ("boosting_type", "boosting", "boost"):
        if params.get(name) in ("rf", "random_forest"):
            raise ValueError(
                f"{name}={params[name]!r}: LightGBM's random forest takes no custom "
                'objective. Use "gbdt", "dart" or data_sample_strategy="goss".'
            )


def check_columns(X: Any) -> Any:
    """X. Refuses polars and Arrow tables with columns that make LightGBM 4.7 crash."""
    if not hasattr(type(X), "schema"):  # asked of the type: a column of pandas may have this name
        return X
    arrow = hasattr(type(X.schema), "types")
    types = zip(X.schema.names, X.schema.types, strict=True) if arrow else X.schema.items()
    wrong = {name: str(type_) for name, type_ in types if str(type_).lower() not in _COLUMN_TYPES}
    if wrong:
        raise ValueError(
            f"LightGBM takes numbers and booleans from polars and Arrow tables; other columns: "
            f"{wrong}. Cast them, or give a pandas frame, whose categories it knows."
        )
    return X


def check_callbacks(callbacks: Any) -> None:
    """Refuse what is no list of LightGBM's callbacks.

    Raises
    ------
    TypeError
        If it is no list, or one is no function.
    """
    if callbacks is None:
        return
    if not isinstance(callbacks, (list, tuple)) or not all(map(callable, callbacks)):
        raise TypeError(f"callbacks must be a list of functions; got {callbacks!r}.")
