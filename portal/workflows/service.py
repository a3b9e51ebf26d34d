"""Keeping workflows, beginning them on devices, following and cancelling them; on plain values.

In: a caller, workflows, targets. Out: workflows, requests, executions. Invariants: a workflow is begun by who may run
each of its actions, on devices that the caller sees; a query target is evaluated once; executions on devices outside a
view domain are as if they were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from portal.actions.messages import Target
from portal.caller import Caller
from portal.errors import ApiError
from portal.queries.execution import Facts
from portal.queries.service import Queries
from portal.relay import Relay
from portal.threads import Threads
from portal.workflows.checking import check_here
from portal.workflows.deciding import answered
from portal.workflows.going import Going
from portal.workflows.messages import AskWorkflow
from storage.control.api import Control
from storage.control.errors import NotFoundError, RefusedError
from storage.control.manifest import check_parameters
from storage.control.workflow_definition import WaitStep, Workflow, given
from storage.control.workflow_executions import MOST_DEVICES, WorkflowRequest
from storage.control.workflow_rows import OPEN, WorkflowExecution
from storage.control.workflows import SavedWorkflow, definition

PAGES = 20  # of executions looked through for some that a caller with a view domain sees
PIECE = 200
TRIES = 3  # to give something to a step, where the execution moves meanwhile


@dataclass(frozen=True, slots=True)
class Begun:
    """A request and its executions, in the order of its devices; `new` is false where its idempotency key had begun it
    before."""

    request: str
    executions: list[str]
    new: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """Executions, and facts about their devices."""

    executions: list[WorkflowExecution]
    facts: Facts


class Workflows:
    """The workflows slice."""

    def __init__(
        self,
        control: Control,
        queries: Queries,
        relay: Relay,
        going: Going,
        threads: Threads,
        clock: Callable[[], int],
    ) -> None:
        self._control, self._queries, self._relay = control, queries, relay
        self.going, self._threads, self._clock = going, threads, clock

    async def run(self) -> None:
        """Have workflows go on, until cancelled."""
        await self.going.run()

    async def save(self, caller: Caller, workflow: Workflow) -> SavedWorkflow:
        """Save a workflow. Raises QueryError, RefusedError."""
        await check_here(self._control, self._queries, self._threads, caller, workflow)
        save = self._control.workflows.save
        saved = await self._threads.control(save, workflow, by=caller.actor, now=self._clock())
        self._relay.wake()
        return saved

    async def everything(self) -> list[SavedWorkflow]:
        """All workflows."""
        return await self._threads.control(self._control.workflows.everything)

    async def workflow(self, nql_id: str) -> SavedWorkflow:
        """One workflow, by its id with or without `#`. Raises NotFoundError."""
        return await self._threads.control(self._control.workflows.workflow, f"#{nql_id.removeprefix('#')}")

    async def begin(self, caller: Caller, nql_id: str, ask: AskWorkflow) -> Begun:
        """Begin a workflow on devices. Raises QueryError, ApiError, ControlError."""
        workflow = await self.workflow(nql_id)
        if not workflow.active:
            raise ApiError(422, "inactive", f"The workflow {workflow.nql_id} is not active.")
        check_may(caller, workflow)
        devices = await self._devices(caller, ask.target)
        request = WorkflowRequest(
            workflow=workflow,
            devices=tuple(devices),
            parameters=check_parameters(workflow.definition.parameters, ask.parameters),
            requested_by=caller.name,
            trigger_method=_trigger(caller, workflow, len(devices)),
            reason=ask.reason,
            external_source=ask.external_source,
            external_reference=ask.external_reference,
            idempotency_key=ask.idempotency_key,
            target_text=None if ask.target.nql is UNSET else ask.target.nql,
        )
        begin = self._control.workflow_executions.begin
        return Begun(*await self._threads.control(begin, request, now=self._clock()))

    async def executions(self, caller: Caller, limit: int, before: str | None = None, **only: str | None) -> Shown:
        """Executions, newest first; `only` those of a `workflow`, a `request`, a `state`."""
        found: list[WorkflowExecution] = []
        for _ in range(1 if caller.domain is None else PAGES):
            latest = self._control.workflow_executions.latest
            page = await self._threads.control(latest, limit, before=before, **only)
            found += await self._visible(caller, page)
            if len(page) < limit or len(found) >= limit:
                break
            before = page[-1].id
        return await self._shown(caller, found[:limit])

    async def execution(self, caller: Caller, identifier: str) -> Shown:
        """One execution. Raises NotFoundError."""
        return await self._shown(caller, [await self._one(caller, identifier)])

    async def counts(self, caller: Caller, request: str) -> dict[str, int]:
        """How many executions of a request that the caller sees are in each state. Raises NotFoundError."""
        whole = await self._threads.control(self._control.workflow_executions.counts, request)
        if caller.domain is None:
            return whole
        counts: dict[str, int] = {}
        for one in await self._visible(caller, await self._of(request)):
            counts[one.state] = counts.get(one.state, 0) + 1
        if not counts:
            raise NotFoundError("unknown_request", "there is no such request of a workflow")
        return counts

    async def cancel(self, caller: Caller, *, request: str | None = None, execution: str | None = None) -> int:
        """Cancel one execution, or those of a request that the caller sees; how many were open. Raises
        NotFoundError."""
        devices: set[str] | None = None
        if execution is not None:
            await self._one(caller, execution)
        elif request is not None:
            await self.counts(caller, request)
            if caller.domain is not None:
                devices = {one.device for one in await self._visible(caller, await self._of(request))}
        cancel = self._control.workflow_executions.cancel
        moved = await self._threads.control(
            cancel, request=request, execution=execution, devices=devices, by=caller.actor, now=self._clock()
        )
        await self.going.tell(moved, by=caller.actor)
        return moved.done

    async def give(self, caller: Caller, execution: str, values: Mapping[str, str]) -> WorkflowExecution:
        """Give a step that listens what it listens for. Raises NotFoundError, RefusedError, ApiError 403, 409."""
        for _ in range(TRIES):
            one = await self._one(caller, execution)
            check_may(caller, await self._threads.control(self._control.workflows.workflow, one.workflow, one.version))
            said = definition(one.content)
            step = said.step(one.step)
            if one.state not in OPEN or not isinstance(step, WaitStep) or step.listen is None or not one.begun:
                raise ApiError(409, "not_listening", "No step of this execution listens now.")
            if (problem := given(values, step.listen)) is not None:
                raise RefusedError("bad_parameters", problem)
            now = self._clock()
            move = answered(said, one, step, values, now)
            moved = await self._threads.control(self._control.workflow_executions.apply, [move], now=now)
            await self.going.tell(moved, by=caller.actor)
            if moved.done:
                return one
        raise ApiError(409, "not_listening", "The execution went on meanwhile.", "Look at it, and try again.")

    async def _one(self, caller: Caller, identifier: str) -> WorkflowExecution:
        one = await self._threads.control(self._control.workflow_executions.execution, identifier)
        if not await self._visible(caller, [one]):
            raise NotFoundError("unknown_execution", "there is no such execution of a workflow")
        return one

    async def _of(self, request: str) -> list[WorkflowExecution]:
        latest = self._control.workflow_executions.latest
        return await self._threads.control(latest, MOST_DEVICES, request=request)

    async def _visible(self, caller: Caller, some: Sequence[WorkflowExecution]) -> list[WorkflowExecution]:
        seen = await self._queries.visible(caller, {one.device for one in some})
        return [one for one in some if one.device in seen]

    async def _shown(self, caller: Caller, found: list[WorkflowExecution]) -> Shown:
        return Shown(found, await self._queries.devices(caller, sorted({one.device for one in found})))

    async def _devices(self, caller: Caller, target: Target) -> list[str]:
        """The devices of a target, in its order. Raises QueryError, ApiError."""
        if (target.devices is UNSET) == (target.nql is UNSET):
            raise ApiError(422, "bad_target", "A target is either devices or nql.")
        if target.nql is not UNSET:
            devices, _ = await self._queries.targets(caller, target.nql, MOST_DEVICES)
            if len(devices) > MOST_DEVICES:
                raise ApiError(422, "too_many_devices", f"The query means more than {MOST_DEVICES} devices.")
            return devices
        devices = list(dict.fromkeys(target.devices if target.devices is not UNSET else ()))
        facts = await self._queries.devices(caller, devices)
        if missing := [uid for uid in devices if uid not in facts]:
            message = f"{len(missing)} of {len(devices)} devices are not known, the first is {missing[0]}."
            raise ApiError(422, "unknown_devices", message)
        return devices


def may_run(caller: Caller, workflow: SavedWorkflow) -> bool:
    """Whether an account may begin a workflow: it may run each of its actions."""
    return all(caller.may_run(step.action) for step in workflow.definition.actions)


def check_may(caller: Caller, workflow: SavedWorkflow) -> None:
    """Raises ApiError 403 where the caller may not run every action of a workflow."""
    if not may_run(caller, workflow):
        message = f"Your account may not run every action of {workflow.nql_id}."
        raise ApiError(403, "forbidden", message, "Ask an administrator.")


def _trigger(caller: Caller, workflow: SavedWorkflow, devices: int) -> str:
    """How the executions came about, by who asks. Raises ApiError 422 where the workflow does not allow it."""
    if caller.session is None:
        trigger, allowed = "api", "api" in workflow.triggers
    elif devices > 1:
        trigger, allowed = "manual_multiple", "manual_multiple" in workflow.triggers
    else:
        trigger, allowed = "manual", bool({"manual", "manual_multiple"} & set(workflow.triggers))
    if not allowed:
        way = "by the API" if trigger == "api" else "by hand on so many devices"
        raise ApiError(422, "trigger_not_allowed", f"The workflow {workflow.nql_id} cannot be started {way}.")
    return trigger
