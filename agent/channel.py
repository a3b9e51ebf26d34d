"""The one open connection to the portal, over which it says that there is work, and over which small things are asked.

In: the portal's frames. Out: calls for what they mean; answers. Invariants: the opening request is signed, so the
portal sets nothing up for a stranger; the portal must show that it is the pinned one before anything it says counts;
requests and answers are sealed with keys that follow from the greeting, so that a forged frame is at most a needless
pull. What cannot be asked here is asked by HTTP (`asking`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.http11 import Response

from agent import statements, wire, wire_channel
from agent.clock import Clock
from agent.exchange import Answer, Exchange, UnreachableError, seconds
from agent.identity import Keys, verify
from agent.proxies import ProxyError, proxy_for
from agent.session import Session, same, share_of
from agent.version import __version__

OPEN_SECONDS = 20.0
PING_SECONDS = 45.0
LONGEST_PAUSE = 120  # seconds; who answers here has not shown who it is
LONGEST_PAUSE_ASKED = 3600
LONGEST = wire.FRAME_BYTES - 512  # bytes of what is asked, without what is around it
MOST_ASKED = 4  # at once; the portal takes no more
TIMEOUT = 30.0
TOO_LONG = 413  # the answer does not fit in here
REVOKED = 4403  # the portal closes with this code when it has closed the device's identity
CLONED = 4409  # and with this one when another machine goes by it, too
CLONED_PAUSE = 60  # seconds
_decoder = msgspec.json.Decoder(wire_channel.ToldFrame)


class RevokedError(Exception):
    """The portal has closed this device's identity."""


class ClonedError(Exception):
    """Another machine goes by our identity, or we were set back: the portal holds both until an administrator decides.
    `pause` is what it asked to wait, in microseconds."""

    def __init__(self, pause: int) -> None:
        super().__init__("the portal holds this device's identity")
        self.pause = pause


class BusyError(UnreachableError):
    """The portal lets nobody in now; `pause` is what it asked to wait, in microseconds."""

    def __init__(self, pause: int) -> None:
        super().__init__("the portal has no room for the channel now")
        self.pause = pause


