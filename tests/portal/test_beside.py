"""What one portal notices of another on the same control database, and what only one of them does.

Comes in: a control database that two processes would share, and the parts that are told. Goes out: what they heard.
Invariant: every change is heard once by who looks, and nothing that was there before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portal.beside import LASTS, Beside, Parts
from portal.nudges import REVOKED, Nudges
from portal.threads import Threads
from storage.control.api import Control, open_control
from storage.control.audit import Entry
from storage.control.campaign_definition import CampaignDefinition
from storage.control.campaign_responses import Addressee, NewRequest
from tests.storage.control.conftest import HOUR, NOW, ask, enrol, manifest


class Heard:
    """Stands for configurations, the catalog and the progress of runs: notes what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def changed(self) -> None:
        self.said.append("changed")

    def refresh(self) -> None:
        self.said.append("refresh")

    def look_at(self, run: str) -> None:
        self.said.append(run)


class Link:
    """A device's connection."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def nudge(self) -> None:
        self.told.append("nudge")

    def configure(self) -> None:
        self.told.append("configure")

    def close(self, code: int) -> None:
        self.told.append(code)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Control]:
    """The other portal's side of the database."""
    opened = open_control(tmp_path / "control.db", now=NOW)
    yield opened
    opened.close()


@pytest.fixture
def parts(tmp_path: Path, other: Control) -> Iterator[Parts]:
    control, threads = open_control(tmp_path / "control.db", now=NOW), Threads()
    heard: Any = Heard()
    yield Parts(control, threads, lambda: NOW, Nudges(), heard, heard, heard)
    threads.close()
    control.close()


def said(parts: Parts) -> list[str]:
    heard: Any = parts.progress
    told: list[str] = heard.said
    heard.said = []
    return told


def test_a_run_of_another_portal_is_looked_at_and_its_device_here_is_nudged(parts: Parts, other: Control) -> None:
    async def run() -> None:
        device, link = enrol(other), Link()
        other.actions.save_action(manifest(), by="account:ann", now=NOW)
        parts.nudges.add(device.uid, link)
        beside = Beside(parts)
        await beside.look()
        assert said(parts) == []  # what was there before is known
        made = ask(other, device.uid)
        await beside.look()
        assert made.id in said(parts)
        assert link.told == ["nudge"]
        await beside.look()
        assert said(parts) == []
        assert link.told == ["nudge"]

    asyncio.run(run())


def test_a_person_here_whom_another_portal_asks(parts: Parts, other: Control) -> None:
    async def run() -> None:
        device, link = enrol(other), Link()
        asked = {"nql_id": "#ask", "name": "Ask", "title": "May we?", "questions": [
            {"label": "why", "text": "Why?", "kind": "text"}]}  # fmt: skip
        other.campaigns.save(msgspec.convert(asked, CampaignDefinition), by="account:ann", now=NOW)
        other.people_present.told(device.uid, ["u-1"], now=NOW)
        parts.nudges.add(device.uid, link)
        beside = Beside(parts)
        await beside.look()
        request = NewRequest("#ask", {}, NOW + HOUR, "ann")
        other.campaign_responses.send(request, [Addressee("u-1", "ann")], now=NOW)
        await beside.look()
        assert link.told == ["nudge"]

    asyncio.run(run())


def test_a_device_that_another_portal_revoked_is_ended_here(parts: Parts, other: Control) -> None:
    async def run() -> None:
        device, link = enrol(other), Link()
        parts.nudges.add(device.uid, link)
        beside = Beside(parts)
        await beside.look()
        parts.control.enrolment.look_up(device.uid, now=NOW)
        other.revoke_device(device.uid, by="account:ann", now=NOW)
        await beside.look()
        assert link.told == [REVOKED]
        assert parts.control.enrolment.known(device.uid, now=NOW) is None

    asyncio.run(run())


def test_an_action_of_another_portal_is_in_the_catalog(parts: Parts, other: Control) -> None:
    async def run() -> None:
        beside = Beside(parts)
        other.audit.note(Entry(NOW, "portal", "start", "x", {}))
        await beside.look()
        other.actions.save_action(manifest(), by="account:ann", now=NOW)
        await beside.look()
        assert said(parts) == ["refresh"]

    asyncio.run(run())


def test_one_portal_leads_until_it_is_gone(parts: Parts) -> None:
    ran: list[str] = []
    now = [NOW]

    async def run() -> None:
        shared = replace(parts, clock=lambda: now[0])

        async def work(name: str) -> None:
            ran.append(name)
            await asyncio.Event().wait()

        first = asyncio.create_task(Beside(shared).leading("x", lambda: work("first"), every=0.01))
        while not ran:
            await asyncio.sleep(0)
        second = asyncio.create_task(Beside(shared).leading("x", lambda: work("second"), every=0.01))
        await asyncio.sleep(0.1)
        assert ran == ["first"]
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        now[0] += LASTS + 1
        while ran != ["first", "second"]:
            await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)

    asyncio.run(run())
