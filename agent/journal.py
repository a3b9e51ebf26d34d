"""What this device was told to run, and what became of it: written down before anything starts.

In: intents, reports, acknowledgements. Out: after a start of the agent, every execution it knows. Invariants: an
intent is on the disk before its process starts, and a report before it is sent; reports are never dropped; an
execution stays known until its order has expired and its end is acknowledged, so that no replayed order starts twice.
Rewriting the file keeps exactly what is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent import files, frames, wire

REWRITE_BYTES = 1 << 20
KEPT = 3_600_000_000  # an execution is forgotten this long after its order expired


class Intent(msgspec.Struct, frozen=True, tag="intent", tag_field="kind"):
    """The device is about to run an order."""

    run: str
    attempt: int
    nonce: str
    expires_at: int
    action: str
    at: int


class Filed(msgspec.Struct, frozen=True, tag="report", tag_field="kind"):
    """A report that has to reach the portal."""

    report: wire.Report
    expires_at: int


class Sent(msgspec.Struct, frozen=True, tag="sent", tag_field="kind"):
    """A report that the portal has."""

    run: str
    attempt: int
    state: str


class Forgotten(msgspec.Struct, frozen=True, tag="forgotten", tag_field="kind"):
    """An execution that cannot come back."""

    run: str
    attempt: int


Record = Intent | Filed | Sent | Forgotten
Key = tuple[str, int]  # run, attempt
Told = tuple[str, int, str]  # run, attempt, state: what a verdict is about
OPEN: wire.State = "in_progress"
OPENED: wire.Reaction = "opened"
RUNNING: frozenset[wire.State | wire.Reaction] = frozenset({OPEN, "waiting_on_user", OPENED})  # what is not an end
_decoder = msgspec.json.Decoder(Record)


@dataclass(slots=True)
class Execution:
    """What is known of one execution: its reports in order, and how many of each state the portal has, oldest
    first."""

    run: str
    attempt: int
    nonce: str
    expires_at: int
    intent: Intent | None = None
    reports: list[wire.Report] = field(default_factory=list)
    sent: Counter[Told] = field(default_factory=Counter)

    @property
    def end(self) -> wire.Report | None:
        """How it ended, if that is written down."""
        return next((report for report in reversed(self.reports) if report.state not in RUNNING), None)

    @property
    def unsent(self) -> list[wire.Report]:
        """Reports without an acknowledgement."""
        return without_oldest(self.reports, self.sent)


class Journal:
    """The journal of one state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = files.private_folder(folder) / "work.log"
        self.known: dict[Key, Execution] = {}
        self._file = frames.FrameFile(self._path)
        for _, record in self._file.read():
            self._apply(_decoder.decode(record))

    def write(self, record: Record) -> None:
        """Write a record down, durably. Raises OSError, and then it is not known."""
        self._file.append(wire.encode(record))
        self._apply(record)
        if self._file.size > REWRITE_BYTES and isinstance(record, Forgotten):
            self._rewrite()

    def forget(self, now: int) -> list[Key]:
        """Forget what expired long ago and is acknowledged; `now` is the portal's time."""
        old = [key for key, item in self.known.items() if item.expires_at + KEPT < now and item.end and not item.unsent]
        for key in old:
            self.write(Forgotten(*key))
        return old

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _apply(self, record: Record) -> None:
        match record:
            case Intent(run, attempt, nonce, expires_at):
                self.known[run, attempt] = Execution(run, attempt, nonce, expires_at, record)
            case Filed(report, expires_at):
                key = (report.run, report.attempt)
                item = self.known.setdefault(key, Execution(*key, report.nonce, expires_at))
                if report not in item.reports:
                    item.reports.append(report)
            case Sent(run, attempt, state):
                if (run, attempt) in self.known:
                    self.known[run, attempt].sent[run, attempt, state] += 1
            case Forgotten(run, attempt):
                self.known.pop((run, attempt), None)

    def _rewrite(self) -> None:
        kept = bytearray()
        for item in self.known.values():
            records: list[Record] = [item.intent] if item.intent else []
            records += [Filed(report, item.expires_at) for report in item.reports]
            records += [Sent(*told) for told in sorted(item.sent.elements())]
            for record in records:
                kept += frames.frame(wire.encode(record))
        files.replace(self._path, bytes(kept))
        self._file.close()
        self._file = frames.FrameFile(self._path)


def without_oldest(reports: Iterable[wire.Report], taken: Mapping[Told, int]) -> list[wire.Report]:
    """The reports without the oldest so many of each execution and state: they go out in order, so a verdict is about
    the oldest."""
    left, kept = Counter(taken), []
    for report in reports:
        told = (report.run, report.attempt, report.state)
        if left[told] > 0:
            left[told] -= 1
        else:
            kept.append(report)
    return kept
