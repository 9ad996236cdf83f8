"""One cluster for all files that do not end its workers."""

import pytest
from dask.distributed import Client

from tests.dask.clusters import local_cluster


@pytest.fixture(scope="session")
def cluster(traced_processes):
    with traced_processes():
        cluster = local_cluster()
    with cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster):
    with Client(cluster) as client:
        yield client
