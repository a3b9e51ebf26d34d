"""Local schedules in the control database: who follows them, and results that count once."""

from __future__ import annotations

from typing import Any

import pytest

from storage.control.api import Control
from storage.control.dispatch import Recorded
from storage.control.errors import NotFoundError, RefusedError
from storage.control.outcomes import Outcome
from storage.control.schedules import LEASE, Schedule
from storage.control.states import State
from tests.storage.control.conftest import HOUR, NOW, SECOND
from tests.storage.control.test_schedules import SCHEDULE, saved

GOOD = Outcome(State.SUCCESS, 0, {"files": 3}, started_at=NOW + HOUR, finished_at=NOW + HOUR + SECOND)
BAD = Outcome(State.FAILURE, 1, detail="the script ended with exit code 1")


def local(control: Control, *devices: str) -> Schedule:
    schedule = saved(control, local=True, cadence={"every": "10min"})
    token = control.leases.acquire(LEASE, "one", now=NOW) or 0
    control.schedules.assign(schedule, devices, NOW + 2 * HOUR, token=token, now=NOW)
    return control.schedules.schedule(SCHEDULE)


def rows(control: Control, table: str) -> list[dict[str, Any]]:
    return [message.row for message in control.outbox.after(0) if message.table == table]


def test_devices_follow_what_the_query_means(control: Control) -> None:
    schedule = local(control, "a", "b")
    assert [one.schedule for one in control.local_schedules.of_device("a")] == [SCHEDULE]
    assert control.local_schedules.of_device("c") == []
    token = control.leases.acquire(LEASE, "one", now=NOW) or 0
    assert control.schedules.assign(schedule, ["b", "c"], NOW + 3 * HOUR, token=token, now=NOW)
    again = control.schedules.schedule(SCHEDULE)
    assert not control.schedules.assign(again, ["b", "c"], NOW + 4 * HOUR, token=token, now=NOW)
    assert [len(control.local_schedules.of_device(device)) for device in "abc"] == [0, 1, 1]
    told = [(row["@device"], row["status"]) for row in rows(control, "remote_action.local_schedules")]
    assert told == [("a", "active"), ("b", "active"), ("c", "active"), ("a", "removed")]


def test_a_schedule_that_stands_still_or_goes_is_followed_by_nobody(control: Control) -> None:
    local(control, "a")
    control.schedules.enable(SCHEDULE, False, None, by="account:ann", now=NOW)
    assert control.local_schedules.of_device("a") == []
    control.schedules.enable(SCHEDULE, True, NOW, by="account:ann", now=NOW)
    assert len(control.local_schedules.of_device("a")) == 1
    control.schedules.delete(SCHEDULE, by="account:ann", now=NOW)
    assert control.local_schedules.of_device("a") == []
    with pytest.raises(RefusedError, match="never told"):
        control.local_schedules.take(SCHEDULE, "a", 1, GOOD, now=NOW + HOUR)
    with pytest.raises(NotFoundError):
        control.schedules.schedule(SCHEDULE)


def test_a_result_counts_once(control: Control) -> None:
    local(control, "a", "b")
    take, now = control.local_schedules.take, NOW + 2 * HOUR
    assert take(SCHEDULE, "a", 7, GOOD, now=now) is Recorded.ACCEPTED
    assert take(SCHEDULE, "a", 7, GOOD, now=now) is Recorded.DUPLICATE
    assert take(SCHEDULE, "a", 6, GOOD, now=now) is Recorded.DUPLICATE
    assert take(SCHEDULE, "b", 7, GOOD, now=now) is Recorded.ACCEPTED
    assert take(SCHEDULE, "a", 8, GOOD, now=now) is Recorded.ACCEPTED
    found = rows(control, "remote_action.executions")
    assert [row["@device"] for row in found] == ["a", "b", "a"]
    assert len({row["execution_id"] for row in found}) == 3
    first = found[0]
    assert (first["status"], first["trigger_method"], first["request_id"]) == ("success", "scheduled", SCHEDULE)
    assert (first["time"], first["duration"]) == (NOW + HOUR + SECOND, SECOND)
    assert first["outputs"] == [{"name": "files", "number": 3}]


def test_times_that_cannot_be_are_those_of_the_portal(control: Control) -> None:
    local(control, "a")
    for sequence, ended in ((1, NOW + 99 * HOUR), (2, 5)):
        wrong = Outcome(State.SUCCESS, 0, started_at=ended - 1, finished_at=ended)
        control.local_schedules.take(SCHEDULE, "a", sequence, wrong, now=NOW + HOUR)
    assert [row["time"] for row in rows(control, "remote_action.executions")] == [NOW + HOUR] * 2


def test_ten_failures_in_a_row_are_told_and_a_success_ends_them(control: Control) -> None:
    local(control, "a")
    said = []
    for sequence in range(1, 12):
        control.local_schedules.take(SCHEDULE, "a", sequence, BAD, now=NOW + sequence * HOUR)
        said.append(control.local_schedules.state(SCHEDULE, "a"))
    assert said[0] == ("failing", "1 failures in a row: the script ended with exit code 1")
    assert [status for status, _ in filter(None, said)] == ["failing"] * 9 + ["silent"] * 2
    control.local_schedules.take(SCHEDULE, "a", 12, GOOD, now=NOW + 20 * HOUR)
    assert control.local_schedules.state(SCHEDULE, "a") == ("active", None)
    shown = [row["status"] for row in rows(control, "remote_action.local_schedules")]
    assert shown == ["active", *["failing"] * 9, "silent", "silent", "active"]


def test_what_a_device_may_not_say(control: Control) -> None:
    local(control, "a")
    with pytest.raises(RefusedError, match="never told"):
        control.local_schedules.take(SCHEDULE, "stranger", 1, GOOD, now=NOW)
    with pytest.raises(RefusedError, match="does not end"):
        control.local_schedules.take(SCHEDULE, "a", 1, Outcome(State.IN_PROGRESS), now=NOW)
    assert rows(control, "remote_action.executions") == []


def test_a_local_schedule_keeps_its_action_and_its_kind(control: Control) -> None:
    local(control, "a")
    with pytest.raises(RefusedError, match="make another"):
        saved(control)
    assert saved(control, local=True, cadence={"every": "30min"}).revision == 2
