"""Generated plans: any relation that the language could ask for, over the tables of `tables`.

Out: hypothesis strategies for conditions, relations and whole resolved plans. Invariant: everything generated is well
typed, and the order of its rows is total, so that answers can be compared row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any
from typing import Literal as Choice

from nql.datatypes import (
    BOOLEAN,
    DATETIME,
    FLOAT,
    INT,
    SIZE,
    STRING,
    STRINGS,
    VERSION,
    DataType,
    Kind,
    ip_text,
)
from nql.datatypes import IP as ADDRESS
from nql.functions import MEASURES, result_type
from nql.plan.expressions import (
    And,
    Arithmetic,
    Call,
    Column,
    Compare,
    Expr,
    IsNull,
    Literal,
    Match,
    MemberOf,
    Or,
)
from nql.plan.plan import Output, ResolvedPlan
from nql.plan.relations import (
    Active,
    Aggregate,
    Attach,
    Extend,
    Filter,
    Limit,
    Link,
    Measure,
    Relation,
    Scan,
    ScanColumn,
    SemiJoin,
    Sort,
    SortKey,
)
from nql.plan.windows import Absolute, Buckets, Precision
from tests.properties.tables import HOUR, NOW

TYPE = DataType(Kind.ENUM, members=("laptop", "desktop", "virtual"), closed=True)
VISIBILITY = DataType(Kind.ENUM, members=("foreground", "background"))
DEVICE = Link("@device", "device.devices")

DEVICES = Scan(
    "device.devices",
    (
        ScanColumn("@id", INT, "@id"),
        ScanColumn("name", STRING, "name"),
        ScanColumn("entity", STRING, "organization.entity"),
        ScanColumn("type", TYPE, "hardware.type"),
        ScanColumn("memory", SIZE, "hardware.memory"),
        ScanColumn("version", VERSION, "collector.version"),
        ScanColumn("ip", ADDRESS, "collector.local_ip"),
        ScanColumn("tags", STRINGS, "tags"),
        ScanColumn("simulated", BOOLEAN, "simulated"),
        ScanColumn("@first_seen", DATETIME, "first_seen"),
        ScanColumn("@last_seen", DATETIME, "last_seen"),
        ScanColumn("last_seen", DATETIME, "last_seen"),
    ),
)
EVENT_COLUMNS = (
    ScanColumn("@row", INT, "@row"),
    ScanColumn("@device", INT, "@device"),
    ScanColumn("time", DATETIME, "time"),
    ScanColumn("n", INT, "number_of_crashes"),
    ScanColumn("visibility", VISIBILITY, "process_visibility"),
    ScanColumn("on_start", BOOLEAN, "crash_on_start"),
    ScanColumn("path", STRING, "binary_path"),
    ScanColumn("device.name", STRING, "name", DEVICE),
    ScanColumn("device.memory", SIZE, "hardware.memory", DEVICE),
    ScanColumn("device.version", VERSION, "collector.version", DEVICE),
)
TEXTS = ["pc-001", "PC-001", "", "straße", "lausanne", "a*b", "100%", "c:\\windows\\a.exe"]
PATTERNS = ["pc*", "*01", "*-*", "?c-00?", "*", "**", "", "*\\*", "100?", "_a*", "*a?b*", "two*s", "?", "*ü*"]
NUMBERS = [-1, 0, 1, 2, 3, 8 << 30, 2**53, 2**63 + 1]
VERSIONS = ["24.4", "v24.10", "9", "0", "beta", "1", ""]
ADDRESSES = [ip_text("10.0.0.1"), ip_text("192.168.0.0"), ip_text("::1")]
INSTANTS = [NOW, NOW - HOUR, NOW - 48 * HOUR, 0, -HOUR]


def window(hours: int) -> Absolute:
    """The hours before now."""
    return Absolute(NOW - hours * HOUR, NOW + 1, Precision.CLOCK, "UTC")


def crashes(hours: int) -> Scan:
    """The crashes of the last hours."""
    return Scan("execution.crashes", EVENT_COLUMNS, window(hours), "time")


def condition(chance: Random, schema: Mapping[str, DataType], depth: int = 2) -> Expr:
    """A condition over the visible columns of a schema."""
    if depth and chance.random() < 0.4:
        parts = tuple(condition(chance, schema, depth - 1) for _ in range(chance.randint(1, 3)))
        return And(parts) if chance.random() < 0.5 else Or(parts)
    return about(chance, chance.choice(visible(schema)), schema)


def visible(schema: Mapping[str, DataType]) -> list[Column]:
    """The columns that are not hidden."""
    return [Column(name, dtype) for name, dtype in schema.items() if not name.startswith("@")]


def about(chance: Random, column: Column, schema: Mapping[str, DataType]) -> Expr:
    """A condition about one column."""
    kind = column.dtype.kind
    forms = ["null"]
    forms += ["match"] if kind in (Kind.STRINGS, Kind.STRING, Kind.VERSION) else []
    forms += ["compare", "compare", "field", "member"] if kind is not Kind.STRINGS else []
    forms += ["clock"] if kind is Kind.DATETIME else []
    negated, null_is_value = chance.random() < 0.5, chance.random() < 0.5
    match chance.choice(forms):
        case "null":
            return IsNull(column, negated)
        case "match":
            return Match(column, Literal(chance.choice(PATTERNS), STRING), negated, null_is_value)
        case "member":
            values = tuple(constant(chance, column.dtype) for _ in range(chance.randint(0, 3)))
            return MemberOf(column, values, negated, null_is_value)
        case "clock":
            return _on_the_clock(chance, column)
        case "field":
            peers = [other for other in visible(schema) if other.dtype == column.dtype]
            return comparison(chance, column, chance.choice(peers))
        case _:
            return comparison(chance, column, constant(chance, column.dtype))


def comparison(chance: Random, left: Expr, right: Expr) -> Compare:
    """A comparison of two operands of one type."""
    unordered = left.dtype.kind in (Kind.STRING, Kind.ENUM, Kind.BOOLEAN)
    ops: list[Choice["==", "!=", "<", ">", "<=", ">="]] = ["==", "!=", "<", ">", "<=", ">="]
    return Compare(chance.choice(ops[:2] if unordered else ops), left, right, chance.random() < 0.5)


def _on_the_clock(chance: Random, column: Column) -> Expr:
    zone = chance.choice(["UTC", "Europe/Zurich", "America/New_York", "Asia/Kolkata"])
    clock = Call(chance.choice(["hour", "day", "day_of_week"]), column, INT, zone)
    return comparison(chance, clock, Literal(chance.randint(0, 31), INT))


def constant(chance: Random, dtype: DataType) -> Literal:
    """A constant of a type."""
    values: list[Any]
    match dtype.kind:
        case Kind.STRING:
            values = TEXTS
        case Kind.ENUM:
            values = list(dtype.members)
        case Kind.VERSION:
            values = VERSIONS
        case Kind.IP:
            values = ADDRESSES
        case Kind.BOOLEAN:
            values = [True, False]
        case Kind.DATETIME:
            values = INSTANTS
        case _:
            values = NUMBERS
    return Literal(chance.choice(values), dtype)


def measures(
    chance: Random, schema: Mapping[str, DataType], order: tuple[str, ...], mark: str = ""
) -> tuple[Measure, ...]:
    """One to three aggregates over the columns of a schema."""
    return tuple(_measure(chance, schema, order, f"m{at}{mark}") for at in range(chance.randint(1, 3)))


def _measure(chance: Random, schema: Mapping[str, DataType], order: tuple[str, ...], name: str) -> Measure:
    function = chance.choice(sorted(MEASURES))
    anything = function in ("distinct", "count", "last", "first")
    times = function in ("min", "max", "median")
    columns = [
        column
        for column in visible(schema)
        if column.dtype.numeric or anything or (times and column.dtype.kind is Kind.DATETIME)
    ]
    if not columns:
        function = "rows"
    operand = chance.choice(columns) if MEASURES[function].operand else None
    where = condition(chance, schema, 1) if chance.random() < 0.4 else None
    dtype = result_type(function, operand.dtype if operand else None)
    item = MEASURES[function]
    whole = [column for column in visible(schema) if column.dtype.kind is Kind.INT]
    weight = chance.choice(whole) if item.weighable and whole and chance.random() < 0.5 else None
    rank = chance.choice([1, 5, 50, 95, 99]) if item.ranked else None
    return Measure(name, function, operand, dtype, where, order if item.ordered else (), weight, rank)


def events(chance: Random) -> Relation:
    """Crashes, perhaps filtered."""
    scan = crashes(chance.choice([6, 24, 100]))
    return Filter(scan, condition(chance, scan.schema)) if chance.random() < 0.5 else scan


def objects(chance: Random) -> Relation:
    """Devices, filtered, joined and computed on, in any order."""
    node: Relation = DEVICES
    for at in range(chance.randint(0, 3)):
        match chance.choice(["filter", "with", "attach", "active"]):
            case "filter":
                node = Filter(node, condition(chance, node.schema))
            case "with":
                node = SemiJoin(node, events(chance), "@device")
            case "attach":
                inner = events(chance)
                found = measures(chance, inner.schema, ("time", "@row"), f"_{at}")
                node = Attach(node, inner, "@device", found, keep_all=chance.random() < 0.5)
            case _:
                node = Active(node, crashes(chance.choice([6, 24])), crashes(100), "@device")
    return node


def relation(chance: Random) -> Relation:
    """A whole query's relation."""
    rooted = chance.random() < 0.5
    node = objects(chance) if rooted else events(chance)
    if chance.random() < 0.5:
        node = aggregate(chance, node, rooted=rooted)
    numeric = [column for column in visible(node.schema) if column.dtype.numeric]
    if numeric and chance.random() < 0.5:
        node = Extend(node, (("computed", arithmetic(chance, numeric)),))
    if chance.random() < 0.4:
        node = Filter(node, condition(chance, node.schema))
    return arranged(chance, node)


