"""The JSON of the device routes.

Data only: what the tables know of a device beside what its enrolment knows. Invariant: null where nothing is known,
never a made-up value.
"""

from __future__ import annotations

from msgspec import Struct


class EnrolmentInfo(Struct):
    """A device's identity. `cloned_at` says when two machines were seen to go by it: it is held until somebody
    decides."""

    generation: int
    collector_uid: str
    enrolled_at: str
    contact_at: str | None
    revoked_at: str | None
    cloned_at: str | None
    agent_version: str | None
    connected: bool


class DeviceView(Struct):
    """A device."""

    uid: str
    name: str
    simulated: bool
    first_seen: str | None
    last_seen: str | None
    operating_system: str | None
    model: str | None
    enrolment: EnrolmentInfo | None


class DeviceOne(Struct):
    """One device."""

    device: DeviceView


class ClonedDevice(Struct):
    """A device whose identity two machines were seen to go by."""

    uid: str
    name: str
    cloned_at: str
    contact_at: str | None


class ClonedDevices(Struct):
    """All that are held, oldest first."""

    devices: list[ClonedDevice]


class Released(Struct):
    """Whether this request released it; false if it was not held."""

    released: bool


class Revoked(Struct):
    """Whether this request closed it; false if it was closed already."""

    revoked: bool
