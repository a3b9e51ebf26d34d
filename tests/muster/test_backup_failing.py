"""Whatever operation fails, and wherever the power goes, while a backup is made or restored: its place has nothing or
all, what is left goes with the next one, and no portal begins anew where a restore was broken off.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

import pytest

from muster import backup
from muster.cli import main
from muster.errors import MusterError, UsageError
from muster.folder import control
from muster.unfinished import check_restored, part_for
from portal.settings import Settings
from storage.tables.fakes import FaultyFiles, PowerCutError
from storage.tables.files import Files
from storage.tables.rows import Ack
from tests.storage.control.template import place
from tests.storage.tables.test_failing_care import FAULTS
from tests.storage.tables.world import batch, open_store, problems, source_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
BATCHES = [batch(number, rows=3) for number in range(4)]
KEY = b"k" * 32


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with sealed rows, a journal, a control database and a key."""
    settings = Settings(tmp_path / "data")
    place(settings.control)
    store = open_store(settings.tables)
    store.commit(BATCHES[:2])
    store.seal()
    store.commit(BATCHES[2:])
    store.abandon()
    (settings.data / "portal.key").write_bytes(KEY)
    return settings.data


def attempt(files: FaultyFiles, folder: Path, at: int, work: object) -> bool:
    """Do something on a disk that fails; whether it was done."""
    done = False
    with contextlib.suppress(MusterError, PowerCutError):
        assert callable(work)
        work(files)
        done = True
    if files.dead:
        files.lose(folder, at)
    return done


@pytest.mark.parametrize(
    ("name", "fault"), [("kept", "a power cut after"), ("kept.tar", "a power cut before"), ("kept.tar", "a full disk")]
)
def test_a_backup(data: Path, tmp_path: Path, name: str, fault: str) -> None:
    at = made = 0
    while True:
        at += 1
        place_of, files = tmp_path / f"to-{at}", FAULTS[fault](tmp_path / f"limbo-{at}", at)
        place_of.mkdir()
        done = attempt(files, tmp_path, at, lambda files, to=place_of / name: backup.make(data, to, files))
        if there := (place_of / name).exists():
            listing = backup._listing((place_of / name / backup.LISTING).read_bytes()) if name == "kept" else None
            for item in listing.files if listing else ():
                backup._check(item, *backup._digest(place_of / name / item.file))
            if listing is None:
                backup._read_tar(Files(), place_of / name, tmp_path / f"read-{at}")
        assert there or not done
        made += there
        if files.count < at:
            break
        if files.dead and at % 5 == 0:
            backup.make(data, place_of / "next.tar")
            assert {path.name for path in place_of.iterdir()} - {name} == {"next.tar"}
    assert at > 30
    assert made


@pytest.mark.parametrize("fault", ["a power cut before", "a power cut after", "an error before"])
def test_a_restore(data: Path, tmp_path: Path, fault: str) -> None:
    backup.make(data, tmp_path / "kept")
    at = broken = 0
    done = False
    while not done:
        at += 1 if fault == "a power cut after" else 4
        to, files = tmp_path / "all" / str(at) / "new", FAULTS[fault](tmp_path / f"limbo-{at}", at)
        to.parent.mkdir(parents=True)
        done = attempt(files, tmp_path, at, lambda files, to=to: backup.restore(tmp_path / "kept", to, None, files))
        if not to.exists():
            left = list(to.parent.iterdir())
            broken += bool(left)
            with pytest.raises(UsageError, match="is not finished") if left else contextlib.nullcontext():
                check_restored(to)
            assert left or not files.dead
            if at % 8:
                continue
            backup.restore(tmp_path / "kept", to)
        assert [path.name for path in to.parent.iterdir() if not path.name.startswith(".new")] == ["new"]
        check_restored(to)
        assert (to / "portal.key").read_bytes() == KEY
        store = open_store(Settings(to).tables)
        assert list(problems(source_of(store), BATCHES)) == []
        assert all(isinstance(outcome, Ack) for outcome in store.commit(BATCHES))
        store.abandon()
        with control(to) as opened:
            assert opened.audit.verify().broken is None
    assert at > 40
    assert broken > 8 or fault == "an error before"


def test_no_portal_begins_where_a_restore_was_broken_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = tmp_path / ".new.0123abcd.restore.part"
    left.mkdir()
    for command in (["serve", "--port", "0"], ["users", "create", "ann", "--generate"]):
        assert main([*command, "--data", str(tmp_path / "new")]) == 2
        assert str(left) in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    left.rmdir()
    check_restored(tmp_path / "new")


def test_nobody_else_loses_what_they_are_at_work_on(tmp_path: Path) -> None:
    with part_for(Files(), tmp_path / "one", "backup") as one, part_for(Files(), tmp_path / "two", "restore") as two:
        one.write_bytes(b"1")
        two.write_bytes(b"2")
        with part_for(Files(), tmp_path / "one", "backup"), part_for(Files(), tmp_path / "two", "restore"):
            assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
        (tmp_path / ".other.0123abcd.backup.part").mkdir()
        (tmp_path / ".other.0123abcd.restore.part").mkdir()
        (tmp_path / ".other.part").mkdir()
        handle = os.open(tmp_path / ".other.part", os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_SH)
        with part_for(Files(), tmp_path / "three", "backup"), part_for(Files(), tmp_path / "four", "restore"):
            pass
        os.close(handle)
    assert {path.name for path in tmp_path.iterdir()} == {".other.0123abcd.restore.part", ".other.part"}
