"""Local schedules from end to end: a portal at work, the device's own core and journal, the wire between them; only
clocks and processes are the test's.

Invariant: what the device runs comes from its configuration as it travelled, and what the tables hold from reports that
it signed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent import events as e
from agent import signing, wire
from agent.core import step
from agent.identity import Keys
from agent.journal import Journal
from agent.local_journal import LocalJournal
from agent.orders import Trust
from agent.runner import Ended
from agent.state import State
from agent.wire_configuration import Configuration, Fetch
from tests.portal.agents.device import Device, enrolled
from tests.portal.conftest import API, HOUR, MANIFEST, NOW, SECOND, House, Play

pytestmark = pytest.mark.slow
ACTION = MANIFEST | {"triggers": ["schedule"]}
DEFINITION = {"action": "#clear_cache", "target": "devices", "cadence": {"every": "10min"}, "local": True,
              "allow_draft": True}  # fmt: skip
SCHEDULE = {"nql_id": "#facts", "name": "Facts", "definition": DEFINITION}
MINUTE = 60 * SECOND


class Mind:
    """A device's core with its journal; scripts end at once, as the test says."""

    def __init__(self, device: Device, folder: Path) -> None:
        self.device, self.folder = device, folder
        self.keys = Keys(device.key, X25519PrivateKey.generate())
        self.ends: list[Ended] = []
        self.start()

    def start(self) -> None:
        """As after a start of the agent."""
        told = self.device.told
        self.journal = LocalJournal(self.folder)
        self.state = State(Trust(told.device, told.portal_key, (), "linux", policy="unrestricted"))
        self.happens(e.Recovered((), 0, self.journal.known()))
        self.happens(e.ChannelOpened())

    def happens(self, event: e.Event, now: int | None = None) -> None:
        self.state, commands = step(self.state, event, self.device.house.time.now if now is None else now)
        for command in commands:
            match command:
                case e.StoreIntent(job):
                    signing.write(signing.intent(job, 0), Journal(self.folder), self.journal)
                    self.happens(e.IntentStored(job))
                case e.StartProcess(job):
                    at = self.device.house.time.now
                    ended = self.ends.pop(0) if self.ends else Ended("success", outputs={"files": 7})
                    whole = Ended(ended.state, ended.detail, 0, ended.outputs, "", at, at + SECOND)
                    self.happens(e.ProcessEnded(job, whole))
                case e.StoreLocalReport():
                    record, stored = signing.signed(command, self.device.told.device, self.keys)
                    signing.write(record, Journal(self.folder), self.journal)
                    self.happens(stored)

    async def configure(self) -> str:
        """Fetch the configuration and go by it."""
        answer = await self.device.send(wire.CONFIG, wire.encode(Fetch(self.state.tag)))
        assert answer.status_code == 200, answer.text
        configuration = msgspec.json.decode(answer.content, type=Configuration)
        self.happens(e.Configured(configuration))
        return configuration.tag

    async def report(self) -> list[str]:
        """Send what waits; the verdicts."""
        reports = list(self.state.local.unsent)
        answer = await self.device.send(wire.REPORTS, wire.encode(wire.Reports([], reports)))
        assert answer.status_code == 200, answer.text
        verdicts = msgspec.json.decode(answer.content, type=wire.Verdicts).verdicts
        self.happens(e.ReportsTaken(tuple(verdicts)))
        return [verdict.verdict for verdict in verdicts]

    def until(self, end: int) -> None:
        """Let time pass on the device."""
        time = self.device.house.time
        while self.state.local.at <= end:
            time.now = self.state.local.at
            self.happens(e.Tick())
        time.now = end


async def prepared(house: House, folder: Path) -> tuple[httpx.AsyncClient, Mind]:
    client, device = await house.program(), await enrolled(house)
    await house.settle()
    assert (await client.post(f"{API}/actions", json=ACTION)).status_code == 201
    answer = await client.post(f"{API}/schedules", json=SCHEDULE)
    assert answer.status_code == 201, answer.text
    house.time.now += 10 * SECOND
    await house.portal.scheduler.tick()
    await house.settle()
    return client, Mind(device, folder)


async def rows(house: House, client: httpx.AsyncClient, text: str) -> list[list[Any]]:
    await house.settle()
    answer = await client.post(f"{API}/query", json={"text": text})
    assert answer.status_code == 200, answer.text
    found: list[list[Any]] = answer.json()["rows"]
    return found


FILES = (
    "remote_action.#clear_cache.executions during past 2d | list outputs.files, status, trigger_method | sort time asc"
)
STATE = "remote_action.local_schedules | list device.name, remote_action.name, status, status_details"


