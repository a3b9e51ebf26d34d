"""What devices go by beside their orders: composed of parts, named by a tag, told when it changes.

In: the parts, which others give. Out: a `Configuration` for one device, its tag. Invariants: the tag follows from what
stands in it, never from when or by which process it was asked for, so that a restart has nobody fetch anything; what
is the same for all devices is read once and kept until `changed`; the tag costs no signature. Blocks; called in worker
threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from agent import wire
from agent.wire_configuration import EMPTY, Configuration, Endorsed, LocalOrder, Succession
from storage.control.enrolment import Device

TAG_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Common:
    """What is the same for every device."""

    successions: tuple[Succession, ...] = ()
    endorsed: tuple[Endorsed, ...] = ()
    removed: tuple[bytes, ...] = ()
    tls_pins: tuple[bytes, ...] = ()


class Local(Protocol):
    """What runs on the devices' own clocks."""

    def tag(self, device: str) -> str:
        """A name for what `orders` would give now, empty where that is nothing. Cheap: asked at every greeting."""

    def orders(self, device: Device) -> list[LocalOrder]:
        """The signed orders of one device."""


class Nothing:
    """No device runs anything on its own clock."""

    def tag(self, device: str) -> str:
        """Nothing."""
        return ""

    def orders(self, device: Device) -> list[LocalOrder]:
        """None."""
        return []


class Configurations:
    """The configurations of all devices. `tell` is called on every change, to have connected devices hear of it."""

    def __init__(
        self, tell: Callable[[], None], common: Callable[[], Common] = Common, local: Local | None = None
    ) -> None:
        self._tell, self._read, self._local = tell, common, local or Nothing()
        self._kept: tuple[Common, bytes] | None = None
        self._changes = 0

    def tag(self, device: str) -> str:
        """The tag of a device's configuration."""
        common, digest = self._common()
        local = self._local.tag(device)
        if common == Common() and not local:
            return EMPTY
        return sha256(digest + local.encode()).hexdigest()[:TAG_LENGTH]

    def of(self, device: Device) -> Configuration:
        """A device's configuration."""
        common, _ = self._common()
        return Configuration(
            self.tag(device.uid),  # before the orders: if they change meanwhile, the newer tag has them fetched again
            list(common.successions),
            list(common.endorsed),
            list(common.removed),
            list(common.tls_pins),
            self._local.orders(device),
        )

    def changed(self) -> None:
        """Something in the configurations is another now. Call it on the event loop, after the change is stored."""
        self._changes += 1
        self._kept = None
        self._tell()

    def _common(self) -> tuple[Common, bytes]:
        kept, changes = self._kept, self._changes
        if kept is None:
            common = self._read()
            kept = common, sha256(wire.canonical(common)).digest()
            if changes == self._changes:  # else it may be older than the change
                self._kept = kept
        return kept
