"""What is trusted with what, on plain values: authors, their signatures of actions, the portal's own keys.

In: a caller, public keys, signatures. Out: authors, signatures, keys. Invariants: a signature is checked over the bytes
that devices check, made here from the action and its version; the portal holds no author's private key and needs none;
what devices have to hear of is in their configuration at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent import statements
from portal.agents.configuration import Configurations
from portal.caller import Caller
from portal.threads import Threads
from portal.trust import messages as m
from storage.control.actions import Action
from storage.control.api import Control
from storage.control.audit import Entry
from storage.control.authors import Author, Offer, Signed
from storage.control.key_ring import KeyRing, fingerprint, public

T = TypeVar("T")


class Trust:
    """The trust slice."""

    def __init__(
        self,
        control: Control,
        keys: KeyRing,
        configurations: Configurations,
        threads: Threads,
        clock: Callable[[], int],
    ) -> None:
        self._control = control
        self._keys = keys
        self._configurations = configurations
        self._threads = threads
        self._clock = clock

    async def authors(self) -> list[Author]:
        """All authors."""
        return await self._threads.control(self._control.authors.everyone)

    async def add_author(self, caller: Caller, asked: m.NewAuthor) -> Author:
        """Trust an author. Raises RefusedError."""
        add = self._control.authors.add
        return await self._threads.control(add, asked.name, asked.key, by=caller.actor, now=self._clock())

    async def remove_author(self, caller: Caller, identifier: str) -> None:
        """Trust an author no more. Raises NotFoundError."""
        remove = self._control.authors.remove
        await self._threads.control(remove, identifier, by=caller.actor, now=self._clock())
        self._configurations.changed()

    async def endorse(self, caller: Caller, identifier: str, asked: m.NewEndorsement) -> Author:
        """Note that one author vouches for another. Raises NotFoundError, RefusedError."""
        authors, now = self._control.authors, self._clock()

        def work() -> Author:
            wanted = next((one for one in authors.everyone() if identifier in (one.id, one.id[:16])), None)
            said = statements.endorsement_bytes(wanted.key if wanted else b"")
            return authors.endorse(identifier, asked.by, asked.signature, checking(said), by=caller.actor, now=now)

        author = await self._threads.control(work)
        self._configurations.changed()
        return author

    def keys(self) -> list[bytes]:
        """The portal's public keys, oldest first; it signs with the last."""
        return [public(key) for key in self._keys.keys]

    async def rotate(self, caller: Caller) -> list[bytes]:
        """Sign with a new key from now on, for every device that followed to it. Raises RefusedError."""
        now = self._clock()

        def record(key: bytes) -> None:
            entry = Entry(now, caller.actor, "portal_key.rotated", f"key:{fingerprint(key)}", {})
            self._control.audit.note(entry)

        await self._threads.control(self._keys.rotate, record)
        self._configurations.changed()
        return self.keys()

    async def signatures(self, nql_id: str) -> tuple[Action, list[Signed]]:
        """An action and the signatures of its newest version. Raises NotFoundError."""
        action = await self._threads.control(self._control.actions.action, _named(nql_id))
        return action, await self._threads.control(self._control.authors.signatures, action.nql_id, action.version)

    async def sign(self, caller: Caller, nql_id: str, asked: m.NewSignature) -> Signed:
        """Take in a signature. Raises NotFoundError, RefusedError, ConflictError."""
        named = _named(nql_id)
        said = statements.author_bytes(named, asked.version, asked.serial)
        offer = Offer(asked.author, asked.serial, asked.signature, checking(said))
        sign, now = self._control.authors.sign, self._clock()
        return await self._threads.control(sign, named, asked.version, offer, by=caller.actor, now=now)


def checking(said: bytes) -> Callable[[bytes, bytes], bool]:
    """A function that tells whether a signature of these bytes is that of a raw public key."""

    def right(key: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, said)
        except (InvalidSignature, ValueError):
            return False
        return True

    return right


def _named(nql_id: str) -> str:
    return f"#{nql_id.removeprefix('#')}"
