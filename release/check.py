"""Refuse a release whose parts disagree, and print its notes.

    python release/check.py v0.2.0 > notes.md

The tag, the version of the package, CITATION.cff, the conda recipe and the newest section of
CHANGELOG.md have to agree; no address may be a placeholder, and no page may say that nothing is
released.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = r"[0-9]+\.[0-9]+\.[0-9]+(?:rc[0-9]+)?"
UNRELEASED = "not released yet"


def found(pattern: str, text: str) -> tuple[str, ...]:
    """The groups of the first match, or as many empty texts."""
    match = re.search(pattern, text, flags=re.MULTILINE)
    return match.groups() if match else ("",) * re.compile(pattern).groups


def notes(changelog: str, version: str) -> str:
    """The section of a version, without its heading."""
    pattern = rf"^## {re.escape(version)} \(.*\)\n([\s\S]*?)(?=^## |\Z)"
    return found(pattern, changelog)[0].strip()


def problems(root: Path, tag: str) -> list[str]:
    """All that stands against a release of a checkout under a tag."""

    def read(name: str) -> str:
        return (root / name).read_text(encoding="utf-8")

    version = tag.removeprefix("v")
    package = found(r'^__version__ = "(.*)"', read("skfocal/__init__.py"))[0]
    citation = read("CITATION.cff")
    newest, date = found(r"^## (\S+) \((.*)\)$", read("CHANGELOG.md"))
    cited = found(r"^version: (.*)$", citation)[0]
    recipe = found(r'^  version: "(.*)"$', read("release/recipe.yaml"))[0]
    cited_date = found(r"^date-released: (.*)$", citation)[0].strip("\"'")
    wrong = {
        f"the tag {tag!r} is not v and a version such as 0.2.0 or 0.2.0rc1": (
            re.fullmatch(f"v{VERSION}", tag) is None
        ),
        f"skfocal/__init__.py has version {package!r}, and not {version!r}": package != version,
        f"CITATION.cff has version {cited!r}, and not {version!r}": cited != version,
        f"release/recipe.yaml has version {recipe!r}, and not {version!r}": recipe != version,
        f"the newest section of CHANGELOG.md is {newest!r}, and not {version!r}": newest != version,
        f"CHANGELOG.md has {date!r} where a date such as 2026-12-01 belongs": (
            re.fullmatch(r"\d{4}-\d\d-\d\d", date) is None
        ),
        f"CITATION.cff has date-released {cited_date!r}, and CHANGELOG.md {date!r}": (
            cited_date != date
        ),
        f"CHANGELOG.md says nothing of {version!r}": not notes(read("CHANGELOG.md"), version),
        "pyproject.toml has an address that ends in .invalid": ".invalid" in read("pyproject.toml"),
    }
    wrong |= {
        f"{page} says {UNRELEASED!r}": UNRELEASED in read(page)
        for page in ("README.md", "docs/install.md", "docs/index.md")
    }
    return [sentence for sentence, holds in wrong.items() if holds]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("Give the tag: python release/check.py v0.2.0")
    tag = sys.argv[1]
    against = problems(ROOT, tag)
    if against:
        sys.exit("\n".join(["No release:", *(f"- {sentence}" for sentence in against)]))
    print(notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), tag.removeprefix("v")))


if __name__ == "__main__":
    main()
