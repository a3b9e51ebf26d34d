"""Damage to a folder is found and named, never answered with wrong rows, and never removed silently."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from storage.tables.doctor import findings
from storage.tables.errors import FormatTooNew, JournalCorrupt, ManifestCorrupt, SegmentCorrupt
from storage.tables.files import Files
from storage.tables.manifest import FORMAT, read_manifest, write_manifest
from storage.tables.read import SnapshotSource
from storage.tables.repair import repair
from storage.tables.rows import Ack
from storage.tables.sealed import Checked
from tests.storage.tables.world import CATALOG, NOW, batch, damaged, executions, open_store, problems, source_of

BATCHES = [batch(number) for number in range(4)]


def sealed_folder(folder: Path) -> Path:
    """A closed store with two batches sealed."""
    store = open_store(folder)
    store.commit(BATCHES[:2])
    store.close()
    return folder


def journalled_folder(folder: Path) -> tuple[Path, list[int]]:
    """An abandoned store with four frames in its journal, and where each of them begins."""
    store = open_store(folder)
    begins = []
    for item in BATCHES:
        begins.append(store.journal.length or 32)
        assert isinstance(store.commit([item])[0], Ack)
    store.abandon()
    return folder / "journal-00000001.log", begins


def flip(path: Path, at: int) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def test_a_sound_folder_has_no_findings(tmp_path: Path) -> None:
    folder = sealed_folder(tmp_path)
    assert damaged(folder) == []
    assert all(finding.told for finding in findings(folder))


def test_an_empty_folder_is_no_damage(tmp_path: Path) -> None:
    assert list(findings(tmp_path)) == []


def test_every_flipped_bit_of_a_segment_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = sealed_folder(tmp_path)
    path = next(folder.glob("segments/*.arrow"))
    for at in range(0, path.stat().st_size, 97):
        flip(path, at)
        assert damaged(folder) == [path]
        store = open_store(folder)
        with pytest.raises(SegmentCorrupt, match=path.name):
            executions(SnapshotSource(store.snapshot(), CATALOG, checked=Checked()))
        store.abandon()
        flip(path, at)
    assert damaged(folder) == []


def test_a_segment_that_changes_after_it_was_checked_is_checked_again(tmp_path: Path) -> None:
    store = open_store(sealed_folder(tmp_path))
    source = source_of(store)
    assert list(problems(source, BATCHES[:2])) == []
    flip(next(tmp_path.glob("segments/*.arrow")), 700)
    with pytest.raises(SegmentCorrupt):
        executions(source)
    store.abandon()


def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    folder = sealed_folder(tmp_path)
    path = next(folder.glob("segments/*.arrow"))
    path.unlink()
    assert damaged(folder) == [path]
    store = open_store(folder)
    with pytest.raises(SegmentCorrupt, match=path.name):
        executions(source_of(store))
    store.abandon()


@pytest.mark.parametrize("name", ["binary.binaries", "marks"])
def test_damaged_objects_and_marks_keep_the_store_shut(tmp_path: Path, name: str) -> None:
    folder = sealed_folder(tmp_path)
    path = next(folder.glob(f"objects/{name}*"))
    flip(path, path.stat().st_size // 2)
    with pytest.raises(SegmentCorrupt, match=path.name):
        open_store(folder)
    assert damaged(folder) == [path]


def test_a_damaged_segment_does_not_keep_the_others_from_being_sealed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for number in range(7):
        store.commit([batch(number)])
        store.seal()
    damaged = min(tmp_path.glob("segments/*.arrow"))
    flip(damaged, 700)
    for number in range(7, 10):
        store.commit([batch(number)])
        store.seal()
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert any(damaged.name in item.file for item in manifest.segments)
    assert sum(item.rows for item in manifest.segments) == 50
    store.close()


def test_every_torn_end_of_the_journal_is_cut_exactly(tmp_path: Path) -> None:
    path, begins = journalled_folder(tmp_path)
    whole = path.read_bytes()
    for length in [*range(begins[-1], len(whole), 211), len(whole) - 1]:
        path.write_bytes(whole[:length])
        store = open_store(tmp_path)
        assert list(problems(source_of(store), BATCHES[:3])) == []
        store.abandon()
        assert path.stat().st_size == begins[-1]
    assert not (tmp_path / "quarantine").exists()


def test_damage_in_the_middle_of_the_journal_keeps_the_store_shut(tmp_path: Path) -> None:
    path, begins = journalled_folder(tmp_path)
    for at in (begins[1], begins[1] + 5, begins[1] + 9, begins[1] + 15, begins[1] + 40, begins[2] - 1):
        flip(path, at)
        before = path.read_bytes()
        with pytest.raises(JournalCorrupt) as caught:
            open_store(tmp_path)
        assert caught.value.offset == begins[1]
        assert path.read_bytes() == before
        assert damaged(tmp_path) == [path]
        flip(path, at)
    store = open_store(tmp_path)
    assert list(problems(source_of(store), BATCHES)) == []
    store.abandon()


def test_a_damaged_head_of_the_journal_keeps_the_store_shut(tmp_path: Path) -> None:
    path, _ = journalled_folder(tmp_path)
    flip(path, 3)
    with pytest.raises(JournalCorrupt):
        open_store(tmp_path)


def test_a_damaged_last_frame_is_cut_but_kept_aside(tmp_path: Path) -> None:
    path, begins = journalled_folder(tmp_path)
    flip(path, begins[-1] + 60)
    last = path.read_bytes()[begins[-1] :]
    store = open_store(tmp_path)
    assert list(problems(source_of(store), BATCHES[:3])) == []
    store.abandon()
    kept = tmp_path / "quarantine" / f"journal-00000001-{begins[-1]}.bin"
    assert kept.read_bytes() == last
    assert damaged(tmp_path) == []
    assert [finding.file for finding in findings(tmp_path) if "set aside" in finding.told] == [str(kept)]


def test_a_damaged_journal_is_given_up_but_for_its_beginning(tmp_path: Path) -> None:
    path, begins = journalled_folder(tmp_path)
    flip(path, begins[2] + 50)
    whole = path.read_bytes()
    with pytest.raises(JournalCorrupt):
        list(repair(tmp_path, CATALOG, lambda: NOW))
    [said] = repair(tmp_path, CATALOG, lambda: NOW, [path.name])
    [kept] = (tmp_path / "quarantine").iterdir()
    assert path.name in said
    assert kept.name in said
    assert kept.read_bytes() == whole
    assert damaged(tmp_path) == []
    store = open_store(tmp_path)
    assert list(problems(source_of(store), BATCHES[:2])) == []
    assert all(isinstance(outcome, Ack) for outcome in store.commit(BATCHES))
    assert list(problems(source_of(store), BATCHES)) == []
    store.close()


def test_a_sound_journal_is_not_given_up(tmp_path: Path) -> None:
    path, _ = journalled_folder(tmp_path)
    whole = path.read_bytes()
    with pytest.raises(ValueError, match="as it was written"):
        list(repair(tmp_path, CATALOG, lambda: NOW, [path.name]))
    assert path.read_bytes() == whole


def test_a_damaged_manifest_keeps_the_store_shut(tmp_path: Path) -> None:
    folder = sealed_folder(tmp_path)
    path = folder / "manifest.json"
    for at in range(0, path.stat().st_size, 41):
        flip(path, at)
        with pytest.raises(ManifestCorrupt):
            open_store(folder)
        assert damaged(folder) == [path]
        flip(path, at)


def test_a_lost_manifest_loses_nothing_else(tmp_path: Path) -> None:
    folder = sealed_folder(tmp_path)
    (folder / "manifest.json").rename(tmp_path / "elsewhere")
    with pytest.raises(ManifestCorrupt):
        open_store(folder)
    (tmp_path / "elsewhere").rename(folder / "manifest.json")
    store = open_store(folder)
    assert list(problems(source_of(store), BATCHES[:2])) == []
    store.abandon()


def test_a_newer_format_is_not_touched(tmp_path: Path) -> None:
    folder = sealed_folder(tmp_path)
    manifest = read_manifest(folder)
    assert manifest is not None
    write_manifest(Files(), folder, replace(manifest, format=FORMAT + 1))
    with pytest.raises(FormatTooNew):
        open_store(folder)
