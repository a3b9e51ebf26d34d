"""Windows as instants: the specification's cases 29 to 40, and days on which a clock changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nql.api import Context, compile_query, resolve
from nql.catalog.load import builtin
from nql.diagnostics import QueryError
from nql.plan.relations import Aggregate, Relation, Scan, scans
from nql.plan.windows import Absolute, Buckets, Precision


def at(text: str) -> int:
    """Microseconds of a time in UTC."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000


NOW = at("2024-11-11T10:26:15")


def window(selection: str, now: int = NOW, instance: str = "America/New_York", user: str = "Europe/Zurich") -> Absolute:
    """The resolved window of a selection on crashes."""
    plan = compile_query(f"execution.crashes {selection} | summarize n = count()", builtin()).plan
    found = resolve(plan, Context(now, instance, user)).window
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("selection", "start", "end"),
    [
        pytest.param("during past 15min", "2024-11-11T10:15", "2024-11-11T10:30", id="29"),
        pytest.param("past 30min", "2024-11-11T10:00", "2024-11-11T10:30", id="30"),
        pytest.param("during past 2h", "2024-11-11T09:00", "2024-11-11T11:00", id="31"),
        pytest.param("during past 24h", "2024-11-10T11:00", "2024-11-11T11:00", id="32"),
        pytest.param("during past 1d", "2024-11-11T05:00", "2024-11-12T05:00", id="33"),
        pytest.param("during past 2d", "2024-11-10T05:00", "2024-11-12T05:00", id="34"),
        pytest.param("on 2024-11-10", "2024-11-10T05:00", "2024-11-11T05:00", id="35"),
        pytest.param("on Nov 10, 2024", "2024-11-10T05:00", "2024-11-11T05:00", id="35-named"),
        pytest.param("from 1d ago to 1d ago", "2024-11-10T05:00", "2024-11-11T05:00", id="36"),
        pytest.param("from 2024-11-08 to 2024-11-10", "2024-11-08T05:00", "2024-11-11T05:00", id="37"),
        pytest.param(
            "from 2024-11-08 00:00:00 to 2024-11-10 00:00:00", "2024-11-07T23:00", "2024-11-09T23:00", id="38"
        ),
        pytest.param("from Nov 8, 2024, 13:00 to Nov 8, 2024, 13:01", "2024-11-08T12:00", "2024-11-08T12:01", id="39"),
        pytest.param("past 15 m", "2024-11-11T10:15", "2024-11-11T10:30", id="lenient-m"),
        pytest.param("on Nov 11", "2024-11-11T05:00", "2024-11-12T05:00", id="no-year-today"),
        pytest.param("on Nov 12", "2023-11-12T05:00", "2023-11-13T05:00", id="no-year-future-is-last-year"),
        pytest.param("on Feb 29", "2024-02-29T05:00", "2024-03-01T05:00", id="leap-day"),
        pytest.param("on November 8, 2024", "2024-11-08T05:00", "2024-11-09T05:00", id="full-month"),
        pytest.param(
            "from Nov 8, 2024 10:00 AM to Nov 8, 2024 10:00:30 PM",
            "2024-11-08T09:00",
            "2024-11-08T21:00:30",
            id="am-pm",
        ),
        pytest.param(
            "from 2024-11-08 12:15 AM to 2024-11-08 12:15 PM", "2024-11-07T23:15", "2024-11-08T11:15", id="12am"
        ),
        pytest.param("from 2h ago to 1h ago", "2024-11-11T09:00", "2024-11-11T10:00", id="hours-ago"),
        pytest.param("from 2d ago to 1h ago", "2024-11-08T23:00", "2024-11-11T10:00", id="mixed"),
        pytest.param(
            "from 2024-11-08T12:00Z to 2024-11-08T13:00:00Z", "2024-11-08T12:00", "2024-11-08T13:00", id="utc"
        ),
        pytest.param("from 21d ago to 13d ago", "2024-10-21T04:00", "2024-10-30T04:00", id="nine-days-before-dst"),
    ],
)
def test_window(selection: str, start: str, end: str) -> None:
    found = window(selection)
    assert (found.start, found.end) == (at(start), at(end))


@pytest.mark.parametrize(
    "selection", ["past 7d", "on 2024-11-10", "from 2024-11-08 to 2024-11-10", "from 2d ago to 1d ago"]
)
def test_days_are_cut_in_the_instance_zone(selection: str) -> None:
    found = window(selection)
    assert (found.precision, found.zone) == (Precision.DAY, "America/New_York")


