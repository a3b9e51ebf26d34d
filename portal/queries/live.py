"""Queries that are kept up: asked again when what they read has changed, once for all who follow the same.

In: a caller, a question. Out: a `Reader`, who finds the newest answer there. Invariants: an answer is shared only by
those whose rights give the same rows; what one reader has not fetched yet is replaced by what is newer, never queued;
a query that is dear is asked seldom: the time between two refreshes is a multiple of what the last one took. How an
answer is found, from stored states, kept answers or all rows, is the engine's business, as for any query.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import structlog

from engine.formats import instant_text, to_json
from nql.plan.relations import Relation
from nql.rules import DEFAULT, Rules
from portal.caller import Caller, Permission
from portal.clock import elapsed
from portal.endpoints import encode
from portal.errors import ApiError, answer
from portal.queries.admission import Purpose
from portal.queries.live_marks import Mark
from portal.queries.service import Answer, Queries, Wanted, still_open
from portal.threads import Threads

MOST, MOST_OF_ONE = 100, 10  # readers of the portal, of one account
MOST_BYTES = 4 << 20  # of an answer as JSON
COMPARED = ("columns", "rows", "devices", "truncated", "warnings")  # what makes an answer another one
LATER = frozenset({429, 503, 504, 507})  # what may go well the next time
log = structlog.get_logger("live")


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds: refreshes are `least` apart, and `factor` times what the last one took, but `most` is enough. What is
    read changes with the time alone (`past 1h`), it is asked again after `moving`."""

    least: float = 1.0
    most: float = 60.0
    factor: float = 10.0
    moving: float = 60.0

    def after(self, took: float) -> float:
        """How long to wait after a turn that took so long."""
        return min(self.most, max(self.least, self.factor * took))


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked, and of who asks all that the answer depends on."""

    text: str
    parameters: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    zone: str | None = None
    rules: Rules = DEFAULT
    limit: int = 1000
    domain: str | None = None
    administers: bool = False

    def seen_by(self, caller: Caller) -> Subject:
        """The same for a caller as it is now."""
        administers = caller.may(Permission.ADMINISTER)
        return replace(self, zone=self.zone or caller.account.zone, domain=caller.domain, administers=administers)


@dataclass(frozen=True, slots=True)
class Newest:
    """What is known of a subject: its answer as JSON, with a digest of what makes it another one; as of when (an
    instant as text); and why it could not be asked again, if so."""

    body: bytes = b""
    digest: bytes = b""
    now: str = ""
    complete_until: str = ""
    late: dict[str, Any] | None = None


class Reader:
    """One who follows a query. Whoever has one closes it."""

    def __init__(self, live: Live, wanted: Subject, account: str) -> None:
        self.account = account
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # cancelled by who ends it
        self.ended.add_done_callback(lambda _: self.wake())
        self._live = live
        self._wanted = wanted
        self._topic: _Topic | None = None
        self._news = asyncio.Event()

    async def follow(self, caller: Caller) -> Newest:
        """The newest for a caller with the rights it has now. Waits for the first answer; raises what speaks against
        it."""
        self.check()
        self._news.clear()
        subject = self._wanted.seen_by(caller)
        if self._topic is None or self._topic.subject != subject:
            before, self._topic = self._topic, self._live.topic(subject, caller)
            self._topic.readers.add(self)
            if before is not None:
                before.leave(self)
        return await self._topic.newest()

    def check(self) -> None:
        """Raises ApiError 409 if somebody has ended it."""
        if self.ended.cancelled():
            raise ApiError(409, "cancelled", "The live query was ended.", "Begin again if you still want it.")

    async def wait(self, seconds: float) -> None:
        """Until there are news, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def wake(self) -> None:
        """There are news."""
        self._news.set()

    def close(self) -> None:
        """Follow no more."""
        self._live.forget(self)
        if self._topic is not None:
            self._topic.leave(self)


