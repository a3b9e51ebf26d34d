"""Relations: the tables, filters, joins and groupings of a query, each knowing its own schema.

A relation's `schema` maps column names to types. Names that start with `@` are hidden keys held as integers: `@id`
(row of an object table), `@row` (row of an event table, in order of arrival), `@device` and so on (the object an
event points to). They identify rows, order ties and join; they are never shown. Invariant: a relation cannot be built
over columns its input lacks. Everything a scan delivers is listed in it, so pruning needs no pass of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from types import MappingProxyType

from nql.datatypes import DATETIME, DURATION, INT, DataType, Kind
from nql.functions import MEASURES
from nql.plan.expressions import Column, Expr, Parameter, columns
from nql.plan.windows import Absolute, Buckets, Period, Window
from nql.value import value

Schema = MappingProxyType[str, DataType]

OBJECT_KEY = "@id"
EVENT_KEY = "@row"
ID = INT


@value
class Link:
    """How a row reaches an object: the hidden key column (`@device`) and the object's table (`device.devices`)."""

    key: str
    table: str


@value
class ScanColumn:
    """One column a scan delivers under `name`: stored column `stored` of the table, or of the object at the end of
    `link`.

    `entry` picks one name out of a typed map (`outputs.free_space`): null where the map lacks it.
    """

    name: str
    dtype: DataType
    stored: str
    link: Link | None = None
    entry: str | None = None


@value
class Scan:
    """Rows of one catalog table. `time` is the stored column the window is about, None for a table without time.

    `daily` asks for one row a day and dimension set of a sampled table (day-precise windows); None asks for it if the
    window turns out to be one.
    """

    table: str
    columns: tuple[ScanColumn, ...]
    window: Window | None = None
    time: str | None = None
    daily: bool | None = False
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.window is None) != (self.time is None):
            raise TypeError("a window needs a time column, and the other way round")
        _set_schema(self, {column.name: column.dtype for column in self.columns})


@value
class Active:
    """Objects with activity in a window: those with a sample in `samples`, and those without any sample in `stored`
    whose `first_seen`..`last_seen` overlaps the window. `key` is the samples' column that points to the object; the
    window is that of the scan below `samples`.
    """

    input: Relation
    samples: Relation
    stored: Relation
    key: str
    first_seen: str = "@first_seen"
    last_seen: str = "@last_seen"
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _need(self.input, (OBJECT_KEY, self.first_seen, self.last_seen))
        _need(self.samples, (self.key,))
        _need(self.stored, (self.key,))
        _set_schema(self, self.input.schema)


@value
class Filter:
    """The rows for which the predicate holds."""

    input: Relation
    predicate: Expr
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.predicate.dtype.kind is not Kind.BOOLEAN:
            raise TypeError("a filter takes a condition")
        _need(self.input, columns(self.predicate))
        _set_schema(self, self.input.schema)


@value
class SemiJoin:
    """The objects of `input` that at least one row of `events` points to through `key`. One object stays one row."""

    input: Relation
    events: Relation
    key: str
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _need(self.input, (OBJECT_KEY,))
        _need(self.events, (self.key,))
        _set_schema(self, self.input.schema)


@value
class Measure:
    """One aggregate over rows: a function of `nql.functions`, its operand (None for `rows`), and the rows it counts.

    Nulls are skipped; over nothing, counts and totals are 0 and all else is null. `last` and `first` take the row with
    the greatest or smallest `order` columns, in turn. `percentile` has a `rank` from 1 to 99. With a `weight`, a whole
    number, each value counts that many times; a row whose weight is null or below 1 does not count.
    """

    name: str
    function: str
    operand: Expr | None
    dtype: DataType
    where: Expr | None = None
    order: tuple[str, ...] = ()
    weight: Expr | None = None
    rank: int | None = None

    def __post_init__(self) -> None:
        known = MEASURES.get(self.function)
        if known is None or known.operand == (self.operand is None):
            raise TypeError(f"no such measure: {self.function}")
        if known.ordered != bool(self.order) or known.ranked != (self.rank is not None):
            raise TypeError(f"{self.function} needs {'an order' if known.ordered else 'a rank'}, or takes none")
        if self.rank is not None and not 1 <= self.rank <= 99:
            raise TypeError("a rank is from 1 to 99")
        if self.weight is not None and not (known.weighable and self.weight.dtype.kind is Kind.INT):
            raise TypeError(f"{self.function} takes no such weight")

    @property
    def value(self) -> tuple[object, ...]:
        """All of it but the name: two measures with the same value give the same numbers."""
        return (self.function, self.operand, self.dtype, self.where, self.order, self.weight, self.rank)

    @property
    def counts(self) -> bool:
        """Whether nothing gives 0 rather than null."""
        return MEASURES[self.function].empty is not None

    def reads(self) -> frozenset[str]:
        """All columns it needs."""
        found = frozenset(self.order)
        for part in (self.operand, self.where, self.weight):
            if part is not None:
                found |= columns(part)
        return found


