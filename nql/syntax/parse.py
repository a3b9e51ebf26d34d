"""Reads a text: one `Query`, or a `QueryError` with what is wrong and where.

The LALR parser of `nql.syntax.grammar` calls `_Builder` as it goes, which makes our own nodes at once; there is no
tree in between. Invariant: any text gives a query or a `QueryError`, never another exception, in time linear in
its length. What a name or a value means is not asked here; `nql.syntax.mistakes` puts a failed reading into words.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from nql.diagnostics import Diagnostic, QueryError, Span
from nql.syntax import ast
from nql.syntax.grammar import table
from nql.syntax.literals import date, number, path_or_constant, path_text
from nql.syntax.mistakes import explain
from nql.syntax.operators import bounded, depth, operator, shape
from nql.syntax.reader import Reader, Reading, Token

LONGEST = 16_000
MOST_CLAUSES = 100

Parts = list[Any]


def parse(text: str) -> ast.Query:
    """The query a text says. Raises QueryError."""
    if len(text) > LONGEST:
        message = f"The query is {len(text):,} characters long; at most {LONGEST:,} are allowed."
        raise QueryError([Diagnostic("NQL501", message, Span(LONGEST, len(text)), "Shorten it, or split it in two.")])
    reading = Reading(_reader(), text)
    query: ast.Query | None = reading.result()
    if query is None:
        raise QueryError([explain(text, reading.place(), reading.expected())])
    if len(query.clauses) > MOST_CLAUSES:
        message = f"The query has {len(query.clauses)} clauses; at most {MOST_CLAUSES} are allowed."
        raise QueryError([Diagnostic("NQL503", message, query.clauses[MOST_CLAUSES].span)])
    return query


def stop(text: str) -> tuple[Span, frozenset[str]]:
    """The first place where reading cannot go on, or the end of the text, and the terminals that could stand there."""
    reading = Reading(_reader(), text)
    with suppress(QueryError):
        reading.result()
    return reading.place(), reading.expected()


def terminals(text: str) -> list[tuple[str, Span]]:
    """The terminals of a text up to the first that cannot be read."""
    reading = Reading(_reader(), text)
    with suppress(QueryError):
        reading.result()
    return [(token.kind, token.span) for token in reading.tokens]


@cache
def _reader() -> Reader:
    return Reader(table(), _Builder())


def _path(token: Token) -> ast.Path:
    return ast.Path(path_text(token.text), token.span)


def _target(first: Token | ast.Items) -> tuple[ast.Expr | None, str, int]:
    """What a call starts with: its target, and the function's name with its end if a name comes first."""
    if isinstance(first, ast.Items):
        return first if len(first.items) > 1 else first.items[0], "", 0
    head, _, name = first.text.rpartition(".")
    start = first.start
    path = ast.Path(path_text(head.rstrip()), Span(start, start + len(head.rstrip()))) if head else None
    return path, name, first.end


def _count(token: Token) -> ast.Number | ast.Parameter:
    if token.kind == "PARAMETER":
        return ast.Parameter(token.text[1:], token.span)
    return number(token.text, token.span)


def _column(node: ast.Expr) -> ast.Expr | ast.Assign:
    """An item of `list`: `name = value` gives a column its name."""
    if isinstance(node, ast.Comparison) and isinstance(node.left, ast.Path):
        single = node.op == "==" and node.op_span.end - node.op_span.start == 1
        return ast.Assign(node.left, node.right, "=", node.span) if single else node
    return node


_VALUES: dict[str, Callable[[str, Span], Any]] = {
    "PATH": path_or_constant,
    "OPERATOR": operator,
    "NOT": operator,
    "TEXT": lambda text, span: ast.Text(text[1:-1], span),
    "NUMBER": number,
    "DATE": date,
    "VERSION": lambda text, span: ast.Version(text[1:], span),
    "PARAMETER": lambda text, span: ast.Parameter(text[1:], span),
    "ADDRESS": ast.Address,
}


def _value(part: Any) -> Any:
    """The node or operator of one part of an expression: nodes come as they are, tokens are turned into them."""
    if type(part) is not Token:
        return part
    kind, text, start, end = part
    return _VALUES[kind](text, Span(start, end))


