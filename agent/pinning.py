"""How what a device pinned follows the portal: by what the pinned keys signed, and by nothing else.

In: the enrolment as it is, a configuration from the portal. Out: the enrolment as it is from now on. Invariants: the
portal's key changes only along signed successions that begin at the pinned one; an author is trusted only if an author
trusted so far vouches for it; a removal is for ever on this device, whoever lists the key again. So a portal in wrong
hands can take trust away and gain none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import structs

from agent import statements
from agent.identity import Enrolment, verify
from agent.orders import Trust
from agent.wire_configuration import Configuration, Endorsed, Succession

MOST_REMOVED = 1024
MOST_AUTHORS = 256


def adopt(pinned: Enrolment, told: Configuration, *, shown: bytes | None = None) -> Enrolment:
    """The enrolment after a configuration; `shown` is the pin of the key that the server showed us just now."""
    authors = _endorsed(pinned, told.endorsed)
    removed = list(dict.fromkeys([*pinned.removed, *told.removed]))[-MOST_REMOVED:]
    return structs.replace(
        pinned,
        portal_key=_followed(pinned.portal_key, told.successions),
        authors=[key for key in authors if key not in told.removed],
        removed=removed,
        tls_pins=_pins(pinned, told.tls_pins, shown),
    )


def trust_of(pinned: Enrolment, platform: str, simulated: bool, serials: Mapping[str, int]) -> Trust:
    """What orders are judged by."""
    head = (pinned.device, pinned.portal_key, tuple(pinned.authors), platform, simulated)
    return Trust(*head, pinned.policy, serials)


def _followed(key: bytes, successions: Iterable[Succession]) -> bytes:
    """The newest key that the chain from the pinned one leads to; steps that do not begin where we are say nothing."""
    for step in successions:
        if verify(key, step.signature, statements.succession_bytes(step.key)):
            key = step.key
    return key


def _endorsed(pinned: Enrolment, offered: list[Endorsed]) -> list[bytes]:
    """The trusted authors and whom they vouch for, and whom those vouch for."""
    authors, waiting = [key for key in pinned.authors if key not in pinned.removed], list(offered)
    while found := [one for one in waiting if _vouched(one, authors, pinned.removed)]:
        authors += [one.key for one in found if one.key not in authors]
        waiting = [one for one in waiting if one.key not in authors]
    return authors[:MOST_AUTHORS]


def _vouched(one: Endorsed, authors: list[bytes], removed: list[bytes]) -> bool:
    if one.by not in authors or one.key in authors or one.key in removed:
        return False
    return verify(one.by, one.signature, statements.endorsement_bytes(one.key))


def _pins(pinned: Enrolment, told: list[bytes], shown: bytes | None) -> list[bytes]:
    """The keys that a server may show. The one it shows now stays, so that nobody locks devices out by a list."""
    if not told or not pinned.tls_pins:
        return pinned.tls_pins
    return list(dict.fromkeys([*told, *([shown] if shown in pinned.tls_pins and shown is not None else [])]))
