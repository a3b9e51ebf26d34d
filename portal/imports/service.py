"""Rows under the import identity, and what they need configured, on plain values.

In: a name, columnar tables, configured items. Out: how many rows were stored. Raises Refused, RefusedError,
StorageFull. Invariant: the rows are judged like everyone's, by the same function; the source they are stored under says
that they were imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from nql.catalog.configured import Item, item_of
from nql.catalog.model import Catalog
from portal.caller import Caller
from portal.errors import ApiError
from portal.metrics import Metrics
from portal.queries.catalogs import Catalogs
from portal.threads import Threads
from storage.control.api import Control
from storage.tables.api import Ack, Batch, Refused, Rows, Tables

Columns = dict[str, list[Any]]
DAY = 86_400_000_000


class RowsFromWire(Protocol):
    """What makes rows of columns, or refuses them: `storage.tables.validate.rows_from_wire`."""

    def __call__(
        self, catalog: Catalog, table: str, columns: Columns, *, writer: str, device_uid: str | None, now: int
    ) -> Rows:
        """Rows fit to be stored. Raises Refused."""
        ...


class Imports:
    """The imports slice."""

    def __init__(
        self,
        tables: Tables,
        control: Control,
        catalogs: Catalogs,
        threads: Threads,
        metrics: Metrics,
        clock: Callable[[], int],
        rows_from_wire: RowsFromWire,
        *,
        enabled: bool,
    ) -> None:
        self._tables = tables
        self._control = control
        self._catalogs = catalogs
        self._threads = threads
        self._metrics = metrics
        self._clock = clock
        self._rows_from_wire = rows_from_wire
        self._enabled = enabled

    def check_enabled(self) -> None:
        """Raises ApiError 403 where the operator did not turn imports on."""
        if not self._enabled:
            raise ApiError(403, "imports_off", "This portal takes no imports.", "Start it with imports enabled.")

    async def declare(self, caller: Caller, forms: Sequence[Mapping[str, Any]]) -> None:
        """Have campaigns, custom trends and custom fields exist from now on. Raises ApiError 403 and 422,
        RefusedError."""
        self.check_enabled()
        if not forms:
            return
        try:
            items = [item_of(form) for form in forms]
        except ValueError as error:
            raise ApiError(422, "bad_item", f"{error}."[0].upper() + f"{error}."[1:]) from None
        await self._threads.control(self._declare, items, caller.actor)

    def _declare(self, items: Sequence[Item], actor: str) -> None:
        if self._control.configured.declare(items, by=actor, now=self._clock()):
            self._catalogs.refresh()

    async def store(
        self,
        _caller: Caller,
        name: str,
        epoch: str,
        sequence: int,
        received: int | None,
        tables: Sequence[tuple[str, Columns]],
    ) -> Ack:
        """Store one batch. Raises ApiError 403, Refused, StorageFull, StorageFailed."""
        self.check_enabled()
        now = self._clock()
        if received is not None and received > now + DAY:
            raise ApiError(422, "bad_time", "received lies in the future.")
        try:
            rows = await self._threads.control(self._judged, tables, now)
            ack = await self._tables.append(Batch(f"import:{name}", 1, epoch, sequence, received or now, rows))
        except Refused:
            self._metrics.refused("import_rows")
            raise
        self._metrics.rows("import", ack.rows)
        return ack

    def _judged(self, tables: Sequence[tuple[str, Columns]], now: int) -> tuple[Rows, ...]:
        judge = self._rows_from_wire
        return tuple(
            judge(self._catalogs.current, table, columns, writer="import", device_uid=None, now=now)
            for table, columns in tables
        )
