"""Marks: what was stored is known for ever, in bounded memory, however its sender counts."""

from __future__ import annotations

import itertools
import random

import pytest

from storage.tables.errors import Refused
from storage.tables.marks import MAX_EPOCHS, MAX_RANGES, Marks, encode


def reloaded(marks: Marks) -> Marks:
    """The marks after a restart."""
    result = Marks()
    result.load(encode(marks.saved()))
    return result


def test_numbers_in_any_order_end_in_one_range() -> None:
    numbers = list(range(500))
    random.Random(3).shuffle(numbers)
    marks = Marks()
    for number in numbers:
        assert not marks.seen("s", 1, "e", number)
        marks.add("s", 1, "e", number)
        assert marks.seen("s", 1, "e", number)
    assert reloaded(marks).ranges()["s"].epochs == {"e": [[0, 499]]}


def test_marks_are_a_set_of_numbers() -> None:
    chance = random.Random(5)
    marks, added = Marks(), set()
    for _ in range(2000):
        number = chance.randrange(600)
        assert marks.seen("s", 1, "e", number) == (number in added)
        marks.add("s", 1, "e", number)
        added.add(number)
    assert [number for number in range(700) if reloaded(marks).seen("s", 1, "e", number)] == sorted(added)


def test_sources_and_epochs_are_apart() -> None:
    marks = Marks()
    marks.add("s", 1, "e", 4)
    assert not marks.seen("s", 1, "f", 4)
    assert not marks.seen("t", 1, "e", 4)


def test_a_new_generation_ends_the_one_before() -> None:
    marks = Marks()
    marks.add("s", 1, "e", 4)
    assert not marks.seen("s", 2, "e", 4)
    marks.add("s", 2, "e", 0)
    with pytest.raises(Refused, match="generation 1"):
        marks.seen("s", 1, "e", 4)


def test_a_sender_that_leaves_holes_is_stopped() -> None:
    marks = Marks()
    for number in range(MAX_RANGES):
        assert not marks.seen("s", 1, "e", number * 2)
        marks.add("s", 1, "e", number * 2)
    with pytest.raises(Refused, match="holes"):
        marks.seen("s", 1, "e", MAX_RANGES * 2)
    assert marks.seen("s", 1, "e", 0)
    last = (MAX_RANGES - 1) * 2
    assert not marks.seen("s", 1, "e", last + 1)


def test_a_batch_may_stand_for_many_numbers() -> None:
    chance = random.Random(7)
    marks = Marks()
    added: set[int] = set()
    for _ in range(300):
        last = chance.randrange(4000)
        first = max(0, last - chance.randrange(20))
        assert marks.seen("s", 1, "e", last, first=first) == (last in added)
        marks.add("s", 1, "e", last, first=first)
        added.update(range(first, last + 1))
    assert [number for number in range(4100) if reloaded(marks).seen("s", 1, "e", number)] == sorted(added)
    ranges = marks.ranges()["s"].epochs["e"]
    assert all(left[1] + 1 < right[0] for left, right in itertools.pairwise(ranges))


def test_who_sends_many_as_one_leaves_no_holes() -> None:
    marks = Marks()
    for number in range(MAX_RANGES):
        marks.add("s", 1, "e", number * 10)  # as they were left before
    for number in range(MAX_RANGES * 10, MAX_RANGES * 20, 10):
        assert not marks.seen("s", 1, "e", number, first=0)
        marks.add("s", 1, "e", number, first=0)
    assert marks.ranges()["s"].epochs["e"] == [[0, MAX_RANGES * 20 - 10]]


def test_a_sender_of_many_epochs_forgets_its_own_oldest() -> None:
    marks = Marks()
    marks.add("other", 1, "e", 0)
    for number in range(MAX_EPOCHS):
        marks.add("s", 1, f"e{number}", 0)
    marks.add("s", 1, "e0", 1)
    marks.add("s", 1, "new", 0)
    assert marks.seen("s", 1, "e0", 0)
    assert not marks.seen("s", 1, "e1", 0)
    assert marks.seen("other", 1, "e", 0)
    assert len(marks.ranges()["s"].epochs) == MAX_EPOCHS


def test_what_was_saved_stays_as_it_was() -> None:
    marks = Marks()
    for number in range(5_000):
        marks.add(f"s{number}", 1, "e", 0)
    kept = marks.saved()
    before = encode(kept)
    marks.add("s1", 1, "e", 1)
    marks.add("s2", 1, "f", 7)
    marks.add("s3", 2, "e", 9)
    marks.forget("s4")
    marks.add("new", 1, "e", 0)
    assert encode(kept) == before
    again = Marks()
    again.load(before)
    assert {source: found.epochs for source, found in again.ranges().items()} == {
        f"s{number}": {"e": [[0, 0]]} for number in range(5_000)
    }
    assert reloaded(Marks()).ranges() == {}
