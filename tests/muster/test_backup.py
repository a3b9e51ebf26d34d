"""A backup taken beside a running portal, restored, answers the same; devices and the relay go on from there.

Comes in: a portal with a device, telemetry and a log. Goes out: nothing. Invariant held here: after a restore no row is
there twice, and none is missing that the backup had or that is still to be sent.
"""

from __future__ import annotations

import asyncio
import io
import json
import stat
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.trail import Trail
from muster import backup
from muster.cli import main
from muster.errors import MusterError, UsageError
from portal.erasure.beside import STAGING
from portal.settings import Settings
from storage.control import copying
from storage.control.enrolment import Seen
from storage.tables.api import Ack, Batch, Rows
from tests.portal.conftest import API, NOW, House, play_in
from tests.storage.control.template import place
from tests.storage.tables import world

pytestmark = pytest.mark.slow

QUESTIONS = [
    "devices | list name, uid | sort name asc",
    "execution.events during past 7d | summarize cpu = cpu_time.sum() by device.name | sort device.name asc",
    "execution.events during past 7d | list start_time, cpu_time, user.name | sort cpu_time asc",
    "platform.audit_logs during past 1d | summarize n = count() by action | sort action asc",
]


def batch(number: int) -> Batch:
    """A batch of a device, of rows of the days before NOW."""
    made = world.batch(number)
    moved = {
        name: [time + NOW - world.NOW for time in made.rows[2].columns[name]] for name in ("start_time", "end_time")
    }
    events = Rows(made.rows[2].table, {**made.rows[2].columns, **moved})
    return replace(made, received=NOW, rows=(*made.rows[:2], events))


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "now", lambda: NOW)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    place(tmp_path / "data" / "control" / "control.db")
    return tmp_path / "data"


async def answers(house: House) -> list[list[Any]]:
    """What the portal says to all questions."""
    await house.settle()
    client = await house.program("asking")
    given = []
    for text in QUESTIONS:
        answer = await client.post(f"{API}/query", json={"text": text})
        assert answer.status_code == 200, answer.text
        given.append(answer.json()["rows"])
    return given


async def fill(house: House) -> None:
    """A portal that has been at work: an account, a device, rows sealed, compacted and in the journal."""
    await house.program("asking")
    house.enrol(1)
    for number in range(4):
        await house.portal.tables.append(batch(number))
    await house.portal.tables.compact()
    await house.portal.tables.append(batch(4))


