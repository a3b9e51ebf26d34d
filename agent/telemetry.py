"""From collectors to the outbox: keeps the schedule, seals batches, remembers what was told.

In: the instant. Out: how many batches were queued. Blocks; one call at a time, in a worker thread. Invariants: what
was told is remembered only after its batch is on the disk; a full disk costs telemetry, oldest first, never more than
the collection at hand.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from agent import files, wire
from agent.collectors.registry import collectors
from agent.collectors.schedule import Schedule
from agent.host.base import Host
from agent.outbox import Outbox
from agent.rows import Rows, batches, seal

JUMP = 30_000_000  # a portal's time that is further off than before means that buckets begin anew


class Telemetry:
    """The collectors of one device and their outbox."""

    def __init__(self, folder: Path, device: str, host: Host, failed: Callable[[str, Exception], None]) -> None:
        self._folder, self._device, self._host, self._failed = folder, device, host, failed
        self.outbox = Outbox(folder / "outbox")
        self._schedule: Schedule | None = None
        self._offset = 0

    def run(self, now: int, offset: int) -> tuple[int, int]:
        """Do what is due; `now` is the agent's clock, `offset` how far the portal's is ahead. Batches queued, and the
        next instant."""
        if self._schedule is None or abs(offset - self._offset) > JUMP:
            marks = self._schedule.marks if self._schedule else self._read_marks()
            kept = {name: min(at, now + offset) for name, at in marks.items()}
            self._schedule = Schedule(collectors(self._device), self._host, kept, now + offset, self._failed)
            self._offset = offset
        found = self._schedule.run(now + self._offset)
        queued = sum(self._queue(group) for group in batches(found))
        if found:
            with contextlib.suppress(OSError):
                files.replace(self._folder / "marks.json", wire.encode(self._schedule.marks))
        return queued, self._schedule.wake - self._offset

    def close(self) -> None:
        """Let go of the files."""
        self.outbox.close()

    def _queue(self, group: Sequence[Rows]) -> int:
        while True:
            try:
                self.outbox.append(lambda epoch, sequence: seal(group, epoch, sequence))
                return 1
            except OSError as error:
                if not self.outbox.shed():
                    self._failed("outbox", error)
                    return 0

    def _read_marks(self) -> dict[str, int]:
        try:
            return msgspec.json.decode((self._folder / "marks.json").read_bytes(), type=dict[str, int])
        except (OSError, msgspec.MsgspecError):
            return {}
