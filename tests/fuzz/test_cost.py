"""Hostile texts are cheap, and twice the text costs little more than twice as much.

In: the families of `hostile`. Invariant: time of this process alone, with room for a noisy machine; the exact bounds
are held by `python -m tests.fuzz.cost`.
"""

from __future__ import annotations

import pytest

from nql.syntax.parse import LONGEST
from tests.fuzz.cost import MOST_SECONDS, STEPS, Cost, cost, quick
from tests.fuzz.hostile import FAMILIES

ASKED = ("complete", "hover", "format", "explain")


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_longest_text_is_bounded(family: str) -> None:
    assert quick(family) < 2 * MOST_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("step", ASKED)
def test_an_editor_asks_without_breaking_anything(step: str) -> None:
    """Each family meets one of the steps here, and all of them in `python -m tests.fuzz.cost`."""
    slow = {family: quick(family, step) for family in [*FAMILIES][ASKED.index(step) :: len(ASKED)]}
    assert max(slow.values()) < 2 * MOST_SECONDS, slow


@pytest.mark.slow
@pytest.mark.parametrize("family", ["ors", "patterns", "columns", "dates", "metrics", "lets", "unknown members"])
def test_twice_the_text_costs_about_twice_as_much(family: str) -> None:
    assert cost(family).growth < 3


@pytest.mark.parametrize("length", [200, 8_000, LONGEST])
def test_families_have_the_length_asked_for(length: int) -> None:
    sizes = {family: len(made(length)) for family, made in FAMILIES.items()}
    assert all(length - 100 < size <= length for size in sizes.values() if length > 200), sizes
    assert all(size <= length for size in sizes.values())


def test_what_grows_too_fast_or_takes_too_long_is_bad() -> None:
    assert Cost("", 0.3, 0.14).good
    assert not Cost("", 0.41, 0.2).good
    assert not Cost("", 0.3, 0.1).good
    assert Cost("", 0.01, 0.001).good
    assert set(STEPS) == {"meaning", "complete", "hover", "format", "explain"}
