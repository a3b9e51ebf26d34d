"""An author for tests: makes itself known to a portal and signs versions of actions, as a person would outside it.

Comes in: a control database. Goes out: an author and signatures that the real checks accept. Invariant: the private
key is never given to the portal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import statements
from agent.identity import verify
from storage.control.actions import Action
from storage.control.api import Control
from storage.control.authors import Author, Offer, Signed


@dataclass
class Signer:
    """One author."""

    name: str = "tester"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> bytes:
        """The raw public key."""
        return self.key.public_key().public_bytes_raw()

    def add(self, control: Control, *, now: int) -> Author:
        """Have a portal know this author."""
        return control.authors.add(self.name, self.public, by="account:ann", now=now)

    def signature(self, action: str, version: str, serial: int) -> bytes:
        """The signature of a version."""
        return self.key.sign(statements.author_bytes(action, version, serial))

    def sign(self, control: Control, action: Action, *, now: int, serial: int | None = None) -> Signed:
        """Sign an action as it is and hand that in."""
        said = statements.author_bytes(action.nql_id, action.version, serial or now)
        offer = Offer(self.public, serial or now, self.key.sign(said), lambda key, given: verify(key, given, said))
        return control.authors.sign(action.nql_id, action.version, offer, by="account:ann", now=now)
