"""Local schedules on the device: when a turn begins, what it takes with it through a crash, when it falls silent.

Comes in: a core with the portal's key, orders signed by it, a clock by hand. Goes out: commands. Invariant: what is
written down before a process starts is enough to never start a turn twice.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent import events as e
from agent import recurring, signing, statements, wire
from agent.core import AT_ONCE, step
from agent.identity import Policy, ensure_keys
from agent.journal import Journal
from agent.local_journal import LocalJournal
from agent.orders import Job
from agent.recurring import GRACE, SILENT_AFTER, SILENT_FOR, Known, Memory
from agent.runner import Ended
from agent.state import State
from agent.wire_configuration import Configuration, LocalOrder
from tests.agent.test_orders import DEVICE, PORTAL, order, trust

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
EVERY = 600
START = 1_767_225_600_000_000


def local(schedule: str = "facts", *, every: int = EVERY, **changes: object) -> LocalOrder:
    """A local order that the portal signed."""
    model = order()
    fields = {"schedule": schedule, "revision": 1, "device": DEVICE, "every": every, "action": model.action,
              "action_version": model.action_version, "content": model.content, "parameters": model.parameters,
              "signature": bytes(64), "author": model.author, "serial": model.serial, **changes}  # fmt: skip
    made = LocalOrder(**fields)  # type: ignore[arg-type]  # changes are the test's
    return msgspec.structs.replace(made, signature=PORTAL.sign(statements.local_order_bytes(made)))


def configured(*orders: LocalOrder, known: Known | None = None, now: int = START) -> State:
    """A core with an open channel and this configuration."""
    state = State(trust())
    configuration = Configuration("tag", local=list(orders))
    for event in (e.Configured(configuration), e.Recovered((), 0, known or Known()), e.ChannelOpened()):
        state, _ = step(state, event, now)
    return state


def turn_start(one: LocalOrder, after: int = START) -> int:
    return recurring.start_of(one, recurring.turn_of(one, after) + 1)


def begun(commands: list[e.Command]) -> list[Job]:
    return [command.job for command in commands if isinstance(command, e.StoreIntent)]


def test_a_turn_begins_at_its_time_and_once() -> None:
    one = local()
    start = turn_start(one)
    state = configured(one)
    assert state.wake <= state.local.at == start
    state, commands = step(state, e.Tick(), start - 1)
    assert begun(commands) == []
    state, commands = step(state, e.Tick(), start)
    [job] = begun(commands)
    assert (job.run, job.local, job.turn) == ("facts", True, recurring.turn_of(one, start))
    for event in (e.IntentStored(job), e.ProcessStarted(job, start), e.ProcessEnded(job, Ended("success"))):
        state, commands = step(state, event, start + SECOND)
        assert begun(commands) == []
    [report] = [command for command in commands if isinstance(command, e.StoreLocalReport)]
    assert (report.schedule, report.sequence, report.state) == ("facts", job.attempt, "success")
    for later in range(2, 590, 7):
        state, commands = step(state, e.Tick(), start + later * SECOND)
        assert begun(commands) == []
    state, commands = step(state, e.Tick(), start + EVERY * SECOND)
    assert len(begun(commands)) == 1


def test_nothing_begins_before_the_disk_is_read() -> None:
    one = local()
    state, commands = step(State(trust()), e.Configured(Configuration("tag", local=[one])), turn_start(one))
    assert begun(commands) == []
    turn = recurring.turn_of(one, turn_start(one))
    known = Known({"facts": Memory(turn)}, 7)
    state, commands = step(state, e.Recovered((), 0, known), turn_start(one) + SECOND)
    assert begun(commands) == []
    assert state.local.at == turn_start(one) + EVERY * SECOND


def test_a_device_that_was_off_makes_up_for_nothing() -> None:
    one = local(every=3600)
    start = turn_start(one)
    state = configured(one, now=start + GRACE + SECOND)  # comes up in the middle of a turn
    state, commands = step(state, e.Tick(), start + GRACE + 2 * SECOND)
    assert begun(commands) == []
    assert state.local.at == start + HOUR
    _, commands = step(state, e.Tick(), start + HOUR + MINUTE)
    assert len(begun(commands)) == 1


def test_a_schedule_does_not_run_twice_at_once() -> None:
    one = local()
    state = configured(one)
    state, commands = step(state, e.Tick(), turn_start(one))
    [job] = begun(commands)
    state, _ = step(state, e.IntentStored(job), turn_start(one))
    _, commands = step(state, e.Tick(), turn_start(one) + EVERY * SECOND)
    assert begun(commands) == []


def test_at_most_two_scripts_and_those_that_were_asked_for_first() -> None:
    orders = [local(name) for name in ("one", "two", "three")]
    now = max(turn_start(one) for one in orders)
    state = configured(*orders, now=now - 1)
    for number in range(2):
        state, commands = step(state, e.Pulled(wire.Work([order(run=f"run{number}", expires_at=1 << 60)])), now - 1)
    assert len(state.running) == AT_ONCE
    held = [one.turn for one in begun(step(state, e.Tick(), now)[1])]
    assert held == []
    assert step(state, e.Tick(), now)[0].local.at > now  # it looks again, and does not spin

    free = configured(*orders, now=START)
    everyone = max(turn_start(one) for one in orders)
    started: list[Job] = []
    for at in sorted(turn_start(one) for one in orders):
        free, commands = step(free, e.Tick(), at)
        started += begun(commands)
    assert len(started) == AT_ONCE
    kept_back = replace(configured(orders[0], now=START), more=True)
    one_running, _ = step(kept_back, e.Pulled(wire.Work([order(run="run", expires_at=1 << 60)], more=True)), START)
    assert begun(step(one_running, e.Tick(), everyone)[1]) == []


def test_pulls_do_not_name_what_the_portal_does_not_know() -> None:
    one = local()
    state, commands = step(configured(one), e.Tick(), turn_start(one))
    state, commands = step(state, e.Nudged(), turn_start(one))
    [pull] = [command.pull for command in commands if isinstance(command, e.SendPull)]
    assert (pull.held, pull.room) == ([], AT_ONCE - 1)


@pytest.mark.parametrize(
    ("policy", "changes", "detail"),
    [
        ("signed_trusted", {}, "no trusted author"),
        ("disabled", {}, "policy is disabled"),
        ("unrestricted", {"action_version": "0" * 64}, "not the version"),
        ("unrestricted", {"parameters": {"nonsense": "1"}}, "no input"),
    ],
)
def test_what_may_not_run_is_reported(policy: Policy, changes: dict[str, Any], detail: str) -> None:
    one = local(**changes)
    state = replace(configured(one), trust=trust(policy=policy))
    state, commands = step(state, e.Tick(), turn_start(one))
    assert begun(commands) == []
    [report] = [command for command in commands if isinstance(command, e.StoreLocalReport)]
    assert report.state == "policy_denied"
    assert detail in report.outcome.detail
    assert not [c for c in step(state, e.Tick(), turn_start(one) + SECOND)[1] if isinstance(c, e.StoreLocalReport)]


def test_what_our_portal_did_not_say_is_only_logged() -> None:
    forged = msgspec.structs.replace(local(), every=1200)
    state, commands = step(configured(forged), e.Tick(), turn_start(forged))
    assert [type(command).__name__ for command in commands] == ["Log"]
    assert state.running == {}


def test_ten_failures_in_a_row_make_it_silent_for_half_a_day() -> None:
    one = local()
    state, now, runs = configured(one), turn_start(one), []
    while now < START + DAY:
        state, commands = step(state, e.Tick(), now)
        for job in begun(commands):
            runs.append(now)
            state, _ = step(state, e.IntentStored(job), now)
            state, _ = step(state, e.ProcessEnded(job, Ended("failure")), now)
        now = state.local.at
    assert len(runs) == SILENT_AFTER + 1
    assert runs[SILENT_AFTER] - runs[SILENT_AFTER - 1] >= SILENT_FOR
    state, _ = step(state, e.Tick(), now)
    memory = state.local.of("facts")
    assert memory.after(True, now).failures == 0
    assert not Memory(failures=10, silent_until=now + 30 * DAY).silent(now)  # of a clock that was wrong


@pytest.mark.parametrize("back", [HOUR, DAY])
def test_a_clock_that_is_set_back_holds_up_nothing(back: int) -> None:
    one = local()
    state = configured(one, now=START + 2 * DAY)
    late = turn_start(one, START + 2 * DAY)
    state, commands = step(state, e.Tick(), late)
    [job] = begun(commands)
    state, _ = step(state, e.IntentStored(job), late)
    state, _ = step(state, e.ProcessEnded(job, Ended("success")), late)
    early = turn_start(one, late - back)
    state, commands = step(state, e.Tick(), early)
    [again] = begun(commands)
    assert again.attempt > job.attempt  # its sequence goes on


# --- the disk ----------------------------------------------------------------------------------
def test_a_crash_after_the_intent_is_interrupted_and_not_run_again(tmp_path: Path) -> None:
    one = local()
    start = turn_start(one)
    state, commands = step(configured(one), e.Tick(), start)
    [job] = begun(commands)
    journal = LocalJournal(tmp_path)
    signing.write(signing.intent(job, start), Journal(tmp_path), journal)
    journal.close()

    again = LocalJournal(tmp_path)
    state = State(trust())
    state, _ = step(state, e.Configured(Configuration("tag", local=[one])), start + SECOND)
    state, commands = step(state, e.Recovered((), 0, again.known()), start + 2 * SECOND)
    assert begun(commands) == []
    [report] = [command for command in commands if isinstance(command, e.StoreLocalReport)]
    assert (report.sequence, report.state) == (job.attempt, "interrupted")
    assert begun(step(state, e.Tick(), start + 3 * SECOND)[1]) == []


def test_reports_wait_on_the_disk_until_the_portal_has_them(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    journal = LocalJournal(tmp_path)
    draft = e.StoreLocalReport("facts", 5, "failure", wire.Outcome(START), Memory(3, 2, 0))
    record, stored = signing.signed(draft, DEVICE, keys)
    signing.write(record, Journal(tmp_path), journal)
    assert isinstance(stored, e.LocalReportStored)
    journal.close()
    again = LocalJournal(tmp_path)
    known = again.known()
    assert known.unsent == (stored.report,)
    assert (known.sequence, known.memory["facts"].failures) == (5, 2)
    state = configured(known=known)
    assert state.local.unsent == known.unsent
    sent = step(replace(state, report=replace(state.report, busy=False, at=0)), e.Tick(), START)[1]
    assert [command.local for command in sent if isinstance(command, e.SendReports)] == [known.unsent]
    verdict = wire.Verdict("facts", 5, "failure", "accepted")
    state, _ = step(state, e.ReportsTaken((verdict,)), START)
    assert state.local.unsent == ()
    assert again.sent("facts", 5)
    assert not again.sent("facts", 5)
    assert LocalJournal(tmp_path).known().unsent == ()


@pytest.mark.slow
def test_rewriting_keeps_what_is_known(tmp_path: Path) -> None:
    keys, journal = ensure_keys(tmp_path), LocalJournal(tmp_path)
    for sequence in range(1, 700):
        draft = e.StoreLocalReport(
            "facts", sequence, "success", wire.Outcome(START, detail="x" * 500), Memory(sequence)
        )
        record, _ = signing.signed(draft, DEVICE, keys)
        journal.write(signing.intent(_job(sequence), START))  # type: ignore[arg-type]  # of a local job
        signing.write(record, Journal(tmp_path), journal)
        if sequence < 690:
            journal.sent("facts", sequence)
    journal.write(signing.intent(_job(700), START))  # type: ignore[arg-type]
    before = journal.known()
    journal.close()
    assert (tmp_path / "local.log").stat().st_size < 400 << 10
    after = LocalJournal(tmp_path).known()
    assert after == before
    assert (len(after.unsent), after.open, after.sequence) == (10, (("facts", 700),), 700)


def _job(sequence: int) -> Job:
    content = wire.Content({}, 60)
    return Job("facts", sequence, "local", "#a", 1, content, None, {}, turn=sequence)


def test_a_device_without_local_schedules_has_no_file(tmp_path: Path) -> None:
    LocalJournal(tmp_path).close()
    assert not (tmp_path / "local.log").exists()


def test_a_revoked_device_sleeps_through_its_turns() -> None:
    one = local()
    state = configured(one)
    for event in (e.Failed("pull", e.Failure.REVOKED), e.Tick()):
        state, commands = step(state, event, turn_start(one))
        assert begun(commands) == []
    assert state.wake > turn_start(one) + HOUR // 2
