"""Erasing a device and a person from a portal at work: proven by a scan of every byte of its data folder."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from portal.erasure import work
from portal.erasure.beside import LOCK, STAGING
from portal.settings import Settings
from storage.control.audit import BLANKED
from storage.control.enrolment import Device
from storage.control.erasure import CONTROL_ERASED, DONE, REVOKED, TABLES_ERASED
from storage.control.outcomes import Outcome
from storage.control.states import State
from storage.naming import ERASED, Naming
from storage.tables.api import Batch, Rows, Tables
from storage.tables.fakes import FaultyFiles
from tests.portal.conftest import API, MANIFEST, NOW, SECOND, House, Play, eventually, opened
from tests.portal.scanning import found

pytestmark = pytest.mark.slow

DAY = 86_400 * SECOND
QUARTER = 900 * SECOND
NAME, OTHER = "zrh-marker-0001", "zrh-marker-0002"
PERSON, USERNAME = "S-1-5-21-90210", "mona.marker"
WORDS = [NAME, "only-on-the-first"]
SAID = [PERSON, USERNAME, "Mona Marker", "her own words"]
CACHED = "ab" * 32


@dataclass
class World:
    """A portal with two devices, one of which is to go, and a person who used both."""

    house: House
    ann: httpx.AsyncClient
    device: Device
    other: Device

    @property
    def data(self) -> Path:
        return self.house.portal.settings.data

    @property
    def words(self) -> list[str]:
        return [*WORDS, self.device.uid, self.device.collector_uid]


def enrolled(house: House, number: int, name: str) -> Device:
    enrolment = house.portal.control.enrolment
    [(_, secret)] = enrolment.create_enrol_keys(
        1, simulated=False, expires_at=NOW + DAY, by="account:ann", now=house.time.now
    )
    key = number.to_bytes(32, "big")
    return enrolment.consume_enrol_key(secret, key, key, name, now=house.time.now)


def telemetry(device: Device, sequence: int, mark: str, days_ago: int) -> Batch:
    """What an agent sends: itself, its people, and what ran."""
    starts = [NOW - days_ago * DAY - row * QUARTER for row in range(1, 5)]
    uid = device.uid
    return Batch(
        uid, device.generation, "epoch", sequence, NOW,
        (
            Rows("device.devices", {"uid": [uid], "name": [device.name], "hardware.model": [mark],
                                    "login.last_login_user_name": [USERNAME]}),
            Rows("user.users", {"uid": [PERSON], "name": [f"{USERNAME}@here"], "username": [USERNAME],
                                "ad.full_name": ["Mona Marker"]}),
            Rows("device.local_admins", {"@device": [uid] * 2, "name": [USERNAME, "root"]}),
            Rows("device.disks", {"@device": [uid], "name": [f"disk {mark}"]}),
            Rows("execution.events", {
                "@device": [uid] * 4, "@user": [PERSON] * 4, "@binary": ["bash"] * 4, "start_time": starts,
                "end_time": [start + QUARTER for start in starts], "bucket_duration": [QUARTER] * 4,
                "cpu_time": [1, 2, 3, 4],
            }),
            Rows("campaign.responses", {
                "time": starts[:2], "@device": [uid] * 2, "@user": [PERSON, None], "comments": [None, None],
                "answers": [[{"name": "q", "number": None, "real": None, "text": f"her own words {mark}",
                              "texts": None}], None],
            }),
        ),
    )  # fmt: skip


async def filled(house: House) -> World:
    """Both are in the control database, in every kind of file of the tables, in their history, and beside them."""
    ann, portal = await house.program(), house.portal
    device, other = enrolled(house, 1, NAME), enrolled(house, 2, OTHER)
    world = World(house, ann, device, other)
    await house.settle()
    for sequence, days_ago in ((1, 3), (2, 3), (3, 2)):  # the days are compacted twice: the lake has a history
        for one, mark in ((device, "only-on-the-first"), (other, "only-on-the-second")):
            await portal.tables.append(telemetry(one, sequence, mark, days_ago))
        await portal.tables.compact(1 << 62)
    await ran(world)
    for one, mark in ((device, "only-on-the-first"), (other, "only-on-the-second")):
        await portal.tables.append(telemetry(one, 4, mark, 1))
    await portal.tables.seal()
    for one, mark in ((device, "only-on-the-first"), (other, "only-on-the-second")):
        await portal.tables.append(telemetry(one, 5, mark, 0))
    for folder in ("quarantine", "cache"):
        (world.data / "tables" / folder).mkdir(exist_ok=True)
    (world.data / "tables" / "quarantine" / "journal-1.bin").write_bytes(f"{NAME} {USERNAME}".encode())
    pl.DataFrame({"x": [NAME, USERNAME]}).write_ipc(world.data / "tables" / "cache" / f"{CACHED}-x-{CACHED}.arrow")
    return world


async def ran(world: World) -> None:
    """A run on both devices whose text names what is to go, with outputs; the log and the outbox tell of it."""
    house, ann = world.house, world.ann
    hook = {"url": "https://example.org/hook", "events": ["run.ended"]}
    assert (await ann.post(f"{API}/webhooks", json=hook)).status_code == 201
    await ann.post(f"{API}/actions", json=MANIFEST)
    text = f'devices | where name in ["{NAME}", "{OTHER}"]'
    asked = {"action": "#clear_cache", "allow_draft": True, "target": {"nql": text}, "reason": f"{USERNAME} waits",
             "parameters": {"path": f"/home/{USERNAME}"}}  # fmt: skip
    answer = await ann.post(f"{API}/runs", json=asked)
    assert answer.status_code in (200, 201), answer.text
    run = answer.json()["run"]["id"]
    for one in (world.device, world.other):
        outcome = Outcome(State.FAILURE, 1, outputs={"freed": 1}, error=f"{one.name}: /home/{USERNAME} is busy")
        house.answer(run, one.uid, outcome)
    await house.portal.progress.tick()
    saved = {"name": "one", "text": f'devices | where name == "{NAME}"', "description": ""}
    assert (await ann.put(f"{API}/saved-queries/%23one", json=saved)).is_success
    await house.settle()
    alone = asked | {"target": {"devices": [world.device.uid]}}
    assert (await ann.post(f"{API}/runs", json=alone)).is_success
    house.portal.presence.came(world.device.uid)
    house.portal.presence.came(world.other.uid)
    await house.portal.presence.write()


async def rows_of(world: World, uid: str) -> list[Any]:
    """What is answered of a device: rows of all its tables."""
    answers = []
    for text in (
        f'devices | where uid == "{uid}" | list name, hardware.model',
        f'execution.events during past 7d | where device.uid == "{uid}" | summarize n = count(), c = cpu_time.sum()',
        f'campaign.responses during past 7d | where device.uid == "{uid}" | summarize n = count()',
        f'remote_action.executions during past 7d | where device.uid == "{uid}" | summarize n = count() by status',
    ):
        answer = await world.ann.post(f"{API}/query", json={"text": text})
        assert answer.status_code == 200, answer.text
        answers.append(answer.json()["rows"])
    return answers


async def finished(world: World, identifier: str) -> dict[str, Any]:
    """The erasure, once it is done."""

    async def done() -> bool:
        return bool((await view(world, identifier))["state"] == DONE)

    await eventually(done, 60)
    return await view(world, identifier)


async def view(world: World, identifier: str) -> dict[str, Any]:
    seen: dict[str, Any] = (await world.ann.get(f"{API}/erasures/{identifier}")).json()["erasure"]
    return seen


async def asked(world: World, kind: str, *wanted: dict[str, str]) -> list[dict[str, Any]]:
    answer = await world.ann.post(f"{API}/{kind}/erasures", json={kind: list(wanted)})
    assert answer.status_code == 202, answer.text
    whole: list[dict[str, Any]] = answer.json()["erasures"]
    assert answer.json()["scheduled"] == sum(one["status"] == "scheduled" for one in whole)
    return whole


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


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LOOKS", 2)
    monkeypatch.setattr(work, "PAUSE", 0.05)


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


def test_an_erasure_goes_on_from_every_state(settings: Settings) -> None:
    """The process ends after each step; the next one goes on without being asked."""

    async def whole() -> None:
        async with opened(settings) as house:
            world = await filled(house)
            uid = world.device.uid
            identifier = house.portal.control.erasures.ask("device", uid, by="account:ann", now=NOW).id
        for state in (REVOKED, CONTROL_ERASED, TABLES_ERASED, DONE):
            async with stopped(settings) as house:
                work = house.portal.erasures
                await work._step(house.portal.control.erasures.erasure(identifier))
                assert house.portal.control.erasures.erasure(identifier).state == state

    asyncio.run(whole())
    assert [line for line in found(settings.data, *WORDS) if "control.db" not in line] == []


@asynccontextmanager
async def stopped(settings: Settings) -> AsyncIterator[House]:
    """A portal whose erasures are carried out by nobody but the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work.Work, "run", _nothing)
        async with opened(settings) as house:
            yield house


