"""The columns of an answer, and how the fields of one form of query become expressions.

In: found fields and aggregates. Out: `Column`s in the order written, each with what NQL has to list for it. `Rows`
reads fields row by row, and those summed up from other tables under a name that `include` and `compute` give them;
`Groups` reads them under names that `summarize` gives them. Invariant: what is asked twice is computed once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nql.diagnostics import Span
from nql.nxql.fields import Found
from nql.nxql.fragments import condition, expression, summed
from nql.nxql.mapping import FieldMap
from nql.syntax import ast


@dataclass(frozen=True, slots=True)
class Column:
    """A column to show: its name in NXQL, what it is in the mapping, and what to list."""

    name: str
    field: FieldMap
    value: ast.Expr


@dataclass(slots=True)
class Rows:
    """Values of single rows. Fields of other tables collect, those of one table and condition together; where `names`
    is set, so do expressions, which get a name of their own: a column is never called what happens to be written."""

    names: bool = False
    computed: dict[ast.Expr, ast.Assign] = field(default_factory=dict)
    joins: dict[tuple[str, str], dict[str, ast.Assign]] = field(default_factory=dict)

    def value(self, found: Found) -> ast.Expr:
        """The value of a field of a row."""
        item = found.field
        if not item.join:
            value = expression(item.nql, found.span, found.reach.prefix)
            return value if isinstance(value, ast.Path) or not self.names else self._named(value, found.span)
        named = self.joins.setdefault((item.join, item.where), {})
        if item.nql not in named:
            name = f"nxql.{sum(map(len, self.joins.values()))}.{item.join}"
            named[item.nql] = ast.Assign(ast.Path(name, found.span), expression(item.nql, found.span), span=found.span)
        return ast.Path(named[item.nql].name.text, found.span)

    def _named(self, value: ast.Expr, span: Span) -> ast.Expr:
        if value not in self.computed:
            name = ast.Path(f"nxql.row.{len(self.computed)}", span)
            self.computed[value] = ast.Assign(name, value, span=span)
        return ast.Path(self.computed[value].name.text, span)

    def clauses(self) -> Iterable[ast.Clause]:
        """What gives names to expressions, and to the fields of other tables."""
        if self.computed:
            items = tuple(self.computed.values())
            yield ast.Compute(items, items[0].span)
        for (table, where), named in self.joins.items():
            items = tuple(named.values())
            span = items[0].span
            yield ast.Join(ast.TableRef(ast.Path(table, span), span=span), True, span)
            if where:
                yield ast.Where(condition(where, span), span)
            yield ast.Compute(items, span)


@dataclass(slots=True)
class Groups:
    """Values of groups of rows. `keys` are the paths that tell groups apart."""

    keys: tuple[str, ...]
    items: dict[str, ast.Assign] = field(default_factory=dict)

    def value(self, found: Found) -> ast.Expr:
        """The value of a field of a group's rows."""
        one = expression(found.field.nql, found.span, found.reach.prefix)
        if isinstance(one, ast.Path) and one.text in self.keys:
            return one
        key = f"{found.field.group} {found.reach.prefix} {found.field.nql}"
        return self.named(key, summed(one, found.field.group), found.span)

    def aggregate(self, item: FieldMap, span: Span) -> ast.Expr:
        """The value of an aggregate."""
        return self.named(item.nql, expression(item.nql, span), span)

    def clause(self, span: Span) -> ast.Summarize:
        """The clause that makes the groups."""
        count = ast.Assign(ast.Path("nxql.rows", span), expression("count()", span), span=span)
        return ast.Summarize(
            tuple(self.items.values()) or (count,), tuple(ast.Path(key, span) for key in self.keys), span
        )

    def named(self, key: str, value: ast.Expr, span: Span) -> ast.Path:
        """The name of a value of a group; `key` tells values apart."""
        if key not in self.items:
            self.items[key] = ast.Assign(ast.Path(f"nxql.{len(self.items) + 1}", span), value, span=span)
        return ast.Path(self.items[key].name.text, span)
