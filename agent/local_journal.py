"""What local schedules did on this device: turns that began, ends to report, failures in a row.

In: records of beginnings, ends and acknowledgements. Out: after a start of the agent, what is remembered. Invariants: a
beginning is on the disk before its process starts, and an end before it is sent; ends stay until the portal has them,
up to `MOST_UNSENT`, beyond which the oldest goes and is counted. The file comes into being with the first record:
most devices have none.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent import files, frames, wire
from agent.recurring import Known, Memory

REWRITE_BYTES = 256 << 10
MOST_UNSENT = 10_000


class Began(msgspec.Struct, frozen=True, tag="began", tag_field="kind"):
    """A turn of a schedule is about to start."""

    schedule: str
    sequence: int
    turn: int


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="kind"):
    """An end that has to reach the portal, and how the schedule stands after it."""

    report: wire.LocalReport
    failures: int
    silent_until: int


class Done(msgspec.Struct, frozen=True, tag="done", tag_field="kind"):
    """The portal is done with the end of this sequence."""

    schedule: str
    sequence: int


class Remembered(msgspec.Struct, frozen=True, tag="remembered", tag_field="kind"):
    """How a schedule stood when the file was rewritten."""

    schedule: str
    sequence: int
    turn: int
    failures: int
    silent_until: int


Record = Began | Ended | Done | Remembered
_decoder = msgspec.json.Decoder(Record)


class LocalJournal:
    """The journal of local schedules of one state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = files.private_folder(folder) / "local.log"
        self._memory: dict[str, Memory] = {}
        self._open: dict[tuple[str, int], int] = {}  # the turn
        self._unsent: dict[tuple[str, int], Ended] = {}
        self._sequence = 0
        self.dropped = 0
        self._file = frames.FrameFile(self._path) if self._path.exists() else None
        if self._file is not None:
            for _, record in self._file.read():
                self._apply(_decoder.decode(record))

    def known(self) -> Known:
        """What is remembered now."""
        unsent = tuple(ended.report for ended in self._unsent.values())
        return Known(dict(self._memory), self._sequence, tuple(self._open), unsent)

    def write(self, record: Record) -> None:
        """Write a record down, durably. Raises OSError, and then it is not known."""
        if self._file is None:
            self._file = frames.FrameFile(self._path)
        self._file.append(wire.encode(record))
        self._apply(record)
        if self._file.size > REWRITE_BYTES and isinstance(record, Done):
            self._rewrite(self._file)

    def sent(self, schedule: str, sequence: int) -> bool:
        """Note that the portal is done with an end; False if it is none of ours. Raises OSError."""
        if (schedule, sequence) not in self._unsent:
            return False
        self.write(Done(schedule, sequence))
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _apply(self, record: Record) -> None:
        self._sequence = max(self._sequence, record.report.sequence if isinstance(record, Ended) else record.sequence)
        match record:
            case Began(schedule, sequence, turn):
                before = self._memory.get(schedule, Memory())
                self._memory[schedule] = Memory(turn, before.failures, before.silent_until)
                self._open[schedule, sequence] = turn
            case Ended(report, failures, silent_until):
                turn = self._memory.get(report.schedule, Memory()).turn
                self._memory[report.schedule] = Memory(turn, failures, silent_until)
                self._open.pop((report.schedule, report.sequence), None)
                self._unsent[report.schedule, report.sequence] = record
                if len(self._unsent) > MOST_UNSENT:
                    del self._unsent[next(iter(self._unsent))]
                    self.dropped += 1
            case Done(schedule, sequence):
                self._unsent.pop((schedule, sequence), None)
            case Remembered(schedule, _, turn, failures, silent_until):
                self._memory[schedule] = Memory(turn, failures, silent_until)

    def _rewrite(self, file: frames.FrameFile) -> None:
        records: list[Record] = [Began(*key, turn) for key, turn in self._open.items()]
        records += self._unsent.values()
        records += [
            Remembered(schedule, self._sequence, memory.turn, memory.failures, memory.silent_until)
            for schedule, memory in self._memory.items()
        ]
        files.replace(self._path, b"".join(frames.frame(wire.encode(record)) for record in records))
        file.close()
        self._file = frames.FrameFile(self._path)
