"""The open connections of devices: shows who the portal is, makes sure the device is there now, then carries nudges
and what devices ask.

In: a signed request to open one; what devices say over it. Out: frames. Invariants: a stranger is refused before
anything is set up for it; so many are greeted at once and no more; a device has at most `MOST` connections; one that is
revoked is closed at once; a device says hello, then pongs and sealed requests, `MOST_ASKED` at a time, and with
anything else, or a seal that is not right, it is let go.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent import statements, wire, wire_channel
from agent.session import Session, same, share_of
from portal.agents.configuration import Configurations
from portal.agents.door import Claim, Door, Refuse, answer_headers
from portal.agents.gathering import Gathering, tried
from portal.agents.link import POLICY, Link
from portal.agents.presence import Presence
from portal.agents.service import verified
from portal.agents.trails import Greeted, Trails
from portal.agents.wheel import GOING, HELLO, Wheel
from portal.nudges import Nudges
from portal.threads import Threads
from storage.control.api import Control
from storage.control.enrolment import Device
from storage.control.errors import ControlError
from storage.control.key_ring import KeyRing

MOST = 4
MOST_ASKED = 4  # requests of a connection that are not answered
AT_ONCE = 1024  # greetings
PAUSE = 10  # seconds, after which to come again when there are more
PIECE = 250  # tags that are looked up in one go
STRANGER = 4401
Desk = Callable[[str, str, str, bytes], Awaitable[tuple[int, bytes, dict[str, str]]]]  # uid, key, path, body
log = structlog.get_logger("channel")
_decoder = msgspec.json.Decoder(wire_channel.SaidFrame)


class Channels:
    """All channels of one portal."""

    def __init__(
        self,
        door: Door,
        desk: Desk,
        control: Control,
        trails: Trails,
        nudges: Nudges,
        threads: Threads,
        keys: KeyRing,
        configurations: Configurations,
        clock: Callable[[], int],
        presence: Presence,
    ) -> None:
        self._door, self._control, self._trails, self._nudges = door, control, trails, nudges
        self._threads = threads
        self._keys, self._clock, self._configurations, self._presence = keys, clock, configurations, presence
        self._desk, self._key = desk, X25519PrivateKey.generate()
        self._share = share_of(self._key)
        self._openings: Gathering[str, tuple[Device, str] | None] = Gathering(threads, self._at_devices)
        self._greeting: Counter[str] = Counter()
        self._busy = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._news: list[Link] = []
        self._wheel = Wheel()

    async def run(self) -> None:
        """Look after the connections until cancelled."""
        await self._wheel.run()

    def open(self, transport: asyncio.Transport, method: str, path: str, headers: Mapping[str, str]) -> Link:
        """Take over a connection that asks for a channel."""
        link = Link(self, transport)
        self._wheel.expect(link, HELLO)
        key = headers.get("sec-websocket-key", "")
        if method != "GET" or path != wire.CHANNEL or len(key) != 24 or headers.get("sec-websocket-version") != "13":
            link.refuse(404, {}, b"")
        elif self._busy >= AT_ONCE:
            link.refuse(503, {"Retry-After": str(PAUSE)}, b"")
        else:
            self._busy += 1
            self._begin(self._greet(link, key, headers))
        return link

    # --- greeting ------------------------------------------------------------------------------
    async def _greet(self, link: Link, key: str, headers: Mapping[str, str]) -> None:
        claim = None
        try:
            claim, tag = await self._door.claim_by(headers, self._openings.ask)
            device = self._door.check(claim, "GET", wire.CHANNEL, b"")
            uid = device.uid
            if self._nudges.count(uid) + self._greeting[uid] >= MOST:
                raise Refuse(409, "too_many", "This device has too many connections.")
        except Refuse as refuse:
            self._refuse(link, claim, refuse)
        except ControlError:
            link.refuse(503, {"Retry-After": str(PAUSE)}, b"")
        else:
            challenge, now = secrets.token_bytes(32), self._clock()
            last = statements.step_name(device.step or "")
            said = statements.welcome_bytes(uid, claim.nonce, challenge, now, self._share, last)
            signature = self._keys.of(claim.pinned).sign(said)
            self._greeting[uid] += 1
            link.greeting = claim, challenge
            link.accept(key, wire.encode(wire_channel.Welcome(challenge, now, self._share, signature, tag, last)))
        finally:
            self._busy -= 1

    def _refuse(self, link: Link, claim: Claim | None, refuse: Refuse) -> None:
        body = wire.encode(wire.Refusal(wire.Problem(refuse.code, str(refuse))))
        headers = {"Retry-After": str(refuse.pause)} if refuse.pause else {}
        if claim is not None and refuse.signed:
            headers |= answer_headers(self._keys.of(claim.pinned), claim, self._clock(), refuse.status, body)
        link.refuse(refuse.status, headers, body)

    def said(self, link: Link, text: bytes) -> None:
        """Hello first, then pongs and what it asks."""
        try:
            frame = _decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            link.close(POLICY)
            return
        if isinstance(frame, wire_channel.Hello) and link.greeting is not None:
            self._hello(link, frame)
        elif isinstance(frame, wire_channel.Ask) and link.session is not None:
            self._ask(link, frame)
        elif link.greeting is not None or not isinstance(frame, wire_channel.Pong):
            link.close(POLICY)

    def _hello(self, link: Link, frame: wire_channel.Hello) -> None:
        claim, challenge = link.greeting
        uid, before = claim.device.uid, claim.device.step
        said = statements.hello_bytes(uid, challenge, frame.share, frame.trail)
        if not verified(claim.device.identity_key, frame.signature, said):
            link.close(STRANGER)
            return
        self._greeted(link)
        if frame.share is not None:
            link.session = frame.share + challenge  # most ask nothing: the keys are made with the first request
        link.uid = uid
        self._wheel.add(link)
        if self._nudges.add(uid, link):
            self._presence.came(uid)
        self._begin(self._trails.greeted(link, Greeted(uid, frame.trail, before)))

    def _greeted(self, link: Link) -> None:
        if link.greeting is not None:
            uid = link.greeting[0].device.uid
            link.greeting = None
            self._greeting[uid] -= 1
            if not self._greeting[uid]:
                del self._greeting[uid]

    # --- what a device asks --------------------------------------------------------------------
    def _ask(self, link: Link, frame: wire_channel.Ask) -> None:
        said = statements.sealed_ask_bytes(frame.number, frame.path, frame.pinned, bytes(frame.body))
        session = self._session(link)
        if session is None or not same(frame.seal, session.ask(said)) or not session.taken(frame.number):
            link.close(STRANGER)
        elif link.asking >= MOST_ASKED:
            link.close(POLICY)
        else:
            link.spare()
            link.asking += 1
            self._begin(self._tell(link, session, frame))

    def _session(self, link: Link) -> Session | None:
        if isinstance(link.session, bytes):
            try:
                link.session = Session(self._key, link.session[:32], link.session[32:])
            except ValueError:  # the share of a device that wants no secret
                return None
        return link.session  # type: ignore[no-any-return]  # whatever a link keeps for us

    async def _tell(self, link: Link, session: Session, frame: wire_channel.Ask) -> None:
        try:
            status, body, headers = await self._desk(link.uid, frame.pinned, frame.path, bytes(frame.body))
        finally:
            link.asking -= 1
        now, pause = self._clock(), int(headers.get("Retry-After", "0"))
        seal = session.answer(statements.sealed_answer_bytes(frame.number, status, now, pause, body))
        link.tell(wire.encode(wire_channel.Answer(frame.number, status, now, msgspec.Raw(body), seal, pause)))

    def _at_devices(self, uids: Sequence[str]) -> list[tuple[Device, str] | Exception | None]:
        """Devices with the tags of their configurations."""

        def look(uid: str) -> tuple[Device, str] | None:
            device = self._control.enrolment.device(uid)
            return None if device is None else (device, self._configurations.tag(uid))

        with self._control.one_instant():
            return [tried(look, uid) for uid in uids]

    # --- what happens to a link ----------------------------------------------------------------
    def news(self, link: Link) -> None:
        """Look the tag up, together with those of others."""
        self._news.append(link)
        if len(self._news) == 1:
            self._begin(self._tell_news())

    def closing(self, link: Link) -> None:
        """Give it a moment."""
        self._wheel.expect(link, GOING)

    def ended(self, link: Link) -> None:
        """Forget it."""
        self._greeted(link)
        if link.uid:
            self._wheel.remove(link)
            if self._nudges.remove(link.uid, link):
                self._presence.left(link.uid, link.reason)

    async def _tell_news(self) -> None:
        while self._news:
            links = self._news[:PIECE]
            tags = await self._threads.control(self._tags, links)
            del self._news[: len(links)]
            for link, told in zip(links, tags, strict=True):
                link.tell(wire.encode(wire_channel.Config(told)))

    def _tags(self, links: list[Link]) -> list[str]:
        return [self._configurations.tag(link.uid) for link in links]

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("channel_failed", reason=repr(error)[:300])
