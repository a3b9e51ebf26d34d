"""What a batch does to the store: rows, ids, objects, sets, when things were seen; and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from storage.tables.errors import Refused, WrongZone
from storage.tables.rows import Ack, Batch, Rows
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, batch, executions, open_store, problems, source_of

DAY = 86_400_000_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A new, empty store."""
    return open_store(tmp_path)


def send(store: Store, *rows: Rows, source: str = "import:test", sequence: int = 0, received: int = NOW) -> None:
    """Store rows, which must be accepted."""
    outcome = store.commit([Batch(source, 0, f"{source}{received}", sequence, received, rows)])[0]
    assert isinstance(outcome, Ack), outcome
    assert not outcome.duplicate


def refused(store: Store, table: str, columns: Mapping[str, Sequence[Any]]) -> str:
    """The reason for which rows are refused."""
    outcome = store.commit([Batch("import:test", 0, "bad", 0, NOW, (Rows(table, columns),))])[0]
    assert isinstance(outcome, Refused), outcome
    return outcome.reason


def rows_of(store: Store, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """The rows of a table."""
    return source_of(store).scan(table, columns).collect().rows()


def boots(devices: Sequence[str | None], times: Sequence[int]) -> Rows:
    """Boots of devices."""
    return Rows("device_performance.boots", {"@device": devices, "time": times})


def test_rows_are_numbered_in_order_of_arrival_over_all_tables(store: Store) -> None:
    send(store, boots(["a", "b"], [NOW, NOW - 9 * DAY]), Rows("session.logins", {"@device": ["a"], "time": [NOW]}))
    send(store, boots(["b"], [NOW - DAY]), sequence=1)
    assert rows_of(store, "device_performance.boots", "@row", "time") == [(0, NOW), (1, NOW - 9 * DAY), (3, NOW - DAY)]
    assert rows_of(store, "session.logins", "@row", "@device", "@user") == [(2, 0, None)]


def test_a_batch_sent_again_is_a_duplicate_for_ever(store: Store, tmp_path: Path) -> None:
    first, second = batch(0), batch(3)
    assert store.commit([first, second, first]) == [Ack(0, 8), Ack(3, 8), Ack(0, 0, duplicate=True)]
    assert store.commit([second]) == [Ack(3, 0, duplicate=True)]
    store.seal()
    assert store.commit([second]) == [Ack(3, 0, duplicate=True)]
    store.close()
    store = open_store(tmp_path)
    assert store.commit([first]) == [Ack(0, 0, duplicate=True)]
    assert list(problems(source_of(store), [first, second])) == []


def test_the_same_sequence_of_another_epoch_or_source_is_another_batch(store: Store) -> None:
    for source, generation, epoch in (("x", 1, "e"), ("x", 1, "f"), ("y", 1, "e"), ("x", 2, "e")):
        outcome = store.commit([Batch(source, generation, epoch, 5, NOW, (boots(["a"], [NOW]),))])
        assert outcome == [Ack(5, 1)]
    assert len(rows_of(store, "device_performance.boots", "@row")) == 4


def test_a_superseded_generation_is_refused(store: Store) -> None:
    store.commit([Batch("x", 2, "e", 1, NOW, (boots(["a"], [NOW]),))])
    outcome = store.commit([Batch("x", 1, "e", 2, NOW, (boots(["a"], [NOW]),))])[0]
    assert isinstance(outcome, Refused)


def test_ids_are_dense_and_never_given_again(store: Store, tmp_path: Path) -> None:
    send(store, boots(["a", "b", None, "a"], [NOW] * 4))
    send(store, Rows("device.devices", {"uid": ["c", "b"], "name": ["C", "B"]}), sequence=1)
    assert rows_of(store, "device_performance.boots", "@device") == [(0,), (1,), (None,), (0,)]
    store.close()
    store = open_store(tmp_path)
    send(store, Rows("device.devices", {"uid": ["d", "a"], "name": ["D", "A"]}), sequence=2)
    assert rows_of(store, "devices", "@id", "uid", "name") == [
        (0, "a", "A"),
        (1, "b", "B"),
        (2, "c", "C"),
        (3, "d", "D"),
    ]


def test_a_refused_batch_leaves_no_ids_and_no_rows(store: Store) -> None:
    good = boots(["a"], [NOW])
    bad = Batch("import:test", 0, "e", 9, NOW, (boots(["zzz"], [NOW]), boots(["a"], ["now"])))  # type: ignore[list-item]
    outcomes = store.commit([bad, Batch("import:test", 0, "e", 10, NOW, (good,))])
    assert isinstance(outcomes[0], Refused)
    assert outcomes[1] == Ack(10, 1)
    assert rows_of(store, "devices", "@id", "uid") == [(0, "a")]
    assert rows_of(store, "device_performance.boots", "@row", "@device") == [(0, 0)]


def test_objects_are_upserted_field_by_field(store: Store) -> None:
    send(store, Rows("device.devices", {"uid": ["a"], "name": ["A"], "hardware.memory": [1], "tags": [["x", "y"]]}))
    send(store, Rows("device.devices", {"uid": ["a"], "hardware.memory": [2]}), sequence=1)
    send(store, Rows("device.devices", {"uid": ["a", "a"], "name": [None, "AA"]}), sequence=2)
    assert rows_of(store, "devices", "name", "hardware.memory", "tags") == [("AA", 2, ["x", "y"])]
    send(store, Rows("device.devices", {"uid": ["a"], "name": [None]}), sequence=3)
    assert rows_of(store, "devices", "name", "hardware.memory") == [(None, 2)]


def test_a_device_has_exactly_what_it_last_said(store: Store, tmp_path: Path) -> None:
    def has(*names: str, device: str = "a") -> Rows:
        return Rows("device.antiviruses", {"@device": [device] * len(names), "name": list(names)})

    def present() -> list[tuple[Any, ...]]:
        return rows_of(store, "device.antiviruses", "@id", "@device", "name")

    send(store, Rows("device.devices", {"uid": ["a", "b"]}), has("one", "two"), has("one", device="b"))
    send(store, has("two", "three"), sequence=1)
    assert present() == [(1, 0, "two"), (2, 1, "one"), (3, 0, "three")]
    store.close()
    store = open_store(tmp_path)
    send(store, has("one"), sequence=2)
    assert present() == [(0, 0, "one"), (2, 1, "one")]
    send(store, has(), source="a", received=NOW + 5)
    assert present() == [(2, 1, "one")]
    send(store, has(), sequence=3)
    assert present() == [(2, 1, "one")]


def test_objects_keyed_by_links_and_names(store: Store) -> None:
    pages: dict[str, Any] = {"@application": ["app", "app", "other"], "@page": ["home", "cart", "home"]}
    times: dict[str, Any] = {"start_time": [NOW] * 3, "end_time": [NOW + 1] * 3, "bucket_duration": [1] * 3}
    send(
        store,
        Rows("application.pages", {"@application": ["app"], "name": ["cart"]}),
        Rows("web.page_views", pages | times),
        Rows("package.installed_packages", {"@device": ["a"] * 2, "@package": ["p", "q"], "installation_time": [1, 2]}),
    )
    assert rows_of(store, "web.page_views", "@application", "@page") == [(0, 1), (0, 0), (1, 2)]
    assert rows_of(store, "application.pages", "@id", "@application", "name") == [
        (0, 0, "cart"),
        (1, 0, "home"),
        (2, 1, "home"),
    ]
    assert rows_of(store, "package.installed_packages", "@device", "@package", "installation_time") == [
        (0, 0, 1),
        (0, 1, 2),
    ]


def test_a_device_was_seen_when_its_batches_came(store: Store) -> None:
    send(store, boots(["a"], [NOW - 5 * DAY]), source="a", received=NOW)
    send(store, boots(["a"], [NOW - 9 * DAY]), source="a", received=NOW + 7)
    send(store, boots(["a"], [NOW - 1]), source="a", received=NOW - 3)
    assert rows_of(store, "devices", "first_seen", "last_seen") == [(NOW - 3, NOW + 7)]


def test_users_and_binaries_were_seen_at_the_times_of_their_events(store: Store) -> None:
    send(
        store,
        Rows("user.users", {"uid": ["u"], "name": ["U"]}),
        Rows("session.logins", {"@device": ["a"] * 3, "@user": ["u", "v", "u"], "time": [NOW - 5, NOW - 4, NOW - 8]}),
        source="a",
    )
    assert rows_of(store, "users", "uid", "first_seen", "last_seen") == [
        ("u", NOW - 8, NOW - 5),
        ("v", NOW - 4, NOW - 4),
    ]


def test_what_the_portal_computes_is_no_sign_of_life(store: Store) -> None:
    send(store, boots(["a"], [NOW - 5 * DAY]), source="a", received=NOW - DAY)
    send(store, Rows("dex.scores", {"@device": ["a", "b"], "time": [NOW, NOW]}), source="portal")
    assert rows_of(store, "devices", "uid", "first_seen", "last_seen") == [("a", NOW - DAY, NOW - DAY), ("b", NOW, NOW)]


def test_an_import_may_say_when_devices_were_seen(store: Store) -> None:
    given: dict[str, Any] = {"uid": ["a", "b"], "first_seen": [NOW - 9, NOW - 8], "last_seen": [NOW - 5, NOW - 4]}
    send(store, Rows("device.devices", given), boots(["b"], [NOW - 2]))
    assert rows_of(store, "devices", "first_seen", "last_seen") == [(NOW - 9, NOW - 5), (NOW - 8, NOW - 2)]


def test_typed_maps_come_back(store: Store) -> None:
    outputs: list[dict[str, Any]] = [
        {"name": "n", "number": 3},
        {"name": "t", "texts": ["x", "y"]},
        {"name": "r", "real": 0.5},
    ]
    send(store, Rows("remote_action.executions", {"@remote_action": ["#x"], "time": [NOW], "outputs": [outputs]}))
    nothing: dict[str, Any] = {"number": None, "real": None, "text": None, "texts": None}
    store.seal()
    assert rows_of(store, "remote_action.executions", "outputs", "inputs") == [
        ([nothing | item for item in outputs], None)
    ]


@pytest.mark.parametrize(
    ("table", "columns", "reason"),
    [
        ("no.such", {"a": [1]}, "no table"),
        ("remote_action.#<nql_id>.executions", {"time": [1]}, "no table"),
        ("device.devices", {"uid": ["a"], "nonsense": [1]}, "no column 'nonsense'"),
        ("device.devices", {"uid": ["a"], "@id": [1]}, "no column '@id'"),
        ("device.devices", {"uid": ["a"], "name": ["b", "c"]}, "not equally long"),
        ("device.devices", {"name": ["a"]}, "need their key"),
        ("device.devices", {"uid": [None]}, "has no uid"),
        ("device.devices", {"uid": [""]}, "has no uid"),
        ("device.devices", {"uid": ["a"], "hardware.memory": [1.0]}, "cannot hold float"),
        ("device.devices", {"uid": ["a"], "hardware.memory": [True]}, "cannot hold bool"),
        ("device.devices", {"uid": ["a"], "hardware.memory": [1 << 63]}, "cannot be stored"),
        ("device.devices", {"uid": ["a"], "name": [b"x"]}, "cannot hold bytes"),
        ("device.devices", {"uid": ["a"], "name": ["\ud800"]}, "cannot be stored"),
        ("device.devices", {"uid": ["a"], "tags": [["x", 1]]}, "cannot be stored"),
        ("device_performance.boots", {"@device": ["a"]}, "needs its time"),
        ("device_performance.boots", {"time": [None]}, "needs its time"),
        ("device_performance.boots", {"@device": [1], "time": [1]}, "cannot hold int"),
        ("device_performance.boots", {"@device": [""], "time": [1]}, "empty key"),
        ("collaboration.sessions", {"call.start_time": [1], "audio.inbound_rocs": [float("nan")]}, "not finite"),
        ("web.page_views", {"start_time": [1], "@page": ["home"]}, "@page needs @application"),
        ("device_performance.boots", {"time": [1] * 50_001}, "at most 50000"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    store: Store, table: str, columns: Mapping[str, Sequence[Any]], reason: str
) -> None:
    assert reason in refused(store, table, columns)
    assert not store.state.dirty


@pytest.mark.slow
def test_many_small_segments_of_a_day_become_few(store: Store) -> None:
    batches = [batch(number) for number in range(30)]
    for item in batches:
        store.commit([item])
        store.seal()
        found = list(problems(source_of(store), batches[: item.sequence + 1]))  # no snapshot may outlive this line
        assert found == []
    days = {(item.table, item.day) for item in store.manifest.segments}
    assert len(store.manifest.segments) <= 12 * len(days)
    files = sorted(f"segments/{path.name}" for path in store.folder.glob("segments/*"))
    assert files == sorted(item.file for item in store.manifest.segments)
    assert executions(source_of(store))["@row"].sort().to_list() == list(range(150))


def test_files_stay_while_a_snapshot_holds_them(store: Store) -> None:
    batches = [batch(number) for number in range(9)]
    for item in batches[:7]:
        store.commit([item])
        store.seal()
    source = source_of(store)
    held = {store.folder / item.file for item in source.snapshot.segments}
    for item in batches[7:]:
        store.commit([item])
        store.seal()
    assert {store.folder / item.file for item in store.manifest.segments} & held != held
    assert all(path.exists() for path in held)
    assert list(problems(source, batches[:7])) == []
    del source
    store.tidy()
    assert {path for path in held if path.exists()} <= {store.folder / item.file for item in store.manifest.segments}


def test_a_snapshot_does_not_change(store: Store) -> None:
    batches = [batch(number) for number in range(40)]
    sources = []
    for number, item in enumerate(batches):
        store.commit([item])
        sources.append(source_of(store))
        if number % 9 == 0:
            store.seal()
    for number, source in enumerate(sources):
        assert list(problems(source, batches[: number + 1])) == []


def test_days_past_their_retention_leave_when_the_store_seals(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    send(store, boots(["a"] * 3, [NOW, NOW - 29 * DAY, NOW - 40 * DAY]))
    store.close()
    store = open_store(tmp_path)
    assert sorted(rows_of(store, "device_performance.boots", "time")) == [(NOW - 29 * DAY,), (NOW,)]
    store.close()
    store = open_store(tmp_path, now=NOW + 10 * DAY)
    send(store, Rows("user.users", {"uid": ["u"]}), sequence=1)
    store.seal()
    assert rows_of(store, "device_performance.boots", "time") == [(NOW,)]
    assert len(list(tmp_path.glob("segments/device_performance*"))) == 1
    store.close()


def test_the_zone_is_fixed_when_the_folder_is_made(tmp_path: Path) -> None:
    open_store(tmp_path, zone="Europe/Zurich").close()
    store = open_store(tmp_path)
    assert store.snapshot().zone == "Europe/Zurich"
    store.close()
    with pytest.raises(WrongZone):
        open_store(tmp_path, zone="UTC")
    open_store(tmp_path).close()


def test_an_empty_store_answers_every_table(store: Store) -> None:
    source = source_of(store)
    for table in CATALOG.tables.values():
        if "<" not in table.name:
            columns = [column.name for column in table.stored()]
            frame = source.scan(table.name, columns).collect()
            assert frame.height == 0
            assert frame.columns == columns


def test_a_full_tail_is_sealed_in_order(store: Store) -> None:
    for number in range(70):
        send(store, boots([f"d{number}"] * 3, [NOW, NOW - DAY, NOW + number]), sequence=number)
    store.seal()
    frame = pl.concat(pl.read_ipc(store.folder / item.file) for item in store.manifest.segments)
    assert frame["@row"].sort().to_list() == list(range(210))
    for item in store.manifest.segments:
        rows = pl.read_ipc(store.folder / item.file)
        assert rows["@row"].is_sorted()
        assert (item.rows, item.first_row, item.last_row) == (rows.height, rows["@row"].min(), rows["@row"].max())
        assert (item.min_time, item.max_time) == (rows["time"].min(), rows["time"].max())
