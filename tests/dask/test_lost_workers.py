"""A worker that is lost is an error, soon, and the cluster stays of use."""

import os
import signal
import threading
import time

import pytest
from dask.distributed import Client, LocalCluster, get_worker

from skfocal.dask import WorkerLostError, _cluster
from tests.dask.clusters import each_kind, lazy, local_cluster, rows


@pytest.mark.slow(20)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
@each_kind
def test_a_lost_worker_is_an_error_within_a_minute(kind, local_kind, quiet, monkeypatch):
    monkeypatch.setattr(_cluster, "GRACE", 1.0)
    X, y = rows(n_rows=20_000)
    with local_cluster() as cluster, Client(cluster) as client:
        dX, dy = client.persist(lazy(X, y, chunk=2000))
        model = kind(n_estimators=2, **quiet).fit(dX, dy)
        before = model.get_params()
        model.set_params(n_estimators=100_000)
        pid = next(iter(client.run(os.getpid).values()))
        ended = []

        def end():
            time.sleep(3)
            ended.append(time.monotonic())
            os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=end)
        killer.start()
        with pytest.raises(WorkerLostError, match="Lost during fit"):
            model.fit(dX, dy)
        killer.join()
        assert time.monotonic() - ended[0] < 60
        # the model is the one before, and the cluster is of use
        model.set_params(n_estimators=before["n_estimators"])
        assert len(model.to_local().predict(X[:10])) == 10
        assert kind(n_estimators=2, **quiet).fit(*lazy(X, y)).score(*lazy(X, y)) > 0.8


def wait_forever():
    while True:
        time.sleep(0.1)


def end_soon():
    time.sleep(1)
    os._exit(1)


@pytest.mark.slow(15)
@pytest.mark.parametrize("nanny", [True, False])
def test_workers_that_wait_for_a_lost_one_are_restarted(monkeypatch, nanny, tmp_path):
    monkeypatch.setattr(_cluster, "GRACE", 1.0)
    if not nanny:
        with LocalCluster(n_workers=2, processes=False, dashboard_address=":0") as cluster:
            check_error_of_a_task(cluster, tmp_path / "released")
        return
    with local_cluster() as cluster, Client(cluster) as client:
        first, second = client.ncores()
        watched = _cluster.WatchedClient(client)
        tasks = [
            watched.submit(end_soon, workers=[first], pure=False),
            watched.submit(wait_forever, workers=[second], pure=False),
        ]
        with pytest.raises(WorkerLostError, match=first) as caught:
            watched.gather(tasks)
        assert "were restarted" in caught.value.__notes__[0]
        assert client.submit(lambda: get_worker().address).result(timeout=30) not in (first, second)


def check_error_of_a_task(cluster, flag):
    """Without nannies, in one process: the error of a task is what is raised."""
    with Client(cluster) as client:
        first, second = client.ncores()
        watched = _cluster.WatchedClient(client)
        tasks = [
            watched.submit(divide, 1, 0, workers=[first], pure=False),
            watched.submit(wait_for, str(flag), workers=[second], pure=False),
        ]
        with pytest.raises(ZeroDivisionError) as caught:
            watched.gather(tasks)
        assert "end them" in caught.value.__notes__[0]
        flag.touch()


def wait_for(path):
    """Wait for a file, however slow the machine is, and not forever."""
    end = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.1)


def divide(one, other):
    return one / other
