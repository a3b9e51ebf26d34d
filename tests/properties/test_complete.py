"""Whatever completion offers, at any cursor of any recorded query, can be put in and is no mistake of its own."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from nql.api import complete, diagnose
from nql.diagnostics import Severity
from nql.editing.offers import Item
from nql.syntax.parse import stop
from tests.nql.editing.recorded import EXAMPLES, RECORDED
from tests.plans.test_snapshots import catalog
from tests.properties.texts import query

CATALOG = catalog()
TEXTS = sorted(set(RECORDED + EXAMPLES))
UNFINISHED = frozenset({"NQL314", "NQL113"})  # a name that is not compared yet, a bracket that is not closed yet
OPEN = (".", "(", "= ", "[")
LEADING = frozenset({"not", "distinct", "let"})  # names, as long as nothing follows
MOST = 12


def values(table: str, column: str, typed: str) -> list[str]:
    """Data of any column."""
    return [
        value
        for value in ("Alpha", "it's", 'say "so"', "two\nlines", f"{table} {column}")
        if value.lower().startswith(typed.lower())
    ]


def errors(text: str) -> set[tuple[str, int, int, str]]:
    """The errors of a text, with their places."""
    return {
        (found.code, found.span.start, found.span.end, found.message)
        for found in diagnose(text, CATALOG)
        if found.severity is Severity.ERROR
    }


def check(text: str, offset: int, chance: Random) -> None:
    """Puts some of the offered items in."""
    found = complete(text, offset, CATALOG, values=values)
    assert 0 <= found.span.start <= offset <= found.span.end <= len(text)
    assert len({item.insert for item in found.items}) == len(found.items)
    for item in chance.sample(found.items, min(MOST, len(found.items))):
        put_in(text, found.span.start, found.span.end, item)


def put_in(text: str, start: int, end: int, item: Item) -> None:
    """Holds one item to its promise."""
    new = text[:start] + item.insert + text[end:]
    after = start + len(item.insert)
    quote = text[start - 1 : start] if start and text[start - 1] in "\"'" else ""
    if quote and not item.insert.endswith(quote) and text[end : end + 1] != quote:
        quote = ""
    closed = after + 1 if quote and not item.insert.endswith(quote) else after
    before = new[:closed]
    shown = f"{text[:start]}«{item.insert}»{text[end:]}"
    whole = before.removesuffix(".").rstrip()
    assert stop(whole)[0].start >= len(whole), shown
    if item.insert in LEADING:
        assert item.insert == "let" or complete(f"{before} ", len(before) + 1, CATALOG).items, shown
        return
    if item.insert.endswith(OPEN):
        assert complete(before, len(before), CATALOG, values=values).items or item.insert.endswith(("[", "default(")), (
            shown
        )
        return
    inside = [one for one in errors(new) if start <= one[1] < one[2] <= after and one[0] not in UNFINISHED]
    assert not inside, (shown, inside)


@given(st.integers(0, 2**32))
def test_records(seed: int) -> None:
    chance = Random(seed)
    text = chance.choice(TEXTS)
    check(text, chance.randint(0, len(text)), chance)


@given(st.integers(0, 2**32))
def test_generated_queries(seed: int) -> None:
    chance = Random(seed)
    text = query(chance)
    check(text, chance.randint(0, len(text)), chance)


@given(st.integers(0, 2**32))
def test_beginnings(seed: int) -> None:
    chance = Random(seed)
    text = chance.choice([chance.choice(TEXTS), query(chance)])
    text = text[: chance.randint(0, len(text))]
    check(text, len(text), chance)


@given(st.integers(0, 2**32))
def test_a_broken_rest_changes_nothing(seed: int) -> None:
    chance = Random(seed)
    text = chance.choice(TEXTS)
    offset = chance.randint(0, len(text))
    cut = complete(text[:offset], offset, CATALOG)
    broken = complete(f"{text[:offset]} ) ==", offset, CATALOG)
    assert broken.items == cut.items
