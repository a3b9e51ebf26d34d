"""Schedules in the control database: a due time makes one run, whoever decides, however often and from however many
processes."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from storage.control.api import Control, open_control
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.leases import LASTS, LeaseLostError
from storage.control.runs import RunRequest
from storage.control.schedule_definition import Definition, check, jitter
from storage.control.schedules import LEASE, Decision, Saving, Schedule
from tests.storage.control.conftest import HOUR, NOW, SECOND, manifest

SPAWN = multiprocessing.get_context("spawn")
SCHEDULE = "#nightly"


def definition(**changes: object) -> Definition:
    whole: dict[str, object] = {"action": "#clear_cache", "target": "devices", "cadence": {"hourly": {"minute": 0}}}
    return msgspec.convert(whole | changes, Definition)


def saved(control: Control, *, nql_id: str = SCHEDULE, new: bool | None = None, **changes: object) -> Schedule:
    if control.accounts.by_name("ann") is None:
        control.accounts.create("ann", "-", ("execute", "manage"), "UTC", by="portal", now=NOW)
    found = control.accounts.by_name("ann")
    assert found is not None
    control.actions.save_action(manifest(triggers=["schedule"]), by="account:ann", now=NOW)
    wanted = Saving(nql_id, "Nightly", definition(**changes), found[0].id, True, NOW + HOUR)
    return control.schedules.save(wanted, by="account:ann", now=NOW, new=new)


def request(*devices: str, **changes: Any) -> RunRequest:
    values = {"expires_at": NOW + 9 * HOUR, "trigger_method": "scheduled", "schedule": SCHEDULE, **changes}
    return RunRequest("#clear_cache", devices or ("a", "b"), "ann", **values)


def run_at(due: int) -> Decision:
    return Decision(due, "run", request=request())


# --- leases ------------------------------------------------------------------------------------
def test_a_lease_has_one_holder_and_its_token_grows(control: Control) -> None:
    leases = control.leases
    assert leases.acquire(LEASE, "one", now=NOW) == 1
    assert leases.acquire(LEASE, "two", now=NOW) is None
    assert leases.acquire(LEASE, "one", now=NOW + LASTS - SECOND) == 1  # renewed
    assert leases.acquire(LEASE, "two", now=NOW + LASTS) is None
    assert leases.acquire(LEASE, "two", now=NOW + 2 * LASTS) == 2  # it ran out
    assert leases.acquire(LEASE, "one", now=NOW + 2 * LASTS) is None


def test_a_lease_that_is_given_back_is_free_at_once(control: Control) -> None:
    leases = control.leases
    assert leases.acquire(LEASE, "one", now=NOW) == 1
    leases.release(LEASE, 1, now=NOW)
    assert leases.acquire(LEASE, "two", now=NOW) == 2
    leases.release(LEASE, 1, now=NOW)  # an old token gives nothing back
    assert leases.acquire(LEASE, "three", now=NOW) is None


def test_a_lease_of_a_clock_that_was_a_day_ahead_is_over(control: Control) -> None:
    assert control.leases.acquire(LEASE, "one", now=NOW + 24 * HOUR) == 1
    assert control.leases.acquire(LEASE, "two", now=NOW) == 2


# --- deciding ----------------------------------------------------------------------------------
def test_a_firing_and_its_run_are_one(control: Control) -> None:
    schedule, due = saved(control), NOW + HOUR
    token = control.leases.acquire(LEASE, "one", now=due)
    assert token is not None
    heard: list[str] = []
    control.listen(lambda change: heard.append(change.device))
    [firing] = control.decide_due(schedule, [run_at(due)], due + HOUR, token=token, now=due)
    assert (firing.outcome, firing.due_at, firing.token) == ("run", due, token)
    assert firing.run is not None
    run = control.runs.run(firing.run)
    assert (run.schedule, run.trigger_method, run.requested_by, run.device_count) == (SCHEDULE, "scheduled", "ann", 2)
    assert sorted(heard) == ["a", "b"]
    assert control.schedules.schedule(SCHEDULE).next_at == due + HOUR
    assert control.schedules.firings(SCHEDULE) == [firing]
    assert control.audit.latest(subject=f"schedule:{SCHEDULE}")[0].action == "schedule.fired"


def test_the_same_decision_again_does_nothing(control: Control) -> None:
    schedule, due = saved(control), NOW + HOUR
    token = control.leases.acquire(LEASE, "one", now=due) or 0
    first = control.decide_due(schedule, [run_at(due)], due + HOUR, token=token, now=due)
    assert control.decide_due(schedule, [run_at(due)], due + HOUR, token=token, now=due) == []
    assert control.schedules.firings(SCHEDULE) == first
    assert len(control.runs.latest()) == 1


def test_a_due_time_that_was_decided_stays_so_when_it_comes_again(control: Control) -> None:
    """The clock was set back, and the schedule looks at a time once more."""
    schedule, due = saved(control), NOW + HOUR
    token = control.leases.acquire(LEASE, "one", now=due) or 0
    control.decide_due(schedule, [run_at(due)], due + HOUR, token=token, now=due)
    control.schedules.look_from(SCHEDULE, schedule.revision, due, token=token)
    again = control.schedules.schedule(SCHEDULE)
    assert again.next_at == due
    assert control.decide_due(again, [run_at(due)], due + HOUR, token=token, now=due) == []
    assert control.schedules.schedule(SCHEDULE).next_at == due + HOUR
    assert len(control.runs.latest()) == 1


def test_a_paused_holder_writes_nothing(control: Control) -> None:
    schedule, due = saved(control), NOW + HOUR
    old = control.leases.acquire(LEASE, "slow", now=due) or 0
    new = control.leases.acquire(LEASE, "quick", now=due + LASTS) or 0
    assert new > old
    with pytest.raises(LeaseLostError):
        control.decide_due(schedule, [run_at(due)], due + HOUR, token=old, now=due + LASTS)
    assert control.runs.latest() == []
    assert control.schedules.firings(SCHEDULE) == []
    assert len(control.decide_due(schedule, [run_at(due)], due + HOUR, token=new, now=due + LASTS)) == 1
    with pytest.raises(LeaseLostError):
        control.schedules.look_from(SCHEDULE, schedule.revision, due, token=old)


@pytest.mark.parametrize("change", ["edit", "disable", "delete"])
def test_a_schedule_that_changed_while_its_query_ran_does_not_fire(control: Control, change: str) -> None:
    schedule, due = saved(control), NOW + HOUR
    token = control.leases.acquire(LEASE, "one", now=due) or 0
    if change == "edit":
        saved(control, target='devices | where name == "x"')
    elif change == "disable":
        control.schedules.enable(SCHEDULE, False, None, by="account:ann", now=due)
    else:
        control.schedules.delete(SCHEDULE, by="account:ann", now=due)
    assert control.decide_due(schedule, [run_at(due)], due + HOUR, token=token, now=due) == []
    assert control.runs.latest() == []


def test_a_run_that_is_refused_is_a_failed_firing(control: Control) -> None:
    schedule, due = saved(control), NOW + HOUR
    token = control.leases.acquire(LEASE, "one", now=due) or 0
    bad = Decision(due, "run", request=request(parameters={"nonsense": "1"}))
    [firing] = control.decide_due(schedule, [bad], due + HOUR, token=token, now=due)
    assert (firing.outcome, firing.run) == ("failed", None)
    assert firing.detail is not None
    assert "nonsense" in firing.detail
    assert control.runs.latest() == []
    assert control.schedules.schedule(SCHEDULE).next_at == due + HOUR


def test_only_what_is_due_and_enabled_is_due(control: Control) -> None:
    saved(control)
    saved(control, nql_id="#other")
    assert control.schedules.due(now=NOW) == []
    control.schedules.enable("#other", False, None, by="account:ann", now=NOW)
    assert [schedule.nql_id for schedule in control.schedules.due(now=NOW + HOUR)] == [SCHEDULE]
    again = control.schedules.enable("#other", True, NOW + HOUR, by="account:ann", now=NOW)
    assert (again.enabled, again.revision) == (True, 3)
    assert len(control.schedules.due(now=NOW + HOUR)) == 2


def test_new_and_known_are_told_apart(control: Control) -> None:
    with pytest.raises(NotFoundError):
        saved(control, new=False)
    saved(control, new=True)
    with pytest.raises(ConflictError):
        saved(control, new=True)
    assert saved(control, new=False, jitter=60).revision == 2
    control.schedules.delete(SCHEDULE, by="account:ann", now=NOW)
    assert control.schedules.everything() == []
    with pytest.raises(NotFoundError):
        control.schedules.schedule(SCHEDULE)


# --- two processes -----------------------------------------------------------------------------
def _fires(path: Path, holder: str, barrier: Any, told: Any) -> None:
    """One scheduler among two: tries at each of many due times, with clocks that let leases run out now and then."""
    control = open_control(path, now=NOW)
    barrier.wait(60)
    made = refused = token = 0
    for step in range(60):
        now = NOW + HOUR + step * 45 * SECOND
        token = control.leases.acquire(LEASE, holder, now=now) or token
        schedule = control.schedules.schedule(SCHEDULE)
        due = schedule.next_at or 0
        try:
            # A holder whose lease was taken tries all the same, with its old token: the fence is what stops it.
            done = control.decide_due(schedule, [run_at(due)], due + SECOND, token=token, now=now)
            made += len(done)
        except LeaseLostError:
            refused += 1
    control.close()
    told.put((holder, made, refused))


@pytest.mark.slow
def test_two_processes_over_one_file_make_one_run_a_due_time(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    control = open_control(path, now=NOW)
    saved(control)
    barrier, told = SPAWN.Barrier(2), SPAWN.Queue()
    processes = [SPAWN.Process(target=_fires, args=(path, name, barrier, told)) for name in ("one", "two")]
    for process in processes:
        process.start()
    counts = [told.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    firings = control.schedules.firings(SCHEDULE, limit=500)
    runs = control.runs.latest(500)
    assert len(firings) == sum(made for _, made, _ in counts) > 0
    assert sum(refused for _, _, refused in counts) > 0
    assert len({firing.due_at for firing in firings}) == len(firings) == len(runs)
    assert {firing.run for firing in firings} == {run.id for run in runs}
    tokens = [firing.token for firing in reversed(firings)]
    assert tokens == sorted(tokens)  # in the order of due times the fence never went back
    control.close()


# --- definitions -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cadence": {"every": "3s"}}, "bad_cadence"),
        ({"zone": "Mars/Olympus"}, "bad_cadence"),
        ({"ends_at": "soon"}, "bad_cadence"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "never_due"),
        ({"cadence": {"once": "2020-01-01T00:00:00Z"}}, "never_due"),
        ({"cadence": {"cron": "0 0 30 2 *"}}, "never_due"),
        ({"cadence": {"every": "10min"}, "jitter": 601}, "bad_cadence"),
        ({"plan": {"waves": ["5%"]}}, "bad_plan"),
        ({"local": True, "cadence": {"daily": {"at": "03:00"}}}, "bad_cadence"),
        ({"local": True, "cadence": {"every": "5min"}}, "bad_cadence"),
        ({"local": True, "cadence": {"every": "30min"}, "jitter": 5}, "bad_cadence"),
    ],
)
def test_what_a_schedule_cannot_be(changes: dict[str, object], code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check(definition(**changes), now=NOW)
    assert caught.value.code == code


def test_jitter_is_the_same_whenever_it_is_asked_and_within_bounds() -> None:
    wide = definition(jitter=600)
    found = [jitter(SCHEDULE, wide, NOW + number * HOUR) for number in range(200)]
    assert found == [jitter(SCHEDULE, wide, NOW + number * HOUR) for number in range(200)]
    assert all(0 <= one < 600 * SECOND for one in found)
    assert len(set(found)) > 190
    assert max(found) > 500 * SECOND > 100 * SECOND > min(found)
    assert jitter(SCHEDULE, definition(), NOW) == 0
