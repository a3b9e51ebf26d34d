"""The routes of saved queries: decode, call, encode.

In: ids, bodies. Out: saved queries. Invariant: who may ask may see them; keeping and removing needs the permission to
manage. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from engine.formats import instant_text
from portal.caller import Permission
from portal.endpoints import Asked, Endpoint
from portal.saved_queries import messages as m
from portal.saved_queries.service import SavedQueries
from storage.control.saved_queries import SavedQuery

QUERY, MANAGE = Permission.QUERY, Permission.MANAGE
ALL, ONE = "/saved-queries", "/saved-queries/{nql_id}"


def endpoints(queries: SavedQueries) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(queries)
    return [
        Endpoint("GET", ALL, routes.everything, "All saved queries.", QUERY, answer=m.SavedQueryList),
        Endpoint("GET", ONE, routes.one, "One saved query.", QUERY, answer=m.SavedQueryOne),
        Endpoint(
            "PUT", ONE, routes.save, "Keep a query under an id.", MANAGE, body=m.SavedQueryBody, answer=m.SavedQueryOne
        ),
        Endpoint("DELETE", ONE, routes.delete, "Remove a saved query.", MANAGE, status=204),
    ]


class _Routes:
    def __init__(self, queries: SavedQueries) -> None:
        self._queries = queries

    async def everything(self, asked: Asked) -> m.SavedQueryList:
        return m.SavedQueryList([_info(query) for query in await self._queries.everything()])

    async def one(self, asked: Asked) -> m.SavedQueryOne:
        return m.SavedQueryOne(_info(await self._queries.query(asked.path("nql_id"))))

    async def save(self, asked: Asked) -> m.SavedQueryOne:
        body: m.SavedQueryBody = asked.body
        given = (asked.path("nql_id"), body.name, body.description, body.text)
        return m.SavedQueryOne(_info(await self._queries.save(asked.caller, *given)))

    async def delete(self, asked: Asked) -> None:
        await self._queries.delete(asked.caller, asked.path("nql_id"))


def _info(query: SavedQuery) -> m.SavedQueryInfo:
    return m.SavedQueryInfo(
        query.nql_id,
        query.name,
        query.description,
        query.text,
        instant_text(query.updated_at),
        query.updated_by.removeprefix("account:"),
    )
