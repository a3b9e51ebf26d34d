"""Generated plans: any relation that the language could ask for, over the tables of `tables`.

In: a source of chance. Out: relations and whole resolved plans. Invariant: everything generated is well typed, and
the order of its rows is total, so that answers can be compared row by row. Which kinds of nodes must occur is held
by `test_generators`.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from nql.datatypes import (
    BOOLEAN,
    DATETIME,
    DURATION,
    FLOAT,
    INT,
    PERCENTAGE,
    SIZE,
    STRING,
    STRINGS,
    VERSION,
    DataType,
    Kind,
)
from nql.datatypes import IP as ADDRESS
from nql.functions import MEASURES, result_type
from nql.plan.expressions import Column, Expr
from nql.plan.plan import Output, ResolvedPlan
from nql.plan.relations import (
    Active,
    Aggregate,
    Attach,
    Extend,
    Filter,
    Latest,
    Limit,
    Link,
    Measure,
    Relation,
    Scan,
    ScanColumn,
    Select,
    SemiJoin,
    Sort,
    SortKey,
)
from nql.plan.windows import Absolute, Buckets, Precision
from tests.properties.exprs import condition, number, numbers, text, visible
from tests.properties.tables import CATALOG, HOUR, MIDNIGHT, NOW, TOP, USER_ZONE, ZONE

DEVICE = Link("@device", "device.devices")
DAY = 24 * HOUR
GROUPED = (Kind.STRING, Kind.ENUM, Kind.BOOLEAN, Kind.VERSION)


def enum(table: str, name: str) -> DataType:
    """The type of an enumerated field of the catalog."""
    return CATALOG.tables[table].fields[name].dtype


DEVICES = Scan(
    "device.devices",
    (
        ScanColumn("@id", INT, "@id"),
        ScanColumn("name", STRING, "name"),
        ScanColumn("entity", STRING, "organization.entity"),
        ScanColumn("type", enum("device.devices", "hardware.type"), "hardware.type"),
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
OF_DEVICE = (
    ScanColumn("device.name", STRING, "name", DEVICE),
    ScanColumn("device.memory", SIZE, "hardware.memory", DEVICE),
    ScanColumn("device.version", VERSION, "collector.version", DEVICE),
)
KEYS = (ScanColumn("@row", INT, "@row"), ScanColumn("@device", INT, "@device"))
VISIBILITY = enum("execution.crashes", "process_visibility")
CRASHES = (
    *KEYS,
    ScanColumn("time", DATETIME, "time"),
    ScanColumn("n", INT, "number_of_crashes"),
    ScanColumn("visibility", VISIBILITY, "process_visibility"),
    ScanColumn("on_start", BOOLEAN, "crash_on_start"),
    ScanColumn("path", STRING, "binary_path"),
    *OF_DEVICE,
)
SAMPLES = (
    *KEYS,
    ScanColumn("time", DATETIME, "start_time"),
    ScanColumn("end", DATETIME, "end_time"),
    ScanColumn("bucket", DURATION, "bucket_duration"),
    ScanColumn("memory.sum", SIZE, "free_memory.sum"),
    ScanColumn("memory.count", INT, "free_memory.count"),
    ScanColumn("memory.min", SIZE, "free_memory.min"),
    ScanColumn("cpu.sum", PERCENTAGE, "cpu_usage.sum"),
    ScanColumn("cpu.max", PERCENTAGE, "cpu_usage.max"),
    ScanColumn("pressure", enum("device_performance.events", "memory_pressure"), "memory_pressure"),
    *OF_DEVICE,
)
OUTPUTS = (
    *KEYS,
    ScanColumn("time", DATETIME, "time"),
    ScanColumn("freed", SIZE, "outputs", entry="freed"),
    ScanColumn("ok", BOOLEAN, "outputs", entry="ok"),
    ScanColumn("health", FLOAT, "outputs", entry="health"),
    ScanColumn("files", STRINGS, "outputs", entry="files"),
    ScanColumn("status", enum("remote_action.executions", "status"), "status"),
    *OF_DEVICE,
)


def window(hours: int) -> Absolute:
    """The hours before the full hour after now."""
    return Absolute(TOP - hours * HOUR, TOP, Precision.CLOCK, USER_ZONE)


def crashes(hours: int) -> Scan:
    """The crashes of the last hours."""
    return Scan("execution.crashes", CRASHES, window(hours), "time")


def samples(hours: int, *, daily: bool = False) -> Scan:
    """The samples of the last hours, or of the days they lie in."""
    cut = (
        Absolute(MIDNIGHT - hours * HOUR // DAY * DAY, MIDNIGHT + DAY, Precision.DAY, ZONE) if daily else window(hours)
    )
    return Scan("device_performance.events", SAMPLES, cut, "start_time", daily)


def outputs(hours: int) -> Scan:
    """The executions of remote actions of the last hours, with what they gave."""
    return Scan("remote_action.executions", OUTPUTS, window(hours), "time")


def measures(
    chance: Random, schema: Mapping[str, DataType], order: tuple[str, ...], mark: str = ""
) -> tuple[Measure, ...]:
    """One to three aggregates over the columns of a schema."""
    return tuple(_measure(chance, schema, order, f"m{at}{mark}") for at in range(chance.randint(1, 3)))


def _measure(chance: Random, schema: Mapping[str, DataType], order: tuple[str, ...], name: str) -> Measure:
    function = MEASURES[chance.choice(sorted(key for key, known in MEASURES.items() if order or not known.ordered))]
    times = (Kind.DATETIME,) if function.name in ("min", "max") else ()
    anything = function.ordered or function.name in ("distinct", "count")
    columns = [c for c in visible(schema) if anything or c.dtype.numeric or c.dtype.kind in times]
    if not columns:
        function = MEASURES["rows"]
    operand: Expr | None = chance.choice(columns) if function.operand else None
    if operand is not None and operand.dtype.numeric and chance.random() < 0.2:
        operand = number(chance, numbers(schema))
    where = condition(chance, schema, 1) if chance.random() < 0.4 else None
    weights = [column for column in visible(schema) if column.dtype.kind is Kind.INT]
    weighed = function.weighable and weights and chance.random() < 0.5
    return Measure(
        name,
        function.name,
        operand,
        result_type(function.name, operand.dtype if operand else None),
        where,
        order if function.ordered else (),
        chance.choice(weights) if weighed else None,
        chance.choice([1, 5, 50, 90, 99]) if function.ranked else None,
    )


def events(chance: Random, share: float = 0.4) -> Relation:
    """Rows of an event table, perhaps filtered."""
    hours = chance.choice([6, 24, 72, 100, 100])
    scan = chance.choice([crashes(hours), crashes(hours), samples(hours), samples(hours, daily=True), outputs(hours)])
    return Filter(scan, condition(chance, scan.schema)) if chance.random() < share else scan


def objects(chance: Random) -> Relation:
    """Devices, filtered, joined and computed on, in any order."""
    node: Relation = DEVICES
    for at in range(chance.choice([0, 1, 1, 2, 3])):
        match chance.choice(["filter", "with", "attach", "attach", "active"]):
            case "filter":
                node = Filter(node, condition(chance, node.schema))
            case "with":
                node = SemiJoin(node, events(chance, 0.2), "@device")
            case "attach":
                inner = events(chance)
                found = measures(chance, inner.schema, ("time", "@row"), f"_{at}")
                node = Attach(node, inner, "@device", found, keep_all=chance.random() < 0.7)
            case _:
                node = Active(node, crashes(chance.choice([24, 72])), crashes(100), "@device")
    return node


def relation(chance: Random) -> Relation:
    """A whole query's relation."""
    rooted = chance.random() < 0.5
    node = objects(chance) if rooted else events(chance)
    if chance.random() < 0.2:
        node = latest(chance, node, ("@last_seen", "@id") if rooted else ("time", "@row"))
    if chance.random() < 0.5:
        node = aggregate(chance, node, ("@last_seen", "@id") if rooted else ("time", "@row"))
        if chance.random() < 0.2:
            node = aggregate(chance, node, (), "_of")
    node = extended(chance, node)
    if chance.random() < 0.3:
        node = Filter(node, condition(chance, node.schema))
    if chance.random() < 0.15:
        node = Select(node, _some(chance, node))
    return arranged(chance, node)