@pytest.mark.parametrize("name", ["kept", "kept.tar"])
def test_a_restored_portal_answers_the_same(data: Path, tmp_path: Path, name: str) -> None:
    said: list[list[list[Any]]] = []

    async def at_work(house: House) -> None:
        await fill(house)
        said.append(await answers(house))
        await asyncio.to_thread(backup.make, data, tmp_path / name)
        await house.portal.tables.append(batch(5))  # acknowledged, and lost by going back

    async def again(house: House) -> None:
        assert house.portal.control.audit.verify().broken is None
        [restored] = house.portal.control.audit.latest(1)
        assert restored.action == "portal.restored"
        before = await answers(house)
        assert before[:3] == said[0][:3]
        assert len(before[2]) == 5 * 5
        assert ["portal.restored", 1] in before[3]
        append = house.portal.tables.append
        assert await append(batch(4)) == Ack(4, 0, duplicate=True)
        assert not (await append(batch(7))).duplicate  # a hole is left where the lost batch was,
        assert not (await append(batch(5))).duplicate  # which fits in if the device still has it
        assert (await append(batch(5))).duplicate
        markers = [row[1] for row in (await answers(house))[2]]
        assert len(markers) == len(set(map(str, markers))) == 5 * 7

    play_in(Settings(data, imports=True), at_work)
    backup.restore(tmp_path / name, tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {"data", "new", name}
    assert {path.name for path in data.glob("*.key")} == {path.name for path in (tmp_path / "new").glob("*.key")}
    play_in(Settings(tmp_path / "new", imports=True), again)


def test_what_is_relayed_meanwhile_is_there_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_work(house: House) -> None:
        house.enrol(1)
        await house.settle()
        loop, copied = asyncio.get_running_loop(), copying.copy

        def later(path: Path, to: Path) -> None:
            house.enrol(2)  # the tables are held already: they get to know of it in vain
            asyncio.run_coroutine_threadsafe(house.settle(), loop).result(30)
            house.enrol(3)  # and of this one not at all
            copied(path, to)

        monkeypatch.setattr(backup, "copy", later)
        await asyncio.to_thread(backup.make, data, tmp_path / "kept")

    async def again(house: House) -> None:
        house.enrol(4)
        found = await answers(house)
        assert [row[0] for row in found[0]] == ["pc-1", "pc-2", "pc-3", "pc-4"]
        enrolled = [row for row in found[3] if row[0] == "device.enrolled"]
        assert enrolled == [["device.enrolled", 4]]

    play_in(Settings(data), at_work)
    backup.restore(tmp_path / "kept", tmp_path / "new")
    play_in(Settings(tmp_path / "new"), again)


def test_devices_are_not_taken_for_copies(data: Path, tmp_path: Path) -> None:
    """A portal that is set back finds its newest step in the trail, unless too many came since: then they are held."""
    uids: list[str] = []
    trail, other = Trail(tmp_path), Trail(tmp_path / "none")

    async def at_work(house: House) -> None:
        uids.extend(house.enrol(number).uid for number in (1, 2))
        enrolment = house.portal.control.enrolment
        trail.after("")
        assert enrolment.greet(uids[0], trail.steps, before=None, now=NOW) is Seen.FURTHER
        assert enrolment.greet(uids[1], trail.steps, before=None, now=NOW) is Seen.FURTHER
        await asyncio.to_thread(backup.make, data, tmp_path / "kept")

    async def again(house: House) -> None:
        enrolment = house.portal.control.enrolment
        newest = trail.steps[-1]
        for _ in range(5):
            trail.after("")
        assert enrolment.greet(uids[0], trail.steps, before=newest, now=NOW) is Seen.FURTHER
        assert enrolment.greet(uids[1], other.steps or ("x",) * 64, before=newest, now=NOW) is Seen.CLONED
        assert enrolment.release(uids[1], by="account:ann", now=NOW)
        assert enrolment.greet(uids[1], ("x",), before=None, now=NOW) is Seen.FURTHER

    play_in(Settings(data), at_work)
    backup.restore(tmp_path / "kept", tmp_path / "new")
    play_in(Settings(tmp_path / "new"), again)


@pytest.fixture
def kept(data: Path, tmp_path: Path) -> Path:
    """A backup."""
    play_in(Settings(data), fill)
    backup.make(data, tmp_path / "kept")
    return tmp_path / "kept"


def test_only_the_owner_may_read_it(kept: Path) -> None:
    for path in [kept, *kept.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.name == backup.LISTING, path


def test_nothing_is_written_over(kept: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", str(kept), "--data", str(data)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["restore", str(kept), "--data", str(data)]) == 2
    assert "is there already" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["restore", str(kept), "--data", str(tmp_path / "empty"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] > 5


def test_every_damaged_file_is_noticed(kept: Path, tmp_path: Path) -> None:
    for path in sorted(path for path in kept.rglob("*") if path.is_file() and path.stat().st_size):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(MusterError):
            backup.restore(kept, tmp_path / "new")
        path.unlink()
        with pytest.raises(MusterError):
            backup.restore(kept, tmp_path / "new")
        path.write_bytes(whole)
    assert [path.name for path in tmp_path.iterdir() if "new" in path.name] == []
    backup.restore(kept, tmp_path / "new")


def test_a_damaged_archive(kept: Path, data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "kept.tar"
    backup.make(data, archive)
    whole = archive.read_bytes()
    for cut in (0, 100, len(whole) // 2, len(whole) - 20_000):
        archive.write_bytes(whole[:cut])
        with pytest.raises(MusterError):
            backup.restore(archive, tmp_path / "new")
    archive.write_bytes(b"\0" * 20_000)
    with pytest.raises(MusterError):
        backup.restore(archive, tmp_path / "new")
    with pytest.raises(MusterError):
        backup.restore(tmp_path / "nothing", tmp_path / "new")


@pytest.mark.parametrize("name", ["../outside", "/etc/x", "a/../../b", "./a", "a//b"])
def test_names_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    listing = json.dumps(
        {"format": 1, "created": 1, "manifest": 1, "files": [{"file": name, "bytes": 1, "sha256": ""}]}
    )
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        for called, content in ((backup.LISTING, listing.encode()), (name, b"x")):
            member = tarfile.TarInfo(called)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(MusterError, match="outside"):
        backup.restore(tmp_path / "evil.tar", tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {"evil.tar"}


def test_a_damaged_folder_gives_no_backup(kept: Path, data: Path, tmp_path: Path) -> None:
    sealed = max(data.rglob("*.arrow"), key=lambda path: path.stat().st_size)
    whole = sealed.read_bytes()
    sealed.write_bytes(whole[:50] + b"\xff" + whole[51:])
    with pytest.raises(MusterError, match="does not hold what was written"):
        backup.make(data, tmp_path / "second")
    assert not (tmp_path / "second").exists()
    assert list(data.glob(f"{STAGING}*")) == []


def test_what_a_killed_backup_left_goes(kept: Path, data: Path, tmp_path: Path) -> None:
    (data / f"{STAGING}x" / "tables").mkdir(parents=True)
    backup.make(data, tmp_path / "second")
    assert list(data.glob(f"{STAGING}*")) == []


def test_one_at_a_time(kept: Path, data: Path, tmp_path: Path) -> None:
    with backup._staging(data), pytest.raises(UsageError, match="under way"):
        backup.make(data, tmp_path / "second")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no data folder"):
        backup.make(tmp_path / "missing", tmp_path / "kept")
