"""Reads a text: one `Query`, or a `QueryError` with what is wrong and where.

The only place that knows Lark. The LALR parser calls `_Builder` as it goes, which makes our own nodes at once; there
is no tree in between. Invariant: any text gives a query or a `QueryError`, never another exception, in time linear in
its length. What a name or a value means is not asked here; `nql.syntax.mistakes` puts a failed reading into words.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from pathlib import Path as File
from typing import Any, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken

from nql.diagnostics import Diagnostic, QueryError, Span
from nql.syntax import ast
from nql.syntax.literals import date, number, path_or_constant, path_text
from nql.syntax.mistakes import explain
from nql.syntax.operators import Operator, bounded, depth, shape

LONGEST = 16_000
MOST_CLAUSES = 100

Parts = list[Any]
_SPACES = re.compile(r"\s+")


def parse(text: str) -> ast.Query:
    """The query a text says. Raises QueryError."""
    if len(text) > LONGEST:
        message = f"The query is {len(text):,} characters long; at most {LONGEST:,} are allowed."
        raise QueryError([Diagnostic("NQL501", message, Span(LONGEST, len(text)), "Shorten it, or split it in two.")])
    try:
        query = cast("ast.Query", _parser().parse(text))
    except UnexpectedInput:
        raise QueryError([explain(text, *stop(text))]) from None
    if len(query.clauses) > MOST_CLAUSES:
        message = f"The query has {len(query.clauses)} clauses; at most {MOST_CLAUSES} are allowed."
        raise QueryError([Diagnostic("NQL503", message, query.clauses[MOST_CLAUSES].span)])
    return query


def stop(text: str) -> tuple[Span, frozenset[str]]:
    """The first place where reading cannot go on, or the end of the text, and the terminals that could stand there."""
    interactive = _parser().parse_interactive(text)
    end = len(text)
    try:
        for token in interactive.iter_parse():
            end = _span(token).end
        place = Span(len(text), len(text))
    except UnexpectedToken as error:
        place = _span(error.token)
    except UnexpectedInput as error:
        start: int = getattr(error, "pos_in_stream", None) or 0
        place = Span(min(len(text), start), min(len(text), start + 1))
    except QueryError:
        place = Span(end, end)
    return place, frozenset(interactive.accepts())  # type: ignore[no-untyped-call]


def terminals(text: str) -> list[tuple[str, Span]]:
    """The terminals of a text up to the first that cannot be read."""
    found: list[tuple[str, Span]] = []
    with suppress(UnexpectedInput, QueryError):
        found.extend((token.type, _span(token)) for token in _parser().parse_interactive(text).iter_parse())
    return found


@cache
def _parser() -> Lark:
    grammar = (File(__file__).parent.parent / "grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        start="query",
        parser="lalr",
        lexer="contextual",
        transformer=_Builder(),
        maybe_placeholders=False,
    )


def _span(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)


def _path(token: Token) -> ast.Path:
    return ast.Path(path_text(token.value), _span(token))


def _value(part: Any) -> Any:
    """The node or operator of one part of an expression: nodes come as they are, tokens are turned into them."""
    if not isinstance(part, Token):
        return part
    text, span = part.value, Span(part.start_pos, part.end_pos)  # type: ignore[arg-type]
    match part.type:
        case "PATH":
            return path_or_constant(text, span)
        case "OPERATOR":
            return Operator(text if len(text) == 1 else _SPACES.sub("", text).lower(), span)
        case "TEXT":
            return ast.Text(text[1:-1], span)
        case "NUMBER":
            return number(text, span)
        case "DATE":
            return date(text, span)
        case "VERSION":
            return ast.Version(text[1:], span)
        case "PARAMETER":
            return ast.Parameter(text[1:], span)
        case _:
            return ast.Address(text, span)


class _Builder(Transformer[Token, ast.Query]):
    """One method a rule of the grammar, called with what the rule read."""

    def query(self, parts: Parts) -> ast.Query:
        return ast.Query(parts[0], tuple(parts[1:]), parts[0].span.join(parts[-1].span))

    def table(self, parts: Parts) -> ast.TableRef:
        name = _path(parts[0])
        selection = parts[1] if len(parts) in (2, 4) else None
        resolution = number(parts[-1].value, _span(parts[-1])) if len(parts) > 2 else None
        last = resolution or selection or name
        return ast.TableRef(name, selection, resolution, Span(name.span.start, last.span.end))

    def past(self, parts: Parts) -> ast.Past:
        length = number(parts[-1].value, _span(parts[-1]))
        return ast.Past(length, Span(parts[0].start_pos, length.span.end))

    def between(self, parts: Parts) -> ast.Between:
        return ast.Between(parts[-3], parts[-1], Span(parts[0].start_pos, parts[-1].span.end))

    def on(self, parts: Parts) -> ast.OnDay:
        day = date(parts[-1].value, _span(parts[-1]))
        return ast.OnDay(day, Span(parts[0].start_pos, day.span.end))

    def point(self, parts: Parts) -> ast.Date | ast.Ago:
        if len(parts) == 1:
            return date(parts[0].value, _span(parts[0]))
        length = number(parts[0].value, _span(parts[0]))
        return ast.Ago(length, Span(length.span.start, parts[1].end_pos))

    def where(self, parts: Parts) -> ast.Where:
        return ast.Where(parts[1], Span(parts[0].start_pos, parts[1].span.end))

    def join(self, parts: Parts) -> ast.Join:
        return ast.Join(parts[1], parts[0].type == "INCLUDE", Span(parts[0].start_pos, parts[1].span.end))

    def compute(self, parts: Parts) -> ast.Compute:
        return ast.Compute(parts[1], Span(parts[0].start_pos, parts[1][-1].span.end))

    def summarize(self, parts: Parts) -> ast.Summarize:
        by = parts[3] if len(parts) > 2 else ()
        return ast.Summarize(parts[1], by, Span(parts[0].start_pos, (by or parts[1])[-1].span.end))

    def list(self, parts: Parts) -> ast.ListClause:
        return ast.ListClause(tuple(parts[1]), Span(parts[0].start_pos, parts[1][-1].span.end))

    def sort(self, parts: Parts) -> ast.Sort:
        return ast.Sort(parts[1], Span(parts[0].start_pos, parts[1][-1].span.end))

    def limit(self, parts: Parts) -> ast.Limit:
        count = number(parts[1].value, _span(parts[1]))
        return ast.Limit(count, Span(parts[0].start_pos, count.span.end))

    def assigns(self, parts: Parts) -> tuple[ast.Assign, ...]:
        return tuple(parts)

    def assign(self, parts: Parts) -> ast.Assign:
        name = _path(parts[0])
        return ast.Assign(name, parts[2], parts[1].value, name.span.join(parts[2].span))

    def periods(self, parts: Parts) -> tuple[ast.Path | ast.Number, ...]:
        return tuple(_path(part) if part.type == "PATH" else number(part.value, _span(part)) for part in parts)

    def keys(self, parts: Parts) -> tuple[ast.SortItem, ...]:
        return tuple(parts)

    def key(self, parts: Parts) -> ast.SortItem:
        end = parts[1].end_pos if len(parts) > 1 else parts[0].span.end
        return ast.SortItem(
            parts[0], parts[-1] is not parts[0] and parts[1].type == "DESC", Span(parts[0].span.start, end)
        )

    def exprs(self, parts: Parts) -> Parts:
        return parts

    def expr(self, parts: Parts) -> ast.Expr:
        return shape([_value(part) for part in parts])

    def negative(self, parts: Parts) -> ast.Expr:
        value = shape([_value(parts[-1])])
        for sign in reversed(parts[:-1]):
            span = Span(sign.start_pos, value.span.end)
            value = ast.Negative(value, span, bounded(depth(value) + 1, span))
        return value

    def group(self, parts: Parts) -> ast.Items:
        span = Span(parts[0].start_pos, parts[-1].end_pos)
        return ast.Items(tuple(parts[1]), False, span, bounded(max(map(depth, parts[1])) + 1, span))

    def items(self, parts: Parts) -> ast.Items:
        span = Span(parts[0].start_pos, parts[-1].end_pos)
        values = parts[1] if len(parts) > 2 else []
        return ast.Items(tuple(values), True, span, bounded(max(map(depth, values), default=0) + 1, span))

    def call(self, parts: Parts) -> ast.Call:
        head, _, name = parts[0].value.rpartition(".")
        target: ast.Path | ast.Call | None = None
        start = parts[0].start_pos
        if head:
            target = ast.Path(path_text(head.rstrip()), Span(start, start + len(head.rstrip())))
        name_end = parts[0].end_pos
        call: ast.Call | None = None
        arguments: Parts = []
        for part in parts[1:]:
            match part:
                case Token(type="LPAR"):
                    arguments = []
                case Token(type="RPAR"):
                    span = Span(start, _span(part).end)
                    high = bounded(max([depth(item) for item in arguments] + [depth(call) if call else 0]) + 1, span)
                    word = path_text(name).lstrip(". ")
                    name_span = Span(name_end - len(word), name_end)
                    call = ast.Call(call or target, word.lower(), tuple(arguments), span, name_span, high)
                case Token(type="CHAIN"):
                    name, name_end = part.value[1:], _span(part).end
                case _:
                    arguments = part
        assert call is not None
        return call
