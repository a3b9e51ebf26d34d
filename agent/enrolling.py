"""Makes this device known to a portal, once, with a one-time key.

In: the portal's address, the key, the state folder, the device's name, whose scripts it runs. Out: what was pinned, on
the disk. Invariants: the device's keys are made and kept before the first request, so that repeating it after a lost
answer enrols the same device; the one-time key is not kept; the execution policy is chosen here, by whoever has the
device in hands, and the portal neither sets nor learns it; authors given here stand instead of the portal's list.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent import exchange, statements, wire
from agent.identity import Enrolment, Policy, clean_url, ensure_keys, save_enrolment
from agent.tls import Pinning, verified
from agent.version import __version__


def enroll(
    url: str,
    key: str,
    folder: Path,
    *,
    name: str,
    platform: str,
    policy: Policy = "signed_trusted",
    authors: Sequence[bytes] = (),
    server: Pinning | None = None,
    called: str | None = None,
) -> Enrolment:
    """Enrol and pin; `authors` are raw public keys to trust instead of those the portal names; `server` says how the
    portal's server is known at this first time (None: by the authorities of this system); `called` is the name that
    the device goes by from then on, if not by its host name. Raises UnreachableError, RefusedError, IdentityError,
    UnsafeFolderError."""
    url = clean_url(url)
    keys = ensure_keys(folder)
    identity, sealing = keys.public()
    proof = keys.sign(statements.enrol_bytes(key, identity, sealing, name))
    request = wire.Enrol(key, identity, sealing, name[:255] or "device", platform, __version__, proof)  # type: ignore[arg-type]
    context = (server or verified(None)) if url.startswith("https:") else None
    told = exchange.enrol(url, request, context)
    head = (url, told.device, told.collector, told.generation, told.simulated, told.portal_key)
    pins = [] if context is None else list(dict.fromkeys(filter(None, [context.shown, *told.tls_pins])))
    pinned = Enrolment(*head, list(authors) or told.authors, policy, tls_pins=pins, name=called and called[:255])
    save_enrolment(folder, pinned)
    return pinned
