"""Pages that people write: a query is never shown without having run, and does what the page says of it.

Comes in: texts of pages, over a store that holds nothing. Goes out: nothing. Invariant held here: a page whose query
is wrong, or right where it should be wrong, cannot be made.
"""

import pytest

from muster.reference import manuscript
from muster.reference.contents import PARTS
from muster.reference.estate import NOW, Answers, known
from muster.reference.manuscript import ran
from muster.reference.markdown import anchor, block, code, link, plain, table
from tests.logic.memory_source import MemorySource

CATALOG = known()
EMPTY = Answers(CATALOG, MemorySource(CATALOG, {}, zone="UTC", complete_until=NOW))


def test_an_answer_stands_below_its_query() -> None:
    shown = ran("devices | summarize n = count()", [], EMPTY)
    assert shown == "```nql\ndevices | summarize n = count()\n```\n```text\nn\n-\n0\n\n1 row\n```"


def test_a_window_and_warnings_stand_below_the_answer() -> None:
    shown = ran("devices | include execution.crashes on 2026-11-20", [], EMPTY)
    assert "0 rows · 2026-11-20 00:00 to 2026-11-21 00:00 (Europe/Zurich)\n\nwarning NQL416: " in shown


def test_findings_stand_below_a_query_that_should_be_wrong() -> None:
    assert "```text\nerror NQL202: " in ran("devices | list nam", ["error"], EMPTY)


@pytest.mark.parametrize(
    ("query", "words", "message"),
    [
        ("devices | list nam", [], "is wrong"),
        ("devices | list name", ["error"], "should be wrong"),
        ("devices | include execution.crashes", ["check"], "not clean"),
        ("devices // all", ["strict"], "is wrong"),
        ("devices", ["rowz"], "says nothing"),
    ],
)
def test_a_query_does_what_the_page_says(query: str, words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ran(query, words, EMPTY)


def test_rules_and_rows_of_a_block() -> None:
    sized = 'devices | where hardware.memory >= 1KB or name == "a" | summarize n = count()'
    assert ran(sized, ["kilo", "pass", "3"], EMPTY).endswith("1 row\n```")
    assert ran("devices // all", ["check"], EMPTY) == "```nql\ndevices // all\n```"


def test_every_part_that_pages_ask_for_is_made() -> None:
    asked = set()
    for name in manuscript.names():
        asked |= set(manuscript.parts_of(name))
    assert asked == set(PARTS)


def test_cells_cannot_end_their_table() -> None:
    assert table(("a", "b"), [("x | y", "two\nlines")]) == "| a | b |\n| --- | --- |\n| x \\| y | two lines |"


def test_code_cannot_end_its_block() -> None:
    assert code("a  b") == "`a b`"
    assert code("a`b") == "`` a`b ``"
    assert block("```", "nql") == "````nql\n```\n````"
    assert plain("#<name>") == "#\\<name>"


def test_headings_are_named_as_pages_are_shown() -> None:
    assert anchor("A8 field.count()") == "a8-fieldcount"
    assert anchor(plain("campaign.#<nql_id>.responses")) == "campaignnql_idresponses"
    assert link("x", "", "NQL101 Bad word") == "[x](#nql101-bad-word)"
