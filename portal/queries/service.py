"""Asking a question: compile, resolve, open a source, run; and what the editor needs.

In: a caller, a text, parameters, a zone, bounds. Out: a `Result` with the devices its rows are about, and what it cost.
Raises QueryError with diagnostics. Invariants: the loop never computes: compiling and running happen in the few threads
for queries or in worker processes, under a time limit. The caller's view domain enters here, and nowhere later; what a
query costs, which counts rows of the whole estate, is told to those alone who see all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.cost import Cost, cost
from engine.execute import run
from engine.lazyframe.told import told
from engine.result import Result
from engine.source import Source
from nql import api as nql
from nql.catalog.model import Catalog
from nql.diagnostics import Diagnostic
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import scans
from nql.rules import DEFAULT
from portal.access.service import check_zone
from portal.caller import Caller, Permission
from portal.clock import elapsed
from portal.errors import ApiError
from portal.queries.admission import Purpose
from portal.queries.catalogs import Catalogs
from portal.queries.claims import claims
from portal.queries.device_facts import device_facts, one_device
from portal.queries.domains import Domain, check_domain
from portal.queries.execution import Execution, Facts, Question, Where, apart
from portal.queries.forms import cut
from portal.queries.identified import identified
from portal.queries.live_marks import Mark, marked
from portal.queries.seen import Seen
from portal.queries.sharing import shared
from portal.queries.sources import OPEN, Sources
from portal.threads import Threads

ADMINISTERED = {"platform.audit_logs": Permission.ADMINISTER.value}  # the right that a table needs
EXPORT_ROWS = 5_000_000
FIRST = 946_684_800_000_000  # 2000-01-01, the earliest instant at which a query may be asked
SHOWN = frozenset({Purpose.INTERACTIVE, Purpose.LIVE})  # to people, who want to know which devices rows are about
Values = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a query reads, at most, and where its rows come from; None where the asker may not know."""

    rows: int | None = None
    bytes: int | None = None
    where: Where | None = None

    def json(self) -> dict[str, int | str | None]:
        """As it is told."""
        return {"rows": self.rows, "bytes": self.bytes, "where": None if self.where is None else self.where.value}


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, the name and kind of each device it is about, how long it took in milliseconds, and what it cost. What
    a worker process has `written` in the form of a media type stands for the rows."""

    result: Result
    devices: Facts
    elapsed_ms: float
    spent: Spent = Spent()
    written: pa.Buffer | None = None


@dataclass(frozen=True, slots=True)
class Instant:
    """A source at a time in microseconds UTC."""

    now: int
    source: Source


@dataclass(frozen=True, slots=True)
class Asked:
    """A text understood: what it means, at which instant, over which rows, for whom."""

    caller: Caller
    compiled: nql.Compiled
    context: nql.Context
    source: Source
    domain: Domain


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of an answer, in the form of a media type if there is one."""

    limit: int
    offset: int = 0
    media: str | None = None


