"""The composition root: builds the object graph by constructor calls and holds the one list of routes.

In: `Settings`. Out: a Starlette application. Invariants: stores are opened when the application starts, not when it
is built, and closed after the last request; nothing else in the portal makes its own dependencies; whoever adds a
slice adds its routes to `_endpoints` or `_routes`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from nql.catalog.load import builtin
from portal import clock as real_clock
from portal import endpoints as api
from portal import openapi
from portal.access import credential_routes, role_routes
from portal.access import routes as access_routes
from portal.access.credentials import CredentialBook
from portal.access.guard import HeaderGuard
from portal.access.passwords import Passwords
from portal.access.refusals import Refusals
from portal.access.roles import RoleBook
from portal.access.service import Access
from portal.actions import routes as actions_routes
from portal.actions.events import Watchers
from portal.actions.progress import Progress
from portal.actions.service import Actions
from portal.agents import routes as agents_routes
from portal.agents.channel import Channels
from portal.agents.configuration import Configurations
from portal.agents.door import Door
from portal.agents.presence import Presence
from portal.agents.routes import Desk
from portal.agents.service import Parts as AgentParts
from portal.agents.trails import Trails
from portal.beside import Beside
from portal.beside import Parts as BesideParts
from portal.campaigns import routes as campaigns_routes
from portal.campaigns.service import Campaigns
from portal.classic import routes as classic_routes
from portal.classic.act import Act
from portal.classic.nxql import Nxql
from portal.devices import routes as devices_routes
from portal.devices.service import Devices
from portal.erasure import routes as erasure_routes
from portal.erasure.work import Parts as ErasureParts
from portal.erasure.work import Work
from portal.fields import routes as fields_routes
from portal.frame import Frame, handlers
from portal.health import routes as health_routes
from portal.imports import routes as imports_routes
from portal.imports.service import Imports
from portal.metrics import Metrics
from portal.modern import routes as modern_routes
from portal.modern.enrichment import Part as Enriching
from portal.modern.enrichment import Parts as EnrichmentParts
from portal.modern.exports import Exports
from portal.modern.tokens import AccessTokens
from portal.modern.ways import Gate
from portal.nudges import Nudges
from portal.pages import routes as pages_routes
from portal.queries import routes as queries_routes
from portal.queries.admission import Admission
from portal.queries.answers import Answers
from portal.queries.catalogs import Catalogs
from portal.queries.execution import Execution
from portal.queries.live import Live
from portal.queries.service import Queries
from portal.queries.sources import Sources
from portal.relay import Relay
from portal.saved_queries import routes as saved_queries_routes
from portal.saved_queries.service import SavedQueries
from portal.schedules import routes as schedules_routes
from portal.schedules import scheduler as scheduling
from portal.schedules.local import LocalOrders
from portal.schedules.service import Schedules
from portal.scrub import Scrubbing
from portal.settings import Settings
from portal.sites import routes as sites_routes
from portal.sites.serving import Serving
from portal.threads import Threads
from portal.ticks import Ticks
from portal.tls import Pins
from portal.trust import routes as trust_routes
from portal.trust.secrets import Secrets
from portal.trust.service import Trust
from portal.trust.telling import told
from portal.webhooks import routes as webhooks_routes
from portal.webhooks.service import Webhooks
from portal.workers.pool import Limits, Workers
from portal.workers.spool import Spool
from portal.workflows import routes as workflows_routes
from portal.workflows.going import Going
from portal.workflows.service import Workflows
from storage.control.api import Control, open_control
from storage.control.key_ring import KeyRing
from storage.control.sealing import Sealer
from storage.tables.api import Scrub, Tables, open_tables
from storage.tables.files import Files
from storage.tables.read import SnapshotSource
from storage.tables.remote import RemoteTables
from storage.tables.remote_wire import shared_secret
from storage.tables.validate import rows_from_wire

VERSION = version("muster-nql")
Clock = Callable[[], int]
Application = Starlette  # what `build` gives, for those who have no other business with it


@dataclass(frozen=True, slots=True)
class Portal:
    """Everything that is open while the application runs; `app.state.portal`."""

    settings: Settings
    clock: Clock
    control: Control
    tables: Tables
    keys: KeyRing
    secrets: Secrets
    pins: Pins
    threads: Threads
    metrics: Metrics
    nudges: Nudges
    configurations: Configurations
    door: Door
    desk: Desk
    channels: Channels
    presence: Presence
    watchers: Watchers
    relay: Relay
    catalogs: Catalogs
    execution: Execution
    queries: Queries
    live: Live
    access: Access
    guard: HeaderGuard
    progress: Progress
    workflows: Workflows
    webhooks: Webhooks
    scheduler: scheduling.Scheduler
    scrubbing: Scrubbing
    erasures: Work
    exports: Exports
    serving: Serving

    def stop_waiting(self) -> None:
        """End what would wait for ever: watchers of runs, followers of queries, devices' connections. Called before the
        server closes."""
        self.watchers.close()
        self.live.close()
        self.nudges.close_all()


def build(
    settings: Settings,
    *,
    clock: Clock = real_clock.now,
    files: Files | None = None,
    passwords: Passwords | None = None,
) -> Starlette:
    """The application. It opens its stores when it starts: LockHeld then says who holds the folder.

    `files` are the operations by which the tables reach the disk, for those who want to see them fail; `passwords`
    hash as is right for people, unless someone with no secrets wants it cheap.
    """
    metrics = Metrics()
    app = Starlette(
        lifespan=_lifespan(settings, clock, metrics, files, passwords or Passwords()),
        exception_handlers=handlers(),
        middleware=[Middleware(Frame, metrics=metrics, settings=settings)],
    )
    app.router.redirect_slashes = False
    return app


def _lifespan(
    settings: Settings, clock: Clock, metrics: Metrics, files: Files | None, passwords: Passwords
) -> Callable[[Starlette], Any]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            portal = await _open(settings, clock, metrics, files, passwords, stack)
            app.state.portal = portal
            app.router.routes[:] = _routes(portal)
            ticks = Ticks(portal.control, portal.nudges, portal.relay, portal.threads, clock)
            stack.push_async_callback(portal.webhooks.close)
            shared = (portal.control, portal.threads, clock, portal.nudges, portal.configurations, portal.catalogs)
            beside = Beside(BesideParts(*shared, portal.progress))
            others = bool(settings.stores)
            for work in (
                *([beside.run()] if others else []),
                portal.relay.run(),
                portal.channels.run(),
                portal.presence.run(),
                ticks.run(),
                portal.progress.run(),
                beside.leading("workflows", portal.workflows.run) if others else portal.workflows.run(),
                beside.leading("webhooks", portal.webhooks.run) if others else portal.webhooks.run(),
                portal.scheduler.run(),
                portal.scrubbing.run(),
                portal.erasures.run(),
                portal.exports.run(),
                portal.serving.run(),
            ):
                stack.push_async_callback(_cancelled, asyncio.create_task(work))
            stack.push_async_callback(portal.presence.stop)
            stack.callback(portal.stop_waiting)
            yield

    return lifespan


async def _open(
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    files: Files | None,
    passwords: Passwords,
    stack: AsyncExitStack,
) -> Portal:
    """Open the stores, the one with the lock first, and build everything on them."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    tables = await _tables(settings, clock, files)
    stack.push_async_callback(tables.close)
    control = await asyncio.to_thread(open_control, settings.control, now=clock(), url=settings.control_url)
    stack.callback(control.close)
    keys, sealer, pins = KeyRing(settings.key), Sealer(settings.vault_key), Pins(settings.certificates)
    tokens = AccessTokens(keys)
    threads = Threads()
    stack.callback(threads.close)

    nudges, watchers, relay = Nudges(), Watchers(), Relay(control, tables, threads, clock)
    watchers.start()
    control.listen(watchers.told)
    catalogs = Catalogs(control)
    await threads.control(catalogs.refresh)
    presence = Presence(control, threads, clock, relay.wake, alone=not settings.stores)
    await relay.start()
    door = Door(control, threads, clock, presence.contact)
    sources = Sources(tables, control, catalogs, relay, threads, SnapshotSource)
    access = Access(control, threads, passwords, clock)
    execution = await _execution(settings, threads, stack)
    queries = Queries(sources, catalogs, threads, clock, execution)
    live = Live(queries, threads, clock)
    stack.push_async_callback(live.stop)
    progress = Progress(control, queries, nudges, watchers, threads, clock)
    control.listen(progress.told)
    asking = Campaigns(control, queries, catalogs, relay, nudges, threads, clock)
    going = Going(control, queries, asking, nudges, progress, relay, threads, clock)
    configurations = Configurations(nudges.configure, partial(told, control, keys, pins), LocalOrders(control, keys))
    secrets = Secrets(control, sealer, threads, clock)
    trails = Trails(control, nudges, threads, clock)
    made = (control, tables, builtin(), keys, secrets, threads, metrics, configurations, trails)
    desk = Desk(AgentParts(*made, clock, settings.most_new, relay.wake), door)
    scheduled = scheduling.Parts(control, access, queries, nudges, threads, clock, configurations.changed)
    erased = (control, tables, sources, relay, nudges, presence, execution, threads, clock)
    return Portal(
        settings=settings,
        clock=clock,
        control=control,
        tables=tables,
        keys=keys,
        secrets=secrets,
        pins=pins,
        threads=threads,
        metrics=metrics,
        nudges=nudges,
        configurations=configurations,
        door=door,
        desk=desk,
        channels=Channels(door, desk.asked, control, trails, nudges, threads, keys, configurations, clock, presence),
        presence=presence,
        watchers=watchers,
        relay=relay,
        catalogs=catalogs,
        execution=execution,
        queries=queries,
        live=live,
        access=access,
        guard=HeaderGuard(
            access, secure=settings.secure, credential=lambda token: tokens.credential(token, now=clock())
        ),
        progress=progress,
        workflows=Workflows(control, queries, relay, going, threads, clock),
        webhooks=Webhooks(control, sealer, threads, clock, local=settings.local_webhooks),
        scheduler=scheduling.Scheduler(scheduled),
        scrubbing=Scrubbing(Scrub(settings.tables), settings.scrub_rate),
        erasures=Work(ErasureParts(settings.data, *erased)),
        exports=Exports(queries, execution, threads, clock),
        serving=Serving(control, threads, clock, progress.look_at, settings.sites, alone=not settings.stores),
    )


