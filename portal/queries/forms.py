"""The forms in which a whole answer leaves the portal beside JSON (CSV, Arrow, Parquet), and a page of it.

In: a result, a media type, how many rows to leave out. Out: bytes, or a shorter result. Invariant: every form of a
result is written by `engine.formats`, in whichever process has the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from engine.formats import to_arrow, to_csv, to_parquet
from engine.result import Result

JSON = "application/json"
CSV = "text/csv"
LOCAL_CSV = "text/csv; times=local"  # for programs: no guard, and times on the clock of the zone that was asked in
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
WRITERS: Mapping[str, Callable[[Result], bytes | Iterator[bytes]]] = {
    CSV: to_csv,
    LOCAL_CSV: lambda result: to_csv(result, guarded=False, zone=result.zone),
    ARROW: to_arrow,
    PARQUET: to_parquet,
}
NAMES = {CSV: "result.csv", ARROW: "result.arrows", PARQUET: "result.parquet"}


def pieces(result: Result, media: str) -> Iterator[bytes]:
    """A result in a form other than JSON, in pieces."""
    written = WRITERS[media](result)
    return iter([written]) if isinstance(written, bytes) else written


def cut(result: Result, offset: int) -> Result:
    """A result without its first rows."""
    if not offset:
        return result
    devices = result.devices
    return replace(result, table=result.table.slice(offset), devices=devices and devices.slice(offset))
