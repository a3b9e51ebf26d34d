"""The query routes: decode, call, encode.

In: texts. Out: the catalog, diagnostics, completions, results: as JSON or, by `Accept`, as CSV, Arrow or Parquet.
Invariant: every form of a result is written by `engine.formats`, and in a thread for queries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from starlette.responses import Response, StreamingResponse

from engine.formats import diagnostic_json, to_arrow, to_csv, to_json, to_parquet
from engine.result import Result
from nql.api import Rules
from nql.editing.offers import OURS
from portal.caller import Permission
from portal.endpoints import Asked, Endpoint, encode
from portal.errors import ApiError
from portal.metrics import Metrics
from portal.queries import messages as m
from portal.queries.catalog_info import catalog_info
from portal.queries.service import Answer, Queries
from portal.threads import Threads

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
WRITERS: dict[str, Callable[[Result], bytes | Iterator[bytes]]] = {CSV: to_csv, ARROW: to_arrow, PARQUET: to_parquet}
NAMES = {CSV: "result.csv", ARROW: "result.arrows", PARQUET: "result.parquet"}
QUERY = Permission.QUERY


def endpoints(queries: Queries, threads: Threads, metrics: Metrics) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(queries, threads, metrics)
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
    ]


class _Routes:
    def __init__(self, queries: Queries, threads: Threads, metrics: Metrics) -> None:
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
        whole = media in WRITERS
        with self._metrics.query():
            answer = await self._queries.ask(
                asked.caller,
                body.text,
                parameters=body.parameters,
                zone=body.zone,
                limit=None if whole else body.limit,
                offset=0 if whole else body.offset,
                rules=rules(body.strict),
            )
            return await self._threads.query(_written, answer, media)


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
    raise ApiError(406, "not_acceptable", f"A result comes as {JSON}, {', '.join(WRITERS)}.")


def _written(answer: Answer, media: str) -> Response:
    if media not in WRITERS:
        return _json(to_json(answer.result, devices=answer.devices, elapsed_ms=answer.elapsed_ms))
    headers = {
        "Content-Disposition": f'attachment; filename="{NAMES[media]}"',
        "Muster-Truncated": str(answer.result.truncated).lower(),
    }
    written = WRITERS[media](answer.result)
    if isinstance(written, bytes):
        return Response(written, headers=headers, media_type=media)
    return StreamingResponse(written, headers=headers, media_type=f"{media}; charset=utf-8")


def _json(value: object) -> Response:
    return Response(encode(value), media_type=JSON)
