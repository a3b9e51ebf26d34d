"""The Delta log of a table's compacted days, so that other engines read them: Spark, DuckDB and whatever knows Delta.

In: the days that the manifest names. Out: a commit that adds what is new and removes what is gone. Invariant: the log
follows the manifest and is never asked by this program; a commit is made exactly once, because it is the difference
between the log and the manifest, and says by its `txn` which manifest it comes from. Files are durable before they
are named, and stay until the commit that removes them is durable.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from nql.datatypes import Physical
from storage.tables.days import day_name
from storage.tables.errors import SegmentCorrupt
from storage.tables.files import Files, write_whole
from storage.tables.manifest import DayFile, Manifest
from storage.tables.schema import Schemas, TableSchema
from storage.tables.seal import LAKE

log = logging.getLogger(__name__)
APP = "muster"  # whose transactions they are
_LOG = "_delta_log"
_LIST = {"type": "array", "elementType": "string", "containsNull": True}
_TYPES: Mapping[Physical, Any] = {
    Physical.INT64: "long",
    Physical.FLOAT64: "double",
    Physical.BOOL: "boolean",
    Physical.UTF8: "string",
    Physical.LIST_UTF8: _LIST,
    Physical.VALUES: {
        "type": "array",
        "elementType": {
            "type": "struct",
            "fields": [
                {"name": name, "type": kind, "nullable": True, "metadata": {}}
                for name, kind in {
                    "name": "string", "number": "long", "real": "double", "text": "string", "texts": _LIST
                }.items()
            ],
        },
        "containsNull": True,
    },
}  # fmt: skip
Action = dict[str, Any]
_Said = tuple[str, int, str]  # of a file: its day, its bytes, its statistics


class _Stats(msgspec.Struct, rename="camel"):
    """What the statistics of a file say."""

    num_records: int
    min_values: dict[str, int] = {}
    max_values: dict[str, int] = {}


class _Known(msgspec.Struct):
    """What a log says: its newest version, the manifest of its newest commit, the columns, the files."""

    version: int = -1
    manifest: int = -1
    columns: str = ""
    files: dict[str, _Said] = msgspec.field(default_factory=dict)


class DeltaLogs:
    """The logs of all tables of a folder."""

    def __init__(self, files: Files, folder: Path, schemas: Schemas) -> None:
        self._files = files
        self._folder = folder
        self._schemas = schemas
        self._follow: dict[str, int] = {}  # the manifest that each log is known to follow

    def follow(self, manifest: Manifest, now: int) -> tuple[str, ...]:
        """Bring all logs to a manifest that is durable. Where this fails it is tried again with the next one; these
        places are told, and files there must stay."""
        behind: list[str] = []
        for table, number in manifest.lake.items():
            schema = self._schemas.get(table)
            if schema is None or self._follow.get(table, -1) >= number:
                continue
            days = [item for item in manifest.days if item.table == table]
            try:
                if published(self._folder, table) < number:
                    publish(self._files, self._folder, schema, days, number, now)
                self._follow[table] = number
            except (OSError, SegmentCorrupt) as error:
                log.warning("the Delta log of %s is behind: %s", table, error)
                behind.append(f"{LAKE}/{table}/")
        return tuple(behind)


def published(folder: Path, table: str) -> int:
    """The number of the manifest that a table's newest commit comes from, -1 if there is none. Raises
    SegmentCorrupt."""
    return max((follows(path) for path in entries(folder, table)[-1:]), default=-1)


def follows(entry: Path) -> int:
    """The number of the manifest that an entry of a log comes from. Raises SegmentCorrupt."""
    return _take(_Known(), entry).manifest


def tells(folder: Path, table: str, days: Iterable[DayFile]) -> bool:
    """Whether a table's log says of these days, and of no others, what the manifest does: where they are, their bytes,
    rows and bounds. Raises SegmentCorrupt."""
    said, place = _read(folder, table).files, f"{LAKE}/{table}/"
    wanted = {item.file.removeprefix(place): item for item in days}
    return said.keys() == wanted.keys() and all(_fits(said[name], item) for name, item in wanted.items())


def _fits(said: _Said, item: DayFile) -> bool:
    day, size, text = said
    stats = msgspec.json.decode(text, type=_Stats)
    bounds = [*stats.min_values.values(), *stats.max_values.values()]
    known = (day_name(item.day), item.bytes, item.rows)
    return (day, size, stats.num_records) == known and bounds in ([], [item.min_time, item.max_time])


def publish(files: Files, folder: Path, schema: TableSchema, days: Iterable[DayFile], number: int, now: int) -> None:
    """Bring a table's log to what manifest `number` says of it. Raises OSError, SegmentCorrupt; it may then be tried
    again."""
    known = _read(folder, schema.name)
    if known.manifest >= number:
        return
    place = f"{LAKE}/{schema.name}/"
    wanted = {item.file.removeprefix(place): item for item in days}
    actions = list(_actions(known, schema, wanted, now // 1000))
    said = {
        "timestamp": now // 1000,
        "operation": "WRITE",
        "operationParameters": {"mode": "Append"},
        "engineInfo": APP,
    }
    whole = [{"commitInfo": said}, *actions, {"txn": {"appId": APP, "version": number, "lastUpdated": now // 1000}}]
    place_of_log = folder / place / _LOG
    if known.version < 0:
        files.make_folder(place_of_log)
        files.sync_folder(place_of_log.parent)
        files.sync_folder(place_of_log.parent.parent)
    entry = place_of_log / f"{known.version + 1:020}.json"
    write_whole(
        files, place_of_log / f".{entry.name}.new", b"".join(msgspec.json.encode(action) + b"\n" for action in whole)
    )
    files.rename(place_of_log / f".{entry.name}.new", entry)
    files.sync_folder(place_of_log)


def _actions(known: _Known, schema: TableSchema, wanted: Mapping[str, DayFile], at: int) -> Iterator[Action]:
    columns = _columns(schema)
    if known.version < 0:
        yield {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
    if known.columns != columns:
        yield {
            "metaData": {
                "id": str(uuid5(NAMESPACE_URL, f"{APP}:{schema.name}")), "name": schema.name,
                "format": {"provider": "parquet", "options": {}}, "schemaString": columns,
                "partitionColumns": ["day"], "createdTime": at, "configuration": {},
            }
        }  # fmt: skip
    for name in sorted(known.files.keys() - wanted.keys()):
        yield {"remove": {"path": name, "deletionTimestamp": at, "dataChange": True}}
    for name in sorted(wanted.keys() - known.files.keys()):
        item = wanted[name]
        bounds = {} if "." in schema.time else {
            "minValues": {schema.time: item.min_time}, "maxValues": {schema.time: item.max_time}
        }  # fmt: skip
        yield {
            "add": {
                "path": name, "partitionValues": {"day": day_name(item.day)}, "size": item.bytes,
                "modificationTime": at, "dataChange": True,
                "stats": msgspec.json.encode({"numRecords": item.rows, **bounds}).decode(),
            }
        }  # fmt: skip


def _columns(schema: TableSchema) -> str:
    fields = [
        {"name": name, "type": _TYPES[physical], "nullable": True, "metadata": {}}
        for name, physical in schema.columns.items()
    ]
    fields.append({"name": "day", "type": "date", "nullable": True, "metadata": {}})
    return msgspec.json.encode({"type": "struct", "fields": fields}).decode()


def entries(folder: Path, table: str) -> list[Path]:
    """The entries of a table's log, in order."""
    return sorted(path for path in (folder / LAKE / table / _LOG).glob("*.json") if path.stem.isdigit())


def _read(folder: Path, table: str) -> _Known:
    known = _Known()
    for path in entries(folder, table):
        known = _take(known, path)
    return known


def _take(known: _Known, path: Path) -> _Known:
    """What is known after one more commit. Raises SegmentCorrupt."""
    try:
        for line in path.read_bytes().splitlines():
            ((kind, action),) = msgspec.json.decode(line, type=dict[str, dict[str, Any]]).items()
            if kind == "add":
                said = action["partitionValues"]["day"], action["size"], action["stats"]
                known.files[action["path"]] = said
                msgspec.json.decode(said[2], type=_Stats)
            elif kind == "remove":
                known.files.pop(action["path"], None)
            elif kind == "metaData":
                known.columns = action["schemaString"]
            elif kind == "txn" and action["appId"] == APP:
                known.manifest = action["version"]
        known.version = int(path.stem)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SegmentCorrupt(path, f"is no entry of a Delta log ({error})") from error
    return known