class Channel:
    """One connection, from its opening to its end. `trail` gives the trail to greet with (`Trail.after`)."""

    def __init__(
        self, exchange: Exchange, keys: Keys, clock: Clock, trail: Callable[[str], Awaitable[tuple[str, ...]]]
    ) -> None:
        self._exchange, self._trail = exchange, trail
        self._keys = keys
        self._clock = clock
        self._open: ClientConnection | None = None
        self._session: Session | None = None
        self._asked: dict[int, asyncio.Future[wire_channel.Answer]] = {}

    async def ask(self, path: str, body: bytes) -> Answer | None:
        """The portal's answer; None if this has to be asked in another way, now or at all. What was asked may have been
        done nevertheless."""
        connection, session = self._open, self._session
        fits = path in wire_channel.ASKED and len(body) <= LONGEST and len(self._asked) < MOST_ASKED
        if connection is None or session is None or not fits:
            return None
        number, pinned = session.next(), statements.fingerprint(self._exchange.enrolment.portal_key)
        seal = session.ask(statements.sealed_ask_bytes(number, path, pinned, body))
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        asked = self._clock.now()
        try:
            async with asyncio.timeout(TIMEOUT):
                frame = wire_channel.Ask(number, path, pinned, msgspec.Raw(body), seal)
                await connection.send(wire.encode(frame).decode())
                told = await future
        except (OSError, TimeoutError, WebSocketException, UnreachableError):
            return None
        finally:
            self._asked.pop(number, None)
        if told.status == TOO_LONG:
            return None
        offset = self._exchange.learn(told.time, asked, self._clock.now())
        return Answer(told.status, bytes(told.body), offset, min(told.pause, LONGEST_PAUSE_ASKED) * 1_000_000)

    async def listen(
        self, opened: Callable[[int, str], None], nudged: Callable[[], None], configured: Callable[[str], None]
    ) -> None:
        """Stay connected. `opened` is called once with the portal's offset and our configuration's tag, `nudged` for
        every nudge, `configured` for every new tag. Raises UnreachableError (BusyError) when it ends, RevokedError,
        ClonedError."""
        asked = self._clock.now()
        pinned, headers = self._exchange.enrolment.portal_key, self._exchange.sign("GET", wire.CHANNEL, b"")
        url = "ws" + self._exchange.enrolment.url.removeprefix("http") + wire.CHANNEL
        try:
            proxy = proxy_for(self._exchange.enrolment.url)
            async with connect(
                url, additional_headers=headers, compression=None, max_size=wire.TOLD_BYTES, max_queue=4,
                proxy=None if proxy is None else proxy.url, ssl=self._exchange.tls,
                open_timeout=OPEN_SECONDS, ping_interval=PING_SECONDS, ping_timeout=OPEN_SECONDS, close_timeout=2,
            ) as connection:  # fmt: skip
                async with asyncio.timeout(OPEN_SECONDS):
                    opened(*await self._greet(connection, pinned, headers[wire.NONCE_HEADER], asked))
                self._open = connection
                await self._follow(connection, nudged, configured)
        except InvalidStatus as error:
            raise self._refused(error.response, pinned, headers[wire.NONCE_HEADER], asked) from error
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code == REVOKED:
                raise RevokedError from error
            if error.rcvd is not None and error.rcvd.code == CLONED:
                raise ClonedError(CLONED_PAUSE * 1_000_000) from error
            raise UnreachableError(f"the channel was closed: {error}") from error
        except (OSError, TimeoutError, ProxyError, WebSocketException, msgspec.MsgspecError) as error:
            raise UnreachableError(f"the channel failed: {str(error) or type(error).__name__}") from error
        finally:
            self._open = None
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(UnreachableError("the channel was closed"))

    def _refused(self, response: Response, pinned: bytes, nonce: str, asked: int) -> Exception:
        """What a refusal means. Only what the portal signed says more than that it did not work; then its time is
        known, too, so that a wrong clock of ours keeps nobody out for long."""
        status, given = response.status_code, {name.lower(): value for name, value in response.headers.raw_items()}
        pause = seconds(given.get("retry-after", ""), LONGEST_PAUSE) * 1_000_000
        if status == 503:
            return BusyError(pause)
        if self._exchange.refused(pinned, status, given, bytes(response.body), nonce, asked) and status in (403, 409):
            return RevokedError() if status == 403 else ClonedError(pause)
        return UnreachableError(f"the portal does not open the channel (status {status})")

    async def _greet(self, connection: ClientConnection, pinned: bytes, nonce: str, asked: int) -> tuple[int, str]:
        frame = _decoder.decode(await connection.recv())
        enrolment = self._exchange.enrolment
        if not isinstance(frame, wire_channel.Welcome):
            raise UnreachableError("the channel does not begin as a portal's does")
        head = (enrolment.device, nonce, frame.challenge, frame.server_time, frame.share)
        said = statements.welcome_bytes(*head, frame.last)
        if not verify(pinned, frame.signature, said):
            raise UnreachableError("the channel is not that of the portal that this device pinned")
        key, trail = X25519PrivateKey.generate(), await self._trail(frame.last)
        share = share_of(key)
        signature = self._keys.sign(statements.hello_bytes(enrolment.device, frame.challenge, share, trail))
        await connection.send(wire.encode(wire_channel.Hello(__version__, signature, share, list(trail))).decode())
        self._session = Session(key, frame.share, frame.challenge)
        return self._exchange.learn(frame.server_time, asked, self._clock.now()), frame.tag

    async def _follow(
        self, connection: ClientConnection, nudged: Callable[[], None], configured: Callable[[str], None]
    ) -> None:
        while True:
            try:
                frame = _decoder.decode(await connection.recv())
            except msgspec.ValidationError:
                continue  # a frame of a newer portal
            if isinstance(frame, wire_channel.Nudge):
                nudged()
            elif isinstance(frame, wire_channel.Config):
                configured(frame.config)
            elif isinstance(frame, wire_channel.Answer):
                self._answered(frame)
            elif isinstance(frame, wire_channel.Ping):
                await connection.send(wire.encode(wire_channel.Pong()).decode())

    def _answered(self, told: wire_channel.Answer) -> None:
        said = statements.sealed_answer_bytes(told.number, told.status, told.time, told.pause, bytes(told.body))
        future = self._asked.get(told.number)
        if future is None or future.done():
            return
        if self._session is not None and same(told.seal, self._session.answer(said)):
            future.set_result(told)