def aggregate(chance: Random, node: Relation, *, rooted: bool) -> Relation:
    """A grouping by up to two columns, of events perhaps by a period too."""
    grouped = (Kind.STRING, Kind.ENUM, Kind.BOOLEAN, Kind.VERSION)
    names = [column.name for column in visible(node.schema) if column.dtype.kind in grouped]
    keys = tuple(chance.sample(names, chance.randint(0, 2)))
    found = measures(chance, node.schema, ("last_seen", "@id") if rooted else ("time", "@row"))
    if rooted or chance.random() < 0.5:
        return Aggregate(node, keys, found)
    edges = [NOW - 100 * HOUR]
    for step in chance.choice([[12] * 10, [24, 23, 24, 24, 24], [24, 24, 25, 24, 24]]):
        edges.append(edges[-1] + step * HOUR)
    return Aggregate(node, keys, found, Buckets(tuple(edges)), "time")


def arithmetic(chance: Random, columns: list[Column]) -> Expr:
    """A calculation on numbers: exact where both sides are whole, real otherwise."""
    left = chance.choice(columns)
    operands: list[Column | Literal] = [*columns, constant(chance, INT)]
    right = chance.choice(operands)
    ops: list[Choice["+", "-", "*", "/", "^"]] = ["+", "-", "*", "/", "^"]
    op = chance.choice(ops)
    real = op in ("/", "^") or left.dtype.real or right.dtype.real or Kind.FLOAT in (left.dtype.kind, right.dtype.kind)
    huge = isinstance(right, Literal) and isinstance(right.value, int) and right.value >= 2**63
    return Arithmetic(op, left, right, FLOAT if real or huge else left.dtype)


def arranged(chance: Random, node: Relation) -> Relation:
    """Sorted and limited, or not."""
    columns = [column for column in visible(node.schema) if column.dtype.kind is not Kind.STRINGS]
    if chance.random() < 0.5:
        picked = chance.sample(columns, min(len(columns), chance.randint(1, 2)))
        keys = [SortKey(column, chance.random() < 0.5) for column in picked]
        identity = [name for name in ("@row", "@id") if name in node.schema] or list(node.schema)
        keys += [SortKey(Column(name, node.schema[name])) for name in identity]
        node = Sort(node, tuple(keys))
    return Limit(node, chance.randint(0, 10)) if chance.random() < 0.4 else node


def resolved(node: Relation) -> ResolvedPlan:
    """A plan that shows every visible column of a relation."""
    outputs = tuple(Output(c.name, c.name, c.name, c.dtype) for c in visible(node.schema))
    return ResolvedPlan(node, outputs, "device.devices", NOW, "UTC")


def plan(chance: Random) -> ResolvedPlan:
    """A whole resolved plan."""
    return resolved(relation(chance))
