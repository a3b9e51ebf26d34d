"""What fires, what is skipped, and from when on to look: the policies, jitter, ends and clocks that were set."""

from __future__ import annotations

import msgspec
import pytest

from portal.schedules.deciding import Verdict, coming, expiry, verdict
from storage.control.schedule_definition import MOST_MISSED, Definition, jitter
from storage.control.schedules import Schedule

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
START = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC
SCHEDULE = "#nightly"


def schedule(next_at: int | None = START, **changes: object) -> Schedule:
    whole: dict[str, object] = {"action": "#clear_cache", "target": "devices", "cadence": {"hourly": {"minute": 0}}}
    definition = msgspec.convert(whole | changes, Definition)
    return Schedule(SCHEDULE, "Nightly", definition, False, "1", "ann", 1, True, next_at, START, START, "account:ann")


def test_nothing_is_decided_before_it_is_due() -> None:
    assert verdict(schedule(), START - 1) is None
    assert verdict(schedule(None), START) is None


def test_what_is_due_fires_and_the_next_one_is_awaited() -> None:
    assert verdict(schedule(), START) == Verdict((START,), None, 0, START + HOUR)


@pytest.mark.parametrize(
    ("missed", "fire", "skipped", "count"),
    [
        ("skip", (), START + 5 * HOUR, 6),
        ("once", (START + 5 * HOUR,), START + 4 * HOUR, 5),
        ("all", tuple(START + hour * HOUR for hour in range(6)), None, 0),
    ],
)
def test_what_was_missed_follows_the_policy(
    missed: str, fire: tuple[int, ...], skipped: int | None, count: int
) -> None:
    found = verdict(schedule(missed=missed), START + 5 * HOUR + 10 * MINUTE)
    assert found == Verdict(fire, skipped, count, START + 6 * HOUR)


@pytest.mark.parametrize("missed", ["skip", "once", "all"])
def test_a_few_minutes_late_is_on_time(missed: str) -> None:
    found = verdict(schedule(missed=missed), START + 4 * MINUTE)
    assert found == Verdict((START,), None, 0, START + HOUR)


def test_making_up_is_bounded_and_takes_the_newest() -> None:
    now = START + 400 * DAY
    found = verdict(schedule(missed="all"), now)
    assert found is not None
    assert len(found.fire) == MOST_MISSED
    assert found.fire[-1] == now
    assert found.fire[0] == now - (MOST_MISSED - 1) * HOUR
    assert (found.skipped, found.next_at) == (found.fire[0] - HOUR, now + HOUR)


@pytest.mark.parametrize("step", [HOUR, DAY])
def test_a_clock_that_goes_forward_misses_what_lies_between(step: int) -> None:
    found = verdict(schedule(START + HOUR), START + 10 * MINUTE + step)
    assert found is not None
    assert found.fire == (START + step,)
    assert found.next_at == START + step + HOUR


@pytest.mark.parametrize("step", [HOUR, DAY])
def test_a_clock_that_goes_back_decides_nothing_by_itself(step: int) -> None:
    assert verdict(schedule(START + HOUR), START + 10 * MINUTE - step) is None


def test_jitter_puts_off_and_keeps_the_order() -> None:
    late = schedule(jitter=600, cadence={"every": "10min"})
    decided: list[int] = []
    for minute in range(181):
        now = START + minute * MINUTE
        found = verdict(late, now)
        if found is not None:
            assert all(0 <= now - due - jitter(SCHEDULE, late.definition, due) < MINUTE for due in found.fire)
            decided += found.fire
            late = schedule(found.next_at, jitter=600, cadence={"every": "10min"})
    assert decided[:17] == [START + number * 10 * MINUTE for number in range(17)]


def test_after_its_end_a_schedule_is_never_due() -> None:
    ending = schedule(ends_at="2026-01-01T02:00:00Z", missed="all")
    found = verdict(ending, START + 9 * HOUR)
    assert found == Verdict((START, START + HOUR, START + 2 * HOUR), None, 0, None)


def test_a_run_may_start_until_the_next_is_due() -> None:
    now = START + MINUTE
    assert expiry(schedule().definition, now) == START + HOUR
    assert expiry(schedule(expires_in=120).definition, now) == now + 120 * SECOND
    assert expiry(schedule(cadence={"every": "1min"}).definition, now) == now + MINUTE
    assert expiry(schedule(cadence={"once": "2026-01-01T00:00:00Z"}).definition, now) == now + DAY


def test_the_coming_times_are_told_with_their_jitter() -> None:
    wide = schedule(jitter=600).definition
    found = coming(SCHEDULE, wide, START, 10)
    assert [due for due, _ in found] == [START + hour * HOUR for hour in range(1, 11)]
    assert all(fires == due + jitter(SCHEDULE, wide, due) for due, fires in found)
    assert coming(SCHEDULE, schedule(cadence={"once": "2026-01-01T00:00:00Z"}).definition, START, 10) == []
