"""The open connection of a device: shows who the portal is, makes sure the device is there now, then carries nudges.

In: a WebSocket whose opening request is signed. Out: frames. Invariants: a stranger's connection is refused before it
is accepted; a device has at most `MOST` connections; one that is revoked is closed at once; a device says hello and
pong and nothing else, and little of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent import statements, wire
from portal.agents.configuration import Configurations
from portal.agents.door import Claim, Door, Refuse
from portal.agents.service import verified
from portal.nudges import Connection, Nudges
from portal.threads import Threads
from storage.control.api import Control
from storage.control.key_ring import KeyRing

MOST = 4
HELLO_SECONDS = 15.0
GOING_AWAY, STRANGER, REVOKED = 1001, 4401, 4403
NUDGE = wire.encode(wire.Nudge()).decode()
_decoder = msgspec.json.Decoder(wire.SaidFrame)


class Channels:
    """All channels of one portal."""

    def __init__(
        self,
        door: Door,
        control: Control,
        nudges: Nudges,
        threads: Threads,
        keys: KeyRing,
        configurations: Configurations,
        clock: Callable[[], int],
    ) -> None:
        self._door, self._control, self._nudges, self._threads = door, control, nudges, threads
        self._keys, self._clock, self._configurations = keys, clock, configurations
        self._count: dict[str, int] = {}

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection to its end."""
        try:
            claim = await self._door.claim(socket.headers)
            device = self._door.check(claim, "GET", wire.CHANNEL, b"")
            if self._count.get(device.uid, 0) >= MOST:
                raise Refuse(409, "too_many", "This device has too many connections.")
        except Refuse:
            await socket.close()  # before it is accepted: the request is answered with 403
            return
        self._count[device.uid] = self._count.get(device.uid, 0) + 1
        try:
            await socket.accept()
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self._greeted(socket, claim)
        finally:
            self._count[device.uid] -= 1
            if not self._count[device.uid]:
                del self._count[device.uid]

    async def _greeted(self, socket: WebSocket, claim: Claim) -> None:
        if not await self._greet(socket, claim):
            await socket.close(STRANGER)
            return
        uid = claim.device.uid
        with self._nudges.connected(uid) as connection:
            if not await self._revoked(uid):
                await self._look(uid, connection)
                await self._follow(socket, uid, connection)
            await socket.close(REVOKED if await self._revoked(uid) else GOING_AWAY)

    async def _greet(self, socket: WebSocket, claim: Claim) -> bool:
        uid, challenge, now = claim.device.uid, secrets.token_bytes(32), self._clock()
        said = statements.welcome_bytes(uid, claim.nonce, challenge, now)
        signature = self._keys.of(claim.pinned).sign(said)
        tag = await self._threads.control(self._configurations.tag, uid)
        await socket.send_text(wire.encode(wire.Welcome(challenge, now, signature, tag)).decode())
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                frame = _decoder.decode(await socket.receive_text())
        except (TimeoutError, msgspec.MsgspecError, KeyError):
            return False
        if not isinstance(frame, wire.Hello):
            return False
        return verified(claim.device.identity_key, frame.signature, statements.hello_bytes(uid, challenge))

    async def _look(self, uid: str, connection: Connection) -> None:
        """Nudge a device that has just come, if there is work: it does not ask by itself."""
        waiting = self._control.dispatch.waiting_devices
        if await self._threads.control(waiting, now=self._clock(), device=uid):
            connection.wake()

    async def _follow(self, socket: WebSocket, uid: str, connection: Connection) -> None:
        """Send nudges until the device leaves or has to."""
        listening = asyncio.create_task(_listen(socket))
        try:
            while not listening.done():
                waiting = asyncio.create_task(connection.wait())
                await asyncio.wait({waiting, listening}, return_when=asyncio.FIRST_COMPLETED)
                if listening.done() or not await waiting:
                    waiting.cancel()
                    return
                await self._tell(socket, uid, connection)
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await listening

    async def _tell(self, socket: WebSocket, uid: str, connection: Connection) -> None:
        if connection.nudged:
            connection.nudged = False
            await socket.send_text(NUDGE)
        if connection.configured:
            connection.configured = False
            tag = await self._threads.control(self._configurations.tag, uid)
            await socket.send_text(wire.encode(wire.Config(tag)).decode())

    async def _revoked(self, uid: str) -> bool:
        device = await self._threads.control(self._control.enrolment.device, uid)
        return device is None or device.revoked_at is not None


async def _listen(socket: WebSocket) -> None:
    """Read what the device says, which is little, until it leaves or says what it should not."""
    said = 0
    while said < 10_000:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text") or ""
        try:
            frame = _decoder.decode(text[: wire.FRAME_BYTES])
        except msgspec.MsgspecError:
            return
        if not isinstance(frame, wire.Pong):
            return
        said += 1
