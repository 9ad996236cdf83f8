"""The sentences of all pages, and the search for numbers that are neither traced nor given."""

import re
from collections.abc import Iterator

from benchmarks.numbers import evidence, guide, one_fit, others, pages, run
from benchmarks.numbers.given import EVERYWHERE, GIVEN
from benchmarks.numbers.shared import ROOT, Sentence, one_line

MODULES = (pages, guide, evidence, run, others, one_fit)
SENTENCES: list[Sentence] = [sentence for module in MODULES for sentence in module.SENTENCES]
PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("index", "install", "getting_started", "faq", "migrating")),
    *(f"docs/{name}.md" for name in ("posterior_link", "evidence")),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "guide").glob("*.md")),
)
# A figure has a caption, which is prose; all other blocks with backticks are code or included.
FIGURE = re.compile(r"^ *```\{figure\}[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
NOT_PROSE = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (r"\A---\n.*?^---$", re.MULTILINE | re.DOTALL),  # the head of a page
        (r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL),
        (r"^ *:\w+: .*$", re.MULTILINE),  # options of a directive
        (r"^ *:{3,}\{grid[^\n]*$", re.MULTILINE),
        (r"^% .*$", re.MULTILINE),  # a comment
        (r"^ *\d+\. ", re.MULTILINE),  # the numbers of a list
        (r"`[^`]+`", 0),
        (r"\$\$.*?\$\$", re.DOTALL),
        (r"\$[^$]+\$", 0),
        (r"\]\([^)]*\)", 0),  # the target of a link
    )
)
# A date or a version is one number, and so is 1,000,000. A digit in a name, as in F1, is none.
NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?:e-?\d+)?(?![\w])")
# What makes a single digit a result rather than a count of things: 8 %, 3 times, 2 of 5, 2 to 4.
UNIT = re.compile(r"\d (?:%|times|s|ns|GiB)(?!\w)|\d (?:to|of|and) (?:\w+ )?\d|\d [/x] \d")


def without_code(text: str) -> str:
    """The text with a sign in place of each digit of what is not prose; nothing else moves."""
    text = FIGURE.sub(lambda found: found[0].replace("`", "_"), text)
    for pattern in NOT_PROSE:
        # backticks and dollars are replaced, too: they must not pair with those of the prose
        text = pattern.sub(lambda found: re.sub(r"[\d`$]", "_", found[0]), text)
    return text


def occurrences(part: str, text: str) -> Iterator[tuple[int, int]]:
    """The places of a part in a text; its digits do not continue a longer number."""
    edges = r"(?<![\d.,])" if part[:1].isdigit() else "", r"(?!\d)" if part[-1:].isdigit() else ""
    for found in re.finditer(edges[0] + re.escape(part) + edges[1], text):
        yield found.span()


def agrees(sentence: Sentence, text: str) -> bool:
    """Whether a page has the filled sentence, and has it once."""
    return len(list(occurrences(sentence.filled(), one_line(text)))) == 1


def known(page: str, text: str) -> list[tuple[int, int]]:
    """The places of traced sentences and of given phrases in the text of a page, on one line."""
    parts = [sentence.filled() for sentence in SENTENCES if sentence.page == page]
    parts += GIVEN.get(page, ())
    places = [place for part in parts for place in occurrences(one_line(part), text)]
    return places + [found.span() for pattern in EVERYWHERE for found in pattern.finditer(text)]


def is_count(prose: str, place: tuple[int, int]) -> bool:
    """Whether a number is a single digit that only counts things, as in "2 classes"."""
    start, end = place
    if end - start > 1:
        return False
    near = prose[max(start - 12, 0) : end + 12]
    at = start - max(start - 12, 0)
    return not any(found.start() <= at < found.end() for found in UNIT.finditer(near))


def untraced(page: str, text: str) -> list[str]:
    """All numbers in the prose of a page that are neither traced nor given, with their places."""
    # replaced digits keep their places, so both texts have the same length
    prose, whole = one_line(without_code(text)), one_line(text)
    places = known(page, whole)
    found = []
    for number in NUMBER.finditer(prose):
        inside = any(start <= number.start() and number.end() <= end for start, end in places)
        if not inside and not is_count(prose, number.span()):
            found.append(whole[max(number.start() - 50, 0) : number.end() + 40])
    return found
