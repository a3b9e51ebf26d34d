"""Running a plan: the engine it gets, limits, devices, types and headers of the result."""

import pyarrow as pa
import pytest

from engine.execute import fitting, result_columns, run
from engine.result import Result
from nql.api import Compiler, Context, resolve
from nql.datatypes import INT
from nql.plan.plan import Output, ResolvedPlan
from tests.logic.cut_source import CutSource, Extent
from tests.logic.fixture import load


def planned(text: str, *, devices: bool = False) -> ResolvedPlan:
    """The resolved plan of a text over the small fleet."""
    fleet = load("fleet")
    compiled = Compiler().compile(text, fleet.catalog, devices=devices)
    return resolve(compiled.plan, Context(fleet.now, fleet.instance_zone, fleet.user_zone, {}))


def answer(text: str, *, limit: int | None = None, devices: bool = False) -> Result:
    """The result of a text over the small fleet."""
    return run(planned(text, devices=devices), load("fleet").source(), limit=limit)


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("devices | list name", "in-memory"),
        ("devices | with antiviruses", "in-memory"),
        ("session.logins | list device.name", "streaming"),
        ("devices | with session.logins", "streaming"),
        ("devices past 7d", "streaming"),
    ],
)
def test_the_engine_follows_what_is_read(text: str, engine: str) -> None:
    assert fitting(planned(text)) == engine


@pytest.mark.parametrize(("rows", "engine"), [(99_999, "in-memory"), (100_000, "streaming")])
def test_few_events_are_read_in_memory(rows: int, engine: str) -> None:
    class Known(CutSource):
        def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Extent:
            return Extent(rows)

    fleet = load("fleet")
    source = Known(fleet.source(), fleet.catalog, fleet.instance_zone, 1)
    assert fitting(planned("session.logins | list device.name"), source) == engine


@pytest.mark.parametrize(("limit", "rows", "truncated"), [(None, 6, False), (6, 6, False), (5, 5, True), (0, 0, True)])
def test_a_limit_says_whether_there_is_more(limit: int | None, rows: int, truncated: bool) -> None:
    result = answer("devices | list name", limit=limit)
    assert (result.table.num_rows, result.truncated) == (rows, truncated)


def test_the_querys_own_limit_does_not_truncate() -> None:
    assert not answer("devices | list name | limit 2", limit=2).truncated


def test_each_row_has_its_device() -> None:
    result = answer("session.logins past 24h | list user.name", devices=True)
    assert result.devices is not None
    assert result.devices.to_pylist() == ["uid-a1", "uid-a1"]
    assert result.table.num_columns == 1


def test_devices_survive_sort_and_limit() -> None:
    result = answer("devices | list entity | sort name desc | limit 2", limit=1, devices=True)
    assert result.devices is not None
    assert result.devices.to_pylist() == ["uid-a5"]


def test_a_summary_has_no_devices() -> None:
    assert answer("devices | summarize n = count()", devices=True).devices is None


def test_columns_have_the_types_of_their_kinds() -> None:
    text = (
        "remote_action.#clean_up.executions | list time, status, outputs.freed, outputs.ok, outputs.files,"
        " outputs.health, outputs.took, outputs.count, device.collector.local_ip, device.collector.version, outputs"
    )
    result = answer(text)
    assert result.table.schema.types == [
        pa.timestamp("us", tz="UTC"),
        pa.string(),
        pa.int64(),
        pa.bool_(),
        pa.list_(pa.string()),
        pa.float64(),
        pa.duration("us"),
        pa.int64(),
        pa.string(),
        pa.string(),
        pa.string(),
    ]


def test_addresses_and_maps_are_written_for_people() -> None:
    result = answer("remote_action.#battery.executions | list device.collector.local_ip, outputs")
    assert [column.to_pylist() for column in result.table.columns] == [["10.0.0.5"], ['{"level": 80.0}']]


def test_no_rows_keep_their_types() -> None:
    result = answer('devices | where name == "nobody" | list collector.local_ip, last_seen, tags')
    assert result.table.schema.types == [pa.string(), pa.timestamp("us", tz="UTC"), pa.list_(pa.string())]


def test_averages_of_durations_are_rounded_to_microseconds() -> None:
    result = answer("session.logins | where number_of_logins < 9 | summarize a = time_until_desktop_is_visible.avg()")
    assert result.table.column(0).cast(pa.int64()).to_pylist() == [15_000_000]


def test_a_result_says_what_was_asked_and_how_fresh_it_is() -> None:
    result = answer("session.logins past 24h")
    fleet = load("fleet")
    assert (result.now, result.zone, result.complete_until) == (fleet.now, fleet.user_zone, fleet.now)
    assert result.window is not None
    assert result.window.end - result.window.start == 24 * 3_600_000_000


def test_headers_are_unique() -> None:
    outputs = [Output(header, header, "c", INT) for header in ("a", "b", "a", "a_2", "a")]
    assert [column.name for column in result_columns(outputs)] == ["a", "b", "a_3", "a_2", "a_4"]
