"""Device deletions: each becomes an erasure, which takes away everything of the device for ever.

In: devices by uid, with their names. Out: what became of each, in the order of the request. Invariants: nothing is
erased by a name, and a name that is given has to fit; every answer names its request, under the id that the client
gave it if that is a UUID.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from msgspec import Meta, Struct
from starlette.requests import Request

from portal.caller import Permission
from portal.erasure.messages import ErasureAnswer, ToErase
from portal.erasure.service import Erasing
from portal.errors import ApiError
from portal.modern.errors import Surface
from portal.modern.ways import Asked, Way
from portal.queries.identified import guid
from storage.control.tombstones import DEVICE

MOST = 100
PATH = "/api/v1/data-management/device/deletions"
STATUS = {"scheduled": "SCHEDULED", "failed": "FAILED"}  # anything else is INVALID
Text = Annotated[str, Meta(max_length=1024)]


class Named(Struct):
    """A device."""

    uid: Text = ""
    name: Text | None = None


class Deletions(Struct):
    """Devices to delete."""

    devices: list[Named] = []


def listed(erasing: Erasing) -> list[Way]:
    """The ways of this part."""

    async def delete(asked: Asked) -> dict[str, Any]:
        return await _delete(erasing, asked)

    need = ("data_management", Permission.ADMINISTER)
    return [Way("POST", PATH, Surface.DELETIONS, *need, delete, Deletions, headers=_headers, status=202)]


async def _delete(erasing: Erasing, asked: Asked) -> dict[str, Any]:
    devices: list[Named] = asked.body.devices
    if not devices:
        raise ApiError(400, "EMPTY_REQUEST", "The list of devices is empty.")
    if len(devices) > MOST:
        raise ApiError(400, "BATCH_SIZE_EXCEEDED", f"A request names {MOST} devices at most.")
    wanted = [ToErase(guid(device.uid) or None, device.name or None) for device in devices if device.uid]
    answers = iter(await erasing.ask(asked.caller, DEVICE, wanted) if wanted else [])
    said = [_said(device, next(answers) if device.uid else None) for device in devices]
    return {
        "scheduledCount": sum(one["status"] == "SCHEDULED" for one in said),
        "status": "ACCEPTED",
        "devices": said,
    }


def _said(device: Named, answer: ErasureAnswer | None) -> dict[str, str]:
    status = "INVALID" if answer is None else STATUS.get(answer.status, "INVALID")
    return {"uid": device.uid, "name": device.name or "", "status": status}


def _headers(request: Request) -> dict[str, str]:
    try:
        given = str(UUID(request.headers.get("x-request-id", "")))
    except ValueError:
        given = str(uuid4())
    return {"x-request-id": given, "x-trace-id": request.scope["muster.request"]}
