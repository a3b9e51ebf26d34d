"""Forms of a result: JSON, CSV, Arrow, Parquet."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.formats import diagnostic_json, instant_text, rows_json, to_arrow, to_csv, to_json, to_parquet, window_json
from engine.result import Result, ResultColumn, arrow_type
from nql.datatypes import BOOLEAN, DATETIME, FLOAT, INT, SIZE, STRING, STRINGS, DataType, Kind
from nql.diagnostics import Diagnostic, Fix, Severity, Span
from nql.plan.plan import Format
from nql.plan.windows import Absolute, Precision

MILLISECONDS = DataType(Kind.DURATION, unit="ms")
COLUMNS: tuple[tuple[str, DataType, list[object]], ...] = (
    ("name", STRING, ["=cmd()", 'say "hi",\nplease', None]),
    ("n", INT, [-5, 2**53 + 1, None]),
    ("share", FLOAT, [0.5, -1.25, None]),
    ("on", BOOLEAN, [True, False, None]),
    ("at", DATETIME, [0, 1_731_320_775_120_000, None]),
    ("took", MILLISECONDS, [1_500_000, 1, None]),
    ("size", SIZE, [1024, 0, None]),
    ("tags", STRINGS, [["a", "ü"], [], None]),
)


@pytest.fixture
def result() -> Result:
    """Three rows of every kind."""
    arrays = [pa.array(values).cast(arrow_type(dtype)) for _, dtype, values in COLUMNS]
    columns = tuple(ResultColumn(name, name.title(), dtype) for name, dtype, _ in COLUMNS)
    return Result(
        table=pa.table(arrays, names=[name for name, _, _ in COLUMNS]),
        columns=(*columns[:2], ResultColumn("share", "Share", FLOAT, Format("percent")), *columns[3:]),
        complete_until=0,
        now=1_731_320_775_000_000,
        zone="Europe/Zurich",
        window=Absolute(1_731_315_600_000_000, 1_731_322_800_000_000, Precision.CLOCK, "Europe/Zurich"),
        devices=pa.array(["uid-1", "uid-2", None]),
        truncated=True,
        warnings=(Diagnostic("NQL210", "m", Span(1, 2), "h", (Fix("t", Span(1, 2), "x"),), Severity.WARNING),),
    )


def test_rows_as_json(result: Result) -> None:
    assert rows_json(result) == [
        ["=cmd()", -5, 0.5, True, "1970-01-01T00:00:00Z", 1500, 1024, ["a", "ü"]],
        ['say "hi",\nplease', 2**53 + 1, -1.25, False, "2024-11-11T10:26:15.12Z", 0.001, 0, []],
        [None] * 8,
    ]


def test_times_on_the_clock_of_a_zone(result: Result) -> None:
    assert [row[4] for row in rows_json(result, zone="Europe/Zurich")] == [
        "1970-01-01T01:00:00+01:00", "2024-11-11T11:26:15.120000+01:00", None,
    ]  # fmt: skip
    assert rows_json(result, zone="UTC") == rows_json(result)
    rows = read(list(to_csv(result, guarded=False, zone="Asia/Tokyo")))
    assert [row[4] for row in rows[1:]] == ["1970-01-01T09:00:00+09:00", "2024-11-11T19:26:15.120000+09:00", ""]
    assert rows[1][0] == "=cmd()"


def test_a_result_as_json(result: Result) -> None:
    found = to_json(result, devices={"uid-1": {"name": "PC", "simulated": True}}, elapsed_ms=1.5)
    assert json.loads(json.dumps(found)) == found
    assert found["columns"][2] == {
        "name": "share",
        "label": "Share",
        "type": "float",
        "unit": None,
        "format": {"name": "percent", "code": None},
        "members": [],
    }
    assert found["columns"][5]["unit"] == "ms"
    assert found["devices"] == [
        {"uid": "uid-1", "name": "PC", "simulated": True},
        {"uid": "uid-2", "name": None, "simulated": None},
        None,
    ]
    assert (found["row_count"], found["truncated"], found["elapsed_ms"]) == (3, True, 1.5)
    assert found["warnings"][0]["fixes"] == [{"title": "t", "span": {"start": 1, "end": 2}, "replacement": "x"}]


def test_a_window_reads_in_the_users_zone() -> None:
    window = Absolute(1_731_301_200_000_000, 1_731_387_600_000_000, Precision.DAY, "America/New_York")
    assert window_json(window, "Europe/Zurich") == {
        "start": "2024-11-11T05:00:00Z",
        "end": "2024-11-12T05:00:00Z",
        "precision": "day",
        "zone": "America/New_York",
        "text": "2024-11-11 06:00 to 2024-11-12 06:00 (Europe/Zurich)",
    }


@pytest.mark.parametrize("micros", [-(2**63), 2**63 - 1])
def test_instants_beyond_the_calendar_are_held_back(micros: int) -> None:
    assert instant_text(micros)[:5] in ("0001-", "9999-")
    assert window_json(Absolute(micros, micros, Precision.DAY, "UTC"), "Pacific/Kiritimati")["text"]


def read(pieces: list[bytes]) -> list[list[str]]:
    """CSV as a strict reader sees it."""
    return list(csv.reader(io.StringIO(b"".join(pieces).decode(), newline=""), strict=True))


def test_csv_is_read_back_and_harmless(result: Result) -> None:
    pieces = list(to_csv(result))
    assert b"".join(pieces).endswith(b"\r\n")
    assert read(pieces) == [
        ["name", "n", "share", "on", "at", "took", "size", "tags"],
        ["'=cmd()", "-5", "0.5", "true", "1970-01-01T00:00:00Z", "1500", "1024", '["a", "ü"]'],
        ['say "hi",\nplease', str(2**53 + 1), "-1.25", "false", "2024-11-11T10:26:15.12Z", "0.001", "0", "[]"],
        [""] * 8,
    ]


def test_csv_for_programs_is_untouched(result: Result) -> None:
    assert read(list(to_csv(result, guarded=False)))[1][0] == "=cmd()"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_every_start_of_a_formula_is_guarded(start: str) -> None:
    table = pa.table({"a": [f"{start}1"]})
    one = Result(table, (ResultColumn("a", "A", STRING),), complete_until=0, now=0, zone="UTC")
    assert read(list(to_csv(one)))[1] == [f"'{start}1"]


def test_csv_without_rows_has_its_header(result: Result) -> None:
    none = Result(result.table.slice(0, 0), result.columns, complete_until=0, now=0, zone="UTC")
    assert read(list(to_csv(none))) == [[name for name, _, _ in COLUMNS]]


def test_long_csv_comes_in_pieces() -> None:
    table = pa.table({"a": pa.array(range(25_000))})
    long = Result(table, (ResultColumn("a", "A", INT),), complete_until=0, now=0, zone="UTC")
    pieces = list(to_csv(long))
    assert len(pieces) == 3
    assert len(read(pieces)) == 25_001


def test_arrow_and_parquet_carry_types_and_descriptions(result: Result) -> None:
    for table in (pa.ipc.open_stream(to_arrow(result)).read_all(), pq.read_table(io.BytesIO(to_parquet(result)))):
        assert table.equals(result.table)
        assert table.schema.field("took").metadata[b"nql.unit"] == b"ms"
        assert table.schema.field("took").metadata[b"nql.type"] == b"duration"


def test_a_diagnostic_as_json() -> None:
    assert diagnostic_json(Diagnostic("NQL202", "m", Span(3, 4))) == {
        "code": "NQL202",
        "severity": "error",
        "message": "m",
        "hint": "",
        "span": {"start": 3, "end": 4},
        "fixes": [],
    }
