"""The folder in which every simulated portal begins: fifty devices, actions, an author, a person and her rights.

In: nothing. Out: the files of a data folder, made once a process by the real code, and what the devices keep for ever.
Invariant: each world gets a copy of its own. Half of the devices run only what an author signed.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from storage.control.accounts import Account
from storage.control.api import open_control
from storage.control.key_ring import KeyRing, public
from storage.control.manifest import Manifest
from tests.authors import Signer

SECOND = 1_000_000
HOUR = 3600 * SECOND
START = 1_800_000_000 * SECOND  # 2027-01-15 08:00 UTC
DEVICES = 50
EVERYTHING = ("query", "execute", "manage", "administer")
QUESTION = {"nql_id": "#ask", "title": "Ask", "questions": [{"label": "q", "text": "Now?", "kind": "text"}]}
ACTIONS: tuple[dict[str, Any], ...] = (
    {"nql_id": "#plain"},
    {"nql_id": "#again", "idempotent": True},
    {"nql_id": "#asks", "campaigns": [QUESTION]},
    {"nql_id": "#draft"},
)
TRIGGERS = ["manual", "manual_multiple", "api", "schedule"]


@dataclass(frozen=True)
class Start:
    """The files, and who is there."""

    files: dict[str, bytes]
    devices: tuple[tuple[str, Ed25519PrivateKey], ...]
    portal_key: bytes
    author: bytes
    account: Account


def place(folder: Path) -> Start:
    """Put the files into a folder."""
    made = start()
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return made


@cache
def start() -> Start:
    """The beginning of every world."""
    with tempfile.TemporaryDirectory() as name, patch("random._urandom", Random(0).randbytes):
        folder = Path(name)
        control = open_control(folder / "control.db", now=START)
        account = control.accounts.create("ann", "-", EVERYTHING, "UTC", by="sim", now=START)
        made = control.enrolment.create_enrol_keys(
            DEVICES, simulated=False, expires_at=START + HOUR, by="sim", now=START
        )
        devices = []
        for number, (_, secret) in enumerate(made):
            key = _key(f"device {number}")
            own = public(key)
            devices.append((control.enrolment.consume_enrol_key(secret, own, own, f"pc-{number}", now=START).uid, key))
        signer = Signer(key=_key("author"))
        signer.add(control, now=START)
        for one in ACTIONS:
            action = control.actions.save_action(manifest(one), by="sim", now=START)
            if action.nql_id != "#draft":
                signer.sign(control, action, now=START)
        control.close()
        ring = KeyRing(folder / "portal.key")
        files = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith("control.db-")}
        return Start(files, tuple(devices), public(ring.current), signer.public, account)


def manifest(changes: dict[str, Any]) -> Manifest:
    """A small action."""
    whole = {
        "name": "Simulated",
        "scripts": {"linux": {"language": "bash", "text": "true\n"}},
        "timeout": 120,
        "triggers": TRIGGERS,
        "outputs": [{"name": "n", "type": "uint32"}],
    }
    return msgspec.convert({**whole, **changes}, Manifest)


def _key(text: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(text.encode()).digest())