async def _tables(settings: Settings, clock: Clock, files: Files | None) -> Tables:
    """The tables: of this process, or of the store process. Raises what `open_tables` and `RemoteTables.open` raise."""
    if not settings.stores:
        return await open_tables(
            settings.tables,
            builtin(),
            zone=settings.zone,
            clock=clock,
            files=files,
            lake=settings.lake,
            lake_cache=settings.lake_cache,
        )
    secret = b"" if settings.store_secret is None else await asyncio.to_thread(shared_secret, settings.store_secret)
    return await RemoteTables(settings.tables, settings.stores, secret).open()


async def _execution(settings: Settings, threads: Threads, stack: AsyncExitStack) -> Execution:
    """What runs queries. Its processes end with the application; they start when the first is needed."""
    spool = Spool(settings.spool)
    await asyncio.to_thread(spool.clear)
    workers = Workers(spool, Limits(memory=settings.query_memory))
    stack.push_async_callback(workers.close)
    return Execution(threads, workers, Admission(), Answers(settings.query_kept), here=settings.query_here)


def endpoints(portal: Portal) -> list[api.Endpoint]:
    """Every route of the own API."""
    p = portal
    devices = Devices(p.control, p.queries, p.nudges, p.threads, p.clock)
    imports = Imports(
        p.tables, p.control, p.catalogs, p.threads, p.metrics, p.clock, rows_from_wire, enabled=p.settings.imports
    )
    listed = [
        *access_routes.endpoints(p.access, p.guard, secure=p.settings.secure),
        *role_routes.endpoints(RoleBook(p.control, p.threads, p.clock, p.queries.check_domain)),
        *credential_routes.endpoints(CredentialBook(p.control, p.threads, p.clock)),
        *queries_routes.endpoints(p.queries, p.execution.pages, p.live, p.guard, p.control, p.threads, p.metrics),
        *saved_queries_routes.endpoints(SavedQueries(p.control, p.queries, p.threads, p.clock)),
        *actions_routes.endpoints(_actions(p), p.watchers, p.guard),
        *campaigns_routes.endpoints(campaigns(p)),
        *fields_routes.endpoints(fields_routes.Fields(p.control, p.catalogs, p.threads, p.clock)),
        *workflows_routes.endpoints(p.workflows),
        *webhooks_routes.endpoints(p.webhooks),
        *schedules_routes.endpoints(Schedules(p.control, p.queries, p.threads, p.clock, p.configurations.changed)),
        *trust_routes.endpoints(Trust(p.control, p.keys, p.configurations, p.threads, p.clock), p.secrets),
        *erasure_routes.endpoints(p.erasures.erasing),
        *devices_routes.endpoints(devices),
        *sites_routes.endpoints(p.serving),
        *imports_routes.endpoints(imports),
    ]
    listed += health_routes.endpoints(cache(lambda: openapi.document(listed, VERSION)))
    return listed


