"""Run the README's lines and all examples where only the wheel is installed.

    python release/try_wheel.py README.md examples

Each runs in an empty folder, in a process of its own, as a script that a reader has downloaded.
The checkout must not be on the path of imports.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skfocal


def scripts(readme: Path, examples: Path) -> dict[str, str]:
    """The source of each script, by its name."""
    code = "\n".join(
        re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), flags=re.DOTALL)
    )
    found = {readme.name: code}
    return found | {
        path.name: path.read_text(encoding="utf-8") for path in sorted(examples.glob("plot_*.py"))
    }


def run(name: str, source: str) -> bool:
    """Run a script, and say whether it ended well."""
    settings = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": ""}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text(source, encoding="utf-8")
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, script.name], cwd=folder, env=settings, capture_output=True, text=True
        )
    seconds = time.perf_counter() - started
    print(f"{'failed' if done.returncode else 'ran'}: {name}, {seconds:.0f} s", flush=True)
    if done.returncode:
        print(done.stderr)
    return done.returncode == 0


def main() -> None:
    readme, examples = (Path(name).resolve() for name in sys.argv[1:])
    checkout = Path(__file__).parents[1].resolve()
    if Path(skfocal.__file__).resolve().is_relative_to(checkout / "skfocal"):
        sys.exit("The skfocal that is imported is the checkout. Install the wheel.")
    ended = [run(name, source) for name, source in scripts(readme, examples).items()]
    sys.exit(0 if all(ended) else "Some scripts failed.")


if __name__ == "__main__":
    main()
