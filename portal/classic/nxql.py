"""The NXQL Web API: a query in the classic language, answered for the devices of one site.

In: a request with a query, a form, platforms, parameters. Out: an answer in that form, piece by piece. Raises
NxqlError, ApiError. Invariants: the site is the one whose address was asked, and nothing is answered where that is not
clear; the caller's view domain bounds what is seen, and set, as everywhere; an answer is whole or an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import parse_qsl

import pyarrow as pa
from starlette.requests import Request

from engine.result import Result, ResultColumn
from nql.api import Compiled
from nql.datatypes import DataType, Kind
from nql.nxql.api import NxqlColumn, NxqlUpdate, compile_nxql
from portal.caller import Caller, Permission
from portal.classic.engines import asked_under
from portal.classic.formats import FORMS, Form
from portal.classic.values import texts, values
from portal.clock import elapsed
from portal.endpoints import KIB, allow, read_body
from portal.errors import ApiError
from portal.modern.enrichment import Enrichment, Enrichments, FieldValue, Identification
from portal.modern.enrichment import Part as Enriching
from portal.queries.admission import Purpose
from portal.queries.service import Queries, Wanted
from portal.sites.routes import sees
from portal.sites.serving import Serving
from portal.threads import Threads
from storage.control.sites import Site

MOST_ROWS = 1_000_000
PIECE = 10_000  # rows
MOST_BODY = 256 * KIB
MOST_FIELDS = 1000
MOST_PARAMETERS = 99
FORM = "application/x-www-form-urlencoded"
MOST_UPDATED = 10_000  # objects of one update
DOMAIN, UPDATED = "NXQL", "updated"
COUNT = ResultColumn(UPDATED, UPDATED, DataType(Kind.INT))
YES = frozenset({"true", "1", "yes", "on"})


@dataclass(frozen=True, slots=True)
class Said:
    """What a request asks for."""

    query: str
    form: Form
    people: bool
    platforms: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """An answer, and the zone its dates are in."""

    result: Result
    columns: tuple[NxqlColumn, ...]
    zone: str


async def said(request: Request) -> Said:
    """What a GET says in its address, or a POST in a form too. Raises ApiError."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise ApiError(415, "not_a_form", f"The body of a POST is a form ({FORM}).")
        body = await read_body(request, MOST_BODY)
        try:
            pairs += parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        except ValueError:
            raise ApiError(400, "bad_form", "The form of the body is not readable as UTF-8.") from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    query = given.get("query", [""])[0]
    if not query.strip():
        raise ApiError(400, "no_query", "The parameter query is missing.")
    name = given.get("format", ["csv"])[0].lower()
    if name not in FORMS:
        raise ApiError(400, "bad_format", f"The format is one of {', '.join(FORMS)}.")
    people = given.get("hr", [""])[0].lower() in YES
    return Said(query, FORMS[name], people, tuple(filter(None, given.get("platform", []))), _parameters(given))


def _parameters(given: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The values of p1, p2, ..., as far as none is missing."""
    found: list[str] = []
    while len(found) <= MOST_PARAMETERS and (value := given.get(f"p{len(found) + 1}")):
        found.append(value[0])
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Nxql:
    """The NXQL Web API. `fields` sets custom fields."""

    queries: Queries
    serving: Serving
    fields: Enriching

    async def ask(self, request: Request, caller: Caller, said: Said, check_origin: Callable[[Request], None]) -> Table:
        """The answer to a request for the devices of one site. `check_origin` raises ApiError for a page of another
        site, which may not change anything. Raises NxqlError, QueryError, ApiError."""
        site = await site_of(request, caller, self.serving)
        compile_ = partial(
            compile_nxql, said.query, self.queries.catalog, parameters=said.parameters, platforms=said.platforms
        )
        found = await self.serving.threads.small(compile_, devices=True)
        one = len(await self.serving.standing()) == 1
        who, zone = caller if one else caller.at(site.name), site.zone or self.queries.zone
        if isinstance(found, NxqlUpdate):
            check_origin(request)
            allow(caller, Permission.MANAGE)
            return await self._update(who, found, zone)
        result = await self._rows(who, Compiled(found.plan, found.warnings), zone, MOST_ROWS)
        return Table(result, found.columns, zone)

    async def _rows(self, who: Caller, compiled: Compiled, zone: str, most: int) -> Result:
        planned = await self.queries.planned(who, compiled, zone)
        answer = await self.queries.answered(planned, Wanted(most), Purpose.EXPORT, elapsed())
        if answer.result.truncated:
            raise ApiError(400, "too_many_rows", f"These are more than {most} rows.", "Narrow the query by where.")
        return answer.result

    async def _update(self, who: Caller, asked: NxqlUpdate, zone: str) -> Table:
        """Set a field of the objects that are seen; the answer is how many they were."""
        result = await self._rows(who, Compiled(asked.plan, asked.warnings), zone, MOST_UPDATED)
        uids = result.table.column(0).to_pylist()
        kind = asked.table.partition(".")[0]
        to = [FieldValue(f"{kind}/{kind}/{asked.field.replace('.#', '/#')}", asked.value)]
        items = [Enrichment([Identification(f"{kind}/{kind}/uid", uid)], to) for uid in uids]
        wrong = await self.fields.set(who, Enrichments(DOMAIN, items)) if items else []
        if wrong:
            why = wrong[0][1][0]
            raise ApiError(400, "not_set", f"{len(wrong)} of {len(items)} objects were not set: {why}")
        counted = replace(result, table=pa.table({UPDATED: [len(items)]}), columns=(COUNT,), devices=None)
        return Table(counted, (NxqlColumn(UPDATED, "integer"),), zone)


async def site_of(request: Request, caller: Caller, serving: Serving) -> Site:
    """The site that is asked, by the address of the request. Raises ApiError where that is not clear."""
    sites = [site for site, _ in (await serving.standing()).values() if sees(caller, site)]
    if not sites:
        raise ApiError(403, "no_engine", "Your account may use no Engine.")
    host, port = asked_under(request)
    named = [site for site in sites if (site.address or host).lower() == host and (site.port or port) == port]
    exact = [site for site in named if site.address or site.port]
    for some in (sites, exact, named):
        if len(some) == 1:
            return some[0]
    message = f"Several Engines may be meant: {', '.join(site.name for site in sites)}. Ask under the address of one."
    raise ApiError(400, "which_engine", message, "`muster engines set NAME --address HOST --port N` gives it one.")


async def written(table: Table, said: Said, threads: Threads) -> AsyncIterator[bytes]:
    """An answer in its form."""
    names = [column.name for column in table.columns]
    yield said.form.head(names).encode()
    for start in range(0, table.result.table.num_rows, PIECE):
        yield await threads.small(_piece, table, said, names, start)
    yield said.form.end.encode()


def _piece(table: Table, said: Said, names: Sequence[str], start: int) -> bytes:
    part = table.result.table.slice(start, PIECE)
    columns = []
    for at, (column, classic) in enumerate(zip(table.result.columns, table.columns, strict=True)):
        found = values(part.column(at), column, classic, table.zone)
        columns.append(texts(found, classic, people=said.people) if said.form.texts else found)
    rows = zip(*columns, strict=True)
    return said.form.rows(names, rows, start == 0).encode("utf-8", "replace")
