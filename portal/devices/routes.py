"""The device routes: decode, call, encode.

In: uids. Out: what is known of a device; whether it was revoked. Invariant: whether a device is simulated is told by
its enrolment, if it has one, and by nothing that it says itself.
"""

from __future__ import annotations

from typing import Any

from engine.formats import instant_text
from portal.caller import Permission
from portal.devices import messages as m
from portal.devices.service import Devices
from portal.endpoints import Asked, Endpoint
from storage.control.enrolment import Device


def endpoints(devices: Devices) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(devices)
    return [
        Endpoint(
            "GET",
            "/devices/cloned",
            routes.cloned,
            "The devices that are held, as two machines were seen to go by their identity.",
            Permission.ADMINISTER,
            answer=m.ClonedDevices,
        ),
        Endpoint("GET", "/devices/{uid}", routes.device, "One device.", Permission.QUERY, answer=m.DeviceOne),
        Endpoint(
            "POST",
            "/devices/{uid}/revoke",
            routes.revoke,
            "Close a device's identity for ever.",
            Permission.ADMINISTER,
            answer=m.Revoked,
        ),
        Endpoint(
            "POST",
            "/devices/{uid}/release",
            routes.release,
            "Serve a device again that was held, as one machine alone goes by its identity now.",
            Permission.ADMINISTER,
            answer=m.Released,
        ),
    ]


class _Routes:
    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    async def device(self, asked: Asked) -> m.DeviceOne:
        uid = asked.path("uid")
        known, enrolled, connected = await self._devices.device(asked.caller, uid)
        return m.DeviceOne(_view(uid, known or {}, enrolled, connected))

    async def cloned(self, _asked: Asked) -> m.ClonedDevices:
        return m.ClonedDevices([_cloned(one) for one in await self._devices.cloned()])

    async def release(self, asked: Asked) -> m.Released:
        return m.Released(await self._devices.release(asked.caller, asked.path("uid")))

    async def revoke(self, asked: Asked) -> m.Revoked:
        return m.Revoked(await self._devices.revoke(asked.caller, asked.path("uid")))


def _view(uid: str, known: dict[str, Any], enrolled: Device | None, connected: bool) -> m.DeviceView:
    return m.DeviceView(
        uid=uid,
        name=known.get("name") or (enrolled.name if enrolled else uid),
        simulated=enrolled.simulated if enrolled else bool(known.get("simulated")),
        first_seen=_shown(known.get("first_seen")),
        last_seen=_shown(known.get("last_seen")),
        operating_system=known.get("operating_system.name"),
        model=known.get("hardware.model"),
        enrolment=None if enrolled is None else _enrolment(enrolled, connected),
    )


def _enrolment(device: Device, connected: bool) -> m.EnrolmentInfo:
    return m.EnrolmentInfo(
        generation=device.generation,
        collector_uid=device.collector_uid,
        enrolled_at=instant_text(device.enrolled_at),
        contact_at=_shown(device.contact_at),
        revoked_at=_shown(device.revoked_at),
        cloned_at=_shown(device.cloned_at),
        agent_version=device.agent_version,
        connected=connected,
    )


def _cloned(device: Device) -> m.ClonedDevice:
    seen_at = instant_text(device.cloned_at or 0)
    return m.ClonedDevice(device.uid, device.name, seen_at, _shown(device.contact_at))


def _shown(micros: int | None) -> str | None:
    return None if micros is None else instant_text(micros)
