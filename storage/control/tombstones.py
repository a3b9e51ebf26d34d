"""What is left of who was erased: digests by which they are known again and nothing is known of them.

In: identifiers of a device or a person, public keys of a device. Out: digests, salted with this database's own id; and
whether a device with such a key was erased, which then never comes back under it. Invariant: a digest is the same in
every copy of this database, so that whoever was erased is found in an older backup.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection, select

from storage.control import schema
from storage.control.schema_erasure import erasures

DEVICE, PERSON = "device", "person"
KEY = "identity"


def salt_of(connection: Connection) -> str:
    """What digests of this database are salted with."""
    salt: str = connection.execute(select(schema.sites.c.id).where(schema.sites.c.standard)).scalar_one()
    return salt


def digest(salt: str, kind: str, key: str) -> str:
    """What is kept of an identifier."""
    return sha256(f"muster erasure\n{salt}\n{kind}\n{key}".encode()).hexdigest()


def is_barred(connection: Connection, identity_key: bytes) -> bool:
    """Whether a device with this identity key was erased."""
    kept = digest(salt_of(connection), KEY, identity_key.hex())
    return connection.scalar(select(erasures.c.id).where(erasures.c.identity == kept).limit(1)) is not None
