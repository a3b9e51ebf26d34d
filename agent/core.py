"""The agent's mind: `step(state, event, now) -> (state, commands)`. It does nothing itself.

In: events (`agent.events`) and the instant of the agent's clock. Out: the state afterwards and what to do. Invariants:
a process starts only after its intent is on the disk, at most `AT_ONCE` run, and an execution that is known is never
started again; every execution that was begun ends in exactly one report, and a report is done with only by the
portal's verdict; whatever fails is tried again, later each time; nothing is asked of the portal but over an open
channel, and nothing without need. Messages are never dispatched by a name from outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent import campaign_steps, configuring, local_steps, statements, wire
from agent import events as e
from agent.backoff import SECOND
from agent.campaigns import sent
from agent.identity import verify
from agent.journal import OPEN, OPENED, RUNNING, Execution, Key, without_oldest
from agent.orders import Denied, Foreign, Job, examine
from agent.state import CHANNEL, REPORTS_AT_ONCE, State, Step
from agent.version import __version__

AT_ONCE = 2
FORGET_EVERY = 3600 * SECOND
MOST_HELD = 64
STEADY = 30 * SECOND  # a channel that lived this long was a good one
REVOKED_PAUSE = 3600 * SECOND
CLONED = (
    "another machine goes by this device's identity, or this one was set back to an older state: the portal serves "
    "neither until an administrator decides (muster devices cloned); a copy has to be enrolled anew, in an empty folder"
)
DAY = 86_400 * SECOND


def step(state: State, event: e.Event, now: int) -> Step:
    """What follows from an event at an instant of the agent's clock."""
    job = getattr(event, "job", None)
    handler = local_steps.step if job is not None and job.local else _HANDLERS[type(event)]
    state, commands = handler(state, event, now)
    state, local = local_steps.begin(state, now, AT_ONCE)
    state, talk = _talk(state, now)
    return state, [*commands, *local, *talk]


def _talk(state: State, now: int) -> Step:
    """Begin whatever talk with the portal is due."""
    commands: list[e.Command] = []
    if not state.channel.busy and not state.channel_up and state.channel.at <= now:
        state = replace(state, channel=state.channel.begin())
        commands.append(e.OpenChannel())
    if not state.channel_up:
        return _forget_due(state, commands, now)
    if state.pull.due(now):
        room = max(0, AT_ONCE - len(state.running))
        people = None if state.people == state.people_told else list(state.people)
        state = replace(state, pull=state.pull.begin(), people_sent=state.people)
        commands.append(e.SendPull(wire.Pull(room, _held(state), __version__, people=people)))
    if state.config.due(now):
        state = replace(state, config=state.config.begin())
        commands.append(e.FetchConfiguration(state.tag))
    if (state.unsent or state.local.unsent) and not state.report.busy and state.report.at <= now:
        state = replace(state, report=state.report.begin())
        reports = state.unsent[: state.reports_at_once]
        commands.append(e.SendReports(reports, local_steps.to_send(state, state.reports_at_once - len(reports))))
    if state.batches and not state.batch.busy and state.batch.at <= now:
        state = replace(state, batch=state.batch.begin())
        commands.append(e.SendBatch())
    return _forget_due(state, commands, now)


def _forget_due(state: State, commands: list[e.Command], now: int) -> Step:
    if state.forget_at <= now:
        state = replace(state, forget_at=now + FORGET_EVERY)
        commands.append(e.ForgetOld(state.portal_time(now)))
    return state, commands


def _held(state: State) -> list[wire.Held]:
    """What the portal need not hand out again: what runs, and what has ended without the portal knowing."""
    writing = [key for key, report in state.done.items() if report is None]
    waiting = [(report.run, report.attempt) for report in state.unsent]
    running = [key for key, job in state.running.items() if not job.local]
    return [wire.Held(*key) for key in dict.fromkeys([*running, *state.asking, *writing, *waiting])][:MOST_HELD]


# --- the start, and time -----------------------------------------------------------------------
def _recovered(state: State, event: e.Recovered, now: int) -> Step:
    commands: list[e.Command] = []
    done, unsent = dict(state.done), list(state.unsent)
    for item in event.known:
        key = (item.run, item.attempt)
        done[key] = item.end
        unsent += item.unsent
        if item.end is None:
            commands.append(_interrupted(state, item, now))
    state = replace(state, done=done, unsent=tuple(unsent), batches=event.batches)
    state, more = local_steps.recovered(state, event.local, now)
    return state, commands + more


