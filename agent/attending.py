"""Who is logged in here, told when it changes; and the questions that the portal has for them.

In: the host, questions that may be shown. Out: events for the core. Invariants: it looks every `LOOK_SECONDS` and no
more often; a question goes away when it is stopped, its time is over or the agent ends; whom it is for is found anew
when it is shown, so that nobody else at this device sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event

from agent import events as e
from agent.campaigns.questions import Reply
from agent.campaigns.sent import STOPPED, Asked
from agent.clock import Clock
from agent.collectors.base import Names
from agent.host.base import Host

LOOK_SECONDS = 30.0
SECOND = 1_000_000
MOST_PEOPLE = 64
Spawn = Callable[..., asyncio.Task[None]]


class Attending:
    """The people of one device. `time` gives how far the portal's clock is ahead of ours."""

    def __init__(
        self, device: str, host: Host, clock: Clock, time: Callable[[], int], post: Callable[[e.Event], None]
    ) -> None:
        self._names, self._host, self._clock, self._time, self._post = Names(device), host, clock, time, post
        self._there: dict[str, str] = {}  # the key of each who is logged in, and what the device calls the account
        self._asking: dict[tuple[str, int], tuple[Event, asyncio.Task[None]]] = {}
        self._closing = False

    async def look(self) -> None:
        """Tell who is logged in whenever that has changed, until cancelled; nobody sits at a simulated device."""
        while not self._host.simulated:
            before = tuple(self._there)
            await self._find()
            if tuple(self._there) != before:
                self._post(e.PeopleSeen(tuple(self._there)))
            await asyncio.sleep(LOOK_SECONDS)

    def begin(self, asked: Asked, spawn: Spawn) -> None:
        """Put a question to its person."""
        gone = Event()
        self._asking[asked.key] = gone, spawn(self._ask(asked, gone))

    def stop(self, run: str, attempt: int) -> None:
        """Take a question away, if it is here."""
        if (run, attempt) in self._asking:
            self._asking[run, attempt][0].set()

    async def close(self, seconds: float) -> None:
        """Take all questions away, and wait until they are."""
        self._closing = True
        tasks = [task for _, task in self._asking.values()]
        for key in self._asking:
            self.stop(*key)
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        await asyncio.sleep(0)

    async def _find(self) -> None:
        found = await asyncio.to_thread(self._host.people)
        self._there = {self._names.user(one): one.key for one in sorted(found, key=lambda one: one.key)[:MOST_PEOPLE]}

    async def _ask(self, asked: Asked, gone: Event) -> None:
        loop = asyncio.get_running_loop()

        def shown() -> None:
            loop.call_soon_threadsafe(self._post, e.QuestionsShown(asked))

        left = (asked.expires_at - self._clock.now() - self._time()) / SECOND
        try:
            await self._find()
            if (account := self._there.get(asked.person)) is None:
                reply = Reply("notificationfailed", "this person is not logged in here any more")
            else:
                reply = await self._host.ask(asked.campaign, account, left, gone.is_set, shown)
        except Exception as error:
            reply = Reply("notificationfailed", f"the agent failed to ask: {type(error).__name__}")
        if self._closing and reply.status == "timeout":
            reply = Reply("notificationfailed", STOPPED)
        del self._asking[asked.key]
        self._post(e.PersonReplied(asked, reply))
