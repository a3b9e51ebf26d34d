"""Who may come in: every request of a device but enrolment is signed, fresh, and from a device that is ours and not
revoked.

In: headers and the body of a request. Out: the device, or `Refuse`. Invariants: nothing of a stranger's is kept, and
its body is read only when the headers name a live device; a request is taken once (its nonce is remembered as long as
its time is acceptable); what is told to a stranger is neither signed nor says which part was wrong.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent import statements, wire
from portal.agents.gathering import Gathering, tried
from portal.threads import Threads
from storage.control.api import Control
from storage.control.enrolment import Device
from storage.control.ids import is_uuid

T = TypeVar("T")
_NAMES = (wire.DEVICE_HEADER, wire.TIME_HEADER, wire.NONCE_HEADER, wire.SIGNATURE_HEADER, wire.PINNED_HEADER)
_DEVICE, _TIME, _NONCE, _SIGNATURE, _PINNED = (name.lower() for name in _NAMES)
CLONED_PAUSE = 60  # seconds
MOST_NONCES = 500_000  # remembered at once; more requests than that in a window are put off


class Refuse(Exception):  # noqa: N818 - an answer, as its callers speak of it
    """The request is not taken. `signed` says whether the device is known to have asked, so that the answer is signed
    for it."""

    def __init__(self, status: int, code: str, message: str, *, signed: bool = False, pause: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.signed = signed
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of itself, not yet believed."""

    device: Device
    time: int
    nonce: str
    signature: bytes
    pinned: str | None = None  # the fingerprint of the portal's key that the device goes by


class Nonces:
    """The nonces of the last window, in two halves that take turns."""

    def __init__(self, window: int = 2 * wire.WINDOW, most: int = MOST_NONCES) -> None:
        self._window, self._most = window, most
        self._turned = 0
        self._new: set[tuple[str, str]] = set()
        self._old: set[tuple[str, str]] = set()

    def take(self, device: str, nonce: str, now: int) -> bool | None:
        """True if it is new, False if it was seen, None if no more can be remembered now."""
        if now - self._turned > self._window:
            self._old = self._new if now - self._turned <= 2 * self._window else set()
            self._new, self._turned = set(), now
        if (device, nonce) in self._new or (device, nonce) in self._old:
            return False
        if len(self._new) >= self._most:
            return None
        self._new.add((device, nonce))
        return True


class Door:
    """The one door for devices. `contact` is told of each that was let in."""

    def __init__(
        self, control: Control, threads: Threads, clock: Callable[[], int], contact: Callable[[str], None]
    ) -> None:
        self._control, self._threads, self._clock, self._contact = control, threads, clock, contact
        self._nonces = Nonces()
        self._opened = clock()
        self._looks = Gathering(threads, self._look_up)

    async def claim(self, headers: Mapping[str, str]) -> Claim:
        """What the headers say, if they name a device that may still speak. Raises Refuse."""
        uid, said = _said(headers)
        enrolment, now = self._control.enrolment, self._clock()
        device = enrolment.known(uid, now=now) or await self._looks.ask((uid, now))
        if device is None:
            raise _stranger()
        return Claim(device, *said)

    async def claim_by(
        self, headers: Mapping[str, str], look: Callable[[str], Awaitable[tuple[Device, T] | None]]
    ) -> tuple[Claim, T]:
        """As `claim`, with a look of the caller's, at the device and something else. Raises Refuse."""
        uid, said = _said(headers)
        found = await look(uid)
        if found is None:
            raise _stranger()
        return Claim(found[0], *said), found[1]

    async def still(self, uid: str) -> Device:
        """The device of a connection that was opened before, if it may speak still. Raises Refuse."""
        now = self._clock()
        device = self._control.enrolment.known(uid, now=now) or await self._looks.ask((uid, now))
        if device is None:
            raise _revoked()
        _open(device)
        self._contact(uid)
        return device

    def _look_up(self, asked: Sequence[tuple[str, int]]) -> list[Device | Exception | None]:
        with self._control.one_instant():
            return [tried(partial(self._control.enrolment.look_up, uid, now=now)) for uid, now in asked]

    def check(self, claim: Claim, method: str, path: str, body: bytes) -> Device:
        """The device, if it signed this request, now and for the first time. Raises Refuse."""
        device, now = claim.device, self._clock()
        said = statements.request_bytes(device.uid, method, path, claim.time, claim.nonce, body)
        try:
            Ed25519PublicKey.from_public_bytes(device.identity_key).verify(claim.signature, said)
        except InvalidSignature:
            raise _stranger() from None
        _open(device)
        # What was signed before this process began may have been taken by the one before it, whose nonces are gone.
        if abs(now - claim.time) > wire.WINDOW or claim.time < self._opened:
            raise Refuse(401, "clock", "The request's time is too far from the portal's.", signed=True)
        match self._nonces.take(device.uid, claim.nonce, now):
            case False:
                raise Refuse(409, "repeated", "This request was taken before.")
            case None:
                raise Refuse(503, "busy", "Too many requests; ask again later.", signed=True, pause=30)
        self._contact(device.uid)
        return device


def answer_headers(key: Ed25519PrivateKey, claim: Claim, now: int, status: int, body: bytes) -> dict[str, str]:
    """The headers by which a device knows that an answer to its request is the portal's."""
    signature = key.sign(statements.answer_bytes(claim.device.uid, claim.nonce, now, status, body))
    return {wire.TIME_HEADER: str(now), wire.SIGNATURE_HEADER: base64.b64encode(signature).decode()}


def _said(headers: Mapping[str, str]) -> tuple[str, tuple[int, str, bytes, str | None]]:
    """The uid, and the rest of a claim. Raises Refuse."""
    given = {
        name.lower(): value for name, value in headers.items()
    }  # once: each look through headers is at all of them
    try:
        time, nonce = int(given[_TIME][:20]), given[_NONCE]
        signature = base64.b64decode(given[_SIGNATURE], validate=True)
        uid = given[_DEVICE]
    except (KeyError, ValueError, binascii.Error):
        raise _stranger() from None
    if not is_uuid(uid) or not wire.NONCE_TEXT.fullmatch(nonce) or len(signature) != 64 or time < 0:
        raise _stranger()
    return uid, (time, nonce, signature, given.get(_PINNED))


def _open(device: Device) -> None:
    """Whether this identity is served. Raises Refuse."""
    if device.revoked_at is not None:
        raise _revoked()
    if device.cloned_at is not None:
        raise cloned()


def cloned() -> Refuse:
    """Two machines go by one identity, and nobody has decided yet."""
    text = "Two machines go by this identity, or it was set back; it is held until an administrator releases it."
    return Refuse(409, "cloned", text, signed=True, pause=CLONED_PAUSE)


def _revoked() -> Refuse:
    return Refuse(403, "revoked", "This device's identity was closed.", signed=True)


def _stranger() -> Refuse:
    return Refuse(401, "unknown_device", "The request is not signed by a device of this portal.")