def _interrupted(state: State, item: Execution, now: int) -> e.Command:
    if item.reports and item.reports[-1].state == OPENED:
        gone = wire.Replied(state.portal_time(now), sent.STOPPED)
        return e.StoreReport(item.run, item.attempt, item.nonce, item.expires_at, "unanswered", gone)
    when = "while the script ran" if item.reports else "before the start was reported"
    outcome = wire.Outcome(
        state.portal_time(now), detail=f"the agent stopped {when}; the script was ended and is not run again"
    )
    return e.StoreReport(item.run, item.attempt, item.nonce, item.expires_at, "interrupted", outcome)


def _tick(state: State, event: e.Tick, now: int) -> Step:
    return state, []


def _time_learned(state: State, event: e.TimeLearned, now: int) -> Step:
    return replace(state, offset=event.offset), []


def _trust_changed(state: State, event: e.TrustChanged, now: int) -> Step:
    trust = replace(state.trust, portal_key=event.portal_key, authors=event.authors)
    return replace(state, trust=trust), []


def _forgot(state: State, event: e.Forgot, now: int) -> Step:
    return replace(state, done={key: report for key, report in state.done.items() if key not in event.keys}), []


# --- the channel and pulls ---------------------------------------------------------------------
def _channel_opened(state: State, event: e.ChannelOpened, now: int) -> Step:
    # What waited for the portal waits no longer: it is there. Work it has for us it says by a nudge.
    lines = {name: replace(getattr(state, name), at=now) for name in ("pull", "config", "report", "batch")}
    channel = replace(state.channel, busy=False)  # its failures are forgotten when it has lived for a while
    state = replace(state, **lines, channel=channel, channel_up=True, revoked=False, cloned=False)
    return configuring.told(state, event.tag, now), []


def _channel_closed(state: State, event: e.ChannelClosed, now: int) -> Step:
    if event.failure is e.Failure.REVOKED:
        return _revoked(replace(state, channel_up=False), now)
    state, commands = _held_back(state, event.failure)
    line = CHANNEL if event.lived > STEADY else state.channel
    return replace(state, channel_up=False, channel=line.scattered(now, state.trust.device, event.pause)), commands


def _nudged(state: State, event: e.Nudged, now: int) -> Step:
    return _want_pull(state, now), []


def _want_pull(state: State, now: int) -> State:
    return replace(state, pull=state.pull.want(now))


def _pulled(state: State, event: e.Pulled, now: int) -> Step:
    state = replace(state, pull=state.pull.done(now), more=event.work.more, people_told=state.people_sent)
    state = campaign_steps.news(state, now)  # somebody may have come in the meantime
    state = configuring.told(state, event.work.tag, now)
    commands: list[e.Command] = []
    for cancel in event.work.cancels:
        state, more = _cancelled(state, cancel, now)
        commands += more
    for order in sorted(event.work.orders, key=lambda order: order.priority):
        state, more = _ordered(state, order, now)
        commands += more
    for questions in event.work.questions:
        state, more = _asked(state, questions, now)
        commands += more
    return state, commands


def _cancelled(state: State, cancel: wire.Cancel, now: int) -> Step:
    key = (cancel.run, cancel.attempt)
    said = statements.cancel_bytes(cancel.run, cancel.device, cancel.attempt, cancel.nonce)
    if cancel.device != state.trust.device or not verify(state.trust.portal_key, cancel.signature, said):
        return state, [_log("warning", "a cancel was ignored: it is not our portal's", cancel)]
    if key in state.running:
        return replace(state, stopping=state.stopping | {key}), [e.StopProcess(*key)]
    if key in state.asking:
        return state, [e.StopProcess(*key)]
    if key in state.done:
        return _again(state, key), []
    state = replace(state, done={**state.done, key: None})
    outcome = wire.Outcome(state.portal_time(now), detail="cancelled before it started")
    expires = state.portal_time(now) + DAY
    return state, [e.StoreReport(*key, cancel.nonce, expires, "cancelled", outcome)]


