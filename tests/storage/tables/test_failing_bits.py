"""One flipped bit, anywhere in any kind of file: it is told by the doctor and the scrub, and an answer after the first
look at the file is an error or as before, never another one.

The positions are random, with a seed; `MUSTER_BIT_FLIPS` says how many of each kind of file (20 unless told).
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import polars as pl
import pytest

from storage.tables.delta import published
from storage.tables.errors import Corrupt, FormatTooNew, SegmentCorrupt
from storage.tables.hot import CACHE, HotColumns
from storage.tables.manifest import read_manifest
from storage.tables.read import SnapshotSource
from storage.tables.scrub import Scrub
from storage.tables.sealed import Checked
from tests.storage.tables.world import CATALOG, batch, compact, damaged, executions, open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FLIPS = int(os.environ.get("MUSTER_BIT_FLIPS", "20"))
SEED = 7
BATCHES = [batch(number) for number in range(8)]
KINDS = {
    "segment": "segments/execution.events-*.arrow",
    "day": "lake/execution.events/day=*/*.parquet",
    "states by device": "rollups/*-device.arrow",
    "states by quarter": "rollups/*-quarter.arrow",
    "objects": "objects/*.arrow",
    "marks": "objects/marks-*.json",
    "manifest": "manifest.json",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compacted days with states and segments of the same days, all closed."""
    place = tmp_path_factory.mktemp("bits") / "store"
    store = open_store(place)
    store.commit(BATCHES[:5])
    compact(store)
    store.commit(BATCHES[5:])
    store.close()
    return place


def flips(folder: Path, pattern: str) -> list[tuple[Path, int, int]]:
    """Random bits of files of a kind."""
    chance, paths = random.Random(f"{SEED} {pattern}"), sorted(folder.glob(pattern))
    found = [chance.choice(paths) for _ in range(FLIPS)]
    return [(path, chance.randrange(path.stat().st_size), 1 << chance.randrange(8)) for path in found]


def turn(path: Path, at: int, bit: int) -> None:
    """Flip a bit of a file; once more, and it is as before."""
    whole = bytearray(path.read_bytes())
    whole[at] ^= bit
    path.write_bytes(whole)


def answer(folder: Path, hot: HotColumns | None = None) -> list[pl.DataFrame]:
    """What a process that has just begun says: rows, and daily ones, for which states can stand."""
    store = open_store(folder)
    try:
        source = SnapshotSource(store.snapshot(), CATALOG, checked=Checked(), hot=hot or HotColumns(0))
        daily = source.scan("execution.events", ["@device", "start_time", "cpu_time"], daily=True).collect()
        return [executions(source).sort("@row"), daily.sort("@device", "start_time", "cpu_time")]
    finally:
        store.abandon()


def same(found: list[pl.DataFrame], wanted: list[pl.DataFrame]) -> bool:
    return all(left.equals(right) for left, right in zip(found, wanted, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_told(folder: Path, kind: str) -> None:
    wanted, refused = answer(folder), 0
    for path, at, bit in flips(folder, KINDS[kind]):
        turn(path, at, bit)
        assert damaged(folder) == [path], (path, at, bit)
        scrub = Scrub(folder)
        for _ in scrub.round():
            pass
        assert list(scrub.damaged) == [path.relative_to(folder).as_posix()], (path, at, bit)
        try:
            assert same(answer(folder), wanted), (path, at, bit)
        except (Corrupt, FormatTooNew):
            refused += 1
        turn(path, at, bit)
    assert same(answer(folder), wanted)
    assert refused == (0 if kind.startswith("states") else FLIPS)


def test_a_flipped_bit_of_a_delta_log(folder: Path) -> None:
    """Only other engines read it: what it says of files is compared, and names or times of commits mislead nobody."""
    manifest = read_manifest(folder)
    assert manifest is not None
    wanted, told = answer(folder), 0
    said = {item.sha256: (item.bytes, item.rows) for item in manifest.days}
    for path, at, bit in flips(folder, "lake/execution.events/_delta_log/*.json"):
        turn(path, at, bit)
        told += bool(damaged(folder))
        turn(path, at, bit)
        assert same(answer(folder), wanted)
    log = max(folder.glob("lake/execution.events/_delta_log/*.json"))
    for number in {str(number) for numbers in said.values() for number in numbers}:
        whole = log.read_bytes()
        for at in [at for at in range(len(whole)) if whole.startswith(f":{number}".encode(), at)]:
            turn(log, at + 1, 1)
            assert damaged(folder), (number, at)
            turn(log, at + 1, 1)
    assert told > FLIPS // 4
    assert damaged(folder) == []
    assert published(folder, "execution.events") > 0


def test_a_flipped_bit_of_a_column_at_hand(folder: Path) -> None:
    """A column that a former process left is looked at before it answers; the scrub removes a damaged one."""
    wanted = answer(folder)
    for _ in range(2):
        hot = HotColumns(least_rows=1)
        for _ in range(3):
            answer(folder, hot)
            hot.settle()
    for path, at, bit in flips(folder, f"{CACHE}/*.arrow"):
        whole = path.read_bytes()
        turn(path, at, bit)
        hot = HotColumns(least_rows=1)
        for _ in range(3):
            assert same(answer(folder, hot), wanted), (path, at, bit)
            hot.settle()
        assert path.read_bytes() == whole  # removed, and made again
        turn(path, at, bit)
        for _ in Scrub(folder).round():
            pass
        assert not path.exists()
        path.write_bytes(whole)


def test_a_day_file_that_is_open_and_flips(folder: Path) -> None:
    """A process that has looked at a file looks again when the file was written to since."""
    store = open_store(folder)
    source = SnapshotSource(store.snapshot(), CATALOG, checked=Checked(), hot=HotColumns(0))
    wanted = executions(source).sort("@row")
    for path, at, bit in flips(folder, KINDS["day"]):
        turn(path, at, bit)
        with pytest.raises(SegmentCorrupt):
            executions(source)
        turn(path, at, bit)
        assert executions(source).sort("@row").equals(wanted)
    store.abandon()
