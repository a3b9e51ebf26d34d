"""Enrichment: fields of devices, people, binaries and packages that others know better.

In: objects by an identifier, values for their fields. Out: success; or for each object that could not be set, why.
Invariants: an object is found under the caller's view domain, by a query, and set only if one alone is meant; of an
object either all fields are set or none; what is set by one request is stored together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

from msgspec import Meta, Struct
from starlette.responses import Response

from nql.catalog.configured import CUSTOM
from nql.catalog.model import Catalog
from nql.rules import DEFAULT
from portal.caller import Caller, Permission
from portal.clock import elapsed
from portal.endpoints import encode
from portal.modern.enriching import TABLES, Put, UnfitError, put
from portal.modern.errors import Surface
from portal.modern.ways import Asked, Way
from portal.queries.admission import Purpose
from portal.queries.catalogs import Catalogs
from portal.queries.identified import guid
from portal.queries.service import Queries, Wanted
from portal.threads import Threads
from storage.control.api import Control
from storage.control.audit import Entry
from storage.tables.api import Batch, Rows, Tables, rows_from_wire

PATH = "/api/v1/enrichment/data/fields"
MOST, MOST_FOUND = 10_000, 100_000
SHORTCUTS = {"device": "devices", "user": "users", "binary": "binaries", "package": "packages"}
IDENTIFIERS = (
    "device/device/name", "device/device/uid", "user/user/sid", "user/user/uid", "user/user/upn", "binary/binary/uid",
    "package/package/uid",
)  # fmt: skip
Text = Annotated[str, Meta(max_length=1024)]
SOURCE = "enrichment"


class Identification(Struct):
    """What an object is known by."""

    name: Text
    value: Text


class FieldValue(Struct):
    """A field and what it is set to."""

    name: Text
    value: Annotated[str, Meta(max_length=1024)] | int


class Enrichment(Struct):
    """One object."""

    identification: Annotated[list[Identification], Meta(min_length=1, max_length=1)]
    fields: Annotated[list[FieldValue], Meta(min_length=1, max_length=200)]


class Enrichments(Struct):
    """A request."""

    domain: Annotated[str, Meta(min_length=1, max_length=255)]
    enrichments: Annotated[list[Enrichment], Meta(min_length=1, max_length=MOST)]


@dataclass(frozen=True, slots=True)
class Parts:
    """What enrichment is done with."""

    tables: Tables
    control: Control
    queries: Queries
    catalogs: Catalogs
    threads: Threads
    clock: Callable[[], int]


Found = Mapping[tuple[str, str], Sequence[str]]  # uids by identifier and value
Wrong = list[tuple[Enrichment, list[UnfitError]]]
Sets = dict[tuple[str, str], dict[str, Any]]  # values of columns by table and uid


def listed(parts: Parts) -> list[Way]:
    """The ways of this part."""
    part = Part(parts)
    need = ("enrichment", Permission.MANAGE)
    return [Way("POST", PATH, Surface.ENRICHMENT, *need, part.fields, Enrichments, most_bytes=16 << 20)]


class Part:
    """Sets fields."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts

    async def fields(self, asked: Asked) -> Response:
        """A request of a client."""
        wrong = await self.set(asked.caller, asked.body)
        if not wrong:
            return _json(200, {"status": "success"})
        errors = [_error(item, problems) for item, problems in wrong]
        if len(wrong) == len(asked.body.enrichments):
            first = wrong[0][1][0]
            return _json(400, {"status": "error", "errors": errors, "message": str(first), "code": first.code})
        return _json(207, {"status": "partial_success", "errors": errors})

    async def set(self, caller: Caller, request: Enrichments) -> Wrong:
        """Set fields: the objects that could not be set, and why. Raises ApiError, Refused, StorageFull."""
        found = await self._found(caller, request.enrichments)
        sets, wrong = await self._p.threads.small(_sets, self._p.catalogs.current, request.enrichments, found)
        if sets:
            await self._store(caller, request.domain, sets)
        return wrong

    async def _found(self, caller: Caller, enrichments: Sequence[Enrichment]) -> Found:
        wanted: dict[str, set[str]] = defaultdict(set)
        for item in enrichments:
            one = item.identification[0]
            if one.name in IDENTIFIERS and not {"*", "?"} & set(one.value):  # those would be wildcards
                wanted[one.name].add(_spelled(one))
        found: dict[tuple[str, str], list[str]] = {}
        for name, values in wanted.items():
            for value, uid in await self._identified(caller, name, sorted(values)):
                found.setdefault((name, value.casefold()), []).append(uid)
        return found

    async def _identified(self, caller: Caller, name: str, values: list[str]) -> list[tuple[str, str]]:
        """The values of an identifier that objects have, with their uids."""
        namespace, _, field = name.split("/")
        text = f"{SHORTCUTS[namespace]} | where {field} in $values | list {field}, uid"
        queries = self._p.queries
        asked = await queries.understood(caller, text, {"values": values}, queries.zone, DEFAULT)
        answer = await queries.answered(asked, Wanted(MOST_FOUND), Purpose.INTERACTIVE, elapsed())
        table = answer.result.table
        return list(zip(table.column(0).to_pylist(), table.column(table.num_columns - 1).to_pylist(), strict=True))

    async def _store(self, caller: Caller, domain: str, sets: Sets) -> None:
        now, epoch = self._p.clock(), str(uuid4())
        rows = await self._p.threads.small(_rows, self._p.catalogs.current, sets, now)
        await self._p.tables.append(Batch(SOURCE, 1, epoch, 1, now, tuple(rows)))
        fields = sorted({column for values in sets.values() for column in values})
        detail = {"domain": domain, "objects": len(sets), "fields": fields}
        entry = Entry(now, caller.actor, "enrichment.stored", f"enrichment:{epoch}", detail)
        await self._p.threads.control(self._p.control.audit.note, entry)