def test_a_device_collects_on_its_own_clock_and_tells_when_it_can(play: Play, tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        client, mind = await prepared(house, tmp_path)
        before = mind.state.tag
        tag = await mind.configure()
        assert tag == house.portal.configurations.tag(mind.device.told.device) != before
        began = house.time.now
        mind.until(began + HOUR)
        assert len(mind.state.local.unsent) == 6
        assert await rows(house, client, FILES) == []  # it was not connected for this hour
        first = mind.state.local.unsent
        assert await mind.report() == ["accepted"] * 6
        assert await rows(house, client, FILES) == [[7, "success", "scheduled"]] * 6
        mind.happens(e.LocalReportStored(first[-1]))  # as if the verdicts had been lost
        assert await mind.report() == ["duplicate"]
        assert len(await rows(house, client, FILES)) == 6
        times = await rows(
            house, client, "remote_action.#clear_cache.executions during past 2d | list time | sort time asc"
        )
        assert len({row[0] for row in times}) == 6  # when they ended on the device, not when they came
        assert await rows(house, client, STATE) == [["pc", "Clear cache", "active", None]]

    play(scene)


def test_a_device_that_was_off_skips(play: Play, tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        client, mind = await prepared(house, tmp_path)
        await mind.configure()
        mind.until(house.time.now + 21 * MINUTE)
        done = len(mind.state.local.unsent)
        house.time.now += 3 * HOUR  # off
        mind.start()
        await mind.configure()
        mind.until(house.time.now + 10 * MINUTE)
        assert len(mind.state.local.unsent) == done + 1
        await mind.report()
        assert len(await rows(house, client, FILES)) == done + 1

    play(scene)


def test_a_device_that_leaves_the_query_stops_within_the_hour(play: Play, tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        client, mind = await prepared(house, tmp_path)
        await mind.configure()
        assert [one.schedule for one in mind.state.local.orders] == ["facts"]
        narrow = {"name": "Facts", "definition": DEFINITION | {"target": 'devices | where name == "other"'}}
        assert (await client.put(f"{API}/schedules/facts", json=narrow)).status_code == 200
        house.time.now += 61 * SECOND
        await house.portal.scheduler.tick()
        await mind.configure()
        assert not mind.state.local.orders
        assert await rows(house, client, STATE) == [["pc", "Clear cache", "removed", None]]
        # what it did before may still come
        assert house.portal.control.local_schedules.of_device(mind.device.told.device) == []

    play(scene)


def test_new_versions_and_owners_reach_devices(play: Play, tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        client, mind = await prepared(house, tmp_path)
        first = await mind.configure()
        version = mind.state.local.orders[0].action_version
        newer = ACTION | {"scripts": {"linux": {"language": "bash", "text": "echo\n"}}}
        assert (await client.post(f"{API}/actions", json=newer)).status_code == 201
        assert await mind.configure() != first
        assert mind.state.local.orders[0].action_version != version
        house.portal.control.accounts.set_permissions("ann", ["query", "administer"], by="portal", now=NOW)
        house.time.now += HOUR + MINUTE
        await house.portal.scheduler.tick()
        await mind.configure()
        assert not mind.state.local.orders
        [failed] = house.portal.control.schedules.firings("#facts")
        assert (failed.outcome, failed.detail) == ("failed", "the owner ann lacks the permission execute")

    play(scene)


def test_failures_in_a_row_are_shown(play: Play, tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        client, mind = await prepared(house, tmp_path)
        await mind.configure()
        mind.ends = [Ended("failure", "it broke")] * 20
        mind.until(house.time.now + 10 * HOUR)
        assert len(mind.ends) == 10  # ten ran, then silence
        await mind.report()
        [[_, _, status, detail]] = await rows(house, client, STATE)
        assert (status, detail) == ("silent", "silent for 12 h after 10 failures in a row: it broke")

    play(scene)


def test_what_a_device_makes_up_is_refused(play: Play, tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        client, mind = await prepared(house, tmp_path)
        await mind.configure()
        mind.until(house.time.now + 11 * MINUTE)
        true, *later = mind.state.local.unsent  # one more where its place in the ten minutes comes early
        other = await enrolled(house, "other")
        forged = [
            msgspec.structs.replace(true, sequence=true.sequence + 1),
            msgspec.structs.replace(true, state="failure"),
            msgspec.structs.replace(true, schedule="unknown"),
        ]
        for report in forged:
            answer = await mind.device.send(wire.REPORTS, wire.encode(wire.Reports([], [report])))
            [verdict] = msgspec.json.decode(answer.content, type=wire.Verdicts).verdicts
            assert verdict.verdict == "refused"
        answer = await other.send(wire.REPORTS, wire.encode(wire.Reports([], [true])))
        assert msgspec.json.decode(answer.content, type=wire.Verdicts).verdicts[0].verdict == "refused"
        assert await rows(house, client, FILES) == []
        assert await mind.report() == ["accepted"] * (1 + len(later))

    play(scene)


def test_secrets_go_to_no_device_ahead_of_time(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        await client.post(f"{API}/actions", json=ACTION | {"secrets": ["token"]})
        answer = await client.post(f"{API}/schedules", json=SCHEDULE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "secrets")

    play(scene)
