"""What every device's configuration holds of trust: the portal's later keys, authors who are vouched for or removed,
the keys that the server may show.

In: the key ring, the authors, pins. Out: `Common`. Invariant: nothing here asks a device to trust what no key that it
pinned vouches for: a succession is signed by the key before, an endorsement by an author.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from agent import statements
from agent.wire_configuration import Endorsed, Succession
from portal.agents.configuration import Common
from portal.tls import Pins
from storage.control.api import Control
from storage.control.authors import MOST_REMOVED, Author
from storage.control.key_ring import KeyRing, public


def told(control: Control, keys: KeyRing, pins: Pins) -> Common:
    """The part of a configuration that is the same for every device. Blocks."""
    authors = control.authors.everyone()
    removed = sorted((one for one in authors if one.removed_at is not None), key=lambda one: one.removed_at or 0)
    return Common(
        successions(keys),
        tuple(_endorsed(authors)),
        tuple(one.key for one in removed[-MOST_REMOVED:]),
        pins.current,
    )


def successions(keys: KeyRing) -> tuple[Succession, ...]:
    """Each key that followed another, signed by the one before it."""
    steps = ((before, public(after)) for before, after in pairwise(keys.keys))
    return tuple(Succession(key, before.sign(statements.succession_bytes(key))) for before, key in steps)


def _endorsed(authors: Sequence[Author]) -> Iterator[Endorsed]:
    keys = {one.id: one.key for one in authors}
    for one in authors:
        if one.removed_at is None and one.endorsed_by is not None and one.endorsement is not None:
            yield Endorsed(one.key, keys[one.endorsed_by], one.endorsement)