def _spelled(one: Identification) -> str:
    return guid(one.value) if one.name.endswith("/uid") else one.value


def _sets(catalog: Catalog, enrichments: Sequence[Enrichment], found: Found) -> tuple[Sets, Wrong]:
    """What is to be set, later values winning; and what cannot be."""
    sets: Sets = {}
    wrong: Wrong = []
    for item in enrichments:
        key, puts, problems = _meant(catalog, item, found)
        if problems:
            wrong.append((item, problems))
            continue
        values = sets.setdefault(key, {})
        for one in puts:
            if one.column == CUSTOM:
                values.setdefault(CUSTOM, {})[one.value["name"]] = one.value
            else:
                values[one.column] = one.value
    return sets, wrong


def _meant(catalog: Catalog, item: Enrichment, found: Found) -> tuple[tuple[str, str], list[Put], list[UnfitError]]:
    """The object that is meant, what it is to have, and what is wrong with that."""
    one = item.identification[0]
    problems: list[UnfitError] = []
    uids = found.get((one.name, _spelled(one).casefold()), ())
    if one.name not in IDENTIFIERS:
        problems.append(UnfitError("INVALID_IDENTIFICATION", f"{one.name[:64]!r} identifies no object."))
    elif len(uids) != 1:
        code, many = ("AMBIGUOUS_OBJECT", "several objects") if uids else ("OBJECT_NOT_FOUND", "no object")
        problems.append(UnfitError(code, f"There is {many} with {one.name} {one.value[:64]!r}."))
    table = TABLES.get(one.name.partition("/")[0], "")
    puts: list[Put] = []
    for field in item.fields if table else ():
        try:
            puts.append(put(catalog, table, field.name, field.value))
        except UnfitError as error:
            problems.append(error)
    return (table, uids[0] if uids else ""), puts, problems


def _rows(catalog: Catalog, sets: Sets, now: int) -> Iterable[Rows]:
    """Rows of objects that set the same columns, together."""
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for (table, uid), values in sets.items():
        groups[table, tuple(sorted(values))].append((uid, values))
    made = []
    for (table, names), objects in groups.items():
        columns: dict[str, list[Any]] = {"uid": [uid for uid, _ in objects]}
        for name in names:
            held = [values[name] for _, values in objects]
            columns[name] = [list(entries.values()) for entries in held] if name == CUSTOM else held
        made.append(rows_from_wire(catalog, table, columns, writer="portal", device_uid=None, now=now))
    return made


def _error(item: Enrichment, problems: Sequence[UnfitError]) -> dict[str, Any]:
    one = item.identification[0]
    return {
        "identification": [{"name": one.name, "value": one.value}],
        "errors": [{"message": str(problem), "code": problem.code} for problem in problems],
    }


def _json(status: int, value: object) -> Response:
    return Response(encode(value), status, media_type="application/json")