class Live:
    """All that is followed. To be used from one event loop."""

    def __init__(self, queries: Queries, threads: Threads, clock: Callable[[], int]) -> None:
        self.pace = Pace()
        self.most_bytes = MOST_BYTES
        self.refreshes = 0
        self._queries = queries
        self._threads = threads
        self._clock = clock
        self._readers: set[Reader] = set()
        self._topics: dict[Subject, _Topic] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def reader(self, account: str, wanted: Subject) -> Reader:
        """Somebody new. Raises ApiError 429 when there are too many."""
        mine = Counter(reader.account for reader in self._readers)[account]
        if mine >= MOST_OF_ONE or len(self._readers) >= MOST:
            whose = f"Your account follows {mine}" if mine >= MOST_OF_ONE else f"This portal keeps up {MOST}"
            hint = "Switch Live off where you do not look, or ask the query once."
            raise ApiError(429, "too_many_live", f"{whose} live queries already.", hint, headers={"Retry-After": "30"})
        made = Reader(self, wanted, account)
        self._readers.add(made)
        return made

    def topic(self, subject: Subject, caller: Caller) -> _Topic:
        """The one that keeps a subject up. Raises ApiError 503 when the portal stops."""
        if self._closed:
            raise _stopping()
        found = self._topics.get(subject)
        if found is None:
            found = self._topics[subject] = _Topic(self, self._queries, self._threads, self._clock, subject, caller)
            self._tasks.add(found.task)
            found.task.add_done_callback(self._tasks.discard)
        return found

    def forget(self, reader: Reader) -> None:
        """Somebody has gone."""
        self._readers.discard(reader)

    def let_go(self, topic: _Topic) -> None:
        """Nobody follows a subject any more, or it has ended."""
        topic.task.cancel()
        if self._topics.get(topic.subject) is topic:
            del self._topics[topic.subject]

    def close(self) -> None:
        """Have everyone end: the portal stops."""
        self._closed = True
        for topic in [*self._topics.values()]:
            topic.end(_stopping())

    async def stop(self) -> None:
        """Close, and wait until nothing is under way."""
        self.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Topic:
    """One subject, kept up by a task."""

    def __init__(
        self, live: Live, queries: Queries, threads: Threads, clock: Callable[[], int], subject: Subject, caller: Caller
    ) -> None:
        self.subject = subject
        self.readers: set[Reader] = set()
        self.turns = 0  # how often it was looked whether anything has changed
        self._live = live
        self._queries = queries
        self._threads = threads
        self._clock = clock
        self._caller = caller
        self._newest: Newest | None = None
        self._error: Exception | None = None
        self._known = asyncio.Event()
        self._version: tuple[int, str] | None = None  # None: what is read changes without a new one
        self._mark: Mark | None = None
        self._relation: Relation | None = None
        self._looked = self._asked = 0.0  # seconds by `elapsed`
        self.task = asyncio.create_task(self._run())

    async def newest(self) -> Newest:
        """What is known, once anything is. Raises what speaks against it."""
        await self._known.wait()
        if self._error is not None:
            raise self._error
        assert self._newest is not None
        return self._newest

    def leave(self, reader: Reader) -> None:
        """Somebody follows no more."""
        self.readers.discard(reader)
        if not self.readers:
            self._live.let_go(self)

    def end(self, error: Exception) -> None:
        """There is nothing more to come."""
        self._error = error
        self._live.let_go(self)
        self._tell()

    def _tell(self) -> None:
        self._known.set()
        for reader in self.readers:
            reader.wake()

    async def _run(self) -> None:
        while True:
            began = elapsed()
            try:
                await self._turn()
            except Exception as error:
                status, said, _ = answer(error)
                if status == 500:
                    log.exception("live_query_failed")
                if self._newest is None or status not in LATER:
                    self.end(error)
                    return
                self._version, self._newest = None, replace(self._newest, late=said["error"])
                self._tell()
            self.turns += 1
            await asyncio.sleep(self._live.pace.after(elapsed() - began))

    async def _turn(self) -> None:
        """Look whether anything has changed, and ask again if so."""
        now, version = elapsed(), await self._queries.version()
        if self._version == version and now - self._looked < self._live.pace.moving:
            self._still(instant_text(self._clock()))
            return
        self._looked = now
        s = self.subject
        asked = await self._queries.understood(self._caller, s.text, dict(s.parameters), s.zone, s.rules)
        plan, mark = await self._queries.marked(asked)
        same = mark is not None and self._mark is not None and mark.same(self._mark)
        moved = plan.relation != self._relation and now - self._asked >= self._live.pace.moving
        self._version = None if still_open(asked.compiled) else version
        if same and not moved:
            self._still(instant_text(asked.source.complete_until))
            return
        found = await self._queries.answered(asked, Wanted(s.limit), Purpose.LIVE, elapsed())
        self._take(await self._threads.query(written, found, self._live.most_bytes))
        self._mark, self._relation, self._asked = mark, plan.relation, now

    def _take(self, newest: Newest) -> None:
        self._live.refreshes += 1
        before, self._newest = self._newest, newest
        if before is None or before.digest != newest.digest or before.late:
            self._tell()

    def _still(self, until: str) -> None:
        """Nothing has changed."""
        assert self._newest is not None
        late = self._newest.late
        self._newest = replace(self._newest, now=instant_text(self._clock()), complete_until=until, late=None)
        if late:
            self._tell()


def written(answered: Answer, most: int) -> Newest:
    """An answer as it is sent, at most so many bytes. Raises ApiError 422 for one that is larger."""
    said = to_json(answered.result, devices=answered.devices, elapsed_ms=answered.elapsed_ms)
    digest = sha256(encode({name: said[name] for name in COMPARED})).digest()
    body = encode({"cost": answered.spent.json(), **said})
    if len(body) > most:
        message = f"The answer is larger than a live query may have ({most:,} bytes)."
        raise ApiError(422, "live_too_large", message, "Ask for fewer rows or columns, summarize, or ask it once.")
    return Newest(body, digest, said["now"], said["complete_until"])


def _stopping() -> ApiError:
    return ApiError(503, "stopping", "The portal is stopping.", "Begin again when it is back.")
