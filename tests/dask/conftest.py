"""A cluster for each file."""

import pytest
from dask.distributed import Client

from tests.dask.clusters import local_cluster


@pytest.fixture(scope="module")
def client():
    with local_cluster() as cluster, Client(cluster) as client:
        yield client