def _ordered(state: State, order: wire.Order, now: int) -> Step:
    key = (order.run, order.attempt)
    if key in state.running:
        return state, []
    if key in state.done:
        return _again(state, key), []
    if len(state.running) >= AT_ONCE:
        return replace(state, more=True), []  # the portal hands it out again
    match examine(order, state.trust, state.portal_time(now)):
        case Foreign(reason):
            return state, [_log("warning", f"an order was ignored: {reason}", order)]
        case Denied(ending, detail):
            state = replace(state, done={**state.done, key: None})
            outcome = wire.Outcome(state.portal_time(now), detail=detail)
            return state, [e.StoreReport(*key, order.nonce, order.expires_at, ending, outcome)]
        case job:
            trust, running = state.trust.seen(job), {**state.running, key: job}
            return replace(state, running=running, trust=trust), [e.StoreIntent(job)]


def _asked(state: State, questions: wire.Questions, now: int) -> Step:
    key = (questions.response, questions.attempt)
    if key in state.asking:
        return state, []
    return (_again(state, key), []) if key in state.done else campaign_steps.told(state, questions, now)


def _again(state: State, key: Key) -> State:
    """The portal asks for what we ended: say it once more, if it is not on its way."""
    report = state.done[key]
    if report is None or report in state.unsent:
        return state
    return replace(state, unsent=(*state.unsent, report))


# --- executions --------------------------------------------------------------------------------
def _intent_stored(state: State, event: e.IntentStored, now: int) -> Step:
    job = event.job
    if (job.run, job.attempt) in state.stopping:
        return _over(
            state, job, "cancelled", wire.Outcome(state.portal_time(now), detail="cancelled before it started")
        )
    if state.portal_time(now) >= job.expires_at:
        detail = "the order expired before this device could start it"
        return _over(state, job, "expired", wire.Outcome(state.portal_time(now), detail=detail))
    return state, [e.StartProcess(job)]


def _intent_failed(state: State, event: e.IntentFailed, now: int) -> Step:
    key = (event.job.run, event.job.attempt)
    running = {other: job for other, job in state.running.items() if other != key}
    pull = state.pull if state.pull.busy else state.pull.failed(now, state.trust.device)
    state = replace(state, running=running, stopping=state.stopping - {key}, pull=pull)
    return state, [_log("error", "an order was put off: the journal cannot be written", event.job)]


def _process_started(state: State, event: e.ProcessStarted, now: int) -> Step:
    job, at = event.job, state.portal_time(event.at)
    outcome = wire.Outcome(at, started_at=at)
    return state, [e.StoreReport(job.run, job.attempt, job.nonce, job.expires_at, OPEN, outcome)]


def _user_awaited(state: State, event: e.UserAwaited, now: int) -> Step:
    job, at = event.job, state.portal_time(now)
    if (job.run, job.attempt) not in state.running:
        return state, []
    stands: wire.State = OPEN if event.until is None else "waiting_on_user"
    outcome = wire.Outcome(at, until=None if event.until is None else state.portal_time(event.until))
    return state, [e.StoreReport(job.run, job.attempt, job.nonce, job.expires_at, stands, outcome)]


def _process_ended(state: State, event: e.ProcessEnded, now: int) -> Step:
    ended, job = event.ended, event.job
    outcome = wire.Outcome(
        state.portal_time(now),
        None if ended.started_at is None else state.portal_time(ended.started_at),
        None if ended.finished_at is None else state.portal_time(ended.finished_at),
        ended.exit_code,
        ended.outputs,
        ended.detail,
        ended.error,
    )
    return _over(state, job, ended.state, outcome)


def _over(state: State, job: Job, ending: wire.State, outcome: wire.Outcome) -> Step:
    key = (job.run, job.attempt)
    running = {other: one for other, one in state.running.items() if other != key}
    state = replace(state, running=running, stopping=state.stopping - {key}, done={**state.done, key: None})
    return state, [e.StoreReport(*key, job.nonce, job.expires_at, ending, outcome)]


# --- reports and batches -----------------------------------------------------------------------
def _report_stored(state: State, event: e.ReportStored, now: int) -> Step:
    report = event.report
    done = state.done if report.state in RUNNING else {**state.done, (report.run, report.attempt): report}
    return replace(state, unsent=(*state.unsent, report), done=done), []


