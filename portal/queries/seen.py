"""Values that the data has, for completion: what stands in a column of texts, the most frequent first.

In: a table of objects, a column of it, the beginning of a value. Out: values. Invariants: they are found by a query
under the caller's own context and view domain, so nobody is offered what they could not ask for; an answer is bounded,
remembered for a minute and for one caller alone. What is no column of texts of an object table has no values.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from engine.execute import run
from engine.source import Source
from nql import api as nql
from nql.catalog.model import Catalog, TableKind
from nql.datatypes import Kind
from nql.diagnostics import QueryError
from portal.caller import Caller
from portal.queries.domains import Domain

MOST = 100
LONGEST = 200
REMEMBERED = 512
MINUTE = 60_000_000
ASK = "{table} | where {column} = $begins | summarize number = count() by {column} | sort number desc | limit {most}"
Key = tuple[str, str | None, str, str, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    values: tuple[str, ...]
    whole: bool
    until: int


class Seen:
    """Finds values, and remembers them. Threads may share it."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._memory: OrderedDict[Key, _Answer] = OrderedDict()
        self._lock = Lock()

    def values(
        self,
        source: Source,
        catalog: Catalog,
        context: nql.Context,
        caller: Caller,
        domain: Domain,
        table: str,
        column: str,
        typed: str,
    ) -> Sequence[str]:
        """Values of a column that begin with what is typed, in any case; at most MOST. Blocks; never raises for what
        was typed."""
        typed = typed.lower()
        if len(typed) > LONGEST or not has_values(catalog, table, column):
            return ()
        who = (caller.account.id, caller.domain, table, column)
        known = self._known(who, typed)
        if known is None:
            values = _asked(source, catalog, context, domain, table, column, typed)
            known = _Answer(values, len(values) < MOST, self._clock() + MINUTE)
            self._keep((*who, typed), known)
        return [value for value in known.values if value.lower().startswith(typed)]

    def _known(self, who: tuple[str, str | None, str, str], typed: str) -> _Answer | None:
        """An answer for what is typed, or a whole one for the beginning of it."""
        now = self._clock()
        with self._lock:
            for length in range(len(typed), -1, -1):
                found = self._memory.get((*who, typed[:length]))
                if found is not None and found.until > now and (found.whole or length == len(typed)):
                    return found
        return None

    def _keep(self, key: Key, answer: _Answer) -> None:
        with self._lock:
            self._memory[key] = answer
            self._memory.move_to_end(key)
            while len(self._memory) > REMEMBERED:
                self._memory.popitem(last=False)


def has_values(catalog: Catalog, table: str, column: str) -> bool:
    """Whether values of a column can be offered: texts of an object table."""
    found = catalog.tables.get(table)
    field = found.fields.get(column) if found is not None else None
    objects = found is not None and found.kind is TableKind.OBJECT
    return objects and field is not None and field.dtype.kind is Kind.STRING and not field.template


def _asked(
    source: Source, catalog: Catalog, context: nql.Context, domain: Domain, table: str, column: str, typed: str
) -> tuple[str, ...]:
    text = ASK.format(table=table, column=column, most=MOST)
    try:
        plan = nql.compile_query(text, catalog).plan
        resolved = nql.resolve(plan, replace(context, parameters={"begins": f"{typed}*"}))
    except QueryError:
        return ()
    found = run(domain.bound(resolved), source, limit=MOST).table.column(0).to_pylist()
    return tuple(value for value in found if value and len(value) <= LONGEST and value.isprintable())
