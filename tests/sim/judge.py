"""Whether a world kept its promises: its ledger, the control database, the tables and the answers of NQL are compared.

In: a world, now and then while it goes on, and at its end. Out: problems in its ledger. Invariant: what is compared is
what really happened (scripts that started and ended) with what the product says of it; nothing here is told by the
parts under test what to expect.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from portal.actions.messages import AskRetry
from storage.control.executions import Execution
from storage.control.runs import Run
from storage.control.schedule_definition import Times
from storage.control.states import FINAL, State
from tests.sim.ledger import End, Key, name
from tests.sim.start import SECOND
from tests.sim.world import World

__all__ = ["AskRetry", "check", "look"]

EVERYTHING = "remote_action.executions from 2026-12-01 to 2027-12-01 | list request_id, device.uid, status, outputs"
NOT_BEGUN = frozenset({State.EXPIRED, State.POLICY_DENIED, State.NO_SCRIPT, State.OLD_COLLECTOR})
Found = dict[tuple[str, str], tuple[Execution, Run]]


# --- NQL and the history -----------------------------------------------------------------------
async def look(world: World, *, at_peace: bool = False) -> None:
    """Ask for all executions, and compare with every state they had while the question was answered."""
    ledger, portal = world.ledger, world.portal
    first, before = ledger.ticks, set(ledger.history)
    answer = await portal.spawn(portal.queries.ask(world.caller, EVERYTHING))
    columns = [column.to_pylist() for column in answer.result.table.columns]
    rows = [row for row in zip(*columns[:3], strict=True) if row[0] not in world.local]  # their open ones are nowhere
    ledger.counts["looks"] += 1
    seen = Counter((run, device) for run, device, _ in rows)
    for key in sorted(before - set(seen)):
        if not portal.control.executions.of_run(key[0], devices=[key[1]]):
            continue  # told of, but left out, as it ran the action not long ago
        ledger.problem(f"NQL lacks the execution of {key[0][-6:]} on {key[1][-6:]}")
    for (run, device), count in seen.items():
        if count > 1:
            ledger.problem(f"NQL has the execution of {run[-6:]} on {device[-6:]} {count} times")
    for run, device, status in rows:
        may_be = {state.value for state in ledger.between(run, device, first, ledger.ticks)}
        if status not in may_be:
            ledger.problem(f"NQL says {status} of {run[-6:]} on {device[-6:]}, the history {sorted(may_be)}")
    if at_peace and any(status in ("waiting_on_device", "in_progress", "waiting_on_user") for *_, status in rows):
        ledger.problem("NQL shows open executions at the end")


# --- the end -----------------------------------------------------------------------------------
def check(world: World) -> None:
    """Everything that must hold at the end."""
    found: Found = {}
    for run in world.every_run():
        for execution in world.portal.control.executions.of_run(run.id):
            found[run.id, execution.device] = execution, run
    for part in (_ends, _reports, _tables, _attempts, _once_every, _runs, _schedules, _machines, _local):
        world.ledger.problems.extend(part(world, found))
    world.ledger.counts.update(f"ended {execution.state.value}" for execution, _ in found.values())


def _ends(world: World, found: Found) -> Iterator[str]:
    """Each execution ended, and as the device knows it."""
    for execution, _ in found.values():
        key = (execution.device, execution.run, execution.attempt)
        state, about = execution.state, f"{name(key)} is {execution.state.value}"
        if state is State.LOST_CONTACT:
            if execution.device not in world.ledger.revoked and execution.device not in world.ledger.copied:
                yield f"{about} although the device came back: it said {world.ledger.said[key]}"
            continue
        if state not in FINAL:
            yield f"{about} at the end"
        if execution.device not in world.ledger.copied:  # there, what is true of one machine is not of the other
            yield from _truth(world, key, execution, about)


def _truth(world: World, key: Key, execution: Execution, about: str) -> Iterator[str]:
    ledger, state = world.ledger, execution.state
    really, started = ledger.ends.get(key), ledger.starts[key]
    if state in (State.SUCCESS, State.FAILURE):
        if really is None or really.state != state.value:
            yield f"{about}, really {really}"
        elif execution.outputs != {"n": really.number}:
            yield f"{about} with outputs {execution.outputs}, really {really}"
    if state in NOT_BEGUN and started:
        yield f"{about}, but its script started"
    if state is State.INTERRUPTED and not ledger.crashes[key[0]]:
        yield f"{about}, but its device was never killed"
    said = ledger.said.get(key, [])
    if said and set(said) != {state.value} and key[0] not in ledger.revoked:
        yield f"{about}, the device said {said}"
    if started and not said and key[0] not in ledger.revoked:
        yield f"{about}, its script started and the device said nothing of its end"


def _local(world: World, found: Found) -> Iterator[str]:
    """What devices did on their own clocks is in the tables once, as they wrote it down, and nothing else is."""
    ledger = world.ledger
    stored: defaultdict[tuple[str, str], Counter[tuple[str, Any]]] = defaultdict(Counter)
    for row in world.tables.rows["remote_action.executions"]:
        if row["request_id"] in world.local:
            number = row["outputs"][0]["number"] if row["outputs"] else None
            stored[row["@device"], row["request_id"]][row["status"], number] += 1
    really: defaultdict[tuple[str, str], Counter[tuple[str, Any]]] = defaultdict(Counter)
    for (device, run, attempt), said in ledger.said.items():
        if f"#{run}" in world.local:
            end = ledger.ends.get((device, run, attempt))
            number = end.number if end is not None and end.state == said[-1] else None
            really[device, f"#{run}"][said[-1], number] += 1
    ledger.counts["local ends"] += sum(counts.total() for counts in stored.values())
    for key in sorted(stored.keys() | really.keys()):
        if key[0] not in ledger.copied and (more := stored[key] - really[key]):
            yield f"{key[1]} on {key[0][-6:]} has ends in the tables that were none: {dict(more)}"
        if key[0] not in ledger.revoked and key[0] not in ledger.copied and (lacks := really[key] - stored[key]):
            yield f"{key[1]} on {key[0][-6:]} lacks ends in the tables: {dict(lacks)}"


def _machines(world: World, found: Found) -> Iterator[str]:
    """Nobody is held whose identity one machine alone went by, and in the end nobody at all."""
    for entry in world.portal.control.audit.latest(10_000):
        if entry.action == "device.cloned" and entry.subject.removeprefix("device:") not in world.ledger.copied:
            yield f"{entry.subject[-6:]} was held although it is one machine: {entry.detail}"
    for device in world.portal.control.enrolment.cloned():
        yield f"device {device.uid[-6:]} is held at the end"


def _reports(world: World, found: Found) -> Iterator[str]:
    """No end counted twice, and no device has two ends for one attempt."""
    for key, count in world.ledger.accepted.items():
        if count > 1:
            yield f"the end of {name(key)} was accepted {count} times"
    for key, said in world.ledger.said.items():
        if len(said) > 1 and key[0] not in world.ledger.copied:
            yield f"the device wrote down {said} for {name(key)}"


def _tables(world: World, found: Found) -> Iterator[str]:
    """Each end is in the tables exactly once, as the control database has it."""
    stored: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in world.tables.rows["remote_action.executions"]:
        if row["request_id"] in world.local:
            continue
        stored[row["request_id"], row["@device"]].append(row)
    for at, (execution, _) in found.items():
        rows = stored.pop(at, [])
        about = f"run {at[0][-6:]} on {at[1][-6:]}"
        if len(rows) != 1:
            yield f"{about} is {len(rows)} times in the tables"
        elif (rows[0]["status"], rows[0]["execution_id"]) != (execution.state.value, execution.id):
            yield f"{about} is {rows[0]['status']} in the tables, {execution.state.value} in control"
        elif [entry["number"] for entry in rows[0]["outputs"]] != list(execution.outputs.values()):
            yield f"{about} has outputs {rows[0]['outputs']} in the tables, {execution.outputs} in control"
    for at in stored:
        yield f"run {at[0][-6:]} on {at[1][-6:]} is in the tables and nowhere else"


def _attempts(world: World, found: Found) -> Iterator[str]:
    """An attempt follows only one that failed, or was interrupted where that may be repeated; not too many do."""
    for key in world.ledger.starts:
        device, run, attempt = key
        if f"#{run}" in world.local:
            continue
        execution, asked = found[run, device]
        most = 1 if asked.plan.retries is None else asked.plan.retries.attempts
        if attempt > most:
            yield f"{name(key)} started, {most} are the most"
        if attempt < execution.attempt:
            end = world.ledger.ends.get(key, End("interrupted", 0))
            allowed = {"failure", "interrupted"} if asked.action == "#again" else {"failure"}
            if end.state not in allowed:
                yield f"{name(key)} ended with {end} and was followed by another attempt"


def _once_every(world: World, found: Found) -> Iterator[str]:
    """An order of a run that asks for it goes out only if no other began the action on the device shortly before."""
    if world.stepped:
        return  # the portal went by a clock that was wrong
    handed = world.ledger.handed
    by_device: defaultdict[tuple[str, str], list[Key]] = defaultdict(list)
    for key in sorted(world.ledger.starts):
        if f"#{key[1]}" in world.local:
            continue
        by_device[key[0], found[key[1], key[0]][1].action].append(key)
    for keys in by_device.values():
        for late in keys:
            every = found[late[1], late[0]][1].plan.once_every
            for early in keys:
                if every is None or early[1] == late[1] or late[2] > 1 or handed[early].order > handed[late].order:
                    continue
                if handed[early].at > handed[late].at - every * SECOND:
                    yield f"{name(late)} began less than {every} s after {name(early)}"


def _runs(world: World, found: Found) -> Iterator[str]:
    """Runs without anything open have ended; followed ones kept their limit; guards held."""
    counts: Counter[str] = Counter(run for run, _ in found)
    for run in world.every_run():
        if run.state == "running":
            yield f"run {run.id[-6:]} has not ended"
        limits = run.plan.limits
        if limits is not None and limits.devices is not None and counts[run.id] > limits.devices:
            yield f"run {run.id[-6:]} has {counts[run.id]} devices, its limit is {limits.devices}"


def _schedules(world: World, found: Found) -> Iterator[str]:
    """A due time made one run or none, and each run of a schedule has one due time."""
    control = world.portal.control
    made = Counter(run.schedule for run in world.every_run() if run.schedule is not None)
    for schedule in control.schedules.everything():
        firings = control.schedules.firings(schedule.nql_id, limit=10_000)
        runs = [firing.run for firing in firings if firing.run is not None]
        if len(set(runs)) != len(runs) or len(runs) != made[schedule.nql_id]:
            yield f"{schedule.nql_id} fired {len(runs)} runs, {made[schedule.nql_id]} are there"
        dues = {firing.due_at for firing in firings}
        if len(dues) != len(firings):
            yield f"{schedule.nql_id} decided a due time twice"
        if world.stepped or schedule.definition.missed != "all" or not firings:
            continue
        yield from (f"{schedule.nql_id} forgot {due}" for due in _between(Times(schedule.definition), dues) - dues)


def _between(times: Times, dues: set[int]) -> set[int]:
    """All due times from the first that was decided to the last."""
    found, due = set[int](), times.next(min(dues))
    while due is not None and due < max(dues):
        found.add(due)
        due = times.next(due)
    return found
