"""What the portal and its worker processes say to each other: work one way, how it went the other.

In: a plan, a snapshot whose rows lie in files, bounds. Out: bytes on a pipe, each message with its length before it;
replies are one line of JSON. Invariants: what is unpickled is what the portal itself wrote into the pipe of a child;
nothing that a worker says is unpickled. Rows never go through a pipe: they lie in files that both map.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from struct import Struct as Packed
from types import MappingProxyType
from typing import IO, Any, Literal

import msgspec

from nql.plan.plan import ResolvedPlan
from portal.queries.union import Rows
from storage.tables.api import Snapshot

LENGTH = Packed(">Q")
DEVICES = "@device"  # the column of a result file with the device of each row
Outcome = Literal["ready", "done", "memory", "damaged", "away", "failed"]


@dataclass(frozen=True, slots=True)
class Work:
    """One query: `snapshot` is without rows of its own, which lie in `tail` (a file a part, in their order) and
    `objects` (a file a table); `beside` are rows that are not in the tables. Rows `[offset, offset + limit)` are
    wanted, in `target`: as an Arrow file, or in the form of a media type."""

    plan: ResolvedPlan
    snapshot: Snapshot
    tail: tuple[str, ...]
    objects: Mapping[str, str]
    beside: Rows
    limit: int
    offset: int
    media: str | None
    target: str


class Reply(msgspec.Struct, frozen=True):
    """How it went. `data` is how many bytes of memory of its own the process has now."""

    outcome: Outcome
    rows: int = 0
    truncated: bool = False
    data: int = 0
    reason: str = ""
    path: str = ""


class _Pickler(pickle.Pickler):
    """Pickles plans and catalogs, whose schemas are read-only views."""

    dispatch_table = copyreg.dispatch_table | {MappingProxyType: lambda view: (_view, (dict(view),))}


def _view(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


def packed(value: object) -> bytes:
    """A value as bytes, the same for values that were made in the same way."""
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


def question(plan: ResolvedPlan) -> bytes:
    """What a plan asks for, whenever it is asked: equal for plans that have the same answer over the same rows."""
    return packed(replace(plan, now=0))


def framed(catalog: bytes | None, work: Work) -> bytes:
    """A message to a worker; the catalog only where the worker has another one."""
    body = packed((catalog, packed(work)))
    return LENGTH.pack(len(body)) + body


def read(source: IO[bytes]) -> tuple[bytes | None, bytes] | None:
    """The next message to a worker: a catalog that is new to it, the work; None where there are no more."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    body = source.read(LENGTH.unpack(head)[0])
    catalog, work = pickle.loads(body)
    return catalog, work


def unpacked(data: bytes) -> Any:
    """The value in bytes that `packed` made in this program."""
    return pickle.loads(data)
