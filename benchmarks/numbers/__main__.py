"""Print all sentences, and what is not traced."""

from benchmarks.numbers.check import PAGES, SENTENCES, agrees, untraced
from benchmarks.numbers.shared import read_page


def main() -> None:
    """Print all sentences, and what is not traced."""
    for sentence in SENTENCES:
        text = read_page(sentence.page)
        said = "agrees" if agrees(sentence, text) else "DIFFERS"
        print(f"{said}: {sentence.page}, {sentence.source}\n    {sentence.filled()}")
        if said == "DIFFERS":
            print(f"    the page: {sentence.on(text)}")
    for page in PAGES:
        for place in untraced(page, read_page(page)):
            print(f"NOT TRACED: {page}: {place}")


if __name__ == "__main__":
    main()
