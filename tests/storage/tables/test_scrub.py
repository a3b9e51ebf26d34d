"""A flipped bit is found by the slow look and told with what it costs; what can be repaired is, and only what is given
up by name leaves the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from storage.tables.days import day_name
from storage.tables.errors import SegmentCorrupt
from storage.tables.hot import CACHE, HotColumns
from storage.tables.manifest import Manifest, read_manifest
from storage.tables.read import SnapshotSource
from storage.tables.repair import repair
from storage.tables.scrub import PIECE, Scrub
from storage.tables.sealed import Checked
from tests.storage.tables.world import CATALOG, NOW, batch, compact, executions, open_store, problems, source_of

BATCHES = [batch(number) for number in range(9)]


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def manifest_of(folder: Path) -> Manifest:
    found = read_manifest(folder)
    assert found is not None
    return found


def looked(folder: Path) -> Scrub:
    scrub = Scrub(folder)
    assert all(0 <= read <= PIECE for read in scrub.round())
    return scrub


def repaired(folder: Path, *give_up: str) -> Sequence[str]:
    return list(repair(folder, CATALOG, lambda: NOW, give_up))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Compacted days with states, and segments of the same days."""
    store = open_store(tmp_path / "store")
    store.commit(BATCHES[:6])
    compact(store)
    store.commit(BATCHES[6:])
    store.close()
    return tmp_path / "store"


def test_every_file_is_looked_at(folder: Path) -> None:
    held = manifest_of(folder)
    assert sum(Scrub(folder).round()) == sum((folder / name).stat().st_size for name in held.files())
    for item, holds in held.sealed_files():
        whole = (folder / item.file).read_bytes()
        flip(folder / item.file)
        [damage] = looked(folder).damaged.values()
        assert (damage.file, damage.holds) == (item.file, holds)
        assert damage.lost == (not item.file.startswith("rollups"))
        (folder / item.file).write_bytes(whole)
    assert looked(folder).damaged == {}


def test_what_is_lost_is_said(folder: Path) -> None:
    [segment, *_] = manifest_of(folder).segments
    (folder / segment.file).unlink()
    scrub = looked(folder)
    [damage] = scrub.damaged.values()
    assert damage.holds == f"{segment.rows} rows of execution.events of {day_name(segment.day)}"
    assert "cannot be read" in damage.problem


def test_what_is_replaced_meanwhile_is_no_damage(folder: Path) -> None:
    scrub, store = Scrub(folder), open_store(folder)
    pieces = scrub.round()
    next(pieces)
    compact(store)  # all segments go, and the days of which there were some
    for _ in pieces:
        pass
    assert scrub.damaged == {}
    store.abandon()


def test_a_file_that_is_restored_is_told_no_more(folder: Path) -> None:
    [segment, *_] = manifest_of(folder).segments
    whole = (folder / segment.file).read_bytes()
    flip(folder / segment.file)
    scrub = looked(folder)
    assert len(scrub.damaged) == 1
    (folder / segment.file).write_bytes(whole)
    assert list(scrub.round())
    assert scrub.damaged == {}
    assert scrub.rounds == 2


def test_a_damaged_manifest(folder: Path) -> None:
    flip(folder / "manifest.json")
    assert list(looked(folder).damaged) == ["manifest.json"]


def test_the_error_of_a_query_names_table_and_day(folder: Path) -> None:
    day = manifest_of(folder).days[0]
    store = open_store(folder)
    flip(folder / day.file)
    with pytest.raises(SegmentCorrupt) as told:
        executions(SnapshotSource(store.snapshot(), CATALOG, checked=Checked()))
    assert told.value.holds == f"execution.events of {day.file.split('day=')[1][:10]}"
    store.abandon()


def test_states_are_made_again(folder: Path) -> None:
    before = manifest_of(folder)
    for rollup in before.days[0].rollups.values():
        flip(folder / rollup.file)
    said = repaired(folder)
    assert len(said) == 1
    assert "states" in said[0]
    assert "are made again" in said[0]
    assert looked(folder).damaged == {}
    store = open_store(folder)
    assert list(problems(source_of(store), BATCHES)) == []
    assert repaired_kinds(store.manifest) == repaired_kinds(before)
    store.abandon()
    assert repaired(folder) == []


def repaired_kinds(manifest: Manifest) -> list[tuple[int, int, list[tuple[str, int]]]]:
    """What states each day has."""
    return sorted(
        (item.day, item.rows, sorted((kind, made.rows) for kind, made in item.rollups.items()))
        for item in manifest.days
    )


def test_rows_go_only_when_they_are_given_up(folder: Path) -> None:
    held = manifest_of(folder)
    segment, day = held.segments[0], held.days[0]
    flip(folder / segment.file)
    (folder / day.file).unlink()
    whole = sorted((folder / item.file).read_bytes() for item in held.segments[1:])
    assert repaired(folder) == []
    assert set(looked(folder).damaged) == {segment.file, day.file}
    said = repaired(folder, segment.file, day.file)
    assert f"{segment.rows} rows of execution.events" in " ".join(said)
    assert looked(folder).damaged == {}
    assert [path.name for path in (folder / "quarantine").iterdir()] == [segment.file.replace("/", "-")]
    store = open_store(folder)
    assert executions(source_of(store)).height == 5 * len(BATCHES) - segment.rows - day.rows
    assert sorted((folder / item.file).read_bytes() for item in store.manifest.segments) == whole
    store.abandon()


def test_sound_files_are_not_given_up(folder: Path) -> None:
    held = manifest_of(folder)
    for name in (held.segments[0].file, held.objects["device.devices"].file, "../x", "nothing"):
        with pytest.raises(ValueError, match=r"as it was written|no file of rows"):
            repaired(folder, name)
    assert manifest_of(folder) == held


def test_cache_orphans_and_logs(folder: Path) -> None:
    store, hot = open_store(folder), HotColumns(least_rows=1)
    for _ in range(3):
        executions(SnapshotSource(store.snapshot(), CATALOG, hot=hot))
        hot.settle()
    store.abandon()
    cached = sorted((folder / CACHE).glob("*.arrow"))
    flip(cached[0])
    (folder / "segments" / "left.arrow").write_bytes(b"x")
    for entry in (folder / "lake" / "execution.events" / "_delta_log").iterdir():
        entry.write_text("{}")
    said = " ".join(repaired(folder))
    for words in ("1 files of the cache", "1 files that nothing names", "Delta log of execution.events"):
        assert words in said
    assert sorted((folder / CACHE).glob("*.arrow")) == cached[1:]
    assert repaired(folder) == []


def test_a_damaged_column_at_hand_goes(folder: Path) -> None:
    (folder / CACHE).mkdir(exist_ok=True)
    path = folder / CACHE / f"{manifest_of(folder).days[0].sha256}-@row-{'0' * 64}.arrow"
    path.write_bytes(b"x")
    assert looked(folder).damaged == {}
    assert not path.exists()


def test_no_store(tmp_path: Path) -> None:
    assert looked(tmp_path).damaged == {}
    assert repaired(tmp_path) == []
