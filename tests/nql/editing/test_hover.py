"""Hover says what a word is where it stands, in texts that are broken too, and never fails."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nql.api import hover
from nql.catalog.load import builtin
from nql.functions import FUNCTIONS, Function
from tests.nql.editing.recorded import EXAMPLES, RECORDED
from tests.plans.test_snapshots import catalog
from tests.properties.texts import query


def cases() -> list[tuple[str, str]]:
    """Texts with a cursor, each with what is expected there."""
    blocks = (Path(__file__).parent / "hovers.txt").read_text("utf-8").split("\n\n")[1:]
    return [(text, expected) for text, expected in (block.strip().split("\n") for block in blocks)]


@pytest.mark.parametrize(("text", "expected"), cases(), ids=lambda value: value if "¦" in value else "")
def test_says_what_stands_there(text: str, expected: str) -> None:
    shown, title, detail, doc = expected.split(" | ")
    offset = text.index("¦")
    text = text.replace("¦", "")
    found = hover(text, offset, builtin())
    assert found is not None
    assert (text[found.span.start : found.span.end], found.title) == (shown, title)
    assert found.detail.startswith(detail)
    assert doc in found.doc


@pytest.mark.parametrize(
    "text",
    [
        "devices ¦ | list name", "devices /* na¦me */ | list name", "devices // na¦me", "devices | list nothing¦_there",
        "nothing¦_there | list name", "nothing_there | list na¦me", "devices | summarize n = count(¦ )", "", "¦",
        "devices |¦", "devices | where name == \"na¦me", "devices | summarize n = conu¦t()",
    ],
)  # fmt: skip
def test_has_nothing_to_say(text: str) -> None:
    at = text.find("¦") if "¦" in text else 0
    assert hover(text.replace("¦", ""), at, builtin()) is None


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda item: item.name)
def test_every_function_of_the_table_is_known_in_its_example(function: Function) -> None:
    found = hover(function.example, function.example.index(f"{function.name}(") + 1, builtin())
    assert found is not None
    assert found.title == f"{function.name}()"


def check(text: str, offset: int) -> None:
    """Whatever is found covers the cursor and says something."""
    found = hover(text, offset, catalog())
    if found is not None:
        assert 0 <= found.span.start <= offset <= found.span.end <= len(text)
        assert found.title
        assert found.detail or found.doc


@given(st.integers(0, 2**32))
def test_any_offset_of_queries_and_their_beginnings(seed: int) -> None:
    chance = Random(seed)
    text = chance.choice([query(chance), chance.choice(RECORDED), chance.choice(EXAMPLES)])
    for _ in range(5):
        check(text, chance.randint(0, len(text)))
    text = text[: chance.randint(0, len(text))]
    check(text, chance.randint(0, len(text)))


@given(st.text(alphabet="devics |wher=nam.\"'[](),/*#$ \n17d;-", max_size=40), st.integers(-5, 60))
def test_any_text(text: str, offset: int) -> None:
    for start in ("", "devices | where ", "let x = 1; devices past "):
        if 0 <= offset <= len(start + text):
            check(start + text, offset)
        else:
            assert hover(start + text, offset, catalog()) is None