def _actions(p: Portal) -> Actions:
    return Actions(p.control, p.queries, p.catalogs, p.relay, p.nudges, p.progress, p.watchers, p.threads, p.clock)


def campaigns(p: Portal) -> Campaigns:
    """The slice of campaigns, for whoever sends some."""
    return Campaigns(p.control, p.queries, p.catalogs, p.relay, p.nudges, p.threads, p.clock)


def _classic(p: Portal, refused: api.Refused) -> classic_routes.Parts:
    act = Act(_actions(p), p.queries, p.serving, p.settings.act_seconds)
    fields = EnrichmentParts(p.tables, p.control, p.queries, p.catalogs, p.threads, p.clock)
    asking = Nxql(p.queries, p.serving, Enriching(fields))
    most = p.settings.act_devices
    gate = Gate(p.control, p.threads, AccessTokens(p.keys), p.clock, refused)
    return classic_routes.Parts(p.access, gate, p.serving, p.queries, act, asking, p.guard, refused, most, VERSION)


def _routes(portal: Portal) -> list[BaseRoute]:
    """Every route: devices (they ask most, and routes are looked through in order), the own API, those of other
    people's clients, health, pages."""
    p = portal
    note = Refusals(p.control, p.threads, p.clock).note
    base = (p.settings.public_url, p.settings.secure)
    stored = (p.control, p.tables, p.catalogs, p.queries)
    doing = (p.workflows, p.exports, p.erasures.erasing)
    shared = (*stored, _actions(p), campaigns(p), *doing, p.keys, p.threads, p.clock, note)
    return [
        *agents_routes.routes(p.desk),
        *api.routes(endpoints(p), p.guard, p.clock, note),
        *modern_routes.routes(modern_routes.Parts(*shared, *base)),
        *classic_routes.routes(_classic(p, note)),
        *health_routes.routes(p.control, p.tables, p.threads, p.nudges, p.metrics, p.scrubbing),
        *pages_routes.routes(p.guard, p.queries, p.access, site=p.control.site.name, version=VERSION),
    ]


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
