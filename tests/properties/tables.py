"""Tables with everything that engines disagree on: nulls, ties, empty texts and arrays, mixed case, odd versions,
large numbers, and rows on and beside the edges of windows.

In: a seed. Out: a `MemorySource` with devices, users, binaries, and events of several kinds. The first seeds give
tables of a hundred rows, all others of none to five. Invariant: the same seed gives the same rows, so that a failing
example can be run again.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import polars as pl

from nql.catalog.model import Table, TableKind
from nql.datatypes import Kind, ip_text
from tests.logic.fixture import load
from tests.logic.memory_source import MemorySource, stored_schema

HOUR = 3_600_000_000
NOW = 1_731_320_775_000_000  # 2024-11-11 10:26:15 UTC
TOP = NOW - NOW % HOUR + HOUR  # the full hour after now, where clock-precise windows end
MIDNIGHT = TOP - 6 * HOUR  # of the instance zone, the last before now
QUARTER = HOUR // 4
HOURS = (1, 6, 24, 72, 100)
LARGE = 3  # seeds below this give large tables
ZONE, USER_ZONE = "America/New_York", "Europe/Zurich"
CATALOG = load("fleet").catalog

TABLES = (
    "device.devices",
    "user.users",
    "binary.binaries",
    "execution.crashes",
    "device_performance.events",
    "session.logins",
    "execution.events",
    "device_performance.boots",
    "remote_action.remote_actions",
    "remote_action.executions",
)

NAMES = ["PC-001", "pc-001", "Pc-002", "", "MAC_003", "100%", "a*b", "ünïcode", "straße", "back\\slash", "two\nlines"]
ENTITIES = ["Lausanne", "lausanne", "Boston"]
PATHS = ["C:\\Windows\\a.exe", "c:\\windows\\A.EXE", "/usr/bin/x"]
VERSIONS = ["24.4.1", "24.10", "24.10.0", "v9.2", "0", "beta", "1.0.0.0", "107", ""]
ADDRESSES = [ip_text(text) for text in ("10.0.0.1", "10.0.255.255", "192.168.1.7", "::1", "fe80::1")]
TAGS = [["vip", "Pilot"], ["pilot"], [], [""], ["a", "A"]]
SIZES = [0, 1, 8 << 30, 16 << 30, (8 << 30) + 1, 2**53 + 1]
COUNTS = [0, 1, 2, 3, 7]
DURATIONS = [0, 1, 1_500_000, 10_000_000, 9 * HOUR]
REALS = [0.0, 0.5, 1.0, -2.5, 1e9]
NULLS = 0.15


@cache
def source(seed: int) -> MemorySource:
    """The tables of a seed."""
    chance = random.Random(seed)
    heights = {name: _height(chance, name, large=seed < LARGE) for name in TABLES}
    frames = {name: _frame(chance, CATALOG.tables[name], heights) for name in TABLES}
    return MemorySource(CATALOG, frames, zone=ZONE, complete_until=NOW)


def _height(chance: random.Random, name: str, *, large: bool) -> int:
    if name == "remote_action.remote_actions":
        return 1
    if large:
        return 25 if CATALOG.tables[name].kind is TableKind.OBJECT else 120
    return chance.choices(range(6), (1, 3, 6, 6, 6, 6))[0]


def _frame(chance: random.Random, table: Table, heights: dict[str, int]) -> pl.DataFrame:
    height = heights[table.name]
    data: dict[str, list[Any]] = {table.row_key: list(range(height))}
    for link, target in table.links.items():
        known = list(range(heights.get(target, 0)))
        busy = known[: max(1, len(known) - len(known) // 5)]  # some objects have no events
        data[f"@{link}"] = _some(chance, busy, height) if busy else [None] * height
    for column in table.stored():
        if column.name not in data:
            data[column.name] = _some(
                chance, _pool(table, column.name, column.dtype.kind, column.dtype.members), height
            )
    if table.kind is TableKind.SAMPLED:
        data |= _samples(chance, table, height)
    elif table.time is not None:
        data[table.time] = _times(chance, height)
    if table.name == "remote_action.remote_actions":
        data["nql_id"] = ["#clean_up"] * height
    if table.name == "remote_action.executions":
        data["@remote_action"] = [0] * height
    return pl.DataFrame(data, schema_overrides=stored_schema(table)).select(list(stored_schema(table)))


def _pool(table: Table, name: str, kind: Kind, members: tuple[str, ...]) -> list[Any]:
    """The values that a column may have."""
    match kind:
        case Kind.STRING:
            parts = {"name": NAMES, "uid": NAMES, "binary_path": PATHS}
            return parts.get(name, ENTITIES)
        case Kind.DATETIME:
            return [NOW - hours * HOUR for hours in (0, 1, 5, 30, 300, 900)]
        case Kind.MAP:
            return [_outputs(size, flag) for size in (0, 1 << 20) for flag in (0, 1)] + [[]]
        case Kind.ENUM:
            return list(members[:3]) or ["one", "two"]
        case Kind.OBJECTS:
            return ['[{"name": "Defender"}]', "[]"]
        case _:
            return _PLAIN[kind]


_PLAIN: dict[Kind, list[Any]] = {
    Kind.VERSION: VERSIONS,
    Kind.IP: ADDRESSES,
    Kind.BOOLEAN: [True, False],
    Kind.STRINGS: TAGS,
    Kind.INT: COUNTS,
    Kind.BYTES: SIZES,
    Kind.DURATION: DURATIONS,
    Kind.FLOAT: REALS,
    Kind.PERCENTAGE: [0.0, 12.5, 100.0],
    Kind.NULL: [None],
}


def _outputs(size: int, flag: int) -> list[dict[str, Any]]:
    empty = {"number": None, "real": None, "text": None, "texts": None}
    return [
        {**empty, "name": "freed", "number": size},
        {**empty, "name": "ok", "number": flag},
        {**empty, "name": "health", "real": size / 4},
        {**empty, "name": "files", "texts": ["a.log", "B.log"][flag:]},
    ]


def _some(chance: random.Random, values: list[Any], count: int) -> list[Any]:
    return [None if chance.random() < NULLS else chance.choice(values) for _ in range(count)]


def _times(chance: random.Random, count: int) -> list[int]:
    """Few instants, so that some are equal: on and beside the edges of windows, and anywhere."""
    edges = [TOP - hours * HOUR for hours in HOURS] + [MIDNIGHT - day * 24 * HOUR for day in range(4)]
    beside = [edge + chance.choice((-1, 0, 1)) for edge in chance.sample(edges, 3)]
    recent = [NOW - chance.randrange(12) * HOUR // 2 for _ in range(3)]
    instants = [*recent, *beside, NOW - chance.randrange(200) * HOUR // 2, NOW - 1]
    return [chance.choice(instants[: 4 + count // 10]) for _ in range(count)]


def _samples(chance: random.Random, table: Table, height: int) -> dict[str, list[Any]]:
    """Buckets of a quarter of an hour, and gauges whose parts fit each other."""
    starts = [at - at % QUARTER for at in _times(chance, height)]
    data: dict[str, list[Any]] = {"start_time": starts, "end_time": [at + QUARTER for at in starts]}
    data["bucket_duration"] = [QUARTER] * height
    for item in table.fields.values():
        if item.metric == "gauge" and not item.derived:
            whole = item.dtype.kind is not Kind.FLOAT and item.dtype.kind is not Kind.PERCENTAGE
            rows = [_gauge(chance, whole=whole) for _ in range(height)]
            for at, part in enumerate(("sum", "count", "min", "max")):
                data[f"{item.name}.{part}"] = [row[at] for row in rows]
    return data


def _gauge(chance: random.Random, *, whole: bool) -> tuple[float | None, int | None, float | None, float | None]:
    if chance.random() < NULLS:
        return (None, None, None, None)
    low, count = chance.choice((0, 10, 50 << 20)), chance.randint(1, 3)
    high = low + chance.choice((0, 20))
    total = low + high * (count - 1)
    return (total, count, low, high) if whole else (total / 1, count, low / 2, high / 1)
