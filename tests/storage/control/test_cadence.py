"""When schedules are due, held against a count of every minute in the zone.

Comes in: cadences, zones, spans about the changes of their clocks. Goes out: nothing. Invariant: the oracle walks real
minutes and knows no rule of the module but the two that it states itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.control.cadence import Cadence, CadenceError, due, instant_of, newest, rule

SECOND = 1_000_000
DAY = 86_400 * SECOND


def at(text: str) -> int:
    return instant_of(text + "Z")


def said(instants: list[int], zone: str) -> list[str]:
    """Instants as wall times with their offset."""
    times = [datetime.fromtimestamp(one / SECOND, UTC).astimezone(ZoneInfo(zone)) for one in instants]
    return [f"{time:%m-%d %H:%M%z}" for time in times]


def cadence(**form: object) -> Cadence:
    return msgspec.convert(form, Cadence)


def coming(form: Mapping[str, object], zone: str, after: str, count: int = 3) -> list[str]:
    return said(due(rule(cadence(**form), zone), at(after) + 1, at(after) + 4000 * DAY, count), zone)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"every": "15min"}, ["07-15 12:15+0200", "07-15 12:30+0200", "07-15 12:45+0200"]),
        ({"every": "6h"}, ["07-15 14:00+0200", "07-15 20:00+0200", "07-16 02:00+0200"]),
        ({"cron": "0 3 * * 1-5"}, ["07-16 03:00+0200", "07-17 03:00+0200", "07-20 03:00+0200"]),
        ({"cron": "*/20 9,17 * jul-aug *"}, ["07-15 17:00+0200", "07-15 17:20+0200", "07-15 17:40+0200"]),
        ({"cron": "30 6 13 * fri"}, ["07-17 06:30+0200", "07-24 06:30+0200", "07-31 06:30+0200"]),
        ({"cron": "0 0 L * *"}, ["07-31 00:00+0200", "08-31 00:00+0200", "09-30 00:00+0200"]),
        ({"cron": "0 12 29 2 *"}, ["02-29 12:00+0100"] * 3),
        ({"cron": "0 8 * * 7"}, ["07-19 08:00+0200", "07-26 08:00+0200", "08-02 08:00+0200"]),
        ({"hourly": {"minute": 5}}, ["07-15 12:05+0200", "07-15 13:05+0200", "07-15 14:05+0200"]),
        ({"daily": {"at": "03:00"}}, ["07-16 03:00+0200", "07-17 03:00+0200", "07-18 03:00+0200"]),
        ({"weekly": {"days": ["mon", "fri"], "at": "03:00"}}, ["07-17 03:00+0200", "07-20 03:00+0200"]),
        ({"monthly": {"day": "last", "at": "03:00"}}, ["07-31 03:00+0200", "08-31 03:00+0200", "09-30 03:00+0200"]),
        ({"monthly": {"day": 31, "at": "03:00"}}, ["07-31 03:00+0200", "08-31 03:00+0200", "10-31 03:00+0100"]),
        ({"once": "2026-12-01T03:00:00Z"}, ["12-01 04:00+0100"]),
        ({"once": "2026-01-01T00:00:00Z"}, []),
        ({"cron": "0 0 30 2 *"}, []),
    ],
)  # fmt: skip
def test_the_coming_instants_of_every_form(form: dict[str, object], expected: list[str]) -> None:
    assert coming(form, "Europe/Zurich", "2026-07-15T10:00:00")[: max(len(expected), 1)] == expected


def test_a_wall_time_that_is_skipped_comes_at_the_end_of_the_gap_once() -> None:
    form = {"cron": "0,30 2 * * *"}
    expected = ["03-28 02:30+0100", "03-29 03:00+0200", "03-30 02:00+0200"]
    assert coming(form, "Europe/Zurich", "2026-03-28T01:00:00") == expected


def test_a_wall_time_that_comes_twice_is_due_at_the_first() -> None:
    expected = ["10-25 02:30+0200", "10-26 02:30+0100", "10-27 02:30+0100"]
    assert coming({"daily": {"at": "02:30"}}, "Europe/Zurich", "2026-10-24T01:00:00") == expected


def test_hours_are_real_hours() -> None:
    expected = ["10-25 01:05+0200", "10-25 02:05+0200", "10-25 02:05+0100", "10-25 03:05+0100"]
    assert coming({"hourly": {"minute": 5}}, "Europe/Zurich", "2026-10-24T22:30:00", 4) == expected
    expected = ["03-29 01:05+0100", "03-29 03:05+0200"]
    assert coming({"hourly": {"minute": 5}}, "Europe/Zurich", "2026-03-28T23:30:00", 2) == expected


def test_a_day_that_a_zone_leaves_out() -> None:
    assert coming({"daily": {"at": "03:00"}}, "Pacific/Apia", "2011-12-29T20:00:00", 2) == [
        "12-31 00:00+1400",
        "12-31 03:00+1400",
    ]


ZONES = ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago", "UTC"]


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.sampled_from(ZONES),
    st.sets(st.integers(0, 59), min_size=1, max_size=4),
    st.sets(st.integers(0, 23), min_size=1, max_size=23),
    st.sampled_from(["2026-03-07", "2026-03-28", "2026-04-04", "2026-09-05", "2026-10-03", "2026-10-24", "2026-10-31"]),
)
def test_named_times_agree_with_a_count_of_minutes(zone: str, minutes: set[int], hours: set[int], day: str) -> None:
    start, end = at(f"{day}T00:00:00"), at(f"{day}T00:00:00") + 3 * DAY
    text = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *"
    expected = _counted(zone, minutes, hours, start, end)
    assert due(rule(cadence(cron=text), zone), start, end, 10_000) == expected


def _counted(zone: str, minutes: set[int], hours: set[int], start: int, end: int) -> list[int]:
    """Each minute's wall time; a wall time counts where the clock first reaches or passes it."""
    place, found = ZoneInfo(zone), []
    moment = datetime.fromtimestamp(start / SECOND, UTC) - timedelta(days=1)
    reached = moment.astimezone(place).replace(tzinfo=None)
    while moment.timestamp() * SECOND < end:
        wall = moment.astimezone(place).replace(tzinfo=None)
        passed = []
        while reached <= wall:
            passed.append(reached)
            reached += timedelta(minutes=1)
        if any(one.minute in minutes and one.hour in hours for one in passed):
            found.append(round(moment.timestamp()) * SECOND)
        moment += timedelta(minutes=1)
    return [one for one in found if one >= start]


