"""The messages of a device's configuration: what it goes by beside its orders. They obey the rules of `wire`.

In: a tag that the device has. Out: keys that follow the portal's, authors others vouch for, keys a server may show,
schedules that run on the device's own clock. Invariant: a portal in wrong hands gains nothing by it: trust grows only
by signatures that begin at what the device pinned, and whatever else stands here can only take trust away.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, field

from agent.wire import Digest, Hex64, Id, Key, Name, Said, Sealed, Signature, Text, Told

EMPTY = "none"  # the tag of a configuration with nothing in it, and of a device that has none


class Fetch(Said, frozen=True):
    """A device asks for its configuration; `tag` is that of the one it has."""

    tag: Text = ""
    version: Literal[1] = 1


class Succession(Told, frozen=True):
    """The portal's key `key` follows the one that signed `succession_bytes`."""

    key: Key
    signature: Signature


class Endorsed(Told, frozen=True):
    """An author whom the author `by` vouches for: its signature of `endorsement_bytes`."""

    key: Key
    by: Key
    signature: Signature


class LocalOrder(Told, frozen=True):
    """Run this every `every` seconds of the device's clock, until the schedule leaves the configuration. As an `Order`
    otherwise; `signature` covers `local_order_bytes`."""

    schedule: Id
    revision: Annotated[int, Meta(ge=1)]
    device: Id
    every: Annotated[int, Meta(ge=600, le=86_400)]
    action: Text
    action_version: Hex64
    content: Raw
    parameters: Annotated[dict[Name, Annotated[str, Meta(max_length=30_000)]], Meta(max_length=50)]
    signature: Signature
    author: Signature | None = None
    serial: Annotated[int, Meta(ge=0, le=1 << 62)] = 0
    secrets: Annotated[dict[Name, Sealed], Meta(max_length=20)] = field(default_factory=dict)


class Configuration(Told, frozen=True):
    """What a device goes by beside its orders. `tag` is opaque and changes with the rest; lists replace what was there.
    `successions` begin at the key that the device pins; `tls_pins` are SHA-256 of public keys a server may show."""

    tag: Text
    successions: Annotated[list[Succession], Meta(max_length=16)] = field(default_factory=list)
    endorsed: Annotated[list[Endorsed], Meta(max_length=64)] = field(default_factory=list)
    removed: Annotated[list[Key], Meta(max_length=256)] = field(default_factory=list)
    tls_pins: Annotated[list[Digest], Meta(max_length=8)] = field(default_factory=list)
    local: Annotated[list[LocalOrder], Meta(max_length=32)] = field(default_factory=list)