def latest(chance: Random, node: Relation, order: tuple[str, ...]) -> Relation:
    """The newest row of each object or value."""
    names = [column.name for column in visible(node.schema) if column.dtype.kind in GROUPED]
    names += [name for name in ("@device",) if name in node.schema]
    return Latest(node, tuple(chance.sample(names, chance.randint(1, min(2, len(names))))), order)


def extended(chance: Random, node: Relation) -> Relation:
    """With columns computed row by row, or not."""
    items: list[tuple[str, Expr]] = []
    texts = [column for column in visible(node.schema) if column.dtype.kind is Kind.STRING]
    if numbers(node.schema) and chance.random() < 0.4:
        items.append(("computed", number(chance, numbers(node.schema))))
    if texts and chance.random() < 0.2:
        items.append(("spelled", text(chance, chance.choice(texts))))
    if chance.random() < 0.15:
        items.append(("flagged", condition(chance, node.schema)))
    return Extend(node, tuple(items)) if items else node


def aggregate(chance: Random, node: Relation, order: tuple[str, ...], mark: str = "") -> Relation:
    """A grouping by up to two columns, of events perhaps by a period too."""
    names = [column.name for column in visible(node.schema) if column.dtype.kind in GROUPED]
    keys = tuple(chance.sample(names, min(len(names), chance.randint(0, 2))))
    found = measures(chance, node.schema, order, mark) if not keys or chance.random() < 0.9 else ()
    if "time" not in order or chance.random() < 0.6:
        return Aggregate(node, keys, found)
    edges = [MIDNIGHT - 5 * DAY]
    for step in chance.choice([[12] * 12, [24, 23, 24, 24, 24, 24], [24, 24, 25, 24, 24, 24], [1] * 144]):
        edges.append(edges[-1] + step * HOUR)
    filled = chance.randint(1, min(8, len(edges) - 1)) if chance.random() < 0.3 else 0
    return Aggregate(node, keys, found, Buckets(tuple(edges), filled), "time")


