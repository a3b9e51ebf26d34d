"""A portal in which a device and a person are in every place that keeps something of them.

Comes in: a portal. Goes out: `World`, whose first device and whose person have words that nothing else has. Invariant:
the second device is as the first, so that what an erasure takes too much shows there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from storage.control.campaign_dispatch import Heard
from storage.control.enrolment import Device
from storage.control.erasure import DONE
from storage.control.outcomes import Outcome
from storage.control.states import State
from storage.tables.api import Batch, Rows
from tests.portal.campaigns.scenes import COFFEE
from tests.portal.conftest import API, MANIFEST, NOW, SECOND, House, eventually

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
    await told(world)
    await taken_through(world)
    house.portal.presence.came(world.device.uid)
    house.portal.presence.came(world.other.uid)
    await house.portal.presence.write()


async def told(world: World) -> None:
    """The person sits at the first device and says something there, whose words name it; another campaign waits."""
    control, now = world.house.portal.control, world.house.time.now
    for number, campaign in enumerate((COFFEE, COFFEE | {"nql_id": "#tea"})):
        assert (await world.ann.post(f"{API}/campaigns", json=campaign)).is_success
        sending = {"users": [PERSON, f"{USERNAME}@here"], "parameters": {"name": f"{USERNAME} at {NAME}"}}
        answer = await world.ann.post(f"{API}/campaigns/{campaign['nql_id'][1:]}/send", json=sending)
        assert all(one["response"] for one in answer.json()["sent"]), answer.text
        control.people_present.told(world.device.uid, [PERSON, f"{world.device.uid}:1000"], now=now)
        if not number:
            ask = control.campaign_dispatch.claim(world.device.uid, [], now=now)
            assert ask is not None
            said = Heard("answered", "", {}, {"why": f"her own words at {NAME}"})
            control.campaign_dispatch.take(ask.response, ask.device, ask.attempt, ask.nonce, said, now=now)


async def taken_through(world: World) -> None:
    """A workflow goes on on both devices, and has ended on both before; it was asked for with the person's name."""
    house, ann = world.house, world.ann
    steps = [{"kind": "wait", "id": "ear", "listen": ["answer"]}, {"kind": "stop", "id": "end"}]
    said = {"nql_id": "#listen", "name": "Listen", "steps": steps, "parameters": [{"name": "who"}]}
    assert (await ann.post(f"{API}/workflows", json=said)).is_success
    asked = {"target": {"devices": [world.device.uid, world.other.uid]}, "parameters": {"who": USERNAME},
             "reason": f"{USERNAME} waits at {NAME}"}  # fmt: skip
    for number in range(2):
        begun = await ann.post(f"{API}/workflows/listen/executions", json=asked)
        assert begun.is_success, begun.text
        await house.portal.workflows.going.tick()
        for execution in begun.json()["executions"] if number else ():
            given = {"parameters": {"answer": f"{USERNAME} says yes at {NAME}"}}
            assert (await ann.post(f"{API}/workflow-executions/{execution}/trigger", json=given)).is_success
    await house.portal.workflows.going.tick()


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