class _Builder:
    """One method a rule of the grammar, called with what the rule read."""

    def query(self, parts: Parts) -> ast.Query:
        lets = [part for part in parts if isinstance(part, ast.Assign)]
        table, *clauses = parts[len(lets) :]
        return ast.Query(table, tuple(clauses), parts[0].span.join(parts[-1].span), tuple(lets))

    def let(self, parts: Parts) -> ast.Assign:
        name = _path(parts[1])
        return ast.Assign(name, parts[3], parts[2].text, Span(parts[0].start, parts[3].span.end))

    def table(self, parts: Parts) -> ast.TableRef:
        name, end = _path(parts[0]), parts[0].end
        selection = shift = resolution = None
        for at, part in enumerate(parts[1:], start=1):
            if not isinstance(part, Token):
                selection, end = part, part.span.end
            elif part.kind == "NUMBER":
                length, end = number(part.text, part.span), part.end
                shift, resolution = (length, None) if parts[at - 1].kind == "SHIFT" else (shift, length)
        return ast.TableRef(name, selection, resolution, Span(name.span.start, end), shift)

    def past(self, parts: Parts) -> ast.Past:
        length = _count(parts[-1])
        return ast.Past(length, Span(parts[0].start, length.span.end))

    def between(self, parts: Parts) -> ast.Between:
        return ast.Between(parts[-3], parts[-1], Span(parts[0].start, parts[-1].span.end))

    def on(self, parts: Parts) -> ast.OnDay:
        day = date(parts[-1].text, parts[-1].span)
        return ast.OnDay(day, Span(parts[0].start, day.span.end))

    def point(self, parts: Parts) -> ast.Date | ast.Ago:
        if len(parts) == 1:
            return date(parts[0].text, parts[0].span)
        length = number(parts[0].text, parts[0].span)
        return ast.Ago(length, Span(length.span.start, parts[1].end))

    def where(self, parts: Parts) -> ast.Where:
        return ast.Where(parts[1], Span(parts[0].start, parts[1].span.end))

    def join(self, parts: Parts) -> ast.Join:
        return ast.Join(parts[1], parts[0].kind == "INCLUDE", Span(parts[0].start, parts[1].span.end))

    def compute(self, parts: Parts) -> ast.Compute:
        return ast.Compute(parts[1], Span(parts[0].start, parts[1][-1].span.end))

    def summarize(self, parts: Parts) -> ast.Summarize:
        by = parts[3] if len(parts) > 2 else ()
        fill = ast.Word(parts[4].span) if len(parts) > 4 else None
        end = fill.span.end if fill is not None else (by or parts[1])[-1].span.end
        return ast.Summarize(parts[1], by, Span(parts[0].start, end), fill)

    def list(self, parts: Parts) -> ast.ListClause:
        distinct = ast.Word(parts[1].span) if len(parts) > 2 else None
        items = tuple(_column(part) for part in parts[-1])
        return ast.ListClause(items, Span(parts[0].start, items[-1].span.end), distinct)

    def sort(self, parts: Parts) -> ast.Sort:
        return ast.Sort(parts[1], Span(parts[0].start, parts[1][-1].span.end))

    def limit(self, parts: Parts) -> ast.Limit:
        offset = _count(parts[3]) if len(parts) > 2 else None
        return ast.Limit(_count(parts[1]), Span(parts[0].start, parts[-1].end), offset)

    def latest(self, parts: Parts) -> ast.Latest:
        return ast.Latest(parts[2], Span(parts[0].start, parts[2][-1].span.end))

    def paths(self, parts: Parts) -> tuple[ast.Path, ...]:
        return tuple(map(_path, parts))

    def assigns(self, parts: Parts) -> tuple[ast.Assign, ...]:
        return tuple(parts)

    def assign(self, parts: Parts) -> ast.Assign:
        name = _path(parts[0])
        return ast.Assign(name, parts[2], parts[1].text, name.span.join(parts[2].span))

    def periods(self, parts: Parts) -> tuple[ast.Path | ast.Number, ...]:
        return tuple(_path(part) if part.kind == "PATH" else number(part.text, part.span) for part in parts)

    def keys(self, parts: Parts) -> tuple[ast.SortItem, ...]:
        return tuple(parts)

    def key(self, parts: Parts) -> ast.SortItem:
        end = parts[1].end if len(parts) > 1 else parts[0].span.end
        return ast.SortItem(
            parts[0], parts[-1] is not parts[0] and parts[1].kind == "DESC", Span(parts[0].span.start, end)
        )

    def exprs(self, parts: Parts) -> Parts:
        return parts

    def expr(self, parts: Parts) -> ast.Expr:
        return shape([_value(part) for part in parts])

    def negative(self, parts: Parts) -> ast.Expr:
        value = shape([_value(parts[-1])])
        for sign in reversed(parts[:-1]):
            span = Span(sign.start, value.span.end)
            value = ast.Negative(value, span, bounded(depth(value) + 1, span))
        return value

    def group(self, parts: Parts) -> ast.Items:
        span = Span(parts[0].start, parts[-1].end)
        return ast.Items(tuple(parts[1]), False, span, bounded(max(map(depth, parts[1])) + 1, span))

    def items(self, parts: Parts) -> ast.Items:
        span = Span(parts[0].start, parts[-1].end)
        values = parts[1] if len(parts) > 2 else []
        return ast.Items(tuple(values), True, span, bounded(max(map(depth, values), default=0) + 1, span))

    def call(self, parts: Parts) -> ast.Call:
        call, name, name_end = _target(parts[0])
        start = parts[0].span.start if isinstance(parts[0], ast.Items) else parts[0].start
        arguments: Parts = []
        for part in parts[1:]:
            if isinstance(part, list):
                arguments = part
            elif part.kind == "LPAR":
                arguments = []
            elif part.kind == "CHAIN":
                name, name_end = part.text[1:], part.end
            else:
                span = Span(start, part.end)
                high = bounded(max([depth(item) for item in arguments] + [depth(call) if call else 0]) + 1, span)
                word = path_text(name).lstrip(". ")
                name_span = Span(name_end - len(word), name_end)
                call = ast.Call(call, word.lower(), tuple(arguments), span, name_span, high)
        assert isinstance(call, ast.Call)
        return call