async def _nothing(_self: work.Work) -> None:
    await asyncio.Event().wait()


class Late:
    """Tables to which a device still sends once, while it is erased."""

    def __init__(self, tables: Tables, late: Batch) -> None:
        self._tables, self._late, self.erasures = tables, [late], 0

    async def erase(self, table: str, key: str, words: Naming) -> bool:
        self.erasures += 1
        done = await self._tables.erase(table, key, words)
        while self._late:
            await self._tables.append(self._late.pop())
        return done

    async def erased(self) -> bool:
        return await self._tables.erased()


def test_what_comes_while_it_is_erased_is_erased_again(settings: Settings) -> None:
    async def whole() -> None:
        async with stopped(settings) as house:
            world = await filled(house)
            late = Late(house.portal.tables, telemetry(world.device, 6, "only-on-the-first", 0))
            working = work.Work(replace(house.portal.erasures._p, tables=late))  # type: ignore[arg-type]  # as it is used
            [answer] = await asked(world, "devices", {"uid": world.device.uid})
            assert not await working.carry_on()
            assert (await view(world, answer["erasure"]))["state"] == DONE
            assert late.erasures == 2
            assert [line for line in found(world.data, *WORDS) if "control.db" not in line] == []

    asyncio.run(whole())


def test_who_holds_files_of_before_is_waited_for(settings: Settings) -> None:
    async def whole() -> None:
        async with stopped(settings) as house:
            world, working = await filled(house), house.portal.erasures
            [answer] = await asked(world, "devices", {"uid": world.device.uid})
            for state in (REVOKED, CONTROL_ERASED, TABLES_ERASED):
                await working._step(house.portal.control.erasures.erasure(answer["erasure"]))
                assert (await view(world, answer["erasure"]))["state"] == state

            async def waits(why: str) -> None:
                assert await working.carry_on()
                seen = await view(world, answer["erasure"])
                assert (seen["state"], why in seen["error"]) == (TABLES_ERASED, True), seen["error"]

            spooled = house.portal.execution.workers.spool.new("arrow")
            spooled.touch()
            await waits("a process of its own")
            spooled.unlink()
            staging = world.data / f"{STAGING}1"
            staging.mkdir()
            with (world.data / LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                await waits("a backup")
            assert staging.exists()
            with house.portal.control._database.read() as connection:
                connection.exec_driver_sql("SELECT 1 FROM audit").fetchall()
                await waits("somebody still reads the control database")
            assert not staging.exists(), "of a backup that was killed"
            assert not await working.carry_on()
            assert (await view(world, answer["erasure"]))["state"] == DONE
            assert not await working.carry_on()

    asyncio.run(whole())


def test_a_disk_that_fails_only_delays_it(settings: Settings, tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "limbo", lasting=True)

    async def whole() -> None:
        async with opened(settings, files) as house:
            world = await filled(house)
            files.fail_from_now()
            [answer] = await asked(world, "devices", {"uid": world.device.uid})

            async def failed() -> bool:
                return bool((await view(world, answer["erasure"]))["error"])

            await eventually(failed)
            files.heal()
            if "open the folder anew" not in (await view(world, answer["erasure"]))["error"]:
                await finished(world, answer["erasure"])
        async with opened(settings) as house:
            await finished(replace(world, house=house, ann=await house.program()), answer["erasure"])

    asyncio.run(whole())
    assert [line for line in found(settings.data, *WORDS) if "control.db" not in line] == []
