"""What a device reports as the end of an execution, made safe: only declared outputs, of their declared types, within
their limits.

In: an outcome as the wire brought it and the outputs that the action's version declares. Out: values in physical form
(times and durations in microseconds) and a sentence for each that was left out. Invariant: a wrong output never
changes the state of the execution; it is said in its detail. Texts over their limit are cut, as the vendor's own
helper does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.control.manifest import Output
from storage.control.states import State

TEXT_BYTES = 1024
LIST_ITEMS = 1000
ERROR_BYTES = 4096
LARGEST = 3.4e38
DAY = 86_400_000_000
LONGEST = 49 * DAY
LATEST = 253_402_300_799_000_000  # the end of the year 9999

# Which slot of a typed map holds the values of a type (`nql.datatypes.Physical.VALUES`).
SLOTS = {
    "string": "text", "bool": "number", "uint32": "number", "float": "real", "size": "real", "ratio": "real",
    "bitrate": "real", "date_time": "number", "duration": "number", "string_list": "texts",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended, by the device. Times are microseconds UTC of the device's clock."""

    state: State
    exit_code: int | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    detail: str | None = None
    started_at: int | None = None
    finished_at: int | None = None


def typed(declared: Iterable[Output], outputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The outputs that hold, and a sentence for each that does not."""
    types = {item.name: item.type for item in declared}
    kept: dict[str, Any] = {}
    problems = []
    for name, value in outputs.items():
        if name not in types:
            problems.append(f"output {name[:64]!r} is not declared")
            continue
        good = _value(types[name], value)
        if good is None:
            problems.append(f"output {name} is no {types[name]}")
        else:
            kept[name] = good
    return kept, problems


def cut(text: str, size: int) -> str:
    """The text without what lies beyond `size` bytes of UTF-8, and without NUL."""
    return text.replace("\0", "").encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


def values(types: Mapping[str, str], kept: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a typed map: the name and the one slot that holds the value."""
    return [{"name": name, SLOTS[types[name]]: _slot(kept[name])} for name in sorted(kept)]


def texts(given: Mapping[str, str]) -> list[dict[str, Any]]:
    """The entries of a typed map of texts: the inputs of an execution."""
    return [{"name": name, "text": given[name]} for name in sorted(given)]


def _slot(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _value(kind: str, value: Any) -> Any:
    match kind, value:
        case "string", str():
            return cut(value, TEXT_BYTES)
        case "bool", bool():
            return value
        case "string_list", list() | tuple() if len(value) <= LIST_ITEMS and all(
            isinstance(item, str) for item in value
        ):
            return [cut(item, TEXT_BYTES) for item in value]
        case _, bool():
            return None
        case "uint32", int() if 0 <= value <= 4_294_967_295:
            return value
        case "date_time", int() if 0 <= value <= LATEST:
            return value
        case "duration", int() if 0 <= value <= LONGEST:
            return value
        case "float" | "ratio" | "bitrate", int() | float() if math.isfinite(value) and abs(value) <= LARGEST:
            return float(value)
        case "size", int() | float() if math.isfinite(value) and 0 <= value <= LARGEST:
            return float(value)
        case _:
            return None
