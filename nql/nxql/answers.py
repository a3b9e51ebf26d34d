"""What a query shows and in which order: projection, aggregates, `order_by`, `limit`.

In: the parts of a query and the tables reached at its outermost place. Out: columns in the order written, sort keys, a
number of rows. Invariant: headers are the names of NXQL, `table/field` where fields stand under their table; a column
that is asked for twice is shown once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from nql.diagnostics import Span
from nql.nxql import ast as nxql
from nql.nxql.columns import Column
from nql.nxql.conditions import Place, Valued, reached
from nql.nxql.fields import Lookup, Reach
from nql.nxql.fragments import expression
from nql.nxql.mapping import FieldMap, Variant, aggregate_events, classic
from nql.nxql.problems import Reported
from nql.syntax import ast

_MOST_ROWS = 2**31
_NOTHING = "nxql.nothing"


@dataclass(frozen=True, slots=True)
class Form:
    """A query of NQL and what it shows: `listed` are the values of its list, each column one of them."""

    query: ast.Query
    columns: tuple[Column, ...]
    listed: tuple[ast.Expr, ...]


@dataclass(slots=True)
class Answer:
    """The columns of a query. `default` is the table of plain fields, None where each has to name its table."""

    lookup: Lookup
    reached: Mapping[str, Reach]
    value: Valued
    default: Reach | None
    columns: dict[str, Column] = field(default_factory=dict)
    seen: set[tuple[str, nxql.Name]] = field(default_factory=set)

    def show(self, shown: tuple[nxql.Decoration, ...]) -> None:
        """Adds the fields of a projection; broken ones are reported."""
        place = Place(self.lookup, self.reached, self.value, "{} is not in from.")
        for part in shown:
            try:
                reach = self.default if part.table is None else reached(place, part.table)
            except Reported:
                continue
            if reach is None:
                hint = "Write ((device (name)) (user (name)))."
                self.lookup.problems.error("NXQL116", "Each field needs its table here.", part.span, hint)
                continue
            for name in part.fields:
                self._fields(reach, name, decorated=part.table is not None)

    def _fields(self, reach: Reach, name: nxql.Name, *, decorated: bool) -> None:
        if (reach.name, name) in self.seen:
            return
        self.seen.add((reach.name, name))
        try:
            for found in self.lookup.several(reach, name):
                header = f"{reach.name}/{found.name}" if decorated else found.name
                value = partial(self.value, found) if found.field.nql else partial(nothing, found.span)
                self._add(header, found.field, found.span, value)
        except Reported:
            return

    def aggregate(self, variant: Variant, name: nxql.Name, value: Callable[[FieldMap, Span], ast.Expr]) -> None:
        """Adds an aggregate; one that there is not is reported."""
        problems = self.lookup.problems
        try:
            name = self.lookup.named(name)
        except Reported:
            return
        item = variant.aggregates.get(name.text.lower())
        known = [one.name for one in variant.aggregates.values() if one.nql]
        if item is None and aggregate_events(name.text.lower()):
            message = f"{name.text[:60]} cannot be computed of {variant.kind or variant.event}."
            problems.choice("NXQL205", message, name.span, known)
        elif item is None:
            message = f"There is no aggregate {name.text[:60]} of {variant.event}."
            problems.choice("NXQL205", message, name.span, known, word=name.text)
        elif not item.nql:
            self.lookup.empty(item, item.name, name.span)
            self._add(item.name, item, name.span, partial(nothing, name.span), again=True)
        else:
            self._add(item.name, item, name.span, partial(value, item, name.span), again=True)

    def _add(
        self, header: str, item: FieldMap, span: Span, value: Callable[[], ast.Expr], *, again: bool = False
    ) -> None:
        key, count = header, 2
        while again and key.lower() in self.columns:
            key, count = f"{header}_{count}", count + 1
        if key.lower() in self.columns:
            return
        self.columns[key.lower()] = Column(key, item, value())

    def order(self, orders: tuple[nxql.OrderBy, ...]) -> list[ast.SortItem]:
        """The sort keys; broken ones are reported."""
        items: list[ast.SortItem] = []
        for one in orders:
            try:
                kind, value = self._ordered(one.field)
            except Reported:
                continue
            if classic().types[kind].family == "list":
                message = "Rows cannot be ordered by a list."
                self.lookup.problems.error("NXQL310", message, one.field.span, "Order by a field with one value.")
                continue
            items.append(ast.SortItem(value, one.descending, one.span))
        return items

    def _ordered(self, written: nxql.Name) -> tuple[str, ast.Expr]:
        name = self.lookup.named(written)
        shown = self.columns.get(name.text.lower())
        if shown is not None:
            return shown.field.type, shown.value
        head, slash, rest = name.text.partition("/")
        if slash and not name.dynamic and head.lower() in self.reached:
            inner = nxql.Name(rest, False, name.quoted, None, name.span)
            found = self.lookup.one(self.reached[head.lower()], inner)
        else:
            found = self.lookup.one(self._owner(name), name)
        return found.field.type, self.value(found)

    def _owner(self, name: nxql.Name) -> Reach:
        """The table whose field a plain name is: the first that has it."""
        tables = [*([self.default] if self.default is not None else []), *self.reached.values()]
        return next((table for table in tables if self.lookup.has(table, name.text)), tables[0])


def form(
    query: nxql.Select,
    table: ast.TableRef,
    clauses: Iterable[ast.Clause],
    answer: Answer,
    order: list[ast.SortItem],
) -> Form:
    """The query that lists an answer over a table and the clauses that restrict it."""
    columns = tuple(answer.columns.values())
    listed = tuple(dict.fromkeys(column.value for column in columns))
    limit = limit_of(answer.lookup, query.limits)
    tail: list[ast.Clause] = [ast.ListClause(listed, query.span)]
    tail += [ast.Sort(tuple(order), query.span)] if order else []
    tail += [limit] if limit is not None else []
    return Form(ast.Query(table, (*clauses, *tail), query.span), columns, listed)


def nothing(span: Span) -> ast.Expr:
    """The value of a column that NQL has nothing for."""
    return ast.Path(_NOTHING, span)


def nothings(columns: Iterable[Column]) -> list[ast.Clause]:
    """What gives that value its name, where a column has it."""
    empty = [column.value for column in columns if column.value == ast.Path(_NOTHING)]
    if not empty:
        return []
    span = empty[0].span
    value = expression('if(true == false, "", null)', span)
    return [ast.Compute((ast.Assign(ast.Path(_NOTHING, span), value, span=span),), span)]


def limit_of(lookup: Lookup, limits: tuple[nxql.Limit, ...]) -> ast.Limit | None:
    """The smallest number of rows asked for; broken ones are reported."""
    counts: list[tuple[int, Span]] = []
    for one in limits:
        try:
            text = lookup.text(one.count)
        except Reported:
            continue
        if text.isascii() and text.isdigit() and len(text) < 12 and int(text) < _MOST_ROWS:
            counts.append((int(text), one.span))
        else:
            lookup.problems.error("NXQL111", "limit takes one number of rows.", one.count.span, "Write (limit 100).")
    if not counts:
        return None
    count, span = min(counts)
    return ast.Limit(ast.Number(count, "", span), span)
