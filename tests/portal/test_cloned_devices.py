"""Devices whose identity two machines go by: who sees them, and who decides.

Comes in: devices that are held. Goes out: the list, the state of one device, what a release changes. Invariant: only
who administers decides, and a release of what is not held changes nothing.
"""

from __future__ import annotations

from tests.portal.conftest import API, NOW, House, Play


def test_they_are_listed_and_released(play: Play) -> None:
    async def scene(house: House) -> None:
        one, other = house.enrol(1), house.enrol(2)
        await house.settle()
        client = await house.program()
        enrolment = house.portal.control.enrolment
        for device in (one, other):
            assert enrolment.hold(device.uid, "batch", now=NOW)
        enrolment.forget(other.uid)
        house.portal.control.revoke_device(other.uid, by="ann", now=NOW)
        listed = (await client.get(f"{API}/devices/cloned")).json()["devices"]
        assert [(row["uid"], row["name"], row["cloned_at"]) for row in listed] == [
            (one.uid, "pc-1", "2026-01-01T10:40:00Z")
        ]
        shown = (await client.get(f"{API}/devices/{one.uid}")).json()["device"]["enrolment"]
        assert shown["cloned_at"] == "2026-01-01T10:40:00Z"
        for released in (True, False):
            answer = await client.post(f"{API}/devices/{one.uid}/release", json={})
            assert answer.json() == {"released": released}
        assert (await client.get(f"{API}/devices/cloned")).json() == {"devices": []}
        assert house.portal.control.audit.latest(subject=f"device:{one.uid}")[0].action == "device.released"
        assert (await client.post(f"{API}/devices/nobody/release", json={})).status_code == 404
        others = await house.program("ben", ("query", "execute", "manage"))
        assert (await others.get(f"{API}/devices/cloned")).status_code == 403
        assert (await others.post(f"{API}/devices/{one.uid}/release", json={})).status_code == 403

    play(scene)
