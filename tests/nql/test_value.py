"""Values are compared and hashed by what they say, have slots, and are not changed: mypy sees to the last."""

from __future__ import annotations

from dataclasses import field, replace

import pytest

from nql.value import value


@value
class Word:
    """A word and where it stands."""

    text: str
    place: int = field(default=0, compare=False)


def test_values_are_what_they_say() -> None:
    assert Word("a", 1) == Word("a", 2) != Word("b", 1)
    assert len({Word("a", 1), Word("a", 2), Word("b")}) == 2
    assert replace(Word("a", 1), text="b") == Word("b")
    assert repr(Word("a", 1)) == "Word(text='a', place=1)"


def test_values_have_no_other_attributes() -> None:
    with pytest.raises(AttributeError):
        setattr(Word("a"), "txt", "b")  # noqa: B010


def test_mypy_refuses_a_change() -> None:
    word = Word("a")
    word.text = "b"  # type: ignore[misc]  # unused, and so an error, where mypy would let it pass
    assert word == Word("b")
