"""The core, one event at a time: what it asks for, and what it never does.

Comes in: events by hand. Goes out: commands. Invariant: a process is asked for only after its intent is stored, and
never for an execution that is known. Long histories are the matter of tests/sim.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from agent import core, statements, wire
from agent import events as e
from agent.backoff import LONGEST, Line
from agent.core import REVOKED_PAUSE, step
from agent.orders import Job
from agent.runner import Ended
from agent.state import State
from tests.agent.test_orders import DEVICE, PORTAL, order, trust

NOW = 500
FAR = 1 << 50


def after(state: State, *events: e.Event, now: int = NOW) -> tuple[State, list[e.Command]]:
    """The state after some events, and every command on the way."""
    commands: list[e.Command] = []
    for event in events:
        state, more = step(state, event, now)
        commands += more
    return state, commands


def kinds(commands: Iterable[e.Command]) -> list[str]:
    return [type(command).__name__ for command in commands]


def fresh() -> State:
    """A core with an open channel."""
    return after(State(trust()), e.Recovered(()), e.ChannelOpened())[0]


def pulled(state: State, *orders: wire.Order, more: bool = False) -> tuple[State, list[e.Command]]:
    return after(state, e.Pulled(wire.Work(list(orders), more=more)))


def accepted(state: State) -> tuple[State, Job]:
    """A core with one job whose intent is being stored."""
    state, commands = pulled(state, order(expires_at=FAR))
    [job] = [command.job for command in commands if isinstance(command, e.StoreIntent)]
    return state, job


def test_a_start_opens_the_channel_and_asks_for_nothing() -> None:
    _, commands = after(State(trust()), e.Recovered(()), e.ChannelOpened())
    assert kinds(commands) == ["OpenChannel", "ForgetOld"]


def test_intent_before_process() -> None:
    state, job = accepted(fresh())
    state, commands = after(state, e.IntentStored(job))
    assert kinds(commands) == ["StartProcess"]


def test_a_repeated_order_is_let_be_at_every_stage() -> None:
    again = order(expires_at=FAR)
    state, job = accepted(fresh())
    for event in (None, e.IntentStored(job), e.ProcessStarted(job, 1), e.ProcessEnded(job, Ended("success"))):
        if event is not None:
            state, _ = after(state, event)
        state, commands = pulled(state, again)
        assert not {"StoreIntent", "StartProcess"} & set(kinds(commands)), event


def test_an_end_that_the_portal_asks_for_again_is_said_again() -> None:
    state, job = accepted(fresh())
    report = wire.Report("run", 1, "nonce", "success", msgspec.Raw(b"{}"), bytes(64))
    verdict = wire.Verdict("run", 1, "success", "accepted")
    events = (e.IntentStored(job), e.ProcessEnded(job, Ended("success")), e.ReportStored(report, FAR))
    state, _ = after(state, *events, e.ReportsTaken((verdict,)))
    assert state.unsent == ()
    state, commands = pulled(state, order(expires_at=FAR))
    assert [command.reports for command in commands if isinstance(command, e.SendReports)] == [(report,)]


def waited(state: str, time: int) -> wire.Report:
    outcome = msgspec.Raw(wire.encode(wire.Outcome(time)))
    return wire.Report("run", 1, "nonce", state, outcome, bytes(64))  # type: ignore[arg-type]


def test_a_wait_for_the_user_is_reported_with_its_end() -> None:
    state, job = accepted(fresh())
    state, _ = after(state, e.TimeLearned(1000), e.IntentStored(job), e.ProcessStarted(job, NOW))
    state, commands = after(state, e.UserAwaited(job, NOW + 60), e.UserAwaited(job, None))
    said = [(command.state, command.outcome) for command in commands if isinstance(command, e.StoreReport)]
    waits = ("waiting_on_user", wire.Outcome(NOW + 1000, until=NOW + 1060))
    assert said == [waits, ("in_progress", wire.Outcome(NOW + 1000))]
    state, _ = after(state, e.ProcessEnded(job, Ended("success")))
    _, commands = after(state, e.UserAwaited(job, NOW + 60))
    assert kinds(commands) == []


def test_a_verdict_is_about_the_oldest_of_equal_reports() -> None:
    """A script may ask twice: then two reports say that it waits, and two that it goes on."""
    state, job = accepted(fresh())
    state, _ = after(state, e.IntentStored(job))
    reports = [waited("in_progress", 1), waited("waiting_on_user", 2), waited("in_progress", 3)]
    state, _ = after(state, *(e.ReportStored(report, FAR) for report in reports))
    first = wire.Verdict("run", 1, "in_progress", "accepted")
    state, commands = after(state, e.ReportsTaken((first,)))
    assert state.unsent == tuple(reports[1:])
    assert state.done == {}
    assert [command.reports for command in commands if isinstance(command, e.SendReports)] == [tuple(reports[1:])]


def test_at_most_two_at_once() -> None:
    orders = [order(run=f"run{number}", expires_at=FAR) for number in range(4)]
    state, commands = pulled(fresh(), *orders)
    assert kinds(commands).count("StoreIntent") == 2
    assert state.more


def test_persons_go_before_schedules() -> None:
    orders = [order(run="later", priority=1, expires_at=FAR), order(run="first", priority=0, expires_at=FAR)]
    _, commands = pulled(fresh(), *orders)
    assert [command.job.run for command in commands if isinstance(command, e.StoreIntent)] == ["first", "later"]


def test_a_cancel_before_the_start_stops_it() -> None:
    state, job = accepted(fresh())
    signature = PORTAL.sign(statements.cancel_bytes("run", DEVICE, 1, "nonce"))
    state, _ = after(state, e.Pulled(wire.Work(cancels=[wire.Cancel("run", DEVICE, 1, "nonce", signature)])))
    _, commands = after(state, e.IntentStored(job))
    assert [command.state for command in commands if isinstance(command, e.StoreReport)] == ["cancelled"]
    assert "StartProcess" not in kinds(commands)


def test_a_cancel_that_is_not_the_portals_is_ignored() -> None:
    state, _ = accepted(fresh())
    forged = wire.Cancel("run", DEVICE, 1, "nonce", bytes(64))
    state, commands = after(state, e.Pulled(wire.Work(cancels=[forged])))
    assert "StopProcess" not in kinds(commands)
    assert state.stopping == frozenset()


def test_a_cancel_that_overtakes_its_order_wins() -> None:
    signature = PORTAL.sign(statements.cancel_bytes("run", DEVICE, 1, "nonce"))
    state, _ = after(fresh(), e.Pulled(wire.Work(cancels=[wire.Cancel("run", DEVICE, 1, "nonce", signature)])))
    _, commands = pulled(state, order(expires_at=FAR))
    assert "StoreIntent" not in kinds(commands)


def test_an_intent_that_cannot_be_written_leaves_the_order_unknown() -> None:
    state, job = accepted(fresh())
    state, _ = after(state, e.IntentFailed(job))
    _, commands = pulled(state, order(expires_at=FAR))
    assert "StoreIntent" in kinds(commands)


def test_an_intent_that_took_too_long_is_expired() -> None:
    state, job = accepted(fresh())
    _, commands = after(state, e.IntentStored(job), now=FAR)
    assert [command.state for command in commands if isinstance(command, e.StoreReport)] == ["expired"]


def test_times_are_told_in_the_portals_time() -> None:
    state, job = accepted(fresh())
    state, _ = after(state, e.IntentStored(job), e.TimeLearned(1000))
    _, commands = after(state, e.ProcessStarted(job, 700))
    [report] = [command for command in commands if isinstance(command, e.StoreReport)]
    assert isinstance(report.outcome, wire.Outcome)
    assert (report.outcome.started_at, report.outcome.time) == (1700, 1700)


def test_a_report_the_portal_can_never_take_blocks_no_other() -> None:
    reports = [wire.Report(f"r{i}", 1, "n", "success", msgspec.Raw(b"{}"), bytes(64)) for i in range(3)]
    state, _ = after(fresh(), *(e.ReportStored(report, FAR) for report in reports))
    refused = e.Failed("reports", e.Failure.REFUSED)
    state, commands = after(state, refused)
    assert "DropReport" not in kinds(commands)
    state, commands = after(state, e.Tick(), now=NOW + LONGEST * 2)
    [sent] = [command.reports for command in commands if isinstance(command, e.SendReports)]
    assert sent == (reports[0],)
    _, commands = after(state, refused)
    assert [command.report for command in commands if isinstance(command, e.DropReport)] == [reports[0]]


def test_a_revoked_device_stops_its_scripts_and_asks_rarely() -> None:
    state, job = accepted(fresh())
    state, _ = after(state, e.IntentStored(job))
    state, commands = after(state, e.Failed("pull", e.Failure.REVOKED))
    assert kinds(commands) == ["Log", "StopProcess"]
    assert state.wake >= NOW + REVOKED_PAUSE
    _, commands = after(state, e.Tick(), now=NOW + REVOKED_PAUSE - 1)
    assert "SendPull" not in kinds(commands)


def test_pauses_grow_and_are_bounded_and_spread() -> None:
    line, pauses = Line("pull"), []
    for _ in range(20):
        line = line.failed(0, "device")
        pauses.append(line.at)
    assert pauses[0] <= 1_500_000
    assert all(LONGEST // 2 <= pause <= LONGEST * 1.5 for pause in pauses[8:])
    assert len({Line("pull").failed(0, f"device {number}").at for number in range(100)}) == 100


@pytest.mark.parametrize("kind", core._HANDLERS, ids=lambda kind: kind.__name__)
def test_every_event_has_its_handler(kind: type) -> None:
    assert kind in e.Event.__args__
    assert set(core._HANDLERS) == set(e.Event.__args__)
