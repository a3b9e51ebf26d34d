"""The types of NQL values and how each is held in memory and on disk.

A `DataType` says what a value means (kind, unit, members); `physical` says how it is held, the same in every engine
and in storage. Invariant: times and durations are whole microseconds (`int64`), addresses are 32 hexadecimal digits
of their IPv6 form (IPv4 mapped), so that equality, order and networks are plain comparisons; versions are their text
and compare by `version_key`. Formatting for people lives with whoever shows the value.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
BYTES = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


class Kind(Enum):
    """What a value is. The names are the ones shown to users."""

    __hash__ = object.__hash__  # kinds are looked up hundreds of times a query; an enum's own hash is that of its name

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    PERCENTAGE = "percentage"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    DURATION = "duration"
    BYTES = "bytes"
    ENUM = "enum"
    VERSION = "version"
    IP = "ip_address"
    STRINGS = "string_array"
    OBJECTS = "object_list"
    MAP = "map"
    NULL = "null"


class Physical(Enum):
    """How a value is held."""

    __hash__ = object.__hash__

    INT64 = "int64"
    FLOAT64 = "float64"
    BOOL = "bool"
    UTF8 = "utf8"
    LIST_UTF8 = "list_utf8"
    VALUES = (
        "values"  # list<struct<name: utf8, number: int64, real: float64, text: utf8, texts: list<utf8>>>, a typed map
    )


_PHYSICAL = {
    Kind.STRING: Physical.UTF8,
    Kind.INT: Physical.INT64,
    Kind.FLOAT: Physical.FLOAT64,
    Kind.PERCENTAGE: Physical.FLOAT64,
    Kind.BOOLEAN: Physical.BOOL,
    Kind.DATETIME: Physical.INT64,
    Kind.DURATION: Physical.INT64,
    Kind.BYTES: Physical.INT64,
    Kind.ENUM: Physical.UTF8,
    Kind.VERSION: Physical.UTF8,
    Kind.IP: Physical.UTF8,
    Kind.STRINGS: Physical.LIST_UTF8,
    Kind.OBJECTS: Physical.UTF8,  # a JSON array of objects
    Kind.MAP: Physical.VALUES,
    Kind.NULL: Physical.UTF8,
}

NUMERIC = frozenset({Kind.INT, Kind.FLOAT, Kind.PERCENTAGE, Kind.DURATION, Kind.BYTES})
ORDERED = NUMERIC | {Kind.DATETIME, Kind.VERSION, Kind.IP}
TEXTUAL = frozenset({Kind.STRING, Kind.ENUM, Kind.VERSION})


@dataclass(frozen=True, slots=True)
class DataType:
    """A kind with its unit for export (`s`, `ms`, `B`, `%`), its members if an enum, and whether a quantity is held
    as a float.

    `real` is true for averages of durations and bytes: same kind and unit, held as `float64`.
    """

    kind: Kind
    unit: str | None = None
    members: tuple[str, ...] = ()
    closed: bool = False
    real: bool = False

    @property
    def physical(self) -> Physical:
        """How values of this type are held."""
        return Physical.FLOAT64 if self.real else _PHYSICAL[self.kind]

    @property
    def numeric(self) -> bool:
        """Whether arithmetic is defined."""
        return self.kind in NUMERIC

    def member(self, text: str) -> str | None:
        """The canonical spelling of an enum member; None if it is not one. Case does not matter."""
        return _by_folded(self.members).get(text.lower())


@lru_cache(maxsize=1024)
def _by_folded(members: tuple[str, ...]) -> dict[str, str]:
    return {member.lower(): member for member in reversed(members)}


STRING = DataType(Kind.STRING)
INT = DataType(Kind.INT)
FLOAT = DataType(Kind.FLOAT)
PERCENTAGE = DataType(Kind.PERCENTAGE, unit="%")
BOOLEAN = DataType(Kind.BOOLEAN)
DATETIME = DataType(Kind.DATETIME)
DURATION = DataType(Kind.DURATION, unit="s")
SIZE = DataType(Kind.BYTES, unit="B")
VERSION = DataType(Kind.VERSION)
IP = DataType(Kind.IP)
STRINGS = DataType(Kind.STRINGS)
NULL = DataType(Kind.NULL)


def enum_text(dtype: DataType, text: str) -> str | None:
    """The stored form of an enum value: its canonical member, or the lower-cased text on an open enum; None if not
    allowed.
    """
    return dtype.member(text) or (None if dtype.closed else text.lower())


def version_key(text: str) -> str:
    """A text whose order is the order of versions: digit runs, trailing zeros dropped, each padded to 20 digits."""
    parts = [part.lstrip("0") for part in re.findall(r"[0-9]+", text)]
    while parts and not parts[-1]:
        parts.pop()
    return ".".join(part.zfill(20) for part in parts)


def ip_text(text: str) -> str:
    """The stored form of an address: 32 hexadecimal digits, IPv4 as IPv4-mapped. Raises ValueError."""
    address = ipaddress.ip_address(text.strip())
    if isinstance(address, ipaddress.IPv4Address):
        address = ipaddress.IPv6Address(b"\x00" * 10 + b"\xff\xff" + address.packed)
    return address.packed.hex()


def ip_range(text: str) -> tuple[str, str]:
    """First and last stored address of a network such as `10.0.0.0/8`; of a single address, itself twice. Raises
    ValueError.
    """
    network = ipaddress.ip_network(text.strip(), strict=False)
    return ip_text(str(network[0])), ip_text(str(network[-1]))


def ip_shown(stored: str) -> str:
    """The address as people write it, from its stored form."""
    address = ipaddress.IPv6Address(bytes.fromhex(stored))
    return str(address.ipv4_mapped or address)
