"""NQL: a saved query asked at once (v1, v2), or exported into a file that is fetched later.

In: the id of a saved query, values of its parameters. Out: rows as JSON or CSV, by `Accept`; an export, its state, its
file. Invariants: where JSON is offered at all, JSON is given, which is what the clients read; times of rows are on the
clock of the instance, or UTC where the request says so; the address of a file is absolute and needs no token, its name
cannot be guessed; a query whose asker goes away is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from engine.formats import rows_json, to_csv
from engine.result import Result
from portal.caller import Permission
from portal.clock import elapsed
from portal.endpoints import encode
from portal.errors import ApiError
from portal.modern.asking import Asking
from portal.modern.errors import Surface
from portal.modern.exports import Compression, Export, Exports
from portal.modern.limits import Limits
from portal.modern.ways import METHODS, Asked, Way, answered, wrong_method
from portal.queries.admission import Purpose
from portal.queries.running import gone, unless_gone
from portal.queries.service import Queries, Wanted
from portal.threads import Threads

MOST_ROWS = 1000
JSON, CSV = "application/json", "text/csv"
FILES = "/api/v1/nql/files/"
MEDIA = {".csv": "text/csv; charset=utf-8", ".csv.gz": "application/gzip", ".csv.zst": "application/zstd"}
PREFIX = "/api/v1/nql"
Value = Annotated[str, Meta(max_length=4096)]
Values = Annotated[dict[Annotated[str, Meta(max_length=65)], Value], Meta(max_length=100)]
Base = Callable[[Request], str]
Form = Callable[[str, str, Result, datetime, str], dict[str, Any]]


class Execute(Struct):
    """What to ask."""

    queryId: Annotated[str, Meta(max_length=300)]  # noqa: N815
    parameters: Values | None = None


class Export_(Struct):  # noqa: N801
    """What to export, and how its file is packed."""

    queryId: Annotated[str, Meta(max_length=300)]  # noqa: N815
    parameters: Values | None = None
    compression: Compression | None = None


def listed(asking: Asking, queries: Queries, threads: Threads, exports: Exports, base: Base) -> list[Way]:
    """The ways of this part. `base` gives the address under which the portal was asked."""
    part = _Part(asking, queries, threads, exports, base)
    need = ("nql", Permission.QUERY)
    return [
        Way("POST", f"{PREFIX}/execute", Surface.NQL, *need, part.first, Execute),
        Way("POST", "/api/v2/nql/execute", Surface.NQL, *need, part.second, Execute),
        Way("POST", f"{PREFIX}/export", Surface.NQL, *need, part.export, Export_),
        Way("GET", f"{PREFIX}/export", Surface.NQL, *need, part.export_by_query),
        Way("GET", f"{PREFIX}/status/{{id}}", Surface.NQL, *need, part.status),
    ]


def files(exports: Exports) -> Route:
    """The route of files, which is open to who knows a name."""

    async def send(request: Request) -> Response:
        export = exports.file(request.path_params["name"])
        kind = MEDIA[export.name[export.name.index(".") :]]
        headers = {"Content-Disposition": f'attachment; filename="{export.name}"'}
        return FileResponse(export.path, media_type=kind, headers=headers)

    async def serve(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return wrong_method(Surface.NQL, ["GET"])
        return await answered(Surface.NQL, send(request))

    return Route(FILES + "{name}", serve, methods=METHODS)


class _Part:
    def __init__(self, asking: Asking, queries: Queries, threads: Threads, exports: Exports, base: Base) -> None:
        self._asking = asking
        self._queries = queries
        self._threads = threads
        self._exports = exports
        self._base = base
        self._limits = Limits()

    async def first(self, asked: Asked) -> Response:
        return await self._execute(asked, _first)

    async def second(self, asked: Asked) -> Response:
        return await self._execute(asked, _second)

    async def _execute(self, asked: Asked, form: Form) -> Response:
        media = accepted(asked.request)
        body: Execute = asked.body
        self._limits.query(asked.credential, now=asked.now)
        text, meant = await self._asking.understood(asked.caller, body.queryId, body.parameters or {})
        asking = asyncio.ensure_future(self._queries.answered(meant, Wanted(MOST_ROWS), Purpose.INTERACTIVE, elapsed()))
        await unless_gone(asking, gone(asked.request))
        answer = asking.result()
        zone = "UTC" if asked.request.headers.get("x-utc-times", "").strip().lower() == "true" else self._queries.zone
        made = (answer.result, media, body.queryId, text, form, _moment(asked.now, zone), zone)
        return await self._threads.query(_written, *made)

    async def export(self, asked: Asked) -> dict[str, str]:
        return await self._export(asked, asked.body)

    async def export_by_query(self, asked: Asked) -> dict[str, str]:
        given = dict(asked.request.query_params)
        body = {"queryId": given.pop("queryId", None), "compression": given.pop("compression", None)}
        try:
            return await self._export(asked, msgspec.convert({**body, "parameters": _named(given)}, Export_))
        except msgspec.ValidationError as error:
            raise ApiError(400, "bad_request", f"The query parameters are not of the expected form: {error}.") from None

    async def _export(self, asked: Asked, body: Export_) -> dict[str, str]:
        accepted(asked.request)
        _, meant = await self._asking.understood(asked.caller, body.queryId, body.parameters or {})
        self._limits.export(asked.credential, now=asked.now)
        return {"exportId": self._exports.begin(asked.credential.id, meant, body.compression or "NONE").id}

    async def status(self, asked: Asked) -> Response:
        export = self._exports.find(asked.request.path_params["id"], asked.credential.id)
        done = export.state == "COMPLETED"
        said = {
            "status": export.state,
            "resultsFileUrl": self._address(asked.request, export) if done else None,
            "errorDescription": export.error,
        }
        return Response(encode(said), 206 if export.truncated else 200, media_type=JSON)

    def _address(self, request: Request, export: Export) -> str:
        return f"{self._base(request)}{FILES}{export.name}"


def accepted(request: Request) -> str:
    """JSON or CSV, by the Accept header: JSON wherever both are taken. Raises ApiError 406."""
    header = request.headers.get("accept", "*/*").lower()
    parts = [[piece.strip() for piece in part.split(";")] for part in header.split(",")]
    taken = {kind for kind, *more in parts if not any(one.replace(" ", "") in ("q=0", "q=0.0") for one in more)}
    if taken & {JSON, "*/*", "application/*", ""}:
        return JSON
    if taken & {CSV, "text/*"}:
        return CSV
    raise ApiError(406, "not_acceptable", f"A result comes as {JSON} or {CSV}.")


def _named(given: dict[str, str]) -> dict[str, str]:
    """Values of parameters among query parameters: `parameters[name]`, `parameters.name`, or as JSON."""
    values: dict[str, str] = {}
    for name, value in given.items():
        if name == "parameters":
            try:
                values |= msgspec.json.decode(value, type=dict[str, str])
            except (msgspec.MsgspecError, UnicodeError) as error:
                raise ApiError(400, "bad_request", f"parameters is no JSON object of texts: {error}.") from None
        elif name.startswith("parameters[") and name.endswith("]"):
            values[name[11:-1]] = value
        elif name.startswith("parameters."):
            values[name[11:]] = value
    return values


def _written(result: Result, media: str, query: str, text: str, form: Form, moment: datetime, zone: str) -> Response:
    if media == CSV:
        return Response(b"".join(to_csv(result, guarded=False, zone=zone)), media_type="text/csv; charset=utf-8")
    return Response(encode(form(query, text, result, moment, zone)), media_type=JSON)


def _first(query: str, text: str, result: Result, moment: datetime, zone: str) -> dict[str, Any]:
    parts = ("year", "month", "day", "hour", "minute", "second")
    return {
        "queryId": query,
        "executedQuery": text,
        "rows": result.table.num_rows,
        "executionDateTime": {name: getattr(moment, name) for name in parts},
        "headers": [column.name for column in result.columns],
        "data": rows_json(result, zone=zone),
    }


def _second(query: str, text: str, result: Result, moment: datetime, zone: str) -> dict[str, Any]:
    names = [column.name for column in result.columns]
    return {
        "queryId": query,
        "executedQuery": text,
        "rows": result.table.num_rows,
        "executionDateTime": moment.strftime("%Y-%m-%dT%H:%M:%S"),
        "data": [dict(zip(names, row, strict=True)) for row in rows_json(result, zone=zone)],
    }


def _moment(now: int, zone: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now)).astimezone(ZoneInfo(zone))
