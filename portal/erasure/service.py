"""Who is to be erased, what would go, how far it is, on plain values.

In: a caller who administers, and so sees everything; devices or people by identifier or name. Out: erasures, which
`portal.erasure.work` carries out. Invariants: nobody is erased by a name that several have; asked again, an erasure is
the same one until it is done; what it would take away can be seen before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from portal.caller import Caller
from portal.erasure import messages as m
from portal.queries.sources import Sources
from portal.threads import Threads
from storage.control.api import Control
from storage.control.erasure import Erasure
from storage.control.errors import RefusedError
from storage.control.tombstones import DEVICE, PERSON
from storage.tables.api import Naming, SnapshotSource, about

TABLES = {DEVICE: "device.devices", PERSON: "user.users"}
FOUND = "found"


class Erasing:
    """The erasure slice. `wake` is called when there is something to do."""

    def __init__(
        self, control: Control, sources: Sources, threads: Threads, clock: Callable[[], int], wake: Callable[[], None]
    ) -> None:
        self._control = control
        self._sources = sources
        self._threads = threads
        self._clock = clock
        self._wake = wake

    async def ask(self, caller: Caller, kind: str, wanted: Sequence[m.ToErase]) -> list[m.ErasureAnswer]:
        """Have them erased: what became of each."""
        source = await self._sources.snapshot()
        answers = [await self._threads.small(self._meant, source, kind, one) for one in wanted]
        asked = await self._threads.control(self._ask, caller, kind, answers)
        self._wake()
        return asked

    async def preview(self, kind: str, wanted: Sequence[m.ToErase]) -> list[m.WouldGo]:
        """What would go of each. Raises ApiError 503, 504."""
        source = await self._sources.snapshot()
        answers = [await self._threads.small(self._meant, source, kind, one) for one in wanted]
        return [await self._threads.query(self._previewed, source, kind, answer) for answer in answers]

    async def latest(self, limit: int, before: str | None) -> list[Erasure]:
        """Erasures, newest first."""
        return await self._threads.control(partial(self._control.erasures.latest, limit, before=before))

    async def erasure(self, identifier: str) -> Erasure:
        """One erasure. Raises NotFoundError."""
        return await self._threads.control(self._control.erasures.erasure, identifier)

    def _meant(self, source: SnapshotSource, kind: str, wanted: m.ToErase) -> m.ErasureAnswer:
        """Who is meant: status FOUND, or why nobody is."""
        uid, name = wanted.uid, wanted.name
        if uid is None and name is None:
            return m.ErasureAnswer(None, None, "invalid")
        found = about.find(source, TABLES[kind], uid=uid, name=None if uid else name)
        enrolled = self._control.enrolment.device(uid) if kind == DEVICE and uid else None
        if enrolled is not None and not found:
            found = [about.Object(enrolled.uid, enrolled.name)]
        if len(found) > 1:
            return m.ErasureAnswer(uid, name, "ambiguous")
        if not found:
            done = self._control.erasures.done(kind, uid) if uid else None
            return m.ErasureAnswer(uid, name, "done", done.id) if done else m.ErasureAnswer(uid, name, "unknown")
        [one] = found
        if uid and name and (one.name or "").lower() != name.lower():
            return m.ErasureAnswer(uid, name, "invalid")
        return m.ErasureAnswer(one.uid, one.name, FOUND)

    def _ask(self, caller: Caller, kind: str, answers: Sequence[m.ErasureAnswer]) -> list[m.ErasureAnswer]:
        return [self._asked(caller, kind, answer) if answer.status == FOUND else answer for answer in answers]

    def _asked(self, caller: Caller, kind: str, answer: m.ErasureAnswer) -> m.ErasureAnswer:
        try:
            made = self._control.erasures.ask(kind, answer.uid or "", by=caller.actor, now=self._clock())
        except RefusedError:
            return m.ErasureAnswer(answer.uid, answer.name, "failed")
        return m.ErasureAnswer(answer.uid, answer.name, "scheduled", made.id)

    def _previewed(self, source: SnapshotSource, kind: str, answer: m.ErasureAnswer) -> m.WouldGo:
        if answer.status != FOUND:
            return m.WouldGo(answer.uid, answer.name, answer.status)
        uid, words = answer.uid or "", self.words(source, kind, answer.uid or "")
        found = self._control.erasures.found(kind, uid, words)
        return m.WouldGo(
            uid, answer.name, FOUND, about.counts(source, TABLES[kind], uid), found.counts,
            sorted({*words.ids, *words.names}), found.written,
        )  # fmt: skip

    def words(self, source: SnapshotSource, kind: str, uid: str) -> Naming:
        """By which words texts name it."""
        said = about.words_of(source, TABLES[kind], uid)
        return self._control.erasures.names_of(uid, said) if kind == DEVICE else said
