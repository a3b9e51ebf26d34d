"""Actions, runs and executions as the API shows them.

In: what the service gives. Out: messages. Invariant: times are ISO 8601 in UTC; an output is shown in the unit its
type is exported in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine.formats import instant_text
from portal.actions import messages as m
from portal.actions.service import ExecutionsView, RunView
from portal.queries.execution import Facts
from storage.control.actions import Action
from storage.control.executions import HELD, Execution
from storage.control.plans import next_open
from storage.control.runs import Run

SECOND = 1_000_000


def action_info(action: Action, signed_by: Sequence[str], *, may_run: bool, scripts: bool = False) -> m.ActionInfo:
    """An action, with its scripts if asked; `signed_by` are the trusted authors of its version; `may_run` says whether
    whoever asks may run it."""
    info = m.ActionInfo(
        nql_id=action.nql_id,
        uid=action.uid,
        name=action.name,
        description=action.description,
        purpose=list(action.purpose),
        triggers=list(action.triggers),
        origin=action.origin,
        version=action.version,
        number=action.number,
        timeout=action.timeout,
        run_as=action.run_as,
        platforms=list(action.platforms),
        signed_by=list(signed_by),
        draft=not signed_by,
        may_run=may_run,
        inputs=list(action.inputs),
        outputs=list(action.outputs),
        updated_at=instant_text(action.updated_at),
        updated_by=action.updated_by.removeprefix("account:"),
    )
    if scripts:
        content = msgspec.json.decode(action.content)
        info.scripts, info.simulate = content["scripts"], content["simulate"]
    return info


def run_info(view: RunView) -> m.RunInfo:
    """A run and its counts; its waves where they are known."""
    run = view.run
    info = m.RunInfo(
        id=run.id,
        action=run.action,
        version=run.version,
        parameters=dict(run.parameters),
        target=m.TargetInfo(run.target_kind, run.target_text, run.device_count, run.digest),
        trigger=run.trigger_method,
        requested_by=run.requested_by,
        requested_at=instant_text(run.requested_at),
        expires_at=instant_text(run.expires_at),
        reason=run.reason,
        counts=view.counts,
        held=view.held,
        complete=view.complete,
        plan=run.plan,
        state=run.state,
        state_detail=run.state_detail,
        wave=run.wave + 1,
        ended_at=_shown(run.ended_at),
        schedule=run.schedule,
        retry_of=run.retry_of,
        skipped=run.skipped,
    )
    if view.partial:  # what stands there may be about devices that whoever looks does not see
        info.target = m.TargetInfo(run.target_kind, None, sum(view.counts.values()), "")
        info.state_detail, info.skipped = None, 0
    if view.waves is not None:
        info.waves, info.next_at = _waves(run, view.waves), _shown(view.next_at)
        info.opens_at = _shown(view.opens_at)
    return info


def _waves(run: Run, found: Mapping[int, Mapping[str, int]]) -> list[m.WaveInfo]:
    """Every wave of the plan, those without devices among them."""
    waves = []
    for number, size in enumerate(run.plan.waves or ("100%",)):
        counts = {state: count for state, count in found.get(number, {}).items() if state != HELD}
        held = found.get(number, {}).get(HELD, 0)
        waves.append(m.WaveInfo(number + 1, size, counts, held, number <= run.wave))
    return waves


def device_ref(uid: str, facts: Facts) -> m.DeviceRef:
    """A device by its name, or by its uid where no name is known."""
    known = facts.get(uid, {})
    return m.DeviceRef(uid, known.get("name") or uid, bool(known.get("simulated")))


def platforms(facts: Facts) -> dict[str, int]:
    """How many devices there are of each platform; those whose platform is not known are `unknown`."""
    return dict(Counter(str(known["platform"] or "unknown") for known in facts.values() if "platform" in known))


def execution_info(execution: Execution, found: ExecutionsView) -> m.ExecutionInfo:
    """An execution, one of those that were found."""
    types = found.types
    return m.ExecutionInfo(
        id=execution.id,
        device=device_ref(execution.device, found.facts),
        state=execution.state.value,
        detail=execution.detail,
        attempt=execution.attempt,
        wave=execution.wave + 1,
        held=execution.held,
        begins_at=_shown(execution.open_from) if execution.waits and execution.open_from else None,
        waits_for=waits_for(execution, found.run, found.now),
        changed_at=instant_text(execution.changed_at),
        started_at=_shown(execution.started_at),
        finished_at=_shown(execution.finished_at),
        duration=None if execution.duration is None else execution.duration / SECOND,
        exit_code=execution.exit_code,
        outputs={name: output(types.get(name, ""), value) for name, value in execution.outputs.items()},
        error=execution.error,
    )


def waits_for(execution: Execution, run: Run, now: int) -> m.WaitsFor | None:
    """Why an execution cannot begin now; None where it may, or has."""
    if execution.held:
        return "wave" if execution.wave > run.wave else "run"
    if not execution.waits or execution.open_from is None or execution.open_from <= now:
        return None
    return "window" if next_open(run.plan.window, now) > now else "attempt"


def output(kind: str, value: Any) -> Any:
    """An output's value as it is shown."""
    match kind:
        case "date_time":
            return instant_text(value)
        case "duration":
            return value / SECOND
        case _:
            return value


def _shown(micros: int | None) -> str | None:
    return None if micros is None else instant_text(micros)
