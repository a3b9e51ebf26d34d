"""What queries read: the tables, and beside their final executions and ended presences those that are still open in the
control database.

In: a snapshot of the tables and the rows that it lacks, both cut at one outbox sequence number. Out: a `Source`.
Invariant: every execution is there exactly once, in its newest state, from the moment it was asked for, and so is
every time that a device was connected.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from engine.source import Source
from nql.catalog.model import Catalog
from portal.queries.catalogs import Catalogs
from portal.queries.union import UnionSource
from portal.relay import Relay
from portal.threads import Threads
from storage.control.api import Control
from storage.tables.api import Snapshot, SnapshotSource, Tables

EXECUTIONS, PRESENCES = "remote_action.executions", "device.presences"
WORKFLOWS = "workflow.executions"
RESPONSES = "campaign.responses"
OPEN = frozenset({EXECUTIONS, PRESENCES, RESPONSES, WORKFLOWS})  # what is not in the tables before it is over
SourceOf = Callable[[Snapshot, Catalog], Source]


class Sources:
    """Opens a source for each query."""

    def __init__(
        self, tables: Tables, control: Control, catalogs: Catalogs, relay: Relay, threads: Threads, source_of: SourceOf
    ) -> None:
        self._tables = tables
        self._control = control
        self._catalogs = catalogs
        self._relay = relay
        self._threads = threads
        self._source_of = source_of

    @property
    def zone(self) -> str:
        """The instance zone."""
        return self._tables.zone

    async def open(self, asked: Collection[str]) -> Source:
        """Everything known at this instant, with what is open of the tables that are asked for."""
        # The relay holds still, so that what it has moved is in the snapshot and nowhere else.
        async with self._relay.still() as position:
            snapshot = await self._tables.snapshot()
            # Another portal may have moved more than this one: the snapshot says what it has.
            position = snapshot.relayed.get(self._control.epoch, position)
            rows = await self._threads.control(self._beside, asked, position)
        catalog = self._catalogs.current
        base = self._source_of(snapshot, catalog)
        return UnionSource(base, catalog, rows) if any(rows.values()) else base

    def _beside(self, asked: Collection[str], position: int) -> dict[str, list[dict[str, Any]]]:
        rows = {
            EXECUTIONS: self._control.executions.rows_after,
            PRESENCES: self._control.presence.rows_after,
            WORKFLOWS: self._control.workflow_executions.rows_after,
            RESPONSES: self._control.campaign_responses.rows_after,
        }
        return {table: rows[table](position) for table in asked}

    async def version(self) -> tuple[int, str]:
        """A number that is another one whenever something was stored in the tables, and the catalog's version."""
        return (await self._tables.snapshot()).version, self._catalogs.current.version

    async def snapshot(self) -> SnapshotSource:
        """The tables alone, all of them as files and memory have them now."""
        return SnapshotSource(await self._tables.snapshot(), self._catalogs.current)

    async def stored(self) -> Source:
        """The tables alone: enough for facts of objects, and cheap."""
        return self._source_of(await self._tables.snapshot(), self._catalogs.current)
