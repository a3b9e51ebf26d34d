"""An NXQL query as written: one node for each thing the author said, with its place in the text.

Names keep the author's spelling; nothing here knows a table, a field or a type. Invariant: spans take no part in
equality. A `Name` is a table, a field, a glob (`*disk*`), a dynamic field (`#x`, `dynamic`) or a parameter that
stands for one; a `Value` is a word, a quoted text or a parameter, whose meaning its type decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as attribute

from nql.diagnostics import NOWHERE, Span


@dataclass(frozen=True, slots=True)
class Name:
    """A table or field. `parameter` is set for `%1` and `#%1`, whose text is what was given for it."""

    text: str
    dynamic: bool = False
    quoted: bool = False
    parameter: int | None = None
    span: Span = attribute(default=NOWHERE, compare=False)

    @property
    def glob(self) -> bool:
        """Whether it stands for every field that matches."""
        return not self.quoted and "*" in self.text


@dataclass(frozen=True, slots=True)
class Value:
    """A value before its type is known."""

    text: str
    quoted: bool = False
    parameter: int | None = None
    span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """`(type value)`, or a bare value without a type."""

    type: str | None
    value: Value
    span: Span = attribute(default=NOWHERE, compare=False)
    type_span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """`(operator field literal)`."""

    op: str
    field: Name
    literal: Literal
    span: Span = attribute(default=NOWHERE, compare=False)
    op_span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Where:
    """`(where table condition ...)`: all of them hold."""

    table: Name
    conditions: tuple[Condition, ...]
    span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Between:
    """`(between start end)`."""

    start: Value
    end: Value
    span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class With:
    """`(with events ...)`: its conditions, its aggregates and its time, in any order."""

    table: Name
    wheres: tuple[Where, ...] = ()
    computed: tuple[Name, ...] = ()
    between: Between | None = None
    span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """`(from table ...)`, or `(from (table ...) ...)`."""

    tables: tuple[Name, ...]
    wheres: tuple[Where, ...] = ()
    withs: tuple[With, ...] = ()
    between: Between | None = None
    span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Decoration:
    """`(table (field ...))` of a projection; no table for plain fields."""

    table: Name | None
    fields: tuple[Name, ...]
    span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class OrderBy:
    """`(order_by field asc|desc)`."""

    field: Name
    descending: bool = False
    span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Limit:
    """`(limit count)`."""

    count: Value
    span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Select:
    """A query. Several orders sort one after the other; of several limits the smallest holds."""

    shown: tuple[Decoration, ...]
    source: Source
    orders: tuple[OrderBy, ...] = ()
    limits: tuple[Limit, ...] = ()
    span: Span = attribute(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Update:
    """`(update (set #field literal) (from table (where ...)))`."""

    field: Name
    literal: Literal
    source: Source
    span: Span = attribute(default=NOWHERE, compare=False)


Query = Select | Update
