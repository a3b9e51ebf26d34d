"""Keeping queries under ids, on plain values.

In: a caller, an id, a name, a description, a text. Out: saved queries. Invariant: what is kept could be asked when it
was kept; what it says then is found each time it is asked, under the rights of whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from nql.diagnostics import QueryError, Severity
from nql.rules import DEFAULT
from portal.caller import Caller
from portal.errors import ApiError
from portal.queries.service import Queries
from portal.threads import Threads
from storage.control.api import Control
from storage.control.saved_queries import SavedQuery

ID = re.compile(r"#[a-z0-9_]{2,255}\Z")


class SavedQueries:
    """The slice of saved queries."""

    def __init__(self, control: Control, queries: Queries, threads: Threads, clock: Callable[[], int]) -> None:
        self._kept = control.saved_queries
        self._queries = queries
        self._threads = threads
        self._clock = clock

    async def everything(self) -> list[SavedQuery]:
        """All of them."""
        return await self._threads.control(self._kept.everything)

    async def query(self, nql_id: str) -> SavedQuery:
        """One of them. Raises ApiError, NotFoundError."""
        return await self._threads.control(self._kept.query, _id(nql_id))

    async def save(self, caller: Caller, nql_id: str, name: str, description: str, text: str) -> SavedQuery:
        """Keep a query. Raises QueryError for a text that cannot be asked, ApiError, RefusedError."""
        identifier = _id(nql_id)
        if text.strip():
            found = await self._queries.diagnose(text, DEFAULT)
            if any(item.severity is Severity.ERROR for item in found):
                raise QueryError(found)
        save, by = self._kept.save, caller.actor
        return await self._threads.control(save, identifier, name, description, text, by=by, now=self._clock())

    async def delete(self, caller: Caller, nql_id: str) -> None:
        """Remove a query. Raises ApiError, NotFoundError."""
        await self._threads.control(self._kept.delete, _id(nql_id), by=caller.actor, now=self._clock())


def _id(text: str) -> str:
    identifier = f"#{text.removeprefix('#')}"
    if not ID.match(identifier):
        hint = "An id is # and 2 to 255 small letters, digits and _."
        raise ApiError(404, "unknown_saved_query", "There is no saved query of this id.", hint)
    return identifier
