"""An erasure goes on: from every state, over a disk that fails, after whoever holds files, and what comes meanwhile."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from portal.erasure import work
from portal.erasure.beside import LOCK, STAGING
from portal.settings import Settings
from storage.control.erasure import CONTROL_ERASED, DONE, REVOKED, TABLES_ERASED
from storage.naming import Naming
from storage.tables.api import Batch, Tables
from storage.tables.fakes import FaultyFiles
from tests.portal.conftest import NOW, House, eventually, opened
from tests.portal.erased_world import WORDS, asked, filled, finished, telemetry, view
from tests.portal.scanning import found

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LOOKS", 2)
    monkeypatch.setattr(work, "PAUSE", 0.05)


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
