"""Makes this device known to a portal, once, with a one-time key.

In: the portal's address, the key, the state folder, the device's name. Out: what was pinned, on the disk. Invariants:
the device's keys are made and kept before the first request, so that repeating it after a lost answer enrols the same
device; the one-time key is not kept.
"""

from __future__ import annotations

from pathlib import Path

from agent import exchange, statements, wire
from agent.identity import Enrolment, clean_url, ensure_keys, save_enrolment
from agent.version import __version__


def enroll(url: str, key: str, folder: Path, *, name: str, platform: str) -> Enrolment:
    """Enrol and pin. Raises UnreachableError, RefusedError, IdentityError, UnsafeFolderError."""
    url = clean_url(url)
    keys = ensure_keys(folder)
    identity, sealing = keys.public()
    proof = keys.sign(statements.enrol_bytes(key, identity, sealing, name))
    request = wire.Enrol(key, identity, sealing, name[:255] or "device", platform, __version__, proof)  # type: ignore[arg-type]
    told = exchange.enrol(url, request)
    pinned = Enrolment(url, told.device, told.collector, told.generation, told.simulated, told.portal_key, told.authors)
    save_enrolment(folder, pinned)
    return pinned
