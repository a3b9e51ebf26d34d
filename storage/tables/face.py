"""What a portal may ask of the tables, wherever their store runs: in this process (`api.open_tables`), or in another
(`remote.RemoteTables`).

In: batches, wishes. Out: acknowledgements after fsync, snapshots. Invariant: nothing here shares objects with its
callers but plain data.
"""

from __future__ import annotations

from storage.naming import Naming
from storage.tables.mirror import LakeState
from storage.tables.rows import Ack, Batch
from storage.tables.snapshot import Snapshot

NOTHING = Naming()


class Tables:
    """An open store."""

    @property
    def zone(self) -> str:
        """The instance zone."""
        raise NotImplementedError

    @property
    def lake(self) -> LakeState | None:
        """How far the lake of this process's store is; None where there is none, or another process has the store."""
        return None

    async def append(self, batch: Batch) -> Ack:
        """Store a batch; it is durable and visible when this returns. A batch that was stored before is acknowledged as
        a duplicate.

        Raises Refused (nothing of it is stored, nor ever will be), StorageFull and StorageFailed (try again: where the
        store is this process, nothing is stored), Closed. A caller that stops waiting does not stop the batch.
        """
        raise NotImplementedError

    async def snapshot(self) -> Snapshot:
        """Everything acknowledged so far."""
        raise NotImplementedError

    async def seal(self) -> None:
        """Move everything into sealed files now, which happens by itself in time. Raises StorageFailed, Corrupt,
        Closed."""
        raise NotImplementedError

    async def compact(self, until: int | None = None) -> None:
        """Compact the days that end at or before an instant (microseconds UTC, by default now), which happens by itself
        in time. Rows may be appended and asked meanwhile. Raises StorageFailed, Corrupt, Closed."""
        raise NotImplementedError

    async def erase(self, table: str, key: str, words: Naming = NOTHING) -> bool:
        """Erase an object, what belongs to it, its rows, and words of other rows that name it; and what was set aside
        as damaged, as nobody can tell what it holds. True when no file has anything of it; False if files that were
        replaced are still read by somebody: they go when that ends. Nobody may send under its name any more. Raises
        StorageFailed, Corrupt (it is tried again by itself then), Closed."""
        raise NotImplementedError

    async def erased(self) -> bool:
        """Whether nobody reads a file any more that an erasure replaced; waits for a moment for who does. Raises
        StorageFailed, Corrupt, Closed."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let it go. Closing twice does nothing."""
        raise NotImplementedError