class Queries:
    """The queries slice."""

    def __init__(
        self,
        sources: Sources,
        catalogs: Catalogs,
        threads: Threads,
        clock: Callable[[], int],
        execution: Execution | None = None,
    ) -> None:
        """Without an `execution` everything runs here."""
        self._execution = execution
        self._sources = sources
        self._catalogs = catalogs
        self._threads = threads
        self._clock = clock
        self._seen = Seen(clock)

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self._catalogs.current

    @property
    def zone(self) -> str:
        """The instance zone."""
        return self._sources.zone

    async def ask(
        self,
        caller: Caller,
        text: str,
        *,
        parameters: Values | None = None,
        zone: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        rules: nql.Rules = DEFAULT,
        media: str | None = None,
        now: int | None = None,
    ) -> Answer:
        """The rows `[offset, offset + limit)` of an answer; all of them, up to EXPORT_ROWS, without a limit. What runs
        in a worker process is written there in the form of a media type. `now` is the instant that windows are counted
        from, by default this one."""
        began = elapsed()
        asked = await self.understood(caller, text, parameters, zone, rules, now)
        wanted = Wanted(EXPORT_ROWS if limit is None else limit, offset, media)
        purpose = Purpose.INTERACTIVE if limit is not None else Purpose.EXPORT
        return await self.answered(asked, wanted, purpose, began)

    async def answered(self, asked: Asked, wanted: Wanted, purpose: Purpose, began: float) -> Answer:
        """Rows of what was understood, with the warnings about its text; `began` by `clock.elapsed`."""
        answer = await self._answer(asked, wanted, purpose)
        result = replace(answer.result, warnings=(*asked.compiled.warnings, *answer.result.warnings))
        return replace(answer, result=result, elapsed_ms=round((elapsed() - began) * 1000, 1))

    async def version(self) -> tuple[int, str]:
        """Another one whenever something was stored in the tables, or the catalog says something else."""
        return await self._sources.version()

    async def marked(self, asked: Asked) -> tuple[ResolvedPlan, Mark | None]:
        """The plan for what the asker sees, and the mark of all that it reads now."""
        return await self._threads.small(self._marked, asked)

    def _marked(self, asked: Asked) -> tuple[ResolvedPlan, Mark | None]:
        plan, _ = self._bound(asked)
        return plan, marked(plan, self.catalog, asked.source)

    async def estimate(
        self,
        caller: Caller,
        text: str,
        *,
        parameters: Values | None,
        zone: str | None,
        rules: nql.Rules,
        now: int | None = None,
    ) -> Spent:
        """What a query would read, and where it would run. Raises QueryError."""
        asked = await self.understood(caller, text, parameters, zone, rules, now)
        _, spent = await self._threads.small(self._bound, asked)
        return spent if asked.domain.whole else Spent()

    async def targets(self, caller: Caller, text: str, most: int) -> tuple[list[str], Facts]:
        """The uids of the devices that a targeting query means, at most `most` and one to tell; and facts about
        them."""
        asked = await self._targeting(caller, text)
        if self._execution is None:
            return await self._threads.query(_targets, asked, most)
        uids = await self._meant(asked, most, Purpose.INTERACTIVE)
        facts = partial(device_facts, platform=True)
        return uids, await self._threads.query(facts, asked.source, uids, asked.domain)

    async def meant(self, caller: Caller, text: str, most: int, at: Instant | None = None) -> list[str]:
        """As `targets`, without facts: for those who show the devices to nobody. `at` is the instant that several
        queries are asked at; open executions and presences are those of now all the same."""
        return await self._meant(await self._targeting(caller, text, at), most, Purpose.SCHEDULE)

    async def instant(self) -> Instant:
        """The tables as they are now, for many queries to be asked of them one after the other."""
        return Instant(self._clock(), shared(await self._sources.stored()))

    async def _meant(self, asked: Asked, most: int, purpose: Purpose) -> list[str]:
        if self._execution is None:
            return await self._threads.query(_meant, asked, most)
        answer = await self._answer(asked, Wanted(most + 1), purpose)
        return await self._threads.query(_uids, answer.result)

    async def _answer(self, asked: Asked, wanted: Wanted, purpose: Purpose) -> Answer:
        """Rows, from wherever they are computed."""
        if self._execution is None:
            return await self._threads.query(_answered, asked, wanted)
        plan, spent = await self._threads.small(self._bound, asked)
        about = partial(_facts, asked) if purpose in SHOWN else None
        bounds = (wanted.limit, wanted.offset, purpose, asked.caller.domain, wanted.media, about)
        ran = await self._execution.run(Question(plan, asked.source, self.catalog, _cost(spent), *bounds))
        facts = ran.facts or {}
        if about is not None and ran.facts is None and ran.written is None and ran.result.devices is not None:
            facts = await self._threads.query(about, ran.result)
        spent = replace(spent, where=ran.where) if asked.domain.whole else Spent()
        return Answer(ran.result, facts, 0.0, spent, ran.written)

    def _bound(self, asked: Asked) -> tuple[ResolvedPlan, Spent]:
        """The plan for what the caller sees, and what it will read."""
        plan = asked.domain.bound(nql.resolve(asked.compiled.plan, asked.context))
        base, _ = apart(asked.source)
        if base is None or self._execution is None:
            return plan, Spent()
        found = cost(plan, base, told(plan.relation) if base is asked.source else ())
        return plan, Spent(found.rows, found.bytes, self._execution.where(found))

    async def understood(
        self,
        caller: Caller,
        text: str,
        parameters: Values | None,
        zone: str | None,
        rules: nql.Rules,
        now: int | None = None,
    ) -> Asked:
        """A text for a caller, at this instant or at one that has been. Raises QueryError, ApiError."""
        check_zone(zone or caller.account.zone)
        compiled = await self._compiled(text, nql.Area.INVESTIGATION, rules)
        if not caller.may(Permission.ADMINISTER):
            nql.check_tables(text, compiled.plan, ADMINISTERED)
        source, context = await self._source(compiled), self._context(caller, parameters, zone)
        if now is not None:
            context = replace(context, now=_been(now, context.now))
        return Asked(caller, compiled, context, source, self._domain(caller))

    async def planned(self, caller: Caller, compiled: nql.Compiled, zone: str) -> Asked:
        """As `understood`, of a plan that was made of another language, with its dates in a zone."""
        context, source = self._context(caller, None, zone), await self._source(compiled)
        return Asked(caller, compiled, context, source, self._domain(caller))

    async def _targeting(self, caller: Caller, text: str, at: Instant | None = None) -> Asked:
        compiled = await self._compiled(text, nql.Area.TARGETING, DEFAULT)
        if at is None or still_open(compiled):
            at = Instant(self._clock(), await self._source(compiled))
        context = replace(self._context(caller, None, None), now=at.now)  # so that windows of one instant are the same
        domain = Domain(caller, self.catalog, now=at.now, zone=self.zone)
        return Asked(caller, compiled, context, at.source, domain)

    async def claimed(self, text: str) -> tuple[str, ...]:
        """What decides the target of a query and is said by devices alone."""
        compiled = await self._compiled(text, nql.Area.TARGETING, DEFAULT)
        return await self._threads.small(claims, compiled.plan, self.catalog)

    async def devices(self, caller: Caller, uids: Sequence[str]) -> Facts:
        """Name and kind of those devices that the tables know and the caller sees."""
        source = await self._sources.stored()
        return await self._threads.small(device_facts, source, uids, self._domain(caller))

    async def identified(self, caller: Caller, texts: Collection[str]) -> dict[str, str]:
        """The uid of each device that a text names (`identified.identified`) and the caller sees."""
        return await self._threads.small(identified, await self._sources.stored(), texts, self._domain(caller))

    async def visible(self, caller: Caller, uids: Collection[str]) -> frozenset[str]:
        """Those of some devices that the caller sees; all of them, known or not, for who sees everything."""
        domain = self._domain(caller)
        if domain.whole or not uids:
            return frozenset(uids)
        return await self._threads.small(domain.visible, uids, await self._sources.stored())

    async def every_visible(self, caller: Caller) -> frozenset[str]:
        """All devices that a caller with a view domain sees."""
        return await self._threads.small(self._domain(caller).every, await self._sources.stored())

    async def device(self, caller: Caller, uid: str) -> dict[str, Any] | None:
        """What the tables know of one device (FACTS), None if nothing or if the caller does not see it."""
        source = await self._sources.stored()
        return await self._threads.small(one_device, source, uid, self._domain(caller))

    async def check_domain(self, condition: str) -> None:
        """Raises QueryError for a condition that is no view domain, with spans inside it."""
        check = partial(check_domain, now=self._clock(), zone=self.zone)
        await self._threads.small(check, condition, self.catalog)

    async def diagnose(self, text: str, rules: nql.Rules) -> tuple[Diagnostic, ...]:
        """Everything there is to say about a text."""
        return await self._threads.small(nql.diagnose, text, self.catalog, rules)

    async def complete(self, caller: Caller, text: str, offset: int) -> nql.Completion:
        """What may stand at an offset, values of the data among it that the caller may see."""
        context = self._context(caller, None, None)
        about = (await self._sources.stored(), self.catalog, context, caller, self._domain(caller))
        seen = partial(self._seen.values, *about)
        return await self._threads.small(nql.complete, text, offset, self.catalog, values=seen)

    async def hover(self, text: str, offset: int) -> nql.Hover | None:
        """What the thing at an offset is."""
        return await self._threads.small(nql.hover, text, offset, self.catalog)

    async def format(self, text: str) -> str:
        """The text laid out; as it is where it cannot be read."""
        return await self._threads.small(nql.format_query, text)

    async def explain(self, caller: Caller, text: str, zone: str | None, rules: nql.Rules) -> nql.Explanation:
        """What a text asks, in sentences. Raises QueryError."""
        check_zone(zone or caller.account.zone)
        context = self._context(caller, None, zone)
        return await self._threads.small(nql.explain, text, self.catalog, context, rules)

    async def _compiled(self, text: str, area: nql.Area, rules: nql.Rules) -> nql.Compiled:
        return await self._threads.small(nql.compile_query, text, self.catalog, area=area, devices=True, rules=rules)

    async def _source(self, compiled: nql.Compiled) -> Source:
        """Open executions are read only for queries that ask for executions."""
        asked = still_open(compiled)
        return await (self._sources.open(asked) if asked else self._sources.stored())

    def _domain(self, caller: Caller) -> Domain:
        return Domain(caller, self.catalog, now=self._clock(), zone=self.zone)

    def _context(self, caller: Caller, parameters: Values | None, zone: str | None) -> nql.Context:
        return nql.Context(self._clock(), self.zone, zone or caller.account.zone, parameters or {})


