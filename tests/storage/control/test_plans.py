"""Plans: what of them is refused, which wave a device is in, when a window opens, how long a retry waits.

Comes in: plans as JSON. Goes out: nothing; pure functions only. Invariant: the days on which clocks change are among
the examples.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from storage.control.errors import RefusedError
from storage.control.plans import (
    Limits,
    Plan,
    Retries,
    Window,
    backoff,
    check,
    check_time,
    last_wave,
    next_open,
    stops,
    waves_of,
    window_open,
)
from storage.control.records import to_json

MANY = [f"device-{number:04}" for number in range(1000)]


def plan(**parts: object) -> Plan:
    return msgspec.convert(parts, Plan)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1_000_000


def test_a_plan_that_says_nothing_is_empty_json_and_one_wave() -> None:
    check(Plan())
    assert to_json(Plan()) == "{}"
    assert set(waves_of(Plan(), MANY, "run").values()) == {0}
    assert last_wave(Plan()) == 0


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"waves": ["1", "50%"]}, "the last one is 100%"),
        ({"waves": ["50%", "25%", "100%"]}, "larger than the one before"),
        ({"waves": ["10", "10", "100%"]}, "larger than the one before"),
        ({"waves": ["0%", "100%"]}, "between 0.01% and 100%"),
        ({"waves": ["200%", "100%"]}, "between 0.01% and 100%"),
        ({"soak": 60}, "give at least two waves"),
        ({"gate": "devices", "waves": ["100%"]}, "give at least two waves"),
        ({"limits": {"growth": 10}}, "needs limits.preview"),
        ({"window": {"days": ["mon", "mon"], "from": "01:00", "to": "02:00"}}, "named twice"),
        ({"window": {"days": ["mon"], "from": "01:00", "to": "02:00", "zone": "Mars/Base"}}, "no time zone"),
        ({"window": {"days": ["mon"], "from": "01:00", "to": "02:00", "zone": "../passwd"}}, "no time zone"),
        ({"window": {"days": ["mon"], "from": "01:00", "to": "02:00", "zone": "a\0b"}}, "no time zone"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_the_way_out(parts: dict[str, object], words: str) -> None:
    with pytest.raises(RefusedError, match=words) as caught:
        check(plan(**parts))
    assert caught.value.code == "bad_plan"


@pytest.mark.parametrize(
    "parts",
    [
        {"mode": "sometimes"},
        {"waves": ["0", "100%"]},
        {"waves": ["1 %"]},
        {"waves": ["100%\n"]},
        {"waves": ["1", "2"] * 11},
        {"soak": 700_000},
        {"soak": -1},
        {"gate": ""},
        {"limits": {"devices": 0}},
        {"limits": {"growth": 1001, "preview": 1}},
        {"retries": {"attempts": 11}},
        {"retries": {"attempts": 0}},
        {"once_every": 1},
        {"window": {"days": [], "from": "01:00", "to": "02:00"}},
        {"window": {"days": ["mon"], "from": "24:00", "to": "02:00"}},
        {"other": 1},
    ],
)
def test_every_part_has_bounds(parts: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        plan(**parts)


def test_waves_are_cumulative_and_end_with_everyone() -> None:
    waves = waves_of(plan(waves=["1", "5%", "25%", "100%"]), MANY, "run")
    assert Counter(waves.values()) == {0: 1, 1: 49, 2: 200, 3: 750}


def test_small_targets_leave_waves_empty_rather_than_devices_out() -> None:
    waves = waves_of(plan(waves=["1", "5%", "25%", "100%"]), MANY[:3], "run")
    assert Counter(waves.values()) == {0: 1, 3: 2}
    assert waves_of(plan(waves=["0.01%", "100%"]), MANY[:1], "run") == {MANY[0]: 0}
    assert waves_of(plan(waves=["1", "100%"]), [], "run") == {}


def test_the_order_is_of_the_run_and_not_of_the_alphabet() -> None:
    three = plan(waves=["3", "100%"])
    first = {seed: {uid for uid, wave in waves_of(three, MANY, seed).items() if wave == 0} for seed in "abcd"}
    assert first["a"] == {uid for uid, wave in waves_of(three, MANY[::-1], "a").items() if wave == 0}
    assert len({frozenset(some) for some in first.values()}) == 4
    assert set(MANY[:3]) not in first.values()


@pytest.mark.parametrize(
    ("limits", "count", "words"),
    [
        (None, 10_000, None),
        (Limits(devices=200), 200, None),
        (Limits(devices=200), 201, "the limit is 200"),
        (Limits(preview=100, growth=10), 110, None),
        (Limits(preview=100, growth=10), 111, "preview had 100 and 10 % more"),
        (Limits(preview=100), 101, "preview had 100 and 0 % more"),
        (Limits(preview=0, growth=1000), 1, "preview had 0"),
    ],
)
def test_guards_say_what_stopped_a_run(limits: Limits | None, count: int, words: str | None) -> None:
    said = stops(limits, count)
    assert said is None if words is None else words in (said or "")


NIGHTS = Window(("mon", "tue", "wed", "thu", "fri"), "22:00", "06:00", "Europe/Zurich")


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-01-05T21:59+01:00", "2026-01-05T22:00+01:00"),  # a Monday
        ("2026-01-05T22:00+01:00", "2026-01-05T22:00+01:00"),
        ("2026-01-06T05:59+01:00", "2026-01-06T05:59+01:00"),
        ("2026-01-06T06:00+01:00", "2026-01-06T22:00+01:00"),
        ("2026-01-10T05:00+01:00", "2026-01-10T05:00+01:00"),  # Saturday morning: Friday's night
        ("2026-01-10T22:30+01:00", "2026-01-12T22:00+01:00"),
        ("2026-07-06T12:00+02:00", "2026-07-06T22:00+02:00"),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_opens(now: str, opens: str) -> None:
    assert next_open(NIGHTS, at(now)) == at(opens)
    assert window_open(NIGHTS, at(now)) == (now == opens)


def test_a_window_keeps_its_local_times_when_clocks_change() -> None:
    sunday = Window(("sat",), "22:00", "06:00", "Europe/Zurich")
    for before, after in (("2026-03-29T05:59+02:00", True), ("2026-03-29T06:00+02:00", False)):
        assert window_open(sunday, at(before)) is after  # seven hours long that night
    for before, after in (("2026-10-25T05:59+01:00", True), ("2026-10-25T06:00+01:00", False)):
        assert window_open(sunday, at(before)) is after  # nine


def test_a_time_that_clocks_skip_or_repeat_opens_once() -> None:
    skipped = Window(("sun",), "02:30", "05:00", "Europe/Zurich")
    assert next_open(skipped, at("2026-03-29T01:00+01:00")) == at("2026-03-29T03:30+02:00")
    repeated = Window(("sun",), "02:00", "02:30", "Europe/Zurich")
    assert window_open(repeated, at("2026-10-25T02:10+02:00"))
    assert not window_open(repeated, at("2026-10-25T02:10+01:00"))
    swallowed = Window(("sun",), "02:50", "03:10", "Europe/Zurich")
    assert next_open(swallowed, at("2026-03-29T00:00+01:00")) == at("2026-04-05T02:50+02:00")


def test_equal_times_are_a_whole_day_and_no_window_is_always() -> None:
    weekend = Window(("sat", "sun"), "00:00", "00:00")
    assert window_open(weekend, at("2026-01-11T23:59+00:00"))
    assert not window_open(weekend, at("2026-01-12T00:00+00:00"))
    assert window_open(None, 5)
    assert next_open(None, 5) == 5


def test_the_pause_doubles_up_to_a_day() -> None:
    retries = Retries(attempts=10, backoff=60)
    assert [backoff(retries, attempt) for attempt in (1, 2, 3)] == [60_000_000, 120_000_000, 240_000_000]
    assert backoff(Retries(attempts=10, backoff=86_400), 9) == 86_400_000_000


# --- time enough -------------------------------------------------------------------------------
NOON = at("2026-11-22T12:00:00+00:00")  # a Sunday
NIGHT = {"days": ["sun"], "from": "22:00", "to": "23:00"}


def open_on_sunday(opens: str, closes: str) -> dict[str, object]:
    return {"window": {"days": ["sun"], "from": opens, "to": closes}}


@pytest.mark.parametrize(
    ("parts", "hours", "why"),
    [
        (open_on_sunday("13:30", "14:00"), 1, "its window opens at 2026-11-22 13:30 UTC, and it expires at 2026-11-22"),
        (open_on_sunday("13:00", "14:00"), 1, "its window opens at 2026-11-22 13:00 UTC"),
        (open_on_sunday("12:59", "14:00"), 1, None),
        (open_on_sunday("11:00", "12:30"), 1, None),
        ({"waves": ["1", "2", "100%"], "soak": 1800}, 1, "let the last wave begin at 2026-11-22 13:00 UTC"),
        ({"waves": ["1", "2", "100%"], "soak": 1740}, 1, None),
        ({"waves": ["1", "2", "100%"], "soak": 7200}, 5, None),
        ({"waves": ["1", "100%"], "soak": 1740, "window": NIGHT}, 11, None),
        ({"waves": ["1", "100%"], "soak": 3600, "window": NIGHT}, 12, "begin at 2026-11-29 22:00 UTC at the earliest"),
        ({}, 1, None),
    ],
)
def test_a_run_that_would_expire_before_all_may_begin_is_refused(
    parts: dict[str, object], hours: int, why: str | None
) -> None:
    expires_at = NOON + hours * 3_600_000_000
    if why is None:
        check_time(plan(**parts), NOON, expires_at)
        return
    with pytest.raises(RefusedError, match=why) as refused:
        check_time(plan(**parts), NOON, expires_at)
    assert refused.value.code == "expires_too_soon"
    assert "expires_in" in str(refused.value)
