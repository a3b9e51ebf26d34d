"""Formatting keeps what a query says, every comment of it, and is its own format."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nql.api import format_query
from nql.editing.format import settled
from nql.editing.layout import WIDTH
from nql.editing.pieces import pieces
from nql.syntax.parse import parse
from tests.nql.editing.recorded import EXAMPLES, RECORDED, readable
from tests.properties.texts import query

COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*\*/|//[^\n]*")
INJECTED = (
    "/* c1 */", "/*c*/", "\n/* own */\n", "/* a\n  b */", " // to end\n", "\n// own line\n", "\n\n",
    "\n\n/* x */\n", " ",
)  # fmt: skip


RECORDS = readable(RECORDED + EXAMPLES)


def comments(text: str) -> list[str]:
    """All comments, in order."""
    quoted = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "", text)
    return [found.rstrip() for found in COMMENT.findall(quoted)]


def check(text: str) -> str:
    """Holds a readable text to what formatting promises."""
    formatted = settled(text)
    assert parse(formatted) == parse(text), formatted
    assert settled(formatted) == formatted
    assert comments(formatted) == comments(text)
    assert format_query(text) == formatted
    return formatted


def injected(text: str, chance: random.Random) -> str:
    """The text with comments and line ends between some of its terminals, and around some of its dots."""
    found, _ = pieces(text)
    gaps = {at for piece in found for at in (piece.span.start, piece.span.end)}
    for piece in found:
        if piece.kind == "PATH":
            gaps |= {
                piece.span.start + dot.start() for dot in re.finditer(r"\.", text[piece.span.start : piece.span.end])
            }
    for at in sorted(chance.sample(sorted(gaps), min(len(gaps), chance.randint(1, 6))), reverse=True):
        text = text[:at] + chance.choice(INJECTED) + text[at:]
    return text


def narrow(text: str) -> None:
    """A formatted query stays within the width, but for what cannot be broken."""
    formatted = check(text)
    assert all(len(line) <= WIDTH for line in formatted.split("\n") if '"' not in line and "//" not in line), formatted


@pytest.mark.slow
def test_queries_of_the_records() -> None:
    for text in RECORDS:
        narrow(text)


@given(st.sampled_from(RECORDS))
def test_some_queries_of_the_records(text: str) -> None:
    narrow(text)


@given(st.integers(0, 2**32))
def test_generated_queries(seed: int) -> None:
    check(query(random.Random(seed)))


@given(st.integers(0, 2**32))
def test_comments_between_any_two_terminals(seed: int) -> None:
    chance = random.Random(seed)
    text = injected(chance.choice([query(chance), chance.choice(RECORDS)]), chance)
    assert readable([text]), text
    check(text)


@given(st.text(alphabet="devics |wher=nam.\"'[](),/*#$ \n17d;", max_size=60))
def test_any_text_is_formatted_or_left_alone(text: str) -> None:
    for start in ("", "devices | where "):
        formatted = format_query(start + text)
        assert formatted == start + text or readable([formatted])
        assert format_query(formatted) == formatted
