"""What devices follow on their own clocks, as signed orders of their configuration.

In: a device. Out: its local orders, and a short name for them. Invariants: they are signed by the portal's newest key,
which a device goes by after it read the successions in the same configuration; the name changes with everything in
them but the signatures. Blocks; called in worker threads.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from agent import statements
from agent.wire_configuration import LocalOrder
from storage.control.actions import Action
from storage.control.api import Control
from storage.control.enrolment import Device
from storage.control.errors import NotFoundError
from storage.control.key_ring import KeyRing
from storage.control.local_schedules import Followed
from storage.control.schedule_definition import every, read

MOST = 32  # of one device
UNSIGNED = bytes(64)


class LocalOrders:
    """The local orders of all devices."""

    def __init__(self, control: Control, keys: KeyRing) -> None:
        self._control, self._keys = control, keys

    def tag(self, device: str) -> str:
        """A name for what a device follows, empty for nothing."""
        followed = self._control.local_schedules.of_device(device)[:MOST]
        parts = [f"{one.schedule} {one.revision} {self._content(one)}" for one in followed]
        return sha256("\n".join(parts).encode()).hexdigest() if parts else ""

    def orders(self, device: Device) -> list[LocalOrder]:
        """What a device follows, signed."""
        followed = self._control.local_schedules.of_device(device.uid)[:MOST]
        orders = [order for one in followed if (order := self._order(device, one)) is not None]
        return [msgspec.structs.replace(order, signature=self._signature(order)) for order in orders]

    def _content(self, one: Followed) -> str:
        """Which content goes out: the version, and the newest signature of it."""
        action = self._action(one)
        if action is None:
            return ""
        signed = self._control.authors.signatures(action.nql_id, action.version)
        return f"{action.version} {signed[0].serial if signed else 0}"

    def _action(self, one: Followed) -> Action | None:
        try:
            return self._control.actions.action(read(one.definition).action)
        except NotFoundError:
            return None

    def _order(self, device: Device, one: Followed) -> LocalOrder | None:
        action, definition = self._action(one), read(one.definition)
        if action is None:
            return None
        signed = self._control.authors.signature_for(action.nql_id, action.version, enrolled_at=device.enrolled_at)
        return LocalOrder(
            one.schedule.removeprefix("#"),
            one.revision,
            device.uid,
            every(definition),
            action.nql_id,
            action.version,
            msgspec.Raw(action.content.encode()),
            definition.parameters,
            UNSIGNED,
            None if signed is None else signed.signature,
            0 if signed is None else signed.serial,
        )

    def _signature(self, order: LocalOrder) -> bytes:
        return self._keys.current.sign(statements.local_order_bytes(order))
