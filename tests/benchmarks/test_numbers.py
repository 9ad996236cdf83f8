"""Every number of README and docs is what the result files say, or is a setting that is given."""

import re

import pytest

from benchmarks import as_run_report, rare_report
from benchmarks.numbers import check as numbers
from benchmarks.numbers.given import EVERYWHERE, GIVEN
from benchmarks.numbers.shared import one_line, read_page, report

pytestmark = pytest.mark.xdist_group("numbers")  # one process keeps what is read and computed
DIGITS = re.compile(r"\d(?=\D*$)")


def name_of(sentence):
    """The page and the first words of a sentence."""
    return f"{sentence.page}: {' '.join(sentence.template.split()[:6])}"


@pytest.mark.parametrize("sentence", numbers.SENTENCES, ids=name_of)
def test_a_page_says_what_the_result_files_say(sentence):
    text = read_page(sentence.page)
    assert numbers.agrees(sentence, text), (
        f"{sentence.page}\n  {sentence.source}: {sentence.filled()}\n  page: {sentence.on(text)}"
    )


@pytest.mark.parametrize("page", numbers.PAGES)
def test_every_number_is_traced_or_given(page):
    found = numbers.untraced(page, read_page(page))
    assert not found, f"Trace or give these numbers of {page}:\n" + "\n".join(found)


@pytest.mark.parametrize("sentence", numbers.SENTENCES, ids=name_of)
def test_a_changed_number_is_noticed(sentence):
    filled, text = sentence.filled(), one_line(read_page(sentence.page))
    changed = DIGITS.sub(lambda digit: str((int(digit[0]) + 1) % 10), filled)
    if changed == filled:  # a sentence with words alone
        changed = filled.replace(str(sentence.values()[0]), "a lot")
    assert changed != filled
    assert not numbers.agrees(sentence, text.replace(filled, changed))


@pytest.mark.parametrize(
    "added, number",
    [
        ("It takes 37 times as long.", "37"),
        ("It is 8 % better.", "8"),
        ("This holds on 7 of 9 tables.", "7"),
        ("The loss is 0.417.", "0.417"),
        ("It takes 1 to 2 times as long.", "1"),
        ("On XGBoost 5.7 times.", "5.7"),
        ("There were 123,456 rows.", "123,456"),
        ("| LightGBM | 0.9876 |", "0.9876"),
    ],
)
def test_a_new_number_is_noticed_on_every_page(added, number):
    for page in numbers.PAGES:
        text = f"{read_page(page)}\n\n{added}\n"
        assert any(number in place for place in numbers.untraced(page, text)), page


def test_what_is_no_measured_number_is_left_alone():
    text = "Two classes, gamma 2, P(y = 1), `n_jobs=16`, $x^{12}$, F1, [a link](page-2017.md).\n"
    text += "\n```python\nrows = 12_000\n```\n\n```text\n0.123\n```\n"
    assert numbers.untraced("README.md", text) == []


def test_the_caption_of_a_figure_is_prose_and_its_options_are_not():
    text = "```{figure} a_001.png\n:width: 95%\n\nIt takes 37 times as long as `a` does.\n```\n"
    (found,) = numbers.untraced("README.md", text)
    assert "37" in found


@pytest.mark.parametrize("name, module", [("rare", rare_report), ("as_run", as_run_report)])
def test_the_reports_that_verdicts_are_read_from_are_those_of_the_results(name, module):
    pytest.importorskip("tabulate", reason="a package of the group bench")
    assert module.text_of(module.read()) == report(name)


@pytest.mark.parametrize("page", GIVEN)
def test_a_phrase_that_is_given_is_on_its_page(page):
    text = one_line(read_page(page))
    assert [part for part in GIVEN[page] if one_line(part) not in text] == []


def test_each_page_is_read():
    assert {sentence.page for sentence in numbers.SENTENCES} | set(GIVEN) <= set(numbers.PAGES)
    assert all(pattern.search("".join(map(read_page, numbers.PAGES))) for pattern in EVERYWHERE)
