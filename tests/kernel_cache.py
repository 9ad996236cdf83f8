"""Compiled loops, kept between clean checkouts.

    python -m tests.kernel_cache restore
    python -m tests.kernel_cache save

To compile all loops of all tests takes minutes. numba keeps them beside their sources, where a
clean checkout has none. This copies them from and to a folder of the user, whose name is the
digest of the sources. numba looks at the sources again before it takes a loop, and at the
processor: a wrong or old folder costs time, and changes no result.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "skfocal"
COMPILED = PACKAGE / "_kernels" / "__pycache__"
MOST = 4  # folders that are kept, the newest ones


def root() -> Path:
    """Where the folders are: $SKFOCAL_KERNEL_CACHE, or the user's folder of caches."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "skfocal-kernels"
    return Path(os.environ.get("SKFOCAL_KERNEL_CACHE", default))


def folder() -> Path:
    """The folder of these sources, this Python and this numba."""
    import numba

    sources = [PACKAGE / "_math.py", *sorted((PACKAGE / "_kernels").glob("*.py"))]
    versions = f"{sys.version_info[:2]} {numba.__version__}"
    digest = hashlib.sha256(versions.encode())
    for source in sources:
        digest.update(source.read_bytes())
    return root() / digest.hexdigest()[:16]


def copy(source: Path, target: Path, replace: bool) -> int:
    """Copy compiled loops, the index last: it names files that are then there."""
    target.mkdir(parents=True, exist_ok=True)
    files = [path for suffix in ("nbc", "nbi") for path in source.glob(f"*.{suffix}")]
    files = [path for path in files if replace or not (target / path.name).exists()]
    for path in files:
        part = target / f"{path.name}.part"
        shutil.copyfile(path, part)
        part.replace(target / path.name)
    return len(files)


def main() -> None:
    """Restore or save, and say what was copied; what cannot be copied is compiled."""
    here = folder()
    try:
        if sys.argv[1:] == ["restore"]:
            number = copy(here, COMPILED, replace=False)
        elif sys.argv[1:] == ["save"]:
            number = copy(COMPILED, here, replace=True)
            kept = sorted(root().iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
            for old in kept[MOST:]:
                shutil.rmtree(old)
        else:
            sys.exit(__doc__)
    except OSError as error:
        print(f"Compiled loops are not kept: {error}")
    else:
        print(f"{sys.argv[1]} of compiled loops: {number} files, {here}")


if __name__ == "__main__":
    main()
