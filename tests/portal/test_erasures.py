"""Erasing a device and a person from a portal at work: proven by a scan of every byte of its data folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from portal.erasure import work
from portal.settings import Settings
from storage.control.audit import BLANKED
from storage.naming import ERASED
from tests.portal.conftest import API, House, Play
from tests.portal.erased_world import (
    NAME,
    PERSON,
    SAID,
    WORDS,
    World,
    asked,
    enrolled,
    filled,
    finished,
    rows_of,
    telemetry,
    view,
)
from tests.portal.scanning import found

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LOOKS", 2)
    monkeypatch.setattr(work, "PAUSE", 0.05)


def test_a_device_is_in_no_byte_of_the_folder(play: Play, settings: Settings) -> None:
    async def scene(house: House) -> None:
        world = await filled(house)
        connected = house.listener(world.device.uid)
        house.portal.presence.came(world.device.uid)
        before = await rows_of(world, world.other.uid)
        everywhere = {line.split(":")[0].split("/")[1] for line in found(world.data, *world.words) if "/" in line}
        assert everywhere >= {"lake", "objects", "segments", "quarantine", "cache", "control.db"}
        shown = (await world.ann.post(f"{API}/devices/erasures/preview", json={"devices": [{"name": NAME}]})).json()
        [shown] = shown["erasures"]
        assert (shown["uid"], shown["status"]) == (world.device.uid, "found")
        assert shown["rows"]["execution.events"] == 20
        assert shown["control"]["executions"] == 2
        assert shown["written"] == ["query:#one"]
        assert NAME in shown["words"]

        [answer] = await asked(world, "devices", {"name": NAME.upper()})
        assert (answer["status"], answer["uid"]) == ("scheduled", world.device.uid)
        await house.portal.erasures.carry_on()
        assert (await view(world, answer["erasure"]))["state"] == "asked", "its connection has not ended"
        assert connected.closed[-1] == 4403
        assert "still connected" in (await view(world, answer["erasure"]))["error"]
        house.portal.nudges.remove(world.device.uid, connected)
        house.portal.presence.left(world.device.uid, "left")
        await house.portal.erasures.carry_on()
        done = await finished(world, answer["erasure"])
        assert (done["uid"], done["left"], done["error"]) == (None, [], None)
        assert done["report"]["executions"] == 2
        assert done["written"] == ["query:#one"]

        assert found(world.data, *(word for word in world.words if word != NAME)) == []
        assert {line.split(":")[0] for line in found(world.data, NAME)} == {"control/control.db"}
        changed = {"name": "one", "text": "devices", "description": ""}
        await world.ann.put(f"{API}/saved-queries/%23one", json=changed)
        assert house.portal.control.erasures.clean()
        assert found(world.data, *world.words) == []
        assert await rows_of(world, world.other.uid) == before
        assert (await world.ann.get(f"{API}/devices/{world.device.uid}")).status_code == 404
        assert (await rows_of(world, world.device.uid))[0] == []
        verified = (await world.ann.get(f"{API}/audit/verify")).json()
        assert (verified["whole"], verified["blanked"]) == (True, done["report"]["audit_entries"])
        [again] = await asked(world, "devices", {"uid": world.device.uid})
        assert (again["status"], again["erasure"]) == ("done", answer["erasure"])
        await house.settle()

    play(scene)
    data = settings.data
    assert found(data, *WORDS) == []


def test_a_person_is_in_no_byte_of_the_folder(play: Play) -> None:
    async def scene(house: House) -> None:
        world = await filled(house)
        before = (await rows_of(world, world.other.uid))[:2]
        assert found(world.data, *SAID)
        [answer] = await asked(world, "users", {"uid": PERSON})
        done = await finished(world, answer["erasure"])
        assert done["report"]["runs"] >= 1
        assert found(world.data, *SAID) == []
        assert (await rows_of(world, world.other.uid))[:2] == before
        said = await world.ann.post(f"{API}/query", json={"text": "devices | list login.last_login_user_name"})
        assert {row[0] for row in said.json()["rows"]} == {ERASED}
        said = await world.ann.post(f"{API}/query", json={"text": "users | summarize n = count()"})
        assert said.json()["rows"] == [[0]]
        said = await world.ann.post(
            f"{API}/query", json={"text": "campaign.responses during past 7d | summarize n = count()"}
        )
        assert said.json()["rows"] == [[10]], "those of nobody known are still there"
        assert (await world.ann.get(f"{API}/audit/verify")).json()["whole"]
        await world.house.portal.tables.append(telemetry(world.other, 9, "later", 0))
        assert (await asked(world, "users", {"uid": PERSON}))[0]["status"] == "scheduled", "who is seen again"

    play(scene)


def test_the_log_says_who_asked_and_not_whom(play: Play) -> None:
    async def scene(house: House) -> None:
        world = await filled(house)
        [answer] = await asked(world, "devices", {"uid": world.device.uid, "name": NAME})
        await finished(world, answer["erasure"])
        subject = f"erasure:{answer['erasure']}"
        log = (await world.ann.get(f"{API}/audit", params={"subject": subject})).json()["entries"]
        assert [entry["action"] for entry in log] == ["erasure.done", BLANKED, "erasure.asked"]
        assert {entry["actor"] for entry in log} == {"account:ann", "portal"}
        digest = (await view(world, answer["erasure"]))["digest"]
        assert log[0]["detail"]["digest"] == log[2]["detail"]["digest"] == digest
        assert digest != hashlib.sha256(world.device.uid.encode()).hexdigest()
        listed = (await world.ann.get(f"{API}/erasures")).json()["erasures"]
        assert [one["id"] for one in listed] == [answer["erasure"]]
        assert (await world.ann.get(f"{API}/erasures", params={"before": listed[0]["id"]})).json()["erasures"] == []
        assert (await world.ann.get(f"{API}/erasures/nonsense")).status_code == 404

    play(scene)


def test_who_is_meant(play: Play) -> None:
    async def scene(house: House) -> None:
        house.enrol(7)
        twin = enrolled(house, 8, "pc-7")
        await house.settle()
        world = World(house, await house.program(), twin, twin)
        wanted: Sequence[dict[str, str]] = (
            {"name": "pc-7"}, {"name": "nobody"}, {}, {"uid": twin.uid, "name": "pc-8"}, {"uid": "x"}
        )  # fmt: skip
        statuses = [one["status"] for one in await asked(world, "devices", *wanted)]
        assert statuses == ["ambiguous", "unknown", "invalid", "invalid", "unknown"]
        shown = await world.ann.post(f"{API}/devices/erasures/preview", json={"devices": list(wanted)})
        assert [one["status"] for one in shown.json()["erasures"]] == statuses
        assert (await asked(world, "devices", {"uid": twin.uid, "name": "PC-7"}))[0]["status"] == "scheduled"
        bodies: Sequence[dict[str, Any]] = (
            {"devices": []},
            {"devices": [{"uid": "x"}] * 101},
            {"devices": [{"uid": ""}]},
            {},
        )
        for body in bodies:
            assert (await world.ann.post(f"{API}/devices/erasures", json=body)).status_code == 400

    play(scene)
