"""What cannot be right is told, and leaves the model as it was; copies and the client."""

import pickle
import subprocess
import sys

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skfocal.dask import DaskFocalLGBMClassifier
from tests.backends import install_command, of
from tests.dask.clusters import CHUNK, each_kind, lazy, rows

pytestmark = [pytest.mark.costly, pytest.mark.xdist_group("cluster")]  # all files share it


@each_kind
def test_pickle_leaves_the_client_behind_and_clone_keeps_it(client, kind, local_kind, quiet):
    X, y = rows(n_rows=2000)
    dX, dy = lazy(X, y)
    model = kind(n_estimators=3, focal_gamma=1.5, **quiet)
    assert model.client is None
    assert model.client_ is client
    model.set_params(client=client)
    fresh = clone(model)
    assert fresh.client is fresh.client_ is client
    assert fresh.focal_gamma == 1.5
    fresh.set_params(focal_gamma=1.0)
    assert model.focal_gamma == 1.5
    model.fit(dX, dy)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(dX), model.predict(dX))
    left_out = {"client": None, "missing": None}  # the latter is NaN
    assert again.get_params() | left_out == model.get_params() | left_out
    assert clone(again).get_params() | left_out == again.get_params() | left_out
    assert "client" not in model.to_local().get_params()
    model.set_params(client=client)  # a fitted booster has no use for it


@each_kind
def test_what_is_no_client_is_refused(client, kind, local_kind, quiet):
    dX, dy = lazy(*rows(n_rows=1000))
    model = kind(n_estimators=2, client=3, **quiet)
    with pytest.raises(TypeError, match=r"client must be a distributed\.Client or None; got 3"):
        model.fit(dX, dy)
    assert not hasattr(model, "loss_")
    fitted = model.set_params(client=client).fit(dX, dy)
    assert fitted.client is client
    assert fitted.predict(dX).compute().shape == (1000,)


@each_kind
def test_bad_input_is_told_and_leaves_the_model_as_it_was(client, kind, local_kind, quiet):
    X, y = rows(n_rows=2000)
    dX, dy = lazy(X, y)
    model = kind(n_estimators=2, **quiet).fit(dX, dy)
    before = model.predict_proba(dX).compute()
    weights = of(kind).eval_weight
    of_set = {"eval_set": [(dX, dy)]}
    bad = [
        (TypeError, "X must be a Dask", (X, dy), {}),
        (TypeError, "y must be a Dask", (dX, y), {}),
        (ValueError, "2000 rows, but y has 1999", (dX, dy[:-1]), {}),
        (ValueError, "3 partitions, but y has 2", (dX, dd.from_pandas(pd.Series(y), 2)), {}),
        (ValueError, "two dimensions", (dX[:, 0], dy), {}),
        (ValueError, "only one class", (dX, da.full(2000, 1, chunks=CHUNK)), {}),
        (ValueError, "continuous", (dX, dX[:, 0]), {}),
        (ValueError, "Negative values", (dX, dy), {"sample_weight": -da.ones(2000)}),
        (ValueError, "zero for all", (dX, dy), {"sample_weight": da.zeros(2000)}),
        (ValueError, "labels that are not in y", (dX, dy), {"eval_set": [(dX, dy + "?")]}),
        (ValueError, "features", (dX, dy), {"eval_set": [(dX[:, :4], dy)]}),
        (TypeError, "y must be a Dask", (dX, None), {}),
        (TypeError, r"eval_set must hold pairs \(X, y\)", (dX, dy), {"eval_set": [dX]}),
        (ValueError, "no evaluation sets", (dX, dy), {weights: [da.ones(2000)]}),
        (TypeError, f"{weights} must be a Dask", (dX, dy), of_set | {weights: [np.ones(2000)]}),
    ]
    for error, text, arguments, named in bad:
        with pytest.raises(error, match=text):
            model.fit(*arguments, **named)
        assert_array_equal(model.predict_proba(dX), before)
    with pytest.raises(ValueError, match="features"):
        model.predict(dX[:, :3]).compute()
    with pytest.raises(TypeError, match="X must be a Dask"):
        model.predict(X)


@each_kind
def test_scikit_learns_callbacks_are_refused(client, kind, local_kind, quiet):
    callback = pytest.importorskip("sklearn.callback")
    X, y = rows(n_rows=1000)
    model = kind(n_estimators=2, **quiet).set_callbacks(callback.ProgressBar())
    with pytest.raises(ValueError, match="cannot be called from a cluster"):
        model.fit(*lazy(X, y))


def test_a_missing_part_of_the_extra_names_the_command():
    code = (
        "import sys\n"
        "sys.modules['pyarrow'] = None\n"
        "try:\n"
        "    import skfocal.dask\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        f"skfocal.dask needs pyarrow, which is not installed: {install_command('dask')}"
    )


def test_callbacks_of_lightgbm_must_be_functions(client):
    X, y = rows(n_rows=200)
    with pytest.raises(TypeError, match="callbacks must be a list of functions"):
        DaskFocalLGBMClassifier(verbose=-1).fit(*lazy(X, y), callbacks=[3])