def _some(chance: Random, node: Relation) -> tuple[str, ...]:
    """Some of the columns, and the row's identity."""
    names = [column.name for column in visible(node.schema)]
    identity = [name for name in ("@row", "@id") if name in node.schema]
    kept = names if not identity else chance.sample(names, chance.randint(1, len(names)))
    return (*identity, *kept)


def arranged(chance: Random, node: Relation) -> Relation:
    """Sorted and limited, or not."""
    columns = [column for column in visible(node.schema) if column.dtype.kind is not Kind.STRINGS]
    if columns and chance.random() < 0.5:
        picked = chance.sample(columns, min(len(columns), chance.randint(1, 2)))
        keys = [SortKey(column, chance.random() < 0.5) for column in picked]
        identity = [name for name in ("@row", "@id") if name in node.schema] or list(node.schema)
        keys += [SortKey(Column(name, node.schema[name])) for name in identity]
        node = Sort(node, tuple(keys))
    if chance.random() < 0.6:
        return node
    return Limit(node, chance.choice([0, 1, 2, 3, 5, 10]), chance.choice([0, 0, 0, 1, 2]))


def resolved(node: Relation) -> ResolvedPlan:
    """A plan that shows every visible column of a relation."""
    shown = tuple(Output(c.name, c.name, c.name, c.dtype) for c in visible(node.schema))
    return ResolvedPlan(node, shown, "device.devices", NOW, USER_ZONE)


def plan(chance: Random) -> ResolvedPlan:
    """A whole resolved plan."""
    return resolved(relation(chance))
