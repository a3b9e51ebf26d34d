"""The typed outputs of a script: read from what its output functions wrote, checked against what the action declares.

In: the bytes of the output pipe (fields that end with NUL: type, name, number of values, values), the declared
outputs. Out: values in physical form and a sentence for each that does not hold. Invariants: bytes of any kind give an
answer, never an exception; nothing is guessed (an undeclared name, another type or a value out of bounds is said, not
bent); only texts are cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from agent import wire

PIPE_BYTES = 256 * 1024  # what is read of the pipe
TEXT_BYTES = 1024
LIST_ITEMS = 1000
MOST_OUTPUTS = 50
TOTAL_BYTES = 96 * 1024  # of all values of one execution
LARGEST = 3.4e38
LONGEST_MS = 49 * 86_400_000
LATEST_S = 253_402_300_799  # the end of the year 9999


def read(data: bytes, declared: Iterable[wire.Output], *, cut: bool = False) -> tuple[dict[str, wire.Value], list[str]]:
    """The outputs that hold, and the problems. `cut` says that the script wrote more than was read."""
    types = {item.name: item.type for item in declared}
    values: dict[str, wire.Value] = {}
    problems = ["the script wrote more outputs than are read"] if cut else []
    try:
        for kind, name, texts in _records(data):
            problem = _put(values, types, kind, name, texts)
            if problem and problem not in problems:
                problems.append(problem)
    except ValueError:
        if not cut:
            problems.append("the outputs are not in the form that the output functions write")
    return values, problems[:20]


def typed(kind: str, texts: list[str]) -> wire.Value:
    """The physical value of the texts a script gave for a type. Raises ValueError with what is wrong."""
    if kind == "string_list":
        if len(texts) > LIST_ITEMS:
            raise ValueError(f"has more than {LIST_ITEMS} texts")
        return [shorten(text) for text in texts]
    if len(texts) != 1:
        raise ValueError("takes one value")
    return _PARSERS[kind](texts[0])


def shorten(text: str, size: int = TEXT_BYTES) -> str:
    """The text up to `size` bytes of UTF-8, never half a character."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


def _put(values: dict[str, wire.Value], types: dict[str, str], kind: str, name: str, texts: list[str]) -> str | None:
    shown = name[:64]
    if name not in types:
        return f"output {shown!r} is not declared"
    if types[name] != kind:
        return f"output {shown} is declared as {types[name]} and was written as {kind[:32]}"
    try:
        value = typed(kind, texts)
    except (ValueError, KeyError) as error:
        return f"output {shown} {error}"
    others = sum(_size(other) for key, other in values.items() if key != name)
    if others + _size(value) > TOTAL_BYTES:
        return f"output {shown} makes the outputs larger than {TOTAL_BYTES} bytes"
    values[name] = value
    return None


def _records(data: bytes) -> Iterator[tuple[str, str, list[str]]]:
    *fields, rest = data.split(b"\0")
    texts = [field.decode("utf-8", "replace") for field in fields]
    at = 0
    while at < len(texts):
        if at + 3 > len(texts) or not texts[at + 2].isdecimal() or len(texts[at + 2]) > 6:
            raise ValueError("no record")
        end = at + 3 + int(texts[at + 2])
        if end > len(texts):
            raise ValueError("too few values")
        yield texts[at], texts[at + 1], texts[at + 3 : end]
        at = end
    if rest:
        raise ValueError("the last field has no end")


def _bool(text: str) -> bool:
    match text.strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError("is neither true nor false")


def _whole(text: str, low: int, high: int, what: str) -> int:
    try:
        value = int(text.strip()[:32])
    except ValueError:
        raise ValueError(f"is no {what}") from None
    if not low <= value <= high:
        raise ValueError(f"is not between {low} and {high}")
    return value


def _real(text: str, low: float = -LARGEST) -> float:
    try:
        value = float(text.strip()[:64])
    except ValueError:
        raise ValueError("is no number") from None
    if not math.isfinite(value) or not low <= value <= LARGEST:
        raise ValueError(f"is not between {low:g} and {LARGEST:g}")
    return value


def _instant(text: str) -> int:
    if text.strip().lstrip("-").isdecimal():
        return _whole(text, 0, LATEST_S, "time in seconds since 1970") * 1_000_000
    try:
        moment = datetime.fromisoformat(text.strip()[:64])
    except ValueError:
        raise ValueError("is neither seconds since 1970 nor a date and time") from None
    if moment.tzinfo is None:
        raise ValueError("is a date and time without a zone")
    return round(moment.timestamp()) * 1_000_000


_PARSERS: dict[str, Callable[[str], wire.Value]] = {
    "string": shorten,
    "bool": _bool,
    "uint32": lambda text: _whole(text, 0, 4_294_967_295, "whole number"),
    "float": _real,
    "size": lambda text: _real(text, 0.0),
    "ratio": lambda text: _real(text) * 100,  # a ratio of 1 is 100 %
    "bitrate": _real,
    "date_time": _instant,
    "duration": lambda text: _whole(text, 0, LONGEST_MS, "number of milliseconds") * 1000,
}


def _size(value: wire.Value) -> int:
    if isinstance(value, list):
        return sum(len(text.encode()) + 4 for text in value)
    return len(value.encode()) if isinstance(value, str) else 8
