"""Rows from the wire: what passes is put in stored form, what breaks a rule is refused with a reason that says
where.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.tables.api import Refused, Rows, check_batch, rows_from_wire
from storage.tables.rows import Ack, Batch
from storage.tables.schema import schemas_of
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, open_store, source_of

DAY = 86_400_000_000
QUARTER = 900_000_000
ME = "my-uid"
Columns = dict[str, Any]


def judged(table: str, columns: Columns, writer: str = "agent") -> dict[str, Any]:
    """The stored form of rows."""
    rows = rows_from_wire(CATALOG, table, columns, writer=writer, device_uid=ME if writer == "agent" else None, now=NOW)
    return dict(rows.columns)


def test_an_agent_speaks_of_its_own_device() -> None:
    assert judged("device.devices", {"name": ["n"]}) == {"uid": [ME], "name": ["n"]}
    assert judged("device.devices", {"uid": [ME]}) == {"uid": [ME]}
    assert judged("device_performance.boots", {"time": [NOW, NOW]})["@device"] == [ME, ME]
    assert judged("device_performance.boots", {"time": [NOW], "@device": [None]})["@device"] == [ME]
    assert judged("device.antiviruses", {"name": []}) == {"@device": [], "name": []}


def test_enums_take_their_canonical_spelling() -> None:
    columns = {"name": ["n"], "hardware.type": ["LapTop"], "operating_system.platform": ["SomethingNew"]}
    found = judged("device.devices", columns)
    assert (found["hardware.type"], found["operating_system.platform"]) == (["laptop"], ["somethingnew"])


def test_addresses_take_their_stored_form() -> None:
    found = judged("device.devices", {"collector.local_ip": ["10.0.0.7"]})
    assert found["collector.local_ip"] == ["00000000000000000000ffff0a000007"]


def test_whole_numbers_pass_where_reals_are_wanted() -> None:
    found = judged_gauge([1, 2.5])
    assert found["gpu_usage.sum"] == [1.0, 2.5]
    assert [type(value) for value in found["gpu_usage.sum"]] == [float, float]


def judged_gauge(values: list[float]) -> dict[str, Any]:
    """A gauge of percentages, judged."""
    gauge = {f"gpu_usage.{part}": list(values) for part in ("sum", "min", "max")} | {
        "gpu_usage.count": [1] * len(values)
    }
    times = {"start_time": [NOW] * len(values), "bucket_duration": [QUARTER] * len(values)}
    return judged("execution.events", times | gauge)


def test_the_end_and_the_length_of_a_bucket_follow_from_each_other() -> None:
    for given_one in ({"end_time": [NOW + QUARTER]}, {"bucket_duration": [QUARTER]}):
        found = judged("execution.events", {"start_time": [NOW], **given_one})
        assert (found["end_time"], found["bucket_duration"]) == ([NOW + QUARTER], [QUARTER])


def test_portal_and_import_may_set_what_the_server_decides() -> None:
    columns = {"uid": ["a"], "site": ["default"], "simulated": [True], "first_seen": [NOW], "last_seen": [NOW]}
    for writer in ("portal", "import"):
        assert judged("device.devices", dict(columns), writer) == columns
    assert judged("device_performance.boots", {"time": [NOW - 200 * DAY]}, "import")["time"] == [NOW - 200 * DAY]


EVENT: Columns = {"start_time": [NOW], "bucket_duration": [QUARTER]}
BAD: list[tuple[str, Columns, str]] = [
    ("nonsense", {"a": [1]}, "no table 'nonsense'"),
    ("remote_action.#<nql_id>.executions", {"time": [NOW]}, "no table"),
    ("x" * 5000, {"a": [1]}, "no table"),
    ("device.devices", {}, "1 to 200 columns"),
    ("device.devices", {f"c{n}": [1] for n in range(201)}, "1 to 200 columns"),
    ("device.devices", {"nonsense": [1]}, "no column 'nonsense'"),
    ("device.devices", {"@id": [1]}, "no column '@id'"),
    ("execution.events", {**EVENT, "@row": [1]}, "no column '@row'"),
    ("execution.events", {**EVENT, "memory": [1]}, "no column 'memory'"),
    ("device.devices", {"name": "text"}, "no list of values"),
    ("device.devices", {"name": {"a": 1}}, "no list of values"),
    ("device.devices", {"name": ["a"], "configuration_tag": []}, "not equally long"),
    ("device.devices", {"name": ["a", "b"]}, "one row of a device"),
    ("device.devices", {"uid": ["other"]}, "another device"),
    ("device_performance.boots", {"time": [NOW], "@device": ["other"]}, "another device"),
    ("device_performance.boots", {"time": [NOW], "@device": [7]}, "another device"),
    ("device.devices", {"first_seen": [NOW]}, "set by the server"),
    ("device.devices", {"simulated": [False]}, "set by the server"),
    ("device.devices", {"site": ["x"]}, "set by the server"),
    ("user.users", {"uid": ["u"], "entity": ["x"]}, "set by the server"),
    ("remote_action.executions", {"time": [NOW]}, "not written by agents"),
    ("ticket.tickets", {"time": [NOW]}, "not written by agents"),
    ("execution.events", {**EVENT, "@application": ["a"]}, "not an agent's to name"),
    ("device.devices", {"name": [1]}, "holds a int where it wants a text"),
    ("device.devices", {"name": [["a"]]}, "holds a list"),
    ("device.devices", {"name": ["a\0b"]}, "NUL"),
    ("device.devices", {"name": ["\ud800"]}, "not valid Unicode"),
    ("device.devices", {"name": ["x" * 4097]}, "more than 4096 bytes"),
    ("device.devices", {"name": ["é" * 2049]}, "more than 4096 bytes"),
    ("device.devices", {"hardware.type": ["toaster"]}, "none of"),
    ("device.devices", {"hardware.memory": [1.5]}, "holds a float"),
    ("device.devices", {"hardware.memory": [True]}, "holds a bool"),
    ("device.devices", {"hardware.memory": ["1"]}, "holds a str"),
    ("device.devices", {"hardware.memory": [1 << 54]}, "outside"),
    ("device.devices", {"hardware.memory": [1 << 90]}, "outside"),
    ("device.devices", {"collector.local_ip": ["10.0.0.256"]}, "no IP address"),
    ("device.devices", {"tags": ["a"]}, "holds a str"),
    ("device.devices", {"tags": [["a", None]]}, "with a null"),
    ("device.devices", {"tags": [["a"] * 1001]}, "more than 1000"),
    ("device.devices", {"cpus": ["{}"]}, "no JSON list"),
    ("device.devices", {"cpus": ["[1]"]}, "no JSON list"),
    ("device.devices", {"cpus": ["[" * 30_000]}, "no JSON list"),
    ("device.devices", {"operating_system.last_update": [-1]}, "outside"),
    ("device.devices", {"operating_system.last_update": [1 << 60]}, "outside"),
    ("user.users", {"name": ["n"]}, "needs its uid"),
    ("user.users", {"uid": [""], "name": ["n"]}, "needs its uid"),
    ("device.antiviruses", {"name": [None]}, "needs its name"),
    ("device_performance.boots", {"type": ["full"]}, "needs its time"),
    ("device_performance.boots", {"time": [None]}, "needs its time"),
    ("device_performance.boots", {"time": [NOW + DAY + 1]}, "in the future"),
    ("device_performance.boots", {"time": [NOW - 30 * DAY - 1]}, "in the past"),
    ("execution.events", {"start_time": [NOW]}, "end_time or its bucket_duration"),
    ("execution.events", {"start_time": [NOW], "bucket_duration": [None]}, "end_time or its bucket_duration"),
    ("execution.events", {"start_time": [NOW], "end_time": [NOW]}, "less than nothing"),
    ("execution.events", {"start_time": [NOW], "bucket_duration": [-1]}, "less than nothing"),
    ("execution.events", {"start_time": [NOW - 20 * DAY], "end_time": [NOW]}, "more than a week"),
    ("execution.events", {**EVENT, "end_time": [NOW + 1]}, "does not last"),
    ("execution.events", {**EVENT, "memory.sum": [1], "memory.max": [1], "memory.min": [1]}, "memory lacks its count"),
    ("execution.events", {name: values * 50_001 for name, values in EVENT.items()}, "at most 50000"),
]


@pytest.mark.parametrize(("table", "columns", "reason"), BAD, ids=range(len(BAD)))
def test_what_breaks_a_rule_is_refused(table: str, columns: Columns, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        judged(table, columns)
    assert reason in caught.value.reason
    assert len(caught.value.reason) < 500


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_numbers_that_are_none_are_refused(number: float) -> None:
    with pytest.raises(Refused, match=r"execution\.events\.gpu_usage\.\w+ holds a number"):
        judged_gauge([number])


BAD_MAPS: list[list[Any]] = [
    [1],
    [{"number": 1}],
    [{"name": 1}],
    [{"name": "a", "other": 1}],
    [{"name": "a", "number": 1.5}],
    [{"name": "a", "texts": [1]}],
]


@pytest.mark.parametrize("value", BAD_MAPS)
def test_bad_maps_are_refused(value: Any) -> None:
    with pytest.raises(Refused, match="outputs"):
        judged("remote_action.executions", {"time": [NOW], "outputs": [value]}, "portal")


def test_the_tables_of_a_batch_are_bounded_together() -> None:
    rows = Rows("device_performance.boots", {"time": [NOW] * 30_000})
    check_batch([rows])
    with pytest.raises(Refused):
        check_batch([rows, rows])


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats()
    | st.text(max_size=8)
    | st.just("\ud800\0"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("name"), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = sorted(name for name, table in CATALOG.tables.items() if schemas_of(CATALOG).get(name) is not None)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that takes whatever passes."""
    return open_store(Path(tmp_path_factory.mktemp("junk")))


@given(data=st.data())
def test_any_junk_is_refused_or_can_be_stored(store: Store, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    schema = schemas_of(CATALOG)[name]
    rows = data.draw(st.integers(0, 2))
    wanted = data.draw(st.sets(st.sampled_from(sorted(schema.columns)), max_size=5)) | set(schema.key)
    plain = {"int64": NOW, "utf8": "a", "float64": 1.5, "bool": True}
    columns: Columns = {}
    for column in wanted | ({schema.time} - {""}):
        likely = plain.get(schema.columns[column].value)
        value = "b" if column.startswith("@") else likely
        columns[column] = data.draw(st.lists(st.just(value) | JUNK, min_size=rows, max_size=rows))
    writer = data.draw(st.sampled_from(["agent", "portal", "import"]))
    before = store.state.version
    try:
        judged_rows = rows_from_wire(CATALOG, name, columns, writer=writer, device_uid=ME, now=NOW)
    except Refused:
        return
    outcome = store.commit([Batch("import:test", 0, "e", before, NOW, (judged_rows,))])[0]
    assert isinstance(outcome, Ack | Refused)
    if isinstance(outcome, Refused):
        assert "needs" in outcome.reason
    else:
        source_of(store).scan(name, list(schema.columns)).collect()