@pytest.mark.parametrize("selection", ["past 168h", "from 2024-11-08 12:00 to 2024-11-10", "from 2d ago to 1h ago", ""])
def test_clock_times_are_cut_in_the_users_zone(selection: str) -> None:
    found = window(selection)
    assert (found.precision, found.zone) == (Precision.CLOCK, "Europe/Zurich")


def test_now_on_the_grid_is_the_end() -> None:
    assert window("past 1h", at("2024-11-11T10:00")).end == at("2024-11-11T10:00")
    assert window("past 15min", at("2024-11-11T10:15")).end == at("2024-11-11T10:15")
    assert window("past 1d", at("2024-11-11T05:00")).start == at("2024-11-11T05:00")
    assert window("past 1d", at("2024-11-11T04:59:59")).start == at("2024-11-10T05:00")


def test_hours_follow_the_users_clock_in_zones_off_the_hour() -> None:
    assert window("past 1h", user="Asia/Kolkata").end == at("2024-11-11T10:30")


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        pytest.param("2024-11-03", "2024-11-03T04:00", "2024-11-04T05:00", id="25-hours"),
        pytest.param("2024-03-10", "2024-03-10T05:00", "2024-03-11T04:00", id="23-hours"),
    ],
)
def test_days_of_clock_changes(day: str, start: str, end: str) -> None:
    found = window(f"on {day}")
    assert (found.start, found.end) == (at(start), at(end))


def test_past_days_over_a_clock_change() -> None:
    found = window("past 2d", at("2024-11-04T12:00"))
    assert (found.start, found.end) == (at("2024-11-03T04:00"), at("2024-11-05T05:00"))


def test_without_a_selection_everything_kept_is_read() -> None:
    found = window("")
    assert (found.start, found.end) == (at("2024-10-11T22:00"), at("2024-11-11T23:00"))


def test_weekly_samples_take_whole_weeks() -> None:
    plan = compile_query("software_metering.events past 2d | summarize n = count()", builtin()).plan
    found = resolve(plan, Context(NOW)).window
    assert found is not None
    assert (found.start, found.end) == (at("2024-11-04T00:00"), at("2024-11-18T00:00"))


def buckets(query: str, now: int = NOW) -> tuple[int, ...]:
    """The edges of a query's buckets."""
    plan = compile_query(query, builtin()).plan
    relation: Relation = resolve(plan, Context(now, "America/New_York", "Europe/Zurich")).relation
    while not isinstance(relation, Aggregate):
        assert not isinstance(relation, Scan)
        relation = relation.input
    assert isinstance(relation.period, Buckets)
    return relation.period.edges


def test_day_buckets_are_calendar_days_of_the_instance() -> None:
    edges = buckets("execution.crashes from 2024-11-02 to 2024-11-04 | summarize n = count() by 1d")
    assert edges == (at("2024-11-02T04:00"), at("2024-11-03T04:00"), at("2024-11-04T05:00"), at("2024-11-05T05:00"))


def test_hour_buckets_count_from_the_windows_start() -> None:
    edges = buckets("execution.crashes past 3h | summarize n = count() by 2h")
    assert edges == (at("2024-11-11T08:00"), at("2024-11-11T10:00"), at("2024-11-11T12:00"))


def test_too_many_buckets_are_refused() -> None:
    query = "campaign.responses from 1d ago to 2024-11-11 10:00 | summarize n = count() by 15min"
    assert len(buckets(query)) > 10
    with pytest.raises(QueryError, match="NQL422"):
        buckets("campaign.responses | summarize n = count() by 15min")


def test_every_scan_of_a_resolved_plan_has_instants() -> None:
    text = "devices past 7d | include execution.crashes past 24h | compute n = count() | with session.logins"
    relation = resolve(compile_query(text, builtin()).plan, Context(NOW)).relation
    found = scans(relation)
    assert len(found) == 5
    assert all(isinstance(scan.window, Absolute) for scan in found[1:])


@pytest.mark.parametrize(
    "selection", ["past 2w", "past 0h", "past 1.5h", "past 5s", "from 1d ago to 2d ago", "on 2024-11-31"]
)
def test_what_is_no_selection(selection: str) -> None:
    with pytest.raises(QueryError):
        window(selection)
