"""Stored secrets: kept sealed here, and sealed anew to each device whose script may read them.

In: values from whoever may administer; orders that are about to go out. Out: names; values under a device's X25519 key.
Invariants: a value is plain in memory only, and goes out under the device's key alone; it goes with a version that a
trusted author signed, and never with a draft, which anybody who defines actions could have written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from agent import statements
from portal.caller import Caller
from portal.errors import ApiError
from portal.threads import Threads
from storage.control.api import Control
from storage.control.enrolment import Device
from storage.control.sealing import Sealer
from storage.control.vault import Secret

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
LEAST, MOST = 4, 8192  # bytes: what is shorter cannot be taken out of outputs without taking out everything


class _Named(msgspec.Struct):
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of one portal."""

    control: Control
    sealer: Sealer
    threads: Threads
    clock: Callable[[], int]

    async def everything(self) -> list[Secret]:
        """All secrets, without their values."""
        return await self.threads.control(self.control.vault.everything)

    async def put(self, caller: Caller, name: str, value: str) -> Secret:
        """Keep a value. Raises ApiError, RefusedError."""
        data = value.encode("utf-8", "replace")
        if not LEAST <= len(data) <= MOST or "\0" in value:
            raise ApiError(422, "bad_secret", f"A secret has {LEAST} to {MOST} bytes and no NUL character.")
        put, now = self.control.vault.put, self.clock()

        def work() -> Secret:
            return put(name, self.sealer.seal(data, _purpose(name)), by=caller.actor, now=now)

        return await self.threads.control(work)

    async def delete(self, caller: Caller, name: str) -> None:
        """Forget a secret. Raises NotFoundError."""
        await self.threads.control(self.control.vault.delete, name, by=caller.actor, now=self.clock())

    async def grant(self, caller: Caller, name: str, action: str) -> Secret:
        """Let an action read a secret. Raises NotFoundError."""
        grant = self.control.vault.grant
        return await self.threads.control(grant, name, _nql_id(action), by=caller.actor, now=self.clock())

    async def revoke(self, caller: Caller, name: str, action: str) -> Secret:
        """Let an action read a secret no more. Raises NotFoundError."""
        revoke = self.control.vault.revoke
        return await self.threads.control(revoke, name, _nql_id(action), by=caller.actor, now=self.clock())

    def for_device(self, device: Device, action: str, content: str, run: str, attempt: int) -> dict[str, bytes]:
        """The secrets that a signed version names and its action may read, sealed for one device, run and attempt.
        Blocks."""
        names = msgspec.json.decode(content, type=_Named).secrets
        if not names:
            return {}
        key = X25519PublicKey.from_public_bytes(device.sealing_key)
        return {
            name: SUITE.encrypt(
                self.sealer.open(sealed, _purpose(name)), key, statements.secret_bytes(run, attempt, name)
            )
            for name, sealed in self.control.vault.granted(action, names).items()
        }


def _purpose(name: str) -> str:
    return f"secret:{name}"


def _nql_id(action: str) -> str:
    return f"#{action.removeprefix('#')}"
