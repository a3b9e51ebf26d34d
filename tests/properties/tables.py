"""Tables with everything that engines disagree on: nulls, empty texts and arrays, mixed case, odd versions, large
numbers.

In: a seed. Out: a `MemorySource` with devices and crashes. Invariant: the same seed gives the same rows, so that a
failing example can be run again.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import polars as pl

from nql.catalog.load import builtin
from nql.datatypes import ip_text
from tests.logic.memory_source import MemorySource, stored_schema

NOW = 1_731_320_775_000_000
HOUR = 3_600_000_000
DEVICES, CRASHES = 25, 120

NAMES = [
    "PC-001",
    "pc-001",
    "Pc-002",
    "",
    "MAC_003",
    "100%",
    "a*b",
    "ünïcode",
    "straße",
    "back\\slash",
    "two\nlines",
    None,
]
ENTITIES = ["Lausanne", "lausanne", "Boston", None]
VERSIONS = ["24.4.1", "24.10", "24.10.0", "v9.2", "0", "beta", "1.0.0.0", "107", "", None]
ADDRESSES = ["10.0.0.1", "10.0.255.255", "192.168.1.7", "::1", "fe80::1", None]
TAGS: list[list[str | None] | None] = [["vip", "Pilot"], ["pilot"], [], [""], ["a", "A"], None]
SIZES = [0, 1, 8 << 30, 16 << 30, (8 << 30) + 1, 2**53 + 1, None]
COUNTS = [0, 1, 2, 3, 7, None]
PATHS = ["C:\\Windows\\a.exe", "c:\\windows\\A.EXE", "/usr/bin/x", None]


@cache
def source(seed: int) -> MemorySource:
    """Devices and crashes of a seed."""
    chance = random.Random(seed)
    devices = {
        "@id": list(range(DEVICES)),
        "name": _some(chance, NAMES, DEVICES),
        "uid": [f"uid-{at}" for at in range(DEVICES)],
        "organization.entity": _some(chance, ENTITIES, DEVICES),
        "hardware.type": _some(chance, ["laptop", "desktop", "virtual", None], DEVICES),
        "hardware.memory": _some(chance, SIZES, DEVICES),
        "collector.version": _some(chance, VERSIONS, DEVICES),
        "collector.local_ip": [a and ip_text(a) for a in _some(chance, ADDRESSES, DEVICES)],
        "tags": _some(chance, TAGS, DEVICES),
        "simulated": _some(chance, [True, False, None], DEVICES),
        "first_seen": [_ago(chance, 900) for _ in range(DEVICES)],
        "last_seen": [_ago(chance, 300) for _ in range(DEVICES)],
    }
    crashes = {
        "@row": list(range(CRASHES)),
        "time": [NOW - chance.randrange(200) * HOUR // 2 for _ in range(CRASHES)],
        "@device": [chance.choice([None, *range(DEVICES - 5)]) for _ in range(CRASHES)],
        "number_of_crashes": _some(chance, COUNTS, CRASHES),
        "process_visibility": _some(chance, ["foreground", "background", None], CRASHES),
        "crash_on_start": _some(chance, [True, False, None], CRASHES),
        "binary_path": _some(chance, PATHS, CRASHES),
    }
    frames = {
        "device.devices": _frame("device.devices", devices),
        "execution.crashes": _frame("execution.crashes", crashes),
    }
    return MemorySource(builtin(), frames, zone="America/New_York", complete_until=NOW)


def _some(chance: random.Random, values: list[Any], count: int) -> list[Any]:
    return [chance.choice(values) for _ in range(count)]


def _ago(chance: random.Random, hours: int) -> int | None:
    return None if chance.random() < 0.1 else NOW - chance.randrange(hours) * HOUR


def _frame(table: str, data: dict[str, list[Any]]) -> pl.DataFrame:
    schema = stored_schema(builtin().tables[table])
    height = len(next(iter(data.values())))
    full = {name: data.get(name, [None] * height) for name in schema}
    return pl.DataFrame(full, schema=schema)