@given(st.sampled_from(ZONES), st.integers(0, 3 * 10**15), st.sampled_from(["0 3 * * 1", "*/7 * * * *", "5 0 L * *"]))
def test_next_is_later_and_skips_nothing(zone: str, after: int, text: str) -> None:
    read = rule(cadence(cron=text), zone)
    first = read.next(after)
    assert first is not None
    assert first > after
    assert read.next(first - 1) == first
    assert due(read, after + 1, first, 5) == []


@given(st.integers(0, 400), st.integers(1, 30), st.sampled_from(["2h", "1d"]))
def test_the_newest_are_the_last_of_all(days: int, most: int, every: str) -> None:
    read, start = rule(cadence(every=every), "UTC"), at("2026-01-01T00:00:00")
    end = start + days * DAY
    assert newest(read, start, end, most) == due(read, start, end, 100_000)[-most:]


@pytest.mark.parametrize(
    ("form", "zone", "part"),
    [
        ({"every": "10s"}, "UTC", "no interval"),
        ({"every": "0min"}, "UTC", "no interval"),
        ({"every": "32d"}, "UTC", "no interval"),
        ({"cron": "* * *"}, "UTC", "five fields"),
        ({"cron": "60 * * * *"}, "UTC", "minute takes numbers from 0 to 59"),
        ({"cron": "5-1 * * * *"}, "UTC", "ends before it begins"),
        ({"cron": "*/0 * * * *"}, "UTC", "step"),
        ({"cron": "0 0 32 * *"}, "UTC", "day takes numbers"),
        ({"cron": "0 0 * * ²"}, "UTC", "weekday takes numbers"),
        ({"daily": {"at": "03:00"}}, "Europe/Nowhere", "no time zone"),
        ({"daily": {"at": "03:00"}}, "../etc/passwd", "no time zone"),
        ({"once": "2026-12-01T03:00:00"}, "UTC", "offset"),
        ({"once": "tomorrow"}, "UTC", "no instant"),
    ],
)
def test_what_cannot_be_is_said(form: dict[str, object], zone: str, part: str) -> None:
    with pytest.raises(CadenceError, match=part):
        rule(cadence(**form), zone)


@pytest.mark.parametrize("form", [{}, {"every": "1h", "daily": {"at": "03:00"}}, {"daily": {"at": "24:00"}}, {"x": 1}])
def test_a_cadence_has_one_form(form: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        cadence(**form)


@given(st.text(alphabet="0123456789*/-,Lmonjan ", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = rule(cadence(cron=text), "Europe/Zurich")
    except CadenceError:
        return
    found = read.next(at("2026-01-01T00:00:00"))
    assert found is None or found > 0
