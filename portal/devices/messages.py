"""The JSON of the device routes.

Data only: what the tables know of a device beside what its enrolment knows. Invariant: null where nothing is known,
never a made-up value.
"""

from __future__ import annotations

from msgspec import Struct


class EnrolmentInfo(Struct):
    """A device's identity."""

    generation: int
    collector_uid: str
    enrolled_at: str
    contact_at: str | None
    revoked_at: str | None
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


class Revoked(Struct):
    """Whether this request closed it; false if it was closed already."""

    revoked: bool
