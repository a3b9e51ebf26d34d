"""Which devices are ours. Writes the tables `enrol_keys` and `devices`, and nothing else does.

In: one-time keys made by a person; then a key with the public keys of a device. Out: devices. Invariants: a key
enrols one device once, and is stored as a digest; a device is known by its identity key, which belongs to one device
for ever: a revoked one stays revoked. The same device with the same key gets the same answer again, since an answer
may get lost on its way.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from storage.control import audit, outbox, schema
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.ids import Random, uuid7
from storage.control.prepared import Prepared
from storage.control.secret_text import digest_of, identifier_of, matches, new_secret

KEYS, DEVICES = schema.enrol_keys, schema.devices
PREFIX = "enrol"
KNOWN = 1_000_000  # for how long a device is taken for what it was
MOST_KNOWN = 10_000
_DEVICE = Prepared(select(DEVICES).where(DEVICES.c.uid == bindparam("of_uid")))


@dataclass(frozen=True, slots=True)
class EnrolKey:
    """What may be shown of an enrolment key."""

    id: str
    simulated: bool
    created_by: str
    created_at: int
    expires_at: int
    used_at: int | None = None
    used_by: str | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """An enrolled device. `generation` counts its enrolments from 1; keys are raw public keys of 32 bytes."""

    uid: str
    collector_uid: str
    name: str
    site: str
    generation: int
    identity_key: bytes
    sealing_key: bytes
    simulated: bool
    enrolled_at: int
    contact_at: int | None
    agent_version: str | None
    revoked_at: int | None


class Enrolment:
    """Enrolment keys and device identities."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database = database
        self._random = random
        self._known: dict[str, tuple[Device, int]] = {}
        self._changes = 0

    def revoked(self) -> set[str]:
        """The devices whose identity is closed."""
        with self._database.read() as connection:
            return set(connection.scalars(select(DEVICES.c.uid).where(DEVICES.c.revoked_at.is_not(None))))

    def create_enrol_keys(
        self, count: int, *, simulated: bool, expires_at: int, by: str, now: int, devices: Sequence[str] | None = None
    ) -> list[tuple[EnrolKey, str]]:
        """Make one-time keys: what may be shown and the secret of each. `devices` fixes the uid each key's device
        gets (one a key)."""
        made = [EnrolKey(uuid7(now, self._random), simulated, by, now, expires_at) for _ in range(count)]
        keys = [(key, new_secret(PREFIX, key.id, self._random)) for key in made]
        uids = devices if devices is not None else [None] * count

        def work(connection: Connection) -> None:
            site = _standard_site(connection)
            rows = [
                {
                    "id": key.id, "digest": digest_of(secret), "site": site, "simulated": simulated, "device": uid,
                    "created_by": by, "created_at": now, "expires_at": expires_at,
                }
                for (key, secret), uid in zip(keys, uids, strict=True)
            ]  # fmt: skip
            connection.execute(insert(KEYS), rows)
            detail = {"count": count, "simulated": simulated, "expires_at": expires_at}
            audit.record(connection, audit.Entry(now, by, "enrol_keys.created", f"enrol_key:{made[0].id}", detail))

        if keys:
            self._database.write(work)
        return keys

    def enrol_keys(self, limit: int = 1000) -> list[EnrolKey]:
        """The newest keys, without their secrets."""
        with self._database.read() as connection:
            rows = connection.execute(select(KEYS).order_by(KEYS.c.id.desc()).limit(limit)).all()
        return [
            EnrolKey(r.id, r.simulated, r.created_by, r.created_at, r.expires_at, r.used_at, r.used_by) for r in rows
        ]

    def consume_enrol_key(
        self,
        secret: str,
        identity_key: bytes,
        sealing_key: bytes,
        name: str,
        *,
        now: int,
        agent_version: str | None = None,
    ) -> Device:
        """Enrol a device. Raises RefusedError, and logs it: unknown_key, used_key, expired_key, revoked_device."""

        def work(connection: Connection) -> Device | RefusedError:
            found = self._open_key(connection, secret, identity_key, now)
            if isinstance(found, RefusedError):
                detail = {"reason": found.code, "name": name[:255]}
                audit.record(connection, audit.Entry(now, "device:unknown", "enrolment.refused", "enrolment", detail))
                return found
            key = found
            device = _enrol(connection, key, identity_key, sealing_key, name, agent_version, now)
            if key.used_at is None:
                connection.execute(update(KEYS).where(KEYS.c.id == key.id).values(used_at=now, used_by=device.uid))
            return device

        answer = self._database.write(work)
        if isinstance(answer, RefusedError):
            raise answer
        self.forget(answer.uid)
        return answer

    def _open_key(self, connection: Connection, secret: str, identity_key: bytes, now: int) -> Row[Any] | RefusedError:
        identifier = identifier_of(PREFIX, secret)
        row = connection.execute(select(KEYS).where(KEYS.c.id == (identifier or ""))).one_or_none()
        if row is None or not matches(secret, row.digest):
            return RefusedError("unknown_key", "there is no such enrolment key")
        known = _by_identity(connection, identity_key)
        if known is not None and known.revoked_at is not None:
            return RefusedError(
                "revoked_device", "this device was revoked and cannot enrol again with the same identity"
            )
        if row.used_at is not None and (known is None or known.uid != row.used_by):
            return RefusedError("used_key", "this enrolment key was used already")
        if row.used_at is None and row.expires_at <= now:
            return RefusedError("expired_key", "this enrolment key has expired")
        return row

    def device(self, uid: str) -> Device | None:
        """The device of a uid, revoked ones included; None if none was ever enrolled under it."""
        with self._database.read() as connection:
            row = _DEVICE.first(connection, of_uid=uid)
        return None if row is None else Device(*row)

    def look_up(self, uid: str, *, now: int) -> Device | None:
        """As `device`, and it is `known` for a moment."""
        changes = self._changes
        found = self.device(uid)
        if found is not None and changes == self._changes:  # else it may be older than the change
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[uid] = found, now
        return found

    def known(self, uid: str, *, now: int) -> Device | None:
        """A device that was looked up less than KNOWN ago, without asking the database. What this process changes
        counts at once, what another one does (a revocation) after KNOWN."""
        found = self._known.get(uid)
        return found[0] if found is not None and 0 <= now - found[1] < KNOWN else None

    def forget(self, uid: str) -> None:
        """A device is not what it was."""
        self._changes += 1
        self._known.pop(uid, None)

    def devices(self, *, limit: int = 1000, offset: int = 0) -> list[Device]:
        """Enrolled devices in the order of their uids."""
        with self._database.read() as connection:
            rows = connection.execute(select(DEVICES).order_by(DEVICES.c.uid).limit(limit).offset(offset)).all()
        return [Device(*row) for row in rows]

    def touch(self, uids: Collection[str], *, now: int) -> None:
        """Note that there was contact with devices. The caller calls seldom, for many at once."""
        rows = [{"mine": uid, "at": now} for uid in uids]
        touched = update(DEVICES).where(DEVICES.c.uid == bindparam("mine")).values(contact_at=bindparam("at"))
        if rows:
            self._database.note(lambda connection: connection.execute(touched, rows))


