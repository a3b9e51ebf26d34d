"""Saved queries as other people's clients ask them: by their NQL id, with values for their parameters.

In: an id, values by the names of parameters, a caller. Out: what is asked as it means now; its text with the parameters
replaced, for people to read. Invariants: no text of a request is ever run; a value is given to the plan
and never put into the text that runs; values of names that the query does not use are left aside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nql import api as nql
from nql.datatypes import Kind
from nql.plan.plan import ParameterUse
from nql.rules import DEFAULT
from portal.caller import Caller
from portal.errors import ApiError
from portal.queries.service import Asked, Queries
from portal.threads import Threads
from storage.control.api import Control
from storage.control.errors import NotFoundError

ID = re.compile(r"#[a-z0-9_]{1,255}")
_PARAMETER = re.compile(
    r"""(?P<beside>"[^"\r\n]*"|'[^'\r\n]*'|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*\*/)|\$(?P<name>[a-z_]\w*)""", re.IGNORECASE
)
QUOTED = frozenset({Kind.STRING, Kind.STRINGS, Kind.IP, Kind.VERSION})


class Asking:
    """Finds and understands saved queries."""

    def __init__(self, control: Control, queries: Queries, threads: Threads) -> None:
        self._control = control
        self._queries = queries
        self._threads = threads

    async def understood(self, caller: Caller, nql_id: str, values: Mapping[str, str]) -> tuple[str, Asked]:
        """The text with its parameters replaced, and what it means now. Raises ApiError 404, QueryError."""
        if not ID.fullmatch(nql_id):
            raise ApiError(404, "unknown_query", "A queryId is # and small letters, digits and _.")
        try:
            text = (await self._threads.control(self._control.saved_queries.query, nql_id)).text
        except NotFoundError:
            raise ApiError(404, "unknown_query", f"There is no saved query {nql_id}.") from None
        given = {name.removeprefix("$"): value for name, value in values.items()}
        asked = await self._queries.understood(caller, text, given, self._queries.zone, DEFAULT)
        await self._threads.small(nql.resolve, asked.compiled.plan, asked.context)  # an export is not begun in vain
        return replaced(text, asked.compiled.plan.parameters, given), asked


def replaced(text: str, uses: tuple[ParameterUse, ...], values: Mapping[str, str]) -> str:
    """A text with the values of its parameters in their places, as one would write them."""
    known = {use.name: use for use in uses}

    def put(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None or name not in values or name not in known:
            return found[0]
        return _literal(values[name], known[name])

    return _PARAMETER.sub(put, text)


def _literal(value: str, use: ParameterUse) -> str:
    if use.length or use.dtype.kind not in QUOTED:
        return value
    quote = "'" if '"' in value else '"'
    return f"{quote}{value}{quote}"