@value
class Attach:
    """`input` with aggregates of the events that point to each object. `keep_all` keeps objects without events
    (include): their counts are 0, other measures null; otherwise (with) they are dropped.
    """

    input: Relation
    events: Relation
    key: str
    measures: tuple[Measure, ...]
    keep_all: bool
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _need(self.input, (OBJECT_KEY,))
        _need(self.events, (self.key,))
        for measure in self.measures:
            _need(self.events, measure.reads())
        _set_schema(self, self.input.schema | {measure.name: measure.dtype for measure in self.measures})


@value
class Aggregate:
    """One row a distinct combination of `keys` (a null key is a group of its own), with measures; without keys and
    period exactly one row. A period adds `start_time`, `end_time`, `bucket_duration` (datetime, datetime, duration)
    by the instant in `time`.
    """

    input: Relation
    keys: tuple[str, ...]
    measures: tuple[Measure, ...]
    period: Period | Buckets | None = None
    time: str | None = None
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.period is None) != (self.time is None):
            raise TypeError("a period needs a time column, and the other way round")
        _need(self.input, self.keys)
        for measure in self.measures:
            _need(self.input, measure.reads())
        bucket = {"start_time": DATETIME, "end_time": DATETIME, "bucket_duration": DURATION} if self.period else {}
        grouped = {key: self.input.schema[key] for key in self.keys}
        _set_schema(self, {**grouped, **bucket, **{measure.name: measure.dtype for measure in self.measures}})


@value
class Extend:
    """Adds columns computed row by row; a name that exists is replaced. Items do not see each other."""

    input: Relation
    items: tuple[tuple[str, Expr], ...]
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for _, expr in self.items:
            _need(self.input, columns(expr))
        _set_schema(self, self.input.schema | {name: expr.dtype for name, expr in self.items})


@value
class Select:
    """Only these columns, in this order."""

    input: Relation
    names: tuple[str, ...]
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _need(self.input, self.names)
        _set_schema(self, {name: self.input.schema[name] for name in self.names})


@value
class SortKey:
    """One column to order by."""

    column: Column
    descending: bool = False


@value
class Sort:
    """Ordered rows: text without regard to case, versions component by component, nulls last in both directions. The
    last keys are the row's identity, so that the order is total and repeatable.
    """

    input: Relation
    keys: tuple[SortKey, ...]
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _need(self.input, [key.column.name for key in self.keys])
        _set_schema(self, self.input.schema)


@value
class Limit:
    """The first `count` rows after the first `offset`. A parameter is replaced by its value in resolve."""

    input: Relation
    count: int | Parameter
    offset: int | Parameter = 0
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if any(isinstance(number, int) and number < 0 for number in (self.count, self.offset)):
            raise TypeError("a limit is zero or more")
        _set_schema(self, self.input.schema)


@value
class Latest:
    """Of the rows that agree in `keys` (null is a key of its own) the one with the greatest `order` columns, in turn;
    null is the smallest.
    """

    input: Relation
    keys: tuple[str, ...]
    order: tuple[str, ...]
    schema: Schema = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.keys or not self.order:
            raise TypeError("the latest of what, by what?")
        _need(self.input, self.keys + self.order)
        _set_schema(self, self.input.schema)


Relation = Scan | Active | Filter | SemiJoin | Attach | Aggregate | Extend | Select | Sort | Limit | Latest


def inputs(relation: Relation) -> tuple[Relation, ...]:
    """The relations a relation is made from."""
    match relation:
        case Scan():
            return ()
        case Active():
            return (relation.input, relation.samples, relation.stored)
        case SemiJoin() | Attach():
            return (relation.input, relation.events)
        case _:
            return (relation.input,)


def scans(relation: Relation) -> tuple[Scan, ...]:
    """All scans below a relation, root table first."""
    if isinstance(relation, Scan):
        return (relation,)
    return tuple(scan for child in inputs(relation) for scan in scans(child))


def absolute(scan: Scan) -> Absolute | None:
    """The resolved window of a scan, None if its table has no time. Raises TypeError on an unresolved plan."""
    if scan.window is None or isinstance(scan.window, Absolute):
        return scan.window
    raise TypeError("the plan is not resolved")


def _need(relation: Relation, names: Iterable[str]) -> None:
    schema = relation.schema
    for name in names:
        if name not in schema:
            raise TypeError(f"no column {name} in {type(relation).__name__}")


def _set_schema(relation: object, schema: Mapping[str, DataType]) -> None:
    """A schema taken over from the input stays the same object: each wrapping would make every look-up slower."""
    kept = schema if isinstance(schema, MappingProxyType) else MappingProxyType(schema)
    object.__setattr__(relation, "schema", kept)
