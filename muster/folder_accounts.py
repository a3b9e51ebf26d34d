"""Accounts, tokens, enrolment keys, devices and the audit log of a data folder, changed on the portal's own machine.

In: a folder and names. Out: rows for printing, or the secret that was made. Invariants: every change is in the audit
log under the name of the person at this machine; secrets leave here once, in the answer to the call that made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engine.formats import instant_text
from muster.clock import now
from muster.errors import UsageError
from muster.folder import actor, control
from portal.access.passwords import Passwords
from storage.control.accounts import Account
from storage.control.api import Control

Row = dict[str, Any]
SECOND = 1_000_000
MOST_ENTRIES = 1000
MOST_ERASURES = 1_000_000


def everyone(data: Path) -> list[Row]:
    """All accounts."""
    with control(data) as opened:
        return [
            {
                "name": account.name,
                "role": account.role,
                "kind": account.kind,
                "permissions": sorted(account.permissions),
                "zone": account.zone,
                "created_at": instant_text(account.created_at),
                "disabled_at": _shown(account.disabled_at),
            }
            for account in opened.accounts.everyone()
        ]


def create(
    data: Path, name: str, password: str, permissions: Sequence[str], zone: str, role: str | None = None
) -> None:
    """Make an account; the folder too, if it is not there. Raises UsageError, RefusedError."""
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        raise UsageError(f"There is no time zone {zone!r}.", "Use a name such as Europe/Zurich.") from None
    with control(data, make=True) as opened:
        hashed = Passwords().hash(password)
        opened.accounts.create(name, hashed, permissions, zone, role=role, by=actor(), now=now())


def set_password(data: Path, name: str, password: str) -> None:
    """Give an account a new password and end its sessions. Raises RefusedError."""
    with control(data) as opened:
        account = _account(opened, name)
        opened.accounts.set_password(account.name, Passwords().hash(password), by=actor(), now=now())
        opened.sessions.end_all(account.id, by=actor(), now=now())


def set_role(data: Path, name: str, role: str | None) -> None:
    """Give an account a role, or none. Raises RefusedError."""
    with control(data) as opened:
        opened.accounts.set_role(name, role, by=actor(), now=now())


def audit(data: Path, limit: int, before: int | None = None, subject: str | None = None) -> list[Row]:
    """Entries of the audit log, newest first."""
    with control(data) as opened:
        found = opened.audit.latest(min(max(limit, 1), MOST_ENTRIES), before=before, subject=subject)
    return [
        {
            "sequence": entry.sequence,
            "time": instant_text(entry.time),
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "detail": dict(entry.detail),
            "request": entry.request or None,
            "credential": entry.credential or None,
        }
        for entry in found
    ]


def verify_audit(data: Path) -> Row:
    """Whether the audit log is as it was written, in the form that a portal answers."""
    with control(data) as opened:
        found = opened.audit.verify()
    return {"whole": found.broken is None, **asdict(found)}


def disable(data: Path, name: str) -> None:
    """Close an account. Raises RefusedError."""
    with control(data) as opened:
        opened.accounts.disable(name, by=actor(), now=now())


def create_token(data: Path, account: str, name: str) -> Row:
    """Make a token for an account: its entry and its secret. Raises RefusedError."""
    with control(data) as opened:
        token, secret = opened.tokens.create(_account(opened, account), name, by=actor(), now=now())
    return {"id": token.id, "name": token.name, "created_at": instant_text(token.created_at), "secret": secret}


def tokens(data: Path, account: str) -> list[Row]:
    """The tokens of an account."""
    with control(data) as opened:
        found = opened.tokens.of(_account(opened, account))
    return [
        {
            "id": token.id,
            "name": token.name,
            "created_at": instant_text(token.created_at),
            "used_at": _shown(token.used_at),
            "revoked_at": _shown(token.revoked_at),
        }
        for token in found
    ]


def revoke_token(data: Path, account: str, identifier: str) -> None:
    """Make a token worthless. Raises RefusedError."""
    with control(data) as opened:
        opened.tokens.revoke(_account(opened, account), identifier, by=actor(), now=now())


def create_keys(data: Path, count: int, *, simulated: bool, expires_in: int, site: str | None = None) -> Row:
    """Make enrolment keys, for a site if one is named: their secrets and when they expire. Raises RefusedError,
    NotFoundError."""
    expires = now() + expires_in * SECOND
    with control(data) as opened:
        create = opened.enrolment.create_enrol_keys
        made = create(count, simulated=simulated, expires_at=expires, by=actor(), now=now(), site=site)
    return {"keys": [secret for _, secret in made], "expires_at": instant_text(expires)}


def keys(data: Path) -> list[Row]:
    """The newest enrolment keys, without their secrets."""
    with control(data) as opened:
        found = opened.enrolment.enrol_keys()
    return [
        {
            "id": key.id,
            "simulated": key.simulated,
            "created_by": key.created_by,
            "created_at": instant_text(key.created_at),
            "expires_at": instant_text(key.expires_at),
            "used_at": _shown(key.used_at),
            "used_by": key.used_by,
        }
        for key in found
    ]


def revoke_device(data: Path, uid: str) -> None:
    """Close a device's identity. Raises RefusedError."""
    with control(data) as opened:
        opened.revoke_device(uid, by=actor(), now=now())


def cloned_devices(data: Path) -> list[dict[str, Any]]:
    """The devices that are held, as two machines were seen to go by their identity."""
    with control(data) as opened:
        found = opened.enrolment.cloned()
    return [
        {
            "uid": one.uid,
            "name": one.name,
            "cloned_at": _shown(one.cloned_at),
            "contact_at": _shown(one.contact_at),
        }
        for one in found
    ]


def release_device(data: Path, uid: str) -> bool:
    """Serve a device again; False if it was not held. Raises RefusedError."""
    with control(data) as opened:
        return opened.enrolment.release(uid, by=actor(), now=now())


def erasures(data: Path) -> list[Row]:
    """All erasures, newest first, as a portal shows them."""
    with control(data) as opened:
        return [
            {
                "id": one.id,
                "kind": one.kind,
                "state": one.state,
                "digest": one.digest,
                "error": one.error,
                "asked_by": one.asked_by,
                "asked_at": instant_text(one.asked_at),
                "done_at": _shown(one.done_at),
            }
            for one in opened.erasures.latest(MOST_ERASURES)
        ]


def _account(opened: Control, name: str) -> Account:
    found = opened.accounts.by_name(name)
    if found is None:
        raise UsageError(
            f"There is no account {name!r}, or it is disabled.",
            "`muster users list` shows them all.",
            "unknown_account",
        )
    return found[0]


def _shown(micros: int | None) -> str | None:
    return None if micros is None else instant_text(micros)