def revoke(connection: Connection, uid: str, *, by: str, now: int) -> bool:
    """Close a device's identity for ever, in the caller's transaction; False if it was closed already. Raises
    NotFoundError."""
    row = connection.execute(select(DEVICES).where(DEVICES.c.uid == uid)).one_or_none()
    if row is None:
        raise NotFoundError("unknown_device", "no device is enrolled under this uid")
    if row.revoked_at is not None:
        return False
    connection.execute(update(DEVICES).where(DEVICES.c.uid == uid).values(revoked_at=now))
    audit.record(connection, audit.Entry(now, by, "device.revoked", f"device:{uid}", {"name": row.name}))
    return True


def _enrol(
    connection: Connection,
    key: Row[Any],
    identity: bytes,
    sealing: bytes,
    name: str,
    agent_version: str | None,
    now: int,
) -> Device:
    known = _by_identity(connection, identity)
    if known is not None and key.used_by == known.uid:
        return known  # the answer to this very enrolment got lost
    if known is not None:
        generation = known.generation + 1
        values = {
            "generation": generation,
            "sealing_key": sealing,
            "name": name,
            "agent_version": agent_version,
            "enrolled_at": now,
        }
        connection.execute(update(DEVICES).where(DEVICES.c.uid == known.uid).values(values))
        uid = known.uid
    else:
        uid, generation = key.device or uuid7(now), 1
        if connection.scalar(select(DEVICES.c.uid).where(DEVICES.c.uid == uid)):
            raise RefusedError("used_uid", "another device is enrolled under the uid of this key")
        values = {
            "uid": uid,
            "collector_uid": uuid7(now),
            "name": name,
            "site": key.site,
            "generation": generation,
            "identity_key": identity,
            "sealing_key": sealing,
            "simulated": key.simulated,
            "enrolled_at": now,
            "agent_version": agent_version,
        }
        connection.execute(insert(DEVICES).values(values))
    device = Device(*connection.execute(select(DEVICES).where(DEVICES.c.uid == uid)).one())
    facts = {"uid": uid, "name": name, "collector.uid": device.collector_uid, "simulated": device.simulated}
    outbox.put(connection, [("device.devices", facts)], now=now)
    detail = {"name": name, "key": key.id, "generation": generation, "simulated": device.simulated}
    audit.record(connection, audit.Entry(now, f"device:{uid}", "device.enrolled", f"device:{uid}", detail))
    return device


def _by_identity(connection: Connection, identity_key: bytes) -> Device | None:
    row = connection.execute(select(DEVICES).where(DEVICES.c.identity_key == identity_key)).one_or_none()
    return None if row is None else Device(*row)


def _standard_site(connection: Connection) -> Any:
    return connection.execute(select(schema.sites.c.id).where(schema.sites.c.standard)).scalar_one()
