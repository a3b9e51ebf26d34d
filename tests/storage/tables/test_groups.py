"""Batches that are stored together are judged, and kept, as if each had come alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from storage.tables.errors import Refused, StoreError
from storage.tables.frames import Frame, decode_frame, encode_body
from storage.tables.groups import grouped
from storage.tables.rows import Ack, Batch, Rows
from storage.tables.store import Store
from tests.storage.tables.world import NOW, batch, open_store, source_of

EVENTS = "execution.events"
BOOTS = "device_performance.boots"
COLUMNS = ("@row", "@device", "@user", "@binary", "start_time", "cpu_time", "highest_process_visibility")
WRONG: tuple[dict[str, list[Any]], ...] = (
    {"cpu_time": ["much"]},
    {"cpu_time": [1 << 63]},
    {"cpu_time": [True]},
    {"start_time": [None]},
    {"@user": [""]},
    {"@binary": [7]},
    {"@binary": [["a", "b"]]},
    {"highest_process_visibility": ["\ud800"]},
    {"nonsense": [1]},
    {"cpu_time": [1, 2]},
    {"@row": [1]},
)


def drawn(chance: random.Random, number: int) -> Batch:
    """A batch of one or two tables, of columns that not all have, in one of four something is wrong."""
    device = f"device-{chance.randrange(4)}"
    columns: dict[str, list[Any]] = {
        "@device": [device],
        "@user": [chance.choice([None, f"user-{number % 5}"])],
        "start_time": [NOW - chance.randrange(300) * 900_000_000],
    }
    if chance.random() < 0.7:
        columns |= {"cpu_time": [chance.choice([None, number])], "@binary": [f"binary-{chance.randrange(6)}"]}
    if chance.random() < 0.3:
        columns |= {"highest_process_visibility": [chance.choice(["visible", "background", None])]}
    if chance.random() < 0.25:
        columns |= chance.choice(WRONG)
    rows = [Rows(EVENTS, columns)]
    if chance.random() < 0.3:
        rows.insert(chance.randrange(2), Rows(BOOTS, {"@device": [device, "another"], "time": [NOW, NOW - number]}))
    if chance.random() < 0.2:
        rows.append(Rows("binary.binaries", {"uid": [f"binary-{chance.randrange(9)}"], "name": [f"name {number}"]}))
    source = chance.choice([device, device, "portal", "import:test"])
    return Batch(source, 1, "epoch", number - chance.randrange(2), NOW + number, tuple(rows), chance.choice([None, 2]))


def held(store: Store) -> list[Any]:
    """All rows and objects, and the keys of these."""
    source = source_of(store)
    events = source.scan(EVENTS, COLUMNS).collect().rows()
    boots = source.scan(BOOTS, ("@row", "@device", "time")).collect().rows()
    objects = {name: table.to_pylist() for name, table in store.snapshot().objects.items()}
    return [sorted(events), sorted(boots), objects, {name: table.keys for name, table in store.state.objects.items()}]


def said(outcomes: list[Ack | StoreError]) -> list[Any]:
    """What senders are told."""
    return [outcome if isinstance(outcome, Ack) else (type(outcome), str(outcome)) for outcome in outcomes]


@pytest.mark.parametrize("seed", range(8))
def test_together_as_one_by_one(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    batches = [drawn(chance, number) for number in range(40)]
    one, together = open_store(tmp_path / "one"), open_store(tmp_path / "together")
    alone = said([outcome for item in batches for outcome in one.commit([item])])
    assert said(together.commit(batches)) == alone
    assert {type(item) for item in alone} == {Ack, tuple}
    expected = held(one)
    assert held(together) == expected
    together.abandon()
    together = open_store(tmp_path / "together")  # from its journal
    assert held(together) == expected
    together.seal()
    assert held(together) == expected
    one.abandon()
    together.abandon()


def test_a_group_without_objects_is_one_stream(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    frame = grouped([batch(number) for number in range(9)], store.state, None).frame
    assert [(stream.part.table, stream.part.rows, stream.part.seen) for stream in frame.streams] == [
        (EVENTS, 45, ["@user", "@binary"])
    ]
    store.abandon()


def test_what_speaks_against_all_is_told_to_all(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    group = grouped([batch(0), batch(1)], store.state, reason := Refused("not today"))
    assert (group.outcomes, group.frame) == ([reason, reason], Frame())
    store.abandon()


@pytest.mark.parametrize("wrong", [{"rows": 4}, {"rows": 6}, {"stream": 1}, {"stream": -1}, {"table": BOOTS}])
def test_a_frame_whose_streams_are_not_those_of_its_batches_is_no_frame(tmp_path: Path, wrong: dict[str, Any]) -> None:
    store = open_store(tmp_path)
    [prepared], streams = (frame := grouped([batch(0)], store.state, None).frame).batches, frame.streams
    assert decode_frame(b"".join(encode_body(frame))).streams[0].rows == streams[0].rows
    tables = [*prepared.part.tables[:-1], msgspec.structs.replace(prepared.part.tables[-1], **wrong)]
    part = msgspec.structs.replace(prepared.part, tables=tables)
    body = encode_body(Frame([type(prepared)(part, prepared.batches, prepared.payloads)], streams))
    with pytest.raises(ValueError, match="stream"):
        decode_frame(b"".join(body))
    store.abandon()
