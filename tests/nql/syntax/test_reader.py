"""The reader and Lark read alike: the same trees, the same places where reading stops, the same terminals there.

Lark makes the table, so it is also the judge of what the table says: plain Lark, from the grammar, in its own loop.
Texts are the queries of the records, whole and cut, and random ones, most of which cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from nql.diagnostics import Span
from nql.syntax import reader
from nql.syntax.grammar import FOLDER, made, table
from nql.syntax.parse import stop, terminals
from tests.fuzz.mutated import text as any_text
from tests.logic.records import parse as records

GRAMMAR = (FOLDER / "grammar.lark").read_text(encoding="utf-8")
QUERIES = [
    record.query
    for path in sorted((Path(__file__).parents[2] / "logic").rglob("*.nqltest"))
    for record in records(path.read_text(encoding="utf-8"))
]
Told = tuple[Any, Span, frozenset[str], list[tuple[str, Span]]]


class Shown:
    """A builder that keeps what each rule was called with."""

    def __getattr__(self, name: str) -> Callable[[list[Any]], Any]:
        return partial(self._rule, name)

    def _rule(self, name: str, parts: list[Any]) -> tuple[str, list[Any]]:
        shown = [(part.kind, part.text, part.span) if isinstance(part, reader.Token) else part for part in parts]
        return name, shown


@cache
def ours() -> reader.Reader:
    """The reader with the table of the package."""
    return reader.Reader(table(), Shown())


@cache
def lark() -> Lark:
    """Lark by itself."""
    return Lark(GRAMMAR, start="query", parser="lalr", lexer="contextual", maybe_placeholders=False)


def read(text: str) -> Told:
    """The tree, where reading stopped, what could stand there, and the terminals before."""
    reading = reader.Reading(ours(), text)
    tree = reading.result()
    return tree, reading.place(), reading.expected(), [(token.kind, token.span) for token in reading.tokens]


def read_by_lark(text: str) -> Told:
    """The same, said by Lark."""
    steps, place = lark().parse_interactive(text), Span(len(text), len(text))
    tokens: list[tuple[str, Span]] = []
    try:
        tokens.extend((str(token.type), span(token)) for token in steps.iter_parse())
    except UnexpectedToken as error:
        place = span(error.token)
    except UnexpectedInput as error:
        start: int = getattr(error, "pos_in_stream", -1)
        place = Span(start, start + 1)
    accepted = frozenset(map(str, steps.accepts()))  # type: ignore[no-untyped-call]
    return (
        shown(lark().parse(text)) if "$END" in accepted and place.start == len(text) else None,
        place,
        accepted,
        tokens,
    )


def span(token: Token) -> Span:
    """Where a token of Lark stands."""
    assert token.start_pos is not None
    assert token.end_pos is not None
    return Span(token.start_pos, token.end_pos)


def shown(part: Any) -> Any:
    """A tree of Lark as `Shown` gives it."""
    if isinstance(part, Tree):
        return str(part.data), [shown(child) for child in part.children]
    return str(part.type), str(part), span(part)


@pytest.mark.slow
def test_records_are_read_as_lark_reads_them() -> None:
    assert len(QUERIES) > 2_000
    trees = 0
    for query in QUERIES[::3]:
        told = read(query)
        assert told == read_by_lark(query), query
        trees += told[0] is not None
    assert trees > 600


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_cut_and_random_texts_stop_where_lark_stops(seed: int) -> None:
    chance = Random(seed)
    texts = [query[: chance.randint(0, len(query))] for query in chance.sample(QUERIES, 100)]
    stopped = 0
    for text in texts + [any_text(chance) for _ in range(150)]:
        told = read(text)
        assert told == read_by_lark(text), text
        stopped += told[0] is None
    assert stopped > 100


@pytest.mark.parametrize(
    "text", ["", " ", "\ufeff", "/* open", "devices |", "devices | where (", "|", "devices ! x", "("]
)
def test_edges(text: str) -> None:
    assert read(text) == read_by_lark(text)


def test_each_sign_is_looked_for_everywhere_but_read_only_where_it_can_stand() -> None:
    small = made('query: A ("," A)* ["!"]\nA: /a+/\nSPACE: / +/\n%ignore SPACE\n')
    reading = reader.Reading(reader.Reader(small, Shown()), "a ! , a")
    assert reading.result() is None
    assert reading.place() == Span(4, 5)
    assert reading.expected() == {"$END"}
    assert [token.kind for token in reading.tokens] == ["A", "BANG"]


def test_where_the_builder_refuses_reading_stops_after_the_token_it_took() -> None:
    text = f"devices | where name in {'[' * 200}1{']' * 200} | limit 1"
    place, _ = stop(text)
    assert place == Span(*[terminals(text)[-1][1].end] * 2)
    assert place.end < len(text) - len(" | limit 1")


def test_a_reading_that_failed_leaves_nothing_to_the_next() -> None:
    whole = read("devices | limit 1")
    assert read("devices | limit 1 |")[0] is None
    assert read("devices | limit 1") == whole
