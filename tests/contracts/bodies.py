"""Bodies made from the types of routes: one that fits, and all that do not.

Comes in: a type of messages. Goes out: JSON values. Invariant: nothing is known here of any route; what a type says
about itself is all there is.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

ODD: tuple[Any, ...] = (None, True, -1, 10**30, "x" * 5000, [None], {"a": 1})
RAW = (
    b"",
    b"{",
    b"\xff\xfe",
    b'{"a": "\xff"}',
    b"[" * 20_000,
    b'{"a": "\\ud800"}',
    b"NaN",
    b"null",
    b"[]",
    b'"text"',
    b"1",
    b"true",
    b'{"a": 1} x',
    b"\x1f\x8b\x08\x00",
)  # that no route takes, whatever its type


def sample(kind: Any) -> Any:
    """A JSON value that decodes as a type, with all its fields."""
    return _sample(inspect.type_info(kind), 0)


def _sample(info: inspect.Type, depth: int) -> Any:
    match info:
        case inspect.StructType():
            fields = [field for field in info.fields if field.required or depth < 3]
            return {field.encode_name: _sample(field.type, depth + 1) for field in fields}
        case inspect.UnionType():
            return _sample(next(one for one in info.types if not isinstance(one, inspect.NoneType)), depth)
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            return [_sample(info.item_type, depth + 1) for _ in range(max(1, info.min_length or 0))]
        case inspect.StrType():
            return "x" * max(1, info.min_length or 0)
        case inspect.IntType() | inspect.FloatType():
            return info.ge or 1
        case inspect.BoolType():
            return True
        case inspect.LiteralType():
            return info.values[0]
        case inspect.EnumType():
            return next(iter(info.cls)).value
        case _:
            return {}


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Each place in a value, but for the whole."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*here, name)
        yield from places(inner, (*here, name))


def changed(value: Any, place: tuple[Any, ...], to: Any) -> Any:
    """A copy in which something else stands at a place."""
    whole = copy.deepcopy(value)
    inner = whole
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = to
    return whole


def without(value: Any, place: tuple[Any, ...]) -> Any:
    """A copy in which a place is missing."""
    whole = copy.deepcopy(value)
    inner = whole
    for name in place[:-1]:
        inner = inner[name]
    del inner[place[-1]]
    return whole


def twice(value: dict[str, Any], name: str) -> bytes:
    """An object in which one name stands twice."""
    return b"{" + f"{json.dumps(name)}: {json.dumps(value[name])}, ".encode() + json.dumps(value).encode()[1:]


def fits(kind: Any, body: bytes) -> bool:
    """Whether a body is of a type."""
    try:
        msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def words(kind: Any) -> set[str]:
    """The names of all fields of a type, those within included."""
    return {name for place in places(sample(kind)) for name in place if isinstance(name, str)}
