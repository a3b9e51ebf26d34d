"""The query routes: decode, call, encode.

In: texts. Out: the catalog, diagnostics, completions, results: as JSON or, by `Accept`, as CSV, Arrow or Parquet; what
a query costs, and which ones run. Invariants: every form of a result is written by `engine.formats`, in a thread for
queries or by a worker process; a query whose asker goes away is cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from starlette.responses import Response, StreamingResponse

from engine.formats import diagnostic_json, instant_text, to_json
from nql.api import Rules
from nql.editing.offers import OURS
from portal.caller import Caller, Permission
from portal.endpoints import Asked, Endpoint, Guard, encode
from portal.errors import ApiError
from portal.metrics import Metrics
from portal.queries import messages as m
from portal.queries.admission import Purpose
from portal.queries.catalog_info import catalog_info
from portal.queries.forms import ARROW, CSV, JSON, NAMES, PARQUET, WRITERS, pieces
from portal.queries.live import Live, Subject
from portal.queries.live_stream import EVENTS, LiveResponse
from portal.queries.pages import Page, Pages
from portal.queries.running import Running, RunningQuery, gone
from portal.queries.service import Answer, Queries, Spent
from portal.threads import Threads
from storage.control.api import Control
from storage.control.audit import Entry
from storage.control.ids import uuid7

EPOCH, MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)
PIECE = 1 << 20  # bytes of a written answer that are sent at once
QUERY = Permission.QUERY


def endpoints(
    queries: Queries, pages: Pages, live: Live, guard: Guard, control: Control, threads: Threads, metrics: Metrics
) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(queries, pages, live, guard, control, threads, metrics)
    return [
        Endpoint("GET", "/catalog", routes.catalog, "Tables, fields and functions.", QUERY, answer=m.CatalogInfo),
        Endpoint(
            "POST",
            "/nql/diagnose",
            routes.diagnose,
            "What there is to say about a text.",
            QUERY,
            body=m.AskDiagnose,
            answer=m.Diagnostics,
            most_bytes=1 << 18,
        ),
        Endpoint(
            "POST",
            "/nql/complete",
            routes.complete,
            "What may stand at the cursor.",
            QUERY,
            body=m.AskComplete,
            answer=m.CompletionInfo,
            most_bytes=1 << 18,
        ),
        Endpoint(
            "POST",
            "/nql/hover",
            routes.hover,
            "What the thing at the pointer is.",
            QUERY,
            body=m.AskHover,
            answer=m.Hovering,
            most_bytes=1 << 18,
        ),
        Endpoint(
            "POST",
            "/nql/format",
            routes.format,
            "The text laid out.",
            QUERY,
            body=m.AskFormat,
            answer=m.Formatted,
            most_bytes=1 << 18,
        ),
        Endpoint(
            "POST",
            "/nql/explain",
            routes.explain,
            "What a text asks, in sentences.",
            QUERY,
            body=m.AskExplain,
            answer=m.ExplanationInfo,
            most_bytes=1 << 18,
        ),
        Endpoint(
            "POST",
            "/query",
            routes.query,
            "Ask a query. With another Accept, all rows in that form.",
            QUERY,
            body=m.Ask,
            answer=m.QueryResult,
            most_bytes=4 << 20,
            media=(CSV, ARROW, PARQUET),
        ),
        Endpoint(
            "POST",
            "/query/next",
            routes.next,
            "The page of an answer that a cursor stands for, in the form of Accept.",
            QUERY,
            body=m.AskNext,
            answer=m.QueryResult,
            media=(CSV, ARROW, PARQUET),
        ),
        Endpoint(
            "POST",
            "/query/estimate",
            routes.estimate,
            "What a query would read, before it runs.",
            QUERY,
            body=m.Ask,
            answer=m.CostInfo,
            most_bytes=4 << 20,
        ),
        Endpoint(
            "POST",
            "/query/live",
            routes.live,
            "A query kept up: its answer, and again whenever that is another one, as server-sent events.",
            QUERY,
            body=m.AskLive,
            most_bytes=4 << 20,
            media=(EVENTS,),
        ),
        Endpoint("GET", "/queries", routes.running, "Queries that run; your own.", QUERY, answer=m.RunningList),
        Endpoint("DELETE", "/queries/{id}", routes.cancel, "Cancel a query that runs.", QUERY, status=204),
    ]


class _Routes:
    def __init__(
        self,
        queries: Queries,
        pages: Pages,
        live: Live,
        guard: Guard,
        control: Control,
        threads: Threads,
        metrics: Metrics,
    ) -> None:
        self._running = Running()
        self._pages = pages
        self._live = live
        self._guard = guard
        self._control = control
        self._queries = queries
        self._threads = threads
        self._metrics = metrics
        self._catalog: tuple[str, bytes] | None = None

    async def catalog(self, asked: Asked) -> Response:
        catalog = self._queries.catalog
        if self._catalog is None or self._catalog[0] != catalog.version:
            self._catalog = (catalog.version, encode(catalog_info(catalog)))
        tag = f'"{catalog.version}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if asked.request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(self._catalog[1], headers=headers, media_type=JSON)

    async def diagnose(self, asked: Asked) -> Response:
        body: m.AskDiagnose = asked.body
        found = await self._queries.diagnose(body.text, rules(body.strict))
        return _json({"diagnostics": [diagnostic_json(item) for item in found]})

    async def complete(self, asked: Asked) -> m.CompletionInfo:
        body: m.AskComplete = asked.body
        found = await self._queries.complete(asked.caller, body.text, min(body.offset, len(body.text)))
        items = [m.CompletionItem(i.label, i.kind.value, i.detail, i.doc, i.insert, OURS in i.doc) for i in found.items]
        return m.CompletionInfo(m.SpanInfo(found.span.start, found.span.end), items)

    async def hover(self, asked: Asked) -> m.Hovering:
        body: m.AskHover = asked.body
        found = await self._queries.hover(body.text, min(body.offset, len(body.text)))
        if found is None:
            return m.Hovering(None)
        span = m.SpanInfo(found.span.start, found.span.end)
        return m.Hovering(m.HoverInfo(span, found.title, found.detail, found.doc))

    async def format(self, asked: Asked) -> m.Formatted:
        body: m.AskFormat = asked.body
        return m.Formatted(await self._queries.format(body.text))

    async def explain(self, asked: Asked) -> m.ExplanationInfo:
        body: m.AskExplain = asked.body
        said = await self._queries.explain(asked.caller, body.text, body.zone, rules(body.strict))
        return m.ExplanationInfo(list(said.sentences), said.plan)

    async def query(self, asked: Asked) -> Response:
        body: m.Ask = asked.body
        media = accepted(asked.request.headers.get("accept", JSON))
        purpose = Purpose.EXPORT if media in WRITERS or body.page is not None else Purpose.INTERACTIVE
        identifier = body.id or uuid7(asked.now)
        caller = asked.caller
        query = RunningQuery(identifier, caller.account.id, caller.name, body.text, purpose, asked.now)
        with self._metrics.query():
            work = self._answered(asked, media, identifier)
            return await self._running.run(query, work, gone(asked.request))

    async def _answered(self, asked: Asked, media: str, identifier: str) -> Response:
        body: m.Ask = asked.body
        if body.page is not None:
            return await self._first(asked, body.page, media, identifier)
        whole = media in WRITERS
        answer = await self._queries.ask(
            asked.caller,
            body.text,
            parameters=body.parameters,
            zone=body.zone,
            limit=None if whole else body.limit,
            offset=0 if whole else body.offset,
            rules=rules(body.strict),
            media=media if whole else None,
            now=_micros(body.now),
        )
        return await self._threads.query(_written, answer, media, identifier)

    async def _first(self, asked: Asked, size: int, media: str, identifier: str) -> Response:
        body: m.Ask = asked.body
        erasures = self._pages.erasures
        answer = await self._queries.ask(
            asked.caller,
            body.text,
            parameters=body.parameters,
            zone=body.zone,
            rules=rules(body.strict),
            now=_micros(body.now),
        )
        page = await self._pages.begin(asked.caller, answer.result, size, erasures, now=asked.now)
        return await self._shown(asked.caller, answer, page, media, identifier)

    async def next(self, asked: Asked) -> Response:
        body: m.AskNext = asked.body
        media = accepted(asked.request.headers.get("accept", JSON))
        page = self._pages.turn(asked.caller, body.cursor, now=asked.now)
        return await self._shown(asked.caller, Answer(page.result, {}, 0.0), page, media, uuid7(asked.now))

    async def _shown(self, caller: Caller, answer: Answer, page: Page, media: str, identifier: str) -> Response:
        uids = [] if page.result.devices is None or media in WRITERS else page.result.devices.unique().to_pylist()
        facts = await self._queries.devices(caller, [uid for uid in uids if uid is not None])
        shown = replace(answer, result=page.result, devices=facts)
        return await self._threads.query(_written, shown, media, identifier, page.next)

    async def estimate(self, asked: Asked) -> m.CostInfo:
        body: m.Ask = asked.body
        strict = rules(body.strict)
        return _cost(
            await self._queries.estimate(
                asked.caller,
                body.text,
                parameters=body.parameters,
                zone=body.zone,
                rules=strict,
                now=_micros(body.now),
            )
        )

    async def live(self, asked: Asked) -> Response:
        body: m.AskLive = asked.body
        caller, identifier = asked.caller, body.id or uuid7(asked.now)
        named = tuple((name, item if isinstance(item, str) else tuple(item)) for name, item in body.parameters.items())
        reader = self._live.reader(
            caller.account.id, Subject(body.text, named, body.zone, rules(body.strict), body.limit)
        )
        query = RunningQuery(identifier, caller.account.id, caller.name, body.text, Purpose.LIVE, asked.now)
        query.task = reader.ended

        async def caller_now() -> Caller:
            return await self._guard.caller(asked.request)

        response = LiveResponse(identifier, reader, caller_now, self._running.held(query))
        return await response.begin(gone(asked.request))

    async def running(self, asked: Asked) -> m.RunningList:
        return m.RunningList(
            [
                m.RunningInfo(query.id, query.name, query.text, query.purpose.value, instant_text(query.since))
                for query in self._running.listed(asked.caller)
            ]
        )

    async def cancel(self, asked: Asked) -> None:
        query = self._running.cancel(asked.caller, asked.path("id"))
        if query.account != asked.caller.account.id:
            detail = {"account": query.name, "purpose": query.purpose.value}
            entry = Entry(asked.now, asked.caller.actor, "query.cancelled", f"query:{query.id}", detail)
            await self._threads.control(self._control.audit.note, entry)


def rules(strict: m.Strict | None) -> Rules:
    """The rules that a request asks for."""
    return Rules(strict=strict is not None)


def accepted(header: str) -> str:
    """The first form in an Accept header that we give. Raises ApiError 406."""
    for part in header.split(","):
        wanted = part.partition(";")[0].strip().lower()
        if wanted in WRITERS or wanted == JSON:
            return wanted
        if wanted in ("*/*", "application/*", ""):
            return JSON
    raise ApiError(406, "not_acceptable", f"A result comes as {JSON}, {', '.join(NAMES)}.")


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - EPOCH) // MICROSECOND


def _written(answer: Answer, media: str, identifier: str, following: str | None = None) -> Response:
    if media not in WRITERS:
        said = to_json(answer.result, devices=answer.devices, elapsed_ms=answer.elapsed_ms)
        return _json({"id": identifier, "cost": _cost(answer.spent), "next": following, **said})
    headers = {
        "Content-Disposition": f'attachment; filename="{NAMES[media]}"',
        "Muster-Truncated": str(answer.result.truncated).lower(),
        "Muster-Query": identifier,
        **({} if following is None else {"Muster-Next": following}),
    }
    headers |= {f"Muster-Cost-{name}": str(value) for name, value in _told(answer.spent).items()}
    kind = f"{media}; charset=utf-8" if media == CSV else media
    if answer.written is not None:
        headers["Content-Length"] = str(answer.written.size)
        return StreamingResponse(_sliced(answer.written), headers=headers, media_type=kind)
    if media == CSV:
        return StreamingResponse(pieces(answer.result, media), headers=headers, media_type=kind)
    return Response(b"".join(pieces(answer.result, media)), headers=headers, media_type=kind)


def _sliced(written: pa.Buffer) -> Iterator[bytes]:
    """A mapped file in pieces, so that it is never in memory as a whole."""
    for start in range(0, written.size, PIECE):
        yield written.slice(start, min(PIECE, written.size - start)).to_pybytes()


def _cost(spent: Spent) -> m.CostInfo:
    return m.CostInfo(spent.rows, spent.bytes, None if spent.where is None else spent.where.value)


def _told(spent: Spent) -> dict[str, int | str]:
    cost = {"Rows": spent.rows, "Bytes": spent.bytes, "Where": spent.where and spent.where.value}
    return {name: value for name, value in cost.items() if value is not None}


def _json(value: object) -> Response:
    return Response(encode(value), media_type=JSON)
