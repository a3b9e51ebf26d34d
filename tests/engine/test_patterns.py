"""Patterns fall into shapes, and every form of a pattern finds the same texts."""

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.lazyframe.exprs import matches
from engine.patterns import LONGEST, Shape, classify, like, regex


@pytest.mark.parametrize(
    ("pattern", "shape", "text"),
    [
        ("Name", Shape.EXACT, "name"),
        ("", Shape.EXACT, ""),
        ("Na*", Shape.PREFIX, "na"),
        ("*ME", Shape.SUFFIX, "me"),
        ("**a**", Shape.CONTAINS, "a"),
        ("*", Shape.ANY, ""),
        ("***", Shape.ANY, ""),
        ("a*b", Shape.GENERAL, "a*b"),
        ("?", Shape.GENERAL, "?"),
        ("*a?", Shape.GENERAL, "*a?"),
        ("?" * (LONGEST + 1), Shape.NEVER, "?" * (LONGEST + 1)),
    ],
)
def test_a_pattern_has_a_shape(pattern: str, shape: Shape, text: str) -> None:
    found = classify(pattern)
    assert (found.shape, found.text) == (shape, text)


def test_a_long_plain_text_is_still_exact() -> None:
    assert classify("a" * 16_000).shape is Shape.EXACT


def test_the_longest_pattern_fits_a_regex() -> None:
    frame = pl.DataFrame({"text": ["x" * LONGEST, "x" * (LONGEST + 1)]})
    assert frame.select(matches(pl.col("text"), classify("?" * LONGEST))).to_series().to_list() == [True, False]


def test_like_escapes_what_like_would_read() -> None:
    assert like("50%_a*b?\\") == "50\\%\\_a%b_\\\\"


def plainly(pattern: str, text: str) -> bool:
    """What a pattern means, said as simply as possible."""
    if not pattern:
        return not text
    head, rest = pattern[0], pattern[1:]
    if head == "*":
        return any(plainly(rest, text[at:]) for at in range(len(text) + 1))
    return bool(text) and (head in ("?", text[0])) and plainly(rest, text[1:])


@given(st.text("ab*?.\n%", max_size=6), st.text("aAb.\n%", max_size=6))
def test_every_form_agrees_with_the_plain_meaning(pattern: str, text: str) -> None:
    expected = plainly(pattern, text.lower())
    found = pl.DataFrame({"text": [text]}).select(matches(pl.col("text"), classify(pattern))).item()
    assert found is expected
    assert bool(re.search(regex(pattern.lower()).replace("$", r"\Z"), text.lower())) is expected
