"""What names mean at one place of a query, and what the query needs of its tables.

`Rows` stands for the rows of one table while a query is read: it collects the columns that its scan must deliver, so
that pruning needs no pass of its own. `State` is everything known between two clauses: the root's rows, the open
`with`/`include`, the aliases, the summary. Invariant: a column exists in a scan if and only if something read it.

Column names: own fields by their path, linked ones with the link before it, hidden keys with `@`. An alias is its
name in lower case; if a field or an earlier alias has that name, `=` follows it until it is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from nql.catalog.model import Field, Table, TableKind
from nql.datatypes import NULL, STRING, DataType
from nql.diagnostics import Span
from nql.extensions import EXTENSIONS
from nql.plan.expressions import Column, Compare, Expr, Literal
from nql.plan.plan import Format, ParameterUse
from nql.plan.relations import ID, Link, Relation, Scan, ScanColumn, SortKey
from nql.plan.windows import Precision, Window
from nql.rules import DEFAULT, Rules
from nql.semantics.names import Names
from nql.semantics.problems import Problems
from nql.syntax.ast import Expr as Condition


class Area(Enum):
    """Where a query is used. Targeting needs one row a device; elsewhere any query will do."""

    INVESTIGATION = "investigation"
    TARGETING = "targeting"


class Rows:
    """The rows of one table as a query reads them."""

    __slots__ = ("columns", "daily", "filters", "keep_all", "key", "span", "table", "window")

    def __init__(self, table: Table, window: Window | None = None, *, daily: bool | None = False, span: Span) -> None:
        self.table = table
        self.window = window
        self.daily = daily
        self.span = span
        self.columns: dict[str, ScanColumn] = {}
        self.filters: list[Expr] = []
        self.key = ""
        self.keep_all = False
        if table.nql_id is not None:
            self.filters.append(self._configured(table.nql_id))

    def stored(self, name: str, dtype: DataType, link: Link | None = None) -> Column:
        """A stored column of the table, or of the object at the end of a link."""
        return self._read(name, dtype, name, link)

    def entry(self, item: Field, link: Link | None = None) -> Column:
        """A field that is one name of a typed map."""
        return self._read(item.name, item.dtype, item.within or item.name, link, item.entry)

    def _read(self, name: str, dtype: DataType, stored: str, link: Link | None, entry: str | None = None) -> Column:
        column = f"{link.key[1:]}.{name}" if link is not None else name
        if column not in self.columns:
            self.columns[column] = ScanColumn(column, dtype, stored, link, entry)
        return Column(column, dtype)

    def hidden(self, name: str) -> Column:
        """A hidden key: `@id`, `@row`, `@device`."""
        if name not in self.columns:
            self.columns[name] = ScanColumn(name, ID, name)
        return Column(name, ID)

    def extra(self, name: str, dtype: DataType, stored: str, link: Link | None = None) -> Column:
        """A stored column under a name of the caller's choice."""
        self.columns[name] = ScanColumn(name, dtype, stored, link)
        return Column(name, dtype)

    def identity(self) -> Column:
        """The hidden column that tells rows apart."""
        return self.hidden(self.table.row_key)

    @property
    def events(self) -> bool:
        """Whether the rows are events."""
        return self.table.kind is not TableKind.OBJECT

    @property
    def day_precise(self) -> bool:
        """Whether the rows were chosen by whole days."""
        return self.window is not None and self.window.precision is Precision.DAY

    def scan(self) -> Scan:
        """The scan that delivers what was asked for, at least what tells rows apart: they must be countable."""
        if not self.columns:
            self.identity()
        time = self.table.time if self.window is not None and self.events else None
        window = self.window if time is not None else None
        return Scan(self.table.base or self.table.name, tuple(self.columns.values()), window, time, self.daily)

    def _configured(self, nql_id: str) -> Expr:
        """The rows of one configured item among those of its general table."""
        item = self.table.namespace
        link = Link(f"@{item}", self.table.links[item])
        own = Literal(f"#{nql_id}", STRING)
        return Compare("==", self.stored("nql_id", STRING, link), own)


@dataclass(slots=True)
class Alias:
    """A name that the query gave. A `broken` one was defined by something that has no meaning; its uses stay silent. A
    `plain` one is a group or a value of a row, whose null is a value of its own, not a metric over nothing."""

    name: str
    column: Column
    broken: bool = False
    plain: bool = False


@dataclass(slots=True)
class Shown:
    """One column to show: its header, a label, and the relation's column."""

    header: str
    label: str
    column: Column
    format: Format | None = None


@dataclass(slots=True)
class Summary:
    """After `summarize`: the group keys by their canonical path, and the columns in the order they are shown."""

    keys: dict[str, Shown] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)


Step = Callable[[Relation], Relation]
Understood = Callable[["State", Condition, str], Expr]


def _no_condition(state: State, node: Condition, clause: str) -> Expr:
    raise state.problems.error("NQL310", "A value is expected here, not a condition.", node.span)


@dataclass(slots=True)
class State:
    """Everything known between two clauses."""

    text: str
    names: Names
    area: Area
    problems: Problems
    root: Rows
    joined: Rows | None = None
    reusable: Rows | None = None
    first_join: Rows | None = None
    summary: Summary | None = None
    aliases: dict[str, Alias] = field(default_factory=dict)
    shown: list[Shown] | None = None
    steps: list[Step] = field(default_factory=list)
    order: list[SortKey] = field(default_factory=list)
    ordered: bool = False
    taken: set[str] = field(default_factory=set)
    marks: dict[str, int] = field(default_factory=dict)  # of each name, how many marks the next column of it tries
    parameters: dict[str, ParameterUse] = field(default_factory=dict)
    measures: int = 0
    rules: Rules = DEFAULT
    condition: Understood = _no_condition  # what a condition means; values hold some, and conditions hold values

    @property
    def current(self) -> Rows:
        """The rows that a name speaks of here."""
        return self.joined or self.root

    def step(self, step: Step, *, keeps_order: bool = False) -> None:
        """Adds a relation on top of what is there."""
        self.steps.append(step)
        self.ordered = self.ordered and keeps_order

    def free(self, name: str) -> str:
        """A column name nobody has yet."""
        base = name.lower()
        marks = self.marks.get(base) or int(self._field(base))  # a marked name is no field, though a map has any name
        while (column := base + "=" * marks) in self.taken or column in self.root.columns:
            marks += 1
        self.marks[base] = marks + 1
        self.taken.add(column)
        return column

    def define(self, name: str, column: Column) -> Alias:
        """Makes a name known to the clauses that follow."""
        alias = self.aliases[name.lower()] = Alias(name, column)
        return alias

    def broken(self, name: str) -> None:
        """Makes a name known whose meaning is not."""
        self.aliases[name.lower()] = Alias(name, Column("@broken", NULL), broken=True)

    def extension(self, name: str, span: Span) -> None:
        """Says that the text uses something NQL lacks. Raises Reported under strict rules."""
        if self.rules.strict:
            item = EXTENSIONS[name]
            message = f"{item.title} is an extension of Muster and is not in NQL."
            raise self.problems.error("NQL510", message, span, item.instead)

    def written(self, span: Span) -> str:
        """The author's own words."""
        return self.text[span.start : span.end]

    def _field(self, column: str) -> bool:
        return self.names.find(self.root.table, column) is not None or column in (
            "start_time",
            "end_time",
            "bucket_duration",
        )
