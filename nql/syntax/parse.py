"""Reads a text: one `Query`, or a `QueryError` with what is wrong and where.

The LALR parser of `nql.syntax.grammar` calls `_Builder` as it goes, which makes our own nodes at once; there is no
tree in between. Invariant: any text gives a query or a `QueryError`, never another exception, in time linear in
its length. What a name or a value means is not asked here; `nql.syntax.mistakes` puts a failed reading into words.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from types import MappingProxyType
from typing import Any, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken

from nql.diagnostics import Diagnostic, QueryError, Span
from nql.syntax import ast
from nql.syntax.grammar import is_token, parser
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
    interactive = _stepping().parse_interactive(text)
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
        found.extend((token.type, _span(token)) for token in _stepping().parse_interactive(text).iter_parse())
    return found


@cache
def _parser() -> Lark:
    return parser(_Builder())


@cache
def _stepping() -> Lark:
    """A parser that can be asked in between what may follow; the accelerator has none."""
    return parser(_Builder(), plugins=MappingProxyType({}))


def _span(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)


def _path(token: Token) -> ast.Path:
    return ast.Path(path_text(token.value), _span(token))


def _target(first: Token | ast.Items) -> tuple[ast.Expr | None, str, int]:
    """What a call starts with: its target, and the function's name with its end if a name comes first."""
    if isinstance(first, ast.Items):
        return first if len(first.items) > 1 else first.items[0], "", 0
    head, _, name = first.value.rpartition(".")
    start = first.start_pos or 0
    path = ast.Path(path_text(head.rstrip()), Span(start, start + len(head.rstrip()))) if head else None
    return path, name, first.end_pos or 0


def _count(token: Token) -> ast.Number | ast.Parameter:
    if token.type == "PARAMETER":
        return ast.Parameter(token.value[1:], _span(token))
    return number(token.value, _span(token))


def _column(node: ast.Expr) -> ast.Expr | ast.Assign:
    """An item of `list`: `name = value` gives a column its name."""
    if isinstance(node, ast.Comparison) and isinstance(node.left, ast.Path):
        single = node.op == "==" and node.op_span.end - node.op_span.start == 1
        return ast.Assign(node.left, node.right, "=", node.span) if single else node
    return node


def _value(part: Any) -> Any:
    """The node or operator of one part of an expression: nodes come as they are, tokens are turned into them."""
    if not is_token(part):
        return part
    text, span = part.value, Span(part.start_pos, part.end_pos)  # type: ignore[arg-type]
    match part.type:
        case "PATH":
            return path_or_constant(text, span)
        case "OPERATOR" | "NOT":
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
        lets = [part for part in parts if isinstance(part, ast.Assign)]
        table, *clauses = parts[len(lets) :]
        return ast.Query(table, tuple(clauses), parts[0].span.join(parts[-1].span), tuple(lets))

    def let(self, parts: Parts) -> ast.Assign:
        name = _path(parts[1])
        return ast.Assign(name, parts[3], parts[2].value, Span(parts[0].start_pos, parts[3].span.end))

    def table(self, parts: Parts) -> ast.TableRef:
        name, end = _path(parts[0]), parts[0].end_pos
        selection = shift = resolution = None
        for at, part in enumerate(parts[1:], start=1):
            if not is_token(part):
                selection, end = part, part.span.end
            elif part.type == "NUMBER":
                length, end = number(part.value, _span(part)), part.end_pos
                shift, resolution = (length, None) if parts[at - 1].type == "SHIFT" else (shift, length)
        return ast.TableRef(name, selection, resolution, Span(name.span.start, end), shift)

    def past(self, parts: Parts) -> ast.Past:
        length = _count(parts[-1])
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
        fill = ast.Word(_span(parts[4])) if len(parts) > 4 else None
        end = fill.span.end if fill is not None else (by or parts[1])[-1].span.end
        return ast.Summarize(parts[1], by, Span(parts[0].start_pos, end), fill)

    def list(self, parts: Parts) -> ast.ListClause:
        distinct = ast.Word(_span(parts[1])) if len(parts) > 2 else None
        items = tuple(_column(part) for part in parts[-1])
        return ast.ListClause(items, Span(parts[0].start_pos, items[-1].span.end), distinct)

    def sort(self, parts: Parts) -> ast.Sort:
        return ast.Sort(parts[1], Span(parts[0].start_pos, parts[1][-1].span.end))

    def limit(self, parts: Parts) -> ast.Limit:
        offset = _count(parts[3]) if len(parts) > 2 else None
        return ast.Limit(_count(parts[1]), Span(parts[0].start_pos, parts[-1].end_pos), offset)

    def latest(self, parts: Parts) -> ast.Latest:
        return ast.Latest(parts[2], Span(parts[0].start_pos, parts[2][-1].span.end))

    def paths(self, parts: Parts) -> tuple[ast.Path, ...]:
        return tuple(map(_path, parts))

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
        call, name, name_end = _target(parts[0])
        start = parts[0].span.start if isinstance(parts[0], ast.Items) else parts[0].start_pos
        arguments: Parts = []
        for part in parts[1:]:
            if isinstance(part, list):
                arguments = part
            elif part.type == "LPAR":
                arguments = []
            elif part.type == "CHAIN":
                name, name_end = part.value[1:], part.end_pos
            else:
                span = Span(start, part.end_pos)
                high = bounded(max([depth(item) for item in arguments] + [depth(call) if call else 0]) + 1, span)
                word = path_text(name).lstrip(". ")
                name_span = Span(name_end - len(word), name_end)
                call = ast.Call(call, word.lower(), tuple(arguments), span, name_span, high)
        assert isinstance(call, ast.Call)
        return call