def still_open(compiled: nql.Compiled) -> frozenset[str]:
    """The tables of a query that have open rows beside them."""
    return frozenset(scan.table for scan in scans(compiled.plan.relation)) & OPEN


def _been(instant: int, now: int) -> int:
    """Raises ApiError 422 for an instant that is still to come, or before there was anything."""
    if not FIRST <= instant <= now:
        raise ApiError(422, "bad_now", "now is an instant since 2000 that is not in the future.", "Leave it out.")
    return instant


def _cost(spent: Spent) -> Cost:
    return Cost(spent.rows or 0, spent.bytes or 0)


def _run(asked: Asked, limit: int) -> Result:
    return run(asked.domain.bound(nql.resolve(asked.compiled.plan, asked.context)), asked.source, limit=limit)


def _answered(asked: Asked, wanted: Wanted) -> Answer:
    result = cut(_run(asked, wanted.offset + wanted.limit), wanted.offset)
    return Answer(result, _facts(asked, result), 0.0)


def _facts(asked: Asked, result: Result) -> Facts:
    """Facts about the devices of some rows."""
    uids = [] if result.devices is None else pc.unique(result.devices).drop_null().to_pylist()
    return device_facts(asked.source, uids, asked.domain)


def _targets(asked: Asked, most: int) -> tuple[list[str], Facts]:
    uids = _meant(asked, most)
    return uids, device_facts(asked.source, uids, asked.domain, platform=True)


def _meant(asked: Asked, most: int) -> list[str]:
    return _uids(_run(asked, most + 1))


def _uids(result: Result) -> list[str]:
    if result.devices is None:
        raise RuntimeError("a targeting query gives devices")
    return sorted(set(result.devices.drop_null().to_pylist()))
