"""Asking a question: compile, resolve, open a source, run; and what the editor needs.

In: a caller, a text, parameters, a zone, bounds. Out: a `Result` with the devices its rows are about. Raises
QueryError with diagnostics. Invariant: the loop never computes: compiling and running happen in the few threads for
queries, under a time limit. The caller's view domain enters here, and nowhere later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import polars as pl
import pyarrow.compute as pc

from engine.execute import run
from engine.result import Result
from engine.source import Source
from nql import api as nql
from nql.catalog.model import Catalog
from nql.diagnostics import Diagnostic
from nql.plan.relations import scans
from nql.rules import DEFAULT
from portal.access.service import check_zone
from portal.caller import Caller, Permission
from portal.clock import elapsed
from portal.queries.catalogs import Catalogs
from portal.queries.claims import claims
from portal.queries.domains import Domain, check_domain
from portal.queries.seen import Seen
from portal.queries.sources import OPEN, Sources
from portal.threads import Threads

DEVICES = "device.devices"
ADMINISTERED = {"platform.audit_logs": Permission.ADMINISTER.value}  # the right that a table needs
EXPORT_ROWS = 5_000_000
PLATFORM = "operating_system.platform"
FACTS = ("name", "simulated", "first_seen", "last_seen", "operating_system.name", "hardware.model")
Values = Mapping[str, str | Sequence[str]]
Facts = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, the name and kind of each device it is about, and how long it took in milliseconds."""

    result: Result
    devices: Facts
    elapsed_ms: float


class Queries:
    """The queries slice."""

    def __init__(self, sources: Sources, catalogs: Catalogs, threads: Threads, clock: Callable[[], int]) -> None:
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
    ) -> Answer:
        """The rows `[offset, offset + limit)` of an answer; all of them, up to EXPORT_ROWS, without a limit."""
        check_zone(zone or caller.account.zone)
        began = elapsed()
        compiled = await self._compiled(text, nql.Area.INVESTIGATION, rules)
        if not caller.may(Permission.ADMINISTER):
            nql.check_tables(text, compiled.plan, ADMINISTERED)
        source = await self._source(compiled)
        context = self._context(caller, parameters, zone)
        answer = await self._threads.query(_answered, compiled, context, source, self._domain(caller), limit, offset)
        return replace(answer, elapsed_ms=round((elapsed() - began) * 1000, 1))

    async def targets(self, caller: Caller, text: str, most: int) -> tuple[list[str], Facts]:
        """The uids of the devices that a targeting query means, at most `most` and one to tell; and facts about
        them."""
        compiled = await self._compiled(text, nql.Area.TARGETING, DEFAULT)
        source = await self._source(compiled)
        context = self._context(caller, None, None)
        return await self._threads.query(_targets, compiled, context, source, self._domain(caller), most)

    async def meant(self, caller: Caller, text: str, most: int) -> list[str]:
        """As `targets`, without facts: for those who show the devices to nobody."""
        compiled = await self._compiled(text, nql.Area.TARGETING, DEFAULT)
        source = await self._source(compiled)
        context = self._context(caller, None, None)
        return await self._threads.query(_meant, compiled, context, source, self._domain(caller), most)

    async def claimed(self, text: str) -> tuple[str, ...]:
        """What decides the target of a query and is said by devices alone."""
        compiled = await self._compiled(text, nql.Area.TARGETING, DEFAULT)
        return await self._threads.small(claims, compiled.plan, self.catalog)

    async def devices(self, caller: Caller, uids: Sequence[str]) -> Facts:
        """Name and kind of those devices that the tables know and the caller sees."""
        source = await self._sources.stored()
        return await self._threads.small(device_facts, source, uids, self._domain(caller))

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
        return await self._threads.small(_device, source, uid, self._domain(caller))

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
        asked = {scan.table for scan in scans(compiled.plan.relation)} & OPEN
        return await (self._sources.open(asked) if asked else self._sources.stored())

    def _domain(self, caller: Caller) -> Domain:
        return Domain(caller, self.catalog, now=self._clock(), zone=self.zone)

    def _context(self, caller: Caller, parameters: Values | None, zone: str | None) -> nql.Context:
        return nql.Context(self._clock(), self.zone, zone or caller.account.zone, parameters or {})


def _answered(
    compiled: nql.Compiled, context: nql.Context, source: Source, domain: Domain, limit: int | None, offset: int
) -> Answer:
    most = EXPORT_ROWS if limit is None else offset + limit
    result = run(domain.bound(nql.resolve(compiled.plan, context)), source, limit=most)
    result = replace(result, warnings=(*compiled.warnings, *result.warnings))
    if offset:
        devices = result.devices
        result = replace(result, table=result.table.slice(offset), devices=devices and devices.slice(offset))
    uids = [] if result.devices is None else pc.unique(result.devices).drop_null().to_pylist()
    return Answer(result, device_facts(source, uids, domain), 0.0)


def _targets(
    compiled: nql.Compiled, context: nql.Context, source: Source, domain: Domain, most: int
) -> tuple[list[str], Facts]:
    uids = _meant(compiled, context, source, domain, most)
    return uids, device_facts(source, uids, domain, platform=True)


def _meant(compiled: nql.Compiled, context: nql.Context, source: Source, domain: Domain, most: int) -> list[str]:
    result = run(domain.bound(nql.resolve(compiled.plan, context)), source, limit=most + 1)
    if result.devices is None:
        raise RuntimeError("a targeting query gives devices")
    return sorted(set(result.devices.drop_null().to_pylist()))


def _device(source: Source, uid: str, domain: Domain) -> dict[str, Any] | None:
    found = source.scan(DEVICES, ["uid", *FACTS]).filter(pl.col("uid") == uid)
    frame = domain.among(found, source).collect()
    return frame.row(0, named=True) if frame.height else None


def device_facts(source: Source, uids: Sequence[str], domain: Domain, *, platform: bool = False) -> Facts:
    """Name and kind of devices by uid, from the tables, and their platform if asked; of those that are seen."""
    if not uids:
        return {}
    wanted = pl.col("uid").is_in(pl.Series(uids, dtype=pl.String()).implode())
    found = source.scan(DEVICES, ["uid", "name", "simulated", *([PLATFORM] if platform else [])]).filter(wanted)
    rows = domain.among(found, source).collect().to_dicts()
    return {
        row["uid"]: {
            "name": row["name"] or "", "simulated": bool(row["simulated"]),
            **({"platform": row[PLATFORM]} if platform else {}),
        }
        for row in rows
    }  # fmt: skip
