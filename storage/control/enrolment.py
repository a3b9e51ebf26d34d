"""Which devices are ours. Writes the tables `enrol_keys` and `devices`, and nothing else does.

In: one-time keys made by a person; then a key with the public keys of a device. Out: devices. Invariants: a key
enrols one device once, and is stored as a digest; a device is known by its identity key, which belongs to one device
for ever: a revoked one stays revoked. The same device with the same key gets the same answer again, since an answer
may get lost on its way. A device's trail grows at its end: whoever comes with one that lacks the newest step is a copy
of it or was set back, and then nobody is served under this identity until somebody decides (`release`, or enrolling).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from storage.control import audit, outbox, schema, sites, tombstones
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.ids import Random, uuid7
from storage.control.prepared import Prepared
from storage.control.secret_text import digest_of, identifier_of, matches, new_secret

T = TypeVar("T")
KEYS, DEVICES = schema.enrol_keys, schema.devices
PREFIX = "enrol"
KNOWN = 1_000_000  # for how long a device is taken for what it was
MOST_KNOWN = 10_000
_DEVICE = Prepared(select(DEVICES).where(DEVICES.c.uid == bindparam("of_uid")))
_STEP = Prepared(update(DEVICES).where(DEVICES.c.uid == bindparam("of_uid")), ("step",))


class Seen(Enum):
    """What a device's greeting shows: it is known as it was, or a step further; another greeting overtook this one; two
    machines go by this identity; it is closed."""

    KNOWN = "known"
    FURTHER = "further"
    OVERTAKEN = "overtaken"
    CLONED = "cloned"
    CLOSED = "closed"


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
    """An enrolled device. `generation` counts its enrolments from 1; keys are raw public keys of 32 bytes; `step` is
    the newest of its trail, `cloned_at` when two machines were seen to go by it."""

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
    step: str | None = None
    cloned_at: int | None = None


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

    # --- trails --------------------------------------------------------------------------------
    def cloned(self) -> list[Device]:
        """The devices whose identity two machines were seen to go by, and about which nobody has decided yet."""
        query = select(DEVICES).where(DEVICES.c.cloned_at.is_not(None), DEVICES.c.revoked_at.is_(None))
        with self._database.read() as connection:
            return [Device(*row) for row in connection.execute(query.order_by(DEVICES.c.cloned_at, DEVICES.c.uid))]

    def greet(self, uid: str, trail: Sequence[str], *, before: str | None, now: int) -> Seen:
        """A device comes with its trail, oldest step first; `before` was the newest step when this greeting began."""

        def work(connection: Connection) -> Seen:
            row = _DEVICE.first(connection, of_uid=uid)
            if row is None or row.revoked_at is not None:
                return Seen.CLOSED
            newest = trail[-1] if trail else None
            if row.cloned_at is not None:
                return Seen.CLONED
            if row.step == newest:
                return Seen.KNOWN
            if row.step is None or row.step in trail:
                _STEP.run(connection, {"of_uid": uid, "step": newest})
                return Seen.FURTHER
            if row.step != before:  # what it says was true when it said it
                return Seen.OVERTAKEN
            _hold(connection, row, "trail", now)
            return Seen.CLONED

        seen = self._database.write(work)
        if seen is Seen.CLONED:
            self.forget(uid)
        return seen

    def hold(self, uid: str, why: str, *, now: int) -> bool:
        """Two machines were seen to go by this identity, and `why`; False if it is closed or held already."""

        def work(connection: Connection) -> bool:
            row = _DEVICE.first(connection, of_uid=uid)
            if row is None or row.revoked_at is not None or row.cloned_at is not None:
                return False
            _hold(connection, row, why, now)
            return True

        return self._changed(uid, work)

    def leads(self, uid: str, step: str) -> bool:
        """Whether who has this newest step (empty: none) may be given work: nobody came after it, nobody is held."""
        found = self.device(uid)
        return found is not None and found.cloned_at is None and found.step == (step or None)

    def release(self, uid: str, *, by: str, now: int) -> bool:
        """Somebody has decided that one machine is left: whoever comes next begins a trail. False if it was not held.
        Raises NotFoundError."""

        def work(connection: Connection) -> bool:
            row = _DEVICE.first(connection, of_uid=uid)
            if row is None:
                raise NotFoundError("unknown_device", "no device is enrolled under this uid")
            if row.cloned_at is None:
                return False
            connection.execute(update(DEVICES).where(DEVICES.c.uid == uid).values(step=None, cloned_at=None))
            audit.record(connection, audit.Entry(now, by, "device.released", f"device:{uid}", {"name": row.name}))
            return True

        return self._changed(uid, work)

    def _changed(self, uid: str, work: Callable[[Connection], T]) -> T:
        done = self._database.write(work)
        self.forget(uid)
        return done

    # --- enrolment keys ------------------------------------------------------------------------

    def create_enrol_keys(
        self,
        count: int,
        *,
        simulated: bool,
        expires_at: int,
        by: str,
        now: int,
        devices: Sequence[str] | None = None,
        site: str | None = None,
    ) -> list[tuple[EnrolKey, str]]:
        """Make one-time keys: what may be shown and the secret of each. `devices` fixes the uid each key's device
        gets (one a key), `site` names the site it joins (None: the standard one). Raises NotFoundError."""
        made = [EnrolKey(uuid7(now, self._random), simulated, by, now, expires_at) for _ in range(count)]
        keys = [(key, new_secret(PREFIX, key.id, self._random)) for key in made]
        uids = devices if devices is not None else [None] * count

        def work(connection: Connection) -> None:
            joins = sites.named(connection, sites.STANDARD if site is None else site)
            rows = [
                {
                    "id": key.id, "digest": digest_of(secret), "site": joins.id, "simulated": simulated, "device": uid,
                    "created_by": by, "created_at": now, "expires_at": expires_at,
                }
                for (key, secret), uid in zip(keys, uids, strict=True)
            ]  # fmt: skip
            connection.execute(insert(KEYS), rows)
            detail = {"count": count, "simulated": simulated, "expires_at": expires_at, "site": joins.name}
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
        """Enrol a device. Raises RefusedError, and logs it: unknown_key, used_key, expired_key, revoked_device,
        erased_device."""

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
        if known is None and tombstones.is_barred(connection, identity_key):
            return RefusedError("erased_device", "this device was erased and cannot enrol again with the same identity")
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

    def sites_of(self, uids: Collection[str]) -> dict[str, str]:
        """The site (its id) of each of some devices that are enrolled and not revoked."""
        query = select(DEVICES.c.uid, DEVICES.c.site).where(DEVICES.c.revoked_at.is_(None))
        with self._database.read() as connection:
            return {row.uid: row.site for row in connection.execute(query.where(DEVICES.c.uid.in_(list(uids))))}

    def assign(self, uids: Collection[str], site: str, *, by: str, now: int) -> int:
        """Have devices belong to a site (by name); how many did not before. Raises NotFoundError."""

        def work(connection: Connection) -> list[str]:
            joins = sites.named(connection, site)
            rows = connection.execute(select(DEVICES).where(DEVICES.c.uid.in_(list(uids)))).all()
            if missing := sorted(set(uids) - {row.uid for row in rows}):
                raise NotFoundError("unknown_device", f"no device is enrolled under the uid {missing[0]}")
            moved = [row for row in rows if row.site != joins.id]
            for row in moved:
                connection.execute(update(DEVICES).where(DEVICES.c.uid == row.uid).values(site=joins.id))
                detail = {"name": row.name, "site": joins.name}
                audit.record(connection, audit.Entry(now, by, "device.assigned", f"device:{row.uid}", detail))
            outbox.put(connection, [("device.devices", {"uid": row.uid, "site": joins.name}) for row in moved], now=now)
            return [row.uid for row in moved]

        done = self._database.write(work)
        for uid in done:
            self.forget(uid)
        return len(done)

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


def _hold(connection: Connection, row: Any, why: str, now: int) -> None:
    connection.execute(update(DEVICES).where(DEVICES.c.uid == row.uid).values(cloned_at=now))
    detail = {"name": row.name, "seen_by": why}
    audit.record(connection, audit.Entry(now, f"device:{row.uid}", "device.cloned", f"device:{row.uid}", detail))


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
            "step": None,  # who made the key for it has decided
            "cloned_at": None,
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
    joined = connection.execute(select(schema.sites.c.name).where(schema.sites.c.id == device.site)).scalar_one()
    facts = {"uid": uid, "name": name, "collector.uid": device.collector_uid, "simulated": device.simulated}
    outbox.put(connection, [("device.devices", facts | {"site": joined})], now=now)
    detail = {"name": name, "key": key.id, "generation": generation, "simulated": device.simulated}
    audit.record(connection, audit.Entry(now, f"device:{uid}", "device.enrolled", f"device:{uid}", detail))
    return device


def _by_identity(connection: Connection, identity_key: bytes) -> Device | None:
    row = connection.execute(select(DEVICES).where(DEVICES.c.identity_key == identity_key)).one_or_none()
    return None if row is None else Device(*row)
