"""The language's public face: compile, resolve, diagnose, and the editing services.

In: a text and a catalog. Out: a typed plan with warnings, or diagnostics whose spans lie inside the text. Invariant:
no text makes anything but a `QueryError` rise from here. Plans are remembered by text, catalog version, area and
whether devices are asked for; windows and parameters in them are symbolic, so that the memory is right at any time
and for anybody.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from nql.catalog.model import Catalog
from nql.diagnostics import Diagnostic, QueryError
from nql.editing.complete import Completion, complete
from nql.editing.explain import Explanation, explain
from nql.editing.format import format_query
from nql.editing.hover import Hover, hover
from nql.plan.plan import Plan
from nql.rules import DEFAULT, Rules
from nql.semantics.bind import bind
from nql.semantics.names import names_of
from nql.semantics.resolve import Context, resolve
from nql.semantics.rights import check_tables, domain_plan
from nql.semantics.scope import Area
from nql.syntax.parse import parse

__all__ = [
    "Area", "Compiled", "Compiler", "Completion", "Context", "Explanation", "Hover", "Rules", "check_tables",
    "compile_domain", "compile_query", "complete", "diagnose", "explain", "format_query", "hover", "resolve",
]  # fmt: skip

Key = tuple[str, str, Area, bool, Rules]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query understood: its plan and the warnings that travel with its result."""

    plan: Plan
    warnings: tuple[Diagnostic, ...] = ()


class Compiler:
    """Compiles queries and remembers the last `capacity`, broken ones included. Threads may share it."""

    __slots__ = ("_capacity", "_lock", "_memory")

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._memory: OrderedDict[Key, Compiled | QueryError] = OrderedDict()
        self._lock = Lock()

    def compile(
        self,
        text: str,
        catalog: Catalog,
        *,
        area: Area = Area.INVESTIGATION,
        devices: bool = False,
        rules: Rules = DEFAULT,
    ) -> Compiled:
        """The plan of a text. Raises QueryError with every diagnostic."""
        key = (text, catalog.version, area, devices, rules)
        with self._lock:
            known = self._memory.get(key)
            if known is not None:
                self._memory.move_to_end(key)
        if known is None:
            known = _compiled(text, catalog, area, devices, rules)
            with self._lock:
                self._memory[key] = known
                if len(self._memory) > self._capacity:
                    self._memory.popitem(last=False)
        if isinstance(known, QueryError):
            raise QueryError(known.diagnostics)
        return known


def _compiled(text: str, catalog: Catalog, area: Area, devices: bool, rules: Rules) -> Compiled | QueryError:
    try:
        return Compiled(*bind(parse(text), text, names_of(catalog), area=area, devices=devices, rules=rules))
    except QueryError as error:
        return error


_shared = Compiler()


def compile_query(
    text: str,
    catalog: Catalog,
    *,
    area: Area = Area.INVESTIGATION,
    devices: bool = False,
    rules: Rules = DEFAULT,
) -> Compiled:
    """The plan of a text. `devices` adds the hidden device-uid column where rows have one. Raises QueryError."""
    return _shared.compile(text, catalog, area=area, devices=devices, rules=rules)


@lru_cache(maxsize=64)
def compile_domain(condition: str, catalog: Catalog) -> Plan:
    """The plan of a view domain, a condition on devices. Raises QueryError about the condition."""
    return domain_plan(condition, names_of(catalog))


def diagnose(text: str, catalog: Catalog, rules: Rules = DEFAULT) -> tuple[Diagnostic, ...]:
    """Everything there is to say about a text, errors and warnings, in text order. Never raises."""
    try:
        return tuple(sorted(compile_query(text, catalog, rules=rules).warnings, key=lambda d: (d.span, d.code)))
    except QueryError as error:
        return error.diagnostics