def _reports_taken(state: State, event: e.ReportsTaken, now: int) -> Step:
    state = local_steps.taken(state, event.verdicts)
    taken = Counter((one.run, one.attempt, one.state) for one in event.verdicts)
    unsent = without_oldest(state.unsent, taken)
    refused = [one for one in event.verdicts if one.verdict == "refused"]
    commands: list[e.Command] = [_log("error", f"the portal refused a report: {one.reason}", one) for one in refused]
    state = replace(state, unsent=tuple(unsent), report=state.report.done(), reports_at_once=REPORTS_AT_ONCE)
    # Only now does the portal know that there is room, and hands out what it kept back.
    ended = any(one.state not in RUNNING for one in event.verdicts)
    return (_want_pull(state, now) if ended and state.more else state), commands


def _batch_queued(state: State, event: e.BatchQueued, now: int) -> Step:
    return replace(state, batches=state.batches + 1), []


def _batch_sent(state: State, event: e.BatchSent, now: int) -> Step:
    return replace(state, batches=event.left, batch=state.batch.done()), []


def _failed(state: State, event: e.Failed, now: int) -> Step:
    if event.failure is e.Failure.REVOKED:
        return _revoked(state, now)
    state, commands = _held_back(state, event.failure)
    if event.line == state.pull.name:
        state = replace(state, pull=state.pull.failed(now, state.trust.device, event.pause))
    elif event.line == state.config.name:
        state = replace(state, config=state.config.failed(now, state.trust.device, event.pause))
    elif event.line == state.batch.name:
        state = replace(state, batch=state.batch.failed(now, state.trust.device, event.pause), batches=event.left)
        commands += [e.DropBatch()] if event.failure is e.Failure.REFUSED else []
    else:
        state = replace(state, report=state.report.failed(now, state.trust.device, event.pause))
        if event.failure is e.Failure.REFUSED and state.reports_at_once > 1:
            state = replace(state, reports_at_once=1)  # one of them may be what is wrong
        elif event.failure is e.Failure.REFUSED and (state.unsent or state.local.unsent):
            commands += [e.DropReport(state.unsent[0] if state.unsent else state.local.unsent[0])]
    return state, commands


def _revoked(state: State, now: int) -> Step:
    commands: list[e.Command] = (
        [] if state.revoked else [e.Log("error", "the portal has closed this device's identity", {})]
    )
    names = ("channel", "pull", "config", "report", "batch")
    lines = {name: replace(getattr(state, name), busy=False, at=now + REVOKED_PAUSE) for name in names}
    state = replace(state, **lines, revoked=True)
    return state, [*commands, *(e.StopProcess(*key) for key in (*state.running, *state.asking))]


def _held_back(state: State, failure: e.Failure) -> Step:
    """Say once that another machine goes by our identity; what runs goes on, and what waits is kept."""
    if failure is not e.Failure.CLONED or state.cloned:
        return state, []
    return replace(state, cloned=True), [e.Log("error", CLONED, {})]


def _log(level: str, text: str, about: wire.Order | wire.Cancel | wire.Verdict | Job) -> e.Log:
    return e.Log(level, text, {"run": about.run, "attempt": about.attempt})


_HANDLERS: dict[type[Any], Callable[[State, Any, int], Step]] = {
    e.Recovered: _recovered,
    e.Tick: _tick,
    e.TimeLearned: _time_learned,
    e.TrustChanged: _trust_changed,
    e.Forgot: _forgot,
    e.ChannelOpened: _channel_opened,
    e.ChannelClosed: _channel_closed,
    e.Nudged: _nudged,
    e.ConfigurationTold: configuring.heard,
    e.Configured: configuring.configured,
    e.Pulled: _pulled,
    e.IntentStored: _intent_stored,
    e.IntentFailed: _intent_failed,
    e.ProcessStarted: _process_started,
    e.UserAwaited: _user_awaited,
    e.ProcessEnded: _process_ended,
    e.PeopleSeen: campaign_steps.seen,
    e.QuestionsShown: campaign_steps.shown,
    e.PersonReplied: campaign_steps.over,
    e.ReportStored: _report_stored,
    e.LocalReportStored: local_steps.stored,
    e.ReportsTaken: _reports_taken,
    e.BatchQueued: _batch_queued,
    e.BatchSent: _batch_sent,
    e.Failed: _failed,
}
